"""Variance Gamma on implied vols: an integral over the gamma clock, with derivatives, exact at any expiry.

Given the clock G = nu y the price is lognormal: forward F' = F exp(omega tau + (theta + sigma^2 / 2) nu y), total
variance sigma^2 nu y. With alpha = tau / nu and t = log y the put is

    put = B(0) + alpha / Gamma(1 + alpha)  integral of exp(alpha t - e^t) (B(e^t) - B(0)) dt,
    Gamma(1 + alpha) = integral of exp((1 + alpha) t - e^t) dt,

B(y) being Black's put and B(0) its intrinsic value, so that the integrand dies on both sides however small alpha is. It
is analytic for abs(Im t) < pi / 2: the trapezoidal rule of step h errs by about exp(-pi^2 / h). A cosine series needs
tens of thousands of terms where tau / nu is small.

References
----------
Madan, Carr, Chang (1998), European Finance Review 2, 79-105, eqs. (17), (22); Trefethen, Weideman (2014), "The
exponentially convergent trapezoidal rule", SIAM Review 56, 385-458.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from research.arrays import Float1D, Float2D, Int1D
from research.core._jit import inlined, kernel
from research.core.calibration.heston import TINY_VALUE, vol_of_value
from research.core.math.elementary import exp, log, log1p
from research.core.math.normal import norm_cdf, norm_pdf

_STEP = 0.32
_LEFT = -41.0  # t: a clock of 1e-18 has moved nothing
_FAR = 40.0  # exp(-40) of the peak is nothing


@inlined
def _grid(alpha: float) -> tuple[float, float, int]:
    """First t, step and number of nodes: the peak is at log(alpha), about 1 / sqrt(alpha) wide where alpha is large."""
    peak, near = log(alpha), sqrt(3.0 * _FAR / alpha)
    low = max(_LEFT, peak - (near if near < 1.0 else 1.0 + _FAR / alpha))
    high = peak + min(sqrt(2.0 * _FAR / alpha), 1.0 + log(1.0 + 2.0 * _FAR / alpha))
    step = min(_STEP, 0.7 / sqrt(alpha))
    return low, step, int((high - low) / step) + 2


@inlined
def _clock(tau: float, p: Float1D, node: Float2D) -> float:
    """Rows of node: y, weight, d weight / d nu; omega tau. The weights leave out B(0)'s share."""
    nu = p[1]
    alpha = tau / nu
    low, step, n = _grid(alpha)
    total, moment = 0.0, 0.0
    peak = alpha * log(alpha) - alpha  # the largest exponent: taken out, for alpha up to 1e6
    for i in range(n):
        t = low + step * i
        y = exp(t)
        node[0, i] = y
        node[1, i] = exp(alpha * t - y - peak)
        total += node[1, i] * y
        moment += node[1, i] * y * t
    psi = moment / total  # of 1 + alpha
    for i in range(n):
        t = low + step * i
        node[1, i] *= alpha / total
        node[2, i] = node[1, i] * (1.0 / alpha + t - psi) * (-alpha / nu)
    return log1p(-p[2] * nu - 0.5 * p[0] * p[0] * nu) * alpha


@inlined
def _strike(p: Float1D, tau: float, k: float, shift: float, n: int, node: Float2D, out: Float1D) -> None:
    """out = put / F at log(K / F) = k, and its derivatives in sigma, nu, theta; shift = omega tau."""
    sigma, nu, theta = p[0], p[1], p[2]
    room = 1.0 - theta * nu - 0.5 * sigma * sigma * nu
    by_sigma, by_theta = -tau * sigma / room, -tau / room  # of the shift
    by_nu = -shift / nu - tau / nu * (theta + 0.5 * sigma * sigma) / room
    ratio, start = exp(k), exp(shift)
    still = max(ratio - start, 0.0)
    moved = -start if ratio > start else 0.0  # d still / d shift
    out[0], out[1], out[2], out[3] = still, moved * by_sigma, moved * by_nu, moved * by_theta
    for i in range(n):
        y, weight = node[0, i], node[1, i]
        variance = sigma * sigma * nu * y
        std = sqrt(variance)
        drift = shift + theta * nu * y + 0.5 * variance
        d2 = (drift - k) / std - 0.5 * std
        spot, low = exp(drift), norm_cdf(-d2 - std)
        gap = ratio * norm_cdf(-d2) - spot * low - still
        delta, bend = -spot * low, 0.5 * ratio * norm_pdf(d2) / std  # by the drift, by the variance
        rest = weight * (delta - moved)
        out[0] += weight * gap
        out[1] += rest * by_sigma + weight * (delta * sigma * nu * y + bend * 2.0 * sigma * nu * y)
        out[2] += rest * by_nu + weight * (delta * (theta * y + 0.5 * variance / nu) + bend * variance / nu)
        out[2] += node[2, i] * gap
        out[3] += rest * by_theta + weight * delta * nu * y


@kernel
def variance_gamma_vol_errors(
    p: Float1D, tau: Float1D, first: Int1D, quotes: Float2D, model: Float2D, jacobian: Float2D
) -> None:
    """Residuals root_weight (model vol - vol), and their derivatives in sigma, nu, theta: jacobian has shape (3, n).

    quotes, shape (7, n), and model, shape (3, n), as for `heston_vol_errors`.
    """
    out = np.empty(4)
    for g in range(tau.size):
        _, _, n = _grid(tau[g] / p[1])
        node = np.empty((3, n))
        shift = _clock(tau[g], p, node)
        for i in range(first[g], first[g + 1]):
            x, forward, strike, years = quotes[0, i], quotes[1, i], quotes[2, i], quotes[5, i]
            _strike(p, tau[g], -x, shift, n, node, out)
            value = forward * out[0] if strike < forward else forward * (out[0] + 1.0) - strike
            value = max(value, TINY_VALUE * min(forward, strike))
            vol = vol_of_value(value, forward, strike, x, years, quotes[3, i])
            vega = forward * norm_pdf(x / (vol * years) + 0.5 * vol * years) * years
            model[0, i], model[1, i], model[2, i] = vol, quotes[4, i] * (vol - quotes[3, i]), value
            scale = quotes[4, i] * forward / max(vega, 1e-300)
            for j in range(3):
                jacobian[j, i] = scale * out[j + 1]
