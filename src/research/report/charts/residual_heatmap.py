"""Residuals of a fit by expiry and strike: where the model is too high (red), where too low (blue)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from research.report import style
from research.report.charts._expiries import columns, expiry_column, label

if TYPE_CHECKING:
    from pandas import DataFrame


def residual_heatmap(
    residuals: DataFrame,
    *,
    x: str = "strike",
    value: str = "residual",
    scale: float = 1.0,
    unit: str = "bp",
    limit: float | None = None,
    title: str = "Residuals: model less market",
    subtitle: str = "",
) -> Any:
    """Diverging map of residuals, white at zero, with the number in each cell.

    Parameters
    ----------
    residuals : DataFrame, one row a quote
        Columns: one of `days` | `tau` | `expiry`; `x`; `value`.
    value : str, default "residual"
        Column of the residual.
    scale : float, default 1.0
        Residual times `scale` is shown in `unit`: 1e4 for decimal vols in bp.
    limit : float, in `unit`, optional
        The colour scale ends here; default: the largest absolute residual. Larger ones keep their number.

    Returns
    -------
    matplotlib Figure
    """
    import numpy as np

    columns(residuals, x, value)
    rows = expiry_column(residuals)
    table = residuals.pivot_table(index=rows, columns=x, values=value, aggfunc="mean") * scale
    cells = table.to_numpy(dtype=float)
    top = limit or float(np.nanmax(np.abs(cells))) or 1.0
    size = (max(0.62 * cells.shape[1] + 2.2, 6.0), max(0.42 * cells.shape[0] + 1.6, 2.8))
    figure, axes = style.subplots(size=size)
    with style.applied():
        image = axes.pcolormesh(cells, cmap=style.DIVERGING, vmin=-top, vmax=top, edgecolors="white", linewidth=1.5)
        for (i, j), number in np.ndenumerate(cells):
            if np.isfinite(number):
                ink = "white" if abs(number) > 0.55 * top else style.COLORS["ink"]
                axes.text(j + 0.5, i + 0.5, _cell(number), ha="center", va="center", fontsize=8, color=ink)
        axes.set_xticks(np.arange(cells.shape[1]) + 0.5, [_tick(v) for v in table.columns])
        axes.set_yticks(np.arange(cells.shape[0]) + 0.5, [label(rows, v) for v in table.index])
        axes.invert_yaxis()
        axes.grid(False)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_xlabel(x.replace("_", " ").capitalize())
        bar = figure.colorbar(image, ax=axes, shrink=0.9, pad=0.015, extend="both" if limit else "neither")
        bar.set_label(unit)
        bar.outline.set_visible(False)
    style.heading(figure, title, subtitle)
    return figure


def _cell(number: float) -> str:
    """Signed and as short as it can be: +12, −3.4, 0."""
    text = f"{number:+.0f}" if abs(number) >= 9.5 else f"{number:+.1f}"
    return "0" if float(text) == 0.0 else text.replace("-", "−")


def _tick(value: Any) -> str:
    return f"{value:,.10g}" if isinstance(value, (int, float)) else str(value)
