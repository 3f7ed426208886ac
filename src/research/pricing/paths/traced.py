"""Derivatives of a payoff by everything it looks at: the payoff's own NumPy code, run once on arrays that remember.

    spot = Tape().variable(block.spot)
    paid = payoff.value(Block(spot=spot, ...))      # a Traced, as long as the payoff uses what stands in the tables
    (slope,) = slopes(paid, [spot])                 # d paid[i] / d spot[k, i], shape of spot

Reverse accumulation: every operation on a `Traced` notes its inputs and how a small change of the result is shared
among them: `slopes` goes through the notes backwards once, whatever the number of inputs. A path's value depends on
that path alone, so one pass gives the derivative of each path. Comparisons give plain truth values: of a payoff that
jumps, the part between the jumps is found, which is no derivative of its expectation; `adjoint.why_not` says which
are safe.

References
----------
Griewank, Walther (2008), Evaluating Derivatives, 2nd ed., chapter 3. Giles, Glasserman (2006), "Smoking adjoints: fast
Monte Carlo Greeks", Risk 19(1), 88-92.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from research.errors import NoEngineError

Share = Callable[[Any], Any]  # derivative by the result -> derivative by one input, in the input's shape


class Tape:
    """The operations in the order in which they were made."""

    def __init__(self) -> None:
        self.made: list[Traced] = []

    def variable(self, value: Any) -> Any:
        """An array by which derivatives are wanted."""
        return Traced(self, np.asarray(value, dtype=np.float64), ())


class Traced:
    """An array and how it was made; does what NumPy's arrays do, as far as the tables below go."""

    __slots__ = ("inputs", "slope", "tape", "value")

    def __init__(self, tape: Tape, value: Any, inputs: Sequence[tuple[Traced, Share]]) -> None:
        self.tape, self.value, self.inputs = tape, value, inputs
        self.slope: Any = None
        tape.made.append(self)

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array."""
        return tuple(np.shape(self.value))

    @property
    def size(self) -> int:
        """As of an array."""
        return int(np.size(self.value))

    @property
    def ndim(self) -> int:
        """As of an array."""
        return int(np.ndim(self.value))

    def __float__(self) -> float:
        return float(self.value)

    def __iter__(self) -> Any:
        return (self[i] for i in range(self.shape[0]))

    def __getitem__(self, key: Any) -> Traced:
        def back(slope: Any) -> Any:
            out = np.zeros(self.shape)
            np.add.at(out, key, slope)
            return out

        return Traced(self.tape, self.value[key], ((self, back),))

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **options: Any) -> Any:
        options.pop("out", None)
        plain = [plain_of(a) for a in args]
        if ufunc in _TRUTH or method != "__call__":
            if method != "__call__":
                raise _unknown(f"{ufunc.__name__}.{method}")
            return ufunc(*plain)
        if ufunc not in _PARTIALS:
            raise _unknown(ufunc.__name__)
        with np.errstate(all="ignore"):
            value = ufunc(*plain)
            each = _PARTIALS[ufunc](*plain, value)
        some = [(a, p) for a, p in zip(args, each, strict=True) if isinstance(a, Traced)]
        return Traced(self.tape, value, [(a, _scaled(p, a.shape)) for a, p in some])

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if function not in _FUNCTIONS:
            raise _unknown(function.__name__)
        return _FUNCTIONS[function](*args, **options)

    def sum(self, axis: int | None = None) -> Any:
        """As of an array."""
        shape = self.shape

        def back(slope: Any) -> Any:
            return np.broadcast_to(slope if axis is None else np.expand_dims(slope, axis), shape)

        return Traced(self.tape, self.value.sum(axis=axis), ((self, back),))

    def mean(self, axis: int | None = None) -> Any:
        """As of an array."""
        return self.sum(axis) / (self.size if axis is None else self.shape[axis])

    def max(self, axis: int | None = None) -> Any:
        """As of an array: the derivative goes to the first of the largest."""
        if axis is None:
            return self.value.max()
        return _picked(self, self.value.argmax(axis=axis), axis)

    def min(self, axis: int | None = None) -> Any:
        """As of an array."""
        return self.value.min() if axis is None else _picked(self, self.value.argmin(axis=axis), axis)

    def exp(self) -> Any:
        """For NumPy's arrays of objects."""
        return np.exp(self)

    def log(self) -> Any:
        """For NumPy's arrays of objects."""
        return np.log(self)

    def sqrt(self) -> Any:
        """For NumPy's arrays of objects."""
        return np.sqrt(self)

    def __neg__(self) -> Any:
        return np.negative(self)

    def __abs__(self) -> Any:
        return np.abs(self)

    def __pow__(self, power: float) -> Any:
        base: Any = self
        return np.power(base, power)


def _operators() -> None:
    two = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide}
    for name, ufunc in two.items():
        setattr(Traced, f"__{name}__", lambda a, b, f=ufunc: f(a, b))
        setattr(Traced, f"__r{name}__", lambda a, b, f=ufunc: f(b, a))
    compared = {"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal}
    for name, ufunc in (compared | {"eq": np.equal, "ne": np.not_equal}).items():
        setattr(Traced, f"__{name}__", lambda a, b, f=ufunc: f(a, b))


_operators()
_TRUTH = (np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal, np.isfinite, np.sign)
_PARTIALS: dict[Any, Callable[..., Sequence[Any]]] = {
    np.add: lambda a, b, y: (1.0, 1.0),
    np.subtract: lambda a, b, y: (1.0, -1.0),
    np.multiply: lambda a, b, y: (b, a),
    np.divide: lambda a, b, y: (1.0 / b, -y / b),
    np.negative: lambda a, y: (-1.0,),
    np.absolute: lambda a, y: (np.sign(a),),
    np.exp: lambda a, y: (y,),
    np.log: lambda a, y: (1.0 / a,),
    np.sqrt: lambda a, y: (np.where(y > 0.0, 0.5 / np.where(y > 0.0, y, 1.0), 0.0),),
    np.square: lambda a, y: (2.0 * a,),
    np.power: lambda a, b, y: (b * a ** (b - 1.0), 0.0),  # by the base: exponents are terms of a contract
    np.maximum: lambda a, b, y: (np.greater_equal(a, b) * 1.0, np.less(a, b) * 1.0),
    np.minimum: lambda a, b, y: (np.less_equal(a, b) * 1.0, np.greater(a, b) * 1.0),
}


def plain_of(value: Any) -> Any:
    """The array without its history."""
    if isinstance(value, Traced):
        return value.value
    if isinstance(value, (tuple, list)):
        return type(value)(plain_of(one) for one in value)
    return value


def _unknown(name: str) -> NoEngineError:
    return NoEngineError(f"A payoff that uses numpy's {name} has no derivative along the path. Take estimator='bumps'.")


def _fitted(slope: Any, shape: tuple[int, ...]) -> Any:
    """Sum over what was broadcast."""
    extra = np.ndim(slope) - len(shape)
    if extra > 0:
        slope = slope.sum(axis=tuple(range(extra)))
    wide = tuple(i for i, n in enumerate(shape) if n == 1 and np.shape(slope)[i] != 1)
    return slope.sum(axis=wide, keepdims=True) if wide else slope


def _scaled(partial: Any, shape: tuple[int, ...]) -> Share:
    finite = bool(np.isfinite(partial).all())

    def back(slope: Any) -> Any:
        if finite:
            return _fitted(slope * partial, shape)
        with np.errstate(invalid="ignore", over="ignore"):  # what does not count may be infinite
            return _fitted(np.where(slope == 0.0, 0.0, slope * partial), shape)

    return back


def _picked(a: Traced, at: Any, axis: int) -> Traced:
    where = np.expand_dims(at, axis)

    def back(slope: Any) -> Any:
        out = np.zeros(a.shape)
        np.put_along_axis(out, where, np.expand_dims(slope, axis), axis)
        return out

    return Traced(a.tape, np.take_along_axis(a.value, where, axis).squeeze(axis), ((a, back),))


def _tape(args: Sequence[Any]) -> Tape:
    return next(a.tape for a in args if isinstance(a, Traced))


def _where(condition: Any, a: Any, b: Any) -> Any:
    truth = plain_of(condition)
    if not isinstance(a, Traced) and not isinstance(b, Traced):
        return np.where(truth, a, b)
    value = np.where(truth, plain_of(a), plain_of(b))
    sides = [(x, _scaled(np.asarray(truth if first else ~truth, dtype=np.float64), x.shape))
             for x, first in ((a, True), (b, False)) if isinstance(x, Traced)]  # fmt: skip
    return Traced(_tape((a, b)), value, sides)


def _joined(parts: Sequence[Any], axis: int = 0) -> Traced:
    value, start, notes = np.concatenate(plain_of(list(parts)), axis=axis), 0, []
    for part in parts:
        n = np.shape(plain_of(part))[axis]
        if isinstance(part, Traced):
            cut = (slice(None),) * axis + (slice(start, start + n),)
            notes.append((part, lambda slope, cut=cut: slope[cut]))
        start += n
    return Traced(_tape(parts), value, notes)


def _stacked(parts: Sequence[Any]) -> Traced:
    notes = [(p, lambda slope, i=i: slope[i]) for i, p in enumerate(parts) if isinstance(p, Traced)]
    return Traced(_tape(parts), np.stack(plain_of(list(parts))), notes)


def _differences(a: Any, axis: int = 0, prepend: Any = None) -> Any:
    if prepend is not None:
        a = _joined([np.full((1, *a.shape[1:]), prepend), a])
    return a[1:] - a[:-1]


def _products(a: Traced, axis: int = 0, dtype: Any = None) -> Traced:
    """Running products over the first axis; exact where a factor is 0."""
    value = np.cumprod(a.value, axis=0)

    def back(slope: Any) -> Any:
        out, carried = np.empty(a.shape), np.zeros(a.shape[1:])
        for k in range(a.shape[0] - 1, -1, -1):
            carried = carried + slope[k]
            out[k] = carried * (value[k - 1] if k else 1.0)
            carried = carried * a.value[k]
        return out

    return Traced(a.tape, value, ((a, back),))


def _spread(a: Any, shape: tuple[int, ...]) -> Any:
    return Traced(a.tape, np.broadcast_to(a.value, shape), ((a, lambda slope: _fitted(slope, a.shape)),))


def _clipped(a: Any, low: Any = None, high: Any = None) -> Any:
    out = a if low is None else np.maximum(a, low)
    return out if high is None else np.minimum(out, high)


def _alike(*parts: Any) -> list[Any]:
    shape = np.broadcast_shapes(*(np.shape(plain_of(p)) for p in parts))
    return [_spread(p, shape) if isinstance(p, Traced) else np.broadcast_to(p, shape) for p in parts]


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.where: _where, np.concatenate: _joined, np.stack: _stacked, np.diff: _differences, np.cumprod: _products,
    np.prod: lambda a, axis=0: _products(a)[-1], np.broadcast_to: _spread, np.clip: _clipped,
    np.broadcast_arrays: _alike, np.sum: lambda a, axis=None: a.sum(axis), np.mean: lambda a, axis=None: a.mean(axis),
    np.zeros_like: lambda a: np.zeros(a.shape), np.shape: lambda a: a.shape, np.ndim: lambda a: a.ndim,
    np.size: lambda a: a.size, np.atleast_2d: lambda a: a if a.ndim > 1 else _stacked([a]),
    np.max: lambda a, axis=None: a.max(axis), np.min: lambda a, axis=None: a.min(axis),
    np.cumsum: lambda a, axis=0: Traced(a.tape, np.cumsum(a.value, axis=0), ((a, _from_below),)),
}  # fmt: skip


def _from_below(slope: Any) -> Any:
    return np.cumsum(slope[::-1], axis=0)[::-1]


def slopes(result: Any, variables: Sequence[Traced]) -> list[Any]:
    """Derivatives of each element of `result`, shape (n,), by the variables; 0 where it does not depend on one."""
    made = result.item() if isinstance(result, np.ndarray) and result.dtype == object else result
    if not isinstance(made, Traced):
        return [np.zeros(v.shape) for v in variables]
    for node in made.tape.made:
        node.slope = None
    made.slope = np.ones(made.shape)
    for node in reversed(made.tape.made):
        if node.slope is not None:
            for source, share in node.inputs:
                part = share(node.slope)
                source.slope = part if source.slope is None else source.slope + part
    return [np.zeros(v.shape) if v.slope is None else np.asarray(v.slope) for v in variables]


__all__ = ["Tape", "Traced", "plain_of", "slopes"]
