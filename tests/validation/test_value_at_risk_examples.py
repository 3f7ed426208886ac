"""The examples in the docstrings of the value-at-risk rooms are true."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name",
    [
        "research.risk.value_at_risk",
        "research.backtest.value_at_risk",
        "research.validation.value_at_risk.kupiec",
        "research.validation.value_at_risk.traffic_light",
    ],
)
def test_examples_are_true(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
