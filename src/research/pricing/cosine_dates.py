"""Early exercise by cosine series: Bermudan and American options under Black-Scholes, Merton, Variance Gamma.

A `Bermudan` is the recursion of `cosine_series` over its dates: no error but the bounded ones of range and terms. All
strikes of a schedule share one recursion, as the price over the strike is all that counts.

An `American` option is extrapolated from four Bermudans of 8, 16, 32 and 64 dates at times tau (j / n)^2: the dates
crowd towards today, so that a spot near the exercise boundary sees it. What a Bermudan lacks falls with 1 / n, but
the next terms with n^(-3/2) and n^(-2), as the boundary starts like a root at expiry; Fang and Oosterlee's equal steps
and whole powers (2009, eq. 76) leave ten times as much near the boundary (tests/pricing/test_cosine_american.py
measures both). The stated error is the sum of the distances to the same from 4, 8, 16, 32 dates, to one term less and
to their equation: two of the three vanish by chance where the terms change sign.

References
----------
Fang & Oosterlee (2009), "Pricing early-exercise and discrete barrier options by Fourier-cosine series expansions",
Numerische Mathematik 114, 27-62.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.instruments import American, Bermudan
from research.market import Snapshot
from research.pricing.catalogue import Values
from research.pricing.cosine_law import law_of
from research.pricing.cosine_plan import LOOSE, TIGHT, dates_of, evaluated, planned

LEVELS = (4, 8, 16, 32, 64)  # dates of the Bermudans that an American option is extrapolated from
POWERS = (1.0, 1.5, 2.0)  # of 1 / n in what they lack
WHOLE = (1.0, 2.0, 3.0)  # as Fang and Oosterlee take it
Jets = tuple[Float2D, Float2D]  # values and derivatives by y, and errors of each, shape (order + 1, m)


def weights(powers: Sequence[float]) -> Float1D:
    """Weights of values at n, 2n, 4n, ... that leave out terms of these powers of 1 / n.

    Examples
    --------
    >>> (21.0 * weights((1.0, 2.0, 3.0))).round(10).tolist()  # Fang and Oosterlee's eq. 76
    [-1.0, 14.0, -56.0, 64.0]
    """
    n = len(powers) + 1
    rows = np.array([[1.0] * n, *([2.0 ** (-power * i) for i in range(n)] for power in powers)])
    out: Float1D = np.linalg.solve(rows, np.eye(n)[0])
    return out


def bermudan_jets(model: Any, snapshot: Snapshot, times: Any, is_call: bool, y: Float1D, order: int = 0) -> Jets:
    """Of options that may be exercised at `times` > 0, in strikes (calls: in spots), at y (see `cosine_plan`)."""
    law = law_of(model).dual() if is_call else law_of(model)
    problem, left = planned(law, dates_of(times, snapshot, is_call), y, "exercise", tolerance=TIGHT)
    return evaluated(problem, left, y, order)


def american_jets(model: Any, snapshot: Snapshot, tau: float, is_call: bool, y: Float1D, order: int = 0) -> Jets:
    """Of American options, extrapolated; without the right to exercise today."""
    law = law_of(model).dual() if is_call else law_of(model)
    found, error = [], np.zeros((order + 1, y.size))
    for n in LEVELS:
        times = tau * (np.arange(1, n + 1) / n) ** 2
        problem, left = planned(law, dates_of(times, snapshot, is_call), y, "exercise", tolerance=LOOSE)
        value, gap = evaluated(problem, left, y, order)
        found.append(value)
        error = np.maximum(error, gap)
    levels = np.array(found)
    fine, less = weights(POWERS), weights(POWERS[:-1])
    out = np.tensordot(fine, levels[1:], 1)
    before, fewer = np.tensordot(fine, levels[:-1], 1), np.tensordot(less, levels[2:], 1)
    whole = np.tensordot(weights(WHOLE), levels[1:], 1)
    apart = np.abs(out - before) + np.abs(out - fewer) + np.abs(out - whole)
    return out, apart + float(np.abs(fine).sum()) * error


def by_schedule(
    items: Sequence[Any], times: Sequence[tuple[float, ...]], snapshot: Snapshot,
    jets: Callable[[tuple[float, ...], bool, Float1D], Jets],
) -> tuple[Float1D, Float1D]:  # fmt: skip
    """Values and errors of options that may be exercised today where a time is 0, one recursion a schedule and side."""
    spot = snapshot.spot
    value, error = np.zeros(len(items)), np.zeros(len(items))
    groups: dict[tuple[tuple[float, ...], bool], list[int]] = {}
    for i, item in enumerate(items):
        groups.setdefault((tuple(times[i]), bool(item.is_call)), []).append(i)
    for (when, is_call), at in groups.items():
        strike = np.array([items[i].strike for i in at])
        now = np.maximum((1.0 if is_call else -1.0) * (spot - strike), 0.0)
        later = tuple(t for t in when if t > 0.0)
        if not later:
            value[at] = now
            continue
        y = np.log(strike / spot) if is_call else np.log(spot / strike)
        found, gap = jets(later, is_call, y)
        unit = spot if is_call else strike
        value[at] = np.maximum(unit * found[0], now if len(later) < len(when) else 0.0)
        error[at] = unit * gap[0]
    return value, error


def bermudans(items: Sequence[Bermudan], model: Any, snapshot: Snapshot) -> Values:
    """Engine: Bermudan options."""
    times = [item.exercise_times(snapshot.as_of) for item in items]

    def jets(when: tuple[float, ...], is_call: bool, y: Float1D) -> Jets:
        return bermudan_jets(model, snapshot, when, is_call, y)

    value, error = by_schedule(items, times, snapshot, jets)
    return Values(value, np.zeros_like(value), error)


def americans(items: Sequence[American], model: Any, snapshot: Snapshot) -> Values:
    """Engine: American options."""
    times = [(0.0, item.years(snapshot.as_of)) for item in items]

    def jets(when: tuple[float, ...], is_call: bool, y: Float1D) -> Jets:
        return american_jets(model, snapshot, when[-1], is_call, y)

    value, error = by_schedule(items, times, snapshot, jets)
    return Values(value, np.zeros_like(value), error)
