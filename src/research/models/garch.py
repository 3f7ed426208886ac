"""Bollerslev (1986): GARCH(1,1), variance that clusters and reverts.

    r_t = mu + e_t,    e_t = sqrt(h_t) z_t,    h_{t+1} = omega + alpha e_t^2 + beta h_t

Times are counted in observations (days for daily returns). The variance before the first observation is not
seen; `initial` says what stands for it: "sample", the mean of e_t^2 (Fiorentini et al. 1996), or a number.

References
----------
Bollerslev, T. (1986). Generalized autoregressive conditional heteroskedasticity. J. of Econometrics 31, 307-327.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import log
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D, vector
from research.conventions import check_fields, check_terms
from research.core.models.garch import garch_log_likelihood, garch_variances
from research.errors import require, require_all

Initial = float | Literal["sample"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GARCH:
    """Parameters of a stationary GARCH(1,1), in units of the returns it is for (decimal)."""

    mu: float  # mean return per observation
    omega: float  # constant of the variance, per observation
    alpha: float  # weight of the last squared residual
    beta: float  # weight of the last variance

    def __post_init__(self) -> None:
        check_fields(self)
        for name, value in asdict(self).items():
            require(bool(np.isfinite(value)), name, value, "be finite")
        require(self.omega > 0.0, "omega", self.omega, "be > 0")
        require(self.alpha >= 0.0, "alpha", self.alpha, "be >= 0")
        require(self.beta >= 0.0, "beta", self.beta, "be >= 0")
        hint = "Otherwise there is no long-run variance."
        require(self.alpha + self.beta < 1.0, "alpha + beta", self.alpha + self.beta, "be < 1", hint=hint)

    @property
    def persistence(self) -> float:
        """alpha + beta: what is left of a variance shock one observation later."""
        return self.alpha + self.beta

    @property
    def long_run_variance(self) -> float:
        """Unconditional variance, per observation."""
        return self.omega / (1.0 - self.persistence)

    @property
    def half_life(self) -> float:
        """Observations after which half of a variance shock is left."""
        return log(0.5) / log(self.persistence) if self.persistence > 0.0 else 0.0

    def variance_ahead(self, variance: ArrayLike, steps: ArrayLike) -> Float1D | float:
        """Expected variance `steps` observations after one whose variance is known to be `variance`."""
        start, ahead = np.asarray(variance, dtype=np.float64), np.asarray(steps, dtype=np.float64)
        out = self.long_run_variance + self.persistence**ahead * (start - self.long_run_variance)
        return out if out.shape else float(out)

    def to_json(self) -> dict[str, float]:
        """The four parameters by name."""
        return {name: float(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, float]) -> GARCH:
        """The model back from `to_json`."""
        return cls(**check_terms(cls, values))


def conditional_variance(returns: ArrayLike, model: GARCH, *, initial: Initial = "sample") -> Float1D:
    """Variance of each return given those before it, and one more entry: that of the next return.

    Parameters
    ----------
    returns : array-like, decimal, shape (n,)
    model : GARCH
    initial : float or "sample", default "sample"
        Stands for the squared residual and the variance before the first return.

    Returns
    -------
    ndarray, shape (n + 1,)
    """
    x, start = _series(returns), initial_code(initial)
    out = np.empty(x.size + 1)
    garch_variances(x, model.mu, model.omega, model.alpha, model.beta, start, out)
    return out


def log_likelihood(returns: ArrayLike, model: GARCH, *, initial: Initial = "sample") -> float:
    """Gaussian log-likelihood of the returns, nats; arguments as in `conditional_variance`."""
    x, start = _series(returns), initial_code(initial)
    return float(garch_log_likelihood(x, model.mu, model.omega, model.alpha, model.beta, start))


def initial_code(initial: Initial) -> float:
    """What kernels take for `initial`: zero for "sample"."""
    if isinstance(initial, str):
        require(initial == "sample", "initial", initial, 'be a variance > 0 or "sample"')
        return 0.0
    require(initial > 0.0, "initial", initial, 'be a variance > 0 or "sample"')
    return float(initial)


def _series(returns: ArrayLike) -> Float1D:
    x = vector(returns, "returns")
    require(x.size >= 1, "returns", x.size, "have at least one observation")
    require_all(np.isfinite(x), "returns", x, "be finite")
    return x
