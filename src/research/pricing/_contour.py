"""The rows of `core.pricing.fourier_greeks` for many options under Heston, each refined until two rules agree.

What two rules differ by is measured against the size of their terms, the worst of all rows: such a gap swings with the
strike, and a row at a zero of its own says nothing. The finer rule's error is about the square of the gap; stated is a
power of 1.15 of it, and rounding by the size of the terms. Where no rule settles, the best is given with its own gap.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtr

from research.arrays import Float1D, Float2D, Float3D, Int1D
from research.core._tasks import share as shared
from research.core.pricing.fourier_greeks import PLAIN_ROWS, PRICE_ROWS, ROWS, heston_rows
from research.models import black
from research.models.heston import Heston
from research.pricing._bounded import Bounded

_STEPS = (0.05, 0.025, 0.0125, 0.00625)
_AGREE, _POWER = 1e-10, 1.15  # of the sizes
_SETTLES = 1e-4  # a gap from which its power is claimed
_ROUNDING = 4e-15  # of the sum of the sizes of the terms
_ULP = 2.3e-16  # of forwards and strikes: what that does to a row is the next row times as much
_CHUNK, _FEW = 128, 512  # options that share a characteristic function; options for one thread
DIRECTIONS = ("vol", "vol twice", "time", "v0", "kappa", "theta", "sigma", "rho")


def rows(
    model: Heston, tau: float, x: Float1D, sign: Float1D, extra: Float1D, *, n_rows: int = ROWS
) -> dict[str, Bounded]:
    """Jets (see `_jets`) of options at x = log(F / K), over sqrt(F K), shape (n,) each.

    `extra`: variance of a normal variable beside the log price; sign is 1 for calls, -1 for puts. Of the
    kernel's rows the first PRICE_ROWS give c, a, q, PLAIN_ROWS the density too, ROWS derivatives by `DIRECTIONS`.
    """
    found, error, control = _settled(model, tau, x, extra, n_rows)
    root = np.sqrt(control)
    with np.errstate(divide="ignore", invalid="ignore"):
        d = np.where(root > 0.0, x / root, np.where(x == 0.0, 0.0, np.inf * np.sign(x)))
    up, down = np.exp(0.5 * x), np.exp(-0.5 * x)
    control_a, control_q = (sign * g * ndtr(sign * (d + m * root)) for g, m in ((up, 0.5), (down, -0.5)))
    control_c = np.asarray(black.price(up, down, 1.0, root, is_call=sign > 0.0))
    out = {
        name: Bounded(control - found[row], error[row] + _ULP * np.abs(control))
        for row, (name, control) in enumerate((("c", control_c), ("a", control_a), ("q", control_q)))
    }
    if n_rows > PRICE_ROWS:
        g, slope, bend = (Bounded(found[row], error[row]) for row in (3, 4, 5))
        out |= {"q1": g, "q2": slope + 0.5 * g, "q3": bend + slope + 0.25 * g}
    for m, name in enumerate(DIRECTIONS if n_rows > PLAIN_ROWS else ()):
        at = PLAIN_ROWS + 3 * m
        flat, tilted, last = (Bounded(found[row], error[row]) for row in (at, at + 1, at + 2))
        out[f"{name}.c"] = -flat
        out[f"{name}.a"], out[f"{name}.q"] = -tilted - 0.5 * flat, 0.5 * flat - tilted
        out[f"{name}.q1"] = last
    return out


def _settled(model: Heston, tau: float, x: Float1D, extra: Float1D, n_rows: int) -> tuple[Float2D, Float2D, Float1D]:
    """Rows, their errors, and the control's variance; the rule with the least gap where none agrees."""
    n = x.size
    found, size, control = np.zeros((n_rows, n)), np.zeros((n_rows, n)), np.zeros(n)
    best = np.full(n, np.inf)
    side = model.rho * (model.v0 + model.kappa * model.theta * tau) / max(model.sigma, 1e-30)
    tries: list[tuple[float, Any]] = [(h, None) for h in _STEPS]
    tries += [(h, shift) for shift in (0.0, side) for h in _STEPS[1:]]
    rest = np.lexsort((x, extra))
    for h, shift in tries:
        part, width = _one_rule(model, tau, x[rest], extra[rest], h, shift, n_rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            gaps = np.where(part[2] > 0.0, np.abs(part[0] - part[1]) / part[2], 0.0)
        gap = gaps.max(axis=0)  # its power is claimed where the rule converges, on the side that is meant for it
        claim = np.where(gap <= _SETTLES, gap ** (_POWER if shift is None else 1.0), gap)
        better = claim < best[rest]
        here = rest[better]
        found[:, here], size[:, here] = (part[0] + part[1])[:, better], part[2][:, better]
        control[here], best[here] = width[better], claim[better]
        rest = rest[~(claim <= _AGREE)]
        if rest.size == 0:
            break
    error = size * (best + _ROUNDING)
    known = [(0, 1), (1, 3), (2, 3), (3, 4), (4, 5)]  # a row, and what it grows by as x does
    known += [(at + m, at + m + 1) for at in range(PLAIN_ROWS, n_rows, 3) for m in (0, 1)]
    for row, after in known:
        if after < n_rows:
            error[row] += _ULP * np.abs(found[after])
    return found, error, control


def _one_rule(
    model: Heston, tau: float, x: Float1D, extra: Float1D, h: float, shift: float | None, n_rows: int
) -> tuple[Float3D, Float1D]:
    """Sums over even and odd nodes and of sizes, and the control's variance; options are sorted by extra, then x."""
    first = _groups(extra)
    at = first[:-1]
    one = (model.v0, model.kappa, model.theta, model.sigma, model.rho)
    columns = [np.tile(one, (at.size, 1)), extra[at, None]]
    if shift is not None:
        columns.append(np.full((at.size, 1), shift))
    parameters: Float2D = np.ascontiguousarray(np.hstack(columns))
    out, control, years = np.zeros((3, n_rows, x.size)), np.zeros(x.size), np.full(at.size, tau)
    x = np.ascontiguousarray(x)

    def work(part: slice) -> None:
        heston_rows(parameters[part], years[part], first[part.start : part.stop + 1], x, h, n_rows, control, out)

    shared(at.size, work, small=x.size < _FEW)
    return out, control


def _groups(extra: Float1D) -> Int1D:
    """Where each group starts, and the end: equal extra, at most `_CHUNK` options."""
    new = np.flatnonzero(np.diff(extra, prepend=-1.0) != 0.0)
    ends = np.append(new[1:], extra.size)
    starts = [np.arange(a, b, _CHUNK) for a, b in zip(new, ends)]
    return np.append(np.concatenate(starts), extra.size).astype(np.int64)
