"""Displaced diffusion (Rubinstein 1983): the forward plus a shift is lognormal; admits forwards above -shift.

    d(F + shift) = sigma (F + shift) dW

The prices are Black's with forward + shift and strike + shift. A large shift gives Bachelier's model.

References
----------
Rubinstein (1983), "Displaced diffusion option pricing", Journal of Finance 38, 213-217.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import marks_nan, numbers, reshape, vectors
from research.conventions import check_fields, check_terms
from research.errors import require, require_all
from research.models import black


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplacedDiffusion:
    """One volatility of forward + shift.

    Examples
    --------
    >>> round(DisplacedDiffusion(sigma=0.2, shift=0.03).price(-0.005, 0.0, 1.0), 8)
    0.00053682
    """

    abilities: ClassVar[frozenset[str]] = frozenset({"implied_vol_at", "local_vol", "paths", "signed"})

    sigma: float  # volatility of forward + shift, 1/sqrt(year), decimal, >= 0
    shift: float  # price units; negative turns the skew around

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("sigma", "shift"):
            value = getattr(self, name)
            require(bool(np.isfinite(value)), name, value, "be finite")
            object.__setattr__(self, name, float(value))
        require(self.sigma >= 0.0, "sigma", self.sigma, "be >= 0", hint="sigma is decimal: 20% is 0.20.")

    @marks_nan("forward", "strike", "tau")
    def vol_at(self, forward: ArrayLike, strike: ArrayLike, tau: ArrayLike) -> Any:
        """Lognormal vol of (forward + shift, strike + shift): sigma everywhere."""
        (f, k, _), shape = vectors(forward, strike, tau)
        self._check(f, k)
        return reshape(np.full(f.size, self.sigma), shape)

    @marks_nan("forward", "strike", "tau", "df", "is_call")
    def price(
        self, forward: ArrayLike, strike: ArrayLike, tau: ArrayLike, *, df: ArrayLike = 1.0, is_call: ArrayLike = True
    ) -> Any:
        """Present value of European options; all arguments broadcast together."""
        f, k = numbers(forward, "forward"), numbers(strike, "strike")
        self._check(f, k)
        return black.price(f + self.shift, k + self.shift, tau, self.sigma, df=df, is_call=is_call)

    @marks_nan("forward", "strike", "tau", "df", "is_call")
    def greeks(
        self, forward: ArrayLike, strike: ArrayLike, tau: ArrayLike, *, df: ArrayLike = 1.0, is_call: ArrayLike = True
    ) -> dict[str, Any]:
        """As `black.greeks`; vega per unit of sigma."""
        f, k = numbers(forward, "forward"), numbers(strike, "strike")
        self._check(f, k)
        return black.greeks(f + self.shift, k + self.shift, tau, self.sigma, df=df, is_call=is_call)

    def _check(self, forward: Any, strike: Any) -> None:
        rule = f"be finite and > {-self.shift:g}"
        require_all((forward + self.shift > 0.0) & np.isfinite(forward), "forward", forward, rule, hint="Raise shift.")
        require_all((strike + self.shift > 0.0) & np.isfinite(strike), "strike", strike, rule, hint="Raise shift.")

    def to_json(self) -> dict[str, float]:
        """The parameters by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, float]) -> DisplacedDiffusion:
        """The model back from `to_json`."""
        return cls(**check_terms(cls, values))
