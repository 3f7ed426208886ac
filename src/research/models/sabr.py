"""SABR (Hagan, Kumar, Lesniewski, Woodward 2002): the implied-vol formula of a forward with stochastic volatility.

    dF = a (F + shift)^beta dW1,   da = nu a dW2,   a(0) = alpha,   d<W1, W2> = rho dt

References
----------
Hagan, Kumar, Lesniewski, Woodward (2002), "Managing smile risk", Wilmott, September, 84-108.
Obloj (2008), "Fine-tune your smile: correction to Hagan et al.", arXiv:0708.0998.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import FloatND, marks_nan, reshape, vectors
from research.conventions import check_fields, check_terms
from research.core.models.sabr import sabr_vols
from research.errors import require, require_all

Formula = Literal["obloj", "hagan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SABR:
    """One expiry's smile; lognormal vols of forward + shift.

    Examples
    --------
    >>> smile = SABR(alpha=0.2, beta=1.0, rho=-0.3, nu=0.5)
    >>> round(smile.vol_at(100.0, 100.0, 1.0), 6)
    0.202104
    """

    alpha: float  # volatility of the forward today, price^(1-beta) / sqrt(year), > 0
    beta: float  # in [0, 1]
    rho: float  # correlation of forward and volatility, in (-1, 1)
    nu: float  # volatility of volatility, 1/sqrt(year), >= 0
    shift: float = 0.0  # price units, >= 0: admits forwards and strikes above -shift
    formula: Formula = "obloj"  # or "hagan"; the same at beta = 1

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("alpha", "beta", "rho", "nu", "shift"):
            value = getattr(self, name)
            require(bool(np.isfinite(value)), name, value, "be finite")
            object.__setattr__(self, name, float(value))
        require(self.alpha > 0.0, "alpha", self.alpha, "be > 0")
        require(0.0 <= self.beta <= 1.0, "beta", self.beta, "lie in [0, 1]")
        require(-1.0 < self.rho < 1.0, "rho", self.rho, "lie in (-1, 1)")
        require(self.nu >= 0.0, "nu", self.nu, "be >= 0")
        require(self.shift >= 0.0, "shift", self.shift, "be >= 0")
        require(self.formula in ("obloj", "hagan"), "formula", self.formula, "be obloj or hagan")

    abilities: ClassVar[frozenset[str]] = frozenset({"implied_vol_at", "signed"})

    @marks_nan("forward", "strike", "tau")
    def vol_at(self, forward: ArrayLike, strike: ArrayLike, tau: ArrayLike) -> Any:
        """Lognormal implied vol of (forward + shift, strike + shift); arguments broadcast, float in, float out."""
        out, shape = self._vols(forward, strike, tau)
        return reshape(out[0], shape)

    def gradient(self, forward: ArrayLike, strike: ArrayLike, tau: ArrayLike) -> FloatND:
        """Derivatives of `vol_at` in (alpha, rho, nu); the first axis is the parameter."""
        out, shape = self._vols(forward, strike, tau)
        return out[1:].reshape((3, *shape))

    def _vols(self, forward: ArrayLike, strike: ArrayLike, tau: ArrayLike) -> tuple[FloatND, tuple[int, ...]]:
        (f, k, t), shape = vectors(forward, strike, tau)
        hint = "A shift admits negative rates." if self.shift == 0.0 else ""
        require_all((f + self.shift > 0.0) & np.isfinite(f), "forward", f, f"be > {-self.shift:g}", hint=hint)
        require_all((k + self.shift > 0.0) & np.isfinite(k), "strike", k, f"be > {-self.shift:g}", hint=hint)
        require_all((t >= 0.0) & np.isfinite(t), "tau", t, "be finite and >= 0 years")
        out = np.empty((4, f.size))
        hagan = 1.0 if self.formula == "hagan" else 0.0
        sabr_vols(f + self.shift, k + self.shift, t, self.alpha, self.beta, self.rho, self.nu, hagan, out)
        return out, shape

    def to_json(self) -> dict[str, Any]:
        """Parameters and formula by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SABR:
        """The smile back from `to_json`."""
        return cls(**check_terms(cls, values))
