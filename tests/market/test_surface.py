from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from research.errors import InputError
from research.market import Smile, Surface


def smile(**changes):
    values = {"tau": 0.5, "forward": 100.0, "df": 0.98, "strike": [90.0, 100.0, 110.0], "vol": [0.25, 0.2, 0.22]}
    return Smile(**(values | changes))


def test_total_variance_and_log_moneyness_are_what_they_say():
    one = smile()
    assert one.total_variance == pytest.approx([0.03125, 0.02, 0.0242], rel=1e-14)
    assert one.log_moneyness == pytest.approx(np.log([0.9, 1.0, 1.1]), abs=1e-16)
    assert len(one) == 3


def test_a_surface_as_a_frame_has_one_row_a_quote():
    surface = Surface(as_of=date(2002, 7, 5), spot=100.0, smiles=(smile(), smile(tau=1.0, strike=[100.0], vol=[0.2])))
    frame = surface.to_frame()
    assert frame["tau"].tolist() == [0.5, 0.5, 0.5, 1.0]
    assert frame["weight"].tolist() == [1.0] * 4
    assert surface.n_quotes == 4
    assert [len(s) for s in surface] == [3, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tau": 0.0}, "tau must be finite and > 0; got 0."),
        ({"forward": np.nan}, "forward must be finite and > 0; got nan."),
        ({"strike": [90.0, 90.0, 110.0]}, "strike must increase; got 90 (1 of 2 values). Each strike once, sorted."),
        ({"vol": [0.2, -0.1, 0.2]}, "vol must be finite and > 0; got -0.1 (1 of 3 values)."),
        ({"vol": [0.2]}, "vol must have as many values as strike, 3; got 1."),
        ({"weight": [1.0, -1.0, 1.0]}, "weight must be finite and >= 0; got -1 (1 of 3 values)."),
    ],
)
def test_a_broken_smile_is_refused(changes, message):
    with pytest.raises(InputError) as caught:
        smile(**changes)
    assert str(caught.value) == message


def test_expiries_out_of_order_are_refused():
    with pytest.raises(InputError, match=r"tau must increase from smile to smile; got 0\.5 \(1 of 1 values\)"):
        Surface(as_of=date(2002, 7, 5), spot=100.0, smiles=(smile(tau=1.0), smile()))
