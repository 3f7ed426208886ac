"""What a new notebook of each kind starts with: notebooks/_template.ipynb, with the cells replaced that differ.

Every one runs at once on data that `make demo` has made, in a few seconds, and passes.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Template:
    """What differs from notebooks/_template.ipynb: sources by cell id, and the data that are read."""

    about: str  # purpose, reads, writes, passes when
    dataset: str
    as_of: str
    cells: dict[str, str]


_PARAMETERS = """\
from datetime import date
from typing import Annotated

from annotated_types import {imports}

"""
_RETURNS = """\
from research import {rooms}
from research.report import style

prices = data.load("equity/sp500", as_of=as_of, columns=["date", "close"]).set_index("date")["close"]
returns = prices.pct_change().dropna().rename("return")
print(f"{{len(returns):,}} returns from {{returns.index[0]:%d %B %Y}} to {{returns.index[-1]:%d %B %Y}}")"""
_GAPS = """\
pause = returns.index.to_series().diff().dt.days.max()
print(f"Longest pause between two returns: {pause:.0f} days; returns equal to zero: {(returns == 0).sum()}")"""
_BACKTEST = """\
settings = risk.Settings(window=window)
result = backtest.value_at_risk(returns, levels=[level], methods=["historical"], settings=settings)
days = result.rows("historical", level)
exceptions = result.exceptions("historical", level)
print(f"{int(exceptions.sum())} exceptions in {len(days):,} days; {len(days) * (1 - level):.1f} expected")"""
_VAR_PICTURE = """\
figure, axis = style.subplots()
axis.plot(days["date"], 100 * days["return"], linewidth=0.6, label="return")
axis.plot(days["date"], -100 * days["value_at_risk"], label="value at risk, below zero")
axis.set(ylabel="% a day", title=f"Historical value at risk at {100 * level:g}%")
axis.legend(loc="lower left")
figure"""

TEMPLATES: dict[str, Template] = {
    "calibration": Template(
        about=(
            "**Purpose.** Parameters that explain the quotes of one day; say what they are for. **Owner.** {owner}. "
            "**Reads.** `equity/dax_surface`. **Writes.** Parameters with standard errors, residuals, one figure.\n\n"
            "**Passes when** the root mean squared error of implied volatility is at most `max_rmse_bp`."
        ),
        dataset="equity/dax_surface",
        as_of="2002-07-05",
        cells={
            "parameters": _PARAMETERS.format(imports="Ge, Gt") + "as_of: date = date(2002, 7, 5)  # valuation date\n"
            "expiry: Annotated[int, Ge(0)] = 2  # which expiry, counted from the nearest\n"
            "max_rmse_bp: Annotated[float, Gt(0)] = 60.0  # fail above this implied-vol RMSE, basis points",
            "load": """\
import pandas as pd

from research import calibration, data, market, metric, models, record
from research.experiments import table
from research.report import style

frame = data.load("equity/dax_surface", as_of=as_of)
snapshot = market.build_snapshot(frame, as_of=as_of)
smile = snapshot.surface.smiles[expiry]
smile.to_frame().head()""",
            "quality": """\
violations = market.find_arbitrage(snapshot.surface)
print(f"{len(violations)} violations of static arbitrage among {len(frame)} quotes")""",
            "compute": """\
fit = calibration.fit(models.SVI, smile, allow_arbitrage=True)
rmse_bp = 1e4 * fit.rmse
print(f"{fit.message}; RMSE {rmse_bp:.1f} bp of volatility")
fit.parameters""",
            "figure": """\
lines = pd.DataFrame({"strike": smile.strike, "quote": 100 * smile.vol})
lines["model"] = 100 * fit.model.vol(smile.log_moneyness, smile.tau)
figure, axis = style.subplots()
axis.plot(lines["strike"], lines["quote"], "o", label="quote")
axis.plot(lines["strike"], lines["model"], label="model")
axis.set(xlabel="strike, index points", ylabel="implied vol, %", title=f"{365 * smile.tau:.0f} days")
axis.legend()
figure""",
            "record": """\
record(
    metrics={"rmse_bp": metric(rmse_bp, "bp of volatility", rtol=1e-6), "quotes": len(lines)},
    tables={"parameters": table(fit.parameters, rtol=1e-4), "smile": table(lines, rtol=1e-5)},
    figures={"smile": figure},
    passed=rmse_bp <= max_rmse_bp,
)""",
        },
    ),
    "backtesting": Template(
        about=(
            "**Purpose.** A forecast against what came, out of sample; say which and why. **Owner.** {owner}. "
            "**Reads.** `equity/sp500`. **Writes.** The days, the number of exceptions, one figure.\n\n"
            "**Passes when** exceptions are at most `max_ratio` times as frequent as claimed."
        ),
        dataset="equity/sp500",
        as_of="2018-12-31",
        cells={
            "parameters": _PARAMETERS.format(imports="Ge, Gt, Interval")
            + "as_of: date = date(2018, 12, 31)  # last day of data used\n"
            "level: Annotated[float, Interval(gt=0, lt=1)] = 0.99  # of the value at risk\n"
            "window: Annotated[int, Ge(250)] = 500  # days in a quantile\n"
            "max_ratio: Annotated[float, Gt(0)] = 2.0  # exceptions, as a multiple of those expected",
            "load": _RETURNS.format(rooms="backtest, data, metric, record, risk"),
            "quality": _GAPS,
            "compute": _BACKTEST,
            "figure": _VAR_PICTURE,
            "record": """\
ratio = float(exceptions.sum() / (len(days) * (1 - level)))
record(
    metrics={"ratio": metric(ratio, "times expected", rtol=1e-6), "exceptions": int(exceptions.sum())},
    tables={"days": days[["date", "return", "value_at_risk"]]},
    figures={"value_at_risk": figure},
    passed=ratio <= max_ratio,
)""",
        },
    ),
    "validation": Template(
        about=(
            "**Purpose.** Is the claim true? Say whose claim it is. **Owner.** {owner}. **Reads.** `equity/sp500`. "
            "**Writes.** Evidence with p-value and power, one figure.\n\n"
            "**Passes when** the test does not reject the claimed number of exceptions."
        ),
        dataset="equity/sp500",
        as_of="2018-12-31",
        cells={
            "parameters": _PARAMETERS.format(imports="Ge, Interval")
            + "as_of: date = date(2018, 12, 31)  # last day of data used\n"
            "level: Annotated[float, Interval(gt=0, lt=1)] = 0.975  # of the value at risk\n"
            "window: Annotated[int, Ge(250)] = 1000  # days in a quantile\n"
            "size: Annotated[float, Interval(gt=0, lt=1)] = 0.01  # accepted probability of rejecting a right claim",
            "load": _RETURNS.format(rooms="backtest, data, metric, record, risk")
            + "\nfrom research.validation import value_at_risk as tests",
            "quality": _GAPS,
            "compute": _BACKTEST + "\nevidence = tests.kupiec_pof(exceptions, level=level, size=size)\nevidence",
            "figure": _VAR_PICTURE,
            "record": """\
record(
    metrics={"p_value": metric(evidence.p_value, "probability", rtol=1e-6), "exceptions": int(exceptions.sum())},
    figures={"value_at_risk": figure},
    evidence=[evidence],
    passed=evidence.passed,
)""",
        },
    ),
}

TEST = '''"""{title}: the notebook runs with its defaults, passes, and is fit to be promoted."""

from pathlib import Path

import pytest

from research.experiments import notebooks
from research.experiments.runner import run_notebook
from research.lab.inspection import inspect
from research.project import find_project

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks/{kind}/{name}.ipynb"
DATA = ROOT / "{data}"


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_file(), reason="{dataset} is not here: dvc repro curate")
def test_it_passes_with_its_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESEARCH_STORE", str(tmp_path))
    monkeypatch.setenv("RESEARCH_MLFLOW", "off")
    outcome = run_notebook(NOTEBOOK, project=find_project(ROOT))
    assert outcome.capsule.passed


def test_its_defaults_are_valid() -> None:
    assert str(notebooks.read(NOTEBOOK).schema().check({{}}).as_of) == "{as_of}"


def test_nothing_in_it_would_keep_it_from_promotion() -> None:
    assert [str(item) for item in inspect(NOTEBOOK)] == []
'''
