"""Durrleman's g by log-moneyness: below zero the implied density is negative (Gatheral and Jacquier, 2014)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from research.report import style
from research.report.charts._expiries import by_expiry, columns
from research.report.charts.total_variance import direct_labels

if TYPE_CHECKING:
    from pandas import DataFrame

_TOP = 2.0  # the density of a lognormal has g = 1 at the money


def durrleman(
    g: DataFrame,
    *,
    x: str = "log_moneyness",
    value: str = "g",
    title: str = "Butterfly check: Durrleman's g must not fall below zero",
    subtitle: str = "",
) -> Any:
    """Lines of g(k), one for each expiry; the forbidden region is shaded. What matters is near zero: above 2 is cut.

    Parameters
    ----------
    g : DataFrame, one row a point
        Columns: one of `days` | `tau` | `expiry`; `x`; `value`.

    Returns
    -------
    matplotlib Figure
    """
    import matplotlib

    columns(g, x, value)
    groups = list(by_expiry(g))
    colors = matplotlib.colormaps[style.SEQUENTIAL]([i / max(len(groups) - 1, 1) * 0.88 for i in range(len(groups))])
    largest, smallest = float(g[value].max()), float(g[value].min())
    top = min(1.05 * largest, _TOP) if largest > 0.0 else _TOP
    low = min(-0.08 * top, 1.15 * smallest)
    figure, axes = style.subplots(size=(9.0, 4.4))
    with style.applied():
        ends: list[tuple[float, str, Any]] = []
        for color, (_, name, rows) in zip(colors, groups):
            line = rows.sort_values(x)
            axes.plot(line[x], line[value], color=color)
            ends.append((min(float(line[value].iloc[-1]), top), name, color))
        axes.axhspan(low, 0.0, color=style.COLORS["alarm"], alpha=0.13, lw=0)
        axes.axhline(0.0, color=style.COLORS["alarm"], lw=1.2)
        axes.text(0.01, low / 2, "butterfly arbitrage", transform=axes.get_yaxis_transform(), va="center",
                  color=style.COLORS["alarm"], fontsize=8.5)  # fmt: skip
        axes.set_ylim(low, top)
        if largest > top:
            told = f"cut at {top:g}; the largest is {largest:.3g}"
            axes.text(0.01, 0.97, told, transform=axes.transAxes, va="top", fontsize=8.5, color=style.COLORS["muted"])
        axes.margins(x=0.01)
        axes.set_xlabel("Log-moneyness  ln(K / F)")
        axes.set_ylabel("g(k)")
        direct_labels(axes, ends)
    style.heading(figure, title, subtitle)
    return figure
