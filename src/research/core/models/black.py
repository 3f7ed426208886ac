"""Black (1976): prices and Greeks of European options on a forward, without cancellation in the wings.

With low = min(F, K), k = |log(F / K)|, s = vol sqrt(tau), h = k / s, t = s / 2 the out-of-the-money option is worth

    low [Phi(-z) - e^k Phi(-h - t)] = low e^(-z^2/2) gap(h, t),    z = h - t,
    gap(h, t) = m(h - t) - m(h + t),    m(x) = e^(x^2/2) Phi(-x),

undiscounted; the in-the-money one adds |F - K|. gap keeps its digits: for small t it is summed by its odd
derivatives, m' = x m - phi(0), m^(n+1) = n m^(n-1) + x m^(n).

References
----------
Black (1976), "The pricing of commodity contracts", J. Financial Economics 3, 167-179.
Jaeckel (2015), "Let's be rational", Wilmott 75, section 2 (the erfcx form and the expansion in small t).
"""

from __future__ import annotations

from math import sqrt

from numba import prange

from research.arrays import Float1D, Float2D
from research.core._jit import inlined, parallel
from research.core.math.elementary import exp, log, log1p
from research.core.math.normal import mills

_PHI0 = 0.3989422804014327  # density of the normal distribution at 0
_SMALL = 0.05  # below it gap is summed as a series; the first term left out is 1e-17 of the sum
_FAR = 1000.0  # standard deviations: the price there is 0


@inlined
def gap_series(h: float, t: float, m0: float) -> float:
    """m(h - t) - m(h + t) for abs(t) < 0.05, from m0 = m(h)."""
    m1 = h * m0 - _PHI0
    m2 = m0 + h * m1
    m3 = 2.0 * m1 + h * m2
    m4 = 3.0 * m2 + h * m3
    m5 = 4.0 * m3 + h * m4
    m6 = 5.0 * m4 + h * m5
    m7 = 6.0 * m5 + h * m6
    m8 = 7.0 * m6 + h * m7
    m9 = 8.0 * m7 + h * m8
    u = t * t
    tail = m5 / 120.0 + u * (m7 / 5040.0 + u * (m9 / 362880.0))
    return -2.0 * t * (m1 + u * (m3 / 6.0 + u * tail))


@inlined
def black_time_value(forward: float, strike: float, std: float) -> float:
    """Undiscounted price of the out-of-the-money option; std = vol sqrt(tau)."""
    low, high = min(forward, strike), max(forward, strike)
    k = log1p((high - low) / low)
    s = std if std > 0.0 else 1e-300
    h = k / s
    h = _FAR if h > _FAR else h
    t = 0.5 * s
    z = h - t
    small = t < _SMALL
    near = mills(h if small else abs(z))
    far = mills(h + t)
    gauss = exp(-0.5 * z * z)
    value = gauss * (near - far) if z >= 0.0 else 1.0 - gauss * (near + far)
    value = gauss * gap_series(h, t, near) if small else value
    return low * value if std > 0.0 else 0.0


@inlined
def black_price(forward: float, strike: float, tau: float, vol: float, df: float, sign: float) -> float:
    """Price of one option; sign is +1.0 for a call, -1.0 for a put."""
    intrinsic = max(sign * (forward - strike), 0.0)
    return df * (black_time_value(forward, strike, vol * sqrt(tau)) + intrinsic)


@parallel
def black_prices(
    forward: Float1D, strike: Float1D, tau: Float1D, vol: Float1D, df: Float1D, sign: Float1D, out: Float1D
) -> None:
    """Fill out[i] with the price of option i. Every array has shape (n,)."""
    for i in prange(out.size):
        out[i] = black_price(forward[i], strike[i], tau[i], vol[i], df[i], sign[i])


@parallel
def black_greeks(
    forward: Float1D, strike: Float1D, tau: Float1D, vol: Float1D, df: Float1D, sign: Float1D, out: Float2D
) -> None:
    """Fill out[:, i], shape (8, n): price, delta, gamma, vega, theta, rho, vanna, volga of option i.

    Delta and gamma are those of the forward; vega, vanna, volga per 1.00 of vol; theta, the change as a year passes
    (-dV/dtau), and rho at a fixed forward, the zero rate being -log(df) / tau. Where nothing is left to chance
    (vol or tau 0) they are the limits: a call at the money has delta df / 2 and infinite gamma. One exponential and
    three Mills' ratios serve all eight.
    """
    for i in prange(out.shape[1]):
        f, low, high = forward[i], min(forward[i], strike[i]), max(forward[i], strike[i])
        root = sqrt(tau[i])
        std = vol[i] * root
        s = std if std > 0.0 else 1e-300
        h = log1p((high - low) / low) / s
        h = _FAR if h > _FAR else h
        t = 0.5 * s
        z = h - t
        gauss = exp(-0.5 * z * z)
        near, far, middle = mills(abs(z)), mills(h + t), mills(h)
        value = gauss * (near - far) if z >= 0.0 else 1.0 - gauss * (near + far)
        value = gauss * gap_series(h, t, middle) if t < _SMALL else value
        value = low * value if std > 0.0 else 0.0
        # with low = K: d1 = h + t, d2 = z, phi(d1) = phi(z) low / high; with low = F: d1 = -z, d2 = -h - t
        upper = f >= strike[i]
        beyond = gauss * near if z >= 0.0 else 1.0 - gauss * near  # Phi(-z)
        above = 1.0 - gauss * (low / high) * far if upper else beyond  # Phi(d1)
        below = gauss * (low / high) * far if upper else 1.0 - beyond  # Phi(-d1)
        below = gauss * near if (not upper) & (z < 0.0) else below
        d1, d2 = (h + t, z) if upper else (-z, -h - t)
        density = df[i] * low * _PHI0 * gauss  # df F phi(d1) = df K phi(d2)
        by_vol = 1.0 / vol[i] if vol[i] > 0.0 else 0.0
        price = df[i] * (value + max(sign[i] * (f - strike[i]), 0.0))
        rate = -log(df[i]) / tau[i] if tau[i] > 0.0 else 0.0
        d2_by_vol = d2 * by_vol if vol[i] > 0.0 else -0.5 * root
        alive = density > 0.0
        out[0, i] = price
        out[1, i] = df[i] * (above if sign[i] > 0.0 else -below)
        out[2, i] = density / (f * f * std) if alive else 0.0
        out[3, i] = density * root
        out[4, i] = rate * price - (density * vol[i] / (2.0 * root) if alive else 0.0)
        out[5, i] = -tau[i] * price
        out[6, i] = -density / f * d2_by_vol if alive else 0.0
        out[7, i] = density * root * d1 * d2 * by_vol
