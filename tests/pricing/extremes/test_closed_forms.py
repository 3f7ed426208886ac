"""Closed forms against seventy digits: vol 0.1 % to 500 %, an hour to 50 years, barriers at the spot, rates below 0.

What an engine states as its error must cover the difference, whatever the market.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from tests.pricing.extremes.precise import Precise, precise, precisely

from research.instruments import Barrier, Digital, DoubleBarrier, European, Gap, Lookback, Supershare, Touch
from research.market import flat_snapshot
from research.models import BlackScholes
from research.pricing import price

KINDS = ("european", "digital", "gap", "supershare", "barrier", "touch", "double barrier", "lookback")
N = 40


def markets(seed: int) -> Iterator[tuple[np.random.Generator, Precise, dict[str, float]]]:
    rng = np.random.default_rng(seed)
    for _ in range(N):
        tau, vol = (float(np.exp(rng.uniform(*np.log(ends)))) for ends in ((1 / 8760, 50.0), (0.001, 5.0)))
        rate, carry = (float(rng.choice([0.0, rng.uniform(-0.05, 0.15), rng.uniform(-0.01, 0.01)])) for _ in "rq")
        carry = rate if rng.random() < 0.15 else carry
        yield (
            rng,
            precise(100.0, rate, carry, vol, tau),
            {"vol": vol, "rate": rate, "dividend_yield": carry, "tau": tau},
        )


def near(rng: np.random.Generator, std: float) -> float:
    return float(
        100.0 * np.exp(np.clip(rng.normal() * min(std, 3.0) * rng.choice([1.0, 3.0], p=[0.8, 0.2]), -12.0, 12.0))
    )


def barrier(rng: np.random.Generator, std: float, down: bool) -> float:
    """At any distance, often a thousandth of the usual one, sometimes next to the spot."""
    scale = rng.choice([1.0, 1e-3, 1e-12], p=[0.75, 0.2, 0.05])
    away = max(min(abs(rng.normal()) * std, 10.0) * scale, 1e-13)
    return float(100.0 * np.exp(-away if down else away))


def draw(kind: str, rng: np.random.Generator, exact: Precise, tau: float) -> tuple[Any, Any] | None:
    """A contract, and its value to seventy digits; None where the draw makes none."""
    std = float(exact.std)
    strike, is_call, down = near(rng, std), bool(rng.random() < 0.5), bool(rng.random() < 0.5)
    option = {"strike": strike, "tau": tau, "is_call": is_call}
    level = type(exact.spot)(strike)
    if kind == "european":
        return European(**option), lambda: exact.european(strike, is_call)
    if kind == "digital":
        asset = bool(rng.random() < 0.5)
        whole = exact.spot * exact.asset if asset else exact.bond
        return Digital(
            pays="asset" if asset else "cash", **option
        ), lambda: exact.above(level, asset) if is_call else whole - exact.above(level, asset)
    if kind == "gap":
        trigger = type(exact.spot)(near(rng, std))
        call = lambda: exact.above(trigger, True) - level * exact.above(trigger, False)  # noqa: E731
        forward = exact.spot * exact.asset - level * exact.bond
        return Gap(trigger=float(trigger), **option), lambda: call() if is_call else call() - forward
    if kind == "supershare":
        low, high = sorted((strike, near(rng, std)))
        asset_between = lambda: exact.above(type(exact.spot)(low), True) - exact.above(type(exact.spot)(high), True)  # noqa: E731
        return Supershare(low=low, high=high, tau=tau), lambda: asset_between() / type(exact.spot)(low)
    if kind == "lookback":
        fixed, seasoned = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
        higher = float(np.exp(min(std, 5.0) * abs(rng.normal()) * seasoned))
        extreme = 100.0 * higher if is_call == fixed else 100.0 / higher
        given = strike if fixed else None
        contract = Lookback(strike=given, tau=tau, is_call=is_call, extreme=extreme)
        return contract, lambda: exact.lookback(given, extreme, is_call)
    if kind == "double barrier":
        low, high = barrier(rng, 2.0 * std, True), barrier(rng, 2.0 * std, False)
        width = np.log(high / low)
        images = int(9.0 * std / width + abs(float(exact.lean)) * std**2 / width + 3)
        if images > 60:
            return None
        out = lambda: exact.knock_out_of_two(strike, is_call, low, high, images)  # noqa: E731
        knock = str(rng.choice(["in", "out"]))
        contract = DoubleBarrier(low=low, high=high, knock=knock, **option)
        return contract, lambda: out() if knock == "out" else exact.european(strike, is_call) - out()
    at, side = barrier(rng, std, down), "down" if down else "up"
    if kind == "touch":
        pays_at = str(rng.choice(["hit", "expiry"]))
        if pays_at == "hit" and exact.lean**2 / 4 + 2 * exact.rate / exact.vol**2 < 0:
            return None  # the last test of this file
        return Touch(barrier=at, direction=side, tau=tau, pays_at=pays_at), lambda: exact.hit(
            at, down, paid_then=pays_at == "hit"
        )
    knock, rebate = str(rng.choice(["in", "out"])), float(rng.choice([0.0, 3.0]))
    contract = Barrier(barrier=at, direction=side, knock=knock, rebate=rebate, rebate_at="expiry", **option)

    def value() -> Any:
        out, hit = exact.knock_out(strike, is_call, at, down), exact.hit(at, down, paid_then=False)
        paid = type(exact.spot)(rebate)
        return out + paid * hit if knock == "out" else exact.european(strike, is_call) - out + paid * (exact.bond - hit)

    return contract, value


@pytest.mark.parametrize("kind", KINDS)
def test_the_stated_error_covers_the_difference_from_seventy_digits(kind):
    tried = 0
    for rng, exact, market in markets(KINDS.index(kind)):
        made = draw(kind, rng, exact, market["tau"])
        if made is None:
            continue
        contract, value = made
        snapshot = flat_snapshot(spot=100.0, rate=market["rate"], dividend_yield=market["dividend_yield"])
        found = price(contract, BlackScholes(sigma=market["vol"]), snapshot, method="analytic")
        wanted = precisely(value)
        assert abs(found.value - wanted) <= found.error + 2e-16 * abs(wanted), (contract, market, wanted, found)
        tried += 1
    assert tried >= N // 3


def test_a_payment_at_the_hit_is_worth_more_than_one_where_rates_are_negative():
    """mu^2 + 2 r / sigma^2 < 0: the root is imaginary. The integral of the density of the hit beside it."""
    for rate, carry, vol, tau, level in [
        (-0.02, -0.02, 0.1, 1.0, 95.0), (-0.05, -0.05, 0.2, 30.0, 140.0), (-0.03, -0.02, 0.05, 0.02, 99.9),
        (-0.01, -0.01, 0.02, 50.0, 90.0), (-0.05, -0.046, 0.15, 50.0, 250.0),
    ]:  # fmt: skip
        assert ((rate - carry) / vol**2 - 0.5) ** 2 + 2.0 * rate / vol**2 < 0.0
        b, drift = np.log(level / 100.0), rate - carry - vol * vol / 2

        def density(t: float, b: float = b, drift: float = drift, vol: float = vol, rate: float = rate) -> float:
            first = abs(b) / (vol * np.sqrt(2.0 * np.pi * t**3))
            return float(first * np.exp(-((b - drift * t) ** 2) / (2.0 * vol * vol * t) - rate * t))

        peak = b * b / (vol * vol) / 3.0
        inside = [p for p in (0.1 * peak, peak, 10.0 * peak) if p < tau]
        wanted = quad(density, 0.0, tau, points=inside, epsabs=1e-13, epsrel=1e-12, limit=500)[0]
        market, model = flat_snapshot(spot=100.0, rate=rate, dividend_yield=carry), BlackScholes(sigma=vol)
        touch = Touch(barrier=level, direction="down" if level < 100.0 else "up", tau=tau)
        assert float(price(touch, model, market)) == pytest.approx(wanted, rel=1e-11)
