"""Parameters of a fit with their uncertainty: which are well known, and which the quotes can hardly tell?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from research.report import style
from research.report.charts._expiries import columns

if TYPE_CHECKING:
    from pandas import DataFrame


def parameters(
    table: DataFrame, *, title: str = "Parameters and how well the quotes determine them", subtitle: str = ""
) -> Any:
    """One row a parameter: two standard errors each side, in percent of the value; the numbers beside it.

    Parameters
    ----------
    table : DataFrame, one row a parameter
        Columns: `name`, `value`, `std_error`. A standard error that is not finite is left out. Bars end at 100%.

    Returns
    -------
    matplotlib Figure
    """
    columns(table, "name", "value", "std_error")
    figure, axes = style.subplots(size=(8.0, 0.38 * len(table) + 1.5))
    spreads = [_relative(float(v), float(e)) for v, e in zip(table["value"], table["std_error"])]
    reach = 1.15 * max([s for s in spreads if math.isfinite(s)], default=1.0) or 1.0
    with style.applied():
        for i, (value, error, spread) in enumerate(zip(table["value"], table["std_error"], spreads)):
            if math.isfinite(spread):
                axes.plot([-spread, spread], [i, i], "|-", color=style.COLORS["model"], lw=2.2, ms=9)
            axes.plot(0.0, i, "o", color=style.COLORS["model"], ms=6)
            axes.text(1.02, i, _numbers(float(value), float(error)), transform=axes.get_yaxis_transform(), va="center")
        axes.set_yticks(range(len(table)), list(table["name"]), fontsize=10)
        axes.set_ylim(len(table) - 0.4, -0.6)
        axes.set_xlim(-reach, reach)
        style.percent_axis(axes, axis="x")
        axes.set_xlabel("± 2 standard errors, percent of the value")
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
    style.heading(figure, title, subtitle)
    return figure


def _relative(value: float, error: float) -> float:
    """Two standard errors as a share of the value, at most 1; nan where the error is not known."""
    if not math.isfinite(error):
        return math.nan
    return min(2.0 * error / abs(value), 1.0) if value else 1.0


def _numbers(value: float, error: float) -> str:
    text = f"{value:.4g}" + (f" ± {2.0 * error:.2g}" if math.isfinite(error) else "")
    return text.replace("-", "−")
