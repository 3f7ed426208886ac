"""Heston, and Bates by the number of jumps, by Gauss and Legendre's rule on panels of a ray, in 80-bit arithmetic.

With z = r e^{+-i omega} - i/2, k = log(K / F) and phi(z) = E exp(i z X), r > 0,

    P(S > K) = 1/pi Re integral of e^{-izk} phi(z) / (iz) dz,   density of X at k = 1/pi Re integral of e^{-izk} phi dz,
    call over forward = 1 - e^k / pi Re integral of e^{-izk} phi(z) / (z^2 + iz) dz.

Panels grow by a factor from far below every scale to where phi is dead, so that no scale is missed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)
_I = np.clongdouble(1j)


def log_phi(z: Any, tau: float, model: Any, extra: float = 0.0) -> Any:
    """log E exp(i z log(S / F)), nothing cancels (Albrecher et al. 2007); a normal of variance `extra` beside."""
    v0, kappa, theta, sigma, rho = (np.longdouble(getattr(model, n)) for n in ("v0", "kappa", "theta", "sigma", "rho"))
    t, q = np.longdouble(tau), z * z + _I * z
    b = kappa - _I * rho * sigma * z
    d = np.sqrt((kappa - _I * rho * sigma * z) ** 2 + sigma * sigma * q)
    d = np.where(d.real < 0.0, -d, d)
    gone = -np.expm1(-d * t)
    ratio = q / (b + d)  # (d - b) / sigma^2
    change = -sigma * sigma * ratio * gone / (2.0 * d)
    by_variance = -q * gone / (2.0 * d * (1.0 + change))
    by_level = -ratio * t - 2.0 / sigma**2 * np.log1p(change)
    return kappa * theta * by_level + v0 * by_variance - 0.5 * np.longdouble(extra) * q


def _panels(tau: float, model: Any, k: float, turn: Any, extra: float) -> tuple[Any, Any]:
    """Points on the ray and their weights, up to where the integrand is dead."""
    edges, r = [0.0], 1e-3
    while r < 1e16:
        edges.append(r)
        z = np.array([r * turn - 0.5j], dtype=np.clongdouble)
        if r > 100.0 and float((log_phi(z, tau, model, extra) - _I * z * k).real[0]) < -48.0:
            break
        r *= 1.3
    low, high = np.array(edges[:-1], dtype=np.longdouble), np.array(edges[1:], dtype=np.longdouble)
    half = 0.5 * (high - low)
    r_all = (low + half)[:, None] + half[:, None] * _NODES
    return (r_all * turn).ravel() - _I / 2, (half[:, None] * _WEIGHTS * turn).ravel()


def read(model: Any, tau: float, k: float, omega: float = 0.2, extra: float = 0.0) -> Any:
    """P(S > F e^k), the density of log(S / F) at k, and the call over its forward; shape (3,)."""
    far = (
        model.rho * (model.v0 + model.kappa * model.theta * tau) / model.sigma
    )  # where the ray turns to the other side
    turn = np.exp((1.0 if -k >= far else -1.0) * _I * np.longdouble(omega))
    z, weight = _panels(tau, model, k, turn, extra)
    with np.errstate(under="ignore"):
        term = np.exp(log_phi(z, tau, model, extra) - _I * z * np.longdouble(k)) * weight / np.pi
    call = 1.0 - np.exp(np.longdouble(k)) * (term / (z * z + _I * z)).real.sum()
    return np.array([(term / (_I * z)).real.sum(), term.real.sum(), call], dtype=np.longdouble)


def read_with_jumps(model: Any, tau: float, k: float) -> Any:
    """The same under Bates: given n jumps the log price is Heston's, moved, with a normal variable beside it."""
    growth, total, rate = (
        model.jump_mean + 0.5 * model.jump_std**2,
        np.zeros(3, dtype=np.longdouble),
        np.longdouble(model.intensity * tau),
    )
    weight = np.exp(-rate)
    most = float(rate) * max(1.0, np.exp(growth))
    for n in range(int(most + 12.0 * np.sqrt(most) + 25.0)):
        m = n * growth - float(rate) * np.expm1(growth)
        if weight * max(1.0, np.exp(m)) > 1e-20:
            given = read(model, tau, k - m, extra=n * model.jump_std**2)
            total += weight * given * [1.0, 1.0, np.exp(m)]
        weight *= rate / (n + 1.0)
    return total
