"""Term sheets and fair terms of notes under models with paths, a term structure of vol, and on several underlyings."""

from __future__ import annotations

import numpy as np
import pytest

from research.errors import InputError, NoEngineError
from research.instruments import (
    Airbag,
    Autocallable,
    DoubleNoTouch,
    DualCurrencyDeposit,
    Phoenix,
    RangeAccrual,
    WorstOfNote,
)
from research.market import flat_basket, flat_snapshot
from research.models import (
    SVI,
    Bates,
    BlackScholes,
    BlackTermStructure,
    Heston,
    LocalVol,
    MultiAssetBlackScholes,
    SVISurface,
)
from research.pricing import paths, price, solve, term_sheet

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
MONTHS = tuple(j / 12 for j in range(1, 13))
SNOWBALL = Autocallable(initial=100.0, observations=MONTHS, knock_out=1.03, coupon=0.15, knock_in=0.75)
NOTES = [
    SNOWBALL,
    Phoenix(initial=100.0, observations=MONTHS, knock_out=1.03, coupon=0.01, coupon_barrier=0.8, knock_in=0.7),
    DoubleNoTouch(initial=100.0, low=0.8, high=1.2, rate=0.05, tau=0.5), Airbag(initial=100.0, tau=1.0, knock_in=0.75),
    RangeAccrual(initial=100.0, tau=0.5, low=0.9, high=1.1, rate=0.05),
]  # fmt: skip
MODELS = [
    BlackTermStructure(tau=(0.1, 0.7, 2.0), implied=(0.3, 0.26, 0.22)),
    Heston(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7),
    Bates(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7, intensity=0.5, jump_mean=-0.1, jump_std=0.15),
    LocalVol(tau=[0.0, 1.0], log_moneyness=[-0.4, 0.0, 0.4], vol=[[0.32, 0.22, 0.16], [0.28, 0.20, 0.17]]),
]
WORST = WorstOfNote(underlyings=("A", "B"), initials=(100.0, 95.0), note=SNOWBALL)
PAIR = MultiAssetBlackScholes(names=("A", "B"), vols=(0.2, 0.25), correlation=[[1.0, 0.6], [0.6, 1.0]])
BASKET = flat_basket({"A": 100.0, "B": 95.0}, rate=0.03, dividend_yield={"A": 0.01, "B": 0.02})


@pytest.mark.parametrize("note", NOTES, ids=lambda n: type(n).__name__)
def test_paths_count_the_outcomes_that_the_fused_simulation_counts(note):
    model = BlackScholes(sigma=0.2)
    fused = term_sheet(note, model, MARKET, n_paths=1 << 14)
    found = paths.simulate(note, model, MARKET, n_paths=1 << 14)
    ours = np.array([fused.life, fused.knocked_out, fused.knocked_in, fused.loss])
    theirs = np.array([fused.errors[4], fused.errors[0], fused.errors[2], fused.errors[3]])
    assert (np.abs(found.means - ours) < 4.0 * np.hypot(found.mean_errors, theirs) + 1e-12).all()


@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
def test_the_fair_term_makes_the_note_worth_its_price_less_the_margin(model):
    for note in NOTES:
        found = solve(note, model, MARKET, margin=0.5, n_paths=1 << 12)
        sheet = term_sheet(found.contract, model, MARKET, n_paths=1 << 12, control=False)
        assert sheet.value == pytest.approx(99.5, abs=1e-9)  # the same paths
        assert sheet.margin == pytest.approx(0.5, abs=1e-9)
        assert sheet.knocked_out + sheet.at_maturity + sheet.knocked_in == pytest.approx(1.0, abs=1e-12)
        assert 0.0 < sheet.life <= 1.0 and found.std_error > 0.0


def test_a_note_on_the_worst_has_a_fair_coupon_and_a_term_sheet():
    found = solve(WORST, PAIR, BASKET, n_paths=1 << 14)
    assert found.contract.note.coupon == found.value
    assert found.value > solve(SNOWBALL, BlackScholes(sigma=0.2), MARKET, n_paths=1 << 12).value  # two may fall
    sheet = term_sheet(found.contract, PAIR, BASKET, n_paths=1 << 14)
    assert abs(sheet.value - 100.0) < 4.0 * np.hypot(sheet.std_error, 50.0 * found.std_error)
    assert sheet.value == pytest.approx(price(found.contract, PAIR, BASKET, n_paths=1 << 14).value, abs=1e-12)
    assert sheet.knocked_out + sheet.at_maturity + sheet.knocked_in == pytest.approx(1.0, abs=1e-12)
    assert 0.0 < sheet.loss <= sheet.knocked_in and 0.0 < sheet.life < 1.0


def test_one_underlying_twice_is_the_note_on_it():
    twin = MultiAssetBlackScholes(names=("A", "B"), vols=(0.2, 0.2), correlation=[[1.0, 1.0], [1.0, 1.0]])
    market = flat_basket({"A": 100.0, "B": 95.0}, rate=0.03, dividend_yield={"A": 0.01, "B": 0.01})
    one = term_sheet(SNOWBALL, BlackScholes(sigma=0.2), MARKET, n_paths=1 << 14)
    two = term_sheet(WORST, twin, market, n_paths=1 << 14)
    for name, k in (("knocked_out", 0), ("knocked_in", 2), ("loss", 3), ("life", 4)):
        spread = np.hypot(one.errors[k], two.errors[k])
        assert abs(getattr(one, name) - getattr(two, name)) < 4.0 * spread + 1e-9


def test_philox_paths_have_errors_too():
    found = solve(SNOWBALL, MODELS[1], MARKET, n_paths=1 << 12, sampler="philox")
    sheet = term_sheet(SNOWBALL, MODELS[1], MARKET, n_paths=1 << 12, sampler="philox")
    assert found.std_error > 0.0 and np.isfinite(sheet.errors).all()


def test_what_cannot_be_simulated_is_refused_by_name():
    smile = SVISurface(tau=(1.0,), slices=(SVI(a=0.04, b=0.1, rho=-0.3, m=0.0, sigma=0.1),))
    with pytest.raises(NoEngineError, match="SVISurface says what options cost, not how the price moves"):
        term_sheet(SNOWBALL, smile, MARKET)
    with pytest.raises(InputError, match="survival must be left out of a term sheet"):
        term_sheet(SNOWBALL, MODELS[1], MARKET, survival=True)
    with pytest.raises(InputError, match="term must be one of coupon, maturity_coupon"):
        solve(WORST, PAIR, BASKET, term="strike")


def test_a_term_sheet_and_a_solved_term_can_be_read():
    found = solve(SNOWBALL, BlackScholes(sigma=0.2), MARKET, margin=1.0, n_paths=1 << 12)
    assert repr(found).startswith(f"Solved(coupon {found.value:.4f} +- {found.std_error:.2g} of ")
    sheet = term_sheet(found.contract, BlackScholes(sigma=0.2), MARKET, n_paths=1 << 12)
    assert f"issuer margin {sheet.margin:.4g}" in repr(sheet) and f"knocked out {sheet.knocked_out:.1%}" in repr(sheet)
    assert "expected life" in sheet._repr_html_()


def test_a_fair_coupon_below_zero_is_said_to_be_one():
    with pytest.warns(
        RuntimeWarning, match=r"coupon is below 0: the note is worth 9\d\.\d+ with a coupon of 0, more than"
    ):
        found = solve(SNOWBALL, BlackScholes(sigma=0.2), MARKET, margin=60.0, n_paths=1 << 10)
    assert found.value < 0.0
    deposit = DualCurrencyDeposit(strike=7.0, coupon=0.05, tau=0.25)
    with pytest.warns(RuntimeWarning, match="coupon is below 0"):
        solve(deposit, BlackScholes(sigma=0.06), flat_snapshot(spot=7.0, rate=0.02), margin=100.0)
