"""Spreads, baskets and worst-of notes under two-asset Black-Scholes beside QuantLib; rough Bergomi beside NumPy.

| work | peer | accuracy against |
|---|---|---|
| 100 spread options, exact | QuantLib's Choi (2018) engine | our quadrature, checked to 1e-12 by Margrabe and parity |
| 100 spread options, closed form | QuantLib's Bjerksund-Stensland engine | the exact value |
| basket of two to 1 bp of its strike | QuantLib's MCEuropeanBasketEngine | the exact value |
| best of five to 1 bp of its strike | the same engine | each other |
| worst-of autocallable on two, to 1 bp | QuantLib's paths with a NumPy pay-off; NumPy paths | each other |
| rough Bergomi smile, to 1 bp of vol | NumPy: hybrid scheme by FFT, plain and mixed estimators | a long run of ours |

QuantLib has no engine for a worst-of autocallable, so its path generator feeds the pay-off. "To 1 bp" is the time to a
standard error of 0.01 on 100: time * (standard error in bp)^2.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from timing import row, timed

RATE, YIELD_A, YIELD_B, VOL_A, VOL_B, RHO = 0.03, 0.01, 0.02, 0.2, 0.3, 0.5
SPREADS = [(k, t) for k in np.linspace(1.0, 20.0, 20) for t in (0.1, 0.25, 0.5, 1.0, 3.0)]
EXACT = "100 spread options, exact"
CLOSED = "100 spread options, Bjerksund-Stensland"
BASKET = "basket of two, simulated to 1 bp"
BEST = "best of five, to 1 bp"
WORST = "worst-of autocallable on two, daily knock-in, to 1 bp"
ROUGH = "rough Bergomi, 11 strikes, 128 steps, to 1 bp of vol"


def world() -> tuple[Any, Any]:
    from research.market import flat_basket
    from research.models import MultiAssetBlackScholes

    model = MultiAssetBlackScholes(names=("A", "B"), vols=[VOL_A, VOL_B], correlation=[[1.0, RHO], [RHO, 1.0]])
    return model, flat_basket({"A": 100.0, "B": 95.0}, rate=RATE, dividend_yield={"A": YIELD_A, "B": YIELD_B})


def snowball() -> Any:
    from research.instruments import Autocallable, WorstOfNote

    days = tuple(j / 252 for j in range(63, 253, 21))
    note = Autocallable(initial=100.0, observations=days, knock_out=1.03, coupon=0.15, knock_in=0.75)
    return WorstOfNote(underlyings=("A", "B"), initials=(100.0, 95.0), note=note)


def ours() -> tuple[list[dict[str, Any]], Any]:
    from research.instruments import Basket, Spread
    from research.pricing import price

    (model, market), rows = world(), []
    items = [Spread(long="A", short="B", strike=float(k), tau=t) for k, t in SPREADS]
    seconds, exact = timed(lambda: price(items, model, market, method="quadrature"), 5)
    rows.append(row("research, quadrature", seconds, f"error at most {exact.error.max():.0e}", EXACT, False))
    seconds, found = timed(lambda: price(items, model, market, method="bjerksund_stensland"), 5)
    miss = np.abs(found.value - exact.value).max()
    rows.append(row("research, one contract at a time", seconds, f"largest error {miss:.1e}", CLOSED, False))
    basket = Basket(underlyings=("A", "B"), weights=(0.5, 0.5), strike=100.0, tau=1.0)
    for what, item, truth in ((BASKET, basket, price(basket, model, market).value), (WORST, snowball(), math.nan)):
        seconds, found = timed(lambda i=item: price(i, model, market, method="monte_carlo", std_error=0.01, seed=3), 3)
        z = "" if math.isnan(truth) else f", {(found.value - truth) / found.std_error:+.1f} of them from exact"
        said = f"{found.value:.4f}, standard error {100 * found.std_error:.2f} bp{z}"
        rows.append(row("research, Sobol'", seconds, said, what, False))
    return rows, exact.value


BEST_VOLS, BEST_RHO = (0.15, 0.2, 0.25, 0.3, 0.4), 0.5


def best() -> list[dict[str, Any]]:
    """A call on the best of five: ours by normal probabilities, whose error is a tenth of a basis point or less."""
    from research.instruments import BestOf
    from research.market import flat_basket
    from research.models import MultiAssetBlackScholes
    from research.pricing import price

    names, matrix = tuple("ABCDE"), BEST_RHO + (1.0 - BEST_RHO) * np.eye(5)
    model = MultiAssetBlackScholes(names=names, vols=list(BEST_VOLS), correlation=matrix.tolist())
    market = flat_basket(dict.fromkeys(names, 100.0), rate=RATE)
    item = BestOf(underlyings=names, strike=100.0, tau=1.0)
    seconds, found = timed(lambda: price(item, model, market), 5)
    said = f"{found.value:.4f}, standard error {100 * found.std_error:.2f} bp"
    rows = [row("research, five-dimensional normal law", seconds, said, BEST, False)]
    try:
        import QuantLib as ql
    except ImportError:
        return rows
    today, count = ql.Date(1, 1, 2024), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today
    curve, none = (ql.YieldTermStructureHandle(ql.FlatForward(today, r, count)) for r in (RATE, 0.0))
    each = [
        ql.BlackScholesMertonProcess(
            ql.QuoteHandle(ql.SimpleQuote(100.0)), none, curve,
            ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), vol, count)),
        )
        for vol in BEST_VOLS
    ]  # fmt: skip
    processes = ql.StochasticProcessArray(each, ql.Matrix(matrix.tolist()))
    payoff = ql.MaxBasketPayoff(ql.PlainVanillaPayoff(ql.Option.Call, 100.0))
    option = ql.BasketOption(payoff, ql.EuropeanExercise(today + 365))
    option.setPricingEngine(
        ql.MCEuropeanBasketEngine(
            processes, "pseudorandom", timeSteps=1, antitheticVariate=True, requiredSamples=50_000, seed=42
        )
    )

    def simulate() -> tuple[float, float]:
        option.recalculate()
        return option.NPV(), option.errorEstimate()

    seconds, (value, error) = timed(simulate, 1)
    said = f"{value:.4f}, standard error {100 * error:.2f} bp with 50,000 pairs, scaled"
    return [*rows, row(f"QuantLib {ql.__version__}", seconds * (100 * error) ** 2, said, BEST, True)]


def quantlib(exact: Any) -> list[dict[str, Any]]:
    try:
        import QuantLib as ql
    except ImportError:
        return []
    today, count = ql.Date(1, 1, 2024), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today

    def process(spot: float, dividend: float, vol: float) -> Any:
        return ql.BlackScholesMertonProcess(
            ql.QuoteHandle(ql.SimpleQuote(spot)),
            ql.YieldTermStructureHandle(ql.FlatForward(today, dividend, count)),
            ql.YieldTermStructureHandle(ql.FlatForward(today, RATE, count)),
            ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), vol, count)),
        )

    a, b, name = process(100.0, YIELD_A, VOL_A), process(95.0, YIELD_B, VOL_B), f"QuantLib {ql.__version__}"
    matrix = ql.Matrix(2, 2, 1.0)
    matrix[0][1] = matrix[1][0] = RHO
    whole = [i for i, (_, t) in enumerate(SPREADS) if t in (1.0, 3.0)]  # whole days, to compare values
    rows = []
    for what, engine, text in (
        (EXACT, ql.ChoiBasketEngine([a, b], matrix, 15.0), "Choi"),
        (CLOSED, ql.BjerksundStenslandSpreadEngine(a, b, RHO), "Bjerksund-Stensland"),
    ):

        def call(engine: Any = engine) -> Any:
            found = []
            for strike, tau in SPREADS:
                payoff = ql.SpreadBasketPayoff(ql.PlainVanillaPayoff(ql.Option.Call, float(strike)))
                option = ql.BasketOption(payoff, ql.EuropeanExercise(today + round(365 * tau)))
                option.setPricingEngine(engine)
                found.append(option.NPV())
            return np.array(found)

        seconds, found = timed(call, 3)
        rows.append(
            row(f"{name}, {text}", seconds, f"largest error {np.abs(found - exact)[whole].max():.1e}", what, True)
        )
    processes = ql.StochasticProcessArray([a, b], matrix)
    payoff = ql.AverageBasketPayoff(ql.PlainVanillaPayoff(ql.Option.Call, 100.0), 2)
    option = ql.BasketOption(payoff, ql.EuropeanExercise(today + 365))

    def simulate() -> tuple[float, float]:
        option.setPricingEngine(
            ql.MCEuropeanBasketEngine(
                processes, "pseudorandom", timeSteps=1, antitheticVariate=True, requiredSamples=50_000, seed=42
            )
        )
        return option.NPV(), option.errorEstimate()

    seconds, (value, error) = timed(simulate, 1)
    said = f"{value:.4f}, standard error {100 * error:.2f} bp with 50,000 pairs, scaled"
    rows.append(row(name, seconds * (100 * error) ** 2, said, BASKET, True))
    seconds, (value, error) = timed(lambda: quantlib_worst(ql, processes, 1000), 1)
    said = f"{value:.4f}, standard error {100 * error:.0f} bp with 1,000 paths, scaled"
    rows.append(row(f"{name} paths, NumPy pay-off", seconds * (100 * error) ** 2, said, WORST, True))
    return [*rows, numpy_worst()]


def worst_value(worst: Any) -> tuple[float, float]:
    """Mean and standard error of the worst-of snowball from daily worst performances, shape (n_paths, 252)."""
    days = np.arange(63, 253, 21)
    hit = worst[:, days - 1] >= 1.03
    called, time = hit.any(axis=1), days[hit.argmax(axis=1)] / 252
    paid = np.where((worst < 0.75).any(axis=1), np.minimum(worst[:, -1], 1.0), 1.15) * math.exp(-RATE)
    value = 100.0 * np.where(called, (1.0 + 0.15 * time) * np.exp(-RATE * time), paid)
    return float(value.mean()), float(value.std() / math.sqrt(value.size))


def quantlib_worst(ql: Any, processes: Any, n_paths: int) -> tuple[float, float]:
    times = [j / 252 for j in range(1, 253)]
    uniform = ql.UniformRandomSequenceGenerator(2 * 252, ql.UniformRandomGenerator(42))
    paths = ql.GaussianMultiPathGenerator(processes, times, ql.GaussianRandomSequenceGenerator(uniform), False)
    worst = np.empty((n_paths, 252))
    for i in range(n_paths):
        both = paths.next().value()
        worst[i] = np.minimum(np.array(list(both[0]))[1:] / 100.0, np.array(list(both[1]))[1:] / 95.0)
    return worst_value(worst)


def numpy_worst() -> dict[str, Any]:
    """The peer that a desk writes: whole daily paths by NumPy."""
    rng, n = np.random.default_rng(7), 20_000

    def call() -> tuple[float, float]:
        z = rng.standard_normal((2, n, 252))
        x, dt = (z[0], RHO * z[0] + math.sqrt(1 - RHO**2) * z[1]), 1 / 252
        legs = [
            np.exp(np.cumsum((RATE - q - 0.5 * v * v) * dt + v * math.sqrt(dt) * noise, axis=1))
            for noise, q, v in zip(x, (YIELD_A, YIELD_B), (VOL_A, VOL_B))
        ]
        return worst_value(np.minimum(*legs))

    seconds, (value, error) = timed(call, 2)
    said = f"{value:.4f}, standard error {100 * error:.0f} bp with {n:,} paths, scaled"
    return row("NumPy, daily paths", seconds * (100 * error) ** 2, said, WORST, True)


def hybrid_numpy(n: int, n_paths: int, tau: float, terms: tuple[float, ...], rng: Any) -> tuple[Any, Any, Any]:
    """Variance before each step, dw and dt: the hybrid scheme with kappa = 1, convolution by FFT."""
    hurst, eta, _, xi = terms
    a, dt = hurst - 0.5, tau / n
    cross = dt ** (a + 1) / (a + 1)
    z = rng.standard_normal((2, n_paths, n))
    dw = math.sqrt(dt) * z[0]
    first = cross / math.sqrt(dt) * z[0] + math.sqrt(dt ** (2 * a + 1) / (2 * a + 1) - cross**2 / dt) * z[1]
    k = np.arange(2, n + 1)
    b = np.concatenate(([0.0], (k ** (a + 1) - (k - 1) ** (a + 1)) / (a + 1) * dt**a))
    size = 1 << (2 * n - 1).bit_length()
    far = np.fft.irfft(np.fft.rfft(dw, size) * np.fft.rfft(b, size), size)[:, :n]
    x = math.sqrt(2 * hurst) * (first + far)
    t = dt * np.arange(1, n + 1)
    v = xi * np.exp(eta * x - 0.5 * eta**2 * t ** (2 * hurst))
    return np.concatenate((np.full((n_paths, 1), xi), v[:, :-1]), axis=1), dw, dt


def rough() -> list[dict[str, Any]]:
    from scipy.special import ndtr

    from research.instruments import European
    from research.market import flat_snapshot
    from research.models import RoughBergomi, black
    from research.pricing import price

    terms = (0.1, 1.5, -0.7, 0.04)
    model = RoughBergomi(hurst=0.1, eta=1.5, rho=-0.7, forward_variance=0.04)
    strikes, n_paths = np.exp(np.linspace(-0.3, 0.2, 11)), 20_000
    items, market = (
        [European(strike=float(k), tau=1.0, is_call=bool(k >= 1.0)) for k in strikes],
        flat_snapshot(spot=1.0),
    )
    truth = price(items, model, market, n_paths=1 << 18, seed=9)
    vega = black.price(1.0, 1.0, 1.0, 0.1951) - black.price(1.0, 1.0, 1.0, 0.1950)
    middle, rng = int(np.argmin(np.abs(strikes - 1.0))), np.random.default_rng(5)
    sign = np.where(strikes >= 1.0, 1.0, -1.0)[:, None]

    def mean_error(values: Any) -> tuple[Any, Any]:
        return values.mean(axis=1), values.std(axis=1) / math.sqrt(values.shape[1])

    def plain() -> tuple[Any, Any]:
        v, dw, dt = hybrid_numpy(128, n_paths, 1.0, terms, rng)
        db = -0.7 * dw + math.sqrt(0.51 * dt) * rng.standard_normal(dw.shape)
        spot = np.exp(np.sum(np.sqrt(v) * db - 0.5 * v * dt, axis=1))
        return mean_error(np.maximum(sign * (spot - strikes[:, None]), 0.0))

    def mixed() -> tuple[Any, Any]:
        v, dw, dt = hybrid_numpy(128, n_paths, 1.0, terms, rng)
        q, first = v.sum(axis=1) * dt, np.exp(np.sum(-0.7 * np.sqrt(v) * dw - 0.245 * v * dt, axis=1))

        def values(forward: Any, variance: Any) -> Any:
            s = np.sqrt(variance)
            d1 = np.log(forward / strikes[:, None]) / s + 0.5 * s
            return sign * (forward * ndtr(sign * d1) - strikes[:, None] * ndtr(sign * (d1 - s)))

        top = q.max() * 1.0000001
        x, y = values(first, 0.51 * q), values(first, 0.49 * (top - q))
        exact = values(np.ones(1), np.array([0.49 * top]))
        slope = np.array([np.cov(i, j)[0, 1] / j.var() for i, j in zip(x, y)])[:, None]
        return mean_error(x - slope * (y - exact))

    rows = []
    for name, call, peer in (
        ("NumPy, hybrid by FFT, plain", plain, True),
        ("NumPy, hybrid by FFT, mixed estimator", mixed, True),
        ("research, exact covariance, Sobol'", None, False),
    ):
        if call is None:
            seconds, found = timed(lambda: price(items, model, market, n_paths=1 << 14), 3)
            value, error = found.value, found.std_error
        else:
            seconds, (value, error) = timed(call, 1)
        bp = float(error[middle] / vega)
        z = np.abs(value - truth.value) / np.hypot(error, truth.std_error)
        said = (
            f"standard error {bp:.1f} bp of vol in {seconds:.2f} s, scaled; largest z against a long run {z.max():.1f}"
        )
        rows.append(row(name, seconds * bp * bp, said, ROUGH, peer))
    return rows


def run() -> list[dict[str, Any]]:
    """All rows."""
    rows, exact = ours()
    return rows + quantlib(exact) + best() + rough()


def main() -> None:
    """Print the rows with the ratio of the fastest peer to ours."""
    rows = run()
    for item in rows:
        peers = [other["seconds"] for other in rows if other["peer"] and other["what"] == item["what"]]
        ratio = "" if item["peer"] or not peers else f"{min(peers) / item['seconds']:6.1f}x"
        print(f"{item['what']:56s} {item['name']:40s} {1e3 * item['seconds']:10.2f} ms {ratio:>8s}  {item['accuracy']}")


if __name__ == "__main__":
    main()
