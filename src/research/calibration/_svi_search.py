"""The search behind `fit(SVI, ...)` and `fit(SVISurface, ...)`: slices alone, then together where that is not fair."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from research.arrays import Float1D, FloatND, Int1D
from research.calibration.fit import AT_BOUND, CONVERGED, MAX_ITERATIONS
from research.core.calibration.svi import svi_climb, svi_fit
from research.core.calibration.svi_surface import svi_surface_climb, svi_surface_terms
from research.errors import NumericalError, require
from research.market import Smile, Surface
from research.models.svi import LEE, SVI, SVISurface

LEAST = 5  # parameters of a slice
Box = tuple[Float1D, Float1D]  # lower and upper of (m, sigma)
_FIRST_STRENGTH = 0.03  # of the penalties
_GROWING = 3  # rounds in which it grows tenfold before violations are looked for
_MAX_ROUNDS = 16
_NEAR = 1.25  # times the sum of squares of the slices alone: from farther off other starts are tried too
_STEEPEST = LEE - 1e-3
_FLOOR = 0.2  # least total variance, as a share of the lowest quoted one: nearer to 0 the density has narrow dips


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What the search found."""

    model: SVISurface
    std_error: FloatND  # of (a, b, rho, m, sigma), shape (n_slices, 5)
    status: int
    n_iter: int
    penalised: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """All slices as the kernels want them."""

    offset: Int1D
    k: Float1D
    vol: Float1D
    root_weight: Float1D
    tau: Float1D
    floor: Float1D  # of total variance, shape (n_slices,)
    lower: Float1D  # of (w_m, left, right, m, sigma), shape (n_slices * 5,)
    upper: Float1D


@dataclass(frozen=True, slots=True, kw_only=True)
class _Penalised:
    """Where a climb with penalties ended."""

    x: Float1D
    grid: Float1D
    strength: Float1D  # of (floor, butterflies, calendars, butterflies between expiries)
    value: float  # objective
    status: int
    n_iter: int
    fair: bool


def search(
    smiles: list[Smile], weight: list[FloatND], arbitrage_free: bool, least_width: float, max_iter: int, box: Box,
    start: SVISurface | None,
) -> Search:  # fmt: skip
    """Least squares over all slices; free of butterflies and calendars if so asked. `box` bounds (m, sigma)."""
    problem = _problem(smiles, weight, _FLOOR if arbitrage_free else 1e-3, least_width, box)
    warm = None if start is None else _begin(problem, start)
    x, status, n_iter = _alone(problem, warm, max_iter)
    strength, grid = np.zeros(4), np.zeros(1)
    fair = min(_least(x)) >= 0.0 and (not arbitrage_free or _model(problem, x).arbitrage().empty)
    if not fair:
        on = np.array([1.0, float(arbitrage_free), float(arbitrage_free), 0.0])
        begun = [] if warm is None else [_climb_with_penalties(problem, _lifted(problem, warm), on, max_iter)]
        near = begun and _is_near(problem, x, begun[0])
        best = begun[0] if near else _together(problem, x, begun, on, max_iter)
        x, grid, strength, status, n_iter = best.x, best.grid, best.strength, best.status, n_iter + best.n_iter
    at_bound = bool(((x <= problem.lower) | (x >= problem.upper)).any())
    return Search(
        model=_model(problem, x),
        std_error=_standard_errors(problem, x, grid, strength),
        status=MAX_ITERATIONS if status == MAX_ITERATIONS else AT_BOUND if at_bound else CONVERGED,
        n_iter=n_iter,
        penalised=not fair,
    )


def _problem(smiles: list[Smile], weight: list[FloatND], floor: float, least_width: float, box: Box) -> _Problem:
    lower, upper = [], []
    for smile in smiles:
        k, span = smile.log_moneyness, float(np.ptp(smile.log_moneyness))
        lower.append([1e-12, 1e-9, 1e-9, k[0] - 2.0 * span, least_width * span])
        upper.append([100.0 * smile.total_variance.max(), _STEEPEST, _STEEPEST, k[-1] + 2.0 * span, 10.0 * span])
    for s in range(len(smiles)):
        lower[s][3:] = np.maximum(lower[s][3:], box[0]).tolist()
        upper[s][3:] = np.minimum(upper[s][3:], box[1]).tolist()
        need = f"leave room at tau {smiles[s].tau:.6g}"
        inside = all(a <= b for a, b in zip(lower[s], upper[s]))
        require(inside, "bounds", np.transpose([lower[s][3:], upper[s][3:]]).tolist(), need, hint="Mind least_width.")
    return _Problem(
        offset=np.cumsum([0, *(len(smile) for smile in smiles)]).astype(np.int64),
        k=np.concatenate([smile.log_moneyness for smile in smiles]),
        vol=np.concatenate([smile.vol for smile in smiles]),
        root_weight=np.sqrt(np.concatenate(weight)),
        tau=np.array([smile.tau for smile in smiles]),
        floor=floor * np.array([smile.total_variance.min() for smile in smiles]),
        lower=np.array(lower).reshape(-1),
        upper=np.array(upper).reshape(-1),
    )


def _begin(p: _Problem, start: SVISurface) -> Float1D:
    """A surface in the search's parameters: of each expiry the nearest slice, its vols as they are."""
    rows, times = [], np.array(start.tau)
    for tau in p.tau:
        near = int(np.argmin(np.abs(np.log(times / tau))))
        one, grow = start.slices[near], float(tau / times[near])
        left, right = one.wing_slopes
        rows.append([grow * (one.a + one.b * one.sigma), grow * left, grow * right, one.m, one.sigma])
    return np.clip(np.array(rows).reshape(-1), p.lower, p.upper)


def _alone(p: _Problem, warm: Float1D | None, max_iter: int) -> tuple[Float1D, int, int]:
    """Each slice by itself, without penalties."""
    x, status, total = np.empty(p.lower.size), CONVERGED, 0
    for s, tau in enumerate(p.tau):
        lo, hi, own = p.offset[s], p.offset[s + 1], slice(LEAST * s, LEAST * s + LEAST)
        k = p.k[lo:hi]
        span = k[-1] - k[0]
        centres, widths = k[0] + span * np.linspace(-0.25, 1.25, 13), span * np.geomspace(0.01, 2.0, 8)
        starts = np.ascontiguousarray(np.stack(np.meshgrid(centres, widths), axis=-1).reshape(-1, 2))
        starts = np.clip(starts, p.lower[own][3:], p.upper[own][3:])
        sse, outcome, n_iter = svi_fit(
            k,
            p.vol[lo:hi],
            p.root_weight[lo:hi],
            tau,
            p.lower[own],
            p.upper[own],
            starts,
            widths.size,
            max_iter,
            x[own],
        )
        if warm is not None:
            other = warm[own].copy()
            value, how, more = svi_climb(
                k, p.vol[lo:hi], p.root_weight[lo:hi], tau, p.lower[own], p.upper[own], max_iter, other
            )
            n_iter += more
            if value < sse:
                x[own], sse, outcome = other, value, how
        if not np.isfinite(sse):
            raise NumericalError(f"the SVI search must find a smile with positive variance; none fits at tau {tau:g}.")
        status, total = max(status, int(outcome == MAX_ITERATIONS)), total + int(n_iter)
    return x, status, total


def _is_near(p: _Problem, x: Float1D, found: _Penalised) -> bool:
    """Whether a climb from a start settled in a fair surface near the slices alone, which no fair one can beat."""
    return found.fair and found.status != MAX_ITERATIONS and found.value <= _NEAR * _sum_of_squares(p, x)


def _sum_of_squares(p: _Problem, x: Float1D) -> float:
    """The sum of squares at x, without penalties."""
    n, none = x.size, np.zeros(4)
    args = (p.offset, p.k, p.vol, p.root_weight, p.tau, p.floor)
    return float(svi_surface_terms(x, *args, np.zeros(1), none, np.empty((n, n)), np.empty(n)))


def _together(p: _Problem, x: Float1D, begun: list[_Penalised], on: Float1D, max_iter: int) -> _Penalised:
    """All slices at once with growing penalties, from flat smiles and the slices alone; the best, of `begun` too.

    Strikes at which a violation is left join the grid, and the penalties grow on, until none is left.
    """
    found = [*(_climb_with_penalties(p, start, on, max_iter) for start in (_flat(p), _lifted(p, x))), *begun]
    if not any(one.fair for one in found):  # from a surface that is fair by construction, and strict at once
        found.append(_climb_with_penalties(p, _of_ssvi(p), on, max_iter, 1e3 * _FIRST_STRENGTH))
    fair = [one for one in found if one.fair]
    best = min(fair or found, key=lambda one: one.value)
    if on[1] and not fair:
        row = _model(p, best.x).arbitrage().nlargest(1, "size").iloc[0]
        raise NumericalError(
            f"the fitted surface must be free of arbitrage; a {row['kind']} of {row['size']:.2g} is left at tau "
            f"{row['tau']:.4g}, log moneyness {row['low']:.4g} to {row['high']:.4g}. Fit the quotes of "
            f"market.repair_quotes, raise least_width, or take the plain least squares of arbitrage_free=False."
        )
    return replace(best, n_iter=sum(one.n_iter for one in found))


def _of_ssvi(p: _Problem) -> Float1D:
    """The slices of the ESSVI surface nearest to the quotes."""
    from research.calibration.ssvi import fit_essvi

    smiles, ends = [], zip(p.tau, p.offset[:-1], p.offset[1:])
    for tau, lo, hi in ends:
        smiles.append(
            Smile(tau=float(tau), forward=1.0, df=1.0, strike=np.exp(p.k[lo:hi]), vol=p.vol[lo:hi],
                  weight=p.root_weight[lo:hi] ** 2)
        )  # fmt: skip
    near = fit_essvi(Surface(as_of=date.min, spot=1.0, smiles=tuple(smiles)), allow_arbitrage=True).model
    return _begin(p, near.to_svi())


def _climb_with_penalties(
    p: _Problem, start: Float1D, on: Float1D, max_iter: int, strength: float = _FIRST_STRENGTH
) -> _Penalised:
    x, grid, total = start.copy(), _grid(p), 0
    args = (p.offset, p.k, p.vol, p.root_weight, p.tau, p.floor)
    fair, growing = False, _GROWING if strength == _FIRST_STRENGTH else 0
    for i in range(_MAX_ROUNDS):
        value, status, n_iter = svi_surface_climb(x, *args, grid, strength * on, p.lower, p.upper, max_iter)
        total += int(n_iter)
        if i < growing:
            strength *= 10.0
            continue
        model = _model(p, x)
        table = model.arbitrage() if on[1] else None
        fair = table is None or table.empty
        if table is None or fair or i + 1 == _MAX_ROUNDS:
            break
        grid = np.unique(np.concatenate([grid, _violations(table)]))
        if not table["tau"].isin(model.tau).any():  # butterflies between expiries
            on = np.ones(4)
        strength *= 2.0
    return _Penalised(
        x=x, grid=grid, strength=strength * on, value=float(value), status=int(status), n_iter=total, fair=fair
    )


def _flat(p: _Problem) -> Float1D:
    """A start far from every bound: mean total variance at the money, gentle wings."""
    rows = []
    for s, tau in enumerate(p.tau):
        own = slice(p.offset[s], p.offset[s + 1])
        k, w = p.k[own], p.vol[own] ** 2 * tau
        level, span = float(np.interp(0.0, k, w)), float(np.ptp(k))
        slope = min(0.25 * level / span, 0.5)
        rows.append([level, slope, slope, 0.0, span])
    return np.clip(np.array(rows).reshape(-1), p.lower, p.upper)


def _lifted(p: _Problem, x: Float1D) -> Float1D:
    """The slices alone as a start: each lifted until its least total variance is above the floor."""
    out = x.copy()
    out[::LEAST] += np.maximum(2.0 * p.floor - np.array(_least(x)), 0.0)
    return np.clip(out, p.lower, p.upper)


def _grid(p: _Problem) -> Float1D:
    """Log moneyness where penalties look: fine over the quotes, then farther and farther out."""
    reach = 2.0 * float(np.abs(p.k).max())
    far = np.geomspace(reach, 200.0 * reach, 100)
    return np.concatenate([-far[::-1], np.linspace(-reach, reach, 121)[1:-1], far])


def _violations(table: Any) -> Float1D:
    """Points inside every interval that still has arbitrage."""
    points: list[float] = []
    for row in table.itertuples(index=False):
        low = row.low if np.isfinite(row.low) else 2.0 * min(row.high, -1.0) - 1.0
        high = row.high if np.isfinite(row.high) else 2.0 * max(row.low, 1.0) + 1.0
        points += np.linspace(low, high, 7)[1:-1].tolist()
    return np.array(points)


def _least(x: Float1D) -> list[float]:
    """Least total variance of each slice."""
    return [
        float(level + sigma * (np.sqrt(left * right) - 0.5 * (left + right)))
        for level, left, right, _, sigma in x.reshape(-1, LEAST)
    ]


def _model(p: _Problem, x: Float1D) -> SVISurface:
    slices = []
    for level, left, right, m, sigma in x.reshape(-1, LEAST):
        b, rho = 0.5 * (left + right), (right - left) / (right + left)
        floor = -b * sigma * np.sqrt(1.0 - rho * rho)  # an `a` a rounding below it would be a negative variance
        a = max(level - b * sigma, floor)
        slices.append(SVI(a=float(a), b=float(b), rho=float(rho), m=float(m), sigma=float(sigma)))
    return SVISurface(tau=tuple(p.tau), slices=tuple(slices))


def _standard_errors(p: _Problem, x: Float1D, grid: Float1D, strength: Float1D) -> FloatND:
    """Of the raw parameters by the delta method, from J'J; nan at a bound or without degrees of freedom."""
    n = x.size
    matrix, gradient = np.empty((n, n)), np.empty(n)
    svi_surface_terms(x, p.offset, p.k, p.vol, p.root_weight, p.tau, p.floor, grid, strength, matrix, gradient)
    unused, none = np.empty((n, n)), np.zeros(4)
    sse = svi_surface_terms(x, p.offset, p.k, p.vol, p.root_weight, p.tau, p.floor, grid, none, unused, gradient)
    freedom = int((p.root_weight > 0.0).sum()) - n
    scale = np.sqrt(np.diag(matrix))
    out = np.full((p.tau.size, LEAST), np.nan)
    if freedom < 1 or scale.min() <= 0.0:
        return out
    normal = matrix / np.outer(scale, scale)
    if np.linalg.cond(normal) > 1e14:
        return out
    covariance = np.linalg.inv(normal) / np.outer(scale, scale) * (sse / freedom)
    bound = (x <= p.lower) | (x >= p.upper)
    for s in range(p.tau.size):
        own = slice(LEAST * s, LEAST * s + LEAST)
        if not bound[own].any():
            change = _raw_by_search(x[own])
            out[s] = np.sqrt(np.diag(change @ covariance[own, own] @ change.T))
    return out


def _raw_by_search(x: Float1D) -> FloatND:
    """d(a, b, rho, m, sigma) / d(w_m, left, right, m, sigma)."""
    _, left, right, _, sigma = x
    both = left + right
    return np.array(
        [
            [1.0, -0.5 * sigma, -0.5 * sigma, 0.0, -0.5 * both],
            [0.0, 0.5, 0.5, 0.0, 0.0],
            [0.0, -2.0 * right / both**2, 2.0 * left / both**2, 0.0, 0.0],
            [0.0, 0.0, 0.0, 1.0, 0.0],
            [0.0, 0.0, 0.0, 0.0, 1.0],
        ]
    )
