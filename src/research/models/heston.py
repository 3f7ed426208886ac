"""Heston (1993): stochastic variance with mean reversion, correlated with the spot.

    dS / S = (r - q) dt + sqrt(v) dW1
    dv     = kappa (theta - v) dt + sigma sqrt(v) dW2,    d<W1, W2> = rho dt

References
----------
S. L. Heston, "A closed-form solution for options with stochastic volatility", RFS 6 (1993), 327-343.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D, FloatND, numbers
from research.conventions import check_fields, check_terms
from research.core.models.levy import AFFINE
from research.errors import require, require_all


@dataclass(frozen=True, slots=True, kw_only=True)
class Heston:
    """Parameters of the Heston model; any finite values in these ranges can be priced."""

    abilities: ClassVar[frozenset[str]] = frozenset(
        {"characteristic_function", "real_characteristic_function", "stochastic_variance", "paths"}
    )

    v0: float  # variance today, 1/year
    kappa: float  # speed of mean reversion, 1/year
    theta: float  # long-run variance, 1/year
    sigma: float  # volatility of variance, 1/year
    rho: float  # correlation of spot and variance, in [-1, 1]

    def __post_init__(self) -> None:
        check_fields(self)
        for name, value in asdict(self).items():
            require(bool(np.isfinite(value)), name, value, "be finite")
            object.__setattr__(self, name, float(value))
        require(self.v0 >= 0.0, "v0", self.v0, "be >= 0", hint="v0 is a variance: 20% vol is 0.04.")
        require(self.kappa >= 0.0, "kappa", self.kappa, "be >= 0")
        require(self.theta >= 0.0, "theta", self.theta, "be >= 0", hint="theta is a variance: 20% vol is 0.04.")
        require(self.sigma >= 0.0, "sigma", self.sigma, "be >= 0")
        require(-1.0 <= self.rho <= 1.0, "rho", self.rho, "lie in [-1, 1]")

    def characteristic(self) -> tuple[int, Float1D]:
        """Kind and parameters for `research.core.models.levy`."""
        return AFFINE, np.array([*asdict(self).values(), 0.0, 0.0, 0.0])

    @property
    def feller_ratio(self) -> float:
        """2 kappa theta / sigma^2; below 1 the variance touches zero. Fitted surfaces often lie below."""
        return 2.0 * self.kappa * self.theta / self.sigma**2 if self.sigma > 0.0 else float("inf")

    def to_json(self) -> dict[str, float]:
        """The five parameters by name."""
        return {name: float(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, float]) -> Heston:
        """The model back from `to_json`."""
        return cls(**check_terms(cls, values))

    def average_variance(self, tau: ArrayLike) -> FloatND:
        """Expected mean variance up to `tau` (years), 1/year: the fair variance-swap rate."""
        t = numbers(tau, "tau")
        require_all(t >= 0.0, "tau", t, "be >= 0 years")
        x = self.kappa * t
        some = np.where(x > 0.0, x, 1.0)
        now = np.where(x > 0.0, -np.expm1(-some) / some, 1.0)
        near = np.minimum(x, 0.5)  # 1 - now cancels there: its series
        series = sum((-near) ** n / math.factorial(n + 2) for n in range(14)) * near
        later = np.where(x < 0.5, series, 1.0 - now)
        return np.asarray(self.v0 * now + self.theta * later)
