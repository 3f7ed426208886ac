"""500 SABR and 500 SVI slices of 40 noisy quotes: ours in one call, QuantLib's interpolations slice by slice.

The quotes are a true smile (beta = 1) plus 10 bp of normal noise, so the best attainable rmse is about 9.5 bp.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

SLICES, QUOTES = 500, 40
PEER_SLICES = 200  # timed and scaled; the accuracy of both is of these


def inputs() -> dict[str, Any]:
    """Smiles of expiries from 20 days to 2 years."""
    from research.models import SABR

    rng = np.random.default_rng(4)
    tau = rng.integers(20, 730, SLICES) / 365.0
    strike = 100.0 * np.exp(np.linspace(-1.5, 1.0, QUOTES)[None, :] * 0.56 * np.sqrt(tau)[:, None])
    alpha, nu, rho = rng.uniform(0.12, 0.35, SLICES), rng.uniform(0.3, 1.2, SLICES), rng.uniform(-0.8, -0.1, SLICES)
    vol = np.array(
        [SABR(alpha=a, beta=1.0, rho=r, nu=n).vol_at(100.0, k, t) for a, r, n, k, t in zip(alpha, rho, nu, strike, tau)]
    )
    return {"tau": tau, "strike": strike, "vol": vol + 0.001 * rng.standard_normal(vol.shape)}


def fastest(call: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    """Seconds of the fastest call, and what the last one gave."""
    best, out = float("inf"), None
    for _ in range(repeat):
        started = time.perf_counter()
        out = call()
        best = min(best, time.perf_counter() - started)
    return best, out


def rmse(fitted: Any, quoted: Any) -> str:
    """Of each slice, model against quotes; both of shape (n, quotes)."""
    each = 1e4 * np.sqrt(np.mean((np.asarray(fitted) - quoted) ** 2, axis=1))
    return f"rmse median {np.median(each):.2f} bp, largest {each.max():.1f} bp"


def svi_inputs() -> dict[str, Any]:
    """As `inputs`, by raw SVI."""
    from research.models import SVI

    rng = np.random.default_rng(5)
    tau = rng.integers(20, 730, SLICES) / 365.0
    root, level = np.sqrt(tau), rng.uniform(0.12, 0.35, SLICES)
    k = np.linspace(-1.5, 1.0, QUOTES)[None, :] * (0.56 * root)[:, None]
    b, rho = rng.uniform(0.15, 0.4, SLICES) * level * root, rng.uniform(-0.8, -0.2, SLICES)
    sigma, m = rng.uniform(0.12, 0.36, SLICES) * root, rng.uniform(-0.1, 0.1, SLICES) * root
    low = -b * sigma * np.sqrt(1.0 - rho * rho)
    a = np.maximum(level**2 * tau - b * (np.sqrt(m * m + sigma * sigma) - rho * m), low + 1e-4 * tau)
    rows = zip(a, b, rho, m, sigma, k, tau)
    vol = [SVI(a=p, b=q, rho=r, m=c, sigma=s).vol(x, t) for p, q, r, c, s, x, t in rows]
    return {"tau": tau, "k": k, "vol": np.array(vol) + 0.001 * rng.standard_normal(k.shape)}


def svi_rows() -> list[dict[str, Any]]:
    """Ours, and QuantLib's SviInterpolatedSmileSection."""
    from research.calibration.svi_slices import fit_slices

    quotes, what = svi_inputs(), f"SVI, {SLICES} slices of {QUOTES} quotes"
    seconds, found = fastest(lambda: fit_slices(quotes["k"], quotes["tau"], quotes["vol"]), 15)
    fitted = [one.vol(x, t) for one, x, t in zip(found.models(), quotes["k"], quotes["tau"])]
    ours = rmse(fitted[:PEER_SLICES], quotes["vol"][:PEER_SLICES])
    rows = [{"what": what, "name": "research", "seconds": seconds, "accuracy": ours, "peer": False}]
    try:
        import QuantLib as ql
    except ImportError:
        return rows
    day = ql.Date(1, 1, 2024)
    ql.Settings.instance().evaluationDate = day
    strikes = 100.0 * np.exp(quotes["k"])

    def peer(n: int) -> list[list[float]]:
        out = []
        for i in range(n):
            expiry, v, tau = day + round(365 * quotes["tau"][i]), quotes["vol"][i].tolist(), float(quotes["tau"][i])
            start = (0.04 * tau, 0.1, 0.1, -0.4, 0.0)
            section = ql.SviInterpolatedSmileSection(
                expiry, 100.0, strikes[i].tolist(), False, float(np.interp(0.0, quotes["k"][i], v)), v, *start,
                False, False, False, False, False, False,
            )  # fmt: skip
            out.append([section.volatility(x) for x in strikes[i].tolist()])
        return out

    seconds, theirs = fastest(lambda: peer(PEER_SLICES), 2)
    name = f"QuantLib, SviInterpolatedSmileSection ({PEER_SLICES} timed, scaled)"
    accuracy = rmse(theirs, quotes["vol"][:PEER_SLICES])
    scaled = seconds * SLICES / PEER_SLICES
    return [*rows, {"what": what, "name": name, "seconds": scaled, "accuracy": accuracy, "peer": True}]


def run() -> list[dict[str, Any]]:
    """Rows for benchmarks/run.py."""
    return sabr_rows() + svi_rows()


def sabr_rows() -> list[dict[str, Any]]:
    """Ours, and QuantLib's SABRInterpolation."""
    from research.calibration.sabr import fit_slices
    from research.models import SABR

    quotes, what = inputs(), f"SABR, {SLICES} slices of {QUOTES} quotes"
    forward = np.full(SLICES, 100.0)
    fit_slices(forward, quotes["tau"], quotes["strike"], quotes["vol"])
    seconds, found = fastest(lambda: fit_slices(forward, quotes["tau"], quotes["strike"], quotes["vol"]), 30)
    rows_of = zip(found.alpha, found.rho, found.nu, quotes["strike"], quotes["tau"])
    fitted = [SABR(alpha=a, beta=1.0, rho=r, nu=v).vol_at(100.0, k, t) for a, r, v, k, t in rows_of]
    ours = rmse(fitted[:PEER_SLICES], quotes["vol"][:PEER_SLICES])
    rows = [{"what": what, "name": "research", "seconds": seconds, "accuracy": ours, "peer": False}]
    try:
        import QuantLib as ql
    except ImportError:
        print("QuantLib is not installed: left out.")
        return rows

    def peer(n: int) -> list[list[float]]:
        out = []
        for i in range(n):
            k, v = quotes["strike"][i].tolist(), quotes["vol"][i].tolist()
            start = (0.2, 1.0, 0.5, -0.3)
            smile = ql.SABRInterpolation(
                ql.Array(k), ql.Array(v), float(quotes["tau"][i]), 100.0, *start, False, True, False, False, False
            )
            out.append([smile(x, True) for x in k])
        return out

    n = PEER_SLICES
    seconds, found = fastest(lambda: peer(n), 2)
    name = f"QuantLib, SABRInterpolation ({n} timed, scaled)"
    rows.append(
        {
            "what": what,
            "name": name,
            "seconds": seconds * SLICES / n,
            "accuracy": rmse(found, quotes["vol"][:n]),
            "peer": True,
        }
    )
    return rows
