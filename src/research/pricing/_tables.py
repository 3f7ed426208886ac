"""Tables for people: a data frame that prints every column and every word, in a terminal and in a notebook.

pandas cuts texts after 50 characters, hides the columns in the middle and rounds to the sixth decimal: the unit and
the error of a Greek, or the Greek itself where it is small, are then not to be seen. Here numbers have seven digits
wherever they begin, errors two.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Container
from html import escape
from typing import Any

_DIGITS, _ERROR_DIGITS = 7, 2
_WIDTH = 120  # characters of a line where no terminal says how many it has


def whole(rows: Any, columns: list[str] | None = None) -> Any:
    """A DataFrame of these rows that prints whole; what is computed from it is a plain one."""
    return _kind()(rows, columns=columns)


def html(frame: Any, right: Container[str] = ()) -> str:
    """A small table for a notebook, without an index: texts left, numbers and the columns `right` right."""
    text = {name for name in frame.columns if frame[name].dtype.kind not in "biuf" and name not in right}
    write: dict[Any, Callable[[Any], str]] = dict.fromkeys(frame.columns, str) | _formatters(frame)
    sides = {name: f' style="text-align:{"left" if name in text else "right"}"' for name in frame.columns}
    head = "".join(f"<th{sides[name]}>{escape(str(name))}</th>" for name in frame.columns)
    body = "".join(
        "<tr>" + "".join(f"<td{sides[n]}>{escape(write[n](x))}</td>" for n, x in zip(frame.columns, row)) + "</tr>"
        for row in frame.itertuples(index=False, name=None)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def with_error(value: float, error: float) -> str:
    """A number to the second digit of its error, at most ten digits.

    Examples
    --------
    >>> with_error(99.0, 8.2e-3), with_error(4.894674659, 4.3e-14), with_error(1234.5, 20.0)
    ('99.0000', '4.894674659', '1234')
    """
    if not (math.isfinite(value) and math.isfinite(error) and error > 0.0):
        return f"{value:.10g}"
    decimals = max(_ERROR_DIGITS - 1 - math.floor(math.log10(error)), 0)
    whole_part = len(f"{abs(value):.0f}")
    return f"{value:.{decimals}f}" if decimals + whole_part <= 10 else f"{value:.10g}"


def sheet(frame: Any) -> str:
    """A sheet of name, value, std_error and unit for a notebook: probabilities in percent, digits by the error."""
    shown = frame[["name"]].rename(columns={"name": ""})
    parts = [100.0 if unit == "probability" else 1.0 for unit in frame["unit"]]
    signs = ["%" if unit == "probability" else "" for unit in frame["unit"]]
    rows = list(zip(frame["value"] * parts, frame["std_error"] * parts, signs))
    shown["value"] = [(with_error(value, error) if error else f"{value:.6g}") + sign for value, error, sign in rows]
    if (frame["std_error"] > 0.0).any():
        shown["standard error"] = [f"{error:.2g}{sign}" if error else "" for _, error, sign in rows]
    shown["unit"] = frame["unit"].replace({"probability": ""})
    return html(shown, right=("value", "standard error"))


def _formatters(frame: Any) -> dict[Any, Callable[[Any], str]]:
    """How the numbers of each column are written."""
    floats = [name for name in frame.columns if frame[name].dtype.kind == "f"]
    return {name: functools.partial(_number, digits=_digits_of(name)) for name in floats}


def _digits_of(name: Any) -> int:
    return _ERROR_DIGITS if str(name) == "error" or str(name).endswith("std_error") else _DIGITS


def _number(value: Any, digits: int) -> str:
    return f"{value:.{digits}g}"


@functools.cache
def _kind() -> Any:
    """Made when first used: importing this module must not import pandas."""
    import shutil

    import pandas as pd

    class Whole(pd.DataFrame):
        """A data frame that prints every column and every word."""

        def __repr__(self) -> str:
            if self.columns.has_duplicates or self.columns.nlevels > 1 or not len(self.columns):
                return super().__repr__()
            width = max(shutil.get_terminal_size((_WIDTH, 24)).columns, 80)
            most, least = pd.get_option("display.max_rows"), pd.get_option("display.min_rows")
            with pd.option_context("display.max_colwidth", None):
                return self.to_string(formatters=_formatters(self), line_width=width, max_rows=most, min_rows=least)

        def _repr_html_(self) -> Any:
            if self.columns.has_duplicates or self.columns.nlevels > 1:
                return super()._repr_html_()  # type: ignore[misc]
            most, least = pd.get_option("display.max_rows"), pd.get_option("display.min_rows")
            cut = most is not None and 0 < most < len(self)
            rows = least if cut else None
            with pd.option_context("display.max_colwidth", None):
                return self.to_html(formatters=_formatters(self), max_rows=rows, border=0, show_dimensions=cut)

        def __reduce__(self) -> Any:  # kept and sent as what it is: a DataFrame
            return pd.DataFrame, (pd.DataFrame(self),)

    Whole.__name__ = "DataFrame"  # what an empty one calls itself
    return Whole
