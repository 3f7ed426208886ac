"""Local-volatility paths by the law of each step: as exact as the backward equation, from observation to observation.

The nodes reach five standard deviations, at least to where the volatility of the wings leads; parts of a step grow from
its beginning, where a volatility fitted to quotes is singular. Tables take at most 96 MB: more observations get fewer
nodes, and beyond what 161 nodes allow the scheme refuses (`fits` says so beforehand).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from research.arrays import Float1D, Float2D, Float3D
from research.core._tasks import share
from research.core.paths.transition import FINE, transition_paths, transition_tables
from research.errors import require
from research.pricing.paths.generators import Generator, Logs, Request
from research.pricing.paths.motion import motion

_NODES, _FEWEST = 401, 161
_Z = 5.0  # half width of the tables in z
_BYTES = 96 << 20
_REACH = 5.0  # standard deviations
_FAR = 9.0  # standard deviations beyond which a step does not go
_BEND = 8.0  # reach over c: nodes are that much closer in the middle


def _per_z(n_steps: int) -> int:
    """Points a unit of z: a long step's law has as many edges as the volatility that it crosses."""
    return 32 if n_steps <= 16 else 16 if n_steps <= 64 else 8


def nodes_for(n_steps: int) -> int:
    """Nodes that the tables of so many steps may have, odd."""
    most = _BYTES // (8 * (2 * int(_Z) * _per_z(n_steps) + 1) * n_steps)
    return int(min(_NODES, most - 1 + most % 2))


def fits(times: Float1D) -> bool:
    """Can the tables of these observations be kept?"""
    return nodes_for(times.size) >= _FEWEST


def _nodes(surface: Any, last: float, origin: float, n: int, mean_variance: Any) -> tuple[Float1D, float]:
    """Nodes of log(S / F) and c."""
    row = mean_variance(surface, np.array([origin, origin + last]))[0] * last
    x = np.asarray(surface.log_moneyness, dtype=np.float64)
    std = float(np.sqrt(np.interp(0.0, x, row)))
    near = np.interp(np.linspace(-2.0 * std, 2.0 * std, 21), x, row)
    reach = _REACH * float(np.sqrt(max(near.max(), 1e-12)))
    c = reach / _BEND
    half = np.arcsinh(_BEND) * np.arange(-(n // 2), n // 2 + 1) / (n // 2)
    return np.asarray(c * np.sinh(half)), c


def _slowness(a: Float2D, b: Float2D) -> tuple[Float2D, Float2D]:
    """Integrals over s in (0, 1) of 1 / v and (1 - s) / v, v = a + (b - a) s."""
    k = b - a
    flat = np.abs(k) < 1e-3 * a
    safe = np.where(flat, 1.0, k)
    logs = np.log(b / a)
    first = np.where(flat, 2.0 / (a + b), logs / safe)
    second = np.where(flat, 0.5 / (a + k / 3.0), (b * logs / safe - 1.0) / safe)
    return first, second


def _at_nodes(x: Float1D, rows: Float2D, nodes: Float1D) -> Float2D:
    """Local variance for the chain on the nodes, shape (k, n), from rows at x, shape (k, m), linear in between.

    The harmonic mean under the hat of each node: then the mean time to leave a node for its neighbours is exact, and
    what oscillates between two nodes is averaged as the diffusion does.
    """
    if x.size == 1:
        return np.repeat(rows, nodes.size, axis=1)
    fine = np.union1d(nodes, x[(x > nodes[0]) & (x < nodes[-1])])
    at, gap = np.searchsorted(fine, nodes), np.diff(fine)
    a = np.stack([np.interp(fine, x, row) for row in rows])
    once, twice = np.zeros_like(a), np.zeros_like(a)
    first, second = _slowness(a[:, :-1], a[:, 1:])
    once[:, 1:] = np.cumsum(gap * first, axis=1)
    twice[:, 1:] = np.cumsum(gap * once[:, :-1] + gap * gap * second, axis=1)
    bend = np.diff(np.diff(twice[:, at], axis=1) / np.diff(nodes), axis=1)
    out = a[:, at]
    out[:, 1:-1] = 0.5 * (nodes[2:] - nodes[:-2]) / bend
    return np.asarray(out)


def _parts(gap: float, first: bool, coarse: bool) -> Float1D:
    """Ends of the parts of a step, as shares of it."""
    n = int(np.clip(np.ceil(2.0 + 150.0 * gap), 2, 240)) + (12 if first else 0)
    n = max(2, n // 2) if coarse else n
    return np.asarray(np.linspace(0.0, 1.0, n + 1) ** (2.5 if first else 1.0))


def _weights(levels_z: Float1D) -> Float1D:
    """Masses of the standard normal around equal points, four from each point of z to the next."""
    fine = np.linspace(levels_z[0], levels_z[-1], FINE * (levels_z.size - 1) + 1)
    edges = np.concatenate(([-np.inf], 0.5 * (fine[1:] + fine[:-1]), [np.inf]))
    return np.asarray(np.diff(ndtr(edges)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """What the kernels of `core.paths.transition` walk on."""

    terms: Float1D
    moves: Float3D  # (n_times, n_nodes, n_z)
    spread: Float2D  # (n_times, n_nodes)
    scale: Float1D  # 1 / sqrt of the length of each step

    def fill(self, w: Float2D, start: Float1D) -> Logs:
        """Paths from log(S / F), shape (n_paths,)."""
        out, exposed = np.empty(w.shape), np.empty(w.shape)
        transition_paths(w, self.scale, self.terms, self.moves, self.spread, np.ascontiguousarray(start), out, exposed)
        return Logs(x=out, exposed=exposed)


def tables(surface: Any, request: Request, mean_variance: Any, layout: Any = None) -> Tables:
    """The law of each step between the observations; the nodes are those for `layout`, another surface, if given."""
    times, origin = request.times, request.origin
    n = nodes_for(times.size)
    hint = "Take scheme='euler'."
    require(n >= _FEWEST, "times", times.size, "be few enough for the tables of scheme='transition'", hint=hint)
    n = n // 4 * 2 + 1 if request.coarse else n
    begun = origin if request.start is not None else 0.0  # paths that start again are spread by all the time before
    spread = surface if layout is None else layout
    nodes, c = _nodes(spread, float(times[-1]) + begun, origin - begun, n, mean_variance)
    per = _per_z(times.size)
    x, z = np.asarray(surface.log_moneyness, dtype=np.float64), np.linspace(-_Z, _Z, 2 * int(_Z) * per + 1)
    levels, weights = ndtr(z), _weights(z)
    moves, spread = np.empty((times.size, n, z.size)), np.empty((times.size, n))
    begins, steps = np.concatenate(([0.0], times[:-1])), np.gradient(nodes)

    shares = [
        _parts(float(t - s), k == 0 and origin == 0.0, request.coarse) for k, (s, t) in enumerate(zip(begins, times))
    ]
    edges = [s + (t - s) * part for s, t, part in zip(begins, times, shares)]
    rows = mean_variance(surface, origin + np.concatenate([[0.0], *(e[1:] for e in edges)]))
    ends = np.cumsum([part.size - 1 for part in shares])

    def work(part: slice) -> None:
        for k in range(part.start, part.stop):
            gaps = np.diff(edges[k])
            local = _at_nodes(x, rows[ends[k] - gaps.size : ends[k]], nodes)
            far = _FAR * np.sqrt(gaps @ local) / steps  # in nodes
            band = int(min(np.ceil(far.max()) + 8.0, n))
            transition_tables(nodes, local, gaps, band, levels, weights, moves[k], spread[k])

    share(times.size, work)
    half = float(np.arcsinh(_BEND))
    terms = np.array([c, -half, (n - 1) / (2.0 * half), -_Z, float(per)])
    return Tables(terms=terms, moves=moves, spread=spread, scale=1.0 / np.sqrt(times - begins))


def transition(surface: Any, request: Request, mean_variance: Any) -> Generator:
    """The generator; `mean_variance(surface, edges)` gives the mean local variance of parts at the surface's nodes."""
    times, made = request.times, tables(surface, request, mean_variance)

    def fill(w: Float2D, seed: int, stream: int, first_path: int) -> Logs:
        return made.fill(w, request.begin(first_path, w.shape[1], 1.0)[0])

    row = mean_variance(surface, request.origin + np.array([0.0, times[-1]]))[0]
    typical = float(np.sqrt(np.interp(0.0, np.asarray(surface.log_moneyness, dtype=np.float64), row)))

    def twin(w: Float2D) -> Float2D:
        return np.asarray(typical * w - 0.5 * typical**2 * times[:, None])

    return Generator(
        times=times, forward=request.forward, motion=motion([times], request.bridge), fill=fill, twin=twin,
        twin_vol=typical, bias_factor=1.0,
    )  # fmt: skip
