"""Start JupyterLab on the project: warm kernel, our jobs, MLflow in the Launcher; nothing outside the project.

Everything that JupyterLab would keep in the home folder lies in `.lab/` of the project, which git ignores: settings,
workspaces, the jobs' database, kernel histories. Removing the folder forgets them, and no run. The settings that this
module writes there are rewritten at every start; what the user sets in JupyterLab's own dialogs lies beside and stays.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from research.project import Project

FOLDER = ".lab"
JOBS = "reports/jobs"  # copies of what jobs made, by job; the runs themselves are in the store
ANNOUNCEMENTS = "@jupyterlab/apputils-extension:announcements"


def folder(project: Project) -> Path:
    """Where JupyterLab keeps its own things for this project."""
    return project.root / FOLDER


def environment(project: Project) -> dict[str, str]:
    """The environment of the server and of its kernels."""
    home = folder(project)
    return {
        **os.environ,
        "RESEARCH_PROJECT": str(project.root),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_PATH": str(home / "share"),  # its kernels come before those of the environment
        "JUPYTERLAB_SETTINGS_DIR": str(home / "config" / "lab" / "user-settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "config" / "lab" / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_PLATFORM_DIRS": "0",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DVC_NO_ANALYTICS": "1",
        "DO_NOT_TRACK": "1",
    }


def config(project: Project, socket: Path) -> dict[str, Any]:
    """What the server is told: jupyter_server_config.json."""
    home = folder(project)
    return {
        "ServerApp": {"root_dir": str(project.root), "terminals_enabled": True},
        "LabApp": {
            "default_url": "/lab/tree/notebooks",
            "news_url": None,
            "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
            "extension_manager": "readonly",  # the other one asks the package index
        },
        "FileContentsManager": {"delete_to_trash": False, "post_save_hook": "research.lab.git_setup.after_save"},
        "LanguageServerManager": {"autodetect": False},  # it asks npm, which writes into the home folder
        "SchedulerApp": {
            "db_url": f"sqlite:///{home / 'jobs.sqlite'}",
            "scheduler_class": "research.lab.jobs.ResearchScheduler",
            "environment_manager_class": "research.lab.jobs.ResearchEnvironment",
        },
        "ResearchScheduler": {
            "staging_path": str(home / "staging"),
            "output_directory": JOBS,
            "execution_manager_class": "research.lab.jobs.ResearchJob",
        },
        "ServerProxy": {"servers": {"mlflow": _mlflow(socket)}},
        **({"KernelSpecManager": {"allowed_kernelspecs": _kernels()}} if _has_provisioner() else {}),
    }


def _kernels() -> list[str]:
    """Every kernel of this environment but the two that are our `python3` under other names."""
    from jupyter_client.kernelspec import KernelSpecManager

    return sorted({"python3", *KernelSpecManager().find_kernel_specs()} - {"research", "research-warm"})


def _has_provisioner() -> bool:
    """Whether this installation is as its pyproject says, so that a kernel can come from the warm process."""
    from research.experiments.warm.kernelspec import PROVISIONER

    return PROVISIONER in {entry.name for entry in entry_points(group="jupyter_client.kernel_provisioners")}


def _mlflow(socket: Path) -> dict[str, Any]:
    from research.lineage.ui import VIEW

    return {
        "command": [sys.executable, "-m", "research", "ui", "--socket", str(socket)],
        "unix_socket": str(socket),
        "timeout": 90,
        "new_browser_tab": False,
        "launcher_entry": {
            "title": "MLflow",
            "icon_path": str(Path(__file__).with_name("mlflow.svg")),
            "path_info": f"mlflow/{VIEW}",
            "category": "Notebook",  # in the others the Launcher shows no icon of a server
        },
    }


def write_settings(project: Project, socket: Path) -> None:
    """Write `.lab/config`; make `.lab` what git ignores."""
    home = folder(project)
    for name in ("config/labconfig", "data", "runtime", "staging", "ipython"):
        (home / name).mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    (home / ".gitignore").write_text("*\n")
    _write(home / "config" / "jupyter_server_config.json", config(project, socket))
    _write(home / "config" / "labconfig" / "page_config.json", {"disabledExtensions": {ANNOUNCEMENTS: True}})
    _write(home / "config" / "labconfig" / "default_setting_overrides.json", OVERRIDES)
    _write_kernel(home)


def _write_kernel(home: Path) -> None:
    """The kernel that notebooks name, `python3`, from the warm process: they stay what they are, and start at once."""
    import ipykernel.kernelspec

    from research.experiments.warm import kernelspec

    target = home / "share" / "kernels" / "python3"
    shutil.rmtree(target, ignore_errors=True)
    if not _has_provisioner():  # the environment's own kernel, then
        return
    target.mkdir(parents=True)
    _write(target / "kernel.json", kernelspec.specification())
    for logo in Path(ipykernel.kernelspec.RESOURCES).glob("logo-*"):
        shutil.copyfile(logo, target / logo.name)


OVERRIDES = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": False,
    },
    "@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"markdown": "Markdown Preview"}},
}


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def launch(project: Project, args: Sequence[str]) -> int:
    """Run JupyterLab until it ends; its exit code. `args` go to `jupyter lab`."""
    from research.experiments.warm import client

    client.start()  # it loads while JupyterLab does: the first kernel finds it ready
    short = Path(tempfile.mkdtemp(prefix="research-"))  # a Unix socket's path must be short
    try:
        write_settings(project, short / "mlflow")
        call = [sys.executable, "-m", "jupyterlab", *args]
        return subprocess.call(call, env=environment(project), cwd=project.root)
    finally:
        shutil.rmtree(short, ignore_errors=True)
