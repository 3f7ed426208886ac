"""The private kernel process of a run: this interpreter, ipc sockets in a short-lived folder, no user configuration."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager


class Kernel:
    """One private kernel process with its sockets in a short-lived folder."""

    def __init__(self, *, cwd: Path, env: Mapping[str, str], log: Path | None = None) -> None:
        base = tempfile.gettempdir()
        self.folder = Path(tempfile.mkdtemp(prefix="rk-", dir=base if len(base) < 60 else "/tmp"))
        self.witness = self.folder / "witness.json"
        self.manager = AsyncKernelManager(
            transport="ipc", ip=str(self.folder / "k"), connection_file=str(self.folder / "connection.json")
        )
        command = [sys.executable, "-P", "-m", "research.experiments.kernel", "-f", "{connection_file}"]
        self.manager._kernel_spec = KernelSpec(argv=command, display_name="Python 3 (research)", language="python")
        self._log_path = log
        self._log = open(log, "ab") if log else open(os.devnull, "ab")  # noqa: SIM115
        full = {
            **os.environ,
            "IPYTHONDIR": str(self.folder / "ipython"),
            "PYTHONHASHSEED": "0",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "1",
            "RESEARCH_WITNESS": str(self.witness),
            **env,
        }
        asyncio.run(self.manager.start_kernel(cwd=str(cwd), env=full, stdout=self._log, stderr=self._log))

    def exit_status(self) -> int | None:
        """How the process ended: its code, minus a signal number; None while it lives."""
        process = getattr(self.manager.provisioner, "process", None)
        return process.poll() if process is not None else None

    def last_words(self) -> str:
        """What the process wrote to its own output as it died: where a crash was, or the last line."""
        text = self._log_path.read_text(encoding="utf-8", errors="replace") if self._log_path else ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        crash = next((i for i, line in enumerate(lines) if line.startswith("Fatal Python error")), None)
        if crash is None:
            return lines[-1][:300] if lines else ""
        place = next((line for line in lines[crash:] if line.startswith("File ")), "")
        return f"{lines[crash]}, {place}"[:300]

    def close(self) -> None:
        """Stop the process at once and remove its folder."""
        with contextlib.suppress(Exception):
            asyncio.run(self.manager.shutdown_kernel(now=True))
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
