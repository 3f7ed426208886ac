"""Tables of words: a data frame that prints every column and every word, in a terminal and in a notebook.

pandas cuts texts after 50 characters and hides the columns in the middle; where the texts are the answer that is no
answer.
"""

from __future__ import annotations

import functools
from typing import Any


def whole(rows: Any, columns: list[str]) -> Any:
    """A DataFrame of these rows that prints whole; what is computed from it is a plain one."""
    return _kind()(rows, columns=columns)


@functools.cache
def _kind() -> Any:
    """Made when first used: importing this module must not import pandas."""
    import pandas as pd

    class Whole(pd.DataFrame):
        """A data frame that prints every column and every word."""

        def __repr__(self) -> str:
            with pd.option_context("display.max_columns", None, "display.max_colwidth", None):
                return super().__repr__()

        def _repr_html_(self) -> Any:
            with pd.option_context("display.max_columns", None, "display.max_colwidth", None):
                return pd.DataFrame._repr_html_(self)  # type: ignore[attr-defined]

    Whole.__name__ = "DataFrame"  # what an empty one calls itself
    return Whole
