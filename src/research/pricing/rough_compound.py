"""Compounds and choosers under rough Bergomi: what the option is worth on the first day by paths within paths.

The variance remembers its whole past, so the option on the first day is no function of a few numbers. The Volterra
motion is linear in its normals: those up to the first day are held, the later ones drawn anew, which is the exact law
given the past. Given a later variance path the option is Black's formula, so a few dozen inner paths say what it is
worth to a percent of itself.

Inner noise biases the choice. Deciding by one half of the inner paths and valuing by the other is too low in the mean,
the better of the two means of all of them too high (Jensen), so both are taken: the value is their middle, and half
their distance is in the error, beside the standard error and the grid's own bias. Controls are the price and the
options themselves, whose value of today is known.

References
----------
Geske (1979), J. Financial Economics 7, 63-81. Bayer, Friz, Gatheral (2016), Quantitative Finance 16, 887-904.
Gordy, Juneja (2010), "Nested simulation in portfolio risk measurement", Management Science 56, 1833-1848.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.conventions import check_number
from research.core._tasks import share
from research.core.random import sobol
from research.errors import require
from research.instruments import Chooser, Compound, European
from research.market import Snapshot
from research.models import black
from research.models.rough_bergomi import RoughBergomi
from research.pricing import rough_bergomi
from research.pricing.catalogue import Values
from research.pricing.rough_bergomi import Grid, make_motion, motion_plan, states, volterra_weights

_OWN, _INNER = 1 << 58, 1 << 59  # first paths of the spot's own normals and of the inner paths
_BLOCK = 32  # outer pairs at a time
_MEANS = 1 << 14  # pairs that price the options of today, the controls
_TABLE = np.zeros((0, sobol.COLUMNS), dtype=np.int64)


def _grid(model: RoughBergomi, first: float, ends: Float1D, n_steps: int) -> tuple[Grid, int]:
    """Equal steps up to the first day and after it, which hold every expiry; and the row of the first day."""
    stops, times = np.unique(np.concatenate(([first], ends))), []
    for start, end in zip(np.append(0.0, stops[:-1]), stops, strict=True):
        n = max(4, int(np.rint(n_steps * (end - start) / stops[-1])))
        times.append(np.linspace(start, end, n + 1)[1:])
    every = np.concatenate(times)
    mean, rest = volterra_weights(every, model.hurst, "exact")
    variance = (mean**2) @ np.diff(every, prepend=0.0) + (rest**2).sum(axis=1)
    kept = np.abs(every[:, None] - stops).min(axis=1) < 1e-12
    return Grid(times=every, kept=kept, mean=mean, rest=rest, variance=variance), times[0].size


def _joined(outer: Float2D, inner: Float2D, n: int, row: int) -> Float2D:
    """Motions whose first `row` steps are those of the outer paths, each repeated, and whose later ones are new."""
    times = inner.shape[1] // outer.shape[1]
    out, held = inner.copy(), np.repeat(outer, times, axis=1)
    out[row:n] += held[row - 1] - inner[row - 1]
    out[:row], out[n : n + row] = held[:row], held[n : n + row]
    return out


class _Nest:
    """Options seen from the first day, by paths within paths."""

    def __init__(
        self, model: RoughBergomi, snapshot: Snapshot, first: float, options: list[European], n_steps: int, n_inner: int
    ) -> None:
        self.model, self.n_inner, self.options = model, n_inner, options
        self.ends = np.array([option.years(snapshot.as_of) for option in options])
        self.grid, self.row = _grid(model, first, self.ends, n_steps)
        self.stops = self.grid.times[self.grid.kept]
        self.forward = np.asarray(snapshot.forward(self.ends))
        self.df = np.asarray(snapshot.discount.df(self.ends)) / float(snapshot.discount.df(first))
        self.plan = motion_plan(self.grid.times, True)

    def worth(self, seed: int, start: int, n: int) -> tuple[Any, Float2D]:
        """(value of each option by each inner path, shape (2, n_options, n, n_inner); S / F, shape (2, n)).

        Of outer paths start, ... and their mirror images.
        """
        outer = make_motion(_TABLE, seed, start, n, self.plan)
        inner = make_motion(_TABLE, seed, _INNER + start * self.n_inner, n * self.n_inner, self.plan)
        own = make_motion(_TABLE, seed, _OWN + start, n, motion_plan(np.ones(1), False))[0]
        found = states(self.model, self.grid, _joined(outer, inner, self.grid.times.size, self.row))
        free, shape = 1.0 - self.model.rho**2, (n, self.n_inner)
        value, ratio = np.empty((2, len(self.options), *shape)), np.empty((2, n))
        for half, sign in enumerate((1.0, -1.0)):
            driven, met = found[2 * half].reshape(shape), found[2 * half + 1].reshape(shape)
            mine = np.sqrt(free * met) * (sign * own)[:, None] - 0.5 * free * met
            ratio[half] = np.exp(driven + mine)[:, 0]
            for i, option in enumerate(self.options):
                at = 4 * int(np.abs(self.stops - self.ends[i]).argmin()) + 2 * half
                level = self.forward[i] * np.exp(found[at].reshape(shape) + mine)
                std = np.sqrt(np.maximum(free * (found[at + 1].reshape(shape) - met), 0.0))
                flat = black.price(
                    level.ravel(), option.strike, 1.0, std.ravel(), df=self.df[i], is_call=option.is_call
                )
                value[half, i] = np.asarray(flat).reshape(shape)
        return value, ratio


def _decided(item: Compound | Chooser, value: Any) -> Any:
    """What each choice is worth, shape (2, 2 choices, n, n_inner), from the values of the options."""
    if isinstance(item, Chooser):
        return value
    gain = (1.0 if item.is_call else -1.0) * (value[:, 0] - item.strike)
    return np.stack((gain, np.zeros_like(gain)), axis=1)


def _bounds(choices: Any) -> tuple[Float1D, Float1D]:
    """(too low, too high) in the mean, of each outer pair, shape (n,)."""
    half = choices.shape[-1] // 2
    a, b = choices[..., :half].mean(axis=-1), choices[..., half : 2 * half].mean(axis=-1)
    crossed = [np.where(one[:, 0] > one[:, 1], other[:, 0], other[:, 1]) for one, other in ((a, b), (b, a))]
    low = 0.5 * (crossed[0] + crossed[1])
    high = (0.5 * (a + b)).max(axis=1)
    return low.mean(axis=0), high.mean(axis=0)


def _estimate(item: Any, nest: _Nest, seed: int, n_paths: int) -> tuple[Float1D, Float2D, float]:
    """(middle of the bounds on each outer pair, controls, half the mean distance of the bounds), first day's money.

    The controls, shape (1 + n_options, n): S / F, and what each option is worth.
    """
    starts = list(range(0, n_paths, _BLOCK))
    low, high = (np.empty(len(starts) * _BLOCK) for _ in range(2))
    controls = np.empty((1 + len(nest.options), low.size))

    def work(part: slice) -> None:
        for k in range(part.start, part.stop):
            here = slice(starts[k], starts[k] + _BLOCK)
            value, ratio = nest.worth(seed, starts[k], _BLOCK)
            low[here], high[here] = _bounds(_decided(item, value))
            controls[0, here], controls[1:, here] = ratio.mean(axis=0), value.mean(axis=(0, 3))

    share(len(starts), work)
    return 0.5 * (low + high), controls, 0.5 * abs(float((high - low).mean()))


def _controlled(middle: Float1D, controls: Float2D, known: Float1D, errors: Float1D) -> tuple[Float1D, float]:
    """(the middle less what the controls explain, standard error that their means bring)."""
    centred = controls - controls.mean(axis=1, keepdims=True)
    scale = np.sqrt((centred * centred).sum(axis=1)) + 1e-300
    unit = centred / scale[:, None]
    gram = np.einsum("ik,jk->ij", unit, unit)  # no BLAS: the same sums on any number of threads
    slope = np.linalg.lstsq(gram, np.einsum("ik,k->i", unit, middle), rcond=1e-8)[0] / scale
    rest = middle - np.einsum("i,ik->k", slope, controls - known[:, None])
    return rest, float(np.sqrt(((slope * errors) ** 2).sum()))


def _means(nest: _Nest, model: RoughBergomi, snapshot: Snapshot, first: float, n_steps: int, seed: int) -> Any:
    """(means of the controls, their standard errors): the options of today, on a grid of as many steps."""
    found = rough_bergomi.value(
        nest.options, model, snapshot, check_scheme=False, n_steps=n_steps, seed=seed + 1, n_paths=_MEANS
    )
    df = float(snapshot.discount.df(first))
    return np.append(1.0, found.value / df), np.append(0.0, found.std_error / df)


def value(
    items: Sequence[Any], model: RoughBergomi, snapshot: Snapshot, *, n_paths: int = 2048, n_inner: int = 64,
    n_steps: int = 128, seed: int = 1, check_scheme: bool = True,
) -> Values:  # fmt: skip
    """The engine's door for `pricing.price`.

    Parameters
    ----------
    n_paths : int
        Outer pairs, rounded up to a multiple of 32.
    n_inner : int
        Inner paths of each; the distance of the bounds falls with 1 / n_inner.
    n_steps : int
        Steps of the grid up to the last expiry.
    check_scheme : bool
        The grid's bias, by half as many steps on a quarter of the paths, is counted in `error`.
    """
    for name, given, least, most in (("n_paths", n_paths, 64, 1 << 24), ("n_inner", n_inner, 4, 4096),
                                     ("n_steps", n_steps, 16, 1000)):  # fmt: skip
        check_number(name, given)
        require(least <= given <= most, name, given, f"lie in [{least}, {most}]")
    found, spread, error = np.empty((3, len(items)))
    n = -(-n_paths // _BLOCK) * _BLOCK
    for i, item in enumerate(items):
        first = item.years(snapshot.as_of)
        require(first > 0.0, "tau", first, f"be > 0 years for a {type(item).__name__}")
        item.option_years(snapshot.as_of)
        options = [item.call, item.put] if isinstance(item, Chooser) else [item.option]
        nest = _Nest(model, snapshot, first, options, n_steps, n_inner)
        middle, controls, gap = _estimate(item, nest, seed, n)
        means = _means(nest, model, snapshot, first, n_steps, seed)
        each, more = _controlled(middle, controls, *means)
        bias = 0.0
        if check_scheme:
            few = max(64, n // 4 // _BLOCK * _BLOCK)
            coarse = _Nest(model, snapshot, first, options, n_steps // 2, n_inner)
            rough, beside, _ = _estimate(item, coarse, seed, few)
            means = _means(coarse, model, snapshot, first, n_steps // 2, seed)
            moved = _controlled(rough, beside, *means)[0]
            noise = np.hypot(moved.std(ddof=1) / np.sqrt(few), each.std(ddof=1) / np.sqrt(n))
            seen = abs(float(moved.mean() - each.mean())) + 2.0 * float(noise)
            bias = seen / (2.0 ** (model.hurst + 0.5) - 1.0)
        df = float(snapshot.discount.df(first))
        found[i] = df * float(each.mean())
        spread[i] = df * float(np.hypot(each.std(ddof=1) / np.sqrt(n), more))
        error[i] = 2.0 * spread[i] + df * (gap + bias)
    return Values(found, spread, error)
