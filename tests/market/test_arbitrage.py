from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from scipy.stats import norm

from research.errors import InputError
from research.market import Smile, Surface, find_arbitrage, find_butterflies, find_calendars, refuse_arbitrage

STRIKES = np.array([80.0, 90.0, 100.0, 110.0, 125.0])


def flat(tau, vol=0.2, strike=STRIKES, forward=100.0):
    return Smile(tau=tau, forward=forward, df=1.0, strike=strike, vol=np.broadcast_to(vol, strike.shape))


def surface(*smiles):
    return Surface(as_of=date(2024, 3, 1), spot=100.0, smiles=smiles)


def test_flat_vols_have_no_arbitrage():
    assert find_arbitrage(surface(flat(0.02), flat(0.5), flat(3.0))).empty


def test_a_dear_quote_is_a_butterfly_of_the_right_size():
    vol = np.full(5, 0.2)
    vol[2] = 0.35
    found = find_butterflies(flat(0.5, vol))
    assert found[["kind", "strike", "against", "unit"]].values.tolist() == [["butterfly", 100.0, "90 and 110", "price"]]

    def call(strike, v):
        d1 = np.log(100.0 / strike) / (v * np.sqrt(0.5)) + 0.5 * v * np.sqrt(0.5)
        return 100.0 * norm.cdf(d1) - strike * norm.cdf(d1 - v * np.sqrt(0.5))

    profit = call(100.0, 0.35) - 0.5 * (call(90.0, 0.2) + call(110.0, 0.2))
    assert found["size"].item() == pytest.approx(profit, rel=1e-10)


def test_a_call_dearer_than_one_of_lower_strike_is_a_slope():
    vol = np.array([0.2, 0.2, 0.2, 0.2, 0.5])
    found = find_butterflies(flat(0.5, vol))
    assert "slope" in found["kind"].tolist()
    assert found.loc[found["kind"] == "slope", "strike"].item() == 125.0


def test_falling_total_variance_is_a_calendar_seen_from_both_expiries():
    found = find_calendars(surface(flat(0.5, 0.3), flat(1.0, 0.2)))
    assert len(found) == 10
    assert set(found["tau"]) == {0.5, 1.0}
    assert found["size"].tolist() == pytest.approx([0.045 - 0.04] * 10, rel=1e-12)


def test_calendars_compare_at_the_same_log_moneyness_not_at_the_same_strike():
    # a steep smile sliding with the forward: vols at one strike fall with expiry, at one moneyness they do not
    near = flat(0.5, np.linspace(0.40, 0.20, 5))
    far = flat(1.0, np.linspace(0.40, 0.20, 5), strike=STRIKES * 2.0, forward=200.0)
    assert find_calendars(surface(near, far)).empty


def test_quotes_outside_the_neighbours_range_are_not_judged():
    near = flat(0.5, 0.9, strike=np.array([50.0, 60.0]))
    far = flat(1.0, 0.2)
    assert find_calendars(surface(near, far)).empty


def test_a_negative_tolerance_is_refused():
    with pytest.raises(InputError, match="tolerance must be >= 0; got -1"):
        find_arbitrage(surface(flat(0.5)), tolerance=-1.0)


def test_a_put_dearer_than_one_of_higher_strike_is_a_call_spread_that_is_too_dear():
    vol = np.array([0.9, 0.2, 0.2, 0.2, 0.2])
    found = find_butterflies(flat(0.5, vol, strike=np.array([97.0, 98.0, 99.0, 100.0, 101.0])))
    spread = found[found["kind"] == "put slope"]
    assert (spread["strike"].item(), spread["against"].item()) == (97.0, "98")

    def put(strike, v):
        d1 = np.log(100.0 / strike) / (v * np.sqrt(0.5)) + 0.5 * v * np.sqrt(0.5)
        return strike * norm.cdf(v * np.sqrt(0.5) - d1) - 100.0 * norm.cdf(-d1)

    assert spread["size"].item() == pytest.approx(put(97.0, 0.9) - put(98.0, 0.2), rel=1e-10)


def test_moving_a_quote_by_in_vol_closes_the_arbitrage_to_first_order():
    vol = np.full(5, 0.2)
    vol[2] += 0.004
    strike = np.array([99.0, 99.5, 100.0, 100.5, 101.0])
    row = find_butterflies(flat(0.5, vol, strike=strike)).iloc[0]
    vol[2] -= row["in_vol"]
    after = find_butterflies(flat(0.5, vol, strike=strike))
    assert after.empty or after["size"].max() < 0.01 * row["size"]
    late = find_calendars(surface(flat(0.5, 0.3), flat(1.0, 0.2))).iloc[0]
    assert late["in_vol"] == pytest.approx(late["size"] / (2 * 0.3 * 0.5))


def test_a_refusal_names_the_worst_quotes_and_by_how_much():
    vol = np.full(5, 0.2)
    vol[2] = 0.23
    near, far = flat(0.5, vol), flat(1.0, 0.155)
    with pytest.raises(InputError) as caught:
        refuse_arbitrage(surface(near, far), tolerance=0.001, show=1)
    text = str(caught.value)
    assert text.startswith("quotes must be free of arbitrage within 0.001 vol; got ")
    assert "calendar at tau 0.5, strike 100 against tau 1" in text and "bp of vol" in text
    assert text.count(";") == 1 and text.endswith("... market.find_arbitrage lists all.")
    refuse_arbitrage(surface(near, far), tolerance=1.0)
    refuse_arbitrage(surface(flat(0.5), flat(1.0)))
    with pytest.raises(InputError, match="tolerance must be >= 0; got -1"):
        refuse_arbitrage(surface(near), tolerance=-1.0)
