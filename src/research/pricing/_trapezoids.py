"""An option on the difference of two lognormal prices by the trapezoidal rule, where the integrand is one smooth bell.

Given the noise z of the second price the first is lognormal, and the option is Black's at a strike that grows with the
second. As a function of z that is a normal density times a normal distribution function which steps over a width w, so
of an effective deviation s = w / sqrt(1 + w^2): its Fourier transform falls as exp(-(u s)^2 / 2), and a step of h
leaves exp(-2 (pi s / h)^2), 1e-19 at _STEPS. The strike k + b e^y has a root at an imaginary distance pi / s_2 of z,
which a vol below _CALM keeps far away. Two rules of steps that have nothing in common give the error.

References
----------
Trefethen, Weideman (2014), "The exponentially convergent trapezoidal rule", SIAM Review 56, 385-458.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from research.arrays import Float1D

_STEPS = 0.62, 0.53  # of the effective deviation
_REACH = 9.5  # standard deviations of z
_NARROW, _CALM, _WIDE = 0.2, 0.8, 2.0  # width of the step at least; deviations of the second and the first at most
_ROOT = math.sqrt(2.0 * math.pi)


def difference(
    a: float, b: float, k: float, s1: float, s2: float, rho: float, sign: float
) -> tuple[float, float] | None:  # fmt: skip
    """E max(sign (X_1 - X_2 - k), 0) by each rule, forwards a > 0, b >= 0, k >= 0; None where there is no bell.

    s1, s2: standard deviations of the logarithms, correlation rho.
    """
    tilt, own = rho * s1, s1 * math.sqrt((1.0 - rho) * (1.0 + rho))
    speed = max(abs(tilt), abs(tilt - s2))
    if not (a > 0.0 <= b and k >= 0.0 < b + k and s2 <= _CALM and s1 <= _WIDE and own > _NARROW * speed):
        return None
    effective = own / math.sqrt(own * own + speed * speed)
    low, high = min(tilt, s2, 0.0) - _REACH, max(tilt, s2, 0.0) + _REACH
    steps = [part * effective for part in _STEPS]
    counts = [int((high - low) / h) + 1 for h in steps]
    z = np.concatenate([low + h * np.arange(n) for h, n in zip(steps, counts)])
    found = _given(z, a, b, k, tilt, s2, own, sign) * np.exp(-0.5 * z * z)
    first = counts[0]
    return float(found[:first].sum()) * steps[0] / _ROOT, float(found[first:].sum()) * steps[1] / _ROOT


def _given(z: Float1D, a: float, b: float, k: float, tilt: float, s2: float, own: float, sign: float) -> Float1D:
    """The option at each z."""
    forward = a * np.exp(tilt * (z - 0.5 * tilt))
    strike = k + b * np.exp(s2 * (z - 0.5 * s2))
    d1 = np.log(forward / strike) / own + 0.5 * own
    value = forward * ndtr(sign * d1) - strike * ndtr(sign * (d1 - own))
    return np.maximum(sign * value, 0.0)
