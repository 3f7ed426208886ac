"""The pictures of a sweep: response surface, parallel coordinates, and which parameter matters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_SCALE = "Cividis"  # reads without colour vision, and in print
_INK, _BLUE = "#5b6776", "#0072B2"
_MOST_AXES = 10
_BINS = 6
_OWN = ("point", "state", "run_id", "hit", "seconds")


def metric_of(table: DataFrame, wanted: str | None, varied: list[str]) -> str | None:
    """The metric to draw: the wanted one, else the first number that differs between points."""
    names = [n for n in table.columns if n not in _OWN and n not in varied and _is_number(table[n])]
    if wanted in names:
        return wanted
    return next((n for n in names if table[n].nunique() > 1), names[0] if names else None)


def _is_number(values: Series) -> bool:
    return values.dtype.kind in "iuf" and bool(values.notna().any())


def effects(table: DataFrame, metric: str, varied: list[str]) -> list[tuple[str, float]]:
    """Share of the metric's variance between the values of each parameter (six groups of a continuous one)."""
    import pandas as pd

    known = table[table[metric].notna()]
    total = float(known[metric].var(ddof=0)) if len(known) > 1 else 0.0
    if total <= 1e-24 * float(known[metric].abs().max()) ** 2:  # it does not move: what is left is rounding
        return []
    out = []
    for name in varied if total > 0.0 else []:
        values = known[name]
        if _is_number(values) and values.nunique() > 2 * _BINS:
            values = pd.qcut(values, _BINS, duplicates="drop", labels=False)
        means = known.groupby(values.astype(str).to_numpy())[metric].transform("mean")
        share = float(means.var(ddof=0)) / total
        groups = values.nunique()
        if groups < len(known):  # groups of one explain everything, and nothing
            out.append((name, share))
    return sorted(out, key=lambda item: -item[1])


def _style(figure: Any, title: str) -> Any:
    figure.update_layout(
        title={"text": title, "font": {"size": 15}},
        template="plotly_white",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": _INK, "size": 12},
        margin={"l": 60, "r": 30, "t": 60, "b": 50},
        height=430,
        hovermode="closest",
    )
    return figure


def _axis(values: Series) -> dict[str, Any]:
    """A logarithmic axis where the values ask for one."""
    if not _is_number(values):
        return {"type": "category"}
    low, high = float(values.min()), float(values.max())
    return {"type": "log"} if low > 0.0 and high / low >= 100.0 and values.nunique() > 3 else {}


def surface(table: DataFrame, metric: str, varied: list[str]) -> Any | None:
    """The metric over the one or two parameters that move it most; None when nothing varies."""
    import plotly.graph_objects as go

    known = table[table[metric].notna()]
    ranked = [name for name, _ in effects(table, metric, varied)]
    names = ranked + [n for n in varied if n not in ranked]
    if not names or known.empty:
        return None
    beside = {n: len(known[[names[0], n]].astype(str).drop_duplicates()) for n in names[1:]}  # distinct places
    names = [names[0], *sorted(beside, key=lambda n: -beside[n])[:1]]
    if len(names) == 1:
        return _line(go, known, metric, names[0])
    x, y = names
    mean = known.pivot_table(index=y, columns=x, values=metric, aggfunc="mean")
    rest = [n for n in varied if n not in names]
    over = f", mean over {', '.join(rest)}" if rest else ""
    if mean.size <= 2500 and mean.notna().to_numpy().mean() > 0.6:
        made = go.Heatmap(
            x=_texts(mean.columns),
            y=_texts(mean.index),
            z=mean.to_numpy(),
            colorscale=_SCALE,
            colorbar={"title": metric},
        )
        figure = _style(go.Figure(made), f"{metric} over {x} and {y}{over}")
        return figure.update_layout(xaxis={"title": x}, yaxis={"title": y})
    marker = {"color": known[metric], "colorscale": _SCALE, "size": 9, "showscale": True, "colorbar": {"title": metric}}
    made = go.Scatter(x=known[x], y=known[y], mode="markers", marker=marker, text=_hover(known, metric))
    figure = _style(go.Figure(made), f"{metric} over {x} and {y}")
    return figure.update_layout(xaxis={"title": x, **_axis(known[x])}, yaxis={"title": y, **_axis(known[y])})


def _line(go: Any, known: DataFrame, metric: str, x: str) -> Any:
    ordered = known.sort_values(x)
    mode = "lines+markers" if ordered[x].is_unique and _is_number(ordered[x]) else "markers"
    made = go.Scatter(
        x=ordered[x], y=ordered[metric], mode=mode, marker={"size": 8, "color": _BLUE}, text=_hover(ordered, metric)
    )
    figure = _style(go.Figure(made), f"{metric} over {x}")
    return figure.update_layout(xaxis={"title": x, **_axis(known[x])}, yaxis={"title": metric})


def _texts(values: Any) -> list[str]:
    return [f"{v:.6g}" if isinstance(v, (float, np.floating)) else str(v) for v in values]


def _hover(known: DataFrame, metric: str) -> list[str]:
    return [f"point {n}: {v:.6g}" for n, v in zip(known["point"], known[metric])]


def parallel(table: DataFrame, metric: str, varied: list[str]) -> Any | None:
    """Every point as a line through its parameters to the metric; drag along an axis to keep some of them."""
    import plotly.graph_objects as go

    known = table[table[metric].notna()]
    if known.empty or not varied:
        return None
    ranked = [name for name, _ in effects(table, metric, varied)]
    names = (ranked + [n for n in varied if n not in ranked])[:_MOST_AXES]
    axes = [_dimension(n, known[n]) for n in [*names, metric]]
    line = {"color": known[metric], "colorscale": _SCALE, "showscale": True, "colorbar": {"title": metric}}
    figure = _style(go.Figure(go.Parcoords(dimensions=axes, line=line)), "every point")
    left = 80 if _is_number(known[names[0]]) else 60 + 6 * int(known[names[0]].astype(str).str.len().max())
    return figure.update_layout(margin={"l": min(left, 240), "r": 60, "t": 90, "b": 40})


def _dimension(name: str, values: Series) -> dict[str, Any]:
    if _is_number(values):
        if _axis(values).get("type") == "log":
            low, high = np.floor(np.log10(values.min())), np.ceil(np.log10(values.max()))
            ticks = np.arange(low, high + 1)
            return {
                "label": name,
                "values": np.log10(values),
                "tickvals": ticks,
                "ticktext": [f"{10**t:g}" for t in ticks],
            }
        return {"label": name, "values": values}
    texts = values.astype(str)
    kinds = sorted(texts.unique())
    codes = texts.map({kind: i for i, kind in enumerate(kinds)})
    shown = range(0, len(kinds), max(1, len(kinds) // 12))
    return {"label": name, "values": codes, "tickvals": list(shown), "ticktext": [kinds[i] for i in shown]}
