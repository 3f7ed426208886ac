"""Claims at expiry under CEV, shifted smiles and arbitrage-free SABR: slopes of options, parities, what is infinite."""

import numpy as np
import pytest

from research.errors import NoEngineError
from research.instruments import (
    Digital,
    DualCurrencyDeposit,
    European,
    Gap,
    LogContract,
    Power,
    Supershare,
    VarianceSwap,
)
from research.market import flat_snapshot
from research.models import CEV, SABR, ArbitrageFreeSABR, Bachelier, BlackScholes, DisplacedDiffusion
from research.pricing import methods, price

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
MODELS = [
    CEV(sigma=2.0, beta=0.5), CEV(sigma=60.0, beta=0.0), DisplacedDiffusion(sigma=0.1, shift=80.0),
    DisplacedDiffusion(sigma=0.3, shift=-30.0), SABR(alpha=1.0, beta=0.6, rho=-0.3, nu=0.4, shift=20.0),
    ArbitrageFreeSABR(alpha=2.0, beta=0.5, rho=-0.3, nu=0.5), ArbitrageFreeSABR(alpha=0.2, beta=1.0, rho=0.3, nu=0.5),
]  # fmt: skip


def value(item, model):
    return price(item, model, MARKET, method="analytic")


@pytest.mark.parametrize("model", MODELS, ids=str)
@pytest.mark.parametrize("is_call", [True, False])
def test_a_digital_is_the_slope_of_the_option(model, is_call):
    rough = isinstance(model, ArbitrageFreeSABR)
    h = 0.5 if rough else 1e-2
    for strike in (80.0, 105.0, 130.0):
        up, down = (value(European(strike=strike + move, tau=1.0, is_call=is_call), model).value for move in (h, -h))
        found = value(Digital(strike=strike, tau=1.0, is_call=is_call), model)
        slope = (down - up) / (2.0 * h) * (1.0 if is_call else -1.0)
        assert found.value == pytest.approx(slope, abs=1e-4 if rough else 1e-7)
        assert found.error < (1e-3 if rough else 1e-9)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_claims_are_made_of_options_and_digitals(model):
    option, digital = (value(kind(strike=105.0, tau=1.0), model).value for kind in (European, Digital))
    assert value(Gap(strike=95.0, trigger=105.0, tau=1.0), model).value == pytest.approx(option + 10.0 * digital)
    at = {k: value(Digital(strike=k, tau=1.0, pays="asset"), model).value for k in (90.0, 110.0)}
    share = value(Supershare(low=90.0, high=110.0, tau=1.0), model).value
    assert share == pytest.approx((at[90.0] - at[110.0]) / 90.0, abs=1e-10)
    deposit = DualCurrencyDeposit(strike=105.0, tau=1.0, coupon=0.1)
    paid = value(deposit, model).value / deposit.notional / 1.1
    call = value(European(strike=105.0, tau=1.0), model).value
    put = value(European(strike=105.0, tau=1.0, is_call=False), model).value
    foreign = 100.0 * np.exp(-0.01) - call
    assert paid == pytest.approx(foreign if deposit.deposit == "foreign" else np.exp(-0.03) - put / 105.0, rel=1e-9)


def test_powers_and_logarithms_by_the_density():
    model, forward, df = CEV(sigma=2.0, beta=0.5), MARKET.forward(1.0), np.exp(-0.03)
    y = 100.0 * np.exp(np.linspace(-7.0, 3.0, 400_001))
    density = model.density(forward, y, 1.0)
    square = df * np.trapezoid(np.maximum(y**2 - 9_000.0, 0.0) * density, y)
    assert value(Power(power=2.0, strike=9_000.0, tau=1.0), model).value == pytest.approx(square, rel=1e-7)
    assert value(LogContract(strike=90.0, tau=1.0), model).value == pytest.approx(
        df * np.trapezoid(np.log(y / 90.0) * density, y), rel=1e-6
    )


def test_a_shifted_logarithm_is_that_of_its_paths():
    model = DisplacedDiffusion(sigma=0.1, shift=80.0)
    z = np.linspace(-9.0, 9.0, 20_001)
    last = (MARKET.forward(1.0) + 80.0) * np.exp(0.1 * z - 0.005) - 80.0
    inside = last > 0.0  # all but 1e-11 of it
    exact = np.exp(-0.03) * np.trapezoid(np.log(last[inside] / 100.0) * np.exp(-0.5 * z[inside] ** 2), z[inside])
    assert value(LogContract(strike=100.0, tau=1.0), model).value == pytest.approx(exact / np.sqrt(2 * np.pi), rel=1e-6)


def test_arbitrage_free_sabr_without_vol_of_vol_has_the_claims_of_cev():
    a, b = ArbitrageFreeSABR(alpha=2.0, beta=0.5, rho=0.0, nu=1e-9), CEV(sigma=2.0, beta=0.5)
    for item in (Digital(strike=105.0, tau=1.0), Power(power=2.0, strike=9_000.0, tau=1.0),
                 Supershare(low=90.0, high=110.0, tau=1.0), LogContract(strike=90.0, tau=1.0)):  # fmt: skip
        one, other = value(item, a), value(item, b)
        assert abs(one.value - other.value) < one.error + 2e-4 * abs(other.value)
    swap = VarianceSwap(strike=0.0, tau=1.0)
    one, other = (price(swap, model, MARKET, method="replication").value for model in (a, b))
    assert one == pytest.approx(other, rel=1e-3)


def test_the_error_of_arbitrage_free_sabr_is_that_of_its_grid():
    model = ArbitrageFreeSABR(alpha=2.0, beta=0.5, rho=-0.3, nu=0.5)
    fine = ArbitrageFreeSABR(alpha=2.0, beta=0.5, rho=-0.3, nu=0.5, n_space=3200, n_time=640)
    for item in (European(strike=110.0, tau=1.0), Digital(strike=110.0, tau=1.0)):
        rough, exact = price(item, model, MARKET), price(item, fine, MARKET)
        assert abs(rough.value - exact.value) < rough.error < 3e-2


def test_what_a_price_at_or_below_zero_makes_infinite_is_refused():
    for model in (CEV(sigma=60.0, beta=0.0), DisplacedDiffusion(sigma=0.05, shift=400.0),
                  ArbitrageFreeSABR(alpha=4.0, beta=0.4, rho=-0.3, nu=0.8)):  # fmt: skip
        for item, method in ((LogContract(strike=100.0, tau=1.0), "analytic"),
                             (VarianceSwap(strike=0.2, tau=1.0), "replication")):  # fmt: skip
            with pytest.raises(NoEngineError, match=r"price must be > 0 for its logarithm; .* ends there with prob"):
                price(item, model, MARKET, method=method)
    with pytest.raises(NoEngineError, match="price must be > 0 for its power"):
        value(Power(power=2.0, strike=9_000.0, tau=1.0), DisplacedDiffusion(sigma=0.05, shift=400.0))
    assert "analytic" not in set(methods(LogContract(strike=100.0, tau=1.0), Bachelier(sigma=20.0)).method)


def test_a_smile_that_is_not_shifted_keeps_its_values():
    for item in (Digital(strike=105.0, tau=1.0), Power(power=2.0, strike=9_000.0, tau=1.0)):
        one, other = (value(item, model).value for model in (DisplacedDiffusion(sigma=0.2, shift=0.0),
                                                             BlackScholes(sigma=0.2)))  # fmt: skip
        assert one == pytest.approx(other, rel=1e-9)
