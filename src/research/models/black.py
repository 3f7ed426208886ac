"""Black (1976): price, Greeks and implied volatility of European options on a forward.

With a spot S, a zero rate r and a dividend yield q use forward = S exp((r - q) tau), df = exp(-r tau).

References
----------
Black (1976), "The pricing of commodity contracts", J. Financial Economics 3, 167-179.
Haug (2007), The Complete Guide to Option Pricing Formulas, 2nd ed., chapters 1 and 2.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Bool1D, Float1D, Float2D, numbers, reshape, reused, vectors
from research.core._tasks import share
from research.core.models.black import BLOCK, black_greeks
from research.core.models.implied_vol import implied_vols
from research.errors import InputError, require, require_all

FIRST = ("price", "delta", "gamma", "vega", "theta", "rho")
GREEKS = (*FIRST, "vanna", "volga")
HIGHER = (*GREEKS, "charm", "speed")
_FEW = 16_384  # options below which one thread is quicker
_NEGATIVE = "Black's model has no negative prices."
_NAMES = ("forward", "strike", "tau", "vol", "df")


def _flags(is_call: ArrayLike) -> Any:
    flags = np.asarray(is_call)
    if flags.dtype != bool:
        raise InputError(f"is_call must be bool; got {flags.dtype} values.")
    return flags


def _inputs(is_call: ArrayLike, *values: ArrayLike) -> tuple[list[Float1D], Bool1D, tuple[int, ...]]:
    """Vectors of one size, or of size 1 where one number holds for all; what has the right layout is not copied."""
    flags = _flags(is_call)
    arrays = [numbers(value, "arguments") for value in values]
    shape = next((a.shape for a in (*arrays, flags) if a.shape), ())
    ready = all(a.shape in ((), shape) for a in (*arrays, flags))
    if not (ready and all(a.flags.c_contiguous and (a.flags.writeable or not a.shape) for a in (*arrays, flags))):
        out, shape = vectors(*arrays, flags)
        return out[:-1], out[-1] > 0.5, shape
    flat: list[Any] = [a.reshape(-1) if a.shape else np.array([float(a)]) for a in arrays]
    return flat, flags.reshape(-1) if flags.shape else np.array([bool(flags)]), shape


def _values(inputs: list[Float1D], is_call: Bool1D, shape: tuple[int, ...], n_rows: int) -> Float2D:
    """Rows of `black_greeks`; a batch's nan rows are nan and counted in a warning, everything else is refused."""
    n = math.prod(shape)
    out: Any = reused(n_rows, n)
    bad = np.empty(-(-n // BLOCK), dtype=np.int64)
    f, k, t, v, d = inputs
    share(bad.size, lambda part: black_greeks(f, k, t, v, d, is_call, part.start, out, bad[part]), small=n < _FEW)
    if bad.any():
        out[:, _lost(inputs, shape, n)] = np.nan
    return out  # type: ignore[no-any-return]


def _lost(inputs: list[Float1D], shape: tuple[int, ...], n: int) -> Any:
    """Which rows hold nan, after a warning; InputError for what breaks a rule, and for the nan of a single option."""
    spread = [np.broadcast_to(x, n) for x in inputs]
    lost = np.isnan(np.stack(spread)).any(axis=0) if shape else np.zeros(n, dtype=bool)
    for name, x in zip(_NAMES, spread):
        kind = {"tau": ">= 0 years", "vol": ">= 0"}.get(name, "> 0")
        sound = lost | (np.isfinite(x) & ((x >= 0.0) if name in ("tau", "vol") else (x > 0.0)))
        require_all(sound, name, x, f"be finite and {kind}", hint=_NEGATIVE if name in ("forward", "strike") else "")
    _warn_of(lost)
    return lost


def _warn_of(lost: Any) -> None:
    count, first = int(lost.sum()), int(np.argmax(lost))
    if count:
        text = f"{count} of {lost.size} rows hold nan (the first is row {first}): their results are nan."
        warnings.warn(text, RuntimeWarning, stacklevel=4)


def price(
    forward: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    vol: ArrayLike,
    *,
    df: ArrayLike = 1.0,
    is_call: ArrayLike = True,
) -> Any:
    """Present value of European options; all arguments broadcast together.

    Parameters
    ----------
    forward, strike : array-like, price units
    tau : array-like, years (ACT/365F)
        Zero gives the intrinsic value.
    vol : array-like, 1/sqrt(year), decimal
        20% is 0.20.
    df : array-like, default 1.0
        Discount factor to the payment date; 1.0 gives the forward premium.
    is_call : array-like of bool, default True

    Returns
    -------
    float or ndarray of the broadcast shape, price units

    Examples
    --------
    >>> round(price(100.0, 100.0, 1.0, 0.20), 4)
    7.9656
    """
    inputs, flags, shape = _inputs(is_call, forward, strike, tau, vol, df)
    return reshape(_values(inputs, flags, shape, 1)[0], shape)


def greeks(
    forward: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    vol: ArrayLike,
    *,
    df: ArrayLike = 1.0,
    is_call: ArrayLike = True,
    which: Sequence[str] = GREEKS,
) -> dict[str, Any]:
    """Price and sensitivities, in one pass; all arguments broadcast together.

    Parameters
    ----------
    forward, strike, tau, vol, df, is_call
        As in `price`.
    which : sequence of names, default all but charm and speed
        price, delta, gamma, vega, theta and rho come cheapest; the rest costs half as much again.

    Returns
    -------
    dict of float or ndarray of the broadcast shape
        price; delta = dV/dF; gamma = d2V/dF2; vega = dV/dvol (per 1.00 of vol); theta = -dV/dtau (per year, forward
        and zero rate fixed); rho = dV/dr (per 1.00 of rate, forward fixed: -tau V); vanna = d2V/dF dvol;
        volga = d2V/dvol2; charm = -d2V/dF dtau (per year); speed = d3V/dF3.
        `pandas.DataFrame(greeks(...))` is the table.

    Examples
    --------
    >>> g = greeks(100.0, 100.0, 1.0, 0.20)
    >>> round(g["delta"], 4), round(g["vega"], 4)
    (0.5398, 39.6953)
    """
    unknown = [name for name in which if name not in HIGHER]
    require(not unknown, "which", unknown[:1], f"be among {', '.join(HIGHER)}")
    inputs, flags, shape = _inputs(is_call, forward, strike, tau, vol, df)
    out = _values(inputs, flags, shape, len(HIGHER if set(which) - set(FIRST) else FIRST))
    return {name: reshape(out[HIGHER.index(name)], shape) for name in which}


def implied_vol(
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    *,
    df: ArrayLike = 1.0,
    is_call: ArrayLike = True,
    on_error: Literal["raise", "nan"] = "raise",
) -> Any:
    """The vol at which Black's formula gives `price`; all arguments broadcast together.

    Parameters
    ----------
    price : array-like, price units, present value
        At least the intrinsic value (which gives 0), below df * forward (call) or df * strike (put).
    forward, strike, tau, df, is_call
        As in `price`; tau > 0.
    on_error : "raise" or "nan", default "raise"
        What an option without an implied vol gets: an error naming the first and the count, or nan in its place.
        Rows of a batch that hold nan are nan either way; "raise" counts them in a warning.

    Returns
    -------
    float or ndarray of the broadcast shape, 1/sqrt(year), decimal

    Examples
    --------
    >>> round(implied_vol(7.965567455405804, 100.0, 100.0, 1.0), 12)
    0.2
    """
    require(on_error in ("raise", "nan"), "on_error", on_error, "be 'raise' or 'nan'")
    (p, f, k, t, d), flags, shape = _inputs(is_call, price, forward, strike, tau, df)
    n = int(np.prod(shape))
    out: Any = reused(n)

    def of(x: Any, part: slice) -> Any:
        return x[part] if x.size > 1 else x

    def work(part: slice) -> None:
        price, forward, strike, tau, df, is_call = (of(x, part) for x in (p, f, k, t, d, flags))
        implied_vols(price, forward, strike, tau, df, is_call, out[part])

    share(n, work, small=n < _FEW // 4)
    if np.isnan(out.sum()):
        _explain([np.broadcast_to(x, n) for x in (p, f, k, t, d, flags)], shape, on_error)
    return reshape(out, shape)


def _explain(inputs: list[Any], shape: tuple[int, ...], on_error: str) -> None:
    """Raise the sentence that says which input has no implied vol; a warning counts the rows that hold nan."""
    lost = np.isnan(np.stack(inputs[:5])).any(axis=0) if shape else np.zeros(1, dtype=bool)
    if on_error == "raise":
        _warn_of(lost)
    if on_error == "nan" or lost.all():
        return
    price, forward, strike, tau, df, is_call = (x[~lost] for x in inputs)
    require_all((forward > 0.0) & np.isfinite(forward), "forward", forward, "be finite and > 0", hint=_NEGATIVE)
    require_all((strike > 0.0) & np.isfinite(strike), "strike", strike, "be finite and > 0", hint=_NEGATIVE)
    require_all((tau > 0.0) & np.isfinite(tau), "tau", tau, "be finite and > 0 years",
                hint="At expiry a price says nothing about vol.")  # fmt: skip
    require_all((df > 0.0) & np.isfinite(df), "df", df, "be finite and > 0")
    require_all(np.isfinite(price), "price", price, "be finite")
    intrinsic = df * np.maximum(np.where(is_call, forward - strike, strike - forward), 0.0)
    hint = "Pass on_error='nan' to get nan there."
    require_all(price >= intrinsic * (1.0 - 4.5e-16), "price", price, "not lie below the intrinsic value", hint=hint)
    bound = df * np.where(is_call, forward, strike)
    require_all(price < bound, "price", price, "lie below df * forward (call) or df * strike (put)", hint=hint)
    if not lost.any():
        raise InputError("price must have an implied vol; got one beyond double precision.")
