"""Array types, and the one way the friendly floors hand arrays to kernels.

Kernels see float64 or int64, C-contiguous, writable, one shape: `vectors` makes it so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from research.errors import InputError

Float1D = np.ndarray[tuple[int], np.dtype[np.float64]]
Float2D = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Float3D = np.ndarray[tuple[int, int, int], np.dtype[np.float64]]
Float4D = np.ndarray[tuple[int, int, int, int], np.dtype[np.float64]]
Int1D = np.ndarray[tuple[int], np.dtype[np.int64]]
Int2D = np.ndarray[tuple[int, int], np.dtype[np.int64]]
Int3D = np.ndarray[tuple[int, int, int], np.dtype[np.int64]]
FloatND = NDArray[np.float64]
BoolND = NDArray[np.bool_]


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
    arrays = [np.asarray(value, dtype=np.float64) for value in values]
    try:
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
    except ValueError:
        shapes = ", ".join(str(a.shape) for a in arrays)
        raise InputError(f"arguments must broadcast together; got shapes {shapes}.") from None
    out: list[Any] = [
        np.array(np.broadcast_to(a, shape), dtype=np.float64, order="C", copy=True).reshape(-1) for a in arrays
    ]
    return out, shape


def vector(value: ArrayLike, name: str) -> Float1D:
    """One-dimensional float64 copy of `value`; refuses any other number of dimensions."""
    out: Any = np.array(value, dtype=np.float64, order="C", copy=True)
    if out.ndim != 1:
        raise InputError(f"{name} must have one dimension; got shape {out.shape}.")
    return out


def reshape(out: Float1D, shape: tuple[int, ...]) -> Any:
    """Give a kernel's output its broadcast shape back; a float when all inputs were scalars."""
    return out.reshape(shape) if shape else float(out[0])
