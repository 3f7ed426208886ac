"""Closed forms on several lognormal prices: against 30-digit integrals, QuantLib, SciPy, and the laws between them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from tests.pricing.multi_asset.worlds import PAIR, abroad, many, market, pair

from research.errors import InputError, NoEngineError
from research.instruments import Basket, BestOf, Compo, Exchange, Outperformance, Quanto, Spread, WorstOf
from research.models import black
from research.pricing import price
from research.pricing.normal_probabilities import bivariate_cdf, multivariate_cdf

REFERENCE = Path(__file__).parents[2] / "reference"


def test_bivariate_cdf_agrees_with_thirty_digits() -> None:
    h, k, rho, exact = np.loadtxt(REFERENCE / "bivariate_normal.csv", delimiter=",", skiprows=2).T
    assert np.abs(bivariate_cdf(h, k, rho) - exact).max() < 4e-16


def test_bivariate_cdf_at_its_limits() -> None:
    inf = np.inf
    assert bivariate_cdf(inf, 0.3, 0.5) == pytest.approx(bivariate_cdf(0.3, inf, -0.5), abs=1e-16)
    assert bivariate_cdf(-inf, 0.3, 0.5) == 0.0
    assert bivariate_cdf(0.2, 0.1, 1.0) == pytest.approx(0.539827837277029, abs=1e-15)
    assert bivariate_cdf(0.2, 0.1, -1.0) == pytest.approx(0.539827837277029 + 0.579259709439103 - 1.0, abs=1e-15)
    assert np.isnan(bivariate_cdf([np.nan, 0.0], 0.0, 0.0)).tolist() == [True, False]
    with pytest.raises(InputError, match=r"rho must lie in \[-1, 1\]; got 1.5"):
        bivariate_cdf(0.0, 0.0, 1.5)


@pytest.mark.parametrize("r", [(0.1, 0.2, 0.3), (0.9, -0.8, -0.7), (0.99, 0.98, 0.975), (0.0, 0.9999, 0.0)])
def test_trivariate_orthants(r: tuple[float, float, float]) -> None:
    matrix = np.array([[1, r[0], r[1]], [r[0], 1, r[2]], [r[1], r[2], 1]])
    exact = 0.125 + np.arcsin(r).sum() / (4 * np.pi)
    assert multivariate_cdf(np.zeros(3), matrix)[0] == pytest.approx(exact, abs=1e-13)


@pytest.mark.parametrize("n", [4, 6, 9])
def test_equicorrelated_orthants(n: int) -> None:
    """With all correlations 1/2 the chance that n normals are negative is 1 / (n + 1)."""
    found, error = multivariate_cdf(np.zeros(n), 0.5 + 0.5 * np.eye(n))
    assert abs(found - 1 / (n + 1)) < 4 * error < 1e-4


EXTREMES = [
    (rho, vols, tau, rate)
    for rho in (-1.0, -0.6, 0.0, 0.95, 1.0)
    for vols, tau, rate in (
        ((0.2, 0.3), 1.0, 0.03), ((0.001, 0.3), 1 / 8760, -0.01), ((0.4, 0.001), 50.0, 0.0), ((5.0, 0.5), 2.0, 0.02),
        ((0.25, 0.25), 5.0, 0.0),
    )
]  # fmt: skip


@pytest.mark.parametrize(("rho", "vols", "tau", "rate"), EXTREMES)
def test_quadrature_agrees_with_margrabe(rho: float, vols: tuple[float, float], tau: float, rate: float) -> None:
    item = Exchange(receive="A", give="B", tau=tau, n_receive=1.1)
    exact, found = (price(item, pair(rho, vols), market(rate=rate), method=m) for m in ("margrabe", "quadrature"))
    assert found.value == pytest.approx(exact.value, abs=3e-12 * 100)
    assert abs(found.value - exact.value) <= found.error + 1e-12


@pytest.mark.parametrize(("rho", "vols", "tau", "rate"), EXTREMES)
@pytest.mark.parametrize("strike", [-20.0, 0.0, 7.0])
def test_spread_parity_and_bounds(rho: float, vols: Any, tau: float, rate: float, strike: float) -> None:
    m, s = pair(rho, vols), market(rate=rate)
    call, put = (
        price(Spread(long="A", short="B", strike=strike, tau=tau, is_call=c), m, s, method="quadrature").value
        for c in (True, False)
    )
    forward = float(s.forward("A", tau) - s.forward("B", tau) - strike)
    assert call - put == pytest.approx(s.discount.df(tau) * forward, abs=1e-11 * s.forward("A", tau))
    assert call >= 0.0 and put >= 0.0


def test_basket_of_two_agrees_with_a_plain_integral() -> None:
    m, s = pair(0.35), market()
    for weights, strike in (((0.5, 0.5), 97.0), ((1.2, -0.7), 30.0), ((-1.0, -1.0), -190.0)):
        found = price(Basket(underlyings=PAIR, weights=weights, strike=strike, tau=0.7), m, s)
        f1, f2, t = s.forward("A", 0.7), s.forward("B", 0.7), np.sqrt(0.7)

        def inner(z: float, w: Any = weights, k: float = strike, f1: float = f1, f2: float = f2, t: float = t) -> float:
            second = f2 * np.exp(0.3 * t * z - 0.045 * 0.7)

            def paid(x: float) -> float:
                first = f1 * np.exp(0.2 * t * (0.35 * z + np.sqrt(1 - 0.35**2) * x) - 0.02 * 0.7)
                return max(w[0] * first + w[1] * second - k, 0.0) * np.exp(-0.5 * x * x)

            return float(quad(paid, -9, 9, limit=400, epsabs=1e-9)[0] * np.exp(-0.5 * z * z))

        exact = s.discount.df(0.7) * quad(inner, -9, 9, epsabs=1e-8)[0] / (2 * np.pi)
        assert found.method == "quadrature"
        assert found.value == pytest.approx(exact, abs=2e-6)


def quantlib_spread(engine: str, rho: float, strike: float, tau_days: int = 365) -> float:
    ql = pytest.importorskip("QuantLib")
    today, count = ql.Date(1, 1, 2024), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today

    def process(spot: float, dividend: float, vol: float) -> Any:
        return ql.BlackScholesMertonProcess(
            ql.QuoteHandle(ql.SimpleQuote(spot)),
            ql.YieldTermStructureHandle(ql.FlatForward(today, dividend, count)),
            ql.YieldTermStructureHandle(ql.FlatForward(today, 0.03, count)),
            ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), vol, count)),
        )

    a, b = process(100.0, 0.01, 0.2), process(95.0, 0.02, 0.3)
    vanilla = ql.PlainVanillaPayoff(ql.Option.Call, strike)
    if engine == "StulzEngine":
        payoff = ql.MinBasketPayoff(vanilla)
    elif engine == "max":
        payoff, engine = ql.MaxBasketPayoff(vanilla), "StulzEngine"
    else:
        payoff = ql.SpreadBasketPayoff(vanilla)
    option = ql.BasketOption(payoff, ql.EuropeanExercise(today + tau_days))
    option.setPricingEngine(getattr(ql, engine)(a, b, rho))
    return float(option.NPV())


@pytest.mark.parametrize("rho", [-0.5, 0.3, 0.9])
@pytest.mark.parametrize("strike", [2.0, 10.0])
def test_spread_formulas_agree_with_quantlib(rho: float, strike: float) -> None:
    item = Spread(long="A", short="B", strike=strike, tau=1.0)
    for method, engine in (("kirk", "KirkEngine"), ("bjerksund_stensland", "BjerksundStenslandSpreadEngine")):
        found = price(item, pair(rho), market(), method=method)
        assert found.value == pytest.approx(quantlib_spread(engine, rho, strike), abs=1e-10)
    exact = price(item, pair(rho), market(), method="quadrature").value
    lower = price(item, pair(rho), market(), method="bjerksund_stensland").value
    assert exact - 5e-3 < lower <= exact + 1e-12


@pytest.mark.parametrize("rho", [-0.9, 0.0, 0.6])
def test_best_and_worst_agree_with_quantlib_stulz(rho: float) -> None:
    for kind, engine in ((WorstOf, "StulzEngine"), (BestOf, "max")):
        found = price(kind(underlyings=PAIR, strike=97.0, tau=1.0), pair(rho), market())
        assert found.value == pytest.approx(quantlib_spread(engine, rho, 97.0), abs=1e-5)  # their bivariate normal


@pytest.mark.parametrize(("rho", "vols", "tau", "rate"), EXTREMES)
def test_best_and_worst_together_are_two_options(rho: float, vols: Any, tau: float, rate: float) -> None:
    m, s = pair(rho, vols), market(rate=rate)
    for is_call in (True, False):
        both = sum(
            price(kind(underlyings=PAIR, strike=97.0, tau=tau, is_call=is_call), m, s).value
            for kind in (BestOf, WorstOf)
        )
        single = sum(
            float(black.price(s.forward(n, tau), 97.0, tau, v, df=s.discount.df(tau), is_call=is_call))
            for n, v in zip(PAIR, vols)
        )
        assert both == pytest.approx(single, abs=1e-11 * max(1.0, s.forward("A", tau)))


def test_johnson_for_three_and_five_agrees_with_simulation() -> None:
    for n, rho in ((3, 0.4), (3, 0.95), (5, 0.3)):
        m, s = many(n, rho)
        for kind in (BestOf, WorstOf):
            for is_call in (True, False):
                item = kind(underlyings=m.names, strike=100.0, tau=1.0, is_call=is_call)
                exact, found = (price(item, m, s, method=how) for how in ("analytic", "monte_carlo"))
                z = (exact.value - found.value) / np.hypot(found.std_error, exact.std_error)
                assert abs(z) < 4.0 and exact.std_error < 1e-3
                assert n > 3 or exact.std_error == 0.0


def test_outperformance_is_an_exchange_of_performances() -> None:
    item = Outperformance(long="A", short="B", initials=(100.0, 95.0), tau=1.0, notional=1e6)
    twin = Exchange(receive="A", give="B", tau=1.0, n_receive=1e6 / 100.0, n_give=1e6 / 95.0)
    assert price(item, pair(), market()).value == pytest.approx(price(twin, pair(), market()).value, rel=1e-14)
    struck = Outperformance(long="A", short="B", initials=(100.0, 95.0), strike=0.05, tau=1.0)
    assert price(struck, pair(), market()).method == "quadrature"  # Margrabe refuses, the next one prices


def test_quanto_and_compo_agree_with_a_plain_simulation() -> None:
    m, s = abroad()
    rng, tau = np.random.default_rng(7), 1.5
    z = rng.normal(size=(2, 1_000_000))
    x, y = z[0], -0.3 * z[0] + np.sqrt(1 - 0.09) * z[1]
    rate = 7.1 * np.exp((0.02 - 0.05 - 0.5 * 0.06**2) * tau + 0.06 * np.sqrt(tau) * y)
    drift = 0.05 - 0.012 - (-0.3 * 0.18 * 0.06) - 0.5 * 0.18**2  # of the index under the yuan measure
    spot = 5000.0 * np.exp(drift * tau + 0.18 * np.sqrt(tau) * x)
    # the traded assets earn the yuan rate in yuan: the drifts above are right
    assert np.mean(spot * rate) * np.exp(-0.02 * tau) == pytest.approx(5000 * 7.1 * np.exp(-0.012 * tau), rel=2e-3)
    for item, paid in (
        (Quanto(underlying="SPX", strike=5100.0, fx=7.0, tau=tau), 7.0 * np.maximum(spot - 5100.0, 0.0)),
        (Compo(underlying="SPX", strike=36_000.0, tau=tau, is_call=False), np.maximum(36_000.0 - spot * rate, 0.0)),
    ):
        sample = np.exp(-0.02 * tau) * paid
        error = sample.std() / 1000.0
        assert abs(price(item, m, s).value - sample.mean()) < 4.0 * error


def test_a_basket_of_one_converted_price_is_a_compo() -> None:
    m, s = abroad(rho=0.0)
    one = Basket(underlyings=("SPX",), weights=(1.0,), strike=36_000.0, tau=1.0, fx="compo")
    two = Compo(underlying="SPX", strike=36_000.0, tau=1.0)
    found = price(one, m, s, std_error=2.0)  # the quadrature refuses one underlying
    assert found.method == "monte_carlo"
    assert abs(found.value - price(two, m, s).value) < 4.0 * found.std_error


def test_mixed_currencies_are_refused_unless_the_contract_says_how() -> None:
    m, s = abroad()
    item = BestOf(underlyings=("SPX", "CSI"), initials=(5000.0, 4000.0), strike=1.0, tau=1.0)
    with pytest.raises(InputError, match=r"currency of SPX must be CNY; got 'USD'. Say fx='quanto'"):
        price(item, m, s)
    with pytest.raises(InputError, match="currency of CSI must not be CNY"):
        price(Quanto(underlying="CSI", strike=4000.0, tau=1.0), m, s)
    quanto, compo = (
        price(BestOf(underlyings=("SPX", "CSI"), initials=(5000.0, 4000.0), strike=1.0, tau=1.0, fx="quanto"), m, s),
        price(BestOf(underlyings=("SPX", "CSI"), initials=(35500.0, 4000.0), strike=1.0, tau=1.0, fx="compo"), m, s),
    )
    assert 0.05 < compo.value < quanto.value  # the dollar earns more than the yuan, so its forward falls


def test_an_engine_that_cannot_says_which_can() -> None:
    m, s = many(3)
    item = Basket(underlyings=m.names, weights=(1.0, 1.0, 1.0), strike=290.0, tau=1.0)
    with pytest.raises(NoEngineError, match="underlyings must number 1 or 2 for method='quadrature'; got 3"):
        price(item, m, s, method="quadrature")
    exact, close = price(item, m, s), price(item, m, s, method="moment_matching")
    assert exact.method == "monte_carlo" and close.value == pytest.approx(exact.value, rel=5e-3)
