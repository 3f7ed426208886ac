"""Maximum likelihood of GARCH(1,1): analytic gradient and Hessian, a grid of starts, projected Newton.

The search runs on the series divided by its standard deviation, over q = (mu, w, p, u) with
omega = exp(w) (1.01 - p), alpha = p u, beta = p (1 - u): positivity and alpha + beta < 1 become a box, and
exp(w) is about the long-run variance, which keeps the ridge of the likelihood straight. A step solves the Newton
system of the coordinates that do not press against their bound, damped as in Levenberg-Marquardt until the
likelihood rises; the climb ends when the Newton step promises less than 1e-9 nats, and that last step is taken
too, so that its error is of the order of rounding. Weak clustering has many local maxima: unless the first climb
ends 25 nats above constant variance, every start of the grid is climbed from.

`out` of derivatives: 0 log-likelihood; 1-4 gradient; 5-14 Hessian, upper triangle by rows, in (mu, omega, alpha, beta).

References
----------
Fiorentini, Calzolari, Panattoni (1996), J. of Applied Econometrics 11, 399-417: the derivatives.
Bollerslev, Wooldridge (1992), Econometric Reviews 11, 143-172: the robust covariance.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import prange

from research.arrays import Float1D, Float2D, Int1D
from research.core._jit import inlined, kernel, parallel
from research.core.math.elementary import exp, log
from research.core.models.garch import LOG_2PI, garch_initial

CONVERGED, MAX_ITERATIONS, AT_BOUND, NOT_FINITE = 0, 1, 2, 3

P_MAX = 0.999999  # of alpha + beta
W_MIN, W_MAX = -12.0, 12.0  # of w, the sample variance being 1
C = 1.01  # in omega = exp(w) (C - p): w moves the long-run variance
C_FAR = 5.0  # as C, for a climb that stalls: near alpha + beta = 1 the ridge is straight in log omega
PATIENCE = 40  # iterations before that
MU_MAX = 5.0  # of abs(mu), in sample standard deviations
ENOUGH = 1e-9  # nats that the last step promises
SAFE = 25.0  # nats above constant variance from which one start is enough

START_P = np.array([0.50, 0.80, 0.92, 0.97, 0.99])
START_U = np.array([0.02, 0.06, 0.12, 0.30])


@kernel
def garch_derivatives(
    x: Float1D, mu: float, omega: float, alpha: float, beta: float, initial: float, out: Float1D
) -> None:
    """Fill out[0:15] with log-likelihood, gradient and Hessian; see the module for the order."""
    past = garch_initial(x, mu, initial)
    past_m, past_mm = 0.0, 0.0  # derivatives of `past` by mu
    if initial <= 0.0:
        mean = 0.0
        for t in range(x.size):
            mean += x[t]
        past_m, past_mm = 2.0 * (mu - mean / x.size), 2.0
    h = omega + (alpha + beta) * past
    h_m, h_o, h_a, h_b = (alpha + beta) * past_m, 1.0, past, past
    h_mm, h_ma, h_mb = (alpha + beta) * past_mm, past_m, past_m
    h_ob, h_ab, h_bb = 0.0, 0.0, 0.0
    value = 0.0
    gm, go, ga, gb = 0.0, 0.0, 0.0, 0.0
    mm, mo, ma, mb, oo, oa, ob, aa, ab, bb = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for t in range(x.size):
        e = x[t] - mu
        e2 = e * e
        r = 1.0 / h
        z2 = e2 * r
        value += log(h) + z2
        first = 0.5 * r * (z2 - 1.0)  # dl/dh
        second = r * r * (0.5 - z2)  # d2l/dh2
        cross = e * r * r  # -d2l/dh dmu at fixed h
        sm, so, sa, sb = second * h_m, second * h_o, second * h_a, second * h_b
        gm += first * h_m + e * r
        go += first * h_o
        ga += first * h_a
        gb += first * h_b
        mm += sm * h_m + first * h_mm - 2.0 * cross * h_m - r
        mo += sm * h_o - cross * h_o
        ma += sm * h_a + first * h_ma - cross * h_a
        mb += sm * h_b + first * h_mb - cross * h_b
        oo += so * h_o
        oa += so * h_a
        ob += so * h_b + first * h_ob
        aa += sa * h_a
        ab += sa * h_b + first * h_ab
        bb += sb * h_b + first * h_bb
        h_mm = 2.0 * alpha + beta * h_mm
        h_ma = -2.0 * e + beta * h_ma
        h_mb = h_m + beta * h_mb
        h_ob = h_o + beta * h_ob
        h_ab = h_a + beta * h_ab
        h_bb = 2.0 * h_b + beta * h_bb
        h_m = -2.0 * alpha * e + beta * h_m
        h_o = 1.0 + beta * h_o
        h_a = e2 + beta * h_a
        h_b = h + beta * h_b
        h = (omega + alpha * e2) + beta * h
    out[0] = -0.5 * (value + x.size * LOG_2PI)
    out[1], out[2], out[3], out[4] = gm, go, ga, gb
    out[5], out[6], out[7], out[8] = mm, mo, ma, mb
    out[9], out[10], out[11] = oo, oa, ob
    out[12], out[13], out[14] = aa, ab, bb


@kernel
def garch_scores(x: Float1D, mu: float, omega: float, alpha: float, beta: float, initial: float, out: Float2D) -> None:
    """Fill out, shape (n, 4), with the derivatives of each log density by (mu, omega, alpha, beta)."""
    past = garch_initial(x, mu, initial)
    past_m = 0.0
    if initial <= 0.0:
        mean = 0.0
        for t in range(x.size):
            mean += x[t]
        past_m = 2.0 * (mu - mean / x.size)
    h = omega + (alpha + beta) * past
    h_m, h_o, h_a, h_b = (alpha + beta) * past_m, 1.0, past, past
    for t in range(x.size):
        e = x[t] - mu
        e2 = e * e
        first = 0.5 * (e2 / h - 1.0) / h
        out[t, 0] = first * h_m + e / h
        out[t, 1] = first * h_o
        out[t, 2] = first * h_a
        out[t, 3] = first * h_b
        h_m = -2.0 * alpha * e + beta * h_m
        h_o = 1.0 + beta * h_o
        h_a = e2 + beta * h_a
        h_b = h + beta * h_b
        h = (omega + alpha * e2) + beta * h


@kernel
def garch_starts(x: Float1D, mu: float, initial: float, q: Float2D, value: Float1D) -> int:
    """Fill q[i] with a grid of starts whose long-run variance is that of the sample, and value[i] with their
    log-likelihoods; which is best. q has shape (20, 4)."""
    n = value.size
    omega, alpha, beta, h, total = np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.zeros(n)
    past, sample = garch_initial(x, mu, initial), garch_initial(x, mu, 0.0)
    for i in range(n):
        p, u = START_P[i // START_U.size], START_U[i % START_U.size]
        omega[i], alpha[i], beta[i] = (1.0 - p) * sample, p * u, p * (1.0 - u)
        h[i] = omega[i] + p * past
        q[i, 0], q[i, 1], q[i, 2], q[i, 3] = mu, log(omega[i] / (C - p)), p, u
    for t in range(x.size):
        e2 = (x[t] - mu) * (x[t] - mu)
        for i in range(n):
            total[i] += log(h[i]) + e2 / h[i]
            h[i] = (omega[i] + alpha[i] * e2) + beta[i] * h[i]
    best = 0
    for i in range(n):
        value[i] = -0.5 * (total[i] + x.size * LOG_2PI)
        best = i if value[i] > value[best] else best
    return best


@kernel
def box_derivatives(x: Float1D, q: Float1D, c: float, initial: float, raw: Float1D, g: Float1D, b: Float2D) -> float:
    """Log-likelihood at q; fills its gradient g and minus its Hessian b in the box coordinates (chain rule)."""
    level, p, u = exp(q[1]), q[2], q[3]
    omega, v = level * (c - p), 1.0 - u
    garch_derivatives(x, q[0], omega, p * u, p * v, initial, raw)
    go, ga, gb = raw[2], raw[3], raw[4]
    g[0], g[1] = raw[1], omega * go
    g[2], g[3] = u * ga + v * gb - level * go, p * (ga - gb)
    oo, oa, ob, aa, ab, bb = raw[9], raw[10], raw[11], raw[12], raw[13], raw[14]
    b[0, 0] = -raw[5]
    b[0, 1] = -omega * raw[6]
    b[0, 2] = level * raw[6] - u * raw[7] - v * raw[8]
    b[0, 3] = p * (raw[8] - raw[7])
    b[1, 1] = -(omega * omega * oo + omega * go)
    b[1, 2] = omega * (level * oo - u * oa - v * ob) + level * go
    b[1, 3] = omega * p * (ob - oa)
    b[2, 2] = level * (2.0 * (u * oa + v * ob) - level * oo) - (u * u * aa + 2.0 * u * v * ab + v * v * bb)
    b[2, 3] = p * (level * (oa - ob) - u * (aa - ab) - v * (ab - bb)) - (ga - gb)
    b[3, 3] = -p * p * (aa - 2.0 * ab + bb)
    for i in range(4):
        for j in range(i):
            b[i, j] = b[j, i]
    return raw[0]


@kernel
def damped_step(b: Float2D, g: Float1D, free: Int1D, damping: float, low: Float2D, step: Float1D) -> bool:
    """Fill step with the solution of (b + damping D) step = g over the free coordinates; False if not positive."""
    for i in range(4):
        for j in range(i + 1):
            on = free[i] == 1 and free[j] == 1
            total = b[i, j] if on else 0.0
            if i == j:
                total = total + damping * max(abs(total), 1e-3) if on else 1.0
            for k in range(j):
                total -= low[i, k] * low[j, k]
            if i == j:
                if not total > 1e-12 * max(abs(b[i, i]), 1e-12):
                    return False
                low[i, i] = sqrt(total)
            else:
                low[i, j] = total / low[j, j]
    for i in range(4):
        total = g[i] if free[i] == 1 else 0.0
        for k in range(i):
            total -= low[i, k] * step[k]
        step[i] = total / low[i, i]
    for i in range(3, -1, -1):
        total = step[i]
        for k in range(i + 1, 4):
            total -= low[k, i] * step[k]
        step[i] = total / low[i, i]
    return True


@inlined
def box_bound(i: int, upper: bool) -> float:
    """Lower or upper bound of coordinate i of (mu, w, p, u)."""
    if i == 0:
        return MU_MAX if upper else -MU_MAX
    if i == 1:
        return W_MAX if upper else W_MIN
    if i == 2:
        return P_MAX if upper else 0.0
    return 1.0 if upper else 0.0


@inlined
def free_coordinates(q: Float1D, g: Float1D, free: Int1D) -> None:
    """free[i] = 0 where q sits on a bound and the likelihood rises outward. Without alpha, p means nothing."""
    for i in range(4):
        pressed = (q[i] <= box_bound(i, False) and g[i] <= 0.0) or (q[i] >= box_bound(i, True) and g[i] >= 0.0)
        free[i] = 0 if pressed else 1
    free[2] = free[2] if free[3] == 1 or q[3] > 0.0 else 0


@kernel
def promised_gain(g: Float1D, b: Float2D, q: Float1D, step: Float1D, trial: Float1D) -> float:
    """Clip q + step to the box into trial; the gain in likelihood that the quadratic model promises there."""
    gain = 0.0
    for i in range(4):
        trial[i] = min(max(q[i] + step[i], box_bound(i, False)), box_bound(i, True))
    for i in range(4):
        curve = 0.0
        for j in range(4):
            curve += b[i, j] * (trial[j] - q[j])
        gain += (trial[i] - q[i]) * (g[i] - 0.5 * curve)
    return gain


@kernel
def garch_search(x: Float1D, initial: float, c: float, max_iter: int, q: Float1D) -> tuple[float, int, int]:
    """Climb from q, in place, on a series of unit variance, with omega = exp(w) (c - p).

    (log-likelihood, status, iterations).
    """
    raw, raw_trial = np.empty(15), np.empty(15)
    g, g_trial, step, trial = np.empty(4), np.empty(4), np.empty(4), np.empty(4)
    b, b_trial, low = np.empty((4, 4)), np.empty((4, 4)), np.zeros((4, 4))
    free = np.ones(4, np.int64)
    value = box_derivatives(x, q, c, initial, raw, g, b)
    damping = 0.0
    for n_iter in range(max_iter):
        free_coordinates(q, g, free)
        solved = damped_step(b, g, free, damping, low, step)
        gain = promised_gain(g, b, q, step, trial) if solved else -1.0
        if not gain >= 0.0:
            damping = max(10.0 * damping, 1e-3)
            if damping > 1e12:
                return value, NOT_FINITE, n_iter
            continue
        new = box_derivatives(x, trial, c, initial, raw_trial, g_trial, b_trial)
        last = gain < ENOUGH
        if not (new > value or last):
            damping = max(10.0 * damping, 1e-3)
            continue
        value = new
        for i in range(4):
            q[i], g[i] = trial[i], g_trial[i]
            for j in range(4):
                b[i, j] = b_trial[i, j]
        damping = 0.0 if damping < 1e-4 else 0.1 * damping
        if last and damping == 0.0:
            free_coordinates(q, g, free)
            bound = free[0] * free[1] * free[2] * free[3] == 0
            return value, AT_BOUND if bound else CONVERGED, n_iter + 1
    return value, MAX_ITERATIONS, max_iter


@inlined
def shift_box(q: Float1D, old: float, new: float) -> None:
    """Express omega with `new` for c."""
    q[1] += log((old - q[2]) / (new - q[2]))


@kernel
def garch_fit(x: Float1D, initial: float, max_iter: int, work: Float1D, out: Float1D) -> tuple[int, int]:
    """Fit to x; out[0:4] mu, omega, alpha, beta; out[4] log-likelihood; out[5:9] the box coordinates (scaled).

    `work` has the size of x. (status, iterations).
    """
    n = x.size
    mean = 0.0
    for t in range(n):
        mean += x[t]
    mean /= n
    scale = sqrt(garch_initial(x, mean, 0.0))
    if not scale > 1e-12 * abs(mean):
        for i in range(out.size):
            out[i] = np.nan
        return NOT_FINITE, 0
    for t in range(n):
        work[t] = x[t] / scale
    n_starts = START_P.size * START_U.size
    starts, values = np.empty((n_starts, 4)), np.empty(n_starts)
    past = initial / (scale * scale)
    first = garch_starts(work, mean / scale, past, starts, values)
    value = -0.5 * n * (1.0 + LOG_2PI)  # constant variance: what is left when no start finds alpha > 0
    status, n_iter = AT_BOUND, 0
    q = np.array([mean / scale, -log(C), 0.0, 0.0])
    for k in range(n_starts):
        i = (first + k) % n_starts
        climbed, s, steps = garch_search(work, past, C, min(max_iter, PATIENCE), starts[i])
        if s == MAX_ITERATIONS and max_iter > PATIENCE:
            shift_box(starts[i], C, C_FAR)
            climbed, s, more = garch_search(work, past, C_FAR, max_iter - PATIENCE, starts[i])
            steps += more
            shift_box(starts[i], C_FAR, C)
        n_iter += steps
        if climbed > value + ENOUGH and starts[i, 2] * starts[i, 3] > 0.0:
            value, status, q = climbed, s, starts[i]
        if k == 0 and status == CONVERGED and value > SAFE - 0.5 * n * (1.0 + LOG_2PI):
            break  # weak GARCH has several local maxima; this is strong
    p, u = q[2], q[3]
    omega = exp(q[1]) * (C - p)
    out[0], out[1], out[2], out[3] = q[0] * scale, omega * scale * scale, p * u, p * (1.0 - u)
    out[4] = value - n * log(scale)
    for i in range(4):
        out[5 + i] = q[i]
    return status, n_iter


@parallel
def garch_refits(
    x: Float1D, end: Int1D, width: int, initial: float, max_iter: int, out: Float2D, status: Int1D, n_iter: Int1D
) -> None:
    """Fit to x[end[i] - width : end[i]] for every i; out has shape (m, 9), see `garch_fit`."""
    for i in prange(end.size):
        work = np.empty(width)
        s, k = garch_fit(x[end[i] - width : end[i]], initial, max_iter, work, out[i])
        status[i] = s
        n_iter[i] = k
