"""Pay-offs of one expiry under any model, variance and volatility swaps, dual-currency deposits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from research.errors import InputError, NoEngineError, NumericalError
from research.instruments import (
    Digital,
    DualCurrencyDeposit,
    European,
    Gap,
    LogContract,
    Power,
    Supershare,
    VarianceSwap,
    VolatilitySwap,
)
from research.market import flat_snapshot
from research.models import SABR, SVI, Bates, BlackScholes, Heston, Merton, SVISurface, VarianceGamma
from research.pricing import price, solve, term_sheet
from research.pricing.dual_currency import DepositSheet
from research.pricing.variance import fair_variance, fair_volatility

MARKET = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
FX = flat_snapshot(spot=7.1, rate=0.02, dividend_yield=0.045)
HESTON = Heston(v0=0.04, kappa=1.5, theta=0.06, sigma=0.5, rho=-0.7)
MERTON = Merton(sigma=0.15, intensity=0.5, jump_mean=-0.1, jump_std=0.1)
SMILE = SVISurface(tau=(1.0,), slices=(SVI(a=0.02, b=0.1, rho=-0.4, m=0.0, sigma=0.2),))
MODELS = [BlackScholes(sigma=0.2), SMILE, HESTON, MERTON, VarianceGamma(sigma=0.2, nu=0.2, theta=-0.1),
          SABR(alpha=0.2, beta=1.0, rho=-0.3, nu=0.4)]  # fmt: skip


def of(contract, model, market=MARKET, **options):
    return float(price(contract, model, market, **options))


@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
def test_digitals_are_slopes_of_calls_and_make_a_bond_and_an_asset(model):
    for strike in (80.0, 100.0, 118.0):
        h = 0.02
        calls = [of(European(strike=strike + i * h, tau=1.0), model) for i in (-2, -1, 1, 2)]
        slope = (calls[0] - 8 * calls[1] + 8 * calls[2] - calls[3]) / (12 * h)
        above, below = (price(Digital(strike=strike, tau=1.0, is_call=c), model, MARKET) for c in (True, False))
        assert above.value == pytest.approx(-slope, abs=2e-8)
        assert above.value + below.value == pytest.approx(np.exp(-0.03), abs=1e-14)
        asset = of(Digital(strike=strike, tau=1.0, pays="asset"), model)
        assert asset - strike * above.value == pytest.approx(of(European(strike=strike, tau=1.0), model), abs=1e-9)
        assert 0.0 < above.error < 1e-9


@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
def test_gaps_and_supershares_are_portfolios(model):
    call, digital = of(European(strike=105.0, tau=1.0), model), of(Digital(strike=105.0, tau=1.0), model)
    assert of(Gap(strike=95.0, trigger=105.0, tau=1.0), model) == pytest.approx(call + 10.0 * digital, abs=1e-9)
    put, below = (of(kind(strike=90.0, tau=1.0, is_call=False), model) for kind in (European, Digital))
    assert of(Gap(strike=95.0, trigger=90.0, tau=1.0, is_call=False), model) == pytest.approx(
        put + 5.0 * below, abs=1e-9
    )
    assets = [of(Digital(strike=k, tau=1.0, pays="asset"), model) for k in (90.0, 110.0)]
    assert of(Supershare(low=90.0, high=110.0, tau=1.0), model) == pytest.approx(
        (assets[0] - assets[1]) / 90.0, abs=1e-9
    )


def test_powers_agree_with_integrals_and_with_the_flat_smile():
    model, flat = BlackScholes(sigma=0.3), SVI(a=0.09, b=0.0, rho=0.0, m=0.0, sigma=0.1)
    std, drift = 0.3, 0.02 - 0.045
    for power, strike, is_call in (
        (2.0, 9500.0, True),
        (2.0, 11500.0, False),
        (0.5, 9.0, True),
        (3.0, 1.2e6, True),
        (1.0, 95.0, True),
    ):
        sign = 1.0 if is_call else -1.0
        kink = (np.log(strike) / power - np.log(100.0) - drift) / std

        def paid(z, power=power, strike=strike, sign=sign):
            return sign * ((100.0 * np.exp(drift + std * z)) ** power - strike) * norm.pdf(z)

        edges = (kink, 14.0) if is_call else (-14.0, kink)
        expected = np.exp(-0.03) * quad(paid, *edges, epsrel=1e-12, epsabs=0.0, limit=200)[0]
        contract = Power(strike=strike, power=power, tau=1.0, is_call=is_call)
        assert of(contract, model) == pytest.approx(expected, rel=1e-10)
        assert of(contract, flat) == pytest.approx(expected, rel=1e-9)
    for model in (HESTON, MERTON):
        plain = of(Power(strike=95.0, power=1.0, tau=1.0), model)
        assert plain == pytest.approx(of(European(strike=95.0, tau=1.0), model), abs=1e-9)


def test_a_square_under_merton_is_its_moment():
    # E S^2 = F^2 exp(sigma^2 + lambda (E (J - 1)^2)), J the factor of a jump; a call less a put is a forward
    first = np.expm1(-0.1 + 0.005)
    square = np.exp(-0.2 + 0.02) - 2.0 * (first + 1.0) + 1.0
    moment = 1e4 * np.exp(0.04 + 0.15**2 + 0.5 * square)
    pair = [of(Power(strike=9000.0, power=2.0, tau=1.0, is_call=c), MERTON) for c in (True, False)]
    assert pair[0] - pair[1] == pytest.approx(np.exp(-0.03) * (moment - 9000.0), rel=1e-9)


def test_a_log_contract_is_half_the_variance_of_continuous_paths():
    for model in (BlackScholes(sigma=0.2), HESTON, SMILE):
        fair, gap = fair_variance(model, MARKET, 1.0)
        expected = np.exp(-0.03) * (0.02 - 0.5 * fair)
        found = price(LogContract(strike=100.0, tau=1.0), model, MARKET)
        assert found.value == pytest.approx(expected, abs=1e-9)
        assert found.error < 1e-9 and gap < 1e-9


@pytest.mark.parametrize("tau", [1 / 52, 0.5, 5.0])
def test_replication_gives_hestons_closed_form_and_a_flat_smile_its_square(tau):
    for model in (HESTON, Heston(v0=0.09, kappa=0.5, theta=0.04, sigma=1.0, rho=-0.9)):
        closed, options = (fair_variance(model, MARKET, tau, replicate=r) for r in (False, True))
        assert abs(closed[0] - options[0]) <= options[1] + 1e-14
        assert options[1] < (1e-8 if model is HESTON else 1e-3)  # far in the wing the options' errors weigh
        assert closed[0] == pytest.approx(float(model.average_variance(tau)), rel=1e-14)
    flat = SVI(a=0.04 * tau, b=0.0, rho=0.0, m=0.0, sigma=0.1)
    assert fair_variance(flat, MARKET, tau)[0] == pytest.approx(0.04, abs=1e-13)


def test_a_skewed_smile_agrees_with_an_integral_in_the_scale_of_d2():
    # Gatheral (2006), The Volatility Surface, chapter 11: the variance is the integral of phi(z) w(k(z)), z = d2
    smile = SMILE.slices[0]
    k = np.linspace(-12.0, 12.0, 200_001)
    w = smile.total_variance(k)
    z = -k / np.sqrt(w) - 0.5 * np.sqrt(w)
    steps = -np.diff(z)
    middle = norm.pdf(0.5 * (z[1:] + z[:-1])) * 0.5 * (w[1:] + w[:-1])
    assert fair_variance(SMILE, MARKET, 1.0)[0] == pytest.approx(float(middle @ steps), rel=1e-7)


def test_a_swap_counts_what_has_passed_and_an_empty_one_is_worth_nothing():
    fair = np.sqrt(fair_variance(HESTON, MARKET, 0.5)[0])
    assert of(VarianceSwap(strike=fair, tau=0.5), HESTON) == pytest.approx(0.0, abs=1e-15)
    begun = VarianceSwap(strike=0.2, tau=0.5, elapsed=0.5, elapsed_variance=0.03, notional=1e4)
    expected = 1e4 * np.exp(-0.015) * ((0.03 + 0.5 * fair**2) / 1.0 - 0.04)
    assert of(begun, HESTON) == pytest.approx(expected, rel=1e-12)
    assert price(begun, HESTON, MARKET, method="replication").value == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    "model", [HESTON, MERTON, VarianceGamma(sigma=0.2, nu=0.2, theta=-0.1)], ids=lambda m: type(m).__name__
)
def test_fewer_observations_add_variance_that_falls_with_their_number(model):
    whole = fair_variance(model, MARKET, 1.0)[0]
    extra = [fair_variance(model, MARKET, 1.0, n_observations=n)[0] - whole for n in (4, 16, 64)]
    assert extra[0] > extra[1] > extra[2] > 0.0
    assert extra[1] / extra[2] == pytest.approx(4.0, rel=0.04)  # of order 1 / n


def test_discrete_variance_agrees_with_a_simulation_of_merton_and_with_black_scholes():
    rng, n, looks = np.random.default_rng(2), 200_000, 4
    jumps = rng.poisson(0.5 / looks, (n, looks))
    mean = 0.02 - 0.5 * 0.15**2 - 0.5 * np.expm1(-0.1 + 0.005)
    steps = mean / looks + 0.15 / 2 * rng.standard_normal((n, looks)) - 0.1 * jumps
    steps += 0.1 * np.sqrt(jumps) * rng.standard_normal((n, looks))
    realised = (steps**2).sum(axis=1)
    found = fair_variance(MERTON, MARKET, 1.0, n_observations=looks)[0]
    assert abs(found - realised.mean()) < 4.0 * realised.std() / np.sqrt(n)
    flat = fair_variance(BlackScholes(sigma=0.2), MARKET, 1.0, n_observations=12)[0]
    assert flat == pytest.approx(0.04 + 12 * ((0.02 - 0.02) / 12) ** 2, rel=1e-14)
    calm = Heston(v0=0.09, kappa=1.0, theta=0.09, sigma=1e-9, rho=0.0)
    pair = [fair_variance(m, MARKET, 1.0, n_observations=12)[0] for m in (calm, BlackScholes(sigma=0.3))]
    assert pair[0] == pytest.approx(pair[1], rel=1e-8)


def test_expected_volatility_agrees_with_a_simulation_and_lies_below_the_root():
    rng, n, steps = np.random.default_rng(5), 40_000, 400
    v, total = np.full(n, HESTON.v0), np.zeros(n)
    for _ in range(steps):  # full truncation, trapezoidal time
        before = np.maximum(v, 0.0)
        v = (
            v
            + HESTON.kappa * (HESTON.theta - before) / steps
            + HESTON.sigma * np.sqrt(before / steps) * rng.standard_normal(n)
        )
        total += 0.5 * (before + np.maximum(v, 0.0)) / steps
    found, error = fair_volatility(HESTON, 1.0)
    roots = np.sqrt(total)
    assert abs(found - roots.mean()) < 4.0 * roots.std() / np.sqrt(n) + 2e-4  # the scheme's own bias
    assert error < 1e-10
    for model in (
        HESTON,
        MERTON,
        Bates(v0=0.04, kappa=1.5, theta=0.06, sigma=0.5, rho=-0.7, intensity=0.3, jump_mean=-0.1, jump_std=0.1),
    ):
        assert fair_volatility(model, 1.0)[0] < np.sqrt(fair_variance(model, MARKET, 1.0)[0])


def test_expected_volatility_in_its_limits():
    assert of(VolatilitySwap(strike=0.2, tau=1.0), BlackScholes(sigma=0.2)) == 0.0
    calm = Heston(v0=0.04, kappa=1.0, theta=0.09, sigma=1e-7, rho=0.0)
    assert fair_volatility(calm, 2.0)[0] == pytest.approx(np.sqrt(float(calm.average_variance(2.0))), rel=1e-10)
    # no diffusion and at most rare jumps of one size: sqrt(n) |j| in the mean of a Poisson number n
    rare = Merton(sigma=0.0, intensity=0.7, jump_mean=-0.2, jump_std=0.0)
    weight = np.exp(-0.7) * np.cumprod([1.0, *(0.7 / n for n in range(1, 40))])
    assert fair_volatility(rare, 1.0)[0] == pytest.approx(0.2 * weight @ np.sqrt(np.arange(40)), rel=1e-9)
    assert 0.0 < fair_volatility(Heston(v0=0.0, kappa=1.0, theta=0.04, sigma=0.3, rho=0.0), 1 / 365)[0] < 0.02


def test_what_cannot_be_replicated_is_refused():
    with pytest.raises(NoEngineError, match="Merton has no implied_vol, needed by 'replication'"):
        price(VarianceSwap(strike=0.2, tau=1.0), MERTON, MARKET, method="replication")
    with pytest.raises(NoEngineError, match="model must have continuous paths"):
        fair_variance(MERTON, MARKET, 1.0, replicate=True)
    with pytest.raises(NumericalError, match="the left wing must fall fast enough"):
        fair_variance(SABR(alpha=0.2, beta=1.0, rho=-0.3, nu=0.5), MARKET, 1.0)
    with pytest.raises(NoEngineError, match="VolatilitySwap"):
        price(VolatilitySwap(strike=0.2, tau=1.0), SMILE, MARKET)


@pytest.mark.parametrize("deposit", ["foreign", "domestic"])
def test_a_dual_currency_deposit_is_a_bond_less_an_option(deposit):
    model, strike, g = BlackScholes(sigma=0.06), 7.15, 1.0 + 0.08 * 0.25
    contract = DualCurrencyDeposit(strike=strike, coupon=0.08, tau=0.25, deposit=deposit)
    if deposit == "foreign":
        expected = 100.0 * g * (7.1 * np.exp(-0.045 * 0.25) - of(European(strike=strike, tau=0.25), model, FX))
    else:
        put = of(European(strike=strike, tau=0.25, is_call=False), model, FX)
        expected = 100.0 * g * (np.exp(-0.005) - put / strike)
    assert of(contract, model, FX) == pytest.approx(expected, rel=1e-14)
    # a domestic and a foreign deposit of one value at the strike are one contract
    other = DualCurrencyDeposit(strike=strike, coupon=0.08, tau=0.25, notional=100.0 / strike)
    same = DualCurrencyDeposit(strike=strike, coupon=0.08, tau=0.25, deposit="domestic")
    assert of(other, model, FX) == pytest.approx(of(same, model, FX), rel=1e-13)


@pytest.mark.parametrize(
    "model", [BlackScholes(sigma=0.06), Heston(v0=0.0036, kappa=1.0, theta=0.004, sigma=0.1, rho=0.3)]
)
def test_the_fair_coupon_leaves_the_wanted_margin_and_the_sheet_adds_up(model):
    for deposit, strike, unit in (("foreign", 7.2, 7.1), ("domestic", 7.0, 1.0)):
        found = solve(
            DualCurrencyDeposit(strike=strike, coupon=0.0, tau=0.25, deposit=deposit), model, FX, margin=0.2 * unit
        )
        sheet = term_sheet(found.contract, model, FX)
        assert isinstance(sheet, DepositSheet)
        assert found.term == "coupon" and found.value > (0.045 if deposit == "foreign" else 0.02)
        assert sheet.margin == pytest.approx(0.2 * unit, abs=1e-9)
        assert sheet.value + sheet.margin == pytest.approx(100.0 * unit, abs=1e-9)
        digital = Digital(strike=strike, tau=0.25, is_call=deposit == "foreign")
        assert sheet.converted == pytest.approx(of(digital, model, FX) * np.exp(0.005), abs=1e-9)
        assert 0.0 < sheet.loss < sheet.converted
        growth = 1.0 + found.value * 0.25
        assert sheet.break_even == pytest.approx(
            strike * growth if deposit == "foreign" else strike / growth, rel=1e-14
        )
        assert sheet.to_frame()["name"].tolist()[:2] == ["value", "issuer margin"]


def test_a_deposit_with_wrong_terms_is_refused():
    with pytest.raises(InputError, match=r"coupon must lie in \(-10, 10\); got 15\. A decimal is wanted"):
        DualCurrencyDeposit(strike=7.0, coupon=15.0, tau=0.25)
    with pytest.raises(InputError, match="deposit must be 'foreign' or 'domestic'; got 'usd'"):
        DualCurrencyDeposit(strike=7.0, coupon=0.05, tau=0.25, deposit="usd")
    with pytest.raises(InputError, match="term must be one of coupon; got 'strike'"):
        solve(DualCurrencyDeposit(strike=7.0, coupon=0.05, tau=0.25), BlackScholes(sigma=0.06), FX, term="strike")
