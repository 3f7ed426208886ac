"""Contracts are plain data: they survive JSON, and a wrong term is refused by name."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from research.errors import InputError
from research.instruments import American, European, contract_from_json, to_json
from research.instruments.terms import contracts


@pytest.mark.parametrize(
    "contract",
    [European(strike=100.0, expiry=date(2030, 1, 31)), American(strike=95.5, tau=0.5, is_call=True)],
)
def test_a_contract_survives_json(contract: Any) -> None:
    assert contract_from_json(json.loads(json.dumps(to_json(contract)))) == contract


def test_every_contract_has_its_name_in_the_table() -> None:
    assert {"European", "American"} <= set(contracts())


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"type": "Europaen", "strike": 1.0}, r"type must be one of .*; got 'Europaen'. Did you mean European?"),
        ({"type": "European", "stirke": 1.0}, "terms of European must be among .*; got 'stirke'. Did you mean strike?"),
        ({"type": "European", "tau": 1.0}, "terms of European must have strike; got tau."),
        ({"type": "European", "strike": 1.0, "expiry": "soon"}, "European.expiry must be an ISO date .*; got 'soon'."),
        ({"type": "European", "strike": "a lot", "tau": 1.0}, "European.strike must be a number; got 'a lot'."),
    ],
)
def test_wrong_terms_are_refused_by_name(terms: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        contract_from_json(terms)
