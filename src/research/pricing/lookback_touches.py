"""Lookbacks by touches: E[max(M - K, 0)] is the integral over levels of the chance that each is touched.

    E[max(M - K, 0)] = integral over y > K of P(M > y) dy,    E[max(K - m, 0)] the same below

A grid prices the touch of each level (paid at expiry, watched at every moment or n times), so a lookback is a strip of
them, under every model that a grid has, without sampling. What is owed whether or not the extreme moves is the
forward's. Panels of Gauss and Kronrod's nodes reach as far as touches are worth anything; their error is the distance
to Gauss' nodes alone; those of the touches, each of a grid of its own, add up as twice a root of squares.

References
----------
Carr, Ellis, Gupta (1998), "Static hedging of exotic options", J. Finance 53, section 3 (lookbacks as barriers).
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.errors import NoEngineError, require
from research.instruments import European, Lookback, Touch
from research.market import Snapshot
from research.pricing._agreed_looks import DAYS, age_of
from research.pricing._bumps import aged
from research.pricing.catalogue import Values, abilities

# Piessens and others (1983), QUADPACK, routine qk15: nodes, their weights, and those of Gauss' seven among them
_KRONROD = np.array([
    0.991455371120812639206854697526329, 0.949107912342758524526189684047851, 0.864864423359769072789712788640926,
    0.741531185599394439863864773280788, 0.586087235467691130294144691693013, 0.405845151377397166906606412076961,
    0.207784955007898467600689403773245, 0.0,
])  # fmt: skip
_WEIGHTS = np.array([
    0.022935322010529224963732008058970, 0.063092092629978553290700663189204, 0.104790010322250183839876322541518,
    0.140653259715525918745189590510238, 0.169004726639267902826583426598550, 0.190350578064785409913256402421014,
    0.204432940075298892414161999234649, 0.209482141084727828012999174891714,
])  # fmt: skip
_GAUSS = np.array([0.129484966168869693270611432679082, 0.279705391489276667901467771423780,
                   0.381830050505118944950369775488975, 0.417959183673469387755102040816327])  # fmt: skip
_NODES = np.concatenate((-_KRONROD, _KRONROD[-2::-1]))
_FINE = np.concatenate((_WEIGHTS, _WEIGHTS[-2::-1]))
_COARSE = np.zeros(15)
_COARSE[1::2] = np.concatenate((_GAUSS, _GAUSS[-2::-1]))
_EDGES = (0.0, 1.0, 2.5, 5.0, 9.0)  # standard deviations of the last price, of the panels
_NOTHING = 1e-10  # of a touch: further out there is nothing
_ROUNDING = 1e-12


def _touches(levels: Float1D, item: Lookback, model: Any, snapshot: Snapshot) -> Values:
    age, tau = age_of(item), item.years(snapshot.as_of)
    up, looks = item.looks_up, item.n_monitoring
    terms: Any = {"direction": "up" if up else "down", "tau": tau + age, "pays_at": "expiry", "n_monitoring": looks}
    items = [Touch(barrier=float(y), **terms) for y in levels]
    if age != 0.0:
        items = [aged(one, age * DAYS) for one in items]
    module = "adi" if "stochastic_variance" in abilities(model) else "pde"
    found: Values = importlib.import_module(f"research.pricing.{module}").value(items, model, snapshot)
    return found


def _spread(tau: float, model: Any, snapshot: Snapshot) -> float:
    """Standard deviation of the last price over the forward, from an option at the money."""
    module = "adi" if "stochastic_variance" in abilities(model) else "pde"
    forward = float(snapshot.forward(tau))
    item = European(strike=forward, tau=tau)
    found = importlib.import_module(f"research.pricing.{module}").value([item], model, snapshot)
    return float(found.value[0]) * math.sqrt(2.0 * math.pi) / float(snapshot.discount.df(tau)) / forward


def _beyond(level: float, item: Lookback, model: Any, snapshot: Snapshot) -> tuple[float, float]:
    """(discounted expectation of what the extreme goes beyond a level, its error)."""
    positive = "normal" not in abilities(model)
    up, tau = item.looks_up, item.years(snapshot.as_of)
    std, spot, total, error = _spread(tau, model, snapshot), snapshot.spot, 0.0, 0.0
    noise = 0.0
    for a, b in pairwise(_EDGES):
        x = std * (0.5 * (a + b) + 0.5 * (b - a) * _NODES)  # of log y where prices are positive, else of y / spot
        half = 0.5 * (b - a) * std
        if positive:
            y = level * np.exp(x if up else -x)
            slope = y
        else:
            y = level + spot * (x if up else -x)
            slope = np.full(x.size, spot)
        inside = y > 0.0
        value, off = np.zeros(x.size), np.zeros(x.size)
        found = _touches(y[inside], item, model, snapshot)
        value[inside], off[inside] = found.value, found.error
        if not inside.all():
            require(float(value[inside].min()) < 1e-8, "model", type(model).__name__,
                    "keep the price above 0 until expiry for touches", hint="'paths' prices it.",
                    error=NoEngineError)  # fmt: skip
        weight = half * slope
        fine, coarse = float((_FINE * value * weight).sum()), float((_COARSE * value * weight).sum())
        total += fine
        error += abs(fine - coarse)
        noise += float(((_FINE * off * weight) ** 2).sum())  # each level has a grid of its own
        if float(value[inside][-1] if inside.any() else 0.0) < _NOTHING:
            break
    return total, error + 2.0 * float(np.sqrt(noise))


def value(items: Sequence[Lookback], model: Any, snapshot: Snapshot) -> Values:
    """The engine's door for `pricing.price`."""
    found, error = np.empty(len(items)), np.empty(len(items))
    for i, item in enumerate(items):
        tau, spot = item.years(snapshot.as_of), snapshot.spot
        require(tau > 0.0, "tau", tau, "be > 0 years for a lookback")
        sign, so_far = (1.0 if item.looks_up else -1.0), item.extreme_so_far(spot)
        strike = so_far if item.strike is None else item.strike
        level = max(strike, so_far) if sign > 0.0 else min(strike, so_far)
        df, forward = float(snapshot.discount.df(tau)), float(snapshot.forward(tau))
        own = sign * (so_far - forward) if item.strike is None else sign * (level - strike)
        beyond, off = _beyond(level, item, model, snapshot)
        found[i], error[i] = df * own + beyond, off + _ROUNDING * max(spot, forward, level)
    return Values(found, np.zeros_like(found), error)
