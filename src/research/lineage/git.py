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
from research.lineage import memo

_MOST_BLOBS = 2000
_blobs: dict[tuple[str, str, str], bytes | None] = {}
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


def _places(root: Path) -> tuple[Path, Path] | None:
    """The git folder of the checkout around `root`, and the one it shares with other checkouts."""
    for folder in (root, *root.parents):
        entry = folder / ".git"
        if entry.is_dir():
            return entry, entry
        if entry.is_file():  # a worktree or a submodule
            own = (folder / entry.read_text(encoding="utf-8").removeprefix("gitdir:").strip()).resolve()
            shared = own / "commondir"
            return own, (own / shared.read_text(encoding="utf-8").strip()).resolve() if shared.is_file() else own
    return None


def _head_files(root: Path) -> list[Path] | None:
    """The files that say what HEAD is; None when it has to be asked."""
    found = _places(root.resolve())
    if found is None or (found[1] / "reftable").exists():
        return None
    own, shared = found
    name = (own / "HEAD").read_text(encoding="utf-8").removeprefix("ref:").strip()
    return [own / "HEAD", own / name, shared / name, shared / "packed-refs"]


def head(root: Path) -> Head:
    """The commit that is checked out at `root`."""
    try:
        files = _head_files(root)
    except OSError:
        files = None
    if files is None:
        return _head(root)
    return memo.while_unchanged(("head", str(root)), files, lambda: _head(root))


def _head(root: Path) -> Head:
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
    """A setting; remembered while the files that git read for it, and those it would read, are untouched."""
    if shutil.which("git") is None:
        return None
    files = _config_files(root)
    names = tuple(sorted((k, v) for k, v in os.environ.items() if k.startswith("GIT_CONFIG") or k in ("HOME",)))
    return memo.while_unchanged((key, str(root), names), files, lambda: _ask_config(root, key))


def _config_files(root: Path) -> list[str]:
    home = os.environ.get("HOME", "")
    other = os.environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    given = [os.environ.get(name, "") for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM")]
    usual = [f"{home}/.gitconfig", f"{other}/git/config", "/etc/gitconfig", *filter(None, given)]
    places = _places(root.resolve()) or ()
    usual += [str(place / name) for place in places for name in ("config", "config.worktree", "HEAD")]

    def origins() -> list[str]:
        said = _git(root, "config", "--list", "--show-origin", "--includes", "-z").stdout.decode(errors="replace")
        found = {part[5:] for part in said.split("\0") if part.startswith("file:")}
        return sorted(str(root / name) for name in found)

    names = tuple(sorted((k, v) for k, v in os.environ.items() if k.startswith("GIT_CONFIG") or k == "HOME"))
    return [*usual, *memo.while_unchanged(("origins", str(root), names), usual, origins)]


def _ask_config(root: Path, key: str) -> str | None:
    found = _git(root, "config", "--get", key)
    return found.stdout.decode(errors="replace").strip() or None if found.returncode == 0 else None


def contents(root: Path, paths: Iterable[str], commit: str = "HEAD") -> dict[str, bytes | None]:
    """The bytes of `paths` (relative to `root`) at `commit`; None where the commit has no such file."""
    wanted = list(paths)
    known = head(root).commit if commit == "HEAD" else None  # what a commit holds never changes
    if known is None:
        return _contents(root, wanted, commit)
    left = [path for path in wanted if (str(root), known, path) not in _blobs]
    if left:
        if len(_blobs) + len(left) > _MOST_BLOBS:
            _blobs.clear()
            left = wanted
        _blobs.update({(str(root), known, path): data for path, data in _contents(root, left, known).items()})
    return {path: _blobs[str(root), known, path] for path in wanted}


def _contents(root: Path, wanted: list[str], commit: str) -> dict[str, bytes | None]:
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
