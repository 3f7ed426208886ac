"""Bachelier (1900): a normal forward. Price, Greeks and implied normal volatility; forwards and strikes of any sign.

    dF = sigma dW;    out of the money  V = df s h(|F - K| / s),   s = sigma sqrt(tau),   h(x) = phi(x) - x Phi(-x)

h = Phi(-x) r(x) with the continued fraction r = 1 / (x + 2 / (x + 3 / (x + ...))): nothing cancels in the wings. The
implied vol solves log(h(x) / x) = log(V / (df |F - K|)) by Halley's method, from the rational seed of Black's vols.

References
----------
Bachelier (1900), "Theorie de la speculation", Annales scientifiques de l'Ecole Normale Superieure 17, 21-86.
Jaeckel (2017), "Implied normal volatility", Wilmott 90, 52-54.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D, FloatND, marks_nan, reshape, vectors
from research.conventions import check_fields, check_terms
from research.errors import InputError, require, require_all

GREEKS = ("price", "delta", "gamma", "vega", "theta", "rho", "vanna", "volga")
_PHI0 = 0.3989422804014327  # density of the normal distribution at 0
_SQRT_HALF = 0.7071067811865476
_NEAR = 2.0  # below it h is a plain difference, whose terms are at most 6 times h
_DEPTH = 100  # terms of the continued fraction: 1e-17 at _NEAR
_SEED = ((1.0, -0.54523165, 0.26486950), (-0.17221305, 0.99263252, -0.91092060, 0.37704387))  # of core implied_vol
_STEPS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Bachelier:
    """One normal volatility for every strike and time.

    Examples
    --------
    >>> round(Bachelier(sigma=0.008).price(-0.002, 0.001, 2.0), 8)
    0.00317127
    """

    abilities: ClassVar[frozenset[str]] = frozenset({"closed_form", "normal", "paths_any_sign", "signed"})

    sigma: float  # price units / sqrt(year), >= 0

    def __post_init__(self) -> None:
        check_fields(self)
        hint = "A normal vol is in price units: 20% of a forward of 100 is 20."
        require(
            bool(np.isfinite(self.sigma)) and self.sigma >= 0.0, "sigma", self.sigma, "be finite and >= 0", hint=hint
        )
        object.__setattr__(self, "sigma", float(self.sigma))

    def price(
        self, forward: ArrayLike, strike: ArrayLike, tau: ArrayLike, *, df: ArrayLike = 1.0, is_call: ArrayLike = True
    ) -> Any:
        """Present value; arguments as of `bachelier.price`."""
        return price(forward, strike, tau, self.sigma, df=df, is_call=is_call)

    def greeks(
        self, forward: ArrayLike, strike: ArrayLike, tau: ArrayLike, *, df: ArrayLike = 1.0, is_call: ArrayLike = True
    ) -> dict[str, Any]:
        """As `bachelier.greeks`; vega per unit of sigma."""
        return greeks(forward, strike, tau, self.sigma, df=df, is_call=is_call)

    def to_json(self) -> dict[str, float]:
        """The parameter by name."""
        return {"sigma": self.sigma}

    @classmethod
    def from_json(cls, values: Mapping[str, float]) -> Bachelier:
        """The model back from `to_json`."""
        return cls(**check_terms(cls, values))


@marks_nan("forward", "strike", "tau", "vol", "df", "is_call")
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
    forward, strike : array-like, price units, any sign
    tau : array-like, years (ACT/365F)
        Zero gives the intrinsic value.
    vol : array-like, price units / sqrt(year)
        A normal vol: 80 basis points are 0.008 where the forward is a rate in decimals.
    df : array-like, default 1.0
    is_call : array-like of bool, default True

    Returns
    -------
    float or ndarray of the broadcast shape, price units

    Examples
    --------
    >>> round(price(100.0, 100.0, 1.0, 20.0), 6)
    7.978846
    """
    (f, k, t, v, d, s), shape = vectors(forward, strike, tau, vol, df, _signs(is_call))
    _check(f, k, t, v, d)
    return reshape(d * (time_value(f, k, v * np.sqrt(t)) + np.maximum(s * (f - k), 0.0)), shape)


@marks_nan("forward", "strike", "tau", "vol", "df", "is_call")
def greeks(
    forward: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    vol: ArrayLike,
    *,
    df: ArrayLike = 1.0,
    is_call: ArrayLike = True,
) -> dict[str, Any]:
    """Price and sensitivities; names and meaning as of `black.greeks`, vega per unit of the normal vol.

    Where nothing is left to chance they are the limits: a call at the money has delta df / 2 and infinite gamma.
    """
    from scipy.special import ndtr

    (f, k, t, v, d, s), shape = vectors(forward, strike, tau, vol, df, _signs(is_call))
    _check(f, k, t, v, d)
    std = v * np.sqrt(t)
    alive = std > 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        x = np.where(f == k, 0.0, (f - k) / np.where(alive, std, 1e-300))
        x = np.clip(x, -1e3, 1e3)
        density = d * _PHI0 * np.exp(-0.5 * x * x)
        value = d * (time_value(f, k, std) + np.maximum(s * (f - k), 0.0))
        live = density > 0.0
        rate = np.where(t > 0.0, -np.log(d) / np.where(t > 0.0, t, 1.0), 0.0)
        decay = np.where(live & (t > 0.0), density * v / (2.0 * np.sqrt(np.where(t > 0.0, t, 1.0))), 0.0)
        out = (
            value,
            d * s * ndtr(s * x),
            np.where(live, density / np.where(alive, std, 0.0), 0.0),
            density * np.sqrt(t),
            rate * value - decay,
            -t * value,
            np.where(live & (v > 0.0), -density * x / np.where(v > 0.0, v, 1.0), 0.0),
            np.where(live & (v > 0.0), density * np.sqrt(t) * x * x / np.where(v > 0.0, v, 1.0), 0.0),
        )
    return {name: reshape(row, shape) for name, row in zip(GREEKS, out)}


@marks_nan("price", "forward", "strike", "tau", "df", "is_call")
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
    """The normal vol at which Bachelier's formula gives `price`, to rounding; all arguments broadcast together.

    Parameters
    ----------
    price : array-like, price units, present value
        At least the intrinsic value (which gives 0); there is no upper bound.
    forward, strike, tau, df, is_call
        As in `price`; tau > 0.
    on_error : "raise" or "nan", default "raise"
        What an option without an implied vol gets: an error naming the first and the count, or nan in its place.

    Examples
    --------
    >>> round(implied_vol(7.978845608028654, 100.0, 100.0, 1.0), 12)
    20.0
    """
    require(on_error in ("raise", "nan"), "on_error", on_error, "be 'raise' or 'nan'")
    (p, f, k, t, d, s), shape = vectors(price, forward, strike, tau, df, _signs(is_call))
    intrinsic = np.maximum(s * (f - k), 0.0)
    if on_error == "raise":
        _check(f, k, t, np.zeros_like(f), d)
        require_all(t > 0.0, "tau", t, "be > 0 years", hint="At expiry a price says nothing about vol.")
        require_all(np.isfinite(p), "price", p, "be finite")
        hint = "Pass on_error='nan' to get nan there."
        require_all(p / d >= intrinsic * (1.0 - 4.5e-16), "price", p, "not lie below the intrinsic value", hint=hint)
    with np.errstate(all="ignore"):
        value = p / d - intrinsic
        value = np.where((value < 0.0) & (value >= -4.5e-16 * np.abs(p / d)), 0.0, value)
        sound = (value >= 0.0) & np.isfinite(value) & np.isfinite(f) & np.isfinite(k) & (t > 0.0) & (d > 0.0)
        out = np.where(sound, _std(np.where(sound, value, 1.0), np.abs(f - k)) / np.sqrt(t), np.nan)
    return reshape(out, shape)


def time_value(forward: FloatND, strike: FloatND, std: FloatND) -> FloatND:
    """Undiscounted price of the out-of-the-money option."""
    gap = np.abs(forward - strike)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x = np.where(gap > 0.0, gap / np.where(std > 0.0, std, 1e-300), 0.0)
        return np.where(std > 0.0, std * _h(np.minimum(x, 50.0)), 0.0)


def _h(x: FloatND) -> FloatND:
    """phi(x) - x Phi(-x) for x >= 0."""
    from scipy.special import ndtr

    out = np.empty_like(x)
    near = x < _NEAR
    a = x[near]
    out[near] = _PHI0 * np.exp(-0.5 * a * a) - a * ndtr(-a)
    out[~near] = ndtr(-x[~near]) * _ratio(x[~near])
    return out


def _ratio(x: FloatND) -> FloatND:
    """h(x) / Phi(-x) for x >= 2, by its continued fraction from the end."""
    r = 0.5 * (np.sqrt(x * x + 4.0 * _DEPTH) - x) / _DEPTH  # the tail of the fraction, nearly
    for n in range(_DEPTH, 0, -1):
        r = 1.0 / (x + (n + 1) * r)
    return r


def _std(value: FloatND, gap: FloatND) -> FloatND:
    """s with s h(gap / s) = value."""
    from scipy.special import erfcx

    money = gap <= 1e-300
    g, v = np.where(money, 1.0, gap), np.where(value > 0.0, value, 1.0)
    w = np.sqrt(1.0 + np.log1p(g / v))
    top = np.polynomial.polynomial.polyval(w, _SEED[0])
    s = (v + g) * top / np.polynomial.polynomial.polyval(w, _SEED[1])
    target = np.log(v) - np.log(g)
    x = np.clip(g / s, 1e-300, 60.0)
    for _ in range(_STEPS):
        tail = 0.5 * erfcx(x * _SQRT_HALF)  # exp(x^2 / 2) Phi(-x)
        near = x < _NEAR
        ratio = np.where(near, (_PHI0 - x * tail) / tail, 0.0)
        ratio[~near] = _ratio(x[~near])
        miss = np.log(tail * ratio / x) - 0.5 * x * x - target
        lean = x / ratio  # derivatives in log x
        slope = -1.0 - lean
        bend = -lean * (1.0 + lean - x * _PHI0 / tail)
        step = miss / slope
        x = x * np.exp(-step / (1.0 - 0.5 * step * bend / slope))
    far = np.where(money, value / _PHI0, g / x)
    return np.where(value > 0.0, far, 0.0)


def _signs(is_call: ArrayLike) -> Any:
    flags = np.asarray(is_call)
    if flags.dtype != bool:
        raise InputError(f"is_call must be bool; got {flags.dtype} values.")
    return np.where(flags, 1.0, -1.0)


def _check(forward: Float1D, strike: Float1D, tau: Float1D, vol: Float1D, df: Float1D) -> None:
    require_all(np.isfinite(forward), "forward", forward, "be finite")
    require_all(np.isfinite(strike), "strike", strike, "be finite")
    require_all((tau >= 0.0) & np.isfinite(tau), "tau", tau, "be finite and >= 0 years")
    require_all((vol >= 0.0) & np.isfinite(vol), "vol", vol, "be finite and >= 0")
    require_all((df > 0.0) & np.isfinite(df), "df", df, "be finite and > 0")
