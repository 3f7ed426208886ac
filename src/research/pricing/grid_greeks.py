"""Greeks of the finite-difference engines: what the grid says at the spot, and bumps on one and the same grid.

| Greek | how |
|---|---|
| delta, gamma, speed | read from the solution at the spot (`_grid_read`), extrapolated as the price is |
| theta | from the equation the grid solves, where one day less to go is one day later; else by difference |
| vega, volga, rho | central differences of prices, rho of early exercise over wider steps |
| vanna, charm | central differences of the grid's delta |

The spot moves within the model: a local vol or a leverage stays where it is, at its prices, while a bump of the
snapshot's spot (`spot_bump`) takes it along, as its nodes are moneyness. A bumped price is found on the nodes of the
unbumped one, so that no node moves while a vol or a rate does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.errors import InputError
from research.instruments import American, Bermudan
from research.market import Snapshot
from research.models import BlackScholes
from research.pricing import adi, pde
from research.pricing._bumps import DAYS, aged, bumped, shifted, vol_step
from research.pricing._escrow import on_grid
from research.pricing._grid_read import NAMES, rates_today, steady
from research.pricing.carry import on_grids

ON_GRID, DIFFERENCES = "on the grid", "differences on one grid"
_SOLVE: dict[str, Callable[..., tuple[Float2D, Float2D]]] = {"pde": pde.solve, "adi": adi.solve}
_EXERCISED = 1e-7  # of the strike: an American option that is worth no more than it pays
_RATE = 1e-4
_EARLY_RATE, _EARLY_VOL = 5e-3, 16.0  # wider where early exercise makes a price jump a little as its boundary passes
# nodes, and the part of the value's error that is still seen from step to step
_EARLY_LEFT = 0.25
Table = dict[str, dict[str, Any]]


def grid_table(
    items: list[Any], model: Any, snapshot: Snapshot, method: str, wanted: Sequence[str], bumps: dict[str, Any],
    options: dict[str, Any],
) -> Table:  # fmt: skip
    """Value, std_error, error and how of each Greek that is wanted."""
    early = isinstance(items[0], (American, Bermudan))
    dv, dr, days = *_steps(model, snapshot, bumps, early), bumps["days"]
    known: dict[tuple[int, int, int], tuple[Float2D, Float2D]] = {}
    layout = (on_grid(model, snapshot), on_grids(snapshot)[0])

    def at(vol: int = 0, rate: int = 0, age: int = 0) -> tuple[Float2D, Float2D]:
        key = (vol, rate, age)
        if key not in known:
            market = bumped(snapshot, rate=rate * dr, days=age * days)
            contracts = [aged(item, age * days) for item in items] if age else items
            there, dividends = on_grids(market, contracts)
            own = tuple((when - age * days / DAYS, cash) for when, cash in options.get("dividends", ()))
            given = options | {"dividends": (*dividends, *(pair for pair in own if pair[0] > 0.0))}
            moved = on_grid(shifted(model, vol * dv, snapshot) if vol else model, market)
            known[key] = _SOLVE[method](contracts, moved, there, n_rows=len(NAMES), layout=layout, **given)
        return known[key]

    out: Table = {}
    found, error = at()
    ends = [_end(item, snapshot) for item in items]
    calm = all(steady(layout[0], snapshot, end) for end in set(ends))
    for row, name in enumerate(NAMES):
        if name in wanted and (name != "theta" or calm):
            out[name] = _entry(found[row], error[row], ON_GRID)
    if calm and "theta" in wanted:
        _stop_clock(items, found[0], snapshot, out["theta"])
    for name, of, which in (("vega", 0, "vol"), ("volga", 0, "vol"), ("vanna", 1, "vol"), ("rho", 0, "rate"),
                            ("theta", 0, "age"), ("charm", 1, "age")):  # fmt: skip
        if name in wanted and name not in out:

            def value(step: int, row: int = of, which: str = which) -> Float1D:
                out: Float1D = at(**{which: step})[0][row]
                return out

            width = {"vol": dv, "rate": dr, "age": days / DAYS}[which]
            out[name] = _entry(*_difference(name, value, width, early), DIFFERENCES)
            if early and name in ("rho", "volga"):
                out[name]["error"] += _EARLY_LEFT * error[0] / (dr if name == "rho" else dv**2)
            elif early and which == "vol" and isinstance(model, BlackScholes):
                out[name]["error"] += error[of] / model.sigma
    return out


def _steps(model: Any, snapshot: Snapshot, bumps: dict[str, Any], early: bool) -> tuple[float, float]:
    """Of a vol and of a rate; the latter not over a rate of 0, where other boundaries begin."""
    dv, dr = vol_step(model, spot=snapshot.spot), _RATE
    if early:
        dr = max(_RATE, min(_EARLY_RATE, abs(rates_today(snapshot)[0]) / 3.0))
        dv = model.sigma / _EARLY_VOL if isinstance(model, BlackScholes) else dv
    return bumps["vol"] or dv, bumps["rate"] or dr


def _end(item: Any, snapshot: Snapshot) -> float:
    if hasattr(item, "exercise_times"):
        return float(item.exercise_times(snapshot.as_of)[-1])
    return float(np.max(item.years(snapshot.as_of)))


def _stop_clock(items: list[Any], value: Float1D, snapshot: Snapshot, theta: dict[str, Any]) -> None:
    """An American option that is exercised now has no theta."""
    for i, item in enumerate(items):
        if isinstance(item, American):
            pays = snapshot.spot - item.strike if item.is_call else item.strike - snapshot.spot
            if value[i] <= pays + _EXERCISED * item.strike:
                theta["value"][i] = 0.0


def _difference(name: str, value: Callable[[int], Float1D], step: float, early: bool) -> tuple[Float1D, Float1D]:
    """The derivative, and its distance to the stencil of lower order."""
    if name in ("theta", "charm"):  # as time passes: one side, unless a date is the day after tomorrow
        near = (value(1) - value(0)) / step
        try:
            found = (4.0 * value(1) - value(2) - 3.0 * value(0)) / (2.0 * step)
        except InputError:
            found = (value(1) - value(-1)) / (2.0 * step)
        return found, np.abs(found - near)
    up, down = value(1), value(-1)
    if name == "volga":
        low = (up - 2.0 * value(0) + down) / step**2
        found = (16.0 * (up + down) - value(2) - value(-2) - 30.0 * value(0)) / (12.0 * step**2)
    elif name == "rho" and not early:
        low, found = (up - value(0)) / step, (up - down) / (2.0 * step)
    else:
        low, found = (up - down) / (2.0 * step), (8.0 * (up - down) - value(2) + value(-2)) / (12.0 * step)
    return found, np.abs(found - low)


def _entry(value: Float1D, error: Float1D, how: str) -> dict[str, Any]:
    return {"value": value.copy(), "std_error": np.zeros_like(value), "error": error.copy(), "how": how}
