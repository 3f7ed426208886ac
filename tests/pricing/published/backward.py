"""Plain backward induction under Black and Scholes: panels of Gauss and Legendre between the levels, a dense kernel.

Nothing of the library: NumPy alone. The value is smooth between levels, so that panels of three standard deviations
of a step with 20 nodes leave about 1e-12 of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

Change = Callable[[int, Any, Any], None]  # day, prices (N,), values (states, N): the day's events, in place


def induction(
    market: dict[str, float], vol: float, tau: float, n: int, levels: Sequence[float], ends: Any, change: Change
) -> Any:
    """Values today of claims in several states, shape (states,): `ends(prices)` at tau, `change` on days n to 1."""
    spot, rate, carry = market["spot"], market.get("rate", 0.0), market.get("dividend_yield", 0.0)
    step = tau / n
    deviation, drift = vol * np.sqrt(step), (rate - carry - 0.5 * vol**2) * step
    wide, moved = 9.0 * vol * np.sqrt(tau), (rate - carry - 0.5 * vol**2) * tau
    start = np.log(spot)
    low, high = start + min(moved, 0.0) - wide, start + max(moved, 0.0) + wide + vol**2 * tau
    cuts = sorted({low, high, *(float(np.log(v)) for v in levels if np.exp(low) < v < np.exp(high))})
    x, weights = _panels(cuts, 3.0 * deviation)
    prices, df = np.exp(x), np.exp(-rate * step)

    def kernel(at: Any) -> Any:
        z = (x[None, :] - at[:, None] - drift) / deviation
        return df * np.exp(-0.5 * z**2) / (deviation * np.sqrt(2.0 * np.pi)) * weights

    values = np.array(ends(prices), dtype=float)
    change(n, prices, values)
    forth = kernel(x).T
    for day in range(n - 1, 0, -1):
        values = values @ forth
        change(day, prices, values)
    return values @ kernel(np.array([start]))[0]


def _panels(cuts: list[float], width: float) -> tuple[Any, Any]:
    nodes, weights = np.polynomial.legendre.leggauss(20)
    edges = [np.linspace(a, b, int(np.ceil((b - a) / width)) + 1) for a, b in pairwise(cuts)]
    pairs = [(a, b) for e in edges for a, b in pairwise(e)]
    x = np.concatenate([0.5 * (a + b) + 0.5 * (b - a) * nodes for a, b in pairs])
    return x, np.concatenate([0.5 * (b - a) * weights for a, b in pairs])


def barrier(market: dict[str, float], vol: float, tau: float, n: int, strike: float, level: float, direction: str,
            is_call: bool = True) -> tuple[float, float]:  # fmt: skip
    """Knock-out and knock-in looked at n times, the last at expiry."""
    sign = 1.0 if is_call else -1.0

    def knocked(day: int, prices: Any, values: Any) -> None:
        values[0, prices >= level if direction == "up" else prices <= level] = 0.0

    out, plain = induction(market, vol, tau, n, (strike, level),
                           lambda s: np.tile(np.maximum(sign * (s - strike), 0.0), (2, 1)), knocked)  # fmt: skip
    return out, plain - out


def autocallable(market: dict[str, float], vol: float, tau: float, n: int, calls: dict[int, float], coupon: float, *,
                 knock_in: float = 0.0, bonus: float | None = None, strike: float = 1.0, floor: float = 0.0,
                 initial: float = 100.0, daily: bool = True) -> Any:  # fmt: skip
    """A snowball of notional 100 that has not been knocked in, and one that has; `calls` are the levels by day."""
    rest = coupon if bonus is None else bonus

    def ends(s: Any) -> Any:
        lost = 100.0 * np.maximum(floor, 1.0 - np.maximum(strike - s / initial, 0.0))
        return [np.full(s.size, 100.0 * (1.0 + rest * tau)), lost]

    def change(day: int, s: Any, values: Any) -> None:
        if daily or day == n:
            values[0] = np.where(s < knock_in * initial, values[1], values[0])
        if day in calls:
            values[:, s >= calls[day] * initial] = 100.0 * (1.0 + coupon * tau * day / n)

    levels = (knock_in * initial or 1.0, strike * initial, (strike - 1.0 + floor) * initial,
              *(v * initial for v in calls.values()))  # fmt: skip
    return induction(market, vol, tau, n, levels, ends, change)


def phoenix(market: dict[str, float], vol: float, tau: float, n: int, calls: dict[int, float], coupon: float, *,
            coupon_barrier: float, knock_in: float, initial: float = 100.0, strike: float = 1.0) -> Any:  # fmt: skip
    """A phoenix of notional 100 without memory that has not been knocked in, and one that has."""

    def ends(s: Any) -> Any:
        return [np.full(s.size, 100.0), 100.0 * (1.0 - np.maximum(strike - s / initial, 0.0))]

    def change(day: int, s: Any, values: Any) -> None:
        values[0] = np.where(s < knock_in * initial, values[1], values[0])
        if day in calls:
            values[:, s >= calls[day] * initial] = 100.0
            values[:, s >= coupon_barrier * initial] += 100.0 * coupon

    levels = (knock_in * initial, strike * initial, coupon_barrier * initial, *(v * initial for v in calls.values()))
    return induction(market, vol, tau, n, levels, ends, change)


def shark_fin(market: dict[str, float], vol: float, tau: float, n: int, strike: float, level: float, rebate: float,
              base: float, participation: float, is_call: bool) -> float:  # fmt: skip
    """A shark fin of notional 100 on an initial price of 100."""
    sign = 1.0 if is_call else -1.0

    def ends(s: Any) -> Any:
        kept = 100.0 * (1.0 + base + participation * np.maximum(sign * (s / 100.0 - strike), 0.0))
        return [kept, np.full(s.size, 100.0 * (1.0 + rebate))]

    def change(day: int, s: Any, values: Any) -> None:
        reached = s >= 100.0 * level if is_call else s <= 100.0 * level
        values[0] = np.where(reached, values[1], values[0])

    return float(induction(market, vol, tau, n, (100.0 * strike, 100.0 * level), ends, change)[0])


def double_no_touch(market: dict[str, float], vol: float, tau: float, n: int, low: float, high: float, rate: float,
                    touched: float, principal: float) -> float:  # fmt: skip
    """A double no-touch of notional 100 on an initial price of 100."""

    def ends(s: Any) -> Any:
        return [np.full(s.size, 100.0 * (principal + rate)), np.full(s.size, 100.0 * (principal + touched))]

    def change(day: int, s: Any, values: Any) -> None:
        out = (s <= 100.0 * low) | (s >= 100.0 * high)
        values[0, out] = values[1, out]

    return float(induction(market, vol, tau, n, (100.0 * low, 100.0 * high), ends, change)[0])


def airbag(market: dict[str, float], vol: float, tau: float, n: int, knock_in: float, participation: float,
           knocked: float) -> Any:  # fmt: skip
    """An airbag of notional 100 on an initial price of 100 that has not been knocked in, and one that has."""

    def ends(s: Any) -> Any:
        up, down = np.maximum(s / 100.0 - 1.0, 0.0), np.maximum(1.0 - s / 100.0, 0.0)
        return [100.0 * (1.0 + participation * up), 100.0 * (1.0 + knocked * up - down)]

    def change(day: int, s: Any, values: Any) -> None:
        values[0] = np.where(s < 100.0 * knock_in, values[1], values[0])

    return induction(market, vol, tau, n, (100.0, 100.0 * knock_in), ends, change)


def highest(market: dict[str, float], vol: float, tau: float, n: int, strike: float, seen: float) -> float:
    """max(max - strike, 0) of the highest of n looks, of `seen` and of today's price, by the law of the maximum."""
    least = max(strike, seen, market["spot"])
    nodes, weights = np.polynomial.legendre.leggauss(40)
    width = 7.0 * vol * np.sqrt(tau)
    df = np.exp(-market.get("rate", 0.0) * tau)
    total = 0.0
    for x, weight in zip(np.log(least) + 0.5 * width * (nodes + 1.0), 0.5 * width * weights):
        level = float(np.exp(x))

        def reached(day: int, s: Any, values: Any, level: float = level) -> None:
            values[0, s >= level] = 0.0

        below = induction(market, vol, tau, n, (level,), lambda s: [np.ones(s.size)], reached)[0]
        total += weight * level * (df - below)
    return float(df * max(max(seen, market["spot"]) - strike, 0.0) + total)
