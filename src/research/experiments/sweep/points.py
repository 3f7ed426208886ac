"""The points of a sweep, checked by the notebook's own schema before anything runs; every bad one is named."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from research.errors import ParameterError, rule
from research.experiments.schema import Schema, unknown_name
from research.experiments.sweep.conditions import condition
from research.experiments.sweep.spec import Spec
from research.fingerprint import canonical_json

_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Points:
    """What will be run: the complete parameters of each point, as JSON."""

    parameters: tuple[dict[str, Any], ...]
    varied: tuple[str, ...]  # names that take more than one value
    left_out: int  # points that fulfil no condition
    doubles: int  # points that were asked twice

    def __len__(self) -> int:
        return len(self.parameters)


def check(spec: Spec, schema: Schema, asked: Sequence[Mapping[str, Any]]) -> Points:
    """The points of a sweep, each with all parameters.

    Raises
    ------
    ParameterError
        Lists every rule that is broken, and by which points.
    """
    for name in {name for point in asked for name in point}:
        if name not in schema.names:
            raise ParameterError(unknown_name(str(name), schema.names))
    tests = [condition(text, schema.names) for text in spec.where]
    seeds = _seeds(spec, schema)
    kept: dict[bytes, dict[str, Any]] = {}
    broken: dict[str, list[int]] = {}
    left_out = doubles = 0
    for number, given in enumerate(asked):
        try:
            checked = schema.check(given)
            if not all(test(checked.values()) for test in tests):
                left_out += 1
                continue
            for one in _replicas(checked.to_json(), seeds):
                whole = schema.check(one).to_json() if seeds else one
                key = canonical_json(whole)
                doubles += key in kept
                kept.setdefault(key, whole)
        except ParameterError as error:
            broken.setdefault(str(error), []).append(number)
    if broken:
        raise ParameterError(_refusal(broken, asked))
    if not kept:
        raise ParameterError(
            rule("sweep", "have at least one point", f"{left_out} points, all left out by {' and '.join(spec.where)}")
        )
    found = tuple(kept.values())
    varied = tuple(n for n in schema.names if len({canonical_json(p[n]) for p in found}) > 1)
    return Points(found, varied, left_out, doubles)


def _refusal(broken: Mapping[str, list[int]], asked: Sequence[Mapping[str, Any]]) -> str:
    """All rules that are broken, a line each."""
    count = len({number for numbers in broken.values() for number in numbers})
    lines = []
    for message, numbers in list(broken.items())[:_SHOWN]:
        shown = ", ".join(map(str, numbers[:_SHOWN])) + (
            f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
        )
        lines.append(f"  {message} (point{'s' if len(numbers) > 1 else ''} {shown})")
    if len(broken) > _SHOWN:
        lines.append(f"  and {len(broken) - _SHOWN} more values are refused")
    return f"every point must obey the schema of the notebook; got {count} of {len(asked)} that do not:\n" + "\n".join(
        lines
    )


def _seeds(spec: Spec, schema: Schema) -> dict[str, Any] | None:
    """Parameter, count and base of the seeds; the parameter is found by its name when not given."""
    if spec.seeds is None:
        return None
    from research.experiments.runner import is_seed

    name = spec.seeds.get("parameter")
    found = [n for n in schema.names if is_seed(n)]
    if name is None:
        if len(found) != 1:
            must = "have exactly one seed among its parameters, or the sweep name it"
            raise ParameterError(rule("notebook", must, found, "Write seeds: {parameter: NAME, count: 5}."))
        name = found[0]
    if name not in schema.names:
        raise ParameterError(unknown_name(str(name), schema.names))
    return {**spec.seeds, "parameter": name}


def _replicas(point: dict[str, Any], seeds: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The point once, or once with each of its seeds."""
    if seeds is None:
        return [point]
    name = seeds["parameter"]
    rest = {key: value for key, value in point.items() if key != name}
    return [{**point, name: derived_seed(seeds["base"], rest, i)} for i in range(seeds["count"])]


def derived_seed(base: int, parameters: Mapping[str, Any], replica: int) -> int:
    """A seed below 2^31 that depends on the point and its number alone, not on order or company.

    Examples
    --------
    >>> derived_seed(1, {"n": 5}, 0) == derived_seed(1, {"n": 5}, 0) != derived_seed(1, {"n": 5}, 1)
    True
    """
    text = canonical_json({"base": base, "parameters": dict(parameters), "replica": replica})
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big") >> 1
