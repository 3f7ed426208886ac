"""Local vol: the grid and its means in time, Dupire's formula on surfaces whose local vol is known, refusals."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from research.errors import InputError
from research.models import SSVI, SVI, BlackScholes, LocalVol, SVISurface, dupire
from research.models.ssvi import PowerLaw

SURFACE = SVISurface(
    tau=(0.25, 1.0, 2.0),
    slices=(
        SVI(a=0.004, b=0.04, rho=-0.5, m=0.0, sigma=0.15),
        SVI(a=0.018, b=0.10, rho=-0.5, m=0.0, sigma=0.25),
        SVI(a=0.04, b=0.14, rho=-0.5, m=0.0, sigma=0.35),
    ),
)
GRID = LocalVol(tau=[0.1, 0.5, 2.0], log_moneyness=[-0.2, 0.0, 0.3], vol=[[0.4, 0.3, 0.2], [0.3, 0.25, 0.2], [0.2] * 3])


class Wrapped:
    """A surface of which only vols are known."""

    def vol(self, k, tau):
        return SURFACE.vol(k, tau)


def test_variance_is_linear_between_nodes_and_flat_outside():
    assert GRID.local_vol(0.0, 0.3) ** 2 == pytest.approx(0.5 * (0.09 + 0.0625))
    assert GRID.local_vol([-9.0, 9.0], [0.0, 9.0]) == pytest.approx([0.4, 0.2])


def test_means_in_time_agree_with_quadrature():
    times = np.array([0.0, 0.05, 0.3, 0.5, 0.9, 3.0])
    found = GRID.mean_variance(times)
    for k, (a, b) in enumerate(pairwise(times)):
        fine = a + (b - a) * (np.arange(4000) + 0.5) / 4000
        for j, y in enumerate(GRID.log_moneyness):
            assert found[k, j] == pytest.approx(np.mean(np.asarray(GRID.local_vol(y, fine)) ** 2), rel=1e-6)


def test_a_flat_surface_has_a_flat_local_vol():
    model = dupire(BlackScholes(sigma=0.3), tau=[0.0, 0.5, 3.0])
    assert np.abs(model.vol - 0.3).max() < 1e-6
    assert model.floored == 0


def test_a_term_structure_has_its_forward_vol():
    class Rising:
        def total_variance(self, k, tau):
            return 0.04 * tau + 0.01 * tau**2 + 0.0 * np.asarray(k)

    tau = np.array([0.1, 1.0, 2.0])
    assert dupire(Rising(), tau=tau).vol[:, 7] ** 2 == pytest.approx(0.04 + 0.02 * tau, rel=1e-7)


def test_analytic_derivatives_agree_with_differences():
    tau, y = np.array([0.1, 0.6, 1.5]), np.linspace(-0.6, 0.5, 23)
    exact = dupire(SURFACE, tau=tau, log_moneyness=y).vol
    assert dupire(Wrapped(), tau=tau, log_moneyness=y).vol == pytest.approx(exact, rel=2e-5)


def test_the_jump_of_the_local_vol_at_an_expiry_is_kept():
    model = dupire(SURFACE)
    before, after = model.local_vol(0.0, np.array([1.0 - 1e-5, 1.0 + 1e-5]))
    w = [one.total_variance(0.0) for one in SURFACE.slices]
    g = SURFACE.slices[1].durrleman(0.0)
    assert before**2 == pytest.approx((w[1] - w[0]) / 0.75 / g, rel=1e-3)
    assert after**2 == pytest.approx((w[2] - w[1]) / 1.0 / g, rel=1e-3)


def test_a_surface_with_arbitrage_is_floored_and_counted():
    falling = SVISurface(tau=(0.5, 1.0), slices=(SURFACE.slices[1], SURFACE.slices[0]))
    model = dupire(falling, floor=0.05)
    assert model.floored > 0
    assert model.vol.min() == pytest.approx(0.05)


def test_json_gives_the_model_back():
    back = LocalVol.from_json(GRID.to_json())
    assert np.array_equal(back.vol, GRID.vol) and np.array_equal(back.tau, GRID.tau)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tau": [0.5, 0.1, 2.0]}, "tau must increase; got 0.1"),
        ({"tau": [-0.5, 0.1, 2.0]}, "tau must be >= 0 years; got -0.5"),
        ({"vol": [[0.2, 0.3, 0.4]]}, r"vol must have shape \(3, 3\); got \(1, 3\)"),
        ({"vol": np.full((3, 3), np.nan)}, r"vol must be finite and > 0; got nan \(9 of 9 values\)"),
        ({"log_moneyness": [0.0, 0.0, 1.0]}, "log_moneyness must increase"),
    ],
)
def test_bad_grids_are_refused_by_name(change, message):
    given = {"tau": GRID.tau, "log_moneyness": GRID.log_moneyness, "vol": GRID.vol}
    with pytest.raises(InputError, match=message):
        LocalVol(**{**given, **change})


def test_an_ssvi_surface_gives_a_local_vol_in_one_call():
    surface = SSVI(tau=(0.25, 0.5, 1.0), theta=(0.01, 0.02, 0.04), rho=-0.5, phi=PowerLaw(eta=1.0, gamma=0.4))
    model = dupire(surface)
    assert model.floored == 0 and np.array_equal(model.vol, dupire(surface.to_svi()).vol)


def test_a_surface_without_times_needs_them():
    with pytest.raises(InputError, match="tau must be given for a surface that has no expiries of its own"):
        dupire(Wrapped())
