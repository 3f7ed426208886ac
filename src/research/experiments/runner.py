"""Run a notebook: parameters checked, a private watched kernel, everything kept, one capsule, one verdict on pinning.

The order matters. Everything that a user can get wrong is said before a run is opened; a run is open before its
kernel starts; the record is on disk before MLflow hears of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from research.errors import ProjectError, ResearchError, RunError, rule
from research.experiments import closure, courier, execution, hits, notebooks, page, results
from research.experiments.cells import Limits
from research.experiments.checkout import assert_source
from research.experiments.schema import Parameters
from research.fingerprint import core_fingerprint, digest_file, digest_json
from research.lineage import environment, git, store
from research.lineage.capsule import Capsule
from research.project import Project, find_project

if TYPE_CHECKING:
    from research.experiments.cells import Step

NOTEBOOK, PAGE, LOG = page.NOTEBOOK, page.PAGE, "kernel.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A finished run; `hit` when an earlier one answered."""

    capsule: Capsule
    hit: bool
    untold: str = ""  # why MLflow has not heard of it yet

    @property
    def run_id(self) -> str:
        return self.capsule.run_id


def run_notebook(
    path: str | Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    project: Project | None = None,
    force: bool = False,
    results_path: str | Path | None = None,
    progress: Callable[[Step], None] | None = None,
    engine: str | None = None,
    cold: bool = False,
    timeout: float | None = None,
    memory: int | None = None,
    hermetic: bool = False,
    deliver: courier.When = "soon",
) -> Outcome:
    """Run the notebook at `path` and record it.

    Parameters
    ----------
    parameters : dict
        Overrule the defaults of the parameters cell; text is coerced by the annotations.
    force : bool, default False
        Run even when an earlier run with the same recipe and data has the answer.
    results_path : path
        Write the rounded results there, as canonical JSON.
    progress : callable
        Called with a `Step` when a cell starts and when it is done.
    engine : "process" or "kernel"
        `kernel` runs on a Jupyter kernel; without it the notebook's metadata decide, else `process`.
    cold : bool, default False
        Use a fresh interpreter, not a child of the warm process.
    timeout : float, seconds
        A run that takes longer fails.
    memory : int, bytes
        What a run may take on top of the bare interpreter; more raises MemoryError in its cell.
    hermetic : bool, default False
        Without network and without files that are not declared; the capsule lists what was refused.
    deliver : "soon", "now" or "never"
        When the page is made and MLflow is told: by a process beside this one, before this returns, or by whoever
        calls `lineage.tracking.flush` later. The record itself is complete in any case.

    Raises
    ------
    ParameterError, InputError
        Before anything runs.
    RunError
        When a cell fails; the run is kept as FAILED with the partial notebook. Its name is `error.run_id`.
    """
    assert_source()
    notebook = notebooks.read(path)
    where = project or find_project(os.environ.get("RESEARCH_PROJECT") or notebook.path.parent)
    name = _inside(where, notebook.path)
    checked = notebook.schema().check(parameters or {})
    root = store.root_of(where)
    store.close_dead_runs(root)
    surroundings = environment.describe(where.lock)
    request = hits.request_digest(notebook, checked.to_json(), surroundings)
    found = None if force else hits.find_hit(where, request, name, notebook.digest)
    if found is None:
        way = _Way(
            mode=execution.mode_of(notebook.path, engine),
            cold=cold,
            limits=Limits(timeout_s=timeout, memory=memory),
            hermetic=hermetic,
            deliver=deliver,
        )
        attempt = _Attempt(where, notebook, name, checked, surroundings, request, way)
        found = attempt.run(progress)
        outcome = Outcome(capsule=found, hit=False, untold=attempt.untold)
    else:
        outcome = Outcome(capsule=found, hit=True)
    if results_path is not None:
        results.write_summary(found.results, Path(results_path))
    return outcome


def is_answered(path: str | Path, parameters: Mapping[str, Any] | None = None, *, project: Project) -> bool:
    """Whether `run_notebook` would find its answer in the store, without running anything."""
    notebook = notebooks.read(path)
    checked = notebook.schema().check(parameters or {})
    request = hits.request_digest(notebook, checked.to_json(), environment.describe(project.lock))
    return hits.find_hit(project, request, _inside(project, notebook.path), notebook.digest) is not None


def _inside(project: Project, path: Path) -> str:
    try:
        return path.relative_to(project.root.resolve()).as_posix()
    except ValueError:
        raise ProjectError(rule("notebook", f"lie inside the project {project.root}", str(path))) from None


def is_seed(name: str) -> bool:
    """Whether a parameter is a seed, by its name: seed, seed_paths, path_seed."""
    return "seed" in name.lower().split("_")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How a run is made, as far as its result does not depend on it."""

    mode: execution.Mode
    cold: bool
    limits: Limits
    hermetic: bool
    deliver: courier.When


class _Attempt:
    """One run from opening to closing."""

    def __init__(
        self,
        project: Project,
        notebook: notebooks.Notebook,
        name: str,
        parameters: Parameters,
        surroundings: dict[str, Any],
        request: str,
        way: _Way,
    ) -> None:
        self.way = way
        self.project, self.notebook, self.name, self.parameters = project, notebook, name, parameters
        self.root = store.root_of(project)
        self.untold = ""
        values = parameters.to_json()
        skeleton: dict[str, Any] = {
            "operator": git.operator(project.root),
            "notebook": {"path": name, "digest": notebook.digest, "title": notebook.title()},
            "code": {
                "commit": git.head(project.root).commit,
                "closure": {},
                "core": core_fingerprint(),
                "digest": digest_json({}),
                "dirty": [],
            },
            "parameters": results.to_json(values, "parameters"),
            "seeds": {key: value for key, value in results.to_json(values).items() if is_seed(key)},
            "data": [],
            "catalog": hits.catalog_digest(project),
            "environment": surroundings,
            "results": results.EMPTY,
            "artifacts": {},
            "undeclared": {"reads": [], "network": [], "processes": [], "databases": []},
            "pinned": False,
            "unpinned_reasons": [],
        }
        self.run_id, self.folder = store.open_run(self.root, skeleton, request)
        self.raw = json.loads((self.folder / "opened.json").read_text(encoding="utf-8"))

    def run(self, progress: Callable[[Step], None] | None) -> Capsule:
        error: ResearchError | None = None
        try:
            try:
                self._execute(progress)
                self._collect()
            except ResearchError as failure:
                error = failure
            done = self._close(error)
            self.untold = courier.send(self.project, self.run_id, when=self.way.deliver)
        except BaseException as failure:  # Ctrl-C, a full disk: the run must not stay open
            if (self.folder / "opened.json").exists():
                message = f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__
                self._close(RunError(message))
            raise
        if error is not None:
            error.run_id = self.run_id  # type: ignore[attr-defined]
            raise error
        return done

    @contextmanager
    def _environment(self) -> Iterator[dict[str, str]]:
        """The variables of the interpreter; of a hermetic run with what it may touch."""
        env = {"RESEARCH_PROJECT": str(self.project.root), "RESEARCH_RUN_ID": self.run_id}
        if not self.way.hermetic:
            yield env
            return
        import tempfile

        from research.experiments import hermetic

        with tempfile.TemporaryDirectory(prefix="research-hermetic-", ignore_cleanup_errors=True) as work:
            yield {**env, **hermetic.variables(self.project.root, self.notebook.path, Path(work).resolve())}

    def _execute(self, progress: Callable[[Step], None] | None) -> None:
        """Run the cells, and take in what the interpreter saw."""
        defaults = self.notebook.schema().check({}).to_json()
        given = {key: value for key, value in self.parameters.to_json().items() if value != defaults[key]}
        ran = execution.Ran()
        with self._environment() as env:
            how = execution.How(
                cwd=self.notebook.path.parent,
                mode=self.way.mode,
                cold=self.way.cold,
                env=env,
                log=self.folder / LOG,
                limits=self.way.limits,
            )
            try:
                execution.execute(self.notebook.path, self.folder / NOTEBOOK, given, how, ran, progress)
            except RunError as error:
                status = f"{self.name} failed in {error} The partial notebook is {self.folder / NOTEBOOK}."
                raise RunError(status) from None
            finally:
                self._note(ran)
                self._take_in(ran.report)
        if ran.report is None:
            raise RunError(f"{self.name} must end with a living kernel; got none, so what it read is not known.")

    def _note(self, ran: execution.Ran) -> None:
        """How the cells were run; no part of recipe and identity."""
        log = self.folder / LOG
        if log.exists() and not log.stat().st_size:
            log.unlink()
        facts = {"mode": ran.mode, "warm": ran.warm, "notes": ran.notes, "left": ran.left, "cpu_s": ran.cpu_s}
        self.raw["engine"] = {**facts, "peak_memory": ran.peak_memory}

    def _take_in(self, seen: dict[str, Any] | None) -> None:
        """Code, data and undeclared inputs, as far as the kernel could tell."""
        if seen is None:
            return
        files = closure.code_closure(self.project, seen["modules"], seen["opened"])
        code = {**self.raw["code"], "closure": files, "digest": digest_json(files)}
        self.raw["data"] = [self._read(read) for read in seen["reads"]]
        if seen.get("steps"):
            self.raw["steps"] = seen["steps"]
        if seen.get("hermetic"):
            self.raw["hermetic"] = seen["hermetic"]
        self.raw["undeclared"] = closure.undeclared(self.project, seen)
        if seen.get("threads"):
            self.raw["environment"] = {**self.raw["environment"], "threads": seen["threads"]}
        reasons, code["dirty"] = closure.code_reasons(self.project, files, self.name, self.notebook.digest)
        self.raw["code"] = code
        self.raw["unpinned_reasons"] = [
            *reasons,
            *closure.undeclared_reasons(self.raw["undeclared"]),
            *self._refused(),
            *self._left_behind(),
            *self._changed(files),
        ]

    def _read(self, read: dict[str, Any]) -> dict[str, Any]:
        """A read with the digest of its file, where the reader did not say it."""
        path = self.project.root / read["path"]
        known = read.get("file_sha256") or (digest_file(path) if path.is_file() else None)
        return {**read, "file_sha256": known}

    def _refused(self) -> list[str]:
        """What a hermetic run was kept from: without it, the notebook would have had another input."""
        refused = [f"{item['kind']} {item['what']}" for item in self.raw.get("hermetic", {}).get("refused", [])]
        return [f"was refused, being hermetic: {', '.join(refused[:3])}"] if refused else []

    def _left_behind(self) -> list[str]:
        """Processes that were still there when the last cell was done."""
        left = self.raw.get("engine", {}).get("left", [])
        return [f"left a process behind, which was ended: {', '.join(left[:3])}"] if left else []

    def _changed(self, files: dict[str, str]) -> list[str]:
        """Code edited while the run was going on: the kernel may have imported what no longer stands there."""
        opened = (self.folder / "opened.json").stat().st_mtime_ns
        late = [n for n in files if (p := closure.closure_file(self.project, n)) and p.stat().st_mtime_ns > opened]
        return [f"{', '.join(late[:3])} changed during the run"] if late else []

    def _collect(self) -> None:
        executed = json.loads((self.folder / NOTEBOOK).read_text(encoding="utf-8"))
        self.raw["results"] = results.collect(executed, self.folder)
        results.write_summary(self.raw["results"], self.folder / "results.json")

    def _close(self, error: ResearchError | None) -> Capsule:
        """Write patch and capsule; close the run."""
        raw = self.raw
        raw["status"] = "FINISHED" if error is None else "FAILED"
        if error is not None:
            raw["unpinned_reasons"] = [*raw["unpinned_reasons"], "the run failed"]
        raw["pinned"] = not raw["unpinned_reasons"]
        raw["times"] = {**raw["times"], "ended": store.now(), "cells": self._cell_times()}
        if raw["code"]["dirty"]:
            (self.folder / "code.patch").write_bytes(git.patch(self.project.root, raw["code"]["dirty"]))
        raw["artifacts"] = store.artifacts(self.folder)
        return store.close_run(self.root, raw, "" if error is None else str(error))

    def _cell_times(self) -> list[dict[str, Any]]:
        """Seconds by cell of the source notebook."""
        try:
            executed = json.loads((self.folder / NOTEBOOK).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        cells = [c for c in executed["cells"] if "injected-parameters" not in c["metadata"].get("tags", [])]
        cells = [c for c in cells if "papermill-error-cell-tag" not in c["metadata"].get("tags", [])]
        timed = [(n, c["metadata"].get("papermill", {})) for n, c in enumerate(cells, 1) if c["cell_type"] == "code"]
        return [{"cell": n, "seconds": t["duration"]} for n, t in timed if t.get("duration") is not None]
