"""Options on options in closed form under Black-Scholes: `Compound` (Geske), `Chooser` (Rubinstein).

Each needs the price of the underlying on the first day at which the holder is indifferent, found by bracketing, and
bivariate normal probabilities. The whole curve is used.

References
----------
Geske (1979), "The valuation of compound options", J. Financial Economics 7, 63-81.
Rubinstein (1991), "Options for the undecided", Risk 4(4), 43.
Haug (2007), The Complete Guide to Option Pricing Formulas, 2nd ed., sections 4.11 and 4.12.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from research.errors import require
from research.instruments import Chooser, Compound, European
from research.market import Snapshot
from research.models import black
from research.models.black_scholes import BlackScholes
from research.pricing._bivariate import bivariate_normal_cdf
from research.pricing.catalogue import Values

_ROUNDING = 1e-14


@dataclass(frozen=True, slots=True)
class _Leg:
    """A European option seen from today and from the first day."""

    strike: float
    sign: float  # 1 for a call, -1 for a put
    forward: float  # today, to its expiry
    df: float
    std: float  # to its expiry
    growth: float  # forward to its expiry over the forward to the first day
    df_ahead: float  # from the first day on
    std_ahead: float

    def then(self, spot: float) -> float:
        """Value on the first day at a price of the underlying."""
        forward, is_call = spot * self.growth, self.sign > 0.0
        return float(black.price(forward, self.strike, 1.0, self.std_ahead, df=self.df_ahead, is_call=is_call))

    def now(self) -> float:
        """Value today."""
        return float(black.price(self.forward, self.strike, 1.0, self.std, df=self.df, is_call=self.sign > 0.0))

    def owned(self, first: _First, critical: float, side: float) -> float:
        """Present value of having it if the price on the first day is above (side 1) or below `critical`."""
        d2 = np.log(self.forward / self.strike) / self.std - 0.5 * self.std
        e2 = first.distance(critical)
        corr = self.sign * side * first.std / self.std
        h = side * np.array([e2 + first.std, e2])
        k = self.sign * np.array([d2 + self.std, d2])
        asset, cash = bivariate_normal_cdf(h, k, corr)
        return float(self.df * self.sign * (self.forward * asset - self.strike * cash))


@dataclass(frozen=True, slots=True)
class _First:
    """The first day: forward, discount factor, standard deviation."""

    forward: float
    df: float
    std: float

    def distance(self, level: float) -> float:
        """d2 of a level on that day."""
        if level <= 0.0 or np.isinf(level):
            return np.inf if level <= 0.0 else -np.inf
        return float(np.log(self.forward / level) / self.std - 0.5 * self.std)


def _first(tau: float, model: BlackScholes, snapshot: Snapshot, name: str) -> _First:
    require(tau > 0.0, "tau", tau, f"be > 0 years for a {name}")
    require(model.sigma > 0.0, "sigma", model.sigma, "be > 0 here")
    return _First(snapshot.forward(tau), snapshot.discount.df(tau), model.sigma * float(np.sqrt(tau)))


def _leg(option: European, years: float, tau: float, first: _First, sigma: float, snapshot: Snapshot) -> _Leg:
    forward, df = snapshot.forward(years), snapshot.discount.df(years)
    return _Leg(
        strike=option.strike, sign=1.0 if option.is_call else -1.0, forward=forward, df=df,
        std=sigma * float(np.sqrt(years)), growth=forward / first.forward, df_ahead=df / first.df,
        std_ahead=sigma * float(np.sqrt(years - tau)),
    )  # fmt: skip


def _root(function: Callable[[float], float], first: _First, strike: float) -> float:
    """The price at which an increasing function of its logarithm is 0; 0 or inf where there is none."""
    centre, reach = np.log(strike), 2.0 + 45.0 * first.std + abs(np.log(first.forward / strike))
    low, high = centre - reach, centre + reach
    if function(low) >= 0.0:
        return 0.0
    if function(high) <= 0.0:
        return np.inf
    return float(np.exp(brentq(function, low, high, xtol=1e-14, rtol=9e-16)))


def _beyond(leg: _Leg, strike: float) -> Callable[[float], float]:
    """How much more a call (less a put) is worth than the strike on the first day, at a log price."""
    return lambda x: leg.sign * (leg.then(float(np.exp(x))) - strike)


def value(items: Sequence[Compound], model: BlackScholes, snapshot: Snapshot) -> Values:
    """Options on options; the engine's door for `pricing.price`."""
    found, error = np.empty(len(items)), np.empty(len(items))
    for i, item in enumerate(items):
        tau, years = item.years(snapshot.as_of), item.option_years(snapshot.as_of)
        first = _first(tau, model, snapshot, "compound option")
        leg = _leg(item.option, years, tau, first, model.sigma, snapshot)
        side = leg.sign if item.is_call else -leg.sign  # exercised above or below the critical price
        critical = _root(_beyond(leg, item.strike), first, leg.strike)
        exercised = ndtr(side * first.distance(critical))
        paid = leg.owned(first, critical, side) - first.df * item.strike * exercised
        found[i] = max(paid if item.is_call else -paid, 0.0)
        error[i] = _ROUNDING * (snapshot.spot + item.strike + leg.strike)
    return Values(found, np.zeros_like(found), error)


def choosers(items: Sequence[Chooser], model: BlackScholes, snapshot: Snapshot) -> Values:
    """Choosers, simple (one strike and expiry) or complex."""
    found, error = np.empty(len(items)), np.empty(len(items))
    for i, item in enumerate(items):
        tau, (call_years, put_years) = item.years(snapshot.as_of), item.option_years(snapshot.as_of)
        first = _first(tau, model, snapshot, "chooser")
        call = _leg(item.call, call_years, tau, first, model.sigma, snapshot)
        put = _leg(item.put, put_years, tau, first, model.sigma, snapshot)

        def better(x: float, call: _Leg = call, put: _Leg = put) -> float:
            """How much more the call is worth than the put, at a log price."""
            return call.then(float(np.exp(x))) - put.then(float(np.exp(x)))

        critical = _root(better, first, float(np.sqrt(call.strike * put.strike)))
        found[i] = call.owned(first, critical, 1.0) + put.owned(first, critical, -1.0)
        error[i] = _ROUNDING * (snapshot.spot + call.strike + put.strike)
    return Values(found, np.zeros_like(found), error)
