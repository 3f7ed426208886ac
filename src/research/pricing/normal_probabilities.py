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
from scipy.special import log_ndtr, ndtr, ndtri

from research.arrays import Float1D, Float2D, reshape, vectors
from research.errors import require_all

_HIGH = 0.925  # correlation above which the integral is taken from the other end
_FAR = 40.0  # stands for infinity


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


def _separated(b: Float1D, r: Float2D, n_points: int, seed: int) -> tuple[float, float]:
    """Genz (1992) on 16 scrambles of n_points / 16 points: estimate and standard error."""
    from scipy.stats import qmc

    at = np.argsort(b)  # the narrowest limits first
    b, r = b[at], r[np.ix_(at, at)]
    values, vectors_ = np.linalg.eigh(r)
    lower = np.linalg.qr((vectors_ * np.sqrt(np.maximum(values, 0.0))).T)[1].T  # Cholesky, also where r is singular
    lower = lower * np.where(np.diag(lower) < 0.0, -1.0, 1.0)
    n, each = b.size, []
    for replicate in range(16):
        points = qmc.Sobol(n - 1, scramble=True, rng=np.random.default_rng([seed, replicate])).random(n_points // 16)
        y = np.zeros((n_points // 16, n))
        product = np.full(n_points // 16, ndtr(b[0] / lower[0, 0]))
        top = product.copy()
        for i in range(1, n):
            y[:, i - 1] = ndtri(np.clip(points[:, i - 1] * top, 1e-300, 1.0 - 1e-16))
            left = b[i] - y[:, :i] @ lower[i, :i]
            spread = lower[i, i]
            top = ndtr(left / spread) if spread > 1e-12 else (left >= 0.0).astype(float)
            product *= top
        each.append(product.mean())
    return float(np.mean(each)), float(np.std(each, ddof=1) / 4.0)


def multivariate_cdf(
    b: ArrayLike, correlation: ArrayLike, *, n_points: int = 1 << 16, seed: int = 1
) -> tuple[float, float]:
    """(probability, standard error) that every X_i <= b_i; the error is 0 for up to three variables."""
    limit, r = np.array(b, dtype=np.float64), np.array(correlation, dtype=np.float64)
    if np.any(limit <= -_FAR):
        return 0.0, 0.0
    kept = limit < _FAR
    limit, r = limit[kept], r[np.ix_(kept, kept)]
    if limit.size == 0:
        return 1.0, 0.0
    if limit.size == 1:
        return float(ndtr(limit[0])), 0.0
    if limit.size == 2:
        return float(bivariate_cdf(limit[0], limit[1], float(np.clip(r[0, 1], -1.0, 1.0)))), 0.0
    if limit.size == 3:
        return _trivariate(limit, r), 0.0
    return _separated(limit, r, n_points, seed)
