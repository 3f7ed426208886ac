"""Every error the framework raises on purpose, and the functions that word most of them.

The message form is: NAME must RULE; got VALUE. HINT

    ResearchError               the root; exit_code is what the command line returns
    ├── InputError              a value breaks a rule (also a ValueError)            exit 2
    │   ├── ParameterError      a notebook parameter is unknown or of the wrong kind exit 2
    │   └── DataError           a data set breaks its contract or is not there       exit 2
    ├── ProjectError            outside a project, or a project file is broken       exit 2
    ├── MissingExtraError       an optional package is needed                        exit 2
    ├── NumericalError          a search did not converge                            exit 1
    ├── NoEngineError           no engine can price this                             exit 2
    ├── RunError                a notebook run failed                                exit 1
    └── RefusedError            the answer is no                                     exit 1
        └── IntegrityError      evidence, artifact or ledger does not match          exit 1
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any


class ResearchError(Exception):
    """Root of all deliberate errors."""

    exit_code = 1


class InputError(ResearchError, ValueError):
    """A value breaks a rule; the message names the value, the rule and what was given."""

    exit_code = 2


class ParameterError(InputError):
    """A notebook parameter is unknown, of the wrong type, or out of range."""


class DataError(InputError):
    """A data set is unknown, missing, or breaks its contract."""


class ProjectError(ResearchError):
    """The command was run outside a project, or a project file is broken."""

    exit_code = 2


class MissingExtraError(ResearchError, ImportError):
    """An optional package is needed; the message says what to install."""

    exit_code = 2


class NumericalError(ResearchError, ArithmeticError):
    """A search or an integral did not reach its tolerance."""


class NoEngineError(ResearchError, TypeError):
    """The engine cannot price this instrument under this model; the message names those that can."""

    exit_code = 2


class RunError(ResearchError):
    """A notebook run failed; the message names the cell."""


class RefusedError(ResearchError):
    """The answer is no; the message says why and who or what can help."""


class IntegrityError(RefusedError):
    """Evidence, artifact or ledger does not match its digest or signature."""


def _show(value: Any) -> str:
    np = sys.modules.get("numpy")  # a command that lists runs does not pay for NumPy
    if np is not None and isinstance(value, np.generic):
        value = value.item()
        if not isinstance(value, float):
            return str(value)
    if isinstance(value, float):
        return f"{value:g}"
    text = " ".join(repr(value).split())  # a table of pandas has lines and columns
    return text if len(text) <= 200 else text[:197] + "..."


def rule(name: str, must: str, value: Any, hint: str = "") -> str:
    """The one sentence every refusal uses: NAME must RULE; got VALUE. HINT"""
    return f"{name} must {must}; got {_show(value)}." + (f" {hint}" if hint else "")


def did_you_mean(name: Any, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The hint at the nearest known name; empty where none is near.

    Examples
    --------
    >>> did_you_mean("dleta", ("delta", "gamma"))
    "Did you mean 'delta'?"
    """
    from difflib import get_close_matches

    near = get_close_matches(str(name), list(known), n=1, cutoff=cutoff)
    return f"Did you mean '{near[0]}'?" if near else ""


def require(
    condition: bool, name: str, value: Any, must: str, *, hint: str = "", error: type[ResearchError] = InputError
) -> None:
    """Raise `error` unless `condition`.

    Examples
    --------
    >>> require(False, "level", 99, "lie in (0, 1)", hint="Use 0.99 for a 99% VaR, not 99.")
    Traceback (most recent call last):
    research.errors.InputError: level must lie in (0, 1); got 99. Use 0.99 for a 99% VaR, not 99.
    """
    if not condition:
        raise error(rule(name, must, value, hint))


def require_all(
    condition: Any, name: str, values: Any, must: str, *, hint: str = "", error: type[ResearchError] = InputError
) -> None:
    """Raise `error` unless every element of `condition` holds; show the first bad value and the count."""
    import numpy as np

    good = np.asarray(condition, dtype=bool)
    if good.all():
        return
    bad = np.broadcast_to(np.asarray(values), good.shape)[~good]
    what = f"{name} must {must}; got {_show(bad.flat[0])} ({bad.size} of {good.size} values)."
    raise error(what + (f" {hint}" if hint else ""))
