"""Black-Scholes with a term structure of volatility: forward variance constant between the nodes.

    dS / S = (r(t) - q(t)) dt + sigma(t) dW,    vol(tau)^2 tau = integral of sigma(t)^2 up to tau

European options depend on the mean variance up to expiry alone, so Black's formula is exact; what depends on the
variance between some dates alone (forward starts, cliquets, compounds, geometric averages, variance swaps) has the
closed forms of one volatility.

References
----------
Merton (1973), "Theory of rational option pricing", Bell J. Economics 4, 141-183, section 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import FloatND, numbers
from research.conventions import check_fields, check_terms, check_vols
from research.errors import require, require_all
from research.models.black_scholes import BlackScholes


@dataclass(frozen=True, slots=True, kw_only=True)
class BlackTermStructure:
    """Implied vols by expiry, the same for every strike.

    Examples
    --------
    >>> model = BlackTermStructure(tau=(0.5, 1.0), implied=(0.2, 0.25))
    >>> round(float(model.vol(0.0, 0.75)), 6)
    0.234521
    """

    abilities: ClassVar[frozenset[str]] = frozenset({"implied_vol", "deterministic_vol", "local_vol", "paths"})

    tau: tuple[float, ...]  # years (ACT/365F), increasing, > 0
    implied: tuple[float, ...]  # implied vol to each tau, 1/sqrt(year), decimal

    def __post_init__(self) -> None:
        check_fields(self)
        tau, vol = np.array(self.tau, dtype=float), np.array(self.implied, dtype=float)
        require(tau.size > 0, "tau", 0, "hold at least one expiry")
        require(tau.size == vol.size, "implied", vol.size, f"have as many values as tau, {tau.size}")
        require_all(np.isfinite(tau) & (tau > 0.0), "tau", tau, "be finite and > 0 years")
        require_all(np.diff(tau) > 0.0, "tau", tau[1:], "increase")
        require_all(np.isfinite(vol) & (vol >= 0.0), "implied", vol, "be finite and >= 0")
        check_vols("implied", vol)
        rise = np.diff(vol * vol * tau)
        require_all(rise >= 0.0, "implied", vol[1:], "not let total variance fall from one expiry to the next",
                    hint="implied^2 tau must not fall: such quotes allow a calendar arbitrage.")  # fmt: skip
        object.__setattr__(self, "tau", tuple(float(t) for t in tau))
        object.__setattr__(self, "implied", tuple(float(v) for v in vol))

    def total_variance(self, tau: ArrayLike) -> FloatND:
        """vol^2 tau: linear between the nodes; before the first and after the last the forward vol there holds."""
        t = numbers(tau, "tau")
        nodes = np.array((0.0, *self.tau))
        w = np.array((0.0, *(v * v * x for v, x in zip(self.implied, self.tau))))
        last = (w[-1] - w[-2]) / (nodes[-1] - nodes[-2])
        return np.asarray(np.interp(t, nodes, w) + np.maximum(t - nodes[-1], 0.0) * last)

    def forward_vols(self) -> FloatND:
        """sigma(t) between the nodes, shape (n,)."""
        w = self.total_variance(np.array((0.0, *self.tau)))
        return np.asarray(np.sqrt(np.diff(w) / np.diff((0.0, *self.tau))))

    def vol(self, log_moneyness: ArrayLike, tau: ArrayLike) -> FloatND:
        """Implied vol to `tau` (years, > 0), whatever the strike."""
        t = numbers(tau, "tau")
        require_all(t > 0.0, "tau", t, "be > 0 years")
        out = np.sqrt(self.total_variance(t) / t)
        return np.broadcast_to(out, np.broadcast_shapes(np.shape(log_moneyness), t.shape)).copy()

    def at(self, tau: float) -> BlackScholes:
        """The flat model with the same value for European options of this expiry; for others an approximation."""
        return BlackScholes(sigma=float(self.vol(0.0, tau)))

    def to_json(self) -> dict[str, Any]:
        """Expiries and vols."""
        return {"tau": list(self.tau), "implied": list(self.implied)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> BlackTermStructure:
        """The model back from `to_json`."""
        return cls(**check_terms(cls, values))
