"""Options with a barrier that is watched at every moment of a part of the life, on the grids of the dated contracts.

While it is watched the grid ends at the barrier; at the switch the two parts are joined. Three values go back together:
the option that a hit ends, one unit that a hit ends, and the option without a barrier.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from research.arrays import FloatND
from research.instruments import PartialBarrier
from research.market import Snapshot
from research.pricing._dated import Dated, call_or_put, dated_rows
from research.pricing._dated_march import paid
from research.pricing._pde_grid import share_above

_HELD_LOW, _HELD_HIGH = np.array([1.0, 0.0, 0.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0, 0.0, 0.0])


def partial(item: PartialBarrier, snapshot: Snapshot) -> Dated:
    """Its two stretches, the barrier first among the levels."""
    item.check_alive(snapshot.spot)
    times = np.array([item.switch_years(snapshot.as_of), item.years(snapshot.as_of)])
    option = call_or_put(item.is_call, item.strike)
    side = (0.0, np.inf)
    if item.watched == "start":
        side = (item.barrier, np.inf) if item.direction == "down" else (0.0, item.barrier)
    return dated_rows(times, item.strike, (option, (1.0, ()), option), first=(item.barrier,), side=side, stands=True)


def partial_march(item: PartialBarrier, dated: Dated, grid: Any) -> FloatND:
    """Value today at every node, shape (1, ..., n)."""
    level = dated.place(item.barrier)
    node = int(np.abs(grid.x - level).argmin())
    above, below = slice(node, None), slice(0, node + 1)
    sides = {"down": (above,), "up": (below,), "either": (above, below)}[item.direction]
    start, switch = item.watched == "start", int(np.flatnonzero(np.array(grid.plan.dates) == 0)[0])
    values = grid.start(dated.end(grid.x))
    for i in range(grid.plan.stops.size - 2, -1, -1):
        if start and i == switch - 1:  # a look at the barrier at the switch
            alive = share_above(grid.x, level)
            values[:2] *= alive if item.direction == "down" else 1.0 - alive
        if start == (i < switch):
            free, ended = grid.back(values[2:], i), np.zeros_like(values[:2])
            for side in sides:
                held = _HELD_LOW if side is above else _HELD_HIGH
                ended[..., side] = grid.back(values[:2][..., side], i, held, side)
            values = np.concatenate([ended, free])
        else:
            values = grid.back(values, i)
        values = paid(grid, values, i)
    out, one, option = values[:1], values[1:2], values[2:]
    df = grid.df
    if item.knock == "out":
        return out + item.rebate * (df - one)
    return option - out + item.rebate * one
