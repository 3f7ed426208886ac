"""Smiles: market quotes as dots, models as lines, one small panel for each expiry."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from research.report import style
from research.report.charts._expiries import by_expiry, columns, expiry_column, rows_at

if TYPE_CHECKING:
    from pandas import DataFrame

_LABELS = {"strike": "Strike", "log_moneyness": "Log-moneyness  ln(K / F)", "moneyness": "Moneyness  K / F"}


def smiles(
    quotes: DataFrame,
    fitted: DataFrame | Mapping[str, DataFrame] | None = None,
    *,
    x: str = "strike",
    vol: str = "vol",
    title: str = "",
    subtitle: str = "",
    n_cols: int = 4,
) -> Any:
    """Small multiples of implied volatility by strike; the panels of one row share their scale.

    Parameters
    ----------
    quotes : DataFrame, one row a quote
        Columns: one of `days` | `tau` (years) | `expiry`; `x`; `vol` (decimal).
    fitted : DataFrame or {model name: DataFrame}, optional
        The same columns on the quotes' strikes or on a finer grid; drawn as lines. None draws the quotes alone.
    x : str, default "strike"
        Column of the horizontal axis; "log_moneyness" also has its own label.
    vol : str, default "vol"
        Column of implied volatility in both frames, decimal.

    Returns
    -------
    matplotlib Figure
    """
    columns(quotes, x, vol)
    models = {} if fitted is None else dict(fitted) if isinstance(fitted, Mapping) else {"model": fitted}
    key, panels = expiry_column(quotes), list(by_expiry(quotes))
    n_cols = min(n_cols, len(panels))
    n_rows = math.ceil(len(panels) / n_cols)
    size = (max(2.5 * n_cols, 5.0), 2.15 * n_rows + 1.1)
    figure, grid = style.subplots(n_rows, n_cols, size=size, sharex=True, sharey="row", squeeze=False)
    with style.applied():
        for axes, (value, name, rows) in zip(grid.flat, panels):
            for i, (model, curve) in enumerate(models.items()):
                line = rows_at(curve, key, value).sort_values(x)
                axes.plot(line[x], line[vol], color=style.CYCLE[i], ls=style.DASHES[i % 4], label=model)
            axes.plot(rows[x], rows[vol], "o", color=style.COLORS["market"], mfc="white", ms=4, label="market")
            axes.set_title(name)
        _dress(figure, grid, len(panels), x)
    usual = "Implied volatility: market and model" if models else "Implied volatility by strike"
    style.heading(figure, title or usual, subtitle)
    style.legend(figure, grid.flat[0], reverse=True)
    return figure


def _dress(figure: Any, grid: Any, n_panels: int, x: str) -> None:
    for axes in list(grid.flat)[n_panels:]:
        axes.set_axis_off()
    for first in grid[:, 0]:
        style.percent_axis(first)
    if x == "strike":
        style.number_axis(grid.flat[0])
    figure.supxlabel(_LABELS.get(x, x), fontsize=9)
    figure.supylabel("Implied volatility", fontsize=9)
