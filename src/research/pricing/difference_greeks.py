"""Greeks by central differences of any engine's values: one batch of contracts a bump, stencils of fourth order.

References
----------
Fornberg (1988), "Generation of finite difference formulas on arbitrarily spaced grids", Math. Comp. 51, 699-706.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.errors import InputError
from research.market import Snapshot
from research.pricing._bumps import DAYS, aged, bumped, shifted, stuck, within
from research.pricing._greek_tables import Table, entry
from research.pricing.price import rows_of

GRIDS = ("pde", "lattice", "adi")
_NOISE = 4e-15  # rounding of a closed form, of spot and value
# one-sided stencils of Fornberg's tables, six points and fewer: next to a barrier
_SLOPE, _SLOPE_LOW = (-137 / 60, 5.0, -5.0, 10 / 3, -5 / 4, 1 / 5), (-11 / 6, 3.0, -3 / 2, 1 / 3)
_BEND = (15 / 4, -77 / 6, 107 / 6, -13.0, 61 / 12, -5 / 6)
_BEND_LOW = (35 / 12, -26 / 3, 19 / 2, -14 / 3, 11 / 12)
_THIRD, _THIRD_LOW = (-17 / 4, 71 / 4, -59 / 2, 49 / 2, -41 / 4, 7 / 4), (-5 / 2, 9.0, -12.0, 7.0, -3 / 2)


def differences(
    items: list[Any], model: Any, snapshot: Snapshot, method: str, wanted: Sequence[str], bumps: dict[str, Any],
    options: dict[str, Any], first: Any = None,
) -> Table:  # fmt: skip
    """Central differences, the whole group in one batch a bump."""
    grid = method in GRIDS
    side = int(bumps.get("side", 0))
    e = (bumps["spot"] or (0.02 if grid else 0.004)) * (side or 1)
    dv, dr, days = bumps["vol"], bumps["rate"] or (1e-3 if grid else 1e-4), bumps["days"]
    known: dict[tuple[float, ...], Float1D] = {}
    if first is not None:
        known[(0, 0, 0, 0)] = first.value
    noise = 0.0 if grid else _NOISE * (snapshot.spot + np.abs(known.get((0, 0, 0, 0), 0.0)))

    def at(spot: int = 0, vol: int = 0, rate: int = 0, age: int = 0) -> Float1D:
        key = (spot, vol, rate, age)
        if key not in known:
            there = bumped(snapshot, spot=spot * e, rate=rate * dr, days=age * days)
            moved = shifted(model, vol * dv, snapshot) if vol else model
            moved = moved if grid else within(moved, spot * e)
            if bumps.get("sticky", "strike") == "strike":
                moved = stuck(moved, spot * e, rate * dr)
            contracts = [aged(item, age * days) for item in items] if age else items
            known[key] = rows_of(contracts, moved, there, method, "raise", options, known=False).value
        return known[key]

    return _stencils(at, wanted, snapshot.spot * e, dv, dr, days / DAYS, "differences", noise, side != 0)


def _stencils(
    at: Callable[..., Float1D], wanted: Sequence[str], ds: float, dv: float, dr: float, dt: float, how: str,
    noise: Any = 0.0, one_sided: bool = False,
) -> Table:  # fmt: skip
    """Greeks and their errors out of bumped values: the distance to the stencil of second order, and rounding."""
    out: Table = {}

    def put(name: str, value: Callable[[], Any], other: Callable[[], Any], grain: float = 0.0) -> None:
        if name in wanted:
            found = value()
            out[name] = entry(found, np.abs(found - other()) + noise * grain, how)

    def along(weights: Sequence[float], **rest: int) -> Float1D:
        found: Float1D = sum((w * at(spot=k, **rest) for k, w in enumerate(weights)), np.zeros(1))
        return found

    def slope(**rest: int) -> Float1D:
        if one_sided:
            return along(_SLOPE, **rest) / ds
        near, far = at(spot=1, **rest) - at(spot=-1, **rest), at(spot=2, **rest) - at(spot=-2, **rest)
        out: Float1D = (8.0 * near - far) / (12.0 * ds)
        return out

    def near(**rest: int) -> Float1D:
        if one_sided:
            return along(_SLOPE_LOW, **rest) / ds
        out: Float1D = (at(spot=1, **rest) - at(spot=-1, **rest)) / (2.0 * ds)
        return out

    def mixed(name: str, h: float, bump: str) -> None:
        """d slope / d bump: of fourth order in spot near by, two steps away in the bump of second order in spot."""
        if name not in wanted:
            return
        fine, rough, far = (f(**{bump: m}) - f(**{bump: -m}) for f, m in ((slope, 1), (near, 1), (near, 2)))
        bend = (2.0 * rough - far) / (12.0 * h)
        error = np.abs(fine - rough) / (2.0 * h) + np.abs(bend) + (30.0 if one_sided else 3.0) * noise / (abs(ds) * h)
        out[name] = entry(fine / (2.0 * h) + bend, error, how)

    size = abs(ds)
    put("value", at, at)
    put("delta", slope, near, (15.0 if one_sided else 1.5) / size)
    if one_sided:
        put("gamma", lambda: along(_BEND) / ds**2, lambda: along(_BEND_LOW) / ds**2, 60.0 / size**2)
        put("speed", lambda: along(_THIRD) / ds**3, lambda: along(_THIRD_LOW) / ds**3, 100.0 / size**3)
        wanted = [name for name in wanted if name not in ("gamma", "speed")]
    put("gamma", lambda: (16.0 * (at(spot=1) + at(spot=-1)) - at(spot=2) - at(spot=-2) - 30.0 * at()) / (12.0 * ds**2),
        lambda: (at(spot=1) - 2.0 * at() + at(spot=-1)) / ds**2, 6.0 / ds**2)  # fmt: skip
    put("speed", lambda: (at(spot=2) - at(spot=-2) - 2.0 * (at(spot=1) - at(spot=-1))) / (2.0 * ds**3),
        lambda: (at(spot=2) - 3.0 * at(spot=1) + 3.0 * at() - at(spot=-1)) / ds**3, 4.0 / ds**3)  # fmt: skip
    put("vega", lambda: (8.0 * (at(vol=1) - at(vol=-1)) - at(vol=2) + at(vol=-2)) / (12.0 * dv),
        lambda: (at(vol=1) - at(vol=-1)) / (2.0 * dv), 1.5 / dv)  # fmt: skip
    put("volga", lambda: (16.0 * (at(vol=1) + at(vol=-1)) - at(vol=2) - at(vol=-2) - 30.0 * at()) / (12.0 * dv**2),
        lambda: (at(vol=1) - 2.0 * at() + at(vol=-1)) / dv**2, 6.0 / dv**2)  # fmt: skip
    mixed("vanna", dv, "vol")
    put("rho", lambda: (at(rate=1) - at(rate=-1)) / (2.0 * dr), lambda: (at(rate=1) - at()) / dr, 1.0 / dr)

    def fine() -> None:
        put("theta", lambda: (8.0 * (at(age=1) - at(age=-1)) - at(age=2) + at(age=-2)) / (12.0 * dt),
            lambda: (at(age=1) - at(age=-1)) / (2.0 * dt), 1.5 / dt)  # fmt: skip
        mixed("charm", dt, "age")

    def forward() -> None:  # it did not exist yesterday: a variance swap that starts today, a note with a date behind
        put("theta", lambda: (4.0 * at(age=1) - at(age=2) - 3.0 * at()) / (2.0 * dt), lambda: (at(age=1) - at()) / dt)
        put("charm", lambda: (4.0 * slope(age=1) - slope(age=2) - 3.0 * slope()) / (2.0 * dt),
            lambda: (slope(age=1) - slope()) / dt)  # fmt: skip

    def near_by() -> None:  # it has a date the day after tomorrow
        put("theta", lambda: (at(age=1) - at(age=-1)) / (2.0 * dt), lambda: (at(age=1) - at()) / dt)
        put("charm", lambda: (slope(age=1) - slope(age=-1)) / (2.0 * dt), lambda: (slope(age=1) - slope()) / dt)

    for attempt in (fine, forward, near_by):
        try:
            attempt()
            break
        except InputError:
            if attempt is near_by:
                raise
    return out
