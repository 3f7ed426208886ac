"""One state machine for structured notes on one lognormal underlying: knock-out, knock-in, coupons, ranges, touch.

A note is three tables in the space of the driving motion w, S(t) = F(t) exp(w(t) - v(t) / 2), v the total variance:
a barrier B becomes log(B / F) + v / 2, so a step of a path costs no exponential. Dates are of two kinds. At a *coarse*
date anything may happen. Between two coarse dates lie *dense* ones (daily barriers); they are filled in by a Brownian
bridge, Philox normals whatever made the coarse ones, only for the paths and gaps where it can matter: a gap with ends
a and b above a barrier is crossed with probability at most exp(-2 a b / dv) and is passed over below 1e-13, and a
knock-in is not looked at on a path that a coarse date knocks out.

coarse, shape (n_coarse, 18), column: 0 time of payment of the knock-out, 1 knock-out at or above, 2 knock-out at or
below, 3 value of the knock-out, 4 knock-in below, 5 coupon at or above, 6 coupon, 7 discount factor of the coupon, 8
and 9 range, 10 value accrued inside it; of the gap before the date: 11 highest knock-in, 12 lowest upper and 13
highest lower knock-out, 14 variance, 15 first and 16 last (exclusive) dense row, 17 first step of its Philox normals,
even.
dense, shape (n_dense, 7): 0 weight towards the end of the gap, 1 standard deviation, 2 knock-in below, 3 knock-out at
or above, 4 at or below, 5 its value, 6 its time of payment.
terminal, shape (3, 9): row 0 holds forward, variance, discount factor, strike of the control over the forward, 1.0
where missed coupons are remembered, 1.0 where knocked in already, notional, time of the last payment; rows 1 (never
knocked in) and 2 hold a, then pairs (k, b): the payment a + sum of b max(S - k, 0).

The outcome of a path is 0 knocked out, 1 paid at the end, 2 paid at the end after a knock-in.
"""

from __future__ import annotations

import numpy as np

from research.arrays import Float1D, Float2D, Int1D, Int2D, Int3D
from research.core._jit import inlined, kernel
from research.core.math.elementary import exp
from research.core.math.normal import norm_ppf_row
from research.core.pricing._moments import N_BASE, add_lanes, blend, gather_moments, negate
from research.core.random.brownian import brownian_block
from research.core.random.philox import uniform_pair

N_MOMENTS = N_BASE + 4  # and time of payment, knocked out, knocked in, paid less than the notional
_INF = float("inf")
_CERTAIN = 15.0  # exp(-2 * 15) = 1e-13


@inlined
def _coarse_states(w: Float2D, coarse: Float2D, knocked: int, end: Int1D, ki: Int1D) -> None:
    """end[i] the first coarse knock-out of path i, n_coarse where there is none; ki[i] the coarse knock-in."""
    n = coarse.shape[0]
    for i in range(end.size):
        end[i] = n
        ki[i] = knocked
    for c in range(n):
        up, down, low = coarse[c, 1], coarse[c, 2], coarse[c, 4]
        row = w[c + 1]
        if (up < _INF) | (down > -_INF):
            for i in range(end.size):
                end[i] = c if ((row[i] >= up) | (row[i] <= down)) & (end[i] == n) else end[i]
        if low > -_INF:
            for i in range(end.size):
                ki[i] = 1 if row[i] < low else ki[i]


@inlined
def _near(a: float, b: float, bound: float) -> bool:
    """Can a bridge with ends a and b above a barrier touch it?"""
    return (a <= 0.0) | (b <= 0.0) | (a * b < bound)


@inlined
def _choose(w: Float2D, coarse: Float2D, c: int, end: Int1D, ki: Int1D, chosen: Int1D) -> int:
    """The paths whose gap before date c must be filled: their number, and their lanes in `chosen`."""
    n, count = coarse.shape[0], 0
    knock_in, up, down, bound = coarse[c, 11], coarse[c, 12], coarse[c, 13], _CERTAIN * coarse[c, 14]
    for i in range(end.size):
        a, b = w[c, i], w[c + 1, i]
        inside = _near(a - knock_in, b - knock_in, bound) & (end[i] == n) & (ki[i] == 0)
        out = _near(up - a, up - b, bound) | _near(a - down, b - down, bound)
        chosen[count] = i
        count += (inside | out) & (end[i] >= c)
    return count


@inlined
def _dense_step(dense: Float2D, j: int, sign: float, ends: Float2D, z: Float1D, hit: Int1D, dead: Int1D) -> None:
    """Move the filled paths one dense date on with normals z; ends: rows of where they are and where the gap ends."""
    weight, std = dense[j, 0], sign * dense[j, 1]
    low, up, down = dense[j, 2], dense[j, 3], dense[j, 4]
    x, end = ends[0], ends[1]
    for k in range(hit.size):
        x[k] += (end[k] - x[k]) * weight + std * z[k]
        hit[k] = 1 if x[k] < low else hit[k]
        dead[k] = j if ((x[k] >= up) | (x[k] <= down)) & (dead[k] < 0) else dead[k]


@inlined
def _fill_gap(
    w: Float2D, coarse: Float2D, dense: Float2D, c: int, seed: int, stream: int, path: int, sign: float,
    lanes: Int1D, state: Int2D,
) -> None:  # fmt: skip
    """Walk the gap before date c for the given lanes; state rows: 0 end (-1 once knocked out here), 1 knocked in,
    2 dense row of the knock-out, 3 number of coarse dates that count."""
    n = lanes.size
    ends, normals = np.empty((2, n)), np.empty(2 * n)
    hit, dead = np.zeros(n, np.int64), np.full(n, -1, np.int64)
    for k in range(n):
        ends[0, k], ends[1, k] = w[c, lanes[k]], w[c + 1, lanes[k]]
    first, last, pair = int(coarse[c, 15]), int(coarse[c, 16]), int(coarse[c, 17]) // 2
    for j in range(first, last, 2):
        even, odd = normals[:n], normals[n:]
        for k in range(n):
            even[k], odd[k] = uniform_pair(seed, stream, path + lanes[k], pair + (j - first) // 2)
        norm_ppf_row(normals)
        for half in range(min(2, last - j)):
            _dense_step(dense, j + half, sign, ends, normals[half * n : (half + 1) * n], hit, dead)
    for k in range(n):
        i = lanes[k]
        state[1, i] |= hit[k]
        if dead[k] >= 0:
            state[0, i], state[2, i], state[3, i] = -1, dead[k], c


@inlined
def _coupons(w: Float2D, coarse: Float2D, memory: float, count: Int1D, missed: Float2D, value: Float2D) -> None:
    """Add coupons and accruals of the dates that count to value[0]; missed[0] is scratch."""
    pv, open_ = value[0], missed[0]
    for i in range(count.size):
        open_[i] = 0.0
    for c in range(coarse.shape[0]):
        row, level, coupon, df = w[c + 1], coarse[c, 5], coarse[c, 6], coarse[c, 7]
        if coupon != 0.0:
            for i in range(count.size):
                paid = (row[i] >= level) & (c < count[i])
                pv[i] += df * (coupon + open_[i]) if paid else 0.0
                open_[i] = 0.0 if row[i] >= level else memory * (open_[i] + coupon)
        low, high, accrued = coarse[c, 8], coarse[c, 9], coarse[c, 10]
        if accrued != 0.0:
            for i in range(count.size):
                pv[i] += accrued if (row[i] >= low) & (row[i] <= high) & (c < count[i]) else 0.0


@inlined
def _redeem(w: Float2D, coarse: Float2D, dense: Float2D, terminal: Float2D, state: Int2D, value: Float2D) -> None:
    """Add the redemption to value[0]; rows 1 time, 2 knocked out, 3 knocked in, 4 paid less than the notional."""
    n = coarse.shape[0]
    forward, half, df = terminal[0, 0], 0.5 * terminal[0, 1], terminal[0, 2]
    notional, last = terminal[0, 6], terminal[0, 7]
    for i in range(w.shape[1]):
        end = state[0, i]
        if end == n:
            spot, s = forward * exp(w[n, i] - half), 1 + state[1, i]
            paid = terminal[s, 0]
            for k in range(1, 9, 2):
                paid += terminal[s, k + 1] * max(spot - terminal[s, k], 0.0)
            value[0, i] += df * paid
            value[1, i] = last
            value[2, i] = 0.0
            value[3, i] = float(state[1, i])
            value[4, i] = 1.0 if paid < notional * (1.0 - 1e-12) else 0.0
        else:
            at = state[2, i]
            value[0, i] += dense[at, 5] if end < 0 else coarse[end, 3]
            value[1, i] = dense[at, 6] if end < 0 else coarse[end, 0]
            value[2, i] = 1.0
            value[3, i] = 0.0
            value[4, i] = 0.0


@inlined
def _note_block(
    w: Float2D, coarse: Float2D, dense: Float2D, terminal: Float2D, seed: int, stream: int, path: int, sign: float,
    value: Float2D,
) -> None:  # fmt: skip
    """Fill value, shape (5, lanes), for the coarse paths w, shape (n_coarse + 1, lanes): see `_redeem`."""
    lanes = w.shape[1]
    state = np.zeros((4, lanes), np.int64)
    chosen = np.empty(lanes + 1, np.int64)
    _coarse_states(w, coarse, int(terminal[0, 5]), state[0], state[1])
    for i in range(lanes):
        state[3, i] = min(state[0, i] + 1, coarse.shape[0])
        value[0, i] = 0.0
    for c in range(coarse.shape[0]):
        if coarse[c, 16] > coarse[c, 15]:
            n = _choose(w, coarse, c, state[0], state[1], chosen)
            if n > 0:
                _fill_gap(w, coarse, dense, c, seed, stream, path, sign, chosen[:n], state)
    _coupons(w, coarse, terminal[0, 4], state[3], value[1:2], value)
    _redeem(w, coarse, dense, terminal, state, value)


@inlined
def _note_controls(w: Float2D, terminal: Float2D, share: float, controls: Float2D) -> None:
    """controls = (1 - share) controls + share (S / F, max(k - S / F, 0)) at the end."""
    last, half, strike = w[w.shape[0] - 1], 0.5 * terminal[0, 1], terminal[0, 3]
    for i in range(last.size):
        ratio = exp(last[i] - half)
        controls[0, i] += share * (ratio - controls[0, i])
        controls[1, i] += share * (max(strike - ratio, 0.0) - controls[1, i])


@inlined
def _note_samples(w: Float2D, terminal: Float2D, value: Float2D, samples: Float2D) -> None:
    last = w[w.shape[0] - 1]
    for i in range(samples.shape[1]):
        samples[0, i], samples[1, i] = value[0, i], value[1, i]
        samples[2, i] = 0.0 if value[2, i] > 0.0 else 1.0 + value[3, i]
        samples[3, i] = terminal[0, 0] * exp(last[i] - 0.5 * terminal[0, 1])


@inlined
def _note_task(
    table: Int2D, seed: int, row: Int1D, order: Int2D, weights: Float2D, coarse: Float2D, dense: Float2D,
    terminal: Float2D, samples: Float2D, out: Float1D,
) -> None:  # fmt: skip
    """The sums of one row of `paths`."""
    lanes, stream = min(row[2], row[1]), row[5]
    total = np.zeros((N_MOMENTS, lanes))
    for start in range(0, row[1], lanes):
        here, path = min(lanes, row[1] - start), row[0] + start
        w = np.empty((order.shape[0] + 1, here))
        value, mean, controls = np.empty((5, here)), np.empty((5, here)), np.zeros((2, here))
        brownian_block(table, seed, stream, path, order, weights, w)
        for half in range(1 + row[3]):
            if half == 1:
                negate(w)
            _note_block(w, coarse, dense, terminal, seed, stream, path, 1.0 - 2.0 * half, value)
            blend(value, 1.0 / (1 + half), mean)
            _note_controls(w, terminal, 1.0 / (1 + half), controls)
            at = row[6] + start
            if (half == 0) & (at < samples.shape[1]):
                _note_samples(w, terminal, value, samples[:, at : min(at + here, samples.shape[1])])
        gather_moments(mean, controls, total)
    add_lanes(total, out)


@kernel
def note_tasks(
    tables: Int3D, seed: int, paths: Int2D, order: Int2D, weights: Float2D, coarse: Float2D, dense: Float2D,
    terminal: Float2D, samples: Float2D, out: Float2D,
) -> None:  # fmt: skip
    """out[t] = the N_MOMENTS sums of task t, shape (n_tasks, N_MOMENTS); `paths` as in `_moments`.

    samples, shape (4, n) or (4, 0) for none: value, time, outcome and final spot of each path.
    """
    for t in range(out.shape[0]):
        _note_task(tables[paths[t, 4]], seed, paths[t], order, weights, coarse, dense, terminal, samples, out[t])
