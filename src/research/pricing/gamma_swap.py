"""Gamma swaps: `GammaSwap`; `fair_gamma`, the expected realised variance that counts with the price.

With S as the unit of account, E[S_t X] = F(t) E*[X]: what is left is a plain variance under the share measure, where
1 / S moves as S does under another parameter set of the same model (`dual`).

| model | share measure |
|---|---|
| Black-Scholes, one vol or a term structure | the same vol |
| Heston, Bates, Merton | kappa - rho sigma, -rho; jumps E[e^J] times as often, of mean m + s^2, turned round |
| Variance Gamma | sigma / sqrt(D), -(theta + sigma^2) / D, D = 1 - theta nu - sigma^2 nu / 2 |
| smiles (SVI, SABR) | E[S log(S / F)] / F = integral of O(k) dk, at every date of the life where there is carry |

With n observations the closed models take the mean square of each period's return under the share measure; a smile
says nothing of it, so the squared drift is added and counted in the error.

References
----------
Lee (2010), "Gamma swap", in Cont (ed.), Encyclopedia of Quantitative Finance. Demeterfi, Derman, Kamal, Zou (1999).
Zheng, Kwok (2014), "Closed form pricing formulas for discretely sampled generalized variance swaps", Mathematical
Finance 24(4), 855-881.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.errors import NoEngineError, require
from research.instruments import GammaSwap
from research.market import Snapshot
from research.models import Bates, Heston, Merton, VarianceGamma
from research.pricing import _clock, _returns, _smile
from research.pricing._swaps import evenly, observed, settled
from research.pricing.catalogue import Values, abilities
from research.pricing.variance import _moments

_ROUNDING, _SERIES = 1e-13, 1e-9
_PANELS = 64
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)
_SMILES = 10  # expiries at which a smile is asked where there is carry


def dual(model: Any) -> Any:
    """The model of 1 / S with S as the unit of account."""
    if isinstance(model, VarianceGamma):
        d = 1.0 - model.theta * model.nu - 0.5 * model.sigma**2 * model.nu
        return VarianceGamma(sigma=model.sigma / float(np.sqrt(d)), nu=model.nu,
                             theta=-(model.theta + model.sigma**2) / d)  # fmt: skip
    jumps = {}
    if isinstance(model, (Bates, Merton)):
        m, s = model.jump_mean, model.jump_std
        often = model.intensity * float(np.exp(m + 0.5 * s * s))
        jumps = {"intensity": often, "jump_mean": -(m + s * s), "jump_std": s}
    if isinstance(model, Merton):
        return Merton(sigma=model.sigma, **jumps)
    if not isinstance(model, (Bates, Heston)):
        raise NoEngineError(f"A gamma swap has no closed form under {type(model).__name__}.")
    kappa = model.kappa - model.rho * model.sigma
    hint = "method='paths' prices it."
    require(kappa > 0.0, "kappa", model.kappa, f"exceed rho sigma, {model.rho * model.sigma:g}, for a closed form",
            hint=hint, error=NoEngineError)  # fmt: skip
    theta = model.kappa * model.theta / kappa
    kind = Bates if isinstance(model, Bates) else Heston
    return kind(v0=model.v0, kappa=kappa, theta=theta, sigma=model.sigma, rho=-model.rho, **jumps)


def _rate(model: Any, t: Float1D) -> Float1D:
    """Expected variance a year at time t, jumps included, of a model of characteristic functions."""
    if isinstance(model, VarianceGamma):
        return np.full(t.size, model.sigma**2 + model.nu * model.theta**2)
    jumps = 0.0
    if isinstance(model, (Bates, Merton)):
        jumps = model.intensity * (model.jump_mean**2 + model.jump_std**2)
    if isinstance(model, Merton):
        return np.full(t.size, model.sigma**2 + jumps)
    return np.asarray(model.theta + (model.v0 - model.theta) * np.exp(-model.kappa * t) + jumps)


def _at_every_moment(model: Any, snapshot: Snapshot, tau: float) -> float:
    """Integral of the forward times the variance, over spot and tau."""
    known = "deterministic_vol" in abilities(model)
    marks = [*np.asarray(snapshot.discount.tau).tolist(), *np.asarray(getattr(model, "tau", ())).ravel().tolist()]
    inner = [one for one in marks if 0.0 < one < tau]
    edges = np.unique(np.concatenate((np.linspace(0.0, tau, _PANELS + 1), inner)))
    half, middle = 0.5 * np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    t = (middle[:, None] + half[:, None] * _NODES).ravel()
    weight = (half[:, None] * _WEIGHTS).ravel()
    if known:
        each = np.diff(np.asarray(_clock.variance(model, edges)), prepend=0.0)[1:] / (2.0 * half)
        rate = np.repeat(each, _NODES.size)
    else:
        rate = _rate(dual(model), t)
    return float(weight @ (rate * np.asarray(snapshot.forward(t)))) / snapshot.spot / tau


def _sampled(model: Any, snapshot: Snapshot, times: Float1D) -> float:
    """Sum of F(t_i) / spot times the mean square of each return between `times` under the share measure, a year."""
    forward, tau = np.asarray(snapshot.forward(times)), float(times[-1])
    carry, gaps, total = np.diff(np.log(forward)), np.diff(times), 0.0
    if "deterministic_vol" in abilities(model):
        variance = np.asarray(_clock.variance(model, times[1:], times[:-1]))
        return float(forward[1:] @ (variance + (carry + 0.5 * variance) ** 2)) / snapshot.spot / tau
    turned = dual(model)
    alike, mean, spread = _returns.is_stationary(turned), 0.0, 0.0
    for i in range(gaps.size):
        if i == 0 or not alike or abs(gaps[i] - gaps[i - 1]) > 1e-12:
            mean, spread = _moments(turned, float(gaps[i]), float(times[i]))
        total += float(forward[i + 1]) * (float(carry[i] - mean) ** 2 + spread)
    return total / snapshot.spot / tau


def _entropy(model: Any, snapshot: Snapshot, t: float) -> tuple[float, float]:
    """E[S log(S / F)] / F at t, and its error."""
    return _smile.integral(np.ones_like, model, float(snapshot.forward(t)), t, -np.inf, np.inf)


def _from_options(model: Any, snapshot: Snapshot, tau: float) -> tuple[float, float]:
    """2 / tau times the integral of F(t) / spot over d E[S log(S / F)] / F, by parts."""
    if "real_characteristic_function" in abilities(model):
        steady = isinstance(model, Heston)
        require(steady, "model", type(model).__name__, "have continuous paths to be replicated by options",
                error=NoEngineError)  # fmt: skip
    end, gap = _entropy(model, snapshot, tau)
    last = float(snapshot.forward(tau)) / snapshot.spot
    fine = np.linspace(0.0, tau, 513)
    weight = np.asarray(snapshot.forward(np.maximum(fine, 1e-12))) / snapshot.spot
    if np.ptp(weight) < 1e-12:
        return 2.0 * last * end / tau, 2.0 * last * gap / tau
    found = []
    for n, step in ((_SMILES, 1), (_SMILES // 2, 1), (_SMILES, 2)):
        at = 0.5 * tau * (1.0 - np.cos(np.pi * (np.arange(n) + 0.5) / n))
        rates = np.array([_entropy(model, snapshot, float(t))[0] / t for t in at])
        line = np.polynomial.chebyshev.Chebyshev.fit(at, rates, n - 1, domain=[0.0, tau])
        entropy, forward = (fine * line(fine))[::step], weight[::step]
        found.append(last * end - float(np.diff(forward) @ (0.5 * (entropy[1:] + entropy[:-1]))))
    left = abs(found[0] - found[1]) + abs(found[0] - found[2])
    return 2.0 * found[0] / tau, 2.0 * (left + last * gap) / tau


def fair_gamma(
    model: Any, snapshot: Snapshot, tau: float, *, n_observations: int | None = None, replicate: bool = False,
    looks: Float1D | None = None,
) -> tuple[float, float]:  # fmt: skip
    """Expected realised variance counted with S / spot, 1/year, and its error; its root is the fair strike.

    Parameters
    ----------
    tau : float, years (ACT/365F)
    n_observations : int, default at every moment
    replicate : bool
        By options, even where the model has a closed form (not with jumps).
    looks : ndarray, years, increasing, the last one tau
        Of the observations, where they are not evenly spaced.

    Examples
    --------
    >>> from research.market import flat_snapshot
    >>> model = Heston(v0=0.04, kappa=2.0, theta=0.04, sigma=0.5, rho=-0.7)
    >>> round(fair_gamma(model, flat_snapshot(spot=100.0), 1.0)[0], 6)
    0.036336
    """
    require(np.isfinite(tau) and tau > 0.0, "tau", tau, "be finite and > 0 years")
    able = abilities(model)
    if replicate or not able & {"deterministic_vol", "real_characteristic_function"}:
        found, error = _from_options(model, snapshot, tau)
        if n_observations is None and looks is None:
            return found, error + _ROUNDING * found
        n = looks.size if looks is not None else n_observations or 1
        extra = (float(np.log(snapshot.forward(tau) / snapshot.spot)) + 0.5 * found * tau) ** 2 / n / tau
        return found + extra, error + extra
    if n_observations is None and looks is None:
        found = _at_every_moment(model, snapshot, tau)
        return found, _ROUNDING * found
    times = evenly(tau, n_observations or 1) if looks is None else np.append(0.0, looks)
    found = _sampled(model, snapshot, times)
    return found, (_ROUNDING if "deterministic_vol" in able else _SERIES) * found


def value(items: Sequence[GammaSwap], model: Any, snapshot: Snapshot) -> Values:
    """Gamma swaps under the share measure; the engine's door for `pricing.price`."""
    return _swaps(items, model, snapshot, replicate=False)


def replicated(items: Sequence[GammaSwap], model: Any, snapshot: Snapshot) -> Values:
    """Gamma swaps by options."""
    return _swaps(items, model, snapshot, replicate=True)


def _swaps(items: Sequence[GammaSwap], model: Any, snapshot: Snapshot, *, replicate: bool) -> Values:
    def fair(item: GammaSwap, tau: float) -> tuple[float, float]:
        n, looks, share = item.n_observations, observed(item, tau), snapshot.spot / item.initial
        found, gap = fair_gamma(model, snapshot, tau, n_observations=n, replicate=replicate, looks=looks)
        return share * found, share * gap

    return settled(items, snapshot, fair, _ROUNDING)
