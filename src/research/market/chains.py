"""Option chains as exchanges print them, day by day: from prices to surfaces, forwards implied by put-call parity.

    call - put = df (forward - strike)    at each strike with both

One zero rate a day comes from the slopes of all expiries together, unless it is given; the forward of an expiry is the
median over the pairs nearest to the money. The out-of-the-money option of each strike gives the vol. Quotes that say
nothing are dropped by name: missing, duplicate, expired, stale (no volume), unchanged while the forward moved, no bid,
crossed, of too few ticks, no implied vol, off the parity of their expiry. Expiries and days that are left without a
smile are kept in `failed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from research.arrays import Float1D
from research.core.models.implied_vol import implied_vols
from research.errors import DataError, require
from research.market.chain_quality import half_tick_vols, stood_still, tick_of
from research.market.surface import Smile, Surface

_KEY = ["as_of", "expiry", "strike", "is_call"]
_LEAST_TICKS = 10  # a price of fewer says little, where bid and ask do not tell how much
_RATES = (-0.10, 0.25)  # a zero rate outside says that the pairs do not belong together


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chains:
    """The surfaces of a history of chains, and what had to be left out."""

    surfaces: tuple[Surface, ...]  # one a day, by increasing day
    forwards: pd.DataFrame  # as_of, expiry, tau, forward, df, zero_rate, pairs, spread (of the implied forwards)
    dropped: pd.DataFrame  # as_of, expiry, strike, is_call, reason; one row a quote that was not used
    failed: pd.DataFrame  # as_of, expiry (NaT: the whole day), reason

    def __len__(self) -> int:
        return len(self.surfaces)

    def __repr__(self) -> str:
        used, lost = sum(surface.n_quotes for surface in self.surfaces), self.failed["expiry"].isna().sum()
        without = f", {lost} without a surface" if lost else ""
        return f"Chains({len(self)} days{without}; {used:,} quotes used, {len(self.dropped):,} left out)"

    def reasons(self) -> pd.DataFrame:
        """How many quotes were dropped, and why: reason, quotes, share."""
        used = sum(surface.n_quotes for surface in self.surfaces)
        counts = self.dropped["reason"].value_counts().rename_axis("reason").reset_index(name="quotes")
        return counts.assign(share=counts["quotes"] / max(len(self.dropped) + used, 1))


def chains_from_quotes(
    frame: pd.DataFrame,
    *,
    columns: Mapping[str, str] | None = None,
    zero_rate: float | None = None,
    least_days: int = 1,
    least_volume: float = 1.0,
    least_price: float | None = None,
    least_quotes: int = 4,
    least_pairs: int = 2,
    parity_tolerance: float | None = None,
    tick: float | None = None,
) -> Chains:
    """Surfaces of every day of a table of option prices.

    Parameters
    ----------
    frame : DataFrame, one row a quote
        as_of, expiry (dates), strike (price units), is_call (bool) or type ("C" / "P", "call" / "put"), and price, or
        bid and ask. Optional: volume, spot, zero_rate (1/year, continuously compounded).
    columns : mapping of these names to those of the frame, e.g. {"as_of": "date", "price": "close"}
    zero_rate : float, default None
        1/year. None takes the frame's own, else the one that put-call parity implies.
    least_days : int, default 1
        Calendar days to expiry below which a quote is left out: the last days of an option say little about vol.
    least_volume : float, default 1
        A quote with less volume is stale; of no effect without the column.
    least_price : float, default 0 where there are bid and ask, else ten ticks
        A cheaper quote (mid, price units) says little: a tick is too much of it.
    tick : float, default the smallest step between prices
        Price units; 0 where they are not rounded.
    least_quotes : int, default 4
        An expiry with fewer vols fails.
    least_pairs : int, default 2
        An expiry with fewer strikes with call and put fails.
    parity_tolerance : float, default None
        Drop both options of a pair whose implied forward is off by more than this share of the forward.

    Returns
    -------
    Chains
        Smiles carry half_spread, half the bid-ask spread in vol, or half a tick in vol where there are prices only, and
        weights by it: 1 / half_spread^2, mean 1 a day.

    Raises
    ------
    DataError
        When a column is missing, or a column that must hold dates or numbers holds none.
    """
    require(least_quotes >= 1, "least_quotes", least_quotes, "be >= 1")
    require(least_days >= 1, "least_days", least_days, "be >= 1")
    require(least_pairs >= 1, "least_pairs", least_pairs, "be >= 1")
    quotes = _read(frame, columns or {})
    sides = {"bid", "ask"} <= set(quotes.columns)
    tick = tick_of(quotes["price"].to_numpy(dtype=np.float64)) if tick is None else tick
    require(tick >= 0.0, "tick", tick, "be >= 0")
    cheap = (0.0 if sides else _LEAST_TICKS * tick) if least_price is None else least_price
    quotes["reason"] = _reasons(quotes, least_days, least_volume, cheap)
    forwards, failed = _forwards(quotes, zero_rate, least_pairs, parity_tolerance)
    quotes = quotes.merge(forwards[["as_of", "expiry", "forward", "df"]], on=["as_of", "expiry"], how="left")
    alone = (quotes["reason"] == "") & quotes["forward"].isna()
    quotes.loc[alone, "reason"] = "expiry without a forward"
    inside = quotes["is_call"] == (quotes["strike"] < quotes["forward"])
    quotes.loc[(quotes["reason"] == "") & inside, "reason"] = "in the money"
    _add_vols(quotes, tick)
    used = quotes[quotes["reason"] == ""].sort_values(["as_of", "expiry", "strike"], kind="stable")
    surfaces, thin = _surfaces(used, forwards, least_quotes)
    quotes = quotes.merge(thin, on=["as_of", "expiry"], how="left")
    quotes.loc[(quotes["reason"] == "") & quotes["why"].notna(), "reason"] = "expiry with too few quotes"
    failed = pd.concat([failed, thin.rename(columns={"why": "reason"})], ignore_index=True)
    days = {pd.Timestamp(surface.as_of) for surface in surfaces}
    lost = [(day, pd.NaT, "no expiry with a smile") for day in quotes["as_of"].unique() if day not in days]
    failed = pd.concat([failed, pd.DataFrame(lost, columns=failed.columns)], ignore_index=True)
    dropped = quotes.loc[quotes["reason"] != "", [*_KEY, "reason"]].reset_index(drop=True)
    order = ["as_of", "expiry"]
    return Chains(
        surfaces=surfaces, forwards=forwards.drop(columns="spot"), dropped=dropped,
        failed=failed.astype({"expiry": "datetime64[ns]"}).sort_values(order, ignore_index=True),
    )  # fmt: skip


def _read(frame: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """The columns we need under our names, as dates, numbers and flags; wrong cells become missing."""
    require(isinstance(frame, pd.DataFrame), "quotes", type(frame).__name__, "be a DataFrame")
    missing = [name for name in columns.values() if name not in frame.columns]
    named = frame.rename(columns={there: here for here, there in columns.items() if there in frame.columns})
    missing += [name for name in ("as_of", "expiry", "strike") if name not in named.columns]
    if "price" not in named.columns and not {"bid", "ask"} <= set(named.columns):
        missing.append("price (or bid and ask)")
    if "is_call" not in named.columns and "type" not in named.columns:
        missing.append("is_call (or type)")
    if missing or frame.empty:
        what = f"none named {', '.join(missing)}" if missing else "an empty table"
        raise DataError(f"quotes must have columns as_of, expiry, strike, is_call and prices, and rows; got {what}.")
    out = pd.DataFrame({name: pd.to_datetime(named[name], errors="coerce") for name in ("as_of", "expiry")})
    for name in ("strike", "bid", "ask", "price", "volume", "spot", "zero_rate"):
        if name in named.columns:
            out[name] = pd.to_numeric(named[name], errors="coerce").astype(float)
    if {"bid", "ask"} <= set(out.columns):
        out["price"] = 0.5 * (out["bid"] + out["ask"])
    if "is_call" in named.columns:
        out["is_call"] = named["is_call"].astype(bool)
    else:
        letter = named["type"].astype(str).str.strip().str[:1].str.upper()
        if not letter.isin(["C", "P"]).all():
            raise DataError(
                f"quotes.type must start with C or P; got {named['type'][~letter.isin(['C', 'P'])].iloc[0]!r}."
            )
        out["is_call"] = letter == "C"
    out["as_of"], out["expiry"] = (out[name].dt.normalize().astype("datetime64[ns]") for name in ("as_of", "expiry"))
    if out["as_of"].isna().all() or out["expiry"].isna().all():
        raise DataError("quotes must hold dates in as_of and expiry; got none.")
    out = out[out["as_of"].notna()].reset_index(drop=True)
    out["tau"] = (out["expiry"] - out["as_of"]).dt.days / 365.0
    return out


def _reasons(quotes: pd.DataFrame, least_days: int, least_volume: float, least_price: float) -> Any:
    """Why a quote says nothing; empty where it may say something. The first reason that holds."""
    sides = {"bid", "ask"} <= set(quotes.columns)
    wrong = quotes[["expiry", "strike", "price"]].isna().any(axis=1) | ~(quotes["strike"] > 0.0)
    tests = [
        ("missing", wrong),
        ("expired", ~(quotes["tau"] > 0.0)),
        ("near expiry", quotes["tau"] < (least_days - 0.5) / 365.0),
        ("stale", quotes["volume"].fillna(0.0) < least_volume if "volume" in quotes else None),
        ("crossed", quotes["ask"] < quotes["bid"] if sides else None),
        ("no bid", quotes["bid"] <= 0.0 if sides else quotes["price"] <= 0.0),
        ("below the least price", quotes["price"] < least_price),
    ]
    out = np.full(len(quotes), "", dtype=object)
    for reason, holds in tests:
        if holds is not None:
            out[holds.to_numpy() & (out == "")] = reason
    live = out == ""
    twice = quotes[live].duplicated(_KEY, keep="first").to_numpy()
    out[np.flatnonzero(live)[twice]] = "duplicate"
    return out


def _forwards(
    quotes: pd.DataFrame, zero_rate: float | None, least_pairs: int, tolerance: float | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forward and discount factor of each expiry by put-call parity; those that have none. Marks pairs off parity."""
    live = quotes[quotes["reason"] == ""]
    at = ["as_of", "expiry", "tau", "strike"]
    calls, puts = live[live["is_call"]].set_index(at)["price"], live[~live["is_call"]].set_index(at)["price"]
    gap = (calls - puts).dropna().rename("gap").reset_index()
    rows, failed = [], []
    pairs = dict(iter(gap.groupby(["as_of", "expiry"])))
    for day, of_day in live.groupby("as_of"):
        groups = {e: pairs[(day, e)] for e in of_day["expiry"].unique() if (day, e) in pairs}
        failed += [(day, e, "no strike with call and put") for e in of_day["expiry"].unique() if e not in groups]
        rate = _zero_rate(of_day, zero_rate, list(groups.values()))
        spot = float(of_day["spot"].median()) if "spot" in of_day else np.nan
        for expiry, both in sorted(groups.items()):
            if len(both) < least_pairs or not np.isfinite(rate):
                why = f"{len(both)} of at least {least_pairs} strikes with call and put"
                failed.append((day, expiry, why if len(both) < least_pairs else "no zero rate from put-call parity"))
                continue
            tau = float(both["tau"].iloc[0])
            df = float(np.exp(-rate * tau))
            implied = both["strike"].to_numpy() + both["gap"].to_numpy() / df
            near = np.argsort(np.abs(both["gap"].to_numpy()), kind="stable")[:5]
            forward = float(np.median(implied[near]))
            spread = float(np.median(np.abs(implied - forward)))
            if not forward > 0.0:
                failed.append((day, expiry, f"forward {forward:g} by put-call parity"))
                continue
            if tolerance is not None:
                off = both["strike"].to_numpy()[np.abs(implied - forward) > tolerance * forward]
                here = (quotes["as_of"] == day) & (quotes["expiry"] == expiry) & quotes["strike"].isin(off)
                quotes.loc[here & (quotes["reason"] == ""), "reason"] = "off put-call parity"
            rows.append((day, expiry, tau, forward, df, rate, len(both), spread, spot))
    names = ["as_of", "expiry", "tau", "forward", "df", "zero_rate", "pairs", "spread", "spot"]
    return pd.DataFrame(rows, columns=names), pd.DataFrame(failed, columns=["as_of", "expiry", "reason"])


def _zero_rate(of_day: pd.DataFrame, given: float | None, groups: list[pd.DataFrame]) -> float:
    """The day's rate: given, the frame's own, or by the slopes of call - put in strike; nan where nothing tells it."""
    if given is not None:
        return given
    if "zero_rate" in of_day:
        return float(of_day["zero_rate"].median())
    top, bottom = 0.0, 0.0
    for both in groups:
        k, gap, tau = both["strike"].to_numpy(), both["gap"].to_numpy(), float(both["tau"].iloc[0])
        if k.size < 3:
            continue
        i, j = np.triu_indices(k.size, 1)
        far = np.abs(k[i] - k[j]) >= 0.3 * np.ptp(k)
        slope = -float(np.median((gap[i] - gap[j])[far] / (k[i] - k[j])[far]))  # of Theil and Sen: outliers pull little
        if slope > 0.0:
            weight = k.size * (np.ptp(k) / k.mean()) ** 2
            top, bottom = top - weight * tau * np.log(slope), bottom + weight * tau * tau
    rate = top / bottom if bottom > 0.0 else np.nan
    return float(rate) if _RATES[0] < rate < _RATES[1] else np.nan


def _add_vols(quotes: pd.DataFrame, tick: float) -> None:
    """Columns vol and half_spread (vol) of the quotes in use; those without a vol, or that stood still, are marked."""
    here = (quotes["reason"] == "").to_numpy()
    quotes["vol"], quotes["half_spread"] = np.nan, np.nan
    part = quotes[here]
    quotes.loc[here, "vol"] = _vols(part, "price")
    if {"bid", "ask"} <= set(quotes.columns):
        low, high = _vols(part, "bid"), _vols(part, "ask")
        vol = quotes.loc[here, "vol"].to_numpy()
        quotes.loc[here, "half_spread"] = np.where(np.isfinite(low), 0.5 * (high - low), high - vol)
    else:
        quotes.loc[here, "half_spread"] = half_tick_vols(quotes[here], tick)
    still = stood_still(quotes, tick)
    quotes.loc[here & still, "reason"] = "unchanged while the forward moved"
    here = here & ~still
    quotes.loc[here & ~(quotes["vol"] > 0.0).to_numpy(), "reason"] = "no implied vol"


def _vols(quotes: pd.DataFrame, name: str) -> Float1D:
    columns = (name, "forward", "strike", "tau", "df")
    price, forward, strike, tau, df = (quotes[c].to_numpy(dtype=np.float64).copy() for c in columns)
    out: Float1D = np.empty(len(quotes))
    implied_vols(price, forward, strike, tau, df, quotes["is_call"].to_numpy(dtype=bool).copy(), out)
    return out


def _surfaces(
    used: pd.DataFrame, forwards: pd.DataFrame, least_quotes: int
) -> tuple[tuple[Surface, ...], pd.DataFrame]:
    facts: dict[Any, Any] = {(row.as_of, row.expiry): row for row in forwards.itertuples(index=False)}
    surfaces, thin = [], []
    for day, of_day in used.groupby("as_of"):
        smiles = []
        weight = _weights(of_day)
        for expiry, of_expiry in of_day.groupby("expiry"):
            if len(of_expiry) < least_quotes:
                thin.append((day, expiry, f"{len(of_expiry)} of at least {least_quotes} quotes"))
                continue
            fact = facts[day, expiry]
            smiles.append(
                Smile(
                    tau=fact.tau, forward=fact.forward, df=fact.df, strike=of_expiry["strike"].to_numpy(),
                    vol=of_expiry["vol"].to_numpy(), expiry=_date(expiry),
                    weight=None if weight is None else weight.loc[of_expiry.index].to_numpy(),
                    half_spread=_positive(of_expiry["half_spread"]),
                )
            )  # fmt: skip
        if smiles:
            spot = float(fact.spot)
            spot = spot if np.isfinite(spot) else smiles[0].forward * smiles[0].df
            surfaces.append(Surface(as_of=_date(day), spot=spot, smiles=tuple(smiles)))
    return tuple(surfaces), pd.DataFrame(thin, columns=["as_of", "expiry", "why"])


def _weights(of_day: pd.DataFrame) -> Any:
    """1 / half spread^2 with mean 1; a spread below a quarter of the day's median counts as that. None without any."""
    half = of_day["half_spread"]
    if not (half > 0.0).any():
        return None
    middle = float(half[half > 0.0].median())
    weight = 1.0 / half.where(half > 0.0, 4.0 * middle).clip(lower=0.25 * middle) ** 2
    return weight / weight.mean()


def _positive(half: pd.Series) -> Float1D | None:
    """Half spreads, the smallest that is positive where one is 0 or unknown; None without any."""
    good = half[half > 0.0]
    return None if good.empty else half.where(half > 0.0, good.min()).to_numpy(dtype=np.float64)


def _date(stamp: Any) -> date:
    out: date = pd.Timestamp(stamp).date()
    return out
