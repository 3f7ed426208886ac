"""The recursion of Fang and Oosterlee (2009): a value's cosine coefficients, carried from date to date by FFT.

The value v of a contract at a date is a cosine series on [low, low + width] in y, the log of the price over a strike:

    v(y) = sum' V_k cos(k theta),   theta = pi (y - low) / width.

Before it, at y, it is worth  c(y) = df Re sum' phi(u_k) V_k exp(i k theta)  (their eq. 17), phi of the increment up to
the date. At a date the contract pays on some intervals and goes on over others. The coefficients of what it pays are
closed forms; those of c over intervals are a product of matrices of Toeplitz and Hankel (their eqs. 41-47), here the
product of c with the intervals' indicator, both on 4 n_terms points: three real FFTs a date, no other error than
rounding. Exercise is where a put pays more than c; each end of such an interval is a root of the series itself.

Error, in units of the largest payment (their section 4, each part bounded):

    P(some date finds y outside the range)        by Doob (`cosine_law`);
    the terms left out                            at each date at most 2 / pi TV(v) integral from U of abs(phi(u)) / u
                                                  where v jumps, TV(v) taken as 3; where its slope does, at most
                                                  8 / pi integral of abs(phi) / u^2, as TV(v') <= 4 for a put;
    rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from research.arrays import Float1D, Float2D, Int1D
from research.pricing.cosine_law import Law

Intervals = list[tuple[float, float]]
_SAME = 1e-13  # of the strike: what exercise must pay more
_NEWTON = 2
_TABLE = 64


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Dates of a contract and what lies between them; arrays of shape (n,), the first step begins today."""

    times: Float1D  # years, increasing, > 0
    drift: Float1D  # of y by the forward, from the date before
    df: Float1D  # discount factor from the date before
    n_terms: Int1D  # of the value at the date: the shorter the step before it, the more


def turned(theta: float, n: int) -> Any:
    """exp(i k theta), k < n: products of two tables, as exact as each and much quicker than n exponentials."""
    if theta == 0.0:
        return np.ones(n, dtype=np.complex128)
    rows = -(-n // _TABLE)
    coarse = np.exp(1j * theta * _TABLE * np.arange(rows))
    fine = np.exp(1j * theta * np.arange(_TABLE))
    return np.multiply.outer(coarse, fine).reshape(-1)[:n]


@dataclass(frozen=True, slots=True)
class Frame:
    """A range in y."""

    low: float
    width: float

    def angle(self, y: float) -> float:
        """theta of y."""
        return float(np.pi / self.width * (y - self.low))

    def u(self, n: int) -> Float1D:
        """Frequencies, shape (n,)."""
        return np.asarray(np.pi / self.width * np.arange(n, dtype=np.float64))

    def clipped(self, pieces: Intervals) -> Intervals:
        """Intervals as far as they lie in the range."""
        high = self.low + self.width
        cut = [(min(max(a, self.low), high), min(max(b, self.low), high)) for a, b in pieces]
        return [(a, b) for a, b in cut if b > a]

    def cash(self, pieces: Intervals, n: int) -> Float1D:
        """Coefficients of 1 on intervals, shape (n,)."""
        out = np.zeros(n)
        u = self.u(n)[1:]
        for a, b in self.clipped(pieces):
            out[0] += b - a
            out[1:] += (turned(self.angle(b), n).imag[1:] - turned(self.angle(a), n).imag[1:]) / u
        return np.asarray(2.0 / self.width * out)

    def put(self, pieces: Intervals, n: int) -> Float1D:
        """Coefficients of 1 - exp(y) on intervals, shape (n,)."""
        out, u = np.zeros(n), self.u(n)[1:]
        for a, b in self.clipped(pieces):
            for y, sign in ((b, 1.0), (a, -1.0)):
                grown, wave = np.exp(y), turned(self.angle(y), n)[1:]
                out[0] += sign * (y - grown)
                out[1:] += sign * (wave.imag / u - grown * (wave.real + u * wave.imag) / (1.0 + u * u))
        return np.asarray(2.0 / self.width * out)

    def samples(self, coefficients: Any, turn: int) -> Float1D:
        """Re sum of coefficients exp(i k theta) on the points of a whole turn, shape (turn,)."""
        spread = np.zeros(turn // 2 + 1, dtype=np.complex128)
        spread[: coefficients.size] = 0.5 * coefficients
        spread[0] = coefficients[0].real
        return np.asarray(irfft(spread, turn)) * turn

    def indicator(self, pieces: Intervals, n: int, turn: int) -> Float1D:
        """1 on intervals and 0 elsewhere on a turn, as a series of n frequencies."""
        k = np.arange(1, n)
        out = np.zeros(n, dtype=np.complex128)
        for a, b in self.clipped(pieces):
            one, two = self.angle(a), self.angle(b)
            out[0] += two - one
            out[1:] += 2.0j * np.conj(turned(two, n) - turned(one, n))[1:] / k
        return self.samples(out / (2.0 * np.pi), turn)

    def at(self, coefficients: Any, y: Float1D, order: int = 0) -> Float2D:
        """The series and its first derivatives at y, shape (order + 1, m)."""
        n = coefficients.size
        waves = np.array([turned(self.angle(float(each)), n) for each in y])
        rows = [(waves @ (coefficients * (1j * self.u(n)) ** k)).real for k in range(order + 1)]
        return np.array(rows)


def turn_of(before: int, after: int) -> int:
    """Points on which n = `before` coefficients of a product of a series of `after` terms are exact."""
    return 2 * int(next_fast_len(before + after, real=True))


def over(samples: Float1D, indicator: Float1D, n: int) -> Float1D:
    """Coefficients of a series on the intervals of an indicator, shape (n,)."""
    out: Float1D = 4.0 / samples.size * np.asarray(rfft(samples * indicator)).real[:n]
    return out


def _before(frame: Frame, v: Float1D, law: Law, steps: Steps, date: int) -> Any:
    """Coefficients of c one step earlier, discounted: its value at y is their series."""
    start, u = steps.times[date - 1] if date else 0.0, frame.u(v.size)
    phi = np.exp(law.log_cf(u, float(start), float(steps.times[date])) + 1j * u * steps.drift[date])
    out = steps.df[date] * phi * v
    out[0] *= 0.5
    return out


def exercised(frame: Frame, law: Law, steps: Steps) -> Any:
    """A put of strike 1 that may be exercised on the dates: coefficients of its value before the first of them."""
    n = steps.n_terms
    ahead = _before(frame, frame.put([(-np.inf, 0.0)], n[-1]), law, steps, n.size - 1)
    for date in range(n.size - 2, -1, -1):
        turn = turn_of(n[date], n[date + 1])
        samples = frame.samples(ahead, turn)
        paying = _paying(frame, ahead, samples)
        on = frame.indicator(_others(frame, paying), n[date] + n[date + 1], turn)
        v = over(samples, on, n[date]) + frame.put(paying, n[date])
        ahead = _before(frame, v, law, steps, date)
    return ahead


def _paying(frame: Frame, ahead: Any, samples: Float1D) -> Intervals:
    """Where exercise pays more than going on."""
    y = frame.low + 2.0 * frame.width / samples.size * np.arange(samples.size // 2 + 1)
    gap = -np.expm1(np.minimum(y, 0.0)) - samples[: y.size] - _SAME
    more = (gap > 0.0) & (y < 0.0)
    ends = np.flatnonzero(more[1:] != more[:-1])
    root = y[ends] - gap[ends] * (y[ends + 1] - y[ends]) / (gap[ends + 1] - gap[ends])
    for _ in range(_NEWTON if ends.size else 0):
        value, slope = frame.at(ahead, root, 1)
        move = (-np.expm1(root) - value - _SAME) / (np.exp(root) + slope)
        root = np.clip(root + np.where(np.isfinite(move), move, 0.0), y[ends], y[ends + 1])
    marks = [*([-np.inf] if more[0] else []), *np.minimum(root, 0.0), *([np.inf] if more[-1] else [])]
    return list(zip(marks[::2], marks[1::2], strict=True))


def _others(frame: Frame, pieces: Intervals) -> Intervals:
    """The rest of the range."""
    marks = [frame.low, *(y for piece in frame.clipped(pieces) for y in piece), frame.low + frame.width]
    return [(a, b) for a, b in zip(marks[::2], marks[1::2], strict=True) if b > a]


def watched(
    frame: Frame, law: Law, steps: Steps, alive: tuple[float, float], leg: str, paid: Intervals,
    amounts: tuple[float, ...],
) -> Any:  # fmt: skip
    """What a contract pays that ends at the date that finds y outside `alive`; coefficients as of `exercised`.

    Parameters
    ----------
    leg : "put" (1 - exp(y) at the last date if alive), "cash" (1 there), "hit" (paid at the date that ends it)
    paid, amounts : of "hit": the intervals outside that pay, and how much at each date
    """
    n = steps.n_terms
    if leg == "put":
        v = frame.put([(alive[0], min(alive[1], 0.0))], n[-1])
    elif leg == "cash":
        v = frame.cash([alive], n[-1])
    else:
        v = amounts[-1] * frame.cash(paid, n[-1])
    ahead, on = _before(frame, v, law, steps, n.size - 1), dict[tuple[int, int], Float1D]()
    for date in range(n.size - 2, -1, -1):
        size, turn = (int(n[date]), int(n[date + 1])), turn_of(n[date], n[date + 1])
        if size not in on:
            on[size] = frame.indicator([alive], sum(size), turn)
        v = over(frame.samples(ahead, turn), on[size], n[date])
        if leg == "hit":
            v += amounts[date] * frame.cash(paid, n[date])
        ahead = _before(frame, v, law, steps, date)
    return ahead
