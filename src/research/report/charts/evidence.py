"""Evidence at a glance: p-values of named tests on a log scale, with verdict and power in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from research.report import style

if TYPE_CHECKING:
    from research.evidence import Evidence

_MARKS = {"pass": ("o", "good"), "fail": ("X", "alarm"), "not applicable": ("_", "muted")}


def evidence(
    items: Sequence[Evidence],
    *,
    labels: Sequence[str] | None = None,
    size: float = 0.05,
    floor: float = 1e-8,
    title: str = "Tests: p-values and verdicts",
    subtitle: str = "",
) -> Any:
    """One row a test: its p-value left or right of the size of the test; passed is a dot, failed a cross.

    Parameters
    ----------
    items : sequence of Evidence
        Those without a p-value are listed with their verdict only.
    labels : sequence of str, optional
        Names of the rows; default: the tests' own names.
    size : float, default 0.05
        Drawn as a line.
    floor : float, default 1e-8
        Smaller p-values are drawn here.

    Returns
    -------
    matplotlib Figure
    """
    names = list(labels) if labels is not None else [item.test for item in items]
    figure, axes = style.subplots(size=(9.0, 0.3 * len(items) + 1.5))
    with style.applied():
        shown = [max(item.p_value, floor) for item in items if item.p_value is not None]
        left = min([size / 10.0, *shown]) / 3.0
        axes.axvspan(left, size, color=style.COLORS["alarm"], alpha=0.1, lw=0)
        axes.axvline(size, color=style.COLORS["alarm"], lw=1.0)
        for i, item in enumerate(items):
            shape, role = _MARKS[item.verdict]
            if item.p_value is not None:
                axes.plot(max(item.p_value, floor), i, shape, color=style.COLORS[role], ms=6.5)
            axes.text(1.015, i, _words(item), transform=axes.get_yaxis_transform(), va="center", fontsize=8.5,
                      color=style.COLORS[role])  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlim(left, 1.6)
        axes.set_yticks(range(len(items)), names)
        axes.set_ylim(len(items) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"p-value (log scale; left of {size:g}: the claim is rejected)")
    style.heading(figure, title, subtitle)
    return figure


def _words(item: Evidence) -> str:
    parts: list[str] = [item.verdict]
    if item.p_value is not None:
        parts.append(f"p = {item.p_value:.3g}")
    if item.power is not None:
        parts.append(f"power {100 * item.power:.0f}%")
    return ", ".join(parts)
