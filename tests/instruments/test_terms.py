"""Contracts are plain data: they survive JSON, and a wrong term is refused by name."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from research.errors import InputError
from research.instruments import (
    Airbag,
    American,
    Asian,
    Autocallable,
    Basket,
    BestOf,
    Compo,
    DoubleNoTouch,
    European,
    Exchange,
    Outperformance,
    Phoenix,
    Quanto,
    Rainbow,
    RangeAccrual,
    SharkFin,
    Spread,
    StructuredDeposit,
    WorstOf,
    WorstOfNote,
    contract_from_json,
    to_json,
)
from research.instruments.terms import contracts


@pytest.mark.parametrize(
    "contract",
    [
        European(strike=100.0, expiry=date(2030, 1, 31)),
        American(strike=95.5, tau=0.5, is_call=True),
        Asian(fixings=(date(2030, 1, 31), date(2030, 2, 28)), strike=100.0),
        Asian(fixings=(0.5, 1.0)),
        Autocallable(
            initial=100.0, observations=(0.25, 0.5), knock_out=(1.03, 1.0), coupon=0.15, knock_in=0.75, floor=0.1
        ),
        Phoenix(initial=1.0, observations=(date(2030, 1, 2),), knock_out=1.0, coupon_barrier=0.9, coupon=0.01),
        SharkFin(initial=100.0, strike=1.0, barrier=1.2, tau=0.5),
        RangeAccrual(initial=100.0, low=0.9, high=1.1, rate=0.05, expiry=date(2030, 1, 31)),
        DoubleNoTouch(initial=100.0, low=0.9, high=1.1, rate=0.05, tau=0.5),
        Airbag(initial=100.0, knock_in=0.8, tau=1.0, knocked_in=True),
        StructuredDeposit(initial=100.0, width=0.1, tau=1.0),
        Exchange(receive="A", give="B", tau=1.0),
        Spread(long="A", short="B", strike=-2.0, expiry=date(2030, 1, 31), fx="compo"),
        Outperformance(long="A", short="B", initials=(100.0, 50.0), tau=1.0),
        Basket(underlyings=("A", "B", "C"), weights=(0.5, 0.7, -0.2), strike=100.0, tau=1.0),
        BestOf(underlyings=("A", "B"), strike=100.0, tau=1.0),
        WorstOf(underlyings=("A", "B"), initials=(100.0, 50.0), strike=1.0, tau=1.0, is_call=False),
        Rainbow(underlyings=("A", "B"), rank_weights=(0.7, 0.3), strike=1.0, initials=(100.0, 50.0), tau=1.0),
        Quanto(underlying="A", strike=100.0, tau=1.0, fx=7.0),
        Compo(underlying="A", strike=700.0, tau=1.0),
        WorstOfNote(
            underlyings=("A", "B"),
            initials=(100.0, 50.0),
            note=Phoenix(initial=1.0, observations=(0.5, 1.0), knock_out=1.0, coupon_barrier=0.9, coupon=0.01),
        ),
    ],
    ids=lambda contract: type(contract).__name__,
)
def test_a_contract_survives_json(contract: Any) -> None:
    assert contract_from_json(json.loads(json.dumps(to_json(contract)))) == contract


def test_every_contract_has_its_name_in_the_table() -> None:
    assert {"European", "American"} <= set(contracts())


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"type": "Europaen", "strike": 1.0}, r"type must be one of .*; got 'Europaen'. Did you mean 'European'?"),
        (
            {"type": "European", "stirke": 1.0},
            "terms of European must be among .*; got 'stirke'. Did you mean 'strike'?",
        ),
        ({"type": "European", "tau": 1.0}, "terms of European must have strike; got tau."),
        ({"type": "European", "strike": 1.0, "expiry": "soon"}, "European.expiry must be an ISO date .*; got 'soon'."),
        ({"type": "European", "strike": "a lot", "tau": 1.0}, "European.strike must be a number; got 'a lot'."),
    ],
)
def test_wrong_terms_are_refused_by_name(terms: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        contract_from_json(terms)


def test_the_text_of_a_contract_is_read_too():

    contract = European(strike=100.0, tau=1.0)
    assert contract_from_json(json.dumps(to_json(contract))) == contract
    with pytest.raises(InputError, match="contract must be JSON"):
        contract_from_json("{")
