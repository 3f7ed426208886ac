"""Gauss-Legendre on panels between given points: nodes and weights for integrals over a smooth piece after a piece."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from research.arrays import Float1D

_X, _W = np.polynomial.legendre.leggauss(32)


def panels(edges: Iterable[float]) -> tuple[Float1D, Float1D]:
    """Nodes and weights of 32 points between each two neighbours; edges in any order.

    Examples
    --------
    >>> x, w = panels([0.0, 1.0])
    >>> round(float(w @ x**2), 15)
    0.333333333333333
    """
    points = np.unique(np.array([float(e) for e in edges]))
    half = 0.5 * np.diff(points)
    nodes = (points[:-1] + half)[:, None] + half[:, None] * _X
    return nodes.ravel(), (half[:, None] * _W).ravel()


def around(low: float, high: float, centres: Iterable[tuple[float, float]]) -> list[float]:
    """Edges in [low, high] that are fine around each centre, given with its width."""
    steps = np.array([-9.0, -6.0, -3.5, -1.5, -0.5, 0.0, 0.5, 1.5, 3.5, 6.0, 9.0])
    found = [low, high]
    for centre, width in centres:
        found += [float(x) for x in centre + width * steps if low < x < high]
    return found
