"""Which runs: `rmse < 20 and method = garch`. Names are those of a run, its metrics and its parameters."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from research.errors import InputError, rule

if TYPE_CHECKING:
    from research.lineage.store import Run

_TERM = re.compile(r"\s*([A-Za-z_][\w./: -]*?)\s*(<=|>=|!=|==|=|<|>|~)\s*(.+?)\s*\Z")
_FIELDS = ("run_id", "notebook", "status", "started", "seconds", "operator", "commit", "pinned", "passed", "message")
_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "~": lambda a, b: str(b).lower() in str(a).lower(),
}


def value_of(run: Run, name: str) -> Any:
    """A field, metric or parameter of a run; None when it has none of this name."""
    if name in _FIELDS:
        return getattr(run, name)
    if name in run.metrics:
        return _number(run.metrics[name]["value"])
    return run.parameters.get(name)


def _number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def predicate(text: str) -> Callable[[Run], bool]:
    """A test of one run: terms NAME OP VALUE joined by `and`; a run without the name does not pass."""
    terms = [_term(part) for part in re.split(r"\s+and\s+|\s*&\s*", text.strip(), flags=re.IGNORECASE)]
    return lambda run: all(term(run) for term in terms)


def _term(text: str) -> Callable[[Run], bool]:
    found = _TERM.match(text)
    if not found:
        raise InputError(
            rule("--where", "be NAME OP VALUE joined by 'and'", text, 'Write "rmse < 20 and passed = true".')
        )
    name, sign, wanted = found[1].strip(), found[2], found[3].strip().strip("'\"")

    def test(run: Run) -> bool:
        value = value_of(run, name)
        if value is None:
            return sign == "!=" and wanted.lower() not in ("none", "null")
        return _compare(value, sign, wanted)

    return test


def _compare(value: Any, sign: str, wanted: str) -> bool:
    if isinstance(value, bool):
        return _TESTS[sign](
            str(value).lower(),
            {"1": "true", "0": "false", "yes": "true", "no": "false"}.get(wanted.lower(), wanted.lower()),
        )
    if isinstance(value, (int, float)) and sign != "~":
        try:
            return _TESTS[sign](float(value), float(wanted))
        except ValueError:
            return sign == "!="
    return _TESTS[sign](str(value), wanted)


def ordered(runs: Iterable[Run], sort: str) -> list[Run]:
    """Runs by a field, metric or parameter; `-rmse` or `rmse:desc` for the largest first."""
    name = sort.removesuffix(":desc").removesuffix(":asc").lstrip("-")
    down = sort.startswith("-") or sort.endswith(":desc")
    found = list(runs)
    have = [run for run in found if value_of(run, name) is not None]
    if not have and found:
        known = sorted({*_FIELDS, *(n for run in found for n in (*run.metrics, *run.parameters))})
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(known)}."
        raise InputError(rule("--sort", "name a field, metric or parameter", name, hint))
    numbers = all(isinstance(value_of(run, name), (int, float)) for run in have)
    have.sort(key=lambda run: value_of(run, name) if numbers else str(value_of(run, name)), reverse=down)
    return have + [run for run in found if value_of(run, name) is None]
