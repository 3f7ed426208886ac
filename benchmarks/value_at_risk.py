"""GARCH(1,1) estimation and the rolling value-at-risk backtest, beside `arch` and pandas, on the same returns.

The peers do the same work: the same first variance in the likelihood, the same windows and refit days, the same
order statistic. Agreement stands beside the time. Ours is timed through the public functions, frames included.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

FIT = "GARCH(1,1) fit, 2,500 returns, with robust errors"
ROLL = "GARCH VaR of 4,030 days, 192 refits on 1,000 days"
QUANTILE = "rolling 500-day 99% VaR and ES, 100 series of 2,500 days"


def returns() -> np.ndarray:
    """Daily S&P 500 returns 1999-2018 as shipped in arch; without arch, a simulated series of that length."""
    try:
        from arch.data import sp500

        close = sp500.load()["Close"].to_numpy()
        return close[1:] / close[:-1] - 1.0
    except ImportError:
        rng, h, out = np.random.default_rng(9), 1e-4, np.empty(5030)
        for t in range(out.size):
            out[t] = np.sqrt(h) * rng.standard_t(6) / np.sqrt(1.5)
            h = 2e-6 + 0.08 * out[t] ** 2 + 0.9 * h
        return out


def timed(call: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    """Fastest of `repeat` calls after one that is not counted, and the result."""
    result, best = call(), np.inf
    for _ in range(repeat):
        began = perf_counter()
        result = call()
        best = min(best, perf_counter() - began)
    return best, result


def row(name: str, seconds: float, accuracy: str, what: str, peer: bool) -> dict[str, Any]:
    return {"name": name, "seconds": seconds, "accuracy": accuracy, "what": what, "peer": peer}


def arch_fit(x: np.ndarray, past: float) -> Any:
    """arch's fit in percent, as it asks for, with `past` for the unseen first variance."""
    from arch import arch_model

    model = arch_model(100.0 * x, mean="Constant", vol="GARCH", p=1, q=1, rescale=False)
    return model.fit(disp="off", show_warning=False, backcast=1e4 * past)


def single_fit(x: np.ndarray) -> list[dict[str, Any]]:
    from research.calibration import fit
    from research.models.garch import GARCH, log_likelihood

    past = float(np.var(x))
    seconds, ours = timed(lambda: fit(GARCH, x, initial=past), 20)
    value = log_likelihood(x, ours.model, initial=past)
    rows = [row("research", seconds, f"log-likelihood {value:.6f}", FIT, False)]
    try:
        seconds, theirs = timed(lambda: (f := arch_fit(x, past), f.std_err)[0], 5)
    except ImportError:
        return rows
    unit = np.array([1e-2, 1e-4, 1.0, 1.0])
    gap = np.abs(theirs.params.to_numpy() * unit / ours.parameters["value"].to_numpy() - 1.0).max()
    text = f"log-likelihood {theirs.loglikelihood + x.size * np.log(100.0):.6f}, parameters within {gap:.1e}"
    return [*rows, row("arch", seconds, text, FIT, True)]


def rolling(x: np.ndarray) -> list[dict[str, Any]]:
    from statistics import NormalDist

    from research import backtest

    def ours() -> np.ndarray:
        found = backtest.value_at_risk(x, methods=["garch"], levels=[0.99])
        return found.frame["value_at_risk"].to_numpy()

    def theirs() -> np.ndarray:
        out, quantile = [], NormalDist().inv_cdf(0.99)
        for begin in range(1000, x.size, 21):
            window = x[begin - 1000 : begin]
            # arch takes a number for the past: the mean square around the mean, ours moves with mu
            found = arch_fit(window, float(np.var(window)))
            mu, omega, alpha, beta = found.params.to_numpy() * [1e-2, 1e-4, 1.0, 1.0]
            h = omega + alpha * (x[begin - 1] - mu) ** 2 + beta * (found.conditional_volatility[-1] / 100.0) ** 2
            for t in range(begin, min(begin + 21, x.size)):
                out.append(quantile * np.sqrt(h) - mu)
                h = omega + alpha * (x[t] - mu) ** 2 + beta * h
        return np.array(out)

    seconds, mine = timed(ours, 3)
    rows = [row("research", seconds, f"{(-x[1000:] > mine).sum()} exceptions", ROLL, False)]
    try:
        seconds, other = timed(theirs, 1)
    except ImportError:
        return rows
    apart = np.abs(other / mine - 1.0)
    text = (
        f"{(-x[1000:] > other).sum()} exceptions, VaR apart by median {np.median(apart):.1e}, largest {apart.max():.1e}"
    )
    return [*rows, row("arch, refit loop", seconds, text, ROLL, True)]


def quantiles() -> list[dict[str, Any]]:
    import pandas as pd

    from research.risk import Settings
    from research.risk.forecasts import tails

    series = np.random.default_rng(1).standard_t(4, (100, 2500)) * 0.01
    levels, settings = np.array([0.99]), Settings()
    window = np.lib.stride_tricks.sliding_window_view(series[0, :-1], 500)
    low = np.sort(window, axis=1)[:, :5]
    truth = np.stack([-low[:, 4], -low.mean(axis=1)])

    def ours() -> np.ndarray:
        found = [tails(x, 500, 2500, levels, "historical", settings)[:2] for x in series]
        return np.array(found)[:, :, :, 0]

    def pandas() -> Any:
        rolls = pd.DataFrame(series.T).rolling(500)
        return -rolls.quantile(4 / 499, interpolation="nearest").to_numpy()[499:-1].T

    def numpy() -> np.ndarray:
        out = []
        for x in series:
            five = np.partition(np.lib.stride_tricks.sliding_window_view(x[:-1], 500), 4, axis=1)[:, :5]
            out.append([-five.max(axis=1), -five.mean(axis=1)])
        return np.array(out)

    rows = []
    for name, call, repeat, peer in (
        ("research", ours, 5, False),
        ("pandas rolling.quantile, VaR only", pandas, 2, True),
        ("numpy partition of windows", numpy, 1, True),
    ):
        seconds, found = timed(call, repeat)
        gap = np.abs(found[0] - (truth if found[0].ndim == 2 else truth[0])).max()
        rows.append(row(name, seconds, f"within {gap:.0e} of sorting", QUANTILE, peer))
    return rows


def run() -> list[dict[str, Any]]:
    """All rows: ours and the peers'."""
    x = returns()
    return single_fit(x[-2500:]) + rolling(x) + quantiles()


def main() -> None:
    """Print the rows."""
    for item in run():
        print(f"{item['what']:<58} {item['name']:<34} {1e3 * item['seconds']:>10.2f} ms   {item['accuracy']}")


if __name__ == "__main__":
    main()
