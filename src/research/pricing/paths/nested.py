"""Options on options on blocks of paths, where the model's own engine knows the option on the first day.

The price on that day depends on the spot, in units of which it is homogeneous, and on the variance where that moves:
options from the cosine series at nodes of log moneyness and of the root of the variance, and a bicubic spline through
them (about 1e-5 of the spot). Models: Heston, Bates, Merton, Variance Gamma.

References
----------
Geske (1979), "The valuation of compound options", J. Financial Economics 7, 63-81. Rubinstein (1991), Risk 4(4), 43.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.errors import NoEngineError, require, rule
from research.instruments import Chooser, Compound, European
from research.pricing.paths.cash import ahead
from research.pricing.paths.generators import Block
from research.pricing.paths.payoffs import PAYOFFS, Payoff, Terms

_MONEYNESS, _ROOTS = 201, 25  # nodes
_REACH = 8.0  # standard deviations of the log price
_SPREAD = 7.0  # standard deviations of the variance
_LEAST = 1e-6  # variance, 1/year
_TINY = 1e-12  # of the strike: a spot that cash has used up

Value = Callable[[Block], Float1D]


def _ahead(option: European, first: float, terms: Terms) -> Value:
    """Value of an option on the first day, shape (n_paths,), price units of that day."""
    from research.pricing.catalogue import abilities

    model, snapshot = terms.model, terms.snapshot
    if "real_characteristic_function" not in abilities(model):
        raise NoEngineError(rule("model", "be Heston, Bates, Merton or VarianceGamma for an option on an option",
                                 type(model).__name__))  # fmt: skip
    expiry = option.years(snapshot.as_of)
    coming, growth, held = ahead(snapshot, first, expiry)  # an option on X struck at K less what S holds beside X
    strike = option.strike - held
    require(strike > 0.0, "strike", option.strike, "be more than the escrowed cash after its expiry")
    df = float(snapshot.discount.df(expiry) / snapshot.discount.df(first))
    put = _puts(model, expiry - first, first)

    def value(block: Block) -> Float1D:
        forward = np.maximum(block.spot[0] - coming, _TINY * strike) * growth
        found = forward * put(np.log(strike / forward), block)
        return np.asarray(df * np.maximum(found + (forward - strike if option.is_call else 0.0), 0.0))

    return value


def _puts(model: Any, tau: float, first: float) -> Callable[[Float1D, Block], Float1D]:
    """Puts at log moneyness on the first day, in units of the forward."""
    from scipy.interpolate import CubicSpline, RectBivariateSpline

    from research.pricing.cosine import price_with_error

    random = "v0" in {f.name for f in fields(model)} and model.sigma > 0.0
    least, most_variance = _variances(model, first) if random else (0.0, 0.0)
    roots = np.linspace(float(np.sqrt(least)), float(np.sqrt(most_variance)), _ROOTS) if random else np.zeros(1)
    models = [replace(model, v0=float(v)) for v in roots**2] if random else [_later(model, first)]
    most = float(np.sqrt(_mean_variance(models[-1], tau) * tau))
    x = _REACH * max(most, 1e-4) * np.sinh(np.linspace(-3.0, 3.0, _MONEYNESS)) / np.sinh(3.0)
    rows = np.stack([np.asarray(price_with_error(one, 1.0, np.exp(x), tau, is_call=False)[0]) for one in models])
    low, high = float(x[0]), float(x[-1])

    def inside(k: Float1D) -> Float1D:
        return np.clip(k, low, high)

    def far(k: Float1D, found: Float1D) -> Float1D:
        return np.where(k > high, np.expm1(np.minimum(k, 700.0)), np.where(k < low, 0.0, found))

    if not random:
        line = CubicSpline(x, rows[0])
        return lambda k, block: far(k, line(inside(k)))
    plane = RectBivariateSpline(roots, x, rows)

    def put(k: Float1D, block: Block) -> Float1D:
        variance = block.logs.variance
        assert variance is not None
        root = np.sqrt(np.clip(variance[0], roots[0] ** 2, roots[-1] ** 2))
        return far(k, plane.ev(root, inside(k)))

    return put


def _later(model: Any, first: float) -> Any:
    """A model without random variance, seen from the first day."""
    if "v0" not in {f.name for f in fields(model)}:
        return model
    return replace(model, v0=model.theta + (model.v0 - model.theta) * float(np.exp(-model.kappa * first)))


def _variances(model: Any, t: float) -> tuple[float, float]:
    """The lowest and highest variance but for a chance of about 1e-9."""
    from scipy.stats import ncx2

    decay = float(np.exp(-model.kappa * t))
    scale = 0.25 * model.sigma**2 * (t if model.kappa * t < 1e-8 else (1.0 - decay) / model.kappa)
    law = ncx2(4.0 * model.kappa * model.theta / model.sigma**2, model.v0 * decay / scale)
    ends = [scale * float(law.ppf(1e-9)), scale * float(law.isf(1e-9))]
    mean = model.theta + (model.v0 - model.theta) * decay
    std = float(np.sqrt(2.0 * scale * (mean + model.v0 * decay)))
    low, high = ends if np.isfinite(ends).all() and ends[1] > 0.0 else (mean - _SPREAD * std, mean + _SPREAD * std)
    return max(low, _LEAST), max(high, 2.0 * _LEAST)


def _mean_variance(model: Any, tau: float) -> float:
    """Of the log price over tau, 1/year."""
    from research.market import flat_snapshot
    from research.pricing.variance import fair_variance

    return fair_variance(model, flat_snapshot(spot=1.0), tau)[0]


def compound(item: Compound, terms: Terms) -> Payoff:
    """The right to buy or sell an option on the first day."""
    first = item.years(terms.snapshot.as_of)
    require(first > 0.0, "tau", first, "be > 0 years for a compound option")
    item.option_years(terms.snapshot.as_of)
    then, df = _ahead(item.option, first, terms), float(terms.snapshot.discount.df(first))
    sign = 1.0 if item.is_call else -1.0

    def value(block: Block) -> Float1D:
        return np.asarray(df * np.maximum(sign * (then(block) - item.strike), 0.0))

    return Payoff(times=np.array([first]), value=value)


def chooser(item: Chooser, terms: Terms) -> Payoff:
    """The better of a call and a put on the first day."""
    first = item.years(terms.snapshot.as_of)
    require(first > 0.0, "tau", first, "be > 0 years for a chooser")
    item.option_years(terms.snapshot.as_of)
    call, put = (_ahead(option, first, terms) for option in (item.call, item.put))
    df = float(terms.snapshot.discount.df(first))
    return Payoff(times=np.array([first]), value=lambda block: np.asarray(df * np.maximum(call(block), put(block))))


PAYOFFS |= {"Compound": compound, "Chooser": chooser}
