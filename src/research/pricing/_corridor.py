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
from scipy.special import log_ndtr, wofz

from research.arrays import FloatND

Series = Literal["auto", "images", "eigenfunctions", "once"]  # the last: left if it ends outside
SERIES = ("auto", "images", "eigenfunctions")
_CROSSING = 2.0 / np.pi
_TERMS, _MANY = 8, 1000


@dataclass(frozen=True, slots=True)
class Corridor:
    """low < 0 < high, and the time's standard deviation, arrays of shape (n,); `series` chooses how."""

    low: FloatND
    high: FloatND
    std: FloatND  # of the log price over the whole time, > 0
    series: Series = "auto"

    @property
    def by_images(self) -> Any:
        """Which corridors take which series, shape (n,)."""
        if self.series == "auto":
            return self.std**2 < _CROSSING * (self.high - self.low) ** 2
        return np.full(self.std.shape, self.series == "images")

    def part(self, where: Any) -> Corridor:
        """Some of the corridors, as columns beside the terms of a series."""
        low, high, std = (np.asarray(x)[where][:, None] for x in (self.low, self.high, self.std))
        return Corridor(low, high, std, self.series)


def inside(c: Corridor, drift: FloatND, start: FloatND, stop: FloatND) -> FloatND:
    """Probability to end in [start, stop], a part of the corridor, without having left it; `drift` of the whole time.

    Examples
    --------
    >>> wide = Corridor(low=np.array([-100.0]), high=np.array([100.0]), std=np.array([1.0]))
    >>> round(float(inside(wide, np.zeros(1), -np.ones(1), np.ones(1))[0]), 4)  # nothing is absorbed
    0.6827
    """
    out = np.zeros(c.std.shape)
    if c.series == "once":
        return np.clip(between(0.0 * drift, (start - drift) / c.std, (stop - drift) / c.std), 0.0, 1.0) * (stop > start)
    for images in (True, False):
        where = (c.by_images == images) & (stop > start)
        if where.any():
            way = _inside_images if images else _inside_waves
            out[where] = way(c.part(where), *(x[where][:, None] for x in (drift, start, stop)))
    return np.clip(out, 0.0, 1.0)


def between(log_factor: FloatND, low: FloatND, high: FloatND) -> FloatND:
    """exp(log_factor) (Phi(high) - Phi(low)), from the tail where nothing cancels."""
    swap = low > 0.0
    a, b = np.where(swap, -high, low), np.where(swap, -low, high)
    out: FloatND = np.exp(log_factor + log_ndtr(b)) - np.exp(log_factor + log_ndtr(a))
    return out


def _inside_images(c: Corridor, drift: FloatND, start: FloatND, stop: FloatND) -> FloatND:
    n, width = np.arange(-_TERMS, _TERMS + 1), c.high - c.low
    total = np.zeros(c.std.shape[0])
    for sign, image in ((1.0, 2.0 * n * width), (-1.0, 2.0 * c.low + 2.0 * n * width)):
        centre = image + drift
        total += sign * between(drift * image / c.std**2, (start - centre) / c.std, (stop - centre) / c.std).sum(axis=1)
    return total


def _inside_waves(c: Corridor, drift: FloatND, start: FloatND, stop: FloatND) -> FloatND:
    width = c.high - c.low
    k = np.arange(1, _TERMS + 1) * np.pi / width
    tilt = drift / c.std**2
    weight = 2.0 / width * np.sin(-k * c.low) / (tilt**2 + k**2)

    def primitive(x: FloatND) -> FloatND:
        """Integral of exp(tilt x) sin(k (x - low)), times what the tilt and time take off."""
        angle = k * (x - c.low)
        size = tilt * x - 0.5 * drift * tilt - 0.5 * (k * c.std) ** 2
        out: FloatND = np.exp(size) * (tilt * np.sin(angle) - k * np.cos(angle))
        return out

    found: FloatND = (weight * (primitive(stop) - primitive(start))).sum(axis=1)
    return found


def leaves(c: Corridor, drift: FloatND, square: FloatND) -> tuple[FloatND, FloatND]:
    """E[exp(-r t); left at low at t], the same at high, for times t within the whole time.

    square = drift^2 + 2 r T s^2 for a rate r over the time T, below 0 where r is; drift^2 gives probabilities.
    """
    if c.series == "once":
        discount = np.exp(0.5 * (drift**2 - square) / c.std**2)
        return discount * np.exp(log_ndtr((c.low - drift) / c.std)), discount * np.exp(
            log_ndtr((drift - c.high) / c.std)
        )
    mirrored = Corridor(-c.high, -c.low, c.std, c.series)
    found = []
    for corridor, moved in ((c, drift), (mirrored, -drift)):
        out = np.zeros(c.std.shape)
        for images in (True, False):
            where = c.by_images == images
            if where.any():
                way = _leaves_images if images else _leaves_waves
                out[where] = way(corridor.part(where), moved[where][:, None], square[where][:, None])
        found.append(np.maximum(out, 0.0))
    return found[0], found[1]


def _leaves_images(c: Corridor, drift: FloatND, square: FloatND) -> FloatND:
    """At low, as the first passages of the images, of alternating sign."""
    distance = 2.0 * np.arange(-_TERMS, _TERMS + 1) * (c.high - c.low) - c.low
    far, tilt, root = np.abs(distance), drift * c.low / c.std**2, np.sqrt(np.abs(square))
    away = np.exp(tilt + root * far / c.std**2 + log_ndtr((-far - root) / c.std))
    towards = np.exp(tilt - root * far / c.std**2 + log_ndtr((-far + root) / c.std))
    debt = np.where(square < 0.0, root, 0.0)  # both together where the root is imaginary
    turned = np.where(square < 0.0, tilt + 0.5 * (debt - far) * (debt + far) / c.std**2, 0.0)
    both = np.exp(turned) * wofz((1j * far - debt) / (np.sqrt(2.0) * c.std)).real
    found: FloatND = (np.sign(distance) * np.where(square < 0.0, both, away + towards)).sum(axis=1)
    return found


def _leaves_waves(c: Corridor, drift: FloatND, square: FloatND) -> FloatND:
    """At low, ever, less what leaves later than the whole time."""
    out = np.empty(c.std.shape[0])
    for way, where in ((_real_waves, square[:, 0] >= 0.0), (_debtors_waves, square[:, 0] < 0.0)):
        if where.any():
            part = Corridor(c.low[where], c.high[where], c.std[where], c.series)
            out[where] = way(part, drift[where], square[where])
    return out


def _real_waves(c: Corridor, drift: FloatND, square: FloatND) -> FloatND:
    width, variance, tilt, root = c.high - c.low, c.std**2, drift * c.low / c.std**2, np.sqrt(square)
    k = np.arange(1, _TERMS + 1) * np.pi / width
    pull = root / variance
    with np.errstate(divide="ignore", invalid="ignore"):  # sinh(pull high) / sinh(pull width)
        ratio = np.exp(pull * c.low) * np.expm1(-2.0 * pull * c.high) / np.expm1(-2.0 * pull * width)
    ever = np.exp(tilt) * np.where(pull * width > 1e-8, ratio, c.high / width)
    rate = 0.5 * (k**2 * variance + pull * root)
    later = variance * k / width * np.sin(-k * c.low) / rate * np.exp(tilt - rate)
    found: FloatND = ever[:, 0] - later.sum(axis=1)
    return found


def _debtors_waves(c: Corridor, drift: FloatND, square: FloatND) -> FloatND:
    """The same where the rate lies so far below 0 that each wave may grow: no sum over all time, and no resonance.

    1 / rate is 1 / rest + gain / rest^2 + gain^2 / (rest^2 rate), rest without the gain; the first two have closed
    sums, and the third goes with (1 - exp(-rate)) / rate, which is 1 where a wave neither grows nor falls.
    """
    width, variance, tilt = c.high - c.low, c.std**2, drift * c.low / c.std**2
    x, gain = -c.low / width, -0.5 * square / variance
    j = np.arange(1, _MANY + 1)
    rest = 0.5 * variance * (j * np.pi / width) ** 2
    rate = rest - gain
    size = variance * j * np.pi / width**2 * np.sin(j * np.pi * x)
    cubes = np.pi**3 * (x / 6.0 - x * x / 4.0 + x**3 / 12.0)  # sum of sin(j pi x) / j^3
    closed = 1.0 - x + gain * 4.0 * width**2 / (variance * np.pi**3) * cubes
    first, some = slice(0, _TERMS), rate[:, :_TERMS]
    safe = np.where(np.abs(some) > 1e-12, some, 1e-12)
    lasting = -np.expm1(-safe) / safe - 2.0 / rest[:, first] + some / rest[:, first] ** 2
    waves = (size[:, first] * lasting).sum(axis=1)
    more = (size[:, _TERMS:] * gain**2 / (rest[:, _TERMS:] ** 2 * rate[:, _TERMS:])).sum(axis=1)
    found: FloatND = np.exp(tilt[:, 0]) * (closed[:, 0] + waves + more)
    return found
