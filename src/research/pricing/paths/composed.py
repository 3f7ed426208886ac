"""Composed payoffs on blocks of paths: each expression becomes one array a block, evaluated once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.conventions import year_fraction
from research.errors import InputError, require, rule
from research.instruments.composed import Composed
from research.instruments.expressions import Apply, Constant, Expression, Spot, Statistic, Touched
from research.pricing.paths.generators import Block
from research.pricing.paths.payoffs import Payoff, Terms
from research.pricing.paths.traced import Traced

_SAME = 1e-9  # years: times closer than this are one

_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "<": np.less, "<=": np.less_equal,
    ">": np.greater, ">=": np.greater_equal,
    "and": lambda a, b: (a != 0.0) & (b != 0.0), "or": lambda a, b: (a != 0.0) | (b != 0.0),
}  # fmt: skip
_UNARY: dict[str, Callable[[Any], Any]] = {
    "abs": np.abs, "log": np.log, "exp": np.exp, "sqrt": np.sqrt, "not": lambda a: a == 0.0,
}  # fmt: skip


def looks(node: Expression) -> Iterable[date | float]:
    """Every date or time at which an expression looks at the price."""
    if isinstance(node, Spot):
        yield node.at
    elif isinstance(node, (Statistic, Touched)):
        yield from node.schedule
    elif isinstance(node, Apply):
        for one in node.of:
            yield from looks(one)


class _Clock:
    """Dates and years to rows of a block, to today's price, or to a fixing of the past."""

    def __init__(self, item: Composed, terms: Terms) -> None:
        self.as_of, self.spot = terms.snapshot.as_of, terms.snapshot.spot
        self.past = {one.at: one.value for one in item.fixings}
        seen = {self.years(at) for pay in item.payments for at in looks(pay.amount)}
        last = max(self.years(pay.at) for pay in item.payments)
        require(last > 0.0, "payments", last, "have a date after the snapshot's day")
        times = sorted(t for t in seen if t > _SAME) or [last]
        self.times = np.array([t for i, t in enumerate(times) if i == 0 or t - times[i - 1] > _SAME])

    def years(self, at: date | float) -> float:
        """Years from the snapshot's day, negative in the past."""
        if not isinstance(at, date):
            return float(at)
        return year_fraction(self.as_of, at) if at >= self.as_of else -year_fraction(at, self.as_of)

    def row(self, at: date | float, block: Block) -> Any:
        """The prices at a date, shape (n_paths,) or a number."""
        t = self.years(at)
        if t > _SAME:
            return block.spot[int(np.abs(self.times - t).argmin())]
        if isinstance(at, date) and at in self.past:
            return self.past[at]
        if abs(t) <= _SAME:
            return self.spot
        raise InputError(rule("fixings", f"hold the price of {at}, which lies before {self.as_of}", sorted(self.past)))

    def check(self, item: Composed) -> None:
        """Refuse payments before what they depend on is known, and fixings that are not there."""
        for pay in item.payments:
            due = self.years(pay.at)
            for at in looks(pay.amount):
                t = self.years(at)
                require(t <= due + _SAME, "at", pay.at, f"not lie before {at}, on which the amount depends")
                if t < -_SAME:
                    must = f"hold the price of {at}, which lies before {self.as_of}"
                    require(at in self.past, "fixings", sorted(map(str, self.past)), must)


def _statistic(kind: str, rows: list[Any]) -> Any:
    prices = np.stack(np.broadcast_arrays(*rows)) if len(rows) > 1 else np.atleast_2d(rows[0])
    if kind == "average":
        return prices.mean(axis=0)
    if kind == "geometric_average":
        return np.exp(np.log(prices).mean(axis=0))
    if kind == "realised_variance":
        return (np.diff(np.log(prices), axis=0) ** 2).sum(axis=0)
    return prices.max(axis=0) if kind == "highest" else prices.min(axis=0)


def _evaluate(node: Expression, block: Block, clock: _Clock, done: dict[int, Any]) -> Any:
    """The value of an expression, shape (n_paths,) or a number; an expression used twice is evaluated once."""
    if id(node) in done:
        return done[id(node)]
    if isinstance(node, Constant):
        value: Any = node.value
    elif isinstance(node, Spot):
        value = clock.row(node.at, block)
    elif isinstance(node, Statistic):
        value = _statistic(node.kind, [clock.row(at, block) for at in node.schedule])
    elif isinstance(node, Touched):
        ends = _statistic(
            "highest" if node.direction == "above" else "lowest", [clock.row(at, block) for at in node.schedule]
        )
        value = np.asarray(ends >= node.level if node.direction == "above" else ends <= node.level, dtype=np.float64)
    else:
        assert isinstance(node, Apply)
        value = _applied(node.function, [_evaluate(one, block, clock, done) for one in node.of])
    done[id(node)] = value
    return value


def _numbers(found: Any) -> Any:
    """Truth values as 0 and 1; arrays that remember their history as they are."""
    return found if isinstance(found, Traced) else np.asarray(found, dtype=np.float64)


def _applied(function: str, of: list[Any]) -> Any:
    if function in _BINARY:
        return _numbers(_BINARY[function](*of))
    if function in _UNARY:
        return _numbers(_UNARY[function](of[0]))
    if function == "where":
        return np.where(np.asarray(of[0]) != 0.0, of[1], of[2])
    fold = np.maximum if function == "max" else np.minimum
    out = of[0]
    for one in of[1:]:
        out = fold(out, one)
    return out


def composed_payoff(item: Composed, terms: Terms) -> Payoff:
    """The sum of the discounted payments that are still to come."""
    clock = _Clock(item, terms)
    clock.check(item)
    due = [(clock.years(pay.at), pay) for pay in item.payments]
    left = [(float(terms.snapshot.discount.df(t)), pay.amount) for t, pay in due if t > _SAME]

    def value(block: Block) -> Float1D:
        done: dict[int, Any] = {}
        total = np.zeros(block.n_paths)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for df, amount in left:
                total += df * _evaluate(amount, block, clock, done)
        return total

    return Payoff(times=clock.times, value=value)


def payments(item: Composed, spot: Float2D, terms: Terms) -> Float2D:
    """What each payment comes to on given prices, undiscounted, shape (n_payments, n_paths): to check by hand.

    spot, shape (n_times, n_paths), at the times of `composed_payoff(item, terms).times`.
    """
    from research.pricing.paths.generators import Logs

    clock = _Clock(item, terms)
    block = Block(times=clock.times, spot=spot, logs=Logs(x=np.log(spot)))
    done: dict[int, Any] = {}
    rows = [_evaluate(pay.amount, block, clock, done) for pay in item.payments]
    return np.stack([np.broadcast_to(row, spot.shape[1]) for row in rows])
