"""Arrays that carry the error they may have: sums add errors, exact factors multiply them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from research.arrays import FloatND


@dataclass(frozen=True, slots=True)
class Bounded:
    """Values and how far off each may be; arrays of one shape."""

    __array_ufunc__: ClassVar[None] = None  # so that array * Bounded comes here

    value: FloatND
    error: FloatND

    def __add__(self, other: Any) -> Bounded:
        if isinstance(other, Bounded):
            return Bounded(self.value + other.value, self.error + other.error)
        return Bounded(self.value + other, self.error)

    def __neg__(self) -> Bounded:
        return Bounded(-self.value, self.error)

    def __sub__(self, other: Any) -> Bounded:
        return self + (-other)

    def __mul__(self, factor: Any) -> Bounded:
        """By exact numbers."""
        return Bounded(self.value * factor, self.error * np.abs(factor))

    __rmul__ = __mul__
    __radd__ = __add__

    def __getitem__(self, at: Any) -> Bounded:
        return Bounded(self.value[at], self.error[at])

    def total(self, weight: FloatND) -> Bounded:
        """Weighted sums over the first axis."""
        return Bounded((weight * self.value).sum(axis=0), (np.abs(weight) * self.error).sum(axis=0))


def exact(value: Any) -> Bounded:
    """Without error."""
    v = np.asarray(value, dtype=np.float64)
    return Bounded(v, np.zeros_like(v))
