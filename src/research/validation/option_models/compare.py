"""Prices of one contract by several methods, pair by pair: differences in units of what the two allow."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from research.errors import MissingExtraError, require
from research.evidence import Evidence
from research.validation.benchmarks.quantlib_options import NotPriced
from research.validation.benchmarks.two_assets import FORMULAS, double_integral, named_formula
from research.validation.option_models.cases import Case

SIGMAS = 4.0  # standard errors that a simulation is allowed
ROUNDING = 1e-12  # of the larger price and 1
EXACT = "quadrature"  # what approximations state their distance to
COLUMNS = ("case", "contract", "model", "method", "value", "error", "std_error")


def allowance(prices: pd.DataFrame) -> Any:
    """How far each price may be from the truth: its stated error, or four standard errors, and rounding."""
    floor = ROUNDING * np.maximum(prices["value"].abs(), 1.0)
    return np.maximum(prices["error"], SIGMAS * prices["std_error"]) + floor


def pairs(prices: pd.DataFrame) -> pd.DataFrame:
    """Every two prices of a case.

    Parameters
    ----------
    prices : DataFrame, one row a case and method
        Columns case, contract, model, method, value, error, std_error; price units.

    Returns
    -------
    DataFrame with columns case, contract, model, first, second, difference (first less second), allowance, ratio
        A ratio of at most 1 is agreement; nan values give a ratio of inf. An approximation whose stated error is its
        distance to `quadrature` agrees with it whatever the two are: that pair is left out (see `approximations`).
    """
    missing = [name for name in COLUMNS if name not in prices.columns]
    require(not missing, "prices", ", ".join(missing), f"have columns {', '.join(COLUMNS)}")
    frame = prices.assign(allowance=allowance(prices))
    rows = []
    for _, group in frame.groupby("case", sort=False):
        ours: list[Any] = list(group.itertuples(index=False))
        for a, b in combinations(ours, 2):
            if EXACT in (a.method, b.method) and not FORMULAS.keys().isdisjoint((a.method, b.method)):
                continue
            gap, room = a.value - b.value, a.allowance + b.allowance
            ratio = abs(gap) / room if np.isfinite(gap) and np.isfinite(room) else np.inf
            rows.append((a.case, a.contract, a.model, a.method, b.method, gap, room, ratio))
    names = ["case", "contract", "model", "first", "second", "difference", "allowance", "ratio"]
    return pd.DataFrame(rows, columns=names)


def matrix(found: pd.DataFrame) -> Any:
    """Largest ratio of each pair of methods over all cases; symmetric, nan where two never meet."""
    methods = list(dict.fromkeys([*found["first"], *found["second"]]))
    out = np.full((len(methods), len(methods)), np.nan)
    for first, second, ratio in zip(found["first"], found["second"], found["ratio"], strict=True):
        i, j = methods.index(first), methods.index(second)
        out[i, j] = out[j, i] = np.fmax(out[i, j], ratio)
    return pd.DataFrame(out, index=methods, columns=methods)


def approximations(prices: pd.DataFrame, cases: Sequence[Case]) -> list[Evidence]:
    """Evidence, two for each price by a named approximation: is it that formula, and is it as far off as it states?

    The formula is written anew, or QuantLib's; the distance is to a double integral over both prices. A stated error
    fails that is too large as well as one that is too small.
    """
    known = {f"{case.contract}: {case.name}": case for case in cases}
    out: list[Evidence] = []
    for row in prices[prices["method"].isin(list(FORMULAS))].itertuples(index=False):
        case = known.get(str(row.case))
        if case is None:
            continue
        where, value = (case.terms, case.model, case.market), float(row.value)  # type: ignore[arg-type]
        try:
            exact, error = double_integral(*where)
            twin = named_formula(str(row.method), *where)
        except (NotPriced, MissingExtraError):
            continue
        floor = ROUNDING * max(abs(value), 1.0)
        stated, room = float(row.error), error + floor  # type: ignore[arg-type]
        name = f"{case.contract}, {case.name}, by {row.method}"
        for test, off, claim in (
            ("named_formula", abs(value - twin), "the formula is the one of that name"),
            ("stated_distance", abs(stated - abs(value - exact)), "it is as far from the exact value as it states"),
        ):
            passed = bool(off <= room)
            out.append(Evidence(test=test, verdict="pass" if passed else "fail", statistic=off, threshold=room, n=1,
                                claim=f"{name}: {claim}",
                                details={"value": value, "twin": twin, "exact": exact, "stated": stated}))  # fmt: skip
    return out


def agreement(prices: pd.DataFrame, cases: Sequence[Case]) -> list[Evidence]:
    """Evidence that approximations are what they say, that methods agree (one a contract and model), and that published
    digits are met (one a value).

    `prices` as for `pairs`. A published value is allowed half a unit of its last digit besides the method's own error.
    """
    found, out = pairs(prices), approximations(prices, cases)
    for key, group in found.groupby(["contract", "model"], sort=False):
        contract, model = key  # type: ignore[misc]
        worst: Any = group.iloc[int(group["ratio"].to_numpy().argmax())]
        names = sorted({*group["first"], *group["second"]})
        out.append(
            Evidence(
                test="engines_agree",
                verdict="pass" if worst["ratio"] <= 1.0 else "fail",
                statistic=float(worst["ratio"]),
                threshold=1.0,
                n=len(group),
                claim=f"{contract} under {model}: {', '.join(names)} agree within what they state",
                details={name: str(worst[name]) for name in ("case", "first", "second", "difference", "allowance")},
            )
        )
    for case in cases:
        own = prices[prices["case"] == f"{case.contract}: {case.name}"]
        if case.published is None or own.empty:
            continue
        value, half, source = case.published
        ratio = ((own["value"] - value).abs() / (allowance(own) + half)).fillna(np.inf).to_numpy()
        out.append(
            Evidence(
                test="published_value",
                verdict="pass" if ratio.max() <= 1.0 else "fail",
                statistic=float(ratio.max()),
                threshold=1.0,
                n=len(own),
                claim=f"{case.contract}, {case.name}: every method gives the published digits",
                reference=source,
                details={"worst": str(own["method"].iloc[int(ratio.argmax())]), "published": value},
            )
        )
    return out
