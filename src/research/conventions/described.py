"""`help(contract)` that says what each term is: the comments beside the fields, read when the docstring is asked for.

The fields of our dataclasses carry their unit and rule as a comment, where a reader of the source needs them. A user of
`help`, or of `Barrier?` in a notebook, sees only types. `described(kind)` puts both together, without writing anything
twice; the source is read on the first look at the docstring, so that an import costs nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
from typing import Any


class _Described:
    """The docstring of a class and, under it, a row for each term."""

    def __init__(self, plain: str | None) -> None:
        self.plain = plain

    def __get__(self, instance: Any, kind: Any) -> str:
        return _whole(kind, self.plain or "")


def described(kind: Any) -> None:
    """Make the docstring of a dataclass end in its terms: name, type, default, and the comment beside the field.

    Examples
    --------
    >>> from research.models import BlackScholes
    >>> [line.strip() for line in BlackScholes.__doc__.splitlines()[4:6]]
    ['sigma : float', 'volatility, 1/sqrt(year), decimal']
    """
    kind.__doc__ = _Described(kind.__doc__)


@functools.cache
def _whole(kind: Any, plain: str) -> str:
    said, fields = _comments(kind), [f for f in dataclasses.fields(kind) if f.init]
    rows = []
    for field in fields:
        default = "" if field.default is dataclasses.MISSING else f", default {field.default!r}"
        rows.append(f"    {field.name} : {field.type}{default}")
        rows += [f"        {said[field.name]}"] if field.name in said else []
    # an Examples section stays the last one, as numpydoc has it
    head, examples, rest = plain.partition("\n    Examples\n    --------")
    terms = "\n".join(["", "    Parameters", "    ----------", *rows, "    "])
    return f"{head.rstrip()}\n{terms}{examples}{rest}" if rows else plain


def _comments(kind: Any) -> dict[str, str]:
    """The comment on the line of each field; none where the source is not at hand."""
    try:
        lines = inspect.getsource(kind).splitlines()
    except (OSError, TypeError):
        return {}
    found = (re.match(r"    (\w+)\s*:[^#]*#\s*(.+)$", line) for line in lines)
    return {match[1]: match[2].strip() for match in found if match}
