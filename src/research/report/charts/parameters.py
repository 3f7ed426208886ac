"""Parameters of a fit with their uncertainty: each on its own scale, value and two standard errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from research.report import style
from research.report.charts._expiries import columns

if TYPE_CHECKING:
    from pandas import DataFrame


def parameters(table: DataFrame, *, title: str = "Parameters, ± 2 standard errors", subtitle: str = "") -> Any:
    """One row a parameter: a dot at the value, a bar of two standard errors, the numbers beside it.

    Parameters
    ----------
    table : DataFrame, one row a parameter
        Columns: `name`, `value`, `std_error`. A standard error that is not finite is left out.

    Returns
    -------
    matplotlib Figure
    """
    import math

    columns(table, "name", "value", "std_error")
    figure, grid = style.subplots(len(table), 1, size=(7.5, 0.62 * len(table) + 1.0), squeeze=False)
    with style.applied():
        for axes, row in zip(grid.flat, table.itertuples(index=False)):
            spread = 2.0 * float(row.std_error) if math.isfinite(float(row.std_error)) else 0.0
            axes.errorbar(row.value, 0.0, xerr=spread or None, fmt="o", color=style.COLORS["model"], capsize=4)
            axes.set_yticks([0.0], [row.name], fontsize=10)
            axes.set_ylim(-1.0, 1.0)
            axes.margins(x=0.25)
            axes.grid(axis="y", visible=False)
            axes.spines["left"].set_visible(False)
            axes.tick_params(axis="y", length=0)
            text = f"{row.value:.4g}" + (f" ± {spread:.2g}" if spread else "")
            axes.text(1.02, 0.0, text.replace("-", "−"), transform=axes.get_yaxis_transform(), va="center")
    style.heading(figure, title, subtitle)
    return figure
