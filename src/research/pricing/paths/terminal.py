"""Payoffs of prices at few dates, and of realised variance, on blocks of paths.

Realised variance watched at every moment is the variance that the paths met between looks, and the squares of their
jumps; with n observations it is the sum of squared log returns. Where nothing is known between looks (Variance Gamma),
squared returns of the forward at `Terms.watched` looks a year stand for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D
from research.instruments import (
    Cliquet,
    CorridorVarianceSwap,
    DualCurrencyDeposit,
    ForwardStart,
    GammaSwap,
    Gap,
    LogContract,
    Power,
    Supershare,
    VarianceSwap,
    VolatilitySwap,
)
from research.pricing.paths.generators import Block
from research.pricing.paths.payoffs import PAYOFFS, Payoff, Terms, looks, single


def _at_expiry(item: Any, terms: Terms) -> tuple[Float1D, float]:
    times = single(item.years(terms.snapshot.as_of))
    return times, float(terms.snapshot.discount.df(float(times[0])))


def gap(item: Gap, terms: Terms) -> Payoff:
    """The price less the strike, or the reverse, beyond the trigger."""
    times, df = _at_expiry(item, terms)

    def value(block: Block) -> Float1D:
        spot = block.spot[-1]
        if item.is_call:
            return df * np.where(spot > item.trigger, spot - item.strike, 0.0)
        return df * np.where(spot < item.trigger, item.strike - spot, 0.0)

    return Payoff(times=times, value=value)


def power(item: Power, terms: Terms) -> Payoff:
    """An option on a power of the price."""
    times, df = _at_expiry(item, terms)
    sign = 1.0 if item.is_call else -1.0

    def value(block: Block) -> Float1D:
        raised = np.exp(item.power * np.log(block.spot[-1]))
        return np.asarray(df * np.maximum(sign * (raised - item.strike), 0.0))

    return Payoff(times=times, value=value)


def supershare(item: Supershare, terms: Terms) -> Payoff:
    """The price over the lower level, between two levels."""
    times, df = _at_expiry(item, terms)

    def value(block: Block) -> Float1D:
        spot = block.spot[-1]
        return df * np.where((spot > item.low) & (spot < item.high), spot / item.low, 0.0)

    return Payoff(times=times, value=value)


def log_contract(item: LogContract, terms: Terms) -> Payoff:
    """The log of the price over the strike."""
    times, df = _at_expiry(item, terms)
    return Payoff(times=times, value=lambda block: np.asarray(df * np.log(block.spot[-1] / item.strike)))


def dual_currency(item: DualCurrencyDeposit, terms: Terms) -> Payoff:
    """The deposit back, in the cheaper of the two currencies at the agreed rate; domestic units."""
    times, df = _at_expiry(item, terms)
    unit = df * item.notional * (1.0 + item.coupon * float(times[0]))

    def value(block: Block) -> Float1D:
        least = np.minimum(block.spot[-1], item.strike)
        return np.asarray(unit * (least if item.deposit == "foreign" else least / item.strike))

    return Payoff(times=times, value=value)


def forward_start(item: ForwardStart, terms: Terms) -> Payoff:
    """An option struck at a fraction of the price at the start."""
    as_of = terms.snapshot.as_of
    times = np.array([item.start_years(as_of), item.years(as_of)])
    df, sign = float(terms.snapshot.discount.df(times[1])), 1.0 if item.is_call else -1.0

    def value(block: Block) -> Float1D:
        first, last = block.spot
        paid = np.maximum(sign * (last - item.strike * first), 0.0)
        return np.asarray(df * (paid / first if item.on_return else paid))

    return Payoff(times=times, value=value)


def cliquet(item: Cliquet, terms: Terms) -> Payoff:
    """The sum of returns, each between its bounds, between the bounds of the sum."""
    times = item.years(terms.snapshot.as_of)
    unit = item.notional * float(terms.snapshot.discount.df(float(times[-1])))
    initial = item.initial or terms.snapshot.spot

    def value(block: Block) -> Float1D:
        before = np.concatenate((np.full((1, block.n_paths), initial), block.spot[:-1]))
        total = item.accrued + np.clip(block.spot / before - 1.0, item.local_floor, item.local_cap).sum(axis=0)
        if item.global_floor is not None:
            total = np.maximum(total, item.global_floor)
        if item.global_cap is not None:
            total = np.minimum(total, item.global_cap)
        return np.asarray(unit * total)

    return Payoff(times=times, value=value)


def realised(block: Block, spot: float, discrete: bool) -> Float1D:
    """Sum of squared log returns, or the variance met and the squared jumps, of each path."""
    logs = block.logs
    if discrete:
        x = np.log(np.concatenate((np.full((1, block.n_paths), spot), block.spot)))
        out: Float1D = (np.diff(x, axis=0) ** 2).sum(axis=0)
        return out
    if logs.exposed is None:
        moves = np.diff(logs.x, axis=0, prepend=0.0)
        return np.asarray((moves**2).sum(axis=0))
    met = met_by(block).sum(axis=0)
    return np.asarray(met if logs.jump is None else met + (logs.jump**2).sum(axis=0))


def met_by(block: Block) -> Float2D:
    """Variance of the log price between looks, shape (n_times, n_paths)."""
    exposed, chart = block.logs.exposed, block.chart
    assert exposed is not None
    if chart is None:
        return exposed
    return chart.log_variance(block.logs.x, float(chart.to(chart.forward)), exposed)


def variance_swap(item: VarianceSwap, terms: Terms) -> Payoff:
    """Realised against agreed variance, what has run included."""
    tau, snapshot = float(single(item.years(terms.snapshot.as_of))[0]), terms.snapshot
    unit, life = item.notional * float(snapshot.discount.df(tau)), item.elapsed + tau
    discrete = item.n_observations is not None

    def value(block: Block) -> Float1D:
        total = item.elapsed_variance + realised(block, snapshot.spot, discrete)
        return np.asarray(unit * (total / life - item.strike**2))

    return Payoff(times=looks(tau, terms, item, item.n_observations), value=value, bridged=not discrete)


def corridor_swap(item: CorridorVarianceSwap, terms: Terms) -> Payoff:
    """Variance of the gaps that start inside; watched at every moment, half by where they start and half by the end."""
    tau, snapshot = float(single(item.years(terms.snapshot.as_of))[0]), terms.snapshot
    unit, life = item.notional * float(snapshot.discount.df(tau)), item.elapsed + tau
    discrete, (low, high) = item.n_observations is not None, item.corridor

    def value(block: Block) -> Float1D:
        spot, logs = np.concatenate((np.full((1, block.n_paths), snapshot.spot), block.spot)), block.logs
        inside = np.asarray((spot > low) & (spot < high), dtype=np.float64)
        if discrete:
            each = inside[:-1] * np.diff(np.log(spot), axis=0) ** 2
        elif logs.exposed is None:
            each = inside[:-1] * np.diff(logs.x, axis=0, prepend=0.0) ** 2
        else:
            each = 0.5 * (inside[:-1] + inside[1:]) * met_by(block)
            each = each if logs.jump is None else each + inside[:-1] * logs.jump**2
        return np.asarray(unit * ((item.elapsed_variance + each.sum(axis=0)) / life - item.strike**2))

    return Payoff(times=looks(tau, terms, item, item.n_observations), value=value, bridged=not discrete)


def gamma_swap(item: GammaSwap, terms: Terms) -> Payoff:
    """Each squared return counts with the price at its end; watched at every moment, with the mean of both ends."""
    tau, snapshot = float(single(item.years(terms.snapshot.as_of))[0]), terms.snapshot
    unit, life = item.notional * float(snapshot.discount.df(tau)), item.elapsed + tau
    discrete = item.n_observations is not None

    def value(block: Block) -> Float1D:
        spot, logs = np.concatenate((np.full((1, block.n_paths), snapshot.spot), block.spot)), block.logs
        if discrete:
            each = spot[1:] * np.diff(np.log(spot), axis=0) ** 2
        elif logs.exposed is None:
            each = spot[1:] * np.diff(logs.x, axis=0, prepend=0.0) ** 2
        elif logs.jump is None:
            each = 0.5 * (spot[:-1] + spot[1:]) * met_by(block)
        else:
            before = spot[1:] * np.exp(-logs.jump)
            each = 0.5 * (spot[:-1] + before) * logs.exposed + spot[1:] * logs.jump**2
        total = item.elapsed_variance + each.sum(axis=0) / item.initial
        return np.asarray(unit * (total / life - item.strike**2))

    return Payoff(times=looks(tau, terms, item, item.n_observations), value=value, bridged=not discrete)


def volatility_swap(item: VolatilitySwap, terms: Terms) -> Payoff:
    """The root of realised variance against an agreed volatility, what has run included."""
    tau, snapshot = float(single(item.years(terms.snapshot.as_of))[0]), terms.snapshot
    unit, life = item.notional * float(snapshot.discount.df(tau)), item.elapsed + tau

    def value(block: Block) -> Float1D:
        total = item.elapsed_variance + realised(block, snapshot.spot, False)
        return np.asarray(unit * (np.sqrt(total / life) - item.strike))

    return Payoff(times=looks(tau, terms), value=value, bridged=True)  # jumps between two looks count as one


PAYOFFS |= {
    "DualCurrencyDeposit": dual_currency,
    "Gap": gap, "Power": power, "Supershare": supershare, "LogContract": log_contract, "ForwardStart": forward_start,
    "Cliquet": cliquet, "VarianceSwap": variance_swap, "CorridorVarianceSwap": corridor_swap,
    "VolatilitySwap": volatility_swap, "GammaSwap": gamma_swap,
}  # fmt: skip
