"""Lookback options in closed form under Black-Scholes: `Lookback`, `PartialLookback`.

Everything comes from E[max(M - K, 0)], M the highest price (or E[max(K - m, 0)], m the lowest): the integral over x of
P(M > x). It has a term in (exp(y a) - exp(y b)) / y with y = 2 (r - q) / sigma^2, which is integrated by Gauss-Legendre
where y is near 0, so a carry of 0 is as good as any other. Looked at n even moments, today included, it is found look
by look, to rounding (`_look_steps`). With `looks="shift"`, and where the looks are too many, the extreme is moved back
by exp(0.5826 sigma sqrt(tau / n)) (Broadie, Glasserman, Kou 1999) instead. Partial lookbacks are one integral over
the price at the switch (fixed strike), or over the distance from the extreme, whose law is that of a maximum (floating
strike): Gauss-Legendre, to 1e-12 of the spot.

References
----------
Goldman, Sosin, Gatto (1979), "Path dependent options: buy at the low, sell at the high", J. Finance 34, 1111-1127.
Conze, Viswanathan (1991), "Path dependent options: the case of lookback options", J. Finance 46, 1893-1907.
Heynen, Kat (1994), "Selective memory", Risk 7(11), 73-76. Haug (2007), 2nd ed., section 4.15.
Broadie, Glasserman, Kou (1999), "Connecting discrete and continuous path-dependent options", Finance and Stochastics 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtr

from research.arrays import Float1D, FloatND
from research.core._tasks import share
from research.errors import require, require_all
from research.instruments import Lookback, PartialLookback
from research.market import Snapshot
from research.models import black
from research.models.black_scholes import BlackScholes
from research.pricing._agreed_looks import equal_looks, looks_left
from research.pricing._flat import flat_market, flat_rates, sensitivity_to_rounding
from research.pricing._look_steps import EXACT, Looks, check_looks, extreme
from research.pricing._looks import SHIFT, after_the_shift
from research.pricing._quadrature import around, panels
from research.pricing.catalogue import Values

_ROUNDING, _INTEGRAL = 2e-14, 1e-12
_FLAT = 0.1  # of y times the range of the integral: below it the quotient loses digits
_LEAST = 1e-300  # a strike or a forward of nothing
_LOG_ROOT = 0.5 * np.log(2.0 * np.pi)


@dataclass(frozen=True, slots=True)
class _Move:
    """Carry log(F / S) and standard deviation of the log price over a time; numbers or arrays of shape (n,)."""

    carry: Any
    std: Any

    @property
    def drift(self) -> Any:
        return self.carry - 0.5 * self.std**2


def _excess(log_strike: Any, move: _Move, side: Any) -> FloatND:
    """E[max(eta (extreme - K), 0)] over the spot; K = S exp(log_strike) on the far side, eta = side: 1 for the maximum.

    All arguments broadcast together.
    """
    k, eta, carry, s = np.broadcast_arrays(log_strike, side, move.carry, move.std)
    m, y = carry - 0.5 * s**2, 2.0 * carry / s**2
    asset = np.exp(carry + log_ndtr(eta * (m + s * s - k) / s))
    plain = asset - np.exp(k + log_ndtr(eta * (m - k) / s))
    reach = np.maximum(0.0, -eta * (k + m)) + 9.5 * s
    flat = np.abs(y) * reach < _FLAT
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        mirrored = np.asarray((asset - np.exp(y * k + log_ndtr(-eta * (k + m) / s))) / y)
    if np.any(flat):
        x, w = panels([0.0, 0.15, 0.4, 0.7, 1.0])
        k, eta, m, s, y, reach = (np.asarray(one)[flat][:, None] for one in (k, eta, m, s, y, reach))
        z = k + eta * reach * x
        mirrored[flat] = (eta * reach * w * np.exp(y * z + log_ndtr(-eta * (z + m) / s))).sum(axis=-1)
        eta = side
    out: FloatND = np.maximum(eta * (plain + mirrored), 0.0)
    return out


def _strikes(items: Sequence[Lookback]) -> Float1D:
    """nan where the extreme is the strike."""
    return np.array([np.nan if item.strike is None else item.strike for item in items])


def _levels(items: Sequence[Lookback], strike: Float1D, spot: float, move: _Move) -> tuple[Float1D, Float1D, Float1D]:
    """(1 where the highest price counts else -1, the level that it must pass, what is owed whether or not it does)."""
    eta = np.array([1.0 if item.is_call == (item.strike is not None) else -1.0 for item in items])
    so_far = np.array([spot if item.extreme is None else item.extreme_so_far(spot) for item in items])
    fixed = strike > 0.0
    strike = np.where(fixed, strike, so_far)
    level = np.where(eta * (strike - so_far) >= 0.0, strike, so_far)  # on the far side of the spot
    own = np.where(fixed, eta * (level - strike), eta * (so_far - spot * np.exp(move.carry)))
    return eta, level, own


def _lookbacks(items: Sequence[Lookback], strike: Float1D, spot: float, move: _Move, shift: Float1D) -> Float1D:
    """Undiscounted values, the extreme moved back by exp(shift); strikes as `_strikes`."""
    eta, level, own = _levels(items, strike, spot, move)
    beyond = spot * np.exp(-eta * shift) * _excess(np.log(level / spot) + eta * shift, move, eta)
    out: Float1D = beyond + own
    return out


def _move(sigma: float, tau: Any, start: Any, snapshot: Snapshot) -> _Move:
    _check(sigma, tau)
    return _Move(np.log(snapshot.forward(start + tau) / snapshot.forward(start)), sigma * np.sqrt(tau))


def _check(sigma: float, tau: Any) -> None:
    require(sigma > 0.0, "sigma", sigma, "be > 0 here")
    require_all(np.asarray(tau) > 0.0, "tau", tau, "be > 0 years for a lookback")


def value(items: Sequence[Lookback], model: BlackScholes, snapshot: Snapshot, *, looks: Looks = "auto") -> Values:
    """The engine's door for `pricing.price`; `looks` on n days exactly, one by one, or by the shift of the extreme."""
    check_looks(looks)
    day, spot = snapshot.as_of, snapshot.spot
    tau = np.array([item.years(day) for item in items])
    _, df, forward = flat_market(snapshot, tau, "analytic")
    _check(model.sigma, tau)
    move, strike = _Move(np.log(forward / spot), model.sigma * np.sqrt(tau)), _strikes(items)
    error = _ROUNDING / _FLAT * df * (np.maximum(spot, forward) + np.where(strike > 0.0, strike, 0.0))
    seen = np.array([item.n_monitoring is not None for item in items])
    found = df * _lookbacks(items, strike, spot, move, np.zeros_like(tau))
    if not seen.any():
        return Values(found, np.zeros_like(found), error)
    at = np.flatnonzero(seen)
    if looks != "shift":
        some, part = [items[i] for i in at.tolist()], _Move(move.carry[at], move.std[at])
        found[at], gap = _look_by_look(some, strike[at], spot, part, tau[at])
        size = np.maximum(np.maximum(spot, forward[at]), np.nan_to_num(np.abs(found[at])))
        error[at] += df[at] * size * (EXACT + sensitivity_to_rounding(gap, 0.0))
        found[at] *= df[at]
        at = at[np.isnan(found[at])]
    if at.size:
        some, part = [items[i] for i in at.tolist()], _Move(move.carry[at], move.std[at])
        n = np.array([looks_left(items[i], float(tau[i])) for i in at.tolist()])
        always, moved = (
            df[at] * _lookbacks(some, strike[at], spot, part, shift)
            for shift in (np.zeros(at.size), SHIFT * part.std / np.sqrt(n))
        )
        error[at] += after_the_shift(moved - always, n, part.drift, part.std)
        found[at] = moved
    return Values(found, np.zeros_like(found), error)


def _look_by_look(
    items: Sequence[Lookback], strike: Float1D, spot: float, move: _Move, tau: Float1D
) -> tuple[Float1D, Float1D]:
    """Undiscounted values (nan where that is too much work) and the standard deviation between two looks."""
    eta, level, own = _levels(items, strike, spot, move)
    beyond, gap = np.empty(tau.size), np.empty(tau.size)
    away = np.maximum(eta * np.log(level / spot), 0.0)

    def work(rows: slice) -> None:
        for i in range(*rows.indices(tau.size)):
            t, n = float(tau[i]), items[i].n_monitoring
            days = equal_looks(items[i], t, n or 1)
            step = float(days[-1] - days[-2]) if days.size > 1 else t
            gap[i] = move.std[i] * np.sqrt(step / t)
            vol, carry = float(move.std[i]) / t**0.5, float(move.carry[i]) / t
            one = extreme(float(away[i]), bool(eta[i] > 0.0), carry, vol, float(days[0]), step, days.size)
            beyond[i] = np.nan if one is None else one

    share(tau.size, work)
    return np.where(eta > 0.0, spot, level) * beyond + own, gap


def partial(items: Sequence[PartialLookback], model: BlackScholes, snapshot: Snapshot) -> Values:
    """Lookbacks over the first (floating strike) or the last (fixed strike) part of the life."""
    tau = np.array([item.years(snapshot.as_of) for item in items])
    flat_rates(snapshot, tau, "analytic")
    found = np.empty(tau.size)
    for i, item in enumerate(items):
        t, switch = float(tau[i]), item.switch_years(snapshot.as_of)
        first, second = _move(model.sigma, switch, 0.0, snapshot), _move(model.sigma, t - switch, switch, snapshot)
        way = _partial_floating if item.strike is None else _partial_fixed
        found[i] = snapshot.discount.df(t) * way(item, snapshot.spot, first, second)
    size = snapshot.discount.df(tau) * np.array([snapshot.spot + (item.strike or 0.0) for item in items])
    return Values(found, np.zeros_like(found), _INTEGRAL * np.maximum(size, found))


def _partial_fixed(item: Any, spot: float, first: _Move, second: _Move) -> float:
    """E over the price at the switch of a fixed-strike lookback that starts there.

    A call is taken in units of that price, under the measure of the underlying, a put in money: both are bounded.
    """
    eta = 1.0 if item.is_call else -1.0
    centre = first.drift + (first.std**2 if item.is_call else 0.0)
    strike = float(np.log(item.strike / spot))
    at = (strike - centre) / first.std
    x, w = panels(around(-9.5, 9.5, [(at, second.std / first.std), (0.0, 1.0)]))
    k = strike - centre - first.std * x  # log of the strike over the price at the switch
    ahead = _excess(np.maximum(eta * k, 0.0) * eta, second, eta) + np.maximum(eta * (1.0 - np.exp(k)), 0.0)
    unit = spot * np.exp(first.carry) if item.is_call else spot * np.exp(centre + first.std * x)
    density = w * np.exp(-0.5 * x * x - _LOG_ROOT)
    return float((density * unit * ahead).sum())


def _partial_floating(item: Any, spot: float, first: _Move, second: _Move) -> float:
    """E over the distance from the extreme at the switch of a European option struck there.

    Under the measure of the underlying the distance from the minimum, reversed in time, is a maximum.
    """
    s, m = first.std, (1.0 if item.is_call else -1.0) * (first.drift + first.std**2)
    kink = (1.0 if item.is_call else -1.0) * float(np.log(item.scale))
    high = max(0.0, m, m + s * s) + 9.5 * s
    y, w = panels(around(0.0, high, [(kink, second.std), (m, s), (m + s * s, s), (0.0, s), (0.0, 0.1 * s)]))
    growth = np.exp(second.carry)
    if item.is_call:
        paid = black.price(growth, np.maximum(item.scale * np.exp(-y), _LEAST), 1.0, second.std)
        return float(spot * np.exp(first.carry) * (w * np.exp(_log_maximum(y, m, s)) * paid).sum())
    paid = black.price(np.maximum(growth * np.exp(-y), _LEAST), item.scale, 1.0, second.std, is_call=False)
    return float(spot * np.exp(first.carry) * (w * np.exp(_log_maximum(y, m, s) + y) * paid).sum())


def _log_maximum(y: Float1D, drift: float, std: float) -> Float1D:
    """Log density of the maximum of a Brownian motion: 2 / s phi(u) - 2 m / s^2 exp(2 m y / s^2) Phi(-v)."""
    u, v = (y - drift) / std, (y + drift) / std
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        mills = np.sqrt(0.5 * np.pi) * erfcx(v / np.sqrt(2.0))
        near = np.log((2.0 - 2.0 * drift / std * mills) / std) - 0.5 * u * u - _LOG_ROOT
        far = np.log(
            2.0 / std * np.exp(-0.5 * u * u - _LOG_ROOT)
            - 2.0 * drift / std**2 * np.exp(2.0 * drift * y / std**2) * ndtr(-v)
        )
    out: Float1D = np.where(v > -20.0, near, far)
    return out
