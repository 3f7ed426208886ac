"""Scenario ladders spot x vol, vega by quote or expiry, rho by node of the curve: a portfolio in one call.

| question | function |
|---|---|
| value and Greeks at every spot and vol | `ladder` |
| which quotes of the surface is the portfolio long? | `vega_buckets` |
| which maturities of the curve? | `rho_buckets` |
| which cash dividends? | `dividend_buckets` |

A ladder prices all European options of all nodes in one call of Black's kernel; other contracts go node by node in
batches. What the surface does as the spot moves is named: "strike" (a strike keeps its vol) or "moneyness" (sticky
delta: log(strike / forward) keeps its vol); a model with dynamics of its own follows them either way.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from research.arrays import Float1D, Float2D, FloatND, vector
from research.errors import require, require_all
from research.instruments import European
from research.market import BasketSnapshot, DiscountCurve, Smile, Snapshot, Surface
from research.models import black
from research.pricing import _calls
from research.pricing._bumps import bumped, least_vol, shifted, stuck, within
from research.pricing._greek_tables import GREEKS
from research.pricing._tables import whole
from research.pricing.basket_ladders import basket_rho_buckets, book
from research.pricing.black_greeks import spot_table, vols
from research.pricing.price import choose, price
from research.pricing.sensitivities import greeks

_LADDER = ("value", "delta", "gamma", "vega")


def ladder(
    instruments: Any,
    model: Any,
    snapshot: Snapshot,
    *,
    spot: ArrayLike = (0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2),
    vol: ArrayLike = (-0.05, 0.0, 0.05),
    which: Sequence[str] = _LADDER,
    sticky: Literal["strike", "moneyness"] = "strike",
    quantities: ArrayLike | None = None,
    by_contract: bool = False,
    **options: Any,
) -> pd.DataFrame:
    """Values and Greeks of a portfolio at every spot and vol.

    Parameters
    ----------
    instruments : a contract or a sequence of them
    spot : array-like, shape (n,)
        Spots as multiples of the snapshot's: 0.9 is a fall by 10 %.
    vol : array-like, shape (m,), 1/sqrt(year)
        Added to every implied vol: 0.05 is five vol points more. Where a vol would be below 0, the row is nan, and a
        warning says so.
    which : names of `greeks`, default value, delta, gamma, vega
    sticky : "strike" or "moneyness"
    quantities : array-like, default 1 each
        Of each contract; < 0 is sold.
    by_contract : bool, default False
        A row a contract too (column `position`), instead of the sum.
    options
        As for `price`.

    Returns
    -------
    DataFrame
        Columns spot, spot_move, vol_move, what `which` asks for, and pnl (against the unmoved market) where it asks for
        the value; n x m rows, vol within spot.
    """
    which = (which,) if isinstance(which, str) else which
    moves, lifts = vector(np.atleast_1d(spot), "spot"), vector(np.atleast_1d(vol), "vol")
    require_all((moves > 0.0) & (moves < 10.0), "spot", moves, "be multiples of the snapshot's spot in (0, 10)",
                hint="A fall by 10 % is 0.9.")  # fmt: skip
    require_all(np.isfinite(lifts) & (np.abs(lifts) < 5.0), "vol", lifts, "be finite shifts of the vol, decimal")
    unknown = [name for name in which if name not in GREEKS]
    require(not unknown, "which", unknown[:1], f"be among {', '.join(GREEKS)}")
    require(sticky in ("strike", "moneyness"), "sticky", sticky, "be 'strike' or 'moneyness'")
    items, units = book(instruments, snapshot, quantities, Snapshot)
    _calls.check_model(model)
    method = options.get("method", "auto")
    engines = [e for item in {type(i): i for i in items}.values() for e in choose(item, model, method)]
    _calls.check_options(engines, {k: v for k, v in options.items() if k != "method"})
    out = {name: np.full((moves.size, lifts.size, len(items)), np.nan) for name in which}
    base = np.empty(len(items))
    still = snapshot.cash_dividends is None  # else the forward is not proportional to the spot
    closed = {type(item): still and _closed(item, model, options) for item in {type(i): i for i in items}.values()}
    plain = [i for i, item in enumerate(items) if closed[type(item)]]
    rest = [i for i, item in enumerate(items) if not closed[type(item)]]
    if plain:
        here = [items[i] for i in plain]
        for name, values in _closed_ladder(here, model, snapshot, moves, lifts, sticky, which).items():
            out[name][:, :, plain] = values
        base[plain] = _closed_ladder(here, model, snapshot, np.ones(1), np.zeros(1), sticky, ("value",))["value"]
    if rest:
        here = [items[i] for i in rest]
        for a, move in enumerate(moves):
            for b, lift in enumerate(lifts):
                if lift < -least_vol(model):
                    continue
                node = _node(here, model, snapshot, float(move), float(lift), which, sticky, options)
                for name in which:
                    out[name][a, b, rest] = node[name]
        base[rest] = np.asarray(price(here, model, snapshot, **options).value)
    _say_what_is_left_out(lifts, next(iter(out.values())))
    return _frame(snapshot, moves, lifts, {n: v * units for n, v in out.items()}, base * units, by_contract)


def _say_what_is_left_out(lifts: Float1D, values: FloatND) -> None:
    """Warn of shifts that make a vol negative; their nodes are nan."""
    gone = lifts[(lifts < 0.0) & np.isnan(values).any(axis=(0, 2))]
    if gone.size:
        text = (
            f"vol must keep every vol >= 0; got {gone[0]:g}. {gone.size} of {lifts.size} shifts are nan in the ladder."
        )
        warnings.warn(text, RuntimeWarning, stacklevel=3)


def _frame(
    snapshot: Snapshot, moves: Float1D, lifts: Float1D, out: dict[str, FloatND], base: Float1D, by_contract: bool
) -> pd.DataFrame:
    n = base.size
    if not by_contract:
        out, base = {name: v.sum(axis=2, keepdims=True) for name, v in out.items()}, base.sum(keepdims=True)
    shape = (moves.size, lifts.size, base.size)
    columns: dict[str, Any] = {
        "spot": np.broadcast_to(snapshot.spot * moves[:, None, None], shape).reshape(-1),
        "spot_move": np.broadcast_to(moves[:, None, None] - 1.0, shape).reshape(-1),
        "vol_move": np.broadcast_to(lifts[None, :, None], shape).reshape(-1),
    }
    if by_contract:
        columns["position"] = np.broadcast_to(np.arange(n), shape).reshape(-1)
    columns |= {name: values.reshape(-1) for name, values in out.items()}
    if "value" in out:
        columns["pnl"] = (out["value"] - base).reshape(-1)
    found: pd.DataFrame = whole(columns)
    return found


def _closed(item: Any, model: Any, options: dict[str, Any]) -> bool:
    method = options.get("method", "auto")
    engine = choose(item, model, method)[0]
    return isinstance(item, European) and engine.method == "analytic" and "implied_vol" in model.abilities


def _closed_ladder(
    items: Sequence[European], model: Any, snapshot: Snapshot, moves: Float1D, lifts: Float1D, sticky: str,
    which: Sequence[str],
) -> dict[str, FloatND]:  # fmt: skip
    """Every option at every node in one call; arrays of shape (n_spot, n_vol, n_options)."""
    strike, is_call = np.array([i.strike for i in items]), np.array([i.is_call for i in items])
    tau = np.array([i.years(snapshot.as_of) for i in items])
    forward: Float2D = np.asarray(snapshot.forward(tau)) * moves[:, None]
    df = np.asarray(snapshot.discount.df(tau))
    if sticky == "strike":
        at = vols(model, np.log(strike / snapshot.forward(tau)), tau)[None, :]
    else:
        at = vols(model, np.log(strike / forward), tau)
    shape = (moves.size, lifts.size, len(items))
    there = at[:, None, :] + lifts[None, :, None]
    vol = np.broadcast_to(np.maximum(there, 0.0), shape)
    real = np.where(np.broadcast_to(there >= 0.0, shape), 1.0, np.nan)
    if set(which) <= {"value"}:
        found = np.asarray(black.price(forward[:, None, :], strike, tau, vol, df=df, is_call=is_call))
        return {"value": real * found}
    f, k, t, v, d, c = (np.broadcast_to(x, shape) for x in (forward[:, None, :], strike, tau, vol, df, is_call))
    table = spot_table(f, k, t, v, d, c, snapshot, which)
    scale = np.broadcast_to(moves[:, None, None], shape)  # `spot_table` divides by the unmoved spot
    power = {"delta": 1, "vanna": 1, "charm": 1, "gamma": 2, "speed": 3}
    return {n: real * table[n]["value"].reshape(shape) / scale ** power.get(n, 0) for n in which}


def _node(
    items: list[Any], model: Any, snapshot: Snapshot, move: float, lift: float, which: Sequence[str], sticky: str,
    options: dict[str, Any],
) -> dict[str, Float1D]:  # fmt: skip
    there = bumped(snapshot, spot=move - 1.0)
    moved = within(shifted(model, lift, snapshot) if lift else model, move - 1.0)
    moved = stuck(moved, move - 1.0) if sticky == "strike" else moved
    if tuple(which) == ("value",):
        return {"value": np.asarray(price(items, moved, there, **options).value)}
    frame = greeks(items, moved, there, which=which, sticky=sticky, **options)  # type: ignore[arg-type]
    return {name: frame[name].to_numpy() for name in which}


def vega_buckets(
    instruments: Any,
    snapshot: Snapshot,
    calibrate: Callable[[Snapshot], Any],
    *,
    by: Literal["expiry", "quote"] = "expiry",
    bump: float = 0.001,
    quantities: ArrayLike | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Change of the portfolio's value by each quoted vol, the model calibrated anew to the bumped surface.

    Parameters
    ----------
    calibrate : function of a snapshot that gives a model
        E.g. `lambda s: calibration.fit(SVISurface, s, allow_arbitrage=True).model`, or an interpolation.
    by : "expiry" (all quotes of one together) or "quote"
    bump : float, 1/sqrt(year)
        To each side.

    Returns
    -------
    DataFrame
        Columns tau, strike (nan by expiry), vega (price per 1.00 of that vol), vega_per_vol_point.
    """
    require(by in ("expiry", "quote"), "by", by, "be 'expiry' or 'quote'")
    require(0.0 < bump < 0.1, "bump", bump, "lie in (0, 0.1)")
    items, units = book(instruments, snapshot, quantities, Snapshot)
    hint = "A function of a snapshot that gives a model: lambda s: calibration.fit(SVISurface, s).model"
    require(callable(calibrate) and not isinstance(calibrate, type), "calibrate", calibrate, "be a function", hint=hint)
    surface, rows = snapshot.quotes, []
    for n, smile in enumerate(surface):
        for j in range(len(smile)) if by == "quote" else [None]:
            value = []
            for side in (1.0, -1.0):
                step = np.zeros(len(smile))
                step[slice(None) if j is None else j] = side * bump
                moved = replace(snapshot, surface=_with(surface, n, replace(smile, vol=smile.vol + step)))
                value.append(float(units @ np.asarray(price(items, calibrate(moved), moved, **options).value)))
            strike = np.nan if j is None else float(smile.strike[j])
            rows.append((smile.tau, strike, (value[0] - value[1]) / (2.0 * bump)))
    out: pd.DataFrame = whole(
        [(*row, row[-1] / 100.0) for row in rows], ["tau", "strike", "vega", "vega_per_vol_point"]
    )
    return out


def _with(surface: Surface, n: int, smile: Smile) -> Surface:
    smiles = list(surface.smiles)
    smiles[n] = smile
    return replace(surface, smiles=tuple(smiles))


def rho_buckets(
    instruments: Any, model: Any, snapshot: Snapshot | BasketSnapshot, *, bump: float = 1e-4,
    quantities: ArrayLike | None = None,
    **options: Any,
) -> pd.DataFrame:  # fmt: skip
    """Change of the portfolio's value by each zero rate of the curve; forwards move, yields and vols stay.

    Returns
    -------
    DataFrame
        Columns tau, zero_rate, rho (price per 1.00 of that rate), rho_per_bp; of a BasketSnapshot also currency.
    """
    if isinstance(snapshot, BasketSnapshot):
        return basket_rho_buckets(instruments, model, snapshot, bump=bump, quantities=quantities, **options)
    require(0.0 < bump < 0.1, "bump", bump, "lie in (0, 0.1)")
    items, units = book(instruments, snapshot, quantities, Snapshot)
    curve, slopes = snapshot.discount, []
    for node in range(curve.tau.size):
        value = []
        for side in (1.0, -1.0):
            rate = curve.zero_rate.copy()
            rate[node] += side * bump
            moved = replace(snapshot, discount=DiscountCurve(as_of=curve.as_of, tau=curve.tau, zero_rate=rate))
            value.append(float(units @ np.asarray(price(items, model, moved, **options).value)))
        slopes.append((value[0] - value[1]) / (2.0 * bump))
    rho = np.array(slopes)
    out: pd.DataFrame = whole({"tau": curve.tau, "zero_rate": curve.zero_rate, "rho": rho, "rho_per_bp": rho / 1e4})
    return out


def dividend_buckets(
    instruments: Any, model: Any, snapshot: Snapshot, *, bump: float = 1e-3, quantities: ArrayLike | None = None,
    **options: Any,
) -> pd.DataFrame:  # fmt: skip
    """Change of the portfolio's value by the amount of each cash dividend; spot, curve and vols stay.

    Parameters
    ----------
    bump : float, fraction of spot
        To each side; a dividend of less falls to 0.

    Returns
    -------
    DataFrame
        Columns tau, cash, delta (price per 1.00 of that dividend).
    """
    require(0.0 < bump < 0.1, "bump", bump, "lie in (0, 0.1)", hint="A fraction of the spot.")
    items, units = book(instruments, snapshot, quantities, Snapshot)
    hint = "Snapshot(..., cash_dividends=CashDividends(tau=..., cash=...))."
    require(snapshot.cash_dividends is not None, "cash_dividends", "none", "be in the snapshot", hint=hint)
    assert snapshot.cash_dividends is not None
    paid, slopes, step = snapshot.cash_dividends, [], bump * snapshot.spot
    for n in range(paid.tau.size):
        value, amounts = [], []
        for side in (1.0, -1.0):
            cash = paid.cash.copy()
            cash[n] = max(cash[n] + side * step, 0.0)
            moved = replace(snapshot, cash_dividends=replace(paid, cash=cash))
            value.append(float(units @ np.asarray(price(items, model, moved, **options).value).reshape(-1)))
            amounts.append(float(cash[n]))
        slopes.append((value[0] - value[1]) / (amounts[0] - amounts[1]))
    return pd.DataFrame({"tau": paid.tau, "cash": paid.cash, "delta": slopes})


__all__ = ["dividend_buckets", "ladder", "rho_buckets", "vega_buckets"]
