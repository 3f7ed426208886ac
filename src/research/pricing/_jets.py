"""What a model says of one expiry and strike, with all derivatives: jets, for Heston, Bates, Merton, Variance Gamma.

Everything is undiscounted and in units of the forward, K the strike over it; m moves the log forward. On the side that
is out of the money (`side`: 1 above the strike, -1 below)

| key | what |
|---|---|
| c | the option |
| a, q | dc/dm, the underlying beyond the strike, and K times the probability of it, both with the sign of the side: |
|      | c = a - q |
| q1, q2, q3, q4 | derivatives of q in m: q1 is K^2 times the density, da/dm = a + q1, (d/dm - 1) a = q1 |
| "vol.c", "vol.a", "vol.q", "vol.q1" | the same of c, a, q, q1 by a parameter: vol, vol twice, time (to expiry, the |
|      | forward fixed), and those of the model by name |

A variance u of the log price, m fixed, moves each of them by (d/dm - 1) d/dm / 2. So jumps and a gamma clock need no
more than the jets of their cases: Heston's (`_contour`) or Black's, each at its own m and u, weighted; a parameter
moves m, u and the weight of a case.

References
----------
Merton (1976), J. Financial Economics 3, 125-144; Bates (1996), Review of Financial Studies 9, 69-107; Madan, Carr,
Chang (1998), European Finance Review 2, 79-105; Glasserman (2004), Monte Carlo Methods in Financial Engineering,
section 7.3 (scores: derivatives of the weights).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import digamma, ndtr

from research.arrays import Float1D, Float2D
from research.core.pricing.fourier_greeks import PLAIN_ROWS, ROWS
from research.models import black
from research.models.heston import Heston
from research.models.jumps import Bates, VarianceGamma
from research.pricing import _contour, mixtures
from research.pricing._bounded import Bounded, exact

Jets = dict[str, Bounded]
_LEAST = 1e-17  # numbers of jumps that are less likely are left out
_ULP = 2.3e-16
_FAR = 700.0


@dataclass(frozen=True, slots=True)
class _Cases:
    """Cases of a mixture: weights under the measure of `share`, log forwards, variances of Black (or beside Heston)."""

    weight: Float1D
    m: Float1D
    u: Float1D
    moves: dict[str, tuple[Any, Any, Any]]  # by a parameter: of m, of u, of the weight
    bends: tuple[Any, Any] | None = None  # second derivatives of m and u by the vol


def jets(model: Any, tau: float, k: Float1D, *, n_rows: int = ROWS) -> tuple[Jets, Float1D]:
    """Jets at log strikes k = log(K / F), shape (n,) each, and the side of each; n_rows as for `_contour.rows`."""
    side = np.where(k > 0.0, 1.0, -1.0)
    if isinstance(model, Heston):
        found = _contour.rows(model, tau, -k, side, np.zeros_like(k), n_rows=n_rows)
        return {name: each * np.exp(0.5 * k) for name, each in found.items()}, side
    out: Jets = {}
    for share, here in ((False, side < 0.0), (True, side > 0.0)):
        if not here.any():
            continue
        part = _mixed(model, tau, k[here], share, n_rows)
        for name, each in part.items():
            both = out.setdefault(name, Bounded(np.zeros_like(k), np.zeros_like(k)))
            both.value[here], both.error[here] = each.value, each.error
    return out, side


def below(model: Any, tau: float, k: Float1D) -> tuple[Float1D, Float1D]:
    """Probability to end below log strikes, and its error."""
    found, side = jets(model, tau, k, n_rows=PLAIN_ROWS)
    return _under(found["q"] * np.exp(-k), side)


def asset_below(model: Any, tau: float, k: Float1D) -> tuple[Float1D, Float1D]:
    """The underlying if it ends below log strikes, in units of its forward, and the error."""
    found, side = jets(model, tau, k, n_rows=PLAIN_ROWS)
    return _under(found["a"], side)


def _under(beyond: Bounded, side: Float1D) -> tuple[Float1D, Float1D]:
    """A share of 1 below, out of what lies beyond the side."""
    value = np.where(side > 0.0, 1.0 - beyond.value, -beyond.value)
    return np.clip(value, 0.0, 1.0), np.minimum(beyond.error + _ULP, 1.0)


def log_ratio(a: Any, b: Any) -> Float1D:
    """log(a / b), to the last digit also where they are close."""
    ratio = a / b
    out: Float1D = np.where((ratio > 0.5) & (ratio < 2.0), np.log1p((a - b) / b), np.log(ratio))
    return out


def _mixed(model: Any, tau: float, k: Float1D, share: bool, n_rows: int) -> Jets:
    if isinstance(model, VarianceGamma):
        return _on_a_clock(model, tau, k, share, n_rows)
    cases = _jump_cases(model, tau, share)
    return _sum(model, tau, k, share, cases, n_rows)


def _sum(model: Any, tau: float, k: Float1D, share: bool, cases: _Cases, n_rows: int) -> Jets:
    """Weighted jets of all cases."""
    x = np.clip(cases.m[:, None] - k[None, :], -_FAR, _FAR)
    sign = 1.0 if share else -1.0
    base = _of_cases(model, tau, x, sign, cases.u, n_rows)
    lift = 0.5 * (k[None, :] - cases.m[:, None]) if share else 0.5 * (k[None, :] + cases.m[:, None])
    scale = np.exp(np.clip(lift, -_FAR, _FAR))
    weight = cases.weight[:, None] * scale
    out = {name: _rounded(each.total(weight), cases) for name, each in base.items()}
    if n_rows <= PLAIN_ROWS:
        return out
    for name, (by_m, by_u, by_weight) in cases.moves.items():
        m, u, w = (np.broadcast_to(part, cases.m.shape)[:, None] * scale for part in (by_m, by_u, by_weight))
        m, u = m * cases.weight[:, None], 0.5 * u * cases.weight[:, None]
        moved = {
            "c": [("a", m), ("q1", u), ("c", w)],
            "a": [("a", m), ("q1", m), ("q2", u), ("a", w)],
            "q": [("q1", m), ("q2", u), ("q1", -u), ("q", w)],
            "q1": [("q2", m), ("q3", u), ("q2", -u), ("q1", w)],
        }  # fmt: skip
        for row, parts in moved.items():
            own = out.get(f"{name}.{row}")
            terms = [base[of].total(weight) for of, weight in parts]
            out[f"{name}.{row}"] = _rounded(sum(terms[1:], terms[0]) + (own if own is not None else 0.0), cases)
    if cases.bends is not None:
        out |= _twice_by_vol(base, cases, weight)
    return out


def _twice_by_vol(base: Jets, cases: _Cases, weight: Float2D) -> Jets:
    assert cases.bends is not None
    by_m, by_u, _ = cases.moves["vol"]
    m, u, bend, wide = (np.broadcast_to(part, cases.m.shape)[:, None] for part in (by_m, by_u, *cases.bends))
    parts = {
        "c": {"a": bend + m * m, "q1": m * m + 0.5 * wide, "q2": m * u - 0.25 * u * u, "q3": 0.25 * u * u},
        "q": {"q1": bend - 0.5 * wide, "q2": m * m - m * u + 0.5 * wide + 0.25 * u * u, "q3": m * u - 0.5 * u * u,
              "q4": 0.25 * u * u},
    }  # fmt: skip
    out: Jets = {}
    for row, factors in parts.items():
        terms = [base[of].total(factor * weight) for of, factor in factors.items()]
        out[f"vol twice.{row}"] = _rounded(sum(terms[1:], terms[0]), cases)
    out["vol twice.a"] = out["vol twice.c"] + out["vol twice.q"]
    return out


def _rounded(jet: Bounded, cases: _Cases) -> Bounded:
    """Weights and log forwards are rounded too."""
    size = 20.0 + float(np.abs(cases.m).max()) + 0.1 * cases.m.size
    return Bounded(jet.value, jet.error + _ULP * size * np.abs(jet.value))


def _of_cases(model: Any, tau: float, x: Float2D, sign: float, u: Float1D, n_rows: int) -> Jets:
    """Jets of every case and strike over sqrt(F K), shape (cases, strikes): Heston's, or Black's."""
    if not isinstance(model, Bates):
        return black_jets(x, np.broadcast_to(np.sqrt(u)[:, None], x.shape), sign)
    calm = Heston(v0=model.v0, kappa=model.kappa, theta=model.theta, sigma=model.sigma, rho=model.rho)
    flat = x.ravel()
    found = _contour.rows(calm, tau, flat, np.full(flat.size, sign), np.repeat(u, x.shape[1]), n_rows=n_rows)
    return {name: Bounded(each.value.reshape(x.shape), each.error.reshape(x.shape)) for name, each in found.items()}


def black_jets(x: Any, std: Any, sign: float) -> Jets:
    """Under Black's model of standard deviation std, at x = log(F / K), over sqrt(F K)."""
    up, down = np.exp(0.5 * x), np.exp(-0.5 * x)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        still = std <= 0.0
        d = np.where(still, np.where(x > 0.0, np.inf, -np.inf), x / std - 0.5 * std)
        over = np.where(still, 0.0, 1.0 / std)
        density = np.where(still, 0.0, np.exp(-0.5 * np.minimum((x * over) ** 2, 1400.0) - 0.125 * std * std) * over)
    density = density / np.sqrt(2.0 * np.pi)
    z = np.where(still, 0.0, d)
    q = [density, -density * z * over, density * (z * z - 1.0) * over**2, -density * (z**3 - 3.0 * z) * over**3]
    out = {"a": exact(sign * up * ndtr(sign * (d + std))), "q": exact(sign * down * ndtr(sign * d))}
    out["c"] = exact(np.asarray(black.price(up, down, 1.0, std, is_call=sign > 0.0)))
    for n, each in enumerate(q):  # what the last digit of a strike does, and rounding
        after = np.abs(each) if n == 3 else np.abs(q[n + 1])
        out[f"q{n + 1}"] = Bounded(each, _ULP * (after + 4.0 * np.abs(each) * (1.0 + z * z)))
    for name in ("a", "q"):
        out[name] = Bounded(out[name].value, _ULP * (density + 4.0 * np.abs(out[name].value)))
    out["c"] = Bounded(out["c"].value, _ULP * (np.abs(out["a"].value) + 4.0 * np.abs(out["c"].value)))
    return out


def _jump_cases(model: Any, tau: float, share: bool) -> _Cases:
    """Numbers of jumps, and one more than counts: what another jump would do."""
    weight, count, m = mixtures.jump_cases(model.intensity, model.jump_mean, model.jump_std, tau, share)
    kept = weight > _LEAST
    weight, count, m = weight[kept], count[kept], m[kept]
    growth = model.jump_mean + 0.5 * model.jump_std**2
    weight, count, m = np.append(weight, 0.0), np.append(count, count[-1] + 1.0), np.append(m, m[-1] + growth)
    grown, lost = float(np.exp(growth)), float(np.expm1(growth))
    before = np.concatenate([[0.0], weight[:-1]]) * (grown if share else 1.0)
    change = before - weight  # of the weight, by the expected number of jumps
    more = count - model.intensity * tau * grown
    moves: dict[str, tuple[Any, Any, Any]] = {
        "time": (-model.intensity * lost, 0.0, model.intensity * change),
        "intensity": (-tau * lost, 0.0, tau * change),
        "jump_mean": (more, 0.0, 0.0),
        "jump_std": (model.jump_std * more, 2.0 * count * model.jump_std, 0.0),
    }
    u = count * model.jump_std**2
    if isinstance(model, Bates):
        return _Cases(weight, m, u, moves)
    by_time, _, change = moves["time"]
    moves["time"] = (by_time, model.sigma**2, change)
    moves["vol"] = moves["sigma"] = (0.0, 2.0 * model.sigma * tau, 0.0)
    return _Cases(weight, m, u + model.sigma**2 * tau, moves, (0.0, 2.0 * tau))


def _on_a_clock(model: VarianceGamma, tau: float, k: Float1D, share: bool, n_rows: int) -> Jets:
    """The trapezoidal rule over the gamma clock, halved until it settles; its even and odd nodes make the error."""
    out: Jets = {}
    rest = np.arange(k.size)
    noise = _ULP * (20.0 + abs(mixtures.drift(model)) * tau + float(np.sqrt(tau / model.nu)))
    for halvings in range(mixtures.FINEST):
        both = [_sum(model, tau, k[rest], share, _clock_cases(model, tau, share, 0.5**halvings, part), n_rows)
                for part in (0, 1)]  # fmt: skip
        worst = np.zeros(rest.size)
        for name, one in both[0].items():
            other = both[1][name]
            value, gap = 0.5 * (one.value + other.value), np.abs(one.value - other.value)
            size = np.maximum(np.abs(value).max(), 1e-300)
            jet = out.setdefault(name, Bounded(np.zeros_like(k), np.zeros_like(k)))
            relative = gap / size
            power = np.where(relative > mixtures.AGREE, relative, relative**mixtures.POWER)
            jet.value[rest], jet.error[rest] = value, one.error + other.error + size * power + noise * np.abs(value)
            worst = np.maximum(worst, relative)
        rest = rest[worst > mixtures.AGREE]
        if rest.size == 0:
            break
    return out


def _clock_cases(model: VarianceGamma, tau: float, share: bool, shrink: float, part: int) -> _Cases:
    """Every other node of the clock, and the clock that stands still for what is left."""
    weight, m, s, _ = mixtures.clock_cases(model, tau, share, shrink)
    shift = mixtures.drift(model) * tau
    at = slice(part, None, 2)
    weight, spent = 2.0 * weight[at], (s[at] / model.sigma) ** 2
    nu, alpha, sigma = model.nu, tau / model.nu, model.sigma
    logs = np.log(spent / nu) - digamma(alpha)
    by_nu, by_tau = weight * ((spent / nu - alpha * (1.0 + logs)) / nu), weight * logs / nu
    back = np.exp(shift - m[at]) if share else 1.0  # scores have no mean under the measure of money alone
    weight, by_nu, by_tau = (
        np.append(w, end) for w, end in ((weight, 1.0 - weight.sum()), (by_nu, -(by_nu * back).sum()),
                                         (by_tau, -(by_tau * back).sum()))
    )  # fmt: skip
    spent, m = np.append(spent, 0.0), np.append(m[at], shift)
    own, drift = 1.0 - model.theta * nu - 0.5 * sigma**2 * nu, mixtures.drift(model)
    lost = -(model.theta + 0.5 * sigma**2) / own / nu - drift / nu  # d omega / d nu
    moves = {
        "time": (drift, 0.0, by_tau),
        "sigma": (sigma * (spent - tau / own), 2.0 * sigma * spent, 0.0),
        "nu": (tau * lost, 0.0, by_nu),
        "theta": (spent - tau / own, 0.0, 0.0),
    }
    moves["vol"] = moves["sigma"]
    bend = spent - tau * (1.0 / own + sigma * sigma * nu / (own * own))
    return _Cases(weight, m, sigma**2 * spent, moves, (bend, 2.0 * spent))
