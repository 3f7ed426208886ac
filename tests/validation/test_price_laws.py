"""The laws of prices: Black's prices obey them, and a price moved by hand is found, with its size."""

import numpy as np
import pytest
from scipy.special import ndtr

from research.errors import InputError
from research.validation import numerics, suites

TAU = np.array([0.25, 0.5, 1.0, 2.0])
FORWARD = 100.0 * np.exp(0.03 * TAU)
MONEYNESS = np.linspace(0.7, 1.4, 15)
STRIKE = np.outer(FORWARD, MONEYNESS)


def black(sign: float) -> np.ndarray:
    std = 0.25 * np.sqrt(TAU)[:, None]
    d1 = -np.log(MONEYNESS)[None, :] / std + 0.5 * std
    return sign * (FORWARD[:, None] * ndtr(sign * d1) - STRIKE * ndtr(sign * (d1 - std)))


CALLS, PUTS = black(1.0), black(-1.0)


def moved(row: int, column: int, by: float) -> np.ndarray:
    out = CALLS.copy()
    out[row, column] += by
    return out


def test_black_prices_pass_the_whole_suite() -> None:
    found = suites.run("heston", CALLS, PUTS, FORWARD, MONEYNESS, benchmarks={"Black": CALLS + 1e-12}, case="flat vol")
    assert [item.verdict for item in found] == ["pass"] * 6
    assert found[0].claim == "flat vol: prices agree with Black"


def test_parity_finds_a_moved_call_by_its_size_over_the_forward() -> None:
    item = numerics.put_call_parity(moved(1, 3, 0.01), PUTS, STRIKE, FORWARD)
    assert item.verdict == "fail" and item.statistic == pytest.approx(0.01 / FORWARD[1], rel=1e-9)


def test_a_price_above_the_forward_or_below_intrinsic_breaks_the_bounds() -> None:
    assert numerics.price_bounds(moved(0, 0, 100.0), STRIKE, FORWARD).verdict == "fail"
    assert numerics.price_bounds(moved(0, 0, -1.0), STRIKE, FORWARD).verdict == "fail"


def test_a_call_dearer_than_the_one_before_it_breaks_monotonicity() -> None:
    bump = CALLS[2, 6] - CALLS[2, 7] + 0.02
    item = numerics.strike_monotonicity(moved(2, 7, bump), STRIKE, FORWARD)
    assert item.verdict == "fail" and item.statistic == pytest.approx(0.02 / FORWARD[2], rel=1e-6)


def test_convexity_is_exact_on_uneven_strikes() -> None:
    strike = np.array([[80.0, 90.0, 110.0]])
    chord = 10.0 * 2 / 3 + 1.0 / 3  # the line from (80, 10) to (110, 1) at 90 is 7
    line = np.array([[10.0, chord, 1.0]])
    assert numerics.strike_convexity(line, strike, [100.0]).verdict == "pass"
    above = np.array([[10.0, 7.0 + 0.5, 1.0]])
    item = numerics.strike_convexity(above, strike, [100.0])
    assert item.verdict == "fail" and item.statistic == pytest.approx(0.005, rel=1e-12)


def test_a_later_expiry_cheaper_at_the_same_moneyness_breaks_the_calendar() -> None:
    item = numerics.calendar_order(CALLS[::-1] / FORWARD[::-1, None] * FORWARD[:, None], MONEYNESS, FORWARD)
    assert item.verdict == "fail"


def test_a_price_that_is_not_a_number_fails_and_never_passes() -> None:
    item = numerics.agreement(moved(0, 0, np.nan), CALLS, scale=100.0, tolerance=1.0, claim="")
    assert item.verdict == "fail" and item.statistic == np.inf


def test_prices_of_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match=r"theirs must have the shape of ours, \(4, 15\); got \(3, 15\)"):
        numerics.agreement(CALLS, CALLS[:3], scale=1.0, tolerance=1.0, claim="")
    with pytest.raises(InputError, match=r"strike must increase along each row"):
        numerics.price_bounds(CALLS, STRIKE[:, ::-1], FORWARD)
