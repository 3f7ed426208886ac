"""SVI by its natural and its jump-wings parameters, and the way between them and raw SVI.

    natural       w(k) = delta + omega (1 + zeta rho (k - mu) + sqrt((zeta (k - mu) + rho)^2 + 1 - rho^2)) / 2
    jump wings    v vol^2 at the money, psi its skew, p and c the slopes of the put and call wings, least_v the least
                  variance; all but v and least_v in units of the square root of total variance at the money

Jump wings are what traders read off a smile and hardly depend on expiry; natural parameters are those of SSVI.

References
----------
Gatheral & Jacquier (2014), "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite, sqrt
from typing import Any, ClassVar, Self

from research.conventions import check_fields, check_terms
from research.errors import require
from research.models.svi import SVI


class _Form:
    """Finite floats by name, JSON, and the smile as raw SVI gives it."""

    __slots__ = ()
    abilities: ClassVar[frozenset[str]] = frozenset({"implied_vol"})

    def _finite(self) -> None:
        for name, value in asdict(self).items():  # type: ignore[call-overload]
            require(isfinite(value), name, value, "be finite")
            object.__setattr__(self, name, float(value))

    def to_json(self) -> dict[str, float]:
        """The parameters by name."""
        return {name: float(value) for name, value in asdict(self).items()}  # type: ignore[call-overload]

    @classmethod
    def from_json(cls, values: Mapping[str, float]) -> Self:
        """The smile back from `to_json`."""
        return cls(**check_terms(cls, values))


@dataclass(frozen=True, slots=True, kw_only=True)
class SVINatural(_Form):
    """One expiry's total variance by its natural parameters; with delta = mu = 0 a slice of SSVI."""

    delta: float  # shift of total variance
    mu: float  # log moneyness of the vertex
    rho: float  # tilt, in (-1, 1)
    omega: float  # scale of total variance, > 0
    zeta: float  # curvature, > 0

    def __post_init__(self) -> None:
        check_fields(self)
        self._finite()
        require(-1.0 < self.rho < 1.0, "rho", self.rho, "lie in (-1, 1)")
        require(self.omega > 0.0, "omega", self.omega, "be > 0")
        require(self.zeta > 0.0, "zeta", self.zeta, "be > 0")
        self.raw()

    def raw(self) -> SVI:
        """The same smile in raw SVI."""
        square = (1.0 - self.rho) * (1.0 + self.rho)
        return SVI(
            a=self.delta + 0.5 * self.omega * square, b=0.5 * self.omega * self.zeta, rho=self.rho,
            m=self.mu - self.rho / self.zeta, sigma=sqrt(square) / self.zeta,
        )  # fmt: skip

    @classmethod
    def from_raw(cls, smile: SVI) -> SVINatural:
        """Natural parameters of a raw smile; refuses rho = -1 or 1, which has none."""
        require(abs(smile.rho) < 1.0, "rho", smile.rho, "lie in (-1, 1)", hint="Natural SVI has no straight wing.")
        flat = sqrt((1.0 - smile.rho) * (1.0 + smile.rho))
        omega = 2.0 * smile.b * smile.sigma / flat
        require(omega > 0.0, "b", smile.b, "be > 0", hint="A flat smile has no natural parameters.")
        return cls(
            delta=smile.a - 0.5 * omega * flat * flat, mu=smile.m + smile.rho * smile.sigma / flat, rho=smile.rho,
            omega=omega, zeta=flat / smile.sigma,
        )  # fmt: skip

    def vol(self, k: Any, tau: float) -> Any:
        """Implied vol at log moneyness `k` for an expiry in `tau` years."""
        return self.raw().vol(k, tau)


@dataclass(frozen=True, slots=True, kw_only=True)
class SVIJumpWings(_Form):
    """One expiry's smile as a trader reads it; needs its time to expiry."""

    v: float  # variance at the money, vol^2, 1/year
    psi: float  # skew at the money: d(vol sqrt(tau)) / dk
    p: float  # slope of the put wing, >= 0
    c: float  # slope of the call wing, >= 0
    least_v: float  # least variance over strikes, 1/year, <= v
    tau: float  # years (ACT/365F), > 0

    def __post_init__(self) -> None:
        check_fields(self)
        self._finite()
        require(self.tau > 0.0, "tau", self.tau, "be > 0 years")
        require(self.v > 0.0, "v", self.v, "be > 0", hint="v is a variance: 20% vol is 0.04.")
        require(self.p >= 0.0 and self.c >= 0.0, "p, c", (self.p, self.c), "be >= 0")
        require(self.p + self.c > 0.0, "p + c", self.p + self.c, "be > 0", hint="A flat smile has no wings.")
        hint = "The smile must fall no faster at the money than in its wings: -p <= 2 psi <= c."
        require(-self.p <= 2.0 * self.psi <= self.c, "psi", self.psi, f"lie in [{-self.p / 2:g}, {self.c / 2:g}]",
                hint=hint)  # fmt: skip
        require(0.0 <= self.least_v <= self.v, "least_v", self.least_v, f"lie in [0, v] = [0, {self.v:g}]")
        self.raw()

    def raw(self) -> SVI:
        """The same smile in raw SVI; refuses a skew of 0 with least_v < v or the other way round."""
        root = sqrt(self.v * self.tau)
        b = 0.5 * root * (self.p + self.c)
        rho = (self.c - self.p) / (self.c + self.p)
        beta = rho - 2.0 * self.psi * root / b  # m over the distance from the vertex of the hyperbola
        # 1 - rho beta - sqrt((1 - rho^2)(1 - beta^2)), without the cancellation where beta is near rho
        cosines = sqrt(max((1.0 - rho * rho) * (1.0 - beta * beta), 0.0))
        bend = (beta - rho) ** 2 / (1.0 - rho * beta + cosines)
        hint = "Where the skew is 0 the money is the bottom of the smile, and its width is not determined."
        require(bend > 0.0, "psi", self.psi, "not be 0", hint=hint)
        radius = (self.v - self.least_v) * self.tau / (b * bend)
        require(radius > 0.0, "least_v", self.least_v, f"be below v = {self.v:g} where psi is not 0")
        sigma = radius * sqrt(max((1.0 - beta) * (1.0 + beta), 0.0))
        require(sigma > 0.0, "psi", self.psi, f"lie inside ({-self.p / 2:g}, {self.c / 2:g})")
        floor = b * sigma * sqrt(max((1.0 - rho) * (1.0 + rho), 0.0))
        return SVI(a=self.least_v * self.tau - floor, b=b, rho=rho, m=radius * beta, sigma=sigma)

    @classmethod
    def from_raw(cls, smile: SVI, tau: float) -> SVIJumpWings:
        """Jump wings of a raw smile that expires in `tau` years."""
        require(tau > 0.0, "tau", tau, "be > 0 years")
        radius = sqrt(smile.m**2 + smile.sigma**2)
        w = smile.a + smile.b * (radius - smile.rho * smile.m)
        root = sqrt(w)
        left, right = smile.wing_slopes
        return cls(
            v=w / tau, psi=0.5 * smile.b / root * (smile.rho - smile.m / radius), p=left / root, c=right / root,
            least_v=max(smile.least_variance, 0.0) / tau, tau=tau,
        )  # fmt: skip

    def vol(self, k: Any, tau: float) -> Any:
        """Implied vol at log moneyness `k`; `tau` must be the smile's own."""
        require(abs(tau - self.tau) <= 1e-9 * self.tau, "tau", tau, f"be the smile's own, {self.tau:g} years")
        return self.raw().vol(k, self.tau)

    def without_butterflies(self) -> SVIJumpWings:
        """The smile with the same v, psi and p whose call wing and least variance are those of SSVI (section 5.1).

        It holds no butterflies where that SSVI slice holds none; ask `raw().butterflies()`.
        """
        c = self.p + 2.0 * self.psi
        least = self.v * 4.0 * self.p * c / (self.p + c) ** 2
        return SVIJumpWings(v=self.v, psi=self.psi, p=self.p, c=c, least_v=least, tau=self.tau)
