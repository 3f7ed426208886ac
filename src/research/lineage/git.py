"""What git knows of the code that ran: commit, operator, what differs from HEAD; and clean checkouts of a commit.

A project that is no repository, has no commit, or whose operator git does not know, can run everything; such runs
are unpinned, and the reason says which of these it was.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from research.errors import RefusedError

_FOREIGN = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"}


@dataclass(frozen=True, slots=True)
class Head:
    """The commit under the working tree, or why there is none."""

    commit: str | None
    reason: str = ""


def _git(root: Path, *args: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    env = {name: value for name, value in os.environ.items() if name not in _FOREIGN}  # set inside git hooks
    env |= {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    return subprocess.run(
        ["git", "-c", "core.hooksPath=/dev/null", *args],
        cwd=root,
        input=stdin,
        capture_output=True,
        env=env,
        check=False,
    )


def head(root: Path) -> Head:
    """The commit that is checked out at `root`."""
    if shutil.which("git") is None:
        return Head(None, "git is not installed")
    found = _git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if found.returncode == 0:
        return Head(found.stdout.decode().strip())
    inside = _git(root, "rev-parse", "--is-inside-work-tree")
    if inside.returncode != 0:
        lines = inside.stderr.decode(errors="replace").strip().splitlines()
        return Head(
            None, "the project is not a git repository" if b"not a git" in inside.stderr else f"git: {lines[0]}"
        )
    return Head(None, "the git repository has no commit")


def operator(root: Path) -> dict[str, str | None]:
    """Who runs: the login name, and the name and address that git would write into a commit."""
    import getpass

    try:
        user: str | None = getpass.getuser()
    except (OSError, KeyError):  # a user id without a name
        user = f"uid {os.getuid()}"
    return {
        "user": user,
        "git_name": os.environ.get("GIT_AUTHOR_NAME") or _config(root, "user.name"),
        "git_email": os.environ.get("GIT_AUTHOR_EMAIL") or _config(root, "user.email"),
    }


def _config(root: Path, key: str) -> str | None:
    if shutil.which("git") is None:
        return None
    found = _git(root, "config", "--get", key)
    return found.stdout.decode(errors="replace").strip() or None if found.returncode == 0 else None


def contents(root: Path, paths: Iterable[str], commit: str = "HEAD") -> dict[str, bytes | None]:
    """The bytes of `paths` (relative to `root`) at `commit`; None where the commit has no such file."""
    wanted = list(paths)
    asked = "".join(f"{commit}:./{path}\n" for path in wanted).encode()
    answer = _git(root, "cat-file", "--batch", stdin=asked).stdout
    out: dict[str, bytes | None] = {}
    at = 0
    for path in wanted:
        end = answer.find(b"\n", at)
        header = answer[at:end].split()
        if end < 0 or len(header) != 3 or header[1] != b"blob":
            out[path], at = None, end + 1
            continue
        size = int(header[2])
        out[path], at = answer[end + 1 : end + 1 + size], end + size + 2
    return out


def patch(root: Path, paths: Iterable[str]) -> bytes:
    """What differs from HEAD in `paths`, as a patch; new files are not in it."""
    return _git(root, "diff", "--no-color", "--no-ext-diff", "--relative", "HEAD", "--", *paths).stdout


def has_commit(root: Path, commit: str) -> bool:
    return _git(root, "cat-file", "-e", f"{commit}^{{commit}}").returncode == 0


def add_worktree(root: Path, commit: str, folder: Path) -> Path:
    """A clean checkout of `commit` in `folder`; the path that corresponds to `root` inside it."""
    done = _git(root, "worktree", "add", "--detach", "--quiet", "--force", str(folder), commit)
    if done.returncode != 0:
        raise RefusedError(f"git worktree of {commit[:12]} could not be made: {done.stderr.decode().strip()}")
    prefix = _git(root, "rev-parse", "--show-prefix").stdout.decode().strip()
    return folder / prefix if prefix else folder


def remove_worktree(root: Path, folder: Path) -> None:
    _git(root, "worktree", "remove", "--force", str(folder))
    shutil.rmtree(folder, ignore_errors=True)
    _git(root, "worktree", "prune")
