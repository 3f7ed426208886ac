"""The law of a return by its characteristic function: from today, or from a later day on (forward return).

For Heston and Bates the return from `start` on depends on the variance v of that day, exp(i u X) having the conditional
mean exp(A(u) + D(u) v); v is a scaled noncentral chi-square, whose moment generating function is known:

    log E exp(D v) = -2 kappa theta / sigma^2 log(1 - D c) + D exp(-kappa t) v0 / (1 - D c),
    c = sigma^2 (1 - exp(-kappa t)) / (2 kappa).

Under the measure of the underlying kappa becomes kappa - rho sigma and kappa theta stays. Puts come from the cosine
series (Fang and Oosterlee); terms are doubled and the range widened until two rounds agree, and their difference and a
bound of the terms left out are the error. A return from today on, and one that does not depend on the past (Merton,
Variance Gamma), has the model's own options.

References
----------
Kruse, Noegel (2005), "On the pricing of forward starting options in Heston's model on stochastic volatility", Finance
and Stochastics 9, 233-250. Fang, Oosterlee (2008), SIAM J. Scientific Computing 31, 826-848.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from research.arrays import Float1D
from research.core.models.levy import AFFINE, VARIANCE_GAMMA, levy_log_cfs
from research.errors import NoEngineError, NumericalError, rule
from research.models import black
from research.pricing import _clock
from research.pricing._flat import sensitivity_to_rounding

Complex = NDArray[np.complex128]
LogCharacteristic = Callable[[Float1D], Complex]
_ROUNDS = tuple((2**power, 2.0 * power - 4.0) for power in range(7, 17))  # terms, half width in spreads
_ENOUGH, _ROUNDING = 1e-4, 2e-16  # the worst that is given away, with its error; of a term
_LATER = np.array([1.0, 1.1, 1.3, 1.7, 2.5, 5.0, 20.0, 100.0])  # frequencies at which phi is looked at again
_FAR_JUMPS, _FEW_JUMPS = 30.0, 20.0  # reach over spread, and number expected: where the number of jumps is summed over
_LAST = -42.0  # log of a chance that is left out
_CHUNK = 1 << 21  # cosines at a time


@dataclass(frozen=True, slots=True)
class Return:
    """log(S_end / S_start) less its forward, by log E exp(i u X); a range that holds nearly all of it."""

    log_cf: LogCharacteristic
    centre: float
    spread: float
    reach: float
    agree: float = 1e-12  # two rounds that differ by less, relative to the larger of strike and forward, are enough

    def puts(self, log_strike: Float1D) -> tuple[Float1D, Float1D]:
        """E[max(K - exp X, 0)] and its error, shape (n,) each; rounds until two agree, each strike for itself."""
        strike = np.exp(log_strike)
        size = np.maximum(1.0, strike)
        found, gap = np.full(log_strike.size, np.nan), np.full(log_strike.size, np.inf)
        rest = np.arange(log_strike.size)
        for n_terms, width in _ROUNDS:
            half = width * self.spread + 0.1 * width * self.reach
            trial = self._series(log_strike[rest], self.centre - half, 2.0 * half, n_terms)
            change = np.abs(trial - found[rest])
            found[rest] = trial
            left = self._left_out(np.pi * n_terms / (2.0 * half)) * strike[rest]
            gap[rest] = np.where(np.isnan(change), np.inf, change + left) + _ROUNDING * n_terms * size[rest]
            rest = rest[gap[rest] > self.agree * size[rest]]
            if rest.size == 0:
                break
        if not np.all(gap <= _ENOUGH * size):
            raise NumericalError(rule("the cosine series", "settle", f"a change of {float((gap / size).max()):.1e}"))
        return np.clip(found, np.maximum(strike - 1.0, 0.0), strike), gap

    def _left_out(self, u: float) -> float:
        """What the terms beyond frequency u add to a put over its strike at most, as in `cosine`."""
        return float(4.0 / np.pi * np.exp(self.log_cf(u * _LATER).real.max()) / u)

    def _series(self, log_strike: Float1D, low: float, width: float, n_terms: int) -> Float1D:
        u: Any = np.pi * np.arange(n_terms) / width
        weight = np.exp(self.log_cf(u) - 1j * u * low).real * (2.0 / width)
        weight[0] *= 0.5
        over_u, bent = np.concatenate([[0.0], 1.0 / u[1:]]), weight / (1.0 + u * u)
        out = np.empty(log_strike.size)
        step = max(1, _CHUNK // n_terms)
        for at in range(0, log_strike.size, step):
            k = np.clip(log_strike[at : at + step], low, low + width)
            angle = u * (k - low)[:, None]
            sine = np.sin(angle)
            below = sine @ (over_u * weight) + (k - low) * weight[0]
            spent = np.exp(k) * (np.cos(angle) @ bent + sine @ (u * bent)) - np.exp(low) * bent.sum()
            out[at : at + step] = np.exp(log_strike[at : at + step]) * below - spent
        return out


@dataclass(frozen=True, slots=True)
class Jumping:
    """The same answers as a sum over the number of jumps: rare wide jumps on a quiet price are no series of cosines.

    Given n jumps the return is that without, a normal part of variance n d^2, and a level known beforehand.
    """

    calm: Return
    mean: float  # expected number of jumps
    growth: float  # log E exp(jump)
    deviation: float  # of a jump

    def puts(self, log_strike: Float1D) -> tuple[Float1D, Float1D]:
        """E[max(K - exp X, 0)] and its error, shape (n,) each."""
        value, error = np.zeros_like(log_strike), np.zeros_like(log_strike)
        log_chance, n, drift = -self.mean, 0, -self.mean * float(np.expm1(self.growth))
        while True:
            level = drift + n * self.growth
            paid, gap = self._given(n).puts(log_strike - level)
            value += np.exp(log_chance + level) * paid
            error += np.exp(log_chance + level) * gap
            n += 1
            log_chance += float(np.log(self.mean / n))
            largest = log_chance + max(drift + n * self.growth, 0.0)  # of the share's measure, or of money's
            if n > 2.0 * self.mean * max(float(np.exp(self.growth)), 1.0) and largest < _LAST:
                return value, error + 4.0 * float(np.exp(_LAST)) * np.maximum(1.0, np.exp(log_strike))

    def _given(self, n: int) -> Return:
        square, base = n * self.deviation**2, self.calm.log_cf

        def log_cf(u: Float1D) -> Complex:
            out: Complex = base(u) - 0.5 * square * (u * u + 1j * u)
            return out

        spread = float(np.sqrt(self.calm.spread**2 + square))
        return replace(self.calm, log_cf=log_cf, centre=self.calm.centre - 0.5 * square, spread=spread)


@dataclass(frozen=True, slots=True)
class Today:
    """The same answers for a return from today on, or one that does not depend on the past: the model's own options."""

    model: Any
    tau: float

    def puts(self, log_strike: Float1D) -> tuple[Float1D, Float1D]:
        """E[max(K - exp X, 0)] and its error, shape (n,) each."""
        from research.pricing import _smile

        value, error = _smile.otm(self.model, 1.0, self.tau, log_strike)
        strike = np.exp(log_strike)
        return value + np.where(log_strike > 0.0, strike - 1.0, 0.0), error + 2e-16 * np.maximum(1.0, strike)


@dataclass(frozen=True, slots=True)
class Lognormal:
    """The same answers for a normal log return of standard deviation `std`."""

    std: float

    def puts(self, log_strike: Float1D) -> tuple[Float1D, Float1D]:
        """E[max(K - exp X, 0)] and its error, shape (n,) each."""
        strike = np.exp(log_strike)
        put = np.asarray(black.price(1.0, strike, 1.0, self.std, is_call=False))
        return put, 1e-15 * np.maximum(1.0, strike)

    def below(self, log_strike: Float1D) -> tuple[Float1D, Float1D]:
        """P(X < log K) and its error, shape (n,) each."""
        if self.std == 0.0:
            return np.where(log_strike > 0.0, 1.0, 0.0), np.zeros_like(log_strike)
        d = log_strike / self.std + 0.5 * self.std
        error = 1e-15 + np.exp(-0.5 * np.minimum(d * d, 1400.0)) * sensitivity_to_rounding(self.std, 0.0)
        return ndtr(d), error


def _levy(kind: int, p: Float1D, tau: float, u: Float1D) -> Complex:
    real, imaginary = np.empty_like(u), np.empty_like(u)
    levy_log_cfs(kind, u, tau, p, real, imaginary)
    out: Complex = real + 1j * imaginary
    return out


def _log_one_plus(x: Complex) -> Complex:
    """log(1 + x) of complex x, without cancellation near 0."""
    out: Complex = 0.5 * np.log1p(x.real * (2.0 + x.real) + x.imag**2) + 1j * np.arctan2(x.imag, 1.0 + x.real)
    return out


def _log_variance_mean(d: Complex, p: Float1D, t: float, share: bool) -> Complex:
    """log E exp(D v(t)) for Re D <= 0; `share`: under the measure of the underlying."""
    v0, kappa, theta, sigma, rho = p[:5]
    speed = kappa - rho * sigma if share else kappa
    decay = np.exp(-speed * t)
    length = -np.expm1(-speed * t) / speed if speed != 0.0 else t
    c = 0.5 * sigma**2 * length
    if sigma < 1e-7:
        grown: Complex = d * (decay * v0 + kappa * theta * length)
        return grown
    out: Complex = -2.0 * kappa * theta / sigma**2 * _log_one_plus(-d * c) + d * decay * v0 / (1.0 - d * c)
    return out


def law(
    model: Any, tau: float, start: float = 0.0, *, share: bool = True, agree: float = 1e-12
) -> Return | Jumping | Today | Lognormal:
    """The return over `tau` years from `start` on, under the measure of the underlying at the start, or of money."""
    if "deterministic_vol" in model.abilities:
        if hasattr(model, "sigma"):
            return Lognormal(float(model.sigma * np.sqrt(tau)))
        return Lognormal(float(_clock.std(model, start + tau, start)))
    kind, p = model.characteristic()
    if kind not in (AFFINE, VARIANCE_GAMMA):
        raise NoEngineError(rule("model", "be Heston, Merton, Bates or VarianceGamma", type(model).__name__))
    if start == 0.0 or "black_mixture" in model.abilities:
        return Today(model, tau)
    if is_independent(model):  # the variance moves as expected
        return Today(replace(model, v0=p[2] + (p[0] - p[2]) * float(np.exp(-p[1] * start))), tau)
    still, unit = p.copy(), p.copy()
    still[0], unit[0], unit[2], unit[5] = 0.0, 1.0, 0.0, 0.0

    def log_cf(u: Float1D, intensity: float = p[5]) -> Complex:
        base = still.copy()
        base[5] = intensity
        by_variance = _levy(kind, unit, tau, u)
        by_variance = np.minimum(by_variance.real, 0.0) + 1j * by_variance.imag
        out: Complex = _levy(kind, base, tau, u) + _log_variance_mean(by_variance, p, start, share)
        return out

    centre, spread, reach = _range(lambda u: log_cf(u, 0.0), p, tau)
    if reach > _FAR_JUMPS * spread and p[5] * tau < _FEW_JUMPS:
        quiet = Return(lambda u: log_cf(u, 0.0), centre - _jump_drift(p, tau), spread, 0.0, agree)
        return Jumping(quiet, float(p[5] * tau), float(p[6] + 0.5 * p[7] ** 2), float(p[7]))
    return Return(log_cf, centre, spread, reach, agree)


def _jump_drift(p: Float1D, tau: float) -> float:
    """Mean of the log return that the jumps and what makes up for them add."""
    return float(p[5] * tau * (p[6] - np.expm1(p[6] + 0.5 * p[7] ** 2)))


def is_independent(model: Any) -> bool:
    """Whether returns of successive periods are independent: no variance that moves at random."""
    if "deterministic_vol" in model.abilities:
        return True
    kind, p = model.characteristic()
    return bool(kind == VARIANCE_GAMMA or (kind == AFFINE and p[3] == 0.0))


def is_stationary(model: Any) -> bool:
    """Whether the law of a return depends on its length only."""
    if "deterministic_vol" in model.abilities:
        return hasattr(model, "sigma")
    kind, p = model.characteristic()
    return bool(kind == VARIANCE_GAMMA or (kind == AFFINE and p[3] == 0.0 and p[1] == 0.0))


def _range(calm: LogCharacteristic, p: Float1D, tau: float) -> tuple[float, float, float]:
    """Centre, spread and reach, by differences at 0 without jumps, and what the jumps add."""
    h = 1e-3
    for _ in range(2):
        h = 0.1 / np.sqrt(max(float(-2.0 * calm(np.array([h])).real[0]) / h**2, 1e-30))
    one, two = calm(np.array([h, 2.0 * h]))
    mean = (8.0 * one.imag - two.imag) / (6.0 * h)
    variance = -(16.0 * one.real - two.real) / (6.0 * h * h)
    fourth = max((2.0 * two.real - 8.0 * one.real) / h**4, 0.0)
    jumps, size, deviation = p[5] * tau, p[6], p[7]
    centre = mean + _jump_drift(p, tau)
    reach = abs(size) + 8.0 * deviation + 8.0 * np.sqrt(jumps * (size**2 + deviation**2)) if jumps > 0.0 else 0.0
    return float(centre), float(np.sqrt(variance + np.sqrt(fourth))), float(reach)
