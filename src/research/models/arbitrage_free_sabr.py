"""Arbitrage-free SABR (Hagan, Kumar, Lesniewski, Woodward 2014): the forward's density from a one-dimensional PDE.

    dQ/dT = (1/2) d2/dF2 [D(F)^2 E(T, F) Q],   D^2 = alpha^2 (1 + 2 rho nu y + nu^2 y^2) C(F)^2,   C = (F + shift)^beta,
    y(F) = integral from f to F of dF' / (alpha C(F')),  E = exp(rho nu alpha Gamma T),  Gamma = (C(F) - C(f)) / (F - f)

with what reaches F = -shift, or the far upper end of the grid, kept there as mass. It is SABR's expansion to the same
order as Hagan's formula, but prices come from a density that is nowhere negative, sums to 1 and keeps the forward: the
last two hold to rounding at every step, whatever the grid. Solved in z, dz = dF / D, where the diffusion has unit
variance at T = 0, by finite volumes in space and Lawson-Swayne in time (second order, L-stable).

How far is it from SABR itself? The grid's own error is small (1e-6 of the forward with the default cells); what the
expansion leaves out is not, for long lives: 1.9% of the price at the money after 2 years with alpha = beta = 0.5,
nu = 0.4, forward 0.5, and 12% after 10 years with nu = 0.8 (BENCHOP-SLV's sets). `price_error` says both, the latter by
the distance to a mixture of CEV models. For SABR's own dynamics with the same absorption take
`price(..., method="paths")` (`pricing.paths.sabr`), which is within its standard error of those values.

References
----------
Hagan, Kumar, Lesniewski, Woodward (2014), "Arbitrage-free SABR", Wilmott 69, 60-75.
Le Floc'h & Kennedy (2017), "Finite difference techniques for arbitrage-free SABR", J. Computational Finance 20(3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D, Float2D, marks_nan, reshape, vectors
from research.conventions import check_fields, check_terms
from research.core.models.sabr_density import sabr_density
from research.errors import InputError, NumericalError, require, require_all
from research.models import bachelier, black

_REACH = 6.0  # standard deviations of z each way; what lies beyond stands at the ends of the grid
_FARTHEST = 1e9  # times the forward, each way: beyond it rounding, not the law, would speak
_LOOKS = (-3.0, -1.5, -0.75, 0.0, 0.75, 1.5, 3.0)  # standard deviations at which the expansion is judged
_AGAIN = 1.25  # times what is seen of it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ForwardDensity:
    """The law of the forward at one time: cells with mass, and mass at both ends."""

    edge: Float1D  # price units, increasing, shape (n + 1,)
    centre: Float1D  # mean of the mass of each cell, shape (n,)
    mass: Float1D  # probability of each cell, shape (n,)
    at_lower: float  # probability absorbed at the lower end, edge[0]
    at_upper: float  # probability absorbed at the upper end, edge[-1]

    @property
    def density(self) -> Float1D:
        """Mass over width of each cell, 1 / price units."""
        out: Float1D = self.mass / np.diff(self.edge)
        return out

    def below(self, strike: ArrayLike) -> Any:
        """Probability to end at or below a strike, what is absorbed at the lower end included."""
        (k,), shape = vectors(strike)
        left, right = self.centre - self.edge[:-1], self.edge[1:] - self.centre
        low = self.mass * right / (left + right)  # as in `calls`
        knots = np.empty(2 * self.mass.size + 1)
        knots[::2], knots[1::2] = self.edge, self.centre
        pieces = np.empty(2 * self.mass.size)
        pieces[::2], pieces[1::2] = low, self.mass - low
        inside = self.at_lower + np.interp(k, knots, np.concatenate([[0.0], np.cumsum(pieces)]))
        return reshape(np.where(k < self.edge[0], 0.0, np.where(k >= self.edge[-1], 1.0, inside)), shape)

    def calls(self, strike: ArrayLike) -> Any:
        """Undiscounted call prices.

        In a cell the mass lies evenly to the left and to the right of its mean, so that prices are convex in strike,
        differentiable, and exact at the edges.
        """
        (k,), shape = vectors(strike)
        left, right = self.centre - self.edge[:-1], self.edge[1:] - self.centre
        below = self.mass * right / (left + right)  # mass left of the mean; the mean stays
        knots = np.empty(2 * self.mass.size + 1)
        knots[::2], knots[1::2] = self.edge, self.centre
        pieces = np.empty(2 * self.mass.size)
        pieces[::2], pieces[1::2] = below, self.mass - below
        middle, width = 0.5 * (knots[1:] + knots[:-1]), np.diff(knots)
        tail = np.concatenate([np.cumsum(pieces[::-1])[::-1], [0.0]])  # mass from piece i on
        first = np.concatenate([np.cumsum((pieces * middle)[::-1])[::-1], [0.0]])
        at = np.clip(np.searchsorted(knots, k, side="right") - 1, 0, pieces.size - 1)
        inside = np.clip(knots[at + 1] - k, 0.0, width[at])
        value = first[at + 1] - k * tail[at + 1] + 0.5 * pieces[at] * inside**2 / width[at]
        value += self.at_upper * np.maximum(self.edge[-1] - k, 0.0)
        low = k <= self.edge[0]
        whole = first[0] + self.at_lower * self.edge[0] + self.at_upper * self.edge[-1]
        return reshape(np.where(low, whole - k, np.where(k >= self.edge[-1], 0.0, value)), shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArbitrageFreeSABR:
    """The parameters of `SABR`, priced by the density; forwards and strikes above -shift.

    Examples
    --------
    >>> model = ArbitrageFreeSABR(alpha=0.35, beta=0.25, rho=-0.1, nu=1.0)
    >>> law = model.law(1.0, 1.0)
    >>> bool(law.mass.min() >= 0.0), round(float(law.mass.sum()) + law.at_lower + law.at_upper, 12)
    (True, 1.0)
    >>> round(law.calls(0.0), 12)
    1.0
    """

    abilities: ClassVar[frozenset[str]] = frozenset({"closed_form", "paths", "terminal_law"})

    alpha: float  # volatility of the forward today, price^(1-beta) / sqrt(year), > 0
    beta: float  # in [0, 1]
    rho: float  # correlation of forward and volatility, in (-1, 1)
    nu: float  # volatility of volatility, 1/sqrt(year), >= 0
    shift: float = 0.0  # price units: the forward is absorbed at -shift
    n_space: int = 400  # cells
    n_time: int = 40  # steps

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
        require(20 <= self.n_space <= 20_000, "n_space", self.n_space, "lie in [20, 20000]")
        require(2 <= self.n_time <= 10_000, "n_time", self.n_time, "lie in [2, 10000]")

    def law(self, forward: float, tau: float) -> ForwardDensity:
        """The density of the forward after tau years."""
        require(
            bool(np.isfinite(forward)) and forward + self.shift > 0.0, "forward", forward, f"be > {0.0 - self.shift:g}"
        )
        require(bool(np.isfinite(tau)) and tau > 0.0, "tau", tau, "be finite and > 0 years")
        return _law(self, float(forward), float(tau))

    @marks_nan("forward", "strike", "tau", "df", "is_call")
    def price(
        self, forward: ArrayLike, strike: ArrayLike, tau: ArrayLike, *, df: ArrayLike = 1.0, is_call: ArrayLike = True
    ) -> Any:
        """Present value of European options; all arguments broadcast together. One density a forward and expiry."""
        flags = np.asarray(is_call)
        if flags.dtype != bool:
            raise InputError(f"is_call must be bool; got {flags.dtype} values.")
        (f, k, t, d, call), shape = vectors(forward, strike, tau, df, flags.astype(float))
        require_all((f + self.shift > 0.0) & np.isfinite(f), "forward", f, f"be finite and > {0.0 - self.shift:g}")
        require_all(np.isfinite(k), "strike", k, "be finite")
        require_all((t >= 0.0) & np.isfinite(t), "tau", t, "be finite and >= 0 years")
        out = np.maximum(f - k, 0.0)
        for one, years in {(a, b) for a, b in zip(f.tolist(), t.tolist()) if b > 0.0}:
            here = (f == one) & (t == years)
            out[here] = _law(self, one, years).calls(k[here])
        return reshape(d * (out - np.where(call > 0.5, 0.0, f - k)), shape)

    @marks_nan("forward", "strike", "tau")
    def below(self, forward: ArrayLike, strike: ArrayLike, tau: ArrayLike) -> Any:
        """Probability to end at or below the strike; arguments broadcast, tau > 0."""
        (f, k, t), shape = vectors(forward, strike, tau)
        out = np.empty_like(f)
        for one, years in set(zip(f.tolist(), t.tolist())):
            here = (f == one) & (t == years)
            out[here] = self.law(one, years).below(k[here])
        return reshape(out, shape)

    def price_error(self, forward: ArrayLike, strike: ArrayLike, tau: ArrayLike) -> Any:
        """How far undiscounted prices may be from those of SABR itself: by the grid, and by the expansion.

        The grid's is the distance to half the cells and steps, of which the leading error is a third. The expansion's
        is the distance of the density to a mixture of CEV models (`_sabr_mixture`), and a quarter more.
        """
        rough = self._rough()
        grid = np.abs(np.asarray(self.price(forward, strike, tau)) - np.asarray(rough.price(forward, strike, tau)))
        return grid + self._left_out(forward, strike, tau, "price")

    def below_error(self, forward: ArrayLike, strike: ArrayLike, tau: ArrayLike) -> Any:
        """As `price_error`, of `below`, which is of order 1 in a cell."""
        rough = self._rough()
        grid = np.abs(np.asarray(self.below(forward, strike, tau)) - np.asarray(rough.below(forward, strike, tau)))
        return 2.0 * grid + self._left_out(forward, strike, tau, "below")

    def _left_out(self, forward: ArrayLike, strike: ArrayLike, tau: ArrayLike, quantity: str) -> Any:
        """What the expansion may leave out of calls ("price") or of probabilities ("below")."""
        (f, k, t), shape = vectors(forward, strike, tau)
        out = np.zeros_like(f)
        for one, years in {(a, b) for a, b in zip(f.tolist(), t.tolist()) if b > 0.0}:
            here = (f == one) & (t == years)
            nodes, apart = _apart(self, one, years, quantity)
            out[here] = _AGAIN * np.interp(np.log(np.maximum(k[here] + self.shift, 1e-300)), nodes, apart)
        return reshape(out, shape)

    def _rough(self) -> ArbitrageFreeSABR:
        return replace(self, n_space=max(self.n_space // 2, 20), n_time=max(self.n_time // 2, 2))

    @marks_nan("forward", "strike", "tau")
    def vol_at(self, forward: ArrayLike, strike: ArrayLike, tau: ArrayLike) -> Any:
        """Lognormal implied vol of (forward + shift, strike + shift); nan where the strike holds no time value."""
        (f, k, t), shape = vectors(forward, strike, tau)
        value = np.asarray(self.price(f, k, t, is_call=k >= f))
        s = self.shift
        vol = black.implied_vol(np.maximum(value, 0.0), f + s, k + s, t, is_call=k >= f, on_error="nan")
        return reshape(np.atleast_1d(vol), shape)

    def normal_vol_at(self, forward: ArrayLike, strike: ArrayLike, tau: ArrayLike) -> Any:
        """Normal implied vol, price units / sqrt(year)."""
        (f, k, t), shape = vectors(forward, strike, tau)
        value = np.maximum(np.asarray(self.price(f, k, t, is_call=k >= f)), 0.0)
        return reshape(np.atleast_1d(bachelier.implied_vol(value, f, k, t, is_call=k >= f, on_error="nan")), shape)

    def to_json(self) -> dict[str, Any]:
        """Parameters and grid by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ArbitrageFreeSABR:
        """The model back from `to_json`."""
        return cls(**check_terms(cls, values))


@lru_cache(maxsize=256)
def _apart(m: ArbitrageFreeSABR, f: float, tau: float, quantity: str) -> tuple[Float1D, Float1D]:
    """Log of some strikes + shift, and how far the density is from the mixture there.

    Where the distance changes its sign it is nothing by chance: half the larger of its neighbours stands for it then.
    """
    from research.models._sabr_mixture import mixed

    level = f + m.shift
    std = m.alpha * level ** (m.beta - 1.0) * np.sqrt(tau) * np.exp(0.25 * m.nu**2 * tau)
    nodes = np.log(level) + np.clip(std, 1e-4, 1.0) * np.array(_LOOKS)
    strikes, law = np.exp(nodes), m.law(f, tau)
    found = mixed(quantity, m.alpha, m.beta, m.rho, m.nu, level, strikes, tau)
    own = law.calls(strikes - m.shift) if quantity == "price" else law.below(strikes - m.shift)
    apart = np.abs(found - own)
    apart[1:-1] = np.maximum(apart[1:-1], 0.5 * np.maximum(apart[:-2], apart[2:]))
    return nodes, apart


def _price_at(m: ArbitrageFreeSABR, f: float, y: Float1D) -> Float1D:
    """F + shift at y, the integral of dF / (alpha C) times alpha."""
    one = 1.0 - m.beta
    if one == 0.0:
        return np.asarray((f + m.shift) * np.exp(y))
    base = np.maximum((f + m.shift) ** one + one * y, 0.0)
    return np.asarray(base ** (1.0 / one))


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """Cells of z and what stands in them; forwards are measured from -shift."""

    z: Float1D  # edges, shape (n + 1,)
    h: float
    here: int  # the cell in whose middle today's forward lies
    absorbed: bool  # the lower end is -shift itself
    edge: Float1D
    centre: Float1D
    level: Float1D  # C at the centres
    root: Float1D  # D / (alpha C)
    gamma: Float1D

    def cells(self, m: ArbitrageFreeSABR) -> Float2D:
        """What `core.models.sabr_density` wants, shape (4, n)."""
        gap = np.diff(self.centre)
        left = 1.0 / np.concatenate([[self.centre[0] - self.edge[0]], gap])
        right = 1.0 / np.concatenate([gap, [self.edge[-1] - self.centre[-1]]])
        pace = 0.5 * m.alpha * self.root * self.level / self.h
        return np.array([pace, m.rho * m.nu * m.alpha * self.gamma, left, right])


@lru_cache(maxsize=64)
def _law(m: ArbitrageFreeSABR, f: float, tau: float) -> ForwardDensity:
    """Solve the PDE; the law at tau."""
    grid = _grid(m, f, tau)
    out = np.empty((1, grid.centre.size + 2))
    sabr_density(grid.cells(m), np.empty((0, 4, grid.centre.size)), tau, m.n_time, grid.here, out)
    return _density(m, grid, out[0])


def _density(m: ArbitrageFreeSABR, grid: _Grid, found: Float1D) -> ForwardDensity:
    """What the kernel found, checked."""
    mass = found[:-2]
    if not np.isfinite(found).all():
        raise NumericalError(f"the PDE of arbitrage-free SABR must have a solution; got none for {m!r}.")
    if mass.min() < -1e-7:
        raise NumericalError(f"the density must not be negative; got {mass.min():.2g}: raise n_time, {m.n_time}.")
    return ForwardDensity(
        edge=grid.edge - m.shift, centre=grid.centre - m.shift, mass=np.maximum(mass, 0.0),
        at_lower=float(found[-2]), at_upper=float(found[-1]),
    )  # fmt: skip


def _grid(m: ArbitrageFreeSABR, f: float, tau: float) -> _Grid:
    """Cells of equal width in z, today's forward in the middle of one."""
    low, high = _reach(m, f, tau)
    h = (high - low) / m.n_space
    shift = np.floor(-low / h)
    h = -low / (shift + 0.5)
    n = int(np.ceil((high - low) / h))
    hint = "The forward lies too near to its lower end."
    require(n <= 100 * m.n_space, "cells", n, f"be at most 100 n_space, {100 * m.n_space}", hint=hint)
    z = low + h * np.arange(n + 1)
    edge = _forward(m, f, z)
    absorbed = low == _z_of_lower(m, f)
    if absorbed:
        edge[0] = 0.0
    centre = _forward(m, f, z[:-1] + 0.5 * h)
    here = int(shift)
    centre[here] = f + m.shift
    if not (np.diff(edge) > 0.0).all() or not np.isfinite(edge).all():
        raise NumericalError(
            f"the grid of arbitrage-free SABR must hold finite forwards; got {m!r} over {tau:g} years."
        )
    y = _y_of_z(m, z[:-1] + 0.5 * h)
    level = centre**m.beta
    root = np.sqrt(1.0 + 2.0 * m.rho * m.nu / m.alpha * y + (m.nu / m.alpha * y) ** 2)
    gap = centre - (f + m.shift)
    safe = np.where(np.arange(n) == here, 1.0, gap)
    slope = m.beta * (f + m.shift) ** (m.beta - 1.0) if m.beta > 0.0 else 0.0
    gamma = np.where(np.arange(n) == here, slope, (level - (f + m.shift) ** m.beta) / safe)
    return _Grid(z, h, here, absorbed, edge, centre, level, root, gamma)


def _reach(m: ArbitrageFreeSABR, f: float, tau: float) -> tuple[float, float]:
    """Ends of the grid in z: 6 standard deviations, -shift, and a factor of 1e9 of the forward, what comes first."""
    z = np.linspace(0.0, _REACH * np.sqrt(tau), 2001)
    with np.errstate(over="ignore"):
        up = _forward(m, f, z) <= _FARTHEST * (f + m.shift)
        down = _forward(m, f, -z) >= (f + m.shift) / _FARTHEST
    lower = _z_of_lower(m, f)
    plain = -float(z[down].max())
    return (lower if lower >= -z[-1] else plain), float(z[up].max())


def _y_of_z(m: ArbitrageFreeSABR, z: Float1D) -> Float1D:
    """Integral of dF / C from today's forward, where the diffusion coefficient in z is 1."""
    if m.nu < 1e-12:
        return m.alpha * z
    u = m.nu * z
    return np.asarray(m.alpha / m.nu * (np.sinh(u) + m.rho * (np.cosh(u) - 1.0)))


def _forward(m: ArbitrageFreeSABR, f: float, z: Float1D) -> Float1D:
    """F + shift at z."""
    return _price_at(m, f, _y_of_z(m, z))


def _z_of_lower(m: ArbitrageFreeSABR, f: float) -> float:
    """z where the forward reaches -shift; -inf for beta = 1."""
    one = 1.0 - m.beta
    if one == 0.0:
        return -np.inf
    y = -((f + m.shift) ** one) / one / m.alpha
    if m.nu < 1e-12:
        return float(y)
    x = m.nu * y
    root = np.sqrt(1.0 + 2.0 * m.rho * x + x * x)
    # log((root + rho + x) / (1 + rho)), written so that nothing cancels for x < 0
    return float(-np.log((root - m.rho - x) / (1.0 - m.rho)) / m.nu)
