"""Exceptions in each year against what the level promises: is the model wrong when it matters?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from research.report import style
from research.report.charts.var_backtest import chosen, method_names
from research.report.text import words

if TYPE_CHECKING:
    from pandas import DataFrame


def exceptions_by_year(
    frame: DataFrame,
    method: str | Sequence[str] | None = None,
    level: float | None = None,
    *,
    date: str = "date",
    returns: str = "return",
    value_at_risk: str = "value_at_risk",
    title: str = "Exceptions by year",
    subtitle: str = "",
) -> Any:
    """Number of exceptions by year (columns) and method (rows); the shade is the ratio to the number expected.

    Years with too few days to expect half an exception are grey.

    Parameters
    ----------
    frame : DataFrame
        As for `var_backtest`.
    level : float
        The VaR level: 0.99 expects one exception in a hundred days.

    Returns
    -------
    matplotlib Figure
    """
    import numpy as np
    import pandas as pd
    from matplotlib.colors import TwoSlopeNorm

    data = chosen(frame, level, date, returns, value_at_risk)
    rate = 1.0 - (level if level is not None else float(data["level"].iloc[0]))
    names = method_names(data, method)
    years = pd.DatetimeIndex(data[date]).year
    data = data.assign(year=years, bad=data[returns] < -data[value_at_risk])
    groups = [data[data["method"] == name] if name else data for name in names]
    count = pd.DataFrame([rows.groupby("year")["bad"].sum() for rows in groups]).to_numpy(dtype=float)
    days = pd.DataFrame([rows.groupby("year")["bad"].size() for rows in groups]).to_numpy(dtype=float)
    labels = sorted(set(years))
    figure, axes = style.subplots(size=(max(0.5 * len(labels) + 2.4, 6.0), 0.42 * len(names) + 1.7))
    with style.applied():
        ratio = count / (rate * days)
        top = max(4.0, float(np.nanmax(ratio)))
        norm = TwoSlopeNorm(1.0, -1.5, top)  # too few is worth a pale blue, too many a red
        ratio[rate * days < 0.5] = np.nan  # a few days of a year say nothing
        image = axes.pcolormesh(ratio, cmap=style.DIVERGING, norm=norm, edgecolors="white", linewidth=1.5)
        for (i, j), number in np.ndenumerate(count):
            dark = np.nan_to_num(ratio[i, j]) > 0.6 * top
            axes.text(j + 0.5, i + 0.5, f"{number:.0f}", ha="center", va="center", fontsize=8.5,
                      color="white" if dark else style.COLORS["ink"])  # fmt: skip
        axes.set_facecolor(style.COLORS["grid"])
        axes.set_xticks(np.arange(len(labels)) + 0.5, [str(year) for year in labels])
        axes.set_yticks(np.arange(len(names)) + 0.5, [words(name or "VaR") for name in names])
        axes.invert_yaxis()
        axes.grid(False)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        bar = figure.colorbar(image, ax=axes, pad=0.015, ticks=[0, 1, 2, 4])
        bar.ax.set_yticklabels(["none", "as expected", "2 ×", "4 ×"])
        bar.ax.set_ylim(0.0, top)
        bar.outline.set_visible(False)
    expected = f"expected: {rate * float(np.nanmedian(days)):.1f} a year at level {100 * (1 - rate):g}%"
    style.heading(figure, title, subtitle or expected)
    return figure
