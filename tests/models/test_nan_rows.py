"""A row that holds nan is nan in every batch function, is counted in a warning, and changes nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from research.errors import InputError
from research.models import (
    CEV,
    ESSVI,
    SABR,
    SSVI,
    SVI,
    ArbitrageFreeSABR,
    Bachelier,
    DisplacedDiffusion,
    Heston,
    PowerLaw,
    SVISurface,
    bachelier,
    black,
)
from research.pricing import fourier

STRIKES = np.linspace(80.0, 120.0, 9)
HESTON = Heston(v0=0.04, kappa=1.5, theta=0.04, sigma=0.5, rho=-0.7)
SLICE = SVI(a=0.02, b=0.1, rho=-0.3, m=0.0, sigma=0.2)
SKEWED = SSVI(tau=(0.5, 1.0), theta=(0.02, 0.04), rho=-0.3, phi=PowerLaw(eta=0.5, gamma=0.4))
EXTENDED = ESSVI(tau=(0.5, 1.0), theta=(0.02, 0.045), psi=(0.1, 0.15), rho=(-0.6, -0.5))
BATCHES: dict[str, Any] = {
    "black.price": lambda k: black.price(100.0, k, 1.0, 0.2),
    "black.greeks": lambda k: black.greeks(100.0, k, 1.0, 0.2),
    "black.implied_vol": lambda k: black.implied_vol(21.0 + 0.0 * k, 100.0, k, 1.0),
    "bachelier.price": lambda k: bachelier.price(100.0, k, 1.0, 20.0),
    "bachelier.greeks": lambda k: bachelier.greeks(100.0, k, 1.0, 20.0, is_call=k > 100.0),
    "bachelier.implied_vol": lambda k: bachelier.implied_vol(21.0 + 0.0 * k, 100.0, k, 1.0),
    "fourier.price": lambda k: fourier.price(HESTON, 100.0, k, 1.0),
    "fourier.price_with_error": lambda k: fourier.price_with_error(HESTON, 100.0, k, 1.0)[0],
    "Bachelier.price": lambda k: Bachelier(sigma=20.0).price(100.0, k, 1.0),
    "CEV.price": lambda k: CEV(sigma=2.0, beta=0.5).price(100.0, k, 1.0),
    "CEV.vol_at": lambda k: CEV(sigma=2.0, beta=0.5).vol_at(100.0, k, 1.0),
    "DisplacedDiffusion.greeks": lambda k: DisplacedDiffusion(sigma=0.2, shift=10.0).greeks(100.0, k, 1.0),
    "SABR.vol_at": lambda k: SABR(alpha=0.2, beta=1.0, rho=-0.3, nu=0.5).vol_at(100.0, k, 1.0),
    "ArbitrageFreeSABR.price": lambda k: ArbitrageFreeSABR(alpha=2.0, beta=0.5, rho=0.0, nu=0.5).price(100.0, k, 1.0),
    "SVI.vol": lambda k: SLICE.vol(np.log(k / 100.0), 1.0),
    "SVISurface.vol": lambda k: SVISurface(tau=(1.0,), slices=(SLICE,)).vol(np.log(k / 100.0), 0.7),
    "SSVI.total_variance": lambda k: SKEWED.total_variance(np.log(k / 100.0), 0.7),
    "ESSVI.vol": lambda k: EXTENDED.vol(np.log(k / 100.0), 0.7),
}


@pytest.mark.parametrize("name", BATCHES)
def test_a_nan_marks_its_row_and_no_other(name: str) -> None:
    with_gap = STRIKES.copy()
    with_gap[4] = np.nan
    with pytest.warns(RuntimeWarning, match=r"1 of 9 rows hold nan \(the first is row 4\): their results are nan"):
        marked = BATCHES[name](with_gap)
    rest = BATCHES[name](np.delete(STRIKES, 4))
    for got, want in zip(
        marked.values() if isinstance(marked, dict) else [marked],
        rest.values() if isinstance(rest, dict) else [rest],
        strict=True,
    ):
        assert np.isnan(got[4])
        np.testing.assert_allclose(np.delete(got, 4), want, rtol=1e-9, atol=1e-12)


def test_a_single_nan_is_refused() -> None:
    with pytest.raises(InputError, match="strike must be finite"):
        bachelier.price(100.0, float("nan"), 1.0, 20.0)


def test_a_batch_of_nothing_but_nan_is_all_nan() -> None:
    with pytest.warns(RuntimeWarning, match="2 of 2 rows"):
        assert np.isnan(bachelier.price([np.nan, np.nan], 100.0, 1.0, 20.0)).all()
