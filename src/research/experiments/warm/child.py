"""The interpreter of one run in `process` mode: it takes cells from a socket and answers with what they show.

A request carries four descriptors: the socket for cells and events, a memory file for each of standard output and
standard error of native code, and the log. What a cell prints from Python goes out as events at once; what native
code or a process of its own prints lands in the memory files and is read when the cell ends, or now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import faulthandler
import io
import locale
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from research.experiments.warm import wire

_libc = ctypes.CDLL(None)
FLUSH_S = 0.05
FLUSH_CHARACTERS = 32_768


class Out:
    """The way out: text is gathered, everything else goes at once; in order; from any thread."""

    def __init__(self, link: socket.socket, natives: Mapping[str, int]) -> None:
        self.link, self._natives = link, dict(natives)
        self._seen = dict.fromkeys(natives, 0)
        self._lock = threading.RLock()
        self._text: list[str] = []
        self._characters = 0
        self._name = "stdout"
        self._flushed = 0.0
        self._pid = os.getpid()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        """A process forked by the notebook has no way to its cell."""
        self._lock = threading.RLock()
        self._pid = -1

    @property
    def is_mine(self) -> bool:
        return self._pid == os.getpid()

    def publish(self, kind: str, content: Mapping[str, Any]) -> None:
        if not self.is_mine:
            return
        with self._lock:
            self.flush()
            wire.send(self.link, {"kind": kind, "content": content})

    def write(self, name: str, text: str) -> None:
        if not self.is_mine:
            os.write(1 if name == "stdout" else 2, text.encode(errors="replace"))
            return
        with self._lock:
            if name != self._name:
                self.flush()
                self._name = name
            self._text.append(text)
            self._characters += len(text)
            if self._characters > FLUSH_CHARACTERS or time.monotonic() - self._flushed > FLUSH_S:
                self.flush()

    def flush(self) -> None:
        if not self.is_mine:
            return
        with self._lock:
            if self._text:
                text, self._text, self._characters = "".join(self._text), [], 0
                wire.send(self.link, {"kind": "stream", "content": {"name": self._name, "text": text}})
            self._flushed = time.monotonic()

    def read_natives(self) -> None:
        """Send on what native code has written since the last time."""
        if not self.is_mine:
            return
        with self._lock:
            for name, number in self._natives.items():
                size = os.fstat(number).st_size
                while self._seen[name] < size:
                    data = os.pread(number, min(size - self._seen[name], 1 << 20), self._seen[name])
                    if not data:
                        break
                    self._seen[name] += len(data)
                    self.flush()
                    content = {"name": name, "text": data.decode(errors="replace")}
                    wire.send(self.link, {"kind": "stream", "content": content, "seen": [name, self._seen[name]]})


class Stream(io.TextIOBase):
    """`sys.stdout` or `sys.stderr` of the notebook."""

    encoding = "UTF-8"  # type: ignore[assignment]
    errors = "replace"  # type: ignore[assignment]

    def __init__(self, out: Out, name: str) -> None:
        self._out, self.name = out, name

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return 1 if self.name == "stdout" else 2

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text)}")
        self._out.write(self.name, text)
        return len(text)

    def flush(self) -> None:
        self._out.flush()


def work(request: Mapping[str, Any], descriptors: list[int]) -> None:
    """Be the interpreter of one run until its socket closes. Call in a process of its own."""
    link_number, stdout, stderr, log = descriptors
    surround(request, stdout, stderr)
    from research.experiments import witness
    from research.experiments.checkout import assert_source

    assert_source()
    faulthandler.enable(os.fdopen(log, "w"))
    out = Out(socket.socket(fileno=link_number), {"stdout": stdout, "stderr": stderr})
    sys.stdout, sys.stderr = Stream(out, "stdout"), Stream(out, "stderr")
    _speak_before_exit(out)
    from research.experiments.warm import shell

    interpreter = shell.make(out.publish)
    forget_self()
    if os.environ.get("RESEARCH_HERMETIC"):  # before the first thread, which would stay free
        from research.experiments import hermetic

        hermetic.enter_from_environment()
    threading.Thread(target=_look_at_natives, args=(out,), name="research-output", daemon=True).start()
    witness.begin()
    asyncio.run(_serve(shell, interpreter, out))


def surround(request: Mapping[str, Any], stdout: int, stderr: int) -> None:
    """Make this process what a fresh one would be: directory, variables, time zone, locale, limits, standard files."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    with contextlib.suppress(locale.Error):
        locale.setlocale(locale.LC_CTYPE, "")
    os.umask(request["umask"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, target in ((nothing, 0), (stdout, 1), (stderr, 2)):
        os.dup2(number, target)
    os.close(nothing)
    files = {
        "stdin": open(0, closefd=False),  # noqa: SIM115
        "stdout": open(1, "w", closefd=False, errors="replace"),  # noqa: SIM115
        "stderr": open(2, "w", closefd=False, errors="backslashreplace"),  # noqa: SIM115
    }
    for name, file in files.items():
        setattr(sys, name, file)
        setattr(sys, f"__{name}__", file)
    if request.get("memory"):
        _limit_memory(int(request["memory"]))
    if "" not in sys.path:
        sys.path.insert(0, "")


def _limit_memory(size: int) -> None:
    """`size` bytes on top of what the interpreter holds already."""
    held = 0
    with open("/proc/self/status") as handle:
        for line in handle:
            if line.startswith("VmData:"):
                held = int(line.split()[1]) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (held + size, held + size))


def forget_self() -> None:
    """This package is no part of what a run imported."""
    package = "research.experiments.warm"
    for name in [n for n in sys.modules if n == package or n.startswith(f"{package}.")]:
        del sys.modules[name]
    parent = sys.modules["research.experiments"]
    if hasattr(parent, "warm"):
        del parent.warm


def _speak_before_exit(out: Out) -> None:
    """`os._exit` in a cell keeps what was printed before it."""
    leave = os._exit

    def last_words(status: int) -> None:
        if out.is_mine:
            with contextlib.suppress(OSError):
                out.flush()
        leave(status)

    os._exit = last_words  # type: ignore[assignment]


def _look_at_natives(out: Out) -> None:
    while True:
        time.sleep(0.2)
        try:
            out.flush()
            out.read_natives()
        except OSError:
            return


async def _serve(shell: Any, interpreter: Any, out: Out) -> None:
    """Answer one cell after the other; between them the notebook's own tasks go on, as in a kernel."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # between cells
    loop = asyncio.get_running_loop()
    frames: asyncio.Queue[Any] = asyncio.Queue()
    reader = wire.Reader(out.link)

    def readable() -> None:
        messages = reader.feed()
        for message in messages if messages is not None else [None]:
            frames.put_nowait(message)

    loop.add_reader(out.link, readable)
    while (message := await frames.get()) is not None:
        if "report" in message:
            _report(out)
            continue
        await _run(shell, interpreter, out, message)
        if interpreter.exit_asked:
            break


async def _run(shell: Any, interpreter: Any, out: Out, message: Mapping[str, Any]) -> None:
    result = await shell.run_cell(interpreter, message["source"], message.get("id"))
    if not out.is_mine:  # a process that the notebook forked has come to the end of the cell
        os._exit(0)
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(Exception):
            stream.flush()  # type: ignore[union-attr]
    _libc.fflush(None)
    out.flush()
    out.read_natives()
    error = result.error_before_exec if result.error_before_exec is not None else result.error_in_exec
    broken = getattr(interpreter, "_last_traceback_during_displayhook", False)
    reply: dict[str, Any] = {"execution_count": interpreter.execution_count - 1, "status": "ok"}
    if not result.success or broken:
        reply |= {"status": "error", "ename": type(error).__name__, "evalue": str(error)}
        reply["traceback"] = getattr(interpreter, "_last_traceback", None) or []
        reply["needs_kernel"] = isinstance(error, shell.NeedsKernelError)
    interpreter.payload_manager.clear_payload()
    out.publish("done", reply)


def _report(out: Out) -> None:
    from research.experiments import witness
    from research.experiments.jsonable import to_json

    out.publish("report", to_json(witness.report()))
