"""American options by simulation: Longstaff and Schwartz's rule as a lower bound, Rogers' dual as an upper one.

The option may be exercised on `n_dates` equal dates; the rule is fitted on `n_paths` paths and valued on as many
others, with the European option stopped at exercise as control. Today's exercise is looked at last. Spectral and
finite-difference engines are quicker and more accurate for one underlying; this one shows what simulation can do, and
its bounds do not rest on the regression being right.

References
----------
Longstaff & Schwartz (2001), RFS 14, 113-147; Rogers (2002), Mathematical Finance 12, 271-286.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.core.pricing.longstaff_schwartz import N_BASIS, dual_value, fit_policy, policy_value
from research.core.random import brownian, sobol
from research.errors import require
from research.instruments import American
from research.market import Snapshot
from research.models import black
from research.pricing.catalogue import Values

_KEPT = 1 << 21  # numbers of a motion that is kept: 16 MiB
_SCALES = np.array([0.9, 1.0, 1.1, 1.2])  # of the martingale; the best on the fitted paths is taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Lower and upper bound of an option that may be exercised on n_dates dates."""

    lower: float  # value of the fitted rule, price units
    lower_error: float  # its standard error
    upper: float  # nan where it was not asked for
    upper_error: float
    policy: Float2D  # rule, shape (n_dates, 4): see core.pricing.longstaff_schwartz


def _unit_motion(seed: int, first: int, n_paths: int, n_dates: int) -> Float2D:
    """Motion at times 1, 2, ..., n_dates; a function of its arguments: the last ones are kept for the next option."""
    out = np.empty((n_dates, n_paths))
    nothing = np.zeros((0, sobol.COLUMNS), dtype=np.int64)
    plan = brownian.plan(np.arange(1.0, n_dates + 1.0), False)
    brownian.brownian_paths(nothing, seed, first, 256, *plan, out)
    out.flags.writeable = False
    return out


_kept = functools.lru_cache(maxsize=4)(_unit_motion)


def _motion(seed: int, first: int, n_paths: int, variance: Float1D) -> Float2D:
    """Motion at equal steps of variance, shape (n_dates, n_paths)."""
    n = variance.size
    unit = (_kept if n * n_paths <= _KEPT else _unit_motion)(seed, first, n_paths, n)
    out: Float2D = unit * np.sqrt(variance[-1] / n)
    return out


def bounds(
    item: American,
    model: Any,
    snapshot: Snapshot,
    *,
    n_paths: int = 10_000,
    n_dates: int = 50,
    seed: int = 1,
    upper: bool = True,
) -> Bounds:
    """Bounds of an American option under one volatility, exercised on n_dates equal dates or today.

    n_paths : int
        To fit, and as many again to value.
    """
    require(100 <= n_paths <= 10_000_000, "n_paths", n_paths, "lie in [100, 10000000]")
    require(1 <= n_dates <= 5000, "n_dates", n_dates, "lie in [1, 5000]")
    require(isinstance(item, American), "instrument", type(item).__name__, "be American")
    tau = item.years(snapshot.as_of)
    require(tau > 0.0, "tau", tau, "be > 0 years")
    sigma, sign, k = max(model.sigma, 1e-8), 1.0 if item.is_call else -1.0, item.strike
    times = tau * np.arange(1, n_dates + 1) / n_dates
    dates = np.column_stack((snapshot.forward(times), sigma * sigma * times, snapshot.discount.df(times)))
    terms = np.array([k, sign])
    policy, sums = np.empty((n_dates, N_BASIS)), np.empty(6)
    fitted, fresh = _motion(seed, 0, n_paths, dates[:, 1]), _motion(seed, n_paths, n_paths, dates[:, 1])
    fit_policy(fitted, dates, terms, policy)
    policy_value(fresh, dates, terms, policy, sums)
    std = sigma * np.sqrt(tau)
    european = float(black.price(dates[-1, 0], k, 1.0, std, df=dates[-1, 2], is_call=item.is_call)) / k
    m = sums / n_paths
    spread, joint = max(m[4] - m[2] ** 2, 0.0), m[3] - m[0] * m[2]
    slope = joint / spread if spread > 1e-14 * m[4] else 0.0
    lower = float(m[0] - slope * (m[2] - european))
    rest = max(m[1] - m[0] ** 2 - 2.0 * slope * joint + slope**2 * spread, 0.0)
    now = max(sign * (snapshot.spot / k - 1.0), 0.0)
    top, top_error = float("nan"), float("nan")
    if upper:
        trial, final = np.empty((_SCALES.size, 2)), np.empty((1, 2))
        dual_value(fitted, dates, terms, european, _SCALES, trial)
        best = _SCALES[[int(np.argmin(trial[:, 0]))]]
        dual_value(fresh, dates, terms, european, best, final)
        top = float(final[0, 0] / n_paths)
        top_error = float(np.sqrt(max(final[0, 1] / n_paths - top * top, 0.0) / n_paths))
        top = max(top, now)
    return Bounds(
        lower=k * max(lower, now),
        lower_error=k * float(np.sqrt(rest / n_paths)),
        upper=k * top,
        upper_error=k * top_error,
        policy=policy,
    )


OPTIONS = (bounds,)  # what `value` takes


def value(items: Sequence[American], model: Any, snapshot: Snapshot, **options: Any) -> Values:
    """The engine's door for `pricing.price`: the lower bound; error is its distance to the upper one."""
    found = [bounds(item, model, snapshot, **options) for item in items]
    lower, error = np.array([b.lower for b in found]), np.array([b.lower_error for b in found])
    gap = np.array([b.upper - b.lower for b in found])
    return Values(lower, error, np.where(np.isnan(gap), 2.0 * error, np.maximum(gap, 0.0) + 2.0 * error))
