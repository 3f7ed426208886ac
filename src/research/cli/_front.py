"""`research run` by way of the warm process, when there is one: this process only carries words and files to it.

It imports nothing of the framework: the two small modules it needs are read beside the package `experiments`, whose
import would cost what this saves.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

COMMANDS = {"run"}  # those that people wait for
_ASKS = {"--help", "-h", "--parameters"}  # these run nothing
_COLD = "--cold"


def carried(name: str, arguments: list[str]) -> int | None:
    """The exit code of a command that the warm process has run; None when it has to be run here."""
    if name not in COMMANDS or _ASKS & set(arguments) or not sys.platform.startswith("linux"):
        return None
    place = _beside("place")
    code = None if _COLD in arguments or place.is_off() else _by_warm(place, [name, *arguments])
    if code is None and place.is_possible():
        _beside("ahead").start()  # loads what the cells need while this process loads what the command needs
    return code


def _by_warm(place: ModuleType, arguments: list[str]) -> int | None:
    link = _connected(place)
    if link is None:
        return None
    with link:
        return _converse(link, _beside("wire"), arguments)


def _beside(name: str) -> ModuleType:
    """A module of `experiments.warm`, without its packages; who imports it later finds this one."""
    path = Path(__file__).resolve().parents[1] / "experiments" / "warm" / f"{name}.py"
    full = f"research.experiments.warm.{name}"
    spec = importlib.util.spec_from_file_location(full, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module
    spec.loader.exec_module(module)
    return module


def _connected(place: ModuleType) -> Any:
    import socket

    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.connect(str(place.socket_path()))
    except OSError:
        link.close()
        return None
    return link


def _converse(link: Any, wire: ModuleType, arguments: list[str]) -> int | None:
    """Ask, then wait; Ctrl-C is passed on."""
    umask = os.umask(0o022)
    os.umask(umask)
    request = {"do": "command", "entry": "research.cli.app", "arguments": arguments, "umask": umask}
    request |= {"cwd": str(Path.cwd()), "env": dict(os.environ)}
    reader = wire.Reader(link)
    try:
        wire.send(link, request, (0, 1, 2))
        link.settimeout(10.0)
        answer = reader.read()
        link.settimeout(None)
    except OSError:
        return None
    if answer is None or "pid" not in answer:
        return None
    while True:
        try:
            answer = reader.read()
            break
        except KeyboardInterrupt:
            wire.send(link, {"signal": int(signal.SIGINT)})
        except OSError:
            answer = None
            break
    if answer is None:
        print("RunError: the warm process ended while the command ran.", file=sys.stderr)
        return 1
    status = int(answer["exit"])
    return status if status >= 0 else 128 - status
