"""Greeks of simulated products by central bumps on the same paths, each with its standard error.

The paths of a bumped run are those of the plain one, and a scramble's difference is one observation: the standard error
is that of the mean over scrambles. The bias is of second order in the bump; a payoff that jumps has a noise that grows
as the bump shrinks, so the bumps are as large as a desk's (1% of spot, 1 vol point, 1% of rate) and can be chosen.

References
----------
Glasserman (2004), Monte Carlo Methods in Financial Engineering, section 7.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.errors import require
from research.instruments import Asian
from research.market import Snapshot
from research.pricing._bumps import bumped
from research.pricing._simulation import Settings, estimate
from research.pricing.monte_carlo import problem_of


def simulated(
    item: Any,
    model: Any,
    snapshot: Snapshot,
    *,
    which: Sequence[str],
    spot_bump: float = 0.01,
    vol_bump: float = 0.01,
    rate_bump: float = 0.01,
    days: float = 1.0,
    **options: Any,
) -> dict[str, dict[str, Any]]:
    """Greeks by name: value, std_error, error (arrays of one number) and how; Asian options have no theta, no charm.

    Parameters
    ----------
    spot_bump : float, fraction of spot
    vol_bump : float, 1/sqrt(year)
    rate_bump : float, 1/year
    days : float, calendar days for theta and charm
    options
        As for `monte_carlo`, with Sobol' points and a fixed number of paths.
    """
    require(0.0 < spot_bump < 0.5, "spot_bump", spot_bump, "lie in (0, 0.5)")
    require(0.0 < vol_bump < model.sigma, "vol_bump", vol_bump, f"lie in (0, sigma), sigma {model.sigma:g}")
    require(rate_bump > 0.0 and days > 0.0, "rate_bump", rate_bump, "be > 0, and days > 0")
    settings = Settings(**{"n_paths": 1 << 17, **options, "sampler": "sobol"})
    require(settings.std_error is None, "std_error", settings.std_error, "be left out", hint="Give n_paths.")
    known: dict[tuple[int, ...], Float1D] = {}

    def run(spot: int = 0, vol: int = 0, rate: int = 0, age: int = 0) -> Float1D:
        """Estimate of each scramble in one bumped market."""
        key = (spot, vol, rate, age)
        if key not in known:
            market = bumped(snapshot, spot=spot * spot_bump, rate=rate * rate_bump)
            problem = problem_of(item, model.sigma + vol * vol_bump, market, age=age * days / 365.0)
            known[key] = estimate(problem, settings).replicates
        return known[key]

    ds, dt = snapshot.spot * spot_bump, days / 365.0
    forms: dict[str, Callable[[], Float1D]] = {
        "value": run,
        "delta": lambda: (run(1) - run(-1)) / (2.0 * ds),
        "gamma": lambda: (run(1) - 2.0 * run() + run(-1)) / ds**2,
        "vega": lambda: (run(0, 1) - run(0, -1)) / (2.0 * vol_bump),
        "vanna": lambda: (run(1, 1) - run(1, -1) - run(-1, 1) + run(-1, -1)) / (4.0 * ds * vol_bump),
        "volga": lambda: (run(0, 1) - 2.0 * run() + run(0, -1)) / vol_bump**2,
        "rho": lambda: (run(0, 0, 1) - run(0, 0, -1)) / (2.0 * rate_bump),
        "theta": lambda: (run(age=1) - run()) / dt,
        "charm": lambda: (run(1, age=1) - run(-1, age=1) - run(1) + run(-1)) / (2.0 * ds * dt),
        "speed": lambda: (run(2) - 2.0 * run(1) + 2.0 * run(-1) - run(-2)) / (2.0 * ds**3),
    }
    out = {}
    for name in which:
        if not (isinstance(item, Asian) and name in ("theta", "charm")):
            each = forms[name]()
            spread = np.array([each.std(ddof=1) / np.sqrt(each.size)])
            value = np.array([each.mean()])
            out[name] = {"value": value, "std_error": spread, "error": 2.0 * spread, "how": "common paths"}
    return out
