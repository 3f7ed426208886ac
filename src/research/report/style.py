"""One look for every figure: Okabe and Ito (2008) colours, quiet axes, a solid ground.

Colours are told apart by people with any common colour vision; nothing is said by colour alone. Figures keep a solid
white ground, so that they stay readable on a dark page.

    from research.report import style
    style.use()                       # for figures made by hand with pyplot
    figure, axes = style.subplots(1, 2)

Charts of `research.report.charts` apply the style by themselves.

References
----------
Okabe, M. and Ito, K. (2008), Color Universal Design: how to make figures that are friendly to colorblind people.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# The eight colours of Okabe and Ito, by name, and the roles they play here.
COLORS: dict[str, str] = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
    "ink": "#1F2933",  # text and axes
    "muted": "#6B7785",  # secondary text, reference lines
    "grid": "#E3E7EB",
    "ground": "#FFFFFF",
    "market": "#1F2933",  # what was observed
    "model": "#0072B2",  # what the model says
    "good": "#009E73",
    "warning": "#E69F00",
    "alarm": "#D55E00",
}

CYCLE: tuple[str, ...] = tuple(
    COLORS[name] for name in ("blue", "vermillion", "green", "orange", "purple", "sky", "black", "yellow")
)
MARKERS: tuple[str, ...] = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
DIVERGING = "RdBu_r"  # colour-blind-safe with white at zero
SEQUENTIAL = "viridis"  # even steps for every eye, and in grey

_DPI = 160  # of a saved or shown picture
_SCREEN_DPI = 88  # picture pixels are shown at this density: crisp on a fine screen

RC: dict[str, Any] = {
    "figure.dpi": _DPI,
    "savefig.dpi": _DPI,
    "figure.facecolor": COLORS["ground"],
    "axes.facecolor": COLORS["ground"],
    "savefig.facecolor": COLORS["ground"],
    "savefig.transparent": False,
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "mathtext.fontset": "dejavusans",
    "figure.titlesize": 12.0,
    "figure.titleweight": "bold",
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 7.0,
    "axes.labelsize": 9.0,
    "axes.labelcolor": COLORS["ink"],
    "axes.edgecolor": COLORS["muted"],
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": COLORS["grid"],
    "grid.linewidth": 0.7,
    "text.color": COLORS["ink"],
    "xtick.color": COLORS["ink"],
    "ytick.color": COLORS["ink"],
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "axes.unicode_minus": True,
}


def use() -> None:
    """Set the style for every figure made from here on."""
    import matplotlib
    from cycler import cycler

    matplotlib.rcParams.update(RC | {"axes.prop_cycle": cycler(color=CYCLE)})


@contextmanager
def applied() -> Iterator[None]:
    """The style inside a `with` block only."""
    import matplotlib
    from cycler import cycler

    with matplotlib.rc_context(RC | {"axes.prop_cycle": cycler(color=CYCLE)}):
        yield


@functools.cache
def _chart_class() -> type[Any]:
    """A matplotlib Figure that shows itself once, crisp, in any notebook, and stays out of pyplot's list."""
    from matplotlib.figure import Figure

    class Chart(Figure):
        def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
            width, height = self.get_size_inches()
            size = {"width": round(width * _SCREEN_DPI), "height": round(height * _SCREEN_DPI)}
            return png(self), {**size, "alt": self.get_suptitle().strip() or "chart"}

    return Chart


def subplots(n_rows: int = 1, n_cols: int = 1, *, size: tuple[float, float] = (9.0, 4.5), **options: Any) -> Any:
    """A figure with the style applied, and its axes; `size` is (width, height) in inches."""
    with applied():
        figure = _chart_class()(figsize=size, layout="constrained", dpi=_DPI)
        axes = figure.subplots(n_rows, n_cols, **options)
    return figure, axes


def png(figure: Any) -> bytes:
    """The figure as PNG bytes with a solid ground and no time stamp: the same figure gives the same bytes."""
    import io

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, facecolor=COLORS["ground"], metadata={"Software": None})
    return buffer.getvalue()


def heading(figure: Any, title: str, subtitle: str = "") -> None:
    """Title of the whole figure at the left: what is seen; below it in grey: of what, and in which unit."""
    from matplotlib.transforms import ScaledTranslation

    with applied():
        figure.suptitle(title + ("\n" if subtitle else ""), x=0.008, ha="left", linespacing=1.45)
        if subtitle:  # over the empty second line, so that the layout keeps room for it
            below = ScaledTranslation(0.0, -(3.0 + 12.0 * 1.55) / 72.0, figure.dpi_scale_trans)
            place = figure.transFigure + below
            note = figure.text(0.008, 1.0, subtitle, ha="left", va="top", color=COLORS["muted"], transform=place)
            note.set_in_layout(False)


def legend(figure: Any, axes: Any, *, reverse: bool = False) -> None:
    """Legend of `axes` at the right of the heading; below the figure where the heading leaves no room."""
    handles, labels = axes.get_legend_handles_labels()
    if reverse:
        handles, labels = handles[::-1], labels[::-1]
    with applied():
        renderer = figure.canvas.get_renderer() if hasattr(figure.canvas, "get_renderer") else figure._get_renderer()
        box = figure.legend(handles, labels, loc="outside upper right", ncols=len(labels))
        used = 0.0 if figure._suptitle is None else figure._suptitle.get_window_extent(renderer).x1
        if used + box.get_window_extent(renderer).width + 20 > figure.bbox.width:
            box.remove()
            figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 5))


def percent_axis(axes: Any, *, axis: str = "y", decimals: int | None = None) -> None:
    """Show decimals as percent, as short as they are: 0.2 reads 20%, 0.275 reads 27.5%."""
    from matplotlib.ticker import FuncFormatter

    spec = ".6g" if decimals is None else f".{decimals}f"
    _axis(axes, axis).set_major_formatter(FuncFormatter(lambda value, _: f"{_minus(100.0 * value, spec)}%"))


def bp_axis(axes: Any, *, axis: str = "y", scale: float = 1.0) -> None:
    """Show values as basis points; `scale` is 1 when they are basis points already, 1e4 for decimals."""
    from matplotlib.ticker import FuncFormatter

    _axis(axes, axis).set_major_formatter(FuncFormatter(lambda value, _: f"{_minus(value * scale, '.6g')} bp"))


def number_axis(axes: Any, *, axis: str = "x") -> None:
    """Plain numbers with a comma at the thousands."""
    from matplotlib.ticker import FuncFormatter

    _axis(axes, axis).set_major_formatter(FuncFormatter(lambda value, _: _minus(value, ",.10g")))


def date_axis(axes: Any, *, axis: str = "x") -> None:
    """Dates, as short as the span allows."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=9)
    _axis(axes, axis).set_major_locator(locator)
    _axis(axes, axis).set_major_formatter(ConciseDateFormatter(locator))


def _axis(axes: Any, axis: str) -> Any:
    return axes.xaxis if axis == "x" else axes.yaxis


def _minus(value: float, spec: str) -> str:
    """Format with a true minus sign."""
    return format(value, spec).replace("-", "−")
