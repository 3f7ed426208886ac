"""`pricing.price` finds the engine that the model allows, and names the others when it cannot."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

import numpy as np
import pytest

from research.errors import InputError, NoEngineError
from research.instruments import American, Digital, European, VarianceSwap
from research.market import DiscountCurve, Smile, Snapshot, Surface, flat_snapshot
from research.models import SABR, SVI, BlackScholes, Heston, SVISurface, black
from research.pricing import Price, engines_for, methods, price

MODEL = Heston(v0=0.04, kappa=1.5, theta=0.06, sigma=0.5, rho=-0.7)
TODAY = date(2024, 1, 2)


@pytest.fixture
def snapshot() -> Snapshot:
    smile = Smile(tau=1.0, forward=103.0, df=0.97, strike=np.array([100.0]), vol=np.array([0.2]))
    surface = Surface(as_of=TODAY, spot=100.0, smiles=(smile,))
    curve = DiscountCurve(as_of=TODAY, tau=np.array([1.0]), zero_rate=np.array([0.03]))
    return Snapshot(as_of=TODAY, spot=100.0, discount=curve, surface=surface, dividend_yield=0.01)


def test_one_option_gives_floats(snapshot: Snapshot) -> None:
    found = price(European(strike=100.0, tau=1.0), MODEL, snapshot)
    assert isinstance(found, Price)
    assert (found.method, found.model, found.std_error) == ("fourier", "Heston", 0.0)
    assert float(found) == found.value == pytest.approx(8.8943, abs=0.5)
    assert 0.0 < found.error < 1e-8
    assert "by fourier under Heston" in repr(found)


def test_several_options_keep_their_order(snapshot: Snapshot) -> None:
    options = [
        European(strike=k, tau=t, is_call=c) for k, t, c in [(120, 2.0, True), (80, 0.1, False), (100, 0.1, True)]
    ]
    together = price(options, MODEL, snapshot)
    assert together.value.tolist() == pytest.approx([float(price(o, MODEL, snapshot)) for o in options], abs=1e-10)
    assert "3 values" in repr(together)


def test_put_call_parity_holds_with_the_curve_of_the_snapshot(snapshot: Snapshot) -> None:
    call, put = (float(price(European(strike=95.0, tau=0.7, is_call=c), MODEL, snapshot)) for c in (True, False))
    assert call - put == pytest.approx(100.0 * np.exp(-0.007) - 95.0 * np.exp(-0.021), abs=1e-11)


def test_an_expiry_date_counts_from_the_snapshots_day(snapshot: Snapshot) -> None:
    dated = price(European(strike=100.0, expiry=date(2025, 1, 1)), MODEL, snapshot)
    assert dated.value == price(European(strike=100.0, tau=1.0), MODEL, snapshot).value


def test_an_svi_surface_is_priced_by_black_at_its_own_vol(snapshot: Snapshot) -> None:
    slice_ = SVI(a=0.02, b=0.1, rho=-0.5, m=0.0, sigma=0.2)
    found = price(European(strike=90.0, tau=1.0), SVISurface(tau=(1.0,), slices=(slice_,)), snapshot)
    forward, df = snapshot.forward(1.0), snapshot.discount.df(1.0)
    vol = slice_.vol(np.log(90.0 / forward), 1.0)
    assert found.method == "analytic"
    assert found.value == pytest.approx(black.price(forward, 90.0, 1.0, vol, df=df), rel=1e-13)


@dataclass(frozen=True)
class RoughBergomi:
    abilities: ClassVar[frozenset[str]] = frozenset({"forward_variance"})


def test_a_method_that_the_model_lacks_names_those_it_has(snapshot: Snapshot) -> None:
    sentence = r"Heston has no implied_vol, needed by 'analytic'\. Available: 'fourier', 'cosine'"
    with pytest.raises(NoEngineError, match=f"^{sentence}"):
        price(European(strike=100.0, tau=1.0), MODEL, snapshot, method="analytic")


def test_a_model_that_nothing_can_price_is_refused(snapshot: Snapshot) -> None:
    assert engines_for("European", RoughBergomi()) == []
    assert methods(European(strike=100.0, tau=1.0), RoughBergomi()).empty
    with pytest.raises(
        NoEngineError,
        match=r"RoughBergomi has none of implied_vol, .*characteristic_function.*, needed to price European",
    ):
        price(European(strike=100.0, tau=1.0), RoughBergomi(), snapshot)
    with pytest.raises(NoEngineError, match=r"needed by 'fourier'\. Available: none\."):
        price(European(strike=100.0, tau=1.0), RoughBergomi(), snapshot, method="fourier")


def test_an_unknown_method_is_refused(snapshot: Snapshot) -> None:
    with pytest.raises(
        InputError, match=r"method must be 'auto' or one of 'analytic', .*; got 'telepathy'. Available: 'fourier'"
    ):
        price(European(strike=100.0, tau=1.0), MODEL, snapshot, method="telepathy")


def test_what_is_not_a_european_option_has_no_engine(snapshot: Snapshot) -> None:
    with pytest.raises(NoEngineError, match=r"instrument must be one of European.*; got str"):
        price(["a call"], MODEL, snapshot)  # type: ignore[list-item]


def test_an_empty_list_is_refused(snapshot: Snapshot) -> None:
    with pytest.raises(InputError, match="instruments must hold at least one instrument"):
        price([], MODEL, snapshot)


def test_methods_lists_the_engines_best_first_and_says_why() -> None:
    found = methods(European(strike=100.0, tau=1.0), BlackScholes(sigma=0.2))
    assert found.columns.tolist() == ["method", "error", "cost", "why"]
    assert found["method"][0] == "analytic"


def test_a_flat_market_gives_the_textbook_price() -> None:
    # Haug (2007), The Complete Guide to Option Pricing Formulas, 2nd ed., section 1.1.1: call 2.1334
    market = flat_snapshot(spot=60.0, rate=0.08)
    found = price(European(strike=65.0, tau=0.25), BlackScholes(sigma=0.30), market)
    assert found.value == pytest.approx(2.1334, abs=5e-5)
    assert found.why.startswith("Black's formula")
    assert "no quotes" in repr(market)


def test_sabr_is_priced_by_black_at_its_own_vol() -> None:
    market, model = flat_snapshot(spot=60.0, rate=0.08), SABR(alpha=1.5, beta=0.5, rho=-0.3, nu=0.4, shift=1.0)
    found = price([European(strike=65.0, tau=0.25), European(strike=55.0, tau=0.0)], model, market)
    forward = market.forward(0.25)
    vol = model.vol_at(forward, 65.0, 0.25)
    assert found.value[0] == pytest.approx(black.price(forward + 1.0, 66.0, 0.25, vol, df=np.exp(-0.02)), rel=1e-14)
    assert found.value[1] == 5.0


def test_auto_goes_on_to_an_engine_that_takes_the_whole_curve() -> None:
    curve = DiscountCurve(as_of=TODAY, tau=np.array([0.5, 2.0]), zero_rate=np.array([0.01, 0.05]))
    market = Snapshot(as_of=TODAY, spot=100.0, discount=curve)
    put, model = American(strike=105.0, tau=1.5), BlackScholes(sigma=0.25)
    with pytest.raises(NoEngineError, match="zero_rate must be one rate up to expiry for method='spectral'"):
        price(put, model, market, method="spectral")
    found = price(put, model, market)
    assert found.method == "pde"
    assert found.value > float(price(European(strike=105.0, tau=1.5, is_call=False), model, market))
    flat = price([put, European(strike=100.0, tau=1.0)], model, flat_snapshot(spot=100.0, rate=0.03))
    assert flat.method.tolist() == ["spectral", "analytic"]
    assert flat.to_frame()["value"].tolist() == flat.value.tolist()


def test_a_method_is_listed_once_though_the_model_has_either_ability() -> None:
    for kind in (Digital(strike=100.0, tau=1.0), VarianceSwap(strike=0.04, tau=1.0)):
        found = methods(kind, BlackScholes(sigma=0.2))["method"]
        assert found.is_unique, found


def test_a_first_price_loads_neither_pandas_nor_scipy() -> None:
    code = (
        "import sys\nfrom research.instruments import European\nfrom research.market import flat_snapshot\n"
        "from research.models import BlackScholes\nfrom research.pricing import price\n"
        "price(European(strike=100.0, tau=1.0), BlackScholes(sigma=0.2), flat_snapshot(spot=100.0, rate=0.03))\n"
        "print([name for name in ('pandas', 'scipy.special', 'scipy.linalg') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_bias_beside_a_standard_error_is_shown():
    put = American(strike=100.0, tau=1.0, is_call=False)
    rule = price(put, BlackScholes(sigma=0.2), flat_snapshot(spot=100.0, rate=0.03), method="longstaff_schwartz")
    assert rule.error > 10.0 * rule.std_error  # the distance to the upper bound
    assert f"standard error {rule.std_error:.1e}, error <= {rule.error:.1e}" in repr(rule)
    noise = Price(value=1.0, std_error=0.01, error=0.02, method="paths", model="Heston")
    assert repr(noise) == "Price(1.000 by paths under Heston, standard error 1.0e-02)"


def test_one_price_is_formatted_as_a_number():
    found = price(European(strike=100.0, tau=1.0), BlackScholes(sigma=0.2), flat_snapshot(spot=100.0))
    assert f"{found:.4f}" == "7.9656" and f"{found}" == repr(found)
    with pytest.raises(InputError, match="the price must be one number"):
        format(price([European(strike=100.0, tau=1.0)] * 2, BlackScholes(sigma=0.2), flat_snapshot(spot=100.0)), ".2f")
