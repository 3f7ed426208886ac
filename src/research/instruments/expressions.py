"""Expressions over observed prices: what a composed payoff is written in.

    basket_of_rules = maximum(average(quarters) - 100.0, 0.0)
    called = touched_above(103.0, months)
    amount = where(called, 5.0, maximum(Spot(1.0) - 100.0, 0.0))

| write | meaning |
|---|---|
| `Spot(at)` | the price at a date, or after that many years (ACT/365F); 0 is today |
| `Constant(value)` | a number; plain numbers become one |
| `+ - * /`, unary `-`, `abs(x)` | arithmetic |
| `maximum(a, b, ...)`, `minimum(...)` | largest, smallest |
| `log(x)`, `exp(x)`, `sqrt(x)` | functions |
| `<`, `<=`, `>`, `>=` | conditions: 1 where true, else 0 |
| `both(a, b)`, `either(a, b)`, `negation(a)` | conditions joined |
| `where(condition, a, b)` | a where the condition holds, else b |
| `average`, `geometric_average`, `highest`, `lowest` of a schedule | over its observations |
| `realised_variance(schedule)` | sum of squared log returns from the first to the last observation |
| `touched_above(level, schedule)`, `touched_below(...)` | 1 where an observation lies on or beyond the level |

Expressions are frozen data, and go through JSON with the contract.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Any, NoReturn

from research.conventions import check_fields
from research.errors import InputError, require
from research.instruments._schedule import Schedule, check_schedule

FUNCTIONS: dict[str, tuple[int, int]] = {  # name: least and most arguments
    "+": (2, 2), "-": (2, 2), "*": (2, 2), "/": (2, 2), "max": (1, 64), "min": (1, 64), "abs": (1, 1), "log": (1, 1),
    "exp": (1, 1), "sqrt": (1, 1), "<": (2, 2), "<=": (2, 2), ">": (2, 2), ">=": (2, 2), "and": (2, 2), "or": (2, 2),
    "not": (1, 1), "where": (3, 3),
}  # fmt: skip
STATISTICS = ("average", "geometric_average", "highest", "lowest", "realised_variance")


class Expression:
    """Operators that build expressions."""

    __slots__ = ()

    def __add__(self, other: Any) -> Apply:
        return _apply("+", self, other)

    def __radd__(self, other: Any) -> Apply:
        return _apply("+", other, self)

    def __sub__(self, other: Any) -> Apply:
        return _apply("-", self, other)

    def __rsub__(self, other: Any) -> Apply:
        return _apply("-", other, self)

    def __mul__(self, other: Any) -> Apply:
        return _apply("*", self, other)

    def __rmul__(self, other: Any) -> Apply:
        return _apply("*", other, self)

    def __truediv__(self, other: Any) -> Apply:
        return _apply("/", self, other)

    def __rtruediv__(self, other: Any) -> Apply:
        return _apply("/", other, self)

    def __neg__(self) -> Apply:
        return _apply("-", 0.0, self)

    def __abs__(self) -> Apply:
        return _apply("abs", self)

    def __lt__(self, other: Any) -> Apply:
        return _apply("<", self, other)

    def __le__(self, other: Any) -> Apply:
        return _apply("<=", self, other)

    def __gt__(self, other: Any) -> Apply:
        return _apply(">", self, other)

    def __ge__(self, other: Any) -> Apply:
        return _apply(">=", self, other)

    def __pow__(self, other: Any) -> NoReturn:
        raise InputError(f"a power must be written as a product, or exp(p * log(x)); got ** {other!r}.")

    def __bool__(self) -> NoReturn:
        raise InputError("a condition must be used by where(condition, a, b), both or either; got Python's if or and.")


@dataclass(frozen=True, slots=True)
class Constant(Expression):
    """A number."""

    value: float

    def __post_init__(self) -> None:
        check_fields(self)
        require(math.isfinite(self.value), "value", self.value, "be finite")


@dataclass(frozen=True, slots=True)
class Spot(Expression):
    """The price at a date, or after so many years from the snapshot's day; 0.0 is today."""

    at: date | float

    def __post_init__(self) -> None:
        check_fields(self)
        if not isinstance(self.at, date):
            require(math.isfinite(self.at) and self.at >= 0.0, "at", self.at, "be a date, or finite and >= 0 years")


@dataclass(frozen=True, slots=True)
class Statistic(Expression):
    """One number of the prices on a schedule; see the module."""

    kind: str
    schedule: Schedule

    def __post_init__(self) -> None:
        check_fields(self)
        require(self.kind in STATISTICS, "kind", self.kind, f"be one of {', '.join(STATISTICS)}")
        check_schedule("schedule", self.schedule)


@dataclass(frozen=True, slots=True)
class Touched(Expression):
    """1 where a price on the schedule lies on the level or beyond it, else 0."""

    direction: str  # "above" or "below"
    level: float  # price units
    schedule: Schedule

    def __post_init__(self) -> None:
        check_fields(self)
        require(self.direction in ("above", "below"), "direction", self.direction, "be 'above' or 'below'")
        require(math.isfinite(self.level) and self.level > 0.0, "level", self.level, "be finite and > 0")
        check_schedule("schedule", self.schedule)


@dataclass(frozen=True, slots=True)
class Apply(Expression):
    """A function of expressions; see FUNCTIONS."""

    function: str
    of: tuple[Any, ...]

    def __post_init__(self) -> None:
        check_fields(self)
        require(self.function in FUNCTIONS, "function", self.function, f"be one of {' '.join(FUNCTIONS)}")
        least, most = FUNCTIONS[self.function]
        many = f"{least}" if least == most else f"{least} to {most}"
        require(least <= len(self.of) <= most, f"{self.function}", len(self.of), f"have {many} arguments")
        object.__setattr__(self, "of", tuple(expression(one) for one in self.of))


def expression(value: Any) -> Expression:
    """A number as a Constant; an expression as it is."""
    if isinstance(value, Expression):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Constant(float(value))
    raise InputError(f"expression must be a number or built from Spot(...) and its like; got {value!r}.")


def _apply(function: str, *of: Any) -> Apply:
    return Apply(function, of)


def maximum(*of: Any) -> Apply:
    """The largest."""
    return Apply("max", of)


def minimum(*of: Any) -> Apply:
    """The smallest."""
    return Apply("min", of)


def log(x: Any) -> Apply:
    """Natural logarithm."""
    return _apply("log", x)


def exp(x: Any) -> Apply:
    """e**x."""
    return _apply("exp", x)


def sqrt(x: Any) -> Apply:
    """Square root."""
    return _apply("sqrt", x)


def both(a: Any, b: Any) -> Apply:
    """1 where both conditions hold."""
    return _apply("and", a, b)


def either(a: Any, b: Any) -> Apply:
    """1 where one condition holds, or both."""
    return _apply("or", a, b)


def negation(a: Any) -> Apply:
    """1 where the condition does not hold."""
    return _apply("not", a)


def where(condition: Any, a: Any, b: Any) -> Apply:
    """a where the condition holds, else b."""
    return _apply("where", condition, a, b)


def average(schedule: Schedule) -> Statistic:
    """Arithmetic mean of the prices on a schedule."""
    return Statistic("average", schedule)


def geometric_average(schedule: Schedule) -> Statistic:
    """Geometric mean of the prices on a schedule."""
    return Statistic("geometric_average", schedule)


def highest(schedule: Schedule) -> Statistic:
    """Largest price on a schedule."""
    return Statistic("highest", schedule)


def lowest(schedule: Schedule) -> Statistic:
    """Smallest price on a schedule."""
    return Statistic("lowest", schedule)


def realised_variance(schedule: Schedule) -> Statistic:
    """Sum of squared log returns between the observations of a schedule."""
    return Statistic("realised_variance", schedule)


def touched_above(level: float, schedule: Schedule) -> Touched:
    """1 where a price on the schedule is at or above the level: a knock-out from below, a knock-in."""
    return Touched("above", level, schedule)


def touched_below(level: float, schedule: Schedule) -> Touched:
    """1 where a price on the schedule is at or below the level."""
    return Touched("below", level, schedule)


def nodes() -> dict[str, type]:
    """Every kind of expression by name, for JSON."""
    return {kind.__name__: kind for kind in (Constant, Spot, Statistic, Touched, Apply)}
