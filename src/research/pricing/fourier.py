"""Fourier engine: European options under a model with a characteristic function, with an error bound for each.

Lewis' integral on a tilted contour (see `research.core.pricing.fourier`). The rule is refined, option by option, until
two steps agree, then tried with the contour turned to its other side; the error stated with each price is a cautious
bound: prices are mostly good to 1e-14 of the forward, and to 1e-11 for the hardest parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D, Float2D, Int1D, marks_nan, reshape
from research.core._tasks import share
from research.core.models.heston import heston_log_cfs
from research.core.pricing.fourier import heston_values
from research.core.pricing.fourier_smile import heston_smiles
from research.errors import NumericalError, require, rule
from research.instruments import European
from research.market import Snapshot
from research.models.heston import Heston
from research.pricing._european import european_values, inputs
from research.pricing.catalogue import Values
from research.pricing.cosine import explosion

_STEPS = (0.1, 0.05, 0.025, 0.0125)
_FIRST_OF_MANY = 0.08  # interpolated options share the nodes: rather a finer rule than a second
# relative; the finer rule's error was at most the gap's power 1.17 over 9,000 random options, mostly its square
_RULES_AGREE, _POWER = 2e-9, 1.15  # so that the bound is at most 1e-10
_PATIENCE = 2  # rules before far strikes are looked at
_ROUNDING = 4e-15  # of the sums, relative
_CHUNK = 128  # options that share one evaluation of the characteristic function
_MANY = 256  # options an expiry from which they are interpolated between the points of a grid
_LONG = 4096  # of them share one grid
_FEW = 512  # options below which one thread is quicker


@marks_nan("forward", "strike", "tau", "df", "is_call")
def price(
    model: Heston,
    forward: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    *,
    df: ArrayLike = 1.0,
    is_call: ArrayLike = True,
) -> Any:
    """Present value of European options; all arguments broadcast together.

    Parameters
    ----------
    model : Heston
    forward, strike : array-like, price units
    tau : array-like, years (ACT/365F)
        Zero gives the intrinsic value.
    df : array-like, default 1.0
        Discount factor to the payment date; 1.0 gives the forward premium.
    is_call : array-like of bool, default True

    Returns
    -------
    float or ndarray of the broadcast shape, price units

    Examples
    --------
    >>> model = Heston(v0=0.0175, kappa=1.5768, theta=0.0398, sigma=0.5751, rho=-0.5711)
    >>> round(price(model, 100.0, 100.0, 1.0), 6)
    5.785155
    """
    (f, k, t, d, s), shape = _inputs(model, forward, strike, tau, df, is_call)
    time_value, _ = _alive(model, f, k, t)
    return reshape(_settled(f, k, d, s, time_value), shape)


@marks_nan("forward", "strike", "tau", "df", "is_call")
def price_with_error(
    model: Heston,
    forward: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    *,
    df: ArrayLike = 1.0,
    is_call: ArrayLike = True,
) -> tuple[Any, Any]:
    """As `price`, with an estimate of the largest error of each price, price units.

    Raises
    ------
    NumericalError
        When the finest rule does not settle an option.
    """
    (f, k, t, d, s), shape = _inputs(model, forward, strike, tau, df, is_call)
    time_value, gap = _alive(model, f, k, t)
    error = np.sqrt(f * k) * gap**_POWER + np.where(t > 0.0, _ROUNDING * np.maximum(f, k), 0.0)
    return reshape(_settled(f, k, d, s, time_value), shape), reshape(d * error, shape)


def _inputs(
    model: Heston, forward: ArrayLike, strike: ArrayLike, tau: ArrayLike, df: ArrayLike, is_call: ArrayLike
) -> tuple[list[Float1D], tuple[int, ...]]:
    hint = "pricing.price has an engine for each model."
    require(isinstance(model, Heston), "model", model, "be a Heston", hint=hint)
    return inputs(forward, strike, tau, df, is_call)


def _settled(forward: Float1D, strike: Float1D, df: Float1D, sign: Float1D, time_value: Float1D) -> Float1D:
    """Present values out of undiscounted time values."""
    out = forward - strike
    out *= sign
    np.maximum(out, 0.0, out=out)
    out += time_value
    out *= df
    return out


def _alive(model: Heston, forward: Float1D, strike: Float1D, tau: Float1D) -> tuple[Float1D, Float1D]:
    """`_time_values` with zeros at expiry."""
    alive = tau > 0.0
    if alive.all() and alive.size:
        return _time_values(model, forward, strike, tau)
    value, gap = np.zeros_like(forward), np.zeros_like(forward)
    if alive.any():
        value[alive], gap[alive] = _time_values(model, forward[alive], strike[alive], tau[alive])
    return value, gap


def value(items: Sequence[European], model: Heston, snapshot: Snapshot) -> Values:
    """The engine's door for `pricing.price`."""
    return european_values(price_with_error, items, model, snapshot)


def _time_values(model: Heston, forward: Float1D, strike: Float1D, tau: Float1D) -> tuple[Float1D, Float1D]:
    """Undiscounted out-of-the-money values and the gaps between their rules; refined until two rules agree."""
    x = np.log(forward / strike)
    order = _order(tau, x)
    value, gap = np.empty_like(x), np.empty_like(x)
    rest: Any = order
    side = model.rho * (model.v0 + model.kappa * model.theta * tau) / max(model.sigma, 1e-30)
    start = _FIRST_OF_MANY if _many(tau[order]) else _STEPS[0]
    tries = [(h, None) for h in (start, *_STEPS[1:])] + [(h, shift) for shift in (0.0 * side, side) for h in _STEPS[1:]]
    for i, (h, shift) in enumerate(tries):
        if i == _PATIENCE:  # strikes that are worth nothing: their gaps hide those of their neighbours
            lost = most(model, x[rest], tau[rest]) <= _ROUNDING * np.exp(0.5 * np.abs(x[rest]))
            value[rest[lost]], gap[rest[lost]] = 0.0, 0.0
            rest = rest[~lost]
            if rest.size == 0:
                return value, gap
        given = None if shift is None else shift[rest]
        value[rest], gap[rest] = _one_rule(model, x[rest], forward[rest], strike[rest], tau[rest], h, given)
        open_ones = ~(gap[rest] <= _RULES_AGREE)
        if shift is not None:  # what cancels on the other side may leave its rounding: no power of the gap is claimed
            gap[rest] **= 1.0 / _POWER
        if not open_ones.any():
            return value, gap
        rest = (np.arange(x.size)[order] if isinstance(rest, slice) else rest)[open_ones]
    what = f"settle for every option; got a gap of {gap[rest[0]]:.1e} at log moneyness {-x[rest[0]]:.3g}"
    raise NumericalError(rule("the Fourier integral", what, model, f"({rest.size} of {x.size} options)."))


def _one_rule(
    model: Heston, x: Float1D, forward: Float1D, strike: Float1D, tau: Float1D, h: float, shift: Any = None
) -> tuple[Float1D, Float1D]:
    """Values and gaps of options in groups of equal tau, x increasing in each; `shift`: where the side changes."""
    many = _many(tau)
    first = _groups(tau, _LONG if many else _CHUNK)
    years = np.ascontiguousarray(tau[first[:-1]])
    one = np.array([model.v0, model.kappa, model.theta, model.sigma, model.rho])
    parameters: Float2D = np.tile(one, (years.size, 1))
    if shift is not None:
        parameters = np.column_stack([parameters, np.zeros(years.size), shift[first[:-1]]])
    value, gap = np.empty_like(x), np.empty_like(x)
    kernel = heston_smiles if many else heston_values
    x, forward, strike = (np.ascontiguousarray(each) for each in (x, forward, strike))

    def work(part: slice) -> None:
        ends = first[part.start : part.stop + 1]
        kernel(parameters[part], years[part], ends, x, forward, strike, h, value, gap)

    share(years.size, work, small=x.size < _FEW)
    return value, gap


def most(model: Heston, x: Float1D, tau: Float1D, extra: Any = 0.0) -> Float1D:
    """What an option out of the money is worth at most, over sqrt(F K); x = log(F / K).

    By the moments: E[(S - K)+] <= E[S^p] K^(1-p) (p - 1)^(p-1) / p^p for any p > 1, and the same for puts with p < 0.
    Where strikes lie so far out that the integral cancels to its rounding, this says that nothing is left.
    """
    size = 1.0 + 0.01 * 2.0 ** np.arange(0.0, 30.0, 0.5)
    parameters = (model.v0, model.kappa, model.theta, model.sigma, model.rho)
    out, plain = np.full(x.size, np.inf), np.array([*parameters, 0.0, 0.0, 0.0])
    for i, years in enumerate(tau):
        call = x[i] <= 0.0
        p = size if call else 1.0 - size
        p = p[[explosion(plain, float(each)) > years for each in p]]
        re, im = np.empty(p.size), np.empty(p.size)
        heston_log_cfs(np.zeros(p.size), 0.5 - p, float(years), *parameters, re, im)
        a, b = np.abs(p), np.abs(p - 1.0)
        bound = re + 0.5 * np.broadcast_to(extra, x.shape)[i] * p * (p - 1.0) + (p - 0.5) * x[i]
        bound += (b * np.log(b) - a * np.log(a)) if call else (a * np.log(a) - b * np.log(b))
        bound = bound[np.isfinite(bound)]
        out[i] = np.exp(min(bound.min(), 700.0)) if bound.size else np.inf
    return out


def _order(tau: Float1D, x: Float1D) -> Any:
    """An order in which equal tau stand together and x increases among them; a sorted table is not sorted again."""
    for order in (slice(None), slice(None, None, -1)):
        t, y = tau[order], x[order]
        steps = t[1:] != t[:-1]
        tidy = (t[1:] >= t[:-1]).all() or (t[1:] <= t[:-1]).all()
        if tidy and (steps | (y[1:] >= y[:-1])).all():
            return order
    return np.lexsort((x, tau))


def _many(tau: Float1D) -> bool:
    """Whether an expiry has so many options that a grid is the quicker way; equal tau stand together."""
    return bool(tau.size >= _MANY * (np.count_nonzero(tau[1:] != tau[:-1]) + 1))


def _groups(tau: Float1D, most: int) -> Int1D:
    """Where each group starts, and the end: equal tau, at most `most` options."""
    new = np.flatnonzero(np.diff(tau, prepend=-1.0) != 0.0)
    ends = np.append(new[1:], tau.size)
    starts = [np.arange(a, b, most) for a, b in zip(new, ends)]
    return np.append(np.concatenate(starts), tau.size).astype(np.int64)
