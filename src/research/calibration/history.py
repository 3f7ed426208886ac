"""A model fitted to a history of chains, day after day: `fit_history(ESSVI, chains)`.

Each day starts where the last one that succeeded ended (warm), if the model's fit takes a `start`. A day that fails is
kept, named and explained; the next day starts from the last good one. A parameter jumps where its change is far from
its usual change: more than `jump` robust standard deviations (1.4826 times the median absolute deviation).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from time import perf_counter
from typing import Any, Literal

import numpy as np
import pandas as pd

from research.calibration._registry import checked, fit_function, option_names
from research.calibration.fit import AT_BOUND, CONVERGED, MAX_ITERATIONS, Fit, run
from research.errors import InputError, NumericalError, ResearchError, require
from research.market import Snapshot, Surface, build_snapshot, find_arbitrage
from research.market.chains import Chains, chains_from_quotes

TENORS = (30, 90, 180, 365)  # days
_WORDS = {CONVERGED: "converged", MAX_ITERATIONS: "stopped by max_iter", AT_BOUND: "on a bound"}
_DAY = [
    "as_of", "status", "rmse_bp", "quotes", "expiries", "dropped", "arbitrage_in_quotes", "worst_arbitrage_vol",
    "arbitrage_in_fit", "jumps", "n_iter", "start", "seconds", "message",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FitHistory:
    """What a history of fits says of each day."""

    model: str  # name of the class
    days: pd.DataFrame  # one row a day: see `fit_history`
    parameters: pd.DataFrame  # as_of, name, value, change, score (change in robust standard deviations), jump
    slices: pd.DataFrame  # as_of, tau, name, value, std_error: what each day's Fit.parameters says
    dropped: pd.DataFrame  # quotes that were not used: as_of, expiry, strike, is_call, reason
    fits: Mapping[date, Fit[Any]] = field(repr=False)  # of the days that succeeded

    @property
    def failed(self) -> pd.DataFrame:
        """Days that failed, and why."""
        return self.days.loc[self.days["status"] == "failed", ["as_of", "quotes", "message"]].reset_index(drop=True)

    @property
    def jumps(self) -> pd.DataFrame:
        """Parameters that jumped, largest first."""
        found = self.parameters[self.parameters["jump"]]
        order = found["score"].abs().sort_values(ascending=False).index
        return found.loc[order].drop(columns="jump").reset_index(drop=True)

    def wide(self) -> pd.DataFrame:
        """One row a day, one column a parameter."""
        return self.parameters.pivot(index="as_of", columns="name", values="value")

    def __repr__(self) -> str:
        failed = int((self.days["status"] == "failed").sum())
        return f"FitHistory({self.model}, {len(self.days)} days, {failed} failed, {len(self.jumps)} jumps)"


def fit_history(
    model: type,
    data: pd.DataFrame | Chains | Iterable[Snapshot | Surface],
    *,
    warm: bool = True,
    tenors: Iterable[int] = TENORS,
    jump: float = 8.0,
    on_failure: Literal["keep", "raise"] = "keep",
    progress: Callable[[int, int], None] | None = None,
    chain_options: Mapping[str, Any] | None = None,
    huber: float | None = None,
    **options: Any,
) -> FitHistory:
    """Fit a model of the whole surface to each day of a history.

    Parameters
    ----------
    model : class
        One that `fit` takes for a Surface: SSVI, ESSVI, SVISurface, Heston, CEV, ...
    data : DataFrame with as_of, or Chains, or Snapshots or Surfaces
        A frame with implied_vol has the columns of `build_snapshot` (rows without a vol are dropped), one with prices
        those of `chains_from_quotes`.
    warm : bool, default True
        Start each day from the last one that succeeded.
    tenors : iterable of int, default (30, 90, 180, 365), days
        Where vol at the money and skew are read off, for models with `vol(k, tau)`: comparable whatever is listed.
    jump : float, default 8
        Robust standard deviations beyond which a change is a jump.
    on_failure : "keep" or "raise", default "keep"
        Keep a day that fails, with its reason, or stop there.
    progress : callable of (days done, days in all)
    chain_options : mapping, options of `chains_from_quotes`
    huber : float, default None
        As for `fit`.
    **options : those of the model's own fit; allow_arbitrage=True where quotes are noisy

    Returns
    -------
    FitHistory
        `days` has a row a day: as_of; status ("converged", "on a bound", "stopped by max_iter", "failed"); rmse_bp;
        quotes and expiries used, quotes dropped; arbitrage_in_quotes (violations) and worst_arbitrage_vol (the most a
        quote would have to move, vol); arbitrage_in_fit (violations; nan where the model cannot tell); jumps
        (parameters that jumped); n_iter; start ("warm", "cold"); seconds; message.

    Raises
    ------
    InputError
        When there is no day, or the fit knows no such option.
    """
    require(on_failure in ("keep", "raise"), "on_failure", on_failure, "be 'keep' or 'raise'")
    require(jump > 0.0, "jump", jump, "be > 0")
    fitting = fit_function(model)
    options = checked(model, options)
    kinds = isinstance(data, (Chains, Iterable)) and not isinstance(data, str)
    require(kinds, "data", data, "be a frame, Chains, Snapshots or Surfaces")
    takes_start = "start" in option_names(fitting)
    surfaces, dropped, lost = _days(data, dict(chain_options or {}))
    rows, values, slices, fits = [], [], [], {}
    last: Any = None
    for i, (day, surface) in enumerate(surfaces):
        start = last if warm and takes_start else None
        row = _facts(day, surface, dropped) | {"start": "cold" if start is None else "warm"}
        clock = perf_counter()
        try:
            if surface is None:
                raise InputError(lost.get(day, "no quotes"))
            found = run(fitting, surface, huber, options if start is None else options | {"start": start})
        except (InputError, NumericalError) as problem:
            if on_failure == "raise":
                raise
            row |= {"status": "failed", "message": str(problem)}
        else:
            last, fits[day.date()] = found.model, found
            row |= _outcome(found)
            values += [(day, name, value) for name, value in _standard(found, tenors).items()]
            slices.append(found.parameters.assign(as_of=day))
        rows.append(row | {"seconds": perf_counter() - clock})
        if progress is not None:
            progress(i + 1, len(surfaces))
    parameters = _changes(pd.DataFrame(values, columns=["as_of", "name", "value"]), jump)
    count = parameters.groupby("as_of")["jump"].sum()
    days = pd.DataFrame(rows).reindex(columns=_DAY)
    columns = ["as_of", "tau", "name", "value", "std_error"]
    every = pd.concat(slices, ignore_index=True).reindex(columns=columns) if slices else pd.DataFrame(columns=columns)
    return FitHistory(
        model=model.__name__,
        days=days.assign(jumps=days["as_of"].map(count).fillna(0).astype(int)),
        parameters=parameters,
        slices=every,
        dropped=dropped,
        fits=fits,
    )


Day = tuple[pd.Timestamp, Any]


def _days(data: Any, chain_options: dict[str, Any]) -> tuple[list[Day], pd.DataFrame, dict[pd.Timestamp, str]]:
    """Every day with its surface (None where it has none), the quotes dropped, and why a day has no surface."""
    dropped = pd.DataFrame(columns=["as_of", "expiry", "strike", "is_call", "reason"])
    days: dict[pd.Timestamp, Any] = {}
    lost: dict[pd.Timestamp, str] = {}
    if isinstance(data, pd.DataFrame) and "implied_vol" in data.columns:
        require("as_of" in data.columns, "quotes", "none named as_of", "have a column as_of")
        days, dropped, lost = _of_vols(data)
    elif isinstance(data, (pd.DataFrame, Chains)):
        chains = data if isinstance(data, Chains) else chains_from_quotes(data, **chain_options)
        days = {pd.Timestamp(surface.as_of): surface for surface in chains.surfaces}
        whole = chains.failed[chains.failed["expiry"].isna()]
        parts = chains.failed[chains.failed["expiry"].notna()]
        for day in whole["as_of"]:
            why = parts.loc[parts["as_of"] == day, "reason"].unique()
            reasons = chains.dropped.loc[chains.dropped["as_of"] == day, "reason"].value_counts()
            said = "; ".join(why) or ", ".join(f"{n} quotes {name}" for name, n in reasons.items())
            days[pd.Timestamp(day)], lost[pd.Timestamp(day)] = None, f"no expiry with a smile: {said}"
        dropped = chains.dropped
    else:
        surfaces = [one.quotes if isinstance(one, Snapshot) else one for one in data]
        wrong = [type(one).__name__ for one in surfaces if not isinstance(one, Surface)]
        require(not wrong, "data", wrong[:1], "be a frame, Chains, Snapshots or Surfaces")
        days = {pd.Timestamp(one.as_of): one for one in surfaces}
    require(len(days) > 0, "data", 0, "hold at least one day")
    return sorted(days.items()), dropped, lost


def _of_vols(data: pd.DataFrame) -> tuple[dict[pd.Timestamp, Any], pd.DataFrame, dict[pd.Timestamp, str]]:
    """Days of a frame of implied vols; a day that is no market is lost with its reason."""
    gone = data["implied_vol"].isna()
    names = [name for name in ("as_of", "expiry", "strike") if name in data.columns]
    dropped = data.loc[gone, names].assign(reason="no implied vol").reset_index(drop=True)
    days: dict[pd.Timestamp, Any] = {}
    lost: dict[pd.Timestamp, str] = {}
    for day, part in data.groupby(pd.to_datetime(data["as_of"])):
        stamp = pd.Timestamp(str(day))
        try:
            days[stamp] = build_snapshot(part[part["implied_vol"].notna()], as_of=stamp.date()).quotes
        except ResearchError as problem:
            days[stamp], lost[stamp] = None, str(problem)
    return days, dropped, lost


def _facts(day: pd.Timestamp, surface: Surface | None, dropped: pd.DataFrame) -> dict[str, Any]:
    """What is known of a day before it is fitted."""
    left_out = dropped["reason"].ne("in the money") & dropped["as_of"].eq(day)
    row: dict[str, Any] = {"as_of": day, "quotes": 0, "expiries": 0, "dropped": int(left_out.sum())}
    if surface is None:
        return row
    found = find_arbitrage(surface)
    worst = float(found["in_vol"].max()) if len(found) else 0.0
    facts = {"quotes": surface.n_quotes, "expiries": len(surface), "arbitrage_in_quotes": len(found)}
    return row | facts | {"worst_arbitrage_vol": worst}


def _outcome(found: Fit[Any]) -> dict[str, Any]:
    check = getattr(found.model, "arbitrage", None)
    return {
        "status": _WORDS[found.status],
        "rmse_bp": found.rmse_bp,
        "arbitrage_in_fit": float(len(check())) if callable(check) else np.nan,
        "n_iter": found.n_iter,
        "message": found.message,
    }


def _standard(found: Fit[Any], tenors: Iterable[int]) -> dict[str, float]:
    """Parameters that mean the same each day: those without an expiry, and the smile at fixed tenors."""
    table = found.parameters
    whole = table[table["tau"].isna()] if "tau" in table else table
    out = {str(name): float(value) for name, value in zip(whole["name"], whole["value"])}
    vol = getattr(found.model, "vol", None)
    if callable(vol):
        for days in tenors:
            tau = days / 365.0
            h = 0.05 * np.sqrt(tau)
            low, middle, high = (float(vol(k, tau)) for k in (-h, 0.0, h))
            out |= {f"vol_{days}d": middle, f"skew_{days}d": (high - low) / 0.1}
    return out


def _changes(values: pd.DataFrame, jump: float) -> pd.DataFrame:
    """Change from the last day, its score, and whether it is a jump."""
    out = values.sort_values(["name", "as_of"], kind="stable").reset_index(drop=True)
    out["change"] = out.groupby("name")["value"].diff()

    def scale(change: pd.Series) -> float:
        return float(1.4826 * (change - change.median()).abs().median())

    spread = out.groupby("name")["change"].transform(scale)
    middle = out.groupby("name")["change"].transform("median")
    out["score"] = (out["change"] - middle) / spread.where(spread > 0.0)
    out["jump"] = out["score"].abs() > jump
    return out
