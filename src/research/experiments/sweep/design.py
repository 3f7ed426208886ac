"""From designs to points: grid, list, random, Latin hypercube, Sobol, dates of a data set; crossed with each other."""

from __future__ import annotations

import itertools
import math
import typing
import warnings
from collections.abc import Mapping
from typing import Any

import annotated_types

from research.errors import ParameterError, rule
from research.experiments.coercion import unwrap
from research.experiments.schema import Parameter, Schema, unknown_name
from research.experiments.sweep.spec import Spec
from research.experiments.sweep.values import Choice, Range, dates_of, read_range, values
from research.project import Project

MOST = 1_000_000


def draw(spec: Spec, schema: Schema, project: Project) -> list[dict[str, Any]]:
    """The points of a sweep, as asked: not yet checked; the first design varies slowest."""
    parts = [_design(item, schema, project) for item in spec.designs] or [[{}]]
    count = math.prod(len(part) for part in parts)
    if count > MOST:
        raise ParameterError(rule("sweep", f"have at most {MOST:,} points", count))
    return [{**spec.fixed, **_merged(combination)} for combination in itertools.product(*parts)]


def _merged(parts: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            if name in out:
                raise ParameterError(rule(name, "be in one design of the sweep", "two of them"))
            out[name] = value
    return out


def _design(item: Mapping[str, Any], schema: Schema, project: Project) -> list[dict[str, Any]]:
    if item["kind"] == "grid":
        axes = {name: values(name, text, project) for name, text in item["values"].items()}
        return [dict(zip(axes, point)) for point in itertools.product(*axes.values())]
    if item["kind"] == "list":
        return [dict(point) for point in item["points"]]
    if item["kind"] == "dates":
        days = dates_of(
            project,
            item["data"],
            item.get("every"),
            column=item.get("column"),
            first=item.get("from"),
            last=item.get("to"),
        )
        return [{item["parameter"]: day} for day in days]
    ranges = {name: search_range(name, given, schema) for name, given in item["ranges"].items()}
    rows = uniforms(item["kind"], int(item["n"]), len(ranges), int(item.get("seed", 1)))
    return [{name: space.at(u) for (name, space), u in zip(ranges.items(), row)} for row in rows]


def uniforms(kind: str, n: int, dimension: int, seed: int) -> list[list[float]]:
    """n points in the unit cube; the same for the same seed."""
    from scipy.stats import qmc

    if kind == "random":
        import numpy as np

        rows: list[list[float]] = np.random.Generator(np.random.Philox(seed)).random((n, dimension)).tolist()
        return rows
    with warnings.catch_warnings():  # Sobol points of any number are welcome; a power of two is balanced
        warnings.simplefilter("ignore")
        made = qmc.LatinHypercube(dimension, rng=seed) if kind == "latin_hypercube" else qmc.Sobol(dimension, rng=seed)
        found: list[list[float]] = made.random(n).tolist()
        return found


def search_range(name: str, given: Any, schema: Schema) -> Range | Choice:
    """The range of a parameter: as given, or (None) what its annotation allows; whole numbers for an int."""
    item = next((item for item in schema.items if item.name == name), None)
    if item is None:
        raise ParameterError(unknown_name(name, schema.names))
    kinds = unwrap(item.annotation)
    found = read_range(name, given) if given not in (None, "") else _annotated(item)
    if isinstance(found, Range) and int in kinds and float not in kinds:
        return Range(math.ceil(found.low), math.floor(found.high), found.log, whole=True)
    return found


def _annotated(item: Parameter) -> Range | Choice:
    """The range that the annotation says: Literal, bool, or a number with both bounds."""
    for kind in unwrap(item.annotation):
        if typing.get_origin(kind) is typing.Literal:
            return Choice(typing.get_args(kind))
        if kind is bool:
            return Choice((False, True))
    low, high = bounds(item.annotation)
    if low is None or high is None:
        hint = f"Write -s {item.name}=LOW:HIGH, or Annotated[float, Ge(LOW), Le(HIGH)] in the notebook."
        raise ParameterError(rule(f"the range of {item.name}", "have both bounds", item.text, hint))
    return Range(low, high)


def bounds(annotation: Any) -> tuple[float | None, float | None]:
    """Lower and upper bound in an annotation; an open one moves in by one part in 10^9 (or by one, of an int)."""
    if typing.get_origin(annotation) is not typing.Annotated:
        return None, None
    base, *marks = typing.get_args(annotation)
    marks = [part for mark in marks for part in (mark if isinstance(mark, annotated_types.Interval) else [mark])]
    low = high = None
    for mark in marks:
        for sign, inner in (("ge", 0), ("gt", 1), ("le", 0), ("lt", -1)):
            limit = getattr(mark, sign, None)
            if limit is None:
                continue
            step = inner if int in unwrap(base) else inner * 1e-9 * max(1.0, abs(float(limit)))
            low, high = (float(limit) + step, high) if sign[0] == "g" else (low, float(limit) + step)
    return low, high
