"""American and Bermudan options under any model with paths: Longstaff and Schwartz below, Andersen and Broadie above.

The rule is fitted on one set of paths, as a polynomial of the price and, where there is one, of the variance; it is
valued on another set, so that its value is a lower bound in the mean. The control is S / F stopped at exercise, whose
mean is 1. The upper bound is the dual of Rogers with the martingale of the rule itself: on every outer path and date,
inner paths that follow the rule say what it is worth to go on (Andersen and Broadie 2004). Inner noise widens the bound
and never invalidates it. Today's exercise is looked at last.

References
----------
Longstaff, Schwartz (2001), "Valuing American options by simulation", RFS 14, 113-147.
Andersen, Broadie (2004), "Primal-dual simulation algorithm for pricing multidimensional American options", Management
Science 50, 1222-1234.
Rasmussen (2005), "Control variates for Monte Carlo valuation of American options", J. Comp. Finance 9(1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.core.random import sobol
from research.errors import require
from research.instruments import American, Bermudan
from research.market import Snapshot
from research.pricing.carry import up_to_end
from research.pricing.catalogue import Values
from research.pricing.paths.cash import before_dividends
from research.pricing.paths.generators import Block, Generator, Request, generator

_FEW = 20  # paths in the money below which no rule is fitted
_BLOCK = 8192  # paths valued together
_INNER = 1 << 40  # first path of the inner samples: none of them is met elsewhere
_FRESH = 1 << 32  # first path on which the rule is valued


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rule:
    """When to exercise: where the gain is positive and at least the continuation, a polynomial a date.

    Both are in units of the strike, discounted to the date.
    """

    coefficients: Float2D  # (n_dates - 1, n_basis); inf in the first column: never
    variance_unit: float  # 1/year, by which the variance is divided; 0 where the price alone counts

    def continuation(self, date: int, gain: Float1D, variance: Float1D | None) -> Float1D:
        """Value of going on after a date, shape (n_paths,)."""
        row = self.coefficients[date]
        if np.isinf(row[0]):
            return np.full(gain.size, np.inf)
        out = np.zeros(gain.size)
        for c, column in zip(row, _basis(gain, variance, self.variance_unit), strict=True):
            out += c * column
        return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bounds:
    """Lower and upper bound of an option that may be exercised on given dates."""

    lower: float  # value of the fitted rule, price units
    lower_error: float  # its standard error
    upper: float  # nan where it was not asked for
    upper_error: float
    times: Float1D  # exercise dates, years
    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Option:
    """What the simulation needs of the contract."""

    times: Float1D
    df: Float1D
    strike: float
    sign: float  # +1 call, -1 put

    def gains(self, block: Block) -> Float2D:
        """sign (S / K - 1) at each date."""
        out: Float2D = self.sign * (block.spot / self.strike - 1.0)
        return out


def _basis(gain: Float1D, variance: Float1D | None, unit: float) -> list[Any]:
    """Polynomials of degree three of the gain and of the variance."""
    g2 = gain * gain
    columns: list[Any] = [np.ones_like(gain), gain, g2, g2 * gain]
    if variance is None or unit <= 0.0:
        return columns
    y = variance / unit - 1.0
    y2 = y * y
    return [*columns, y, y * gain, y * g2, y2, y2 * gain, y2 * y]


def _row(block: Block, j: int) -> Any:
    return None if block.logs.variance is None else block.logs.variance[j]


def fit_rule(option: _Option, block: Block) -> Rule:
    """The rule, backwards over the dates, by least squares on the paths in the money."""
    gains, variance = option.gains(block), block.logs.variance
    unit = 0.0 if variance is None else float(variance.mean())
    width = 10 if unit > 0.0 else 4
    out = np.zeros((option.times.size - 1, width))
    value = option.df[-1] * np.maximum(gains[-1], 0.0)
    for j in range(option.times.size - 2, -1, -1):
        inside = np.flatnonzero(gains[j] > 0.0)
        if inside.size < _FEW * width // 4:
            out[j, 0] = np.inf
            continue
        gain = gains[j, inside]
        columns = np.stack(_basis(gain, None if variance is None else variance[j, inside], unit))
        scale = np.sqrt((columns * columns).sum(axis=1)) + 1e-300
        scaled = columns / scale[:, None]
        gram = np.einsum("ik,jk->ij", scaled, scaled)  # no BLAS: the same sums on any number of threads
        right = np.einsum("ik,k->i", scaled, value[inside] / option.df[j])
        found = np.linalg.lstsq(gram, right, rcond=1e-12)[0]
        out[j] = found / scale
        now = gain >= found @ scaled
        value[inside[now]] = option.df[j] * gain[now]
    return Rule(coefficients=out, variance_unit=unit)


def _stopped(option: _Option, rule: Rule, block: Block, first: int = 0) -> tuple[Float1D, Float1D]:
    """(discounted gain, S / F) at exercise by the rule, per path; the block's rows are dates `first` and after."""
    gains, n = option.gains(block), option.times.size
    value, ratio = np.zeros(block.n_paths), np.array(block.over_forward(-1))
    alive = np.ones(block.n_paths, dtype=bool)
    for j in range(first, n):
        gain = gains[j - first]
        now = alive & (gain > 0.0)
        if j < n - 1:
            some = np.flatnonzero(now)
            variance = _row(block, j - first)
            kept = rule.continuation(j, gain[some], None if variance is None else variance[some])
            now[some] = gain[some] >= kept
        value[now] = option.df[j] * gain[now]
        ratio[now] = block.over_forward(j - first)[now]
        alive &= ~now
    return value, ratio


_NO_TABLE = np.zeros((0, sobol.COLUMNS), dtype=np.int64)


def _blocks(made: Generator, seed: int, first: int, n: int) -> Any:
    """Blocks of n paths from path `first`."""
    for start in range(0, n, _BLOCK):
        yield made.block(_NO_TABLE, seed, 0, first + start, min(_BLOCK, n - start))


def _lower(option: _Option, rule: Rule, made: Generator, seed: int, n: int) -> tuple[float, float]:
    """(value of the rule, its standard error), in strikes."""
    sums = np.zeros(5)
    for block in _blocks(made, seed, _FRESH, n):
        y, c = _stopped(option, rule, block)
        c = c - 1.0
        sums += [each.sum() for each in (y, y * y, c, y * c, c * c)]
    y, yy, c, yc, cc = sums / n
    spread = cc - c * c
    slope = float((yc - y * c) / spread) if spread > 1e-14 else 0.0
    rest = max(float(yy - y * y - slope * (yc - y * c)), 0.0)
    return float(y - slope * c), float(np.sqrt(rest / n))


def _slope(option: _Option, rule: Rule, made: Generator, outer: Block, j: int) -> Float1D:
    """How the rule's worth moves with S / F after date j: from the fitted polynomial, half as much out of the money.

    It comes from the fit, not from the inner paths, so the control leaves the martingale one.
    """
    if np.isinf(rule.coefficients[j, 0]):
        return np.zeros(outer.n_paths)
    gain, variance, width = option.gains(outer)[j], _row(outer, j), 1e-3
    inside = np.maximum(gain, width)
    up, down = (rule.continuation(j, inside + h, variance) for h in (width, -width))
    rise = np.clip((up - down) / (2.0 * width), 0.0, 1.0) * np.where(gain > 0.0, 1.0, 0.5)
    return np.asarray(option.sign * option.df[j] * made.forward[j] / option.strike * rise)


def _going_on(
    option: _Option, rule: Rule, model: Any, made: Generator, request: Request, seed: int, outer: Block, j: int,
    n_inner: int,
) -> Float1D:  # fmt: skip
    """What the rule is worth after date j on each outer path, by inner paths from there."""
    n, origin = outer.n_paths, float(option.times[j])
    x, variance = outer.logs.x[j], _row(outer, j)
    begin = np.repeat(np.stack((x, np.ones(n) if variance is None else variance)), n_inner, axis=1)
    inner = replace(request, times=option.times[j + 1 :] - origin, origin=origin, start=lambda first, many: begin)
    first = _INNER + (j + 1) * n * n_inner
    block = generator(model, inner).block(_NO_TABLE, seed, 0, first, n * n_inner)
    value, ratio = _stopped(option, rule, block, j + 1)
    chart = outer.chart  # where the inner martingale starts:
    began = np.exp(x) if chart is None else np.asarray(chart.back(x) / chart.forward)
    moved = ratio - np.repeat(began, n_inner)
    value -= np.repeat(_slope(option, rule, made, outer, j), n_inner) * moved
    return np.asarray(value.reshape(n, n_inner).mean(axis=1))


def _upper(
    option: _Option, rule: Rule, model: Any, made: Generator, request: Request, seed: int, n_outer: int, n_inner: int,
    lower: float,
) -> tuple[float, float]:  # fmt: skip
    """Andersen and Broadie's bound and its standard error, in strikes; `lower` the rule's own value."""
    outer = made.block(_NO_TABLE, seed, 0, 2 * _FRESH, n_outer)
    gains, n = option.gains(outer), option.times.size
    martingale, best = np.zeros(n_outer), np.full(n_outer, -np.inf)
    before = np.full(n_outer, lower)
    for j in range(n):
        gain, worth = gains[j], option.df[j] * np.maximum(gains[j], 0.0)
        paid = worth
        if j < n - 1:
            after = _going_on(option, rule, model, made, request, seed, outer, j, n_inner)
            exercised = (gain > 0.0) & (gain >= rule.continuation(j, gain, _row(outer, j)))
            worth = np.where(exercised, paid, after)
        martingale += worth - before
        may = (gain > 0.0) | (j == n - 1)  # nobody gives an option up for nothing before its end
        best = np.where(may, np.maximum(best, paid - martingale), best)
        if j < n - 1:
            before = after
    return float(best.mean()), float(best.std(ddof=1) / np.sqrt(n_outer))


def _option(item: Any, snapshot: Snapshot, n_dates: int) -> _Option:
    require(isinstance(item, (American, Bermudan)), "instrument", type(item).__name__, "be American or Bermudan")
    if isinstance(item, American):
        tau = item.years(snapshot.as_of)
        require(tau > 0.0, "tau", tau, "be > 0 years")
        times = before_dividends(tau * np.arange(1, n_dates + 1) / n_dates, snapshot)
    else:
        times = np.array([t for t in item.exercise_times(snapshot.as_of) if t > 0.0])
        require(times.size > 0, "times", item.times, "hold a day after the snapshot's")
    df = np.asarray(snapshot.discount.df(times))
    return _Option(times=times, df=df, strike=item.strike, sign=1.0 if item.is_call else -1.0)


def _today(item: Any, option: _Option, snapshot: Snapshot) -> float:
    """What exercise brings today, in strikes; 0 where it is not allowed."""
    allowed = isinstance(item, American) or 0.0 in item.exercise_times(snapshot.as_of)
    return max(option.sign * (snapshot.spot / option.strike - 1.0), 0.0) if allowed else 0.0


def bounds(
    item: American | Bermudan,
    model: Any,
    snapshot: Snapshot,
    *,
    n_paths: int = 10_000,
    n_dates: int = 50,
    seed: int = 1,
    upper: bool = True,
    n_outer: int = 256,
    n_inner: int = 64,
    scheme: str | None = None,
    steps_per_year: float | None = None,
) -> Bounds:
    """Bounds of an option exercised on its days, for an American one on n_dates equal days, or today.

    Parameters
    ----------
    n_paths : int
        To fit, and four times as many to value.
    n_outer, n_inner : int
        Paths of the upper bound, and inner paths on each of their dates; its distance falls with n_inner.
    scheme, steps_per_year
        Of the model's paths; see `pricing.paths`.
    """
    require(100 <= n_paths <= 10_000_000, "n_paths", n_paths, "lie in [100, 10000000]")
    require(1 <= n_dates <= 5000, "n_dates", n_dates, "lie in [1, 5000]")
    require(2 <= n_outer <= 1_000_000, "n_outer", n_outer, "lie in [2, 1000000]")
    require(1 <= n_inner <= 1_000_000, "n_inner", n_inner, "lie in [1, 1000000]")
    snapshot = up_to_end(item, snapshot)
    option = _option(item, snapshot, n_dates)
    if scheme is None and type(model).__name__ == "LocalVol":
        scheme = "euler"  # inner paths start at every date: tables for each would cost more than the paths
    request = Request(snapshot=snapshot, times=option.times, bridge=False, scheme=scheme, steps_per_year=steps_per_year)
    made = generator(model, request)
    rule = fit_rule(option, made.block(_NO_TABLE, seed, 0, 0, n_paths))
    lower, lower_error = _lower(option, rule, made, seed, 4 * n_paths)
    top, top_error = np.nan, np.nan
    now, k = _today(item, option, snapshot), option.strike
    if upper:
        top, top_error = _upper(option, rule, model, made, request, seed, n_outer, n_inner, lower)
    return Bounds(
        lower=k * max(lower, now),
        lower_error=k * lower_error,
        upper=k * max(top, now) if upper else np.nan,
        upper_error=k * top_error,
        times=option.times,
        rule=rule,
    )


OPTIONS = (bounds,)  # what `value` takes


def value(items: Sequence[Any], model: Any, snapshot: Snapshot, **options: Any) -> Values:
    """The engine's door for `pricing.price`: the lower bound; error is its distance to the upper one."""
    found = [bounds(item, model, snapshot, **options) for item in items]
    lower, error = np.array([b.lower for b in found]), np.array([b.lower_error for b in found])
    gap = np.array([b.upper - b.lower for b in found])
    return Values(lower, error, np.where(np.isnan(gap), 2.0 * error, np.maximum(gap, 0.0) + 2.0 * error))
