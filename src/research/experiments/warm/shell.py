"""An IPython shell as a Jupyter kernel has it, without the kernel: what it would publish goes to one function.

It is ipykernel's own shell (display hook, display publisher, tracebacks, magics), so that outputs are those of a
kernel; only the transport below it is ours.
"""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import getpass
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import ipykernel.zmqshell as zmqshell
from ipykernel.compiler import XCachingCompiler
from IPython.core.error import StdinNotImplementedError, UsageError
from jupyter_client.session import Session

Publish = Callable[[str, dict[str, Any]], None]
NO_INPUT = "raw_input was called, but this frontend does not support input requests."


class NeedsKernelError(RuntimeError):
    """A cell asks for what only a Jupyter kernel has: a connection to a front end."""


class _Publisher(Session):
    """Stands where a kernel has its ZeroMQ session."""

    publish: Publish = staticmethod(lambda kind, content: None)  # type: ignore[assignment]

    def msg(self, msg_type: str, content: Any = None, **_: Any) -> dict[str, Any]:
        header = {"msg_id": "", "msg_type": msg_type}
        return {"header": header, "msg_type": msg_type, "content": content or {}, "metadata": {}, "parent_header": {}}

    def send(self, stream: Any, msg_or_type: Any, content: Any = None, *_: Any, **__: Any) -> Any:
        message = msg_or_type if isinstance(msg_or_type, dict) else self.msg(msg_or_type, content)
        self.publish(message["msg_type"], message["content"])
        return message


class ZMQInteractiveShell(zmqshell.ZMQInteractiveShell):  # libraries ask for this name
    """The shell of one run."""

    exit_asked = False

    def enable_gui(self, gui: Any = None) -> None:
        if gui not in (None, "inline"):
            raise UsageError(f"{gui} needs an event loop; say metadata.research.engine = 'kernel' in the notebook.")

    def ask_exit(self) -> None:
        self.exit_asked = True


def make(publish: Publish) -> ZMQInteractiveShell:
    """The shell of this process, wired to `publish(kind, content)`."""
    session = _Publisher()
    session.publish = publish
    shell = ZMQInteractiveShell.instance(compiler_class=XCachingCompiler, config=_config())
    for part in (shell.displayhook, shell.display_pub):
        part.session = session
    shell.displayhook.topic = b"execute_result"
    shell.exit_now = False
    sys.modules["__main__"] = shell.user_module
    shell.extension_manager.load_extension("storemagic")
    _refuse_input()
    _refuse_comms()
    return shell


def _config() -> Any:
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    return config


def _refuse_input() -> None:
    def refuse(*_: Any, **__: Any) -> str:
        raise StdinNotImplementedError(NO_INPUT)

    builtins.input = refuse
    getpass.getpass = refuse


def _refuse_comms() -> None:
    import comm

    def refuse(*_: Any, **__: Any) -> Any:
        raise NeedsKernelError("widgets need a kernel")

    comm.create_comm = refuse  # type: ignore[assignment]


@contextlib.contextmanager
def _interrupted_by(handler: Callable[..., Any]) -> Iterator[None]:
    """SIGINT ends the cell and nothing else: asyncio's own handler would end the loop, and only after the cell."""
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


async def run_cell(shell: ZMQInteractiveShell, source: str, cell_id: str | None) -> Any:
    """Run one cell inside the running event loop, as a kernel does; IPython's result."""
    failed = None
    try:
        transformed = shell.transform_cell(source)
    except Exception:
        transformed, failed = source, sys.exc_info()
    if not shell.should_run_async(source, transformed_cell=transformed, preprocessing_exc_tuple=failed):
        with _interrupted_by(signal.default_int_handler):
            return shell.run_cell(source, store_history=True, cell_id=cell_id)
    shell._last_traceback = None
    shell._last_traceback_during_displayhook = False
    result = None
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(
        shell.run_cell_async(
            source,
            store_history=True,
            transformed_cell=transformed,
            preprocessing_exc_tuple=failed,
            cell_id=cell_id,
        )
    )
    try:
        with _interrupted_by(lambda *_: loop.call_soon_threadsafe(task.cancel)):
            result = await task
    finally:
        shell.events.trigger("post_execute")
        shell.events.trigger("post_run_cell", result)
    return result
