from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from research.errors import InputError
from research.market import DiscountCurve

DAY = date(2002, 7, 5)


def test_nodes_are_returned_exactly():
    curve = DiscountCurve(as_of=DAY, tau=[0.1, 0.5, 2.0], zero_rate=[0.03, 0.035, 0.04])
    assert curve.zero_rate_at([0.1, 0.5, 2.0]) == pytest.approx([0.03, 0.035, 0.04], rel=1e-15)
    assert curve.df(0.5) == pytest.approx(np.exp(-0.0175), rel=1e-15)


def test_forward_rate_is_constant_between_nodes():
    curve = DiscountCurve(as_of=DAY, tau=[1.0, 2.0], zero_rate=[0.03, 0.04])
    forwards = -np.diff(np.log(curve.df(np.linspace(1.0, 2.0, 5)))) / 0.25
    assert forwards == pytest.approx(np.full(4, 0.05), rel=1e-12)  # (2 x 4% - 1 x 3%) / 1


def test_zero_rate_is_flat_outside_and_df_today_is_one():
    curve = DiscountCurve(as_of=DAY, tau=[1.0, 2.0], zero_rate=[0.03, 0.04])
    assert curve.zero_rate_at(0.25) == 0.03
    assert curve.zero_rate_at(30.0) == 0.04
    assert curve.df(0.0) == 1.0


def test_a_curve_is_frozen_down_to_its_arrays_and_keeps_no_hold_of_the_callers():
    tau = np.array([1.0, 2.0])
    curve = DiscountCurve(as_of=DAY, tau=tau, zero_rate=[0.03, 0.04])
    tau[0] = 5.0
    assert curve.tau[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        curve.zero_rate[0] = 0.1


@pytest.mark.parametrize(
    ("tau", "rate", "message"),
    [
        ([], [], "tau must hold at least one node; got 0."),
        ([1.0, 2.0], [0.03], "zero_rate must have as many values as tau, 2; got 1."),
        ([2.0, 1.0], [0.03, 0.04], "tau must increase; got 1 (1 of 1 values)."),
        ([0.0], [0.03], "tau must be finite and > 0 years; got 0 (1 of 1 values)."),
        ([1.0], [np.nan], "zero_rate must be finite; got nan (1 of 1 values)."),
    ],
)
def test_broken_nodes_are_refused(tau, rate, message):
    with pytest.raises(InputError) as caught:
        DiscountCurve(as_of=DAY, tau=tau, zero_rate=rate)
    assert str(caught.value) == message
