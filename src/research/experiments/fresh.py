"""A new environment from the lock of a run, kept by the digest of that lock.

`uv` makes it where it is installed, else `python -m venv` and pip, always with `--require-hashes`: what gets in is
what the lock names, to the byte. Where the distributions come from is pip's and uv's own configuration; no index
address is written anywhere. The code of the run is not installed: it comes from the run's worktree.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from research.errors import RefusedError
from research.experiments.place import Say
from research.fingerprint import digest_bytes
from research.lineage import git
from research.lineage.capsule import Capsule
from research.lineage.locks import file_lock
from research.project import Project

_READY = ".complete"


def cache_folder() -> Path:
    """RESEARCH_CACHE, else XDG_CACHE_HOME/research, else ~/.cache/research; the part of environments."""
    given = os.environ.get("RESEARCH_CACHE")
    if given:
        return Path(given) / "environments"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "research" / "environments"


def lock_of(project: Project, recorded: Capsule) -> bytes:
    """The bytes of the lock that the run was made under.

    Raises
    ------
    RefusedError
        When the run has none, or neither its commit nor the working tree holds it any more.
    """
    digest = recorded.environment["lock"]
    if digest is None:
        raise RefusedError(f"run {recorded.run_id} must have a lock for a fresh environment; it was made without one.")
    name = project.lock.name
    candidates = [project.lock.read_bytes()] if project.lock.is_file() else []
    if recorded.commit:
        candidates.append(git.contents(project.root, [name], recorded.commit)[name] or b"")
    for content in candidates:
        if digest_bytes(content) == digest:
            return content
    raise RefusedError(
        f"the lock of run {recorded.run_id} must still be known; got no {name} with SHA-256 {digest[:12]}... "
        "in its commit or in the working tree."
    )


def folder_of(lock: bytes, python: str) -> Path:
    """Where the environment of a lock stands or would stand."""
    short = ".".join(python.split(".")[:2])
    return cache_folder() / f"{digest_bytes(lock)[:16]}-python{short}"


def interpreter(folder: Path) -> Path:
    return folder / "bin" / "python" if os.name == "posix" else folder / "Scripts" / "python.exe"


def is_made(folder: Path) -> bool:
    return (folder / _READY).is_file() and interpreter(folder).exists()


def environment_of(project: Project, recorded: Capsule, say: Say) -> Path:
    """The interpreter of the environment of a run's lock, made unless it is there.

    Raises
    ------
    RefusedError
        When the lock cannot be installed any more; the message ends with what the installer said.
    """
    lock, python = lock_of(project, recorded), str(recorded.environment["python"])
    folder = folder_of(lock, python)
    if is_made(folder):
        say(f"environment of the lock: {folder.name}, made before")
        return interpreter(folder)
    base = _base_python(recorded, python)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with file_lock(folder.with_suffix(".lock")):
        if is_made(folder):
            return interpreter(folder)
        count = sum(line[:1].isalnum() for line in lock.decode(errors="replace").splitlines())
        say(f"environment of the lock: {count} distributions, hashes checked; a few minutes the first time")
        shutil.rmtree(folder, ignore_errors=True)
        try:
            make(folder, lock, base)
        except RefusedError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise RefusedError(
                f"the lock of run {recorded.run_id} must be installable; {error} Nothing was run. "
                "A folder of wheels helps: PIP_FIND_LINKS (or UV_FIND_LINKS)."
            ) from None
        (folder / _READY).write_text(f"{base}\n", encoding="utf-8")
    return interpreter(folder)


def _base_python(recorded: Capsule, version: str) -> str:
    """An interpreter of the run's minor version."""
    major, minor = version.split(".")[:2]
    if (int(major), int(minor)) == sys.version_info[:2]:
        return getattr(sys, "_base_executable", None) or sys.executable
    found = shutil.which(f"python{major}.{minor}")
    if found is None:
        raise RefusedError(
            f"run {recorded.run_id} must have its Python for a fresh environment; got none of version {major}.{minor} "
            f"on the path (this is {sys.version_info[0]}.{sys.version_info[1]})."
        )
    return found


def make(folder: Path, lock: bytes, base: str) -> None:
    """Make the environment in `folder` and install the lock into it."""
    with tempfile.TemporaryDirectory(prefix="research-lock-") as place:
        file = Path(place) / "requirements.lock"
        file.write_bytes(lock)
        uv = shutil.which("uv")
        if uv:
            _call(uv, "venv", "--quiet", "--python", base, str(folder))
            pip = [uv, "pip", "install", "--quiet", "--python", str(interpreter(folder))]
        else:
            _call(base, "-m", "venv", str(folder))
            pip = [str(interpreter(folder)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if any(line[:1].isalnum() for line in lock.decode(errors="replace").splitlines()):
            _call(*pip, "--require-hashes", "-r", str(file))


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()] or lines[-2:] or [f"exit code {done.returncode}"]
        text = " ".join(errors[-2:])
        tool = "uv" if Path(command[0]).name == "uv" else "pip" if "pip" in command else "venv"
        raise RefusedError(f"{tool} said: {text[:400].rstrip('.')}.")


def site_folders(python: Path) -> list[Path]:
    """Where an interpreter keeps installed distributions."""
    code = "import sysconfig; p = sysconfig.get_paths(); print(p['purelib']); print(p['platlib'])"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    return sorted({Path(line) for line in done.stdout.splitlines() if line})


def copy_distribution(name: str, version: str, folders: list[Path], target: Path) -> bool:
    """Copy the files of an installed distribution into `target`, by its own list; False when it is not there."""
    from research.lineage.environment import canonical

    for folder in folders:
        for info in folder.glob("*.dist-info"):
            have, _, number = info.name.removesuffix(".dist-info").partition("-")
            if canonical(have) != name or number != version or not (info / "RECORD").is_file():
                continue
            for line in (info / "RECORD").read_text(encoding="utf-8").splitlines():
                path = line.rsplit(",", 2)[0].strip('"')
                if not path.startswith(("..", "/")) and (folder / path).is_file() and not path.endswith(".pyc"):
                    (target / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(folder / path, target / path)
            return True
    return False
