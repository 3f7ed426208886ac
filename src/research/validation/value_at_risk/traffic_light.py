"""Basel traffic light: which zone do the VaR exceptions of a year fall in, and what does it cost?

A zone is read off the cumulative binomial probability of the count under a right model: yellow from 95%, red
from 99.99%. For a 99% VaR over 250 days that gives green 0-4, yellow 5-9, red 10 and more. A multiplier on
capital goes with the count (only for 99% and 250 days). A day without a P&L or a VaR counts as an exception.

References
----------
Basel Committee (1996). Supervisory framework for the use of backtesting ..., tables 1 and 2.
Basel Committee, MAR32 (backtesting and P&L attribution) and MAR99, table 2.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from research.errors import require
from research.evidence import Evidence
from research.validation.value_at_risk._checks import (
    check_coverage,
    check_exceptions,
    check_level,
    percent,
    round_level,
)

Zone = Literal["green", "yellow", "red"]
Rule = Literal["basel_2.5", "basel_3"]

YELLOW_FROM, RED_FROM = 0.95, 0.9999  # cumulative probability at which a zone begins
BASE = {"basel_2.5": 3.0, "basel_3": 1.5}
ADD_ON = {
    "basel_2.5": (0.0, 0.0, 0.0, 0.0, 0.0, 0.40, 0.50, 0.65, 0.75, 0.85, 1.0),
    "basel_3": (0.0, 0.0, 0.0, 0.0, 0.0, 0.20, 0.26, 0.33, 0.38, 0.42, 0.50),
}
DESK_LIMIT = {0.99: 12, 0.975: 30}  # most exceptions in 12 months with which a desk keeps its approval


def traffic_light_zones(n: int, level: float) -> tuple[int, int]:
    """The first exception counts of the yellow and of the red zone, in `n` days.

    Examples
    --------
    >>> traffic_light_zones(250, 0.99)
    (5, 10)
    """
    from scipy.stats import binom

    p = check_level(level)
    require(n >= 1, "n", n, "be at least 1 day")
    below = binom.cdf(np.arange(n + 1), n, p)
    # in a very short series even no exception has probability > 95%; it is green all the same
    return max(int(np.argmax(below >= YELLOW_FROM)), 1), max(int(np.argmax(below >= RED_FROM)), 1)


def zone_probabilities(n: int, level: float, true_probability: float) -> dict[str, float]:
    """Exact probability of each zone when exceptions are independent with `true_probability`."""
    from scipy.stats import binom

    require(0.0 <= true_probability <= 1.0, "true_probability", true_probability, "lie in [0, 1]")
    yellow, red = traffic_light_zones(n, level)
    out_of_green, in_red = (
        float(binom.sf(yellow - 1, n, true_probability)),
        float(binom.sf(red - 1, n, true_probability)),
    )
    return {"green": 1.0 - out_of_green, "yellow": out_of_green - in_red, "red": in_red}


def basel_multiplier(exceptions: int, *, rule: Rule = "basel_3") -> float:
    """Capital multiplier for a count of exceptions of a 99% VaR in 250 days.

    Examples
    --------
    >>> basel_multiplier(4), basel_multiplier(5), basel_multiplier(10, rule="basel_2.5")
    (1.5, 1.7, 4.0)
    """
    require(rule in BASE, "rule", rule, f"be one of {', '.join(BASE)}")
    require(exceptions >= 0, "exceptions", exceptions, "be a count >= 0")
    return BASE[rule] + ADD_ON[rule][min(int(exceptions), 10)]


def basel_traffic_light(
    exceptions: ArrayLike, *, level: float, worst: Literal["green", "yellow"] = "yellow", alternative: float = 2.0
) -> Evidence:
    """The traffic light over a series of exceptions.

    Parameters
    ----------
    exceptions : array-like of 0 and 1, shape (n,)
    level : float
        Level of the VaR; 99% is 0.99. The rule text is for 0.99; other levels use the same probabilities.
    worst : {"green", "yellow"}, default "yellow"
        The worst zone that still passes.
    alternative : float, default 2.0
        `power` is the probability that this test fails a model with this multiple of the claimed probability.

    Returns
    -------
    Evidence
        statistic: exceptions; threshold: the most that pass; p_value: P(as many or more | right model); `details`
        has the zone, both boundaries, the probability of each zone under the right and the wrong model, and, for
        99% and 250 days, the capital multipliers.

    Examples
    --------
    >>> found = basel_traffic_light([1] * 5 + [0] * 245, level=0.99)
    >>> found.details["zone"], found.verdict, found.details["multiplier"]["basel_3"]
    ('yellow', 'pass', 1.7)
    """
    from scipy.stats import binom

    p = check_level(level)
    require(worst in ("green", "yellow"), "worst", worst, "be green or yellow")
    wrong = check_coverage(alternative, p)
    hits = check_exceptions(exceptions)
    n, x = hits.size, int(hits.sum())
    yellow, red = traffic_light_zones(n, level)
    fails_from = yellow if worst == "green" else red
    zone: Zone = "red" if x >= red else "yellow" if x >= yellow else "green"
    rule_applies = n == 250 and round_level(level) == 0.01
    return Evidence(
        test="basel_traffic_light",
        verdict="fail" if x >= fails_from else "pass",
        statistic=float(x),
        threshold=float(fails_from - 1),
        p_value=float(binom.sf(x - 1, n, p)),
        power=float(binom.sf(fails_from - 1, n, wrong)),
        n=n,
        claim=f"exceptions of the {percent(level)} VaR stay out of the {'yellow' if worst == 'green' else 'red'} zone",
        reference="Basel Committee (1996), tables 1 and 2; MAR99 table 2",
        details={
            "zone": zone,
            "exceptions": x,
            "yellow_from": yellow,
            "red_from": red,
            "cumulative_probability": float(binom.cdf(x, n, p)),
            "if_right": zone_probabilities(n, level, p),
            "if_wrong": zone_probabilities(n, level, wrong),
            "power_against": f"exception probability {wrong:.4g}",
            "multiplier": {name: basel_multiplier(x, rule=name) for name in ("basel_2.5", "basel_3")}
            if rule_applies
            else None,
        },
    )


def basel_desk_limit(exceptions: ArrayLike, *, level: float, alternative: float = 2.0) -> Evidence:
    """Does a desk keep its model approval: at most 12 exceptions at 99%, 30 at 97.5%, in the last 250 days?

    With a longer series only its last 250 days count.
    """
    from scipy.stats import binom

    p = check_level(level)
    limit = DESK_LIMIT.get(float(np.round(level, 9)))
    require(limit is not None, "level", level, "be 0.99 or 0.975", hint="The rule has limits for these two only.")
    assert limit is not None
    wrong = check_coverage(alternative, p)
    hits = check_exceptions(exceptions)[-250:]
    n, x = hits.size, int(hits.sum())
    return Evidence(
        test="basel_desk_limit",
        verdict="fail" if x > limit else "pass",
        statistic=float(x),
        threshold=float(limit),
        p_value=float(binom.sf(x - 1, n, p)),
        power=float(binom.sf(limit, n, wrong)),
        n=n,
        claim=f"at most {limit} exceptions of the {percent(level)} VaR in 250 days",
        reference="MAR32.18; CRR article 325bf(3)",
        details={"power_against": f"exception probability {wrong:.4g}"},
    )
