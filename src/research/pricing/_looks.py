"""Barriers looked at on n even days: the shift of Broadie, Glasserman and Kou, and what it leaves, to the third order.

A look every dt moves a barrier by b s, s = sigma sqrt(dt), b = -zeta(1/2) / sqrt(2 pi). What else the walk does follows
from the same factorisation of 1 - exp(k^2 / 2) (Wiener and Hopf), in the log price x, y from the barrier inwards, with
q the density that the moved barrier kills, f its slope at that barrier and g the payment, tilted by the drift:

- a payment that is not 0 at the barrier: - s^2 / 8 f g - 2 c s^3 f g',  c = -zeta(-1/2) / (6 sqrt(2 pi));
- the phase of each wave is b k + c k^3: the image's third derivative times 2 c s^3;
- a spot within a few steps of the barrier: u + b becomes the walk's harmonic function h(u) (u in steps), which is
  h(u) = int_0^inf h(v) phi(v - u) dv, h(u) - u - b -> 0.

The next order is 1 / n^2 (tests/pricing/honesty/test_looks.py measures it); the stated error comes from the third.

References
----------
Broadie, Glasserman, Kou (1997), "A continuity correction for discrete barrier options", Mathematical Finance 7.
Chernoff (1965), "Sequential tests for the mean of a normal distribution IV", Annals of Mathematical Statistics 36.
Siegmund (1985), Sequential Analysis, chapter 10. Chang, Peres (1997), "Ladder heights, Gaussian random walks and the
Riemann zeta function", Annals of Probability 25.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from research.arrays import Float1D
from research.pricing._quadrature import panels

SHIFT = 0.5825971579390107  # -zeta(1/2) / sqrt(2 pi)
_CUBE = 0.2078862249773546 / (6.0 * np.sqrt(2.0 * np.pi))  # -zeta(-1/2) / (6 sqrt(2 pi))
_ROOT = np.sqrt(2.0 * np.pi)
_FOURTH, _ALL = 0.3, 1.2
_LEAN = 1.0  # drift between two looks, in steps: beyond it the series says nothing
_FAR = 14.0  # steps from the barrier beyond which the walk does not feel it


def _bend(u: Any) -> Any:
    """What is missing in h(u) = u + b after one step over the half-line."""
    return np.exp(-0.5 * u * u) / _ROOT - (u + SHIFT) * ndtr(-u)


@functools.cache
def _layer_nodes() -> tuple[Float1D, Float1D]:
    """Nodes v, and weights times h(v) - v - b there."""
    v, w = panels(np.linspace(0.0, _FAR, 15).tolist())
    step = np.exp(-0.5 * (v[:, None] - v) ** 2) / _ROOT * w
    return v, w * np.linalg.solve(np.eye(v.size) - step, _bend(v))


def layer(u: float) -> float:
    """h(u) - u - b, u >= 0 in steps: 0.1245 at the barrier, 1e-3 two steps away.

    Examples
    --------
    >>> round(layer(0.0) + SHIFT, 6)  # h(0) = 1 / sqrt(2)
    0.707107
    """
    if u > _FAR:
        return 0.0
    v, weighted = _layer_nodes()
    return float(weighted @ np.exp(-0.5 * (v - u) ** 2) / _ROOT + _bend(u))


@dataclass(frozen=True, slots=True)
class Walk:
    """A log price that is looked at n times up to expiry, at a distance from one barrier; all in logs."""

    distance: float  # from the spot to the barrier, > 0
    drift: float  # of the whole time, away from the barrier
    std: float  # of the whole time
    looks: float  # of a contract that has aged not a whole number; 1 and less: at the end alone

    @property
    def step(self) -> float:
        """Standard deviation between two looks."""
        return self.std / float(np.sqrt(self.looks))

    @property
    def move(self) -> float:
        """Of the barrier."""
        return SHIFT * self.step

    @property
    def near(self) -> float:
        """h(u) / (u + b), fading for a spot that the whole time can hardly bring to the barrier."""
        u = self.distance / self.step
        fade = float(np.exp(-0.5 * (self.distance / self.std) ** 2))
        return 1.0 + layer(u) / (u + SHIFT) * fade

    def at_barrier(self) -> tuple[float, float, float]:
        """At the moved barrier: the image's density with the drift's tilt, and its first two derivatives without."""
        z = (self.distance + self.move) / self.std
        lean = self.drift / self.std
        density = float(np.exp(-0.5 * (z + lean) ** 2)) / (_ROOT * self.std)
        return density, -z * density / self.std, (z * z - 1.0) * density / self.std**2

    @property
    def slope(self) -> float:
        """Of the killed density, at the moved barrier."""
        return -2.0 * self.at_barrier()[1]


def paid_alive(
    walk: Walk, value: Callable[[float], float], once: float, df: float, paid: float, rises: float,
    kink: tuple[float, float],
) -> tuple[float, float]:  # fmt: skip
    """(value, error) of a payment >= 0 at expiry that a look at the barrier may end.

    Parameters
    ----------
    value : of the move of the barrier, in logs, the present value watched at every moment
    once : present value with one look, at expiry
    paid, rises : at the moved barrier, and its derivative by the log price inwards
    kink : (distance from the barrier in logs, change of the slope) of the payment
    """
    if walk.looks <= 1.0:
        return once, 0.0
    s, (_, first, second) = walk.step, walk.at_barrier()
    inward = rises + walk.drift / walk.std**2 * paid
    jump = -0.125 * s * s * df * walk.slope * paid
    more = -2.0 * _CUBE * s**3 * df * walk.slope * inward
    bulk = -0.25 * _CUBE * (_third(walk, value) + s**3 * df * (6.0 * second * paid - 2.0 * first * inward))
    found = walk.near * (value(walk.move) + jump + more + bulk)
    left = (abs(more) + abs(bulk)) * _left(walk) + 0.1 * s**3 * df * walk.slope * abs(kink[1]) * np.exp(-kink[0] / s)
    always = value(0.0)
    return _between(found, float(left) + _next(walk, found - always), always, once, walk)


def paid_at_hit(
    walk: Walk, value: Callable[[float], float], once: float, df: float, rate: float
) -> tuple[float, float]:
    """(value, error) of one unit paid at the look that finds the barrier passed; `rate` of the whole time.

    `once` is one unit at expiry if the last look finds it alive.
    """
    if walk.looks <= 1.0:
        return df - once, 0.0
    s, (_, first, second) = walk.step, walk.at_barrier()
    tilt, wait = walk.drift / walk.std**2, rate / walk.looks
    more = -2.0 * _CUBE * s**3 * df * walk.slope * tilt
    bulk = -0.25 * _CUBE * (_third(walk, value) - s**3 * df * (6.0 * second - 2.0 * first * tilt))
    found = value(walk.move) * (1.0 - 0.25 * wait) + 0.125 * s * s * df * walk.slope - more + bulk
    left = (abs(more) + abs(bulk) + wait * wait + abs(wait) * _CUBE / np.sqrt(walk.looks)) * _left(walk)
    late, soon = df - once, value(0.0) * max(1.0, float(np.exp(-wait)))
    if rate < 0.0:
        late = min(late, late * float(np.exp(rate)))
    found = 1.0 - walk.near * (1.0 - found)
    return _between(found, float(left) + _next(walk, found - value(0.0)), late, soon, walk)


def _third(walk: Walk, value: Callable[[float], float]) -> float:
    """Third derivative of the value by the move of the barrier, times the cube of a step."""
    e = 0.5 * walk.move
    gap = value(4.0 * e) - 2.0 * value(3.0 * e) + 2.0 * value(e) - value(0.0)
    return gap / (2.0 * (0.5 * SHIFT) ** 3)


def _between(found: float, left: float, low: float, high: float, walk: Walk) -> tuple[float, float]:
    """More looks end more: the value lies between one look and looking always, and so does the error."""
    high = max(low, high)
    out = min(max(found, low), high)
    lean = abs(walk.drift) / walk.std / np.sqrt(walk.looks)
    bound = max(high - out, out - low)
    return out, bound if lean > _LEAN else min(left, bound)


def _next(walk: Walk, moved: float) -> float:
    """Of order 1 / n^2, from what the looks are worth: where the third order happens to vanish."""
    return _FOURTH * abs(moved) / walk.looks**2


def after_the_shift(moved: Any, looks: Any, drift: Any, std: Any, distance: Any = np.inf) -> Any:
    """What may be left where nothing but the shift is done: of order 1 / n where what it does, `moved`, is 1 / sqrt(n).

    More for a spot `distance` from the barrier, a step or two, and where the drift runs ahead between two looks: all.
    """
    root = np.sqrt(np.where(np.isfinite(looks), looks, 1.0))
    lean, near = np.abs(drift) / (std * root), np.exp(-distance * root / std)
    share = np.minimum((1.0 + lean) ** 2 / root + 2.0 * near, 1.0)
    return np.where(np.isfinite(looks), _ALL * np.abs(moved) * share, 0.0)


def _left(walk: Walk) -> float:
    """What the fourth order may be in units of the third."""
    u, lean = walk.distance / walk.step, abs(walk.drift) / walk.std / np.sqrt(walk.looks)
    return float((4.0 / np.sqrt(walk.looks) + 4.0 * np.exp(-u)) * (1.0 + lean) ** 2)
