"""vectors: what kernels are promised about dtype, layout and ownership."""

import numpy as np
import pytest

from research.arrays import reshape, vector, vectors
from research.errors import InputError


def test_vectors_broadcast_and_reshape_returns_the_shape() -> None:
    (a, b), shape = vectors(np.ones((2, 1)), np.arange(3))
    assert shape == (2, 3) and a.shape == (6,) and b.tolist() == [0, 1, 2, 0, 1, 2]
    assert reshape(b, shape).shape == (2, 3)


def test_kernels_get_their_own_writable_contiguous_float64() -> None:
    given = np.arange(10, dtype=np.float64)[::2]
    (copy,), _ = vectors(given)
    assert copy.flags.c_contiguous and copy.flags.writeable and copy.dtype == np.float64
    copy[0] = 99.0
    assert given[0] == 0.0


def test_scalars_come_back_as_a_float() -> None:
    (a,), shape = vectors(3)
    assert shape == () and isinstance(reshape(a, shape), float)


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(InputError, match=r"broadcast together; got shapes \(2,\), \(3,\)"):
        vectors([1, 2], [1, 2, 3])


def test_vector_refuses_a_matrix() -> None:
    with pytest.raises(InputError, match=r"returns must have one dimension; got shape \(2, 2\)"):
        vector(np.ones((2, 2)), "returns")
