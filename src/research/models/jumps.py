"""Models with jumps: Merton (1976), Bates (1996), Variance Gamma (Madan, Carr, Chang 1998).

| class | log price |
|---|---|
| `Merton` | Brownian motion plus compound Poisson jumps of normal size |
| `Bates` | Heston's stochastic variance plus the same jumps |
| `VarianceGamma` | Brownian motion with drift, run on a gamma clock |

Every one is a martingale under the snapshot's forward: the drift is corrected for the jumps.

References
----------
Merton (1976), "Option pricing when underlying stock returns are discontinuous", J. Financial Economics 3, 125-144.
Bates (1996), "Jumps and stochastic volatility: exchange rate processes implicit in Deutsche Mark options", Review of
Financial Studies 9, 69-107.
Madan, Carr, Chang (1998), "The Variance Gamma process and option pricing", European Finance Review 2, 79-105.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np

from research.arrays import Float1D
from research.conventions import check_fields, check_terms, check_vols
from research.core.models.levy import AFFINE, VARIANCE_GAMMA
from research.errors import require
from research.models.heston import Heston


class _Parameters:
    """Finite floats by name, and JSON."""

    __slots__ = ()

    def _finite(self) -> None:
        for name, value in asdict(self).items():  # type: ignore[call-overload]
            require(bool(np.isfinite(value)), name, value, "be finite")
            object.__setattr__(self, name, float(value))

    def to_json(self) -> dict[str, float]:
        """The parameters by name."""
        return {name: float(value) for name, value in asdict(self).items()}  # type: ignore[call-overload]

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The model back from `to_json`."""
        return cls(**check_terms(cls, values))


def _check_jumps(intensity: float, jump_mean: float, jump_std: float) -> None:
    require(intensity >= 0.0, "intensity", intensity, "be >= 0 jumps a year")
    require(jump_std >= 0.0, "jump_std", jump_std, "be >= 0")
    check_vols("jump_std", jump_std)
    require(
        jump_mean + 0.5 * jump_std**2 < 50.0,
        "jump_mean",
        jump_mean,
        "leave the mean jump finite",
        hint="It is the mean of log(after / before): a fall by 10% is -0.105.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Merton(_Parameters):
    """Jump diffusion."""

    abilities: ClassVar[frozenset[str]] = frozenset({"black_mixture", "real_characteristic_function", "paths"})

    sigma: float  # volatility between jumps, 1/sqrt(year)
    intensity: float  # jumps a year
    jump_mean: float  # of log(price after / before)
    jump_std: float  # of the same

    def __post_init__(self) -> None:
        check_fields(self)
        self._finite()
        require(self.sigma >= 0.0, "sigma", self.sigma, "be >= 0")
        check_vols("sigma", self.sigma)
        _check_jumps(self.intensity, self.jump_mean, self.jump_std)

    def characteristic(self) -> tuple[int, Float1D]:
        """Kind and parameters for `research.core.models.levy`."""
        jumps = (self.intensity, self.jump_mean, self.jump_std)
        return AFFINE, np.array([self.sigma**2, 0.0, 0.0, 0.0, 0.0, *jumps])


@dataclass(frozen=True, slots=True, kw_only=True)
class Bates(_Parameters):
    """Heston with jumps."""

    abilities: ClassVar[frozenset[str]] = frozenset(
        {"heston_mixture", "real_characteristic_function", "stochastic_variance_jumps", "paths"}
    )

    v0: float  # variance today, 1/year
    kappa: float  # speed of mean reversion, 1/year
    theta: float  # long-run variance, 1/year
    sigma: float  # volatility of variance, 1/year
    rho: float  # correlation of spot and variance, in [-1, 1]
    intensity: float  # jumps a year
    jump_mean: float  # of log(price after / before)
    jump_std: float  # of the same

    def __post_init__(self) -> None:
        check_fields(self)
        self._finite()
        Heston(v0=self.v0, kappa=self.kappa, theta=self.theta, sigma=self.sigma, rho=self.rho)
        _check_jumps(self.intensity, self.jump_mean, self.jump_std)

    def characteristic(self) -> tuple[int, Float1D]:
        """Kind and parameters for `research.core.models.levy`."""
        return AFFINE, np.array(list(asdict(self).values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class VarianceGamma(_Parameters):
    """Variance Gamma."""

    abilities: ClassVar[frozenset[str]] = frozenset({"black_mixture", "real_characteristic_function", "paths"})

    sigma: float  # volatility of the Brownian motion, 1/sqrt(year), >= 0
    nu: float  # variance rate of the gamma clock, years, > 0
    theta: float  # drift of the Brownian motion, 1/year

    def __post_init__(self) -> None:
        check_fields(self)
        self._finite()
        require(self.sigma >= 0.0, "sigma", self.sigma, "be >= 0")
        check_vols("sigma", self.sigma)
        require(self.nu > 0.0, "nu", self.nu, "be > 0 years")
        room = 1.0 - self.theta * self.nu - 0.5 * self.sigma**2 * self.nu
        require(room > 0.0, "1 - theta nu - sigma^2 nu / 2", room, "be > 0", hint="Else the forward is infinite.")
        require(self.sigma > 0.0 or self.theta != 0.0, "sigma", self.sigma, "be > 0 where theta is 0")

    def characteristic(self) -> tuple[int, Float1D]:
        """Kind and parameters for `research.core.models.levy`."""
        return VARIANCE_GAMMA, np.array([self.sigma, self.nu, self.theta])
