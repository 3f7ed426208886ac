"""Natural and jump-wings parameters of SVI: the published example, the way back, and what has none."""

from __future__ import annotations

import json
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from research.errors import InputError
from research.models import SVI, SVIJumpWings, SVINatural
from research.models.ssvi import slice_variance

VOGT = SVI(a=-0.0410, b=0.1331, rho=0.3060, m=0.3586, sigma=0.4153)
PAPER = pd.read_csv(Path(__file__).parents[1] / "reference" / "gatheral_jacquier_vogt.csv", comment="#", index_col=0)
NAMES = ["v", "psi", "p", "c", "least_v"]


def random_smile(rng):
    b, rho, sigma = rng.uniform(0.01, 0.5), rng.uniform(-0.95, 0.95), rng.uniform(0.02, 0.8)
    least = rng.uniform(0.001, 0.1)
    return SVI(a=least - b * sigma * np.sqrt(1 - rho**2), b=b, rho=rho, m=rng.uniform(-0.5, 0.5), sigma=sigma)


def test_the_jump_wings_of_vogts_smile_are_those_of_the_paper():
    wings = SVIJumpWings.from_raw(VOGT, 1.0)
    assert [getattr(wings, name) for name in NAMES] == pytest.approx(PAPER.loc["example", NAMES].tolist(), rel=1e-6)
    fair = wings.without_butterflies()
    assert [getattr(fair, name) for name in NAMES] == pytest.approx(PAPER.loc["repaired", NAMES].tolist(), rel=1e-6)
    assert VOGT.butterflies() and not fair.raw().butterflies()


def test_every_smile_comes_back_from_its_other_parameters():
    rng = np.random.default_rng(14)
    for _ in range(200):
        smile, tau = random_smile(rng), rng.uniform(0.01, 10.0)
        for there in (SVIJumpWings.from_raw(smile, tau), SVINatural.from_raw(smile)):
            assert astuple(there.raw()) == pytest.approx(astuple(smile), rel=1e-7, abs=1e-9)


def test_jump_wings_are_what_they_say():
    rng = np.random.default_rng(3)
    smile, tau = random_smile(rng), 0.7
    wings, h = SVIJumpWings.from_raw(smile, tau), 1e-5
    root = np.sqrt(smile.total_variance(0.0))
    assert wings.v * tau == pytest.approx(root**2)
    skew = (np.sqrt(smile.total_variance(h)) - np.sqrt(smile.total_variance(-h))) / (2 * h)
    assert wings.psi == pytest.approx(skew, rel=1e-7)
    assert (wings.p * root, wings.c * root) == pytest.approx(smile.wing_slopes)
    grid = np.linspace(-5, 5, 200001)
    assert wings.least_v * tau == pytest.approx(smile.total_variance(grid).min(), rel=1e-6)


def test_a_natural_smile_without_shift_is_a_slice_of_ssvi():
    k = np.linspace(-1, 1, 9)
    smile = SVINatural(delta=0.0, mu=0.0, rho=-0.4, omega=0.05, zeta=3.0).raw()
    assert smile.total_variance(k) == pytest.approx(slice_variance(k, 0.05, 0.15, -0.4), rel=1e-14)


def test_they_survive_json_and_have_a_vol():
    for smile in (SVIJumpWings.from_raw(VOGT, 2.0), SVINatural.from_raw(VOGT)):
        assert type(smile).from_json(json.loads(json.dumps(smile.to_json()))) == smile
        assert smile.vol(0.1, 2.0) == pytest.approx(VOGT.vol(0.1, 2.0), rel=1e-12)
    with pytest.raises(InputError, match=r"tau must be the smile's own, 2 years; got 1\."):
        SVIJumpWings.from_raw(VOGT, 2.0).vol(0.1, 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"v": -0.1}, "v must be > 0; got -0.1. v is a variance: 20% vol is 0.04."),
        ({"p": -0.1}, r"p, c must be >= 0; got \(-0.1, 0.3\)"),
        ({"psi": 0.2}, r"psi must lie in \[-0.25, 0.15\]; got 0.2. The smile must fall no faster at the money"),
        ({"psi": 0.0}, "psi must not be 0; got 0. Where the skew is 0 the money is the bottom of the smile"),
        ({"least_v": 0.05}, r"least_v must lie in \[0, v\] = \[0, 0.04\]; got 0.05"),
        ({"least_v": 0.04}, "least_v must be below v = 0.04 where psi is not 0; got 0.04"),
        ({"tau": 0.0}, "tau must be > 0 years; got 0"),
    ],
)
def test_what_is_no_smile_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        SVIJumpWings(**({"v": 0.04, "psi": -0.1, "p": 0.5, "c": 0.3, "least_v": 0.03, "tau": 1.0} | change))


def test_a_straight_wing_has_no_natural_parameters():
    with pytest.raises(InputError, match=r"rho must lie in \(-1, 1\); got 1\. Natural SVI has no straight wing"):
        SVINatural.from_raw(SVI(a=0.04, b=0.1, rho=1.0, m=0.0, sigma=0.2))
