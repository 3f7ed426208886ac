"""`research doctor`: is this machine, environment and project fit for pinned runs?"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import typer

from research.errors import ResearchError
from research.project import Project, find_project

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the examination."""

    name: str
    state: Literal["ok", "note", "bad"]
    found: str
    hint: str = ""


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Check(
        "Python",
        "ok" if good else "bad",
        f"{version} at {_short(Path(sys.executable))}",
        "" if good else "Use Python 3.11 to 3.13.",
    )


def _packages(project: Project) -> Check:
    """Installed versions against the lock (distributions for other platforms are left out)."""
    wanted: dict[str, set[str]] = {}  # a name stands several times where versions depend on Python
    for name, version in re.findall(r"^([A-Za-z0-9_.\-]+)==([^\s;\\]+)", project.lock.read_text(), re.MULTILINE):
        wanted.setdefault(name, set()).add(version)
    have = {re.sub(r"[-_.]+", "-", d.metadata["Name"]).lower(): d.version for d in importlib.metadata.distributions()}
    wrong = [
        f"{n} {have[n]} (lock {' or '.join(sorted(v))})" for n, v in wanted.items() if n in have and have[n] not in v
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        return Check("Packages", "bad", ", ".join(wrong[:3]) + more, "make install")
    return Check("Packages", "ok", f"{sum(n in have for n in wanted)} distributions as in requirements.lock")


def _threads() -> Check:
    from research.core._jit import THREADING_LAYER

    cores = os.cpu_count()
    if THREADING_LAYER == "tbb":
        return Check("Threads", "ok", f"TBB on {cores} cores")
    return Check(
        "Threads",
        "note",
        f"{THREADING_LAYER} on {cores} cores",
        "TBB's library was not found; parallel kernels may not survive a fork.",
    )


def _kernels() -> Check:
    from research.core import _warmup

    names = list(_warmup.discover())
    count = len(names) if _warmup.is_warm(names) else 0
    return Check(
        "Kernel cache",
        "ok" if count else "note",
        f"{count} kernels warm" if count else "cold",
        "" if count else "research warmup",
    )


def _warm() -> Check:
    """The warm process of this environment, and what it does."""
    from research.experiments.warm import client, place

    name = "Warm interpreter"
    if place.is_off():
        why = "switched off by RESEARCH_WARM" if place.is_possible() else "not on this system"
        return Check(name, "note", why, "Runs start fresh interpreters.")
    try:
        place.folder()
    except OSError as error:
        return Check(name, "bad", str(error), "Remove it, or set XDG_RUNTIME_DIR to a folder of yours.")
    state = client.ask({"do": "state"})
    if state is None:
        return Check(name, "ok", "asleep; the next run starts it")
    if state["stale"]:
        return Check(name, "ok", f"pid {state['pid']}, outdated ({state['stale']} changed); the next run replaces it")
    memory, minutes = state["memory"] / 1e6, max(0.0, state["ends_after_s"] - state["idle_s"]) / 60
    doing = f"{state['running']} runs" if state["running"] else f"idle, ends in {minutes:.0f} min"
    return Check(name, "ok", f"pid {state['pid']}, {memory:.0f} MB, {state['served']} served, {doing}")


def _git(project: Project) -> Iterator[Check]:
    def ask(*args: str) -> str:
        done = subprocess.run(["git", "-C", str(project.root), *args], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    if shutil.which("git") is None or not ask("rev-parse", "--git-dir"):
        yield Check("Git", "note", "no repository here", "Runs are recorded, but cannot be pinned or promoted.")
        return
    head = ask("rev-parse", "--short", "HEAD")
    changed = len(ask("status", "--porcelain").splitlines())
    yield Check(
        "Git",
        "ok" if head and not changed else "note",
        f"at {head or 'no commit'}, {changed} paths changed",
        "Commit before proposing." if changed else "",
    )
    who = ask("config", "user.email")
    yield Check(
        "Git identity",
        "ok" if who else "note",
        who or "none",
        "" if who else "Runs are unpinned until git config user.email is set.",
    )
    if ask("rev-parse", "--is-shallow-repository") == "true":
        yield Check("Git history", "note", "shallow clone", "Promotion needs the authors: git fetch --unshallow.")


def _store(project: Project) -> Check:
    store = project.mlruns
    parent = store if store.is_dir() else store.parent
    if not os.access(parent, os.W_OK):
        return Check("Store", "bad", f"{store} cannot be written", "Set RESEARCH_STORE to a folder of yours.")
    free = shutil.disk_usage(parent).free / 1e9
    return Check(
        "Store",
        "ok" if free > 1.0 else "bad",
        f"{_short(store)}, {free:.0f} GB free",
        "" if free > 1.0 else "Less than 1 GB is free.",
    )


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def examine() -> list[Check]:
    """All checks, in the order a newcomer would want them mended."""
    checks = [_python()]
    try:
        project = find_project()
    except ResearchError as error:
        return [*checks, Check("Project", "bad", str(error))]
    checks += [Check("Project", "ok", str(project.root)), _packages(project), _threads(), _kernels(), _warm()]
    return [*checks, *_git(project), _store(project)]


@app.command()
def command(json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """Check Python, packages, threads, kernel cache, git and store; exit 1 when something is bad."""
    checks = examine()
    if json:
        from json import dumps

        print(dumps([asdict(c) for c in checks], indent=2))
    else:
        from rich.console import Console
        from rich.table import Table

        colour = {"ok": "green", "note": "yellow", "bad": "red"}
        table = Table(box=None, pad_edge=False)
        for title in ("check", "state", "found", "what to do"):
            table.add_column(title, overflow="fold")
        for c in checks:
            table.add_row(c.name, f"[{colour[c.state]}]{c.state}[/]", c.found, c.hint)
        Console().print(table)
    if any(c.state == "bad" for c in checks):
        raise typer.Exit(1)
