"""All bucket sensitivities of one path-dependent contract: a sweep backwards beside bumps on common paths.

| work | sensitivities |
|---|---|
| Asian option, 52 weekly fixings, 12 monthly vols | 12 vegas, 52 deltas by forward |
| up-and-in call under Heston, watched at every moment by bridges | 5 parameters of the model |

Bumps are two simulations a sensitivity on the same points, what a desk does without derivatives; where a row scales, a
few were timed. Accuracy is the standard error of the first vega (of the derivative by v0), and how many prices a sweep
takes. The distance of the two is said in standard errors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from timing import row, timed

N_PATHS = 1 << 15
BUCKETS = "Asian of 52 fixings: 12 vegas and 52 deltas by forward, 32,768 paths"
HESTON = "up-and-in call under Heston: by 5 parameters, 32,768 paths"
STEP = 0.01


def bumps(price: Callable[[Any], Any], model: Any, moved: list[tuple[Any, Any, float]]) -> list[Any]:
    """Replicates of each central difference; a row is (higher model, lower model, distance)."""
    return [(price(up) - price(down)) / width for up, down, width in moved]


def compared(name: str, what: str, item: Any, model: Any, snapshot: Any, moved: Any, first: str, scale: float) -> Any:
    from research.pricing import adjoint
    from research.pricing.paths import engine

    def price(one: Any) -> Any:
        return engine.simulate(item, one, snapshot, n_paths=N_PATHS, check_scheme=False).replicates

    alone, _ = timed(lambda: price(model), 3)
    ours, frame = timed(lambda: adjoint(item, model, snapshot, n_paths=N_PATHS), 3)
    seconds, each = timed(lambda: bumps(price, model, moved), 1)
    found = frame[(frame.greek == first) & (frame.tau.notna() | first.startswith("by_"))].iloc[0]
    spread = float(each[0].std(ddof=1) / np.sqrt(each[0].size))
    off = (float(found.value) - float(each[0].mean())) / np.hypot(float(found.std_error), spread)
    size, error = float(found.value), float(found.std_error)
    told = f"standard error {error:.1e} of {size:.4g}; {ours / alone:.1f} prices; {off:+.1f} s.e."
    return [
        row(f"research: one sweep ({name})", ours, told, what, False),
        row("research: bumps on common paths", seconds * scale, f"standard error {spread:.1e}", what, True),
    ]


def run() -> list[dict[str, Any]]:
    from research.instruments import Asian, Barrier
    from research.market import flat_snapshot
    from research.models import BlackTermStructure, Heston

    snapshot = flat_snapshot(spot=100.0, rate=0.03, dividend_yield=0.01)
    months = tuple(k / 12 for k in range(1, 13))
    rising = BlackTermStructure(tau=months, implied=tuple(0.2 + 0.002 * k for k in range(12)))
    asian = Asian(fixings=tuple(k / 52 for k in range(1, 53)), strike=100.0)
    ends = [tuple(v + s * 1e-3 * (k == 0) for k, v in enumerate(rising.implied)) for s in (1.0, -1.0)]
    vega = (replace(rising, implied=ends[0]), replace(rising, implied=ends[1]), 2e-3)
    heston = Heston(v0=0.04, kappa=1.5, theta=0.05, sigma=0.5, rho=-0.7)
    names = ("v0", "kappa", "theta", "sigma", "rho")
    moved = []
    for name in names:
        at, h = getattr(heston, name), STEP * abs(getattr(heston, name))
        moved.append((replace(heston, **{name: at + h}), replace(heston, **{name: at - h}), 2.0 * h))
    knock = Barrier(strike=100.0, barrier=115.0, direction="up", knock="in", tau=1.0)
    return [
        *compared("12 expiries, 52 forwards", BUCKETS, asian, rising, snapshot, [vega], "vega", 64.0),
        *compared("5 parameters", HESTON, knock, heston, snapshot, moved, "by_v0", 1.0),
    ]
