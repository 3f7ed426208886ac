"""Trees of a stock that pays cash: European, American and Bermudan options under one volatility or one by time.

The tree is cut at every day of payment and of exercise, so each falls on a step. Between two days a leg of equal
variances is rolled back from as many nodes as are needed (`core.pricing.lattice_legs`); on the day the value is a
function of the spot before it, the later leg's spline at the spot less the amount (Vellekoop and Nieuwenhuis), and
exercise on its eve. The last step of a leg integrates that function against the normal law, cut at its kinks: then the
error is smooth in the number of steps, as with Broadie and Detemple's last step by Black's formula, and trees of n, n/2
and n/4 steps extrapolate and judge each other: twice where
nothing is exercised between the days.

With escrowed cash the tree is that of what moves, X, and exercise pays X(t) + D(t) - K. Jumping cash takes a spot that
is less than the amount to 0, where it stays (decision 12).

References
----------
Vellekoop, Nieuwenhuis (2006), "Efficient pricing of derivatives on assets with discrete dividends", Applied
Mathematical Finance 13, 265-284. Broadie, Detemple (1996), "American option valuation: new bounds, approximations, and
a comparison of existing methods", Review of Financial Studies 9, 1211-1250.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.core._tasks import share
from research.core.pricing.lattice_legs import rolled_leg
from research.errors import require, require_all
from research.instruments import American, Bermudan, European
from research.market import Snapshot
from research.pricing._clock import Clock
from research.pricing._escrow import moving, to_come
from research.pricing.catalogue import Values

_SAME = 1e-9  # years: days this near are one
_REACH = 6.5  # standard deviations that an integral covers
_FAR = 8.0  # standard deviations from strike and spot to the last nodes
_LEAST_STEPS, _LEAST_NODES = 2, 8  # of a leg of the coarsest tree; of its first day
_LAST = 2  # steps that are integrated as one: what they smooth nodes two moves apart follow to 5e-5, after one to 0.7 %
_LARGEST = 600.0  # of a logarithm
_ROUNDING, _CAUTION, _CHANCE, _SMOOTH_CHANCE = 1e-12, 3.0, 0.15, 0.01
_LOCAL = 33  # points between two of which a kink is looked for
_HERMITE, _HERMITE_W = np.polynomial.hermite_e.hermegauss(16)
_HERMITE_W = _HERMITE_W / np.sqrt(2.0 * np.pi)
_LEGENDRE, _LEGENDRE_W = np.polynomial.legendre.leggauss(40)
Held = Callable[[Float1D], Float1D]  # price of what moves -> value of the option


@dataclass(frozen=True, slots=True, eq=False)
class _World:
    """What moves, and what the market does to it; functions of times in years."""

    spot: float  # of what moves
    growth: Callable[[Any], Any]
    df: Callable[[Any], Any]
    clock: Callable[[Any], Any]  # total variance
    held: Callable[[Any], Any]  # escrowed cash to come after each time
    escrowed: bool
    times: Float1D  # of the dividends
    cash: Float1D


@dataclass(frozen=True, slots=True, eq=False)
class _Option:
    strike: float
    sign: float
    tau: float
    always: bool  # American
    days: Float1D  # of exercise, the last one tau


@dataclass(frozen=True, slots=True, eq=False)
class _Leg:
    """From one day to the next, in n steps of equal variance."""

    times: Float1D  # shape (n + 1,)
    step: float  # variance
    half: float  # an up move of the logarithm: half of what two neighbours are apart
    first: Float1D  # log(P / forward) of its first nodes, increasing


def _days(world: _World, option: _Option) -> Float1D:
    """Today, and the days on which something happens, the last one tau."""
    some = np.concatenate((world.times[world.times < option.tau - _SAME], option.days, [option.tau]))
    every = np.unique(some[some > _SAME])
    return np.concatenate(([0.0], every[np.diff(every, append=np.inf) > _SAME]))


def _paid(world: _World, day: float) -> float:
    """Cash on a day."""
    return float(world.cash[np.abs(world.times - day) <= _SAME].sum())


def _legs(world: _World, option: _Option, n_steps: int, part: int) -> list[_Leg]:
    """Legs of a tree with `part` times as many steps as the coarsest, of n_steps / 4 in all."""
    days = _days(world, option)
    variance = np.asarray(world.clock(days))
    std = float(np.sqrt(variance[-1]))
    lean = np.log(option.strike / (world.spot * np.asarray(world.growth(np.array([0.0, option.tau])))))
    low, high = min(0.0, float(lean.min())) - _FAR * std, max(0.0, float(lean.max())) + _FAR * std
    out, ends = [], (0.0, 0.0)
    for start, stop, run in zip(days[:-1], days[1:], np.diff(variance)):
        n = part * max(_LEAST_STEPS, round(0.25 * n_steps * float(run) / float(variance[-1])))
        step = float(run) / n
        half = 2.0 * float(np.arcsinh(np.sqrt(0.25 * np.expm1(step))))  # the second moment is exact
        first = np.zeros(1) if start == 0.0 else _nodes(ends, low, high, 2.0 * half)
        times = _even(world.clock, float(start), float(stop), n)
        out.append(_Leg(times, step, half, first))
        reach = (n - _LAST) * half + (_REACH + 0.5) * float(np.sqrt(_LAST * step))
        wide = max(abs(first[0]), abs(first[-1])) + reach + std
        require(wide < _LARGEST, "vol", std / np.sqrt(option.tau), "not leave the range of floats on a tree",
                hint="Use fewer n_steps.")  # fmt: skip
        ends = _after((first[0] - reach, first[-1] + reach), world, float(stop))
    return out


def _even(clock: Any, start: float, stop: float, n: int) -> Float1D:
    """Times between two days with equal variances between them."""
    fine = np.linspace(start, stop, max(4 * n, 64) + 1)
    run = np.asarray(clock(fine))
    out = np.interp(np.linspace(run[0], run[-1], n + 1), run, fine)
    out[0], out[-1] = start, stop
    return np.asarray(out)


def _after(ends: tuple[float, float], world: _World, day: float) -> tuple[float, float]:
    """Where the lowest and the highest price before a day are after it, as log(P / forward)."""
    if world.escrowed:
        return ends
    forward = world.spot * float(world.growth(day))
    left = np.exp(np.array(ends)) - _paid(world, day) / forward
    low, high = (float(np.log(one)) if one > 0.0 else -np.inf for one in left)
    return low, high


def _nodes(ends: tuple[float, float], low: float, high: float, gap: float) -> Float1D:
    """Equal nodes over what is needed of what is not far."""
    first, last = max(ends[0], low), min(ends[1], high)
    n = max(_LEAST_NODES, int(np.ceil(max(last - first, 0.0) / gap)) + 2)
    return np.asarray(first + gap * np.arange(n))


def _pays(option: _Option, world: _World, day: float) -> Held:
    """What exercise after a day's payment brings, of either sign."""
    less = option.strike - float(world.held(day))
    return lambda price: np.asarray(option.sign * (price - less))


def _ruined(option: _Option, world: _World, times: Float1D, at: float) -> float:
    """Value where nothing moves any more: the best of the exercise times left."""
    when = times[times >= at - _SAME] if option.always else option.days[option.days >= at - _SAME]
    brings = np.maximum(option.sign * (np.asarray(world.held(when)) - option.strike), 0.0)
    return float((brings * world.df(when)).max() / world.df(at))


def _spline(leg: _Leg, value: Float1D, option: _Option, world: _World, ruined: float) -> Held:
    """The value at any price on the first day of a leg: a cubic in log price of value over price and strike."""
    from scipy.interpolate import CubicSpline

    forward = world.spot * float(world.growth(leg.times[0]))
    price, strike = forward * np.exp(leg.first), option.strike
    line = CubicSpline(leg.first, value / (price + strike))
    low, high = float(leg.first[0]), float(leg.first[-1])
    slope = (value[-1] - value[-2]) / (price[-1] - price[-2])

    def at(spot: Float1D) -> Float1D:
        y = np.log(np.maximum(spot / forward, 1e-300))
        inside = line(np.clip(y, low, high)) * (np.clip(spot, price[0], price[-1]) + strike)
        share = np.minimum(spot / price[0], 1.0)
        below = ruined + (value[0] - ruined) * share
        return np.asarray(np.where(y < low, below, inside + slope * np.maximum(spot - price[-1], 0.0)))

    return at


def _on_day(held: Held | None, option: _Option, world: _World, day: float) -> tuple[Held, Held]:
    """(what holding on is worth, what exercise brings) of the price before a day; `held` is None at the end."""
    exercised = _pays(option, world, day)
    fall = 0.0 if world.escrowed else _paid(world, day)
    eve = _paid(world, day)  # on the eve an owner has it
    open_today = option.always or bool(np.any(np.abs(option.days - day) <= _SAME))

    def hold(price: Float1D) -> Float1D:
        after = np.maximum(price - fall, 0.0)
        return np.maximum(exercised(after), 0.0) if held is None else held(after)

    def exercise(price: Float1D) -> Float1D:
        if not open_today or (held is None and not option.always):
            return np.full(np.shape(price), -np.inf)
        now = exercised(np.maximum(price - fall, 0.0))
        if not option.always:
            return now
        before = option.sign * (price + float(world.held(day)) + (eve - fall) - option.strike)
        return np.asarray(np.maximum(now, before))

    return hold, exercise


def _kinks(hold: Held, exercise: Held, fine: Float1D, scale: float) -> list[float]:
    """Log prices at which it is as good to exercise as to hold."""
    found = []
    gap = exercise(np.exp(fine)) - hold(np.exp(fine))
    if not np.isfinite(gap).any():
        return []
    large = np.maximum(np.abs(gap[1:]), np.abs(gap[:-1])) > 1e-10 * scale
    for i in np.flatnonzero((np.sign(gap[1:]) != np.sign(gap[:-1])) & large):
        a, b = float(fine[i]), float(fine[i + 1])
        for _ in range(3):
            x = np.linspace(a, b, _LOCAL)
            there = exercise(np.exp(x)) - hold(np.exp(x))
            at = int(np.argmax(np.sign(there[1:]) != np.sign(there[0])))
            a, b = float(x[at]), float(x[at + 1])
        found.append(0.5 * (a + b))
    return found


def _last_step(leg: _Leg, y: Float1D, world: _World, option: _Option, best: tuple[Held, Held]) -> Float1D:
    """Value at nodes two steps before the end of a leg: the mean over their normal law, panel by panel."""
    day, std = float(leg.times[-1]), float(np.sqrt(_LAST * leg.step))
    hold, exercise = best
    centre = float(np.log(world.spot * float(world.growth(day)))) - 0.5 * std * std
    fall = 0.0 if world.escrowed else _paid(world, day)
    special = [fall, option.strike + fall - float(world.held(day)), option.strike - float(world.held(day))]
    fine = centre + np.linspace(y[0] - _REACH * std, y[-1] + _REACH * std, 2 * y.size + 1)
    kinks = [float(np.log(price)) for price in special if price > 0.0]
    kinks = sorted({*kinks, *_kinks(hold, exercise, fine, option.strike)})

    def worth(z: Any, nodes: Float1D) -> Any:
        price = np.exp(centre + nodes[:, None] + std * z)
        return np.maximum(hold(price), exercise(price))

    at = (np.array(kinks)[None, :] - centre - y[:, None]) / std
    cut = (np.abs(at) < _REACH).any(axis=1)
    out = np.empty(y.size)
    out[~cut] = worth(_HERMITE[None, :], y[~cut]) @ _HERMITE_W
    if cut.any():
        edge = np.full((int(cut.sum()), 1), _REACH)
        edges = np.sort(np.concatenate((-edge, np.clip(at[cut], -_REACH, _REACH), edge), axis=1), axis=1)
        total = np.zeros(edges.shape[0])
        for a, b in zip(edges.T[:-1], edges.T[1:]):
            half = 0.5 * (b - a)[:, None]
            z = 0.5 * (a + b)[:, None] + half * _LEGENDRE
            weight = half * _LEGENDRE_W * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
            total += (worth(z, y[cut]) * weight).sum(axis=1)
        out[cut] = total
    return out


def _tree(world: _World, option: _Option, n_steps: int, part: int) -> float:
    """Value today."""
    legs = _legs(world, option, n_steps, part)
    held: Held | None = None
    value, times = np.empty(0), np.concatenate([leg.times for leg in legs])
    for leg in reversed(legs):
        n, k = leg.times.size - _LAST, leg.first.size  # times that are rolled back to
        best = _on_day(held, option, world, float(leg.times[-1]))
        y = leg.first[0] - (n - 1) * leg.half + 2.0 * leg.half * np.arange(k + n - 1)
        df = np.asarray(world.df(leg.times))
        each = df[1:] / df[:-1]
        value = np.ascontiguousarray(_last_step(leg, y, world, option, best) * df[-1] / df[n - 1])
        begins = leg.times[:n]
        low = world.spot * np.asarray(world.growth(begins)) * np.exp(leg.first[0] - leg.half * np.arange(n))
        power = np.exp(2.0 * leg.half * np.arange(k + n - 1))
        strike = option.strike - np.asarray(world.held(begins))
        may = np.zeros(n)
        may[1:] = float(option.always)  # on its first day: see `_on_day`
        up = 1.0 / (1.0 + float(np.exp(leg.half)))
        rolled_leg(low, strike, each[: n - 1].copy(), power, up, option.sign, may, value)
        if leg.times[0] > 0.0:
            held = _spline(leg, value[:k].copy(), option, world, _ruined(option, world, times, float(leg.times[0])))
    today = option.always or bool(np.any(option.days <= _SAME))
    return max(float(value[0]), float(_pays(option, world, 0.0)(np.array(world.spot))) if today else -np.inf)


def _priced(world: _World, option: _Option, n_steps: int) -> tuple[float, float]:
    """(value, error) from trees of n, n/2 and n/4 steps."""
    fine, coarse, rough = (_tree(world, option, n_steps, part) for part in (4, 2, 1))
    inside = float(_pays(option, world, 0.0)(np.array(world.spot))) if option.always else 0.0
    value, before, gap = 2.0 * fine - coarse, 2.0 * coarse - rough, abs(fine - coarse)
    if option.always:
        value, error = max(value, inside, 0.0), _CAUTION * max(abs(value - before), _CHANCE * gap)
    else:  # nothing but the steps: what is left falls with their square
        value, error = max(value + (value - before) / 3.0, 0.0), max(abs(value - before) / 6.0, _SMOOTH_CHANCE * gap)
    error += _ROUNDING * max(world.spot, option.strike)
    if option.always and value <= inside * (1.0 + 1e-14):  # no boundary is seen nearer than a node
        away = np.exp(-option.sign * np.sqrt(float(world.clock(option.tau)) / n_steps))
        there = replace(world, spot=world.spot * float(away))
        error += _tree(there, option, n_steps, 4) - max(float(_pays(option, there, 0.0)(np.array(there.spot))), 0.0)
    return value, error


def _world(model: Any, snapshot: Snapshot) -> _World:
    cash = snapshot.cash_dividends
    assert cash is not None
    escrowed, plain = cash.model == "escrowed", replace(snapshot, cash_dividends=None)
    there = moving(snapshot) if escrowed else plain

    def held(t: Any) -> Any:
        return to_come(snapshot, np.asarray(t) + _SAME) if escrowed else np.zeros(np.shape(t))

    return _World(there.spot, plain.growth, plain.discount.df, Clock(model), held, escrowed, cash.tau, cash.cash)


def value(
    items: Sequence[European | American | Bermudan], model: Any, snapshot: Snapshot, *, n_steps: int = 501
) -> Values:
    """Options in a market that pays cash up to their end; the door is `lattice.value`."""
    require(n_steps >= 8, "n_steps", n_steps, "be at least 8 where cash is paid")
    world = _world(model, snapshot)
    options = []
    for item in items:
        days = np.asarray(item.exercise_times(snapshot.as_of)) if isinstance(item, Bermudan) else None
        tau = float(item.years(snapshot.as_of)) if days is None else float(days[-1])  # type: ignore[union-attr]
        days = np.array([tau]) if days is None else days
        options.append(_Option(item.strike, 1.0 if item.is_call else -1.0, tau, isinstance(item, American), days))
    require_all(np.array([one.tau for one in options]) > 0.0, "tau", [one.tau for one in options], "be > 0 years")
    found = np.empty((len(options), 2))

    def work(part: slice) -> None:
        for i in range(*part.indices(len(options))):
            found[i] = _priced(world, options[i], n_steps)

    share(len(options), work)
    return Values(found[:, 0].copy(), np.zeros(len(options)), found[:, 1].copy())


__all__ = ["value"]
