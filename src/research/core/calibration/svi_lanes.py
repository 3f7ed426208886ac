"""Many raw SVI slices side by side: eight lanes of a vector register climb at once, what is hard climbs alone.

Every number stands in a row of eight, one a slice, so that sums over quotes, the small systems and the choices of
Levenberg-Marquardt are vector instructions. Starts are linear fits at given (m, sigma) (De Marco & Martini 2009), to at
most 12 of the quotes. The last step, when it gains next to nothing, is taken without another sum over the quotes. A
lane that meets a bound, does not settle soon, or ends where it began is fitted again by `svi_fit`, in full. Loops over
lanes touch one array only: so short a loop is vectorised only where no check for overlap is needed.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from research.arrays import Float1D, Float2D, Int1D
from research.core._jit import inlined, kernel
from research.core.calibration.levenberg_marquardt import CONVERGED, START_DAMPING
from research.core.calibration.svi import svi_fit

LANES = _L = 8
_N = 5
_MAX_ITER = 14  # of the lanes; what needs more is hard
_SMALL_GAIN = 1e-7  # of the sum of squares: the step, the last, is then below 1% of a standard error
FEW = 12  # quotes that starts look at
_SMALL_STEP = 1e-12
_BIG = 1e300

# rows of the scratch: x and the trial (w_m, left, right, m, sigma); sums at both: squares, J'r (5), J'J (15)
_X, _TRIAL, _SUMS, _AFTER = 0, 5 * _L, 11 * _L, 32 * _L
_DAMPING, _GROWTH, _EXPECTED, _TAKEN = 53 * _L, 54 * _L, 55 * _L, 56 * _L
_STATE = 57 * _L  # 0 climbs, 1 settled, 2 hard
_COUNT, _LOW, _HIGH = 58 * _L, 59 * _L, 64 * _L  # iterations; bounds
_FIXED, _START, _BEST = 69 * _L, 72 * _L, 81 * _L  # of the starts: sums of all, sums of one and (m, sigma), the best
_QUOTE, _DONE = 82 * _L, 86 * _L
_ROWS = 87


@inlined
def _load(quote: Float1D, z: Float1D) -> None:
    """One quote of every lane, into the scratch that is summed from."""
    for j in range(4 * _L):
        z[_QUOTE + j] = quote[j]


@kernel
def _sum_quotes(n: int, data: Float2D, z: Float1D) -> None:
    """Rows _AFTER on: sum of squares, J'r and J'J (lower, by rows) of root_weight (model vol - vol) at the trial."""
    for j in range(21 * _L):
        z[_AFTER + j] = 0.0
    for i in range(n):
        _load(data[i], z)
        for l in range(_L):
            left, right, sigma = z[_TRIAL + _L + l], z[_TRIAL + 2 * _L + l], z[_TRIAL + 4 * _L + l]
            tilt, half, d = 0.5 * (right - left), 0.5 * (left + right), z[_QUOTE + l] - z[_TRIAL + 3 * _L + l]
            root = sqrt(d * d + sigma * sigma)
            std = sqrt(z[_TRIAL + l] + tilt * d + half * (root - sigma))  # nan where w < 0
            scale, over = z[_QUOTE + _L + l], 1.0 / root
            a, r = scale / std, 2.0 * scale * std - z[_QUOTE + 2 * _L + l]
            b, c = a * 0.5 * (root - sigma - d), a * 0.5 * (root - sigma + d)
            e, f = a * (-tilt - half * d * over), a * half * (sigma * over - 1.0)
            z[_AFTER + l] += r * r
            z[_AFTER + _L + l] += a * r
            z[_AFTER + 2 * _L + l] += b * r
            z[_AFTER + 3 * _L + l] += c * r
            z[_AFTER + 4 * _L + l] += e * r
            z[_AFTER + 5 * _L + l] += f * r
            z[_AFTER + 6 * _L + l] += a * a
            z[_AFTER + 7 * _L + l] += b * a
            z[_AFTER + 8 * _L + l] += b * b
            z[_AFTER + 9 * _L + l] += c * a
            z[_AFTER + 10 * _L + l] += c * b
            z[_AFTER + 11 * _L + l] += c * c
            z[_AFTER + 12 * _L + l] += e * a
            z[_AFTER + 13 * _L + l] += e * b
            z[_AFTER + 14 * _L + l] += e * c
            z[_AFTER + 15 * _L + l] += e * e
            z[_AFTER + 16 * _L + l] += f * a
            z[_AFTER + 17 * _L + l] += f * b
            z[_AFTER + 18 * _L + l] += f * c
            z[_AFTER + 19 * _L + l] += f * e
            z[_AFTER + 20 * _L + l] += f * f


@kernel
def _step(z: Float1D) -> None:
    """The trial: x plus the damped step, cut at the bounds; what it is expected to gain; a lane without one is hard."""
    for l in range(_L):
        s, more = _SUMS + l, 1.0 + z[_DAMPING + l]
        m10, m20, m30, m40 = z[s + 7 * _L], z[s + 9 * _L], z[s + 12 * _L], z[s + 16 * _L]
        m21, m31, m41, m32 = z[s + 10 * _L], z[s + 13 * _L], z[s + 17 * _L], z[s + 14 * _L]
        m42, m43, m00, m11 = z[s + 18 * _L], z[s + 19 * _L], z[s + 6 * _L], z[s + 8 * _L]
        m22, m33, m44 = z[s + 11 * _L], z[s + 15 * _L], z[s + 20 * _L]
        g0, g1, g2, g3, g4 = z[s + _L], z[s + 2 * _L], z[s + 3 * _L], z[s + 4 * _L], z[s + 5 * _L]
        d0 = more * m00
        l10, l20, l30, l40 = m10 / d0, m20 / d0, m30 / d0, m40 / d0
        d1 = more * m11 - l10 * m10
        t21, t31, t41 = m21 - l20 * m10, m31 - l30 * m10, m41 - l40 * m10
        l21, l31, l41 = t21 / d1, t31 / d1, t41 / d1
        d2 = more * m22 - l20 * m20 - l21 * t21
        t32, t42 = m32 - l30 * m20 - l31 * t21, m42 - l40 * m20 - l41 * t21
        l32, l42 = t32 / d2, t42 / d2
        d3 = more * m33 - l30 * m30 - l31 * t31 - l32 * t32
        t43 = m43 - l40 * m30 - l41 * t31 - l42 * t32
        l43 = t43 / d3
        d4 = more * m44 - l40 * m40 - l41 * t41 - l42 * t42 - l43 * t43
        y1 = -g1 + l10 * g0
        y2 = -g2 + l20 * g0 - l21 * y1
        y3 = -g3 + l30 * g0 - l31 * y1 - l32 * y2
        s4 = (-g4 + l40 * g0 - l41 * y1 - l42 * y2 - l43 * y3) / d4
        s3 = y3 / d3 - l43 * s4
        s2 = y2 / d2 - l32 * s3 - l42 * s4
        s1 = y1 / d1 - l21 * s2 - l31 * s3 - l41 * s4
        s0 = -g0 / d0 - l10 * s1 - l20 * s2 - l30 * s3 - l40 * s4
        z[_TRIAL + l], z[_TRIAL + _L + l], z[_TRIAL + 2 * _L + l] = s0, s1, s2
        z[_TRIAL + 3 * _L + l], z[_TRIAL + 4 * _L + l] = s3, s4
        good = min(min(min(d0, d1), min(d2, d3)), d4) > 0.0
        z[_STATE + l] = z[_STATE + l] if good or z[_STATE + l] > 0.0 else 2.0
    for j in range(_N):
        for l in range(_L):
            x, low, high = z[_X + j * _L + l], z[_LOW + j * _L + l], z[_HIGH + j * _L + l]
            z[_TRIAL + j * _L + l] = min(max(x + z[_TRIAL + j * _L + l], low), high)


@kernel
def _expect(z: Float1D) -> float:
    """What the trial gains if residuals are linear: a lane that gains nothing has settled; how many still climb."""
    for l in range(_L):
        s = _SUMS + l
        a, b = z[_TRIAL + l] - z[_X + l], z[_TRIAL + _L + l] - z[_X + _L + l]
        c = z[_TRIAL + 2 * _L + l] - z[_X + 2 * _L + l]
        e, f = z[_TRIAL + 3 * _L + l] - z[_X + 3 * _L + l], z[_TRIAL + 4 * _L + l] - z[_X + 4 * _L + l]
        cross = z[s + 7 * _L] * b * a + z[s + 9 * _L] * c * a + z[s + 10 * _L] * c * b + z[s + 12 * _L] * e * a
        cross += z[s + 13 * _L] * e * b + z[s + 14 * _L] * e * c + z[s + 16 * _L] * f * a + z[s + 17 * _L] * f * b
        cross += z[s + 18 * _L] * f * c + z[s + 19 * _L] * f * e
        square = z[s + 6 * _L] * a * a + z[s + 8 * _L] * b * b + z[s + 11 * _L] * c * c + z[s + 15 * _L] * e * e
        square += z[s + 20 * _L] * f * f
        slope = z[s + _L] * a + z[s + 2 * _L] * b + z[s + 3 * _L] * c + z[s + 4 * _L] * e + z[s + 5 * _L] * f
        z[_EXPECTED + l] = -2.0 * (slope + cross) - square
        p = max(abs(a) / (abs(z[_X + l]) + 1e-8), abs(b) / (abs(z[_X + _L + l]) + 1e-8))
        q = max(abs(c) / (abs(z[_X + 2 * _L + l]) + 1e-8), abs(e) / (abs(z[_X + 3 * _L + l]) + 1e-8))
        longest = max(max(p, q), abs(f) / (abs(z[_X + 4 * _L + l]) + 1e-8))
        small = (z[_EXPECTED + l] <= _SMALL_GAIN * z[s]) & (z[_DAMPING + l] <= 1.0) | (longest < _SMALL_STEP)
        z[_STATE + l] = 1.0 if small & (z[_STATE + l] == 0.0) else z[_STATE + l]
    climbing = 0.0
    for l in range(_L):
        climbing += 1.0 if z[_STATE + l] == 0.0 else 0.0
    return climbing


@kernel
def _finish(z: Float1D) -> None:
    """Take the small step of the lanes that have just settled; one that it leads onto a bound is hard."""
    for l in range(_L):
        z[_TAKEN + l] = 1.0 if (z[_STATE + l] == 1.0) & (z[_DONE + l] == 0.0) else 0.0
        z[_DONE + l] = 1.0 if z[_STATE + l] == 1.0 else 0.0
        z[_SUMS + l] -= z[_TAKEN + l] * max(z[_EXPECTED + l], 0.0)
    for j in range(_N):
        for l in range(_L):
            x = z[_TRIAL + j * _L + l]
            taken = z[_TAKEN + l] > 0.0
            edge = taken & ((x <= z[_LOW + j * _L + l]) | (x >= z[_HIGH + j * _L + l]))
            z[_STATE + l] = 2.0 if edge else z[_STATE + l]
            z[_X + j * _L + l] = x if taken else z[_X + j * _L + l]


@kernel
def _judge(z: Float1D) -> None:
    """Take the trials that are lower, update damping and state."""
    for l in range(_L):
        before, after, expected = z[_SUMS + l], z[_AFTER + l], z[_EXPECTED + l]
        still = z[_STATE + l] == 0.0
        take = still & (after < before)
        bend = 2.0 * (before - after) / expected - 1.0
        slower = z[_DAMPING + l] * max(1.0 / 3.0, 1.0 - bend * bend * bend)
        z[_DAMPING + l] = slower if take else z[_DAMPING + l] * z[_GROWTH + l]
        z[_GROWTH + l] = 2.0 if take else 2.0 * z[_GROWTH + l]
        z[_COUNT + l] += 1.0 if take else 0.0
        z[_TAKEN + l] = 1.0 if take else 0.0
    for j in range(_N):
        for l in range(_L):
            x = z[_TRIAL + j * _L + l]
            taken = z[_TAKEN + l] > 0.0
            edge = taken & ((x <= z[_LOW + j * _L + l]) | (x >= z[_HIGH + j * _L + l]))
            z[_STATE + l] = 2.0 if edge else z[_STATE + l]
            z[_X + j * _L + l] = x if taken else z[_X + j * _L + l]
    for j in range(21):
        for l in range(_L):
            z[_SUMS + j * _L + l] = z[_AFTER + j * _L + l] if z[_TAKEN + l] > 0.0 else z[_SUMS + j * _L + l]


@kernel
def _start(first: int, stop: int, data: Float2D, z: Float1D) -> None:
    """The linear fit at (m, sigma) of the start to some rows: into x where it is the best so far."""
    for j in range(7 * _L):
        z[_START + j] = 0.0
    for i in range(first, stop):
        _load(data[i], z)
        for l in range(_L):
            d, sigma = z[_QUOTE + l] - z[_START + 7 * _L + l], z[_START + 8 * _L + l]
            bend = sqrt(d * d + sigma * sigma) - sigma
            a, t = z[_QUOTE + 3 * _L + l], -0.5 * z[_QUOTE + 2 * _L + l]
            b, c = a * 0.5 * (bend - d), a * 0.5 * (bend + d)
            z[_START + l] += a * b
            z[_START + _L + l] += a * c
            z[_START + 2 * _L + l] += b * b
            z[_START + 3 * _L + l] += b * c
            z[_START + 4 * _L + l] += c * c
            z[_START + 5 * _L + l] += b * t
            z[_START + 6 * _L + l] += c * t
    for l in range(_L):
        a00, g0, square = z[_FIXED + l], z[_FIXED + _L + l], z[_FIXED + 2 * _L + l]
        a01, a02, a11, a12 = z[_START + l], z[_START + _L + l], z[_START + 2 * _L + l], z[_START + 3 * _L + l]
        a22, g1, g2 = z[_START + 4 * _L + l], z[_START + 5 * _L + l], z[_START + 6 * _L + l]
        l1, l2 = a01 / a00, a02 / a00
        d1, t = a11 * (1.0 + 1e-12) - l1 * a01, a12 - l1 * a02
        d2 = a22 * (1.0 + 1e-12) - l2 * a02 - t / d1 * t
        y1 = -g1 + l1 * g0
        right = (-g2 + l2 * g0 - t / d1 * y1) / d2
        left = min(max((y1 - t * right) / d1, z[_LOW + _L + l]), z[_HIGH + _L + l])
        right = min(max(right, z[_LOW + 2 * _L + l]), z[_HIGH + 2 * _L + l])
        level = min(max(-(g0 + left * a01 + right * a02) / a00, z[_LOW + l]), z[_HIGH + l])
        value = level * (level * a00 + 2.0 * (left * a01 + right * a02 + g0)) + left * (left * a11 + 2.0 * g1)
        value += right * (right * a22 + 2.0 * (left * a12 + g2)) + square
        best = (value < z[_BEST + l]) & (d1 > 0.0) & (d2 > 0.0)
        z[_BEST + l] = value if best else z[_BEST + l]
        z[_X + l] = level if best else z[_X + l]
        z[_X + _L + l] = left if best else z[_X + _L + l]
        z[_X + 2 * _L + l] = right if best else z[_X + 2 * _L + l]
        z[_X + 3 * _L + l] = z[_START + 7 * _L + l] if best else z[_X + 3 * _L + l]
        z[_X + 4 * _L + l] = z[_START + 8 * _L + l] if best else z[_X + 4 * _L + l]


@kernel
def svi_lanes(
    start: int, stop: int, offset: Int1D, quotes: Float2D, tau: Float1D,
    starts: Float2D, least_width: float, data: Float2D, z: Float1D,
) -> None:  # fmt: skip
    """Climb with slices start..stop, at most eight: rows _X, _SUMS, _STATE and _COUNT of z, shape (87 * 8,), tell.

    quotes, shape (3, n): k, vol, root_weight. data is scratch of shape (most quotes of a slice + 12, 32). Lanes without
    a slice repeat the last.
    """
    k, vol, root_weight, most = quotes[0], quotes[1], quotes[2], 0
    for l in range(_L):
        s = min(start + l, stop - 1)
        most = max(most, offset[s + 1] - offset[s])
    for j in range(_ROWS * _L):
        z[j] = 0.0
    for l in range(_L):
        s = min(start + l, stop - 1)
        i, n, top, square, root = offset[s], offset[s + 1] - offset[s], 0.0, 0.0, sqrt(tau[s])
        for q in range(most):
            at = i + min(q, n - 1)
            weight = root_weight[at] if q < n else 0.0
            data[q, l], data[q, _L + l], data[q, 2 * _L + l] = k[at], 0.5 * weight / root, weight * vol[at]
            data[q, 3 * _L + l] = 0.0
            top = max(top, vol[at] * vol[at] * tau[s])
        for q in range(FEW):  # spread over the slice
            at = i + (min(q, n - 1) if n <= FEW else q * (n - 1) // (FEW - 1))
            weight = root_weight[at] if q < n else 0.0
            a = weight / (2.0 * vol[at] * tau[s])
            data[most + q, l], data[most + q, _L + l] = k[at], 0.5 * weight / root
            data[most + q, 2 * _L + l], data[most + q, 3 * _L + l] = weight * vol[at], a
            z[_FIXED + l] += a * a
            z[_FIXED + _L + l] -= a * 0.5 * weight * vol[at]
            square += 0.25 * weight * vol[at] * weight * vol[at]
        left, right = k[i], k[i + n - 1]
        span = right - left
        z[_FIXED + 2 * _L + l], z[_BEST + l] = square, _BIG
        z[_LOW + l], z[_HIGH + l] = 1e-12, 100.0 * top
        z[_LOW + _L + l], z[_HIGH + _L + l], z[_LOW + 2 * _L + l], z[_HIGH + 2 * _L + l] = 1e-9, 1.999, 1e-9, 1.999
        z[_LOW + 3 * _L + l], z[_HIGH + 3 * _L + l] = left - 2.0 * span, right + 2.0 * span
        z[_LOW + 4 * _L + l], z[_HIGH + 4 * _L + l] = least_width * span, 10.0 * span
        z[_DAMPING + l], z[_GROWTH + l] = 3.0 * START_DAMPING, 2.0  # the first judgement divides by 3
    for s in range(starts.shape[0]):
        for l in range(_L):
            left, span = z[_LOW + 3 * _L + l], (z[_HIGH + 3 * _L + l] - z[_LOW + 3 * _L + l]) / 5.0
            z[_START + 7 * _L + l] = left + 2.0 * span + span * starts[s, 0]
            z[_START + 8 * _L + l] = span * max(starts[s, 1], least_width)
        _start(most, most + FEW, data, z)
    for j in range(_N * _L):
        z[_TRIAL + j] = z[_X + j]
    for l in range(_L):  # the first trial, the start itself, is always taken
        z[_SUMS + l], z[_EXPECTED + l], z[_COUNT + l] = _BIG, _BIG, -1.0
    for _ in range(_MAX_ITER + 1):
        _sum_quotes(most, data, z)
        _judge(z)
        _step(z)
        left = _expect(z)
        _finish(z)
        if left == 0.0:
            break


@kernel
def svi_slices(
    begin: int, end: int, offset: Int1D, quotes: Float2D, tau: Float1D,
    starts: Float2D, n_climbs: int, least_width: float, max_iter: int, out: Float2D, info: Float2D,
) -> None:  # fmt: skip
    """As `svi_fit` for slices begin..end by themselves; slice s has the quotes offset[s] to offset[s + 1], k rising.

    quotes, shape (3, n): k, vol, root_weight. starts, rows (m, sigma), are shares of the quoted range from its left
    end; out, shape (n, 5), gets the search's parameters, info, shape (n, 3), the sum of squares, status and iterations.
    One climb from the best start; `n_climbs` where that is hard. A slice's lane and its neighbours do not change its
    numbers.
    """
    k, vol, root_weight, most = quotes[0], quotes[1], quotes[2], 0
    for s in range(begin, end):
        most = max(most, offset[s + 1] - offset[s])
    z, data = np.empty(_ROWS * _L), np.empty((most + FEW, 4 * _L))
    lower, upper, own = np.empty(_N), np.empty(_N), np.empty((starts.shape[0], 2))
    for start in range(begin, end, _L):
        stop = min(start + _L, end)
        svi_lanes(start, stop, offset, quotes, tau, starts, least_width, data, z)
        for s in range(start, stop):
            l = s - start
            for j in range(_N):
                out[s, j] = z[_X + j * _L + l]
                lower[j], upper[j] = z[_LOW + j * _L + l], z[_HIGH + j * _L + l]
            info[s, 0], info[s, 1], info[s, 2] = z[_SUMS + l], CONVERGED, z[_COUNT + l]
            easy = z[_STATE + l] == 1.0 and z[_COUNT + l] >= 2.0 and z[_COUNT + l] <= max_iter
            if not (easy and z[_SUMS + l] < _BIG):
                i, j = offset[s], offset[s + 1]
                span = k[j - 1] - k[i]
                for q in range(starts.shape[0]):
                    own[q, 0], own[q, 1] = k[i] + span * starts[q, 0], span * max(starts[q, 1], least_width)
                sse, status, n_iter = svi_fit(
                    k[i:j], vol[i:j], root_weight[i:j], tau[s], lower, upper, own, n_climbs, max_iter, out[s]
                )
                info[s, 0], info[s, 1], info[s, 2] = sse, status, n_iter
