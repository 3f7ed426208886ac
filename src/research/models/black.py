"""Black (1976): price, Greeks and implied volatility of European options on a forward.

With a spot S, a zero rate r and a dividend yield q use forward = S exp((r - q) tau), df = exp(-r tau).

References
----------
Black (1976), "The pricing of commodity contracts", J. Financial Economics 3, 167-179.
Haug (2007), The Complete Guide to Option Pricing Formulas, 2nd ed., chapters 1 and 2.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D, reshape, vectors
from research.core.models.black import black_greeks, black_prices
from research.core.models.implied_vol import implied_vols
from research.errors import InputError, require, require_all

GREEKS = ("price", "delta", "gamma", "vega", "theta", "rho", "vanna", "volga")
_NEGATIVE = "Black's model has no negative prices."


def _signs(is_call: ArrayLike) -> Any:
    flags = np.asarray(is_call)
    if flags.dtype != bool:
        raise InputError(f"is_call must be bool; got {flags.dtype} values.")
    return np.where(flags, 1.0, -1.0)


def _uncopied(*values: ArrayLike) -> tuple[list[Float1D], tuple[int, ...]]:
    """As `arrays.vectors`, but what has the right layout already is passed on: a million options are worth it."""
    arrays = [np.asarray(value, dtype=np.float64) for value in values]
    ready = all(a.shape == arrays[0].shape or a.shape == () for a in arrays)
    if not (ready and arrays[0].shape and all(a.flags.c_contiguous and a.flags.writeable for a in arrays)):
        return vectors(*values)
    shape, size = arrays[0].shape, arrays[0].size
    out: list[Any] = [a.reshape(-1) if a.shape else np.full(size, float(a)) for a in arrays]
    return out, shape


def _check(forward: Float1D, strike: Float1D, tau: Float1D, df: Float1D) -> None:
    require_all((forward > 0.0) & np.isfinite(forward), "forward", forward, "be finite and > 0", hint=_NEGATIVE)
    require_all((strike > 0.0) & np.isfinite(strike), "strike", strike, "be finite and > 0", hint=_NEGATIVE)
    require_all((tau >= 0.0) & np.isfinite(tau), "tau", tau, "be finite and >= 0 years")
    require_all((df > 0.0) & np.isfinite(df), "df", df, "be finite and > 0")


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
    (f, k, t, v, d, s), shape = vectors(forward, strike, tau, vol, df, _signs(is_call))
    _check(f, k, t, d)
    require_all((v >= 0.0) & np.isfinite(v), "vol", v, "be finite and >= 0")
    out = np.empty_like(f)
    black_prices(f, k, t, v, d, s, out)
    return reshape(out, shape)


def greeks(
    forward: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    vol: ArrayLike,
    *,
    df: ArrayLike = 1.0,
    is_call: ArrayLike = True,
) -> dict[str, Any]:
    """Price and sensitivities, in one pass; all arguments broadcast together.

    Parameters
    ----------
    forward, strike, tau, vol, df, is_call
        As in `price`.

    Returns
    -------
    dict of float or ndarray of the broadcast shape
        price; delta = dV/dF; gamma = d2V/dF2; vega = dV/dvol (per 1.00 of vol); theta = -dV/dtau (per year, forward
        and zero rate fixed); rho = dV/dr (per 1.00 of rate, forward fixed: -tau V); vanna = d2V/dF dvol;
        volga = d2V/dvol2. `pandas.DataFrame(greeks(...))` is the table.

    Examples
    --------
    >>> g = greeks(100.0, 100.0, 1.0, 0.20)
    >>> round(g["delta"], 4), round(g["vega"], 4)
    (0.5398, 39.6953)
    """
    (f, k, t, v, d, s), shape = _uncopied(forward, strike, tau, vol, df, _signs(is_call))
    _check(f, k, t, d)
    require_all((v >= 0.0) & np.isfinite(v), "vol", v, "be finite and >= 0")
    out = np.empty((len(GREEKS), f.size))
    black_greeks(f, k, t, v, d, s, out)
    return {name: reshape(row, shape) for name, row in zip(GREEKS, out)}


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

    Returns
    -------
    float or ndarray of the broadcast shape, 1/sqrt(year), decimal

    Examples
    --------
    >>> round(implied_vol(7.965567455405804, 100.0, 100.0, 1.0), 12)
    0.2
    """
    require(on_error in ("raise", "nan"), "on_error", on_error, "be 'raise' or 'nan'")
    (p, f, k, t, d, s), shape = _uncopied(price, forward, strike, tau, df, _signs(is_call))
    out = np.empty_like(p)
    implied_vols(p, f, k, t, d, s, out)
    if on_error == "raise" and np.isnan(out).any():
        _explain(p, f, k, t, d, s)
    return reshape(out, shape)


def _explain(price: Float1D, forward: Float1D, strike: Float1D, tau: Float1D, df: Float1D, sign: Float1D) -> None:
    """Raise the sentence that says which input has no implied vol."""
    _check(forward, strike, tau, df)
    require_all(tau > 0.0, "tau", tau, "be > 0 years", hint="At expiry a price says nothing about vol.")
    require_all(np.isfinite(price), "price", price, "be finite")
    intrinsic = df * np.maximum(sign * (forward - strike), 0.0)
    hint = "Pass on_error='nan' to get nan there."
    require_all(price >= intrinsic, "price", price, "not lie below the intrinsic value", hint=hint)
    bound = df * np.where(sign > 0.0, forward, strike)
    require_all(price < bound, "price", price, "lie below df * forward (call) or df * strike (put)", hint=hint)
    raise InputError("price must have an implied vol; got one beyond double precision.")
