"""Returns against value at risk through time; exceptions by shape as well as colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from research.errors import require
from research.report import style
from research.report.charts._expiries import columns
from research.report.text import words

if TYPE_CHECKING:
    from pandas import DataFrame, Series


def var_backtest(
    frame: DataFrame,
    method: str | Sequence[str] | None = None,
    level: float | None = None,
    *,
    date: str = "date",
    returns: str = "return",
    value_at_risk: str = "value_at_risk",
    title: str = "Value at risk, out of sample",
    subtitle: str = "",
) -> Any:
    """One panel a method: daily returns, the VaR line (as a negative return), exceptions as crosses.

    Parameters
    ----------
    frame : DataFrame, one row a day (and method, and level)
        Columns: `date` (or a date index); `returns`, decimal; `value_at_risk`, decimal, positive is a loss;
        `method` and `level` when it holds several.
    method : str or sequence of str, optional
        Which methods to show; default: all in the frame, in order of appearance.
    level : float, optional
        Which level to show; may be left out when the frame has one level.

    Returns
    -------
    matplotlib Figure
    """
    data = chosen(frame, level, date, returns, value_at_risk)
    names = method_names(data, method)
    size = (10.0, 1.85 * len(names) + 1.1 if len(names) > 1 else 4.2)
    figure, grid = style.subplots(len(names), 1, size=size, sharex=True, sharey=True, squeeze=False)
    with style.applied():
        for axes, name in zip(grid.flat, names):
            rows = data[data["method"] == name] if name else data
            _panel(axes, rows[date], rows[returns], rows[value_at_risk], words(name or ""))
        style.date_axis(grid.flat[-1])
        style.percent_axis(grid.flat[0])
        figure.supylabel("Daily return", fontsize=9)
    style.heading(figure, title, subtitle or (f"level {100 * level:g}%" if level else ""))
    style.legend(figure, grid.flat[0])
    return figure


def chosen(frame: DataFrame, level: float | None, date: str, *needed: str) -> DataFrame:
    """The rows of one level, with the date as a column."""
    data = frame if date in frame.columns else frame.rename_axis(date).reset_index()
    columns(data, date, *needed)
    if "level" in data.columns:
        levels = sorted(map(float, data["level"].unique()))
        require(level is not None or len(levels) == 1, "level", level, f"be one of {levels}")
        if level is not None:
            data = data[(data["level"] - level).abs() < 1e-9]
            require(len(data) > 0, "level", level, f"be one of {levels}")
    return data


def method_names(data: DataFrame, method: str | Sequence[str] | None) -> list[str | None]:
    """The methods to show; [None] when the frame has no such column."""
    if "method" not in data.columns:
        return [None]
    found = list(dict.fromkeys(data["method"]))
    wanted = found if method is None else [method] if isinstance(method, str) else list(method)
    require(set(wanted) <= set(found), "method", method, f"be one of {found}")
    return list(wanted)


def _panel(axes: Any, dates: Series, returns: Series, limit: Series, name: str) -> None:
    broken = returns < -limit
    axes.plot(dates, returns, color="#B8C1CC", lw=0.5, label="return")
    axes.plot(dates, -limit, color=style.COLORS["model"], lw=1.1, label="−VaR")
    axes.plot(dates[broken], returns[broken], "x", color=style.COLORS["alarm"], ms=4.5, mew=1.2, label="exception")
    n, bad = int(returns.notna().sum()), int(broken.sum())
    axes.set_title(f"{name}  ".lstrip(), loc="left")
    share = f"{bad:,} exceptions in {n:,} days = {100 * bad / n:.2f}%" if n else "no days"
    axes.set_title(share, loc="right", fontweight="normal", fontsize=8.5, color=style.COLORS["muted"])
    axes.margins(x=0.005)
