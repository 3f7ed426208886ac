"""European pay-offs that bend or jump, under any model that prices European options.

| contract | how |
|---|---|
| `Digital`, `Gap`, `Supershare` | the probability to end beyond a strike, and the option there (`_smile.below`) |
| `Power` | a vol of time alone: closed; else options at every strike beyond the kink (Carr and Madan) |
| `LogContract` | the same, and models with a characteristic function: closed; else Carr and Madan |

The whole curve is used.

References
----------
Reiner, Rubinstein (1991), "Unscrambling the binary code", Risk 4(9), 75-83. Hakansson (1976), "The purchasing power
fund", Financial Analysts J. 32, 49-59. Neuberger (1994), "The log contract", J. Portfolio Management 20, 74-80.
Carr, Madan (1998), "Towards a theory of volatility trading". Haug (2007), 2nd ed., sections 4.3, 4.4, 4.19.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from research.arrays import reshape
from research.errors import require
from research.instruments import Digital, Gap, LogContract, Power, Supershare
from research.market import Snapshot
from research.pricing import _clock, _jets, _smile
from research.pricing._jets import log_ratio
from research.pricing.catalogue import Values, abilities

_ROUNDING = 1e-14


class _Day:
    """A model at one expiry; everything undiscounted."""

    def __init__(self, item: Any, model: Any, snapshot: Snapshot) -> None:
        self.tau = item.years(snapshot.as_of)
        require(self.tau > 0.0, "tau", self.tau, f"be > 0 years for a {type(item).__name__}")
        self.model, self.forward = model, snapshot.forward(self.tau)
        self.df = snapshot.discount.df(self.tau)

    def below(self, strike: Any) -> tuple[Any, Any]:
        """Probability to end below a strike, and its error; shape (n,), or a number for one."""
        k = log_ratio(np.atleast_1d(strike), self.forward)
        found, error = _smile.below(self.model, self.forward, self.tau, k)
        return reshape(found, np.shape(strike)), reshape(error, np.shape(strike))

    def option(self, strike: Any, is_call: bool) -> tuple[Any, Any]:
        """European option, and its error; shape (n,), or a number for one."""
        value, error = _smile.otm(self.model, self.forward, self.tau, log_ratio(np.atleast_1d(strike), self.forward))
        inside = np.maximum(self.forward - strike, 0.0) if is_call else np.maximum(strike - self.forward, 0.0)
        shape = np.shape(strike)
        return reshape(value, shape) * self.forward + inside, reshape(error, shape) * self.forward

    def asset_below(self, strike: Any) -> tuple[Any, Any]:
        """E[S; S < strike]: under the integral of its own, or strike P - put."""
        if abilities(self.model) & {"characteristic_function", "heston_mixture"}:
            found, error = _jets.asset_below(self.model, self.tau, log_ratio(np.atleast_1d(strike), self.forward))
            return reshape(self.forward * found, np.shape(strike)), reshape(self.forward * error, np.shape(strike))
        p, p_error = self.below(strike)
        put, error = self.option(strike, False)
        return strike * p - put, strike * p_error + error


def digitals(items: Sequence[Digital], model: Any, snapshot: Snapshot) -> Values:
    """Cash-or-nothing and asset-or-nothing options; those of one expiry and kind together."""
    found, error = np.empty(len(items)), np.empty(len(items))
    groups: dict[tuple[float, str], list[int]] = {}
    for i, item in enumerate(items):
        groups.setdefault((item.years(snapshot.as_of), item.pays), []).append(i)
    for (_, pays), at in groups.items():
        some = [items[i] for i in at]
        day = _Day(some[0], model, snapshot)
        strike, is_call, amount = (
            np.array([getattr(item, n) for item in some]) for n in ("strike", "is_call", "amount")
        )
        low, gap = day.below(strike) if pays == "cash" else day.asset_below(strike)
        whole, unit = 1.0 if pays == "cash" else day.forward, amount * day.df
        found[at] = unit * np.where(is_call, whole - low, low)
        error[at] = unit * (gap + _ROUNDING * whole)
    return Values(found, np.zeros_like(found), error)


def gaps(items: Sequence[Gap], model: Any, snapshot: Snapshot) -> Values:
    """An option struck at the trigger, and a digital of the gap."""
    found, error = np.empty(len(items)), np.empty(len(items))
    for i, item in enumerate(items):
        day = _Day(item, model, snapshot)
        option, gap = day.option(item.trigger, item.is_call)
        low, p_gap = day.below(item.trigger)
        jump = item.trigger - item.strike
        found[i] = day.df * (option + (jump * (1.0 - low) if item.is_call else -jump * low))
        error[i] = day.df * (gap + abs(jump) * p_gap + _ROUNDING * (day.forward + item.strike + item.trigger))
    return Values(found, np.zeros_like(found), error)


def supershares(items: Sequence[Supershare], model: Any, snapshot: Snapshot) -> Values:
    """The share of the price that ends between two levels."""
    found, error = np.empty(len(items)), np.empty(len(items))
    for i, item in enumerate(items):
        day = _Day(item, model, snapshot)
        (high, high_gap), (low, low_gap) = day.asset_below(item.high), day.asset_below(item.low)
        found[i] = day.df * (high - low) / item.low
        error[i] = day.df * (high_gap + low_gap + _ROUNDING * day.forward) / item.low
    return Values(found, np.zeros_like(found), error)


def powers(items: Sequence[Power], model: Any, snapshot: Snapshot) -> Values:
    """Options on a power of the price: the kink's option, and options for the bend beyond it."""
    found, error = np.empty(len(items)), np.empty(len(items))
    for i, item in enumerate(items):
        day = _Day(item, model, snapshot)
        way = _lognormal_power if "deterministic_vol" in abilities(model) else _replicated_power
        value, gap = way(item, day)
        found[i], error[i] = day.df * value, day.df * gap
    return Values(found, np.zeros_like(found), error)


def _lognormal_power(item: Power, day: _Day) -> tuple[float, float]:
    """S^p is lognormal too: its forward is F^p exp(p (p - 1) w / 2), its standard deviation p sqrt(w)."""
    from research.models import black

    p, std = item.power, float(_clock.std(day.model, day.tau))
    forward = float(np.exp(p * np.log(day.forward) + 0.5 * p * (p - 1.0) * std * std))
    value = float(black.price(forward, item.strike, 1.0, p * std, is_call=item.is_call))
    return value, _ROUNDING * max(forward, item.strike) * (1.0 + p * std)


def _replicated_power(item: Power, day: _Day) -> tuple[float, float]:
    """p x^(p-1) options struck at the kink x = strike^(1 / p), and p (p - 1) K^(p-2) dK of them beyond it.

    In units of the forward, at log moneyness k: p (p - 1) exp((p - 1) k) O(k) dk. Between the kink and the forward the
    options are in the money; what they are worth beyond their twins is 1 + (p - 1) x^p - p x^(p-1) in all.
    """
    p, f = item.power, day.forward
    _smile.check_positive(day.model, f, day.tau, "its power", zero=True)
    kink = float(np.log(item.strike) / p - np.log(f))
    sign, (low, high) = (1.0, (kink, np.inf)) if item.is_call else (-1.0, (-np.inf, kink))
    at_kink, kink_gap = day.option(f * float(np.exp(kink)), item.is_call)
    slope = p * float(np.exp((p - 1.0) * kink))
    bent, gap = _smile.integral(lambda k: p * (p - 1.0) * np.exp((p - 1.0) * k), day.model, f, day.tau, low, high)
    inside = 1.0 + (p - 1.0) * float(np.exp(p * kink)) - slope if sign * kink < 0.0 else 0.0
    scale = float(np.exp(p * np.log(f)))
    value = scale * (slope * at_kink / f + sign * (bent + inside))
    return value, scale * (slope * kink_gap / f + gap + _ROUNDING * (1.0 + slope))


def logs(items: Sequence[LogContract], model: Any, snapshot: Snapshot) -> Values:
    """log(F / strike) less half the variance of the smile."""
    found, error = np.empty(len(items)), np.empty(len(items))
    for i, item in enumerate(items):
        day = _Day(item, model, snapshot)
        mean, gap = log_mean(model, day.forward, day.tau)
        found[i] = day.df * (float(np.log(day.forward / item.strike)) + mean)
        error[i] = day.df * (gap + _ROUNDING)
    return Values(found, np.zeros_like(found), error)


def log_mean(model: Any, forward: float, tau: float) -> tuple[float, float]:
    """E log(S / F), and its error: minus the integral of e^-k O(k)."""
    if "deterministic_vol" in abilities(model):
        return -0.5 * float(_clock.variance(model, tau)), 0.0
    _smile.check_positive(model, forward, tau, "its logarithm")
    low, lost, put = _smile.reach_of(model, forward, tau)
    found, gap = _smile.integral(lambda k: np.exp(-k), model, forward, tau, low, np.inf)
    if lost > 0.0:  # what is overlooked of the price at or below 0: puts of lost (K - S) there
        found += lost * low - put * float(np.expm1(-low))
    return -found, gap - (lost * low if lost > 0.0 else 0.0)
