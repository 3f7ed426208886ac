"""What every simulation of this room shares: replicates, rounds, controls, standard errors.

A sample is a set of replicates. With Sobol' points there are several, each scrambled by itself: their means are
independent, and the standard error is that of their mean. With Philox there is one, and the standard error is that of
the residuals. Rounds double the number of paths, or with Philox go where the error points; a path keeps its
number, so a longer run contains the shorter one. What a run cannot have seen is added to its error (`_rare`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D, Int2D, Int3D
from research.conventions import check_fields
from research.core._tasks import share
from research.core.random import brownian, sobol
from research.errors import NumericalError, require
from research.pricing import _rare

TASK = 4096  # paths summed by one task
_FIRST = 64  # paths of a replicate in the first round
_SMALL = 20_000  # path steps below which one thread is quicker
_ASTRAY = 6.0  # standard errors by which the mean of a control may miss what is known
MAX_PATHS = 1 << 30
WIDEST = 1.25  # standard deviation of the last log price, up to which its exponential is a control: a few paths make it

Progress = Callable[[int, float], None]  # (paths so far, standard error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to sample; the options of `pricing.price(..., method="monte_carlo")`."""

    n_paths: int | None = None
    seed: int = 1
    std_error: float | None = None
    sampler: str = "sobol"
    antithetic: bool = False
    control: bool = True
    replicates: int = 32
    progress: Any = None

    def __post_init__(self) -> None:
        check_fields(self)
        require(self.sampler in ("sobol", "philox"), "sampler", self.sampler, "be 'sobol' or 'philox'")
        most = self.n_paths if self.n_paths is not None else 1
        require(1 <= most <= MAX_PATHS, "n_paths", self.n_paths, f"lie in [1, {MAX_PATHS}]")
        error = self.std_error if self.std_error is not None else 1.0
        require(math.isfinite(error) and error > 0.0, "std_error", error, "be finite and > 0 price units")
        require(16 <= self.replicates <= 1024, "replicates", self.replicates, "lie in [16, 1024]")
        require(-(2**63) <= self.seed < 2**63, "seed", self.seed, "be a whole number of 64 bits")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimate:
    """What a simulation found."""

    value: float
    std_error: float
    replicates: Float1D  # estimate of each replicate; one with Philox
    n_paths: int
    means: Float1D  # of what else the product counts
    mean_errors: Float1D  # their standard errors; nan with Philox
    variance: float = 0.0  # of one path, less its controls
    bias: float = 0.0  # estimate of what a scheme's steps cost, price units; not in `std_error`


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """A product ready to be simulated: a kernel for rows of tasks, and the exact means of its controls."""

    variance: Float1D  # total variance at the coarse dates
    run: Callable[[Int3D, int, Int2D, Any, Any, Float2D], None]  # (tables, seed, rows, order, weights, out)
    n_moments: int
    controls: tuple[float, float]
    plan: tuple[Int2D, Float2D] | None = None  # order and weights of the draws; None: one motion at `variance`
    rare: Float2D = field(default_factory=lambda: np.zeros((0, 3)))  # see `_rare.added`: events a run may not meet
    spread: float = 0.0  # range of the payoff on wild paths; 0: not looked at
    jump: float = 0.0  # of the payoff at an edge of the last price
    most: float = float("inf")  # that what was not met may add to the error
    skew: float = 1.0  # by how much the spread of scrambles understates, where rare paths hold much of what is left
    first: int = _FIRST  # Sobol' points of a scramble in the first round


def tables_of(settings: Settings, n_dims: int) -> Int3D:
    """Scrambled directions of every replicate, shape (replicates, n_dims, 33); (1, 0, 33) for Philox."""
    if settings.sampler == "philox":
        return np.zeros((1, 0, sobol.COLUMNS), dtype=np.int64)
    hint = "Use sampler='philox'."
    require(n_dims <= sobol.MAX_DIMS, "dates", n_dims, f"be at most {sobol.MAX_DIMS} for Sobol' points", hint=hint)
    out = np.empty((settings.replicates, n_dims, sobol.COLUMNS), dtype=np.int64)
    sobol.scramble(settings.seed, 0, sobol.directions(n_dims), out)
    return out


def lanes_of(n_dims: int, n: int) -> int:
    """Paths that are walked together: their block stays in the second-level cache."""
    return min(256 if n_dims <= 64 else 128, n)


def rows_of(first: int, n: int, replicates: int, n_dims: int, settings: Settings) -> Int2D:
    """The tasks of one round, shape (n_tasks, 7); see core.pricing._moments."""
    quasi = int(settings.sampler == "sobol")
    per = (n + TASK - 1) // TASK
    if per == replicates == 1:
        return np.array([[first, n, lanes_of(n_dims, n), int(settings.antithetic), 0, quasi, 0]])
    rows = np.zeros((replicates * per, 7), dtype=np.int64)
    starts, replicate = np.arange(per) * TASK, np.arange(replicates)[:, None]
    table = rows.reshape(replicates, per, 7)
    table[:, :, 0] = first + starts
    table[:, :, 1] = np.minimum(TASK, n - starts)
    table[:, :, 2] = lanes_of(n_dims, n)
    table[:, :, 3] = int(settings.antithetic)
    table[:, :, 4] = replicate
    table[:, :, 5] = quasi * (1 + replicate)
    return rows


def estimate(problem: Problem, settings: Settings) -> Estimate:
    """Simulate in rounds until the number of paths, or the standard error, is reached."""
    order, weights = problem.plan or brownian.plan(problem.variance, settings.sampler == "sobol")
    n_dims = order.shape[0]
    tables = tables_of(settings, n_dims)
    replicates = tables.shape[0]
    wanted = settings.n_paths if settings.n_paths is not None else (MAX_PATHS if settings.std_error else 1 << 17)
    most = max(1, -(-wanted // replicates))  # paths of a replicate
    if settings.sampler == "sobol":
        most = 1 << (most - 1).bit_length()
    sums, done, found = np.zeros((replicates, problem.n_moments)), 0, None
    while done < most:
        if settings.std_error is None:
            until = most if settings.progress is None else min(most, max(1 << 14, 2 * done))
        else:
            until = min(most, _next(found, done, settings, problem.first if settings.sampler == "sobol" else _FIRST))
        rows = rows_of(done, until - done, replicates, n_dims, settings)
        out = np.empty((rows.shape[0], problem.n_moments))

        def work(part: slice, rows: Int2D = rows, out: Float2D = out) -> None:
            problem.run(tables, settings.seed, rows[part], order, weights, out[part])

        share(rows.shape[0], work, small=replicates * (until - done) * n_dims < _SMALL)
        sums += out.reshape(replicates, -1, problem.n_moments).sum(axis=1)
        done = until
        found = _honest(summary(sums, done, problem.controls if settings.control else None), problem)
        if settings.progress is not None:
            settings.progress(found.n_paths, found.std_error)
        if settings.std_error is not None and found.std_error <= settings.std_error:
            return found
    assert found is not None
    if settings.std_error is not None:
        need = found.n_paths * (found.std_error / settings.std_error) ** 2
        raise NumericalError(
            f"std_error must reach {settings.std_error:g}; got {found.std_error:g} with {found.n_paths} paths. "
            f"About {need:.2g} paths would do: raise n_paths."
        )
    return found


def _honest(found: Estimate, problem: Problem) -> Estimate:
    """The standard error with what the run may not have met."""
    more = _rare.added(problem.rare, found.n_paths)
    if problem.spread > 0.0:
        more += _rare.unseen(problem.spread, problem.jump, found.variance, found.n_paths)
    more, size = min(more, problem.most), found.replicates.size
    skew = problem.skew
    if skew > 1.0:  # measured: worse still with a handful of paths a scramble
        skew *= math.sqrt(1.0 + 2.0 * size / found.n_paths)
    elif size > 1:
        skew = math.sqrt(1.0 + _rare.lopsided(found.replicates))
    if max(more, skew - 1.0) <= 0.0:
        return found
    return replace(found, std_error=float(np.hypot(skew * found.std_error, more)))


def _next(found: Estimate | None, done: int, settings: Settings, first: int) -> int:
    """Paths of a replicate after the next round: doubled, or with Philox what the error asks for and a fifth more."""
    if found is None or settings.std_error is None:
        return first
    if settings.sampler == "sobol":
        return 2 * done
    need = 1.2 * done * (found.std_error / settings.std_error) ** 2
    return int(min(max(need, 1.25 * done), 16.0 * done)) + 1


def summary(sums: Float2D, n: int, controls: tuple[float, float] | None) -> Estimate:
    """The estimate out of the sums of each replicate over n paths, with the linear controls that fit best."""
    m = sums / n
    whole = m.mean(axis=0) if m.shape[0] > 1 else m[0]
    first, second = (np.nan, np.nan) if controls is None else controls  # nan: the mean of this control is not known
    total = n * m.shape[0]
    base = whole[:9].tolist()
    known = _known(first, base[2], base[6], total), _known(second, base[3], base[8], total)
    slopes = _slopes(base, *known)
    exact = (0.0 if math.isnan(first) else first, 0.0 if math.isnan(second) else second)
    replicates = m.shape[0]
    each = m[:, 0] - slopes[0] * (m[:, 2] - exact[0]) - slopes[1] * (m[:, 3] - exact[1])
    if replicates > 1 and slopes != (0.0, 0.0):  # slopes of the others: one's own would lean on its own chance
        rest = ((whole * replicates - m) / (replicates - 1)).tolist()
        theirs = np.array([_slopes(row, *known) for row in rest])
        each = m[:, 0] - theirs[:, 0] * (m[:, 2] - exact[0]) - theirs[:, 1] * (m[:, 3] - exact[1])
    others, variance = whole[9:], _residual(base, slopes)
    if replicates > 1:
        spread = float(each.std(ddof=1) / np.sqrt(replicates))
        errors = m[:, 9:].std(axis=0, ddof=1) / np.sqrt(replicates)
    else:
        spread, errors = math.sqrt(variance / total), np.full(others.size, np.nan)
    return Estimate(
        value=float(each.mean()) if replicates > 1 else float(each[0]),
        std_error=spread,
        replicates=each,
        n_paths=total,
        means=others,
        mean_errors=errors,
        variance=variance,
    )


def _known(exact: float, mean: float, square: float, n: int) -> bool:
    """May a control be used? Not where its mean is unknown, or where the paths have missed what makes its mean."""
    if math.isnan(exact):
        return False
    variance = max(square - mean * mean, 0.0)
    gap = mean - exact
    return gap * gap <= _ASTRAY**2 * variance / n + 1e-12 * exact * exact


def _slopes(m: list[float], first: bool, second: bool) -> tuple[float, float]:
    """Regression of the value on the two controls; 0 for one not wanted, constant or equal to the other."""
    aa, ab, bb = m[6] - m[2] * m[2], m[7] - m[2] * m[3], m[8] - m[3] * m[3]
    ya, yb = m[4] - m[0] * m[2], m[5] - m[0] * m[3]
    first, second = first and aa > 1e-14 * m[6], second and bb > 1e-14 * m[8]
    det = aa * bb - ab * ab
    if first and second and det > 1e-10 * aa * bb:
        return (ya * bb - yb * ab) / det, (yb * aa - ya * ab) / det
    if first:
        return ya / aa, 0.0
    return 0.0, yb / bb if second else 0.0


def _residual(m: list[float], slopes: tuple[float, float]) -> float:
    """Variance of the value less its controls."""
    a, b = slopes
    aa, ab, bb = m[6] - m[2] * m[2], m[7] - m[2] * m[3], m[8] - m[3] * m[3]
    ya, yb = m[4] - m[0] * m[2], m[5] - m[0] * m[3]
    plain = m[1] - m[0] * m[0]
    return max(plain - 2.0 * (a * ya + b * yb) + a * a * aa + 2.0 * a * b * ab + b * b * bb, 0.0)
