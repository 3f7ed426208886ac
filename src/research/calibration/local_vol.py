"""Local vol through every quote: `fit(LocalVol, snapshot)`, by Andreasen and Huge or through SVI slices by Dupire.

Andreasen and Huge step from expiry to expiry with one implicit step of the forward equation in k = strike / forward,

    (1 - (T_i - T_{i-1}) / 2 a_i(k) k^2 d^2/dk^2) c_i = c_{i-1},    c_0 = (1 - k)^+,

a_i linear in log k between the quotes and flat outside, found expiry by expiry by least squares. The matrix is an
M-matrix, so calls are convex in k and rise in T for any a_i >= 0: no arbitrage at quotes or between them. The same
equation with t for T_i gives every time in between, and its derivative in t the local vol, 2 c_t / (k^2 c_kk), exactly.

Residuals are those of the grid that comes back, repriced by the forward equation in small steps: they hold the error of
the fit, of the grid and of the differences together. Before the first expiry this local vol is a function of
log k / sqrt(t) and so singular at time 0: an engine needs short steps and close nodes at today's spot, as `pde` has.

References
----------
Andreasen, Huge (2011), "Volatility interpolation", Risk 24(3), 76-79.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.linalg import solve_banded
from scipy.optimize import least_squares

from research.arrays import Float1D, Float2D
from research.calibration._options import Bounds, Weights, quote_weights, read_bounds
from research.calibration._quote_noise import quote_noise
from research.calibration._quotes import refuse_arbitrage
from research.calibration._registry import fits
from research.calibration.fit import AT_BOUND, CONVERGED, MAX_ITERATIONS, Fit, fit
from research.calibration.svi import fit_svi
from research.errors import NumericalError, require
from research.market import Smile, Snapshot, Surface
from research.models import LocalVol, SVISurface, black, dupire
from research.models.local_vol import CAP, FLOOR

Method = Literal["andreasen_huge", "dupire"]
_NODES = 801  # in log k
_ROWS = 28  # of the local vol in each interval of expiries
_FIRST_ROWS, _FIRST_POWER = 112, 2.5  # of the first, which starts from a point
_STEPS = 60  # of the repricing in each interval
_STARTS = 4
_DATA = 1e-5  # of a year: time before the second row


@fits(LocalVol)
def fit_local_vol(
    data: Snapshot | Surface,
    *,
    method: Method = "andreasen_huge",
    weights: Weights = None,
    bounds: Bounds = None,
    start: LocalVol | SVISurface | None = None,
    quote_error: float | None = None,
    smoothness: float = 1e-3,
    allow_arbitrage: bool = False,
    arbitrage_tolerance: float = 0.0025,
    **options: Any,
) -> Fit[LocalVol]:
    """Local vols that reprice the quotes of a surface.

    Parameters
    ----------
    data : Snapshot or Surface
    method : {"andreasen_huge", "dupire"}
        "dupire" fits an SVISurface first, which takes the other `options`, and reads the local vol off it.
    weights : array-like of shape (n,), "equal", "vega", "bid_ask" or None, default None
        Of the squared vol residuals; None takes the surface's own.
    bounds : mapping of "theta" to (lower, upper), default (floor, cap) of a local vol
        theta(k) = a_i(k)^(1/2) is the local vol of an interval of expiries, about. For "dupire" those of SVISurface.
    start : LocalVol, default the quotes' own vols; for "dupire" an SVISurface
        Of a LocalVol "dupire" takes no notice: its search needs none.
    quote_error : float, default None
        Standard deviation of a quote's vol, decimal, behind the standard errors. None takes the quotes' half_spread
        where they have one, else how far quotes lie from the cubics through their neighbours (`_quote_noise`; a theta a
        quote leaves no residuals to speak of). `message` says which, and how much.
    smoothness : float, default 1e-3
        Weight of the bends of a_i^(1/2) between quotes beside the vol residuals; 0 follows the quotes wherever they go.
    allow_arbitrage : bool, default False
        Fit *quotes* that allow arbitrage beyond `arbitrage_tolerance` (vol) all the same: the model never does, so it
        misses some of them.

    Returns
    -------
    Fit
        unit "vol"; `message` gives the largest repricing error. Standard errors carry the errors of an expiry's quotes
        to its own thetas and on to those of later expiries; nan on a bound.

    Raises
    ------
    InputError
        On quotes with arbitrage.
    NumericalError
        When a search fails.
    """
    surface = data.quotes if isinstance(data, Snapshot) else data
    require(isinstance(surface, Surface), "data", type(surface).__name__, "be a market.Snapshot or Surface")
    require(method in ("andreasen_huge", "dupire"), "method", method, "be 'andreasen_huge' or 'dupire'")
    require(smoothness >= 0.0, "smoothness", smoothness, "be >= 0")
    if not allow_arbitrage:
        refuse_arbitrage(surface, arbitrage_tolerance)
    if weights is not None:
        parts = zip(surface, quote_weights(surface.smiles, weights))
        surface = replace(surface, smiles=tuple(replace(smile, weight=weight) for smile, weight in parts))
    for smile in surface:
        total = 1.0 if smile.weight is None else float(np.sum(smile.weight))
        require(total > 0.0, "weights", total, f"be > 0 for a quote at least at tau {smile.tau:.6g}")
    began = perf_counter()
    if method == "dupire":
        own = start if isinstance(start, SVISurface) else None
        found = fit(SVISurface, surface, allow_arbitrage=True, bounds=bounds, start=own, **options)
        model, status, n_iter, values = dupire(found.model), found.status, found.n_iter, found.parameters
    else:
        require(not options, "options", ", ".join(options), "be none for method='andreasen_huge'")
        box = read_bounds(bounds, {"theta": (FLOOR, CAP)}, {"theta": (0.0, np.inf)})
        model, values, n_iter, settled = _andreasen_huge(surface, smoothness, (box[0][0], box[1][0]), start)
        held = (values["value"] <= values["lower"]) | (values["value"] >= values["upper"])
        status = MAX_ITERATIONS if not settled else AT_BOUND if held.any() else CONVERGED
    seconds = perf_counter() - began
    residuals = _residuals(model, surface)
    said = ""
    if method == "andreasen_huge":
        values, said = _with_errors(values, surface, quote_error)
    miss, weight = residuals["residual"].to_numpy(), residuals["weight"].to_numpy()
    sse = float((weight * miss**2).sum())
    return Fit(
        model=model, parameters=values, residuals=residuals, rmse=float(np.sqrt(sse / weight.sum())), unit="vol",
        sse=sse, status=status, n_iter=n_iter, seconds=seconds,
        message=f"{method}: largest repricing error {1e4 * np.abs(miss).max():.2g} bp of vol{said}",
    )  # fmt: skip


def _grid(surface: Surface) -> Float1D:
    """Nodes in log k, one at 0, dense there; seven deviations of the last expiry and well beyond the quotes."""
    std = max(float(np.sqrt(np.interp(0.0, s.log_moneyness, s.total_variance))) for s in surface)
    near = min(float(np.sqrt(np.interp(0.0, s.log_moneyness, s.total_variance))) for s in surface)
    reach = max(7.0 * std, *(1.5 * float(np.abs(s.log_moneyness).max()) for s in surface))
    fine = max(near, 0.05 * reach)
    half = _NODES // 2
    side = fine * np.sinh(np.linspace(0.0, float(np.arcsinh(reach / fine)), half + 1))
    return np.concatenate([-side[:0:-1], side])


def _bands(y: Float1D, a: Float1D, *, transposed: bool) -> Float2D:
    """Bands, for solve_banded, of M = a k^2 d^2/dk^2 / 2, or of its transpose; zero rows at the ends."""
    k = np.exp(y)
    h = np.diff(k)
    low, up = np.zeros_like(k), np.zeros_like(k)
    half = 0.5 * a[1:-1] * k[1:-1] ** 2
    low[1:-1], up[1:-1] = 2.0 / (h[:-1] * (h[:-1] + h[1:])) * half, 2.0 / (h[1:] * (h[:-1] + h[1:])) * half
    bands = np.zeros((3, k.size))
    bands[1] = -(low + up)
    bands[0, 1:], bands[2, :-1] = (low[1:], up[:-1]) if transposed else (up[:-1], low[1:])
    return bands


def _implicit(bands: Float2D, dt: float, right: Any) -> Any:
    """(1 - dt M)^-1 right."""
    system = -dt * bands
    system[1] += 1.0
    return solve_banded((1, 1), system, right, overwrite_ab=True, check_finite=False)


def _apply(bands: Float2D, v: Float1D) -> Float1D:
    """M v."""
    out: Float1D = bands[1] * v
    out[:-1] += bands[0, 1:] * v[1:]
    out[1:] += bands[2, :-1] * v[:-1]
    return out


def _weights(y: Float1D, at: Float1D) -> Float2D:
    """Rows that read a function of y at some points, by cubic interpolation, shape (p, n)."""
    start = np.clip(np.searchsorted(y, at, side="right") - 2, 0, y.size - 4)
    near = y[start[:, None] + np.arange(4)]
    out = np.zeros((at.size, y.size))
    for i in range(4):
        others = [j for j in range(4) if j != i]
        out[np.arange(at.size), start + i] = np.prod(
            [(at - near[:, j]) / (near[:, i] - near[:, j]) for j in others], axis=0
        )
    return out


def _andreasen_huge(
    surface: Surface, smoothness: float, box: tuple[float, float], start: Any
) -> tuple[LocalVol, pd.DataFrame, int, bool]:
    """The local vol, the square roots of a_i at the quotes, evaluations, and whether all settled.

    The table has a column `by_quotes`: derivatives of each theta by the vol of every quote so far.
    """
    require(start is None or isinstance(start, LocalVol), "start", start, "be a LocalVol for method='andreasen_huge'")
    y = _grid(surface)
    c, rows, times, tables, n_iter, before = np.maximum(-np.expm1(y), 0.0), [], [], [], 0, 0.0
    mass = np.zeros_like(y)  # c_kk times the width of a node
    mass[y.size // 2] = 1.0
    moves, settled = np.zeros((y.size, 0)), True  # of c by the quotes so far
    for smile in surface:
        dt = smile.tau - before
        begin = smile.vol if start is None else start.local_vol(smile.log_moneyness, before + 0.5 * dt)
        one = _one_expiry(smile, y, c, moves, dt, smoothness, box, np.asarray(begin))
        a, theta, moves, settled = one.a, one.theta, one.moves, settled and one.settled
        count, power = (_ROWS, 2.0) if before > 0.0 else (_FIRST_ROWS, _FIRST_POWER)
        when = before + dt * np.linspace(0.0, 1.0, count) ** power
        when[0], when[-1] = before + min(_DATA, 1e-4 * dt), smile.tau - min(_DATA, 1e-4 * dt)
        for t in when if before > 0.0 else when[1:]:
            rows.append(_local_variance(y, a, mass, t - before))
            times.append(t)
        c = _implicit(_bands(y, a, transposed=False), dt, c)
        mass = _implicit(_bands(y, a, transposed=True), dt, mass)
        tables.append(pd.DataFrame({
            "name": [f"theta({k:.6g})" for k in smile.strike], "value": theta, "std_error": np.nan, "lower": box[0],
            "upper": box[1], "tau": smile.tau, "by_quotes": list(one.by_quotes),
        }))  # fmt: skip
        n_iter, before = n_iter + one.n_iter, smile.tau
    square = np.array(rows)
    kept = np.clip(square, FLOOR**2, CAP**2)
    model = LocalVol(tau=np.array(times), log_moneyness=y, vol=np.sqrt(kept), floored=int((kept != square).sum()))
    return model, pd.concat(tables, ignore_index=True), n_iter, settled


def _local_variance(y: Float1D, a: Float1D, mass: Float1D, t: float) -> Float1D:
    """2 c_t / (k^2 c_kk) a time t into the step: both from systems whose answers are positive, so good in the wings."""
    k = np.exp(y)
    width = np.gradient(k)
    width[1:-1] = 0.5 * (k[2:] - k[:-2])
    bend = _implicit(_bands(y, a, transposed=True), t, mass) / width
    speed = _implicit(_bands(y, a, transposed=False), t, 0.5 * a * k**2 * bend)
    out = np.empty_like(y)
    good = bend > 1e-200
    out[good] = 2.0 * speed[good] / (k[good] ** 2 * bend[good])
    first, last = np.flatnonzero(good)[[0, -1]]
    first, last = max(first, 1), min(last, y.size - 2)  # no equation at the ends
    out[:first], out[last + 1 :] = out[first], out[last]
    return out


@dataclass(frozen=True, slots=True, eq=False)
class _Interval:
    """What the search of one interval of expiries found."""

    a: Float1D  # on the grid
    theta: Float1D  # its square roots at the quotes
    by_quotes: Float2D  # derivatives of theta by the vols of all quotes so far; nan on a bound
    moves: Float2D  # derivatives of the calls at the end by the same vols, shape (grid, quotes so far)
    n_iter: int
    settled: bool


def _one_expiry(
    smile: Smile, y: Float1D, c: Float1D, moves: Float2D, dt: float, smoothness: float, box: tuple[float, float],
    begin: Float1D,
) -> _Interval:  # fmt: skip
    """The search from one expiry to the next; `moves` are the derivatives of c by the quotes before."""
    x = smile.log_moneyness
    target = np.asarray(black.price(1.0, np.exp(x), smile.tau, smile.vol))
    vega = np.asarray(black.greeks(1.0, np.exp(x), smile.tau, smile.vol)["vega"])
    weight = np.sqrt(np.ones(x.size) if smile.weight is None else smile.weight)
    read = _weights(y, x) * (weight / np.maximum(vega, 1e-8))[:, None]
    aim = target * weight / np.maximum(vega, 1e-8)
    hats = np.array([np.interp(y, x, row) for row in np.eye(x.size)])
    unit = _bands(y, np.ones_like(y), transposed=False)
    bends = np.zeros((max(x.size - 2, 0), x.size))
    for i in range(x.size - 2):
        left, right = x[i + 1] - x[i], x[i + 2] - x[i + 1]
        bends[i, i : i + 3] = smoothness * np.array([right, -(left + right), left]) / (left + right)

    def solved(theta: Float1D) -> tuple[Float1D, Float1D]:
        a = (theta @ hats) ** 2
        return a, _implicit(_bands(y, a, transposed=False), dt, c)

    def residual(theta: Float1D) -> Float1D:
        return np.concatenate([read @ solved(theta)[1] - aim, bends @ theta])

    def jacobian(theta: Float1D) -> Float2D:
        a, now = solved(theta)
        push = 2.0 * (theta @ hats) * dt * _apply(unit, now)
        slope = _implicit(_bands(y, a, transposed=False), dt, (hats * push).T)
        return np.concatenate([read @ slope, bends])

    low, high = box
    margin = 1e-3 * (high - low) if high > low else 0.0
    at = np.clip(begin, low + min(margin, FLOOR), high - min(margin, 0.5 * CAP))
    found = least_squares(residual, at, jac=jacobian, bounds=(low, high), x_scale=0.1, max_nfev=200,
                          xtol=1e-12, ftol=1e-12, gtol=1e-12)  # fmt: skip
    if found.status < 0:
        raise NumericalError(f"the local vol of tau {smile.tau:.6g} must be found; got: {found.message}")
    free = found.active_mask == 0
    theta = np.where(free, found.x, np.where(found.active_mask < 0, low, high))
    a = (theta @ hats) ** 2
    j, matrix = found.jac[:, free], _bands(y, a, transposed=False)
    carried = _implicit(matrix, dt, moves) if moves.shape[1] else moves  # of the calls by the quotes before
    pull = np.hstack([-(read @ carried), np.diag(weight)])  # of aim - read c
    by_quotes = np.zeros((x.size, pull.shape[1]))
    by_quotes[free] = np.linalg.lstsq(j, np.vstack([pull, np.zeros((bends.shape[0], pull.shape[1]))]), rcond=None)[0]
    push = 2.0 * (theta @ hats) * dt * _apply(unit, solved(theta)[1])
    slope = _implicit(matrix, dt, (hats * push).T)
    moves = np.hstack([carried, np.zeros((y.size, x.size))]) + slope @ by_quotes
    by_quotes[~free] = np.nan
    return _Interval(a, theta, by_quotes, moves, int(found.nfev), found.status > 0)


def _with_errors(values: pd.DataFrame, surface: Surface, quote_error: float | None) -> tuple[pd.DataFrame, str]:
    """The standard errors of the thetas, from those of the quotes, and where these come from."""
    sizes = [len(smile) for smile in surface]
    if quote_error is not None:
        require(quote_error > 0.0, "quote_error", quote_error, "be > 0", hint="A vol in decimals: 0.001 is 10 bp.")
        noise, said = np.full(sum(sizes), quote_error), ""
    elif all(smile.half_spread is not None for smile in surface):
        noise = np.concatenate([np.asarray(smile.half_spread) for smile in surface])
        said = "; standard errors from the quotes' half_spread"
    else:
        each = quote_noise(surface.smiles)
        noise = np.repeat(each, sizes)
        said = "; no standard errors: no expiry has five quotes to judge their noise by, give quote_error"
        if np.isfinite(each).all():
            low, high = (f"{1e4 * float(v):.2g}" for v in (each.min(), each.max()))
            much = low if low == high else f"{low} to {high}"
            said = f"; standard errors from the quotes' own roughness, {much} bp of vol"
    error = [float(np.sqrt(np.sum((row * noise[: row.size]) ** 2))) for row in values["by_quotes"]]
    return values.assign(std_error=error).drop(columns="by_quotes"), said


def reprice(model: LocalVol, smiles: Any) -> list[Float1D]:
    """Implied vols of a local vol at the strikes of smiles (by increasing tau), by the forward equation.

    Dupire's equation in k = strike / forward from today on, implicit at first and then Crank-Nicolson: all strikes and
    expiries in one sweep, and a check on the engines that go backward.
    """
    y = _grid(Surface(as_of=pd.Timestamp(0).date(), spot=1.0, smiles=tuple(smiles)))
    c, before, out = np.maximum(-np.expm1(y), 0.0), 0.0, []
    for smile in smiles:
        ends = np.linspace(0.0, 1.0, _STEPS + 1) ** 2
        times = before + (smile.tau - before) * np.concatenate([[0.0, 0.5 * ends[1]], ends[1:]])
        times = np.insert(times, 3, 0.5 * (times[2] + times[3]))
        rows = model.variance_rows(times, np.tile(y, (times.size - 1, 1)))
        for k, a in enumerate(rows):
            dt, bands = times[k + 1] - times[k], _bands(y, a, transposed=False)
            c = _implicit(bands, dt, c) if k < _STARTS else _implicit(bands, 0.5 * dt, c + 0.5 * dt * _apply(bands, c))
        x = smile.log_moneyness
        value = _weights(y, x) @ c
        out.append(np.asarray(black.implied_vol(value, 1.0, np.exp(x), smile.tau)))
        before = smile.tau
    return out


def _residuals(model: LocalVol, surface: Surface) -> pd.DataFrame:
    parts = []
    for smile, fitted in zip(surface, reprice(model, surface.smiles)):
        quotes = smile.to_frame()[["expiry", "tau", "strike", "log_moneyness", "vol"]].rename(columns={"vol": "market"})
        weight = 1.0 if smile.weight is None else smile.weight
        parts.append(quotes.assign(model=fitted, residual=fitted - smile.vol, weight=weight))
    return pd.concat(parts, ignore_index=True)


OPTIONS_OF = fit_svi  # who takes the **options of "dupire"
