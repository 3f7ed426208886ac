"""Bermudans by cosine series: published digits, densities integrated by Gauss and Legendre, limits, refusals."""

import numpy as np
import pytest
from scipy.special import gamma
from tests.pricing import cosine_twins

from research.errors import NoEngineError, NumericalError
from research.instruments import Bermudan, European
from research.market import flat_snapshot
from research.models import BlackScholes, BlackTermStructure, Heston, Merton, VarianceGamma
from research.pricing import methods, price
from research.pricing.cosine_dates import weights
from research.pricing.cosine_law import Law, law_of
from research.pricing.cosine_plan import dates_of, evaluated, planned

MARKET = flat_snapshot(spot=100.0, rate=0.05, dividend_yield=0.02)
JUMPS = Merton(sigma=0.2, intensity=0.5, jump_mean=-0.1, jump_std=0.15)
CLOCK = VarianceGamma(sigma=0.2, nu=0.1, theta=-0.14)
HESTON = Heston(v0=0.04, kappa=1.5, theta=0.06, sigma=0.5, rho=-0.7)
MODELS = {"BS": BlackScholes(sigma=0.2), "Merton": JUMPS, "VG": CLOCK}


def dates(n, tau=1.0):
    return tuple(tau * (k + 1) / n for k in range(n))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "n", "near"), [("BS", 4, 1e-12), ("Merton", 4, 1e-12), ("VG", 2, 2e-11)])
def test_a_put_is_the_integral_of_its_density_date_by_date(name, n, near):
    model = MODELS[name]
    found = price(Bermudan(strike=105.0, times=dates(n)), model, MARKET, method="cosine")
    twin = cosine_twins.bermudan_put(model, 100.0, 105.0, 1.0, n, 0.05, 0.02)
    assert abs(found.value - twin) < found.error + near
    assert found.error < 2e-11


class CGMY(Law):
    """Carr, Geman, Madan and Yor (2002): what the recursion asks of a law that the library does not have."""

    def __init__(self, c, g, m, y):
        super().__init__(0, np.array([c, g, m, y]))

    def _log(self, z, tau):
        """log E exp(z X), complex z."""
        c, g, m, y = self.p

        def raw(z):
            return c * gamma(-y) * ((m - z) ** y - m**y + (g + z) ** y - g**y)

        return tau * (raw(z) - z * raw(1.0))

    def log_cf(self, u, start, end):
        return self._log(1j * u, end - start)

    def left_out(self, u, start, end, power):
        grid = u * np.geomspace(1.0, 1e4, 200)
        return float(np.trapezoid(np.exp(self.log_cf(grid, start, end).real) / grid**power, grid))

    def reach(self, start, end, sign, least):
        p = np.linspace(1.01, self.p[2] - 0.01, 50) if sign > 0.0 else -np.linspace(0.01, self.p[1] - 0.01, 50)
        return float(np.min((self._log(p, end - start) - np.log(least)) / np.abs(p)))


def test_bermudans_of_fang_and_oosterlee_under_cgmy():
    # Fang & Oosterlee (2009), table 1, test 2: C = 1, G = 5, M = 5, Y = 1.5, ten dates; 28.829781986
    market = flat_snapshot(spot=100.0, rate=0.1)
    y = np.array([np.log(100.0 / 80.0)])
    law = CGMY(1.0, 5.0, 5.0, 1.5)
    problem, left = planned(law, dates_of(dates(10), market, False), y, "exercise", tolerance=1e-10)
    found, error = evaluated(problem, left, y)
    assert abs(80.0 * found[0, 0] - 28.829781986) < 80.0 * error[0, 0] < 2e-8


def test_the_weights_of_four_bermudans_are_those_of_fang_and_oosterlee():
    assert weights((1.0, 2.0, 3.0)) * 21.0 == pytest.approx([-1.0, 14.0, -56.0, 64.0])  # eq. 76


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("is_call", [False, True])
def test_one_date_is_a_european_option(name, is_call):
    strikes = [60.0, 95.0, 100.0, 120.0, 180.0]
    items = [Bermudan(strike=k, times=(0.7,), is_call=is_call) for k in strikes]
    found = price(items, MODELS[name], MARKET, method="cosine")
    plain = price([European(strike=k, tau=0.7, is_call=is_call) for k in strikes], MODELS[name], MARKET)
    assert (np.abs(found.value - plain.value) <= found.error + plain.error).all()
    assert found.error.max() < 2e-10


def test_a_call_without_dividends_is_never_exercised_early():
    market = flat_snapshot(spot=100.0, rate=0.05)
    found = price(Bermudan(strike=95.0, times=dates(6), is_call=True), JUMPS, market, method="cosine")
    plain = price(European(strike=95.0, tau=1.0), JUMPS, market)
    assert abs(found.value - plain.value) < found.error + plain.error


@pytest.mark.parametrize("name", MODELS)
def test_more_dates_are_worth_more_and_a_chain_is_its_options_one_by_one(name):
    few, many = (Bermudan(strike=100.0, times=dates(n)) for n in (2, 4))
    chain = [Bermudan(strike=k, times=dates(4)) for k in (80.0, 100.0, 125.0)]
    both = price([few, many], MODELS[name], MARKET, method="cosine")
    assert both.value[1] > both.value[0] + both.error.sum()
    together = price(chain, MODELS[name], MARKET, method="cosine")
    alone = [price(one, MODELS[name], MARKET, method="cosine") for one in chain]
    for i, one in enumerate(alone):
        assert abs(together.value[i] - one.value) <= together.error[i] + one.error


def test_a_date_today_gives_at_least_what_exercise_pays():
    given = Bermudan(strike=150.0, times=(0.0, 0.5, 1.0))
    assert price(given, JUMPS, MARKET, method="cosine").value == pytest.approx(50.0, abs=1e-12)


@pytest.mark.parametrize("rate", [-0.03, 0.0])
def test_puts_at_rates_that_are_not_positive_are_european(rate):
    market = flat_snapshot(spot=100.0, rate=rate)
    found = price(Bermudan(strike=110.0, times=dates(5)), JUMPS, market, method="cosine")
    plain = price(European(strike=110.0, tau=1.0, is_call=False), JUMPS, market)
    assert abs(found.value - plain.value) < found.error + plain.error + 1e-10


def test_two_exercise_boundaries_agree_with_the_lattice():
    # rates and yields below 0, the yield lower: exercised between two prices only (Andersen and Lake 2021)
    market, model = flat_snapshot(spot=100.0, rate=-0.01, dividend_yield=-0.06), BlackScholes(sigma=0.1)
    given = Bermudan(strike=100.0, times=dates(10, 10.0))
    found = price(given, model, market, method="cosine")
    tree = price(given, model, market, method="lattice", n_steps=2001)
    plain = price(European(strike=100.0, tau=10.0, is_call=False), model, market)
    assert found.value > plain.value + 0.05
    assert abs(found.value - tree.value) < found.error + tree.error


def test_a_vol_by_time_and_a_curve_agree_with_the_grid():
    model = BlackTermStructure(tau=(0.25, 0.5, 1.0), implied=(0.3, 0.25, 0.22))
    given = Bermudan(strike=105.0, times=(0.2, 0.45, 0.7, 1.0))
    found, grid = (price(given, model, MARKET, method=method) for method in ("cosine", "pde"))
    assert found.error < 1e-10
    assert abs(found.value - grid.value) < grid.error


@pytest.mark.slow
@pytest.mark.parametrize("n", [10, 50])
def test_near_dates_under_variance_gamma_state_what_fewer_terms_miss(n, monkeypatch):
    from research.pricing import cosine_plan

    given = Bermudan(strike=100.0, times=dates(n))
    model = VarianceGamma(sigma=0.12, nu=0.2, theta=-0.14)
    fine = price(given, model, MARKET, method="cosine")
    monkeypatch.setattr(cosine_plan, "MOST", 1024)
    cosine_plan.forget()
    coarse = price(given, model, MARKET, method="cosine")
    cosine_plan.forget()
    assert 1e-9 < coarse.error < 1e-3 < 1.0
    assert abs(fine.value - coarse.value) < coarse.error
    assert fine.error < 0.1 * coarse.error


@pytest.mark.slow
def test_the_error_under_variance_gamma_covers_the_distance_to_butterflies():
    model = VarianceGamma(sigma=0.2, nu=0.2, theta=-0.14)
    found = price(Bermudan(strike=100.0, times=dates(12)), model, MARKET, method="cosine")
    coarse, fine = (cosine_twins.by_hats(model, lambda s: np.maximum(100.0 - s, 0.0), 1.0, 12, 0.05, 0.02, h)
                    for h in (8e-4, 4e-4))  # fmt: skip
    assert abs(found.value - (4.0 * fine - coarse) / 3.0) < found.error + 5e-7
    assert found.error < 1e-5


def test_dates_that_no_series_can_part_are_refused_by_name():
    model = VarianceGamma(sigma=0.0, nu=1.0, theta=-0.3)
    given = Bermudan(strike=100.0, times=dates(40, 0.05))
    with pytest.raises(NumericalError, match="the cosine series must settle to 2e-05 of the strike"):
        price(given, model, MARKET, method="cosine")


def test_auto_takes_the_series_and_the_model_that_has_none_is_told():
    assert price(Bermudan(strike=100.0, times=dates(3)), JUMPS, MARKET).method == "cosine"
    assert list(methods("Bermudan", JUMPS).method) == ["cosine", "longstaff_schwartz"]
    with pytest.raises(NoEngineError, match="Heston has no deterministic_vol, needed by 'cosine'"):
        price(Bermudan(strike=100.0, times=dates(3)), HESTON, MARKET, method="cosine")


def test_the_dual_law_prices_calls_as_puts():
    for name, model in MODELS.items():
        law, tau, u = law_of(model), 0.7, np.linspace(0.0, 20.0, 7)
        twice = law.dual().dual()
        assert twice.log_cf(u, 0.0, tau) == pytest.approx(law.log_cf(u, 0.0, tau), abs=1e-12), name
