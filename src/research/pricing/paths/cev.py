"""CEV paths by the law of each step: quantiles of the Bessel process that the price is a power of.

    dF = sigma F^beta dW,    R = F^(1-beta) / (|1 - beta| sigma) is a Bessel process of delta = 2 - 1 / (1 - beta)

below beta = 1 absorbed at 0 (`CEV.absorbed_mass`), above it of a dimension that never gets there. The quantiles are
integrals of the density that prices options (`models._bessel_law`), tabulated once for each beta, so a step may be as
long as the time between two observations. What the table's points may cost is in `Price.error`, by half as many.

Above beta = 1 the price is a strict local martingale: its mean falls short of the forward, and where it does so by more
than rounding there is no price by paths that agrees with put-call parity; then it refuses.

References
----------
Schroder (1989), J. Finance 44, 211-219; Makarov, Glew (2010), Monte Carlo Methods and Applications 16.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.special import gammainc, gammaincc, gammaln, ndtri

from research.arrays import Float1D, Float2D, FloatND
from research.core.paths.bessel import bessel_paths
from research.errors import NoEngineError, require
from research.models import CEV, BlackScholes
from research.models._bessel_law import scaled_bessel
from research.pricing.paths.charts import TINY, Chart, chart_of
from research.pricing.paths.generators import Generator, Logs, Request, scheme_of
from research.pricing.paths.lognormal import black_scholes
from research.pricing.paths.motion import motion
from research.pricing.paths.survival import in_chart, tabulated, walked

_ROWS, _PER_Z, _Z = 161, 32, 8.0
_CELL, _REACH = 0.2, 9.5  # width of a cell of the density, and how far it is integrated
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)
_CAP = 12.0  # an edge further out is as good as none, or as certain
_DEFECT = 1e-7  # of the forward, that the mean may fall short of it above beta = 1


def _log_density(x: float, z: FloatND, nu: float, side: float) -> FloatND:
    """Of h' = z given h = x, mass at 0 left out; side: sign of 1 - beta."""
    y = x * z
    bessel = scaled_bessel(nu, y)
    few = bessel < 1e-280
    out = np.log(np.where(few, 1.0, bessel))
    out = np.where(few, nu * np.log(0.5 * y) - gammaln(nu + 1.0) + np.log1p(0.25 * y * y / (nu + 1.0)) - y, out)
    return np.asarray(out + np.log(z) + side * nu * np.log(x / z) - 0.5 * (z - x) ** 2)


def _row(x: float, nu: float, side: float, z: Float1D) -> Float1D:
    """Quantiles of h' at standard normals z, given that it is not absorbed."""
    if x <= 0.0:
        x = 1e-3  # the law of those that are left has a limit
    far = nu / x if side > 0.0 else 0.0
    low, high = x - _REACH - far, x + _REACH + (0.0 if side > 0.0 else min(nu / x, 2.0 * np.sqrt(nu)))
    edges = np.linspace(max(low, 0.0), high, int((high - max(low, 0.0)) / _CELL) + 2)
    if low <= 0.0:
        edges = np.concatenate(
            ([0.0], np.geomspace(1e-9, 1e-2, 20), np.geomspace(1e-2, 3.0, 120)[1:], edges[edges > 3.0])
        )
    half, middle = 0.5 * np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    log_p = _log_density(x, middle[:, None] + half[:, None] * _NODES, nu, side)
    mass = half * (np.exp(log_p - log_p.max()) @ _WEIGHTS)
    below = np.concatenate(([0.0], np.cumsum(mass)))
    above = np.concatenate((np.cumsum(mass[::-1])[::-1], [0.0]))
    total = below[-1]
    at = np.where(below < above, ndtri(below / total), -ndtri(above / total))
    keep = np.flatnonzero(np.isfinite(at))
    keep = keep[np.concatenate(([True], np.diff(np.maximum.accumulate(at[keep])) > 0.0))]
    return np.asarray(PchipInterpolator(at[keep], edges[keep])(np.clip(z, at[keep][0], at[keep][-1])))


@lru_cache(maxsize=16)
def table(beta: float) -> tuple[Float2D, Float1D, Float1D, float]:
    """(E, edges, points of z, c) as core.paths.bessel wants them."""
    nu, side = 0.5 / abs(1.0 - beta), float(np.sign(1.0 - beta))
    c, z = 2.0 + float(np.sqrt(2.0 * nu)), np.linspace(-_Z, _Z, int(2 * _Z * _PER_Z) + 1)
    rho = np.linspace(0.0, 1.0, _ROWS)
    h = c * rho[:-1] / (1.0 - rho[:-1])
    out, edges = np.empty((_ROWS, z.size)), np.full(_ROWS, -_CAP)
    for i, x in enumerate(h.tolist()):
        out[i] = (_row(x, nu, side, z) - x - z) * (x + c)
    out[-1] = 0.5 - side * nu  # (delta - 1) / 2
    if side > 0.0:
        gone, left = gammaincc(nu, 0.5 * h * h), gammainc(nu, 0.5 * h * h)
        with np.errstate(divide="ignore"):
            edges[:-1] = np.clip(np.where(gone < 0.5, ndtri(gone), -ndtri(left)), -_CAP, _CAP)
    return out, edges, z, c


def _chart(model: CEV, request: Request) -> Chart:
    one = 1.0 - model.beta
    unit, side = abs(one) * model.sigma, float(np.sign(one))

    def to(price: Any) -> Any:
        with np.errstate(divide="ignore"):
            return side * np.maximum(price, 0.0) ** one / unit

    def back(y: Any) -> Any:
        with np.errstate(divide="ignore"):
            return (unit * np.maximum(side * y, 0.0)) ** (1.0 / one)

    def slope(y: Any) -> Any:
        price = back(y)
        return model.sigma * np.where(price > 0.0, np.where(price > 0.0, price, 1.0) ** model.beta, 0.0)

    lowest = 0.0 if side > 0.0 else float(to(TINY))
    return chart_of(request.snapshot, request.horizon, request.origin, to=to, back=back, slope=slope, exact=False,
                    lowest=lowest)  # fmt: skip


def cev(model: CEV, request: Request) -> Generator:
    """The generator; beta = 1 is one lognormal volatility."""
    if model.beta == 1.0:
        return black_scholes(BlackScholes(sigma=model.sigma), request)
    scheme_of(request, ("transition",))
    chart = _chart(model, request)
    short = float(model.martingale_defect(chart.forward, request.horizon))
    require(short <= _DEFECT, "beta", model.beta, f"leave the mean at the forward for paths (short by {short:.1e})",
            hint="Above beta = 1 the price is a strict local martingale.", error=NoEngineError)  # fmt: skip
    rows, edges, z, c = table(model.beta)
    if request.coarse:
        rows, edges, z = np.ascontiguousarray(rows[::2, ::2]), np.ascontiguousarray(edges[::2]), z[::2]
    side, dt = float(np.sign(1.0 - model.beta)), np.diff(request.times, prepend=0.0)
    terms, root = np.array([c, side, z[0], 1.0 / (z[1] - z[0])]), np.sqrt(dt)
    today = side * float(chart.to(chart.forward))

    def fill(w: Float2D, seed: int, stream: int, first_path: int) -> Logs:
        start = np.full(w.shape[1], today)
        if request.start is not None:
            start = side * request.start(first_path, w.shape[1])[0]
        met = np.broadcast_to(dt[:, None], w.shape)
        if request.limits is not None:
            x, weight = walked(w, root, side * start, in_chart(request.limits, chart, request.times), *moves)
            return Logs(x=x, exposed=met, weight=weight)
        out = np.empty(w.shape)
        bessel_paths(w, root, terms, rows, edges, np.ascontiguousarray(start), out)
        return Logs(x=side * out, exposed=met)

    def step(k: int, y: Float1D, z: Float1D) -> Float1D:
        out = np.empty((1, y.size))
        w = np.ascontiguousarray((root[k] * z)[None, :])
        bessel_paths(w, root[k : k + 1], terms, rows, edges, np.ascontiguousarray(side * y), out)
        return np.asarray(side * out[0])

    moves = tabulated(root, step)
    return Generator(
        times=request.times, forward=request.forward, motion=motion([request.times], request.bridge), fill=fill,
        bias_factor=1.0 / 3.0, chart=chart,
    )  # fmt: skip
