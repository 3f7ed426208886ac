"""Monte Carlo under Black-Scholes beside naive numba loops and QuantLib, on the same contracts in one run.

Spot and strike 100, rate 3%, yield 1%, vol 25%, one year of 252 daily steps. The snowball: monthly knock-out at 103
from month three, coupon 15% a year, daily knock-in at 75, loss as a put at maturity; its exact value, 98.60896, is by
backward quadrature (tests/pricing/monte_carlo/twins.py). "To 1 bp" is the time to a standard error of 0.01 on 100:
time * (standard error in bp)^2, for ours of a run that reaches it.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

import numba
import numpy as np
from timing import row, timed

S0, K, R, Q, V, T, M, N = 100.0, 100.0, 0.03, 0.01, 0.25, 1.0, 252, 100_000
DT = T / M
MU, SD = (R - Q - 0.5 * V * V) * DT, V * math.sqrt(DT)
EXACT = 98.60896
PATHS = "GBM, 1e5 paths x 252 steps, arithmetic Asian on each"
SNOW, ASIAN = "snowball to a standard error of 1 bp", "arithmetic Asian, 252 fixings, to 1 bp"


@numba.njit(fastmath=True)
def naive(snowball, n, rng):  # type: ignore[no-untyped-def]
    """One path after the other, NumPy's generator inside the loop: sum and sum of squares of the values."""
    total, squares = 0.0, 0.0
    for _ in range(n):
        s, mean, called, inside = S0, 0.0, -1, False
        for j in range(1, M + 1):
            s *= math.exp(MU + SD * rng.standard_normal())
            mean += s
            if snowball:
                inside = inside or s < 75.0
                if j >= 63 and (j - 63) % 21 == 0 and s >= 103.0:
                    called = j
                    break
        if not snowball:
            x = math.exp(-R * T) * max(mean / M - K, 0.0)
        elif called > 0:
            x = 100 * (1 + 0.15 * called * DT) * math.exp(-R * called * DT)
        else:
            x = 100 * math.exp(-R * T) * (min(s / S0, 1.0) if inside else 1 + 0.15 * T)
        total += x
        squares += x * x
    return total / n, math.sqrt((squares / n - (total / n) ** 2) / n)


def naive_rows() -> list[dict[str, Any]]:
    rng = np.random.default_rng(7)
    rows = []
    for snowball, whats in ((False, (PATHS, ASIAN)), (True, (SNOW,))):
        seconds, (value, error) = timed(lambda s=snowball: naive(s, N, rng), 3)
        said = f"{value:.4f}, standard error {100 * error:.2f} bp with 1e5 paths"
        for what in whats:
            scale = 1.0 if what == PATHS else (100 * error) ** 2
            rows.append(row("numba loop, NumPy's generator, 1 thread", seconds * scale, said, what, True))
    return rows


def ours() -> list[dict[str, Any]]:
    from research.instruments import Asian, Autocallable
    from research.market import flat_snapshot
    from research.models import BlackScholes
    from research.pricing import price

    model, market = BlackScholes(sigma=V), flat_snapshot(spot=S0, rate=R, dividend_yield=Q)
    asian = Asian(fixings=tuple(j / M for j in range(1, M + 1)), strike=K)
    snowball = Autocallable(
        initial=S0, observations=tuple(j / M for j in range(63, M + 1, 21)), knock_out=1.03, coupon=0.15, knock_in=0.75
    )
    rows = []
    threads = numba.get_num_threads()
    for used in sorted({1, threads}):
        numba.set_num_threads(used)
        plain: dict[str, Any] = {"sampler": "philox", "control": False}
        seconds, found = timed(lambda o=plain: price(asian, model, market, n_paths=N, **o), 7)
        said = f"{found.value:.4f}, standard error {100 * found.std_error:.2f} bp"
        rows.append(row(f"research, Philox, threads: {used}", seconds, said, PATHS, False))
        for what, contract, exact, options in (
            (SNOW, snowball, EXACT, {}),
            (ASIAN, asian, math.nan, {"sampler": "philox", "antithetic": True}),
        ):
            seconds, found = timed(
                lambda c=contract, o=options: price(c, model, market, std_error=0.01, seed=3, **o), 15
            )
            miss = "" if math.isnan(exact) else f", {(found.value - exact) / found.std_error:+.1f} of them from exact"
            said = f"{found.value:.4f}, standard error {100 * found.std_error:.2f} bp{miss}"
            rows.append(row(f"research, threads: {used}", seconds, said, what, False))
    numba.set_num_threads(threads)
    return rows


def quantlib() -> list[dict[str, Any]]:
    try:
        import QuantLib as ql
    except ImportError:
        return []
    today, day_count = ql.Date(1, 1, 2024), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(S0)),
        ql.YieldTermStructureHandle(ql.FlatForward(today, Q, day_count)),
        ql.YieldTermStructureHandle(ql.FlatForward(today, R, day_count)),
        ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), V, day_count)),
    )
    fixings = [today + round(365 * j / M) for j in range(1, M + 1)]
    payoff, exercise = ql.PlainVanillaPayoff(ql.Option.Call, K), ql.EuropeanExercise(today + 365)
    option = ql.DiscreteAveragingAsianOption(ql.Average.Arithmetic, 0.0, 0, fixings, payoff, exercise)
    rows = []
    for control, whats, n in ((False, (PATHS,), 20_000), (True, (ASIAN,), 20_000)):

        def call(control: bool = control, n: int = n) -> tuple[float, float]:
            engine = ql.MCDiscreteArithmeticAPEngine(
                process, "pseudorandom", requiredSamples=n, seed=42, controlVariate=control
            )
            option.setPricingEngine(engine)
            return option.NPV(), option.errorEstimate()

        seconds, (value, error) = timed(call, 1)
        said = f"{value:.4f}, standard error {100 * error:.2f} bp with {n} paths, scaled"
        for what in whats:
            scale = N / n if what == PATHS else (100 * error) ** 2
            rows.append(row(f"QuantLib {ql.__version__}", seconds * scale, said, what, True))
    return rows


CASES = [(s, v, t) for s in (36.0, 38.0, 40.0, 42.0, 44.0) for v in (0.2, 0.4) for t in (1, 2)]
AMERICAN = "20 American puts, Longstaff-Schwartz, 1e4 paths, 50 dates a year"
TABLE = Path(__file__).resolve().parents[1] / "tests" / "reference" / "longstaff_schwartz_2001.csv"


def american() -> list[dict[str, Any]]:
    """Table 1 of Longstaff and Schwartz (2001); accuracy is the largest distance to its finite differences."""
    from research.instruments import American
    from research.market import flat_snapshot
    from research.models import BlackScholes
    from research.pricing.longstaff_schwartz import bounds

    exact = np.loadtxt(TABLE, delimiter=",", skiprows=2)[:, 3]

    def one(case: tuple[float, float, int]) -> float:
        s, v, t = case
        found = bounds(
            American(strike=40.0, tau=float(t)), BlackScholes(sigma=v), flat_snapshot(spot=s, rate=0.06),
            n_paths=10_000, n_dates=50 * t, upper=False,
        )  # fmt: skip
        return found.lower

    rows = []
    for threads in sorted({1, numba.get_num_threads()}):
        with ThreadPoolExecutor(threads) as pool:
            seconds, found = timed(lambda pool=pool: list(pool.map(one, CASES)), 5)  # type: ignore[misc]
        said = f"largest error {np.abs(np.array(found) - exact).max():.3f}; 10,000 paths to fit, 10,000 to value"
        rows.append(row(f"research, threads: {threads}", seconds, said, AMERICAN, False))
    try:
        import QuantLib as ql
    except ImportError:
        return rows
    today, day_count = ql.Date(1, 1, 2024), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today

    def theirs() -> Any:
        values = []
        for s, v, t in CASES:
            process = ql.BlackScholesProcess(
                ql.QuoteHandle(ql.SimpleQuote(s)),
                ql.YieldTermStructureHandle(ql.FlatForward(today, 0.06, day_count)),
                ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), v, day_count)),
            )
            option = ql.VanillaOption(
                ql.PlainVanillaPayoff(ql.Option.Put, 40.0), ql.AmericanExercise(today, today + 365 * t)
            )
            option.setPricingEngine(
                ql.MCAmericanEngine(
                    process, "pseudorandom", timeSteps=50 * t, antitheticVariate=True, requiredSamples=10_000, seed=42,
                    polynomOrder=3, nCalibrationSamples=2048,
                )
            )  # fmt: skip
            values.append(option.NPV())
        return values

    began = perf_counter()
    values = theirs()
    seconds = perf_counter() - began
    said = f"largest error {np.abs(np.array(values) - exact).max():.3f}; 2,048 paths to fit, 10,000 pairs to value"
    return [*rows, row(f"QuantLib {ql.__version__}", seconds, said, AMERICAN, True)]


def run() -> list[dict[str, Any]]:
    """All rows."""
    return ours() + naive_rows() + quantlib() + american()


def main() -> None:
    """Print the rows with the ratio of the fastest peer to ours."""
    rows = run()
    for item in rows:
        peers = [other["seconds"] for other in rows if other["peer"] and other["what"] == item["what"]]
        ratio = "" if item["peer"] or not peers else f"{min(peers) / item['seconds']:6.1f}x"
        print(f"{item['what']:66s} {item['name']:42s} {1e3 * item['seconds']:9.2f} ms {ratio:>8s}  {item['accuracy']}")


if __name__ == "__main__":
    main()
