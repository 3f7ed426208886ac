"""All first derivatives of one contract in one sweep backwards along its paths: `adjoint(item, model, snapshot)`.

    adjoint(asian, BlackTermStructure(...), snapshot)          # vega by expiry, delta to every forward, rho, ...
    adjoint(barrier, Heston(...), snapshot)                    # by v0, kappa, theta, sigma, rho
    adjoint(barrier, Heston(...), snapshot, second=True)       # and gamma, vanna, volga, the delta by each of them
    greeks(asian, model, snapshot, estimator="pathwise")       # delta, vega, rho out of the same sweep

The derivative of the payoff by every price that it saw comes from the payoff's own code (`traced`); the scheme hands it
back to its numbers (`reverse`). One sweep costs a few prices, whatever the number of sensitivities:

| row | derivative by |
|---|---|
| delta, rho, vega | spot, all zero rates together, all vols together (as `greeks` bumps them) |
| forward | each forward price that the contract looks at, the others fixed |
| vega (with an expiry) | each implied vol of a BlackTermStructure; the local vols of each gap between looks |
| parameter | each parameter of the model |

It needs a payoff without jumps: an option that is watched at every moment has none, since a bridge says how likely a
touch was. Under a local volatility the spot moves within the model, whose nodes stay at their prices.

Second derivatives (`second=True`) are differences of first ones on the same paths (`curvature`).

The same sweep of S / F at the end, of which every derivative is known, is the control. A standard error is that of the
mean over replicates: scrambles of Sobol' points or, where a path has too many
dimensions, parts of the sample.

References
----------
Giles, Glasserman (2006), "Smoking adjoints: fast Monte Carlo Greeks", Risk 19(1), 88-92. Glasserman (2004), Monte Carlo
Methods in Financial Engineering, section 7.2. Capriotti, Giles (2010), "Fast correlation Greeks by adjoint algorithmic
differentiation", Risk 23(4), 79-83 (bins of paths for standard errors).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from research.arrays import Float1D, Float2D
from research.core._tasks import share
from research.core.random import sobol
from research.errors import NoEngineError, require
from research.instruments import Composed, Gap
from research.instruments.expressions import Apply, Touched
from research.market import Snapshot
from research.pricing import _calls
from research.pricing._bumps import bumped, shifted
from research.pricing._simulation import Settings, tables_of
from research.pricing.paths import engine
from research.pricing.paths.generators import STREAM, Block, Generator, Logs, Request, generator
from research.pricing.paths.payoffs import Payoff, Terms, payoff
from research.pricing.paths.reverse import REVERSE, Reverse, reverse
from research.pricing.paths.traced import Tape, plain_of, slopes
from research.pricing.simulated_greeks import HOW, entry

_SMOOTH = ("European", "Asian", "Power", "LogContract", "ForwardStart", "Cliquet", "VarianceSwap", "VolatilitySwap",
           "DualCurrencyDeposit", "StructuredDeposit", "Lookback", "PartialLookback", "Gap", "Composed")  # fmt: skip
_BRIDGED = ("Barrier", "Touch", "DoubleBarrier", "DoubleTouch", "PartialBarrier")
_JUMPS = ("<", "<=", ">", ">=", "and", "or", "not", "where")
FIRST = ("value", "delta", "vega", "rho")  # of a sweep that `greeks` shows
_FEW = 64  # paths on which it is seen whether a payoff asks for today's spot
SCHEME_PATHS = 1 << 11  # at least, on which a scheme is judged
Row = tuple[str, float, Float1D]  # name, expiry (nan: none), each replicate
_RATE, _SPOT, _PARAMETER = 1e-6, 1e-6, 1e-5  # steps of differences that meet no path's kink but by chance
_UNITS = {"value": "price", "delta": "price per unit of spot", "rho": "price per 1.00 of rate",
          "forward": "price per unit of that forward", "vega": "price per 1.00 of vol",
          "gamma": "delta per unit of spot", "vanna": "delta per 1.00 of vol", "volga": "vega per 1.00 of vol",
          }  # fmt: skip


def _jumps(node: Any) -> bool:
    if isinstance(node, Touched):
        return True
    return isinstance(node, Apply) and (node.function in _JUMPS or any(_jumps(one) for one in node.of))


def why_not(item: Any, model: Any) -> str:
    """Empty, or why there is no derivative along the paths."""
    name, kind = type(item).__name__, type(model).__name__
    if kind not in REVERSE:
        return f"the paths of {kind} have no way back"
    jump = f"the payoff of {name} jumps, and a path's derivative does not see it"
    if name in _BRIDGED:
        if item.n_monitoring is not None if hasattr(item, "n_monitoring") else False:
            return jump
        return f"a jump of {kind} may pass a barrier, and a path's derivative does not see it" if kind in (
            "Merton", "Bates") else ""  # fmt: skip
    if name not in _SMOOTH:
        return jump
    if isinstance(item, Gap) and item.trigger != item.strike:
        return jump
    if isinstance(item, Composed) and any(_jumps(pay.amount) for pay in item.payments):
        return "a composed payoff with conditions may jump, and a path's derivative does not see it"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """What a sweep adds up; one row a replicate, means over its paths."""

    value: Float1D
    spot: Float1D  # by the logarithm of spot
    rate: Float1D  # by all zero rates together
    forward: Float2D  # by the logarithm of each forward
    numbers: Float2D  # by the numbers of the scheme
    last: Float1D  # S / F at the end, whose mean is 1
    last_numbers: Float2D  # its derivative by the numbers of the scheme, of mean 0
    times: Float1D  # of the forwards, years
    back: Reverse
    bias_factor: float  # of the scheme, see `Generator`
    again: Callable[[Settings], Sums]  # the same sweep by other settings


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sweep:
    made: Generator
    paid: Payoff
    moved: tuple[Payoff | None, Payoff]  # with a higher spot (None: it does not ask for it), with higher rates
    back: Reverse
    forward: Float1D

    def block(self, table: Any, seed: int, stream: int, first: int, n: int) -> Float1D:
        """Sums over some paths: value, by log spot, by rate, by log forwards, by numbers."""
        w = self.made.motion.rows(table, seed, first, n)
        logs, times = self.made.fill(w, seed, STREAM + 4 * stream, first), self.made.times
        spot = np.exp(logs.x) * self.forward[:, None]
        plain, tape = Block(times=times, spot=spot, logs=logs), Tape()
        price, met = tape.variable(spot), tape.variable(np.zeros(spot.shape) if logs.exposed is None else logs.exposed)
        x = np.log(price / self.forward[:, None])
        traced = Logs(x=x, variance=logs.variance, exposed=None if logs.exposed is None else met, jump=logs.jump)  # type: ignore[arg-type]
        paid = self.paid.value(Block(times=times, spot=price, logs=traced))  # type: ignore[arg-type]
        by_spot, by_met = slopes(paid, [price, met])
        by_x: Any = np.ascontiguousarray(by_spot * spot)
        numbers, start = self.back.back(w, by_x, np.ascontiguousarray(by_met))
        value = plain_of(paid.item() if isinstance(paid, np.ndarray) else paid)
        direct = [0.0 if one is None else float((one.value(plain) - value).sum()) / h
                  for one, h in zip(self.moved, (_SPOT, _RATE))]  # fmt: skip
        by_forward = by_x.sum(axis=1)
        drift = float(by_forward @ times)
        end = np.zeros(by_x.shape)
        end[-1] = np.exp(logs.x[-1])
        known, _ = self.back.back(w, end, np.zeros(by_x.shape))
        head = [value.sum(), start.sum() + direct[0], drift + direct[1], end[-1].sum()]
        return np.concatenate((head, by_forward, numbers, known))


def sweep(item: Any, model: Any, snapshot: Snapshot, settings: Settings, coarse: bool = False) -> Sums:
    """One sweep; `settings` has a number of paths and of replicates; `coarse`: by half as many steps."""
    terms = Terms(snapshot=snapshot, model=model)
    higher = replace(snapshot, spot=snapshot.spot * (1.0 + _SPOT)), bumped(snapshot, rate=_RATE)
    paid = payoff(item, terms)
    moved = tuple(payoff(item, Terms(snapshot=there, model=model)) for there in higher)
    ask = Request(snapshot=snapshot, times=paid.times, coarse=coarse)
    made = generator(model, ask)
    quasi = made.motion.n_rows <= sobol.MAX_DIMS
    if not quasi:
        ask = replace(ask, bridge=False)
        made = generator(model, ask)
    back = reverse(model, ask)
    few = made.block(np.zeros((0, sobol.COLUMNS), dtype=np.int64), settings.seed, 0, 0, _FEW)
    asks = bool(np.any(moved[0].value(few) != paid.value(few)))
    one = _Sweep(made=made, paid=paid, moved=(moved[0] if asks else None, moved[1]), back=back, forward=made.forward)
    return _swept(one, settings, quasi)


def _swept(one: _Sweep, settings: Settings, quasi: bool) -> Sums:
    """The paths of a sweep, forwards and backwards."""
    assert settings.n_paths is not None
    n_rep = settings.replicates
    n = 1 << (-(-settings.n_paths // n_rep) - 1).bit_length()
    size = min(n, engine.block_size(one.made.motion.n_rows, n))
    jobs = [(r, start) for r in range(n_rep) for start in range(0, n, size)]
    tables = tables_of(replace(settings, sampler="sobol" if quasi else "philox"), one.made.motion.n_rows)
    rows: list[Any] = [None] * len(jobs)

    def work(part: slice) -> None:
        for at in range(part.start, part.stop):
            r, start = jobs[at]
            table, stream, first = (tables[r], 1 + r, start) if quasi else (tables[0], 0, r * n + start)
            rows[at] = one.block(table, settings.seed, stream, first, size)

    share(len(jobs), work)
    total = np.stack(rows).reshape(n_rep, -1, rows[0].size).sum(axis=1) / n
    m = 4 + one.paid.times.size
    numbers, known = np.split(total[:, m:], 2, axis=1)
    last = total[:, 3] - 1.0
    value, spot, rate = (controlled(total[:, k], last) for k in range(3))
    return Sums(value=value, spot=spot, rate=rate, forward=total[:, 4:m], numbers=numbers, last=last,
                last_numbers=known, times=one.paid.times, back=one.back, bias_factor=one.made.bias_factor,
                again=lambda other: _swept(one, other, quasi))  # fmt: skip


def controlled(each: Float1D, control: Float1D) -> Float1D:
    """Replicates less what a control of mean 0 explains of them; spread as far as the fit of its slope has cost."""
    away, n = control - control.mean(), each.size
    room = float(away @ away)
    if room <= 1e-24 * float(each @ each):
        return each
    slope = float(away @ each) / room
    rest = each - slope * control
    out: Float1D = rest.mean() + (rest - rest.mean()) * np.sqrt((n - 1.0) / (n - 2.0))
    return out


def slope_of(sums: Sums, up: Any, down: Any, width: float) -> Float1D:
    """Derivative by a change of the model, of each replicate: from `down` to `up`, `width` apart."""
    change = (sums.back.vector(up) - sums.back.vector(down)) / width
    return controlled(sums.numbers @ change, sums.last_numbers @ change)


def vega(sums: Sums, model: Any, snapshot: Snapshot) -> Float1D:
    """Derivative by all vols together, of each replicate."""
    h = _PARAMETER
    return slope_of(sums, shifted(model, h, snapshot), shifted(model, -h, snapshot), 2.0 * h)


def biases(
    rows: Callable[[Sums], list[Row]], sums: Sums, item: Any, model: Any, snapshot: Snapshot, settings: Settings
) -> list[float]:
    """How far the scheme may be off in each row: by half as many steps on a part of the paths, as `engine` does it."""
    if sums.bias_factor == 0.0:
        return [0.0] * len(rows(sums))
    assert settings.n_paths is not None
    few = replace(settings, n_paths=max(SCHEME_PATHS, settings.n_paths // 32))
    fine, rough = rows(sums.again(few)), rows(sweep(item, model, snapshot, few, coarse=True))
    gaps = [a[2] - b[2] for a, b in zip(fine, rough)]
    return [sums.bias_factor * (abs(float(g.mean())) + 2.0 * float(g.std(ddof=1) / np.sqrt(g.size))) for g in gaps]


def parameters(sums: Sums, model: Any) -> list[Row]:
    """(name, expiry, derivative of each replicate) of every parameter that moves the scheme's numbers."""
    out: list[Row] = []
    for one in fields(model):
        at = getattr(model, one.name)
        if one.name == "implied":
            for n, tau in enumerate(model.tau):
                up, down = (
                    replace(model, implied=tuple(v + s * _PARAMETER * (i == n) for i, v in enumerate(at)))
                    for s in (1.0, -1.0)
                )
                out.append(("vega", tau, slope_of(sums, up, down, 2.0 * _PARAMETER)))
        elif isinstance(at, float) and not one.name.startswith(("intensity", "jump")):
            h = min(_PARAMETER, 0.5 * abs(at), 0.5 * (1.0 - abs(at)) if one.name == "rho" else np.inf)
            if h > 0.0:
                up, down = (replace(model, **{one.name: at + s * h}) for s in (1.0, -1.0))
                out.append((f"by_{one.name}", np.nan, slope_of(sums, up, down, 2.0 * h)))
    return out


def pathwise(item: Any, model: Any, snapshot: Snapshot, which: Any, settings: Settings) -> dict[str, dict[str, Any]]:
    """Value, delta, vega and rho as `greeks` shows them, out of one sweep."""

    def rows(sums: Sums) -> list[Row]:
        made = {"value": lambda: sums.value, "delta": lambda: sums.spot / snapshot.spot, "rho": lambda: sums.rate,
                "vega": lambda: vega(sums, model, snapshot)}  # fmt: skip
        return [(name, np.nan, made[name]()) for name in which]

    sums = sweep(item, model, snapshot, settings)
    out = _entries(rows, sums, item, model, snapshot, settings)
    size = float(np.abs(sums.value).max())
    for name, unit in (("delta", size / snapshot.spot), ("rho", size)):
        if name in out:  # of the small steps by which a payoff's own use of spot and discount factors is differenced
            out[name]["error"] = out[name]["error"] + 2.0 * _SPOT * unit
    return out


def _entries(
    rows: Callable[[Sums], list[Row]], sums: Sums, item: Any, model: Any, snapshot: Snapshot, settings: Settings
) -> dict[str, dict[str, Any]]:
    """Each row as `greeks` shows it, the scheme's bias in its error."""
    out, off = {}, biases(rows, sums, item, model, snapshot, settings)
    for (name, _, each), bias in zip(rows(sums), off):
        out[name] = entry(each, HOW["adjoint"])
        out[name]["error"] = out[name]["error"] + bias
    return out


def by_parameter(item: Any, model: Any, snapshot: Snapshot, settings: Settings) -> dict[str, dict[str, Any]]:
    """The derivative by each parameter of the model ("by_v0", ...; "by_implied_0" of a term structure)."""
    places = {tau: n for n, tau in enumerate(getattr(model, "tau", ()))} if hasattr(model, "implied") else {}

    def rows(sums: Sums) -> list[Row]:
        return [(name if name != "vega" else f"by_implied_{places[tau]}", tau, each)
                for name, tau, each in parameters(sums, model)]  # fmt: skip

    return _entries(rows, sweep(item, model, snapshot, settings), item, model, snapshot, settings)


def _rows(sums: Sums, model: Any, snapshot: Snapshot) -> list[Row]:
    """All of a sweep, as `adjoint` shows it."""
    found: list[Row] = [("value", np.nan, sums.value), ("delta", np.nan, sums.spot / snapshot.spot),
                        ("rho", np.nan, sums.rate), ("vega", np.nan, vega(sums, model, snapshot))]  # fmt: skip
    forward = np.asarray(snapshot.forward(sums.times))
    found += [("forward", float(t), sums.forward[:, k] / forward[k]) for k, t in enumerate(sums.times)]
    if type(model).__name__ == "LocalVol" and sums.numbers.shape[1] == sums.times.size:
        each = [controlled(sums.numbers[:, k], sums.last_numbers[:, k]) for k in range(sums.times.size)]
        found += [("vega", float(t), one) for t, one in zip(sums.times, each)]
    return found + parameters(sums, model)


def adjoint(
    item: Any, model: Any, snapshot: Snapshot, *, n_paths: int = 1 << 15, seed: int = 1, replicates: int = 32,
    second: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """Value, delta, rho, vega, and the derivatives by every forward, expiry and parameter, of one contract.

    Parameters
    ----------
    item : a contract without jumps (`NoEngineError` says why not)
    model : BlackScholes, BlackTermStructure, LocalVol, Heston, LocalStochasticVol, Merton or Bates
    n_paths : int, rounded up to a power of two a replicate
    second : bool, default False
        Also gamma, vanna, volga, and the delta's derivative by each parameter ("delta_by_v0", ...) and expiry ("vanna"
        with a tau): differences of eight sweeps on the same paths (`curvature`).

    Returns
    -------
    DataFrame
        Columns greek, tau (years; nan where there is none), value, std_error, error (twice the standard error, and
        what the scheme's steps, or the width of a difference, may cost), unit.

    Examples
    --------
    >>> from research.instruments import Asian
    >>> from research.market import flat_snapshot
    >>> from research.models import BlackTermStructure
    >>> model = BlackTermStructure(tau=(0.5, 1.0), implied=(0.2, 0.22))
    >>> frame = adjoint(Asian(fixings=(0.5, 1.0), strike=100.0), model, flat_snapshot(spot=100.0), n_paths=1024)
    >>> frame.greek.tolist()
    ['value', 'delta', 'rho', 'vega', 'forward', 'forward', 'vega', 'vega']
    """
    _calls.check_model(model)
    _calls.check_snapshot(snapshot)
    require(isinstance(snapshot, Snapshot), "snapshot", snapshot, "be a market.Snapshot")
    reason = why_not(item, model)
    if reason:
        raise NoEngineError(f"adjoint cannot be used: {reason}. greeks(..., estimator='bumps') can.")
    settings = Settings(n_paths=n_paths, seed=seed, replicates=replicates)
    sums = sweep(item, model, snapshot, settings)

    def every(one: Sums) -> list[Row]:
        return _rows(one, model, snapshot)

    off = biases(every, sums, item, model, snapshot, settings)
    found = [(*row, bias) for row, bias in zip(every(sums), off)]
    if second:
        from research.pricing.paths.curvature import curvature

        found += curvature(item, model, snapshot, settings, sums.bias_factor)
    rows = [(name, tau, each.mean(), spread := float(each.std(ddof=1) / np.sqrt(each.size)), 2.0 * spread + bias,
             _unit(name)) for name, tau, each, bias in found]  # fmt: skip
    return pd.DataFrame(rows, columns=["greek", "tau", "value", "std_error", "error", "unit"])


def _unit(name: str) -> str:
    if name.startswith("delta_by_"):
        return f"delta per 1.00 of {name.removeprefix('delta_by_')}"
    return _UNITS.get(name, f"price per 1.00 of {name.removeprefix('by_')}")


__all__ = [
    "FIRST",
    "SCHEME_PATHS",
    "Row",
    "Sums",
    "adjoint",
    "by_parameter",
    "parameters",
    "pathwise",
    "sweep",
    "vega",
    "why_not",
]
