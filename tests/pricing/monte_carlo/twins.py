"""Slow, obvious twins: each product from its term sheet on whole daily paths (NumPy), and by backward quadrature."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.signal import fftconvolve
from scipy.stats import norm

SPOT, RATE, DIVIDEND, SIGMA = 100.0, 0.03, 0.01, 0.25


def daily_paths(n_paths: int, tau: float, n_steps: int, seed: int = 5, spot: float = SPOT, sigma: float = SIGMA) -> Any:
    """Spots, shape (n_paths, n_steps), and the times of the steps."""
    rng = np.random.default_rng(seed)
    dt = tau / n_steps
    z = rng.standard_normal((n_paths // 2, n_steps))
    z = np.concatenate((z, -z))
    logs = np.cumsum((RATE - DIVIDEND - 0.5 * sigma**2) * dt + sigma * np.sqrt(dt) * z, axis=1)
    return spot * np.exp(logs), dt * np.arange(1, n_steps + 1)


def mean_and_error(values: Any) -> tuple[float, float]:
    """Mean of antithetic pairs and its standard error."""
    half = values.size // 2
    pairs = 0.5 * (values[:half] + values[half:])
    return float(pairs.mean()), float(pairs.std(ddof=1) / np.sqrt(half))


def autocallable(s: Any, t: Any, at: list[int], terms: dict[str, Any]) -> Any:
    """at: steps (from 1) of the observations; terms in fractions. One path after the other."""
    out = np.empty(len(s))
    out_levels = np.broadcast_to(terms["knock_out"], len(at))
    for i, path in enumerate(s / terms["initial"]):
        called = [k for k, level in zip(at, out_levels) if path[k - 1] >= level]
        if called:
            when = t[called[0] - 1]
            out[i] = 100 * (1 + terms["coupon"] * when) * np.exp(-RATE * when)
            continue
        watched = path if terms["daily"] else path[-1:]
        inside = terms["knock_in"] is not None and (watched < terms["knock_in"]).any()
        paid = 1 + terms["maturity_coupon"] * t[-1]
        if inside or terms.get("knocked_in"):
            paid = max(terms["floor"], 1 - max(terms["strike"] - path[-1], 0.0))
        out[i] = 100 * paid * np.exp(-RATE * t[-1])
    return out


def phoenix(s: Any, t: Any, at: list[int], terms: dict[str, Any]) -> Any:
    out = np.zeros(len(s))
    for i, path in enumerate(s / terms["initial"]):
        owed, alive = 0.0, True
        for k in at:
            owed = owed + terms["coupon"] if terms["memory"] else terms["coupon"]
            if path[k - 1] >= terms["coupon_barrier"]:
                out[i] += 100 * owed * np.exp(-RATE * t[k - 1])
                owed = 0.0
            if path[k - 1] >= terms["knock_out"]:
                out[i] += 100 * np.exp(-RATE * t[k - 1])
                alive = False
                break
        if alive:
            inside = (path < terms["knock_in"]).any()
            out[i] += 100 * np.exp(-RATE * t[-1]) * (min(path[-1], 1.0) if inside else 1.0)
    return out


def shark_fin(s: Any, t: Any, terms: dict[str, Any]) -> Any:
    x = s / terms["initial"]
    sign = 1.0 if terms["is_call"] else -1.0
    watched = x if terms["daily"] else x[:, -1:]
    out = (sign * (watched - terms["barrier"]) >= 0.0).any(axis=1)
    grown = terms["base"] + terms["participation"] * np.maximum(sign * (x[:, -1] - terms["strike"]), 0.0)
    return 100 * np.exp(-RATE * t[-1]) * (1 + np.where(out, terms["rebate"], grown))


def range_accrual(s: Any, t: Any, terms: dict[str, Any]) -> Any:
    x = s / terms["initial"]
    share = ((x >= terms["low"]) & (x <= terms["high"])).mean(axis=1)
    return 100 * np.exp(-RATE * t[-1]) * (1 + terms["base"] + terms["rate"] * share)


def double_no_touch(s: Any, t: Any, terms: dict[str, Any]) -> Any:
    x = s / terms["initial"]
    touched = ((x <= terms["low"]) | (x >= terms["high"])).any(axis=1)
    paid = terms["principal"] + np.where(touched, terms["touched_rate"], terms["rate"])
    return 100 * np.exp(-RATE * t[-1]) * paid


def airbag(s: Any, t: Any, terms: dict[str, Any]) -> Any:
    x = s / terms["initial"]
    watched = x if terms["daily"] else x[:, -1:]
    inside = (watched < terms["knock_in"]).any(axis=1)
    up, down = np.maximum(x[:, -1] - 1, 0), np.maximum(1 - x[:, -1], 0)
    paid = 1 + np.where(inside, terms["knocked_participation"] * up - down, terms["participation"] * up)
    return 100 * np.exp(-RATE * t[-1]) * paid


def snowball_by_quadrature(
    spot: float = SPOT, *, sigma: float = SIGMA, rate: float = RATE, coupon: float = 0.15, knock_in: float = 75.0,
    fineness: int = 30,
) -> float:  # fmt: skip
    """The snowball of the benchmark, day by day backwards: the value on cells of the log price whose edges hold the
    barriers, moved by the exact Gaussian weight of each cell. Second order in the cell."""
    n_days, tau, out, notional = 252, 1.0, 103.0, 100.0
    dt = tau / n_days
    mu, sd = (rate - DIVIDEND - 0.5 * sigma**2) * dt, sigma * np.sqrt(dt)
    low, high = np.log(knock_in), np.log(out)
    h = (high - low) / np.ceil((high - low) / (sd / fineness))
    first = low - np.ceil(7.0 * sigma / h) * h
    n = int(np.ceil((np.log(110.0) + 7.0 * sigma - first) / h))
    s = np.exp(first + h * (np.arange(n) + 0.5))
    reach = int(np.ceil(8.0 * sd / h))
    cells = np.arange(-reach, reach + 1) * h
    weight = norm.cdf((cells + 0.5 * h - mu) / sd) - norm.cdf((cells - 0.5 * h - mu) / sd)
    knocked, plain = notional * np.minimum(s / 100.0, 1.0), np.full(n, notional * (1 + coupon * tau))
    for day in range(n_days, 0, -1):
        if day >= 63 and (day - 63) % 21 == 0:
            called = notional * (1 + coupon * day * dt)
            knocked, plain = np.where(s >= out, called, knocked), np.where(s >= out, called, plain)
        plain = np.where(s < knock_in, knocked, plain)
        knocked, plain = (
            np.exp(-rate * dt)
            * fftconvolve(np.concatenate((np.full(reach, v[0]), v, np.full(reach, v[-1]))), weight[::-1], mode="valid")
            for v in (knocked, plain)
        )
    where = np.log(np.asarray(spot))
    at = np.log(s)
    near = np.argmin(np.abs(at - where)) + np.arange(-4, 5)  # smooth there: a polynomial through nine cells
    return float(np.polyval(np.polyfit(at[near] - where, plain[near], 4), 0.0))


def snowball_exact(spot: float = SPOT, *, fineness: int = 30, **terms: float) -> float:
    """`snowball_by_quadrature` extrapolated to cells of size 0: good to 1e-5."""
    coarse = snowball_by_quadrature(spot, fineness=fineness // 2, **terms)
    return (4.0 * snowball_by_quadrature(spot, fineness=fineness, **terms) - coarse) / 3.0
