"""Power of a test: how likely it is to reject a wrong model at this sample size. A pass with low power says little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from research.report import style
from research.report.text import words


def power_curve(
    alternatives: Sequence[float],
    power: Mapping[str, Sequence[float]],
    *,
    null: float | None = None,
    size: float = 0.05,
    observed: float | Mapping[str, float] | None = None,
    xlabel: str = "True exception rate",
    percent: bool = True,
    title: str = "Power: would the test have seen a wrong model?",
    subtitle: str = "",
) -> Any:
    """Probability to reject, by the true value; the dashed lines are the null and the size of the test.

    Parameters
    ----------
    alternatives : sequence of float, shape (n,)
        True values at which the power is known.
    power : {label: sequence of float, shape (n,)}
        One line for each test or sample size.
    null : float, optional
        The value under the null hypothesis.
    size : float, default 0.05
        Probability to reject a right model.
    observed : float or {label: float}, optional
        Observed values, marked on the horizontal axis.
    percent : bool, default True
        Show the horizontal axis in percent.

    Returns
    -------
    matplotlib Figure
    """
    figure, axes = style.subplots(size=(8.0, 4.2))
    with style.applied():
        for i, (name, values) in enumerate(power.items()):
            axes.plot(alternatives, values, color=style.CYCLE[i], ls=style.DASHES[i % 4], label=words(name))
        axes.axhline(size, color=style.COLORS["muted"], lw=0.9, ls=":")
        axes.text(1.0, size, f"size {100 * size:g}%", transform=axes.get_yaxis_transform(), ha="right", va="bottom",
                  fontsize=8, color=style.COLORS["muted"])  # fmt: skip
        if null is not None:
            axes.axvline(null, color=style.COLORS["muted"], lw=0.9, ls=":")
            axes.text(null, 1.01, "right model", transform=axes.get_xaxis_transform(), ha="center", fontsize=8,
                      color=style.COLORS["muted"])  # fmt: skip
        for name, value in _marks(observed).items():
            axes.plot(value, 0.0, "^", color=style.COLORS["alarm"], ms=7, clip_on=False, zorder=5)
            axes.annotate(words(name), (value, 0.0), xytext=(0, 9), textcoords="offset points", ha="center", fontsize=8)
        axes.set_ylim(0.0, 1.0)
        axes.margins(x=0.0)
        style.percent_axis(axes)
        if percent:
            style.percent_axis(axes, axis="x")
        axes.set_xlabel(xlabel)
        axes.set_ylabel("Probability to reject")
    style.heading(figure, title, subtitle)
    style.legend(figure, axes)
    return figure


def _marks(observed: float | Mapping[str, float] | None) -> dict[str, float]:
    if observed is None:
        return {}
    return dict(observed) if isinstance(observed, Mapping) else {"observed": float(observed)}
