"""Delta hedging: the laws of Black-Scholes on simulated paths, no look-ahead, accounts that add up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from research import backtest, pricing
from research.backtest import PARTS, delta_hedging, hedge_error, hedge_vols
from research.errors import InputError
from research.instruments import Asian, Autocallable, European, Phoenix
from research.market import flat_snapshot
from research.models import black

RATE, YIELD, VOL, DAY = 0.03, 0.01, 0.2, 1.0 / 252.0
CARRY = {"rate": RATE, "dividend_yield": YIELD}
CALL = European(strike=100.0, tau=64 * DAY)
STRADDLE = [(European(strike=100.0, tau=42 * DAY), 1.0), (European(strike=100.0, tau=42 * DAY, is_call=False), 1.0)]
SNOWBALL = Autocallable(
    initial=100.0, observations=tuple(21 * k * DAY for k in range(2, 7)), knock_out=1.02, coupon=0.12, knock_in=0.85
)


def walk(n_days: int, seed: int = 3, vol: float = VOL) -> pd.Series:
    """Geometric Brownian motion under the pricing measure."""
    z = np.random.default_rng(seed).standard_normal(n_days)
    logs = np.cumsum((RATE - YIELD - 0.5 * vol**2) * DAY + vol * np.sqrt(DAY) * z)
    return pd.Series(np.exp(np.concatenate(([0.0], logs))), pd.bdate_range("1980-01-01", periods=n_days + 1, unit="s"))


@pytest.fixture(scope="module")
def long_walk() -> pd.Series:
    return walk(64 * 2000)


@pytest.fixture(scope="module")
def grid() -> Any:
    market = flat_snapshot(spot=100.0, rate=RATE, dividend_yield=YIELD)
    return pricing.note_grid(SNOWBALL, [0.12, 0.16, 0.2, 0.25, 0.32, 0.45], market, spots=(40.0, 180.0))


def test_hedge_error_falls_with_the_root_of_the_number_of_hedges(long_walk: pd.Series) -> None:
    vega = float(black.greeks(100.0 * np.exp(0.02 * 64 * DAY), 100.0, 64 * DAY, VOL)["vega"]) * np.exp(-RATE * 64 * DAY)
    spread = {}
    for days in (1, 4, 16):
        found = delta_hedging(long_walk, CALL, VOL, every=64, rebalance_days=days, **CARRY).frame["pnl"]
        assert abs(found.mean()) < 4.0 * found.std() / np.sqrt(len(found))
        spread[days] = found.std()
        assert abs(spread[days] / hedge_error(vega, VOL, 64 // days) - 0.96) < 0.06
    assert abs(spread[4] / spread[1] - 2.0) < 0.12
    assert abs(spread[16] / spread[4] - 2.0) < 0.12


@pytest.mark.parametrize("belief", [0.2, 0.3])
def test_gain_of_selling_dear_is_the_difference_of_the_prices(long_walk: pd.Series, belief: float) -> None:
    found = delta_hedging(long_walk, CALL, belief, sold_at=0.3, every=64, **CARRY).frame
    fair = delta_hedging(long_walk, CALL, VOL, every=64, **CARRY).frame["premium"].iloc[0]
    error = found["pnl"].std() / np.sqrt(len(found))
    assert abs(found["pnl"].mean() - (found["premium"].iloc[0] - fair)) < 4.0 * error


@pytest.mark.parametrize("options", [{}, {"rebalance_days": 5, "cost_bp": 5.0}, {"band": 0.1, "freeze_vol": True}])
def test_parts_add_up_and_days_add_up(options: dict[str, Any]) -> None:
    prices = walk(900)
    found = delta_hedging(prices, STRADDLE, hedge_vols(prices, "rolling", window=21), every=7, **CARRY, **options)
    frame = found.frame
    np.testing.assert_allclose(frame[list(PARTS)].sum(axis=1), frame["pnl"], rtol=0.0, atol=1e-12)
    by_day = (found.by_day["gain"] * found.by_day["alive"]).sum()
    first_day = frame["edge"].sum() - (0.0 if "cost_bp" not in options else 5e-4 * _first_trades(prices, frame))
    assert abs(by_day + first_day - frame["pnl"].sum()) < 1e-10


def _first_trades(prices: pd.Series, frame: pd.DataFrame) -> float:
    """Notional of the hedges of the days of sale."""
    market = frame["sold_vol"].to_numpy()
    tau = 42 * DAY
    d1 = ((RATE - YIELD) * tau) / (market * np.sqrt(tau)) + 0.5 * market * np.sqrt(tau)
    from scipy.stats import norm

    return float(np.abs(100.0 * np.exp(-YIELD * tau) * (2.0 * norm.cdf(d1) - 1.0)).sum())


def test_hedge_once_is_buy_and_hold() -> None:
    prices = walk(300)
    found = delta_hedging(prices, CALL, VOL, every=1000, rebalance_days=1000, **CARRY).frame.iloc[0]
    tau, ratio = 64 * DAY, float(prices.iloc[64] / prices.iloc[0])
    forward = 100.0 * np.exp((RATE - YIELD) * tau)
    premium = float(black.price(forward, 100.0, tau, VOL, df=np.exp(-RATE * tau)))
    from scipy.stats import norm

    d1 = np.log(forward / 100.0) / (VOL * np.sqrt(tau)) + 0.5 * VOL * np.sqrt(tau)
    held = np.exp(-YIELD * tau) * norm.cdf(d1)
    spots = 100.0 * prices.to_numpy()[1:65] / prices.iloc[0]
    income = (held * spots * np.expm1(YIELD * DAY) * np.exp(RATE * DAY * np.arange(63, -1, -1))).sum()
    cash = (premium - held * 100.0) * np.exp(RATE * tau) + income
    want = np.exp(-RATE * tau) * (cash + held * 100.0 * ratio - max(100.0 * ratio - 100.0, 0.0))
    assert abs(found["pnl"] - want) < 1e-12
    assert found["trades"] == 2


def test_buying_is_selling_with_the_other_sign_and_costs_are_linear() -> None:
    prices = walk(800)
    short = delta_hedging(prices, CALL, VOL, **CARRY)
    long = delta_hedging(prices, [(CALL, -1.0)], VOL, **CARRY)
    np.testing.assert_allclose(long.frame["pnl"], -short.frame["pnl"], atol=1e-12)
    costs = [delta_hedging(prices, CALL, VOL, cost_bp=bp, **CARRY).frame["cost"] for bp in (2.0, 6.0)]
    np.testing.assert_allclose(3.0 * costs[0], costs[1], rtol=1e-12)
    weekly = delta_hedging(prices, CALL, VOL, cost_bp=2.0, rebalance_days=5, **CARRY).frame["cost"]
    assert weekly.mean() > costs[0].mean()
    np.testing.assert_array_equal(delta_hedging(prices, CALL, VOL, band=0.0, **CARRY).frame["pnl"], short.frame["pnl"])


def test_the_future_changes_nothing(grid: Any) -> None:
    prices = walk(1500, seed=8)
    turn = 1350
    other = prices.copy()
    other.iloc[turn:] *= np.linspace(0.5, 2.0, len(prices) - turn)
    for method in ("rolling", "ewma", "garch"):
        options: dict[str, Any] = {"fit_window": 1000} if method == "garch" else {}
        vols, moved = (hedge_vols(p, method, **options) for p in (prices, other))  # type: ignore[arg-type]
        np.testing.assert_array_equal(vols.iloc[:turn], moved.iloc[:turn])
        for sold in (STRADDLE, grid):
            a, b = (
                delta_hedging(p, sold, v, every=20, cost_bp=1.0, **CARRY) for p, v in ((prices, vols), (other, moved))
            )
            ended = a.frame["end"] < prices.index[turn]
            assert ended.sum() > 5
            pd.testing.assert_frame_equal(a.frame[ended], b.frame[ended.to_numpy()], check_exact=True)
            pd.testing.assert_frame_equal(a.by_day[:turn], b.by_day[:turn], check_exact=True)  # and the living
    seen, moved = (hedge_vols(p, "realised") for p in (prices, other))
    assert (seen.iloc[turn - 63 : turn] != moved.iloc[turn - 63 : turn]).any()


def test_garch_vol_of_one_day_is_the_risk_rooms_forecast() -> None:
    from research.core.risk.value_at_risk import garch_forecasts
    from research.risk.forecasts import Settings, refit

    prices = walk(1300, seed=5)
    r = np.diff(np.log(prices.to_numpy()))
    fits = refit(r, 1000, r.size + 1, Settings())
    sd = np.empty(r.size + 1 - 1000)
    garch_forecasts(r, fits.begin, fits.end, 1000, fits.fitted, sd, 1000)
    got = hedge_vols(prices, "garch", horizon=1).to_numpy()[1000:]
    np.testing.assert_allclose(got, sd * np.sqrt(252.0), rtol=1e-10)


def test_snowball_is_paid_by_its_rules_and_hedged_to_zero_on_average(grid: Any) -> None:
    prices = walk(126 * 250, seed=4)
    found = delta_hedging(prices, grid, VOL, every=126, **CARRY)
    frame = found.frame
    spots = prices.to_numpy()
    for i in range(0, len(frame), 7):
        path = 100.0 * spots[126 * i : 126 * i + 127] / spots[126 * i]
        want, days = None, 126
        for k in range(2, 7):
            if path[21 * k] >= 102.0:
                want, days = 100.0 * (1.0 + 0.12 * 21 * k * DAY), 21 * k
                break
        if want is None:
            inside = (path[1:] < 85.0).any()
            want = 100.0 * min(path[-1] / 100.0, 1.0) if inside else 100.0 * (1.0 + 0.12 * 126 * DAY)
        row = frame.iloc[i]
        assert row["days"] == days
        assert abs(row["paid"] - want * np.exp(-RATE * days * DAY)) < 1e-9
    error = frame["pnl"].std() / np.sqrt(len(frame))
    assert abs(frame["pnl"].mean()) < 4.0 * error
    assert frame["pnl"].std() < 0.35 * frame["paid"].std()


def test_grid_between_its_vols_is_near_the_engine(grid: Any) -> None:
    market = flat_snapshot(spot=100.0, rate=RATE, dividend_yield=YIELD)
    for vol in (0.14, 0.22, 0.3):
        value, _, _ = grid.look(0, [100.0], [vol], [False])
        assert abs(value[0] - pricing.quadrature.price_note(SNOWBALL, vol, market)) < 0.08


def test_bad_input_is_refused_by_name() -> None:
    prices = walk(400)
    market = flat_snapshot(spot=100.0)
    with pytest.raises(InputError, match=r"vols must be < 10; got 20"):
        delta_hedging(prices, CALL, 20.0)
    with pytest.raises(InputError, match="prices must have more than the 64 days"):
        delta_hedging(prices.iloc[:60], CALL, 0.2)
    with pytest.raises(InputError, match=r"pricing\.note_grid"):
        delta_hedging(prices, [(Asian(fixings=(0.5, 1.0), strike=100.0), 1.0)], 0.2)
    with pytest.raises(InputError, match="method must be one of rolling"):
        hedge_vols(prices, "implied")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="dates must be one day apart"):
        phoenix = Phoenix(initial=100.0, observations=(0.25, 0.5), knock_out=1.05, coupon=0.02, coupon_barrier=0.8)
        delta_hedging(prices, pricing.note_grid(phoenix, [0.2], market, spots=(50.0, 150.0)), 0.2)
    with pytest.raises(InputError, match="vols must be known on 64 days in a row"):
        delta_hedging(prices, CALL, np.full(401, np.nan))
    assert backtest.hedge_error(20.0, 0.2, 1) == pytest.approx(np.sqrt(np.pi / 4.0) * 4.0)
