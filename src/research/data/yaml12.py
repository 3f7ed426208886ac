"""YAML read as version 1.2: `ON` and `no` are text, `1e-6` is a number, a repeated key is an error.

PyYAML follows version 1.1, where a column called `ON` becomes True and `1e-6` stays text. The loader here keeps
PyYAML's fast parser and resolves plain scalars by the 1.2 core schema instead.

References
----------
YAML Ain't Markup Language (YAML) version 1.2.2 (2021), section 10.3, core schema.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from research.errors import DataError

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# tag, pattern, first characters: the core schema, plus ISO dates, which the catalogue wants as dates
_SCALARS = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("timestamp", r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "0123456789"),
)


class _Loader(_Base):  # type: ignore[misc]
    """Safe loader with the 1.2 core schema and unique keys."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {name!r} stands twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)  # type: ignore[no-any-return]


for _tag, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), [c.strip("\0") for c in _first]
    )
_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node)))
_Loader.add_constructor(
    "tag:yaml.org,2002:float",
    lambda loader, node: float(loader.construct_scalar(node).lower().replace(".inf", "inf").replace(".nan", "nan")),
)


def parse_yaml(text: str, name: str) -> Any:
    """The value written in `text`; a syntax error becomes one line with its place.

    Examples
    --------
    >>> parse_yaml("{ON: 1e-6, no: 012}", "example")
    {'ON': 1e-06, 'no': 12}
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise DataError(f"{name} must be YAML; got {problem}{place}.") from None
    except ValueError as error:  # 2018-02-30
        raise DataError(f"{name} must be YAML; got a value that cannot be read: {error}.") from None


def read_yaml(path: Path, name: str | None = None) -> Any:
    """The value written in the file `path`, called `name` in errors."""
    label = name or path.name
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{label} must be YAML in UTF-8; got bytes that are not text.") from None
    except OSError as error:
        raise DataError(f"{label} must be readable; got {error.strerror}.") from None
    return parse_yaml(text, label)
