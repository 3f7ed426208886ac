"""Asian options as tables of the simulation, and the geometric ones in closed form."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from research.arrays import Float1D, Float2D
from research.core.pricing._moments import N_BASE
from research.core.pricing.asian import asian_tasks
from research.errors import require
from research.instruments import Asian
from research.market import Snapshot
from research.pricing._simulation import Problem


def _parts(item: Asian, sigma: float, snapshot: Snapshot, age: float = 0.0) -> tuple[Float1D, Float2D, Float1D]:
    """(variance times, fixings, terms) of core.pricing.asian; `age` shifts the day by years, curves unchanged."""
    times = item.years(snapshot.as_of) - age
    require(bool(times[0] > 0.0), "fixings", float(times[0] + age), "lie later than the days of theta",
            hint="Leave theta and charm out of `which`.")  # fmt: skip
    n = times.size + item.n_fixed
    fixings = np.column_stack((snapshot.forward(times), sigma * sigma * times, np.full(times.size, 1.0 / n)))
    past = item.n_fixed * item.fixed_mean / n
    df = snapshot.discount.df(float(times[-1]))
    if item.strike is None:  # S - A - past
        terms = np.array([df, past, 1.0 if item.is_call else -1.0, 1.0])
    else:
        terms = np.array([df, item.strike - past, 1.0 if item.is_call else -1.0, 0.0])
    return sigma * sigma * times, fixings, terms


def geometric_value(fixings: Float2D, terms: Float1D) -> float:
    """Present value of the option on the geometric average, or on S less it (then terms[1] must be 0).

    log G is normal with the variance sum of a_i a_j min(v_i, v_j) / g^2 (Kemna and Vorst 1990; Margrabe 1978).
    """
    forward, v, a = fixings.T
    g, last = a.sum(), fixings[-1]
    share = a / g
    spread = float(share @ np.minimum.outer(v, v) @ share)
    mean = float(g * np.exp(share @ (np.log(forward) - 0.5 * v) + 0.5 * spread))
    df, strike, sign, kind = terms
    if kind == 1.0:
        std = np.sqrt(max(last[1] + spread - 2.0 * float(share @ v), 0.0))
        return _black(last[0], mean, std, df, sign)
    return _black(mean, strike, np.sqrt(spread), df, sign)


def _black(forward: float, strike: float, std: float, df: float, sign: float) -> float:
    """Black's formula; a strike at or below 0 is always passed."""
    if strike <= 0.0:
        return float(df * max(sign, 0.0) * (forward - strike))
    if std <= 0.0:
        return float(df * max(sign * (forward - strike), 0.0))
    d1 = math.log(forward / strike) / std + 0.5 * std
    return float(df * sign * (forward * ndtr(sign * d1) - strike * ndtr(sign * (d1 - std))))


def problem(item: Asian, sigma: float, snapshot: Snapshot, age: float = 0.0) -> Problem:
    """The simulation of an arithmetic Asian option; controls: its geometric twin, and the average itself."""
    variance, fixings, terms = _parts(item, sigma, snapshot, age)
    seasoned_strike = item.strike is None and item.n_fixed > 0  # then the twin has no closed form

    def run(tables, seed, rows, order, weights, out):  # type: ignore[no-untyped-def]
        asian_tasks(tables, seed, rows, order, weights, fixings, terms, out)

    average = float(fixings[:, 0] @ fixings[:, 2])
    twin = float("nan") if seasoned_strike else geometric_value(fixings, terms)
    return Problem(variance=variance, run=run, n_moments=N_BASE, controls=(twin, average))


def closed_form(item: Asian, sigma: float, snapshot: Snapshot, age: float = 0.0) -> float | None:
    """The value of a geometric Asian option; None for an arithmetic one."""
    if item.average == "arithmetic":
        return None
    _, fixings, terms = _parts(item, sigma, snapshot, age)
    return geometric_value(fixings, terms)
