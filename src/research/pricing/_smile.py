"""What any model that prices European options says of the price at one expiry: options, probabilities, integrals.

Undiscounted, the forward is 1. Options come from the model's own engine; probabilities to end below a strike from the
contour of its price or its mixture (`_jets`, `mixtures`), or from the slope of its smile, w(k) the total variance at
log moneyness k: P = Phi(-d2) + dw/dk phi(d2) / (2 sqrt w). Any smooth pay-off is a bond, a forward and options (Carr
and Madan):

    E g(X) = g(1) + integral over k of g''(e^k) O(k) e^k dk,    O the out-of-the-money option struck at e^k.

References
----------
Breeden, Litzenberger (1978), "Prices of state-contingent claims implicit in option prices", J. Business 51, 621-651.
Carr, Madan (1998), "Towards a theory of volatility trading", in Jarrow (ed.), Volatility.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import ndtr

from research.arrays import Float1D
from research.errors import NoEngineError, NumericalError, require, rule
from research.models import black
from research.pricing import _clock, _returns
from research.pricing.catalogue import abilities

_SLOPE = 1e-3  # step in log moneyness of the slope of a smile
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
RUIN = 1e-9  # chance to end at or below 0 that is overlooked
_DEEP, _SCAN, _NOTHING = -60.0, 0.125, 1e-16
_LONGEST = 400.0  # in log moneyness: an integral that has not died there does not exist


def vol_of(model: Any, forward: float, tau: float) -> Callable[[Float1D], Float1D] | None:
    """Implied vol by log moneyness, of a price that is shifted by `_shift` first; None for a model that has none."""
    able = abilities(model)
    if "implied_vol" in able:
        return lambda k: np.asarray(model.vol(k, tau), dtype=np.float64)
    if "implied_vol_at" in able:
        shift = _shift(model)
        f = forward + shift
        return lambda k: np.asarray(model.vol_at(forward, f * np.exp(k) - shift, tau), dtype=np.float64)
    return None


def _shift(model: Any) -> float:
    """What a model adds to prices before it takes logarithms."""
    return float(getattr(model, "shift", 0.0)) if "implied_vol_at" in abilities(model) else 0.0


def _moved(model: Any, forward: float, k: Float1D) -> tuple[float, Float1D]:
    """(forward, log moneyness) of the shifted price; strikes that no price reaches stay a little above its end."""
    shift = _shift(model)
    if shift == 0.0:
        return forward, k
    f = forward + shift
    require(f > 0.0, "shift", shift, f"lie above minus the forward, {forward:g}", error=NoEngineError)
    return f, np.log(np.maximum(forward * np.exp(k) + shift, 1e-300 * f) / f)


def check_positive(model: Any, forward: float, tau: float, asks: str, *, zero: bool = False) -> None:
    """Refuse what has no value where the price may end below 0, or at it unless `zero` will do."""
    signed = float(getattr(model, "shift", 0.0)) > 0.0
    if not signed and (zero or "terminal_law" not in abilities(model)):
        return
    chance = float(below(model, forward, tau, np.array([_DEEP]))[0][0])
    hint = f"It ends there with probability {chance:.2g} under {type(model).__name__}."
    require(chance <= RUIN, "price", 0.0, f"be > 0 for {asks}", hint=hint, error=NoEngineError)


def reach_of(model: Any, forward: float, tau: float) -> tuple[float, float, float]:
    """(log moneyness below which a positive price never ends, chance to end at or below 0, put struck at 0 over F).

    -inf, 0 and 0 for a model of positive prices. The chance is one that `check_positive` overlooks.
    """
    if "terminal_law" not in abilities(model) and _shift(model) <= 0.0:
        return -np.inf, 0.0, 0.0
    deep = np.array([_DEEP])
    lost, put = (float(one(model, forward, tau, deep)[0][0]) for one in (below, otm))
    tried = np.arange(0.0, _DEEP, -_SCAN)
    left = below(model, forward, tau, tried)[0] - lost
    ends = np.flatnonzero(left <= max(_NOTHING, 1e-3 * lost))
    return float(tried[ends[0]]) if ends.size else _DEEP, lost, max(put - lost * float(np.exp(_DEEP)), 0.0)


def otm(model: Any, forward: float, tau: float, k: Float1D) -> tuple[Float1D, Float1D]:
    """Out-of-the-money options at log moneyness k, in units of the forward, and their errors."""
    able = abilities(model)
    if "terminal_law" in able:
        strike, call = forward * np.exp(k), k > 0.0
        value = np.asarray(model.price(forward, strike, tau, is_call=call)) / forward
        return value, price_error(model, forward, strike, tau) / forward + 1e-15 * value
    vol = vol_of(model, forward, tau)
    if vol is not None:
        f, moved = _moved(model, forward, k)
        value = f / forward * np.asarray(black.price(1.0, np.exp(moved), tau, vol(moved), is_call=k > 0.0))
        return value, 4e-16 * value
    from research.pricing import bates, cosine, fourier, mixtures

    if "black_mixture" in able:
        return mixtures.otm(model, tau, k)
    if "heston_mixture" in able:
        return bates.otm(model, tau, k)
    engine = fourier if "characteristic_function" in able else cosine
    found, error = engine.price_with_error(model, 1.0, np.exp(k), tau, is_call=k > 0.0)
    return np.asarray(found), np.asarray(error)


def below(model: Any, forward: float, tau: float, k: Float1D) -> tuple[Float1D, Float1D]:
    """Probability to end below log moneyness k, and its error."""
    if "terminal_law" in abilities(model):
        found = np.asarray(model.below(forward, forward * np.exp(k), tau))
        strike = forward * np.exp(k)
        return found, np.asarray(
            model.below_error(forward, strike, tau) if hasattr(model, "below_error") else 1e-13 + 0.0 * k
        )
    vol = vol_of(model, forward, tau)
    if vol is None and "black_mixture" in abilities(model):
        from research.pricing import mixtures

        return mixtures.below(model, tau, k)
    if vol is None:
        from research.pricing import _jets

        return _jets.below(model, tau, k)
    if "deterministic_vol" in abilities(model):
        return _returns.Lognormal(float(_clock.std(model, tau))).below(k)
    k = _moved(model, forward, k)[1]
    w = vol(k) ** 2 * tau
    slope, coarse = (_slope(vol, tau, k, h) for h in (_SLOPE, 2.0 * _SLOPE))
    root = np.sqrt(w)
    d2 = -k / root - 0.5 * root
    density = np.exp(-0.5 * d2 * d2) / np.sqrt(2.0 * np.pi)
    found = ndtr(-d2) + slope * density / (2.0 * root)
    return found, np.abs(slope - coarse) * density / (2.0 * root) / 15.0 + 1e-12


def price_error(model: Any, forward: Any, strike: Any, tau: Any) -> Float1D:
    """What a model says that its own prices may be off by, undiscounted; 0 where it says nothing."""
    if hasattr(model, "price_error"):
        return np.asarray(model.price_error(forward, strike, tau))
    return np.zeros(np.broadcast_shapes(np.shape(forward), np.shape(strike), np.shape(tau)))


def _slope(vol: Callable[[Float1D], Float1D], tau: float, k: Float1D, h: float) -> Float1D:
    """dw/dk by four points, of order 4."""
    w = [vol(k + step * h) ** 2 * tau for step in (-2.0, -1.0, 1.0, 2.0)]
    out: Float1D = (w[0] - 8.0 * w[1] + 8.0 * w[2] - w[3]) / (12.0 * h)
    return out


def integral(
    weight: Callable[[Float1D], Float1D], model: Any, forward: float, tau: float, low: float, high: float
) -> tuple[float, float]:
    """Integral over k in [low, high] of weight(k) O(k), either end may be infinite, and an error bound.

    Panels grow from the strike at the money outwards; each is done with 16 and with 2 x 16 points, and their difference
    and the options' own errors are the bound. An infinite side ends where a panel adds less than rounding or than the
    options' own errors; what may be left, by the ratio of the last two panels, goes into the bound.
    """
    scale = max(_width(model, forward, tau), 1e-6)
    total, error = 0.0, 0.0
    for side in (-1.0, 1.0):
        start, stop = (max(0.0, low), high) if side > 0.0 else (max(0.0, -high), -low)
        if not stop > start:
            continue
        done, gap = _one_side(lambda x, side=side: weight(side * x), model, forward, tau, side, start, stop, scale)  # type: ignore[misc]
        total, error = total + done, error + gap
    return total, error


def _width(model: Any, forward: float, tau: float) -> float:
    """Standard deviation of the log price, roughly: from the option at the money."""
    value = float(otm(model, forward, tau, np.array([0.0]))[0][0])
    return 2.6 * min(max(value, 0.0), 0.9)


def _one_side(
    weight: Callable[[Float1D], Float1D], model: Any, forward: float, tau: float, side: float, start: float,
    stop: float, scale: float,
) -> tuple[float, float]:  # fmt: skip
    edge, step, total, error, before = start, 0.5 * scale, 0.0, 0.0, np.inf
    while edge < stop:
        end = min(edge + step, stop)
        middle = 0.5 * (edge + end)
        coarse, _ = _panel(weight, model, forward, tau, side, edge, end)
        halves = [_panel(weight, model, forward, tau, side, a, b) for a, b in ((edge, middle), (middle, end))]
        fine, noise = halves[0][0] + halves[1][0], halves[0][1] + halves[1][1]
        total, error = total + fine, error + abs(fine - coarse) + noise
        size, beyond = abs(fine), edge > 3.0 * scale
        if np.isinf(stop) and beyond and size <= max(1e-16 * max(abs(total), scale**2), 0.1 * noise):
            fall = min(size / before, 0.9) if before > 0.0 else 0.0
            return total, error + size * max(1.0, fall / (1.0 - fall))  # the rest falls at least as fast
        if edge > _LONGEST:
            wing = "left" if side < 0.0 else "right"
            raise NumericalError(
                rule(f"the {wing} wing", "fall fast enough for this integral", f"{fine:.1e} at {edge:g}")
            )
        edge, step, before = end, step * 1.15, size
    return total, error


def _panel(
    weight: Callable[[Float1D], Float1D], model: Any, forward: float, tau: float, side: float, a: float, b: float
) -> tuple[float, float]:
    half = 0.5 * (b - a)
    x = a + half + half * _NODES
    value, error = otm(model, forward, tau, side * x)
    w = half * _WEIGHTS * weight(x)
    return float(w @ value), float(np.abs(w) @ error)
