"""A Brownian motion with drift between two absorbing barriers: where it ends, when and where it leaves.

All in the log of the price over the spot: barriers low < 0 < high, drift and standard deviation of the whole time. Two
series give the same numbers: images of the start (Ikeda and Kunitomo) fall like exp(-2 n^2 w^2 / s^2), eigenfunctions
(Hui) like exp(-n^2 pi^2 s^2 / 2 w^2), with w the width and s the standard deviation; they meet at s^2 / w^2 = 2 / pi,
where eight terms of either are below 1e-60. A large factor times a small probability is multiplied in logarithms.

References
----------
Ikeda, Kunitomo (1992), "Pricing options with curved boundaries", Mathematical Finance 2, 275-298.
Hui (1996), "One-touch double barrier binary option values", Applied Financial Economics 6, 343-346.
Karatzas, Shreve (1991), Brownian Motion and Stochastic Calculus, section 2.8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import log_ndtr

from research.arrays import FloatND

Series = Literal["auto", "images", "eigenfunctions"]
SERIES = ("auto", "images", "eigenfunctions")
_CROSSING = 2.0 / np.pi
_TERMS = 8


@dataclass(frozen=True, slots=True)
class Corridor:
    """low < 0 < high, and the time's standard deviation; `series` chooses how numbers are found."""

    low: float
    high: float
    std: float  # of the log price over the whole time, > 0
    series: Series = "auto"

    @property
    def width(self) -> float:
        return self.high - self.low

    @property
    def by_images(self) -> bool:
        """Which series is taken."""
        return self.std**2 < _CROSSING * self.width**2 if self.series == "auto" else self.series == "images"


def inside(c: Corridor, drift: float, start: float, stop: float) -> float:
    """Probability to end in [start, stop], a part of the corridor, without having left it; `drift` of the whole time.

    Examples
    --------
    >>> wide = Corridor(low=-100.0, high=100.0, std=1.0)
    >>> round(inside(wide, 0.0, -1.0, 1.0), 4)  # nothing is absorbed: Phi(1) - Phi(-1)
    0.6827
    """
    if not stop > start:
        return 0.0
    found = _inside_images(c, drift, start, stop) if c.by_images else _inside_waves(c, drift, start, stop)
    return float(min(max(found, 0.0), 1.0))


def _between(log_factor: Any, low: Any, high: Any) -> FloatND:
    """exp(log_factor) (Phi(high) - Phi(low)), from the tail where nothing cancels."""
    swap = low > 0.0
    a, b = np.where(swap, -high, low), np.where(swap, -low, high)
    out: FloatND = np.exp(log_factor + log_ndtr(b)) - np.exp(log_factor + log_ndtr(a))
    return out


def _inside_images(c: Corridor, drift: float, start: float, stop: float) -> float:
    n = np.arange(-_TERMS, _TERMS + 1)
    total = 0.0
    for sign, image in ((1.0, 2.0 * n * c.width), (-1.0, 2.0 * c.low + 2.0 * n * c.width)):
        centre = image + drift
        total += sign * float(
            _between(drift * image / c.std**2, (start - centre) / c.std, (stop - centre) / c.std).sum()
        )
    return total


def _inside_waves(c: Corridor, drift: float, start: float, stop: float) -> float:
    k = np.arange(1, _TERMS + 1) * np.pi / c.width
    tilt = drift / c.std**2
    weight = 2.0 / c.width * np.sin(-k * c.low) / (tilt**2 + k**2)

    def primitive(x: float) -> FloatND:
        """Integral of exp(tilt x) sin(k (x - low)), times what the tilt and time take off."""
        angle = k * (x - c.low)
        size = tilt * x - 0.5 * drift * tilt - 0.5 * (k * c.std) ** 2
        out: FloatND = np.exp(size) * (tilt * np.sin(angle) - k * np.cos(angle))
        return out

    return float((weight * (primitive(stop) - primitive(start))).sum())


def leaves(c: Corridor, drift: float, root: float) -> tuple[float, float]:
    """E[exp(-r t); left at low at t], the same at high, for times t within the whole time.

    root = sqrt(drift^2 + 2 r T s^2) for a rate r over the time T; root = abs(drift) gives probabilities.
    """
    mirrored = Corridor(-c.high, -c.low, c.std, c.series)
    at_low, at_high = ((_leaves_images if c.by_images else _leaves_waves)(x, d, root)
                       for x, d in ((c, drift), (mirrored, -drift)))  # fmt: skip
    return max(at_low, 0.0), max(at_high, 0.0)


def _leaves_images(c: Corridor, drift: float, root: float) -> float:
    """At low, as the first passages of the images, of alternating sign."""
    distance = 2.0 * np.arange(-_TERMS, _TERMS + 1) * c.width - c.low
    far, tilt = np.abs(distance), drift * c.low / c.std**2
    away = np.exp(tilt + root * far / c.std**2 + log_ndtr((-far - root) / c.std))
    towards = np.exp(tilt - root * far / c.std**2 + log_ndtr((-far + root) / c.std))
    return float((np.sign(distance) * (away + towards)).sum())


def _leaves_waves(c: Corridor, drift: float, root: float) -> float:
    """At low, ever, less what leaves later than the whole time."""
    square, tilt = c.std**2, drift * c.low / c.std**2
    k = np.arange(1, _TERMS + 1) * np.pi / c.width
    pull = root / square
    if pull * c.width > 1e-8:  # sinh(pull high) / sinh(pull width)
        ever = np.exp(tilt + pull * c.low) * np.expm1(-2.0 * pull * c.high) / np.expm1(-2.0 * pull * c.width)
    else:
        ever = np.exp(tilt) * c.high / c.width
    rate = 0.5 * (k**2 * square + pull * root)
    later = square * k / c.width * np.sin(-k * c.low) / rate * np.exp(tilt - rate)
    return float(ever - later.sum())
