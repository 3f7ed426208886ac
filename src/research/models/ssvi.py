"""SSVI and eSSVI: whole surfaces of total variance that hold no static arbitrage, by construction.

A slice at log moneyness k has at-the-money total variance theta, curvature psi = theta phi and tilt rho:

    w(k) = (theta + rho psi k + sqrt((psi k + rho theta)^2 + theta^2 (1 - rho^2))) / 2

`SSVI` takes one rho and phi = phi(theta); `ESSVI` takes (theta, psi, rho) at each expiry. Sufficient conditions, which
the constructors hold to:

    butterfly    psi (1 + |rho|) <= 4  and  psi^2 (1 + |rho|) <= 4 theta             (Gatheral & Jacquier, theorem 4.2)
    calendar     psi (1 + rho) and psi (1 - rho) do not fall, psi / theta does not rise in time   (Hendriks & Martini)

Between expiries theta, psi and rho psi are linear in time, from 0 at time 0 (SSVI: theta alone): wings, psi and theta
then still rise, psi / theta still falls, and psi^2 (1 + |rho|), a product of rising convex functions, stays below the
linear 4 theta. After the last expiry theta grows at its average rate and psi, rho stay (SSVI: psi follows theta), so
the surface is fair at all strikes and all times.

References
----------
Gatheral & Jacquier (2014), "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14, 59-71.
Hendriks & Martini (2019), "The extended SSVI volatility surface", J. Computational Finance 22(5), 25-39.
Corbetta, Cohort, Laachir & Martini (2019), "Robust calibration and arbitrage-free interpolation of SSVI slices",
Decisions in Economics and Finance 42, 665-677.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import FloatND, marks_nan, numbers, reshape, vectors
from research.conventions import check_fields, check_terms
from research.errors import require, require_all
from research.models.svi import SVI, SVISurface

ROUNDING = 1e-10  # relative: a condition met with equality may be missed by this


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLaw:
    """phi(theta) = eta / (theta^gamma (1 + theta)^(1 - gamma)); skew of short expiries like tau^-gamma."""

    eta: float  # > 0
    gamma: float  # in (0, 1/2]: above 1/2 short expiries hold butterflies

    def __post_init__(self) -> None:
        check_fields(self)
        require(bool(np.isfinite(self.eta)) and self.eta > 0.0, "eta", self.eta, "be finite and > 0")
        hint = "Above 1/2 short expiries hold butterfly arbitrage; ESSVI is free of that bound."
        require(0.0 < self.gamma <= 0.5, "gamma", self.gamma, "lie in (0, 1/2]", hint=hint)

    def __call__(self, theta: ArrayLike) -> Any:
        """phi at total variance theta > 0."""
        t = np.asarray(theta, dtype=np.float64)
        return self.eta / (t**self.gamma * (1.0 + t) ** (1.0 - self.gamma))

    @staticmethod
    def largest(rho: ArrayLike, gamma: ArrayLike) -> Any:
        """The largest eta without butterflies at any theta."""
        # theta phi < eta; theta phi^2 is largest at theta = 1 - 2 gamma
        g, one = np.asarray(gamma, dtype=np.float64), 1.0 + np.abs(rho)
        top = (1.0 - 2.0 * g) ** (1.0 - 2.0 * g) / (2.0 - 2.0 * g) ** (2.0 - 2.0 * g)
        return np.minimum(4.0 / one, 2.0 / np.sqrt(one * top))

    def check(self, rho: float) -> None:
        """Refuse butterflies."""
        most = float(self.largest(rho, self.gamma))
        hint = "Else some expiry holds butterfly arbitrage (Gatheral & Jacquier 2014, theorem 4.2)."
        require(self.eta <= most * (1.0 + ROUNDING), "eta", self.eta, f"be <= {most:.6g} at this rho", hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class HestonLike:
    """phi(theta) = (1 - (1 - exp(-lam theta)) / (lam theta)) / (lam theta); skew of short expiries stays finite.

    Never above 1/2, so psi <= theta / 2: the smiles of equity indices are steeper than it can be.
    """

    lam: float  # >= (1 + |rho|) / 4

    def __post_init__(self) -> None:
        check_fields(self)
        require(bool(np.isfinite(self.lam)) and self.lam > 0.0, "lam", self.lam, "be finite and > 0")

    def __call__(self, theta: ArrayLike) -> Any:
        """phi at total variance theta > 0."""
        u = self.lam * np.asarray(theta, dtype=np.float64)
        series = 0.5 - u / 6.0 + u * u / 24.0 - u**3 / 120.0 + u**4 / 720.0
        safe = np.where(u < 1e-2, 1.0, u)
        return np.where(u < 1e-2, series, (1.0 + np.expm1(-safe) / safe) / safe)

    def check(self, rho: float) -> None:
        """Refuse butterflies."""
        least = 0.25 * (1.0 + abs(rho))
        hint = "Else a long expiry holds butterfly arbitrage (Gatheral & Jacquier 2014, example 4.1)."
        require(
            self.lam >= least * (1.0 - ROUNDING), "lam", self.lam, f"be >= (1 + |rho|) / 4 = {least:.6g}", hint=hint
        )


class _Surface:
    """What both surfaces can do, given `at(tau)`."""

    __slots__ = ()
    tau: tuple[float, ...]
    theta: tuple[float, ...]

    def at(self, tau: ArrayLike) -> tuple[FloatND, FloatND, FloatND]:
        """(theta, psi, rho) at time tau >= 0, each of its shape."""
        raise AssertionError("defined by the class")

    @marks_nan("k", "tau")
    def total_variance(self, k: ArrayLike, tau: ArrayLike) -> Any:
        """w at log moneyness `k` and time `tau`; the two broadcast together."""
        (x, t), shape = vectors(k, tau)
        require_all(np.isfinite(x), "k", x, "be finite")
        require_all(np.isfinite(t) & (t >= 0.0), "tau", t, "be finite and >= 0 years")
        return reshape(slice_variance(x, *self.at(t)), shape)

    @marks_nan("k", "tau")
    def vol(self, k: ArrayLike, tau: ArrayLike) -> Any:
        """Implied vol at log moneyness `k` and time `tau`; the two broadcast together."""
        t = numbers(tau, "tau")
        require_all(t > 0.0, "tau", t, "be > 0 years")
        out = np.sqrt(np.asarray(self.total_variance(k, t)) / t)
        return out if out.shape else float(out)

    def slice(self, tau: float) -> SVI:
        """The smile of one expiry in raw SVI."""
        require(tau > 0.0, "tau", tau, "be > 0 years")
        theta, psi, rho = (float(np.asarray(value)) for value in self.at(tau))
        flat = float(np.sqrt((1.0 - rho) * (1.0 + rho)))
        phi = psi / theta
        return SVI(a=0.5 * theta * flat**2, b=0.5 * psi, rho=rho, m=-rho / phi, sigma=max(flat / phi, 1e-300))

    def to_svi(self) -> SVISurface:
        """The slices at the expiries, whose own tests for arbitrage are exact on the whole line."""
        return SVISurface(tau=self.tau, slices=tuple(self.slice(t) for t in self.tau))

    def arbitrage(self) -> Any:
        """Table of butterflies and calendars beyond rounding, by searching the slices: the constructor leaves none."""
        found = self.to_svi().arbitrage()
        ends = found[["low", "high"]].abs().replace(np.inf, 0.0)  # wings of one slope cross where 1e-16 k shows
        return found[found["size"] > 1e-12 * (1.0 + ends.max(axis=1))].reset_index(drop=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SSVI(_Surface):
    """One rho, one phi(theta), and the at-the-money total variance of each expiry.

    Examples
    --------
    >>> surface = SSVI(tau=(0.5, 1.0), theta=(0.02, 0.04), rho=-0.5, phi=PowerLaw(eta=1.0, gamma=0.4))
    >>> round(surface.vol(0.0, 0.75), 6)
    0.2
    """

    abilities: ClassVar[frozenset[str]] = frozenset({"implied_vol"})

    tau: tuple[float, ...]  # years (ACT/365F), increasing
    theta: tuple[float, ...]  # total variance at the money, > 0, not falling
    rho: float  # in (-1, 1)
    phi: PowerLaw | HestonLike

    def __post_init__(self) -> None:
        check_fields(self)
        _nodes(self, ("theta",))
        require(-1.0 < self.rho < 1.0, "rho", self.rho, "lie in (-1, 1)")
        require(isinstance(self.phi, (PowerLaw, HestonLike)), "phi", self.phi, "be a PowerLaw or a HestonLike")
        self.phi.check(self.rho)

    def at(self, tau: ArrayLike) -> tuple[FloatND, FloatND, FloatND]:
        """(theta, psi, rho) at time tau >= 0, each of its shape."""
        theta = _theta(self.tau, self.theta, tau)
        safe = np.maximum(theta, 1e-300)
        return theta, np.where(theta > 0.0, safe * self.phi(safe), 0.0), np.full(theta.shape, self.rho)

    def parameters(self) -> Any:
        """One row an expiry: tau, theta, psi, rho."""
        return _table(self)

    def to_json(self) -> dict[str, Any]:
        """Expiries and parameters."""
        kind = "power_law" if isinstance(self.phi, PowerLaw) else "heston"
        phi = {"kind": kind} | asdict(self.phi)
        return {"tau": list(self.tau), "theta": list(self.theta), "rho": self.rho, "phi": phi}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SSVI:
        """The surface back from `to_json`."""
        given = check_terms(cls, values)
        shapes, phi = {"power_law": PowerLaw, "heston": HestonLike}, given["phi"]
        require(isinstance(phi, Mapping), "phi", phi, "be a mapping")
        kind = phi.get("kind")
        require(kind in shapes, "kind of phi", kind, f"be one of {', '.join(shapes)}")
        shape = shapes[kind]
        return cls(**given | {"phi": shape(**check_terms(shape, {k: v for k, v in phi.items() if k != "kind"}))})


@dataclass(frozen=True, slots=True, kw_only=True)
class ESSVI(_Surface):
    """(theta, psi, rho) of each expiry, within the conditions that leave no static arbitrage.

    Examples
    --------
    >>> surface = ESSVI(tau=(0.5, 1.0), theta=(0.02, 0.045), psi=(0.1, 0.15), rho=(-0.6, -0.5))
    >>> round(surface.vol(0.0, 1.0), 6)
    0.212132
    """

    abilities: ClassVar[frozenset[str]] = frozenset({"implied_vol"})

    tau: tuple[float, ...]  # years (ACT/365F), increasing
    theta: tuple[float, ...]  # total variance at the money, > 0, not falling
    psi: tuple[float, ...]  # theta phi, > 0: the slopes of the wings are psi (1 -+ rho) / 2
    rho: tuple[float, ...]  # in (-1, 1)

    def __post_init__(self) -> None:
        check_fields(self)
        _nodes(self, ("theta", "psi", "rho"))
        theta, psi, rho = (np.array(values) for values in (self.theta, self.psi, self.rho))
        require_all(psi > 0.0, "psi", psi, "be > 0")
        require_all(np.abs(rho) < 1.0, "rho", rho, "lie in (-1, 1)")
        slack = 1.0 + ROUNDING
        most = largest_psi(theta, rho)
        butterfly = "Else the expiry may hold butterflies (Gatheral & Jacquier 2014, theorem 4.2)."
        require_all(psi <= most * slack, "psi", psi, f"be <= {_list(most)} at these theta, rho", hint=butterfly)
        calendar = "Else expiries may cross (Hendriks & Martini 2019, proposition 3.1)."
        for name, wing in (("psi (1 - rho)", psi * (1.0 - rho)), ("psi (1 + rho)", psi * (1.0 + rho))):
            require_all(wing[1:] * slack >= wing[:-1], name, wing[1:], "not fall with tau", hint=calendar)
        phi = psi / theta
        require_all(phi[1:] <= phi[:-1] * slack, "psi / theta", phi[1:], "not rise with tau", hint=calendar)

    def at(self, tau: ArrayLike) -> tuple[FloatND, FloatND, FloatND]:
        """(theta, psi, rho) at time tau >= 0, each of its shape."""
        t, times = numbers(tau, "tau"), (0.0, *self.tau)
        psi = np.interp(t, times, (0.0, *self.psi))
        lean = np.interp(t, times, (0.0, *(p * r for p, r in zip(self.psi, self.rho))))
        rho = np.where(psi > 0.0, lean / np.where(psi > 0.0, psi, 1.0), self.rho[0])
        return _theta(self.tau, self.theta, t), psi, rho

    def parameters(self) -> Any:
        """One row an expiry: tau, theta, psi, rho."""
        return _table(self)

    def to_json(self) -> dict[str, Any]:
        """Expiries and parameters."""
        return {name: list(getattr(self, name)) for name in ("tau", "theta", "psi", "rho")}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ESSVI:
        """The surface back from `to_json`."""
        return cls(**check_terms(cls, values))


def slice_variance(k: ArrayLike, theta: ArrayLike, psi: ArrayLike, rho: ArrayLike) -> Any:
    """Total variance of an SSVI slice; arguments broadcast together."""
    k, theta, psi, rho = (np.asarray(value, dtype=np.float64) for value in (k, theta, psi, rho))
    root = np.hypot(psi * k + rho * theta, theta * np.sqrt((1.0 - rho) * (1.0 + rho)))
    return 0.5 * (theta + rho * psi * k + root)


def largest_psi(theta: ArrayLike, rho: ArrayLike) -> Any:
    """The largest psi of a slice without butterflies."""
    one = 1.0 + np.abs(rho)
    return np.minimum(4.0 / one, 2.0 * np.sqrt(np.asarray(theta, dtype=np.float64) / one))


def _nodes(surface: Any, names: tuple[str, ...]) -> None:
    """Check and freeze expiries and what stands at each."""
    for name in ("tau", *names):
        values = tuple(float(value) for value in getattr(surface, name))
        object.__setattr__(surface, name, values)
        require_all(np.isfinite(values), name, np.array(values), "be finite")
        require(len(values) == len(surface.tau), name, len(values), f"be as many as tau, {len(surface.tau)}")
    times, theta = np.array(surface.tau), np.array(surface.theta)
    require(times.size > 0, "tau", 0, "hold at least one expiry")
    require_all(times > 0.0, "tau", times, "be > 0 years")
    require_all(np.diff(times) > 0.0, "tau", times[1:], "increase")
    require_all(theta > 0.0, "theta", theta, "be > 0")
    hint = "Total variance that falls is calendar arbitrage."
    require_all(theta[1:] * (1.0 + ROUNDING) >= theta[:-1], "theta", theta[1:], "not fall with tau", hint=hint)


def _theta(times: tuple[float, ...], theta: tuple[float, ...], tau: ArrayLike) -> FloatND:
    """Linear from 0 at time 0 through the nodes; beyond the last the vol at the money holds."""
    t = numbers(tau, "tau")
    inside = np.interp(t, (0.0, *times), (0.0, *theta))
    return np.where(t > times[-1], theta[-1] * (t / times[-1]), inside)


def _table(surface: Any) -> Any:
    import pandas as pd

    theta, psi, rho = surface.at(np.array(surface.tau))
    return pd.DataFrame({"tau": surface.tau, "theta": theta, "psi": psi, "rho": rho})


def _list(values: FloatND) -> str:
    return ", ".join(f"{value:.6g}" for value in np.atleast_1d(values))
