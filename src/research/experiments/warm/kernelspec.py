"""The kernel `Research (warm)` for JupyterLab: installed into an environment, started by the warm process."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

NAME, TITLE, PROVISIONER = "research-warm", "Research (warm)", "research-warm"


def specification() -> dict[str, object]:
    """The content of `kernel.json`. Its command starts a fresh kernel, where none can be forked."""
    return {
        "argv": [sys.executable, "-P", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": TITLE,
        "language": "python",
        "interrupt_mode": "signal",
        "metadata": {"debugger": False, "kernel_provisioner": {"provisioner_name": PROVISIONER}},
    }


def install(prefix: str | Path | None = None) -> Path:
    """Write the specification under `prefix` (default: this environment); the folder it is in."""
    from jupyter_client.kernelspec import KernelSpecManager

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "kernel.json").write_text(json.dumps(specification(), indent=1), encoding="utf-8")
        return Path(KernelSpecManager().install_kernel_spec(folder, NAME, prefix=str(prefix or sys.prefix)))


if __name__ == "__main__":
    print(install(sys.argv[1] if len(sys.argv) > 1 else None))
