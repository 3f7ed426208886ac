"""SSVI and eSSVI to a whole surface: `fit(SSVI, snapshot)`, `fit(ESSVI, snapshot)`.

The objective is the weighted sum of squared vol residuals. The search moves in coordinates whose box holds fair
surfaces only (`_ssvi_search`), so what comes back is free of static arbitrage whatever the quotes are. eSSVI starts
from the SSVI fit and from its slices fitted alone, so it never ends above SSVI. Yesterday's model is a start for
today's quotes whatever their expiries: `fit(ESSVI, snapshot, start=yesterday.model)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any, Literal

import numpy as np
import pandas as pd

from research.arrays import Float1D, Float2D
from research.calibration import _ssvi_search as searching
from research.calibration._options import Weights
from research.calibration._quotes import Quotes, read_quotes
from research.calibration._registry import fits
from research.calibration._verdict import covariance
from research.calibration.fit import AT_BOUND, CONVERGED, MAX_ITERATIONS, Fit
from research.errors import require
from research.market import Snapshot, Surface
from research.models.ssvi import ESSVI, SSVI, PowerLaw

_RHO_STARTS = (-0.7, -0.2, 0.4)


@fits(SSVI)
def fit_ssvi(
    data: Snapshot | Surface,
    *,
    phi: Literal["power_law", "heston"] = "power_law",
    weights: Weights = None,
    start: SSVI | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    huber: float | None = None,
    max_iter: int = 200,
    allow_arbitrage: bool = False,
    arbitrage_tolerance: float = 0.01,
) -> Fit[SSVI]:
    """The SSVI surface nearest to the quoted implied vols.

    Parameters
    ----------
    data : Snapshot or Surface
    phi : {"power_law", "heston"}, default "power_law"
        How the curvature falls with total variance at the money.
    weights : array-like of shape (n,), "equal", "vega", "bid_ask" or None, default None
        Of the squared errors, in the order of `surface.to_frame()`; None takes the surface's own, which
        `market.chains_from_quotes` sets from bid and ask.
    start : SSVI, default found from the quotes
        Yesterday's, say; its expiries need not be those of the quotes. Where it leads nowhere the search starts anew.
    bounds : mapping of "rho" or "gamma" to (lower, upper)
    huber : float, default None
        Residual (vol, decimal) beyond which an error counts by its size, not its square: stale quotes then pull less.
    max_iter : int, default 200
        Most evaluations of each climb.
    allow_arbitrage : bool, default False
        Fit quotes that allow a free lunch; the model does not.
    arbitrage_tolerance : float, default 0.01
        Vol by which a quote may miss the no-arbitrage bounds before the fit refuses.

    Returns
    -------
    Fit
        Unit "vol"; residuals are model minus market. Rows of `parameters`: rho, eta, gamma (or lam), and theta of each
        expiry (column tau).

    Raises
    ------
    InputError
        On too few quotes, arbitrage, weights or bounds that make no sense.
    """
    require(phi in ("power_law", "heston"), "phi", phi, "be 'power_law' or 'heston'")
    require(start is None or isinstance(start, SSVI), "start", start, "be an SSVI")
    known = {"rho": searching.RHO, "gamma": searching.GAMMA} if phi == "power_law" else {"rho": searching.RHO}
    limits = searching.check_bounds(bounds, known)
    quotes = _read(data, weights, allow_arbitrage, arbitrage_tolerance, huber, max_iter)
    n = quotes.tau.size
    least = n + (4 if phi == "power_law" else 3)
    require(quotes.n_active >= least, "quotes", quotes.n_active, f"number at least {least} for {n} expiries")
    clock = perf_counter()
    where = searching.ssvi_coordinates(n, phi, limits, _most(quotes))
    same = start is not None and isinstance(start.phi, PowerLaw) == (phi == "power_law")
    starts = [searching.ssvi_point(start, quotes.tau)] if start is not None and same else []
    found = _search(where, starts or _ssvi_starts(quotes, phi), quotes, huber, max_iter)
    if starts and not found.settled:
        found = searching.better(found, _search(where, _ssvi_starts(quotes, phi), quotes, huber, max_iter))
    model = searching.ssvi_model(found.y, quotes.tau, phi)
    names = ("rho", "eta", "gamma") if phi == "power_law" else ("rho", "lam")

    def own(points: Float2D) -> Float2D:
        if phi == "power_law":
            scale = [points[:, 0], points[:, 1] * PowerLaw.largest(points[:, 0], points[:, 2]), points[:, 2]]
        else:
            scale = [points[:, 0], 0.25 * (1.0 + np.abs(points[:, 0])) / points[:, 1]]
        return np.concatenate([np.stack(scale, axis=1), where.slices(points)[0]], axis=1)

    labels = [(name, np.nan) for name in names] + [("theta", t) for t in quotes.tau]
    return _answer(model, quotes, where, found, labels, own, clock)


@fits(ESSVI)
def fit_essvi(
    data: Snapshot | Surface,
    *,
    weights: Weights = None,
    start: ESSVI | SSVI | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    huber: float | None = None,
    max_iter: int = 200,
    allow_arbitrage: bool = False,
    arbitrage_tolerance: float = 0.01,
) -> Fit[ESSVI]:
    """The eSSVI surface nearest to the quoted implied vols; options as of `fit_ssvi`.

    At least 3 quotes with a positive weight an expiry. `bounds` may name rho. Rows of `parameters`: theta, psi, rho of
    each expiry (column tau).
    """
    require(start is None or isinstance(start, (ESSVI, SSVI)), "start", start, "be an ESSVI or an SSVI")
    limits = searching.check_bounds(bounds, {"rho": searching.RHO})
    quotes = _read(data, weights, allow_arbitrage, arbitrage_tolerance, huber, max_iter)
    for g, t in enumerate(quotes.tau):
        active = int(np.count_nonzero(quotes.weight[quotes.first[g] : quotes.first[g + 1]]))
        require(active >= 3, "quotes", active, f"number at least 3 at tau {t:.6g}", hint="A slice has 3 parameters.")
    clock = perf_counter()
    where = searching.essvi_coordinates(quotes.tau, limits, _most(quotes))

    def cold() -> searching.Search:
        whole = searching.ssvi_coordinates(quotes.tau.size, "power_law", limits, _most(quotes))
        first = _search(whole, _ssvi_starts(quotes, "power_law"), quotes, huber, max_iter)
        starts = [searching.essvi_point(*whole.at(first.y)), _alone(quotes)]
        return _search(where, starts, quotes, huber, max_iter)

    if start is None:
        found = cold()
    else:
        theta, psi, rho = start.at(quotes.tau)
        warm = [searching.essvi_point(np.maximum.accumulate(theta), psi, rho)]
        found = _search(where, warm, quotes, huber, max_iter)
        found = found if found.settled else searching.better(found, cold())
    labels = [(name, t) for name in ("theta", "psi", "rho") for t in quotes.tau]
    model = searching.essvi_model(found.y, quotes.tau)
    return _answer(
        model, quotes, where, found, labels, lambda points: np.concatenate(where.slices(points), axis=1), clock
    )


def _read(
    data: Any, weights: Weights, allow_arbitrage: bool, tolerance: float, huber: float | None, max_iter: int
) -> Quotes:
    require(huber is None or huber > 0.0, "huber", huber, "be > 0", hint="A vol in decimals: 0.01 is one vol point.")
    require(max_iter >= 1, "max_iter", max_iter, "be >= 1")
    return read_quotes(data, weights, allow_arbitrage=allow_arbitrage, tolerance=tolerance)


def _most(quotes: Quotes) -> float:
    """A bound of total variance that no fit comes near."""
    return 100.0 * float((quotes.table[3] ** 2 * quotes.table[5] ** 2).max())


def _at_the_money(quotes: Quotes) -> Float1D:
    """Total variance at the forward of each expiry, made to rise."""
    out = []
    for g, t in enumerate(quotes.tau):
        here = slice(quotes.first[g], quotes.first[g + 1])
        out.append(float(np.interp(0.0, quotes.table[0, here], quotes.table[3, here])) ** 2 * t)
    return np.maximum.accumulate(np.array(out)) * (1.0 + 1e-6 * np.arange(len(out)))


def _ssvi_starts(quotes: Quotes, phi: str) -> list[Float1D]:
    """Level from the quotes at the money, a few tilts."""
    rises = np.diff(_at_the_money(quotes), prepend=0.0)
    head = (0.4, 0.4) if phi == "power_law" else (0.2,)
    return [np.array([rho, *head, *rises]) for rho in _RHO_STARTS]


def _alone(quotes: Quotes) -> Float1D:
    """A start from each slice's vols: skew and level at the money by a parabola through the quotes."""
    theta, psi, rho = _at_the_money(quotes), np.empty(quotes.tau.size), np.empty(quotes.tau.size)
    for g, t in enumerate(quotes.tau):
        here = slice(quotes.first[g], quotes.first[g + 1])
        k, w = -quotes.table[0, here], quotes.table[3, here] ** 2 * t
        degree = 2 if k.size > 3 else 1
        *bend, slope, _ = np.polynomial.polynomial.polyfit(k, w, degree)[::-1]
        # w'(0) = rho psi, w''(0) = psi^2 (1 - rho^2) / (2 theta)
        square = max(4.0 * theta[g] * (bend[0] if bend else 0.0), 0.0) + slope**2
        psi[g] = np.sqrt(square) if square > 0.0 else 0.1 * np.sqrt(theta[g])
        rho[g] = np.clip(slope / psi[g], -0.9, 0.9)
    return searching.essvi_point(theta, psi, rho)


def _expiries(quotes: Quotes) -> Any:
    return np.repeat(np.arange(quotes.tau.size), np.diff(quotes.first))


def _search(
    where: searching.Coordinates, starts: list[Float1D], quotes: Quotes, huber: float | None, max_iter: int
) -> searching.Search:
    table = quotes.table
    return searching.search(
        where, starts, -table[0], table[3], quotes.weight, table[5] ** 2, _expiries(quotes), huber=huber,
        max_iter=max_iter,
    )  # fmt: skip


def _answer(
    model: Any, quotes: Quotes, where: searching.Coordinates, found: searching.Search,
    labels: Sequence[tuple[str, float]], own: Any, clock: float,
) -> Fit[Any]:  # fmt: skip
    """The Fit; `own` maps points to the parameters named by `labels`."""
    on_bound = where.on_bound(found.y)
    spread, condition = covariance(found.jacobian, ~on_bound, found.noise, quotes.n_active)
    change = where.jacobian(found.y, own)
    error = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", change, spread, change), 0.0))
    error = np.where(error > 0.0, error, np.nan)
    value = own(found.y[None, :])[0]
    seconds = perf_counter() - clock
    vol = np.sqrt(np.asarray(model.total_variance(-quotes.table[0], quotes.table[5] ** 2))) / quotes.table[5]
    status = CONVERGED if found.settled else MAX_ITERATIONS
    status = AT_BOUND if found.settled and on_bound.any() else status
    vague = [_label(*at) for at, v, e in zip(labels, value, error) if e > max(abs(v), 0.05 if at[0] == "rho" else 0.0)]
    parameters = pd.DataFrame({"name": [name for name, _ in labels], "value": value, "std_error": error})
    lower = {"rho": -1.0}
    upper = {"rho": 1.0, "gamma": 0.5, "psi": 4.0}
    return Fit(
        model=model,
        parameters=parameters.assign(
            lower=parameters["name"].map(lower).fillna(0.0),
            upper=parameters["name"].map(upper).fillna(np.inf),
            tau=[t for _, t in labels],
        ),
        residuals=quotes.residuals(vol),
        rmse=float(np.sqrt(found.sse / quotes.weight.sum())),
        unit="vol",
        sse=found.sse,
        status=status,
        n_iter=found.evaluations,
        message=_message(found, where.binding(found.y), vague, condition),
        seconds=seconds,
    )


def _label(name: str, tau: float) -> str:
    return name if np.isnan(tau) else f"{name} at tau {tau:.4g}"


def _message(found: searching.Search, binding: list[str], vague: list[str], condition: float) -> str:
    how = "settled" if found.settled else "stopped by max_iter"
    out = f"{how} after {found.evaluations} evaluations; free of static arbitrage by construction"
    out += f"; {found.far}" if found.far else ""
    if binding:
        out += f"; a bound holds {', '.join(dict.fromkeys(binding))}"
    if vague:
        out += f"; hardly identified by these quotes: {', '.join(vague)} (condition {condition:.0e})"
    return out
