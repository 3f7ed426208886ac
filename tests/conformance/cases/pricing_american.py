"""Small inputs for the collocation kernels: rate above and below the yield, a start from nothing and from a guess."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from research.core.math.quadrature import gauss_legendre
from research.core.pricing.american import collocation_tables


def _gauss(n: int) -> tuple[Any, Any]:
    node, weight = np.empty(n), np.empty(n)
    gauss_legendre(node, weight)
    return node, weight


def _nodes(n: int) -> Any:
    return 0.5 * (1.0 - np.cos(np.pi * np.arange(1, n + 1) / n))


def _tables() -> tuple[Any, ...]:
    return (*_gauss(5), _nodes(4), np.zeros((3, 20)), np.zeros((4, 20)))


def _filled(n: int, n_quadrature: int, nodes: Any) -> tuple[Any, Any]:
    points, basis = np.zeros((3, n_quadrature * nodes.size)), np.zeros((n, n_quadrature * nodes.size))
    collocation_tables(*_gauss(n_quadrature), nodes, points, basis)
    return points, basis


def _sets() -> tuple[Any, ...]:
    return (
        np.array([0.05, 0.03, 0.06]),
        np.array([0.0, 0.07, -0.01]),
        np.array([0.2, 0.5, 0.02]),
        np.array([1.0, 3.0, 0.1]),
    )


def _boundaries() -> tuple[Any, ...]:
    coarse = np.zeros((3, 2))
    coarse[0] = 0.03, 0.04
    lift = np.array([[1.5, 1.0, 0.2], [0.1, 0.5, 1.0]])
    tables = _filled(3, 5, _nodes(3))
    return (*_sets(), _nodes(3), *tables, coarse, lift, 1e-5, np.zeros((3, 3)), np.zeros(3, dtype=np.int64))


def _values() -> tuple[Any, ...]:
    points, outer = _filled(3, 12, np.ones(1))
    h = np.array([[0.01, 0.03, 0.05], [0.1, 0.2, 0.4], [1e-5, 2e-5, 3e-5]])
    which = np.array([0, 0, 1, 2, 2], dtype=np.int64)
    return np.array([1.0, 0.5, 0.9, 1.0, 0.999]), which, *_sets(), points, outer, h, np.zeros(5)


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.pricing.american.collocation_tables": _tables,
    "research.core.pricing.american.american_boundaries": _boundaries,
    "research.core.pricing.american.american_values": _values,
}
