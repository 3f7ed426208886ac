"""The implied-volatility surface: a map with level lines, which can be read off, and a view in space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from research.report import style
from research.report.charts._expiries import columns

if TYPE_CHECKING:
    from pandas import DataFrame


def surface(
    quotes: DataFrame,
    *,
    x: str = "strike",
    vol: str = "vol",
    title: str = "Implied volatility surface",
    subtitle: str = "",
) -> Any:
    """Level lines of implied volatility over strike and expiry, beside the same surface in space.

    Parameters
    ----------
    quotes : DataFrame, one row a point
        Columns: `days` (or `tau`, years); `x`; `vol` (decimal). A full grid, market or model.

    Returns
    -------
    matplotlib Figure
    """
    import numpy as np

    columns(quotes, x, vol)
    days = quotes["days"] if "days" in quotes.columns else quotes["tau"] * 365.0
    table = quotes.assign(days=days).pivot_table(index="days", columns=x, values=vol, aggfunc="mean")
    table = table.interpolate(axis=1, limit_area="inside").dropna(axis=0)
    strikes, expiries = np.meshgrid(table.columns.to_numpy(dtype=float), table.index.to_numpy(dtype=float))
    figure, axes = style.subplots(size=(10.0, 4.4))
    with style.applied():
        figure.delaxes(axes)
        flat, space = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2, projection="3d")
        _map(flat, strikes, expiries, table.to_numpy(dtype=float))
        flat.set_xlabel(x.replace("_", " ").capitalize())
        if x == "strike":
            style.number_axis(flat)
        _view(space, strikes, expiries, table.to_numpy(dtype=float), x)
    style.heading(figure, title, subtitle)
    return figure


def _map(axes: Any, strikes: Any, expiries: Any, vols: Any) -> None:
    axes.contourf(strikes, expiries, vols, levels=18, cmap=style.SEQUENTIAL)
    lines = axes.contour(strikes, expiries, vols, levels=9, colors="white", linewidths=0.8)
    axes.clabel(lines, fmt=lambda level: f"{100 * level:.0f}%", fontsize=8)
    axes.set_yscale("log")
    axes.set_yticks(expiries[:, 0], [f"{day:.0f}" for day in expiries[:, 0]])
    axes.minorticks_off()
    axes.set_ylabel("Days to expiry (log scale)")
    axes.grid(False)


def _view(axes: Any, strikes: Any, expiries: Any, vols: Any, x: str) -> None:
    import numpy as np
    from matplotlib.ticker import MaxNLocator

    depth = np.log(expiries)
    axes.plot_surface(
        strikes, depth, vols, cmap=style.SEQUENTIAL, linewidth=0.4, edgecolor="white", alpha=0.97, rcount=60, ccount=60
    )
    near = depth[0, 0]
    axes.plot(strikes[0], np.full_like(strikes[0], near), vols[0], color=style.COLORS["ink"], lw=1.4, zorder=5)
    ticks = _apart(expiries[:, 0])
    axes.set_yticks(np.log(ticks), [f"{day:.0f}" for day in ticks])
    axes.zaxis.set_major_formatter(lambda level, _: f"{100 * level:.0f}%")
    axes.zaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    for side in (axes.xaxis, axes.yaxis, axes.zaxis):
        side.set_pane_color((1.0, 1.0, 1.0, 0.0))
    if x == "strike":
        style.number_axis(axes)
    axes.tick_params(labelsize=7, pad=-1)
    axes.set_xlabel(x.replace("_", " ").capitalize(), fontsize=8, labelpad=-2)
    axes.set_ylabel("Days", fontsize=8, labelpad=-2)
    axes.view_init(elev=22, azim=-52)
    axes.set_box_aspect((1.3, 1.15, 0.85), zoom=1.06)


def _apart(days: Any) -> list[float]:
    """Expiries far enough from one another to be written on a log scale."""
    kept: list[float] = []
    for day in sorted(days):
        if not kept or day > 1.7 * kept[-1]:
            kept.append(float(day))
    return kept
