"""Options on options in closed form under Black-Scholes: `Compound` (Geske), `Chooser` (Rubinstein).

Each needs the price of the underlying on the first day at which the holder is indifferent, found by bisection, and
bivariate normal probabilities. The whole curve is used, and of the vols their mean squares up to both dates.

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
from scipy.special import ndtr

from research.arrays import Float1D
from research.errors import require, require_all
from research.instruments import Chooser, Compound, European
from research.market import Snapshot
from research.models import BlackTermStructure, black
from research.models.black_scholes import BlackScholes
from research.pricing import _clock
from research.pricing._bivariate import bivariate_normal_cdf
from research.pricing.catalogue import Values

_Model = BlackScholes | BlackTermStructure  # vols to both dates and between them are known
_ROUNDING = 1e-14
_HALVINGS = 64


@dataclass(frozen=True, slots=True)
class _First:
    """The first days of n contracts; arrays of shape (n,)."""

    tau: Float1D
    forward: Float1D
    df: Float1D
    std: Float1D

    def distance(self, level: Float1D) -> Float1D:
        """d2 of a level of the underlying on that day; a level may be 0 or inf."""
        with np.errstate(divide="ignore"):
            out: Float1D = np.log(self.forward / level) / self.std - 0.5 * self.std
        return out


@dataclass(frozen=True, slots=True)
class _Legs:
    """n European options seen from today and from the first days; arrays of shape (n,)."""

    strike: Float1D
    sign: Float1D  # 1 for a call, -1 for a put
    forward: Float1D  # today, to the expiry
    df: Float1D
    std: Float1D  # to the expiry
    growth: Float1D  # forward to the expiry over the forward to the first day
    df_ahead: Float1D  # from the first day on
    std_ahead: Float1D

    def then(self, log_price: Float1D) -> Float1D:
        """Values on the first day at a log price of the underlying."""
        forward = np.exp(log_price) * self.growth
        value = black.price(forward, self.strike, 1.0, self.std_ahead, df=self.df_ahead, is_call=self.sign > 0.0)
        return np.asarray(value)

    def owned(self, first: _First, critical: Float1D, side: Float1D) -> Float1D:
        """Present value of having them if the price on the first day is above (side 1) or below `critical`."""
        d2 = np.log(self.forward / self.strike) / self.std - 0.5 * self.std
        e2 = first.distance(critical)
        corr = self.sign * side * first.std / self.std
        h, k = side * np.stack([e2 + first.std, e2]), self.sign * np.stack([d2 + self.std, d2])
        asset, cash = bivariate_normal_cdf(h, k, corr)
        out: Float1D = self.df * self.sign * (self.forward * asset - self.strike * cash)
        return out


def _first(tau: list[float], model: _Model, snapshot: Snapshot, name: str) -> _First:
    years = np.array(tau)
    require_all(years > 0.0, "tau", years, f"be > 0 years for a {name}")
    spread = _clock.std(model, years)
    require(bool(np.all(spread > 0.0)), "sigma", float(spread.min()), "be > 0 here")
    return _First(years, snapshot.forward(years), snapshot.discount.df(years), spread)


def _legs(options: list[European], years: list[float], first: _First, model: _Model, snapshot: Snapshot) -> _Legs:
    t = np.array(years)
    forward, df = snapshot.forward(t), snapshot.discount.df(t)
    return _Legs(
        strike=np.array([option.strike for option in options]),
        sign=np.where([option.is_call for option in options], 1.0, -1.0),
        forward=forward, df=df, std=_clock.std(model, t), growth=forward / first.forward, df_ahead=df / first.df,
        std_ahead=_clock.std(model, t, first.tau),
    )  # fmt: skip


def _roots(function: Callable[[Float1D], Float1D], first: _First, strike: Float1D) -> Float1D:
    """The prices at which increasing functions of the log price are 0, by bisection; 0 or inf where there is none."""
    centre, reach = np.log(strike), 2.0 + 45.0 * first.std + np.abs(np.log(first.forward / strike))
    low, high = centre - reach, centre + reach
    none_below, none_above = function(low) >= 0.0, function(high) <= 0.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        above = function(middle) > 0.0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.where(none_below, 0.0, np.where(none_above, np.inf, np.exp(0.5 * (low + high))))


def value(items: Sequence[Compound], model: _Model, snapshot: Snapshot) -> Values:
    """Options on options; the engine's door for `pricing.price`."""
    first = _first([item.years(snapshot.as_of) for item in items], model, snapshot, "compound option")
    years = [item.option_years(snapshot.as_of) for item in items]
    legs = _legs([item.option for item in items], years, first, model, snapshot)
    strike = np.array([item.strike for item in items])
    buys = np.where([item.is_call for item in items], 1.0, -1.0)
    side = buys * legs.sign  # exercised above or below the critical price
    critical = _roots(lambda x: legs.sign * (legs.then(x) - strike), first, legs.strike)
    exercised = ndtr(side * first.distance(critical))
    found = np.maximum(buys * (legs.owned(first, critical, side) - first.df * strike * exercised), 0.0)
    return Values(found, np.zeros_like(found), _ROUNDING * (snapshot.spot + strike + legs.strike))


def choosers(items: Sequence[Chooser], model: _Model, snapshot: Snapshot) -> Values:
    """Choosers, simple (one strike and expiry) or complex."""
    first = _first([item.years(snapshot.as_of) for item in items], model, snapshot, "chooser")
    years = np.array([item.option_years(snapshot.as_of) for item in items]).T.tolist()
    call, put = (
        _legs([getattr(item, name) for item in items], t, first, model, snapshot)
        for name, t in zip(("call", "put"), years)
    )
    critical = _roots(lambda x: call.then(x) - put.then(x), first, np.sqrt(call.strike * put.strike))
    above = np.ones_like(critical)
    found = call.owned(first, critical, above) + put.owned(first, critical, -above)
    return Values(found, np.zeros_like(found), _ROUNDING * (snapshot.spot + call.strike + put.strike))
