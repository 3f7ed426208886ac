"""Git and notebooks, for this repository only: outputs stay out (`research-strip`), diffs are by cell (nbdime).

`.gitattributes` names the filter and the drivers; git runs them where `python -m research.lab.git_setup` (called by
`make`) has written them into the repository's own configuration. Elsewhere git ignores the names and works as usual.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path


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


if __name__ == "__main__":
    set_up(Path.cwd())
