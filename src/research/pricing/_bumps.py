"""Bumped markets and models: what moves when a Greek is a difference of prices, and in which unit.

| what | how |
|---|---|
| spot | the snapshot's spot; rates, yields and the model stay, local vols at their prices (`within`) |
| vol | `shifted(model, by)`: every implied vol of a surface (`Shifted`) or by expiry; sigma where the model has one; |
|     | sqrt(v0) and sqrt(theta) together under stochastic variance; |
|     | by that times S^(1-beta): alpha under SABR, sigma under CEV; |
|     | every local vol; that of the Heston part under a leverage; every root of a forward variance |
| rate | every zero rate by the same amount |
| smile | `stuck`: strikes keep their vols, unless sticky="moneyness" |
| time | as_of moves; times in years get shorter, what has run (of a coupon, of a swap) longer; spot, zero rates and |
|      | yields by time to maturity stay; cash that is paid meanwhile is off the spot, as on the day itself |
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from research.conventions import year_fraction
from research.errors import InputError, require
from research.instruments.expressions import Expression
from research.market import CashDividends, DiscountCurve, Snapshot

DAYS = 365.0
_AT_A_LEVEL = 2.0**-12  # of spot, where the spot lies on a level: gamma jumps there, delta does not
_OF_A_GAP, _WITHIN = 0.15, 5.0  # of the standard deviation from look to look: a step, and what is near a barrier
_DATED = {"expiry": "tau", "dates": "times"}  # fields of dates, and those of years in their place
_TIMES = ("tau", "times", "fixings", "observations", "start", "switch", "resets", "at", "schedule")


@dataclass(frozen=True, slots=True, eq=False)
class Shifted:
    """A model whose implied vols all lie `by` higher."""

    base: Any
    by: float

    @property
    def abilities(self) -> frozenset[str]:
        """Those that are about implied vols."""
        return frozenset(self.base.abilities) & {"implied_vol"}

    def vol(self, log_moneyness: Any, tau: Any) -> Any:
        """The base's vol and the shift, at least 0."""
        return np.maximum(np.asarray(self.base.vol(log_moneyness, tau)) + self.by, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Stuck:
    """A surface of which every strike keeps its vol while the spot, and with the rates the forward, moves."""

    base: Any
    spot: float  # log of the spot over the one that `base` is for
    rate: float  # by which zero rates lie higher, 1/year

    @property
    def abilities(self) -> frozenset[str]:
        """Those that are about implied vols."""
        return frozenset(self.base.abilities) & {"implied_vol"}

    def vol(self, log_moneyness: Any, tau: Any) -> Any:
        """The base's vol at the same strike."""
        return self.base.vol(np.asarray(log_moneyness) + self.spot + self.rate * np.asarray(tau), tau)


def stuck(model: Any, spot: float = 0.0, rate: float = 0.0) -> Any:
    """The model where spot is higher by a fraction and rates by a number: of a smile, strikes keep their vols."""
    able = model.abilities
    smile = "implied_vol" in able and "deterministic_vol" not in able
    return Stuck(model, float(np.log1p(spot)), rate) if smile and (spot or rate) else model


def shifted(model: Any, by: float, snapshot: Snapshot) -> Any:
    """The model with its volatility `by` higher (1/sqrt(year)); see the module."""
    names = {f.name for f in fields(model)} if is_dataclass(model) else set()
    if {"v0", "theta", "kappa"} <= names:
        roots = {name: max(float(np.sqrt(getattr(model, name))) + by, 0.0) ** 2 for name in ("v0", "theta")}
        return replace(model, **roots)
    if {"alpha", "beta", "rho", "nu"} <= names:
        level = snapshot.spot + float(getattr(model, "shift", 0.0))
        return replace(model, alpha=model.alpha + by * level ** (1.0 - model.beta))
    if {"sigma", "beta"} <= names:
        return replace(model, sigma=model.sigma + by * snapshot.spot ** (1.0 - model.beta))
    if {"tau", "implied"} <= names:
        return replace(model, implied=tuple(vol + by for vol in model.implied))
    if {"log_moneyness", "vol"} <= names:
        return replace(model, vol=model.vol + by)
    if {"heston", "leverage"} <= names:
        return replace(model, heston=shifted(model.heston, by, snapshot))
    if "implied_vol" in model.abilities and "lognormal" not in model.abilities:
        return Shifted(model, by)
    if "sigma" in names:
        require(model.sigma + by >= 0.0, "vol_bump", abs(by), f"be at most sigma, {model.sigma:g}")
        return replace(model, sigma=model.sigma + by)
    if "forward_variance" in names:
        return replace(model, forward_variance=np.maximum(np.sqrt(model.forward_variance) + by, 0.0) ** 2)
    raise InputError(f"model must have a volatility to bump; got {type(model).__name__}. Leave vega out of `which`.")


def bumped(snapshot: Snapshot, *, spot: float = 0.0, rate: float = 0.0, days: float = 0.0) -> Snapshot:
    """The snapshot with spot times 1 + `spot`, zero rates `rate` higher, `days` (whole calendar days) later."""
    out = replace(snapshot, spot=snapshot.spot * (1.0 + spot)) if spot else snapshot
    if rate:
        curve = snapshot.discount
        moved = DiscountCurve(as_of=curve.as_of, tau=curve.tau, zero_rate=curve.zero_rate + rate)
        out = replace(out, discount=moved)
    if days:
        out = replace(out, as_of=snapshot.as_of + timedelta(days=days), cash_dividends=None)
        if snapshot.cash_dividends is not None:
            out = _paid(out, snapshot.cash_dividends, days / DAYS)
    return out


def _paid(snapshot: Snapshot, dividends: CashDividends, years: float) -> Snapshot:
    """The market `years` later: a dividend that has been paid by then is off the spot."""
    gone = dividends.tau <= years
    spot = snapshot.spot - float(dividends.cash[gone].sum())
    require(spot > 0.0, "spot", spot, "be > 0 after the dividends of theta's days", hint="Leave theta out of `which`.")
    if gone.all():
        return replace(snapshot, spot=spot)
    left = replace(dividends, tau=dividends.tau[~gone] - years, cash=dividends.cash[~gone])
    return replace(snapshot, spot=spot, cash_dividends=left)


def within(model: Any, spot: float) -> Any:
    """The model as a spot higher by the fraction `spot` sees it: local vols and leverages stay at their prices."""
    names = {f.name for f in fields(model)} if is_dataclass(model) else set()
    if not spot:
        return model
    if {"heston", "leverage"} <= names:
        return replace(model, leverage=within(model.leverage, spot))
    if {"log_moneyness", "vol"} <= names:
        return replace(model, log_moneyness=model.log_moneyness - np.log1p(spot))
    return model


def least_vol(model: Any) -> float:
    """The smallest volatility that a bump moves, 1/sqrt(year); inf where it is not known."""
    names = {f.name for f in fields(model)} if is_dataclass(model) else set()
    if {"v0", "theta", "kappa"} <= names:
        return float(min(model.v0, model.theta) ** 0.5)
    if {"heston", "leverage"} <= names:
        return least_vol(model.heston)
    if {"log_moneyness", "vol"} <= names:
        return float(np.min(model.vol))
    if {"tau", "implied"} <= names:
        return float(min(model.implied))
    if "forward_variance" in names:
        return float(np.min(model.forward_variance) ** 0.5)
    return float(model.sigma) if "sigma" in names and "beta" not in names else np.inf


def spot_vol(item: Any, model: Any, snapshot: Snapshot, tau: float) -> float:
    """About the vol of the log price at today's spot, 1/sqrt(year); 0 where the model does not tell it."""
    names = {f.name for f in fields(model)} if is_dataclass(model) else set()
    spot = abs(snapshot.spot)
    if "fx_vol" in names:  # converted at the rate of the day, the price has the vol of both
        both = model.sigma**2 + model.fx_vol**2 + 2.0 * model.correlation * model.sigma * model.fx_vol
        return float(model.sigma if hasattr(item, "fx") else max(both, 0.0) ** 0.5)
    if {"v0", "theta"} <= names or {"tau", "implied"} <= names:
        return least_vol(model)
    if "beta" in names and spot > 0.0:
        level = spot + float(getattr(model, "shift", 0.0))
        return float(getattr(model, "alpha", None) or model.sigma) * level**model.beta / spot
    if {"sigma", "shift"} <= names and spot > 0.0:
        return float(model.sigma * abs(snapshot.spot + model.shift) / spot)
    if "sigma" in names:
        return float(model.sigma / spot if "normal" in model.abilities and spot > 0.0 else model.sigma)
    if {"log_moneyness", "vol"} <= names:
        return float(np.median(model.vol))
    if {"heston", "leverage"} <= names:
        return least_vol(model.heston)
    if "forward_variance" in names:
        return least_vol(model)
    return float(model.vol(0.0, tau)) if "implied_vol" in model.abilities else 0.0


def calm_step(item: Any, model: Any, snapshot: Snapshot, step: float) -> float:
    """`step`, a fraction of spot, or a tenth of the standard deviation up to expiry: for what has noise of its own."""
    if not hasattr(item, "years"):  # a payoff that was written down
        return step
    tau = float(np.max(np.atleast_1d(np.asarray(item.years(snapshot.as_of), dtype=np.float64))))
    return min(step, 0.1 * spot_vol(item, model, snapshot, tau) * tau**0.5 or step)


def vol_step(model: Any, step: float = 0.01, spot: float = 0.0) -> float:
    """`step`, or less where the vol is small: a bump must not be a large part of it; of a normal vol, 0.05 of it.

    Where the vol depends on the price (CEV, SABR), that at `spot` counts, if it is given.
    """
    least = least_vol(model)
    if least == np.inf and spot > 0.0 and hasattr(model, "beta"):
        level = spot + float(getattr(model, "shift", 0.0))
        least = float(getattr(model, "alpha", None) or model.sigma) * level**model.beta / spot
    if "normal" in model.abilities and 0.0 < least < np.inf:
        return 0.05 * least
    return min(step, 0.05 * least) if least > 0.0 else step


def noisy_step(model: Any) -> float:
    """As `vol_step`, for a simulation: 0.01, or half of a smaller vol."""
    least = least_vol(model)
    return vol_step(model) if "normal" in model.abilities else min(0.01, 0.5 * least) if least > 0.0 else 0.01


def spot_step(item: Any, model: Any, snapshot: Snapshot, step: float, given: bool, width: int = 2) -> tuple[float, int]:
    """(fraction of spot, side): `step`, less for short and calm options unless given, `width` of it short of a barrier.

    Wide stencils (more than two points on each side) take a twentieth of the standard deviation up to expiry also where
    it is more than `step`: rounding is smaller then, and their own error stays below it. Near a barrier that is looked
    at now and then a price changes over what the spot moves from look to look. The side is 1 or -1 for bumps
    away from a level so near that bumps to both sides would be lost in rounding; else 0.
    """
    sigma = float(getattr(model, "sigma", 0.0)) if "lognormal" in model.abilities else 0.0
    rooms = _rooms(item, snapshot)
    if not given:
        tau = float(np.min(np.atleast_1d(np.asarray(item.years(snapshot.as_of), dtype=np.float64))))
        spread = 0.05 * spot_vol(item, model, snapshot, tau) * max(tau, 1.0 / (24.0 * DAYS)) ** 0.5 or step
        step = min(step, spread) if width <= 2 else min(spread, 0.05)
        looks = getattr(item, "n_monitoring", None)
        gap = sigma * (tau / looks) ** 0.5 if looks else 0.0
        if any(abs(r) < _WITHIN * gap for r in rooms):
            step = min(step, _OF_A_GAP * gap)
    near = [r for r in rooms if 0.0 < abs(r) < (0.01 if width <= 2 else 0.03) * step]
    side = (-1 if near[0] > 0.0 else 1) if near else 0
    if side:
        step = min([step, *(abs(r) / 6.0 for r in rooms if r * side > 0.0)])
    else:
        step = min([step, *(0.8 / width * abs(r) if r != 0.0 else _AT_A_LEVEL for r in rooms)])
    few = step < 0.004 or width > 2
    return float(2.0 ** np.floor(np.log2(step))) if few else step, side  # few sizes, larger batches


def _rooms(item: Any, snapshot: Snapshot) -> list[float]:
    """How far barriers and extremes lie from the spot, as fractions of it."""
    names = ["barrier", "low", "high", "extreme"]
    if getattr(item, "extreme", 0.0) is None:  # the extreme is today's spot: its law begins at the spot
        names.append("strike")
    levels = (getattr(item, name, None) for name in names)
    initial = float(getattr(item, "initial", None) or 1.0)
    return [initial * level / snapshot.spot - 1.0 for level in levels if isinstance(level, float)]


def aged(item: Any, days: float) -> Any:
    """The contract `days` later: times in years get shorter; dates stay, as the snapshot's own day moves.

    Days in equal steps (`steps_per_year`, `n_monitoring`, `n_observations`) stay the days they were. Contracts within
    (the option of a compound, the payments of a composed one) age too; a swap on a realised
    variance has run longer, and a snowball's coupon with it.
    """
    change = {name: _older(name, getattr(item, name), days) for name in (f.name for f in fields(item))}
    if type(item).__name__ == "Autocallable":
        change["accrued"] = item.accrued + days / DAYS
    equal = ("n_monitoring", "n_observations")
    if not hasattr(item, "steps_per_year") and all(getattr(item, name, None) is None for name in equal):
        return replace(item, **change)
    kind: Any = type(item)
    out = _remembering(kind)(**change)  # equal steps up to the end would not be the days that were agreed
    object.__setattr__(out, "younger", item)
    object.__setattr__(out, "older_by", days)
    return out


def soonest(item: Any, as_of: date) -> float:
    """Years to the first date of a contract that is still to come; inf for one that names none."""
    found = [np.inf]
    for name in (f.name for f in fields(item)):
        value = getattr(item, name)
        if name not in _TIMES and name not in _DATED:
            continue
        for one in value if isinstance(value, tuple) else (value,):
            years = year_fraction(as_of, one) if isinstance(one, date) and one >= as_of else one
            if isinstance(years, float) and years > 0.0:
                found.append(years)
    return float(min(found))


def in_years(item: Any, as_of: date) -> Any:
    """The same contract with years in place of its dates, so that it may age by a part of a day."""
    change: dict[str, Any] = {}
    for name in (f.name for f in fields(item)):
        value = getattr(item, name)
        new = _in_years(value, as_of, past=not isinstance(item, Expression))
        if new is not value:
            change[name] = new
    for dated, timed in _DATED.items():
        if dated in change:
            change[timed], change[dated] = change[dated], None
    return replace(item, **change) if change else item


def _in_years(value: Any, as_of: date, past: bool) -> Any:
    """Of a term; days before `as_of` in a list of dates only with `past`: expressions look them up by their date."""
    if is_dataclass(value) and not isinstance(value, type):
        return in_years(value, as_of)
    if isinstance(value, date) and value >= as_of:
        return year_fraction(as_of, value)
    if isinstance(value, tuple) and value:
        if all(isinstance(one, date) for one in value):
            return tuple(year_fraction(as_of, one) for one in value) if past or min(value) >= as_of else value
        new = tuple(_in_years(one, as_of, past) for one in value)
        return value if all(a is b for a, b in zip(new, value)) else new
    return value


def still_dated(value: Any, as_of: date) -> bool:
    """Does a contract name dates still to come? It ages by whole days then."""
    if is_dataclass(value) and not isinstance(value, type):
        return any(still_dated(getattr(value, f.name), as_of) for f in fields(value))
    if isinstance(value, tuple):
        return any(still_dated(one, as_of) for one in value)
    return isinstance(value, date) and value >= as_of


@functools.cache
def _remembering(kind: type) -> type:
    """A contract of this kind that knows from which it was made, so that `_notes` and `_looks` find the same days."""
    return type(kind.__name__, (kind,), {"__slots__": ("older_by", "younger"), "__module__": kind.__module__})


def _older(name: str, value: Any, days: float) -> Any:
    if isinstance(value, tuple):
        return tuple(_older(name, each, days) for each in value)
    if is_dataclass(value):
        return aged(value, days)
    if name == "elapsed":
        return value + days / DAYS
    return _less(value, days) if name in _TIMES and isinstance(value, float) else value


def _less(tau: float, days: float) -> float:
    require(
        tau > days / DAYS, "tau", tau, f"be longer than {days:g} days for theta", hint="Leave theta out of `which`."
    )
    return tau - days / DAYS
