"""Array types, and the one way the friendly floors hand arrays to kernels.

Kernels see float64 or int64, C-contiguous, writable, one shape: `vectors` makes it so.
"""

from __future__ import annotations

import functools
import inspect
import math
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from research.errors import InputError, rule

Float1D = np.ndarray[tuple[int], np.dtype[np.float64]]
Bool1D = np.ndarray[tuple[int], np.dtype[np.bool_]]
Float2D = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Float3D = np.ndarray[tuple[int, int, int], np.dtype[np.float64]]
Float4D = np.ndarray[tuple[int, int, int, int], np.dtype[np.float64]]
Int1D = np.ndarray[tuple[int], np.dtype[np.int64]]
Int2D = np.ndarray[tuple[int, int], np.dtype[np.int64]]
Int3D = np.ndarray[tuple[int, int, int], np.dtype[np.int64]]
FloatND = NDArray[np.float64]
BoolND = NDArray[np.bool_]
F = TypeVar("F", bound=Callable[..., Any])


def marks_nan(*names: str) -> Callable[[F], F]:
    """For a function of batches: rows that hold nan give nan and are counted in a warning, the rest is computed.

    `names` are the arguments that are broadcast together; a single row that holds nan is left to the function's rules.
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(*args, **kwargs)
            found = {n: np.asarray(v) for n, v in bound.arguments.items() if n in names}
            given = {n: a for n, a in found.items() if a.dtype.kind == "f"}
            if not any(np.isnan(a).any() for a in given.values() if a.shape):
                return function(*args, **kwargs)
            shape = np.broadcast_shapes(*(a.shape for a in found.values()))
            lost = np.zeros(shape, dtype=bool)
            for array in given.values():
                lost = lost | np.isnan(array)
            for name, array in found.items():
                bound.arguments[name] = np.broadcast_to(array, shape)[~lost]
            count = f"{lost.sum()} of {lost.size} rows hold nan (the first is row {np.argmax(lost)})"
            warnings.warn(f"{count}: their results are nan.", RuntimeWarning, stacklevel=2)
            return _spread(function(*bound.args, **bound.kwargs) if not lost.all() else None, lost)

        return wrapped  # type: ignore[return-value]

    return decorate


def _spread(found: Any, lost: BoolND) -> Any:
    """Results of the rows that are left, back in their places; nan elsewhere."""
    if isinstance(found, dict):
        return {name: _spread(one, lost) for name, one in found.items()}
    if isinstance(found, tuple):
        return tuple(_spread(one, lost) for one in found)
    out = np.full(lost.shape, np.nan)
    if found is not None:
        out[~lost] = found
    return out


_FEW = 8  # numbers that are looked at one by one in less time than a reduction takes to start


def vectors(*values: ArrayLike) -> tuple[list[Float1D], tuple[int, ...]]:
    """Broadcast together, copy to float64 vectors, and remember the shape.

    Returns
    -------
    (vectors, shape) : list of ndarray shape (n,), and the broadcast shape; () when all were scalars

    Examples
    --------
    >>> (a, b), shape = vectors([1.0, 2.0], 3.0)
    >>> shape, b.tolist()
    ((2,), [3.0, 3.0])
    """
    arrays = [numbers(value, "arguments") for value in values]
    shape = arrays[0].shape
    if all(a.shape == shape for a in arrays):
        return [np.array(a, order="C").reshape(-1) for a in arrays], shape
    try:
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
    except ValueError:
        shapes = ", ".join(str(a.shape) for a in arrays)
        raise InputError(f"arguments must broadcast together; got shapes {shapes}.") from None
    out: list[Any] = [
        np.array(np.broadcast_to(a, shape), dtype=np.float64, order="C", copy=True).reshape(-1) for a in arrays
    ]
    return out, shape


def numbers(value: Any, name: str) -> FloatND:
    """As np.asarray(value, dtype=float64); refuses by name what holds text, dates, gaps in its shape, or no numbers."""
    if type(value) is np.ndarray and value.dtype == np.float64:
        return value
    try:
        given = np.asarray(value)
        if given.dtype.kind == "O" and any(isinstance(item, (str, bytes)) for item in given.flat):
            raise TypeError
        if given.dtype.kind not in "biufO":
            raise TypeError
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        hint = "Times are in years: conventions.year_fraction." if hasattr(value, "year") else ""
        raise InputError(rule(name, "be numbers, in rows of one length", value, hint)) from None


def all_within(x: FloatND, least: float, *, above: bool = False) -> bool:
    """Are all finite and at least, or above, `least`? Quick for one number too; False for nan."""
    if x.size <= _FEW:
        if above:
            return all(least < one < math.inf for one in x.ravel().tolist())
        return all(least <= one < math.inf for one in x.ravel().tolist())
    low = x.min()
    return bool((low > least if above else low >= least) and x.max() < math.inf)


def vector(value: ArrayLike, name: str) -> Float1D:
    """One-dimensional float64 copy of `value`; refuses any other number of dimensions."""
    out: Any = np.array(numbers(value, name), dtype=np.float64, order="C", copy=True)
    if out.ndim != 1:
        raise InputError(f"{name} must have one dimension; got shape {out.shape}.")
    return out


def reshape(out: Float1D, shape: tuple[int, ...]) -> Any:
    """Give a kernel's output its broadcast shape back; a float when all inputs were scalars."""
    return out.reshape(shape) if shape else float(out[0])


_KEPT: dict[int, list[Any]] = {}  # by size: memory of results that nobody holds any more
_KEEP_FROM, _KEEP_MOST = 1 << 20, 1 << 28  # bytes: of an array worth keeping, and of all that is kept


class _Lease:
    """Memory that goes back to `_KEPT` when the last array on it is gone."""

    __slots__ = ("memory",)

    def __init__(self, memory: Any) -> None:
        self.memory = memory

    @property
    def __array_interface__(self) -> Any:
        return self.memory.__array_interface__

    def __del__(self) -> None:
        kept = sum(8 * size * len(each) for size, each in tuple((_KEPT or {}).items()))
        if self.memory.nbytes + kept <= _KEEP_MOST:
            _KEPT.setdefault(self.memory.size, []).append(self.memory)


def reused(*shape: int) -> FloatND:
    """As np.empty(shape), on the memory of an earlier result where there is one of that size.

    A fresh page costs more than computing what stands in it: 64 MiB take 10 ms to come by, and nothing to use again.
    """
    size = math.prod(shape)
    if 8 * size < _KEEP_FROM:
        return np.empty(shape)
    try:
        memory = _KEPT[size].pop()
    except (KeyError, IndexError):
        memory = np.empty(size)
    return np.asarray(_Lease(memory)).reshape(shape)
