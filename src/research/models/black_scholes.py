"""Black and Scholes (1973), Merton (1973): a lognormal spot with one volatility; rates and yield are the snapshot's.

    dS / S = (r(t) - q) dt + sigma dW

References
----------
Black & Scholes (1973), "The pricing of options and corporate liabilities", J. Political Economy 81, 637-654.
Merton (1973), "Theory of rational option pricing", Bell J. Economics 4, 141-183.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import FloatND
from research.conventions import check_fields, check_terms, check_vols
from research.errors import require


@dataclass(frozen=True, slots=True, kw_only=True)
class BlackScholes:
    """One volatility for every strike and time."""

    abilities: ClassVar[frozenset[str]] = frozenset({"implied_vol", "lognormal", "deterministic_vol", "paths"})

    sigma: float  # volatility, 1/sqrt(year), decimal

    def __post_init__(self) -> None:
        check_fields(self)
        require(
            bool(np.isfinite(self.sigma)) and self.sigma >= 0.0,
            "sigma",
            self.sigma,
            "be finite and >= 0",
            hint="sigma is decimal: 20% is 0.20.",
        )
        check_vols("sigma", self.sigma)
        object.__setattr__(self, "sigma", float(self.sigma))

    def vol(self, log_moneyness: ArrayLike, tau: ArrayLike) -> FloatND:
        """Implied volatility at log(strike / forward) and tau (years): sigma everywhere."""
        shape = np.shape(log_moneyness)
        return np.full(shape if isinstance(tau, float) else np.broadcast_shapes(shape, np.shape(tau)), self.sigma)

    def to_json(self) -> dict[str, float]:
        """The parameter by name."""
        return {"sigma": self.sigma}

    @classmethod
    def from_json(cls, values: Mapping[str, float]) -> BlackScholes:
        """The model back from `to_json`."""
        return cls(**check_terms(cls, values))
