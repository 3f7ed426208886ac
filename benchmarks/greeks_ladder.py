"""A ladder of 21 spots x 11 vols over 1,000 European options, with delta, gamma, vega; 10,000 mixed contracts at once.

The ladder's peer is QuantLib's BlackCalculator in a Python loop (a slice of it timed, scaled), at the same vols.
Accuracy is the largest distance of value, delta, gamma, vega from SciPy's normal distribution, each over its largest.
The portfolio has no peer that takes it in one call. A snowball's delta, gamma and vega by simulation: central bumps on
common paths, a desk's way, stand beside the first step integrated out, both in the time to a gamma known to 1%.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

N, SPOTS, VOLS = 1000, np.linspace(0.8, 1.2, 21), np.linspace(-0.05, 0.05, 11)
NODES = SPOTS.size * VOLS.size
PEER_NODES = 4
WHAT = f"ladder {SPOTS.size} x {VOLS.size} of {N} options: value, delta, gamma, vega"
BOOK = 10_000
BOOK_WHAT = f"{BOOK:,} mixed contracts in one call"
NOTE_WHAT = "snowball delta, gamma, vega by simulation, gamma to 1%"
NOTE_PATHS = 1 << 14
RATE, YIELD, SIGMA = 0.03, 0.01, 0.25


def fastest(call: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    """Seconds of the fastest call after one that is not counted, and what the last one gave."""
    out, best = call(), float("inf")
    for _ in range(repeat):
        started = perf_counter()
        out = call()
        best = min(best, perf_counter() - started)
    return best, out


def options() -> tuple[Any, Any, Any]:
    """strike, tau, is_call."""
    rng = np.random.default_rng(12)
    return rng.uniform(70.0, 140.0, N), rng.integers(20, 900, N) / 365.0, rng.random(N) < 0.5


def exact(strike: Any, tau: Any, is_call: Any) -> Any:
    """Sums over the options, shape (4, n_spot, n_vol)."""
    from scipy.special import ndtr

    spot, vol = (100.0 * SPOTS)[:, None, None], (SIGMA + VOLS)[None, :, None]
    growth, df, sign = np.exp((RATE - YIELD) * tau), np.exp(-RATE * tau), np.where(is_call, 1.0, -1.0)
    std = vol * np.sqrt(tau)
    d1 = np.log(spot * growth / strike) / std + 0.5 * std
    density = np.exp(-0.5 * d1 * d1) / np.sqrt(2.0 * np.pi)
    value = df * sign * (spot * growth * ndtr(sign * d1) - strike * ndtr(sign * (d1 - std)))
    parts = (value, df * growth * sign * ndtr(sign * d1), df * growth * density / (spot * std),
             df * growth * spot * density * np.sqrt(tau))  # fmt: skip
    return np.array([x.sum(axis=2) for x in parts])


def row(what: str, name: str, seconds: float, accuracy: str, peer: bool) -> dict[str, Any]:
    return {"what": what, "name": name, "seconds": seconds, "accuracy": accuracy, "peer": peer}


def distance(found: Any, true: Any) -> str:
    """Both of shape (4, ...)."""
    return f"error {max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(found, true)):.1e}"


def peer_ladder(strike: Any, tau: Any, is_call: Any, nodes: int) -> Any:
    """Sums at the first nodes, by QuantLib, shape (4, nodes)."""
    import QuantLib as ql

    out = np.zeros((4, nodes))
    terms = [(ql.PlainVanillaPayoff(ql.Option.Call if c else ql.Option.Put, float(k)), float(t))
             for k, t, c in zip(strike, tau, is_call)]  # fmt: skip
    for node in range(nodes):
        spot, vol = 100.0 * SPOTS[node // VOLS.size], SIGMA + VOLS[node % VOLS.size]
        for payoff, t in terms:
            growth = np.exp((RATE - YIELD) * t)
            one = ql.BlackCalculator(payoff, spot * growth, vol * np.sqrt(t), np.exp(-RATE * t))
            out[:, node] += one.value(), one.delta(spot), one.gamma(spot), one.vega(t)
    return out


def book() -> list[Any]:
    """European, American, digital, barrier and touch contracts in turn."""
    from research.instruments import American, Barrier, Digital, European, Touch

    rng = np.random.default_rng(13)
    strike, days = rng.uniform(85.0, 115.0, BOOK), rng.integers(1, 25, BOOK) * 30
    out: list[Any] = []
    for i, (k, t) in enumerate(zip(strike.tolist(), (days / 365.0).tolist())):
        kind = i % 10
        if kind < 4:
            out.append(European(strike=k, tau=t, is_call=i % 3 == 0))
        elif kind < 6:
            out.append(American(strike=k, tau=t, is_call=False))
        elif kind < 8:
            out.append(Digital(strike=k, tau=t))
        elif kind < 9:
            out.append(Barrier(strike=k, barrier=80.0, direction="down", knock="out", tau=t))
        else:
            out.append(Touch(barrier=120.0, direction="up", tau=t))
    return out


def note_rows(market: Any, model: Any) -> list[dict[str, Any]]:
    """Seconds of one run at equal paths, scaled by its variance to a standard error of 1% of gamma."""
    from research.instruments import Autocallable
    from research.pricing import greeks

    note = Autocallable(initial=100.0, observations=tuple(k / 12 for k in range(3, 13)), knock_out=1.03, coupon=0.15,
                        knock_in=0.75)  # fmt: skip
    out = []
    for name, estimator in (
        ("research, first step integrated out", "mixed"),
        ("central bumps on common paths", "bumps"),
    ):

        def once(kind: str = estimator) -> Any:
            return greeks(note, model, market, which=("delta", "gamma", "vega"), estimator=kind, n_paths=NOTE_PATHS)

        seconds, found = fastest(once, 3)
        spread = found.set_index("greek").std_error
        gamma = -0.0350  # of quadrature
        scaled = seconds * (spread["gamma"] / (0.01 * abs(gamma))) ** 2
        told = f"{1e3 * seconds:.0f} ms for {NOTE_PATHS} paths: standard errors {spread['delta']:.1e}, "
        told += f"{spread['gamma']:.1e}, {spread['vega']:.1e}"
        out.append(row(NOTE_WHAT, name, scaled, told, estimator == "bumps"))
    return out


def run() -> list[dict[str, Any]]:
    """Rows for benchmarks/run.py."""
    from research.instruments import European
    from research.market import flat_snapshot
    from research.models import BlackScholes
    from research.pricing import ladder, price

    market, model = flat_snapshot(spot=100.0, rate=RATE, dividend_yield=YIELD), BlackScholes(sigma=SIGMA)
    strike, tau, is_call = options()
    items = [European(strike=float(k), tau=float(t), is_call=bool(c)) for k, t, c in zip(strike, tau, is_call)]
    names = ["value", "delta", "gamma", "vega"]
    seconds, frame = fastest(lambda: ladder(items, model, market, spot=SPOTS, vol=VOLS), 5)
    true = exact(strike, tau, is_call)
    rows = [row(WHAT, "research", seconds, distance(frame[names].to_numpy().T.reshape(true.shape), true), False)]
    contracts = book()
    seconds, found = fastest(lambda: price(contracts, model, market).to_frame(), 3)
    lost = int(found["value"].isna().sum())
    told = f"{found['method'].nunique()} methods, stated error {found['error'].max():.1e}, {lost} without a price"
    rows.append(row(BOOK_WHAT, "research", seconds, told, False))
    rows += note_rows(market, model)
    try:
        seconds, theirs = fastest(lambda: peer_ladder(strike, tau, is_call, PEER_NODES), 2)
    except ImportError:
        print("QuantLib is not installed: left out.")
        return rows
    name = f"QuantLib, BlackCalculator ({PEER_NODES} nodes timed, scaled)"
    accuracy = distance(theirs, true.reshape(4, -1)[:, :PEER_NODES])
    rows.append(row(WHAT, name, seconds * NODES / PEER_NODES, accuracy, True))
    return rows


if __name__ == "__main__":
    for each in run():
        print(f"{each['what']:<70}{each['name']:<52}{1e3 * each['seconds']:9.1f} ms   {each['accuracy']}")
