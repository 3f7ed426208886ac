"""Dupire (1994): a volatility that is a function of time and spot, on a grid, and how to read it off a surface.

    dS / S = (r(t) - q) dt + sigma(t, y) dW,    y = log(S(t) / F(t)),    F the forward of today

With total implied variance w(T, y), y = log(strike / forward) (Gatheral 2006, equation 1.10):

    sigma^2(T, y) = w_T / g,    g = (1 - y w_y / (2 w))^2 - w_y^2 / 4 (1 / 4 + 1 / w) + w_yy / 2

g is Durrleman's function, proportional to the density: where the surface allows arbitrage it is negative, and there the
grid holds the floor or the cap; `floored` counts such nodes.

References
----------
Dupire (1994), "Pricing with a smile", Risk 7(1), 18-20.
Gatheral (2006), The Volatility Surface, chapter 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D, Float2D, FloatND, numbers, reshape, vector, vectors
from research.conventions import check_fields, check_terms, check_vols, equal_by_value
from research.errors import require, require_all
from research.models.svi import SVISurface

FLOOR, CAP = 0.01, 3.0  # vols between which a surface's local vol is kept
_BETWEEN = 12  # rows inside each interval of expiries
_SIDE = 1e-6  # of a year: rows just before and after an expiry where the slope of total variance jumps
_TINY = 1e-8  # of the first expiry: time zero


@equal_by_value
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocalVol:
    """Local vols on a grid: variance is linear between nodes in both directions and flat outside.

    Two rows a moment apart make a jump in time.

    Examples
    --------
    >>> model = LocalVol(tau=[0.0, 1.0], log_moneyness=[-0.1, 0.1], vol=[[0.3, 0.2], [0.3, 0.2]])
    >>> round(model.local_vol(-0.1, 0.5), 4)
    0.3
    """

    abilities: ClassVar[frozenset[str]] = frozenset({"local_vol", "paths"})

    tau: Float1D  # years (ACT/365F) from today, >= 0, increasing, shape (n,)
    log_moneyness: Float1D  # log(spot / forward to that time), increasing, shape (m,)
    vol: Float2D  # 1/sqrt(year), decimal, > 0, shape (n, m)
    floored: int = 0  # nodes at the floor or the cap, because the surface had no local vol there

    def __post_init__(self) -> None:
        check_fields(self)
        tau, y = vector(self.tau, "tau"), vector(self.log_moneyness, "log_moneyness")
        vol: Any = np.array(numbers(self.vol, "vol"), order="C", copy=True)
        for name, nodes in (("tau", tau), ("log_moneyness", y)):
            require(nodes.size > 0, name, nodes.size, "hold at least one node")
            require_all(np.isfinite(nodes), name, nodes, "be finite")
            require_all(np.diff(nodes) > 0.0, name, nodes[1:], "increase")
        require(tau[0] >= 0.0, "tau", float(tau[0]), "be >= 0 years")
        require(vol.shape == (tau.size, y.size), "vol", vol.shape, f"have shape ({tau.size}, {y.size})")
        require_all(np.isfinite(vol) & (vol > 0.0), "vol", vol, "be finite and > 0", hint="A decimal: 20% is 0.20.")
        check_vols("median of vol", float(np.median(vol)))  # a leverage may be large at the edge
        for name, array in (("tau", tau), ("log_moneyness", y), ("vol", vol)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __repr__(self) -> str:
        return (
            f"LocalVol({self.tau.size} x {self.log_moneyness.size} nodes to {self.tau[-1]:.4g} years, "
            f"vols {self.vol.min():.4g} to {self.vol.max():.4g})"
        )

    def local_vol(self, log_moneyness: ArrayLike, tau: ArrayLike) -> Any:
        """sigma at log(spot / forward) and time (years from today); arguments broadcast, float in, float out."""
        (y, t), shape = vectors(log_moneyness, tau)
        require_all(np.isfinite(y), "log_moneyness", y, "be finite")
        require_all(np.isfinite(t) & (t >= 0.0), "tau", t, "be finite and >= 0 years")
        i, u = _place(self.tau, t)
        j, v = _place(self.log_moneyness, y)
        a, i1, j1 = self.vol**2, np.minimum(i + 1, self.tau.size - 1), np.minimum(j + 1, self.log_moneyness.size - 1)
        early = (1.0 - v) * a[i, j] + v * a[i, j1]
        late = (1.0 - v) * a[i1, j] + v * a[i1, j1]
        return reshape(np.sqrt((1.0 - u) * early + u * late), shape)

    def mean_variance(self, times: Float1D) -> Float2D:
        """Mean local variance between neighbours of `times` (steps + 1,) at each node, shape (steps, m); exact."""
        if self.tau.size == 1:
            return np.tile(self.vol[0] ** 2, (times.size - 1, 1))
        a, width = self.vol**2, np.diff(self.tau)
        done = np.concatenate([[self.tau[0]], np.zeros(width.size)])[:, None] * a[0]
        done[1:] = done[0] + np.cumsum(0.5 * width[:, None] * (a[1:] + a[:-1]), axis=0)
        i = np.searchsorted(self.tau, times, side="right") - 1
        here, after = np.clip(i, 0, None), np.clip(i + 1, None, self.tau.size - 1)
        past = times - self.tau[here]
        share = np.where(
            (after > here) & (i >= 0), past / np.where(after > here, self.tau[after] - self.tau[here], 1), 0
        )
        total = done[here] + past[:, None] * (a[here] + 0.5 * share[:, None] * (a[after] - a[here]))
        out: Float2D = np.diff(total, axis=0) / np.diff(times)[:, None]
        return out

    def variance_rows(self, times: Float1D, log_moneyness: Float2D) -> Float2D:
        """Mean local variance of each step between `times` (steps + 1,) at log_moneyness (steps, k)."""
        if self.tau.size == 1:
            return self._interpolated(log_moneyness)
        rows, out = self.mean_variance(times), np.empty(log_moneyness.shape)
        for k in range(rows.shape[0]):
            out[k] = np.interp(log_moneyness[k], self.log_moneyness, rows[k])
        return out

    def _interpolated(self, log_moneyness: Float2D) -> Float2D:
        """Local variance where it does not change in time; rows that are one row are looked up once."""
        one = bool((log_moneyness[0] == log_moneyness[1:]).all())
        at = log_moneyness[:1] if one else log_moneyness
        found = np.interp(at, self.log_moneyness, self.vol[0] ** 2)
        return np.tile(found, (log_moneyness.shape[0], 1)) if one else found

    def std(self, tau: float, reach: float = 0.0) -> float:
        """sqrt(integral of the local variance to `tau`), its mean over `reach` such deviations from the forward on."""
        times = np.array([0.0, tau])
        row = self.mean_variance(times)[0]
        out = float(np.sqrt(np.interp(0.0, self.log_moneyness, row) * tau))
        for _ in range(3 if reach != 0.0 else 0):
            path = np.interp(np.linspace(0.0, reach * out, 9), self.log_moneyness, row)
            out = float(np.sqrt(path.mean() * tau))
        return out

    def to_frame(self) -> Any:
        """One row a node: tau, log_moneyness, vol."""
        import pandas as pd

        t, y = np.meshgrid(self.tau, self.log_moneyness, indexing="ij")
        return pd.DataFrame({"tau": t.ravel(), "log_moneyness": y.ravel(), "vol": self.vol.ravel()})

    def to_json(self) -> dict[str, Any]:
        """The nodes and their vols."""
        return {
            "tau": self.tau.tolist(),
            "log_moneyness": self.log_moneyness.tolist(),
            "vol": self.vol.tolist(),
            "floored": self.floored,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> LocalVol:
        """The model back from `to_json`."""
        return cls(**check_terms(cls, values))


def _place(nodes: Float1D, at: Float1D) -> tuple[Any, Any]:
    """Node at or before each point and the share of the way to the next; flat outside."""
    i = np.clip(np.searchsorted(nodes, at, side="right") - 1, 0, max(nodes.size - 2, 0))
    width = nodes[np.minimum(i + 1, nodes.size - 1)] - nodes[i]
    return i, np.clip((at - nodes[i]) / np.where(width > 0.0, width, 1.0), 0.0, 1.0)


def dupire(
    surface: Any,
    *,
    tau: ArrayLike | None = None,
    log_moneyness: ArrayLike | None = None,
    floor: float = FLOOR,
    cap: float = CAP,
) -> LocalVol:
    """Local vol of an implied surface.

    Parameters
    ----------
    surface : SVISurface, SSVI, ESSVI, or any object with `total_variance(k, tau)` or `vol(k, tau)`
        Derivatives of an SVISurface are analytic; of another surface, differences of order 2 at steps of 1e-3 of the
        standard deviation and of tau.
    tau : array-like, years, default rows around and between the expiries of a surface that has them (SVISurface, SSVI)
    log_moneyness : array-like, default 401 nodes out to 6 standard deviations of the last row, dense at 0
    floor, cap : float, 1/sqrt(year)
        Local vols are kept between them, and the floor or cap is taken where g <= 0 or w falls in time.

    Returns
    -------
    LocalVol
        `floored` counts the nodes that the floor or the cap changed.
    """
    require(0.0 < floor < cap, "floor", floor, f"lie in (0, cap = {cap:g})")
    if tau is None and hasattr(surface, "to_svi"):
        surface = surface.to_svi()  # at its expiries the same; before the first one its smile holds
    smooth = isinstance(surface, SVISurface)
    dated = isinstance(getattr(surface, "tau", None), tuple)
    require(dated or tau is not None, "tau", tau, "be given for a surface that has no expiries of its own",
            hint="For one smile: dupire(SVISurface(tau=(expiry,), slices=(smile,))).")  # fmt: skip
    t = vector(_expiry_times(surface) if tau is None else tau, "tau")
    require_all(np.isfinite(t) & (t >= 0.0), "tau", t, "be finite and >= 0 years")
    live = np.maximum(t, _TINY * t[-1])
    y = _nodes(surface, live) if log_moneyness is None else vector(log_moneyness, "log_moneyness")
    w, slope, first, second = _svi_terms(surface, live, y) if smooth else _numeric_terms(surface, live, y)
    g = (1.0 - 0.5 * y * first / w) ** 2 - 0.25 * first**2 * (0.25 + 1.0 / w) + 0.5 * second
    with np.errstate(divide="ignore", invalid="ignore"):
        square = np.where(slope <= 0.0, floor**2, np.where(g > 0.0, slope / g, cap**2))
    kept = np.clip(square, floor**2, cap**2)
    bad = (kept != square) | (g <= 0.0) | (slope <= 0.0)
    return LocalVol(tau=t, log_moneyness=y, vol=np.sqrt(kept), floored=int(bad.sum()))


def _expiry_times(surface: Any) -> Float1D:
    """Zero; the sides of each expiry, where the slope in time jumps; rows between."""
    ends = np.array([0.0, *surface.tau, surface.tau[-1] + 1.0])
    parts = []
    for low, high in pairwise(ends):
        side = min(_SIDE, 1e-3 * (high - low))
        grown = np.linspace(0.0, 1.0, _BETWEEN + 2) ** 1.5  # local vol changes most just after an expiry
        begin = low + (side if low > 0.0 else 0.0)
        parts.append(begin + grown * (high - side - begin))
    out: Float1D = np.concatenate(parts)
    return out


def _w(surface: Any, y: Any, t: Any) -> FloatND:
    if hasattr(surface, "total_variance"):
        return np.asarray(surface.total_variance(y, t), dtype=np.float64)
    return np.asarray(surface.vol(y, t), dtype=np.float64) ** 2 * t


def _nodes(surface: Any, t: Float1D) -> Float1D:
    reach = 6.0 * float(np.sqrt(np.max(_w(surface, np.zeros(1), t[-1:]))))
    fine = 0.05 * reach
    end = float(np.arcsinh(reach / fine))
    out: Float1D = fine * np.sinh(np.linspace(-end, end, 401))
    out[200] = 0.0
    return out


def _svi_terms(surface: SVISurface, t: Float1D, y: Float1D) -> tuple[FloatND, FloatND, FloatND, FloatND]:
    """w, w_T, w_y, w_yy at (t, y), shape (n, m): between slices all are linear in time."""
    times, rows = np.array(surface.tau), np.empty((3, len(surface.tau), y.size))
    for i, one in enumerate(surface.slices):
        rows[:, i] = one.derivatives(y)
    after = np.searchsorted(times, t)
    first, last = np.clip(after - 1, 0, None), np.clip(after, None, times.size - 1)
    inside = (last > first) & (after > 0)
    span = np.where(inside, times[last] - times[first], 1.0)
    share = np.where(inside, (t - times[first]) / span, 0.0)[:, None]
    beyond = (after == times.size)[:, None]  # there every strike gains what the forward gains; before, vols hold
    scale = np.where(inside[:, None] | beyond, 1.0, (t / times[first])[:, None])
    speed = float(np.asarray(surface.slices[-1].total_variance(0.0))) / times[-1]
    w, d, dd = ((rows[k, first] + share * (rows[k, last] - rows[k, first])) * scale for k in range(3))
    slope = np.where(inside, 1.0 / span, 0.0)[:, None] * (rows[0, last] - rows[0, first])
    slope += np.where(inside, 0.0, 1.0 / times[first])[:, None] * rows[0, first]
    return w + np.where(beyond, speed * (t - times[-1])[:, None], 0.0), np.where(beyond, speed, slope), d, dd


def _numeric_terms(surface: Any, t: Float1D, y: Float1D) -> tuple[FloatND, FloatND, FloatND, FloatND]:
    """The same by differences."""
    yy, tt = np.meshgrid(y, t)
    w = _w(surface, yy, tt)
    h = 1e-3 * np.sqrt(w)
    up, down = _w(surface, yy + h, tt), _w(surface, yy - h, tt)
    late, early = _w(surface, yy, 1.001 * tt), _w(surface, yy, 0.999 * tt)
    return w, (late - early) / (0.002 * tt), (up - down) / (2.0 * h), (up - 2.0 * w + down) / h**2
