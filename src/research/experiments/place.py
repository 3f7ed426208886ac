"""Where a re-run takes place: a project folder, the code, interpreter, threads and store that it uses."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from research.fingerprint import digest_file
from research.lineage import capsule, git
from research.lineage.capsule import Capsule
from research.project import Project

Say = Callable[[str], None]
_THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_GENERIC = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "OPENBLAS_CORETYPE": "Prescott"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a re-run takes place, and with what."""

    root: Path  # of the project
    source: Path | None  # its src/, when the code must come from there
    store: Path  # a folder for the stores of re-runs
    python: Path = field(default_factory=lambda: Path(sys.executable))
    threads: int | None = None  # None: as many as this process has
    generic: bool = False  # compile for any processor of this architecture, not for this one
    packages: Path | None = None  # a folder of packages that come before the installed ones
    hermetic: bool = False

    def env(self, store: Path | None = None) -> dict[str, str]:
        """The environment of a command that works here, with the code that stands here."""
        own = {
            "RESEARCH_PROJECT": str(self.root),
            "RESEARCH_STORE": str(store or self.store),
            "RESEARCH_MLFLOW": "off",
            "RESEARCH_PAGES": "off",
            "RESEARCH_STEPS": "off",  # everything is computed again
            "RESEARCH_WARM": "0",  # a warm process has other code, threads or packages
            "PYTHONDONTWRITEBYTECODE": "1",  # a file that is swapped within a second must not meet old bytecode
        }
        paths = [str(self.packages)] if self.packages else []
        if self.source:
            own["RESEARCH_SOURCE"] = str(self.source)
            paths.append(str(self.source))
        elif self.python != Path(sys.executable):  # this code, on another interpreter
            paths.append(str(Path(__file__).resolve().parents[2]))
        if paths:
            inherited = [] if self.source else [p for p in [os.environ.get("PYTHONPATH")] if p]
            own["PYTHONPATH"] = os.pathsep.join([*paths, *inherited])
        if self.threads:
            own |= dict.fromkeys(_THREADS, str(self.threads))
        return {**os.environ, **own, **(_GENERIC if self.generic else {})}


@dataclass(frozen=True, slots=True)
class Again:
    """How a re-run ended: with a capsule, or with the reason why there is none."""

    capsule: Capsule | None
    message: str = ""


def run_again(place: Place, notebook: str, parameters: Mapping[str, Any], say: Say) -> Again:
    """`research run` of `notebook` in `place`, in a process and a store of its own."""
    place.store.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="again-", dir=place.store))
    given = folder / "parameters.json"
    given.write_text(json.dumps(dict(parameters)), encoding="utf-8")
    call = [str(place.python), "-m", "research", "run", notebook, "-f", str(given), "--force", "--json"]
    if place.hermetic:
        call.append("--hermetic")
    with tempfile.TemporaryFile("w+") as output:  # a pipe that nobody empties would stop the child
        with subprocess.Popen(
            call,
            cwd=place.root,
            env=place.env(folder),
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_bound_to(place.threads),
        ) as process:
            assert process.stderr is not None
            tail: list[str] = []
            for line in process.stderr:
                tail = [*tail[-5:], line.rstrip()]
                if line.startswith("  cell "):
                    say(line.rstrip())
        output.seek(0)
        answer = output.read()
    if process.returncode == 0:
        return Again(capsule.read(Path(json.loads(answer)["folder"])))
    try:
        message = str(json.loads(answer)["message"])
    except (ValueError, KeyError):
        message = " ".join(tail) or f"exit code {process.returncode}"
    return Again(None, f"the re-run failed: {message}")


def _bound_to(threads: int | None) -> Callable[[], None] | None:
    """Let the child run on so many processors, where the machine has them."""
    if not threads or not hasattr(os, "sched_setaffinity"):
        return None
    wanted = set(range(min(threads, os.cpu_count() or 1)))

    def bind() -> None:
        try:
            os.sched_setaffinity(0, wanted)
        except OSError:  # not ours to use: the variables of _THREADS still hold
            return

    return bind


@contextmanager
def workplace(project: Project, *, here: bool = False, commit: str | None = None) -> Iterator[Place]:
    """The working tree, or a clean worktree of `commit` that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="research-reproduce-") as folder:
        base = Path(folder).resolve()
        if here or commit is None:
            yield Place(root=project.root, source=None, store=base / "store")
            return
        tree = base / "tree"
        try:
            root = git.add_worktree(project.root, commit, tree)
            source = root / "src"
            yield Place(root=root, source=source if (source / "research").is_dir() else None, store=base / "store")
        finally:
            git.remove_worktree(project.root, tree)


def find_data(project: Project, recorded: Capsule) -> tuple[dict[str, Path], list[dict[str, Any]]]:
    """Path in the project and a file with the recorded bytes, for every read; and the reads without one.

    Looked for in the working tree, then in DVC's cache; what is only on DVC's remote is fetched into the cache.
    """
    found, missing = dict[str, Path](), list[dict[str, Any]]()
    for read in recorded.data:
        candidates = [project.root / read["path"], *in_dvc_cache(project, read.get("dvc_md5"))]
        source = next((p for p in candidates if has(p, read["file_sha256"])), None)
        if source is None and candidates[1:] and has_remote(project):
            from research.lineage.remote import fetch

            got = fetch(project, str(read["dvc_md5"]), candidates[-1])
            source = got if got is not None and has(got, read["file_sha256"]) else None
        if source is None:
            missing.append(read)
        else:
            found[read["path"]] = source
    return found, missing


def has(path: Path, digest: str | None) -> bool:
    return path.is_file() and digest_file(path) == digest


def _settings(project: Project) -> Iterator[configparser.ConfigParser]:
    for name in ("config", "config.local"):
        settings = configparser.ConfigParser()
        settings.read(project.root / ".dvc" / name, encoding="utf-8")
        yield settings


def has_remote(project: Project) -> bool:
    """Whether DVC knows a default remote."""
    return any(settings.get("core", "remote", fallback=None) for settings in _settings(project))


def in_dvc_cache(project: Project, md5: str | None) -> list[Path]:
    """Where DVC keeps content of this name."""
    if not md5:
        return []
    caches = [project.root / ".dvc" / "cache"]
    for settings in _settings(project):
        if given := settings.get("cache", "dir", fallback=None):
            caches.append(project.root / ".dvc" / given)  # an absolute path stays what it is
    return [cache / "files" / "md5" / md5[:2] / md5[2:] for cache in caches]


def put_data(place: Place, files: Mapping[str, Path]) -> None:
    """Copy data to where the notebook reads them."""
    for path, source in files.items():
        target = place.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target)
