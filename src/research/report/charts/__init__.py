"""Charts: frames in, one matplotlib figure out. Every chart shows itself in a notebook, once.

| question | chart | reads |
|---|---|---|
| does the model fit the smiles? | `smiles` | quotes and fitted vols by expiry |
| where does it not fit? | `residual_heatmap` | residuals by expiry and strike |
| how does the surface look? | `surface` | implied vols by expiry and strike |
| is there calendar arbitrage? | `total_variance` | slices of total variance by log-moneyness |
| is there butterfly arbitrage? | `durrleman` | Durrleman's g by log-moneyness |
| how sure is the fit? | `parameters` | values with standard errors |
| what did VaR say, and when was it wrong? | `var_backtest` | returns and VaR by date |
| in which years was it wrong? | `exceptions_by_year` | exceptions by date |
| too many exceptions? | `traffic_light` | number of exceptions by method |
| could the test have seen a bad model? | `power_curve` | power by alternative |
| do two pricers agree? | `price_differences` | differences of prices |
| which tests passed? | `evidence` | p-values and verdicts |
"""

from research.report.charts.durrleman import durrleman
from research.report.charts.evidence import evidence
from research.report.charts.exceptions_by_year import exceptions_by_year
from research.report.charts.parameters import parameters
from research.report.charts.power_curve import power_curve
from research.report.charts.price_differences import price_differences
from research.report.charts.residual_heatmap import residual_heatmap
from research.report.charts.smiles import smiles
from research.report.charts.surface import surface
from research.report.charts.total_variance import total_variance
from research.report.charts.traffic_light import traffic_light
from research.report.charts.var_backtest import var_backtest

__all__ = [
    "smiles",
    "residual_heatmap",
    "surface",
    "total_variance",
    "durrleman",
    "parameters",
    "var_backtest",
    "exceptions_by_year",
    "traffic_light",
    "power_curve",
    "price_differences",
    "evidence",
]
