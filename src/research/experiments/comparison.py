"""Two runs side by side: a verdict for every result, the first difference, and what else differs.

A number r of the re-run meets the recorded v when |r - v| <= atol + rtol |v|, with the tolerance declared when v was
recorded. Text, dates and whole numbers must be equal. Numbers of evidence and of a model carry no tolerance of
their own and must meet 1e-6 relative. Pictures are compared by their pixels (`pictures`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from research.experiments.factors import packages
from research.experiments.jsonable import float_from_json
from research.experiments.results import read_table
from research.experiments.tables import as_frame, cells, kind_of
from research.lineage.capsule import Capsule

Outcome = Literal["EXACT", "WITHIN TOLERANCE", "DIFFERS", "NOT COMPARED"]
PLAIN_RTOL = 1e-6  # of numbers in evidence and models
REPRODUCED_EXACTLY = "REPRODUCED EXACTLY"
WITHIN_TOLERANCE = "REPRODUCED WITHIN TOLERANCE"
NOT_REPRODUCED = "NOT REPRODUCED"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultVerdict:
    """How one result fared; `detail` names the first difference."""

    kind: str  # metric, table, evidence, model, passed, figure
    name: str
    outcome: Outcome
    detail: str = ""
    row: int | None = None  # of the first difference in a table, from 0
    column: str | None = None
    recorded: Any = None
    again: Any = None
    used: float | None = None  # of the tolerance: 0.2 is a fifth of what was declared

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(recorded: Capsule, again: Capsule) -> list[ResultVerdict]:
    """A verdict for each result of either run."""
    old, new = recorded.results, again.results
    out = list(_named("metric", old["metrics"], new["metrics"], _metric))
    out += _named("table", old["tables"], new["tables"], lambda name, a, b: _table(name, a, b, recorded, again))
    out += _named("evidence", _by_test(old["evidence"]), _by_test(new["evidence"]), _evidence)
    if old["model"] is not None or new["model"] is not None:
        out += _named("model", _only(old["model"]), _only(new["model"]), _model)
    if old["passed"] is not None or new["passed"] is not None:
        out.append(_plain("passed", "passed", old["passed"], new["passed"]))
    out += _named("figure", old["figures"], new["figures"], lambda name, a, b: _figure(name, a, b, recorded, again))
    return out


def overall(verdicts: list[ResultVerdict]) -> str:
    """The verdict of the run: as good as its worst result."""
    outcomes = {verdict.outcome for verdict in verdicts}
    if "DIFFERS" in outcomes:
        return NOT_REPRODUCED
    return WITHIN_TOLERANCE if "WITHIN TOLERANCE" in outcomes else REPRODUCED_EXACTLY


def causes(recorded: Capsule, again: Capsule) -> list[str]:
    """What was not the same besides the results: where to look for the reason."""
    out = []
    if recorded.raw["notebook"]["digest"] != again.raw["notebook"]["digest"]:
        out.append("the notebook differs")
    out += _differing_files(recorded.closure, again.closure)
    if recorded.parameters != again.parameters:
        out.append("parameters differ")
    out += _differing_data(recorded.data, again.data)
    old, new = recorded.environment, again.environment
    before, now = packages(old), packages(new)
    names = sorted({name for name, _ in set(before.items()) ^ set(now.items())})
    if names:
        shown = [f"{n} {before.get(n, 'absent')} -> {now.get(n, 'absent')}" for n in names[:5]]
        out.append("packages differ: " + ", ".join(shown) + (f" and {len(names) - 5} more" if len(names) > 5 else ""))
    for key, what in (("python", "Python"), ("cpu", "processor"), ("threads", "threads"), ("platform", "platform")):
        if old[key] != new[key]:
            out.append(f"{what} differs: {old[key]} -> {new[key]}")
    return out


def _differing_files(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    return (
        [f"code differs: {', '.join(names[:4])}" + (f" and {len(names) - 4} more" if len(names) > 4 else "")]
        if names
        else []
    )


def _differing_data(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[str]:
    a, b = ({(r["name"], r["as_of"], tuple(r["columns"])): r["sha256"] for r in reads} for reads in (old, new))
    return [f"data differ: {name}" for name in sorted({key[0] for key in {*a, *b} if a.get(key) != b.get(key)})]


def _named(kind: str, old: Mapping[str, Any], new: Mapping[str, Any], judge: Any) -> Iterator[ResultVerdict]:
    for name in [*old, *(n for n in new if n not in old)]:
        if name not in new:
            yield ResultVerdict(kind=kind, name=name, outcome="DIFFERS", detail="missing in the re-run")
        elif name not in old:
            yield ResultVerdict(kind=kind, name=name, outcome="DIFFERS", detail="not in the recorded run")
        else:
            yield judge(name, old[name], new[name])


def close(a: float, b: float, rtol: float, atol: float) -> Outcome:
    """How `b` meets the recorded `a`."""
    if a == b or (math.isnan(a) and math.isnan(b)):
        return "EXACT"
    if math.isinf(rtol) or math.isinf(atol):
        return "NOT COMPARED"
    good = math.isfinite(a) and math.isfinite(b) and abs(b - a) <= atol + rtol * abs(a)
    return "WITHIN TOLERANCE" if good else "DIFFERS"


def _metric(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> ResultVerdict:
    a, b = float_from_json(old["value"]), float_from_json(new["value"])
    rtol, atol = float_from_json(old["rtol"]), float_from_json(old["atol"])
    if old["unit"] != new["unit"]:
        detail = f"recorded in {old['unit'] or 'no unit'}, now in {new['unit'] or 'no unit'}"
        return ResultVerdict(kind="metric", name=name, outcome="DIFFERS", detail=detail, recorded=a, again=b)
    outcome = "NOT COMPARED" if math.isinf(rtol) or math.isinf(atol) else close(a, b, rtol, atol)
    detail = "" if outcome in ("EXACT", "NOT COMPARED") else _pair(a, b, rtol, atol)
    return ResultVerdict(
        kind="metric",
        name=name,
        outcome=outcome,
        detail=detail,
        recorded=old["value"],
        again=new["value"],
        used=_used(a, b, rtol, atol) if detail else None,
    )


def _used(a: float, b: float, rtol: float, atol: float) -> float | None:
    """The distance in units of the tolerance."""
    allowed = atol + rtol * abs(a)
    share = abs(b - a) / allowed if allowed > 0.0 else math.inf
    return share if math.isfinite(share) else None


def _pair(a: float, b: float, rtol: float, atol: float) -> str:
    return f"{a!r} recorded, {b!r} now: {abs(b - a):.2g} apart, {atol + rtol * abs(a):.2g} allowed"


def _plain(kind: str, name: str, a: Any, b: Any) -> ResultVerdict:
    same = a == b
    detail = "" if same else f"{a!r} recorded, {b!r} now"
    outcome: Outcome = "EXACT" if same else "DIFFERS"
    return ResultVerdict(kind=kind, name=name, outcome=outcome, detail=detail, recorded=a, again=b)


def _figure(
    name: str, old: Mapping[str, Any], new: Mapping[str, Any], recorded: Capsule, again: Capsule
) -> ResultVerdict:
    if old["sha256"] == new["sha256"]:
        return ResultVerdict(kind="figure", name=name, outcome="EXACT")
    from research.experiments.pictures import compare_pictures, same_drawing

    a, b = recorded.folder / old["path"], again.folder / new["path"]
    if a.suffix != b.suffix:
        detail = f"a {a.suffix[1:]} file recorded, a {b.suffix[1:]} file now"
        return ResultVerdict(kind="figure", name=name, outcome="DIFFERS", detail=detail)
    if a.suffix != ".png":
        same = same_drawing(a, b)
        detail = "" if same else "what it draws differs"
        return ResultVerdict(kind="figure", name=name, outcome="EXACT" if same else "DIFFERS", detail=detail)
    found = compare_pictures(a.read_bytes(), b.read_bytes())
    outcome: Outcome = "EXACT" if found.same else "WITHIN TOLERANCE" if found.hardly else "DIFFERS"
    return ResultVerdict(kind="figure", name=name, outcome=outcome, detail="" if found.same else found.text())


def _only(model: Any) -> dict[str, Any]:
    return {} if model is None else {model["scorer"]: model}


def _by_test(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Evidence by test; the second of the same test is `kupiec 2`."""
    out: dict[str, dict[str, Any]] = {}
    for item in items:
        count = sum(1 for other in out.values() if other["test"] == item["test"])
        out[item["test"] if not count else f"{item['test']} {count + 1}"] = item
    return out


def _evidence(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> ResultVerdict:
    keys = ("verdict", "claim", "statistic", "threshold", "p_value", "power", "n")
    return _nested("evidence", name, {k: old.get(k) for k in keys}, {k: new.get(k) for k in keys}, PLAIN_RTOL)


def _model(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> ResultVerdict:
    return _nested("model", name, old, new, float(old.get("rtol", PLAIN_RTOL)))


def _nested(kind: str, name: str, old: Any, new: Any, rtol: float) -> ResultVerdict:
    worst: ResultVerdict = ResultVerdict(kind=kind, name=name, outcome="EXACT")
    for path, a, b in _leaves(old, new, ""):
        if (
            isinstance(a, (int, float))
            and isinstance(b, (int, float))
            and not isinstance(a, bool)
            and not isinstance(b, bool)
        ):
            outcome = close(float(a), float(b), rtol, 0.0)
            detail = f"{path}: {_pair(float(a), float(b), rtol, 0.0)}"
        else:
            outcome, detail = ("EXACT" if a == b else "DIFFERS"), f"{path}: {a!r} recorded, {b!r} now"
        if outcome == "DIFFERS":
            return ResultVerdict(kind=kind, name=name, outcome=outcome, detail=detail, recorded=a, again=b)
        if outcome == "WITHIN TOLERANCE" and worst.outcome == "EXACT":
            worst = ResultVerdict(kind=kind, name=name, outcome=outcome, detail=detail, recorded=a, again=b)
    return worst


def _leaves(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping) and set(old) == set(new):
        for key in old:
            yield from _leaves(old[key], new[key], f"{path}.{key}" if path else str(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (a, b) in enumerate(zip(old, new)):
            yield from _leaves(a, b, f"{path}[{i}]")
    else:
        yield path, old, new


def _table(
    name: str, old: Mapping[str, Any], new: Mapping[str, Any], recorded: Capsule, again: Capsule
) -> ResultVerdict:
    if old["digest"] == new["digest"] and old["rows"] == new["rows"] and old["columns"] == new["columns"]:
        return ResultVerdict(kind="table", name=name, outcome="EXACT")
    if old["columns"] != new["columns"]:
        odd = sorted(set(old["columns"]) ^ set(new["columns"])) or ["their order"]
        return ResultVerdict(kind="table", name=name, outcome="DIFFERS", detail=f"columns differ: {', '.join(odd)}")
    if old["rows"] != new["rows"]:
        detail = f"{old['rows']} rows recorded, {new['rows']} now"
        return ResultVerdict(kind="table", name=name, outcome="DIFFERS", detail=detail)
    return compare_frames(name, read_table(recorded.folder, old), read_table(again.folder, new), old)


def compare_frames(name: str, old: Any, new: Any, entry: Mapping[str, Any]) -> ResultVerdict:
    """Two frames of one shape, cell by cell; the first difference in the order of rows."""
    a, b = as_frame(old), as_frame(new)
    first: ResultVerdict | None = None
    near: tuple[float, tuple[Any, ...]] | None = None  # the one that uses most of its tolerance
    for column in a.columns:
        rtol, atol = float_from_json(entry["rtol"][column]), float_from_json(entry["atol"][column])
        if math.isinf(rtol) or math.isinf(atol):
            continue
        if kind_of(a[column]) != kind_of(b[column]):
            detail = f"column {column} held {kind_of(a[column])}, now {kind_of(b[column])}"
            return ResultVerdict(kind="table", name=name, outcome="DIFFERS", detail=detail, column=column)
        for row, (x, y) in enumerate(zip(cells(a[column]), cells(b[column]))):
            outcome = close(x, y, rtol, atol) if isinstance(x, float) else ("EXACT" if x == y else "DIFFERS")
            if outcome == "DIFFERS" and (first is None or row < (first.row or 0)):
                first = _cell(name, row, column, x, y, outcome, rtol, atol)
            if outcome == "WITHIN TOLERANCE":
                used = _used(x, y, rtol, atol) or 0.0
                if near is None or used > near[0]:
                    near = used, (name, row, column, x, y, outcome, rtol, atol)
    if first is None and near is not None:
        return _cell(*near[1])
    return first or ResultVerdict(kind="table", name=name, outcome="EXACT")


def _cell(
    name: str, row: int, column: str, x: Any, y: Any, outcome: Outcome, rtol: float, atol: float
) -> ResultVerdict:
    values = _pair(x, y, rtol, atol) if isinstance(x, float) else f"{x!r} recorded, {y!r} now"
    detail = f"row {row}, column {column}: {values}"
    shown = [str(v) if isinstance(v, float) and not math.isfinite(v) else v for v in (x, y)]
    return ResultVerdict(
        kind="table",
        name=name,
        outcome=outcome,
        detail=detail,
        row=row,
        column=column,
        recorded=shown[0],
        again=shown[1],
        used=_used(x, y, rtol, atol) if isinstance(x, float) else None,
    )
