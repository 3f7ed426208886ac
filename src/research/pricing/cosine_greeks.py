"""Greeks of what the cosine recursion prices: delta, gamma and speed are derivatives of the series itself.

No spot is bumped: the first step of the recursion is an analytic function of the spot, and its derivatives have the
same quality as its value. The others are central differences of prices (`difference_greeks`), which find the same
series again where the spot alone moves. An American option that is exercised now has the derivatives of its pay-off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.instruments import American, Barrier, Bermudan, DoubleBarrier, DoubleTouch
from research.market import Snapshot
from research.models import BlackScholes, BlackTermStructure
from research.models.jumps import Merton, VarianceGamma
from research.pricing._bumps import DAYS, in_years, soonest, spot_step, vol_step
from research.pricing._greek_tables import Table, entry
from research.pricing.catalogue import Values
from research.pricing.cosine_barriers import by_spot, option_jet, touch_jet
from research.pricing.cosine_dates import american_jets, bermudan_jets

ON_SERIES = "derivative of the series"
_ROWS = ("value", "delta", "gamma", "speed")
_WATCHED = (Barrier, DoubleBarrier, DoubleTouch)
_TIGHT = 1e-11  # of the spot: errors up to which wide stencils pay


def takes(item: Any, model: Any, snapshot: Snapshot) -> bool:
    """Whether `cosine` is the transform that prices this contract; under Black-Scholes others do where looks count."""
    if snapshot.cash_dividends is not None or not isinstance(model, (BlackScholes, BlackTermStructure, Merton,
                                                                     VarianceGamma)):  # fmt: skip
        return False
    if isinstance(item, _WATCHED):
        return item.n_monitoring is not None and not isinstance(model, BlackScholes)
    if isinstance(item, Bermudan):
        return item.exercise_times(snapshot.as_of)[-1] > 0.0
    return isinstance(item, American) and isinstance(model, (Merton, VarianceGamma)) and item.years(snapshot.as_of) > 0


def jet(item: Any, model: Any, snapshot: Snapshot) -> Float2D:
    """Value, delta, gamma, speed, and the error of each, shape (2, 4)."""
    if isinstance(item, DoubleTouch):
        return touch_jet(item, model, snapshot, 3)
    if isinstance(item, (Barrier, DoubleBarrier)):
        return option_jet(item, model, snapshot, 3)
    spot, sign = snapshot.spot, 1.0 if item.is_call else -1.0
    y = np.array([np.log(item.strike / spot) if item.is_call else np.log(spot / item.strike)])
    if isinstance(item, American):
        found, error = american_jets(model, snapshot, item.years(snapshot.as_of), item.is_call, y, 3)
        today = True
    else:
        times = item.exercise_times(snapshot.as_of)
        found, error = bermudan_jets(model, snapshot, [t for t in times if t > 0.0], item.is_call, y, 3)
        today = times[0] == 0.0
    out = by_spot(np.array([found[:, 0], error[:, 0]]), spot, item.strike, item.is_call)
    now = sign * (spot - item.strike)
    if today and now >= out[0, 0]:
        out[0] = [now, sign, 0.0, 0.0]
    return out


def greek_table(items: Sequence[Any], model: Any, snapshot: Snapshot, wanted: Sequence[str]) -> Table:
    """The Greeks that are wanted, each with its error, shape (n,) each."""
    jets = np.array([jet(item, model, snapshot) for item in items])
    out: Table = {name: entry(jets[:, 0, k].copy(), jets[:, 1, k].copy(), ON_SERIES)
                  for k, name in enumerate(_ROWS) if name in wanted}  # fmt: skip
    rest = [name for name in wanted if name not in _ROWS]
    if not rest:
        return out
    tables = [_bumped(item, model, snapshot, rest, jets[i, :, 0]) for i, item in enumerate(items)]
    for name in rest:
        if all(name in table for table in tables):
            value, error = (np.concatenate([table[name][part] for table in tables]) for part in ("value", "error"))
            out[name] = entry(value, error, str(tables[0][name]["how"]))
    return out


def _bumped(item: Any, model: Any, snapshot: Snapshot, wanted: list[str], price: Float1D) -> Table:
    """The Greeks by other things than the spot, and the cross derivatives."""
    from research.pricing.difference_greeks import NARROW, WIDE, differences

    width = WIDE if price[1] <= _TIGHT * snapshot.spot and not isinstance(model, BlackTermStructure) else NARROW
    first = soonest(item, snapshot.as_of) * DAYS
    tau, sigma = _end(item, snapshot), float(getattr(model, "sigma", 0.2)) or 0.2
    step, side = spot_step(item, model, snapshot, min(0.01, 0.05 * sigma * np.sqrt(tau)), True, width)
    days = 1.0 if first >= 3.0 * width else first / (4.0 * width)
    if days < 1.0:
        item = in_years(item, snapshot.as_of)
    bumps = {"spot": step, "side": side, "vol": vol_step(model), "rate": 1e-3, "days": days, "sticky": "strike"}
    known = Values(price[:1], np.zeros(1), price[1:])
    table = differences([item], model, snapshot, "cosine", wanted, bumps, {}, known, width)
    move = snapshot.spot * sigma * np.sqrt(tau)
    size = {"vega": sigma, "volga": sigma**2, "vanna": sigma * move, "theta": tau, "charm": tau * move,
            "rho": 1.0 / tau}  # fmt: skip
    for name, one in table.items():
        one["error"] = one["error"] + price[1] / size[name]
    return table


def _end(item: Any, snapshot: Snapshot) -> float:
    if isinstance(item, Bermudan):
        return float(item.exercise_times(snapshot.as_of)[-1])
    return float(item.years(snapshot.as_of))


def parameter_table(item: Any, model: Any, snapshot: Snapshot, names: Sequence[str]) -> Table:
    """Derivatives of one contract's value by parameters of the model, by central differences of fourth order."""
    from research.pricing.price import price

    out: Table = {}
    for name in names:
        at = getattr(model, name)
        if not isinstance(at, float):
            continue
        h = 1e-2 * max(abs(at), 1e-2)
        h = min(h, 0.4 * abs(at)) if at else h
        values = [price(item, replace(model, **{name: at + m * h}), snapshot, method="cosine") for m in (-2, -1, 1, 2)]
        v, noise = [float(one) for one in values], max(float(one.error) for one in values)
        slope, low = (8.0 * (v[2] - v[1]) - (v[3] - v[0])) / (12.0 * h), (v[2] - v[1]) / (2.0 * h)
        error = abs(slope - low) + noise / max(abs(at), 1e-2)
        out[f"by_{name}"] = entry(np.array([slope]), np.array([error]), "differences")
    return out
