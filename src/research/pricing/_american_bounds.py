"""American puts of strike 1 between two bounds, where the exercise boundary is hardly ever reached.

The premium over the European price is the integral over s, with t = tau - s to go, of

    e^(-r s) r P(S_s < B(t)) - q E(e^(-r s) S_s; S_s < B(t)),

both together not negative below X = min(1, r / q), and so grows with the boundary B (Kim). Where it pays to exercise
1 - S is worth at least the European put, and this is so below one level b(t) alone: B(t) <= min(b(t), X) bounds the
premium.

References
----------
Kim (1990), "The analytic valuation of American options", Review of Financial Studies 3, 547-572.
"""

from __future__ import annotations

import numpy as np

from research.arrays import Float1D, Float2D
from research.models import black

_NODES, _HALVINGS = 128, 60
_DEEPEST = -700.0  # logarithm of a boundary below which there is none
_QUADRATURE = 0.02  # of the premium's bound: what the rule may leave out
_ROUNDING = 1e-14


def between_bounds(x: Float1D, tau: Float1D, sigma: Float1D, r: Float1D, q: Float1D) -> tuple[Float1D, Float1D]:
    """Values at spots x and half the distance of the bounds; shape (n,), r >= 0."""
    from scipy.special import ndtr

    node, weight = np.polynomial.legendre.leggauss(_NODES)
    theta = 0.25 * np.pi * (1.0 + node)
    sine = np.sin(theta)
    s = tau[:, None] * sine**2
    weight = tau[:, None] * (0.25 * np.pi * weight * 2.0 * sine * np.cos(theta))
    spot, rate, paid, vol = (a[:, None] for a in (x, r, q, sigma))
    top = np.where(paid > rate, np.log(np.maximum(rate, 1e-300) / np.where(paid > rate, paid, 1.0)), 0.0)
    level = np.minimum(_highest(tau[:, None] - s, vol, rate, paid), top)
    std = vol * np.sqrt(s)
    d = (np.log(spot) - level + (rate - paid) * s) / std
    gain = rate * np.exp(-rate * s) * ndtr(0.5 * std - d) - paid * spot * np.exp(-paid * s) * ndtr(-0.5 * std - d)
    premium, df = np.maximum((weight * gain).sum(axis=1), 0.0), np.exp(-r * tau)
    put = np.asarray(black.price(x * np.exp((r - q) * tau), 1.0, tau, sigma, df=df, is_call=np.array(False)))
    least = np.maximum(put, 1.0 - x)
    most = np.maximum(put + (1.0 + _QUADRATURE) * premium, least)
    return 0.5 * (least + most), 0.5 * (most - least) + _ROUNDING


def _highest(t: Float2D, sigma: Float2D, r: Float2D, q: Float2D) -> Float2D:
    """log b: below it 1 - S is worth more than the European put with t to go."""
    low, high = np.full_like(t, _DEEPEST), np.zeros_like(t)
    gain, slope, df = -np.expm1(-r * t), np.expm1(-q * t), np.exp(-r * t)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        b = np.exp(middle)
        call = np.asarray(black.price(b * np.exp((r - q) * t), 1.0, t, sigma, df=df))
        pays = gain + b * slope >= call  # by parity, without cancelling
        low, high = np.where(pays, middle, low), np.where(pays, high, middle)
    return high


__all__ = ["between_bounds"]
