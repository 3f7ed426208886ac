"""Slow twins of the cosine recursion: densities of mixtures integrated by Gauss and Legendre, and a jump grid.

Neither knows a characteristic function or a Fourier series. The first is exact to rounding for Merton's model and for
Variance Gamma over steps that are long beside its clock; the second is of second order and prices American options.
"""

from __future__ import annotations

from itertools import pairwise
from math import exp, factorial, gamma

import numpy as np
from scipy.linalg import solve_banded
from scipy.optimize import brentq
from scipy.special import roots_genlaguerre

from research.models import VarianceGamma

GAUSS = np.polynomial.legendre.leggauss(16)


def mixture(model, tau):
    """(weights, means, deviations) of the normal variables that log(S / F) over tau is a mixture of."""
    if isinstance(model, VarianceGamma):
        nu, omega = model.nu, np.log(1.0 - model.theta * model.nu - 0.5 * model.sigma**2 * model.nu) / model.nu
        clock, weight = roots_genlaguerre(80, tau / nu - 1.0)
        clock = clock * nu
        return weight / gamma(tau / nu), omega * tau + model.theta * clock, model.sigma * np.sqrt(clock)
    intensity, mean, std = (getattr(model, name, 0.0) for name in ("intensity", "jump_mean", "jump_std"))
    n = np.arange(14 if intensity else 1)
    weight = np.array([exp(-intensity * tau) * (intensity * tau) ** k / factorial(k) for k in n])
    drift = -0.5 * model.sigma**2 * tau - intensity * tau * (exp(mean + 0.5 * std**2) - 1.0)
    return weight, drift + n * mean, np.sqrt(model.sigma**2 * tau + n * std**2)


def nodes(edges):
    """Gauss points and weights on panels about 0.12 long."""
    cut = np.unique(np.concatenate([np.linspace(a, b, int((b - a) / 0.12) + 2) for a, b in pairwise(edges)]))
    half, middle = 0.5 * np.diff(cut), 0.5 * (cut[1:] + cut[:-1])
    x, w = GAUSS
    return (middle[:, None] + half[:, None] * x).ravel(), (half[:, None] * w).ravel()


class Twin:
    """One step back: the discounted mean of a value that is known on nodes."""

    def __init__(self, model, rate, dividend_yield, step):
        self.parts, self.drift, self.df = mixture(model, step), (rate - dividend_yield) * step, exp(-rate * step)

    def mean(self, x, y, weight, value):
        """At every x; y, weight and value the nodes."""
        out = np.zeros(np.size(x))
        gap = y - np.atleast_1d(x)[:, None] - self.drift
        for w, m, s in zip(*self.parts):
            if w > 1e-16:
                out += w * (np.exp(-0.5 * ((gap - m) / s) ** 2) / (s * np.sqrt(2.0 * np.pi))) @ (weight * value)
        return self.df * out


def bermudan_put(model, spot, strike, tau, n, rate, dividend_yield, low=-3.0, high=2.5):
    """n equal exercise dates, the last at tau; a single exercise boundary, found by bisection."""
    twin = Twin(model, rate, dividend_yield, tau / n)
    start = np.log(spot / strike)
    y, w = nodes([low, 0.0, high])
    value = np.maximum(1.0 - np.exp(y), 0.0)
    for _ in range(n - 1):

        def gap(x, y=y, w=w, value=value):
            return float(1.0 - np.exp(x) - twin.mean(x, y, w, value)[0])

        edge = brentq(gap, -1.5, -1e-9, xtol=1e-11) if gap(-1.5) > 0.0 > gap(-1e-9) else low
        there, weight = nodes([low, edge, high] if edge > low else [low, high])
        on = twin.mean(there, y, w, value)
        y, w, value = there, weight, np.where(there < edge, 1.0 - np.exp(there), on)
    return strike * twin.mean(start, y, w, value)[0]


def knock_out(model, spot, payoff, tau, n, rate, dividend_yield, low, high, rebate=0.0):
    """A payoff of log S at tau that n equal looks may end outside (low, high); the rebate is paid at the hit."""
    twin = Twin(model, rate, dividend_yield, tau / n)
    down, up = np.log(low), np.log(high)
    out, weights = nodes([down - 4.0, down, up, up + 4.0])
    alive = (out > down) & (out < up)
    value = np.where(alive, payoff(out), rebate)
    for _ in range(n - 1):
        value = np.where(alive, twin.mean(out, out, weights, value), rebate)
    return twin.mean(np.log(spot), out, weights, value)[0]


def american_on_a_grid(model, spot, strike, tau, rate, dividend_yield, is_call=False, m=2000, n=1000):
    """Merton's equation in log S: Crank and Nicolson by operator splitting (Ikonen, Toivanen), the jumps extrapolated.

    The jump's law is integrated over each cell of the grid, and beyond the grid the value is the pay-off.
    """
    from scipy.signal import fftconvolve
    from scipy.special import ndtr

    lam, mean, std = model.intensity, model.jump_mean, model.jump_std
    half = 6.0 * model.sigma * np.sqrt(tau) + 4.0 * abs(mean) + 6.0 * std
    dx = 2.0 * half / m
    x = np.log(strike) + dx * (np.arange(m + 1) - m // 2)
    k = np.arange(-m, m + 1)
    law = ndtr(((k + 0.5) * dx - mean) / std) - ndtr(((k - 0.5) * dx - mean) / std)
    growth = exp(mean + 0.5 * std**2) - 1.0
    sign = 1.0 if is_call else -1.0
    wide = np.log(strike) + dx * (np.arange(3 * m + 1) - m - m // 2)
    outer = np.maximum(sign * (np.exp(wide) - strike), 0.0)
    pay = outer[m : 2 * m + 1]
    drift = rate - dividend_yield - 0.5 * model.sigma**2 - lam * growth
    a = 0.5 * model.sigma**2 / dx**2
    low, diag, up = a - 0.5 * drift / dx, -2.0 * a - rate - lam, a + 0.5 * drift / dx

    def jumped(v):
        outer[m : 2 * m + 1] = v
        return lam * fftconvolve(outer, law[::-1], mode="valid")

    def local(v):
        out = np.zeros_like(v)
        out[1:-1] = low * v[:-2] + diag * v[1:-1] + up * v[2:]
        return out

    v, push, before = pay.copy(), np.zeros(m + 1), None
    sizes = [0.25 * tau / n] * 4 + [tau / n] * (n - 1)  # four short implicit steps first
    for i, dt in enumerate(sizes):
        theta = 1.0 if i < 4 else 0.5
        now = jumped(v)
        jump = now if before is None or i <= 4 else 1.5 * now - 0.5 * before
        before = now if i >= 4 else None
        band = np.zeros((3, m + 1))
        band[0, 2:], band[1], band[2, :-2] = -theta * dt * up, 1.0 - theta * dt * diag, -theta * dt * low
        band[1, [0, -1]] = 1.0
        right = v + (1.0 - theta) * dt * local(v) + dt * (jump + push)
        right[[0, -1]] = pay[[0, -1]]
        trial = solve_banded((1, 1), band, right)
        new = np.maximum(trial - dt * push, pay)
        push = np.maximum(push + (pay - trial) / dt, 0.0)
        push[[0, -1]] = 0.0
        v = new
    at = np.log(spot)
    i = int(np.clip((at - x[0]) / dx, 3, m - 4))
    near = slice(i - 2, i + 4)
    return float(np.polyval(np.polyfit((x[near] - x[i]) / dx, v[near], 5), (at - x[i]) / dx))


def by_hats(model, payoff, tau, n, rate, dividend_yield, h, barrier=None):
    """n equal dates under any model with European options: the value is linear in the spot between nodes of log S.

    The weight of a node is a butterfly of the model's own options, so that a density without a bound does no harm. With
    `barrier` (a node) a look below it ends the contract, else the payoff may be exercised. Spot 100, of second order.
    """
    from scipy.signal import fftconvolve

    from research.pricing import mixtures

    step, m = tau / n, int(2.4 / h)
    grown = (rate - dividend_yield) * step
    k = h * np.arange(-2 * m - 1, 2 * m + 2)
    side, _ = mixtures.otm(model, step, k - grown)
    calls = np.exp(grown) * np.where(k <= grown, side + 1.0 - np.exp(k - grown), side)
    weight = np.diff(np.diff(calls) / np.diff(np.exp(k)))
    x = h * np.arange(-m, m + 1)
    pay = payoff(100.0 * np.exp(x))
    over = 1.0 if barrier is None else np.where(np.abs(x - barrier) < 0.1 * h, 0.5, np.where(x > barrier, 1.0, 0.0))

    def back(value):
        return exp(-rate * step) * fftconvolve(value, weight[::-1])[2 * m : 2 * m + x.size]

    value = pay * over
    for _ in range(n - 1):
        value = np.maximum(back(value), pay) if barrier is None else back(value) * over
    return back(value)[m]
