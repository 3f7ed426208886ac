"""Two lognormals: an underlying in its own currency, and that currency in the currency of payment.

    dS / S = (r - q) dt + sigma dW1,    dX / X = (r' - r) dt + fx_vol dW2,    d<W1, W2> = correlation dt

S, r and q are the snapshot's; what it does not know of the currency of payment stands here.

References
----------
Garman, Kohlhagen (1983), "Foreign currency option values", J. International Money and Finance 2, 231-237.
Reiner (1992), "Quanto mechanics", Risk 5(3), 59-63.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np

from research.conventions import check_fields, check_rates, check_terms, check_vols
from research.errors import require


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossCurrency:
    """Volatilities, correlation, and the currency of payment's own market."""

    abilities: ClassVar[frozenset[str]] = frozenset({"lognormal_cross_currency"})

    sigma: float  # volatility of the underlying in its own currency, 1/sqrt(year)
    fx_vol: float  # volatility of the rate of exchange, 1/sqrt(year)
    correlation: float  # of the two, in [-1, 1]
    payout_rate: float  # zero rate of the currency of payment, 1/year, continuously compounded
    fx_spot: float = 1.0  # currency of payment for one unit of that of the underlying

    def __post_init__(self) -> None:
        check_fields(self)
        for name, value in asdict(self).items():
            require(bool(np.isfinite(value)), name, value, "be finite")
            object.__setattr__(self, name, float(value))
        check_vols("sigma", self.sigma)
        check_vols("fx_vol", self.fx_vol)
        check_rates("payout_rate", self.payout_rate)
        require(self.sigma >= 0.0, "sigma", self.sigma, "be >= 0", hint="sigma is decimal: 20% is 0.20.")
        require(self.fx_vol >= 0.0, "fx_vol", self.fx_vol, "be >= 0")
        require(-1.0 <= self.correlation <= 1.0, "correlation", self.correlation, "lie in [-1, 1]")
        require(self.fx_spot > 0.0, "fx_spot", self.fx_spot, "be > 0")

    @property
    def product_vol(self) -> float:
        """Volatility of the price in the currency of payment."""
        square = self.sigma**2 + self.fx_vol**2 + 2.0 * self.correlation * self.sigma * self.fx_vol
        return float(np.sqrt(max(square, 0.0)))

    def to_json(self) -> dict[str, float]:
        """The parameters by name."""
        return {name: float(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, float]) -> CrossCurrency:
        """The model back from `to_json`."""
        return cls(**check_terms(cls, values))
