"""Cells on a Jupyter kernel: the kernel and its sockets in a short-lived folder, and what it says as events.

The sockets are files (IPC), so that no two kernels meet at a port, and the working directory stays as it is.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from queue import Empty
from typing import Any

from research.experiments.warm import client, place

Event = Mapping[str, Any]
START_S = 120.0
_OUTPUTS = {"stream", "display_data", "execute_result", "error", "update_display_data", "clear_output"}
_REPORT = "__import__('research.experiments.witness', fromlist=['write']).write()"


class KernelInterpreter:
    """A Jupyter kernel for the cells of one run."""

    mode = "kernel"

    def __init__(
        self, *, cwd: Path, env: Mapping[str, str], log: Path | None, memory: int | None = None, cold: bool = False
    ) -> None:
        self.folder = client.private_folder()
        self.left: list[str] = []
        self.cpu_s: float | None = None
        self.peak_memory: int | None = None
        self.widgets: dict[str, dict[str, Any]] = {}
        self._closed = False
        self._patience = 60.0  # seconds for the report
        self._log = log
        self._witness = self.folder / "witness.json"
        try:
            connection = _write_connection(self.folder)
            variables = {"IPYTHONDIR": str(self.folder / "ipython"), "RESEARCH_WITNESS": str(self._witness), **env}
            request = client.request("kernel", cwd=cwd, env=variables, memory=memory)
            request |= {"connection": str(connection), "recorded": True}
            with open(log or os.devnull, "ab") as out:
                self.process = _start(request, out.fileno(), cold)
            self._client = _connect(connection, self.process)
        except BaseException:
            if hasattr(self, "process"):
                self.process.close()
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    @property
    def warm(self) -> bool:
        return self.process.warm

    def run(
        self, source: str, cell_id: str | None, hear: Callable[[Event], None], *, deadline: float | None = None
    ) -> dict[str, Any]:
        """Run one cell; `hear` is called with each event. The reply of the kernel.

        Raises
        ------
        InterpreterDiedError, TimeLimitError
        """
        return self._ask(source, hear, deadline, silent=False)

    def stop(self) -> None:
        """Interrupt the cell, so that the kernel can still say what it saw; it has a few seconds for both."""
        self.process.signal(signal.SIGINT)
        self._patience = 5.0

    def report(self) -> dict[str, Any] | None:
        """What the witness saw; None when the kernel cannot say."""
        if self._closed or self.process.poll() is not None:
            return None
        with contextlib.suppress(client.InterpreterDiedError, client.TimeLimitError):
            self._ask(_REPORT, lambda _: None, time.monotonic() + self._patience, silent=True)
        return json.loads(self._witness.read_bytes()) if self._witness.is_file() else None

    def last_words(self) -> str:
        return client.last_words(self._log)

    def close(self) -> None:
        """Stop the kernel and all it started; remove its folder. May be called again."""
        if self._closed:
            return
        self._closed = True
        self._client.stop_channels()
        self.process.close()
        self.left, self.cpu_s, self.peak_memory = self.process.left, self.process.cpu_s, self.process.peak_memory
        shutil.rmtree(self.folder, ignore_errors=True)

    def _ask(
        self, source: str, hear: Callable[[Event], None], deadline: float | None, *, silent: bool
    ) -> dict[str, Any]:
        asked = self._client.execute(
            source, silent=silent, store_history=not silent, allow_stdin=False, stop_on_error=False
        )
        reply: dict[str, Any] | None = None
        idle = False
        while reply is None or not idle:
            self._wait(deadline)
            for message in _messages(self._client.iopub_channel):
                if message["parent_header"].get("msg_id") == asked:
                    kind, content = message["msg_type"], message["content"]
                    idle = idle or (kind == "status" and content["execution_state"] == "idle")
                    self._pass_on(kind, content, message.get("buffers") or [], hear)
                elif message["msg_type"] in ("stream", "display_data"):  # of a thread that outlived its cell
                    self._pass_on(message["msg_type"], message["content"], [], hear)
            for message in _messages(self._client.shell_channel):
                if message["parent_header"].get("msg_id") == asked:
                    reply = message["content"]
        return reply

    def _wait(self, deadline: float | None) -> None:
        """Until the kernel has said something."""
        import zmq

        poller = zmq.Poller()
        for socket in (self._client.iopub_channel.socket, self._client.shell_channel.socket):
            poller.register(socket, zmq.POLLIN)
        if self.process.fileno() >= 0:
            poller.register(self.process.fileno(), zmq.POLLIN)
        left = 1.0 if deadline is None else min(1.0, deadline - time.monotonic())
        if left <= 0.0:
            raise client.TimeLimitError
        ready = poller.poll(int(1000 * left) + 1)
        if (not ready or all(isinstance(which, int) for which, _ in ready)) and self.process.poll() is not None:
            raise client.InterpreterDiedError(self.process.poll())

    def _pass_on(self, kind: str, content: dict[str, Any], buffers: list[Any], hear: Callable[[Event], None]) -> None:
        if kind in _OUTPUTS:
            hear({"kind": kind, "content": content})
        elif kind in ("comm_open", "comm_msg") and "state" in content["data"]:
            self._keep_widget(content["comm_id"], content["data"], buffers)

    def _keep_widget(self, name: str, data: Mapping[str, Any], buffers: list[Any]) -> None:
        """The state of a widget, as a page needs it to show the widget again."""
        held = self.widgets.setdefault(name, {"state": {}, "buffers": {}})
        held["state"].update(data["state"])
        for path, buffer in zip(data.get("buffer_paths") or [], buffers):
            text = base64.b64encode(bytes(buffer)).decode("ascii")
            held["buffers"][json.dumps(path)] = {"path": path, "encoding": "base64", "data": text}

    def widget_state(self) -> dict[str, Any]:
        """What a notebook keeps under `metadata.widgets`; empty when no widget was made."""
        states = {}
        for name, held in self.widgets.items():
            state = held["state"]
            if "_model_name" in state:
                states[name] = {
                    "model_name": state["_model_name"],
                    "model_module": state["_model_module"],
                    "model_module_version": state.get("_model_module_version", ""),
                    "state": state,
                    **({"buffers": list(held["buffers"].values())} if held["buffers"] else {}),
                }
        if not states:
            return {}
        return {"application/vnd.jupyter.widget-state+json": {"state": states, "version_major": 2, "version_minor": 0}}


def _write_connection(folder: Path) -> Path:
    from jupyter_client.connect import write_connection_file

    path = folder / "connection.json"
    ports = dict(zip(("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port"), range(1, 6)))
    key = os.urandom(32).hex().encode()
    write_connection_file(str(path), transport="ipc", ip=str(folder / "k"), key=key, **ports)
    return path


def _start(request: dict[str, Any], log: int, cold: bool) -> Any:
    """The process of the kernel, under a keeper where the system has one."""
    if place.is_possible():
        return client.Forked(request, (log,), cold=cold)
    return _Plain(request, log)


class _Plain:
    """A kernel process without a keeper."""

    warm = False
    cpu_s: float | None = None
    peak_memory: int | None = None

    def __init__(self, request: Mapping[str, Any], log: int) -> None:
        call = [sys.executable, "-P", "-m", "research.experiments.kernel", "-f", request["connection"]]
        env = {**request["env"], "JPY_PARENT_PID": str(os.getpid())}
        self.left: list[str] = []
        self._process = subprocess.Popen(
            call, cwd=request["cwd"], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )

    def fileno(self) -> int:
        return -1

    def poll(self) -> int | None:
        return self._process.poll()

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def _connect(connection: Path, process: Any) -> Any:
    """A client of the kernel, when it is ready."""
    from jupyter_client.blocking.client import BlockingKernelClient

    talker = BlockingKernelClient(connection_file=str(connection))
    talker.load_connection_file()
    talker.start_channels(stdin=False, hb=False, control=False)
    end = time.monotonic() + START_S
    try:
        _wait_until_ready(talker, process, end)
    except BaseException:
        talker.stop_channels()
        raise
    return talker


def _wait_until_ready(talker: Any, process: Any, end: float) -> None:
    """Until the kernel answers, and until it has been heard on IOPub: what it says before it knows of us is lost."""
    answered = heard = False
    asked = 0.0
    while not (answered and heard):
        if time.monotonic() > end:
            raise OSError(f"the kernel was not ready within {START_S:g} s")
        if process.poll() is not None:
            raise client.InterpreterDiedError(process.poll())
        if time.monotonic() - asked > 1.0:
            talker.kernel_info()
            asked = time.monotonic()
        with contextlib.suppress(Empty):
            answered = talker.get_shell_msg(timeout=0.0 if answered else 0.05) is not None
        with contextlib.suppress(Empty):
            heard = talker.get_iopub_msg(timeout=0.0 if heard else 0.05) is not None


def _messages(channel: Any, most: int = 100) -> Iterator[Any]:
    """What has arrived on a channel, one by one: a cell may print faster than it is read, its limits lie between."""
    with contextlib.suppress(Empty):
        for _ in range(most):
            yield channel.get_msg(timeout=0)
