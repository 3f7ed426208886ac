"""Prices of arbitrage-free SABR and their derivatives by alpha, rho and nu: the scheme itself, differentiated.

The grid moves with the parameters (z with alpha, where -shift is the lower end; forwards at z with all three), so every
number of it carries three derivatives, and the kernel carries those of the mass. The counts of cells are whole numbers,
which stay: between two parameters where they differ the price jumps by less than its own error.
"""

from __future__ import annotations

import numpy as np

from research.arrays import Float1D, Float2D, Float3D
from research.core.models.sabr_density import sabr_density
from research.models.arbitrage_free_sabr import ArbitrageFreeSABR, ForwardDensity, _density, _Grid, _grid

N = 3  # alpha, rho, nu


def prices_and_slopes(
    m: ArbitrageFreeSABR, forward: float, strike: Float1D, tau: float
) -> tuple[ForwardDensity, Float1D, Float2D]:
    """The law, undiscounted calls, and their derivatives by (alpha, rho, nu), shape (3, n); nu > 0."""
    grid = _grid(m, forward, tau)
    edge, centre, slopes = _moves(m, forward, grid)
    out = np.empty((1 + N, grid.centre.size + 2))
    sabr_density(grid.cells(m), slopes, tau, m.n_time, grid.here, out)
    law = _density(m, grid, out[0])
    return law, np.asarray(law.calls(strike)), _calls(law, strike, edge, centre, out[1:])


def _moves(m: ArbitrageFreeSABR, f: float, grid: _Grid) -> tuple[Float2D, Float2D, Float3D]:
    """Derivatives of edges and centres, shape (3, .), and of the kernel's cells, shape (3, 4, n)."""
    here, mid = grid.here, grid.z[:-1] + 0.5 * grid.h
    low = np.zeros(N)  # of the lower end in z
    if grid.absorbed:
        by, along = _by_parameters(m, grid.z[:1])
        low = -by[:, 0] / along[0]
    wide = -low / (here + 0.5)  # of h
    edge = _of_forward(m, grid.z, low[:, None] + wide[:, None] * np.arange(grid.z.size), grid.edge)
    steps = low[:, None] + wide[:, None] * (np.arange(mid.size) + 0.5)
    centre = _of_forward(m, mid, steps, grid.centre)
    centre[:, here] = 0.0
    if grid.absorbed:
        edge[:, 0] = 0.0

    u = m.nu * mid
    turn = np.sinh(u) + m.rho * np.cosh(u)
    root = np.stack([m.nu * turn * step for step in steps])
    root[1] += np.sinh(u)
    root[2] += turn * mid
    relative = m.beta * centre / grid.centre
    pace = root / grid.root + relative - (wide / grid.h)[:, None]
    pace[0] += 1.0 / m.alpha

    scale = m.rho * m.nu * m.alpha
    gap = np.where(np.arange(mid.size) == here, 1.0, grid.centre - (f + m.shift))
    bend = (relative * grid.level - grid.gamma * centre) / gap  # of gamma
    bend[:, here] = 0.0
    growth = scale * bend + np.array([m.rho * m.nu, m.nu * m.alpha, m.rho * m.alpha])[:, None] * grid.gamma
    between, first, last = np.diff(centre), centre[:, :1] - edge[:, :1], edge[:, -1:] - centre[:, -1:]
    _, _, left, right = grid.cells(m)
    return (
        edge,
        centre,
        np.ascontiguousarray(
            np.stack(
                [pace, growth, -np.hstack([first, between]) * left**2, -np.hstack([between, last]) * right**2], axis=1
            )
        ),
    )


def _by_parameters(m: ArbitrageFreeSABR, z: Float1D) -> tuple[Float2D, Float1D]:
    """Derivatives of y, the integral of dF / C, by (alpha, rho, nu) at fixed z, and by z."""
    u, scale = m.nu * z, m.alpha / m.nu
    rise, along = np.cosh(u) - 1.0, m.alpha * (np.cosh(u) + m.rho * np.sinh(u))
    y = scale * (np.sinh(u) + m.rho * rise)
    return np.stack([y / m.alpha, scale * rise, (along * z - y) / m.nu]), along


def _of_forward(m: ArbitrageFreeSABR, z: Float1D, moves: Float2D, forward: Float1D) -> Float2D:
    """Derivatives of forwards at z, where z itself moves by `moves`: dF = C dy."""
    by, along = _by_parameters(m, z)
    out: Float2D = np.where(forward > 0.0, forward, 0.0) ** m.beta * (by + along * moves)
    return out


def _calls(law: ForwardDensity, strike: Float1D, edge: Float2D, centre: Float2D, found: Float2D) -> Float2D:
    """Derivatives of `ForwardDensity.calls`, shape (3, n)."""
    mass, low, high = found[:, :-2], found[:, -2:-1], found[:, -1:]
    width, right = np.diff(law.edge), law.edge[1:] - law.centre
    share = right / width
    by_share = ((edge[:, 1:] - centre) - share * np.diff(edge)) / width
    below, by_below = law.mass * share, mass * share + law.mass * by_share

    def woven(even: Float2D, odd: Float2D) -> Float2D:
        out = np.empty((even.shape[0], even.shape[1] + odd.shape[1]))
        out[:, ::2], out[:, 1::2] = even, odd
        return out

    knots, by_knots = woven(law.edge[None], law.centre[None])[0], woven(edge, centre)
    piece, by_piece = woven(below[None], (law.mass - below)[None])[0], woven(by_below, mass - by_below)
    middle, by_middle = 0.5 * (knots[1:] + knots[:-1]), 0.5 * (by_knots[:, 1:] + by_knots[:, :-1])
    gap, by_gap = np.diff(knots), np.diff(by_knots)

    def from_here(values: Float2D) -> Float2D:
        """Sums from each piece to the last, and 0."""
        return np.hstack([np.cumsum(values[:, ::-1], axis=1)[:, ::-1], np.zeros((N, 1))])

    tail, first = from_here(by_piece), from_here(by_piece * middle + piece * by_middle)
    at = np.clip(np.searchsorted(knots, strike, side="right") - 1, 0, piece.size - 1)
    inside = np.clip(knots[at + 1] - strike, 0.0, gap[at])
    out = first[:, at + 1] - strike * tail[:, at + 1] + 0.5 * by_piece[:, at] * inside**2 / gap[at]
    out += piece[at] * inside / gap[at] * (by_knots[:, at + 1] - 0.5 * inside / gap[at] * by_gap[:, at])
    out += high * np.maximum(law.edge[-1] - strike, 0.0) + law.at_upper * edge[:, -1:] * (strike < law.edge[-1])
    whole = (
        first[:, :1]
        + low * law.edge[0]
        + law.at_lower * edge[:, :1]
        + high * law.edge[-1]
        + law.at_upper * edge[:, -1:]
    )
    return np.where(strike <= law.edge[0], whole, np.where(strike >= law.edge[-1], 0.0, out))
