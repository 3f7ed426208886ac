"""Rough Bergomi: a variance driven by a rough Volterra motion, on a curve of forward variances.

    dS / S = (r - q) dt + sqrt(V) dB,    V(t) = xi(t) exp(eta X(t) - eta^2 t^(2H) / 2)
    X(t)   = sqrt(2H) times the integral of (t - s)^(H - 1/2) dW(s) over (0, t),    d<B, W> = rho dt

The skew at the money grows like tau^(H - 1/2) as tau falls, which is what index options show with H about 0.1. With
H = 1/2 the motion is W itself; with eta = 0 this is Black and Scholes with a term structure.

References
----------
Bayer, Friz, Gatheral (2016), "Pricing under rough volatility", Quantitative Finance 16, 887-904.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D, Float2D, numbers, vector
from research.conventions import check_fields, check_terms, equal_by_value
from research.errors import require, require_all


@equal_by_value
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoughBergomi:
    """Parameters; the forward variance is one number, or constant between the times `forward_tau`."""

    abilities: ClassVar[frozenset[str]] = frozenset({"rough_paths", "paths"})

    hurst: float  # H, roughness, in (0, 1/2]
    eta: float  # volatility of log variance
    rho: float  # correlation of spot and variance, in [-1, 1]
    forward_variance: Float1D  # xi, 1/year, shape (m,); a number for a flat curve
    forward_tau: Float1D | None = None  # years up to which each holds, the last one goes on, shape (m,)

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("hurst", "eta", "rho"):
            require(bool(np.isfinite(getattr(self, name))), name, getattr(self, name), "be finite")
            object.__setattr__(self, name, float(getattr(self, name)))
        require(0.0 < self.hurst <= 0.5, "hurst", self.hurst, "lie in (0, 1/2]", hint="Index options: about 0.1.")
        require(self.eta >= 0.0, "eta", self.eta, "be >= 0")
        require(-1.0 <= self.rho <= 1.0, "rho", self.rho, "lie in [-1, 1]")
        xi = vector(np.atleast_1d(numbers(self.forward_variance, "forward_variance")), "forward_variance")
        hint = "A variance is wanted: 20% vol is 0.04."
        require_all(np.isfinite(xi) & (xi >= 0.0), "forward_variance", xi, "be finite and >= 0", hint=hint)
        tau = np.array([1.0]) if self.forward_tau is None else vector(self.forward_tau, "forward_tau")
        require(tau.size == xi.size, "forward_variance", xi.size, f"have as many values as forward_tau, {tau.size}")
        require_all(np.diff(tau, prepend=0.0) > 0.0, "forward_tau", tau, "be > 0 and increase")
        xi.flags.writeable = tau.flags.writeable = False
        object.__setattr__(self, "forward_variance", xi)
        object.__setattr__(self, "forward_tau", None if self.forward_tau is None else tau)

    def total_variance(self, tau: ArrayLike) -> Any:
        """Expected integral of the variance up to tau (years); float in, float out."""
        t = numbers(tau, "tau")
        require_all(t >= 0.0, "tau", t, "be >= 0 years")
        nodes = np.array([1.0]) if self.forward_tau is None else self.forward_tau
        total = np.concatenate(([0.0], np.cumsum(self.forward_variance * np.diff(nodes, prepend=0.0))))
        out = np.interp(t, np.append(0.0, nodes), total)
        out = out + self.forward_variance[-1] * np.maximum(t - nodes[-1], 0.0)
        return out if t.shape else float(out)

    def to_json(self) -> dict[str, Any]:
        """The parameters by name."""
        plain: dict[str, Any] = {"hurst": self.hurst, "eta": self.eta, "rho": self.rho}
        plain["forward_variance"] = self.forward_variance.tolist()
        return plain if self.forward_tau is None else plain | {"forward_tau": self.forward_tau.tolist()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RoughBergomi:
        """The model back from `to_json`."""
        return cls(**check_terms(cls, values))

    def __repr__(self) -> str:
        level = np.sqrt(self.forward_variance)
        curve = f"{level[0]:.4g}" if level.size == 1 else f"{level[0]:.4g} ... {level[-1]:.4g}"
        return f"RoughBergomi(hurst={self.hurst:.4g}, eta={self.eta:.4g}, rho={self.rho:.4g}, forward vol {curve})"


def volterra_covariance(times: ArrayLike, hurst: float) -> Float2D:
    """E[X(s) X(t)] of the Volterra motion, shape (n, n): t^(2H) on the diagonal.

    For s <= t it is s^(2H) (2H / (H + 1/2)) x^(1/2 - H) F(1, 1/2 - H; 3/2 + H; x), x = s / t, F Gauss' series.
    """
    from scipy.special import hyp2f1

    t = np.asarray(times, dtype=np.float64)
    gamma = 0.5 - hurst
    i, j = np.tril_indices(t.size, -1)
    low, ratio = np.minimum(t[i], t[j]), np.minimum(t[i], t[j]) / np.maximum(t[i], t[j])
    off = low ** (2.0 * hurst) * 2.0 * hurst / (1.0 - gamma) * ratio**gamma * hyp2f1(1.0, gamma, 2.0 - gamma, ratio)
    out = np.diag(t ** (2.0 * hurst))
    out[i, j] = out[j, i] = off
    return out
