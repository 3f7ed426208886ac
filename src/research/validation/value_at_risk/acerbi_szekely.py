"""Acerbi and Szekely (2014), test 2: is the expected shortfall deep enough?

    Z = 1 - 1 / (n p) * sum over exceptions of loss_t / ES_t,     p = 1 - level

has mean 0 under a right model and is negative when risk is understated. Its law depends on the tail only weakly;
it is simulated here with Student-t losses (seeded, standard error given), as in the paper, where the 5% point for
250 days at 97.5% is about -0.70 for any tail but the heaviest.

References
----------
Acerbi, C. and Szekely, B. (2014). Backtesting expected shortfall. Risk, December.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from research.errors import require, require_all
from research.evidence import Evidence
from research.validation.value_at_risk._checks import check_level, check_size, percent

GRID = 16384  # points that stand for the tail


@lru_cache(maxsize=64)
def _tail(probability: float, tail_df: float, scale: float) -> tuple[float, NDArray[np.float64]]:
    """Exception probability when losses are `scale` times the model's, and loss / ES on a grid of that tail."""
    from scipy.stats import t

    quantile = float(t.ppf(probability, tail_df))
    shortfall = float(t.pdf(quantile, tail_df) / probability * (tail_df + quantile**2) / (tail_df - 1.0))
    true_probability = float(t.cdf(quantile / scale, tail_df))
    middles = (np.arange(GRID) + 0.5) / GRID * true_probability
    ratio = -scale * t.ppf(middles, tail_df) / shortfall
    ratio.flags.writeable = False
    return true_probability, ratio


def _simulate(n: int, p: float, tail_df: float, scale: float, n_paths: int, seed: int) -> NDArray[np.float64]:
    rng = np.random.Generator(np.random.Philox(seed))
    true_probability, ratio = _tail(p, tail_df, scale)
    count = rng.binomial(n, true_probability, n_paths)
    draws = ratio[rng.integers(0, GRID, int(count.sum()))]
    total = np.concatenate([[0.0], np.cumsum(draws)])
    ends = np.cumsum(count)
    out: NDArray[np.float64] = 1.0 - (total[ends] - total[ends - count]) / (n * p)
    return out


def acerbi_szekely(
    returns: ArrayLike,
    value_at_risk: ArrayLike,
    expected_shortfall: ArrayLike,
    *,
    level: float,
    size: float = 0.05,
    tail_df: float = 5.0,
    alternative: float = 1.25,
    n_paths: int = 20_000,
    seed: int = 20260630,
) -> Evidence:
    """Test of the expected shortfall together with its VaR.

    Parameters
    ----------
    returns : array-like, decimal, shape (n,)
    value_at_risk, expected_shortfall : array-like, decimal, positive = loss, shape (n,)
        Forecasts made before each return.
    level : float
        Level of both; 97.5% is 0.975.
    size : float, default 0.05
    tail_df : float, default 5.0
        Degrees of freedom of the Student-t losses under which threshold, p-value and power are simulated.
    alternative : float, default 1.25
        `power` is against losses this many times as large as the model says.
    n_paths, seed : int
        Of the simulation; `details` has the standard errors.
    """
    p = check_level(level)
    check_size(size)
    require(tail_df > 1.0, "tail_df", tail_df, "be > 1", hint="Below, the expected shortfall is infinite.")
    require(alternative > 0.0, "alternative", alternative, "be > 0")
    require(n_paths >= 1000, "n_paths", n_paths, "be at least 1000")
    r, q, shortfall = (np.asarray(v, dtype=np.float64) for v in (returns, value_at_risk, expected_shortfall))
    require(r.ndim == 1 and r.size >= 2, "returns", r.shape, "have one dimension and at least 2 days")
    require(r.shape == q.shape == shortfall.shape, "value_at_risk", q.shape, f"have the shape of returns, {r.shape}")
    require_all(np.isfinite(r) & np.isfinite(q), "returns", r, "be finite, and so must value_at_risk")
    require_all(shortfall > 0.0, "expected_shortfall", shortfall, "be > 0", hint="A loss is a positive number here.")
    hits = -r > q
    n = r.size
    statistic = float(1.0 + (r[hits] / shortfall[hits]).sum() / (n * p))
    null = _simulate(n, p, tail_df, 1.0, n_paths, seed)
    other = _simulate(n, p, tail_df, alternative, n_paths, seed + 1)
    threshold = float(np.quantile(null, size))
    # the observed value counts as one draw, so that no p-value is zero
    p_value = float((1 + (null <= statistic).sum()) / (1 + n_paths))
    power = float((other < threshold).mean())
    return Evidence(
        test="acerbi_szekely",
        verdict="fail" if statistic < threshold else "pass",
        statistic=statistic,
        threshold=threshold,
        p_value=p_value,
        power=power,
        n=n,
        claim=f"losses beyond the {percent(level)} VaR are as frequent and as large as its expected shortfall says",
        reference="Acerbi and Szekely (2014), test 2",
        details={
            "exceptions": int(hits.sum()),
            "p_value_se": float(np.sqrt(p_value * (1.0 - p_value) / n_paths)),
            "power_se": float(np.sqrt(power * (1.0 - power) / n_paths)),
            "power_against": f"losses {alternative:g} times as large",
            "tail_df": tail_df,
            "seed": seed,
        },
    )
