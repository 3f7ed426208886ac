"""Closed forms with one barrier or a jump in the pay-off, under Black-Scholes: `Barrier`, `Touch`, `Digital`.

Reiner and Rubinstein's terms A to F; powers of barrier / spot are multiplied in logarithms, so that a large power
times a small probability neither overflows nor loses digits. A barrier watched at n evenly spaced moments is followed
look by look up to a hundred of them, to rounding (`_barrier_steps`). Beyond, and with `looks="shift"`, it is moved away
from the spot by exp(0.5826 sigma sqrt(tau / n)) (Broadie, Glasserman, Kou), with the next two orders added (see
`_looks`): an approximation, whose size the stated error gives.

References
----------
Reiner, Rubinstein (1991), "Breaking down the barriers", Risk 4(8), 28-35; "Unscrambling the binary code", Risk 4(9).
Haug (2007), The Complete Guide to Option Pricing Formulas, 2nd ed., sections 4.17 and 4.19.
Broadie, Glasserman, Kou (1997), "A continuity correction for discrete barrier options", Mathematical Finance 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from research.errors import require
from research.instruments import Barrier, Digital, Touch
from research.market import Snapshot
from research.models import BlackTermStructure
from research.models.black_scholes import BlackScholes
from research.pricing import _clock
from research.pricing._agreed_looks import looks_left
from research.pricing._barrier_steps import Steps
from research.pricing._corridor import between
from research.pricing._flat import flat_rates, sensitivity_to_rounding
from research.pricing._look_steps import Looks, check_looks
from research.pricing._looks import Walk, paid_alive, paid_at_hit
from research.pricing.catalogue import Values

_ROUNDING = 1e-14
_FEW = 100  # looks up to which steps are taken, 10 us each; the shift takes 0.2 ms and states 1e-5 from there on


@dataclass(frozen=True, slots=True)
class _Terms:
    """Spot, barrier and market of one contract; eta is 1 for a barrier below the spot, -1 for one above."""

    spot: float
    barrier: float
    tau: float
    sigma: float
    rate: float
    dividend_yield: float
    eta: float

    @property
    def std(self) -> float:
        return float(self.sigma * np.sqrt(self.tau))

    @property
    def mu(self) -> float:
        return (self.rate - self.dividend_yield) / self.sigma**2 - 0.5

    @property
    def log_ratio(self) -> float:
        return _log_ratio(self.barrier, self.spot)


def _log_ratio(a: float, b: float) -> float:
    """log(a / b), to the last digit where the two are close: it is multiplied by powers of many thousands."""
    return float(np.log1p((a - b) / b) if 0.5 * b < a < 2.0 * b else np.log(a / b))


def _times_cdf(log_factor: float, d: float) -> float:
    """exp(log_factor) Phi(d)."""
    from scipy.special import log_ndtr

    return float(np.exp(log_factor + log_ndtr(d)))


def _vanilla(t: _Terms, strike: float, limit: float, phi: float, eta: float, *, mirrored: bool) -> float:
    """A, B (from the spot) or C, D (from its mirror image): phi times asset less strike beyond `limit`, with a side."""
    power = t.log_ratio if mirrored else 0.0
    x = (_log_ratio(t.spot, limit) + 2.0 * power) / t.std + (1.0 + t.mu) * t.std
    asset = _times_cdf(np.log(t.spot) - t.dividend_yield * t.tau + 2.0 * (t.mu + 1.0) * power, eta * x)
    cash = _times_cdf(np.log(strike) - t.rate * t.tau + 2.0 * t.mu * power, eta * (x - t.std))
    return phi * (asset - cash)


def _untouched(t: _Terms) -> float:
    """E: one unit at expiry if the barrier is never hit."""
    start = -t.log_ratio / t.std + t.mu * t.std
    mirror = t.log_ratio / t.std + t.mu * t.std
    df = -t.rate * t.tau
    return _times_cdf(df, t.eta * start) - _times_cdf(df + 2.0 * t.mu * t.log_ratio, t.eta * mirror)


def _at_hit(t: _Terms) -> float:
    """F: one unit when the barrier is hit."""
    square = t.mu**2 + 2.0 * t.rate / t.sigma**2
    root = float(np.sqrt(abs(square)))
    if square < 0.0:
        return _at_hit_of_a_debtor(t, root)
    z = t.log_ratio / t.std + root * t.std
    return _times_cdf((t.mu + root) * t.log_ratio, t.eta * z) + _times_cdf(
        (t.mu - root) * t.log_ratio, t.eta * (z - 2.0 * root * t.std)
    )


def _at_hit_of_a_debtor(t: _Terms, root: float) -> float:
    """F where a negative rate makes the root imaginary: twice the real part of one term, by Faddeeva."""
    from scipy.special import wofz

    x, y = t.eta * t.log_ratio / t.std, t.eta * root * t.std
    u = -(x + 1j * y) / np.sqrt(2.0)  # Phi(x + iy) = erfc(u) / 2, erfc(u) = exp(-u^2) w(iu)
    power = t.mu * t.log_ratio + 1j * root * t.log_ratio
    if u.real >= 0.0:
        return float((np.exp(power - u * u) * wofz(1j * u)).real)
    return float((2.0 * np.exp(power) - np.exp(power - u * u) * wofz(-1j * u)).real)


def _inside(t: _Terms, strike: float, phi: float, *, mirrored: bool) -> float:
    """phi times asset less strike between strike and barrier: B less A, or D less C, where nothing cancels."""
    power = t.log_ratio if mirrored else 0.0
    edges = np.sort([strike, t.barrier])
    x = np.array([_log_ratio(t.spot, edge) + 2.0 * power for edge in edges]) / t.std + (1.0 + t.mu) * t.std
    asset = between(np.log(t.spot) - t.dividend_yield * t.tau + 2.0 * (t.mu + 1.0) * power, x[1], x[0])
    cash = between(np.log(strike) - t.rate * t.tau + 2.0 * t.mu * power, x[1] - t.std, x[0] - t.std)
    return phi * float(asset - cash)


def _knock_out(t: _Terms, strike: float, phi: float) -> float:
    """The option that dies at the barrier, without rebate."""
    beyond = strike > t.barrier if t.eta > 0.0 else strike < t.barrier  # the strike lies on the living side
    if phi == t.eta:
        limit = strike if beyond else t.barrier
        direct = _vanilla(t, strike, limit, phi, phi, mirrored=False)
        return direct - _vanilla(t, strike, limit, phi, t.eta, mirrored=True)
    if not beyond:
        return 0.0
    return _inside(t, strike, phi, mirrored=False) - _inside(t, strike, phi, mirrored=True)


def _barrier_value(item: Barrier, t: _Terms) -> float:
    phi = 1.0 if item.is_call else -1.0
    out = max(_knock_out(t, item.strike, phi), 0.0)
    if item.knock == "out":
        if item.rebate == 0.0:
            return out
        paid = _at_hit(t) if item.rebate_at == "hit" else float(np.exp(-t.rate * t.tau)) - _untouched(t)
        return out + item.rebate * paid
    vanilla = _vanilla(t, item.strike, item.strike, phi, phi, mirrored=False)
    return max(vanilla - out, 0.0) + item.rebate * _untouched(t)


def _market(
    item: Any, tau: float, barrier: float, direction: str, sigma: float, rate: float, snapshot: Snapshot
) -> _Terms:
    require(tau > 0.0, "tau", tau, f"be > 0 years for a {type(item).__name__}")
    require(sigma > 0.0, "sigma", sigma, "be > 0 here")
    eta = 1.0 if direction == "down" else -1.0
    return _Terms(snapshot.spot, barrier, tau, sigma, rate, snapshot.dividend_yield, eta)


def _rounding(t: _Terms, size: float) -> float:
    """Of contracts that pay about `size`; yields and rates below 0 make it more."""
    grown = size * max(1.0, float(np.exp(-t.rate * t.tau)), float(np.exp(-t.dividend_yield * t.tau)))
    drift = (abs(t.mu) + 1.0) * t.std**2
    return float(grown * (_ROUNDING + sensitivity_to_rounding(t.std, drift, 2.0 * (abs(t.mu) + 1.0) * t.log_ratio)))


def _steps(item: Any, t: _Terms, looks: Looks) -> Steps | None:
    """The walk from look to look, where it is taken."""
    if looks == "shift" or (looks == "auto" and looks_left(item, t.tau) > _FEW):
        return None
    return Steps.of(item, t.log_ratio, t.sigma, t.rate, t.rate - t.dividend_yield, t.tau)


def _looked_at(item: Barrier, t: _Terms, looks: Looks) -> tuple[float, float]:
    """Value, and what is left: nothing but rounding look by look, of the third order by the shift."""
    steps = _steps(item, t, looks)
    found = None if steps is None else _step_by_step(item, t, steps)
    if steps is None or found is None:
        return _shifted(item, t)
    return found, (item.strike + t.spot + item.rebate) * max(1.0, float(np.exp(-t.rate * t.tau))) * steps.error


def _step_by_step(item: Barrier, t: _Terms, steps: Steps) -> float | None:
    phi, df = (1.0 if item.is_call else -1.0), float(np.exp(-t.rate * t.tau))
    out = steps.knocked_out(_log_ratio(item.strike, t.spot), phi)
    if out is None:
        return None
    value = df * t.spot * max(out, 0.0)
    if item.knock == "in":
        value = max(_vanilla(t, item.strike, item.strike, phi, phi, mirrored=False) - value, 0.0)
    if item.rebate == 0.0:
        return value
    more = _one_by_steps(t, steps, item.knock == "out", item.rebate_at)
    return None if more is None else value + item.rebate * more


def _one_by_steps(t: _Terms, steps: Steps, if_hit: bool, at: str) -> float | None:
    """As `_one_looked_at`, look by look."""
    if if_hit and at == "hit":
        return steps.at_hit()
    alive = steps.untouched()
    return None if alive is None else float(np.exp(-t.rate * t.tau)) * (1.0 - alive if if_hit else alive)


def _shifted(item: Barrier, t: _Terms) -> tuple[float, float]:
    """Value, and what the third order of the distance between looks says is left."""
    phi = 1.0 if item.is_call else -1.0
    walk, df = _walk(item, t), float(np.exp(-t.rate * t.tau))

    def moved(by: float) -> _Terms:
        return replace(t, barrier=t.barrier * float(np.exp(-t.eta * by)))

    beyond, level = phi * (t.barrier - item.strike) > 0.0, moved(walk.move).barrier
    paid, rises = (phi * (level - item.strike), t.eta * phi * level) if beyond else (0.0, 0.0)
    kink = abs(_log_ratio(item.strike, t.barrier)), item.strike
    whole, once = _looked_at_once(item.strike, t, phi)
    out, left = paid_alive(walk, lambda by: _knock_out(moved(by), item.strike, phi), once, df, paid, rises, kink)
    value = out if item.knock == "out" else whole - out
    if item.rebate == 0.0:
        return value, left
    more, rest = _one_looked_at(t, walk, item.knock == "out", item.rebate_at)
    return value + item.rebate * more, left + item.rebate * rest


def _one_looked_at(t: _Terms, walk: Walk, if_hit: bool, at: str) -> tuple[float, float]:
    """One unit if a look finds the barrier passed, at once or at expiry, or at expiry if none does; and its error."""
    df = float(np.exp(-t.rate * t.tau))

    def moved(by: float) -> _Terms:
        return replace(t, barrier=t.barrier * float(np.exp(-t.eta * by)))

    if if_hit and at == "hit":
        return paid_at_hit(walk, lambda by: _at_hit(moved(by)), _ends_alive(t), df, t.rate * t.tau)
    alive, left = paid_alive(walk, lambda by: _untouched(moved(by)), _ends_alive(t), df, 1.0, 0.0, (0.0, 0.0))
    return (df - alive if if_hit else alive), left


def _ends_alive(t: _Terms) -> float:
    """One unit if the price ends on the living side."""
    return _times_cdf(-t.rate * t.tau, t.eta * (-t.log_ratio / t.std + t.mu * t.std))


def _walk(item: Any, t: _Terms) -> Walk:
    return Walk(-t.eta * t.log_ratio, t.eta * t.mu * t.std**2, t.std, looks_left(item, t.tau))


def _looked_at_once(strike: float, t: _Terms, phi: float) -> tuple[float, float]:
    """The option, and the one looked at on the last day alone, exactly."""
    beyond = (strike - t.barrier) * t.eta > 0.0  # the strike lies on the living side
    whole = _vanilla(t, strike, strike, phi, phi, mirrored=False)
    if phi == t.eta:
        once = whole if beyond else _vanilla(t, strike, t.barrier, phi, phi, mirrored=False)
    else:
        once = _inside(t, strike, phi, mirrored=False) if beyond else 0.0
    return whole, once


def barriers(
    items: Sequence[Barrier], model: BlackScholes, snapshot: Snapshot, *, looks: Looks = "auto"
) -> Values:  # fmt: skip
    """Single-barrier options with rebates; `looks` "exact", "shift", or exact up to a hundred of them."""
    check_looks(looks)
    tau = np.array([item.years(snapshot.as_of) for item in items])
    rate = flat_rates(snapshot, tau, "analytic")
    value, error = np.empty(tau.size), np.empty(tau.size)
    for i, item in enumerate(items):
        item.check_alive(snapshot.spot)
        t = _market(item, float(tau[i]), item.barrier, item.direction, model.sigma, float(rate[i]), snapshot)
        value[i], error[i] = _barrier_value(item, t), _rounding(t, snapshot.spot + item.strike + item.rebate)
        if item.n_monitoring is not None:
            value[i], left = _looked_at(item, t, looks)
            error[i] += left
    return Values(value, np.zeros_like(value), error)


def touches(items: Sequence[Touch], model: BlackScholes, snapshot: Snapshot, *, looks: Looks = "auto") -> Values:
    """One-touch and no-touch contracts; `looks` as for `barriers`."""
    check_looks(looks)
    tau = np.array([item.years(snapshot.as_of) for item in items])
    rate = flat_rates(snapshot, tau, "analytic")
    value, error = np.empty(tau.size), np.empty(tau.size)
    for i, item in enumerate(items):
        item.check_alive(snapshot.spot)
        t = _market(item, float(tau[i]), item.barrier, item.direction, model.sigma, float(rate[i]), snapshot)
        error[i] = _rounding(t, item.amount)
        if item.n_monitoring is not None:
            steps = _steps(item, t, looks)
            found = None if steps is None else _one_by_steps(t, steps, item.is_touch, item.pays_at)
            if steps is not None and found is not None:
                unit, left = found, max(1.0, float(np.exp(-t.rate * t.tau))) * steps.error
            else:
                unit, left = _one_looked_at(t, _walk(item, t), item.is_touch, item.pays_at)
            value[i] = item.amount * unit
            error[i] += item.amount * left
        elif not item.is_touch:
            value[i] = item.amount * _untouched(t)
        elif item.pays_at == "hit":
            value[i] = item.amount * _at_hit(t)
        else:
            value[i] = item.amount * (np.exp(-t.rate * t.tau) - _untouched(t))
    return Values(value, np.zeros_like(value), error)


def digitals(items: Sequence[Digital], model: BlackScholes | BlackTermStructure, snapshot: Snapshot) -> Values:
    """Cash-or-nothing and asset-or-nothing options; the whole curve."""
    from scipy.special import ndtr

    tau = np.array([item.years(snapshot.as_of) for item in items])
    strike, amount = np.array([item.strike for item in items]), np.array([item.amount for item in items])
    sign = np.where([item.is_call for item in items], 1.0, -1.0)
    forward, df = snapshot.forward(tau), snapshot.discount.df(tau)
    std = _clock.std(model, tau)
    with np.errstate(divide="ignore", invalid="ignore"):
        d2 = np.where(std > 0.0, np.log(forward / strike) / std - 0.5 * std, np.copysign(np.inf, forward - strike))
    cash = np.array([item.pays == "cash" for item in items])
    value = amount * df * np.where(cash, ndtr(sign * d2), forward * ndtr(sign * (d2 + std)))
    with np.errstate(divide="ignore"):
        close = np.where(
            np.isfinite(d2), np.exp(-0.5 * np.minimum(d2**2, 1400.0)) * sensitivity_to_rounding(std, 0.0), 0.0
        )
    error = amount * df * np.where(cash, 1.0, forward) * (_ROUNDING + close)
    return Values(value, np.zeros_like(value), error)
