"""Quadrature rules of odd and even size; bivariate probabilities with ends, breaks and every correlation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _bivariate() -> tuple[Any, ...]:
    rng = np.random.default_rng(8)
    h, k, rho = 2.0 * rng.standard_normal((3, 41))
    rho = np.clip(rho, -1.0, 1.0)
    h[:4], k[2:6], rho[6] = (np.inf, -np.inf, np.nan, -30.0), (-np.inf, np.inf, -40.0, 0.0), 0.0
    nodes, weights = np.polynomial.legendre.leggauss(24)
    return h, k, rho, rng.uniform(-5.0, 30.0, 41), nodes, weights, np.zeros(41)


def _by_angle() -> tuple[Any, ...]:
    rng = np.random.default_rng(9)
    h, k, rho = rng.uniform(-5.9, 5.9, (3, 21)) * np.array([[1.0], [1.0], [0.15]])
    nodes, weights = np.polynomial.legendre.leggauss(24)
    return h, k, rho, rng.uniform(-5.0, 5.0, 21), nodes, weights, np.zeros(21)


def _orthants() -> tuple[Any, ...]:
    """Three variables, the last known from the first."""
    from research.core.random import sobol

    tables = np.empty((2, 2, sobol.COLUMNS), dtype=np.int64)
    sobol.scramble(5, 0, sobol.directions(2), tables)
    lower = np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [-1.0, 0.0, 0.0]])
    return tables, 256, np.array([0.3, -0.4, 1.5]), lower, np.zeros(2)


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.math.quadrature.gauss_legendre": lambda: (np.zeros(33), np.zeros(33)),
    "research.core.math.quadrature.gauss_legendre[even]": lambda: (np.zeros(8), np.zeros(8)),
    "research.core.math.bivariate.bivariate_cdfs": _bivariate,
    "research.core.math.bivariate.bivariate_cdfs[by angle]": _by_angle,
    "research.core.math.orthants.orthants": _orthants,
    "research.core.math.quadrature.tanh_sinh": lambda: (np.zeros(65), np.zeros(65)),
}
