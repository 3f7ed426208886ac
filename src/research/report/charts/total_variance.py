"""Total variance by log-moneyness, one line an expiry: lines that cross are calendar arbitrage (Gatheral, 2006)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from research.report import style
from research.report.charts._expiries import by_expiry, columns, expiry_column, rows_at

if TYPE_CHECKING:
    from pandas import DataFrame


def total_variance(
    slices: DataFrame,
    quotes: DataFrame | None = None,
    *,
    x: str = "log_moneyness",
    value: str = "total_variance",
    title: str = "Total variance: lines that cross are calendar arbitrage",
    subtitle: str = "",
) -> Any:
    """Lines of total implied variance w(k) = vol^2 tau, the nearest expiry lowest; quotes as dots.

    Parameters
    ----------
    slices : DataFrame, one row a point of a slice
        Columns: one of `days` | `tau` | `expiry`; `x`; `value` (vol^2 times years).
    quotes : DataFrame, optional
        The same columns, at the market's strikes.

    Returns
    -------
    matplotlib Figure
    """
    import matplotlib

    columns(slices, x, value)
    key, groups = expiry_column(slices), list(by_expiry(slices))
    colors = matplotlib.colormaps[style.SEQUENTIAL]([i / max(len(groups) - 1, 1) * 0.88 for i in range(len(groups))])
    figure, axes = style.subplots(size=(9.0, 5.0))
    with style.applied():
        ends: list[tuple[float, str, Any]] = []
        for color, (expiry, name, rows) in zip(colors, groups):
            line = rows.sort_values(x)
            axes.plot(line[x], line[value], color=color)
            ends.append((float(line[value].iloc[-1]), name, color))
            if quotes is not None:
                dots = rows_at(quotes, key, expiry)
                axes.plot(dots[x], dots[value], "o", color=color, mfc="white", ms=4)
        axes.set_xlabel("Log-moneyness  ln(K / F)")
        axes.set_ylabel("Total variance  vol² × years")
        axes.set_ylim(bottom=0.0)
        axes.margins(x=0.01)
        direct_labels(axes, ends)
    style.heading(figure, title, subtitle)
    return figure


def direct_labels(axes: Any, ends: list[tuple[float, str, Any]]) -> None:
    """Names at the right end of the lines, moved apart where they would touch, and kept beside the axes."""
    low, high = axes.get_ylim()
    gap = 0.045 * (high - low)
    ends = sorted(ends, key=lambda item: item[0])
    places: list[float] = []
    for end, _, _ in ends:
        places.append(end if not places else max(end, places[-1] + gap))
    ceiling = high + gap
    for i in reversed(range(len(places))):
        ceiling = min(places[i], ceiling - gap)
        places[i] = ceiling
    across = axes.get_yaxis_transform()
    for (_, name, color), place in zip(ends, places):
        axes.text(1.012, place, name, color=color, fontsize=8.5, va="center", transform=across)
