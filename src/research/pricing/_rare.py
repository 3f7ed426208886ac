"""What a run may not have met: a bound for the error of events so rare that no path, or hardly one, shows them.

A standard error is estimated on the paths that were drawn. Where an event of probability p changes what is paid by d
and n p is small, most runs show none of it and their spread says nothing of it; the standard deviation that it adds to
a mean over n paths, d sqrt(p / n), is then stated instead. Under one volatility p is bounded by the normal law at each
level of the note (doubled for levels that are looked at often: reflection). For other models `spread_of` looks at what
the payoff does on paths three times as wild, and an event of which there is no sign counts as met two times.

References
----------
Agresti, Coull (1998), "Approximate is better than 'exact' for interval estimation of binomial proportions", The
American Statistician 52, 119-126. Glasserman (2004), Monte Carlo Methods in Financial Engineering, section 4.6 (rare
events). Karatzas, Shreve (1991), section 2.6 (reflection).
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from research.arrays import Float1D, Float2D

MET = 64.0  # expected events from which on the spread of the run knows them
WILD = 3.0  # standard deviations of the look beyond
_UNSEEN = 2.0  # events that a run may have missed
_OFTEN = 8  # looks from which on a level is taken as watched at every moment


def added(events: Float2D, n_paths: int) -> float:
    """Standard error that events, rows (probability, change, jump), add to a mean over n paths.

    Of events that are met often, one path of the jump: in few dimensions scrambled points miss an edge by the same
    path in most scrambles, and their spread does not show it.
    """
    if events.shape[0] == 0:
        return 0.0
    p, change, jump = events.T
    square = np.where(n_paths * p < MET, n_paths * p * change * change, jump * jump)
    return float(np.sqrt(square.sum()) / n_paths)


def unseen(spread: float, jump: float, variance: float, n_paths: int) -> float:
    """The same where only the size of what may be paid is known; `variance` is that of the run."""
    return (_UNSEEN * spread if variance * n_paths < spread * spread else jump) / n_paths


def lopsided(replicates: Float1D) -> float:
    """By how much the spread of replicates understates: the part of their mean's variance to be added, at least 0.

    A run that meets N of a rare loss has a variance of N of their squares. Where it should have met more, its value is
    too high and its error too small at once: with five to be expected, errors are 1.3 times too small in the mean
    square. As if it had met N + 2 it is as far off as it says (Agresti and Coull 1998). The squared skewness of a mean
    is 1 / N; a few dozen replicates show half of it.
    """
    away = replicates - replicates.mean()
    variance = float((away * away).mean())
    if variance <= 0.0:
        return 0.0
    third = float((away**3).mean()) / variance**1.5
    return 2.0 * _UNSEEN * third * third / replicates.size


def _beyond(level: Float1D, variance: Float1D) -> tuple[float, float, float]:
    """(chance that some look is at or above its level, that some is below, and that the likeliest is above)."""
    real = np.isfinite(level)
    if not real.any():
        above = float(np.any(level == -np.inf))
        return above, 1.0 - above, above
    d = level[real] / np.sqrt(variance[real])
    often = 2.0 if d.size >= _OFTEN else float(d.size)
    up, down = ndtr(-d), ndtr(d)
    return min(often * float(up.max()), 1.0), min(often * float(down.max()), 1.0), float(up.max())


def _payments(terminal: Float2D, low: float, high: float) -> Float2D:
    """What is paid at the end, present value, never knocked in and knocked in, on prices from low to high; (2, k)."""
    spots = np.unique(np.clip([low, high, *terminal[1:, 1:9:2].ravel()], low, high))
    legs = terminal[1:, 1:9].reshape(2, 4, 2)
    paid = (legs[:, :, 1, None] * np.maximum(spots - legs[:, :, 0, None], 0.0)).sum(axis=1)
    return np.asarray(terminal[0, 2] * (terminal[1:, :1] + paid))


def _reached(coarse: Float2D, dense: Float2D, terminal: Float2D) -> slice:
    """The rows of `_payments` that can be."""
    if terminal[0, 5] > 0.0:
        return slice(1, 2)
    return slice(0, 2 if np.isfinite(coarse[:, 4]).any() or np.isfinite(dense[:, 2]).any() else 1)


def _ends(coarse: Float2D, dense: Float2D, variance: Float1D, terminal: Float2D) -> list[tuple[float, float, float]]:
    """Knock-outs above and below, and the knock-in."""
    forward, std = terminal[0, 0], np.sqrt(terminal[0, 1])
    far = _payments(terminal, forward * np.exp(-8.0 * std), forward * np.exp(3.0 * std))
    rows, out = _reached(coarse, dense, terminal), []
    for column, also, sign in ((1, 3, 1.0), (2, 4, -1.0), (4, 2, -1.0)):
        level = sign * np.concatenate((coarse[:, column], dense[:, also]))
        real = np.isfinite(level)
        if not real.any() or (column == 4 and terminal[0, 5] > 0.0):
            continue
        some, _, most = _beyond(level, variance)
        edge = forward * np.exp(sign * float(level[real].min()) - 0.5 * std**2)
        close = _payments(terminal, min(edge, forward * np.exp(-std)), max(edge, forward * np.exp(std)))
        if column == 4:
            sizes = [float(np.abs(paid[0] - paid[1]).max()) for paid in (far, close)]
        else:
            ended = np.concatenate((coarse[:, 3], dense[:, 5]))[real]
            sizes = [float(np.ptp(np.concatenate((ended, paid[rows].ravel())))) for paid in (far, close)]
        out.append((min(some, 1.0 - most), sizes[0], sizes[1]))
    return out


def note_events(
    variance: Float1D, coarse: Float2D, dense: Float2D, dense_variance: Float1D, terminal: Float2D
) -> Float2D:
    """The events of a note's tables (see core.pricing.note): rows (chance, change of the present value, jump)."""
    forward, std = terminal[0, 0], float(np.sqrt(terminal[0, 1]))
    out = _ends(coarse, dense, np.concatenate((variance, dense_variance)), terminal)
    for column, amount in ((5, coarse[:, 6] * coarse[:, 7]), (8, coarse[:, 10]), (9, coarse[:, 10])):
        above, below, _ = _beyond(coarse[:, column], variance)
        size = np.abs(amount)
        out.append((min(above, below), float(size.sum()), float(size.max())))
    for strike, slope in terminal[1:, 1:9].reshape(8, 2):
        if slope != 0.0 and strike > 0.0 and abs(strike / forward / terminal[0, 3] - 1.0) > 1e-12:  # not the control
            tail = float(ndtr(-abs(np.log(strike / forward) + 0.5 * std**2) / std))
            out.append((tail, terminal[0, 2] * abs(slope) * strike * std, 0.0))
    return np.array(out)


def spread_of(values: Float1D, control: Float1D | None) -> float:
    """Three standard deviations of what is paid on wild paths, less what a linear control explains."""
    rest = values - values.mean()
    if control is not None:
        c = control - control.mean()
        square = float(c @ c)
        rest = rest - c * (float(rest @ c) / square if square > 0.0 else 0.0)
    return 3.0 * float(rest.std())
