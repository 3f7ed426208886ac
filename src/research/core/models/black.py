"""Black (1976): prices and Greeks of European options on a forward, without cancellation in the wings.

With low = min(F, K), k = |log(F / K)|, s = vol sqrt(tau), h = k / s, t = s / 2 the out-of-the-money option is worth

    low [Phi(-z) - e^k Phi(-h - t)] = low e^(-z^2/2) gap(h, t),    z = h - t,
    gap(h, t) = m(h - t) - m(h + t),    m(x) = e^(x^2/2) Phi(-x),

undiscounted; the in-the-money one adds |F - K|. gap keeps its digits: for small t it is summed by its odd
derivatives, m' = x m - phi(0), m^(n+1) = n m^(n-1) + x m^(n).

References
----------
Black (1976), "The pricing of commodity contracts", J. Financial Economics 3, 167-179.
Jaeckel (2015), "Let's be rational", Wilmott 75, section 2 (the erfcx form and the expansion in small t).
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from research.arrays import Bool1D, Float1D, Float2D, Int1D
from research.core._jit import inlined, kernel
from research.core.math._fused import fma
from research.core.math.elementary import exp, log1p, log_series, log_split, ratio_join, ratio_split
from research.core.math.normal import mills, mills_pair

BLOCK = 256  # options that are worked on together
_INF = float("inf")
_PHI0 = 0.3989422804014327  # density of the normal distribution at 0
_SMALL = 0.05  # below it gap is summed as a series; the first term left out is 1e-17 of the sum
_LEAST = 1e-300  # standard deviation that stands for 0
_MOST = 1e6  # and for more: all is certain there
_FAR = 1000.0  # standard deviations: the price there is 0
# the rows of a block stand in one array, so that no loop has to ask whether two arrays overlap, and at a distance that
# keeps them apart in the first-level cache: inputs, what serves many results, results
_F, _K, _TAU, _VOL, _DF, _SIGN, _H, _T, _GAUSS, _NEAR, _BEYOND, _ROOT, _BY_STD, _VALUE, _RATE = range(15)
_PRICE, _DELTA, _GAMMA, _VEGA, _THETA, _RHO, _VANNA, _VOLGA, _CHARM, _SPEED = range(15, 25)
_ROWS = 25


@inlined
def gap_series(h: float, t: float, m0: float) -> float:
    """m(h - t) - m(h + t) for abs(t) < 0.05, from m0 = m(h)."""
    m1 = fma(h, m0, -_PHI0)
    m2 = fma(h, m1, m0)
    m3 = fma(h, m2, 2.0 * m1)
    m4 = fma(h, m3, 3.0 * m2)
    m5 = fma(h, m4, 4.0 * m3)
    m6 = fma(h, m5, 5.0 * m4)
    m7 = fma(h, m6, 6.0 * m5)
    m8 = fma(h, m7, 7.0 * m6)
    m9 = fma(h, m8, 8.0 * m7)
    u = t * t
    tail = fma(u, fma(u, m9 * (1.0 / 362880.0), m7 * (1.0 / 5040.0)), m5 * (1.0 / 120.0))
    return -2.0 * t * fma(u, fma(u, tail, m3 * (1.0 / 6.0)), m1)


@inlined
def black_time_value(forward: float, strike: float, std: float) -> float:
    """Undiscounted price of the out-of-the-money option; std = vol sqrt(tau)."""
    low, high = min(forward, strike), max(forward, strike)
    k = log1p((high - low) / low)
    s = std if std > 0.0 else 1e-300
    h = k / s
    h = _FAR if h > _FAR else h
    t = 0.5 * s
    z = h - t
    small = t < _SMALL
    near = mills(h if small else abs(z))
    far = mills(h + t)
    gauss = exp(-0.5 * z * z)
    value = gauss * (near - far) if z >= 0.0 else 1.0 - gauss * (near + far)
    value = gauss * gap_series(h, t, near) if small else value
    return low * value if std > 0.0 else 0.0


@inlined
def black_price(forward: float, strike: float, tau: float, vol: float, df: float, sign: float) -> float:
    """Price of one option; sign is +1.0 for a call, -1.0 for a put."""
    intrinsic = max(sign * (forward - strike), 0.0)
    return df * (black_time_value(forward, strike, vol * sqrt(tau)) + intrinsic)


@inlined
def rows_of(x: Float1D, start: int, stop: int, spare: Float1D) -> Float1D:
    """x[start:stop]; a single number stands for all options."""
    if x.size > 1:
        return x[start:stop]
    for m in range(stop - start):
        spare[m] = x[0]
    return spare[: stop - start]


@inlined
def sides_of(is_call: Bool1D, start: int, stop: int, spare: Bool1D) -> Bool1D:
    """As `rows_of`."""
    if is_call.size > 1:
        return is_call[start:stop]
    for m in range(stop - start):
        spare[m] = is_call[0]
    return spare[: stop - start]


@inlined
def _read(x: Float1D, start: int, stop: int, row: Float1D) -> None:
    """x[start:stop] into a row; a single number stands for all options."""
    if x.size > 1:
        part = x[start:stop]
        for m in range(part.size):
            row[m] = part[m]
    else:
        for m in range(stop - start):
            row[m] = x[0]


@inlined
def _read_sides(is_call: Bool1D, start: int, stop: int, row: Float1D) -> None:
    """As `_read`: 1.0 for a call, -1.0 for a put."""
    if is_call.size > 1:
        part = is_call[start:stop]
        for m in range(part.size):
            row[m] = 1.0 if part[m] else -1.0
    else:
        for m in range(stop - start):
            row[m] = 1.0 if is_call[0] else -1.0


@inlined
def _n_bad(w: Float2D, n: int) -> int:
    """How many rows of a block make no sense: of numbers that are not negative the sum is finite if each is."""
    f, k, tau, vol, df = w[_F], w[_K], w[_TAU], w[_VOL], w[_DF]
    bad = 0
    for i in range(n):
        finite = ((f[i] + k[i]) + (tau[i] + vol[i])) + df[i] < _INF
        sound = finite & (f[i] > 0.0) & (k[i] > 0.0) & (tau[i] >= 0.0) & (vol[i] >= 0.0) & (df[i] > 0.0)
        bad += 0 if sound else 1
    return bad


@inlined
def _parts(w: Float2D, n: int) -> None:
    """h, t, exp(-z^2 / 2), m(abs(z)), m(h + t), sqrt(tau) and 1 / (vol sqrt(tau)) of a block, in short loops: a long
    one waits for its own results. One division serves the logarithm and the standard deviation."""
    f, k, tau, vol, h, t = w[_F], w[_K], w[_TAU], w[_VOL], w[_H], w[_T]
    gauss, near, far, root, by_std = w[_GAUSS], w[_NEAR], w[_BEYOND], w[_ROOT], w[_BY_STD]
    for i in range(n):
        root[i] = sqrt(tau[i])
        std = vol[i] * root[i]
        s = std if std > _LEAST else _LEAST
        s = s if s < _MOST else _MOST
        octaves, difference, total = ratio_split(min(f[i], k[i]), max(f[i], k[i]))
        both = 1.0 / (s * total)
        inverse = both * total
        x = ratio_join(octaves, difference * (both * s)) * inverse
        h[i] = _FAR if x > _FAR else x
        t[i] = 0.5 * s
        by_std[i] = inverse if std > 0.0 else _INF
    for i in range(n):
        z = h[i] - t[i]
        gauss[i] = exp(-0.5 * z * z)
    for i in range(n):
        near[i], far[i] = mills_pair(abs(h[i] - t[i]), h[i] + t[i])


@inlined
def _prices(w: Float2D, n: int, where: Int1D) -> None:
    """Prices of a block; the few with a small vol are gathered, so that the series is summed for them alone."""
    f, k, tau, vol, df, sign = w[_F], w[_K], w[_TAU], w[_VOL], w[_DF], w[_SIGN]
    h, t, gauss, near, far, value, price = w[_H], w[_T], w[_GAUSS], w[_NEAR], w[_BEYOND], w[_VALUE], w[_PRICE]
    for i in range(n):
        over = gauss[i] * (near[i] - far[i]) if h[i] >= t[i] else 1.0 - gauss[i] * (near[i] + far[i])
        value[i] = over if vol[i] * tau[i] > 0.0 else 0.0
    some = 0
    for i in range(n):
        where[some] = i
        some += t[i] < _SMALL
    some_h, some_t = w[_DELTA], w[_GAMMA]  # which come later
    for m in range(some):
        i = where[m]
        some_h[m], some_t[m] = h[i], t[i]
    for m in range(some):
        some_h[m] = gap_series(some_h[m], some_t[m], mills(some_h[m]))
    for m in range(some):
        i = where[m]
        value[i] = gauss[i] * some_h[m] if vol[i] * tau[i] > 0.0 else 0.0
    for i in range(n):
        gain = sign[i] * (f[i] - k[i])
        price[i] = df[i] * fma(min(f[i], k[i]), value[i], max(gain, 0.0))


@inlined
def _rates(w: Float2D, n: int) -> None:
    """Zero rates of a block; a row with df <= 0 is a bad one."""
    tau, df, rate = w[_TAU], w[_DF], w[_RATE]
    for i in range(n):
        k, x = log_split(df[i])
        time = tau[i] if tau[i] > _LEAST else _LEAST
        both = 1.0 / ((2.0 + x) * time)
        zero_rate = log_series(k, x, x * (both * time), 0.0) * (both * (-2.0 - x))
        rate[i] = zero_rate if tau[i] > 0.0 else 0.0


@inlined
def _first(w: Float2D, n: int) -> None:
    """Delta, gamma, vega, theta and rho of a block."""
    f, k, tau, vol, df, sign, h, t = w[_F], w[_K], w[_TAU], w[_VOL], w[_DF], w[_SIGN], w[_H], w[_T]
    gauss, near, far, root, by_std, rate = w[_GAUSS], w[_NEAR], w[_BEYOND], w[_ROOT], w[_BY_STD], w[_RATE]
    price, delta, gamma, vega, theta, rho = w[_PRICE], w[_DELTA], w[_GAMMA], w[_VEGA], w[_THETA], w[_RHO]
    for i in range(n):
        by_f = 1.0 / f[i]
        # with low = K: d1 = h + t, d2 = z, phi(d1) = phi(z) low / high; with low = F: d1 = -z, d2 = -h - t
        upper = f[i] >= k[i]
        side = 1.0 if upper | (h[i] < t[i]) else -1.0  # the sign of d1
        tail = gauss[i] * ((k[i] * by_f) * far[i] if upper else near[i])  # Phi(-abs(d1))
        chance = 1.0 - tail if side == sign[i] else tail  # Phi(d1) of a call, Phi(-d1) of a put
        delta[i] = df[i] * (sign[i] * chance)
        density = df[i] * min(f[i], k[i]) * _PHI0 * gauss[i]  # df F phi(d1) = df K phi(d2)
        alive = density > 0.0
        decay = (0.5 * vol[i] * vol[i] * by_std[i] if tau[i] > 0.0 else _INF) if vol[i] > 0.0 else 0.0
        gamma[i] = density * by_f * by_f * by_std[i] if alive else 0.0
        vega[i] = density * root[i]
        theta[i] = rate[i] * price[i] - (density * decay if alive else 0.0)
        rho[i] = -tau[i] * price[i]


@inlined
def _second(w: Float2D, n: int) -> None:
    """Vanna, volga, charm, speed of a block."""
    f, k, tau, vol, df, h, t, gauss = w[_F], w[_K], w[_TAU], w[_VOL], w[_DF], w[_H], w[_T], w[_GAUSS]
    root, rate, delta, gamma = w[_ROOT], w[_RATE], w[_DELTA], w[_GAMMA]
    vanna, volga, charm, speed = w[_VANNA], w[_VOLGA], w[_CHARM], w[_SPEED]
    for i in range(n):
        upper = f[i] >= k[i]
        d1, d2 = (h[i] + t[i], h[i] - t[i]) if upper else (t[i] - h[i], -h[i] - t[i])
        density = df[i] * min(f[i], k[i]) * _PHI0 * gauss[i]
        alive = density > 0.0
        by_f = 1.0 / f[i]
        by_vol = 1.0 / vol[i] if vol[i] > 0.0 else 0.0
        d2_by_vol = d2 * by_vol if vol[i] > 0.0 else -0.5 * root[i]
        drift = 0.5 * d2 / tau[i] if tau[i] > 0.0 else 0.0
        bend = 1.0 + (0.5 * d1 / t[i] if vol[i] * tau[i] > 0.0 else 0.0)
        vanna[i] = -density * by_f * d2_by_vol if alive else 0.0
        volga[i] = density * root[i] * d1 * d2 * by_vol
        charm[i] = rate[i] * delta[i] + (density * by_f * drift if alive else 0.0)
        speed[i] = -gamma[i] * by_f * bend if alive else 0.0


@inlined
def _write(row: Float1D, out: Float1D) -> None:
    for m in range(out.size):
        out[m] = row[m]


@kernel
def black_greeks(
    forward: Float1D, strike: Float1D, tau: Float1D, vol: Float1D, df: Float1D, is_call: Bool1D, first: int,
    out: Float2D, bad: Int1D,
) -> None:  # fmt: skip
    """Fill out, shape (1, n), (6, n) or (10, n): price; delta, gamma, vega, theta, rho; vanna, volga, charm, speed.

    Inputs have shape (n,), or (1,) where one number holds for all. Blocks of 256 options from number `first` on are
    filled, one for each element of bad, which counts the rows whose input makes no sense; their results do not either.
    Delta, gamma and speed are by the forward; vega, vanna, volga per 1.00 of vol; theta and charm as a year passes
    (-d/dtau), and rho at a fixed forward, the zero rate being -log(df) / tau. Where nothing is left to chance (vol or
    tau 0) they are the limits: a call at the money has delta df / 2 and infinite gamma. One exponential and two Mills'
    ratios serve all; the series for small vols is summed only where there are any.
    """
    w, where = np.empty((_ROWS, BLOCK + 8)), np.empty(BLOCK, np.int64)
    for block in range(bad.size):
        i, j = (first + block) * BLOCK, min((first + block + 1) * BLOCK, out.shape[1])
        _read(forward, i, j, w[_F])
        _read(strike, i, j, w[_K])
        _read(tau, i, j, w[_TAU])
        _read(vol, i, j, w[_VOL])
        _read(df, i, j, w[_DF])
        _read_sides(is_call, i, j, w[_SIGN])
        n = j - i
        bad[block] = _n_bad(w, n)
        _parts(w, n)
        _prices(w, n, where)
        if out.shape[0] > 1:
            _rates(w, n)
            _first(w, n)
        if out.shape[0] > 6:
            _second(w, n)
        for row in range(out.shape[0]):
            _write(w[_PRICE + row], out[row, i:j])
