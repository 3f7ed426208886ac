"""Options on options and dual-currency deposits on paths: closed forms in the limit, laws, who refuses."""

from __future__ import annotations

import numpy as np
import pytest

from research.errors import NoEngineError
from research.instruments import Chooser, Compound, DualCurrencyDeposit, European
from research.market import flat_snapshot
from research.models import Bates, BlackScholes, Heston, LocalVol, Merton, VarianceGamma
from research.pricing import price, term_sheet

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
HESTON = Heston(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7)
BATES = Bates(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7, intensity=0.5, jump_mean=-0.1, jump_std=0.15)
MERTON = Merton(sigma=0.2, intensity=0.5, jump_mean=-0.1, jump_std=0.15)
GAMMA = VarianceGamma(sigma=0.2, nu=0.3, theta=-0.1)
LOCAL = LocalVol(tau=[0.0, 1.0], log_moneyness=[-0.4, 0.0, 0.4], vol=[[0.32, 0.22, 0.16], [0.28, 0.20, 0.17]])
CALL, PUT = European(strike=100.0, tau=1.0), European(strike=95.0, tau=0.8, is_call=False)
CONTRACTS = [Compound(option=CALL, strike=5.0, tau=0.4), Compound(option=PUT, strike=5.0, tau=0.4, is_call=False),
             Chooser(call=CALL, put=PUT, tau=0.3)]  # fmt: skip


@pytest.mark.parametrize("contract", CONTRACTS, ids=["call on call", "put on put", "chooser"])
def test_without_random_variance_and_jumps_they_are_geskes_and_rubinsteins_closed_forms(contract):
    exact = price(contract, BlackScholes(sigma=0.2), MARKET).value
    still = Heston(v0=0.04, kappa=0.0, theta=0.04, sigma=1e-3, rho=0.0)
    for model in (still, Merton(sigma=0.2, intensity=0.0, jump_mean=0.0, jump_std=0.1)):
        found = price(contract, model, MARKET, n_paths=1 << 14)
        assert found.method == "paths"
        assert abs(found.value - exact) < 4.0 * found.std_error + 1e-3


@pytest.mark.parametrize("model", [HESTON, BATES, MERTON, GAMMA], ids=lambda m: type(m).__name__)
def test_an_option_on_an_option_for_nothing_is_the_option_and_parity_holds(model):
    options = {"n_paths": 1 << 13}
    whole = price(CALL, model, MARKET).value
    free = price(Compound(option=CALL, strike=1e-9, tau=0.4), model, MARKET, **options)
    assert abs(free.value - whole) < 4.0 * free.std_error + 2e-3
    buy, sell = (price(Compound(option=CALL, strike=5.0, tau=0.4, is_call=side), model, MARKET, **options)
                 for side in (True, False))  # fmt: skip
    expected = whole - 5.0 * MARKET.discount.df(0.4)
    assert abs(buy.value - sell.value - expected) < 4.0 * (buy.std_error + sell.std_error) + 2e-3
    best = price(Chooser(call=CALL, put=PUT, tau=0.3), model, MARKET, **options)
    both = whole + price(PUT, model, MARKET).value
    assert max(whole, price(PUT, model, MARKET).value) - 4.0 * best.std_error < best.value < both


def test_models_that_do_not_know_the_option_later_are_refused_by_name():
    with pytest.raises(NoEngineError, match="LocalVol has no real_characteristic_function, needed by 'paths'"):
        price(CONTRACTS[0], LOCAL, MARKET, method="paths")


@pytest.mark.parametrize("deposit", ["foreign", "domestic"])
def test_a_dual_currency_deposit_on_paths_is_its_closed_form(deposit):
    item = DualCurrencyDeposit(strike=103.0, coupon=0.06, tau=0.5, deposit=deposit)
    exact = price(item, HESTON, MARKET)
    found = price(item, HESTON, MARKET, method="paths", n_paths=1 << 14)
    assert exact.method == "analytic"
    assert abs(found.value - exact.value) < 4.0 * found.std_error + 1e-4 * exact.value
    assert np.isfinite(price(item, LOCAL, MARKET).value)
    with pytest.raises(NoEngineError, match="needed by 'analytic'"):
        term_sheet(item, LOCAL, MARKET)
