"""Delta hedging along a real history: sell a claim on many days, hedge it to its end, and say where the gain came from.

On the day of sale the hedger takes the premium at the vol `sold_at` and buys delta; on later days he marks the claim
and finds its delta with the vol he believes in, known at that close. Cash earns the rate, the index its yield, both
continuously; a year is 252 trading days. Trades cost a share of their notional. With mark V, delta D, gamma G, and h
the index held, the gain of each day is

    theta     + G sigma^2 S^2 dt / 2              what the model expects to be paid for gamma
    gamma     - G (dS)^2 / 2                      what the move took
    drift     (h - D) (dS - (r - q) S dt)         held was not delta: rare rebalancing, a band
    remark    - (V(new vol) - V(old vol))         the vol was marked anew
    cost      - cost
    rest      higher moves, jumps of the delta at barriers

and on the day of sale `edge`, the premium less the mark. Gains are discounted to the day of sale; all numbers are in
the contract's units, for an index at `initial` on the day of sale.

References
----------
Derman, Kamal (1999), "When you cannot hedge continuously: the corrections of Black-Scholes", Risk 12, 82-85.
Bertsimas, Kogan, Lo (2000), "When is time continuous?", J. Financial Economics 55, 173-204.
Leland (1985), "Option pricing and replication with transactions costs", J. of Finance 40, 1283-1301.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from research.arrays import BoolND, Float1D, Float2D, Int1D, vector
from research.backtest._claims import Claim, claim_of
from research.backtest.hedge_volatility import YEAR
from research.errors import require, require_all

PARTS = ("edge", "theta", "gamma", "drift", "remark", "cost", "rest")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hedging:
    """What became of every sale.

    `frame` has one row a day of sale: start, end, days, premium, paid, pnl, its parts (`PARTS`, they add up to pnl),
    trades, turnover (sum of the trades' notional over the initial one), sold_vol, realised_vol, knocked_in, worst_day,
    worst_gain; contract units, discounted to the day of sale.
    """

    frame: pd.DataFrame
    by_day: pd.DataFrame  # one row a day of history: date, alive (claims), gain (mean per living claim), return

    def summary(self) -> pd.Series:
        """Mean, standard deviation, quantiles and worst of the gains; shares of premium; trades and costs."""
        pnl = self.frame["pnl"]
        quantiles = {f"q{round(100 * p):02d}": float(pnl.quantile(p)) for p in (0.01, 0.05, 0.5, 0.95)}
        tail = pnl[pnl <= pnl.quantile(0.05)]
        return pd.Series(
            {
                "sales": float(len(pnl)), "mean": float(pnl.mean()), "std": float(pnl.std()), **quantiles,
                "worst": float(pnl.min()), "shortfall_5pct": float(-tail.mean()),
                **{name: float(self.frame[name].mean()) for name in ("premium", "trades", "turnover", *PARTS)},
            }
        )  # fmt: skip

    def worst_days(self, n: int = 10) -> pd.DataFrame:
        """The n days of history on which all living claims together lost most: date, alive, gain, return, total."""
        days = self.by_day.assign(total=self.by_day["alive"] * self.by_day["gain"])
        return days.nsmallest(n, "total").reset_index(drop=True)

    def by_year(self) -> pd.DataFrame:
        """Gains by the year of sale: year, sales, mean, std, worst."""
        year = pd.DatetimeIndex(self.frame["start"]).year
        found = self.frame.groupby(year)["pnl"].agg(["size", "mean", "std", "min"]).rename_axis("year")
        return found.rename(columns={"size": "sales", "min": "worst"}).reset_index()


def delta_hedging(
    prices: pd.Series,
    sold: Any,
    vols: ArrayLike | pd.Series,
    *,
    sold_at: ArrayLike | pd.Series | None = None,
    every: int = 5,
    rebalance_days: int = 1,
    band: float | None = None,
    freeze_vol: bool = False,
    cost_bp: float = 0.0,
    rate: float = 0.0,
    dividend_yield: float = 0.0,
    initial: float = 100.0,
) -> Hedging:
    """Sell on every `every`-th day, hedge to the end.

    Parameters
    ----------
    prices : Series of closes with a date index, price units, shape (n,)
    sold : European, (European, quantity) pairs, or the NoteGrid of a note
        Strikes and levels refer to an index of `initial` on the day of sale; `tau` in years of 252 days.
    vols : array-like, 1/sqrt(year), shape (n,)
        What the hedger believes at each close; nan where nothing is known. One number holds for all days.
    sold_at : array-like, 1/sqrt(year), shape (n,), default `vols`
        The vol at which the claim was sold.
    every : int, days from one sale to the next
    rebalance_days : int, default 1
        Days from one look at the hedge to the next.
    band : float, optional
        Trade only when delta is further than this from what is held.
    freeze_vol : bool, default False
        Keep the belief of the day of sale to the end.
    cost_bp : float, default 0.0
        Cost of a trade, basis points of its notional: half the bid-ask spread and fees.
    rate, dividend_yield : float, 1/year, continuously compounded; those of the grid's market for a note
    initial : float, default 100.0, contract units; a note's grid knows its own

    Examples
    --------
    >>> from research.instruments import European
    >>> index = pd.Series(100.0, pd.bdate_range("2020-01-01", periods=300))
    >>> call = European(strike=100.0, tau=21 / 252)
    >>> found = delta_hedging(index, call, 0.2, every=21)  # nothing moves: all of the premium is kept
    >>> [round(float(found.frame[name].mean()), 3) for name in ("pnl", "premium")]
    [2.303, 2.303]
    """
    x = vector(prices, "prices")
    require_all(np.isfinite(x) & (x > 0.0), "prices", x, "be finite and > 0")
    require(every >= 1 and rebalance_days >= 1, "every", every, "be at least 1 day, and rebalance_days too")
    require(band is None or band >= 0.0, "band", band, "be >= 0, in units of delta")
    require(cost_bp >= 0.0, "cost_bp", cost_bp, "be >= 0", hint="Basis points of the trade's notional.")
    claim = claim_of(sold, initial, rate, dividend_yield)
    belief = _series("vols", vols, x.size)
    asked = belief if sold_at is None else _series("sold_at", sold_at, x.size)
    starts = _starts(belief, asked, claim.days, every, freeze_vol)
    run = _Run(claim, x, starts, belief, asked, rate, dividend_yield, cost_bp * 1e-4, freeze_vol)
    run.walk(rebalance_days, band)
    return run.result(prices.index)


def _series(name: str, values: ArrayLike | pd.Series, n: int) -> Float1D:
    out = np.array(np.broadcast_to(np.asarray(values, dtype=np.float64), (n,)))
    require_all(np.isnan(out) | (out > 0.0), name, out, "be > 0, or nan where nothing is known")
    require_all(np.isnan(out) | (out < 10.0), name, out, "be < 10", hint="A decimal is wanted: 20% is 0.20, not 20.")
    return out


def _starts(belief: Float1D, asked: Float1D, days: int, every: int, frozen: bool) -> Int1D:
    """Days of sale: those with a premium, and with a belief on every day that needs one."""
    n = belief.size
    require(n > days, "prices", n, f"have more than the {days} days that the claim lives")
    holes = np.concatenate(([0], np.cumsum(np.isnan(belief))))
    last = np.arange(n - days)
    need = last + (1 if frozen else days)  # the last day needs no belief
    good = (holes[need] == holes[last]) & ~np.isnan(asked[: n - days])
    found = np.flatnonzero(good)
    require(found.size > 0, "vols", "nan", f"be known on {days} days in a row, and sold_at on the first of them")
    return found[(found - found[0]) % every == 0]


class _Run:
    """All sales side by side: arrays of shape (m,), one entry a sale."""

    def __init__(
        self, claim: Claim, prices: Float1D, starts: Int1D, belief: Float1D, asked: Float1D, rate: float, yield_: float,
        cost: float, frozen: bool,
    ) -> None:  # fmt: skip
        self.claim, self.prices, self.starts, self.frozen = claim, prices, starts, frozen
        self.belief, self.asked, self.rate, self.yield_, self.cost = belief, asked, rate, yield_, cost
        m = starts.size
        self.alive, self.knocked = np.ones(m, dtype=bool), np.full(m, claim.knocked)
        self.end, self.trades = np.full(m, claim.days), np.zeros(m)
        self.turnover, self.paid = np.zeros(m), np.zeros(m)
        self.gains: Float2D = np.zeros((claim.days + 1, m))  # of each day, discounted
        self.parts = {name: np.zeros(m) for name in PARTS}

    def spot(self, day: int) -> Float1D:
        out: Float1D = self.claim.initial * self.prices[self.starts + day] / self.prices[self.starts]
        return out

    def vol(self, day: int) -> Float1D:
        out: Float1D = self.belief[self.starts + (0 if self.frozen else day)]
        return out

    def add(self, **parts: Float1D) -> None:
        """Book parts of a gain."""
        for name, values in parts.items():
            self.parts[name] += np.where(np.isfinite(values), values, 0.0)

    def walk(self, rebalance_days: int, band: float | None) -> None:
        """From the day of sale to the last."""
        dt = 1.0 / YEAR
        grow, income = np.exp(self.rate * dt), np.expm1(self.yield_ * dt)
        spot, vol = self.spot(0), self.vol(0)
        premium = self.claim.look(0, spot, self.asked[self.starts], self.knocked)[0]
        mark, delta, gamma = self.claim.look(0, spot, vol, self.knocked)
        held = delta.copy()
        cost = self.cost * np.abs(held) * spot
        cash = premium - held * spot - cost
        self.premium, self.trades = premium, np.ones(spot.size)
        self.turnover = np.abs(held) * spot
        self.gains[0] = premium - mark - cost
        self.add(edge=premium - mark, cost=-cost)
        wealth = cash + held * spot - mark
        for day in range(1, self.claim.days + 1):
            now, df = self.spot(day), np.exp(-self.rate * dt * day)
            was = self.alive.copy()
            paid, ended, knocked = self.claim.settle(day, now, self.knocked)
            self.knocked = np.where(was, knocked, self.knocked)
            self.alive, self.end = was & ~ended, np.where(was & ended, day, self.end)
            cash = np.where(was, cash * grow + held * now * income - paid, cash)
            self.paid += np.where(was, paid * df, 0.0)
            before = (spot, vol, mark, delta, gamma, held)
            mark, delta, gamma, remark, vol = self._marks(day, now, vol)
            held, cost = self._trade(day, now, delta, held, was, rebalance_days, band)
            cash = cash - (held - before[5]) * now - cost
            value = cash + held * now - mark
            self._book(day, df, was, value - wealth * grow, now - spot, before, remark, cost)
            wealth = np.where(was, value, wealth)
            spot = now

    def _marks(self, day: int, now: Float1D, old_vol: Float1D) -> tuple[Float1D, Float1D, Float1D, Float1D, Float1D]:
        """(value, delta, gamma, gain of marking the vol anew, vol) of the living; zero for the others."""
        m = now.size
        mark, delta, gamma, remark = np.zeros((4, m))
        vol = old_vol if self.frozen else np.where(self.alive, self.vol(day), old_vol)
        on = np.flatnonzero(self.alive)
        if on.size and day < self.claim.days:
            mark[on], delta[on], gamma[on] = self.claim.look(day, now[on], vol[on], self.knocked[on])
            if not self.frozen:
                remark[on] = self.claim.look(day, now[on], old_vol[on], self.knocked[on])[0] - mark[on]
        return mark, delta, gamma, remark, vol

    def _trade(
        self, day: int, now: Float1D, delta: Float1D, held: Float1D, was: BoolND, rebalance_days: int,
        band: float | None,
    ) -> tuple[Float1D, Float1D]:  # fmt: skip
        """(held, cost) after the close: to delta where it is time and the band is left, to nothing at the end."""
        act = self.alive & (day % rebalance_days == 0)
        if band is not None:
            act &= np.abs(delta - held) > band
        new = np.where(act, delta, np.where(self.alive, held, 0.0))
        new = np.where(was, new, held)
        size = np.abs(new - held) * now
        self.trades += size > 0.0
        self.turnover += size
        return new, self.cost * size

    def _book(
        self, day: int, df: float, was: BoolND, gain: Float1D, move: Float1D, before: tuple[Float1D, ...],
        remark: Float1D, cost: Float1D,
    ) -> None:  # fmt: skip
        """Split the gain of a day; see the module."""
        spot, vol, _, delta, gamma, held = before
        dt, on = 1.0 / YEAR, np.where(was, df, 0.0)
        carry = (self.rate - self.yield_) * spot * dt
        theta, moved = 0.5 * gamma * vol * vol * spot * spot * dt, -0.5 * gamma * move * move
        drift = (held - delta) * (move - carry)
        self.gains[day] = on * gain
        rest = gain - theta - moved - drift - remark + cost
        parts = {"theta": theta, "gamma": moved, "drift": drift, "remark": remark, "cost": -cost, "rest": rest}
        self.add(**{name: on * values for name, values in parts.items()})

    def result(self, index: pd.Index) -> Hedging:
        """Frames by sale and by day."""
        m, n = self.starts.size, self.prices.size
        logs = np.concatenate(([0.0], np.cumsum(np.diff(np.log(self.prices)) ** 2)))
        worst = self.gains[1:].argmin(axis=0) + 1
        frame = pd.DataFrame(
            {
                "start": index[self.starts], "end": index[self.starts + self.end], "days": self.end,
                "premium": self.premium, "paid": self.paid, "pnl": self.gains.sum(axis=0), **self.parts,
                "trades": self.trades, "turnover": self.turnover / self.claim.initial,
                "sold_vol": self.asked[self.starts],
                "realised_vol": np.sqrt(YEAR * (logs[self.starts + self.end] - logs[self.starts]) / self.end),
                "knocked_in": self.knocked, "worst_day": index[self.starts + worst],
                "worst_gain": self.gains[worst, np.arange(m)],
            }
        )  # fmt: skip
        total, alive = np.zeros(n), np.zeros(n, dtype=np.int64)
        for day in range(1, self.claim.days + 1):
            on = self.end >= day
            np.add.at(total, self.starts[on] + day, self.gains[day, on])
            np.add.at(alive, self.starts[on] + day, 1)
        moves = np.concatenate(([np.nan], np.diff(self.prices) / self.prices[:-1]))
        mean = np.where(alive > 0, total / np.maximum(alive, 1), 0.0)
        days = pd.DataFrame({"date": index, "alive": alive, "gain": mean, "return": moves})
        return Hedging(frame=frame, by_day=days)


def hedge_error(vega: float, vol: float, n: int) -> float:
    """Derman and Kamal's standard deviation of the hedge error of an at-the-money option hedged n times.

    sqrt(pi / 4) vega vol / sqrt(n); vega per 1.00 of vol, in the units of the answer; the realised vol is `vol`.
    """
    require(n >= 1, "n", n, "be at least 1")
    require(vol > 0.0, "vol", vol, "be > 0")
    return float(np.sqrt(np.pi / 4.0) * vega * vol / np.sqrt(n))
