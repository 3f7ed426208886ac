"""What the engines for European options share: contracts to arrays, checks, expiries one by one, the side out of the
money."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D, all_within, reshape, vectors
from research.errors import require, require_all
from research.instruments import European
from research.market import Snapshot
from research.pricing.catalogue import Values

OutOfTheMoney = Callable[[Any, float, Float1D], tuple[Float1D, Float1D]]  # model, tau, log strikes: values, errors


def european_values(
    price_with_error: Callable[..., tuple[Any, Any]], items: Sequence[European], model: Any, snapshot: Snapshot
) -> Values:
    """Price options with a function of (model, forward, strike, tau, df, is_call)."""
    strike = np.array([item.strike for item in items])
    tau = np.array([item.years(snapshot.as_of) for item in items])
    is_call = np.array([item.is_call for item in items])
    forward, df = snapshot.forward(tau), snapshot.discount.df(tau)
    value, error = price_with_error(model, forward, strike, tau, df=df, is_call=is_call)
    return Values(value, np.zeros_like(value), error)


def inputs(
    forward: ArrayLike, strike: ArrayLike, tau: ArrayLike, df: ArrayLike, is_call: ArrayLike
) -> tuple[list[Float1D], tuple[int, ...]]:
    """Checked vectors of forward, strike, tau, df and sign; a look at the extremes is enough where all is well."""
    flags = np.asarray(is_call)
    require(flags.dtype == bool, "is_call", is_call, "be True or False, or an array of these")
    sign = np.where(flags, 1.0, -1.0)
    found, shape = vectors(forward, strike, tau, df, sign)
    for name, x, rest in zip(("forward", "strike", "tau", "df"), found, ("> 0", "> 0", ">= 0 years", "> 0")):
        if not all_within(x, 0.0, above=name != "tau"):
            sound = (x >= 0.0) if name == "tau" else (x > 0.0)
            require_all(sound & np.isfinite(x), name, x, f"be finite and {rest}")
    return found, shape


def expiries(tau: Float1D) -> Iterator[tuple[float, Any]]:
    """Each expiry after today, and an index of its options."""
    if tau.size and tau.min() == tau.max():
        if tau[0] > 0.0:
            yield float(tau[0]), slice(None)
        return
    for years in np.unique(tau[tau > 0.0]):
        yield float(years), np.flatnonzero(tau == years)


def by_expiry(
    otm: OutOfTheMoney, rounding: float, model: Any, given: tuple[list[Float1D], tuple[int, ...]]
) -> tuple[Any, Any]:
    """Present values and errors out of options out of the money in units of the forward, expiry by expiry."""
    (f, k, t, d, s), shape = given
    value, error = np.maximum(s * (f - k), 0.0), np.zeros_like(f)
    for years, here in expiries(t):
        found, gap = otm(model, years, np.log(k[here] / f[here]))
        value[here] += f[here] * found
        error[here] = f[here] * gap + rounding * np.maximum(f[here], k[here])
    return reshape(d * value, shape), reshape(d * error, shape)


def two_sides(one_side: Callable[[Float1D, bool], tuple[Float1D, Float1D]], k: Float1D) -> tuple[Float1D, Float1D]:
    """Puts up to log strike 0 (`False`), calls beyond (`True`): both as one_side(k, share) gives them."""
    found, gap = np.empty_like(k), np.empty_like(k)
    for share, here in ((False, k <= 0.0), (True, k > 0.0)):
        if here.any():
            found[here], gap[here] = one_side(k[here], share)
    return found, gap
