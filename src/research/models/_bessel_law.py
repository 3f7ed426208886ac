"""The law of CEV in z = F^(1-beta) / (|1 - beta| sigma sqrt(tau)): density, and integrals over one side of the strike.

    p(z) = z sqrt(F / F_z) exp(-(z - x)^2 / 2) ive(nu, x z),      ive = exp(-y) I_nu(y)

Gauss-Legendre over the reach of the normal factor; where the interval starts at z = 0 the nodes crowd there, as the
integrand behaves like a power. ive comes from SciPy, for large arguments from Debye's uniform expansion.

References
----------
Olver (1954), uniform asymptotic expansions of Bessel functions of large order: DLMF 10.41.3.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from research.arrays import BoolND, Float1D, FloatND

_NODES = 160
_REACH = 11.0  # standard deviations: what is left out is below rounding
_SHORT = 40.0  # an x from which the left side is integrated down to z = 0
_BLOCK = 2048  # options at a time: bounded memory
_UNIFORM = 1500.0  # of sqrt(nu^2 + y^2): beyond it five terms of Debye's expansion are exact to rounding
_FAR = 1e5  # the same: beyond it a ratio of two Bessel functions loses more digits than the expansion


@cache
def _rule() -> tuple[FloatND, FloatND]:
    """Nodes and weights on [0, 1]."""
    x, w = np.polynomial.legendre.leggauss(_NODES)
    return 0.5 * (x + 1.0), 0.5 * w


def scaled_bessel(nu: float, y: FloatND) -> FloatND:
    """exp(-y) I_nu(y) for y >= 0."""
    from scipy.special import ive

    big = np.hypot(nu, y) > _UNIFORM
    if not big.any():
        return np.asarray(ive(nu, y))
    out = np.empty_like(y)
    out[~big] = ive(nu, y[~big])
    a = y[big]
    root = np.hypot(nu, a)
    p = nu / root
    s = p * p
    # u_k(p) / nu^k = polynomial(p^2) / root^k
    u1 = (3.0 - 5.0 * s) / 24.0
    u2 = (81.0 + s * (-462.0 + 385.0 * s)) / 1152.0
    u3 = (30375.0 + s * (-369603.0 + s * (765765.0 - 425425.0 * s))) / 414720.0
    u4 = (4465125.0 + s * (-94121676.0 + s * (349922430.0 + s * (-446185740.0 + 185910725.0 * s)))) / 39813120.0
    r = 1.0 / root
    series = 1.0 + r * (u1 + r * (u2 + r * (u3 + r * u4)))
    # root + nu log(y / (nu + root)) - y
    exponent = nu * nu / (root + a) - nu * np.arcsinh(nu / a) if nu > 0.0 else 0.0
    out[big] = np.exp(exponent) / np.sqrt(2.0 * np.pi * root) * series
    return out


def scaled_slope(nu: float, y: FloatND) -> FloatND:
    """1 - I'_nu(y) / I_nu(y)."""
    root = np.hypot(nu, y)
    big = root > _FAR
    out = np.empty_like(y)
    small = y[~big]
    out[~big] = 1.0 - scaled_bessel(nu + 1.0, small) / scaled_bessel(nu, small) - nu / small
    a, r = y[big], root[big]
    out[big] = -nu * nu / (a * (a + r)) + 0.5 * a / r**2 + (a / 24.0) * (3.0 / r**3 - 15.0 * nu * nu / r**5)
    return out


def density_at(x: FloatND, step: FloatND, moneyness: FloatND, nu: float) -> FloatND:
    """p at z = x + step, in z; moneyness = F_z / F."""
    z = np.maximum(x + step, 0.0)
    return z / np.sqrt(moneyness) * np.exp(-0.5 * step * step) * scaled_bessel(nu, x * z)


def integrals(
    x: Float1D, step: Float1D, moneyness: Float1D, one: float, nu: float, upper: BoolND
) -> tuple[FloatND, FloatND]:
    """(price / F, probability) of the side of the strike that is out of the money, mass at 0 left out.

    step = z(K) - z(F), moneyness = K / F, one = 1 - beta; `upper` marks calls. Calls with beta > 1 are those of the
    true mean. The integrand is a normal density times z^(nu + 1/2) right of the strike, z^(1/2 - nu) left of it.
    """
    parts = [
        _side(x[i : i + _BLOCK], step[i : i + _BLOCK], moneyness[i : i + _BLOCK], one, nu, upper[i : i + _BLOCK])
        for i in range(0, x.size, _BLOCK)
    ]
    return np.concatenate([value for value, _ in parts]), np.concatenate([tail for _, tail in parts])


def _side(
    x: FloatND, step: FloatND, moneyness: FloatND, one: float, nu: float, upper: BoolND
) -> tuple[FloatND, FloatND]:
    right = upper == (one > 0.0)  # the side of larger z
    node, weight = _rule()
    peak = (2.0 * nu + 1.0) / (x + np.sqrt(x * x + 4.0 * nu + 2.0))
    peak = np.where(right, peak, -2.0 * nu / (x + np.sqrt(np.maximum(x * x - 4.0 * nu, 0.0))))
    beyond = np.where(right, np.maximum(step - peak, 0.0), np.maximum(peak - step, 0.0))
    reach = np.sqrt(beyond**2 + _REACH**2) - beyond
    high = np.where(right, np.maximum(step, peak) + reach, step)
    low = np.where(right, step, np.where(x < _SHORT, -x, np.minimum(step, peak) - reach))
    touches = (low <= -x) & ~right
    power = np.where(touches, 3.0, 1.0)[:, None]
    width = (np.maximum(high, low) - np.maximum(low, -x))[:, None]
    at = np.maximum(low, -x)[:, None] + width * node[None, :] ** power
    scale = weight[None, :] * width * power * node[None, :] ** (power - 1.0)
    with np.errstate(all="ignore"):
        ratio = np.exp(np.log1p(at / x[:, None]) / one)  # F_z / F
        p = density_at(x[:, None], at, ratio, nu) * scale
        pay = np.abs(ratio - moneyness[:, None]) * p
    pay, p = (np.where(np.isfinite(part), part, 0.0) for part in (pay, p))  # 0 * inf at z = 0
    return pay.sum(axis=1), p.sum(axis=1)
