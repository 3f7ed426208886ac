"""Closed forms under Bachelier's model beside European options: `Digital`, `Asian`; strikes and prices of any sign.

    S(t) = F(t) + sigma / growth(t) W(t),    F(t) the forward of today, growth(t) = E[S(T) | S(t)] / S(t)

The forward for the contract's own end T is normal with the model's vol, as its European options say, and the price on
the way is that forward less its carry, so that it is worth what the carry costs: the law of `normal_grid` and of the
paths. A mean of such prices is normal, so an arithmetic Asian option has Bachelier's formula with the standard
deviation of the mean (or of the last price less the mean).

References
----------
Bachelier (1900), "Theorie de la speculation", Annales scientifiques de l'Ecole Normale Superieure 17, 21-86.
Haug (2007), The Complete Guide to Option Pricing Formulas, 2nd ed., section 1.3.1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from research.errors import NoEngineError, require, rule
from research.instruments import Asian, Digital
from research.market import Snapshot
from research.models import bachelier
from research.models.bachelier import Bachelier
from research.pricing.catalogue import Values

_ROUNDING = 1e-14


def digitals(items: Sequence[Digital], model: Bachelier, snapshot: Snapshot) -> Values:
    """Cash-or-nothing and asset-or-nothing options: E[S; S > K] = F Phi(d) + s phi(d), d = (F - K) / s."""
    tau = np.array([item.years(snapshot.as_of) for item in items])
    strike, amount = np.array([item.strike for item in items]), np.array([item.amount for item in items])
    sign = np.where([item.is_call for item in items], 1.0, -1.0)
    cash = np.array([item.pays == "cash" for item in items])
    forward, df = np.asarray(snapshot.forward(tau)), np.asarray(snapshot.discount.df(tau))
    std = model.sigma * np.sqrt(tau)
    alive = std > 0.0
    d = np.where(alive, (forward - strike) / np.where(alive, std, 1.0), np.copysign(np.inf, forward - strike))
    density = np.exp(-0.5 * np.minimum(d * d, 1e4)) / np.sqrt(2.0 * np.pi)
    asset = forward * ndtr(sign * d) + sign * std * density
    value = amount * df * np.where(cash, ndtr(sign * d), asset)
    size = np.where(cash, 1.0, np.abs(forward) + std)
    return Values(value, np.zeros_like(value), _ROUNDING * amount * size)


def asians(items: Sequence[Asian], model: Bachelier, snapshot: Snapshot) -> Values:
    """Options on the arithmetic average, fixings of the past included."""
    found, error = np.empty(len(items)), np.empty(len(items))
    for i, item in enumerate(items):
        require(item.average == "arithmetic", "average", item.average, "be arithmetic for prices of any sign")
        times = item.years(snapshot.as_of)
        forward = np.asarray(snapshot.forward(times))
        n = times.size + item.n_fixed
        mean, past = float(forward.sum()) / n, item.n_fixed * item.fixed_mean / n
        grown = np.asarray(snapshot.growth(times)) / float(snapshot.growth(float(times[-1])))  # 1 / growth(t)
        shared = np.minimum.outer(times, times) * np.multiply.outer(grown, grown)
        mean_variance = float(shared.sum()) / n**2
        df = float(snapshot.discount.df(float(times[-1])))
        if item.strike is None:  # S - A
            variance = float(times[-1]) + mean_variance - 2.0 * float((times * grown).sum()) / n
            centre, strike = float(forward[-1]) - mean - past, 0.0
        else:
            variance, centre, strike = mean_variance, mean + past, item.strike
        std = model.sigma * np.sqrt(max(variance, 0.0))
        found[i] = bachelier.price(centre, strike, 1.0, std, df=df, is_call=item.is_call)
        error[i] = _ROUNDING * df * (abs(centre) + abs(strike) + std)
    return Values(found, np.zeros_like(found), error)


def refuse_zero_spot(snapshot: Snapshot) -> None:
    """Greeks move the spot by a share of itself."""
    if snapshot.spot == 0.0:
        hint = "Use Bachelier.greeks(forward, strike, tau)."
        raise NoEngineError(rule("spot", "not be 0 for Greeks by bumps that are a share of it", snapshot.spot, hint))
