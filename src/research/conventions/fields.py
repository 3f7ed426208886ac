"""What may stand in a field of a contract, a model or a market: `check_fields(self)`, by the field's annotation.

NumPy's and pandas' numbers become Python's, lists and vectors tuples, a datetime at midnight a date; everything else is
refused by name before a formula meets it. `float`, `int`, `bool`, `str`, `date`, tuples, unions and classes are looked
at; other annotations (arrays) are left to whoever converts them. Whether a number is finite, and large enough, is the
business of the field's own rule.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import numbers
import operator
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any

from research.conventions.described import described
from research.conventions.synonyms import known_as
from research.errors import InputError, did_you_mean, require, require_all, rule

_WORDS = {float: "a number", int: "a whole number", bool: "True or False", str: "text", date: "a date"}
_PLURALS = {"a number": "numbers", "a whole number": "whole numbers", "text": "names", "a date": "dates"}


class _Unfit(Exception):
    """Not of this kind; the text is a hint."""


def check_fields(fact: Any) -> None:
    """Refuse what is not of the kind its field says; for the `__post_init__` of a frozen dataclass.

    Examples
    --------
    >>> from research.instruments import European
    >>> European(strike="100", tau=1.0)
    Traceback (most recent call last):
    research.errors.InputError: strike must be a number; got '100'. Write 100, without quotes.
    """
    kind: Any = type(fact)
    values_of, known = _types_seen(kind)
    given = tuple(map(type, values_of(fact)))
    if given in known:  # as most are: made of Python's own numbers
        return
    fits = True
    for name, plain, fit, words in _plan(kind):
        value = getattr(fact, name)
        if type(value) in plain:
            continue
        fits = False
        try:
            found = fit(value)
        except _Unfit as unfit:
            raise InputError(rule(name, f"be {words}", value, str(unfit))) from None
        if found is not value:
            object.__setattr__(fact, name, found)
    if fits:
        known.add(given)


def check_number(name: str, value: Any) -> float:
    """The number as a float; refuses by name what is none, nan included."""
    try:
        found = _number(value)
    except _Unfit as unfit:
        raise InputError(rule(name, "be a number", value, str(unfit))) from None
    if math.isnan(found):
        raise InputError(rule(name, "be a number", value))
    return found


def check_day(name: str, value: Any) -> date:
    """The date, out of a datetime at midnight too; refuses by name what is none."""
    try:
        return _day(value)
    except _Unfit as unfit:
        raise InputError(rule(name, "be a date", value, str(unfit))) from None


def check_kinds(hints: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Named values made fit by their annotations, or refused; as `check_fields`, for the options of a function."""
    out = {}
    for name, value in given.items():
        found = _fit(hints[name]) if name in hints else None
        try:
            out[name] = value if found is None else found[0](value)
        except _Unfit as unfit:
            assert found is not None
            raise InputError(rule(name, f"be {found[1]}", value, str(unfit))) from None
    return out


def check_terms(kind: type, values: Any, hint: str = "Was it written by a newer version?") -> dict[str, Any]:
    """The fields of a class by name, for its `from_json`; refuses another type, missing and unknown names."""
    of = f"terms of {kind.__name__}"
    if not isinstance(values, Mapping):
        raise InputError(rule(of, "be a mapping of names to values", values))
    fields = {f.name: f for f in dataclasses.fields(kind) if f.init}
    require(values.get("type", kind.__name__) == kind.__name__, "type", values.get("type"), f"be {kind.__name__} here")
    given = {name: value for name, value in values.items() if name != "type"}
    if unknown := [name for name in given if name not in fields]:
        said = known_as(unknown[0], fields) or did_you_mean(unknown[0], fields) or hint
        raise InputError(rule(of, f"be among {', '.join(fields)}", unknown[0], said))
    missing = dataclasses.MISSING
    must = [n for n, f in fields.items() if f.default is missing and f.default_factory is missing]
    if lacking := [name for name in must if name not in given]:
        raise InputError(f"{of} must have {', '.join(lacking)}; got {', '.join(map(str, given)) or 'none'}.")
    return given


def named_terms(kinds: Iterable[Any]) -> None:
    """Make the dataclasses among `kinds` refuse misspelt, missing and nameless terms, and `help` say what terms are.

    Examples
    --------
    >>> from research.models import BlackScholes
    >>> BlackScholes(vol=0.2)
    Traceback (most recent call last):
    research.errors.InputError: terms of BlackScholes must be among sigma; got 'vol'. Here it is sigma.
    """
    for kind in kinds:
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            _name_terms(kind)
            described(kind)


def _name_terms(kind: Any) -> None:
    plain = kind.__init__

    @functools.wraps(plain)
    def init(self: Any, *values: Any, **terms: Any) -> None:
        try:
            plain(self, *values, **terms)
        except TypeError:
            fields = [f for f in dataclasses.fields(kind) if f.init]
            names = [f.name for f in fields if not f.kw_only]
            if len(values) > len(names):
                where = f"terms of {kind.__name__}"
                said = ", ".join(f"{f.name}=..." for f in fields[len(names) :])
                raise InputError(rule(where, "be given by name", values[len(names)], f"Write {said}.")) from None
            try:
                check_terms(kind, dict(zip(names, values)) | terms, hint="")
            except InputError as error:
                raise error from None  # Python's own words add nothing
            raise

    kind.__init__ = init


def terms_in(name: str, terms: Any) -> Mapping[str, Any]:
    """Terms as a mapping, given as one or as the text of a JSON object."""
    if isinstance(terms, (str, bytes)):
        try:
            terms = json.loads(terms)
        except ValueError as error:
            raise InputError(rule(name, "be JSON", str(terms)[:60], f"{error}.")) from None
    require(isinstance(terms, Mapping), name, terms, "be a mapping with a type and terms, or its JSON text")
    found: Mapping[str, Any] = terms
    return found


def check_vols(name: str, vols: Any) -> None:
    """Refuse vols in percent: 1,000 % and more."""
    _check_decimals(name, vols, 10.0, "be < 10", "A decimal is wanted: 20% is 0.20, not 20.")


def check_rates(name: str, rates: Any) -> None:
    """Refuse rates and yields in percent: 100 % a year and more."""
    _check_decimals(name, rates, 1.0, "lie in (-1, 1)", "A decimal is wanted: 3% is 0.03.")


def _check_decimals(name: str, values: Any, limit: float, must: str, hint: str) -> None:
    """Refuse what is as large as `limit`; nan passes."""
    import numpy as np

    require_all(~(np.abs(np.asarray(values, dtype=np.float64)) >= limit), name, values, must, hint=hint)


@functools.cache
def _types_seen(kind: Any) -> tuple[Callable[[Any], Iterable[Any]], set[tuple[type, ...]]]:
    """What reads the fields that can be looked at, and the types that were found to fit them as they are."""
    names = [name for name, *_ in _plan(kind)]
    if len(names) > 1:
        return operator.attrgetter(*names), set()
    return (lambda fact: [getattr(fact, name) for name in names]), set()


@functools.cache
def _plan(kind: Any) -> tuple[tuple[str, frozenset[type], Callable[[Any], Any], str], ...]:
    """(field, types that need no look, function, what is allowed in words) of each field that can be looked at."""
    hints = typing.get_type_hints(kind)
    given = [f.name for f in dataclasses.fields(kind) if f.init]
    found = [(name, hints[name], _fit(hints[name])) for name in given]
    return tuple((name, _plain_types(hint), *fit) for name, hint, fit in found if fit is not None)


def _plain_types(hint: Any) -> frozenset[type]:
    """The very types that fit an annotation as they are."""
    parts = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    return frozenset(part for part in parts if part in _FITS or part is type(None))


@functools.cache
def _fit(hint: Any) -> tuple[Callable[[Any], Any], str] | None:
    """The function that makes a value fit an annotation, and the words for it; None where anything may stand."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in _FITS:
        return _FITS[hint], _WORDS[hint]
    if origin is typing.Literal:
        return _text, "one of " + ", ".join(map(repr, inner))
    if origin in (typing.Union, types.UnionType):
        parts = [_fit(one) for one in inner if one is not type(None)]
        known = [one for one in parts if one is not None]
        if len(known) < len(parts):
            return None
        words = _joined(dict.fromkeys(w for _, w in known))
        if type(None) in inner:
            return functools.partial(_either, (_nothing, *(f for f, _ in known))), f"{words}, or None"
        return functools.partial(_either, tuple(f for f, _ in known)), words
    if origin is tuple:
        each = _fit(inner[0])
        if each is not None and set(inner[1:]) <= {Ellipsis, inner[0]}:
            return functools.partial(_tuple, each[0]), f"a list of {_PLURALS.get(each[1], each[1])}"
        return None
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return functools.partial(_one_of, hint), f"{_article(hint.__name__)} {hint.__name__}"
    return None


def _article(name: str) -> str:
    spelt = name[:2].isupper() and name[0] in "FHLMNRSX"  # an SVI, a Heston
    return "an" if spelt or (name[0] in "AEIO" and name[:2] != "Eu") else "a"


def _joined(words: Iterable[str]) -> str:
    """an Asian, Phoenix or Airbag; numbers and dates keep their articles."""
    parts = list(words)
    if len(parts) > 2 and all(part[:1] == "a" and part.split()[-1][:1].isupper() for part in parts):
        parts = [parts[0], *(part.split()[-1] for part in parts[1:])]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"


def _number(value: Any) -> float:
    if type(value) is float:
        return value
    value = _scalar(value)
    if isinstance(value, bool) or not isinstance(value, (numbers.Real, numbers.Number)) or isinstance(value, complex):
        raise _Unfit(_hint(value))
    return float(value)  # type: ignore[arg-type]


def _whole(value: Any) -> int:
    if type(value) is int:
        return value
    found = _number(value)
    if not math.isfinite(found) or found != int(found):
        raise _Unfit
    return int(found)


def _flag(value: Any) -> bool:
    value = _scalar(value)
    if type(value) is int and value in (0, 1):
        return bool(value)
    if not isinstance(value, bool):
        raise _Unfit("A call is True, a put False." if isinstance(value, str) and value[:1] in "CcPp" else "")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Unfit
    return value


def _day(value: Any) -> date:
    if type(value) is date:
        return value
    value = _scalar(value)
    if isinstance(value, datetime) and value == value:  # NaT is a datetime that differs from itself
        if (value.hour, value.minute, value.second, value.microsecond) != (0, 0, 0, 0):
            raise _Unfit("Days count, not hours: give .date(), or years.")
        return value.date()
    if not isinstance(value, date) or isinstance(value, datetime):
        raise _Unfit(_spelt(value) if isinstance(value, str) else "")
    return value


def _spelt(text: str) -> str:
    """How to write a date that was given as text."""
    try:
        return f"Write date.fromisoformat({date.fromisoformat(text).isoformat()!r})."
    except ValueError:
        return "Write date.fromisoformat('2030-01-31')."


def _tuple(each: Callable[[Any], Any], value: Any) -> tuple[Any, ...]:
    if isinstance(value, (str, bytes, dict, set, frozenset)) or not isinstance(value, Iterable):
        raise _Unfit("Order matters: give a list." if isinstance(value, (set, frozenset)) else "")
    if getattr(value, "ndim", 1) != 1:
        raise _Unfit("One dimension is wanted.")
    out = []
    for item in value:
        try:
            out.append(each(item))
        except _Unfit as unfit:
            raise _Unfit(f"Look at {item!r}. {unfit}".strip()) from None
    return value if type(value) is tuple and all(a is b for a, b in zip(out, value)) else tuple(out)


def _either(fits: tuple[Callable[[Any], Any], ...], value: Any) -> Any:
    hints = []
    for fit in fits:
        try:
            return fit(value)
        except _Unfit as unfit:
            hints.append(str(unfit))
    raise _Unfit(next((hint for hint in hints if hint), ""))


def _nothing(value: Any) -> None:
    if value is not None:
        raise _Unfit


def _one_of(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise _Unfit
    return value


def _scalar(value: Any) -> Any:
    """Python's own number, flag or date out of NumPy's; a vector is no scalar."""
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        stamp = getattr(value, "dtype", None)
        if stamp is not None and stamp.kind == "M":
            return value.astype("datetime64[us]").item()
        return value.item()
    return value


def _hint(value: Any) -> str:
    if isinstance(value, str):
        try:
            return f"Write {float(value):g}, without quotes."
        except ValueError:
            return ""
    if isinstance(value, Iterable):
        return "One contract holds one number: make a list of contracts, and price it in one call."
    return ""


_FITS: dict[Any, Callable[[Any], Any]] = {float: _number, int: _whole, bool: _flag, str: _text, date: _day}
