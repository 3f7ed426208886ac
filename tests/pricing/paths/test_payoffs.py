"""Every contract on blocks of paths: against the fused engine and closed forms, composed twins, survival, refusals."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from research.errors import InputError, NoEngineError
from research.instruments import (
    Airbag,
    Asian,
    Autocallable,
    Barrier,
    Composed,
    Digital,
    DoubleNoTouch,
    European,
    Fixing,
    Pay,
    Phoenix,
    RangeAccrual,
    SharkFin,
    StructuredDeposit,
    Touch,
    contract_from_json,
    to_json,
)
from research.instruments.expressions import (
    Spot,
    average,
    both,
    either,
    exp,
    geometric_average,
    highest,
    log,
    lowest,
    maximum,
    minimum,
    negation,
    realised_variance,
    sqrt,
    touched_above,
    touched_below,
    where,
)
from research.market import flat_snapshot
from research.models import Bates, BlackScholes, Heston
from research.pricing import methods, price
from research.pricing.paths import composed, simulate
from research.pricing.paths.payoffs import Terms

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01, as_of=date(2024, 1, 2))
BLACK = BlackScholes(sigma=0.25)
HESTON = Heston(v0=0.0625, kappa=1.5, theta=0.0625, sigma=0.5, rho=-0.7)
MONTHS = tuple(j / 12 for j in range(1, 13))
SNOWBALL = Autocallable(
    initial=100.0, observations=tuple(j / 252 for j in range(63, 253, 21)), knock_out=1.03, coupon=0.15, knock_in=0.75
)
NOTES = [
    Asian(fixings=MONTHS, strike=100.0),
    Asian(fixings=MONTHS, strike=None, is_call=False, n_fixed=3, fixed_mean=97.0),
    SNOWBALL,
    Autocallable(initial=95.0, observations=MONTHS, knock_out=1.08, coupon=0.1, knock_in=0.8, knock_in_daily=False,
                 floor=0.9, maturity_coupon=0.02, accrued=0.3),
    Phoenix(initial=100.0, observations=MONTHS, knock_out=1.05, coupon_barrier=0.85, coupon=0.01, knock_in=0.7,
            memory=True),
    SharkFin(initial=100.0, strike=1.0, barrier=1.2, tau=1.0, rebate=0.01, participation=0.8),
    SharkFin(initial=100.0, strike=1.0, barrier=0.8, tau=1.0, is_call=False, daily=False),
    RangeAccrual(initial=100.0, low=0.9, high=1.1, rate=0.06, tau=0.5),
    DoubleNoTouch(initial=100.0, low=0.85, high=1.2, rate=0.1, touched_rate=0.01, tau=0.5),
    Airbag(initial=100.0, knock_in=0.75, tau=1.0, participation=0.9, knocked_participation=0.5),
    StructuredDeposit(initial=100.0, width=0.1, tau=1.0, is_call=False, base=0.01),
]  # fmt: skip
EXACT = [
    European(strike=105.0, tau=1.0, is_call=False),
    Digital(strike=100.0, tau=1.0, pays="asset"),
    Digital(strike=100.0, tau=1.0, is_call=False, amount=7.0),
    Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0, rebate=2.0),
    Barrier(strike=100.0, barrier=125.0, direction="up", knock="in", tau=1.0, rebate=2.0),
    Touch(barrier=120.0, direction="up", tau=1.0, amount=10.0),
    Touch(barrier=120.0, direction="up", tau=1.0, amount=10.0, pays_at="expiry"),
    Touch(barrier=80.0, direction="down", tau=1.0, is_touch=False, amount=10.0),
]


def ids(items: list[Any]) -> list[str]:
    return [f"{type(item).__name__}-{i}" for i, item in enumerate(items)]


@pytest.mark.parametrize("item", NOTES, ids=ids(NOTES))
@pytest.mark.parametrize("survival", [False, True])
def test_the_general_engine_agrees_with_the_fused_one(item: Any, survival: bool) -> None:
    fused = price(item, BLACK, MARKET, method="monte_carlo", n_paths=1 << 16, seed=5)
    found = simulate(item, BLACK, MARKET, n_paths=1 << 13, seed=6, survival=survival)
    assert abs(found.value - fused.value) < 4.0 * np.hypot(found.std_error, fused.std_error)
    assert found.std_error < 0.1


@pytest.mark.parametrize("item", EXACT, ids=ids(EXACT))
def test_closed_forms_are_met(item: Any) -> None:
    exact = float(price(item, BLACK, MARKET, method="analytic"))
    found = simulate(item, BLACK, MARKET, n_paths=1 << 14, seed=2)
    assert abs(found.value - exact) < 4.0 * found.std_error
    assert found.std_error < 0.05


def test_one_step_survival_pays_where_knock_outs_are_likely() -> None:
    item = Barrier(strike=95.0, barrier=97.0, direction="down", knock="out", tau=1.0, n_monitoring=50, rebate=1.0)
    plain = simulate(item, BLACK, MARKET, n_paths=1 << 14)
    kept = simulate(item, BLACK, MARKET, n_paths=1 << 14, survival=True)
    assert abs(plain.value - kept.value) < 4.0 * np.hypot(plain.std_error, kept.std_error)
    assert kept.std_error < 0.5 * plain.std_error
    both_ways = [simulate(item, HESTON, MARKET, n_paths=1 << 13, survival=s) for s in (False, True)]
    assert abs(both_ways[0].value - both_ways[1].value) < 4.0 * np.hypot(*[b.std_error for b in both_ways])


def test_in_and_out_make_a_european_option_under_heston() -> None:
    terms: dict[str, Any] = {"strike": 100.0, "barrier": 88.0, "direction": "down", "tau": 1.0}
    for n in (None, 24):
        parts = [simulate(Barrier(knock=k, n_monitoring=n, **terms), HESTON, MARKET, n_paths=1 << 13, control=False)
                 for k in ("in", "out")]  # fmt: skip
        whole = price(European(strike=100.0, tau=1.0), HESTON, MARKET)
        together = parts[0].replicates + parts[1].replicates  # the same paths
        error = together.std(ddof=1) / np.sqrt(together.size)
        assert abs(together.mean() - whole.value) < 4.0 * error + 0.005


def test_barriers_looked_at_more_often_knock_out_more_under_heston() -> None:
    values = [
        simulate(
            Barrier(strike=100.0, barrier=88.0, direction="down", knock="out", tau=1.0, n_monitoring=n),
            HESTON, MARKET, n_paths=1 << 14,
        ).value
        for n in (4, 52, None)
    ]  # fmt: skip
    assert values[0] > values[1] > values[2] - 0.05


def test_the_lognormal_control_keeps_the_value_and_narrows_the_error() -> None:
    item = Asian(fixings=MONTHS, strike=100.0)
    options: dict[str, Any] = {"n_paths": 1 << 15, "sampler": "philox", "seed": 3}
    plain = simulate(item, HESTON, MARKET, control=False, **options)
    spot = simulate(item, HESTON, MARKET, **options)
    twin = simulate(item, HESTON, MARKET, control="lognormal", **options)
    assert twin.std_error < 0.75 * spot.std_error < 0.75 * plain.std_error
    assert abs(twin.value - plain.value) < 4.0 * plain.std_error


def composed_snowball() -> Composed:
    """The snowball of the tests, without its daily knock-in."""
    days = SNOWBALL.observations
    parts, before = [], None
    for day in days:
        called = Spot(day) >= 103.0
        fresh = called if before is None else both(negation(before), called)
        parts.append(Pay(at=day, amount=where(fresh, 100.0 * (1.0 + 0.15 * day), 0.0)))
        before = called if before is None else either(before, called)
    safe = where(Spot(days[-1]) < 75.0, Spot(days[-1]), 115.0)
    return Composed(payments=(*parts, Pay(at=days[-1], amount=where(before, 0.0, safe), name="redemption")))


def test_a_snowball_written_down_is_the_snowball() -> None:
    from dataclasses import replace

    native = replace(SNOWBALL, knock_in_daily=False)
    for model in (BLACK, HESTON, Bates(v0=0.0625, kappa=1.5, theta=0.0625, sigma=0.5, rho=-0.7, intensity=0.3,
                                       jump_mean=-0.1, jump_std=0.1)):  # fmt: skip
        values = [simulate(one, model, MARKET, n_paths=1 << 12).value for one in (native, composed_snowball())]
        assert values[0] == pytest.approx(values[1], rel=1e-12)


@pytest.mark.parametrize(
    ("amount", "native"),
    [
        (maximum(average(MONTHS) - 100.0, 0.0), Asian(fixings=MONTHS, strike=100.0)),
        (maximum(100.0 - geometric_average(MONTHS), 0), Asian(fixings=MONTHS, strike=100.0, average="geometric",
                                                               is_call=False)),
        (maximum(Spot(1.0) - 100.0, 0.0) * negation(touched_below(85.0, MONTHS)),
         Barrier(strike=100.0, barrier=85.0, direction="down", knock="out", tau=1.0, n_monitoring=12)),
        (minimum(abs(Spot(1.0) - 100.0), Spot(1.0) * 10.0) * (Spot(1.0) > 100.0), European(strike=100.0, tau=1.0)),
    ],
)  # fmt: skip
def test_expressions_price_what_contracts_price(amount: Any, native: Any) -> None:
    written = Composed(payments=(Pay(at=1.0, amount=amount),))
    ours = simulate(written, HESTON, MARKET, n_paths=1 << 12, control=False)
    theirs = simulate(native, HESTON, MARKET, n_paths=1 << 12, control=False)
    close = 1e-9 if type(native).__name__ != "European" else 4.0 * np.hypot(ours.std_error, theirs.std_error)
    assert abs(ours.value - theirs.value) < close


def test_every_expression_by_hand() -> None:
    t = (0.5, 1.0)
    spot = np.array([[110.0, 80.0], [90.0, 100.0]])
    items = [
        (average(t) + 1.0, [101.0, 91.0]), (geometric_average(t), [np.sqrt(9900.0), np.sqrt(8000.0)]),
        (highest(t) - lowest(t), [20.0, 20.0]), (realised_variance(t), [np.log(90 / 110) ** 2, np.log(1.25) ** 2]),
        (touched_above(105.0, t), [1.0, 0.0]), (touched_below(80.0, t), [0.0, 1.0]),
        (-Spot(1.0) / 10.0, [-9.0, -10.0]), (2.0 - Spot(0.5) * 1.0, [-108.0, -78.0]),
        (exp(log(Spot(1.0))), [90.0, 100.0]), (sqrt(abs(Spot(0.5) - 200.0)), [np.sqrt(90.0), np.sqrt(120.0)]),
        (where(either(Spot(0.5) <= 80.0, Spot(1.0) < 50.0), 1.0, 2.0), [2.0, 1.0]),
        (Spot(0.0) / Spot(0.5), [1 / 1.1, 1.25]), (1.0 / Spot(1.0), [1 / 90.0, 0.01]),
        (maximum(3.0, Spot(0.5), Spot(1.0)), [110.0, 100.0]),
    ]  # fmt: skip
    written = Composed(payments=tuple(Pay(at=1.0, amount=amount) for amount, _ in items))
    found = composed.payments(written, spot, Terms(snapshot=MARKET))
    assert found == pytest.approx(np.array([expected for _, expected in items]), rel=1e-14)


def test_a_composed_contract_survives_json() -> None:
    import json

    written = Composed(
        payments=(
            *composed_snowball().payments,
            Pay(at=date(2024, 7, 1), amount=average((date(2023, 12, 29), date(2024, 6, 28)))),
        ),
        fixings=(Fixing(at=date(2023, 12, 29), value=98.0),),
        name="note",
    )
    assert contract_from_json(json.loads(json.dumps(to_json(written)))) == written


def test_fixings_of_the_past_are_used_and_asked_for() -> None:
    look = average((date(2023, 12, 29), date(2024, 6, 28)))
    pay = Pay(at=date(2024, 6, 28), amount=look)
    with pytest.raises(InputError, match="fixings must hold the price of 2023-12-29, which lies before 2024-01-02"):
        simulate(Composed(payments=(pay,)), BLACK, MARKET, n_paths=64)
    written = Composed(payments=(pay,), fixings=(Fixing(at=date(2023, 12, 29), value=98.0),))
    found = simulate(written, BLACK, MARKET, n_paths=1 << 10)
    tau = (date(2024, 6, 28) - date(2024, 1, 2)).days / 365
    exact = 0.5 * (98.0 * np.exp(-0.03 * tau) + 100.0 * np.exp(-0.01 * tau))
    assert found.value == pytest.approx(exact, abs=1e-9)  # linear in the controlled spot


def test_refusals_name_what_is_wrong() -> None:
    with pytest.raises(InputError, match=r"at must not lie before 1\.0, on which the amount depends; got 0\.5"):
        simulate(Composed(payments=(Pay(at=0.5, amount=Spot(1.0)),)), BLACK, MARKET, n_paths=64)
    with pytest.raises(InputError, match="a condition must be used by where"):
        bool(Spot(1.0) > 100.0)
    with pytest.raises(InputError, match="expression must be a number or built from"):
        Pay(at=1.0, amount="Spot")
    with pytest.raises(InputError, match="payments must hold at least one payment"):
        Composed(payments=())
    with pytest.raises(InputError, match="barrier must lie below the spot"):
        simulate(Barrier(strike=100.0, barrier=101.0, direction="down", knock="out", tau=1.0), HESTON, MARKET)
    with pytest.raises(NoEngineError, match="American has no payoff on paths"):
        from research.instruments import American

        simulate(American(strike=100.0, tau=1.0), HESTON, MARKET)
    with pytest.raises(InputError, match="control must be True, False or 'lognormal'; got 'spot'"):
        simulate(SNOWBALL, HESTON, MARKET, control="spot")


def test_the_door_finds_this_engine_where_no_other_can() -> None:
    found = price(SNOWBALL, HESTON, MARKET, n_paths=1 << 10)
    assert (found.method, found.model) == ("paths", "Heston")
    assert found.std_error > 0.0
    assert price(SNOWBALL, BLACK, MARKET, n_paths=1 << 10).method == "monte_carlo"
    assert "paths" in set(methods(SNOWBALL, BLACK)["method"])
    mixed = price([SNOWBALL, composed_snowball(), NOTES[0]], HESTON, MARKET, n_paths=1 << 10)
    assert mixed.value.shape == (3,)
