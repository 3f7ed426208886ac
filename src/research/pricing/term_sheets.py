"""Term sheets of structured notes: what the buyer may expect, the fair coupon, the issuer's margin.

| question | function |
|---|---|
| how likely is each end, how long does the note live, what is it worth, what does the issuer keep? | `term_sheet` |
| which coupon (rate, participation, ...) makes the note worth its price less a margin? | `solve` |

Any model that prices the note will do: one vol or a term structure by the fused simulation, several underlyings by
theirs, every other model that has paths by `pricing.paths`. Probabilities are those of the pricing measure. Values are
linear in the terms that `solve` knows, so two runs on the same paths give the answer exactly for these paths.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from research.conventions import check_number
from research.errors import NoEngineError, NumericalError, require, rule
from research.instruments import DualCurrencyDeposit, WorstOfNote
from research.market import Snapshot
from research.pricing import dual_currency, monte_carlo, multi_asset, paths
from research.pricing._signs import check_signs
from research.pricing._simulation import Estimate
from research.pricing._tables import sheet, whole, with_error
from research.pricing.carry import takes_cash
from research.pricing.dual_currency import DepositSheet
from research.pricing.price import choose

LINEAR = {  # terms in which the value is linear, the usual one first
    "Autocallable": ("coupon", "maturity_coupon"),
    "Phoenix": ("coupon",),
    "SharkFin": ("participation", "rebate", "base"),
    "RangeAccrual": ("rate", "base"),
    "DoubleNoTouch": ("rate", "touched_rate"),
    "Airbag": ("participation", "knocked_participation"),
    "StructuredDeposit": ("participation", "base"),
    "DualCurrencyDeposit": ("coupon",),
}


_ENGINES: dict[str, Callable[..., Estimate]] = {"monte_carlo": monte_carlo.simulate, "paths": paths.simulate}
_PATHS, _BATCHES = 1 << 17, 16


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TermSheet:
    """What a note is worth and how it may end; standard errors in `to_frame`."""

    value: float  # currency, present value
    std_error: float
    issue_price: float  # currency
    margin: float  # currency: issue price less value
    knocked_out: float  # probability
    at_maturity: float  # probability: paid at the end, never knocked in
    knocked_in: float  # probability: paid at the end after a knock-in
    loss: float  # probability: redeemed below the notional
    life: float  # expected years to the last payment
    errors: tuple[float, ...]  # of the four probabilities and the life
    n_paths: int

    def to_frame(self) -> pd.DataFrame:
        """One row a number: name, value, std_error, unit."""
        e = self.errors
        rows = [
            ("value", self.value, self.std_error, "currency"),
            ("issuer margin", self.margin, self.std_error, "currency"),
            ("knocked out", self.knocked_out, e[0], "probability"),
            ("at maturity, never knocked in", self.at_maturity, e[1], "probability"),
            ("at maturity, knocked in", self.knocked_in, e[2], "probability"),
            ("redeemed below the notional", self.loss, e[3], "probability"),
            ("expected life", self.life, e[4], "years"),
        ]
        table: pd.DataFrame = whole(rows, ["name", "value", "std_error", "unit"])
        return table

    def __repr__(self) -> str:
        value = with_error(self.value, self.std_error)
        return (
            f"TermSheet(value {value} +- {self.std_error:.2g}, issuer margin {self.margin:.4g}, "
            f"knocked out {self.knocked_out:.1%}, at maturity {self.at_maturity:.1%}, "
            f"knocked in {self.knocked_in:.1%}, loss {self.loss:.1%}, "
            f"expected life {self.life:.2f} years, {self.n_paths:,} paths)"
        )

    def _repr_html_(self) -> str:
        return sheet(self.to_frame())


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Solved:
    """The term that gives the wanted value."""

    term: str
    value: float
    std_error: float  # of `value`
    contract: Any  # the note with that term

    def __repr__(self) -> str:
        value = with_error(self.value, self.std_error)
        return f"Solved({self.term} {value} +- {self.std_error:.2g} of {type(self.contract).__name__})"


def _check_note(item: Any) -> None:
    name = type(item).__name__
    if name not in LINEAR and name != "WorstOfNote":
        raise NoEngineError(rule("instrument", f"be one of {', '.join(LINEAR)}, WorstOfNote", name))


def _simulated(item: Any, model: Any, snapshot: Any, options: dict[str, Any]) -> Estimate:
    """The note by the simulation that knows the model; Philox too in several replicates, so that all has an error."""
    check_signs([item], model, snapshot)
    pays = getattr(snapshot, "cash_dividends", None) is not None
    able = [e for e in choose(item, model, "auto") if e.method in _ENGINES]
    able = [e for e in able if takes_cash(e, model, snapshot) or not pays]
    method = able[0].method if able else None
    if method is None:
        raise NoEngineError(rule("model", "have paths for a term sheet", type(model).__name__))
    run = _ENGINES[method] if not isinstance(item, WorstOfNote) else multi_asset.simulate
    found = run(item, model, snapshot, **options)
    if found.replicates.size > 1 or options.get("std_error") is not None:
        return found
    n, seed = int(options.get("n_paths") or _PATHS), int(options.get("seed", 1))
    some = {**options, "n_paths": -(-n // _BATCHES)}
    runs = [run(item, model, snapshot, **{**some, "seed": seed + i}) for i in range(_BATCHES)]
    each, means = np.array([one.value for one in runs]), np.array([one.means for one in runs])
    root = np.sqrt(_BATCHES)
    return Estimate(value=float(each.mean()), std_error=float(each.std(ddof=1) / root), replicates=each,
                    n_paths=sum(one.n_paths for one in runs), means=means.mean(axis=0),
                    mean_errors=means.std(axis=0, ddof=1) / root)  # fmt: skip


def _with(item: Any, term: str, value: float) -> Any:
    """The note with one term changed; of a note on the worst, the inner note's."""
    if isinstance(item, WorstOfNote):
        note: Any = item.note
        return replace(item, note=replace(note, **{term: value}))
    return replace(item, **{term: value})


def term_sheet(
    item: Any, model: Any, snapshot: Snapshot, *, issue_price: float | None = None, **options: Any
) -> TermSheet | DepositSheet:
    """Value, margin, probability of each outcome and expected life; options as for the simulation.

    issue_price : float, currency, default the notional (in domestic units for a dual-currency deposit)
    """
    _check_note(item)
    if isinstance(item, DualCurrencyDeposit):
        choose(item, model, "analytic")  # refuses a model without options of its own
        return dual_currency.sheet(item, model, snapshot, issue_price=issue_price, **options)
    issue = float(item.notional if issue_price is None else check_number("issue_price", issue_price))
    require(not options.get("survival"), "survival", True, "be left out of a term sheet")
    found = _simulated(item, model, snapshot, options)
    life, out, inside, loss = (float(x) for x in found.means)
    e_life, e_out, e_in, e_loss = (float(x) for x in found.mean_errors)
    e_rest = float(np.hypot(e_out, e_in))  # at most
    return TermSheet(
        value=found.value,
        std_error=found.std_error,
        issue_price=issue,
        margin=issue - found.value,
        knocked_out=out,
        at_maturity=max(1.0 - out - inside, 0.0),
        knocked_in=inside,
        loss=loss,
        life=life,
        errors=(e_out, e_rest, e_in, e_loss, e_life),
        n_paths=found.n_paths,
    )


def solve(
    item: Any,
    model: Any,
    snapshot: Snapshot,
    *,
    term: str | None = None,
    issue_price: float | None = None,
    margin: float = 0.0,
    **options: Any,
) -> Solved:
    """The term that makes the note worth `issue_price - margin`: the fair coupon of a snowball, for one.

    Parameters
    ----------
    term : str, default the coupon, rate or participation of the product
    issue_price : float, currency, default the notional
    margin : float, currency
        What the issuer keeps.
    options
        As for the simulation, but without controls and with a fixed number of paths.

    Examples
    --------
    >>> from research.instruments import RangeAccrual
    >>> from research.market import flat_snapshot
    >>> from research.models import BlackScholes
    >>> always = RangeAccrual(initial=100.0, low=0.01, high=10.0, rate=0.0, tau=1.0)
    >>> found = solve(always, BlackScholes(sigma=0.2), flat_snapshot(spot=100.0, rate=0.03), n_paths=512)
    >>> round(found.value, 6)  # exp(0.03) - 1
    0.030455
    """
    _check_note(item)
    known = LINEAR[type(item.note if isinstance(item, WorstOfNote) else item).__name__]
    wanted = known[0] if term is None else term
    require(wanted in known, "term", wanted, f"be one of {', '.join(known)}")
    require("std_error" not in options, "std_error", options.get("std_error"), "be left out", hint="Give n_paths.")
    if isinstance(item, DualCurrencyDeposit):
        choose(item, model, "analytic")
        return _solve_closed(item, wanted, model, snapshot, issue_price, margin, options)
    issue = item.notional if issue_price is None else check_number("issue_price", issue_price)
    target = issue - check_number("margin", margin)
    given = {**options, "control": False}
    none, one = (_simulated(_with(item, wanted, at), model, snapshot, given).replicates for at in (0.0, 1.0))
    slope = float((one - none).mean())
    if not abs(slope) > 1e-9 * item.notional:
        raise NumericalError(f"{wanted} must change the value of the note; got {slope:g} a unit: it is never paid.")
    answer = (target - float(none.mean())) / slope
    miss = none + answer * (one - none)
    error = float(miss.std(ddof=1) / np.sqrt(miss.size)) / abs(slope)
    _warn_below_zero(wanted, answer, target, float(none.mean()))
    return Solved(term=wanted, value=answer, std_error=error, contract=_with(item, wanted, answer))


def _warn_below_zero(term: str, answer: float, target: float, least: float) -> None:
    """Say so where no note that a buyer would take has the wanted value."""
    if answer < 0.0:
        said = (
            f"{term} is below 0: the note is worth {least:.6g} with a {term} of 0, more than the {target:.6g} wanted."
        )
        warnings.warn(said, RuntimeWarning, stacklevel=3)


def _solve_closed(
    item: Any, term: str, model: Any, snapshot: Snapshot, issue_price: float | None, margin: float,
    options: dict[str, Any],
) -> Solved:  # fmt: skip
    """As `solve`, by the closed form: two values give the line."""
    issue = dual_currency.issue_price_of(item, snapshot) if issue_price is None else float(issue_price)
    pair = [replace(item, **{term: at}) for at in (0.0, 1.0)]
    found = dual_currency.value(pair, model, snapshot, **options)
    slope = float(found.value[1] - found.value[0])
    answer = (issue - margin - float(found.value[0])) / slope
    _warn_below_zero(term, answer, issue - margin, float(found.value[0]))
    return Solved(term=term, value=answer, std_error=0.0, contract=replace(item, **{term: answer}))
