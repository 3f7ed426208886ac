"""Notes on the worst of several lognormal underlyings: the state machine of `note`, fed with the worst performance.

The motion of asset i is x_i(t), a sum of independent Brownian motions b: over gap c of the coarse dates
x(t_c) - x(t_c-1) = mix_c (b(t_c) - b(t_c-1)), the clock of b is time in years. With the drifts in `shift`, the worst
performance is y(t) = min of x_i(t) + shift_i(t), and the tables of `note` apply to it, made for one asset of volatility
1 (so that their bridge weights are those of time). Between two coarse dates the minimum is no Brownian bridge, the
assets are: a gap is filled in, by Philox normals, on the paths where any asset could reach the knock-in (chance above
1e-13 each) and neither a coarse knock-out nor a knock-in makes it idle.

mix, shape (n_coarse * n, n): rows c n + i. shift, shape (n_coarse, n); dense_shift, shape (n_dense, n).
gaps, shape (n_coarse + 1, 2 n): the highest knock-in of the gap as a level of x_i, then 15 times the variance of x_i
over the gap; last row: half the variance of x_i at the end.

The motions b come from one plan for all factors (core.random.brownian); the normals of dense dates are those of Philox
stream s + 1, s the stream of the task.
"""

from __future__ import annotations

import numpy as np

from research.arrays import Float1D, Float2D, Int1D, Int2D
from research.core._jit import inlined, kernel
from research.core.math.elementary import exp
from research.core.math.normal import norm_ppf_row
from research.core.pricing._moments import add_lanes, blend, gather_moments, negate
from research.core.pricing.note import N_MOMENTS, _coarse_states, _coupons, _redeem
from research.core.random.philox import uniform_pair


@inlined
def _motions(b: Float2D, start: int, mix: Float2D, x: Float2D) -> None:
    """Fill x, shape ((n_coarse + 1) n, lanes): row c n + i is asset i at coarse date c, row i is time 0."""
    n, lanes = mix.shape[1], x.shape[1]
    m = b.shape[0] // n
    x[:] = 0.0
    for c in range(m):
        for i in range(n):
            row, before = x[(c + 1) * n + i], x[c * n + i]
            for k in range(lanes):
                row[k] = before[k]
            for a in range(n):
                share, here = mix[c * n + i, a], a * m + c
                for k in range(lanes):
                    gone = b[here - 1, start + k] if c > 0 else 0.0
                    row[k] += share * (b[here, start + k] - gone)


@inlined
def _worst(x: Float2D, shift: Float2D, y: Float2D) -> None:
    """y[c + 1] = min over the assets of x + shift at coarse date c; y[0] is not used."""
    n = shift.shape[1]
    for c in range(y.shape[0] - 1):
        row = y[c + 1]
        for k in range(row.size):
            row[k] = x[(c + 1) * n, k] + shift[c, 0]
        for i in range(1, n):
            for k in range(row.size):
                row[k] = min(row[k], x[(c + 1) * n + i, k] + shift[c, i])


@inlined
def _reachable(x: Float2D, gaps: Float2D, c: int, state: Int2D, chosen: Int1D) -> int:
    """The paths whose gap before date c must be filled: their number, and their lanes in `chosen`."""
    n, count = gaps.shape[1] // 2, 0
    for k in range(x.shape[1]):
        near = False
        for i in range(n):
            a, b = x[c * n + i, k] - gaps[c, i], x[(c + 1) * n + i, k] - gaps[c, i]
            near |= (a <= 0.0) | (b <= 0.0) | (a * b < gaps[c, n + i])
        chosen[count] = k
        count += near & (state[0, k] == gaps.shape[0] - 1) & (state[1, k] == 0)
    return count


@inlined
def _fill_gap(
    x: Float2D, mix: Float2D, coarse: Float2D, dense: Float2D, shifts: Float2D, c: int, seed: int, stream: int,
    path: int, sign: int, lanes: Int1D, state: Int2D,
) -> None:  # fmt: skip
    """Walk the gap before date c for the given lanes; state row 1: knocked in."""
    n, m, first = mix.shape[1], coarse.shape[0], int(coarse[c, 15])
    steps = int(coarse[c, 16]) - first
    at, z = np.empty((n, lanes.size)), np.empty((steps * n + 1, lanes.size))
    for q in range(0, steps * n, 2):
        for k in range(lanes.size):
            z[q, k], z[q + 1, k] = uniform_pair(seed, stream + 1, path + lanes[k], first * n + q // 2)
    for q in range(steps * n):
        norm_ppf_row(z[q])
    for i in range(n):
        for k in range(lanes.size):
            at[i, k] = x[c * n + i, lanes[k]]
    for j in range(steps):
        weight, std, low = dense[first + j, 0], sign * dense[first + j, 1], dense[first + j, 2]
        for i in range(n):
            moved = low - shifts[m + first + j, i]
            for k in range(lanes.size):
                noise = 0.0
                for a in range(n):
                    noise += mix[c * n + i, a] * z[j * n + a, k]
                at[i, k] += (x[(c + 1) * n + i, lanes[k]] - at[i, k]) * weight + std * noise
                state[1, lanes[k]] = 1 if at[i, k] < moved else state[1, lanes[k]]


@inlined
def _controls(x: Float2D, y: Float2D, gaps: Float2D, terminal: Float2D, share: float, controls: Float2D) -> None:
    """controls = (1 - share) controls + share (mean of S_i / F_i, max(k - worst, 0)) at the end."""
    n, m = gaps.shape[1] // 2, gaps.shape[0] - 1
    half, strike = 0.5 * terminal[0, 1], terminal[0, 3]
    for k in range(y.shape[1]):
        mean = 0.0
        for i in range(n):
            mean += exp(x[m * n + i, k] - gaps[m, i])
        controls[0, k] += share * (mean / n - controls[0, k])
        controls[1, k] += share * (max(strike - exp(y[m, k] - half), 0.0) - controls[1, k])


@kernel
def worst_of_task(
    b: Float2D, seed: int, row: Int1D, mix: Float2D, shifts: Float2D, coarse: Float2D, dense: Float2D,
    terminal: Float2D, gaps: Float2D, out: Float1D,
) -> None:  # fmt: skip
    """The N_MOMENTS sums of one task; `row` as the rows of `paths` in `_moments`.

    b, shape (n n_coarse, n_paths): factor 0 at each coarse date, factor 1, ...; shifts, shape (n_coarse + n_dense, n):
    those of the coarse dates, then those of the dense ones.
    """
    lanes, m, n = min(row[2], row[1]), coarse.shape[0], mix.shape[1]
    total = np.zeros((N_MOMENTS, lanes))
    for start in range(0, row[1], lanes):
        here, path = min(lanes, row[1] - start), row[0] + start
        x, y = np.empty(((m + 1) * n, here)), np.empty((m + 1, here))
        value, mean, controls = np.empty((5, here)), np.empty((5, here)), np.zeros((2, here))
        chosen, state = np.empty(here + 1, np.int64), np.empty((4, here), np.int64)
        _motions(b, start, mix, x)
        for half in range(1 + row[3]):
            if half == 1:
                negate(x)
            _worst(x, shifts, y)
            state[:] = 0
            _coarse_states(y, coarse, int(terminal[0, 5]), state[0], state[1])
            for k in range(here):
                state[3, k] = min(state[0, k] + 1, m)
                value[0, k] = 0.0
            for c in range(m):
                count = _reachable(x, gaps, c, state, chosen) if coarse[c, 16] > coarse[c, 15] else 0
                if count > 0:
                    _fill_gap(x, mix, coarse, dense, shifts, c, seed, row[5], path, 1 - 2 * half, chosen[:count], state)
            _coupons(y, coarse, terminal[0, 4], state[3], value[1:2], value)
            _redeem(y, coarse, dense, terminal, state, value)
            blend(value, 1.0 / (1 + half), mean)
            _controls(x, y, gaps, terminal, 1.0 / (1 + half), controls)
        gather_moments(mean, controls, total)
    add_lanes(total, out)
