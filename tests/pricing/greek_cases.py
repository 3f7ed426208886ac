"""Every contract under every model that prices it, in markets of four kinds, and differences of prices of our own."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import numpy as np
from tests.instruments.test_fields import ONE_OF_EACH, kind_of

from research.instruments import Composed, Pay
from research.instruments.expressions import average, maximum, touched_above, where
from research.instruments.terms import contracts
from research.market import DiscountCurve, Snapshot, flat_snapshot
from research.models import (
    CEV,
    SABR,
    SVI,
    Bachelier,
    Bates,
    BlackScholes,
    BlackTermStructure,
    DisplacedDiffusion,
    Heston,
    LocalStochasticVol,
    LocalVol,
    Merton,
    RoughBergomi,
    SVISurface,
    VarianceGamma,
)  # fmt: skip
from research.pricing import price
from research.pricing.catalogue import engines_for
from research.pricing.paths import engine

DAYS = 365.0
FLAT = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
DAY = FLAT.as_of
CURVE = DiscountCurve(as_of=DAY, tau=[0.25, 1.0, 3.0], zero_rate=[0.01, 0.03, 0.025])
MARKETS = {
    "flat": FLAT,
    "sloped": Snapshot(as_of=DAY, spot=100.0, discount=CURVE, dividend_yield=0.015),
    "yields": Snapshot(as_of=DAY, spot=100.0, discount=CURVE, dividend_yields=DiscountCurve(
        as_of=DAY, tau=[0.5, 2.0], zero_rate=[0.0, 0.02])),
    "borrow": Snapshot(as_of=DAY, spot=100.0, discount=CURVE, dividend_yield=0.01, borrow=0.01),
}  # fmt: skip
_H = {"v0": 0.04, "kappa": 1.5, "theta": 0.04, "sigma": 0.5, "rho": -0.7}
_J = {"intensity": 0.1, "jump_mean": -0.1, "jump_std": 0.1}
_EARLY, _LATE = (SVI(a=a, b=b, rho=-0.3, m=0.0, sigma=0.2) for a, b in ((0.01, 0.05), (0.02, 0.1)))
_GRID = {"tau": [0.0, 1.0], "log_moneyness": [-0.5, -0.2, 0.0, 0.2, 0.5]}
_LEVERAGE = LocalVol(**_GRID, vol=[[1.1, 1.05, 1.0, 0.97, 0.95]] * 2)
MODELS: dict[str, Any] = {
    type(m).__name__: m for m in (
        BlackScholes(sigma=0.2), BlackTermStructure(tau=(0.5, 1.0), implied=(0.2, 0.21)), Bachelier(sigma=20.0),
        DisplacedDiffusion(sigma=0.2, shift=10.0), CEV(sigma=2.0, beta=0.5),
        SVISurface(tau=(0.5, 1.0), slices=(_EARLY, _LATE)), SABR(alpha=0.2, beta=1.0, rho=-0.3, nu=0.5),
        Heston(**_H), Bates(**_H, **_J), Merton(sigma=0.2, **_J), VarianceGamma(sigma=0.2, nu=0.2, theta=-0.1),
        LocalVol(**_GRID, vol=[[0.32, 0.25, 0.2, 0.18, 0.17], [0.28, 0.23, 0.2, 0.185, 0.18]]),
        LocalStochasticVol(heston=Heston(**_H), leverage=_LEVERAGE),
        RoughBergomi(hurst=0.1, eta=1.9, rho=-0.9, forward_variance=0.04),
    )
}  # fmt: skip
_QUARTERS = (0.25, 0.5, 0.75, 1.0)
_AMOUNT = where(touched_above(115.0, _QUARTERS[:2]), 8.0, maximum(average(_QUARTERS) - 100.0, 0.0))
NINE = ("delta", "gamma", "vega", "theta", "rho", "vanna", "volga", "charm", "speed")
SIMULATED = ("monte_carlo", "paths", "longstaff_schwartz")


def contract(name: str) -> Any:
    """One of a kind; notes are looked at twice a month, which is enough to be looked at."""
    if name == "Composed":
        return Composed(payments=(Pay(at=1.0, amount=_AMOUNT),))
    kind, terms = kind_of(name), dict(ONE_OF_EACH[name])
    if name == "Lookback":
        terms["strike"] = 105.0  # at the spot its gamma jumps
    if any(f.name == "steps_per_year" for f in fields(kind)):
        terms["steps_per_year"] = 24
    return kind(**terms)


NAMES = [name for name in contracts() if name in ONE_OF_EACH]


def pairs() -> list[tuple[str, str]]:
    """Names of a contract and of a model that prices it, contracts on one price alone."""
    return [(c, m) for c in NAMES for m in MODELS if (engines_for(c, MODELS[m]) and hasattr(contract(c), "years"))
            or (c in ("Composed", "Bermudan") and engines_for(c, MODELS[m]))]  # fmt: skip


def higher(model: Any, by: float) -> Any:
    """A model with every vol `by` higher, written down once more."""
    name = type(model).__name__
    if name in ("Heston", "Bates"):
        return replace(model, v0=(model.v0**0.5 + by) ** 2, theta=(model.theta**0.5 + by) ** 2)
    if name == "LocalStochasticVol":
        return replace(model, heston=higher(model.heston, by))
    if name == "LocalVol":
        return replace(model, vol=model.vol + by)
    if name == "BlackTermStructure":
        return replace(model, implied=tuple(v + by for v in model.implied))
    if name == "CEV":
        return replace(model, sigma=model.sigma + by * 100.0 ** (1.0 - model.beta))
    if name == "SABR":
        return replace(model, alpha=model.alpha + by)
    if name == "RoughBergomi":
        return replace(model, forward_variance=np.maximum(np.sqrt(model.forward_variance) + by, 0.0) ** 2)
    if name == "SVISurface":
        return None
    return replace(model, sigma=model.sigma + by)


def moved(snapshot: Snapshot, spot: float = 0.0, rate: float = 0.0, days: int = 0) -> Snapshot:
    """Another market."""
    curve = snapshot.discount
    curve = DiscountCurve(as_of=curve.as_of, tau=curve.tau, zero_rate=curve.zero_rate + rate)
    return replace(snapshot, spot=snapshot.spot * (1.0 + spot), discount=curve, as_of=DAY + timedelta(days=days))


def stays(model: Any, spot: float = 0.0, rate: float = 0.0) -> Any:
    """A local volatility stays at its prices while the spot moves, the vol of a surface at its strike."""
    if type(model).__name__ == "SVISurface":
        slices = (replace(s, m=s.m - np.log1p(spot) - rate * t) for t, s in zip(model.tau, model.slices))
        return replace(model, slices=tuple(slices))
    if rate:
        return model
    if type(model).__name__ == "LocalVol":
        return replace(model, log_moneyness=model.log_moneyness - np.log1p(spot))
    if hasattr(model, "leverage"):
        return replace(model, leverage=stays(model.leverage, spot))
    return model


def values(item: Any, model: Any, snapshot: Snapshot, method: str, n_paths: int) -> Any:
    """Prices: one, or those of several scrambles or seeds."""
    if method not in SIMULATED:
        return np.array([float(price(item, model, snapshot, method=method))])
    extra: dict[str, Any] = {"upper": False} if method == "longstaff_schwartz" else {}
    if method == "paths":
        extra = {"check_scheme": False}
        each = engine.simulate(item, model, snapshot, n_paths=n_paths, seed=101, **extra).replicates
        if each.size > 1:
            return each
    return np.array([float(price(item, model, snapshot, method=method, n_paths=n_paths, seed=s, **extra))
                     for s in (101, 102, 103, 104)])  # fmt: skip


def difference(name: str, item: Any, model: Any, snapshot: Snapshot, method: str, n_paths: int) -> tuple[float, float]:
    """A Greek as a plain central difference of prices, and twice its standard error (0 if there is none)."""

    def at(by: float) -> Any:
        if name == "vega":
            return values(item, higher(model, by), snapshot, method, n_paths)
        if name == "rho":
            return values(item, stays(model, rate=by), moved(snapshot, rate=by), method, n_paths)
        return values(item, stays(model, spot=by), moved(snapshot, spot=by), method, n_paths)

    h = {"delta": 0.01, "gamma": 0.02, "vega": 0.005, "rho": 0.002}[name]
    unit = 100.0 * h if name in ("delta", "gamma") else h
    up, down = at(h), at(-h)
    each = (up - 2.0 * at(0.0) + down) / unit**2 if name == "gamma" else (up - down) / (2.0 * unit)
    return float(each.mean()), 2.0 * float(each.std(ddof=1)) / each.size**0.5 if each.size > 1 else 0.0
