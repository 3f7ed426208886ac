"""The notes of `note` with one direction of the path integrated out: a value that is smooth in spot, vol and rates.

The motion is w(t) = rho(t) s Y + B(t), Y a standard normal, s^2 the variance of the first step [0, t*], rho = v(t) /
s^2 up to t* and 1 beyond, and B the rest, which is 0 at t*. Given B every level L of the note is a level (L - B) / (rho
s) of Y: a path is knocked out above the lowest of its upper levels, knocked in below the highest of its lower ones, and
what a date pays is an amount times the probability that Y lies in an interval. So each path gives its exact conditional
expectation: no jump is left, and a bump moves every path a little instead of a few paths by a jump.

dates, shape (n_scenarios, n, 12), all dates in order: 0 rho, 1 knock-out at or above, 2 at or below, 3 its value, 4
knock-in below, 5 coupon at or above, 6 coupon's value, 7 and 8 range, 9 value accrued inside, 10 1.0 at a coarse date,
11 value of a knock-out at dense dates. Levels are those of the motion. terminal as in `note`, (n_scenarios, 3, 9).
scale, shape (n_scenarios, 2): 0 s, 1 factor of B (paths are drawn for one vol and scaled to that of a scenario).

References
----------
Glasserman, Staum (2001), "Conditioning on one-step survival for barrier option simulations", Operations Research 49.
Griewank, Kuo, Leovey, Sloan (2018), "High dimensional integration of kinks and jumps - smoothing by preintegration",
J. Comput. Appl. Math. 344.
"""

from __future__ import annotations

import numpy as np

from research.arrays import Float1D, Float2D, Float3D, Int1D, Int2D, Int3D
from research.core._jit import inlined, kernel
from research.core.math.elementary import exp, log
from research.core.math.normal import norm_cdf
from research.core.pricing._moments import N_BASE, add_lanes, gather_moments
from research.core.random.brownian import brownian_block

_INF = float("inf")


@inlined
def _settle(state: Float2D, pay: float) -> None:
    """Pay those who left the interval since the last time; state rows: 0 low, 1 high, 2 and 3 their probabilities,
    4 probability inside, 5 knock-in level, 6 value."""
    for i in range(state.shape[1]):
        low, high = norm_cdf(state[0, i]), norm_cdf(state[1, i])
        inside = max(high - low, 0.0)
        state[6, i] += pay * (state[4, i] - inside)
        state[2, i], state[3, i], state[4, i] = low, high, inside


@inlined
def _narrow(b: Float1D, date: Float1D, s: float, factor: float, state: Float2D) -> None:
    """Barriers of one date."""
    per = 1.0 / (date[0] * s)
    up, down, low = date[1], date[2], date[4]
    if up < _INF:
        for i in range(b.size):
            state[1, i] = min(state[1, i], (up - factor * b[i]) * per)
    if down > -_INF:
        for i in range(b.size):
            state[0, i] = max(state[0, i], (down - factor * b[i]) * per)
    if low > -_INF:
        for i in range(b.size):
            state[5, i] = max(state[5, i], (low - factor * b[i]) * per)


@inlined
def _pay_date(
    b: Float1D, date: Float1D, s: float, factor: float, memory: bool, c: int, state: Float2D, owed: Float2D
) -> None:
    """Coupon and accrual of a coarse date for those who are inside; owed rows: levels below which coupons are missed.

    owed[0] is scratch; owed[1 + j] the probability below which coupon j is still owed.
    """
    per = 1.0 / (date[0] * s)
    if date[6] != 0.0:
        level = owed[0]
        for i in range(b.size):
            level[i] = norm_cdf((date[5] - factor * b[i]) * per)
            state[6, i] += date[6] * max(state[3, i] - max(level[i], state[2, i]), 0.0)
        if memory:
            for j in range(c):
                late = owed[1 + j]
                for i in range(b.size):
                    missed = min(state[3, i], late[i]) - max(level[i], state[2, i])
                    state[6, i] += date[6] * max(missed, 0.0)
                    late[i] = min(late[i], level[i])
            for i in range(b.size):
                owed[1 + c, i] = level[i]
    if date[9] != 0.0:
        for i in range(b.size):
            high, low = norm_cdf((date[8] - factor * b[i]) * per), norm_cdf((date[7] - factor * b[i]) * per)
            state[6, i] += date[9] * max(min(high, state[3, i]) - max(low, state[2, i]), 0.0)


@inlined
def _leg(low: float, high: float, strike: float, level: float, forward: float, s: float) -> float:
    """E[max(S - strike, 0)] over Y in [low, high]; forward: S given B, without Y, times exp(s^2 / 2)."""
    first = max(low, level)
    if first >= high:
        return 0.0
    return forward * (norm_cdf(high - s) - norm_cdf(first - s)) - strike * (norm_cdf(high) - norm_cdf(first))


@inlined
def _redeem(b: Float1D, s: float, factor: float, terminal: Float2D, state: Float2D, controls: Float2D) -> None:
    """Add the redemption; controls: S / F and the put on it, given B."""
    forward, v, df, strike = terminal[0, 0], terminal[0, 1], terminal[0, 2], terminal[0, 3]
    level = log(strike) + 0.5 * v
    for i in range(b.size):
        w = factor * b[i]
        ratio = exp(w - 0.5 * (v - s * s))
        y = (level - w) / s
        controls[0, i], controls[1, i] = ratio, strike * norm_cdf(y) - ratio * norm_cdf(y - s)
    for row in range(1, 3):
        for i in range(b.size):
            ki = min(max(state[5, i], state[0, i]), max(state[1, i], state[0, i]))
            low, high = (ki, state[1, i]) if row == 1 else (state[0, i], ki)
            if high > low:
                state[6, i] += df * terminal[row, 0] * (norm_cdf(high) - norm_cdf(low))
    for row in range(1, 3):
        for k in range(1, 9, 2):
            at, slope = terminal[row, k], df * terminal[row, k + 1]
            if slope != 0.0:
                level = log(at / forward) + 0.5 * v if at > 0.0 else -_INF
                for i in range(b.size):
                    ki = min(max(state[5, i], state[0, i]), max(state[1, i], state[0, i]))
                    low, high = (ki, state[1, i]) if row == 1 else (state[0, i], ki)
                    if high > low:
                        y = (level - factor * b[i]) / s
                        state[6, i] += slope * _leg(low, high, at, y, forward * controls[0, i], s)


@inlined
def _smooth_block(
    w: Float2D, dates: Float2D, terminal: Float2D, s: float, factor: float, state: Float2D, owed: Float2D,
    controls: Float2D,
) -> None:  # fmt: skip
    """state[6] = conditional expectation of each path; w, shape (n + 1, lanes)."""
    lanes = w.shape[1]
    for i in range(lanes):
        state[0, i], state[1, i], state[2, i], state[3, i], state[4, i] = -_INF, _INF, 0.0, 1.0, 1.0
        state[5, i] = _INF if terminal[0, 5] > 0.0 else -_INF
        state[6, i] = 0.0
    open_, c = False, 0
    for k in range(dates.shape[0]):
        date, b = dates[k], w[k + 1]
        barrier = (date[1] < _INF) | (date[2] > -_INF)
        if date[10] > 0.0:
            if open_:
                _settle(state, dates[k, 11])
                open_ = False
            _pay_date(b, date, s, factor, terminal[0, 4] > 0.0, c, state, owed)
            c += 1
            _narrow(b, date, s, factor, state)
            if barrier:
                _settle(state, date[3])
        else:
            _narrow(b, date, s, factor, state)
            open_ = open_ | barrier
    _redeem(w[dates.shape[0]], s, factor, terminal, state, controls)


@inlined
def _smooth_task(
    table: Int2D, seed: int, row: Int1D, order: Int2D, weights: Float2D, dates: Float3D, terminal: Float3D,
    scale: Float2D, out: Float1D,
) -> None:  # fmt: skip
    """The sums of one row of `paths` under each scenario."""
    lanes, n, scenarios = min(row[2], row[1]), order.shape[0], dates.shape[0]
    n_coarse = 0
    for k in range(n):
        n_coarse += int(dates[0, k, 10])
    total = np.zeros((scenarios, N_BASE, lanes))
    for start in range(0, row[1], lanes):
        here = min(lanes, row[1] - start)
        w, state, controls = np.empty((n + 1, here)), np.empty((7, here)), np.empty((2, here))
        owed = np.empty((1 + n_coarse, here))
        brownian_block(table, seed, row[5], row[0] + start, order, weights, w)
        for j in range(scenarios):
            _smooth_block(w, dates[j], terminal[j], scale[j, 0], scale[j, 1], state, owed, controls)
            gather_moments(state[6:], controls, total[j])
    for j in range(scenarios):
        add_lanes(total[j], out[j * N_BASE : (j + 1) * N_BASE])


@kernel
def smooth_note_tasks(
    tables: Int3D, seed: int, paths: Int2D, order: Int2D, weights: Float2D, dates: Float3D, terminal: Float3D,
    scale: Float2D, out: Float2D,
) -> None:  # fmt: skip
    """out[t] = the N_BASE sums of task t under each scenario, shape (n_tasks, n_scenarios N_BASE)."""
    for t in range(out.shape[0]):
        _smooth_task(tables[paths[t, 4]], seed, paths[t], order, weights, dates, terminal, scale, out[t])
