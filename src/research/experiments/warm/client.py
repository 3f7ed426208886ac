"""A runner's side: an interpreter for one run, from the warm process when there is one, fresh when there is none.

The warm process is started by the first run that finds none; that run does not wait for it.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from research.experiments.warm import ahead, place, wire

Event = Mapping[str, Any]
_START_S = 60.0
STARTS_AFTER_S = 2.0
GRACE_S = 5.0


class InterpreterDiedError(Exception):
    """The process ended; `status` is its exit code, or minus a signal number."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"the interpreter died ({status})")
        self.status = status


class TimeLimitError(Exception):
    """The run took longer than it may."""


class Stopped(Exception):
    """The runner stopped the run, for a reason of its own."""


def connect() -> socket.socket | None:
    """A connection to the warm process; None when there is none."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.connect(str(place.socket_path()))
        return link
    except (OSError, place.UnsafeFolderError):
        link.close()
        return None


def ask(request: Mapping[str, Any], *, timeout_s: float = 5.0) -> dict[str, Any] | None:
    """The answer of the warm process to a question; None when there is none."""
    link = connect()
    if link is None:
        return None
    with link:
        link.settimeout(timeout_s)
        try:
            wire.send(link, request)
            answer = wire.Reader(link).read()
        except OSError:
            return None
    return answer if isinstance(answer, dict) else None


def start(*, wait: bool = False) -> bool:
    """Start the warm process unless it is there or just starting; whether it answers."""
    import fcntl

    if place.is_off():
        return False
    try:
        path = place.socket_path()
    except OSError:
        return False
    with open(path.with_suffix(".lock"), "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass  # another one is starting it
        else:
            state = ask({"do": "state"})
            if state is not None and state["stale"]:
                stop()
                state = None
            if state is None:
                _launch(path, lock.fileno())
    return _wait(path) if wait else False


def _launch(path: Path, lock: int) -> None:
    """A process of its own session; it holds the lock until it serves."""
    env = {**os.environ, "PYTHONHASHSEED": "0", "RESEARCH_WARM_LOCK": str(lock)}
    log = path.with_suffix(".log")
    with open(log, "wb") as out, open(os.devnull, "rb") as nothing:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "research.experiments.warm.server", str(path)],
            stdin=nothing,
            stdout=out,
            stderr=out,
            cwd="/",
            env=env,
            start_new_session=True,
            pass_fds=(lock,),
        )
    process.returncode = 0  # it outlives this process, which need not wait for it


def _wait(path: Path) -> bool:
    import fcntl

    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        if ask({"do": "state"}) is not None:
            return True
        with open(path.with_suffix(".lock"), "a") as lock, contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if ask({"do": "state"}) is None:
                return False  # nobody is starting it any more
        time.sleep(0.05)
    return False


def stop() -> dict[str, Any] | None:
    """Tell the warm process to end after its runs; its last state."""
    return ask({"do": "stop"})


def interpreter_environment(env: Mapping[str, str]) -> dict[str, str]:
    """The variables of a run, in every mode: fixed hash seed, one BLAS thread, no telemetry, no user settings."""
    return {
        **ahead.FIXED,
        **os.environ,
        **ahead.HASH_SEED,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
        **env,
    }


def request(what: str, *, cwd: Path, env: Mapping[str, str], memory: int | None) -> dict[str, Any]:
    """What a keeper is asked: to do `what` in a process with this directory, these variables and this much memory."""
    umask = os.umask(0o022)
    os.umask(umask)
    return {"do": what, "cwd": str(cwd), "env": interpreter_environment(env), "umask": umask, "memory": memory}


def private_folder() -> Path:
    """A short-lived folder with a short name: sockets in it must have names of at most 107 characters."""
    base = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="rk-", dir=base if len(base) < 60 else "/tmp"))


class Forked:
    """A process asked for from the warm process, or a fresh one, with the keeper that watches it."""

    def __init__(
        self,
        request: Mapping[str, Any],
        descriptors: tuple[int, ...],
        *,
        cold: bool = False,
        only_warm: bool = False,
    ) -> None:
        self.warm = False
        self.left: list[str] = []
        self.cpu_s: float | None = None
        self.peak_memory: int | None = None
        self._status: int | None = None
        self._ended = False
        self._own: subprocess.Popen[bytes] | None = None
        self._starter: threading.Timer | None = None
        control, answer = (None, None) if cold or place.is_off() else _ask_for(request, descriptors)
        if control is None and only_warm:
            start()
            raise ConnectionRefusedError("there is no warm process")
        if control is None:
            control = self._fresh(request, descriptors)
            answer = None
            if not cold:
                self._start_another()
        else:
            self.warm = True
        self.control = control
        self._reader = wire.Reader(control)
        self.pid = int((answer or self._first())["pid"])

    def _start_another(self) -> None:
        """A warm process for the next time: when this run ends or takes a while, so that it need not share."""
        self._starter = threading.Timer(STARTS_AFTER_S, start)
        self._starter.daemon = True
        self._starter.start()

    def _first(self) -> dict[str, Any]:
        answer = self._reader.read()
        if answer is None:
            raise InterpreterDiedError(self._own.wait() if self._own else None)
        return dict(answer)

    def _fresh(self, request: Mapping[str, Any], descriptors: tuple[int, ...]) -> socket.socket:
        self._own, link = ahead.take(request["env"], descriptors[-1])
        wire.send(link, request, descriptors)
        return link

    def fileno(self) -> int:
        return self.control.fileno()

    def hear(self) -> None:
        """Take in what the keeper says; call when the descriptor is readable."""
        try:
            messages = self._reader.feed()
        except OSError:
            messages = None
        if messages is None:
            self._ended = True
            return
        for message in messages:
            if "exit" in message:
                self._status, self.left, self._ended = int(message["exit"]), list(message["left"]), True
                self.cpu_s, self.peak_memory = float(message["cpu_s"]), int(message["peak"])

    def poll(self) -> int | None:
        """How the process ended: its code, minus a signal number; None while it lives."""
        while not self._ended and select.select([self.control], [], [], 0.0)[0]:
            self.hear()
        return self.status

    @property
    def status(self) -> int | None:
        return (self._status if self._status is not None else -signal.SIGKILL) if self._ended else None

    def wait(self, timeout_s: float | None = None) -> int | None:
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._ended:
            left = None if end is None else max(0.0, end - time.monotonic())
            if not select.select([self.control], [], [], left)[0]:
                return None
            self.hear()
        return self.status

    def signal(self, number: int) -> None:
        if not self._ended:
            with contextlib.suppress(OSError):
                wire.send(self.control, {"signal": number})

    def close(self) -> None:
        """End the process and everything it left; returns when that is done."""
        if not self._ended:
            self.signal(signal.SIGKILL)
            self.wait(5.0)
        self.control.close()
        if self._own is not None:
            self._own.wait()
        if self._starter is not None and not self._starter.finished.is_set():
            self._starter.cancel()
            start()


def _ask_for(
    request: Mapping[str, Any], descriptors: tuple[int, ...]
) -> tuple[socket.socket | None, dict[str, Any] | None]:
    """A child of the warm process; nothing where there is none, or a stale one."""
    control = connect()
    if control is not None:
        try:
            wire.send(control, request, descriptors)
            control.settimeout(_START_S)
            answer = wire.Reader(control).read()
            control.settimeout(None)
            if answer is not None and "pid" in answer:
                return control, answer
        except OSError:
            pass
        control.close()
    return None, None


class Interpreter:
    """An interpreter for the cells of one run."""

    def __init__(
        self,
        *,
        cwd: Path,
        env: Mapping[str, str],
        log: Path | None = None,
        memory: int | None = None,
        cold: bool = False,
    ) -> None:
        self.folder = private_folder()
        self.mode = "process"
        self.left: list[str] = []
        self.cpu_s: float | None = None
        self.peak_memory: int | None = None
        self._log_path = log
        self._natives = {name: os.memfd_create(f"research-{name}") for name in ("stdout", "stderr")}
        self._seen = dict.fromkeys(self._natives, 0)
        mine, theirs = socket.socketpair()
        asked = request("cells", cwd=cwd, env={**env, "IPYTHONDIR": str(self.folder / "ipython")}, memory=memory)
        try:
            with theirs, open(log or os.devnull, "ab") as out:
                numbers = (theirs.fileno(), *(self._append(n) for n in self._natives.values()), out.fileno())
                try:
                    self.process = Forked(asked, numbers, cold=cold)
                finally:
                    for number in numbers[1:3]:
                        os.close(number)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        self._link = mine
        self._reader = wire.Reader(mine)

    @staticmethod
    def _append(number: int) -> int:
        """The same memory file, written at its end by whoever has it."""
        return os.open(f"/proc/self/fd/{number}", os.O_RDWR | os.O_APPEND)

    @property
    def warm(self) -> bool:
        return self.process.warm

    def run(
        self, source: str, cell_id: str | None, hear: Callable[[Event], None], *, deadline: float | None = None
    ) -> dict[str, Any]:
        """Run one cell; `hear` is called with each event. The reply of the shell.

        Raises
        ------
        InterpreterDiedError, TimeLimitError
        """
        self._send({"source": source, "id": cell_id})
        return self._until("done", hear, deadline)

    def stop(self) -> None:
        """Interrupt the cell, so that the process can still say what it saw; one that does not heed it is killed."""
        self.process.signal(signal.SIGINT)
        try:
            self._until("done", lambda _: None, time.monotonic() + GRACE_S)
        except TimeLimitError:
            self.process.signal(signal.SIGKILL)
            self.process.wait(GRACE_S)
        except InterpreterDiedError:
            pass

    def report(self, *, timeout_s: float = 60.0) -> dict[str, Any] | None:
        """What the witness saw; None when the process cannot say."""
        if self._link.fileno() < 0 or self.process.poll() is not None:
            return None
        try:
            self._send({"report": True})
            return self._until("report", lambda _: None, time.monotonic() + timeout_s)
        except (InterpreterDiedError, TimeLimitError):
            return None

    def _send(self, message: Any) -> None:
        try:
            wire.send(self._link, message)
        except OSError:
            self.process.wait(5.0)
            raise InterpreterDiedError(self.process.status) from None

    def _until(self, kind: str, hear: Callable[[Event], None], deadline: float | None) -> dict[str, Any]:
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            watched: list[Any] = [self._link, self.process]
            ready = select.select(watched, [], [], left)[0]
            if not ready or left == 0.0:  # one that never stops talking is late too
                raise TimeLimitError
            if self._link in ready:
                messages = self._arrived()
                for message in messages or []:
                    if "seen" in message:
                        name, self._seen[name] = message["seen"]
                    if message["kind"] == kind:
                        return dict(message["content"])
                    hear(message)
                if messages is not None:
                    continue
            if self._link in ready or self.process in ready:
                status = self.process.wait(5.0)
                if status is None:
                    continue
                self._rest(hear)
                raise InterpreterDiedError(status)

    def _arrived(self) -> list[Any] | None:
        try:
            return self._reader.feed()
        except OSError:
            return None

    def _rest(self, hear: Callable[[Event], None]) -> None:
        """What the dead process had still said."""
        self._link.settimeout(0.2)
        with contextlib.suppress(OSError):
            while messages := self._reader.feed():
                for message in messages:
                    if message["kind"] not in ("done", "report"):
                        hear(message)
        for name, number in self._natives.items():
            text = os.pread(number, 1 << 20, self._seen[name]).decode(errors="replace")
            if text:
                hear({"kind": "stream", "content": {"name": name, "text": text}})

    def widget_state(self) -> dict[str, Any]:
        """No widget lives here."""
        return {}

    def last_words(self) -> str:
        """What the process wrote as it died: where a crash was, or the last line."""
        return last_words(self._log_path)

    def close(self) -> None:
        """End the process and all it started; remove its folder. May be called again."""
        if self._link.fileno() < 0:
            return
        self._link.close()
        self.process.close()
        self.left, self.cpu_s, self.peak_memory = self.process.left, self.process.cpu_s, self.process.peak_memory
        for number in self._natives.values():
            os.close(number)
        shutil.rmtree(self.folder, ignore_errors=True)


def last_words(log: Path | None) -> str:
    """From a log: the crash and its place, or the last line."""
    text = log.read_text(encoding="utf-8", errors="replace") if log and log.is_file() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    crash = next((i for i, line in enumerate(lines) if line.startswith("Fatal Python error")), None)
    if crash is None:
        return lines[-1][:300] if lines else ""
    place_ = next((line for line in lines[crash:] if line.startswith("File ")), "")
    return f"{lines[crash]}, {place_}"[:300]
