"""Prices where the stock pays cash, yields have a term structure, or borrowing costs: what engines get instead.

| market | contracts | how | error |
|---|---|---|---|
| borrow | all | added to the yield | none |
| term structure of yields | one expiry, decided there (European, digital) | the mean yield up to expiry | none |
| the same | what reads forwards and discount factors only (notes, averages, paths) | as it is | none |
| cash, escrowed | one expiry, decided there | the spot less the dividends' present value | none: it is the model |
| cash, jump | European under one vol | the value between dividends, integrated dividend by dividend | stated |
| term structure of yields | others by `pde` and `adi` | the yield of each step | stated by the engine |
| cash, jump | all by `pde` and `adi` | jumps of the grid | stated by the engine |

The integral (Haug, Haug and Lewis 2003, exact for one dividend) runs back from expiry: after the last dividend the
value is Black's, before each it is the mean over the spot just after, on a grid in log spot; two grids give the error.

References
----------
Haug, Haug, Lewis (2003), "Back to basics: a new approach to the discrete dividend problem", Wilmott, Sept., 37-47.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.errors import NoEngineError
from research.instruments import Digital, European
from research.market import Snapshot
from research.models import BlackScholes, black
from research.pricing.catalogue import Engine, Values, engines_for

_AT_EXPIRY = (European, Digital)
_GRIDS = ("pde", "adi")
_BY_FORWARDS = (*_GRIDS, "paths", "monte_carlo", "quadrature", "convolution", "fourier", "replication",
                "longstaff_schwartz")  # fmt: skip
_CLOSED_BY_FORWARDS = ("Asian", "Chooser", "Compound", "ForwardStart", "Gap", "LogContract", "Power", "Supershare",
                       "VarianceSwap", "VolatilitySwap", "GammaSwap")  # fmt: skip
_REACH = 8.0  # standard deviations of the grid
_POINTS = (120, 240)  # a standard deviation of the whole life holds 15, then 30


def is_plain(snapshot: Snapshot) -> bool:
    """Does one number say all about the carry of the stock?"""
    return snapshot.cash_dividends is None and snapshot.dividend_yields is None and snapshot.borrow == 0.0


def only_borrow(snapshot: Snapshot) -> bool:
    """Is the borrow cost all that is special?"""
    return snapshot.cash_dividends is None and snapshot.dividend_yields is None


def looks_on_the_way(item: Any, snapshot: Snapshot) -> bool:
    """Is this a contract that no single mean yield serves, in a market whose yields have a term structure?"""
    return snapshot.cash_dividends is None and not isinstance(item, _AT_EXPIRY)


def takes_forwards(engine: Engine) -> bool:
    """Does an engine read the market by its forwards and discount factors only?"""
    return engine.method in _BY_FORWARDS or (engine.method == "analytic" and engine.contract in _CLOSED_BY_FORWARDS)


def folded(snapshot: Snapshot) -> Snapshot:
    """The same market with the borrow cost as yield."""
    return replace(snapshot, dividend_yield=snapshot.dividend_yield + snapshot.borrow, borrow=0.0)


def value(
    items: list[Any], model: Any, snapshot: Snapshot, method: str,
    engine: Callable[[list[Any], Snapshot, str, dict[str, Any]], tuple[Values, str]], options: dict[str, Any],
) -> tuple[Values, str]:  # fmt: skip
    """Values of contracts of one kind, and the method; `engine` prices some of them in a plain market."""
    dividends = snapshot.cash_dividends
    if dividends is not None and dividends.model == "jump":
        return _jump(items, model, snapshot, method, engine, options)
    if not isinstance(items[0], _AT_EXPIRY):
        raise NoEngineError(
            f"{type(items[0]).__name__} must be a contract decided at expiry (European, Digital) under escrowed cash "
            "dividends. American and European options take CashDividends(model='jump')."
        )
    tau = np.array([item.years(snapshot.as_of) for item in items])
    out, used = Values(*(np.empty(tau.size) for _ in range(3))), method
    for years in np.unique(tau):
        at = np.flatnonzero(tau == years)
        there = equivalent(snapshot, float(years))
        found, used = engine([items[i] for i in at], there, method, options)
        out.value[at], out.std_error[at], out.error[at] = found.value, found.std_error, found.error
    return out, used


def equivalent(snapshot: Snapshot, tau: float) -> Snapshot:
    """A plain market with the same forward at `tau`; its spot is the part of the spot that moves."""
    moving = snapshot.forward(tau) / snapshot.growth(tau)
    return replace(snapshot, spot=moving, dividend_yield=snapshot.yield_at(tau), dividend_yields=None, borrow=0.0,
                   cash_dividends=None)  # fmt: skip


def _grids(item: Any, model: Any, method: str) -> list[str]:
    return [e.method for e in engines_for(item, model) if e.method in _GRIDS and method in ("auto", e.method)]


def on_grids(snapshot: Snapshot) -> tuple[Snapshot, tuple[tuple[float, float], ...]]:
    """The market as finite differences take it, and the cash that jumps: pairs of years and amounts."""
    cash = snapshot.cash_dividends
    plain = replace(snapshot, cash_dividends=None)
    pairs = () if cash is None else tuple(zip(cash.tau.tolist(), cash.cash.tolist()))
    return (folded(plain) if plain.dividend_yields is None else plain), pairs


def _jump(
    items: list[Any], model: Any, snapshot: Snapshot, method: str, engine: Any, options: dict[str, Any]
) -> tuple[Values, str]:
    dividends = snapshot.cash_dividends
    assert dividends is not None
    closed = isinstance(items[0], European) and isinstance(model, BlackScholes) and method in ("auto", "analytic")
    if closed:
        tau = np.array([item.years(snapshot.as_of) for item in items])
        strike, is_call = np.array([i.strike for i in items]), np.array([i.is_call for i in items])
        coarse, fine = (integrated(strike, tau, is_call, model.sigma, snapshot, n) for n in _POINTS)
        return Values(fine, np.zeros_like(fine), np.abs(fine - coarse) + 1e-12 * snapshot.spot), "analytic"
    grids = _grids(items[0], model, method)
    if grids:
        there, pairs = on_grids(snapshot)
        found: tuple[Values, str] = engine(items, there, grids[0], options | {"dividends": pairs})
        return found
    raise NoEngineError(
        f"{type(items[0]).__name__} under {type(model).__name__} by '{method}' must not meet cash dividends of "
        "model='jump'. Available: European by 'analytic' (BlackScholes), contracts that 'pde' or 'adi' prices."
    )


def integrated(strike: Float1D, tau: Float1D, is_call: Any, sigma: float, snapshot: Snapshot, n_points: int) -> Float1D:
    """European options on a spot that falls by the cash amounts (to 0 where it is less), by integration."""
    out = np.empty(strike.size)
    assert snapshot.cash_dividends is not None
    for years in np.unique(tau):
        at = np.flatnonzero(tau == years)
        paid = snapshot.cash_dividends.tau < years
        times, cash = snapshot.cash_dividends.tau[paid], snapshot.cash_dividends.cash[paid]
        if times.size == 0 or sigma == 0.0:
            forward, df = snapshot.forward(years), snapshot.discount.df(years)
            out[at] = black.price(forward, strike[at], years, sigma, df=df, is_call=is_call[at])
        else:
            out[at] = _backwards(strike[at], float(years), is_call[at], sigma, snapshot, times, cash, n_points)
    return out


def _backwards(
    strike: Float1D, tau: float, is_call: Any, sigma: float, snapshot: Snapshot, times: Float1D, cash: Float1D, n: int
) -> Float1D:
    """All strikes of one expiry: puts, so that values are bounded; calls by parity."""
    from scipy.interpolate import CubicSpline

    half = _REACH * sigma * np.sqrt(tau)
    moves = half * np.linspace(-1.0, 1.0, 2 * n + 1)  # log of spot over its start, at each date
    centre, late = np.log(snapshot.spot), times.size - 1
    grid = centre + moves
    left, growth = tau - times[-1], _forward_growth(snapshot, times[-1], tau)
    df = snapshot.discount.df(tau) / snapshot.discount.df(times[-1])

    def after_last(spot: Any) -> Any:
        forward = np.maximum(spot * growth, 1e-300 + 1e-12 * strike.min())
        return black.price(forward[:, None], strike[None, :], left, sigma, df=df, is_call=False)

    held: Any = after_last
    for m in range(late, -1, -1):
        start = times[m - 1] if m > 0 else 0.0
        dt, up = times[m] - start, _forward_growth(snapshot, start, times[m])
        discount = snapshot.discount.df(times[m]) / snapshot.discount.df(start)
        std = sigma * np.sqrt(dt)
        z = np.linspace(-_REACH, _REACH, 2 * n + 1)
        weight = np.exp(-0.5 * z * z)
        weight /= weight.sum()  # the trapezoidal rule of an analytic integrand with Gaussian ends
        starts = np.array([snapshot.spot]) if m == 0 else np.exp(grid)
        found = np.empty((starts.size, strike.size))
        for i, spot in enumerate(starts):
            before = spot * up * np.exp(std * z - 0.5 * std * std)
            found[i] = discount * (weight @ held(np.maximum(before - cash[m], 0.0)))
        if m > 0:
            spline = CubicSpline(np.exp(grid), found, axis=0)
            low, high, floor = np.exp(grid[0]), np.exp(grid[-1]), found[0]

            def held(spot: Any, f: Any = spline, a: float = low, b: float = high, at: Any = floor) -> Any:
                inside = f(np.clip(spot, a, b))
                return np.where((spot < a)[:, None], at, inside)

    puts: Float1D = found[0]
    forward, df_all = snapshot.forward(tau), snapshot.discount.df(tau)
    return np.where(is_call, puts + df_all * (forward - strike), puts)


def _forward_growth(snapshot: Snapshot, start: float, stop: float) -> float:
    return float(snapshot.growth(stop) / snapshot.growth(start))
