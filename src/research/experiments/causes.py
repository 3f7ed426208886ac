"""Why does a run not reproduce? Code, data, environment and threads are swapped until the difference appears.

First what differs at all (`factors`, no run needed). Then the original side is set up: the commit with the run's
code, its data by hash, its threads, its locked packages where they can be had; on it one factor after the other is
taken from the new side and the notebook is run. What brings the difference is named; among many files or packages it is
found by halving. Where nothing differs, or the original side does not give the recorded results either, the run is
repeated: a notebook that differs from itself is not deterministic.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from research.errors import ResearchError
from research.experiments import factors, fresh, swaps
from research.experiments.comparison import NOT_REPRODUCED, compare, overall
from research.experiments.factors import Factor
from research.experiments.place import Again, Place, Say, put_data, run_again
from research.fingerprint import digest_bytes, digest_file
from research.lineage.capsule import Capsule
from research.project import Project

MAX_TRIALS = 40
CATALOG = "data/catalog.yaml"
SWAPPED = ("notebook", "code", "data", "package", "threads")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why the results differ."""

    kind: str  # notebook, code, data, package, threads, processor, chance, unknown
    text: str
    proved: bool  # by swapping it; else only a suspect
    cell: int | None = None  # where the difference shows first

    def sentence(self) -> str:
        where = f", first seen in cell {self.cell}" if self.cell is not None else ""
        return f"{self.text}{where}" if self.proved else f"possibly: {self.text}{where}"

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def static(project: Project, recorded: Capsule, target: Again, place: Place) -> list[Factor]:
    """What differs between a run and its re-run; of a re-run that failed, what differs in the place where it ran."""
    again = target.capsule
    if again is None:
        again = _as_it_stands(recorded, place)
    found = factors.differing(recorded, again, _cells_of(place.root / recorded.notebook))
    if place.root == project.root and _digest(project.catalog) != recorded.raw.get("catalog"):
        found.append(Factor("data", CATALOG, "recorded", "edited"))
    return found


def _digest(path: Path) -> str | None:
    return digest_file(path) if path.is_file() else None


def _cells_of(path: Path) -> list[dict[str, Any]] | None:
    try:
        return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if factors.is_source(cell)]
    except (OSError, ValueError, KeyError):
        return None


def _as_it_stands(recorded: Capsule, place: Place) -> Capsule:
    """The capsule with the digests of code, notebook and data as they are in `place`."""
    from research.experiments import notebooks
    from research.lineage import environment

    raw = dict(recorded.raw)
    files = {name: _digest(place.root / name) or "" for name in recorded.closure if not name.startswith("outside/")}
    outside = {name: digest for name, digest in recorded.closure.items() if name.startswith("outside/")}
    raw["code"] = {**raw["code"], "closure": {**outside, **{n: d for n, d in files.items() if d}}}
    path = place.root / recorded.notebook
    digest = notebooks.digest(path.read_bytes(), path.name) if path.is_file() else ""
    raw["notebook"] = {**raw["notebook"], "digest": digest}
    raw["data"] = [
        read if _digest(place.root / read["path"]) == read["file_sha256"] else {**read, "sha256": "changed"}
        for read in recorded.data
    ]
    raw["environment"] = environment.describe(place.root / "requirements.lock")
    return dataclasses.replace(recorded, raw=raw)


class Bench:
    """The original side, on which factors are swapped and the notebook is run."""

    def __init__(
        self, project: Project, recorded: Capsule, target: Again, new: Place, place: Place, found: list[Factor]
    ) -> None:
        self.project, self.recorded, self.target, self.new, self.place = project, recorded, target, new, place
        self.original: dict[str, bytes | None] = {}  # content of the paths that are swapped
        self.today: dict[str, bytes | None] = {}
        self.paths: dict[Factor, list[str]] = {}
        self.cells = [factors.source_cells(recorded.folder), _cells_of(new.root / recorded.notebook) or []]
        self.changes = factors.cell_changes(*self.cells)
        cell_factors = [f for f in found if f.kind == "notebook"]
        self.cell_of = dict(zip(cell_factors, self.changes)) if len(cell_factors) == len(self.changes) else {}
        self.trials: dict[frozenset[Factor], Again] = {}
        for factor in found:
            self._take(factor)

    def _take(self, factor: Factor) -> None:
        paths = []
        if factor.kind == "code" and not factor.name.startswith("outside/"):
            paths = [factor.name]
        elif factor.kind == "data":
            reads = [read["path"] for read in self.recorded.data if read["name"] == factor.name]
            paths = [CATALOG] if factor.name == CATALOG else sorted(set(reads))
        self.paths[factor] = paths
        for path in paths:
            self.original[path] = _bytes(self.place.root / path)
            self.today[path] = _bytes(self.new.root / path)

    def can_swap(self, factor: Factor) -> bool:
        """Whether both sides of a factor are at hand."""
        if factor.kind == "package":
            return self.place.python != self.new.python and "absent" not in (factor.old, factor.new)
        if factor.kind == "threads":
            return factor.old.isdigit() and factor.new.isdigit()
        if factor.kind == "notebook":
            return factor in self.cell_of
        return bool(self.paths.get(factor)) and factor.kind in ("code", "data")

    def run(self, swapped: frozenset[Factor], say: Say) -> Again:
        """Run the original with these factors from the new side."""
        for factor, paths in self.paths.items():
            for path in paths:
                _put(self.place.root / path, (self.today if factor in swapped else self.original)[path])
        self._write_notebook(swapped)
        place = self.place
        threads = next((f for f in self.paths if f.kind == "threads"), None)
        if threads is not None and self.can_swap(threads):
            place = dataclasses.replace(place, threads=int(threads.new if threads in swapped else threads.old))
        packages = sorted((f for f in swapped if f.kind == "package"), key=lambda f: f.name)
        if packages:
            place = dataclasses.replace(place, packages=self._overlay(packages))
        return run_again(place, self.recorded.notebook, self.recorded.parameters, say)

    def _write_notebook(self, swapped: frozenset[Factor]) -> None:
        path = self.place.root / self.recorded.notebook
        raw = json.loads((self.recorded.folder / "notebook.ipynb").read_text(encoding="utf-8"))
        mixed, at = list[dict[str, Any]](), 0
        for factor, (_, i, j, k, m) in self.cell_of.items():
            mixed += self.cells[0][at:i] + (self.cells[1][k:m] if factor in swapped else self.cells[0][i:j])
            at = j
        mixed += self.cells[0][at:]
        cells = [{**c, "outputs": [], "execution_count": None} if c["cell_type"] == "code" else c for c in mixed]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**raw, "cells": cells}), encoding="utf-8")

    def _overlay(self, packages: list[Factor]) -> Path:
        folder = self.place.store / f"packages-{digest_bytes(repr(packages).encode())[:12]}"
        if not folder.exists():
            sites = fresh.site_folders(self.new.python)
            for factor in packages:
                fresh.copy_distribution(factor.name, factor.new, sites, folder)
        return folder


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _put(path: Path, content: bytes | None) -> None:
    path.unlink(missing_ok=True)
    if content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def restore_code(recorded: Capsule, place: Place) -> list[str]:
    """Bring a worktree of the commit to the code of the run, whose uncommitted edits are a patch; what is not so."""
    patch = recorded.folder / "code.patch"
    if patch.is_file() and patch.stat().st_size:
        subprocess.run(["git", "apply", str(patch)], cwd=place.root, capture_output=True, check=False)
    return [
        name
        for name, digest in recorded.closure.items()
        if not name.startswith("outside/") and _digest(place.root / name) != digest
    ]


class Search:
    """Swaps on a bench, counted and remembered."""

    def __init__(self, bench: Bench, say: Say) -> None:
        self.bench, self.say, self.known = bench, say, dict[frozenset[Factor], Again]()

    def again(self, swapped: frozenset[Factor]) -> Again | None:
        """The run with these factors swapped; None when there were enough trials."""
        if swapped not in self.known:
            if len(self.known) >= MAX_TRIALS:
                return None
            what = ", ".join(sorted(f.short() for f in swapped)[:3]) or "nothing"
            more = f" and {len(swapped) - 3} more" if len(swapped) > 3 else ""
            self.known[swapped] = self.bench.run(swapped, lambda text: None)
            shows = {True: "the difference appears", False: "as recorded", None: "does not run"}[self._judge(swapped)]
            self.say(f"  trial {len(self.known)}: swapped {what}{more}: {shows}")
        return self.known[swapped]

    def _judge(self, swapped: frozenset[Factor]) -> bool | None:
        done = self.known[swapped]
        if done.capsule is None:
            return True if self.bench.target.capsule is None else None
        if self.bench.target.capsule is None:
            return False
        return overall(compare(self.bench.recorded, done.capsule)) == NOT_REPRODUCED

    def appears(self, swapped: frozenset[Factor]) -> bool | None:
        return None if self.again(swapped) is None else self._judge(swapped)


def explain(
    project: Project,
    recorded: Capsule,
    target: Again,
    new: Place,
    original: Place | None,
    files: dict[str, Path],
    say: Say,
    *,
    python: Callable[[], Path] | None = None,
) -> list[Cause]:
    """The causes of a difference, proved by swapping where both sides are at hand.

    Parameters
    ----------
    target : Again
        The re-run that does not meet the record, made in `new`.
    original : Place
        A clean worktree of the run's commit; None when there is none, then nothing is swapped.
    files : dict
        Paths in the project and files with the recorded data.
    python : callable
        Gives the interpreter of the locked environment; asked only when packages differ.
    """
    found = static(project, recorded, target, new)
    if found:
        say(f"what differs: {_listed(found)}")
    if original is None:
        return _suspects(found, recorded, target) or [_unknown()]
    wrong = restore_code(recorded, original)
    if wrong:
        say(f"the code of the run cannot be restored: {', '.join(wrong[:3])}")
        return _suspects(found, recorded, target)
    put_data(original, files)
    if any(f.kind == "package" for f in found) and python is not None:
        try:
            original = dataclasses.replace(original, python=python())
        except ResearchError as error:
            say(f"packages are not swapped: {error}")
    search = Search(Bench(project, recorded, target, new, original, found), say)
    return _search(search, found)


def _search(search: Search, found: list[Factor]) -> list[Cause]:
    bench, nothing = search.bench, frozenset[Factor]()
    swappable = [f for f in found if bench.can_swap(f)]
    if search.appears(nothing):
        return _at_the_base(search, [f for f in found if f not in swappable])
    if not swappable:
        if not found:  # the target was as this trial is, and differs
            return [_chance(bench.target, search.known.get(nothing))]
        return _suspects(found, bench.recorded, bench.target) or [_unknown()]
    groups = [
        [f for f in swappable if f.kind in kinds] for kinds in (("notebook", "code"), *((k,) for k in SWAPPED[2:]))
    ]
    whole = frozenset(swappable)
    if len(swappable) < len(found) and not search.appears(whole):
        return _suspects([f for f in found if f not in whole], bench.recorded, bench.target)
    return [_proved(search, culprits) for culprits in swaps.search(groups, search.appears)]


def _at_the_base(search: Search, rest: list[Factor]) -> list[Cause]:
    """The original side does not give the recorded results: chance, the processor, or what cannot be swapped."""
    bench, first = search.bench, search.known[frozenset()]
    second = bench.run(frozenset(), lambda text: None)
    search.say("  once more, with nothing swapped")
    if first.capsule and second.capsule and overall(compare(first.capsule, second.capsule)) == NOT_REPRODUCED:
        return [_chance(first, second)]
    if any(f.kind == "processor" for f in rest):
        bench.place = dataclasses.replace(bench.place, generic=True)
        generic = bench.run(frozenset(), lambda text: None)
        search.say("  once more, compiled for any processor")
        if first.capsule and generic.capsule and overall(compare(first.capsule, generic.capsule)) == NOT_REPRODUCED:
            factor = next(f for f in rest if f.kind == "processor")
            text = f"{factor.text()} (compiled for any processor, the results differ again)"
            cell = factors.first_cell(first.capsule, generic.capsule)
            return [Cause(kind="processor", text=text, proved=True, cell=cell)]
    return _suspects(rest, bench.recorded, bench.target) or [_unknown()]


def _proved(search: Search, culprits: tuple[Factor, ...]) -> Cause:
    bench = search.bench
    trial = search.known.get(frozenset(culprits))
    shown = trial if trial is not None and trial.capsule is not None else bench.target
    cell = factors.first_cell(bench.recorded, shown.capsule) if shown.capsule else None
    if len(culprits) == 1 and culprits[0].kind == "data":
        text = _data_text(bench, culprits[0])
    else:
        text = " together with ".join(f.text() for f in culprits[:4]) + (" ..." if len(culprits) > 4 else "")
    return Cause(kind=culprits[0].kind, text=text, proved=True, cell=cell)


def _data_text(bench: Bench, factor: Factor) -> str:
    """Which rows changed."""
    from research.experiments.rows import describe_parquet

    for path in bench.paths[factor]:
        old, new = bench.original[path], bench.today[path]
        if old is not None and new is not None and path.endswith(".parquet"):
            return f"data {factor.name}: {describe_parquet(old, new)}"
    return factor.text()


def _chance(first: Again, second: Again | None) -> Cause:
    one, other = first.capsule, second.capsule if second else None
    cell = factors.first_cell(one, other) if one and other else None
    text = "the notebook is not deterministic: two re-runs of the same code, data and environment differ"
    return Cause(kind="chance", text=text, proved=True, cell=cell)


def _unknown() -> Cause:
    text = "nothing that is recorded differs, and re-runs agree with each other but not with the record"
    return Cause(kind="unknown", text=text, proved=False)


def _suspects(found: list[Factor], recorded: Capsule, target: Again) -> list[Cause]:
    """What differs, as far as it could not be swapped; parameters are the recorded ones and no suspect."""
    cell = factors.first_cell(recorded, target.capsule) if target.capsule else None
    kinds: dict[str, list[Factor]] = {}
    for factor in found:
        kinds.setdefault(factor.kind, []).append(factor)
    return [Cause(kind=k, text=_listed(group), proved=False, cell=cell) for k, group in kinds.items()]


def _listed(found: list[Factor]) -> str:
    shown = ", ".join(f.text() for f in found[:5])
    return shown + (f" and {len(found) - 5} more" if len(found) > 5 else "")


def discard(place: Place) -> None:
    """Remove the stores of trials."""
    shutil.rmtree(place.store, ignore_errors=True)
