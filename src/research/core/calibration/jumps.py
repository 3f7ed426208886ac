"""Merton and Bates on implied vols: the cosine series of a surface with its derivatives.

The weights of the series, Re[phi(u_j) exp(-i u_j low)], and their derivatives in the parameters are found once an
expiry; the payoff's coefficients are turned from term to term for all its strikes side by side. So a gradient costs
little more than the prices: everything that depends on a strike is shared.

With J = exp(i u mu - delta^2 u^2 / 2) and m = exp(mu + delta^2 / 2) - 1 the jumps add to log phi and its derivatives

    lambda tau (J - 1 - i u m):    tau (J - 1 - i u m),    lambda tau i u (J - 1 - m),
                                   -lambda tau delta (u^2 J + i u (1 + m)),

in lambda, mu, delta.

References
----------
Fang, Oosterlee (2008), SIAM J. Scientific Computing 31, 826-848 (the series).
Cui, del Bano Rollin, Germano (2017), EJOR 263, 625-638 (Heston's part of the gradient).
"""

from __future__ import annotations

from math import pi

import numpy as np

from research.arrays import Float1D, Float2D, Int1D
from research.core._jit import inlined, kernel
from research.core.calibration.heston import TINY_VALUE, vol_of_value
from research.core.math.elementary import exp, expm1, sincos
from research.core.math.normal import norm_pdf
from research.core.models.heston import heston_log_cf_gradient
from research.core.models.levy import exp_minus_one

N_PARAMETERS = 8  # v0, kappa, theta, sigma, rho, lambda, mu, delta; Merton has kappa = sigma = 0
_BLOCK = 16  # terms between two looks at what is left
_PHASE_MAX = 1e8
_ROWS = N_PARAMETERS + 1


@inlined
def _add_jumps(u: float, tau: float, p: Float1D, slope: Float2D) -> complex:
    """The jumps' part of log phi; rows 5 to 7 of slope get its derivatives, (re, im)."""
    rate, mu, delta = p[5] * tau, p[6], p[7]
    jump = exp_minus_one(complex(-0.5 * delta * delta * u * u, u * mu))
    mean = expm1(mu + 0.5 * delta * delta)
    re, im = jump.real, jump.imag - u * mean
    slope[5, 0], slope[5, 1] = tau * re, tau * im
    slope[6, 0], slope[6, 1] = -rate * u * jump.imag, rate * u * (jump.real - mean)
    slope[7, 0] = -rate * delta * u * u * (1.0 + jump.real)
    slope[7, 1] = -rate * delta * (u * u * jump.imag + u * (1.0 + mean))
    return complex(rate * re, rate * im)


@kernel
def _weights(u: float, tau: float, p: Float1D, low: float, slope: Float2D, out: Float1D) -> float:
    """out = Re[phi exp(-i u low)], then its derivatives; abs(phi)."""
    log_cf = complex(0.0, 0.0)
    for j in range(N_PARAMETERS):
        slope[j, 0], slope[j, 1] = 0.0, 0.0
    if u > 0.0:
        if p[1] == 0.0 and p[3] == 0.0:  # Merton
            slope[0, 0], slope[0, 1] = -0.5 * tau * u * u, -0.5 * tau * u
            log_cf = complex(p[0] * slope[0, 0], p[0] * slope[0, 1])
        else:
            log_cf, g0, g1, g2, g3, g4 = heston_log_cf_gradient(complex(u, 0.5), tau, p[0], p[1], p[2], p[3], p[4])
            slope[0, 0], slope[0, 1], slope[1, 0], slope[1, 1] = g0.real, g0.imag, g1.real, g1.imag
            slope[2, 0], slope[2, 1], slope[3, 0], slope[3, 1] = g2.real, g2.imag, g3.real, g3.imag
            slope[4, 0], slope[4, 1] = g4.real, g4.imag
        log_cf += _add_jumps(u, tau, p, slope)
    size = exp(log_cf.real)
    s, c = sincos(max(-_PHASE_MAX, min(_PHASE_MAX, log_cf.imag - u * low)))
    re, im = size * c, size * s
    out[0] = re
    for j in range(N_PARAMETERS):
        out[j + 1] = re * slope[j, 0] - im * slope[j, 1]
    return size


@kernel
def _expiry(
    p: Float1D, tau: float, low: float, width: float, x: Float1D, negligible: float,
    max_terms: int, sums: Float2D,
) -> float:  # fmt: skip
    """sums, shape (9, n): undiscounted puts over their strikes at x = log(F/K), and derivatives; what is left.

    Terms are added until a block of them has abs(phi) / u below `negligible`.
    """
    n = x.size
    turn, angle, state = np.empty((2, n)), np.empty(n), np.empty((2, n))  # rows: sine, cosine
    grown, floor, span = np.empty(n), np.empty(n), np.empty(n)
    slope, weight, left = np.empty((N_PARAMETERS, 2)), np.empty(_ROWS), 0.0
    for i in range(n):
        start = low + x[i]
        stop = min(max(0.0, start), start + width)
        grown[i], floor[i], span[i] = exp(stop), exp(start), stop - start
        angle[i] = pi * span[i] / width
        turn[0, i], turn[1, i] = sincos(angle[i])
        for row in range(_ROWS):
            sums[row, i] = 0.0
    for j in range(max_terms):
        u = pi * j / width
        if j % _BLOCK == 0:
            if j > 0 and left < negligible:
                break
            left = 0.0
            for i in range(n):
                state[0, i], state[1, i] = sincos(j * angle[i])
        left = max(left, _weights(u, tau, p, low, slope, weight) / max(u, 1.0))
        scale, over = (2.0 if j > 0 else 1.0) / width, 1.0 / (1.0 + u * u)
        inverse = 1.0 / u if j > 0 else 0.0
        for i in range(n):
            s, c = state[0, i], state[1, i]
            psi = s * inverse if j > 0 else span[i]
            price = scale * (psi - ((c + u * s) * grown[i] - floor[i]) * over)
            for row in range(_ROWS):
                sums[row, i] += weight[row] * price
            state[0, i] = s * turn[1, i] + c * turn[0, i]
            state[1, i] = c * turn[1, i] - s * turn[0, i]
    return left


@kernel
def jump_vol_errors(
    p: Float1D, tau: Float1D, first: Int1D, span: Float2D, quotes: Float2D, negligible: float,
    max_terms: int, model: Float2D, jacobian: Float2D,
) -> float:  # fmt: skip
    """Residuals root_weight (model vol - vol), and their derivatives in the eight parameters.

    span, shape (m, 2): the least log(S_T / F) of each expiry's range, and the range's width. quotes, shape (7, n), and
    model, shape (3, n), as for `heston_vol_errors`; jacobian has shape (8, n). Returns the
    largest abs(phi) / u at which a series was cut.
    """
    sums = np.empty((_ROWS, quotes.shape[1]))
    worst = 0.0
    for g in range(tau.size):
        i, j = first[g], first[g + 1]
        left = _expiry(p, tau[g], span[g, 0], span[g, 1], quotes[0, i:j], negligible, max_terms, sums[:, i:j])
        worst = max(worst, left)
    for i in range(quotes.shape[1]):
        x, forward, strike, years = quotes[0, i], quotes[1, i], quotes[2, i], quotes[5, i]
        put = strike * sums[0, i]
        value = put if strike < forward else put + forward - strike
        value = max(value, TINY_VALUE * min(forward, strike))
        vol = vol_of_value(value, forward, strike, x, years, quotes[3, i])
        vega = forward * norm_pdf(x / (vol * years) + 0.5 * vol * years) * years
        scale = quotes[4, i] * strike / max(vega, 1e-300)
        model[0, i] = vol
        model[1, i] = quotes[4, i] * (vol - quotes[3, i])
        model[2, i] = value
        for row in range(N_PARAMETERS):
            jacobian[row, i] = scale * sums[row + 1, i]
    return worst
