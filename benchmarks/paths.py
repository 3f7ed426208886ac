"""Paths and general simulation beside QuantLib, NumPy and a naive numba loop, in one run.

| work | accuracy |
|---|---|
| 1e5 lognormal paths of 252 steps into one matrix of 200 MB | mean of S(T) over the forward, in standard errors |
| a European call under Heston by simulation, 1e5 paths of 32 steps | distance to the Fourier price, in price units |
| an arithmetic Asian option under Heston, 12 fixings | standard error |

The peers draw normals from their own generators; QuantLib walks fewer paths, and its time is scaled.
"""

from __future__ import annotations

import math
from time import perf_counter
from typing import Any

import numba
import numpy as np
from timing import row, timed

S0, R, Q, V, N, M = 100.0, 0.03, 0.01, 0.25, 100_000, 252
HESTON = {"v0": 0.04, "kappa": 1.5, "theta": 0.05, "sigma": 0.5, "rho": -0.7}
STEPS = 32
GBM = "GBM, 1e5 paths x 252 steps, all kept (200 MB)"
CALL = "European call under Heston by simulation, 1e5 paths x 32 steps"
FEW = 4_000  # paths that QuantLib's generator walks, scaled


def said(last: Any) -> str:
    """How far the mean of S(T) lies from the forward."""
    forward = S0 * math.exp(R - Q)
    return f"mean of S(T) {(last.mean() - forward) / (last.std() / math.sqrt(last.size)):+.1f} standard errors off"


@numba.njit(fastmath=True)
def naive(out, rng):  # type: ignore[no-untyped-def]
    """One path after the other, NumPy's generator inside the loop."""
    n, m = out.shape
    mu, sd = (0.03 - 0.01 - 0.5 * 0.25 * 0.25) / m, 0.25 / math.sqrt(m)
    for i in range(n):
        s = 100.0
        for j in range(m):
            s *= math.exp(mu + sd * rng.standard_normal())
            out[i, j] = s


def numpy_paths(out: Any, rng: Any) -> Any:
    """As W5 of the peers: blocks of 10,000 paths."""
    mu, sd = (R - Q - 0.5 * V * V) / M, V / math.sqrt(M)
    for first in range(0, N, 10_000):
        z = rng.standard_normal((10_000, M))
        z *= sd
        z += mu
        np.cumsum(z, axis=1, out=z)
        np.exp(z, out=out[first : first + 10_000])
    out *= S0
    return out


def gbm() -> list[dict[str, Any]]:
    """Ours on one thread and on all, NumPy, and a numba loop."""
    from research.market import flat_snapshot
    from research.models import BlackScholes
    from research.pricing.paths import lognormal

    model, market, times = BlackScholes(sigma=V), flat_snapshot(spot=S0, rate=R, dividend_yield=Q), np.arange(1, M + 1)
    out, rows, bits = np.empty((M, N)), [], set()
    threads = numba.get_num_threads()
    for used in sorted({1, threads}):
        numba.set_num_threads(used)
        seconds, found = timed(lambda: lognormal.spots(model, market, times / M, n_paths=N, out=out), 7)
        bits.add(found[:, ::997].tobytes())
        rows.append(row(f"research, threads: {used}", seconds, said(found[-1]), GBM, False))
    numba.set_num_threads(threads)
    rows[-1]["accuracy"] += "; same bits" if len(bits) == 1 else "; OTHER BITS"
    other, rng = out.reshape(N, M), np.random.default_rng(7)
    seconds, found = timed(lambda: numpy_paths(other, rng), 3)
    rows.append(row("NumPy, PCG64, blocks", seconds, said(found[:, -1]), GBM, True))
    seconds, _ = timed(lambda: naive(other, rng), 3)
    rows.append(row("numba loop, NumPy's generator", seconds, said(other[:, -1]), GBM, True))
    return [*rows, *quantlib_gbm()]


def quantlib_gbm() -> list[dict[str, Any]]:
    try:
        import QuantLib as ql
    except ImportError:
        return []
    today, count = ql.Date(1, 1, 2024), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(S0)),
        ql.YieldTermStructureHandle(ql.FlatForward(today, Q, count)),
        ql.YieldTermStructureHandle(ql.FlatForward(today, R, count)),
        ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), V, count)),
    )
    normals = ql.GaussianRandomSequenceGenerator(ql.UniformRandomSequenceGenerator(M, ql.UniformRandomGenerator(42)))
    paths = ql.GaussianPathGenerator(process, 1.0, M, normals, False)
    began = perf_counter()
    last = np.array([paths.next().value().back() for _ in range(FEW)])
    seconds = (perf_counter() - began) * N / FEW
    return [row(f"QuantLib {ql.__version__}, path generator", seconds, said(last) + ", scaled", GBM, True)]


def heston() -> list[dict[str, Any]]:
    """A call: ours against QuantLib's simulation with the same scheme and steps, both against the Fourier price."""
    from research.instruments import European
    from research.market import flat_snapshot
    from research.models import Heston
    from research.pricing import price
    from research.pricing.paths import simulate

    model, market = Heston(**HESTON), flat_snapshot(spot=S0, rate=R, dividend_yield=Q)
    call = European(strike=100.0, tau=1.0)
    exact, rows = float(price(call, model, market)), []
    for name, options in (
        ("QE-M, Sobol'", {}),
        ("QE-M, Philox", {"sampler": "philox", "control": False}),
        ("Poisson conditioning, one step", {"scheme": "poisson", "sampler": "philox", "control": False}),
    ):
        seconds, found = timed(lambda o=options: simulate(call, model, market, n_paths=N, **o), 2)  # type: ignore[misc]
        text = f"{found.value - exact:+.4f} from exact, standard error {found.std_error:.4f}"
        rows.append(row(f"research, {name}", seconds, text, CALL, False))
    return [*rows, *quantlib_heston(exact)]


def quantlib_heston(exact: float) -> list[dict[str, Any]]:
    try:
        import QuantLib as ql
    except ImportError:
        return []
    today, count, n = ql.Date(1, 1, 2024), ql.Actual365Fixed(), N // 5
    ql.Settings.instance().evaluationDate = today
    process = ql.HestonProcess(
        ql.YieldTermStructureHandle(ql.FlatForward(today, R, count)),
        ql.YieldTermStructureHandle(ql.FlatForward(today, Q, count)),
        ql.QuoteHandle(ql.SimpleQuote(S0)), HESTON["v0"], HESTON["kappa"], HESTON["theta"], HESTON["sigma"],
        HESTON["rho"], ql.HestonProcess.QuadraticExponentialMartingale,
    )  # fmt: skip
    option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Call, 100.0), ql.EuropeanExercise(today + 365))
    option.setPricingEngine(
        ql.MCEuropeanHestonEngine(process, "pseudorandom", timeSteps=STEPS, requiredSamples=n, seed=42)
    )
    began = perf_counter()
    value = option.NPV()
    seconds = (perf_counter() - began) * N / n
    text = f"{value - exact:+.4f} from exact, standard error {option.errorEstimate():.4f} with {n} paths, scaled"
    return [row(f"QuantLib {ql.__version__}, QE-M", seconds, text, CALL, True)]


def run() -> list[dict[str, Any]]:
    """All rows."""
    return gbm() + heston()


if __name__ == "__main__":
    for one in run():
        print(f"{one['what']:<64}{one['name']:<44}{1e3 * one['seconds']:10.1f} ms   {one['accuracy']}")
