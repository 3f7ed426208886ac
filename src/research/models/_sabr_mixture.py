"""SABR as a mixture of CEV models: what the expansion of `ArbitrageFreeSABR` leaves out, to first order.

    dF = a F^beta dW1,    da = nu a dW2,    d<W1, W2> = rho dt,    F absorbed at 0 (after the shift)

Given the volatility at the end and V, the integral of a^2, F is a CEV process on the clock (1 - rho^2) V, started at

    F exp(c (a(T) - a) / nu - c^2 V / 2),    c = rho F^(beta - 1).

Without correlation, and at beta = 1, that is exact; else the start is that of one step of Choi, Hu and Kwok's scheme.
a(T) is lognormal; V given it is taken as lognormal with its true mean and variance (integrals over the bridge). Few
nodes do: the distance to the density is wanted to a few percent of itself, not the price to many digits.

References
----------
Islah (2009), "Solving SABR in exact form and unifying it with LIBOR market model", SSRN 1489428.
Choi, Hu, Kwok (2024), "Efficient and accurate simulation of the stochastic-alpha-beta-rho model", arXiv:2408.01898.
Kennedy, Mitra, Pham (2012), "On the approximation of the SABR model", Applied Mathematical Finance 19, 553-586.
"""

from __future__ import annotations

import numpy as np

from research.arrays import Float1D, Float2D
from research.models.cev import CEV

_LEAST_NU, _NEAR_ONE = 1e-4, 1e-4
_ENDS, _BETWEEN, _TIMES = 9, 3, 16  # nodes of a(T), of V given it, and of time
_TINY = 1e-12  # of the forward: less has been absorbed


def _hermite(n: int) -> tuple[Float1D, Float1D]:
    x, weight = np.polynomial.hermite_e.hermegauss(n)
    return x, weight / weight.sum()


def _clock(alpha: float, nu: float, z: Float1D, tau: float) -> tuple[Float1D, Float1D]:
    """Mean of V and standard deviation of its log, given that the motion of the volatility ends at each z."""
    x, weight = np.polynomial.legendre.leggauss(_TIMES)
    s, weight = 0.5 * tau * (x + 1.0), 0.5 * weight
    covariance = np.minimum(s[:, None], s) - s[:, None] * s / tau
    log = 2.0 * nu * z[:, None] * s / tau - nu**2 * s + 2.0 * nu**2 * np.diag(covariance)
    mean = (np.exp(log) * weight).sum(axis=1)
    both = np.exp(log[:, :, None] + log[:, None, :] + 4.0 * nu**2 * covariance) * weight[:, None] * weight
    ratio = both.sum(axis=(1, 2)) / mean**2
    return alpha**2 * tau * mean, np.sqrt(np.log(np.maximum(ratio, 1.0)))


def mixed(
    quantity: str, alpha: float, beta: float, rho: float, nu: float, forward: float, strikes: Float1D, tau: float
) -> Float1D:
    """Undiscounted calls ("price") or probabilities to end at or below ("below") each strike, all shifted, > 0."""
    nu, beta = max(nu, _LEAST_NU), 1.0 if 1.0 - beta < _NEAR_ONE else beta
    (x, p), (y, q) = _hermite(_ENDS), _hermite(_BETWEEN)
    z = x * np.sqrt(tau)
    mean, spread = _clock(alpha, nu, z, tau)
    clock = mean[:, None] * np.exp(spread[:, None] * y - 0.5 * spread[:, None] ** 2)
    c, moved = rho * forward ** (beta - 1.0), alpha * np.expm1(nu * z - 0.5 * nu**2 * tau) / nu
    start: Float2D = np.exp(c * moved[:, None] - 0.5 * c * c * clock)
    weight = (p[:, None] * q).ravel()
    ends: Float1D = np.maximum(forward * start / float(weight @ start.ravel()), _TINY * forward).ravel()
    inside = CEV(sigma=1.0, beta=beta)
    shape = (strikes.size, weight.size)
    f, t = (np.ascontiguousarray(np.broadcast_to(v, shape)).ravel() for v in (ends, (1.0 - rho**2) * clock.ravel()))
    k = np.repeat(strikes, weight.size)
    found: Float1D = np.asarray(getattr(inside, quantity)(f, k, t)).reshape(shape) @ weight
    return found
