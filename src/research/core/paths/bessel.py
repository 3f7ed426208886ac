"""Paths of a Bessel process that is absorbed at 0, or never gets there, by the quantiles of each step's law.

    dR = dW + (delta - 1) / (2 R) dt,    h = R / sqrt(dt)

The law of h one step on hangs on h alone, so one table serves every step: its quantile at a standard normal z, given
that the process is not absorbed, is h + z + E(h, z) / (h + c). Where h may be absorbed the normal z <= edge(h) does it,
and others are moved to the law of those that are left. E is smooth in rho = h / (h + c), cubic between equal points of
it, and linear between points of z; edge is cubic too.

terms: 0 c, 1 the sign of dW in the price's own motion, 2 first z of the table, 3 points of z a unit.

References
----------
Makarov, Glew (2010), "Exact simulation of Bessel diffusions", Monte Carlo Methods and Applications 16.
Choi, Hu, Kwok (2024), "Efficient and accurate simulation of the stochastic-alpha-beta-rho model", arXiv:2408.01898.
"""

from __future__ import annotations

from math import sqrt

from research.arrays import Float1D, Float2D
from research.core._jit import inlined, kernel
from research.core.math.elementary import exp
from research.core.math.normal import norm_cdf, norm_ppf

_SURE = -8.5  # of an edge: below it nothing is absorbed
_TINY, _BELOW_ONE = 1e-300, 1.0 - 2.0**-53


@inlined
def _left(z: float, edge: float) -> float:
    """The normal of a path among those beyond the edge; z > edge."""
    if edge < _SURE:
        return z
    rest = norm_cdf(-edge)
    if z > 0.0:
        share = norm_cdf(-z) / rest
        return -norm_ppf(min(max(share, _TINY), _BELOW_ONE))
    share = (norm_cdf(z) - norm_cdf(edge)) / rest
    return norm_ppf(min(max(share, _TINY), _BELOW_ONE))


@inlined
def _after(h: float, z: float, terms: Float1D, table: Float2D, edges: Float1D) -> float:
    """h one step on; 0 where it is absorbed."""
    n, m, c = table.shape[0], table.shape[1], terms[0]
    at = h / (h + c) * (n - 1.0)
    j = min(max(int(at) - 1, 0), n - 4)
    t = at - j
    a, b = -(t - 1.0) * (t - 2.0) * (t - 3.0) / 6.0, t * (t - 2.0) * (t - 3.0) / 2.0
    d, e = -t * (t - 1.0) * (t - 3.0) / 2.0, t * (t - 1.0) * (t - 2.0) / 6.0
    edge = a * edges[j] + b * edges[j + 1] + d * edges[j + 2] + e * edges[j + 3]
    if z <= edge:
        return 0.0
    z = _left(z, edge)
    where = min(max((z - terms[2]) * terms[3], 0.0), m - 1.0)
    k = min(int(where), m - 2)
    f = where - k
    low = a * table[j, k] + b * table[j + 1, k] + d * table[j + 2, k] + e * table[j + 3, k]
    high = a * table[j, k + 1] + b * table[j + 1, k + 1] + d * table[j + 2, k + 1] + e * table[j + 3, k + 1]
    return max(h + z + (low + f * (high - low)) / (h + c), 0.0)


@kernel
def bessel_paths(
    w: Float2D, root: Float1D, terms: Float1D, table: Float2D, edges: Float1D, start: Float1D, out: Float2D
) -> None:
    """Fill out, one row a step, one column a path: R.

    w, shape (n_steps, n_paths): the price's motion at the end of each step; root: square roots of the steps' lengths;
    table, shape (n, m): E at equal points of rho in [0, 1] and of z; edges, shape (n,).
    """
    for i in range(w.shape[1]):
        r, before = start[i], 0.0
        for k in range(root.size):
            z = terms[1] * (w[k, i] - before) / root[k]
            before = w[k, i]
            if r > 0.0:
                r = root[k] * _after(r / root[k], z, terms, table, edges)
            out[k, i] = r


@inlined
def _power_move(r: float, z: float, pull: float, total: float, terms: Float1D, table: Float2D, edges: Float1D) -> float:
    """R over a step whose volatility has moved: `pull` is rho times the integral of a dW2, `total` that of a^2."""
    beta, free = terms[4], 1.0 - terms[5] * terms[5]
    if r <= 0.0:
        return 0.0
    level = pull / r - 0.5 * (1.0 - free) * total / ((1.0 - beta) * r * r)
    middle = r * exp(min(max(level, -700.0), 700.0))
    root = sqrt(free * total)
    return root * _after(middle / root, z, terms, table, edges)


@kernel
def sabr_paths(
    w: Float2D, terms: Float1D, steps: Float2D, table: Float2D, edges: Float1D, start: Float2D,
    x: Float2D, variance: Float2D, exposed: Float2D,
) -> None:  # fmt: skip
    """Paths under SABR, dF = a F^beta dW1, da = nu a dW2.

    Given a over a step, F is CEV on the clock (1 - rho^2) a^2 dt, from the level to which the volatility's own motion
    has brought it, F exp(rho c A - rho^2 c^2 I / 2), c = F^(beta - 1), A the integral of a dW2 and I that of a^2: its
    mean is F (Choi, Hu, Kwok). I takes its mean given both ends of a.

    Fill three arrays, one row an observation, one column a path: R = F^(1 - beta) / (1 - beta), or log F at beta = 1;
    a^2; the integral of a^2 since the observation before. terms: 0 to 3 as of `bessel_paths`, 4 beta, 5 rho, 6 nu.
    steps, shape (n, 3): length, its root, row of the observation that ends it plus 1, or 0. w: rows of the price's own
    motion, then of the volatility's. start, shape (2, n_paths): x and a^2.
    """
    n, beta, rho, nu = steps.shape[0], terms[4], terms[5], terms[6]
    free = sqrt(1.0 - rho * rho)
    for i in range(w.shape[1]):
        r, a, met, before, other = start[0, i], sqrt(start[1, i]), 0.0, 0.0, 0.0
        for k in range(n):
            dt, root = steps[k, 0], steps[k, 1]
            z, move = (w[k, i] - before) / root, w[n + k, i] - other
            before, other = w[k, i], w[n + k, i]
            rise = exp(nu * move - 0.5 * nu * nu * dt)
            total = a * a * dt * (1.0 + 4.0 * rise * exp(0.5 * nu * nu * dt) + rise * rise) / 6.0
            pull = rho * a * (rise - 1.0) / nu
            if beta == 1.0:
                r += pull - 0.5 * total + free * sqrt(total) * z
            else:
                r = _power_move(r, z, pull, total, terms, table, edges)
            a *= rise
            met += total
            at = int(steps[k, 2]) - 1
            if at >= 0:
                x[at, i], variance[at, i], exposed[at, i] = r, a * a, met
                met = 0.0
