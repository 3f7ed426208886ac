"""The Basel traffic light: how many exceptions are too many (Basel Committee, 1996).

Zones end where the cumulative binomial probability of the number of exceptions, under a right model, passes 95 %
(green to yellow) and 99.99 % (yellow to red).

References
----------
Basel Committee on Banking Supervision (1996), Supervisory framework for the use of "backtesting" in conjunction with
the internal models approach to market risk capital requirements.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from research.report import style
from research.report.text import words

_ZONES = (("green", "good", 0.95), ("yellow", "warning", 0.9999), ("red", "alarm", 1.0))


def traffic_light(
    counts: Mapping[str, int],
    n: int = 250,
    level: float = 0.99,
    *,
    title: str = "Basel traffic light",
    subtitle: str = "",
) -> Any:
    """Above: one row a method, its number of exceptions on the three zones. Below: the cumulative probability.

    Parameters
    ----------
    counts : {method: number of exceptions}
    n : int, default 250
        Days observed.
    level : float, default 0.99
        VaR level.

    Returns
    -------
    matplotlib Figure
    """
    import numpy as np
    from scipy.stats import binom

    expected = n * (1.0 - level)
    ends = [int(binom.ppf(p, n, 1.0 - level)) - 1 for _, _, p in _ZONES[:2]]  # last count below each probability
    right = max(max(counts.values(), default=0) * 1.08, ends[1] * 1.25) + 1.5
    left = -0.5 if ends[0] < 30 else max(-0.5, min(min(counts.values()), expected) - 0.35 * (ends[1] - expected))
    figure, (rows, curve) = style.subplots(
        2, 1, size=(9.0, 0.36 * len(counts) + 3.2), sharex=True, height_ratios=[0.36 * len(counts) + 0.4, 2.0]
    )
    with style.applied():
        edges = [left, ends[0] + 0.5, ends[1] + 0.5, right]
        for axes in (rows, curve):
            for (_, role, _), start, stop in zip(_ZONES, edges, edges[1:]):
                axes.axvspan(start, stop, color=style.COLORS[role], alpha=0.2, lw=0)
            axes.axvline(expected, color=style.COLORS["muted"], lw=1.0, ls=style.DASHES[1])
        for (zone, _, _), start, stop in zip(_ZONES, edges, edges[1:]):
            rows.text((start + stop) / 2, 1.02, zone, transform=rows.get_xaxis_transform(), ha="center", fontsize=8.5,
                      fontweight="bold", color=style.COLORS["muted"])  # fmt: skip
        _markers(rows, counts)
        grid = np.arange(max(0, int(left)), int(right) + 1)
        curve.step(grid, binom.cdf(grid, n, 1.0 - level), where="post", color=style.COLORS["ink"], lw=1.4)
        curve.set_ylabel("P(exceptions ≤ x)\nif the model is right")
        curve.set_xlabel(f"Exceptions in {n:,} days at level {100 * level:g}%   (dashed: {expected:g} expected)")
        style.percent_axis(curve)
        curve.set_xlim(left, right)
    style.heading(figure, title, subtitle)
    return figure


def _markers(axes: Any, counts: Mapping[str, int]) -> None:
    for i, (_, count) in enumerate(counts.items()):
        axes.plot(count, i, "D", color=style.COLORS["ink"], ms=6)
        axes.annotate(f"{count:,}", (count, i), xytext=(7, 0), textcoords="offset points", va="center", fontsize=8.5)
    axes.set_yticks(range(len(counts)), [words(name) for name in counts])
    axes.set_ylim(len(counts) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
