"""Git and notebooks, for this repository only: outputs stay out (`research-strip`), diffs are by cell (nbdime).

`.gitattributes` names the filter and the drivers; git runs them where `python -m research.lab.git_setup` (called by
`make`) has written them into the repository's own configuration. Elsewhere git ignores the names and works as usual.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any


def wanted(python: Path) -> dict[str, str]:
    """The entries of `.git/config`; paths are absolute, so that they hold in every worktree."""
    interpreter = shlex.quote(str(python))
    strip = shlex.quote(str(Path(__file__).with_name("strip.py").resolve()))
    return {
        "filter.research-strip.clean": f"{interpreter} -IS {strip}",
        "filter.research-strip.required": "false",
        "diff.jupyternotebook.command": f"{interpreter} -m research.lab.git_diff",
        "merge.jupyternotebook.name": "notebooks, by cell",
        "merge.jupyternotebook.driver": f"{interpreter} -m nbdime.vcs.git.mergedriver merge %O %A %B %L %P",
    }


def set_up(root: Path, python: Path | None = None) -> list[str]:
    """Write the entries that are missing or old into the repository at `root`; which they were."""
    if subprocess.run(["git", "-C", str(root), "rev-parse", "--git-dir"], capture_output=True, check=False).returncode:
        return []
    changed = []
    for name, value in wanted(python or Path(sys.executable)).items():
        read = subprocess.run(
            ["git", "-C", str(root), "config", "--local", "--get", name], capture_output=True, text=True, check=False
        )
        if read.stdout.rstrip("\n") != value:
            subprocess.run(["git", "-C", str(root), "config", "--local", name, value], check=True)
            changed.append(name)
    return changed


def settle(notebook: Path) -> bool:
    """Tell git that a saved notebook says what its index says; False when it says something else, or git is not there.

    Git takes a file whose size has changed for modified and does not ask the filter until it is added. So it is added,
    but only when what would be stored is what is stored already: nothing is staged that the user did not stage.
    """

    def git(*args: str) -> str | None:
        done = subprocess.run(["git", *args], cwd=notebook.parent, capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else None

    known = git("ls-files", "--stage", "--", notebook.name)
    if not known or len(known.splitlines()) != 1 or git("config", "filter.research-strip.clean") is None:
        return False
    stored = git("hash-object", "--", notebook.name)
    if stored is None or stored.strip() != known.split()[1]:
        return False
    return git("add", "--", notebook.name) is not None


def after_save(os_path: str, model: dict[str, Any], contents_manager: Any, **_: Any) -> None:
    """JupyterLab has saved a file: a notebook in which only outputs changed is not modified for git."""
    import threading

    if model.get("type") == "notebook":
        threading.Thread(target=settle, args=(Path(os_path),), daemon=True).start()


if __name__ == "__main__":
    set_up(Path.cwd())
