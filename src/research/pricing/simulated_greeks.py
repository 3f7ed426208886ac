"""Greeks of simulated products by central bumps on the same paths, each with its standard error.

The paths of a bumped run are those of the plain one, and a scramble's difference is one observation: the standard error
is that of the mean over scrambles. The bias is of second order in the bump; a payoff that jumps has a noise that grows
as the bump shrinks, so the bumps are as large as a desk's (1% of spot, 1 vol point, 1% of rate) and can be chosen.

References
----------
Glasserman (2004), Monte Carlo Methods in Financial Engineering, section 7.1.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from research.arrays import Float1D
from research.errors import require
from research.instruments import Asian
from research.market import DiscountCurve, Snapshot
from research.pricing._simulation import Settings, estimate
from research.pricing.monte_carlo import problem_of

UNITS = {
    "value": "price", "delta": "price per unit of spot", "gamma": "delta per unit of spot",
    "vega": "price per 1.00 of vol",
    "vanna": "delta per 1.00 of vol", "volga": "vega per 1.00 of vol", "rho": "price per 1.00 of rate",
    "theta": "price per year, spot and curves unchanged",
}  # fmt: skip


def greeks(
    item: Any,
    model: Any,
    snapshot: Snapshot,
    *,
    spot_bump: float = 0.01,
    vol_bump: float = 0.01,
    rate_bump: float = 0.01,
    days: float = 1.0,
    **options: Any,
) -> pd.DataFrame:
    """Value, delta, gamma, vega, vanna, volga, rho and, for notes, theta.

    Parameters
    ----------
    spot_bump : float, fraction of spot
    vol_bump : float, 1/sqrt(year)
    rate_bump : float, 1/year
    days : float, calendar days for theta
    options
        As for `monte_carlo`, with Sobol' points and a fixed number of paths.

    Returns
    -------
    DataFrame with columns greek, value, std_error, unit
    """
    require(0.0 < spot_bump < 0.5, "spot_bump", spot_bump, "lie in (0, 0.5)")
    require(0.0 < vol_bump < model.sigma, "vol_bump", vol_bump, f"lie in (0, sigma), sigma {model.sigma:g}")
    require(rate_bump > 0.0 and days > 0.0, "rate_bump", rate_bump, "be > 0, and days > 0")
    settings = Settings(**{"n_paths": 1 << 17, **options, "sampler": "sobol"})
    require(settings.std_error is None, "std_error", settings.std_error, "be left out", hint="Give n_paths.")

    def run(spot: int = 0, vol: int = 0, rate: int = 0, age: float = 0.0) -> Float1D:
        """Estimate of each scramble in one bumped market."""
        market = replace(snapshot, spot=snapshot.spot * (1.0 + spot * spot_bump))
        if rate:
            curve = snapshot.discount
            bumped = DiscountCurve(as_of=curve.as_of, tau=curve.tau, zero_rate=curve.zero_rate + rate * rate_bump)
            market = replace(market, discount=bumped)
        sigma = model.sigma + vol * vol_bump
        return estimate(problem_of(item, sigma, market, age=age), settings).replicates

    ds, base, up, down = snapshot.spot * spot_bump, run(), run(spot=1), run(spot=-1)
    more, less = run(vol=1), run(vol=-1)
    cross = run(spot=1, vol=1) - run(spot=1, vol=-1) - run(spot=-1, vol=1) + run(spot=-1, vol=-1)
    found = {
        "value": base,
        "delta": (up - down) / (2.0 * ds),
        "gamma": (up - 2.0 * base + down) / ds**2,
        "vega": (more - less) / (2.0 * vol_bump),
        "vanna": cross / (4.0 * ds * vol_bump),
        "volga": (more - 2.0 * base + less) / vol_bump**2,
        "rho": (run(rate=1) - run(rate=-1)) / (2.0 * rate_bump),
    }
    if not isinstance(item, Asian):
        found["theta"] = (run(age=days / 365.0) - base) * 365.0 / days
    rows = [
        (name, float(each.mean()), float(each.std(ddof=1) / np.sqrt(each.size)), UNITS[name])
        for name, each in found.items()
    ]
    return pd.DataFrame(rows, columns=["greek", "value", "std_error", "unit"])
