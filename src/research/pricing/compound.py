"""Options on options in closed form under Black-Scholes: `Compound` (Geske), `Chooser` (Rubinstein).

Each needs the price of the underlying on the first day at which the holder is indifferent, found by Newton's method in
a bracket, and bivariate normal probabilities. The whole curve is used, and of the vols their mean squares up to both
dates.

References
----------
Geske (1979), "The valuation of compound options", J. Financial Economics 7, 63-81.
Rubinstein (1991), "Options for the undecided", Risk 4(4), 43.
Haug (2007), The Complete Guide to Option Pricing Formulas, 2nd ed., sections 4.11 and 4.12.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from research.arrays import Float1D
from research.core.pricing.critical import critical_prices
from research.errors import require, require_all
from research.instruments import Chooser, Compound, European
from research.market import Snapshot
from research.models import BlackTermStructure
from research.models.black_scholes import BlackScholes
from research.pricing import _clock
from research.pricing._bivariate import bivariate_normal_cdf
from research.pricing.catalogue import Values

_Model = BlackScholes | BlackTermStructure  # vols to both dates and between them are known
_ROUNDING = 1e-14
_FAR = 600.0  # of the logarithm of a price


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

    @property
    def rows(self) -> tuple[Float1D, ...]:
        """As `critical_prices` takes them, weighted so that their value increases with the price."""
        return self.strike, self.growth, self.df_ahead, self.std_ahead, self.sign, self.sign

    def owned(self, first: _First, critical: Float1D, side: Float1D) -> Float1D:
        """Present value of having them if the price on the first day is above (side 1) or below `critical`."""
        d2 = np.log(self.forward / self.strike) / self.std - 0.5 * self.std
        e2 = first.distance(critical)
        corr = self.sign * side * first.std / self.std
        h, k = side * np.stack([e2 + first.std, e2]), self.sign * np.stack([d2 + self.std, d2])
        asset, cash = bivariate_normal_cdf(h, k, corr)
        out: Float1D = self.df * self.sign * (self.forward * asset - self.strike * cash)
        return out


def _seen(
    name: str, tau: list[float], later: Sequence[Sequence[float]], options: Sequence[Sequence[European]],
    model: _Model, snapshot: Snapshot,
) -> tuple[_First, list[_Legs]]:  # fmt: skip
    """The first days, and one row of options a kind, each with its expiries: curves are read once for all of them."""
    years, n = np.array([*tau, *(t for row in later for t in row)]), len(tau)
    require_all(years[:n] > 0.0, "tau", years[:n], f"be > 0 years for a {name}")
    spread = _clock.std(model, years)
    require(bool((spread[:n] > 0.0).all()), "sigma", float(spread[:n].min()), "be > 0 here")
    df = snapshot.discount.df(years)
    forward = snapshot.forward(years)
    first = _First(years[:n], forward[:n], df[:n], spread[:n])
    legs = []
    for i, row in enumerate(options):
        at = slice((i + 1) * n, (i + 2) * n)
        legs.append(
            _Legs(
                strike=np.array([option.strike for option in row]),
                sign=np.array([1.0 if option.is_call else -1.0 for option in row]),
                forward=forward[at],
                df=df[at],
                std=spread[at],
                growth=forward[at] / first.forward,
                df_ahead=df[at] / first.df,
                std_ahead=_clock.std(model, years[at], first.tau),
            )
        )
    return first, legs


def _roots(legs: Sequence[_Legs], first: _First, target: Float1D, centre: Float1D, start: Float1D) -> Float1D:
    """The prices at which what `legs` are worth on the first day, each with its weight, is `target`; 0 or inf if none.

    `centre` lies among the strikes, the search begins at `start`. The sum increases with the price of the underlying.
    """
    reach = 2.0 + 45.0 * first.std + np.abs(np.log(first.forward / centre))
    middle, out = np.log(centre), np.empty_like(target)
    low, high = np.maximum(middle - reach, -_FAR), np.minimum(middle + reach, _FAR)
    rows = np.stack([row for leg in legs for row in leg.rows], axis=1)
    critical_prices(low, high, np.log(start), target, rows, out, np.empty(out.size, dtype=np.int64))
    return out


def value(items: Sequence[Compound], model: _Model, snapshot: Snapshot) -> Values:
    """Options on options; the engine's door for `pricing.price`."""
    day = snapshot.as_of
    tau, later = [item.years(day) for item in items], [item.option_years(day) for item in items]
    options = [item.option for item in items]
    first, (legs,) = _seen("compound option", tau, [later], [options], model, snapshot)
    strike = np.array([item.strike for item in items])
    buys = np.array([1.0 if item.is_call else -1.0 for item in items])
    side = buys * legs.sign  # exercised above or below the critical price
    certain = legs.strike + legs.sign * strike / legs.df_ahead  # the forward, were the option worth no more than that
    start = np.where(certain > 0.0, certain, legs.strike) / legs.growth
    critical = _roots([legs], first, legs.sign * strike, legs.strike, start)
    exercised = ndtr(side * first.distance(critical))
    found = np.maximum(buys * (legs.owned(first, critical, side) - first.df * strike * exercised), 0.0)
    return Values(found, np.zeros_like(found), _ROUNDING * (snapshot.spot + strike + legs.strike))


def choosers(items: Sequence[Chooser], model: _Model, snapshot: Snapshot) -> Values:
    """Choosers, simple (one strike and expiry) or complex."""
    day = snapshot.as_of
    tau, later = [item.years(day) for item in items], zip(*(item.option_years(day) for item in items))
    options = [item.call for item in items], [item.put for item in items]
    first, (call, put) = _seen("chooser", tau, list(later), options, model, snapshot)
    centre = np.sqrt(call.strike * put.strike)
    critical = _roots([call, put], first, np.zeros_like(call.strike), centre, centre)
    above = np.ones_like(critical)
    found = call.owned(first, critical, above) + put.owned(first, critical, -above)
    return Values(found, np.zeros_like(found), _ROUNDING * (snapshot.spot + call.strike + put.strike))
