"""The examples in docstrings show what the functions give."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import warnings

import pytest

import research

ROOMS = ("conventions", "market", "instruments", "models", "pricing", "risk", "backtest")


@pytest.mark.parametrize("room", ROOMS)
def test_the_examples_of_a_room_are_so(room: str) -> None:
    package = importlib.import_module(f"{research.__name__}.{room}")
    names = [package.__name__, *(m.name for m in pkgutil.walk_packages(package.__path__, f"{package.__name__}."))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {name: doctest.testmod(importlib.import_module(name)) for name in names}
    wrong = [name for name, result in found.items() if result.failed]
    assert not wrong, f"examples in {', '.join(wrong)} give something else: python -m doctest says what"
    assert sum(result.attempted for result in found.values()) > 0
