"""Heston prices by the Lewis (2001) integral, in plain NumPy: slow, obvious, accurate to about 1e-13 of the forward.

    C = df (F - sqrt(F K) / pi  integral over u > 0 of Re[exp(i u log(F/K)) phi(u - i/2)] / (u^2 + 1/4) du)

The real axis is cut into panels, each halved until Gauss-Legendre rules of 16 and 2 x 16 points agree. The
characteristic function phi of log(S_T / F) is in the form without branch cuts (Albrecher et al. 2007).

References
----------
A. L. Lewis, "A simple option formula for general jump-diffusion and other exponential Levy processes" (2001).
H. Albrecher, P. Mayer, W. Schoutens, J. Tistaert, "The little Heston trap", Wilmott (2007).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from research.errors import InputError, NumericalError, require

Complex1D = NDArray[np.complex128]
Real1D = NDArray[np.float64]

_POINTS = 16
_MAX_NODES = 3_000_000
_TOLERANCE = 1e-15
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(_POINTS)


def _log1p(z: Complex1D) -> Complex1D:
    """log(1 + z), accurate for small z (NumPy's complex log1p is not)."""
    a, b = z.real, z.imag
    return np.asarray(0.5 * np.log1p(a * (2.0 + a) + b * b) + 1j * np.arctan2(b, 1.0 + a))


def log_characteristic_function(u: ArrayLike, tau: float, parameters: Sequence[float]) -> Complex1D:
    """log E[exp(i z X)] at z = u - i/2, X = log(S_tau / F); parameters are v0, kappa, theta, sigma, rho (sigma > 0)."""
    v0, kappa, theta, sigma, rho = (float(p) for p in parameters)
    x = np.asarray(u, dtype=np.complex128)
    q = x * x + 0.25  # z^2 + i z
    beta = kappa - 0.5 * rho * sigma - 1j * rho * sigma * x
    d = np.sqrt(beta * beta + sigma * sigma * q)
    decay = -np.expm1(-d * tau)
    change = -sigma * sigma * q * decay / (2.0 * d * (beta + d))  # (1 - g exp(-d tau)) / (1 - g) - 1
    slope_variance = -q * decay / (2.0 * d * (1.0 + change))
    slope_mean = -q * tau / (beta + d) - 2.0 / sigma**2 * _log1p(change)
    return np.asarray(v0 * slope_variance + kappa * theta * slope_mean)


def heston_price(
    forward: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    df: ArrayLike,
    parameters: Sequence[float],
    *,
    is_call: ArrayLike = True,
) -> Real1D:
    """Prices of European options; all arguments broadcast together.

    Parameters
    ----------
    forward, strike : array-like, price units
    tau : array-like, years, > 0
    df : array-like
    parameters : v0, kappa, theta, sigma, rho

    Returns
    -------
    ndarray of the broadcast shape, price units
    """
    f, k, t, d, call = np.broadcast_arrays(
        *(np.asarray(a, dtype=float) for a in (forward, strike, tau, df)), np.asarray(is_call, dtype=bool)
    )
    out = np.empty(f.shape)
    for one in np.unique(t):
        here = t == one
        x = np.log(f[here] / k[here])
        integral = _integral(x, float(one), parameters)
        undiscounted = f[here] - np.sqrt(f[here] * k[here]) / np.pi * integral
        undiscounted = np.where(call[here], undiscounted, undiscounted - f[here] + k[here])
        out[here] = d[here] * undiscounted
    return out


def _integral(x: Real1D, tau: float, parameters: Sequence[float]) -> Real1D:
    """The Lewis integral for each log moneyness x = log(F/K)."""
    require(tau > 0.0, "tau", tau, "be > 0 years")
    edges = _edges(tau, parameters)
    left, right = edges[:-1], edges[1:]
    total = np.zeros_like(x)
    coarse = _panels(left, right, x, tau, parameters)
    used = 0
    while left.size:
        middle = 0.5 * (left + right)
        first = _panels(left, middle, x, tau, parameters)
        second = _panels(middle, right, x, tau, parameters)
        used += 2 * _POINTS * left.size
        if used > _MAX_NODES:
            raise NumericalError(f"heston_price must settle within {_MAX_NODES} nodes; got {used} at tau={tau:g}.")
        fine = first + second
        done = np.abs(fine - coarse).max(axis=1) <= _TOLERANCE
        total += fine[done].sum(axis=0)
        go = ~done
        left, right = np.concatenate([left[go], middle[go]]), np.concatenate([middle[go], right[go]])
        coarse = np.concatenate([first[go], second[go]])
    return total


def _edges(tau: float, parameters: Sequence[float]) -> Real1D:
    """Doubling panels from 0 to where the integrand stays below 1e-18."""
    edges = [0.0, 0.25, 0.5, 1.0]
    while edges[-1] < 1e7:
        u = edges[-1] * np.linspace(1.0, 2.0, 9)
        if (log_characteristic_function(u, tau, parameters).real - np.log(u * u)).max() < -41.5:
            break
        edges.append(2.0 * edges[-1])
    return np.array(edges)


def _panels(left: Real1D, right: Real1D, x: Real1D, tau: float, parameters: Sequence[float]) -> Real1D:
    """Gauss-Legendre on each panel: shape (panels, strikes)."""
    half = 0.5 * (right - left)
    out = np.empty((left.size, x.size))
    for start in range(0, left.size, 4096):  # bounds the memory
        s = slice(start, start + 4096)
        u = half[s, None] * (_NODES + 1.0) + left[s, None]
        values = np.exp(log_characteristic_function(u, tau, parameters)) / (u * u + 0.25) * (_WEIGHTS * half[s, None])
        for j, one in enumerate(x):
            out[s, j] = (values.real * np.cos(u * one) - values.imag * np.sin(u * one)).sum(axis=1)
    return out


def _black(forward: Real1D, strike: Real1D, std: Real1D) -> tuple[Real1D, Real1D]:
    """Undiscounted out-of-the-money value, and its derivative in std = vol sqrt(tau)."""
    from scipy.special import ndtr

    d1 = np.log(forward / strike) / std + 0.5 * std
    sign = np.where(strike >= forward, 1.0, -1.0)
    value = sign * (forward * ndtr(sign * d1) - strike * ndtr(sign * (d1 - std)))
    return value, forward * np.exp(-0.5 * d1 * d1) / np.sqrt(2.0 * np.pi)


def _implied_std(value: Real1D, forward: Real1D, strike: Real1D) -> Real1D:
    """std = vol sqrt(tau) of undiscounted out-of-the-money values, by bisection and Newton's method."""
    low, high = np.full_like(value, 1e-6), np.full_like(value, 10.0)
    for _ in range(60):
        middle = 0.5 * (low + high)
        above = _black(forward, strike, middle)[0] > value
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.asarray(0.5 * (low + high))


def heston_implied_vol_errors(
    forward: ArrayLike, strike: ArrayLike, tau: ArrayLike, vol: ArrayLike, parameters: Sequence[float]
) -> Real1D:
    """Model minus market implied vol of each quote, decimal; by the slow integral, so it can judge a calibration."""
    f, k, t, v = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in (forward, strike, tau, vol)))
    value = heston_price(f, k, t, 1.0, parameters, is_call=k >= f)
    return np.asarray(_implied_std(value, f, k) / np.sqrt(t) - v)


def best_heston(
    forward: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    vol: ArrayLike,
    *,
    starts: Sequence[Sequence[float]] = ((0.1, 1.0, 0.1, 0.5, -0.5), (0.1, 10.0, 0.07, 3.0, -0.5)),
) -> tuple[Real1D, float]:
    """The parameters with the least sum of squared implied-vol errors, and that sum in squared vol points.

    SciPy's trust-region least squares from several starts, differences for derivatives, the slow integral: seconds
    to minutes. It is here to judge fast calibrations.
    """
    from scipy.optimize import least_squares

    f, k, t, v = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in (forward, strike, tau, vol)))
    lower, upper = np.array([1e-4, 1e-2, 1e-4, 1e-2, -0.999]), np.array([4.0, 100.0, 4.0, 20.0, 0.999])
    best: tuple[Real1D, float] | None = None
    for start in starts:
        found = least_squares(
            lambda p: 100.0 * heston_implied_vol_errors(f, k, t, v, p),
            np.asarray(start, dtype=float),
            bounds=(lower, upper),
            x_scale=np.abs(np.asarray(start, dtype=float)),
            jac="3-point",
            xtol=1e-12,
            ftol=1e-13,
            gtol=1e-12,
        )
        if best is None or 2.0 * found.cost < best[1]:
            best = (np.asarray(found.x), float(2.0 * found.cost))
    if best is None:
        raise InputError("starts must hold at least one start; got none.")
    return best
