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
_STAY = {"--help", "-h", "--cold"}


def carried(name: str, arguments: list[str]) -> int | None:
    """The exit code of a command that the warm process has run; None when it has to be run here."""
    if name not in COMMANDS or _STAY & set(arguments) or not sys.platform.startswith("linux"):
        return None
    place, wire = _beside("place"), _beside("wire")
    if place.is_off():
        return None
    link = _connected(place)
    if link is None:
        return None
    with link:
        return _converse(link, wire, [name, *arguments])


def _beside(name: str) -> ModuleType:
    path = Path(__file__).resolve().parents[1] / "experiments" / "warm" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"_research_warm_{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
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
