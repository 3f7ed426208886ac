"""Gaussian steps of functions that are smooth but for known jumps: the trapezoidal rule, and what it misses at a jump.

On equal nodes the trapezoidal rule moves a smooth function by a normal step to machine precision, as soon as the step
is 1.5 nodes wide or more. A function f + H(x >= b) D(x), H Heaviside's step, loses that at b. There D is replaced by
its polynomial p around b; of H p both the exact integral, by the recursion of truncated normal moments

    J_0 = Phi(m / s),  J_1 = m J_0 + s phi(m / s),  J_k = m J_(k-1) + (k - 1) s^2 J_(k-2),   m = x - b,

and the trapezoidal sum are known, and their difference is added at the nodes within reach of b. What is left is smooth
to the order of the polynomial.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import correlate1d
from scipy.signal import fftconvolve
from scipy.special import ndtr

from research.arrays import Float1D, Float2D

DEGREE = 5
REACH = 8.3  # standard deviations: beyond lies 1e-16
_ROOT = np.sqrt(2.0 * np.pi)
_DIRECT = 129  # weights up to which a step is summed directly
_NOISE = 1e-12
_RANGE = 1e4  # of the values, beyond which it always is


@dataclass(frozen=True, slots=True, eq=False)
class Break:
    """H(x >= at) times the polynomial sum of coefficients[k] (x - at)^k."""

    at: float
    coefficients: Float1D  # shape (DEGREE + 1,)


def constant(at: float, jump: float) -> Break:
    """A jump by a constant."""
    out = np.zeros(DEGREE + 1)
    out[0] = jump
    return Break(at, out)


def exponential(at: float, a: float, b: float, rate: float) -> Break:
    """A jump by a + b exp(rate (x - at))."""
    out = np.empty(DEGREE + 1)
    out[0] = a + b
    term = b
    for k in range(1, DEGREE + 1):
        term *= rate / k
        out[k] = term
    return Break(at, out)


@functools.cache
def _inverse(n: int) -> Float2D:
    """Values of a polynomial at 0 ... n - 1, less (n - 1) / 2, to its coefficients."""
    where = np.arange(n) - 0.5 * (n - 1)
    out: Float2D = np.linalg.inv(np.vander(where, increasing=True))
    return out


def sampled(at: float, grid: Float1D, values: Float1D) -> Break | None:
    """A jump by a smooth function given at the nodes; None beyond the grid."""
    h, n = grid[1] - grid[0], DEGREE + 1
    first = int(np.floor((at - grid[0]) / h)) - n // 2 + 1
    if not 0 <= first <= grid.size - n:
        return None
    centred = _inverse(n) @ values[first : first + n]  # around the middle of the nodes, in nodes
    shift = (at - grid[first]) / h - 0.5 * (n - 1)
    out = np.zeros(n)
    for k in range(n - 1, -1, -1):  # Horner: move the polynomial by `shift`
        out[1:] = shift * out[1:] + out[:-1]
        out[0] = shift * out[0] + centred[k]
    return Break(at, out / h ** np.arange(n))


@functools.lru_cache(maxsize=64)
def _weights(std: float, h: float) -> Float1D:
    """Trapezoidal weights of a normal step, from -n to n nodes."""
    n = int(np.ceil(REACH * std / h))
    u = np.arange(-n, n + 1) * (h / std)
    return np.asarray(np.exp(-0.5 * u * u) * (h / (std * _ROOT)))


def _missed(grid: Float1D, item: Break, std: float) -> tuple[slice, Float1D]:
    """(nodes, exact integral less trapezoidal sum of the break there)."""
    h = grid[1] - grid[0]
    n = int(np.ceil(REACH * std / h))
    middle = int(np.ceil((item.at - grid[0]) / h))
    low, high = max(0, middle - n), min(grid.size, middle + n + 1)
    if low >= high:
        return slice(0, 0), np.empty(0)
    x = grid[low:high] - item.at
    scale = std ** np.arange(DEGREE + 1)
    c, m = item.coefficients * scale, x / std
    below, here = ndtr(m), np.exp(-0.5 * m * m) / _ROOT
    total = c[0] * below + c[1] * (m * below + here)
    before, now = below, m * below + here
    for k in range(2, c.size):
        before, now = now, m * now + (k - 1) * before
        total += c[k] * now
    first = grid[0] + middle * h - item.at  # the first node at or after the break
    y = (first + np.arange(high - middle + n) * h) / std
    sums = np.convolve(np.polynomial.polynomial.polyval(y, c), _weights(std, h))  # of nodes from middle - n on
    total -= sums[low - middle + n : high - middle + n]
    return slice(low, high), total


def step(grid: Float1D, values: Float1D, breaks: list[Break], std: float, spot_rate: float) -> Float1D:
    """E[f(x + std Z)] at every node of the grid, shape (n,); f = `values` at the nodes, with the breaks in it.

    Beyond the grid f goes on as a + b exp(spot_rate x): the value of a note is linear in the spot there.
    """
    h = float(grid[1] - grid[0])
    weights = _weights(std, h)
    n = weights.size // 2
    far = min(max(n, 8), grid.size - 1)
    away = np.arange(1, n + 1)
    rise = np.expm1(spot_rate * h * away)
    below, above = (
        0.0 if abs(rises) < _NOISE * float(np.abs(values).min() + abs(at)) else rises
        for rises, at in ((values[far] - values[0], values[0]), (values[-1] - values[-1 - far], values[-1]))
    )  # rounding of a constant must not grow
    left = values[0] + below * np.expm1(-spot_rate * h * away) / np.expm1(spot_rate * h * far)
    right = values[-1] + above * rise / -np.expm1(-spot_rate * h * far)
    padded = np.concatenate((left[::-1], values, right))
    least = float(np.abs(values).min())
    if weights.size <= _DIRECT or float(np.abs(padded).max()) > _RANGE * max(
        least, 1.0
    ):  # rounding hangs on the largest
        out: Float1D = correlate1d(padded, weights, mode="constant")[n : n + values.size]
    else:
        out = fftconvolve(padded, weights, mode="valid")
    for item in breaks:
        rows, more = _missed(grid, item, std)
        out[rows] += more
    return out
