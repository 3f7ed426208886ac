"""What every fit takes, read the same way by all: weights, bounds, the number of steps, and frames for surfaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from research.arrays import Float1D, vector
from research.errors import InputError, require, require_all
from research.market import NormalSmile, Smile, Snapshot, Surface

Weights = ArrayLike | Literal["equal", "vega", "bid_ask"] | None
Bounds = Mapping[str, tuple[float, float]] | None


def smiles_of(data: Any) -> list[Any]:
    """The smiles of a smile, surface or snapshot, by increasing expiry."""
    surface = data.quotes if isinstance(data, Snapshot) else data
    if isinstance(surface, (Smile, NormalSmile)):
        return [surface]
    if not isinstance(surface, Surface):
        raise InputError(f"data must be a Smile, NormalSmile, Surface or Snapshot; got {type(data).__name__}.")
    return list(surface)


def surface_of(data: Any) -> Surface:
    """The surface of a snapshot or surface."""
    surface = data.quotes if isinstance(data, Snapshot) else data
    if not isinstance(surface, Surface):
        raise InputError(f"data must be a Snapshot or a Surface; got {type(data).__name__}.")
    return surface


def quote_weights(smiles: Sequence[Any], weights: Weights) -> list[Float1D]:
    """Weights of the squared residuals, an array a smile.

    None takes the smiles' own (1 where they have none); "equal" is 1; "vega" is vega^2, so that vol residuals stand for
    price residuals; "bid_ask" is 1 / half_spread^2, half the distance from bid to ask in vol; an array has one number a
    quote, smile by smile in order of strike. The named ones have mean 1, and keep the zeros of a smile's own weights.
    """
    sizes = [len(smile) for smile in smiles]
    own = [np.ones(n) if s.weight is None else np.asarray(s.weight, dtype=np.float64) for s, n in zip(smiles, sizes)]
    if weights is None:
        return own
    if isinstance(weights, str):
        require(
            weights in ("equal", "vega", "bid_ask"), "weights", weights, "be 'equal', 'vega', 'bid_ask' or an array"
        )
        found = {"equal": lambda s: np.ones(len(s)), "vega": _squared_vega, "bid_ask": _inverse_spread}[weights]
        flat = np.concatenate([np.where(w > 0.0, found(s), 0.0) for s, w in zip(smiles, own)])
        require(flat.sum() > 0.0, "weights", 0.0, "be > 0 for a quote at least")
        flat = flat * (np.count_nonzero(flat) / flat.sum())
    else:
        flat = vector(weights, "weights")
        require(flat.size == sum(sizes), "weights", flat.size, f"have one value a quote, {sum(sizes)}")
        require_all(np.isfinite(flat) & (flat >= 0.0), "weights", flat, "be finite and >= 0")
    return [np.ascontiguousarray(part, dtype=np.float64) for part in np.split(flat, np.cumsum(sizes)[:-1])]


def _squared_vega(smile: Any) -> Float1D:
    """Undiscounted vega^2 of each quote, of a lognormal or a normal vol."""
    root = np.sqrt(smile.tau)
    if isinstance(smile, NormalSmile):
        moneyness = (smile.strike - smile.forward) / (smile.vol * root)
        return np.asarray(smile.tau / (2.0 * np.pi) * np.exp(-(moneyness**2)))
    std = smile.vol * root
    d1 = np.log(smile.forward / smile.strike) / std + 0.5 * std
    return np.asarray(smile.forward**2 * smile.tau / (2.0 * np.pi) * np.exp(-d1 * d1))


def _inverse_spread(smile: Any) -> Float1D:
    half = getattr(smile, "half_spread", None)
    hint = "Smile(half_spread=...); market.chains_from_quotes reads it from bid and ask."
    rule = f"be known at tau {smile.tau:.6g} for weights='bid_ask'"
    require(half is not None, "half_spread", "none", rule, hint=hint)
    return np.asarray(1.0 / np.asarray(half) ** 2)


def read_bounds(
    given: Bounds, defaults: Mapping[str, tuple[float, float]], limits: Mapping[str, tuple[float, float]]
) -> tuple[Float1D, Float1D]:
    """Lower and upper bounds in the order of `defaults`; those given must lie inside `limits`, whose edges mean the
    default on that side."""
    merged = dict(defaults)
    for name, pair in (given or {}).items():
        require(name in defaults, "bounds", name, f"name one of {', '.join(defaults)}")
        require(
            len(pair) == 2 and pair[0] <= pair[1], f"bounds[{name!r}]", pair, "be (lower, upper) with lower <= upper"
        )
        least, most = limits[name]
        inside = least <= pair[0] < most and least < pair[1] <= most
        require(inside, f"bounds[{name!r}]", pair, f"lie inside ({least:g}, {most:g})")
        low, high = defaults[name]  # an edge of what can be is no bound: what is searched by default
        low = low if pair[0] == least else float(pair[0])
        high = high if pair[1] == most else float(pair[1])
        room = f"leave room above {low:g}" if pair[0] == least else f"leave room below {high:g}"
        require(low <= high, f"bounds[{name!r}]", pair, room)
        merged[name] = (low, high)
    both = np.array([merged[name] for name in defaults])
    return both[:, 0].copy(), both[:, 1].copy()


def check_max_iter(max_iter: int) -> None:
    """Refuse a search without steps."""
    require(max_iter >= 1, "max_iter", max_iter, "be >= 1")


def from_frame(frame: pd.DataFrame, *, one: bool) -> tuple[Any, str]:
    """The snapshot of a frame of vols or the surface of a frame of prices (one smile if `one`), and what was left out.

    Rows without a vol are missing quotes; prices are read by `market.chains_from_quotes`.
    """
    from research.market import build_snapshot, chains_from_quotes

    if "implied_vol" in frame.columns:
        there = frame["implied_vol"].notna()
        data: Any = build_snapshot(frame[there])
        lost = int((~there).sum())
        said = f"{lost} of {len(frame)} quotes missing" if lost else ""
        surface = data.quotes
    else:
        chains = chains_from_quotes(frame)
        days = len(chains.surfaces)
        why = "; ".join(chains.failed["reason"].unique()[:3])
        require(days == 1, "quotes", f"{days} days with a smile", "be of one day", hint=why or "Use fit_history.")
        data = surface = chains.surfaces[0]
        counts = chains.dropped["reason"].value_counts()
        counts = counts[counts.index != "in the money"]
        said = "left out: " + ", ".join(f"{n} {reason}" for reason, n in counts.items()) if len(counts) else ""
    if one:
        require(len(surface) == 1, "quotes", f"{len(surface)} expiries", "be of one expiry for a model of one smile")
        data = surface.smiles[0]
    return data, said
