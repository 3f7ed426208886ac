"""Probabilities of the multivariate normal distribution: P(X_1 <= b_1, ..., X_n <= b_n).

| n | method | error |
|---|---|---|
| 2 | Plackett's integral over the correlation; near +-1 with its expansion taken out | 5e-16 |
| 3 | one-dimensional integral of the case n = 2 | 1e-13 |
| 4 and more | Genz' separation of variables, scrambled Sobol' points | its standard error |

References
----------
Plackett (1954), Biometrika 41, 351-360; Drezner, Wesolowsky (1990), J. Statist. Comput. Simul. 35, 101-107.
Genz (2004), "Numerical computation of rectangular bivariate and trivariate normal and t probabilities", Statistics and
Computing 14, 251-260; Genz (1992), J. Comput. Graph. Statist. 1, 141-149 (n >= 4).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_ndtr, ndtr

from research.arrays import Float1D, Float2D, Int3D, reshape, vectors
from research.core._tasks import share
from research.core.math.orthants import LANES, orthants
from research.core.random import sobol
from research.errors import require_all

_HIGH = 0.925  # correlation above which the integral is taken from the other end
_FAR = 40.0  # stands for infinity
_KNOWN = 1e-7  # standard deviation of a variable that follows from others
_LOG_ROOT = 0.5 * np.log(2.0 * np.pi)
REPLICATES = 16  # independent scrambles
_FEW = 1 << 17  # points times variables below which one thread is quicker


@lru_cache(maxsize=16)
def legendre(n: int) -> tuple[Float1D, Float1D]:
    """Nodes and weights on (0, 1)."""
    node, weight = np.polynomial.legendre.leggauss(n)
    return 0.5 * (1.0 + node), 0.5 * weight


def composite(edges: Float1D, n: int) -> tuple[Float1D, Float1D]:
    """Gauss-Legendre nodes and weights with n points between each two edges."""
    node, weight = legendre(n)
    width = np.diff(edges)[:, None]
    return (edges[:-1, None] + width * node).ravel(), (width * weight).ravel()


def bivariate_cdf(h: ArrayLike, k: ArrayLike, rho: ArrayLike) -> Any:
    """P(X <= h, Y <= k) of standard normals with correlation rho; arguments broadcast, infinities allowed.

    Examples
    --------
    >>> round(bivariate_cdf(0.0, 0.0, 0.5), 15)  # 1/4 + asin(rho) / (2 pi)
    0.333333333333333
    """
    (a, b, r), shape = vectors(h, k, rho)
    require_all(np.abs(r) <= 1.0, "rho", r, "lie in [-1, 1]")
    a, b = np.clip(a, -_FAR, _FAR), np.clip(b, -_FAR, _FAR)
    out, high = np.empty_like(a), np.abs(r) > _HIGH
    out[~high] = _middle(a[~high], b[~high], r[~high])
    up = high & (r > 0.0)
    out[up] = _near_one(a[up], b[up], r[up])
    down = high & (r < 0.0)
    out[down] = np.maximum(ndtr(a[down]) - _near_one(a[down], -b[down], -r[down]), 0.0)  # P(X <= h) - P(X <= h, Y > k)
    return reshape(np.where(np.isnan(a + b + r), np.nan, np.clip(out, 0.0, 1.0)), shape)


def _middle(h: Float1D, k: Float1D, r: Float1D) -> Float1D:
    """Plackett: the density at (h, k) integrated over the angle of the correlation."""
    node, weight = legendre(24)
    angle = np.arcsin(r)[:, None]
    s = np.sin(angle * node)
    density = np.exp((s * (h * k)[:, None] - 0.5 * (h * h + k * k)[:, None]) / (1.0 - s * s))
    out: Float1D = ndtr(h) * ndtr(k) + (angle[:, 0] / (2.0 * np.pi)) * (density @ weight)
    return out


def _near_one(h: Float1D, k: Float1D, r: Float1D) -> Float1D:
    """From correlation 1 downwards, in x = sqrt(1 - rho^2): exp(-d^2 / 2 x^2) g(x), g by its expansion and the rest.

    g(x) = exp(-hk / (1 + root)) / root, root = sqrt(1 - x^2); to order 4: exp(-hk / 2) (1 + c x^2 + c e x^4).
    """
    a = np.sqrt((1.0 - r) * (1.0 + r))
    d, hk = np.abs(h - k), h * k
    c, e = (4.0 - hk) / 8.0, (12.0 - hk) / 16.0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        edge = np.where(a > 0.0, np.exp(-0.5 * (d / a) ** 2 - 0.5 * hk), 0.0)
        tail = np.where(a > 0.0, np.sqrt(2.0 * np.pi) * d * np.exp(log_ndtr(-d / a) - 0.5 * hk), 0.0)
        zeroth = a * edge - tail  # moments of x^(2 m) exp(-d^2 / 2 x^2 - hk / 2) over (0, a)
        second = (a**3 * edge - d * d * zeroth) / 3.0
        fourth = (a**5 * edge - d * d * second) / 5.0
        total = zeroth + c * second + c * e * fourth
        node, weight = legendre(24)
        x = a[:, None] * node
        root = np.sqrt(1.0 - x * x)
        far = -0.5 * (d[:, None] / x) ** 2
        rest = np.exp(far - hk[:, None] / (1.0 + root)) / root
        rest -= np.exp(far - 0.5 * hk[:, None]) * (1.0 + c[:, None] * x**2 * (1.0 + e[:, None] * x**2))
        total = total + a * (rest @ weight)
    total = np.where(a > 0.0, total, 0.0)
    out: Float1D = ndtr(np.minimum(h, k)) - total / (2.0 * np.pi)
    return out


def _trivariate(b: Float1D, r: Float2D) -> float:
    """Condition on the variable that the others hang on least; steps of width sqrt(1 - r^2) are given own panels."""
    size = np.abs(r - np.eye(3)).max(axis=0)
    first = int(np.argmin(size))
    i, j = (p for p in range(3) if p != first)
    top = min(float(b[first]), 9.5)
    if top <= -9.5:
        return 0.0
    edges = [*np.linspace(-9.5, top, 13)]
    for p in (i, j):
        slope, spread = r[first, p], np.sqrt(max(1.0 - r[first, p] ** 2, 0.0))
        if slope != 0.0:
            edges += [b[p] / slope + m * spread / abs(slope) for m in (-8.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 8.0)]
    x, weight = composite(np.unique(np.clip(edges, -9.5, top)), 24)
    si, sj = (np.sqrt(max(1.0 - r[first, p] ** 2, 0.0)) for p in (i, j))
    inner = r[i, j] - r[first, i] * r[first, j]
    rho = float(np.clip(inner / (si * sj), -1.0, 1.0)) if si * sj > 0.0 else 0.0

    def scaled(p: int, spread: float) -> Float1D:
        left = b[p] - r[first, p] * x
        return np.asarray(left / spread if spread > 0.0 else np.where(left >= 0.0, _FAR, -_FAR))

    density = weight * np.exp(-0.5 * x * x) / np.sqrt(2.0 * np.pi)
    return float(density @ bivariate_cdf(scaled(i, si), scaled(j, sj), rho))


def _ordered(b: Float1D, r: Float2D) -> tuple[Float1D, Float2D]:
    """Limits and Cholesky's factor with the least likely variable first, given the means of those before it.

    Genz (1992), section 4, and Gibson, Glasbey, Elston (1994): what varies most is then integrated first, and the
    factors that follow are smooth. Also where r is singular.
    """
    n, b, r = b.size, b.copy(), r.copy()
    lower, mean = np.zeros((n, n)), np.zeros(n)
    for k in range(n):
        spread = np.sqrt(np.maximum(np.diag(r)[k:] - (lower[k:, :k] ** 2).sum(axis=1), 1e-20))
        level = (b[k:] - lower[k:, :k] @ mean[:k]) / spread
        m = k + int(np.argmin(level))
        for each in (b, r, lower):
            each[[k, m]] = each[[m, k]]
        r[:, [k, m]] = r[:, [m, k]]
        own, at = float(spread[m - k]), float(level[m - k])
        if own <= _KNOWN:
            continue  # known from those before
        lower[k, k] = own
        lower[k + 1 :, k] = (r[k + 1 :, k] - lower[k + 1 :, :k] @ lower[k, :k]) / own
        mean[k] = -np.exp(-0.5 * at * at - _LOG_ROOT - log_ndtr(at))  # of a normal variable below `at`
    return b, lower


@lru_cache(maxsize=16)
def _tables(n_dims: int, seed: int) -> Int3D:
    """Scrambled directions of each replicate."""
    out = np.empty((REPLICATES, n_dims, sobol.COLUMNS), dtype=np.int64)
    sobol.scramble(seed, 0, sobol.directions(n_dims), out)
    return out


def replicates(b: ArrayLike, correlation: ArrayLike, *, n_points: int = 1 << 16, seed: int = 1) -> Float1D:
    """The probability that every X_i <= b_i by each of REPLICATES scrambles; equal where it is exact."""
    limit, r = np.array(b, dtype=np.float64), np.array(correlation, dtype=np.float64)
    kept = limit < _FAR
    limit, r = limit[kept], r[np.ix_(kept, kept)]
    if np.any(limit <= -_FAR):
        return np.zeros(REPLICATES)
    if limit.size <= 3:
        return np.full(REPLICATES, _exact(limit, r))
    each = max(n_points // REPLICATES, LANES)
    limit, lower = _ordered(limit, r)
    tables, out = _tables(limit.size - 1, seed), np.empty(REPLICATES)
    few = n_points * limit.size < _FEW
    share(REPLICATES, lambda part: orthants(tables[part], each // LANES * LANES, limit, lower, out[part]), small=few)
    return out


def _exact(limit: Float1D, r: Float2D) -> float:
    """The case of no, one, two or three variables."""
    if limit.size == 0:
        return 1.0
    if limit.size == 1:
        return float(ndtr(limit[0]))
    if limit.size == 2:
        return float(bivariate_cdf(limit[0], limit[1], float(np.clip(r[0, 1], -1.0, 1.0))))
    return _trivariate(limit, r)


def multivariate_cdf(
    b: ArrayLike, correlation: ArrayLike, *, n_points: int = 1 << 16, seed: int = 1
) -> tuple[float, float]:
    """(probability, standard error) that every X_i <= b_i; the error is 0 for up to three variables."""
    return mean_and_error(replicates(b, correlation, n_points=n_points, seed=seed))


def mean_and_error(each: Float1D) -> tuple[float, float]:
    """Of independent replicates; no error where all are one number."""
    if each.min() == each.max():
        return float(each[0]), 0.0
    return float(each.mean()), float(each.std(ddof=1)) / np.sqrt(each.size)
