"""Agreement of two pricers, on a log scale: every case a dot, the tolerance a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from research.report import style
from research.report.charts._expiries import columns

if TYPE_CHECKING:
    from pandas import DataFrame


def price_differences(
    frame: DataFrame,
    *,
    difference: str = "difference",
    group: str | None = None,
    x: str | None = None,
    xlabel: str = "",
    tolerance: float | None = None,
    floor: float = 1e-17,
    unit: str = "",
    title: str = "Agreement with an independent pricer",
    subtitle: str = "",
) -> Any:
    """Absolute differences, one dot a case, groups side by side; exact agreement lies on the floor.

    Parameters
    ----------
    frame : DataFrame, one row a case
        Column `difference` (ours less theirs, any sign); `group` names the sets of cases; `x` a horizontal axis
        (strike, years) when there are no groups.
    tolerance : float, optional
        Drawn as a line; larger differences are drawn as crosses.
    floor : float, default 1e-17
        Where differences of exactly zero (and smaller ones) are shown.

    Returns
    -------
    matplotlib Figure
    """
    import numpy as np

    columns(frame, difference, *(name for name in (group, x) if name))
    size = np.maximum(np.abs(frame[difference].to_numpy(dtype=float)), floor)
    labels = frame[group].astype(str).to_numpy() if group else np.full(len(frame), "")
    names: list[str] = list(dict.fromkeys(labels.tolist()))
    figure, axes = style.subplots(size=(max(6.5, 1.3 * len(names) + 2.0) if not x else 9.0, 4.2))
    with style.applied():
        for i, name in enumerate(names):
            here = labels == name
            along = frame[x].to_numpy(dtype=float)[here] if x else i + _spread(int(here.sum()))
            bad = size[here] > tolerance if tolerance else np.zeros(int(here.sum()), dtype=bool)
            color = style.CYCLE[i % 7] if x else style.COLORS["model"]
            marker = style.MARKERS[i % 6] if x else "o"
            axes.plot(along[~bad], size[here][~bad], marker, color=color, ms=3.5, alpha=0.65, mew=0, label=name or None)
            axes.plot(along[bad], size[here][bad], "x", color=style.COLORS["alarm"], ms=6, mew=1.5)
            if not x:
                _largest(axes, i, float(size[here].max()))
        _dress(axes, names if not x else [], tolerance, floor, unit)
        if x:
            style.number_axis(axes)
        axes.set_xlabel(xlabel or (x or "").replace("_", " ").capitalize())
    style.heading(figure, title, subtitle)
    if x and group:
        style.legend(figure, axes)
    return figure


def _spread(n: int) -> Any:
    """Even, deterministic places for n dots within a column."""
    import numpy as np

    return 0.32 * (2.0 * ((np.arange(n) * 0.6180339887498949) % 1.0) - 1.0)


def _largest(axes: Any, place: int, value: float) -> None:
    axes.plot([place - 0.36, place + 0.36], [value, value], color=style.COLORS["ink"], lw=1.2)
    axes.text(place, 1.01, f"largest {value:.1e}", transform=axes.get_xaxis_transform(), ha="center", fontsize=8)


def _dress(axes: Any, names: list[str], tolerance: float | None, floor: float, unit: str) -> None:
    axes.set_yscale("log")
    if tolerance:
        axes.axhline(tolerance, color=style.COLORS["alarm"], lw=1.2, ls=style.DASHES[1])
        axes.text(1.0, tolerance, f"  tolerance\n  {tolerance:.3g}", transform=axes.get_yaxis_transform(), ha="left",
                  va="center", fontsize=8.5, color=style.COLORS["alarm"])  # fmt: skip
        axes.set_ylim(floor / 3.0, max(axes.get_ylim()[1], tolerance * 6.0))
    axes.set_ylabel("Absolute difference" + (f", {unit}" if unit else ""))
    if names:
        axes.set_xticks(range(len(names)), names)
        axes.grid(axis="x", visible=False)
