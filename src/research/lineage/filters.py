"""The language of `-w`: which runs, written as one would say it.

    rmse < 20 and model = 'heston'
    (status = FAILED or not passed) and age < 2d
    method in (ewma, garch) and notebook ~ backtesting

    test    := every ('or' every)*
    every   := one (('and' | '&') one)*
    one     := 'not' one | '(' test ')' | NAME OP VALUE | NAME ['not'] 'in' '(' VALUE, ... ')' | NAME
    OP      := < <= > >= = == != ~      (~ holds when the text contains the value, in any case)
    NAME    := letters, digits and _ . / : - ; others in backquotes: `loss 99%`
    VALUE   := number, word, 'text', "text"; none for a value that is not there

A tokenizer and a recursive descent; the text is never handed to SQL or Python. What is wrong is shown with a caret.
A name alone asks whether it is true. A run that has no such value passes no test but `!= x` and `= none`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from research.errors import InputError, did_you_mean

Lookup = Callable[[str], Any]  # the value of a name; None when there is none
Test = Callable[[Lookup], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<op><=|>=|!=|<>|==|=|<|>|~)|(?P<mark>[(),&])|(?P<quoted>'[^']*'|"[^"]*")|(?P<name>`[^`]+`)"""
    r"""|(?P<word>[^\s<>=!~(),&'"`]+))"""
)
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}
_SAME = {"==": "=", "<>": "!="}
_TRUE, _FALSE = {"true", "yes", "1"}, {"false", "no", "0"}
_NONE = {"none", "null", "-"}
_AGE = re.compile(r"(\d+(?:\.\d+)?)([smhdw])\Z")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
MAX_DEPTH = 50


class _Token(NamedTuple):
    kind: str  # op, mark, quoted, name, word, end
    text: str
    at: int  # position in the filter


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter: a test of one run, and the names it asks for with their positions."""

    text: str
    test: Test
    names: tuple[tuple[str, int], ...]

    def __call__(self, lookup: Lookup) -> bool:
        return self.test(lookup)

    def check_names(self, known: Iterable[str]) -> None:
        """Refuse a name that nothing has.

        Raises
        ------
        InputError
            With a caret under the name, and the nearest known one.
        """
        have = set(known)
        for name, at in self.names:
            if name not in have:
                raise InputError(_complaint(self.text, at, f"name what runs have; got '{name}'", nearest(name, have)))


def nearest(name: str, known: Iterable[str]) -> str:
    """`Did you mean 'rmse'?`, or the known names when none is near."""
    names = sorted(set(known))
    near = did_you_mean(name, names)
    if not near and (part := [other for other in names if name.lower() in other.lower()]):
        near = f"Did you mean '{part[0]}'?"
    if near:
        return near
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return f"Known: {shown}."


def parse(text: str) -> Filter:
    """The filter in `text`.

    Raises
    ------
    InputError
        With a caret under the place that cannot be read.
    """
    return _Parser(text).parse()


def conjunction(text: str) -> list[tuple[str, str, float | str]]:
    """The tests NAME OP VALUE that a run must pass when nothing but `and` joins them; else none of them.

    Of comparisons only those with a number, and equality with a text; they are necessary, not sufficient.
    """
    tokens = _Parser(text).tokens if text.strip() else []
    words = {token.text.lower() for token in tokens if token.kind == "word"}
    if words & {"or", "not", "in"} or any(token.kind == "mark" and token.text != "&" for token in tokens):
        return []
    out: list[tuple[str, str, float | str]] = []
    for name, sign, value in zip(tokens, tokens[1:], tokens[2:]):
        if name.kind not in ("word", "name") or sign.kind != "op" or value.kind not in ("word", "quoted"):
            continue
        wanted = value.text if value.kind == "word" else value.text[1:-1]
        number, same = _number(wanted), _SAME.get(sign.text, sign.text)
        if number is not None and same in ("<", "<=", ">", ">=", "="):
            out.append((name.text.strip("`"), same, number))
        elif number is None and same == "=" and wanted.lower() not in _NONE | _TRUE | _FALSE:
            out.append((name.text.strip("`"), same, wanted))
    return out


def _complaint(text: str, at: int, must: str, hint: str = "") -> str:
    return f"--where must {must}. {hint}".rstrip() + f"\n    {text}\n    {' ' * at}^"


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text.replace("\n", " ").replace("\t", " ")
        self.tokens = list(self._tokens())
        self.next = 0
        self.depth = 0
        self.names: list[tuple[str, int]] = []

    def _tokens(self) -> Iterable[_Token]:
        at = 0
        while at < len(self.text.rstrip()):
            found = _TOKEN.match(self.text, at)
            if found is None or found.lastgroup is None:
                start = at + len(self.text[at:]) - len(self.text[at:].lstrip())
                what = "close its quotes" if self.text[start] in "'\"`" else f"not hold '{self.text[start]}' here"
                raise InputError(_complaint(self.text, start, what))
            yield _Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup))
            at = found.end()
        yield _Token("end", "the end", len(self.text.rstrip()))

    def _refuse(self, must: str, hint: str = "") -> InputError:
        token = self.tokens[self.next]
        got = token.text if token.kind == "end" else f"'{token.text}'"
        return InputError(_complaint(self.text, token.at, f"{must}; got {got}", hint))

    def _take(self) -> _Token:
        token = self.tokens[self.next]
        self.next += 1
        return token

    def _is_word(self, *words: str) -> bool:
        token = self.tokens[self.next]
        return token.kind == "word" and token.text.lower() in words

    def _is_mark(self, mark: str) -> bool:
        token = self.tokens[self.next]
        return token.kind == "mark" and token.text == mark

    def parse(self) -> Filter:
        test = self._any()
        if self.tokens[self.next].kind != "end":
            raise self._refuse("join its tests by 'and' or 'or'", 'Write "rmse < 20 and passed = yes".')
        return Filter(self.text, test, tuple(self.names))

    def _any(self) -> Test:
        tests = [self._all()]
        while self._is_word("or"):
            self._take()
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda run: any(test(run) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._is_word("and") or self._is_mark("&"):
            self._take()
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda run: all(test(run) for test in tests)

    def _one(self) -> Test:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._refuse(f"nest at most {MAX_DEPTH} deep")
        try:
            if self._is_word("not"):
                self._take()
                inner = self._one()
                return lambda run: not inner(run)
            if self._is_mark("("):
                self._take()
                test = self._any()
                if not self._is_mark(")"):
                    raise self._refuse("close its bracket with ')'")
                self._take()
                return test
            return self._comparison()
        finally:
            self.depth -= 1

    def _comparison(self) -> Test:
        token = self.tokens[self.next]
        if token.kind not in ("word", "name") or self._is_word("and", "or", "in"):
            raise self._refuse("start a test with a name", 'Write "rmse < 20 and passed = yes".')
        self._take()
        name = token.text.strip("`")
        self.names.append((name, token.at))
        if self._is_word("in", "not"):
            return self._membership(name)
        after = self.tokens[self.next]
        if after.kind not in ("op", "end", "mark") and not self._is_word("and", "or"):
            raise self._refuse(f"have an operator after '{name}'", "One of < <= > >= = != ~ in.")
        if after.kind != "op":
            return lambda run: _is_true(run(name))
        sign = self._take().text
        sign = _SAME.get(sign, sign)
        value = self._value(sign)
        return lambda run: compare(run(name), sign, value)

    def _membership(self, name: str) -> Test:
        negative = self._take().text.lower() == "not"
        if negative:
            if not self._is_word("in"):
                raise self._refuse("follow 'not' by 'in' here", f"Or write not {name} = VALUE.")
            self._take()
        if not self._is_mark("("):
            raise self._refuse("list the values in brackets", f"Write {name} in (a, b).")
        self._take()
        values = [self._value("in")]
        while self._is_mark(","):
            self._take()
            values.append(self._value("in"))
        if not self._is_mark(")"):
            raise self._refuse("close its list with ')'")
        self._take()
        return lambda run: any(compare(run(name), "=", value) for value in values) != negative

    def _value(self, sign: str) -> str:
        token = self.tokens[self.next]
        if token.kind not in ("word", "quoted", "name"):
            raise self._refuse(f"have a value after '{sign}'")
        self._take()
        return token.text[1:-1] if token.kind != "word" else token.text


def _is_true(value: Any) -> bool:
    return bool(value) and str(value).lower() not in _FALSE


def compare(value: Any, sign: str, wanted: str) -> bool:
    """Does `value` of a run meet the test? Numbers as numbers, truth as truth, the rest as text."""
    if value is None:
        is_none = wanted.lower() in _NONE
        return (sign == "=" and is_none) or (sign == "!=" and not is_none)
    if wanted.lower() in _NONE and sign in ("=", "!=") and not isinstance(value, str):
        return sign == "!="
    if sign == "~":
        return wanted.lower() in str(value).lower()
    if isinstance(value, bool):
        known = True if wanted.lower() in _TRUE else False if wanted.lower() in _FALSE else None
        return sign == "!=" if known is None else _ORDER[sign](value, known)
    if isinstance(value, (int, float)):
        number = _number(wanted)
        return sign == "!=" if number is None else _ORDER[sign](float(value), number)
    return _ORDER[sign](str(value), wanted)


def _number(text: str) -> float | None:
    """A number; `2d`, `3h`, `15m` are seconds."""
    if found := _AGE.match(text):
        return float(found[1]) * _UNITS[found[2]]
    try:
        return float(text.replace("_", ""))
    except ValueError:
        return None
