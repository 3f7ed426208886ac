"""Prices of one contract by several methods, pair by pair: differences in units of what the two allow."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from research.errors import require
from research.evidence import Evidence
from research.validation.option_models.cases import Case

SIGMAS = 4.0  # standard errors that a simulation is allowed
ROUNDING = 1e-12  # of the larger price and 1
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
        A ratio of at most 1 is agreement; nan values give a ratio of inf.
    """
    missing = [name for name in COLUMNS if name not in prices.columns]
    require(not missing, "prices", ", ".join(missing), f"have columns {', '.join(COLUMNS)}")
    frame = prices.assign(allowance=allowance(prices))
    rows = []
    for _, group in frame.groupby("case", sort=False):
        ours: list[Any] = list(group.itertuples(index=False))
        for a, b in combinations(ours, 2):
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


def agreement(prices: pd.DataFrame, cases: Sequence[Case]) -> list[Evidence]:
    """Evidence that methods agree, one a contract and model; and that published digits are met, one a value.

    `prices` as for `pairs`. A published value is allowed half a unit of its last digit besides the method's own error.
    """
    found, out = pairs(prices), []
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
