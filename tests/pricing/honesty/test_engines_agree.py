"""Every product by every engine in random markets at their extremes: apart by no more than both errors together.

The small sample runs always, the larger one with the slow tests, simulations among its engines. A draw is a function of
its seed and product; a finding names both.
"""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from tests.pricing.honesty.compare import apart, by_every_engine
from tests.pricing.honesty.draws import DRAWS, SPOT, world

from research.errors import NoEngineError
from research.models import BlackScholes
from research.pricing import price

SIMULATIONS = {"paths", "monte_carlo", "longstaff_schwartz"}


def findings(kind: str, seeds: range, without: set[str]) -> list[str]:
    """What is apart, in words."""
    out, seen = [], 0
    for seed in seeds:
        rng = np.random.default_rng([seed, zlib.crc32(kind.encode())])
        w = world(rng)
        item = DRAWS[kind](rng, w)
        found, refused = by_every_engine(item, BlackScholes(sigma=w.vol), w.snapshot, without=without)
        seen += len(found) + len(refused)  # an arithmetic average has simulations alone
        scale = max(SPOT, max((abs(one.value) for one in found), default=0.0))
        out += [f"{kind} {seed}: {a} | {b} | {w} {item}" for a, b in apart(found, scale)]
    assert seen, kind
    return out


@pytest.mark.parametrize("kind", DRAWS)
def test_no_two_engines_are_apart_by_more_than_their_errors(kind):
    assert not findings(kind, range(6), SIMULATIONS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", DRAWS)
def test_nor_in_a_larger_sample(kind):
    assert not findings(kind, range(6, 46), SIMULATIONS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in DRAWS if kind not in ("DoubleNoTouch", "Bermudan", "American")])
def test_nor_are_simulations(kind):
    # of 4,096 paths; a corridor that hardly any path stays in (DoubleNoTouch) is known to `monte_carlo` alone
    assert not findings(kind, range(100, 108), {"longstaff_schwartz"})


@pytest.mark.parametrize("kind", DRAWS)
def test_a_price_is_finite_or_refused_by_name(kind):
    for seed in range(50, 56):
        rng = np.random.default_rng([seed, zlib.crc32(kind.encode())])
        w = world(rng)
        item = DRAWS[kind](rng, w)
        try:
            p = price(item, BlackScholes(sigma=w.vol), w.snapshot)
        except NoEngineError as refusal:
            assert "Available" in str(refusal) or "method" in str(refusal)
            continue
        assert np.isfinite(p.value), (kind, seed, w)
        assert p.error >= 0.0, (kind, seed, w)
