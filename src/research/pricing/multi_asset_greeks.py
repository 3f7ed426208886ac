"""Greeks of contracts on several underlyings: deltas, gammas, cross gammas, vegas, correlations, theta, rhos.

A rho is that of one currency's curve, all its zero rates together; exchange rates stay, forwards move. Theta ages the
dates of the contract by a day, spots and curves by time to maturity fixed.

A closed form or a quadrature is bumped by small central differences of order four, good to about 1e-7; a simulation by
larger ones of order two on the same paths, with the standard error of the difference over the scrambles. Bumps are
small beside the move over which the value bends (`_bends`): an hour before expiry, or between prices that hardly part,
far less than a thousandth. A pair whose correlation is at a bound, or whose bump would leave the positive semidefinite
ones, is bumped to the side that stays inside (order three).

References
----------
Glasserman (2004), Monte Carlo Methods in Financial Engineering, section 7.1 (common random numbers).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from research.arrays import Float1D
from research.conventions import check_number
from research.errors import InputError, require
from research.instruments import Basket, BestOf, Compo, Exchange, Outperformance, Quanto, Rainbow, Spread, WorstOf
from research.market import BasketSnapshot, DiscountCurve
from research.models.correlation import is_semidefinite
from research.models.multi_asset import MultiAssetBlackScholes, one_pair
from research.pricing import multi_asset
from research.pricing._bumps import DAYS, aged
from research.pricing._lognormals import lognormals
from research.pricing._simulation import Settings, estimate
from research.pricing._tables import whole
from research.pricing.catalogue import engines_for
from research.pricing.linear import Books, terms
from research.pricing.price import price

UNITS = {
    "value": "price", "delta": "price per unit of spot", "gamma": "delta per unit of spot",
    "cross gamma": "delta per unit of the other spot", "vega": "price per 1.00 of vol",
    "correlation": "price per 1.00 of correlation", "theta": "price per year, spots and curves unchanged",
    "rho": "price per 1.00 of rate",
}  # fmt: skip
Run = Callable[..., Float1D]  # (model, snapshot, contract if another) -> estimates, shape (replicates,)
_RATE = {True: 0.002, False: 1e-4}  # bump of a simulation, and of what is exact


def basket_greeks(
    item: Any,
    model: MultiAssetBlackScholes,
    snapshot: BasketSnapshot,
    *,
    method: str = "auto",
    spot_bump: float | None = None,
    vol_bump: float | None = None,
    correlation_bump: float | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Value and Greeks of one contract.

    Parameters
    ----------
    method : str
        As for `price`.
    spot_bump : float, fraction of spot; default 0.001, simulated 0.01, or less where the value bends sooner
    vol_bump : float, 1/sqrt(year), of every column of `vols`; default 0.001, simulated 0.01, or less
    correlation_bump : float; default 0.001, simulated 0.02, or less
    options
        Of the simulation, with Sobol' points and a fixed number of paths.

    Returns
    -------
    DataFrame with columns greek, first, second, value, std_error, unit
        `first` and `second` name the underlyings or factors; std_error is 0 for a deterministic method.
    """
    require(not isinstance(item, (list, tuple)), "item", type(item).__name__, "be one contract")
    noisy = _is_simulated(item, model, snapshot, method)
    run = _simulated(item, options) if noisy else _exact(item, method, options)
    for name, size in (("spot", spot_bump), ("vol", vol_bump), ("correlation", correlation_bump)):
        if size is not None:
            check_number(f"{name}_bump", size)
            require(0.0 < size < 0.5, f"{name}_bump", size, "lie in (0, 0.5)")
    base = run(model, snapshot)
    names = underlyings_of(item)
    factors = [*names, *dict.fromkeys(p for n in names if (p := snapshot.pair(n)) is not None)]
    bumps = _Bumps(spot_bump, vol_bump, correlation_bump, noisy, _bends(item, model, snapshot), _life(item, snapshot))
    found: list[tuple[str, str, str, Float1D]] = [("value", "", "", base)]
    found += _spot_greeks(run, model, snapshot, names, bumps, base)
    for name in factors:
        found.append(("vega", name, "", _vega(run, model, snapshot, name, bumps.of_vol(model, name), base, noisy)))
    for first, second in combinations(factors, 2):
        h = bumps.of_correlation(model, first, second)
        each = _correlation(run, model, snapshot, (first, second), h, base, noisy)
        found.append(("correlation", first, second, each))
    found.append(("theta", "", "", _theta(run, item, model, snapshot, base)))
    found += [("rho", name, "", _rho(run, model, snapshot, name, _RATE[noisy])) for name in currencies(snapshot, names)]
    rows = [(g, a, b, float(x.mean()), _error(x), UNITS[g]) for g, a, b, x in found]
    table: pd.DataFrame = whole(rows, ["greek", "first", "second", "value", "std_error", "unit"])
    return table


def _is_simulated(item: Any, model: Any, snapshot: Any, method: str) -> bool:
    """Whether the engine is a simulation; "auto" may pass over the first of its list."""
    able = [engine.method for engine in engines_for(item, model)]
    if method == "auto" and able[:1] != ["monte_carlo"]:
        return bool(price(item, model, snapshot).method == "monte_carlo")
    return "monte_carlo" in (method, *able[:1]) if method == "auto" else method == "monte_carlo"


def underlyings_of(item: Any) -> tuple[str, ...]:
    """Names of what a contract is on."""
    for fields in (("underlyings",), ("long", "short"), ("receive", "give"), ("underlying",)):
        if all(hasattr(item, f) for f in fields):
            given = tuple(getattr(item, f) for f in fields)
            return tuple(given[0]) if fields == ("underlyings",) else given
    raise AssertionError(type(item).__name__)


def _error(each: Float1D) -> float:
    return float(each.std(ddof=1) / np.sqrt(each.size)) if each.size > 1 else 0.0


def _simulated(item: Any, options: dict[str, Any]) -> Run:
    settings = Settings(**{"n_paths": 1 << 17, **options, "sampler": "sobol"})
    require(settings.std_error is None, "std_error", settings.std_error, "be left out", hint="Give n_paths.")
    return lambda m, s, other=item: estimate(multi_asset.problem(other, m, s, settings), settings).replicates


def _exact(item: Any, method: str, options: dict[str, Any]) -> Run:
    return lambda m, s, other=item: np.array([price(other, m, s, method=method, **options).value])


def move_spots(snapshot: BasketSnapshot, shifts: dict[str, float]) -> BasketSnapshot:
    """The market with spots times 1 + shift."""
    items = tuple(replace(u, spot=u.spot * (1.0 + shifts.get(u.name, 0.0))) for u in snapshot.underlyings)
    return replace(snapshot, underlyings=items)


@dataclass(frozen=True, slots=True)
class _Bumps:
    """Sizes of the differences: as given, or the smaller of a standard one and a share of the bend."""

    spot: float | None
    vol: float | None
    correlation: float | None
    noisy: bool
    bends: dict[str, float]  # move of the log price over which the value bends, by name
    life: float  # years

    @property
    def share(self) -> float:
        return 0.2 if self.noisy else 0.02

    def _bend(self, name: str) -> float:
        return self.bends.get(name, min(self.bends.values(), default=np.inf))

    def of_spot(self, name: str) -> float:
        """A fraction of the spot."""
        return self.spot if self.spot is not None else min(0.01 if self.noisy else 1e-3, self.share * self._bend(name))

    def of_vol(self, model: Any, name: str) -> float:
        """1/sqrt(year)."""
        if self.vol is not None:
            return self.vol
        least = float(model.vols[model.position(name)].min())
        root = float(np.sqrt(self.life)) if self.life > 0.0 else 1.0
        size = min(0.01 if self.noisy else 1e-3, self.share * self._bend(name) / root)
        return min(size, self.share * least) if least > 0.0 else size

    def of_correlation(self, model: Any, first: str, second: str) -> float:
        """A change of one correlation."""
        if self.correlation is not None:
            return self.correlation
        high = [float(model.vols[model.position(name)].max()) for name in (first, second)]
        moved = 2.0 * self.life * high[0] * high[1]
        room = self.share * self._bend(first) * self._bend(second) / moved if moved > 0.0 else np.inf
        return float(min(0.02 if self.noisy else 1e-3, room))


def _life(item: Any, snapshot: BasketSnapshot) -> float:
    years: Any = item.years(snapshot.as_of)
    return float(np.max(years))


def _bends(item: Any, model: Any, snapshot: BasketSnapshot) -> dict[str, float]:
    """Over which move of a log price the value bends: the deviation between what is compared; empty for a note."""
    names, tau = underlyings_of(item), _life(item, snapshot)
    if isinstance(item, (Basket, Exchange, Spread, Outperformance)):
        given = terms(item, Books(model, snapshot))
        square = float(given.amounts @ given.covariance @ given.amounts)
        deviation = float(np.sqrt(max(square, 0.0)))
        found = {n: deviation / abs(float(a)) for n, a in zip(names, given.amounts) if a != 0.0}
    elif isinstance(item, (BestOf, WorstOf, Rainbow)):
        assets = lognormals(names, item.fx, model, snapshot)
        forward, c = (
            assets.forwards(tau) / np.array(item.initials or (1.0,) * len(names), dtype=float),
            assets.covariance(tau),
        )
        level = float(item.strike)
        log: Any = np.append(np.log(forward), np.log(level) if level > 0.0 else np.inf)
        c = np.pad(c, (0, 1))  # the strike moves not at all
        apart = np.sqrt(np.maximum(np.diag(c)[:, None] + np.diag(c)[None, :] - 2.0 * c, 0.0))
        far = np.abs(log[:, None] - log[None, :]) > 8.0 * apart
        apart[far | (apart == 0.0)] = np.inf
        found = {n: float(row.min()) for n, row in zip(names, apart)}
    elif isinstance(item, (Quanto, Compo)):
        kind = "quanto" if isinstance(item, Quanto) else "compo"
        found = {names[0]: float(np.sqrt(lognormals(names, kind, model, snapshot).covariance(tau)[0, 0]))}
    else:
        return {}
    return {name: bend for name, bend in found.items() if bend > 1e-9}  # what never moves has kinks, not bends


def _spot_greeks(
    run: Run, model: Any, snapshot: BasketSnapshot, names: tuple[str, ...], bumps: _Bumps, base: Float1D
) -> list[tuple[str, str, str, Float1D]]:
    """Deltas, gammas and cross gammas."""
    found, size = [], {n: bumps.of_spot(n) for n in names}
    step = {n: snapshot.underlying(n).spot * h for n, h in size.items()}
    for name in names:
        h = size[name]
        up, down = (run(model, move_spots(snapshot, {name: s * h})) for s in (1.0, -1.0))
        slope, curve = (up - down) / 2.0, up - 2.0 * base + down
        if not bumps.noisy:  # to order four
            more, less = (run(model, move_spots(snapshot, {name: s * 2.0 * h})) for s in (1.0, -1.0))
            slope = (4.0 * slope - (more - less) / 4.0) / 3.0
            curve = (4.0 * curve - (more - 2.0 * base + less) / 4.0) / 3.0
        found += [("delta", name, "", slope / step[name]), ("gamma", name, "", curve / step[name] ** 2)]
    for a, b in combinations(names, 2):

        def cross(times: float, a: str = a, b: str = b) -> Float1D:
            corners = [
                s * t * run(model, move_spots(snapshot, {a: s * times * size[a], b: t * times * size[b]}))
                for s in (1, -1) for t in (1, -1)
            ]  # fmt: skip
            return np.asarray(sum(corners)) / (4.0 * times * times * step[a] * step[b])

        found.append(("cross gamma", a, b, cross(1.0) if bumps.noisy else (4.0 * cross(1.0) - cross(2.0)) / 3.0))
    return found


def _theta(run: Run, item: Any, model: Any, snapshot: BasketSnapshot, base: Float1D) -> Float1D:
    """A day later; nan for a contract with a date tomorrow."""
    try:
        later = aged(item, 1.0)
        return (run(model, replace(snapshot, as_of=snapshot.as_of + timedelta(days=1)), later) - base) * DAYS
    except InputError:
        return np.full(base.size, np.nan)


def currencies(snapshot: BasketSnapshot, names: tuple[str, ...]) -> list[str]:
    """The currency of payment, and those of some underlyings."""
    foreign = (snapshot.foreign(name) for name in names)
    return list(dict.fromkeys([snapshot.currency, *(money.name for money in foreign if money is not None)]))


def with_rates(snapshot: BasketSnapshot, currency: str, change: Any) -> BasketSnapshot:
    """The market with the zero rates of one currency's curve moved, by a number or one a node."""

    def moved(curve: DiscountCurve) -> DiscountCurve:
        return DiscountCurve(as_of=curve.as_of, tau=curve.tau, zero_rate=curve.zero_rate + change)

    if currency == snapshot.currency:
        return replace(snapshot, discount=moved(snapshot.discount))
    others = tuple(replace(c, discount=moved(c.discount)) if c.name == currency else c for c in snapshot.currencies)
    return replace(snapshot, currencies=others)


def _rho(run: Run, model: Any, snapshot: BasketSnapshot, currency: str, h: float) -> Float1D:
    up, down = (run(model, with_rates(snapshot, currency, s * h)) for s in (1.0, -1.0))
    return np.asarray((up - down) / (2.0 * h))


def _vega(run: Run, model: Any, snapshot: BasketSnapshot, name: str, h: float, base: Float1D, noisy: bool) -> Float1D:
    i = model.position(name)
    least = float(model.vols[i].min())

    def at(size: float) -> Float1D:
        vols = model.vols.copy()
        vols[i] += size
        return run(with_changes(model, vols=vols), snapshot)

    if least <= 2.0 * h:  # no room below
        return np.asarray((4.0 * at(h) - at(2.0 * h) - 3.0 * base) / (2.0 * h))
    slope = (at(h) - at(-h)) / (2.0 * h)
    return slope if noisy else np.asarray((4.0 * slope - (at(2.0 * h) - at(-2.0 * h)) / (4.0 * h)) / 3.0)


def _correlation(
    run: Run, model: Any, snapshot: BasketSnapshot, pair: tuple[str, str], h: float, base: Float1D, noisy: bool
) -> Float1D:
    rho = float(model.correlation[model.position(pair[0]), model.position(pair[1])])

    def inside(size: float) -> bool:
        moved = abs(rho + size) <= 1.0
        return moved and is_semidefinite(one_pair(model, *pair, rho + size))

    def at(size: float) -> Float1D:
        return run(with_changes(model, correlation=one_pair(model, *pair, rho + size)), snapshot)

    if inside(2.0 * h) and inside(-2.0 * h):
        near = (at(h) - at(-h)) / (2.0 * h)
        return near if noisy else np.asarray((4.0 * near - (at(2.0 * h) - at(-2.0 * h)) / (4.0 * h)) / 3.0)
    side = 1.0 if inside(3.0 * h) else -1.0
    if not inside(3.0 * side * h):
        return np.full(base.size, np.nan)  # the matrix is singular in this direction: no derivative
    one, two, three = (at(k * side * h) for k in (1.0, 2.0, 3.0))
    return np.asarray(side * (18.0 * one - 9.0 * two + 2.0 * three - 11.0 * base) / (6.0 * h))


def with_changes(model: MultiAssetBlackScholes, **changes: Any) -> MultiAssetBlackScholes:
    """As `dataclasses.replace`, which refuses fields that are not arguments."""
    given = {"names": model.names, "vols": model.vols, "correlation": model.correlation, "vol_tau": model.vol_tau}
    return MultiAssetBlackScholes(**{**given, **changes})
