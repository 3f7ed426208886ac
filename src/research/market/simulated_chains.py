"""SIMULATED option chains on a real index: levels and a volatility index drive a surface, noise makes it a market.

Nothing here was ever quoted. The index and its 30-day vol are given; the rest is assumed: total variance at the money
reverts to a long-run level, the smile is SSVI (Gatheral & Jacquier 2014) with a tilt that wanders, bid and ask stand
around the model with noise, some quotes are missing, some are yesterday's (stale), and on some days the feed is down.
Use it to try what will one day run on real chains; never as evidence about a market.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from research.arrays import BoolND, Float1D
from research.errors import require, require_all

_MONTHS = (1, 2, 3, 6, 9, 12)  # third Fridays that are listed, counted from the day


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulatedChains:
    """Quotes, and the truth behind them."""

    quotes: pd.DataFrame  # as_of, expiry, strike, is_call, bid, ask, volume, spot, simulated (always True)
    truth: pd.DataFrame  # as_of, expiry, tau, forward, theta, rho, eta, gamma; one row an expiry
    outages: tuple[pd.Timestamp, ...]  # days on which every quote is stale

    def __repr__(self) -> str:
        days = self.quotes["as_of"].nunique()
        return f"SimulatedChains({len(self.quotes):,} quotes of {days} days, {len(self.outages)} without a feed)"


def simulate_chains(
    level: pd.Series,
    vol_index: pd.Series,
    *,
    seed: int,
    zero_rate: float = 0.02,
    dividend_yield: float = 0.018,
    n_strikes: int = 13,
    noise: float = 0.002,
    half_spread: float = 0.004,
    missing: float = 0.05,
    stale: float = 0.04,
    outages: int = 1,
) -> SimulatedChains:
    """SIMULATED chains for the days that both series have.

    Parameters
    ----------
    level : Series by day, price units
    vol_index : Series by day, percent
        As the VIX: 20 is 20%.
    seed : int
    zero_rate, dividend_yield : float, 1/year
    n_strikes : int, default 13
        An expiry, from 2.2 standard deviations below to 1.6 above; a call and a put at each.
    noise, half_spread : float, vol (decimal)
        Standard deviation of mid around the model; least half of ask less bid.
    missing, stale : float
        Shares of quotes that are not there, and that are yesterday's with volume 0.
    outages : int, default 1
        Days on which every quote is stale.
    """
    for name, share in (("missing", missing), ("stale", stale)):
        require(0.0 <= share < 1.0, name, share, "lie in [0, 1)")
    require(n_strikes >= 3, "n_strikes", n_strikes, "be >= 3")
    both = pd.concat([level.rename("spot"), vol_index.rename("vix")], axis=1, join="inner").dropna().sort_index()
    require(len(both) >= 1, "level and vol_index", 0, "share at least one day")
    require_all(both.to_numpy() > 0.0, "level and vol_index", both.to_numpy(), "be > 0")
    rng = np.random.default_rng(seed)
    days = pd.DatetimeIndex(both.index).normalize()
    truth = _truth(days, both["spot"].to_numpy(), both["vix"].to_numpy(), rng, zero_rate - dividend_yield)
    quotes = _quotes(truth, n_strikes, zero_rate, noise, half_spread, rng)
    quotes["volume"] = rng.integers(1, 500, len(quotes)).astype(float)
    down = tuple(sorted(pd.Timestamp(d) for d in rng.choice(days[1:], min(outages, len(days) - 1), replace=False)))
    _make_stale(quotes, (rng.uniform(size=len(quotes)) < stale) | quotes["as_of"].isin(down).to_numpy())
    gone = rng.uniform(size=len(quotes)) < missing
    quotes.loc[gone, ["bid", "ask"]] = np.nan
    quotes["simulated"] = True
    return SimulatedChains(quotes=quotes, truth=truth.drop(columns="spot"), outages=down)


def third_fridays(first: pd.Timestamp, months: int) -> pd.DatetimeIndex:
    """The third Friday of the month of `first` and of those that follow."""
    starts = pd.date_range(first.replace(day=1), periods=months, freq="MS")
    return pd.DatetimeIndex([start + pd.Timedelta(days=(4 - start.weekday()) % 7 + 14) for start in starts])


def _truth(days: pd.DatetimeIndex, spot: Float1D, vix: Float1D, rng: np.random.Generator, carry: float) -> pd.DataFrame:
    """One row a day and expiry: forward and SSVI parameters."""
    kappa, long_run = 2.5, 0.19**2
    shocks = 0.006 * rng.standard_normal(days.size)
    tilt = np.empty(days.size)
    for i in range(days.size):  # a tilt that comes back to -0.7
        tilt[i] = -0.7 if i == 0 else -0.7 + 0.97 * (tilt[i - 1] + 0.7) + shocks[i]
    rows = []
    month = (1.0 - np.exp(-kappa * 30 / 365)) / (kappa * 30 / 365)
    for i, day in enumerate(days):
        expiries = third_fridays(day, 14)
        expiries = expiries[expiries >= day + pd.Timedelta(days=7)]
        now = long_run + ((0.92 * vix[i] / 100.0) ** 2 - long_run) / month  # the index holds the skew too
        for expiry in expiries[[m - 1 for m in _MONTHS]]:
            tau = (expiry - day).days / 365.0
            mean = (1.0 - np.exp(-kappa * tau)) / (kappa * tau)
            theta = tau * max(long_run + (now - long_run) * mean, 0.05**2)
            rows.append((day, expiry, tau, spot[i], spot[i] * np.exp(carry * tau), theta, tilt[i], 1.15, 0.45))
    names = ["as_of", "expiry", "tau", "spot", "forward", "theta", "rho", "eta", "gamma"]
    return pd.DataFrame(rows, columns=names)


def _quotes(
    truth: pd.DataFrame, n_strikes: int, rate: float, noise: float, half_spread: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Bid and ask of a call and a put at each strike, in steps of 5 cents."""
    span = np.linspace(-2.2, 1.6, n_strikes)
    forward, theta, tau = (truth[name].to_numpy()[:, None] for name in ("forward", "theta", "tau"))
    strike = np.round(forward * np.exp(span * np.sqrt(theta)) / 5.0) * 5.0
    k = np.log(strike / forward)
    rho, eta, gamma = (truth[name].to_numpy()[:, None] for name in ("rho", "eta", "gamma"))
    x = eta / (theta**gamma * (1.0 + theta) ** (1.0 - gamma)) * k
    w = 0.5 * theta * (1.0 + rho * x + np.sqrt((x + rho) ** 2 + 1.0 - rho**2))
    vol = np.sqrt(w / tau) + noise * rng.standard_normal(k.shape)
    width = half_spread * (1.0 + np.abs(span)[None, :]) * rng.uniform(0.7, 1.5, k.shape)
    sides = []
    for is_call in (True, False):
        parts = {"strike": strike}
        for name, shown in (("bid", vol - width), ("ask", vol + width)):
            price = np.exp(-rate * tau) * _black(forward, strike, np.maximum(shown, 0.01) * np.sqrt(tau), is_call)
            step = np.floor if name == "bid" else np.ceil
            parts[name] = step(price / 0.05) * 0.05
        table = pd.DataFrame({name: value.reshape(-1) for name, value in parts.items()})
        for name in ("as_of", "expiry", "spot"):
            table[name] = np.repeat(truth[name].to_numpy(), n_strikes)
        sides.append(table.assign(is_call=is_call))
    out = pd.concat(sides, ignore_index=True).drop_duplicates(["as_of", "expiry", "strike", "is_call"])
    order = ["as_of", "expiry", "strike", "is_call"]
    return out.sort_values(order, ignore_index=True)[["as_of", "expiry", "strike", "is_call", "bid", "ask", "spot"]]


def _black(forward: Float1D, strike: Float1D, std: Float1D, is_call: bool) -> Float1D:
    from scipy.special import ndtr

    d1 = np.log(forward / strike) / std + 0.5 * std
    sign = 1.0 if is_call else -1.0
    out: Float1D = sign * (forward * ndtr(sign * d1) - strike * ndtr(sign * (d1 - std)))
    return out


def _make_stale(quotes: pd.DataFrame, flags: BoolND) -> None:
    """Bid and ask of the same option the last time it was there, volume 0; an option that is new is left alone."""
    at = ["expiry", "strike", "is_call"]
    before = quotes.groupby(at)[["bid", "ask"]].shift(1)
    old = flags & before["bid"].notna().to_numpy()
    quotes.loc[old, ["bid", "ask"]] = before[old]
    quotes.loc[flags, "volume"] = 0.0
