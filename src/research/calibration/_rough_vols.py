"""Vols of rough Bergomi and their derivatives, on normals that every evaluation shares.

Given the motion of the variance the spot is lognormal (Romano and Touzi 1997), so that a price is a mean of Black's
values at M = the integral of sqrt(V) dW and Q = the integral of V. Derivatives are pathwise, through M and Q: by rho
and by the levels of the forward variance they are read off the paths at hand, as an interval's share of M grows like
the root of its level and that of Q like the level; by H and eta M and Q are walked once more a little aside, without
another price. The budget of variance and the coefficients of the two controls are held during a search (`Held`), so
that prices and derivatives belong together to the last digit.

References
----------
Romano, Touzi (1997), "Contingent claims and market completeness in a stochastic volatility model", Math. Finance 7.
McCrickerd, Pakkanen (2018), "Turbocharging Monte Carlo pricing for the rough Bergomi model", Quant. Finance 18.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D, FloatND
from research.calibration._quotes import Quotes
from research.core._tasks import share
from research.models import black
from research.models.rough_bergomi import RoughBergomi
from research.pricing import rough_bergomi as engine
from research.pricing._simulation import Settings, tables_of

REPLICATES = 16
_ASIDE = 1e-5  # of H and eta
_TOGETHER = 1024  # pairs walked in one call
_NO_VARIANCE = 1e-14
_SPREAD = 4.5  # standard deviations of log Q to the budget


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What a search does not move: any choice leaves prices unbiased, a near one makes them precise."""

    budget: Float1D  # of each expiry, a variance that hardly a path spends
    of_control: Float1D  # coefficients of Black's value at the rest of the budget, of each quote
    of_spot: Float1D


@dataclass(frozen=True, slots=True, eq=False)
class RoughVols:
    """The quotes, and the normals of some replicates each, one beside the other."""

    quotes: Quotes
    options: engine.Options
    motions: list[Float2D]
    n_each: int  # pairs of a replicate
    n_steps: int
    scheme: str

    def model(self, y: Float1D) -> RoughBergomi:
        """y is (H, eta, rho, log of each interval's forward variance)."""
        levels = np.exp(y[3:])
        return RoughBergomi(
            hurst=float(y[0]), eta=float(y[1]), rho=float(y[2]), forward_variance=levels, forward_tau=self.quotes.tau
        )

    def held(self, y: Float1D) -> Held:
        """At y, the engine's budget (4.5 standard deviations above the mean of log Q) and the best coefficients."""
        states = self._states(y)
        spent = np.log(np.maximum(np.concatenate([one[0][:, 1] for one in states], axis=-1), 1e-300))
        flat = spent.transpose(1, 0, 2).reshape(self.quotes.tau.size, -1)
        budget = np.asarray(np.exp(flat.mean(axis=1) + _SPREAD * flat.std(axis=1)))
        sums, _ = self._sums(y, budget, states)
        return Held(budget, *_coefficients(sums.mean(axis=0) / self.n_each))

    def vols(self, y: Float1D, held: Held) -> Float2D:
        """Implied vol of each quote, one row a replicate, shape (replicates, n); the mean is the last row."""
        sums, _ = self._sums(y, held.budget, self._states(y))
        each = self._controlled(sums[:, :3] / self.n_each, y, held)
        return self._implied(np.vstack((each, each.mean(axis=0))))

    def vols_and_slopes(self, y: Float1D, held: Held) -> tuple[Float1D, Float2D]:
        """Implied vol of each quote, and its derivatives by y, shape (p, n); 0 where a price has no vol."""
        sums, slopes = self._sums(y, held.budget, self._states(y, slopes=True))
        each = self._controlled(sums[:, :3] / self.n_each, y, held)
        vol = self._implied(each.mean(axis=0)[None, :])[0]
        x, control, spot = slopes / (2.0 * self.n_each * REPLICATES)
        control[2] -= self._control_by_rho(float(y[2]), held.budget)
        by_y = x - held.of_control * control - held.of_spot * spot
        o, tau = self.options, self.quotes.table[5] ** 2
        vega = black.greeks(o.forward, o.strike, tau, np.maximum(vol, 1e-12), is_call=o.sign > 0.0)["vega"]
        return vol, np.where((vol > 0.0) & (vega > 0.0), by_y / np.maximum(vega, 1e-300), 0.0)

    def _controlled(self, means: FloatND, y: Float1D, held: Held) -> Float2D:
        """Prices of each replicate, shape (replicates, n)."""
        exact = engine.control_mean(self.model(y), self.options, held.budget)
        out: Float2D = means[:, 0] - held.of_control * (means[:, 1] - exact) - held.of_spot * (means[:, 2] - 1.0)
        return out

    def _implied(self, prices: Float2D) -> Float2D:
        o, tau = self.options, self.quotes.table[5] ** 2
        f, k, t, call = (np.broadcast_to(x, prices.shape) for x in (o.forward, o.strike, tau, o.sign > 0.0))
        vol = black.implied_vol(np.maximum(prices, 1e-300), f, k, t, is_call=call, on_error="nan")
        return np.where(np.isfinite(vol), vol, 0.0)

    def _states(self, y: Float1D, *, slopes: bool = False) -> list[list[FloatND]]:
        """M and Q of each part of the paths, shape (2 halves, 2, expiries, paths); their derivatives by H and eta."""
        walkers = [self._walker(y), *([self._walker(y, 0), self._walker(y, 1)] if slopes else [])]
        out: list[list[FloatND]] = [[] for _ in self.motions]

        def walk(rows: slice) -> None:
            for r in range(rows.start, rows.stop):
                here, *aside = [one(self.motions[r]) for one, _ in walkers]
                out[r] = [here, *((moved - here) / h for moved, (_, h) in zip(aside, walkers[1:]))]

        share(len(self.motions), walk)
        return out

    def _sums(self, y: Float1D, budget: Float1D, states: list[list[FloatND]]) -> tuple[FloatND, FloatND]:
        """The engine's sums of each replicate, and derivatives by y of the sums of X, Y, S1, shape (3, p, n)."""
        parts, m, n = len(self.motions), self.quotes.tau.size, self.options.at.size
        sums = np.empty((parts, REPLICATES // parts, engine.N_SUMS, n))
        by_y = np.zeros((parts, 3, 3 + m, n))

        def work(rows: slice) -> None:
            for r in range(rows.start, rows.stop):
                for g in range(m):
                    self._expiry(g, float(y[2]), float(budget[g]), states[r], sums[r], by_y[r])

        share(parts, work)
        return sums.reshape(REPLICATES, engine.N_SUMS, n), by_y.sum(axis=0)

    def _grid(self, hurst: float) -> engine.Grid:
        times = engine.time_grid(self.quotes.tau, self.n_steps, even=False)
        mean, rest = engine.volterra_weights(times, hurst, self.scheme)
        variance = (mean**2) @ np.diff(times, prepend=0.0) + (rest**2).sum(axis=1)
        kept = np.isin(times, self.quotes.tau)
        return engine.Grid(times=times, kept=kept, mean=mean, rest=rest, variance=variance)

    def _walker(self, y: Float1D, aside: int | None = None) -> Any:
        """(motion -> M and Q of both halves, shape (2, 2, expiries, paths), step) with H or eta a little aside."""
        moved, h = y.copy(), 0.0
        if aside is not None:
            h = -_ASIDE if aside == 0 and y[0] + _ASIDE > 0.5 else _ASIDE
            moved[aside] += h
        moved[2] = 1.0  # log S1 is then M - Q / 2
        model = self.model(moved)
        grid = self._grid(model.hurst)

        def walk(motion: Float2D) -> FloatND:
            found = engine.states(model, grid, motion).reshape(-1, 2, 2, motion.shape[1])
            out = np.ascontiguousarray(found.transpose(1, 2, 0, 3))
            out[:, 0] += 0.5 * out[:, 1]
            return out

        return walk, h

    def _expiry(self, g: int, rho: float, budget: float, states: list[FloatND], sums: FloatND, by_y: FloatND) -> None:
        """Fill in the sums of one expiry's options; with the states' derivatives also those of X, Y and S1."""
        state, *aside = states
        here = slice(self.quotes.first[g], self.quotes.first[g + 1])
        o, n, paths = self.options, self.quotes.first[g + 1] - self.quotes.first[g], state.shape[-1]
        halves = np.zeros((3, n, paths))
        for half in range(2):
            integral, spent = state[half, :, g]
            spot = np.exp(rho * integral - 0.5 * rho * rho * spent)
            rest = budget - spent
            ours, control = (1.0 - rho * rho) * spent, rho * rho * np.maximum(rest, 0.0)
            x = _black(o.forward[here], o.strike[here], o.sign[here], spot, ours, slopes=bool(aside))
            y = _black(o.forward[here], o.strike[here], o.sign[here], spot, control, slopes=bool(aside))
            halves += 0.5 * np.stack((x[0], y[0], np.broadcast_to(spot, x[0].shape)))
            if not aside:
                continue
            d_integral, d_spent = _directions(state[half], [one[half] for one in aside], g)
            d_log = rho * d_integral - 0.5 * rho * rho * d_spent
            d_ours, d_control = (1.0 - rho * rho) * d_spent, -rho * rho * d_spent * (rest > 0.0)
            d_log[2] += integral - rho * spent
            d_ours[2] -= 2.0 * rho * spent
            d_control[2] += 2.0 * rho * np.maximum(rest, 0.0)
            for i, (value, d_variance) in enumerate(((x, d_ours), (y, d_control))):
                by_y[i, :, here] += d_log @ value[1].T + d_variance @ value[2].T
            by_y[2, :, here] += (d_log @ spot)[:, None]
        replicates = (v.reshape(n, -1, self.n_each) for v in halves)
        sums[:, :, here] = engine.path_sums(*replicates).transpose(2, 0, 1)

    def _control_by_rho(self, rho: float, budget: Float1D) -> Float1D:
        """d E[Y] / d rho."""
        o, b = self.options, budget[self.options.at]
        std = np.sqrt(np.maximum(rho * rho * b, _NO_VARIANCE))
        vega = black.greeks(o.forward, o.strike, 1.0, std, is_call=o.sign > 0.0)["vega"]
        return np.asarray(vega * np.sqrt(b) * np.sign(rho))


def rough_vols(quotes: Quotes, n_paths: int, n_steps: int, scheme: str, seed: int) -> RoughVols:
    """The shared normals: n_paths pairs in all, a power of two a replicate."""
    x, forward, strike = quotes.table[0], quotes.table[1], quotes.table[2]
    at = np.repeat(np.arange(quotes.tau.size), np.diff(quotes.first))
    options = engine.Options(at=at, forward=forward, strike=strike, sign=np.where(x <= 0.0, 1.0, -1.0))
    settings = Settings(n_paths=n_paths, seed=seed, replicates=REPLICATES)
    each = 1 << max(4, (n_paths // REPLICATES - 1).bit_length())
    times = engine.time_grid(quotes.tau, n_steps, even=False)
    plan, tables = engine.motion_plan(times, True), tables_of(settings, 2 * times.size)
    single = [engine.make_motion(table, seed, 0, each, plan) for table in tables]
    together = max(1, min(REPLICATES // 2, _TOGETHER // each))
    motions = [np.hstack(single[k : k + together]) for k in range(0, REPLICATES, together)]
    return RoughVols(quotes, options, motions, each, n_steps, scheme)


def _directions(state: FloatND, aside: list[FloatND], g: int) -> tuple[Float2D, Float2D]:
    """Derivatives of M and Q at expiry g by y, with rho held; shape (3 + expiries, paths)."""
    _, m, paths = state.shape
    out = np.zeros((2, 3 + m, paths))
    for j, one in enumerate(aside):
        out[:, j] = one[:, g]
    pieces = np.diff(state[:, : g + 1], axis=1, prepend=0.0)
    out[0, 3 : 4 + g], out[1, 3 : 4 + g] = 0.5 * pieces[0], pieces[1]
    return out[0], out[1]


def _black(
    forward: Float1D, strike: Float1D, sign: Float1D, spot: Float1D, variance: Float1D, *, slopes: bool
) -> tuple[Float2D, Float2D, Float2D]:
    """Value, its derivative by log(forward) and by the variance to come, shape (n, paths); empty without `slopes`."""
    shape = (forward.size, spot.size)
    f = (forward[:, None] * spot).reshape(-1)
    k, call = np.repeat(strike, spot.size), np.repeat(sign > 0.0, spot.size)
    std = np.sqrt(np.maximum(variance, _NO_VARIANCE))
    vol = np.ascontiguousarray(np.broadcast_to(std, shape)).reshape(-1)
    if not slopes:
        none = np.empty((0, 0))
        return black.price(f, k, 1.0, vol, is_call=call).reshape(shape), none, none
    all_of = black.greeks(f, k, 1.0, vol, is_call=call, which=("price", "delta", "vega"))
    value, delta, vega = (all_of[name].reshape(shape) for name in ("price", "delta", "vega"))
    return value, delta * f.reshape(shape), vega * (0.5 / std)


def _coefficients(means: Float2D) -> tuple[Float1D, Float1D]:
    """Of Y and of S1 in the controlled estimate, as `engine.controlled` finds them."""
    x, y, s, xy, xs, yy, ys, ss = means
    xy, xs, yy, ys, ss = xy - x * y, xs - x * s, np.maximum(yy - y * y, 0.0), ys - y * s, np.maximum(ss - s * s, 0.0)
    det = yy * ss - ys * ys
    both, one = (det > 1e-8 * yy * ss) & (ss > 1e-12), yy > 1e-12 * np.maximum(y * y, 1e-300)
    safe, alone = np.where(both, det, 1.0), np.where(one, xy / np.where(one, yy, 1.0), 0.0)
    a = np.where(both, (xy * ss - xs * ys) / safe, alone)
    return a, np.where(both, (xs * yy - xy * ys) / safe, 0.0)
