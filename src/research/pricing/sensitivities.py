"""`greeks(instruments, model, snapshot)`: every contract by the engine that prices it, one door, one set of units.

| greek | of the present value V | unit |
|---|---|---|
| delta, gamma, speed | dV/dS, d2V/dS2, d3V/dS3; S the spot, rates and yields fixed | price / spot, / spot^2, / spot^3 |
| vega, volga | dV/dvol, d2V/dvol2 | price per 1.00 of vol (0.20 to 1.20); per 1.00 squared |
| vega_per_vol_point | vega / 100 | price per 0.01 of vol |
| vanna | d2V/dS dvol | delta per 1.00 of vol |
| theta, charm | dV/dt, d2V/dS dt as time passes; spot, curves by time to maturity fixed | price, delta per year |
| theta_per_day | theta / 365 | price per calendar day |
| rho | dV/dr, all zero rates together, the forward moves | price per 1.00 of rate |
| rho_per_bp | rho / 10,000 | price per basis point |

How each is found stands in the column `how`:

| how | where | error |
|---|---|---|
| closed form | European options under a surface or one vol (`sticky="strike"`) | rounding |
| under the integral | European, Digital, Gap, Supershare under Heston, Bates, Merton, VG | column `error` |
| derivative of the series | Bermudan, American, looks at barriers by `cosine`: delta, gamma, speed | column `error` |
| on the grid | value, delta, gamma, speed, theta by `pde` and `adi`: read at the spot | column `error` |
| differences on one grid | the rest by `pde` and `adi`, unless `spot_bump` is given | column `error` |
| differences | all else that is deterministic: central, of eighth order where prices are exact, | column `error` |
|  | else of fourth, steps by the contract |  |
| common paths | simulations: central bumps on the same paths, a replicate is one observation | column `std_error` |
| mixed, pathwise, likelihood ratio | simulations: `estimator=`, see `simulated_greeks` | as above |
| pathwise: one sweep backwards | `paths`: delta, vega, rho, parameters of payoffs without jumps | as above |

`parameters=True` adds the derivative by each parameter of the model ("by_v0", ...).

References
----------
Haug (2007), The Complete Guide to Option Pricing Formulas, 2nd ed., chapter 2; Glasserman (2004), Monte Carlo Methods
in Financial Engineering, section 7.1; Fornberg (1988), Math. Comp. 51, 699-706 (the stencils).
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from research.conventions import check_number
from research.errors import NoEngineError, did_you_mean, require
from research.instruments import Barrier, European, Lookback, Touch
from research.market import Snapshot
from research.models import BlackScholes
from research.pricing import _calls, carry
from research.pricing._bumps import DAYS, Shifted, calm_step, in_years, noisy_step, soonest, spot_step, vol_step
from research.pricing._greek_tables import DERIVED, GREEKS, UNITS, Table, entry, long, nothing, wide
from research.pricing._grid_read import rates_today
from research.pricing._signs import check_signs
from research.pricing.black_greeks import closed_form
from research.pricing.catalogue import Values
from research.pricing.difference_greeks import GRIDS, NARROW, differences, width_for
from research.pricing.normal import refuse_zero_spot
from research.pricing.price import check_currencies, choose, price, rows_of, warn_of

_TRANSFORMS = ("analytic", "fourier", "cosine")
_SIMULATIONS = ("monte_carlo", "longstaff_schwartz", "paths")
_SEEDS = 8
_PARTS = 8.0  # of the time to a date that is near: theta's step
_OWN = ("n_seeds", "estimator")  # options of simulated Greeks, not of an engine
_SAID = {"n_seeds": "runs on common paths", "estimator": "simulations"}


def greeks(
    instruments: Any,
    model: Any,
    snapshot: Snapshot,
    *,
    method: str = "auto",
    which: Sequence[str] = GREEKS,
    sticky: Literal["strike", "moneyness"] = "strike",
    parameters: bool = False,
    spot_bump: float | None = None,
    vol_bump: float | None = None,
    rate_bump: float | None = None,
    days: float = 1.0,
    errors: Literal["raise", "mark"] = "raise",
    **options: Any,
) -> pd.DataFrame:
    """Sensitivities of one contract, or of many with one row each; units and methods as in the module.

    Parameters
    ----------
    instruments : a contract, or a sequence of them, kinds mixed as they come
    model, snapshot, method, options
        As for `price`; the engine is settled at the unbumped market and kept. Simulations also take `estimator`
        (`simulated_greeks`) and, where replicates are runs of several seeds, `n_seeds`; not `std_error`.
    which : sequence of names, default the ten of the module
    sticky : "strike" or "moneyness", default "strike"
        What an implied-vol surface does as spot moves: a strike keeps its vol, or log(strike / forward) does.
        Models with dynamics of their own (Heston, SABR, ...) follow them.
    parameters : bool, default False
        Also the derivative by each parameter of the model; one contract only.
    spot_bump : float, fraction of spot, default 0.01 for simulations, 0.02 for grids, else 0.004 or a twentieth of the
        standard deviation up to expiry; never past a barrier
    vol_bump : float, 1/sqrt(year), default 0.01, or a twentieth of a vol below 20%
    rate_bump : float, 1/year, default 0.01 for simulations, else 0.0001
    days : float, whole calendar days for theta and charm; a part of a day where a date of the contract is nearer
    errors : "raise" or "mark", default "raise"
        As for `price`; with "mark" the column `refused` says why a row holds nan.

    Returns
    -------
    DataFrame
        One contract: a row a Greek with columns greek, value, std_error, unit, error, method, how. Several: a row a
        contract with columns contract, method, the Greeks, and `<greek>_std_error` where there was a simulation.
    """
    which = (which,) if isinstance(which, str) else which
    known = (*GREEKS, *DERIVED)
    unknown = [name for name in which if name not in known]
    near = did_you_mean(unknown[0], known) if unknown else ""
    require(not unknown, "which", unknown[:1], f"be among {', '.join(known)}", hint=near)
    require(errors in ("raise", "mark"), "errors", errors, "be 'raise' or 'mark'")
    require(sticky in ("strike", "moneyness"), "sticky", sticky, "be 'strike' or 'moneyness'")
    _calls.check_model(model)
    _calls.check_snapshot(snapshot)
    hint = "basket_greeks has those of several underlyings."
    require(isinstance(snapshot, Snapshot), "snapshot", snapshot, "be a market.Snapshot", hint=hint)
    for name, size in (("days", days), ("vol_bump", vol_bump), ("spot_bump", spot_bump), ("rate_bump", rate_bump)):
        check_number(name, 1.0 if size is None else size)
    require(days >= 1.0 and days == int(days), "days", days, "be a whole number of calendar days, at least 1")
    require(spot_bump is None or 0.0 < spot_bump < 0.25, "spot_bump", spot_bump, "lie in (0, 0.25)")
    require(vol_bump is None or 0.0 < vol_bump < 1.0, "vol_bump", vol_bump, "lie in (0, 1)")
    require(rate_bump is None or 0.0 < rate_bump < 0.5, "rate_bump", rate_bump, "lie in (0, 0.5)")
    items, one = _calls.items_of(instruments)
    require(one or not parameters, "parameters", parameters, "be False for several contracts")
    refuse_zero_spot(snapshot)
    wanted = list(dict.fromkeys([*(DERIVED[n][0] if n in DERIVED else n for n in which)]))
    bumps = {"spot": spot_bump, "vol": vol_bump, "rate": rate_bump, "days": days, "sticky": sticky}
    groups: dict[str, list[int]] = {}
    for position, item in enumerate(items):
        groups.setdefault(type(item).__name__, []).append(position)
    found: list[tuple[list[int], str, Table]] = []
    refused = np.full(len(items), "", dtype=object)
    engines: list[Any] = []
    for at in groups.values():
        with contextlib.suppress(NoEngineError):  # said when its turn comes
            engines += choose(items[at[0]], model, method)
    method = _meant(engines, model, method, len(groups) == 1, options)

    def attempt(some: list[int]) -> None:
        check_signs([items[i] for i in some], model, snapshot)
        for rows, how, table in _group([items[i] for i in some], model, snapshot, method, wanted, bumps, options):
            found.append(([some[i] for i in rows], how, table))

    def refuse(some: list[int], error: Exception) -> None:
        refused[some] = str(error)

    for at in groups.values():
        _calls.by_halves(at, attempt, refuse, errors == "raise")
    for _, _, table in found:
        for name in which:
            if name in DERIVED and DERIVED[name][0] in table:
                source, scale = DERIVED[name]
                parts = {k: table[source][k] / scale for k in ("value", "std_error", "error")}
                table[name] = parts | {"how": table[source]["how"]}
    names = [n for n in which if any(n in t for _, _, t in found)]
    if one and not found:
        warn_of(refused, "contracts")
        return long(nothing(which), which, "").assign(refused=refused[0])
    if one:
        table, engine = found[0][2], found[0][1]
        if parameters:
            by = by_parameter(items[0], model, snapshot, method=engine, **options)
            table, names = table | by, [*names, *by]
        frame = long(table, names, engine)
        return frame.assign(refused="") if errors == "mark" else frame
    frame = wide(items, found, names)
    if errors == "mark":
        warn_of(refused, "contracts")
        return frame.assign(refused=refused)
    return frame


def own_options(engine: Any, model: Any) -> tuple[str, ...]:
    """Options of the Greeks by an engine that its prices do not have."""
    if engine.method == "paths":
        return _OWN
    if engine.method == "monte_carlo" and "deterministic_vol" in model.abilities:
        return ("estimator",)
    return ("n_seeds",) if engine.method in _SIMULATIONS else ()


def _meant(engines: list[Any], model: Any, method: str, alike: bool, options: dict[str, Any]) -> str:
    """The method that the options mean, where contracts are of one kind; refuses an option that nothing takes."""
    mine = {name for name in options if name in _OWN}
    rest = {name: value for name, value in options.items() if name not in _OWN}
    _calls.check_options(engines, rest)
    for name in sorted(mine):
        taken = [e.method for e in engines if name in own_options(e, model)]
        where = ", ".join(dict.fromkeys(repr(e.method) for e in engines))
        require(
            bool(taken) or not engines, name, options[name], f"be left out by {where}", hint=f"It is for {_SAID[name]}."
        )
    if method != "auto" or not alike or not engines:
        return method
    able_engines = [e for e in engines if mine <= set(own_options(e, model))] or engines
    meant = _calls.meant_by(able_engines, rest)[0]
    return method if meant is engines[0] else meant.method


def by_parameter(item: Any, model: Any, snapshot: Snapshot, *, method: str = "auto", **options: Any) -> Table:
    """Derivative of the value by each parameter: under the integral, by a sweep of paths, or central differences."""
    from research.pricing import fourier_greeks

    if choose(item, model, method)[0].method == "paths":
        from research.pricing.paths.greeks import parameter_greeks

        swept: Table = parameter_greeks(item, model, snapshot, **options)
        for name in swept:
            UNITS.setdefault(name, f"price per 1.00 of {name.removeprefix('by_')}")
        return swept
    out: Table = {}
    if method in ("auto", *_TRANSFORMS) and fourier_greeks.takes(item, model, snapshot):
        names = [f.name for f in fields(model)]
        for name in names:
            UNITS.setdefault(f"by_{name}", f"price per 1.00 of {name}")
        return fourier_greeks.parameter_table(item, model, snapshot, names)
    for name in (f.name for f in fields(model)):
        at = getattr(model, name)
        if not isinstance(at, float):
            continue
        h = 1e-3 * max(abs(at), 1e-2)
        room = min(abs(at), 1.0 - abs(at)) if name == "rho" else (abs(at) if at else np.inf)
        h = min(h, 0.4 * room) if room > 0.0 else 0.0
        if h == 0.0:
            continue
        value = [float(price(item, replace(model, **{name: at + m * h}), snapshot, method=method, **options))
                 for m in (-2, -1, 1, 2)]  # fmt: skip
        slope = (8.0 * (value[2] - value[1]) - (value[3] - value[0])) / (12.0 * h)
        error = abs(slope - (value[2] - value[1]) / (2.0 * h))
        out[f"by_{name}"] = {"value": np.array([slope]), "std_error": np.zeros(1), "error": np.array([error]),
                             "how": "differences"}  # fmt: skip
        UNITS.setdefault(f"by_{name}", f"price per 1.00 of {name}")
    return out


def _group(
    items: list[Any], model: Any, snapshot: Snapshot, method: str, wanted: list[str], bumps: dict[str, Any],
    options: dict[str, Any],
) -> list[tuple[list[int], str, Table]]:  # fmt: skip
    """Tables of contracts of one kind, with their positions."""
    engine = choose(items[0], model, method)[0]
    everyone = list(range(len(items)))
    cash = snapshot.cash_dividends is not None
    if cash:
        markets = carry.by_cash(items, snapshot)
        if len(markets) > 1 or markets[0][1] is not snapshot:
            return [([at[i] for i in some], how, table) for at, there in markets for some, how, table in
                    _group([items[i] for i in at], model, there, method, wanted, bumps, options)]  # fmt: skip
        able = carry.lines(choose(items[0], model, method), items[0], model, snapshot)
        engine = carry.settled(items[0], model, snapshot, method, able)
        method = engine.method
    soon = _soon(items, snapshot, bumps["days"]) if set(wanted) & {"theta", "charm"} else {}
    if soon:
        rest = [i for i in everyone if i not in soon]
        apart = []
        for i, days in soon.items():
            timed = in_years(items[i], snapshot.as_of)
            made = _group([timed], model, snapshot, method, wanted, bumps | {"days": days}, options)
            apart += [([i], how, table) for _, how, table in made]
        if rest:
            others = _group([items[i] for i in rest], model, snapshot, method, wanted, bumps, options)
            apart += [([rest[i] for i in at], how, table) for at, how, table in others]
        return apart
    if engine.method in _SIMULATIONS:
        mine = own_options(engine, model)
        own = _calls.taken(engine, options) | {k: v for k, v in options.items() if k in mine}
        return [([i], engine.method, _simulated(items[i], model, snapshot, engine.method, wanted, bumps, own))
                for i in everyone]  # fmt: skip
    surface = "implied_vol" in model.abilities
    still = bumps["sticky"] == "strike" or isinstance(model, BlackScholes)
    calm = still and not cash  # with cash the forward is not proportional to the spot
    if isinstance(items[0], European) and engine.method == "analytic" and surface and calm:
        return [(everyone, engine.method, closed_form(items, model, snapshot, wanted))]
    if engine.method in ("pde", "adi") and bumps["spot"] is None:
        from research.pricing.grid_greeks import grid_table

        check_currencies(items, snapshot)
        own = _calls.taken(engine, options)
        return [(everyone, engine.method, grid_table(items, model, snapshot, engine.method, wanted, bumps, own))]
    first = rows_of(items, model, snapshot, method, "raise", options, known=False)
    used = first.method[0]
    if used != engine.method and (used in ("pde", "adi") or used in _SIMULATIONS):  # the best engine has refused
        return _group(items, model, snapshot, str(used), wanted, bumps, options)
    from research.pricing import fourier_greeks

    if used in _TRANSFORMS and all(fourier_greeks.takes(item, model, snapshot) for item in items):
        given = fourier_greeks.greek_table(items, model, snapshot, wanted)
        if "value" in given:
            given["value"] |= {"value": first.value, "error": first.error}
        return [(everyone, str(used), given)]
    return _by_differences(items, model, snapshot, str(used), wanted, bumps, options, first)


def _by_differences(
    items: list[Any], model: Any, snapshot: Snapshot, used: str, wanted: list[str], bumps: dict[str, Any],
    options: dict[str, Any], first: Any,
) -> list[tuple[list[int], str, Table]]:  # fmt: skip
    """A table for each step in spot."""
    noisy = bool(np.any(first.std_error > 0.0))
    kept = noisy or used in GRIDS or bool(bumps["spot"])  # steps that do not follow the contract
    own = kept or bumps["vol"] or bumps["rate"] or bumps["days"] < 1.0
    width = NARROW if own else width_for(used, first, snapshot.spot)
    calm = vol_step(model, spot=snapshot.spot) * NARROW / width
    bumps = bumps | {"vol": bumps["vol"] or (noisy_step(model) if noisy else calm)}
    if used == "lattice" and not bumps["spot"]:
        bumps = bumps | {"spot": min(2.0 * calm_step(item, model, snapshot, 0.01) for item in items)}
    start = bumps["spot"] or (0.02 if used in GRIDS else 0.004)
    steps = [spot_step(item, model, snapshot, start, kept, width) for item in items]
    if used == "analytic" and any(getattr(item, "n_monitoring", None) for item in items):
        wanted = [*wanted, *(n for name in ("theta", "charm") if name in wanted for n in _BETWEEN[name])]
        wanted = list(dict.fromkeys(wanted))
    out = []
    for step, side in dict.fromkeys(steps):
        at = [i for i, one in enumerate(steps) if one == (step, side)]
        some = [items[i] for i in at]
        prices = Values(first.value[at], first.std_error[at], first.error[at])
        sized = bumps | {"spot": step, "side": side}
        points = NARROW if side else width
        table = differences(some, model, snapshot, used, wanted, sized, options, prices, points)
        if used == "analytic":
            _widen(table, some, model, snapshot, wanted, sized, options, prices.error)
        if "value" in table:
            table["value"] |= {"std_error": prices.std_error, "error": prices.error}
        out.append((at, used, table))
    return out


def _widen(
    table: Table, items: list[Any], model: Any, snapshot: Snapshot, wanted: list[str], bumps: dict[str, Any],
    options: dict[str, Any], error: Any,
) -> None:  # fmt: skip
    """What the formulas for n looks leave of Greeks: `error`, that of the value, as if it changed over a standard
    deviation of the price from look to look, over the vol and over the life; and all of the looks' own effect where the
    formula is a shift of the barrier alone."""
    looks = np.array([float(getattr(item, "n_monitoring", None) or np.inf) for item in items])
    if not np.isfinite(looks).any():
        return
    third = np.array([options.get("looks") != "shift" or isinstance(item, (Barrier, Touch)) for item in items])
    other = table
    if not third.all():
        always = [replace(item, n_monitoring=None) if np.isfinite(n) else item for item, n in zip(items, looks)]
        other = differences(always, model, snapshot, "analytic", wanted, bumps, options)
    tau = np.array([float(item.years(snapshot.as_of)) for item in items])
    move, sigma = snapshot.spot * model.sigma * np.sqrt(tau / np.where(third, looks, 1.0)), model.sigma
    size = {"delta": move, "gamma": move**2, "speed": move**3, "vega": sigma, "volga": sigma**2, "vanna": sigma * move,
            "theta": tau, "charm": tau * move, "rho": 1.0 / np.maximum(tau, 1.0 / DAYS)}  # fmt: skip
    with np.errstate(invalid="ignore", divide="ignore"):
        for name, one in table.items():
            if name in size:
                left = np.where(third, 0.0, np.abs(one["value"] - other[name]["value"])) + error / size[name]
                one["error"] = one["error"] + np.where(np.isfinite(looks), left, 0.0)
    if not isinstance(items[0], Lookback):  # of which the extreme may be today's spot, which moves
        _between_looks(table, model, snapshot, np.isfinite(looks))


# the equation of Black and Scholes and its derivative by spot have these beside theta and charm
_BETWEEN = {"theta": ("value", "delta", "gamma"), "charm": ("delta", "gamma", "speed")}


def _between_looks(table: Table, model: Any, snapshot: Snapshot, looked_at: Any) -> None:
    """Theta and charm by the equation of Black and Scholes, which the value obeys between two looks.

    The formulas hold for a whole gap up to the first look: as time passes it is a part of one.
    """
    rate, carry = rates_today(snapshot)
    s, half = snapshot.spot, 0.5 * model.sigma**2 * snapshot.spot**2
    of = {"theta": (rate, -carry * s, -half), "charm": (rate - carry, -carry * s - 2.0 * half / s, -half)}
    for name, weighed in of.items():
        if name in table:
            weights = dict(zip(_BETWEEN[name], weighed))
            value = sum(w * table[other]["value"] for other, w in weights.items())
            error = sum(abs(w) * table[other]["error"] for other, w in weights.items())
            table[name] = entry(
                np.where(looked_at, value, table[name]["value"]), np.where(looked_at, error, table[name]["error"]),
                str(table[name]["how"]),
            )  # fmt: skip


def _soon(items: list[Any], snapshot: Snapshot, days: float) -> dict[int, float]:
    """Contracts of which a date comes within the days that theta needs, and by how many days they may age instead."""
    first = {i: soonest(item, snapshot.as_of) * DAYS for i, item in enumerate(items)}
    return {i: t / _PARTS for i, t in first.items() if t < 3.0 * days and days >= 1.0 and np.isfinite(t)}


def _simulated(
    item: Any, model: Any, snapshot: Snapshot, method: str, wanted: list[str], bumps: dict[str, Any],
    options: dict[str, Any],
) -> Table:  # fmt: skip
    """Common paths; the engine's own replicates where it has them, else runs of several seeds."""
    if bumps["days"] < 1.0:  # of first order in the step, which is a large part of what is left
        bumps = bumps | {"days": bumps["days"] / _PARTS}
    elif (near := soonest(item, snapshot.as_of) * DAYS) < _PARTS * bumps["days"]:
        item, bumps = in_years(item, snapshot.as_of), bumps | {"days": near / _PARTS**2}
    bumps = bumps | {"spot": bumps["spot"] or calm_step(item, model, snapshot, 0.01)}
    cash = snapshot.cash_dividends is not None
    if method == "monte_carlo" and "deterministic_vol" in model.abilities and not cash:
        from research.pricing.simulated_greeks import simulated

        sizes: dict[str, Any] = {
            "spot_bump": bumps["spot"] or 0.01,
            "vol_bump": bumps["vol"] or noisy_step(model),
            "rate_bump": bumps["rate"] or 0.01,
        }
        return simulated(item, model, snapshot, which=wanted, days=bumps["days"], **sizes, **options)
    if method == "paths":
        from research.pricing.paths.greeks import path_greeks

        if cash:  # the paths do not scale with the spot
            known, given = ("auto", "bumps"), options.get("estimator", "auto")
            require(given in known, "estimator", given, "be 'auto' or 'bumps' by 'paths' where the stock pays cash")
            options = options | {"estimator": "bumps"}
        return path_greeks(item, model, snapshot, wanted, bumps, **options)
    from research.pricing.paths.greeks import common_paths

    seed, n = int(options.get("seed", 1)), int(options.get("n_seeds", _SEEDS))
    rest = {k: v for k, v in options.items() if k not in ("seed", "n_seeds")}
    if method == "longstaff_schwartz":
        rest = {"upper": False, **rest}  # differences are of the rule's own value

    def replicates(old: Any, moved: Any, there: Snapshot) -> Any:
        every = (
            rows_of([old], moved, there, method, "raise", rest | {"seed": seed + i}, known=False) for i in range(n)
        )
        return np.array([rows.value[0] for rows in every])

    return common_paths(replicates, item, model, snapshot, wanted, bumps)


__all__ = ["DERIVED", "GREEKS", "UNITS", "Shifted", "by_parameter", "closed_form", "differences", "greeks"]
