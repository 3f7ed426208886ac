"""Raw SVI smiles and surfaces (Gatheral 2004), with their arbitrage checks.

    w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2)),    k = log(strike / forward),    w = vol^2 tau

A slice is free of butterfly arbitrage when Durrleman's g(k) >= 0 everywhere and its wings are no steeper than 2
(Lee 2004: b (1 + |rho|) <= 2). A surface is free of calendar arbitrage when no two slices cross.

References
----------
Gatheral (2004), "A parsimonious arbitrage-free implied volatility parameterization", Global Derivatives, Madrid.
Gatheral & Jacquier (2014), "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14, 59-71.
Lee (2004), "The moment formula for implied volatility at extreme strikes", Mathematical Finance 14, 469-480.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import FloatND, marks_nan, numbers, reshape, vectors
from research.conventions import check_fields, check_terms
from research.core.models.svi import svi_between, svi_curves
from research.errors import require, require_all

LEE = 2.0  # steepest wing of total variance without arbitrage


@dataclass(frozen=True, slots=True, kw_only=True)
class SVI:
    """Total variance of one expiry. Any parameters with w(k) >= 0 are a smile; ask `butterflies` if it is fair.

    Examples
    --------
    >>> smile = SVI(a=0.01, b=0.1, rho=-0.4, m=0.0, sigma=0.2)
    >>> round(smile.vol(0.0, tau=0.5), 6)
    0.244949
    """

    abilities: ClassVar[frozenset[str]] = frozenset({"implied_vol"})

    a: float  # level of total variance
    b: float  # mean of the two wing slopes, >= 0
    rho: float  # tilt, in [-1, 1]
    m: float  # log moneyness of the centre
    sigma: float  # width of the bend, > 0

    def __post_init__(self) -> None:
        check_fields(self)
        for name, value in asdict(self).items():
            require(bool(np.isfinite(value)), name, value, "be finite")
        require(self.b >= 0.0, "b", self.b, "be >= 0")
        require(-1.0 <= self.rho <= 1.0, "rho", self.rho, "lie in [-1, 1]")
        require(self.sigma > 0.0, "sigma", self.sigma, "be > 0")
        hint = "a + b sigma sqrt(1 - rho^2) is the least total variance."
        require(self.least_variance >= 0.0, "least total variance", self.least_variance, "be >= 0", hint=hint)

    @property
    def least_variance(self) -> float:
        """Smallest total variance over all strikes."""
        return float(self.a + self.b * self.sigma * np.sqrt(max(1.0 - self.rho**2, 0.0)))

    @property
    def wing_slopes(self) -> tuple[float, float]:
        """Steepness of total variance far left and far right, both >= 0."""
        return self.b * (1.0 - self.rho), self.b * (1.0 + self.rho)

    @marks_nan("k")
    def total_variance(self, k: ArrayLike) -> Any:
        """w(k) at log moneyness `k`; float in, float out."""
        return self._curve(k, 0)

    @marks_nan("k")
    def vol(self, k: ArrayLike, tau: float) -> Any:
        """Implied vol at log moneyness `k` for an expiry in `tau` years."""
        require(tau > 0.0, "tau", tau, "be > 0 years")
        out = np.sqrt(np.asarray(self._curve(k, 0)) / tau)
        return out if out.shape else float(out)

    def durrleman(self, k: ArrayLike) -> Any:
        """Durrleman's g(k): the density of the log price is proportional to it. Needs w(k) > 0."""
        return self._curve(k, 3)

    def butterflies(self) -> list[dict[str, float]]:
        """Where the smile allows butterfly arbitrage: low, high and lowest g of each interval with g < 0.

        The line of all k is searched: a grid fine beside sigma around m, a logarithmic one outside. A wing steeper
        than 2 shows up as an interval that ends at infinity.
        """
        k = self._search_grid()
        g = self.durrleman(k)
        found = []
        for start, stop in _runs(g < 0.0):
            low = k[0] if start == 0 else self._root(k[start - 1], k[start])
            high = k[-1] if stop == k.size else self._root(k[stop - 1], k[stop])
            left, right = (slope > LEE for slope in self.wing_slopes)
            low = -np.inf if start == 0 and left else low
            high = np.inf if stop == k.size and right else high
            found.append({"low": float(low), "high": float(high), "lowest": float(g[start:stop].min())})
        return found

    def to_json(self) -> dict[str, float]:
        """The five parameters by name."""
        return {name: float(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, float]) -> SVI:
        """The smile back from `to_json`."""
        return cls(**check_terms(cls, values))

    def _curve(self, k: ArrayLike, row: int) -> Any:
        (x,), shape = vectors(k)
        require_all(np.isfinite(x), "k", x, "be finite")
        out = np.empty((4, x.size))
        svi_curves(x, self.a, self.b, self.rho, self.m, self.sigma, out)
        return reshape(out[row], shape)

    def derivatives(self, k: FloatND) -> FloatND:
        """w and its first and second derivative at log moneyness `k`, shape (3, n)."""
        d = k - self.m
        root = np.sqrt(d * d + self.sigma**2)
        w = self.a + self.b * (self.rho * d + root)
        return np.stack([w, self.b * (self.rho + d / root), self.b * self.sigma**2 / root**3])

    def _search_grid(self) -> FloatND:
        near = np.linspace(-30.0, 30.0, 4801) * self.sigma
        far = np.geomspace(30.0 * self.sigma, max(1e4, 1e4 * self.sigma), 800)[1:]
        return self.m + np.concatenate([-far[::-1], near, far])

    def _root(self, low: float, high: float) -> float:
        from scipy.optimize import brentq

        return float(brentq(self.durrleman, low, high, xtol=1e-14))


@dataclass(frozen=True, slots=True, kw_only=True)
class SVISurface:
    """SVI slices, and total variance linear in time between them at the same log moneyness.

    Before the first expiry its implied vols hold, which keeps a fair slice fair. After the last its vol at the forward
    holds, and every strike gains the same variance: scaled up, w would soon hold butterflies and wings steeper than 2.
    Gaining, it holds none while w grows no faster than k^2 away from the forward.
    """

    abilities: ClassVar[frozenset[str]] = frozenset({"implied_vol"})

    tau: tuple[float, ...]  # years (ACT/365F), increasing
    slices: tuple[SVI, ...]  # one an expiry

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "tau", tuple(float(t) for t in self.tau))
        object.__setattr__(self, "slices", tuple(self.slices))
        require(len(self.tau) > 0, "tau", 0, "hold at least one expiry")
        require(len(self.slices) == len(self.tau), "slices", len(self.slices), f"be as many as tau, {len(self.tau)}")
        times = np.array(self.tau)
        require_all(np.isfinite(times) & (times > 0.0), "tau", times, "be finite and > 0 years")
        require_all(np.diff(times) > 0.0, "tau", times[1:], "increase")

    @marks_nan("k", "tau")
    def total_variance(self, k: ArrayLike, tau: ArrayLike) -> Any:
        """w at log moneyness `k` and time `tau`; the two broadcast together."""
        (x, t), shape = vectors(k, tau)
        require_all(np.isfinite(t) & (t >= 0.0), "tau", t, "be finite and >= 0 years")
        times = np.array(self.tau)
        rows = np.stack([one.total_variance(x) for one in self.slices])
        after = np.searchsorted(times, t)  # slice at or after t
        first, last = np.clip(after - 1, 0, None), np.clip(after, None, times.size - 1)
        here = np.arange(x.size)
        early, late = rows[first, here], rows[last, here]
        span = np.where(last > first, times[last] - times[first], 1.0)
        share = np.where(last > first, (t - times[first]) / span, 0.0)
        between = early + share * (late - early)
        gain = float(np.asarray(self.slices[-1].total_variance(0.0))) * (t / times[-1] - 1.0)
        outside = np.where(after == 0, rows[0] * t / times[0], rows[-1] + gain)
        return reshape(np.where((after == 0) | (after == times.size), outside, between), shape)

    @marks_nan("k", "tau")
    def vol(self, k: ArrayLike, tau: ArrayLike) -> Any:
        """Implied vol at log moneyness `k` and time `tau`; the two broadcast together."""
        t = numbers(tau, "tau")
        require_all(t > 0.0, "tau", t, "be > 0 years")
        out = np.sqrt(np.asarray(self.total_variance(k, t)) / t)
        return out if out.shape else float(out)

    def crossings(self) -> list[dict[str, float]]:
        """Where an expiry has less total variance than the one before: tau, low, high and largest gap of each interval.

        The ends are roots of the quartic that two hyperbolas share; outside the outermost roots the wings decide.
        """
        found = []
        for i in range(1, len(self.slices)):
            near, far = self.slices[i - 1], self.slices[i]
            roots = _crossing_points(near, far)
            edges = np.concatenate([[-np.inf], roots, [np.inf]])
            for low, high in pairwise(edges):
                k = _inside(low, high, near, far)
                gap = np.asarray(near.total_variance(k)) - np.asarray(far.total_variance(k))
                if gap[gap.size // 2] > 0.0 and gap.max() > 1e-14:
                    row = {"tau_near": self.tau[i - 1], "tau_far": self.tau[i], "low": float(low), "high": float(high)}
                    found.append(row | {"largest": float(gap.max())})
        return found

    def between(self) -> list[dict[str, float]]:
        """Where the smile of a time between two expiries has butterflies: tau, low, high and lowest g of each interval.

        Two fair slices that do not cross may have some. At each strike g w^2 is a polynomial of degree 4 in time, whose
        Bernstein coefficients tell its sign over the whole interval: exact in time, on the strikes that
        `SVI.butterflies` searches. What the expiries themselves have is not told again.
        """
        found = []
        for i, (near, far) in enumerate(pairwise(self.slices)):
            k = np.unique(np.concatenate([near._search_grid(), far._search_grid()]))
            one, other = (np.array([s.a, s.b, s.rho, s.m, s.sigma]) for s in (near, far))
            out = np.empty((2, k.size))
            svi_between(k, one, other, out)
            lowest, share = out
            for start, stop in _runs(lowest < 0.0):
                worst = start + int(np.argmin(lowest[start:stop]))
                time = self.tau[i] + float(share[worst]) * (self.tau[i + 1] - self.tau[i])
                low, high = float(k[max(start - 1, 0)]), float(k[min(stop, k.size - 1)])
                found.append({"tau": time, "low": low, "high": high, "lowest": float(lowest[worst])})
        return found

    def arbitrage(self) -> Any:
        """Table of butterfly and calendar violations; empty when the surface is fair at the expiries and between.

        Columns: kind, tau, low and high (log moneyness), size (-g for butterflies, total variance for calendars). Times
        between expiries are looked at where the expiries themselves are fair. Before the first one g is concave in time
        and not below 0 at either end, so a fair slice stays fair.
        """
        import pandas as pd

        rows: list[tuple[str, float, float, float, float]] = []
        for t, one in zip(self.tau, self.slices):
            rows += [("butterfly", t, found["low"], found["high"], -found["lowest"]) for found in one.butterflies()]
        rows += [
            ("calendar", found["tau_far"], found["low"], found["high"], found["largest"]) for found in self.crossings()
        ]
        if not rows:
            rows = [("butterfly", one["tau"], one["low"], one["high"], -one["lowest"]) for one in self.between()]
        return pd.DataFrame(rows, columns=["kind", "tau", "low", "high", "size"])

    def to_frame(self, k: ArrayLike) -> Any:
        """Every slice on the grid `k`: tau, log_moneyness, total_variance, vol, g."""
        import pandas as pd

        grid = np.asarray(k, dtype=np.float64)
        parts = []
        for t, one in zip(self.tau, self.slices):
            w = one.total_variance(grid)
            columns = {"log_moneyness": grid, "total_variance": w, "vol": np.sqrt(w / t), "g": one.durrleman(grid)}
            parts.append(pd.DataFrame({"tau": t} | columns))
        return pd.concat(parts, ignore_index=True)

    def parameters(self) -> Any:
        """One row a slice: tau, a, b, rho, m, sigma."""
        import pandas as pd

        return pd.DataFrame([{"tau": t} | one.to_json() for t, one in zip(self.tau, self.slices)])

    def to_json(self) -> dict[str, Any]:
        """Expiries and parameters."""
        return {"tau": list(self.tau), "slices": [one.to_json() for one in self.slices]}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SVISurface:
        """The surface back from `to_json`."""
        given = check_terms(cls, values)
        return cls(tau=given["tau"], slices=tuple(SVI.from_json(one) for one in given["slices"]))


def _runs(flags: Any) -> list[tuple[int, int]]:
    """[start, stop) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(i), int(j)) for i, j in zip(edges[::2], edges[1::2])]


def _crossing_points(near: SVI, far: SVI) -> FloatND:
    """Candidates for w_near(k) = w_far(k), sorted: real roots of the quartic after squaring the roots away."""
    # far - near = line + b2 r2 - b1 r1, r = sqrt((k - m)^2 + sigma^2); squared twice
    line = np.array(
        [far.b * far.rho - near.b * near.rho, far.a - near.a - far.b * far.rho * far.m + near.b * near.rho * near.m]
    )
    first = near.b**2 * np.array([1.0, -2.0 * near.m, near.m**2 + near.sigma**2])
    second = far.b**2 * np.array([1.0, -2.0 * far.m, far.m**2 + far.sigma**2])
    square = np.polymul(line, line)
    inner = np.polyadd(np.polysub(first, second), -square)  # (b1 r1)^2 - (b2 r2)^2 - line^2 = 2 line b2 r2
    quartic = np.polysub(np.polymul(inner, inner), 4.0 * np.polymul(square, second))
    scale = np.abs(quartic).max()
    if scale == 0.0:
        return np.empty(0)
    trimmed = np.trim_zeros(np.where(np.abs(quartic) > 1e-14 * scale, quartic, 0.0), "f")
    roots = np.roots(trimmed)
    real = roots.real[np.abs(roots.imag) <= 1e-6 * (1.0 + np.abs(roots.real))]
    return np.unique(real)


def _inside(low: float, high: float, near: SVI, far: SVI) -> FloatND:
    """Points of an open interval that may be infinite; the middle one tells its sign."""
    reach = 10.0 * (1.0 + near.sigma + far.sigma + abs(near.m) + abs(far.m))
    start = low if np.isfinite(low) else (high if np.isfinite(high) else 0.0) - reach
    stop = high if np.isfinite(high) else (low if np.isfinite(low) else 0.0) + reach
    return np.linspace(start, stop, 203)[1:-1]
