"""Golden runs: what a notebook must give for given parameters, kept in git and checked in CI.

    pipelines/pins.yaml         one entry a pin: notebook, parameters, why, digest of the results
    pipelines/pins/NAME.json    what is expected: metrics with tolerances, tables, evidence, code and data it came from

A pin refers to no run, so a clone can check it: it runs the notebook (an earlier run with the same code, data and
parameters answers at once) and holds the results to the pinned ones by the tolerances that were declared.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from research.errors import InputError, IntegrityError, RefusedError, ResearchError, did_you_mean, rule
from research.experiments.comparison import NOT_REPRODUCED, ResultVerdict, compare, overall
from research.experiments.jsonable import to_json
from research.experiments.place import Say
from research.experiments.tables import cells, kind_of, to_parquet
from research.fingerprint import digest_file, digest_json
from research.lineage import store
from research.lineage.capsule import Capsule
from research.lineage.verify import verify_run
from research.project import Project, find_project

SCHEMA = "research.pin/1"
MAX_ROWS = 2_000  # of a table that is kept by value
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\Z")
_HEAD = """\
# Golden runs: what these notebooks must give for these parameters. The expected values lie in pins/NAME.json.
# research pins add RUN    research pins list    research pins check [--changed]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One golden run."""

    name: str
    notebook: str
    parameters: dict[str, Any]
    why: str
    results: str  # digest of the expected results
    identity: str  # of the run it was made from


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How a pin fared."""

    name: str
    verdict: str  # REPRODUCED EXACTLY, REPRODUCED WITHIN TOLERANCE, NOT REPRODUCED, FAILED, UNCHANGED
    run_id: str | None = None
    results: tuple[ResultVerdict, ...] = ()
    message: str = ""

    @property
    def good(self) -> bool:
        return self.verdict not in (NOT_REPRODUCED, "FAILED")

    def to_json(self) -> dict[str, Any]:
        return to_json({**asdict(self), "good": self.good})  # type: ignore[no-any-return]


def list_of(project: Project) -> Path:
    return project.root / "pipelines" / "pins.yaml"


def file_of(project: Project, name: str) -> Path:
    return project.root / "pipelines" / "pins" / f"{name}.json"


def read_pins(project: Project | None = None) -> list[Pin]:
    """The pins of a project, in the order of the file.

    Raises
    ------
    InputError
        When the file is no list of pins.
    """
    import yaml

    path = list_of(project or find_project())
    if not path.is_file():
        return []
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        entries = dict(raw.get("pins") or {})
        return [
            Pin(
                name=str(name),
                notebook=str(entry["notebook"]),
                parameters=dict(entry.get("parameters") or {}),
                why=str(entry.get("why") or ""),
                results=str(entry["results"]),
                identity=str(entry.get("identity") or ""),
            )
            for name, entry in entries.items()
        ]
    except (yaml.YAMLError, AttributeError, TypeError, ValueError, KeyError) as error:
        raise InputError(f"{path.name} must hold pins with notebook, parameters and results; got {error!r}.") from None


def add_pin(run: str, *, name: str | None = None, why: str = "", project: Project | None = None) -> Pin:
    """Pin what a run found, under `name` (default: that of its notebook); an older pin of the name is replaced.

    Raises
    ------
    RefusedError
        When the run did not finish or is not pinned to a commit: a clone could not make it again.
    """
    where = project or find_project()
    line = store.get_run(run, project=where)
    if line.status != "FINISHED":
        raise RefusedError(f"run {line.run_id} must have FINISHED to be a golden run; got {line.status}.")
    problems = verify_run(line.run_id, project=where)
    if problems:
        raise IntegrityError(f"run {line.run_id} must be as recorded; {problems[0]}.")
    recorded = store.load_capsule(line.run_id, project=where)
    if not recorded.pinned:
        raise RefusedError(
            f"run {recorded.run_id} must be pinned to a commit to be a golden run; it is not: "
            f"{'; '.join(recorded.unpinned_reasons)}."
        )
    chosen = name or Path(recorded.notebook).stem
    if not _NAME.match(chosen):
        raise InputError(rule("pin name", "be letters, digits, _ and -", chosen))
    expected = _expected(recorded)
    pin = Pin(
        name=chosen,
        notebook=recorded.notebook,
        parameters=recorded.parameters,
        why=why,
        results=digest_json(expected["results"]),
        identity=recorded.identity,
    )
    path = file_of(where, chosen)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_readable(expected) + "\n", encoding="utf-8")
    _write_list(where, [*(p for p in read_pins(where) if p.name != chosen), pin])
    return pin


def remove_pin(name: str, *, project: Project | None = None) -> None:
    """Take a pin out."""
    where = project or find_project()
    kept = [pin for pin in read_pins(where) if pin.name != name]
    _named(where, name)
    _write_list(where, kept)
    file_of(where, name).unlink(missing_ok=True)


def _named(project: Project, name: str) -> Pin:
    pins = {pin.name: pin for pin in read_pins(project)}
    if name not in pins:
        hint = did_you_mean(name, pins) or f"Pins: {', '.join(pins) or 'none'}."
        raise InputError(rule("pin", "be in pipelines/pins.yaml", name, hint))
    return pins[name]


def _write_list(project: Project, pins: list[Pin]) -> None:
    import yaml

    entries = {
        pin.name: {key: value for key, value in asdict(pin).items() if key != "name" and value not in ("", {})}
        for pin in pins
    }
    path = list_of(project)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump({"pins": entries}, sort_keys=False, allow_unicode=True, width=118)
    path.write_text(_HEAD + text, encoding="utf-8")


def _readable(value: Any, indent: str = "") -> str:
    """JSON with a line for each name and each column, so that a change of a pin can be read in a patch."""
    inner = f"{indent} "
    short = len(json.dumps(value)) <= 100
    if isinstance(value, dict) and not short:
        lines = [f"{inner}{json.dumps(key)}: {_readable(value[key], inner)}" for key in sorted(value)]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and not short and any(isinstance(item, (dict, list)) for item in value):
        return "[\n" + ",\n".join(f"{inner}{_readable(item, inner)}" for item in value) + f"\n{indent}]"
    return json.dumps(value, sort_keys=True)


def _expected(recorded: Capsule) -> dict[str, Any]:
    """What a re-run is held to, with the small tables by value; pictures are left out."""
    results = {**recorded.results, "figures": {}}
    values = {}
    for name, entry in recorded.tables.items():
        if entry["rows"] <= MAX_ROWS:
            frame = recorded.table(name)
            values[name] = {c: {"kind": kind_of(frame[c]), "values": to_json(cells(frame[c]))} for c in frame.columns}
    return {
        "schema": SCHEMA,
        "notebook": {"path": recorded.notebook, "digest": recorded.raw["notebook"]["digest"]},
        "code": recorded.closure,
        "data": [
            {key: read.get(key) for key in ("name", "as_of", "path", "sha256", "file_sha256")} for read in recorded.data
        ],
        "results": results,
        "tables": values,
    }


def _read_expected(project: Project, pin: Pin) -> dict[str, Any]:
    path = file_of(project, pin.name)
    try:
        expected = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise IntegrityError(f"pin {pin.name} must have its values in {path.name}; got {error}.") from None
    if digest_json(expected.get("results")) != pin.results:
        raise IntegrityError(
            f"{path.name} must have the results that pins.yaml names; got others. Make it again: research pins add."
        )
    return expected


def has_changed(project: Project, pin: Pin) -> bool:
    """Whether notebook, code or data are not those the pin was made from."""
    from research.experiments import closure, notebooks

    expected = _read_expected(project, pin)
    path = project.root / pin.notebook
    if not path.is_file() or notebooks.digest(path.read_bytes()) != expected["notebook"]["digest"]:
        return True
    for name, digest in expected["code"].items():
        file = closure.closure_file(project, name)
        if file is None or digest_file(file) != digest:
            return True
    files = ((project.root / read["path"], read["file_sha256"]) for read in expected["data"])
    return any(not file.is_file() or digest_file(file) != digest for file, digest in files)


def check_pins(
    names: list[str] | None = None,
    *,
    changed: bool = False,
    force: bool = False,
    project: Project | None = None,
    say: Say | None = None,
) -> list[Check]:
    """Run what the pins name, unless an earlier run answers, and hold it to them.

    Parameters
    ----------
    names : list of str
        These pins; all by default.
    changed : bool, default False
        Leave out pins whose notebook, code and data are those they were made from.
    force : bool, default False
        Run even when an earlier run has the answer.
    """
    where = project or find_project()
    pins = [_named(where, name) for name in names] if names else read_pins(where)
    say = say or (lambda text: None)
    out = []
    for pin in pins:
        if changed and not has_changed(where, pin):
            out.append(Check(name=pin.name, verdict="UNCHANGED"))
        else:
            out.append(_check(where, pin, force, say))
        say(f"{pin.name}: {out[-1].verdict}")
    return out


def _check(project: Project, pin: Pin, force: bool, say: Say) -> Check:
    from research.experiments.runner import run_notebook

    expected = _read_expected(project, pin)
    try:
        outcome = run_notebook(project.root / pin.notebook, pin.parameters, project=project, force=force)
    except ResearchError as error:
        return Check(name=pin.name, verdict="FAILED", run_id=getattr(error, "run_id", None), message=str(error))
    verdicts = hold(expected, outcome.capsule)
    verdict = overall(verdicts)
    return Check(name=pin.name, verdict=verdict, run_id=outcome.run_id, results=tuple(verdicts))


def hold(expected: Mapping[str, Any], found: Capsule) -> list[ResultVerdict]:
    """A verdict for each pinned result; tables that are kept by digest only are judged by that."""
    with tempfile.TemporaryDirectory(prefix="research-pin-") as folder:
        _write_tables(expected, Path(folder))
        pinned = Capsule(raw={"results": expected["results"]}, folder=Path(folder), record="")
        bare = {**found.raw, "results": {**found.results, "figures": {}}}
        again = Capsule(raw=bare, folder=found.folder, record=found.record)
        old, new = dict(pinned.tables), dict(again.tables)
        by_digest = [name for name in old if name not in expected["tables"] and name in new]
        judged = list(_by_digest(old, new, by_digest))
        for side in (pinned, again):
            tables = {name: entry for name, entry in side.tables.items() if name not in by_digest}
            side.raw["results"] = {**side.results, "tables": tables}
        return [*compare(pinned, again), *judged]


def _by_digest(old: Mapping[str, Any], new: Mapping[str, Any], names: list[str]) -> Iterator[ResultVerdict]:
    for name in names:
        if old[name]["digest"] == new[name]["digest"]:
            yield ResultVerdict(kind="table", name=name, outcome="EXACT")
        elif old[name]["rounded"] == new[name]["rounded"]:
            detail = "equal when rounded to the digits of its tolerance"
            yield ResultVerdict(kind="table", name=name, outcome="WITHIN TOLERANCE", detail=detail)
        else:
            detail = f"other values; it has more than {MAX_ROWS:,} rows, so the pin keeps its digest only"
            yield ResultVerdict(kind="table", name=name, outcome="DIFFERS", detail=detail)


def _write_tables(expected: Mapping[str, Any], folder: Path) -> None:
    import pandas as pd

    for name, columns in expected["tables"].items():
        frame = pd.DataFrame({c: _column(held["kind"], held["values"]) for c, held in columns.items()})
        path = folder / expected["results"]["tables"][name]["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(to_parquet(frame))


def _column(kind: str, values: list[Any]) -> Any:
    import pandas as pd

    if kind == "float":
        return pd.Series([float(v) if v is not None else float("nan") for v in values], dtype="float64")
    if kind == "time":
        return pd.to_datetime(pd.Series(values))
    return pd.Series(values)
