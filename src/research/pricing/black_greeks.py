"""Greeks of European options by Black's formula, each strike at its own vol, by spot and calendar time.

References
----------
Haug (2007), The Complete Guide to Option Pricing Formulas, 2nd ed., chapter 2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.instruments import European
from research.market import Snapshot
from research.models import BlackScholes, BlackTermStructure, SVISurface, black
from research.pricing._greek_tables import GREEKS, Table, entry

_BY_TIME = (BlackScholes, BlackTermStructure, SVISurface)  # their vol takes an array of times
_STEP = 1e-5  # years: forward rates are taken over twice that


def closed_form(items: Sequence[European], model: Any, snapshot: Snapshot, wanted: Sequence[str] = GREEKS) -> Table:
    """Black's Greeks, from the forward to the spot, each strike at its own vol."""
    strike, is_call = np.array([i.strike for i in items]), np.array([i.is_call for i in items])
    tau = np.array([i.years(snapshot.as_of) for i in items])
    forward, df = np.asarray(snapshot.forward(tau)), np.asarray(snapshot.discount.df(tau))
    vol = vols(model, np.log(strike / forward), tau)
    return spot_table(forward, strike, tau, vol, df, is_call, snapshot, wanted)


def vols(model: Any, log_moneyness: Float1D, tau: Float1D) -> Float1D:
    """Implied vols of options, expiry by expiry; 0 where there is no time left."""
    if isinstance(model, _BY_TIME):
        out: Float1D = np.where(tau > 0.0, model.vol(log_moneyness, np.where(tau > 0.0, tau, 1.0)), 0.0)
        return out
    out = np.zeros(np.broadcast_shapes(log_moneyness.shape, tau.shape))
    t = np.broadcast_to(tau, out.shape)
    for years in np.unique(tau[tau > 0.0]):
        here = t == years
        out[here] = model.vol(np.broadcast_to(log_moneyness, out.shape)[here], float(years))
    return out


def spot_table(
    forward: Any, strike: Any, tau: Any, vol: Any, df: Any, is_call: Any, snapshot: Snapshot, wanted: Sequence[str]
) -> Table:
    """Black's Greeks by spot and calendar time, whatever the curve's shape."""
    higher = set(wanted) & {"vanna", "volga", "charm", "speed"}
    g = black.greeks(forward, strike, tau, vol, df=df, is_call=is_call, which=black.HIGHER if higher else black.FIRST)
    growth = forward / snapshot.spot
    forms: dict[str, Callable[[], Any]] = {
        "value": lambda: g["price"],
        "delta": lambda: growth * g["delta"],
        "gamma": lambda: growth * (growth * g["gamma"]),
        "speed": lambda: growth**3 * g["speed"],
        "vega": lambda: g["vega"],
        "volga": lambda: g["volga"],
        "vanna": lambda: growth * g["vanna"],
        "rho": lambda: tau * (forward * g["delta"] - g["price"]),
    }
    if set(wanted) & {"theta", "charm"}:
        lift, carry = along_the_curve(snapshot, tau, df)
        forms["theta"] = lambda: g["theta"] + lift * g["price"] - carry * (forward * g["delta"])
        forms["charm"] = lambda: growth * (g["charm"] + (lift - carry) * g["delta"] - carry * (forward * g["gamma"]))
    found = {name: forms[name]() for name in wanted}
    error = {name: 4e-15 * np.abs(v) for name, v in found.items()}
    for name, size in (("theta", lambda: np.abs(g["price"]) + np.abs(forward * g["delta"])),
                       ("charm", lambda: growth * (np.abs(g["delta"]) + forward * g["gamma"]))):  # fmt: skip
        if name in error:  # forward rates are differences of logarithms
            error[name] = error[name] + 4e-16 / _STEP * size()
    return {name: entry(v, error[name], "closed form") for name, v in found.items()}


def along_the_curve(snapshot: Snapshot, tau: Any, df: Any) -> tuple[Any, Any]:
    """At each expiry: how far the forward rate lies above the zero rate, and the growth of the forward, 1/year."""
    t, where = np.unique(tau, return_inverse=True)
    early, late = np.maximum(t - _STEP, 0.0), t + _STEP
    rate = np.where(t > 0.0, -np.log(snapshot.discount.df(t)) / np.where(t > 0.0, t, 1.0), 0.0)
    short = -np.log(snapshot.discount.df(late) / snapshot.discount.df(early)) / (late - early)
    carry = np.log(snapshot.growth(late) / snapshot.growth(early)) / (late - early)
    shape = np.shape(tau)
    return (short - rate)[where].reshape(shape), carry[where].reshape(shape)
