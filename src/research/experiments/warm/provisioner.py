"""A `jupyter_client` kernel provisioner: JupyterLab's kernel comes from the warm process, over IPC sockets.

Where there is no warm process, and none can be had, the kernel is started as its specification says. Its sockets lie
in a short private folder that goes with the kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from research.experiments.warm import client, place

_SOCKETS = "RESEARCH_WARM_TCP"  # set it to have a warm kernel listen on TCP, for a front end on another machine


class _Process:
    """A forked kernel as `LocalProvisioner` sees a process."""

    stdin = stdout = stderr = None

    def __init__(self, forked: client.Forked) -> None:
        self._forked = forked
        self.pid = forked.pid

    def poll(self) -> int | None:
        return self._forked.poll()

    def wait(self) -> int | None:
        status = self._forked.wait()
        self._forked.close()
        return status

    def send_signal(self, number: int) -> None:
        self._forked.signal(number)

    def kill(self) -> None:
        self._forked.close()

    def terminate(self) -> None:
        self._forked.close()


class WarmProvisioner(LocalProvisioner):  # type: ignore[misc]
    """Starts a kernel as a child of the warm process."""

    folder: Path | None = None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        manager = self.parent
        if manager is not None and self.folder is None and place.is_possible() and not os.environ.get(_SOCKETS):
            self.folder = client.private_folder()
            manager.transport, manager.ip = "ipc", str(self.folder / "k")
            manager.cache_ports = False
        return dict(await super().pre_launch(**kwargs))

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        forked = None if place.is_off() else await asyncio.to_thread(self._fork, kwargs)
        if forked is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.process = _Process(forked)
        self.pid = forked.pid
        self.pgid = forked.pid  # the kernel leads its group
        self.cwd = kwargs.get("cwd", self.pid)
        return self.connection_info

    def _fork(self, kwargs: dict[str, Any]) -> client.Forked | None:
        """The kernel's process, with the fixed hash seed and the one BLAS thread that recorded runs have."""
        if not client.start(wait=True):
            return None
        env = {key: str(value) for key, value in (kwargs.get("env") or os.environ).items()}
        request = client.request("kernel", cwd=Path(kwargs.get("cwd") or Path.cwd()), env={}, memory=None)
        request["env"] = {**request["env"], **env, "PYTHONHASHSEED": "0"}
        request["connection"] = str(self.parent.connection_file)
        with open(os.devnull, "ab") as log, contextlib.suppress(client.InterpreterDiedError, OSError):
            return client.Forked(request, (log.fileno(),), only_warm=True)
        return None

    async def cleanup(self, restart: bool = False) -> None:
        await super().cleanup(restart=restart)
        if self.folder is not None and not restart:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None
