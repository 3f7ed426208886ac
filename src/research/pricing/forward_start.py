"""Forward-start options and cliquets: sums over the laws of single returns.

A forward start is worth a European option on the return, under the measure of the underlying (or of money, if it is
paid on the return): Black's formula, or the cosine series of the forward characteristic function (Heston, Bates,
Merton, Variance Gamma). The whole curve is used.

A cliquet without bounds on the sum is a sum of such options. With them the returns must be independent: the law of each
capped return is put on a grid so that the mean of each cell is kept, the laws are convolved by the FFT, and the sum's
puts at the bounds are read off. The error falls with the square of the step; the difference of two grids is stated.

References
----------
Rubinstein (1990), "Pay now, choose later", Risk 4(2). Kruse, Noegel (2005), Finance and Stochastics 9, 233-250.
Haug (2007), The Complete Guide to Option Pricing Formulas, 2nd ed., sections 4.7 and 4.8.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.errors import NoEngineError, rule
from research.instruments import Cliquet, ForwardStart
from research.market import Snapshot
from research.models import black
from research.pricing import _clock
from research.pricing._returns import Jumping, Lognormal, Return, Today, is_independent, is_stationary, law
from research.pricing.catalogue import Values

_TINY = 1e-17  # of the notional: what a truncation of a return may cost
_ROUNDING = 1e-14
_AGREE = 1e-9  # of the series behind a cliquet


def value(items: Sequence[ForwardStart], model: Any, snapshot: Snapshot) -> Values:
    """Forward-start options; the engine's door for `pricing.price`."""
    tau = np.array([item.years(snapshot.as_of) for item in items])
    start = np.array([item.start_years(snapshot.as_of) for item in items])
    first, last, df = snapshot.forward(start), snapshot.forward(tau), snapshot.discount.df(tau)
    on_return, is_call = (np.array([getattr(item, name) for item in items]) for name in ("on_return", "is_call"))
    strike = np.array([item.strike for item in items]) * first / last
    unit = df * np.where(on_return, last / first, last)
    if "deterministic_vol" in model.abilities:
        if hasattr(model, "sigma"):
            paid = np.asarray(black.price(1.0, strike, tau - start, model.sigma, is_call=is_call))
        else:
            paid = np.asarray(black.price(1.0, strike, 1.0, _clock.std(model, tau, start), is_call=is_call))
        return Values(unit * paid, np.zeros_like(unit), unit * _ROUNDING * np.maximum(1.0, strike))
    put, gap = np.empty_like(unit), np.empty_like(unit)
    for key in set(zip(start.tolist(), tau.tolist(), on_return.tolist())):  # options that share a law
        here = np.flatnonzero((start == key[0]) & (tau == key[1]) & (on_return == key[2]))
        put[here], gap[here] = law(model, key[1] - key[0], key[0], share=not key[2]).puts(np.log(strike[here]))
    paid = np.maximum(put + np.where(is_call, 1.0 - strike, 0.0), 0.0)
    return Values(unit * paid, np.zeros_like(unit), unit * (gap + _ROUNDING * np.maximum(1.0, strike)))


class _Period:
    """One period's return R with its forward: calls and puts on it, undiscounted, in units of the notional."""

    def __init__(self, forward: float, returns: Return | Jumping | Today | Lognormal) -> None:
        self.forward, self.returns, self.error = forward, returns, 0.0  # the largest error of a put so far

    def puts(self, level: Float1D) -> Float1D:
        """E[max(level - (R - 1), 0)]; 0 for a level of -1 or less."""
        strike = np.maximum(1.0 + level, 0.0) / self.forward
        out = np.zeros_like(strike)
        real = strike > 1e-12
        if real.any():
            put, gap = self.returns.puts(np.log(strike[real]))
            out[real] = put * self.forward
            self.error = max(self.error, float(gap.max()) * self.forward)
        return out

    def calls(self, level: Float1D) -> Float1D:
        """E[max(R - 1 - level, 0)]."""
        out: Float1D = np.maximum(self.puts(level) + self.forward - 1.0 - level, 0.0)
        return out

    def mean(self, low: float, high: float | None) -> float:
        """E of the return between its bounds."""
        levels = np.array([low] if high is None else [low, high])
        calls = self.calls(levels)
        return float(low + calls[0] - (0.0 if high is None else calls[1]))


def cliquets(items: Sequence[Cliquet], model: Any, snapshot: Snapshot, *, n_grid: int = 4096) -> Values:
    """Cliquets; `n_grid` points for each return where the sum has bounds."""
    found, error = np.empty(len(items)), np.empty(len(items))
    for i, item in enumerate(items):
        periods = _periods(item, model, snapshot)
        unit = item.notional * snapshot.discount.df(float(item.years(snapshot.as_of)[-1]))
        paid, gap = _expected(item, periods, model, n_grid)
        found[i] = unit * paid
        error[i] = abs(unit) * (gap + sum(p.error for p in periods) + _ROUNDING * len(periods))
    return Values(found, np.zeros_like(found), error)


def _periods(item: Cliquet, model: Any, snapshot: Snapshot) -> list[_Period]:
    """The periods in order; those of one length and forward are one object where returns do not depend on the past."""
    ends = item.years(snapshot.as_of)
    starts = np.concatenate([[0.0], ends[:-1]])
    forwards = snapshot.forward(ends) / snapshot.forward(starts)
    forwards[0] *= snapshot.spot / (item.initial or snapshot.spot)
    alike: dict[Any, _Period] = {}
    out = []
    for f, a, b in zip(forwards.tolist(), starts.tolist(), ends.tolist()):
        key = (round(f, 13), round(b - a, 13), 0.0 if is_stationary(model) else a)
        if key not in alike:
            alike[key] = _Period(f, law(model, b - a, a, share=False, agree=_AGREE))
        out.append(alike[key])
    return out


def _expected(item: Cliquet, periods: list[_Period], model: Any, n_grid: int) -> tuple[float, float]:
    """E of the capped and floored sum, and an error: the sum, plus a put at its floor, less a call at its cap."""
    low, high = item.local_floor, item.local_cap
    mean = item.accrued + sum(p.mean(low, high) for p in periods)
    bounds = [g for g in (item.global_floor, item.global_cap) if g is not None]
    if not bounds:
        return mean, 0.0
    if not is_independent(model) and len(periods) > 1:
        name = type(model).__name__
        hint = "Use method='paths', or leave out global_floor and global_cap."
        raise NoEngineError(rule("model", "have independent returns for a cliquet with bounds on the sum", name, hint))
    levels = np.array(bounds) - item.accrued
    puts, gap = _sum_puts(periods, low, high, levels, n_grid)
    paid = mean
    if item.global_floor is not None:
        paid += puts[0]  # max(x, g) = x + max(g - x, 0)
    if item.global_cap is not None:
        paid += item.global_cap - mean - puts[-1]  # min(x, g) = x - (x - g) - max(g - x, 0)
    return paid, gap * len(bounds)


def _sum_puts(
    periods: list[_Period], low: float, high: float | None, levels: Float1D, n_grid: int
) -> tuple[Float1D, float]:
    """E[max(level - sum, 0)] for each level, and an error."""
    n = len(periods)
    top = float(levels.max()) - (n - 1) * low  # one return beyond it lifts the sum over every level
    top = top if high is None else min(top, high)
    if top <= low:
        return np.zeros_like(levels), 0.0
    if n == 1:  # E[max(level - R, 0)] of a return between low and high
        inside = periods[0].puts(np.minimum(levels, np.inf if high is None else high)) - periods[0].puts(
            np.array([low])
        )
        above = 0.0 if high is None else np.maximum(levels - high, 0.0)
        return np.where(levels > low, inside + above, 0.0), 0.0
    start, stop = _trimmed(periods, low, top)
    fine, coarse = (_convolved(periods, start, stop, levels, m) for m in (n_grid, n_grid // 2))
    return fine + (fine - coarse) / 3.0, float(np.abs(fine - coarse).max())


def _trimmed(periods: list[_Period], low: float, top: float) -> tuple[float, float]:
    """The part of [low, top] where a return can end, to a loss of 1e-17."""
    spread = np.concatenate([-np.geomspace(1.0, 1e-4, 400), [0.0], np.geomspace(1e-4, 1e3, 800)])
    puts = np.max([p.puts(spread) for p in dict.fromkeys(periods)], axis=0)
    calls = np.max([p.calls(spread) for p in dict.fromkeys(periods)], axis=0)
    floor = max((p.error for p in periods), default=0.0)
    dead_low, dead_high = spread[puts <= max(_TINY, floor)], spread[calls <= max(_TINY, floor)]
    start = max(low, float(dead_low.max())) if dead_low.size else low
    stop = min(top, float(dead_high.min())) if dead_high.size else top
    return (start, stop) if stop > start else (low, top)


def _convolved(periods: list[_Period], start: float, stop: float, levels: Float1D, m: int) -> Float1D:
    """Puts on the sum from laws on m + 1 points each, the mean of every cell kept."""
    n, h = len(periods), (stop - start) / m
    x: Any = start + h * np.arange(m + 1)
    size = n * m + 1
    length = 1 << int(np.ceil(np.log2(size)))
    transform = np.ones(length // 2 + 1, dtype=complex)
    for p in dict.fromkeys(periods):
        calls = p.calls(x)
        calls = calls - calls[-1]  # of the return cut at the top
        slope = np.diff(calls) / h  # minus the probability to end above, averaged over a cell
        weight = np.diff(np.concatenate([[-1.0], slope, [0.0]]))
        transform *= np.fft.rfft(weight, length) ** periods.count(p)
    law_of_sum = np.fft.irfft(transform, length)[:size]
    total = n * start + h * np.arange(size)
    out: Float1D = np.array([float(law_of_sum @ np.maximum(level - total, 0.0)) for level in levels])
    return out
