"""What a sweep asks: designs that are crossed, fixed values, conditions, seeds, and what counts as best.

A YAML file in `pipelines/` says it for good, words on the command line say it for once; both become one `Spec`,
whose digest names what was asked.

    notebook: notebooks/calibration/heston.ipynb
    fixed: {max_rmse_bp: 50}
    grid: {kappa: [1, 2, 4], rho: "-0.9:0:10"}
    list: [{theta: 0.04, sigma: 0.3}, {theta: 0.09, sigma: 0.5}]
    random: {n: 100, seed: 1, ranges: {vol: {low: 0.1, high: 1.0, log: true}, method: [ewma, garch]}}
    latin_hypercube: {n: 50, seed: 1, ranges: {...}}
    sobol: {n: 64, seed: 1, ranges: {...}}
    dates: {as_of: {data: equity/sp500, every: month, from: 2010-01-01, to: 2015-12-31}}
    where: "2 * kappa * theta > sigma ** 2"
    seeds: {parameter: seed, count: 5, base: 20260630}
    best: {metric: rmse, goal: min}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from research.errors import ParameterError, did_you_mean, rule
from research.experiments.jsonable import to_json
from research.experiments.sweep.values import split_word
from research.fingerprint import digest_json

SPACE = ("random", "latin_hypercube", "sobol")
_KEYS = ("notebook", "fixed", "grid", "list", *SPACE, "dates", "where", "seeds", "best")


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A sweep as asked."""

    notebook: str  # path in the project
    designs: tuple[dict[str, Any], ...] = ()  # each {"kind": ..., ...}; crossed in this order
    fixed: dict[str, Any] = field(default_factory=dict)
    where: tuple[str, ...] = ()
    seeds: dict[str, Any] | None = None  # {"parameter", "count", "base"}
    metric: str | None = None
    goal: str = "min"

    def __post_init__(self) -> None:
        if self.goal not in ("min", "max"):
            raise ParameterError(rule("goal", "be min or max", self.goal))
        if self.seeds is not None and not (isinstance(self.seeds["count"], int) and self.seeds["count"] >= 1):
            raise ParameterError(rule("seeds", "be a whole number >= 1", self.seeds["count"]))

    def to_json(self) -> dict[str, Any]:
        """Canonical JSON content."""
        found: dict[str, Any] = to_json(
            {
                "notebook": self.notebook,
                "designs": list(self.designs),
                "fixed": self.fixed,
                "where": list(self.where),
                "seeds": self.seeds,
                "best": {"metric": self.metric, "goal": self.goal},
            }
        )
        return found

    @property
    def digest(self) -> str:
        return digest_json(self.to_json())


def from_words(
    notebook: str,
    *,
    grid: Sequence[str] = (),
    fixed: dict[str, Any] | None = None,
    space: Sequence[str] = (),
    method: str = "random",
    n: int | None = None,
    design_seed: int = 1,
    where: Sequence[str] = (),
    seeds: int | None = None,
    metric: str | None = None,
    goal: str = "min",
) -> Spec:
    """The sweep of a command line: `-g a=1,2 -g b=0:1:11 -s vol=0.1:1:log --sobol 64 --where "a < b"`."""
    designs: list[dict[str, Any]] = []
    pairs = [split_word(word, "-g") for word in grid]
    _once([name for name, _ in pairs], "-g")
    if pairs:
        designs.append({"kind": "grid", "values": dict(pairs)})
    ranges = [split_word(word, "-s") for word in space]
    _once([name for name, _ in ranges], "-s")
    if ranges:
        if n is None:
            raise ParameterError(
                rule("-s", "come with a number of points", " ".join(space), "Add --random N, --latin N or --sobol N.")
            )
        designs.append({"kind": method, "n": n, "seed": design_seed, "ranges": dict(ranges)})
    elif n is not None:
        raise ParameterError(rule(f"--{method}", "come with ranges", n, "Add -s NAME=LOW:HIGH."))
    replicas = None if seeds is None else {"parameter": None, "count": seeds, "base": design_seed}
    return Spec(
        notebook=notebook,
        designs=tuple(designs),
        fixed=dict(fixed or {}),
        where=tuple(where),
        seeds=replicas,
        metric=metric,
        goal=goal,
    )


def _once(names: list[str], option: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ParameterError(f"{option} {name} must be given once; got it {names.count(name)} times.")


def read_file(path: Path) -> Spec:
    """The sweep in a YAML file.

    Raises
    ------
    ParameterError
        Names the key and what it must hold.
    """
    from research.experiments.files import read_parameter_file

    raw = read_parameter_file(str(path))
    for key in raw:
        if key not in _KEYS:
            of = f"key of {path.name}"
            raise ParameterError(rule(of, f"be one of {', '.join(_KEYS)}", key, did_you_mean(key, _KEYS)))
    if not isinstance(raw.get("notebook"), str):
        raise ParameterError(rule(f"notebook of {path.name}", "be the path of a notebook", raw.get("notebook")))
    where, best, seeds = raw.get("where") or [], _mapping(raw, "best", path), raw.get("seeds")
    if isinstance(seeds, int):
        seeds = {"count": seeds}
    return Spec(
        notebook=raw["notebook"],
        designs=tuple(_designs(raw, path)),
        fixed=_mapping(raw, "fixed", path),
        where=(where,) if isinstance(where, str) else tuple(where),
        seeds=None if seeds is None else {"parameter": None, "count": 1, "base": 1, **seeds},
        metric=best.get("metric"),
        goal=best.get("goal", "min"),
    )


def _mapping(raw: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    value = raw.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ParameterError(rule(f"{key} of {path.name}", "hold names and values", value))
    return {str(name): item for name, item in value.items()}


def _designs(raw: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    """In the order of the file, since the first design varies slowest."""
    out: list[dict[str, Any]] = []
    for key in raw:
        if key == "grid":
            out.append({"kind": "grid", "values": _mapping(raw, key, path)})
        elif key == "list":
            if not isinstance(raw[key], list) or not all(isinstance(item, dict) for item in raw[key]):
                raise ParameterError(rule(f"list of {path.name}", "be a list of points", raw[key]))
            out.append({"kind": "list", "points": raw[key]})
        elif key == "dates":
            for name, item in _mapping(raw, key, path).items():
                if not isinstance(item, dict) or "data" not in item:
                    raise ParameterError(rule(f"dates of {path.name}", f"name the data set of {name}", item))
                out.append({"kind": "dates", "parameter": name, **item})
        elif key in SPACE:
            item = _mapping(raw, key, path)
            if not isinstance(item.get("n"), int) or item["n"] < 1 or not isinstance(item.get("ranges"), dict):
                raise ParameterError(rule(f"{key} of {path.name}", "have n >= 1 and ranges", item))
            out.append({"kind": key, "seed": 1, **item})
    return out
