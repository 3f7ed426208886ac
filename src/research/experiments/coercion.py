"""From what arrives to what the annotation says: papermill injects text for dates, a shell gives text for everything.

Only changes that lose nothing are made: ISO text to a date, numeric text to a number, a whole float to an int,
`true` and `false` to a bool, `none` to None, YAML text or a comma-separated line to a list. What is left as it
came is refused afterwards by a strict check.
"""

from __future__ import annotations

import datetime as dt
import types
import typing
from typing import Any

_BOOLS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def unwrap(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of an annotation, with `Annotated` and unions opened: `float | None` gives (float, NoneType)."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return unwrap(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return tuple(part for arg in typing.get_args(annotation) for part in unwrap(arg))
    return (annotation,)


def coerce(annotation: Any, value: Any) -> Any:
    """`value` as the first alternative of `annotation` that it can become without loss; else unchanged."""
    kinds = unwrap(annotation)
    if type(None) in kinds:
        if value is None or (
            isinstance(value, str) and value.strip().lower() in ("none", "null", "~") and str not in kinds
        ):
            return None
        kinds = tuple(kind for kind in kinds if kind is not type(None))
    if any(_fits(kind, value) for kind in kinds):
        return value
    for kind in kinds:
        made = _one(kind, value)
        if made is not value:
            return made
    return value


def _fits(kind: Any, value: Any) -> bool:
    if typing.get_origin(kind) is typing.Literal:
        return any(value == choice and type(value) is type(choice) for choice in typing.get_args(kind))
    return isinstance(kind, type) and type(value) is kind


def _one(kind: Any, value: Any) -> Any:
    origin = typing.get_origin(kind) or kind
    if origin is typing.Literal:
        return _choice(typing.get_args(kind), value)
    if origin in (list, tuple):
        return _sequence(kind, origin, value)
    maker = {int: _int, float: _float, bool: _bool, str: _str, dt.date: _date, dt.datetime: _datetime}.get(origin)
    return maker(value) if maker else value


def _choice(choices: tuple[Any, ...], value: Any) -> Any:
    for choice in choices:
        if isinstance(value, str) and not isinstance(choice, str) and value.strip() == str(choice):
            return choice
        if (
            not isinstance(value, str)
            and isinstance(choice, str)
            and not isinstance(value, bool)
            and str(value) == choice
        ):
            return choice
    return value


def _sequence(kind: Any, origin: Any, value: Any) -> Any:
    if isinstance(value, str):
        value = _list_of_text(value)
    if not isinstance(value, (list, tuple)):
        return value
    inner = typing.get_args(kind)
    if not inner:
        return origin(value)
    if origin is list or (len(inner) == 2 and inner[1] is ...):
        return origin(coerce(inner[0], item) for item in value)
    return tuple(coerce(a, item) for a, item in zip(inner, value)) if len(inner) == len(value) else value


def _list_of_text(text: str) -> Any:
    stripped = text.strip()
    if stripped.startswith("["):
        from research.experiments.files import yaml_value

        return yaml_value(stripped)
    return [part.strip() for part in stripped.split(",")] if stripped else []


def _int(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            number = _float(value)
            return int(number) if isinstance(number, float) and number.is_integer() else value
    return value


def _float(value: Any) -> Any:
    if isinstance(value, (int, str)) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            return value
    return value


def _bool(value: Any) -> Any:
    return _BOOLS.get(value.strip().lower(), value) if isinstance(value, str) else value


def _str(value: Any) -> Any:
    if isinstance(value, (dt.date, int, float)) and not isinstance(value, bool):
        return value.isoformat() if isinstance(value, dt.date) else str(value)
    return value


def _date(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.date() if value.time() == dt.time() and value.tzinfo is None else value
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value.strip())
        except ValueError:
            made = _datetime(value)
            return _date(made) if isinstance(made, dt.datetime) else value
    return value


def _datetime(value: Any) -> Any:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return dt.datetime(value.year, value.month, value.day)
    if isinstance(value, str):
        try:
            return dt.datetime.fromisoformat(value.strip())
        except ValueError:
            return value
    return value
