"""Variance and volatility swaps: `VarianceSwap`, `VolatilitySwap`; `fair_variance` and `fair_volatility`.

| model | expected variance | expected volatility |
|---|---|---|
| Black-Scholes, one vol or a term structure | the mean square of sigma | its root |
| Heston, Merton, Bates | closed, jumps with their squares | from the Laplace transform |
| Variance Gamma | closed | from the Laplace transform of its squared jumps |
| smiles (SVI, SABR) | Carr and Madan's integral of options, for continuous paths | - |

With n observations the squared drift of each period is added, and under the closed models what the variance's own
randomness adds, exactly (moments of the forward returns; Broadie and Jain); a smile says nothing of that part, so the
whole correction is counted in its error. Expected volatilities come from the transforms of `_realised`.

References
----------
Demeterfi, Derman, Kamal, Zou (1999), "A guide to volatility and variance swaps", J. Derivatives 6(4), 9-32.
Broadie, Jain (2008), "The effect of jumps and discrete sampling on volatility and variance swaps", International J.
Theoretical and Applied Finance 11, 761-797.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.core.models.levy import AFFINE, VARIANCE_GAMMA
from research.errors import NoEngineError, require, rule
from research.instruments import VarianceSwap, VolatilitySwap
from research.market import Snapshot
from research.pricing import _clock, _returns
from research.pricing._realised import lag, log_laplace_affine, log_laplace_gamma, root_mean
from research.pricing._swaps import evenly, observed, settled
from research.pricing.catalogue import Values, abilities
from research.pricing.static import log_mean

_ROUNDING = 1e-14
_SAMPLED = 1e-13  # relative: sums of squared means and of variances
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


def fair_variance(
    model: Any, snapshot: Snapshot, tau: float, *, n_observations: int | None = None, replicate: bool = False,
    looks: Float1D | None = None,
) -> tuple[float, float]:  # fmt: skip
    """Expected realised variance, 1/year, and its error; its root is the fair strike of a variance swap.

    Parameters
    ----------
    tau : float, years (ACT/365F)
    n_observations : int, default at every moment
    replicate : bool
        Carr and Madan's integral even where the model has a closed form (not with jumps).
    looks : ndarray, years, increasing, the last one tau
        Of the observations, where they are not evenly spaced.

    Examples
    --------
    >>> from research.market import flat_snapshot
    >>> from research.models import Heston
    >>> model = Heston(v0=0.04, kappa=2.0, theta=0.04, sigma=0.5, rho=-0.7)
    >>> round(fair_variance(model, flat_snapshot(spot=100.0), 1.0)[0], 12)
    0.04
    """
    require(np.isfinite(tau) and tau > 0.0, "tau", tau, "be finite and > 0 years")
    able = abilities(model)
    known = "deterministic_vol" in able
    smile = replicate or not (known or "real_characteristic_function" in able)
    if smile:
        found, error = _from_options(model, snapshot, tau)
    elif known:
        found, error = (model.sigma**2 if hasattr(model, "sigma") else float(_clock.variance(model, tau)) / tau), 0.0
    else:
        found, error = _closed(model, tau), 0.0
    if n_observations is None and looks is None:
        return found, error + _ROUNDING * found
    times = evenly(tau, n_observations or 1) if looks is None else np.append(0.0, looks)
    if smile or known:
        carry = float(np.log(snapshot.forward(tau) / snapshot.spot))
        if not smile:
            return found + _drifts(model, snapshot, times), _ROUNDING * found
        extra = (carry - 0.5 * found * tau) ** 2 / (times.size - 1) / tau
        return found + extra, error + extra
    return _sampled(model, snapshot, times)


def _drifts(model: Any, snapshot: Snapshot, times: Float1D) -> float:
    """What the squared mean returns of the periods between `times` add, 1/year."""
    means = np.diff(np.log(snapshot.forward(times))) - 0.5 * _clock.variance(model, times[1:], times[:-1])
    return float(means @ means / times[-1])


def _from_options(model: Any, snapshot: Snapshot, tau: float) -> tuple[float, float]:
    if "real_characteristic_function" in abilities(model):
        kind, p = model.characteristic()
        steady = kind == AFFINE and p[5] == 0.0
        name = type(model).__name__
        require(steady, "model", name, "have continuous paths to be replicated by options", error=NoEngineError)
    mean, gap = log_mean(model, snapshot.forward(tau), tau)
    return -2.0 * mean / tau, 2.0 * gap / tau


def _affine_or_gamma(model: Any) -> tuple[int, Float1D]:
    kind, p = model.characteristic()
    if kind not in (AFFINE, VARIANCE_GAMMA):
        raise NoEngineError(rule("model", "be Heston, Merton, Bates or VarianceGamma", type(model).__name__))
    return kind, p


def _closed(model: Any, tau: float) -> float:
    """Expected quadratic variation of the log price, 1/year."""
    kind, p = _affine_or_gamma(model)
    if kind == VARIANCE_GAMMA:
        return float(p[0] ** 2 + p[1] * p[2] ** 2)
    x = p[1] * tau
    now, later = (-np.expm1(-x) / x, float(lag(np.array([x]))[0]) / x) if x > 0.0 else (1.0, 0.0)
    return float(p[0] * now + p[2] * later + p[5] * (p[6] ** 2 + p[7] ** 2))


def _sampled(model: Any, snapshot: Snapshot, times: Float1D) -> tuple[float, float]:
    """Sum of E[return^2] over the periods, from mean and variance of each forward return."""
    gaps, tau = np.diff(times), float(times[-1])
    carry = np.diff(np.log(snapshot.forward(times)))
    alike, total = _returns.is_stationary(model), 0.0
    mean = variance = 0.0
    for i in range(gaps.size):
        if i == 0 or not alike or abs(gaps[i] - gaps[i - 1]) > 1e-12:
            mean, variance = _moments(model, float(gaps[i]), float(times[i]))
        total += (carry[i] + mean) ** 2 + variance
    return float(total / tau), float(_SAMPLED * total / tau)


def _moments(model: Any, tau: float, start: float) -> tuple[float, float]:
    """Mean and variance of the return over `tau` from `start` on, less its forward.

    Under Heston the variance v of that day has a mean and a variance, and given it, with B(t) = (1 - exp(-kappa t)) /
    kappa what a shock of v adds to the variance of the next t years,

        Var X = integral of E[v_u] (1 - rho sigma B(tau - u) + sigma^2 B(tau - u)^2 / 4) du,  u from 0 to tau.
    """
    kind, p = _affine_or_gamma(model)
    if kind == VARIANCE_GAMMA:
        sigma, nu, theta = p.tolist()
        omega = np.log1p(-theta * nu - 0.5 * sigma**2 * nu) / nu
        return float((theta + omega) * tau), float((sigma**2 + nu * theta**2) * tau)
    v0, kappa, theta, sigma, rho, intensity, size, deviation = p.tolist()

    def shock(t: Any) -> Any:
        return -np.expm1(-kappa * t) / kappa if kappa > 0.0 else t

    v = v0 * np.exp(-kappa * start) + kappa * theta * shock(start)
    spread = sigma**2 * shock(start) * (v0 * np.exp(-kappa * start) + 0.5 * kappa * theta * shock(start))
    u, weight = _graded(tau)
    ahead = sigma * shock(tau - u)
    expected = weight * (v * np.exp(-kappa * u) + kappa * theta * shock(u))
    mean, variance = (
        -0.5 * expected.sum(),
        expected @ ((1.0 - 0.5 * rho * ahead) ** 2 + 0.25 * (1.0 - rho**2) * ahead**2),
    )
    jumps = intensity * tau
    drift = jumps * (size - np.expm1(size + 0.5 * deviation**2))
    mixed = 0.25 * shock(tau) ** 2 * spread
    return float(mean + drift), float(variance + mixed + jumps * (size**2 + deviation**2))


def _graded(tau: float) -> tuple[Float1D, Float1D]:
    """Gauss and Legendre's nodes and weights on [0, tau], on panels that shrink by half towards both ends."""
    edges = 0.5 * tau * np.concatenate([[0.0], 0.5 ** np.arange(13.0, -1.0, -1.0)])
    half = 0.5 * np.diff(edges)
    left = (edges[:-1, None] + half[:, None] * (1.0 + _NODES)).ravel()
    weight = (half[:, None] * _WEIGHTS).ravel()
    return np.concatenate([left, tau - left]), np.concatenate([weight, weight])


def fair_volatility(
    model: Any, tau: float, *, elapsed: float = 0.0, elapsed_variance: float = 0.0
) -> tuple[float, float]:
    """Expected square root of the realised variance, 1/sqrt(year), and its error.

    Parameters
    ----------
    tau : float, years (ACT/365F)
        Still to come.
    elapsed, elapsed_variance : float, default 0
        Years since the start, and the sum of the squared log returns in them.
    """
    require(np.isfinite(tau) and tau > 0.0, "tau", tau, "be finite and > 0 years")
    life = elapsed + tau
    if "deterministic_vol" in abilities(model):
        return float(np.hypot(np.sqrt(elapsed_variance), _clock.std(model, tau)) / np.sqrt(life)), 0.0
    kind, p = _affine_or_gamma(model)
    size = (elapsed_variance + _closed(model, tau) * tau) / life
    if size == 0.0:
        return 0.0, 0.0
    transform = log_laplace_gamma if kind == VARIANCE_GAMMA else log_laplace_affine
    run, left = elapsed_variance / life, tau / life
    return root_mean(lambda s: transform(s * left, p, tau) - s * run, size)


def value(items: Sequence[VarianceSwap], model: Any, snapshot: Snapshot) -> Values:
    """Variance swaps by the model's closed form; the engine's door for `pricing.price`."""
    return _swaps(items, model, snapshot, replicate=False)


def replicated(items: Sequence[VarianceSwap], model: Any, snapshot: Snapshot) -> Values:
    """Variance swaps by Carr and Madan's integral of options."""
    return _swaps(items, model, snapshot, replicate=True)


def _swaps(items: Sequence[VarianceSwap], model: Any, snapshot: Snapshot, *, replicate: bool) -> Values:
    def fair(item: VarianceSwap, tau: float) -> tuple[float, float]:
        n, looks = item.n_observations, observed(item, tau)
        return fair_variance(model, snapshot, tau, n_observations=n, replicate=replicate, looks=looks)

    return settled(items, snapshot, fair, _ROUNDING)


def volatility_swaps(items: Sequence[VolatilitySwap], model: Any, snapshot: Snapshot) -> Values:
    """Volatility swaps under Black-Scholes, Heston, Merton, Bates and Variance Gamma."""
    tau = np.array([item.years(snapshot.as_of) for item in items])
    past = [{"elapsed": item.elapsed, "elapsed_variance": item.elapsed_variance} for item in items]
    fair, gap = np.array([fair_volatility(model, float(t), **run) for t, run in zip(tau, past)]).T
    unit = np.array([item.notional for item in items]) * snapshot.discount.df(tau)
    found = unit * (fair - np.array([item.strike for item in items]))
    return Values(found, np.zeros_like(found), unit * (gap + _ROUNDING))
