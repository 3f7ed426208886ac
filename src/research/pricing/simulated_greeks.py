"""Greeks of simulated products, each with its standard error: which estimator, and why.

| estimator | what it does | for |
|---|---|---|
| "bumps" | central differences on the same paths; a payoff that jumps needs large bumps | all |
| "pathwise" | the derivative of the payoff along each path, in the limit of a small bump | payoffs without jumps |
| "mixed" | the first step is integrated out on each path, then the smooth value is differenced | structured notes |
| "likelihood_ratio" | the payoff times a score of the first step | delta, gamma, speed (`paths.greeks`) |
| "auto" | for each Greek the one with the least standard error on a sixteenth of the paths | |

The volatility is one number or one by time (BlackTermStructure, every implied vol moves alike).

The paths of a bumped run are those of the plain one, and a scramble's difference is one observation: the standard error
is that of the mean over scrambles. A difference's bias is of second order in the bump. A bump of a payoff that jumps
has a noise that grows as it shrinks, so those are a desk's (1% of spot, 1 vol point, 1% of rate); a smooth value takes
a quarter of that, a pathwise derivative a hundredth.

References
----------
Glasserman (2004), Monte Carlo Methods in Financial Engineering, chapter 7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.errors import NoEngineError, require
from research.instruments import Asian, StructuredDeposit
from research.market import Snapshot
from research.pricing import _asian, _clock, _smooth
from research.pricing._bumps import bumped, shifted
from research.pricing._progress import shown
from research.pricing._simulation import Settings, estimate
from research.pricing.monte_carlo import problem_of

ESTIMATORS = ("auto", "bumps", "pathwise", "likelihood_ratio", "mixed")
HOW = {
    "bumps": "common paths",
    "pathwise": "pathwise",
    "mixed": "mixed: first step integrated out",
    "likelihood_ratio": "likelihood ratio of the first step",
    "exact": "differences of the closed form",
    "adjoint": "pathwise: one sweep backwards",
}
SCORED = ("value", "delta", "gamma", "speed")  # by the likelihood ratio
_SLOPES = ("value", "delta", "vega", "rho", "theta")  # a pathwise derivative is a first one
_SHARE = {"bumps": 1.0, "mixed": 0.25, "pathwise": 0.01, "exact": 0.1}  # of the bumps that are asked for
_SMOOTH = (Asian, StructuredDeposit)  # payoffs without jumps
_REACH = 0.1  # of the standard deviation up to the first date
_TRIAL = 16  # part of the paths on which "auto" compares

Key = tuple[int, int, int, int]  # bumps of spot, vol, rate, and age in units
Run = Callable[[list[Key]], dict[Key, Float1D]]


def forms(run: Callable[..., Any], ds: float, dv: float, dr: float, dt: float) -> dict[str, Callable[[], Any]]:
    """Greeks out of bumped values; run(spot, vol, rate, age) in whole bumps.

    Time goes one way, to the second order: a price that goes with the root of time is off by a quarter of a day's share
    of what is left to the first, 1 % a month before expiry.
    """

    def passing(spot: int) -> Any:
        return (4.0 * run(spot, 0, 0, 1) - run(spot, 0, 0, 2) - 3.0 * run(spot)) / (2.0 * dt)

    return {
        "value": run,
        "delta": lambda: (run(1) - run(-1)) / (2.0 * ds),
        "gamma": lambda: (run(1) - 2.0 * run() + run(-1)) / ds**2,
        "vega": lambda: (run(0, 1) - run(0, -1)) / (2.0 * dv),
        "vanna": lambda: (run(1, 1) - run(1, -1) - run(-1, 1) + run(-1, -1)) / (4.0 * ds * dv),
        "volga": lambda: (run(0, 1) - 2.0 * run() + run(0, -1)) / dv**2,
        "rho": lambda: (run(0, 0, 1) - run(0, 0, -1)) / (2.0 * dr),
        "theta": lambda: passing(0),
        "charm": lambda: (passing(1) - passing(-1)) / (2.0 * ds),
        "speed": lambda: (run(2) - 2.0 * run(1) + 2.0 * run(-1) - run(-2)) / (2.0 * ds**3),
    }


def differenced(
    run: Run, which: Sequence[str], ds: float, dv: float, dr: float, dt: float, how: str
) -> dict[str, dict[str, Any]]:
    """Greeks by name, every bumped market asked for at once."""
    wanted: dict[Key, None] = {}

    def ask(*key: int) -> float:
        wanted[(*key, *(0,) * (4 - len(key)))] = None  # type: ignore[index]
        return 0.0

    for name in which:
        forms(ask, 1.0, 1.0, 1.0, 1.0)[name]()
    known = run(list(wanted))

    def look(*key: int) -> Float1D:
        return known[(*key, *(0,) * (4 - len(key)))]  # type: ignore[index]

    made = forms(look, ds, dv, dr, dt)
    return {name: entry(made[name](), how) for name in which}


def entry(each: Float1D, how: str) -> dict[str, Any]:
    """A Greek out of its replicates."""
    spread = np.array([each.std(ddof=1) / np.sqrt(each.size)])
    return {"value": np.array([each.mean()]), "std_error": spread, "error": 2.0 * spread, "how": how}


def why_not(estimator: str, item: Any, snapshot: Snapshot, which: Sequence[str]) -> str:
    """Empty, or why an estimator cannot give these Greeks of this contract."""
    if estimator == "pathwise":
        if not isinstance(item, _SMOOTH):
            return f"the payoff of {type(item).__name__} jumps, and a path's derivative does not see it"
        second = [name for name in which if name not in _SLOPES]
        return f"{second[0]} is a second derivative, which a path's kink does not have" if second else ""
    if estimator == "mixed":
        return _smooth.can(item, snapshot)
    if estimator == "likelihood_ratio":
        other = [name for name in which if name not in SCORED]
        return f"the first step's score gives {', '.join(SCORED[1:])}; not {other[0]}" if other else ""
    return ""


def simulated(
    item: Any,
    model: Any,
    snapshot: Snapshot,
    *,
    which: Sequence[str],
    estimator: str = "auto",
    spot_bump: float = 0.01,
    vol_bump: float = 0.01,
    rate_bump: float = 0.01,
    days: float = 1.0,
    **options: Any,
) -> dict[str, dict[str, Any]]:
    """Greeks by name: value, std_error, error (arrays of one number) and how.

    Parameters
    ----------
    estimator : str, default "auto"
        See the module; one that cannot give a Greek refuses, and says why and which can.
    spot_bump : float, fraction of spot
    vol_bump : float, 1/sqrt(year)
    rate_bump : float, 1/year
    days : float, calendar days for theta and charm
    options
        As for `monte_carlo`, with Sobol' points and a fixed number of paths.
    """
    require(estimator in ESTIMATORS, "estimator", estimator, f"be one of {', '.join(ESTIMATORS)}")
    require(0.0 < spot_bump < 0.5, "spot_bump", spot_bump, "lie in (0, 0.5)")
    least = min(getattr(model, "implied", None) or (model.sigma,))
    require(0.0 < vol_bump < least, "vol_bump", vol_bump, f"lie in (0, the vol), {least:g}")
    require(rate_bump > 0.0 and days > 0.0, "rate_bump", rate_bump, "be > 0, and days > 0")
    smooth, sampler = options.pop("smooth", False), options.pop("sampler", "sobol")
    require(not smooth, "smooth", smooth, "be left out for Greeks", hint='estimator="mixed" is that.')
    require(sampler == "sobol", "sampler", sampler, "be 'sobol' for Greeks")
    with shown(options.pop("progress", None), None) as callback:
        settings = Settings(**{"n_paths": 1 << 17, **options, "progress": callback})
        require(settings.std_error is None, "std_error", settings.std_error, "be left out", hint="Give n_paths.")
        sizes = (spot_bump, vol_bump, rate_bump, 0.5 * days / 365.0)  # two steps of time in `days`
        return _chosen(estimator, item, model, snapshot, which, sizes, settings)


def _chosen(
    estimator: str, item: Any, model: Any, snapshot: Snapshot, which: Sequence[str], sizes: tuple[float, ...],
    settings: Settings,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Greeks by the estimator that was asked for, if it can give them."""
    if isinstance(item, Asian) and item.average == "geometric":
        return _by("exact", item, model, snapshot, which, sizes, settings)
    if estimator != "auto":
        reason = why_not(estimator, item, snapshot, which)
        able = [name for name in ESTIMATORS[1:] if not why_not(name, item, snapshot, which)]
        if reason:
            raise NoEngineError(f"estimator '{estimator}' cannot be used: {reason}. Can: {', '.join(able)}.")
        return _by(estimator, item, model, snapshot, which, sizes, settings)
    return _best(item, model, snapshot, which, sizes, settings)


def _best(
    item: Any, model: Any, snapshot: Snapshot, which: Sequence[str], sizes: tuple[float, ...], settings: Settings
) -> dict[str, dict[str, Any]]:
    """Each Greek by the estimator that a trial finds the least noisy."""
    assert settings.n_paths is not None
    able = {
        name: [e for e in ("mixed", "pathwise", "bumps") if not why_not(e, item, snapshot, [name])] for name in which
    }
    trial = replace(settings, n_paths=max(settings.n_paths // _TRIAL, 1 << 11))
    chosen = {name: found[0] for name, found in able.items()}
    doubtful = [name for name, found in able.items() if len(found) > 1]
    noise: dict[str, dict[str, float]] = {name: {} for name in doubtful}
    for kind in ("mixed", "pathwise", "bumps"):
        some = [name for name in doubtful if kind in able[name]]
        if some:
            found = _by(kind, item, model, snapshot, some, sizes, trial)
            for name in some:
                noise[name][kind] = float(found[name]["std_error"][0])
    for name in doubtful:
        chosen[name] = min(noise[name], key=lambda kind: noise[name][kind])
    out: dict[str, dict[str, Any]] = {}
    for kind in dict.fromkeys(chosen.values()):
        out |= _by(kind, item, model, snapshot, [n for n in which if chosen[n] == kind], sizes, settings)
    return {name: out[name] for name in which}


def _by(
    kind: str, item: Any, model: Any, snapshot: Snapshot, which: Sequence[str], sizes: tuple[float, ...],
    settings: Settings,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Greeks by one estimator."""
    if kind == "likelihood_ratio":
        from research.pricing.paths.greeks import scored

        return scored(item, model, snapshot, which, settings, spot_bump=sizes[0])
    share = _SHARE[kind]
    e, dv, dr = (share * size for size in sizes[:3])
    dt = sizes[3]
    if kind in ("exact", "mixed"):  # smooth, but not over more than the price moves until its first date
        first = float(np.min(item.years(snapshot.as_of)))
        e = min(e, _REACH * float(_clock.std(model, first))) or e

    by_time = not hasattr(model, "sigma")

    def market(key: Key) -> tuple[Any, Snapshot, float]:
        vol = _clock.Clock(shifted(model, key[1] * dv, snapshot)) if by_time else model.sigma + key[1] * dv
        return vol, bumped(snapshot, spot=key[0] * e, rate=key[2] * dr), key[3] * dt

    def run(keys: list[Key]) -> dict[Key, Float1D]:
        if kind == "mixed":
            out: dict[Key, Float1D] = {}
            kinds = {key: (key[3], key[1] if by_time else 0) for key in keys}
            for alike in dict.fromkeys(kinds.values()):
                some = [key for key in keys if kinds[key] == alike]
                cases = [_smooth.Scenario(sigma=s, snapshot=m, age=a) for s, m, a in map(market, some)]
                out |= dict(zip(some, _smooth.replicates(item, cases, settings), strict=True))
            return out
        if kind == "exact":
            return {key: np.full(2, _asian.closed_form(item, *market(key))) for key in keys}
        made = {key: market(key) for key in keys}
        return {key: estimate(problem_of(item, s, m, age=a), settings).replicates for key, (s, m, a) in made.items()}

    return differenced(run, which, snapshot.spot * e, dv, dr, dt, HOW[kind])
