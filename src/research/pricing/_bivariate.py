"""The bivariate normal distribution function, scaled by the exponential of a large number.

    exp(a) P(X < h, Y < k),    corr(X, Y) = rho

is the integral of exp(a) phi(x) Phi((k - rho x) / sqrt(1 - rho^2)) over x < h: Gauss-Legendre on panels that are fine
where the second factor steps. The error is relative to exp(a) Phi(h), so a tiny probability behind a large factor
keeps its digits, and any rho up to +-1 will do. Agrees with 30-digit integrals to 2e-15 (tests/pricing/exotics).
Up to a = 30 by `core.math.bivariate`; behind a larger factor, which is rare, in logarithms around the peak, here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import FloatND
from research.core._tasks import share
from research.core.math.bivariate import NODES, bivariate_cdfs

_FAR = 40.0  # exp(-40): what is left out of the tail, relative
_STEPS = np.array([-9.0, -5.0, -2.0, 0.0, 2.0, 5.0, 9.0])  # breaks around the step, in its own width
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(NODES)
_CHUNK = 4096  # integrals at a time
_FEW = 256  # of them in which one thread is quicker
_LARGE = 30.0  # of the exponent: from here on the product is taken in logarithms around its peak
_LOG_ROOT = 0.5 * np.log(2.0 * np.pi)


def bivariate_normal_cdf(h: ArrayLike, k: ArrayLike, rho: ArrayLike, log_factor: ArrayLike = 0.0) -> Any:
    """exp(log_factor) P(X < h, Y < k); all arguments broadcast together.

    Parameters
    ----------
    h, k : array-like, may be +-inf
    rho : array-like, in [-1, 1]
    log_factor : array-like, default 0

    Examples
    --------
    >>> round(bivariate_normal_cdf(0.0, 0.0, 0.5), 12)  # 1/4 + asin(1/2) / (2 pi)
    0.333333333333
    """
    given = [np.asarray(x, dtype=np.float64) for x in (h, k, rho, log_factor)]
    shape = np.broadcast_shapes(*(one.shape for one in given))
    flat = [np.ascontiguousarray(one if one.shape == shape else np.broadcast_to(one, shape)).ravel() for one in given]
    flat = [one if one.flags.writeable else one.copy() for one in flat]
    x, y, corr, factor = flat
    out = np.empty(x.size)

    def work(part: slice) -> None:
        bivariate_cdfs(x[part], y[part], corr[part], factor[part], _NODES, _WEIGHTS, out[part])

    share(out.size, work, small=out.size < _FEW)
    far = np.flatnonzero(factor > _LARGE)  # the mass may lie far from the end, where the second factor grows
    for at in range(0, far.size, _CHUNK):
        part = far[at : at + _CHUNK]
        out[part] = _far_integrals(*(one[part] for one in flat))
    return out.reshape(shape) if shape else float(out[0])


def _far_integrals(h: FloatND, k: FloatND, rho: FloatND, a: FloatND) -> FloatND:
    """The integrals of a batch, shape (n,), in logarithms around the peak."""
    from scipy.special import log_ndtr

    rest = np.sqrt((1.0 - rho) * (1.0 + rho))
    top = np.clip(h, -1e100, 9.5)
    peak = _peak(top, k, rho, rest)
    rise = np.maximum(_slope(peak, k, rho, rest), 0.0)
    bottom = peak - 2.0 * _FAR / (np.sqrt(rise * rise + 2.0 * _FAR) + rise)
    top = np.minimum(top, peak + 9.5)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        step = np.where(rho != 0.0, k / rho, np.inf)
        width = np.where(rho != 0.0, rest / np.abs(rho), 1.0)
    breaks = [bottom, top, *(bottom + (top - bottom) * part for part in (0.25, 0.5, 0.75))]
    breaks += [np.where(np.isfinite(step), step, 0.0) + width * at for at in _STEPS]
    breaks += [peak + rest * at for at in _STEPS]
    edges = np.sort(np.clip(np.stack(breaks, axis=-1), bottom[..., None], top[..., None]), axis=-1)
    half = 0.5 * np.diff(edges, axis=-1)
    x = (edges[..., :-1] + half)[..., None] + half[..., None] * _NODES
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        z = (k[..., None, None] - rho[..., None, None] * x) / rest[..., None, None]
    z = np.where(np.isnan(z), 0.0, z)
    density: FloatND = np.exp(a[..., None, None] - 0.5 * x * x - _LOG_ROOT + log_ndtr(z))
    out = (half[..., None] * _WEIGHTS * density).sum(axis=(-2, -1))
    return np.where((h == -np.inf) | (k == -np.inf), 0.0, out)


def _slope(x: FloatND, k: FloatND, rho: FloatND, rest: FloatND) -> FloatND:
    """Derivative of log(phi(x) Phi(z)), z = (k - rho x) / rest: it falls in x."""
    from scipy.special import log_ndtr

    safe = np.maximum(rest, 1e-12)
    z = np.clip((np.clip(k, -1e100, 1e100) - rho * x) / safe, -1e7, 40.0)
    hazard = np.exp(-0.5 * z * z - _LOG_ROOT - log_ndtr(z))
    out: FloatND = -x - rho / safe * hazard
    return out


def _peak(top: FloatND, k: FloatND, rho: FloatND, rest: FloatND) -> FloatND:
    """Where phi(x) Phi(z) is largest for x <= top, by bisection."""
    low, high = np.minimum(np.minimum(rho * np.clip(k, -1e100, 1e100), 0.0), top) - 10.0, top
    for _ in range(60):
        middle = 0.5 * (low + high)
        up = _slope(middle, k, rho, rest) > 0.0
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    return np.where(_slope(top, k, rho, rest) >= 0.0, top, high)
