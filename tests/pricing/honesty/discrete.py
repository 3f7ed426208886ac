"""What is looked at on n days, exactly: one normal step after another by Gauss-Legendre, good to about 1e-12.

Slow twins that share nothing with the engines: all in money under one measure, on nodes as dense as the shortest step
wants. The extreme of a walk of n equal steps also by Spitzer's identity (1956), without any step. The last step is in
closed form, so that kinks and jumps of the pay-off are never on a node; between two looks the value is smooth.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtr

_X, _W = np.polynomial.legendre.leggauss(16)
_FAR = 9.0  # standard deviations
_PANEL = 2.0  # steps


def _ends_between(x: Any, drift: float, std: float, low: float, high: float) -> tuple[Any, Any]:
    """From x: probability to end in [low, high], and the same times exp(end)."""
    a, b = (low - x - drift) / std, (high - x - drift) / std
    one = np.where(a > 0.0, ndtr(-a) - ndtr(-b), ndtr(b) - ndtr(a))
    a, b = a - std, b - std
    asset = np.where(a > 0.0, ndtr(-a) - ndtr(-b), ndtr(b) - ndtr(a))
    return one, np.exp(x + drift + 0.5 * std * std) * asset


def knock_out(
    spot: float, strike: float | None, low: float, high: float, tau: float, vol: float, rate: float, carry: float,
    looks: int, *, is_call: bool = True, at_hit: tuple[float, float] = (0.0, 0.0), at_expiry: float = 0.0,
) -> float:  # fmt: skip
    """Present value of what lives unless a look finds the price at or beyond low (0: none) or high (inf: none).

    Living, it pays the option (strike None: nothing) and `at_expiry`; `at_hit` is paid at the look that ends it, by
    side.
    """
    std, drift = vol * np.sqrt(tau / looks), (rate - carry - 0.5 * vol * vol) * tau / looks
    df = np.exp(-rate * tau / looks)
    with np.errstate(divide="ignore"):
        a, b = np.log(low / spot), np.log(high / spot)
    ends = _FAR * vol * np.sqrt(tau)
    whole = drift * looks
    # the growth of the asset moves the mass by std^2 more
    near, far = min(0.0, whole), max(0.0, whole + vol * vol * tau)
    start, stop = max(a, near - ends), min(b, far + ends)

    def last(x: Any) -> Any:
        alive, _ = _ends_between(x, drift, std, a, b)
        out = at_expiry * alive
        if strike is not None:
            k = np.log(strike / spot)
            first, second = (max(a, k), b) if is_call else (a, min(b, k))
            if second > first:
                one, asset = _ends_between(x, drift, std, first, second)
                out = out + (1.0 if is_call else -1.0) * (spot * asset - strike * one)
        return df * (out + hits(x))

    def hits(x: Any) -> Any:
        return at_hit[0] * ndtr((a - x - drift) / std) + at_hit[1] * ndtr(-(b - x - drift) / std)

    if looks == 1:
        return float(last(np.zeros(1))[0])
    n = max(2, int(np.ceil((stop - start) / (_PANEL * std))))
    edges = np.linspace(start, stop, n + 1)
    half = 0.5 * np.diff(edges)[:, None]
    y = (edges[:-1, None] + half + half * _X).ravel()
    w = (half * _W).ravel()
    value = last(y)

    def density(x: Any) -> Any:
        return np.exp(-0.5 * ((y - x - drift) / std) ** 2) / (std * np.sqrt(2.0 * np.pi)) * w

    step = density(y[:, None])
    paid = hits(y)
    for _ in range(looks - 2):
        value = df * (step @ value + paid)
    return float(df * (density(0.0) @ value + hits(np.zeros(1))[0]))


def watched(
    spot: float, strike: float | None, low: float, high: float, times: Any, tau: float, vol: float, rate: float,
    carry: float, *, is_call: bool = True, at_expiry: float = 0.0,
) -> float:  # fmt: skip
    """As `knock_out` without a hit's payment, looked at on any days up to tau."""
    a, b = (np.log(x / spot) if 0.0 < x < np.inf else np.copysign(np.inf, x - 1.0) for x in (low, high))
    m, gaps = rate - carry - 0.5 * vol * vol, np.diff(times, prepend=0.0)
    ends = _FAR * vol * np.sqrt(tau)
    start, stop = max(a, min(0.0, m * tau) - ends), min(b, max(0.0, m * tau + vol * vol * tau) + ends)
    n = max(4, int(np.ceil((stop - start) / (_PANEL * vol * np.sqrt(float(gaps.min()))))))
    edges = np.linspace(start, stop, n + 1)
    half = 0.5 * np.diff(edges)[:, None]
    y, w = (edges[:-1, None] + half + half * _X).ravel(), (half * _W).ravel()

    def paid(x: Any, t: float, first: float, last: float) -> Any:
        out = at_expiry * _ends_between(x, m * t, vol * np.sqrt(t), first, last)[0]
        if strike is not None:
            k = np.log(strike / spot)
            one, asset = _ends_between(x, m * t, vol * np.sqrt(t), *((max(first, k), last) if is_call else
                                                                      (first, min(last, k))))  # fmt: skip
            out = out + np.where(one > 0.0, (1.0 if is_call else -1.0) * (spot * asset - strike * one), 0.0)
        return out

    def back(x: Any, t: float, value: Any) -> Any:
        z = (y - np.atleast_1d(x)[:, None] - m * t) / (vol * np.sqrt(t))
        return np.exp(-0.5 * z * z) / (vol * np.sqrt(2.0 * np.pi * t)) @ (w * value)

    rest, left = tau - times[-1], list(gaps)
    if rest > 1e-9 * tau:
        value = paid(y, rest, -np.inf, np.inf)
    elif len(left) == 1:
        return float(np.exp(-rate * tau) * paid(np.zeros(1), tau, a, b)[0])
    else:
        value = paid(y, left.pop(), a, b)
    while len(left) > 1:
        value = back(y, left.pop(), value)
    return float(np.exp(-rate * tau) * back(0.0, left[0], value)[0])


def mean_extreme(drift: float, std: float, n: int, up: bool) -> float:
    """E[exp(M)] of the largest (or least) of 0 and n sums of normal steps, n a_n = sum of c_k a_(n-k)."""
    k = np.arange(1, n + 1)
    m, s, side = drift * k, std * np.sqrt(k), 1.0 if up else -1.0
    c = ndtr(-side * m / s) + np.exp(m + 0.5 * s * s) * ndtr(side * (m / s + s))
    a = np.ones(n + 1)
    for j in range(1, n + 1):
        a[j] = c[:j] @ a[j - 1 :: -1][:j] / j
    return float(a[n])


def extreme_beyond(level: float, up: bool, carry: float, vol: float, first: float, step: float, n: int) -> float:
    """E of what the extreme adds to a spot of 1 beyond exp(+-level), looked at `first` and then every step."""
    side, x, w = (1.0 if up else -1.0), *_dense(level, abs(carry) + 0.5 * vol**2, vol, step, n)

    def moved(value: Any, edge: float, at: Any, t: float) -> Any:
        m, s = (carry - 0.5 * vol * vol) * t, vol * np.sqrt(t)
        z = (np.atleast_1d(at)[:, None] - x) * side
        inside = (np.exp(z - 0.5 * ((z - m) / s) ** 2) / (s * np.sqrt(2.0 * np.pi)) * w) @ value
        cash, asset = ndtr((side * m - at) / s), np.exp(m + 0.5 * s * s) * ndtr((side * (m + s * s) - at) / s)
        return inside + side * (asset - np.exp(side * at) * cash) + edge * asset

    value, edge = np.zeros_like(x), 0.0
    if n == 1:
        return float(moved(value, edge, level, first)[0])
    for _ in range(n - 2):
        value, edge = moved(value, edge, x, step), float(moved(value, edge, 0.0, step)[0])
    m, s = (carry - 0.5 * vol * vol) * first, vol * np.sqrt(first)
    ends = np.unique([*np.linspace(m - 10.0 * s, m + (10.0 + s) * s, 81), side * level])  # of the first step
    half = 0.5 * np.diff(ends)[:, None]
    z, by = (ends[:-1, None] + half + half * _X).ravel(), (half * _W).ravel()
    left = level - side * z
    there = np.exp(z) * moved(value, edge, np.maximum(left, 0.0), step)
    there += np.where(left < 0.0, side * (np.exp(z) - np.exp(side * level)), 0.0)
    return float((by * np.exp(-0.5 * ((z - m) / s) ** 2)) @ there / (s * np.sqrt(2.0 * np.pi)))


def _dense(level: float, lean: float, vol: float, step: float, n: int) -> tuple[Any, Any]:
    top = level + lean * step * n + 10.0 * vol * np.sqrt(step * n)
    edges = np.linspace(0.0, top, max(4, int(np.ceil(top / (vol * np.sqrt(step))))) + 1)
    half = 0.5 * np.diff(edges)[:, None]
    return (edges[:-1, None] + half + half * _X).ravel(), (half * _W).ravel()
