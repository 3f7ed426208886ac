"""Paths by sampling laws: Heston from date to date by Poisson conditioning, Variance Gamma on its gamma clock.

Heston (`HESTON`). v' given v is a gamma variable of shape delta / 2 + N, N Poisson: exact. Given v, v' and this N, the
integral of the variance is the sum of X1, X2 and N copies of Z of Glasserman and Kim (2011): drawing v' through N
makes their Bessel variable unnecessary (Choi and Kwok 2024). Its mean and variance are then elementary and linear in
v + v' and N; it is drawn from the inverse Gaussian law with these two moments. Nothing else is approximate, so a step
may be as long as the time between two observations.

steps, shape (n, 8): 0 1 / sqrt(dt), 1 mean of N over v, 2 scale of the gamma, 3 and 4 mean and variance of X1 over
v + v', 5 and 6 mean and variance of X2 over delta / 2, 7 kappa theta dt. terms: 0 kappa, 1 delta, 2 sigma, 3 rho.

Variance Gamma (`GAMMA_CLOCK`): log(S / F) moves by omega dt + theta g + sigma sqrt(g) z, g gamma of shape dt / nu.
steps, shape (n, 8): 0 1 / sqrt(dt), 1 shape, 2 scale, 3 omega dt. terms: 0 theta, 2 sigma.

Rejection draws come from Philox (seed, stream, path) with 1,024 pairs a step. w, shape (n, lanes): the price's motion.

References
----------
Glasserman, Kim (2011), "Gamma expansion of the Heston stochastic volatility model", Finance and Stochastics 15.
Choi, Kwok (2024), "Simulation schemes for the Heston model with Poisson conditioning", EJOR 314.
Marsaglia, Tsang (2000), "A simple method for generating gamma variables", ACM TOMS 26.
Hormann (1993), "The transformed rejection method for generating Poisson random variables", Insurance Math. Econ. 12.
Michael, Schucany, Haas (1976), "Generating random variates using transformations with multiple roots", Am. Stat. 30.
"""

from __future__ import annotations

from math import sqrt

from research.arrays import Float1D, Float2D
from research.core._jit import inlined, kernel
from research.core.math.elementary import exp, log
from research.core.math.normal import norm_ppf
from research.core.random.philox import uniform_pair

HESTON, GAMMA_CLOCK = 0, 1
_PAIRS = 1024  # of Philox, kept for one step
_HALF_LOG_2PI = 0.9189385332046727


@inlined
def _log_factorial(k: float) -> float:
    """log(k!) by Stirling's series; good to 1e-9 from k = 10 on."""
    n = k + 1.0
    r = 1.0 / (n * n)
    return (n - 0.5) * log(n) - n + _HALF_LOG_2PI + (1.0 - r * (1.0 - r * (2.0 / 7.0)) / 30.0) / (12.0 * n)


@inlined
def _poisson_wide(mean: float, seed: int, stream: int, path: int, pair: int) -> float:
    """Hormann's PTRS, for means of 10 and more."""
    root, logs = sqrt(mean), log(mean)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse, sure = 1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2.0)
    found = mean
    for attempt in range(1, _PAIRS):
        u, height = uniform_pair(seed, stream, path, pair + attempt)
        u -= 0.5
        edge = 0.5 - abs(u)
        at = (2.0 * a / edge + b) * u + mean + 0.43
        if at < 0.0 or (edge < 0.013 and height > edge):
            continue
        k = float(int(at))
        level = log(height * inverse / (a / (edge * edge) + b))
        if (edge >= 0.07 and height <= sure) or level <= k * logs - mean - _log_factorial(k):
            found = k
            break
    return found


@inlined
def _poisson(mean: float, seed: int, stream: int, path: int, pair: int) -> float:
    """Poisson: by inversion, or by rejection where that would take long."""
    if mean > 30.0:
        return _poisson_wide(mean, seed, stream, path, pair)
    u = uniform_pair(seed, stream, path, pair)[0]
    share = exp(-mean)
    n, total = 0.0, share
    while u > total and n < 250.0:
        n += 1.0
        share *= mean / n
        total += share
    return n


@inlined
def _gamma(shape: float, seed: int, stream: int, path: int, pair: int) -> float:
    """Gamma of scale 1: Marsaglia and Tsang; below shape 1 the one of shape + 1 times u**(1 / shape)."""
    d = (shape + 1.0 if shape < 1.0 else shape) - 1.0 / 3.0
    c = 1.0 / sqrt(9.0 * d)
    y = d
    for attempt in range(1, _PAIRS):
        u, other = uniform_pair(seed, stream, path, pair + attempt)
        z = norm_ppf(other)
        t = 1.0 + c * z
        cube = t * t * t
        if t > 0.0 and log(u) < 0.5 * z * z + d * (1.0 - cube + log(cube)):
            y = d * cube
            break
    if shape < 1.0:
        y *= exp(log(uniform_pair(seed, stream, path, pair)[0]) / shape)
    return y


@inlined
def _inverse_gaussian(mean: float, variance: float, seed: int, stream: int, path: int, pair: int) -> float:
    """Inverse Gaussian with these moments."""
    u, other = uniform_pair(seed, stream, path, pair)
    z = norm_ppf(other)
    r = 0.5 * z * z * variance / (mean * mean)
    small = mean / (1.0 + r + sqrt(r * (r + 2.0)))  # the smaller root, without cancellation
    return small if u * (mean + small) <= mean else mean * mean / small


@inlined
def _heston(
    x: float, v: float, z: float, step: Float1D, terms: Float1D, seed: int, stream: int, path: int, pair: int
) -> tuple[float, float, float]:
    """(x', v', integral of v) one step on."""
    kappa, delta, sigma, rho = terms[0], terms[1], terms[2], terms[3]
    n = _poisson(step[1] * v, seed, stream, path, pair)
    shape = 0.5 * delta + n
    after = step[2] * _gamma(shape, seed, stream + 1, path, pair) if shape > 0.0 else 0.0
    order = 0.5 * delta + 2.0 * n
    mean, variance = step[3] * (v + after) + step[5] * order, step[4] * (v + after) + step[6] * order
    inside = _inverse_gaussian(mean, variance, seed, stream + 2, path, pair) if mean > 0.0 else 0.0
    pull = rho / sigma * (after - v - step[7] + kappa * inside)
    return x + pull - 0.5 * inside + sqrt((1.0 - rho * rho) * inside) * z, after, inside


@kernel
def sampled_paths(
    kind: int, seed: int, stream: int, first_path: int, w: Float2D, terms: Float1D, steps: Float2D, start: Float2D,
    x: Float2D, variance: Float2D, exposed: Float2D,
) -> None:  # fmt: skip
    """Fill three arrays, one row a step, one column a path: log(S / F), v, and the integral of v over the step (of a
    gamma clock: its own variance sigma^2 g). start, shape (2, lanes): log(S / F) and v at the beginning."""
    for i in range(w.shape[1]):
        now, v, before = start[0, i], start[1, i], 0.0
        for k in range(steps.shape[0]):
            step, path, pair = steps[k], first_path + i, _PAIRS * k
            z = (w[k, i] - before) * step[0]
            before = w[k, i]
            if kind == HESTON:
                now, v, inside = _heston(now, v, z, step, terms, seed, stream, path, pair)
            else:
                clock = step[2] * _gamma(step[1], seed, stream, path, pair)
                inside = terms[2] * terms[2] * clock
                now += step[3] + terms[0] * clock + sqrt(inside) * z
            x[k, i], variance[k, i], exposed[k, i] = now, v, inside
