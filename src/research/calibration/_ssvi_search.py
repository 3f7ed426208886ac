"""The search behind `fit(SSVI, ...)` and `fit(ESSVI, ...)`: coordinates whose box holds fair surfaces only.

SSVI     rho, share = eta / largest eta (or least lam / lam), gamma, theta_1 and the rises of theta.
eSSVI    rho_i; theta_1 and a_i >= 0; c_i in [0, 1], with

    p_i = max((1 + rho_{i-1}) / (1 + rho_i), (1 - rho_{i-1}) / (1 - rho_i)),      theta_i = p_i theta_{i-1} + a_i,
    psi_i between p_i psi_{i-1} and min(psi_{i-1} theta_i / theta_{i-1}, g_i),    g_i = min(f_i, g_{i+1} / p_{i+1}),

f_i being the largest psi without butterflies: wings do not fall, psi / theta does not rise, and g leaves room for the
expiries that follow. So the search is least squares within bounds, without penalties.

References
----------
Mingone (2022), "No arbitrage global parametrization for the eSSVI volatility surface", Quantitative Finance 22,
2205-2217.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D, Int1D
from research.calibration._robust import beyond, huber_noise
from research.errors import require
from research.models.ssvi import ESSVI, SSVI, HestonLike, PowerLaw, largest_psi

Bounds = dict[str, tuple[float, float]]
_EDGE = 1e-6  # shares of a range nearer to its ends than this lie on a bound
RHO = (-0.999, 0.999)
GAMMA = (0.01, 0.5)


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    """A box, and the slices that its points stand for."""

    names: tuple[str, ...]  # what binds where a coordinate lies on its bound
    lower: Float1D
    upper: Float1D
    slices: Callable[[Float2D], tuple[Float2D, Float2D, Float2D]]  # (m, q) to theta, psi, rho of shape (m, n)

    def at(self, y: Float1D) -> tuple[Float1D, Float1D, Float1D]:
        """(theta, psi, rho) of one point, each of shape (n,)."""
        theta, psi, rho = self.slices(y[None, :])
        return theta[0], psi[0], rho[0]

    def jacobian(self, y: Float1D, of: Callable[[Float2D], Any]) -> Float2D:
        """Central differences of `of`, (m, q) to (m, r): shape (r, q), one-sided at a bound."""
        step = 1e-6 * np.maximum(np.abs(y), 1e-3)
        up, down = np.minimum(y + step, self.upper), np.maximum(y - step, self.lower)
        points = np.tile(y, (2 * y.size, 1))
        here = np.arange(y.size)
        points[here, here], points[y.size + here, here] = up, down
        value = np.asarray(of(points))
        out: Float2D = ((value[: y.size] - value[y.size :]) / (up - down)[:, None]).T
        return out

    def inside(self, y: Float1D) -> Float1D:
        """The nearest point clear of every bound: a trust region that starts beside one creeps along it."""
        room = self.upper - self.lower
        least = np.array([0.0 if name.startswith(("theta", "calendar")) else 0.02 for name in self.names])
        margin = np.maximum(least, 1e-6) * room
        return np.clip(y, self.lower + margin, self.upper - margin)

    def binding(self, y: Float1D) -> list[str]:
        """What holds the point to the edge of its box."""
        return [name for name, on in zip(self.names, self.on_bound(y)) if on]

    def on_bound(self, y: Float1D) -> Any:
        """Which coordinates lie on a bound."""
        room = self.upper - self.lower
        return (y - self.lower <= _EDGE * room) | (self.upper - y <= _EDGE * room)


def ssvi_coordinates(n: int, phi: str, bounds: Mapping[str, tuple[float, float]], most: float) -> Coordinates:
    """(rho, share, [gamma,] theta_1, rises of theta); `most` bounds theta."""
    power = phi == "power_law"
    rho, gamma = bounds.get("rho", RHO), bounds.get("gamma", GAMMA)
    head = [rho, (1e-4, 1.0), *([gamma] if power else [])]
    box = np.array([*head, (1e-10, most), *[(0.0, most)] * (n - 1)])
    names = ("rho", "butterfly", *(("gamma",) if power else ()), "theta", *["calendar"] * (n - 1))

    def slices(y: Float2D) -> tuple[Float2D, Float2D, Float2D]:
        theta = np.cumsum(y[:, len(head) :], axis=1)
        one = y[:, :1]
        if power:
            g = y[:, 2:3]
            eta = y[:, 1:2] * PowerLaw.largest(one, g)
            psi = eta * (theta / (1.0 + theta)) ** (1.0 - g)
        else:
            lam = 0.25 * (1.0 + np.abs(one)) / y[:, 1:2]
            u = lam * theta
            psi = (1.0 + np.expm1(-u) / u) / lam
        return theta, psi, np.broadcast_to(one, theta.shape)

    return Coordinates(names, box[:, 0].copy(), box[:, 1].copy(), slices)


def ssvi_point(model: SSVI, tau: Float1D) -> Float1D:
    """The point that stands for a model, at other expiries if need be."""
    theta = np.maximum.accumulate(model.at(tau)[0])
    rises = np.diff(theta, prepend=0.0)
    if isinstance(model.phi, PowerLaw):
        share = model.phi.eta / float(PowerLaw.largest(model.rho, model.phi.gamma))
        return np.array([model.rho, share, model.phi.gamma, *rises])
    return np.array([model.rho, 0.25 * (1.0 + abs(model.rho)) / model.phi.lam, *rises])


def ssvi_model(y: Float1D, tau: Float1D, phi: str) -> SSVI:
    """The model of a point."""
    power = phi == "power_law"
    rho, head = float(y[0]), 3 if power else 2
    shape: PowerLaw | HestonLike = (
        PowerLaw(eta=float(y[1] * PowerLaw.largest(rho, y[2])), gamma=float(y[2]))
        if power
        else HestonLike(lam=0.25 * (1.0 + abs(rho)) / float(y[1]))
    )
    return SSVI(tau=tuple(tau), theta=tuple(np.cumsum(y[head:])), rho=rho, phi=shape)


def essvi_coordinates(tau: Float1D, bounds: Mapping[str, tuple[float, float]], most: float) -> Coordinates:
    """(rho_i, theta_1, a_i, c_i): 3 n coordinates."""
    n = tau.size
    rho = bounds.get("rho", RHO)
    box = np.array([*[rho] * n, (1e-10, most), *[(0.0, most)] * (n - 1), *[(0.0, 1.0)] * n])
    box[2 * n, 0] = 1e-4
    names = [f"{what} at tau {t:.4g}" for what in ("rho", "theta", "psi") for t in tau]

    def slices(y: Float2D) -> tuple[Float2D, Float2D, Float2D]:
        return essvi_slices(y[:, :n], y[:, n : 2 * n], y[:, 2 * n :])

    return Coordinates(tuple(names), box[:, 0].copy(), box[:, 1].copy(), slices)


def essvi_slices(rho: Float2D, rise: Float2D, share: Float2D) -> tuple[Float2D, Float2D, Float2D]:
    """(theta, psi, rho), each (m, n); see the module docstring."""
    n = rho.shape[1]
    stretch = np.ones_like(rho)
    stretch[:, 1:] = np.maximum((1.0 + rho[:, :-1]) / (1.0 + rho[:, 1:]), (1.0 - rho[:, :-1]) / (1.0 - rho[:, 1:]))
    theta, psi = np.empty_like(rho), np.empty_like(rho)
    theta[:, 0] = rise[:, 0]
    for i in range(1, n):
        theta[:, i] = theta[:, i - 1] * stretch[:, i] + rise[:, i]
    room = largest_psi(theta, rho)
    for i in range(n - 2, -1, -1):
        room[:, i] = np.minimum(room[:, i], room[:, i + 1] / stretch[:, i + 1])
    psi[:, 0] = share[:, 0] * room[:, 0]
    for i in range(1, n):
        low = psi[:, i - 1] * stretch[:, i]
        high = np.minimum(psi[:, i - 1] * theta[:, i] / theta[:, i - 1], room[:, i])
        psi[:, i] = low + share[:, i] * np.maximum(high - low, 0.0)
    return theta, psi, rho


def essvi_point(theta: Float1D, psi: Float1D, rho: Float1D) -> Float1D:
    """The point nearest to given slices, expiry by expiry; slices that are not fair are moved until they are."""
    n = theta.size
    rho = np.clip(rho, *RHO)
    rise, share = np.empty(n), np.full(n, 0.5)
    last = rise[0] = theta[0]
    for i in range(1, n):
        stretch = max((1.0 + rho[i - 1]) / (1.0 + rho[i]), (1.0 - rho[i - 1]) / (1.0 - rho[i]))
        rise[i] = max(theta[i] - last * stretch, 0.0)
        last = last * stretch + rise[i]
    for i in range(n):
        ends = share[None, :].repeat(2, axis=0)
        ends[:, i] = (0.0, 1.0)
        low, high = essvi_slices(rho[None, :].repeat(2, axis=0), rise[None, :].repeat(2, axis=0), ends)[1][:, i]
        share[i] = min(max((psi[i] - low) / (high - low), 0.0), 1.0) if high > low else 0.5
    return np.concatenate([rho, rise, share])


def essvi_model(y: Float1D, tau: Float1D) -> ESSVI:
    """The model of a point."""
    n = tau.size
    theta, psi, rho = (part[0] for part in essvi_slices(y[None, :n], y[None, n : 2 * n], y[None, 2 * n :]))
    return ESSVI(tau=tuple(tau), theta=tuple(theta), psi=tuple(psi), rho=tuple(rho))


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """Where the best climb ended."""

    y: Float1D
    jacobian: Float2D  # of the weighted residuals in y
    sse: float
    noise: float  # what stands for it in the standard errors: the same, or Huber's
    far: str  # what is said of quotes beyond `huber`
    evaluations: int
    settled: bool


def search(
    where: Coordinates, starts: list[Float1D], k: Float1D, vol: Float1D, weight: Float1D, tau: Float1D, expiry: Int1D,
    *, huber: float | None, max_iter: int,
) -> Search:  # fmt: skip
    """Least squares of vol residuals within the box; `tau` and `expiry` (position of its slice) are of each quote."""
    from scipy.optimize import least_squares

    root = np.sqrt(weight)
    n = int(expiry.max()) + 1
    flat = np.arange(k.size)

    def residual(y: Float1D) -> Float1D:
        theta, psi, rho = (part[expiry] for part in where.at(y))
        return root * (np.sqrt(_variance(k, theta, psi, rho)[0] / tau) - vol)

    def jacobian(y: Float1D) -> Float2D:
        theta, psi, rho = (part[expiry] for part in where.at(y))
        w, *by = _variance(k, theta, psi, rho)
        scale = root / (2.0 * np.sqrt(w * tau))
        spread = np.zeros((k.size, 3 * n))
        for j, one in enumerate(by):
            spread[flat, expiry + j * n] = scale * one
        out: Float2D = spread @ where.jacobian(y, lambda points: np.concatenate(where.slices(points), axis=1))
        return out

    loss = "linear" if huber is None else "huber"
    found, evaluations = None, 0
    for start in starts:
        end = least_squares(
            residual, where.inside(start), jacobian, bounds=(where.lower, where.upper), x_scale="jac", loss=loss,
            f_scale=huber or 1.0, ftol=1e-10, xtol=1e-10, gtol=1e-12, max_nfev=max_iter,
        )  # fmt: skip
        evaluations += int(end.nfev)
        found = end if found is None or end.cost < found.cost else found
    assert found is not None
    y = np.clip(found.x, where.lower, where.upper)
    miss = residual(y)
    sse, noise, far = float(np.sum(miss**2)), float(np.sum(miss**2)), ""
    if huber is not None:
        here = weight > 0.0
        inside = float(np.mean(np.abs(miss[here]) <= huber))
        noise = huber_noise(np.clip(miss[here], -huber, huber), inside, y.size) if inside > 0.0 else sse
        far = beyond(np.abs(miss[here]), huber)
    return Search(y, jacobian(y), sse, noise, far, evaluations, found.status > 0)


def better(one: Search, other: Search) -> Search:
    """The lower of two; the evaluations of both."""
    best = one if one.sse < other.sse else other
    return replace(best, evaluations=one.evaluations + other.evaluations)


def _variance(k: Float1D, theta: Float1D, psi: Float1D, rho: Float1D) -> tuple[Float1D, Float1D, Float1D, Float1D]:
    """w and its derivatives by theta, psi, rho, of quotes."""
    x = psi * k
    root = np.sqrt((x + rho * theta) ** 2 + theta * theta * (1.0 - rho) * (1.0 + rho))
    w = 0.5 * (theta + rho * x + root)
    by_psi = 0.5 * (rho * k + k * (x + rho * theta) / root)
    return np.maximum(w, 1e-300), 0.5 * (1.0 + (rho * x + theta) / root), by_psi, 0.5 * x * (1.0 + theta / root)


def check_bounds(bounds: Mapping[str, tuple[float, float]] | None, known: dict[str, tuple[float, float]]) -> Bounds:
    """The bounds asked for, inside those a model allows."""
    asked = dict(bounds or {})
    for name, (low, high) in asked.items():
        require(name in known, "bounds", name, f"name {' or '.join(known)}")
        least, most = known[name]
        require(least <= low < high <= most, f"bounds of {name}", (low, high), f"lie in ({least:g}, {most:g})")
    return asked
