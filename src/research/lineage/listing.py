"""Which runs, in which order: names are those of a run, its metrics and its parameters.

`metrics.rmse` and `parameters.rmse` say which one is meant where both have the name. The language of the filter
stands in `filters`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from research.errors import InputError, rule
from research.lineage import filters

if TYPE_CHECKING:
    from research.lineage.store import Run

FIELDS = (
    "run_id",
    "notebook",
    "status",
    "started",
    "ended",
    "seconds",
    "operator",
    "commit",
    "pinned",
    "passed",
    "message",
    "recipe",
    "identity",
    "sweep",
    "point",
)
_COMPUTED = ("age", "name", "state")


def value_of(run: Run, name: str) -> Any:
    """A field, metric or parameter of a run; None when it has none of this name."""
    if name in FIELDS:
        return getattr(run, name)
    if name in run.metrics:
        return _number(run.metrics[name]["value"])
    if name in run.parameters:
        return run.parameters[name]
    if name in _COMPUTED:
        return _computed(run, name)
    space, _, rest = name.partition(".")
    if space in ("metrics", "m") and rest in run.metrics:
        return _number(run.metrics[rest]["value"])
    if space in ("parameters", "params", "p"):
        return run.parameters.get(rest)
    return None


def _computed(run: Run, name: str) -> Any:
    if name == "age":
        return (datetime.now(UTC) - datetime.fromisoformat(run.started)).total_seconds()
    if name == "name":
        return run.notebook.rpartition("/")[2].removesuffix(".ipynb")
    return state(run)


def state(run: Run) -> str:
    """One word for status and verdict."""
    if run.status != "FINISHED":
        return run.status
    return {True: "passed", False: "not passed", None: "recorded"}[run.passed]


def _number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def names_of(runs: Iterable[Run]) -> list[str]:
    """Every name that a filter, a column or an order may use on these runs."""
    metrics, parameters = set[str](), set[str]()
    for run in runs:
        metrics.update(run.metrics)
        parameters.update(run.parameters)
    spaced = [f"metrics.{n}" for n in sorted(metrics)] + [f"parameters.{n}" for n in sorted(parameters)]
    return [*FIELDS, *_COMPUTED, *sorted(metrics), *sorted(parameters - metrics), *spaced]


def predicate(text: str) -> Callable[[Run], bool]:
    """A test of one run; see `filters` for the language."""
    test = filters.parse(text)
    return lambda run: test(lambda name: value_of(run, name))


def selected(runs: list[Run], text: str) -> list[Run]:
    """The runs that pass the filter.

    Raises
    ------
    InputError
        When it cannot be read, or asks for a name that no run has.
    """
    test = filters.parse(text)
    if runs:
        test.check_names(askable(runs, test))
    return [run for run in runs if test(lambda name, run=run: value_of(run, name))]  # type: ignore[misc]


def askable(runs: Iterable[Run], test: filters.Filter) -> list[str]:
    """The names that a filter may use on these runs, in every spelling if it uses one with a dot."""
    known = names_of(runs)
    short = [f"{n[0]}.{n.partition('.')[2]}" for n in known if n.startswith(("metrics.", "parameters."))]
    long = [f"params.{n.partition('.')[2]}" for n in known if n.startswith("parameters.")]
    return [*known, *short, *long] if any("." in name for name, _ in test.names) else known


def has(run: Run, name: str) -> bool:
    """Whether a run has a field, metric or parameter of this name, be it None."""
    rest = name.partition(".")[2]
    return name in (*FIELDS, *_COMPUTED, *run.metrics, *run.parameters) or rest in (*run.metrics, *run.parameters)


def ordered(runs: Iterable[Run], sort: str) -> list[Run]:
    """Runs by a field, metric or parameter; `-rmse` or `rmse:desc` for the largest first; those without it last."""
    name = sort.removesuffix(":desc").removesuffix(":asc").lstrip("-")
    down = sort.startswith("-") or sort.endswith(":desc")
    found = [(value_of(run, name), run) for run in runs]
    have = [(value, run) for value, run in found if value is not None and value == value]  # no NaN
    if not have and found:
        known = names_of(run for _, run in found)
        raise InputError(
            rule("--sort", "name a field, metric or parameter", name, filters.nearest(name, _plain(known)))
        )
    numbers = all(isinstance(value, (int, float)) for value, _ in have)
    have.sort(key=lambda pair: pair[0] if numbers else str(pair[0]), reverse=down)
    return [run for _, run in have] + [run for value, run in found if value is None or value != value]


def columns(runs: list[Run], wanted: str) -> list[str]:
    """The names in a list like `started,rmse,model`.

    Raises
    ------
    InputError
        When no run has one of them.
    """
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    if not names:
        raise InputError(rule("--columns", "name at least one column", wanted, "Write --columns started,rmse."))
    if runs:
        known = names_of(runs)
        for name in names:
            if name not in known and all(value_of(run, name) is None for run in runs):
                raise InputError(
                    rule("--columns", "name a field, metric or parameter", name, filters.nearest(name, _plain(known)))
                )
    return names


def _plain(known: Iterable[str]) -> list[str]:
    return [name for name in known if not name.startswith(("metrics.", "parameters."))]
