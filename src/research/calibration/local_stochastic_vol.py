"""The leverage that makes Heston reprice a local vol: `fit(LocalStochasticVol, snapshot)`.

What is not given is fitted first: the local vol to the quotes of a snapshot or surface, and Heston to the same quotes;
or, where the data is a local vol, Heston to its own smiles. `Fit.message` says so.

The density of (log spot, variance) is marched forward by the transposed matrix of the pricing engine (alternating
directions, `core.pricing.adi`), and at each step L^2(t, y) = sigma_local^2(t, y) / E[v | y], with E[v | y] from the
density itself: first of the start of the step, then of its middle. The march keeps the sum of the masses to rounding,
has no sampling noise and shares its kernel with the engine that prices; particles would need many paths and a kernel
of their own. Columns with little mass take the ratio of the nearest one that has enough.

Residuals are those of the vanillas on a grid of strikes and expiries, priced by the backward engine under the model and
under the local vol.

References
----------
Gyongy (1986), "Mimicking the one-dimensional marginal distributions of processes having an Ito differential",
Probability Theory and Related Fields 71.
Ren, Madan, Qian (2007), "Calibrating and pricing with embedded local volatility models", Risk 20(9).
Guyon, Henry-Labordere (2012), "Being particular about calibration", Risk 25(1), 92-97.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from research.arrays import Float1D, Float2D, vector
from research.calibration._options import Bounds, Weights
from research.calibration._registry import fits
from research.calibration.fit import Fit, fit
from research.calibration.local_vol import reprice
from research.core.pricing.adi import CRAIG_SNEYD, DAMPED, adi_march
from research.errors import NumericalError, require, require_all
from research.instruments import European
from research.market import Smile, Snapshot, Surface, flat_snapshot
from research.models import Heston, LocalStochasticVol, LocalVol, black
from research.pricing import price
from research.pricing._pde_grid import WIDTH, nodes, variance_nodes

_SPACE, _VARIANCE = 200, 60
_ENOUGH = 1e-7  # mass of a column, of the largest, from which its ratio is believed
_CHECKS = 7  # strikes an expiry
_DAMPED = 4


@fits(LocalStochasticVol)
def fit_local_stochastic_vol(
    data: LocalVol | Snapshot | Surface,
    *,
    heston: Heston | None = None,
    snapshot: Snapshot | None = None,
    tau: ArrayLike | None = None,
    n_time: int = 200,
    weights: Weights = None,
    bounds: Bounds = None,
    start: LocalStochasticVol | None = None,
    allow_arbitrage: bool = False,
) -> Fit[LocalStochasticVol]:
    """Leverage up to the last of some expiries.

    Parameters
    ----------
    data : LocalVol, Snapshot or Surface
        What the model shall reprice: a local vol, or quotes, to which one is fitted first.
    heston : Heston, default fitted
        The dynamics; sigma = 0 is not wanted here, since then the leverage is the local vol over sqrt(v).
    snapshot : Snapshot, default the data, else spot 100 without rates
        Its quotes are not used: only the spot and the rates of the check.
    tau : array-like, years, increasing, default (0.25, 0.5, 1), or three expiries of the quotes
        Expiries at which the repricing is checked; the leverage ends at the last.
    n_time : int
        Steps to the last expiry, at least 20.
    weights, bounds, allow_arbitrage
        As for Heston (and LocalVol), where they are fitted.
    start : LocalStochasticVol, default none
        Its Heston starts the search for the one that is fitted.

    Returns
    -------
    Fit
        unit "vol"; residuals are vols under the model less vols under the local vol. `parameters` has the leverage,
        and in front of it Heston's five with their standard errors where they were fitted.
    """
    known = isinstance(data, (LocalVol, Snapshot, Surface))
    require(known, "data", type(data).__name__, "be a LocalVol, or a Snapshot or Surface of quotes")
    require(heston is None or isinstance(heston, Heston), "heston", type(heston).__name__, "be a Heston")
    require(start is None or isinstance(start, LocalStochasticVol), "start", start, "be a LocalStochasticVol")
    require(n_time >= 20, "n_time", n_time, "be at least 20")
    options: dict[str, Any] = {"weights": weights, "allow_arbitrage": allow_arbitrage}
    local, quotes, said = _local_vol(data, options)
    if tau is None and quotes is not None:
        tau = quotes.tau[sorted({0, len(quotes) // 2, len(quotes) - 1})]
    times = vector((0.25, 0.5, 1.0) if tau is None else tau, "tau")
    require_all((times > 0.0) & (np.diff(times, prepend=0.0) > 0.0), "tau", times, "be > 0 and increase")
    snapshot = snapshot or (data if isinstance(data, Snapshot) else None)
    table = None
    if heston is None:
        begin = None if start is None else start.heston
        own = fit(Heston, quotes or _smiles(local, times), bounds=bounds, start=begin, **options)
        heston, table = own.model, own.parameters
        said += f"Heston fitted to {'the quotes' if quotes else 'its smiles'}, rmse {own.rmse_bp:.3g} bp"
        said += f" ({'; '.join(own.warnings)}); " if own.warnings else "; "
    require(heston.sigma > 0.0, "sigma", heston.sigma, "be > 0")
    require(heston.v0 > 0.0, "v0", heston.v0, "be > 0")
    began = perf_counter()
    leverage = _march(local, heston, float(times[-1]), n_time)
    model = LocalStochasticVol(heston=heston, leverage=leverage)
    seconds = perf_counter() - began
    residuals = _residuals(model, local, times, snapshot or flat_snapshot(spot=100.0))
    miss = residuals["residual"].to_numpy()
    sse = float((miss**2).sum())
    return Fit(
        model=model, parameters=_table(table, leverage), residuals=residuals,
        rmse=float(np.sqrt(sse / miss.size)), unit="vol", sse=sse, status=0, n_iter=n_time, seconds=seconds,
        message=f"{said}largest repricing error {1e4 * np.abs(miss).max():.2g} bp of vol",
    )  # fmt: skip


def _local_vol(data: LocalVol | Snapshot | Surface, options: dict[str, Any]) -> tuple[LocalVol, Surface | None, str]:
    """The local vol, the quotes that it was fitted to (None: it was given), and what to say of it."""
    if isinstance(data, LocalVol):
        return data, None, ""
    first = fit(LocalVol, data, **options)
    quotes = data.quotes if isinstance(data, Snapshot) else data
    return first.model, quotes, f"local vol fitted to the quotes, rmse {first.rmse_bp:.2g} bp; "


def _table(heston: pd.DataFrame | None, leverage: LocalVol) -> pd.DataFrame:
    """Heston's parameters where they were fitted, then the leverage by node."""
    nodes = leverage.to_frame().rename(columns={"vol": "value"})
    if heston is None:
        return nodes
    return pd.concat([heston, nodes.assign(name="leverage")], ignore_index=True)


def _smiles(local: LocalVol, tau: Float1D) -> Surface:
    """The smiles of a local vol, 1.5 deviations to each side, as quotes."""
    smiles = []
    for t in tau:
        strike = np.exp(np.linspace(-1.5, 1.5, 2 * _CHECKS) * local.std(float(t)))
        level = local.std(float(t)) / np.sqrt(t)
        smiles.append(Smile(tau=float(t), forward=1.0, df=1.0, strike=strike, vol=np.full(strike.size, level)))
    smiles = [replace(smile, vol=vol) for smile, vol in zip(smiles, reprice(local, smiles))]
    return Surface(as_of=date.min, spot=1.0, smiles=tuple(smiles))


def _march(local: LocalVol, heston: Heston, tau: float, n_time: int) -> LocalVol:
    """The leverage grid: rows at the middles of the steps, which grow from today on."""
    low, high = (WIDTH * local.std(tau, reach) for reach in (-3.0, 3.0))
    y = nodes(-low, high, 0.0, 0.25 * local.std(tau), _SPACE, 1)
    v = variance_nodes(heston, tau, _VARIANCE, 1)
    mass = _start(y, v, heston.v0)
    five = np.array([heston.kappa, heston.theta, heston.sigma, heston.rho, 1.0])
    ends = tau * np.linspace(0.0, 1.0, n_time + 1) ** 2
    variance = local.variance_rows(ends, np.tile(y, (n_time, 1)))
    ratio, middles, rows = np.full(y.size, heston.v0), [], []
    for k in range(n_time):
        dt = ends[k + 1] - ends[k]
        code = DAMPED if k < _DAMPED else CRAIG_SNEYD
        after = _step(y, v, dt, code, variance[k] / ratio, five, mass)
        ratio = _mean_variance(v, 0.5 * (mass + after), ratio)
        mass = _step(y, v, dt, code, variance[k] / ratio, five, mass)
        middles.append(0.5 * (ends[k] + ends[k + 1]))
        rows.append(np.sqrt(variance[k] / ratio))
        ratio = _mean_variance(v, mass, ratio)
    if not abs(mass.sum() - 1.0) < 1e-6:
        raise NumericalError(f"the masses must add up to 1; got {mass.sum():.8g}.")
    return LocalVol(tau=np.array(middles), log_moneyness=y, vol=np.array(rows))


def _start(y: Float1D, v: Float1D, v0: float) -> Float2D:
    """Mass 1 at y = 0 and v0, which four nodes of v share so that the first three moments are right."""
    mass = np.zeros((y.size, v.size))
    start = int(np.clip(np.searchsorted(v, v0) - 2, 0, v.size - 4))
    near = v[start : start + 4]
    for i in range(4):
        others = np.delete(near, i)
        mass[int(np.argmin(np.abs(y))), start + i] = np.prod((v0 - others) / (near[i] - others))
    return mass


def _step(y: Float1D, v: Float1D, dt: float, code: int, lever: Float1D, five: Float1D, mass: Float2D) -> Float2D:
    """The masses a step later, in the measure of the forward: no rates."""
    out, none = mass.copy(), np.zeros(2)
    adi_march(
        y, v, np.array([dt]), np.array([code], dtype=np.int64), none, lever[None, :], five, y, np.zeros(5),
        np.zeros((0, 0)), np.zeros_like(mass), out,
    )  # fmt: skip
    return out


def _mean_variance(v: Float1D, mass: Float2D, before: Float1D) -> Float1D:
    """E[v | y]; `before` is kept in case nothing can be believed."""
    column = mass.sum(axis=1)
    good = (column > _ENOUGH * column.max()) & (mass @ v > 0.0)
    if not good.any():
        return before
    at = np.arange(column.size)
    safe = np.where(good, column, 1.0)
    out: Float1D = np.interp(at, at[good], ((mass @ v) / safe)[good])
    return np.maximum(out, 1e-4 * float(out.max()))


def _residuals(model: LocalStochasticVol, local: LocalVol, tau: Float1D, snapshot: Snapshot) -> pd.DataFrame:
    """Vols of European options under both, 1.5 deviations to each side."""
    parts: list[dict[str, Any]] = []
    for t in tau:
        forward, df = float(snapshot.forward(t)), float(snapshot.discount.df(t))
        x = np.linspace(-1.5, 1.5, _CHECKS) * local.std(float(t))
        strike, is_call = forward * np.exp(x), x > 0.0
        options = [European(strike=float(k), tau=float(t), is_call=bool(c)) for k, c in zip(strike, is_call)]
        ours = price(options, model, snapshot, n_space=200, n_variance=60, n_time=100).value
        target = price(options, local, snapshot, n_space=400, n_time=200).value
        vols = [black.implied_vol(one, forward, strike, t, df=df, is_call=is_call) for one in (ours, target)]
        rows = zip(strike, x, vols[1], vols[0])
        parts += [{"tau": t, "strike": k, "log_moneyness": m, "market": a, "model": b} for k, m, a, b in rows]
    out = pd.DataFrame(parts)
    return out.assign(residual=out["model"] - out["market"], weight=1.0)
