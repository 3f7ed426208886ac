"""Paths kept inside knock-out barriers where the price moves in a chart: one-step survival, weight by weight.

Every step is a function of one normal that grows with it, so a barrier is a level of that normal: the path takes a
normal between the levels of its limits, and its weight falls by the chance of that. A Brownian step meets the level on
a line; a Bessel process (CEV) where its quantile does, found in its table to 1e-10 of a standard deviation.

References
----------
Glasserman, Staum (2001), "Conditioning on one-step survival for barrier option simulations", Operations Research 49.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from research.arrays import Float1D, Float2D
from research.pricing.paths.charts import Chart

Step = Callable[[int, Float1D, Float1D], Float1D]  # (step, y, normal) -> y at its end, growing with the normal
Cut = Callable[[int, Float1D, float], Float1D]  # (step, y, level) -> the normal that ends there
_END, _SURE, _NEVER = 8.0, 5.0, 38.0  # of normals: that a table knows, whose level it surely does, of no chance
_LEAST, _CLOSE, _ROUNDS = 1e-300, 1e-10, 60


def in_chart(limits: Float2D, chart: Chart, times: Float1D) -> Float2D:
    """Low and high price of each time in the chart's coordinate; a low of 0 is none, as that of a positive price."""
    growth = chart.column(times)
    low, high = limits[:, :1], limits[:, 1:]
    none = (low == 0.0) | (low == -np.inf)
    with np.errstate(invalid="ignore"):
        below = np.where(none, -np.inf, chart.to(np.where(none, 1.0, low) * growth))
        above = np.where(high == np.inf, np.inf, chart.to(np.where(high == np.inf, 1.0, high) * growth))
    return np.asarray(np.concatenate((below, above), axis=1))


def between(z: Float1D, low: Float1D, high: Float1D) -> tuple[Float1D, Float1D]:
    """(the normal of the same rank between two others, the chance to be there), accurate in both tails."""
    flip = np.where(low + high > 0.0, -1.0, 1.0)  # in the lower tail nothing cancels
    a, b = ndtr(np.where(flip > 0.0, low, -high)), ndtr(np.where(flip > 0.0, high, -low))
    chance = np.maximum(b - a, 0.0)
    inside = flip * ndtri(np.clip(a + ndtr(flip * z) * chance, _LEAST, 1.0 - 2.0**-53))
    return np.clip(inside, low, high), chance


def walked(w: Float2D, root: Float1D, start: Float1D, limits: Float2D, step: Step, cut: Cut) -> tuple[Float2D, Float2D]:
    """(y, weight), one row a time; `limits` in y, infinite where there are none."""
    x, weight = np.empty(w.shape), np.empty(w.shape)
    y, alive, before = start, np.ones(w.shape[1]), np.zeros(w.shape[1])
    for k in range(root.size):
        z, before = (w[k] - before) / root[k], w[k]
        low, high = limits[k]
        if np.isfinite(low) or np.isfinite(high):
            first = cut(k, y, float(low)) if np.isfinite(low) else np.full_like(z, -_NEVER)
            last = cut(k, y, float(high)) if np.isfinite(high) else np.full_like(z, _NEVER)
            first, last = (np.clip(one, -_NEVER, _NEVER) for one in (first, last))
            z, chance = between(z, first, np.maximum(first, last))
            alive = alive * chance
        y = step(k, y, z)
        x[k], weight[k] = y, alive
    return x, weight


def brownian(root: Float1D, drift: float) -> tuple[Step, Cut]:
    """y moves by W and a straight line."""

    def step(k: int, y: Float1D, z: Float1D) -> Float1D:
        return np.asarray(y + root[k] * z + drift * root[k] ** 2)

    def cut(k: int, y: Float1D, level: float) -> Float1D:
        return np.asarray((level - y - drift * root[k] ** 2) / root[k])

    return step, cut


def _root(step: Step, k: int, y: Float1D, level: float, z: Float1D, slope: Any) -> Float1D:
    """The normal that ends at a level: secants inside a bracket, else its middle."""
    a, b = np.full(z.size, -_END), np.full(z.size, _END)
    over = step(k, y, z) - level
    slope = np.full(z.size, float(slope))
    for _ in range(_ROUNDS):
        a, b = np.where(over < 0.0, z, a), np.where(over < 0.0, b, z)
        guess = z - over / slope
        moved = np.where((guess >= a) & (guess <= b), guess, 0.5 * (a + b))
        gap = moved - z
        if np.abs(gap).max(initial=0.0) < _CLOSE:
            break
        then = step(k, y, moved) - level
        rise = (then - over) / np.where(gap == 0.0, 1.0, gap)
        slope = np.where((rise > 0.2 * slope) & (rise < 5.0 * slope), rise, slope)
        z, over = moved, then
    return z


def tabulated(root: Float1D, step: Step) -> tuple[Step, Cut]:
    """A step that is a table: its inverse by secants between brackets, from where a Brownian motion would meet it."""

    def cut(k: int, y: Float1D, level: float) -> Float1D:
        z = (level - y) / root[k]
        far = np.flatnonzero(np.abs(z) > _SURE)
        out = np.clip(z, -_END, _END)
        for end, none in ((-_END, -_NEVER), (_END, _NEVER)):
            over = step(k, y[far], np.full(far.size, end)) - level
            out[far[over >= 0.0 if end < 0.0 else over <= 0.0]] = none
        at = np.flatnonzero(np.abs(out) < _NEVER)
        out[at] = _root(step, k, y[at], level, out[at], root[k])
        return np.asarray(out)

    return step, cut


__all__ = ["between", "brownian", "in_chart", "tabulated", "walked"]
