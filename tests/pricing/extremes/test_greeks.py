"""Greeks against derivatives in seventy digits: what is stated as their error covers the difference.

Short and long lives, vols from 1 % to 300 %, barriers near and far; steps fit the contract.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from tests.pricing.extremes.precise import CONTEXT, Precise

from research.instruments import Barrier, Digital, European, Gap, Lookback, Touch
from research.market import flat_snapshot
from research.models import BlackScholes
from research.pricing import greeks

NAMES = ("value", "delta", "gamma", "vega", "theta", "rho", "vanna", "volga", "charm", "speed")
TINY = Decimal("1e-12")
K, H, M = Decimal(103), Decimal(97), Decimal(104)  # strike, barrier, highest price so far
SUBJECTS: dict[str, tuple[Callable[[float], Any], Callable[[Precise], Decimal]]] = {
    "european": (lambda t: European(strike=103.0, tau=t), lambda m: m.european(103.0, True)),
    "digital": (lambda t: Digital(strike=103.0, tau=t), lambda m: m.above(K, False)),
    "gap": (lambda t: Gap(strike=97.0, trigger=103.0, tau=t), lambda m: m.above(K, True) - H * m.above(K, False)),
    "barrier": (lambda t: Barrier(strike=103.0, barrier=97.0, direction="down", knock="out", tau=t),
                lambda m: m.knock_out(103.0, True, 97.0, True)),
    "touch": (lambda t: Touch(barrier=97.0, direction="down", pays_at="expiry", tau=t),
              lambda m: m.hit(97.0, True, paid_then=False)),
    "lookback": (lambda t: Lookback(tau=t, is_call=False, extreme=104.0), lambda m: m.lookback(None, 104.0, False)),
}  # fmt: skip
MARKETS = [(0.25, 1.0, 0.04, 0.01), (0.02, 2.0, 0.03, 0.03), (0.6, 10 / 365, 0.0, 0.02), (3.0, 1.5, -0.01, 0.0),
           (0.15, 20.0, 0.06, 0.04)]  # fmt: skip


def derivatives(f: Callable[[Precise], Decimal], vol: float, tau: float, rate: float, carry: float) -> dict[str, float]:
    with localcontext(CONTEXT):
        s, v, t, r, q = map(Decimal, (100.0, vol, tau, rate, carry))
        hs, hv, ht, hr = s * TINY, v * TINY, t * TINY, TINY

        def at(
            ds: Decimal = Decimal(0), dv: Decimal = Decimal(0), dr: Decimal = Decimal(0), dt: Decimal = Decimal(0)
        ) -> Decimal:
            return f(Precise(s + ds, r + dr, q, v + dv, t + dt))

        def slope(**rest: Decimal) -> Decimal:
            return (at(ds=hs, **rest) - at(ds=-hs, **rest)) / (2 * hs)

        up, down, far = at(ds=hs), at(ds=-hs), at(ds=2 * hs) - at(ds=-2 * hs)
        out = {
            "value": at(), "delta": slope(), "gamma": (up - 2 * at() + down) / hs**2,
            "speed": (far - 2 * (up - down)) / (2 * hs**3), "vega": (at(dv=hv) - at(dv=-hv)) / (2 * hv),
            "volga": (at(dv=hv) - 2 * at() + at(dv=-hv)) / hv**2, "rho": (at(dr=hr) - at(dr=-hr)) / (2 * hr),
            "theta": -(at(dt=ht) - at(dt=-ht)) / (2 * ht), "vanna": (slope(dv=hv) - slope(dv=-hv)) / (2 * hv),
            "charm": -(slope(dt=ht) - slope(dt=-ht)) / (2 * ht),
        }  # fmt: skip
        return {name: float(value) for name, value in out.items()}


@pytest.mark.parametrize("market", MARKETS, ids=lambda m: f"vol {m[0]:g} for {m[1]:.3g} years")
@pytest.mark.parametrize("name", SUBJECTS)
def test_the_stated_error_covers_the_difference_from_the_derivative(name, market):
    make, f = SUBJECTS[name]
    vol, tau, rate, carry = market
    snapshot = flat_snapshot(spot=100.0, rate=rate, dividend_yield=carry)
    found = greeks(make(tau), BlackScholes(sigma=vol), snapshot).set_index("greek")
    exact = derivatives(f, vol, tau, rate, carry)
    for greek in NAMES:
        gap, allowed = abs(found["value"][greek] - exact[greek]), found["error"][greek]
        assert gap <= 1.5 * allowed + 1e-12 * max(abs(exact[greek]), 1.0), (greek, gap, allowed, exact[greek])
    for greek in ("delta", "vega", "theta"):
        assert found["value"][greek] == pytest.approx(exact[greek], rel=5e-4, abs=1e-7), greek


def test_a_barrier_nearer_than_the_usual_step_is_not_stepped_over():
    market, model = flat_snapshot(spot=100.0, rate=0.03), BlackScholes(sigma=0.2)
    barrier = Barrier(strike=100.0, barrier=99.9, direction="down", knock="out", tau=1.0)
    found = greeks(
        [barrier, Touch(barrier=100.1, direction="up", tau=1.0), European(strike=100.0, tau=1.0)], model, market
    )
    assert np.isfinite(found[["delta", "gamma"]].to_numpy()).all()
    assert found["delta"][0] == pytest.approx(float(found["value"][0]) / 0.1, rel=0.02)  # it ends at the barrier
