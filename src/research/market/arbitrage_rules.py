"""The rules that quotes of one underlying keep where they allow no free lunch, as numbers: by how much each is broken.

Within an expiry calls fall in strike, no faster than the strike rises, and are convex; from one expiry to the next
total variance does not fall at the same log moneyness. `find_arbitrage` reads what is broken, `repair_quotes` the
whole, whose derivatives in the quotes are the weights that stand beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from research.arrays import Float1D, Float2D, Int1D
from research.market.surface import Smile


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """Every rule that quotes must keep, side by side: `size` > 0 is by how much one is broken.

    size = sign (x of the quote - weights . x of the others) + what no quote changes; x is the undiscounted call, or the
    total variance for calendars. `quote` is the one that offends.
    """

    kind: str
    quote: Int1D
    others: Int1D  # shape (n, 2)
    weights: Float2D  # shape (n, 2)
    size: Float1D
    sign: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Quoted:
    """The quotes of some smiles in a row, with what the rules need of each."""

    smiles: tuple[Smile, ...]
    first: Int1D  # where each smile starts, and the end
    strike: Float1D
    call: Float1D  # undiscounted
    vega: Float1D  # undiscounted, per 1.00 of vol
    k: Float1D  # log moneyness
    vol: Float1D
    tau: Float1D
    forward: Float1D

    @property
    def expiry(self) -> Int1D:
        """Number of the smile of each quote."""
        return np.repeat(np.arange(len(self.smiles)), np.diff(self.first))

    def miss(self, gaps: Gaps) -> Float1D:
        """`size` as the move of the offending quote's vol that closes it, to first order."""
        i = gaps.quote
        by_vol = 2.0 * self.vol[i] * self.tau[i] if gaps.kind == "calendar" else np.maximum(self.vega[i], 1e-300)
        return np.asarray(gaps.size / by_vol)


def quoted(smiles: Sequence[Smile]) -> Quoted:
    """The quotes of smiles by increasing expiry."""
    from scipy.special import ndtr

    sizes = np.array([len(smile) for smile in smiles])
    strike, vol = (np.concatenate([getattr(smile, name) for smile in smiles]) for name in ("strike", "vol"))
    tau, forward = (np.repeat([getattr(smile, name) for smile in smiles], sizes) for name in ("tau", "forward"))
    k, std = np.log(strike / forward), vol * np.sqrt(tau)
    d1 = -k / std + 0.5 * std
    return Quoted(
        smiles=tuple(smiles), first=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), strike=strike,
        call=forward * ndtr(d1) - strike * ndtr(d1 - std),
        vega=forward * np.sqrt(tau / (2.0 * np.pi)) * np.exp(-0.5 * d1 * d1), k=k, vol=vol, tau=tau, forward=forward,
    )  # fmt: skip


def strike_gaps(q: Quoted) -> list[Gaps]:
    """Rules within an expiry; the call of strike 0, the forward, is number -1 of `others`."""
    n = q.strike.size
    i, begins = np.arange(n), np.zeros(n, dtype=bool)
    begins[q.first[:-1]] = True
    before = np.where(begins, -1, i - 1)
    strike, call = np.where(begins, 0.0, q.strike[i - 1]), np.where(begins, q.forward, q.call[i - 1])
    rise, gap = q.call - call, q.strike - strike
    one, none = np.tile([1.0, 0.0], (n, 1)), np.full(n, -1)
    ends = np.append(begins[1:], True)
    after = np.minimum(i + 1, n - 1)
    share = (q.strike[after] - q.strike) / np.where(ends, 1.0, q.strike[after] - strike)
    bend = q.call - (share * call + (1.0 - share) * q.call[after])
    sloped = np.stack([before, none], axis=1)
    inner = ~begins
    dear = np.stack([i, none], axis=1)
    return [
        Gaps("slope", i, sloped, one, rise),
        Gaps("put slope", (i - 1)[inner], dear[inner], one[inner], (-rise - gap)[inner]),
        Gaps("butterfly", i[~ends], np.stack([before, after], axis=1)[~ends],
             np.stack([share, 1.0 - share], axis=1)[~ends], bend[~ends]),
    ]  # fmt: skip


def calendar_gaps(q: Quoted) -> list[Gaps]:
    """Rules between neighbouring expiries: total variance against the linear interpolation of the neighbour's."""
    w, expiry, m = q.vol * q.vol * q.tau, q.expiry, len(q.smiles)
    out: list[Gaps] = []
    if m < 2:
        return out
    apart = float(np.ptp(q.k)) + 1.0  # one increasing row of all smiles: all neighbours at a stroke
    for step, sign in ((1, 1.0), (-1, -1.0)):
        other = expiry + step
        here = (other >= 0) & (other < m)
        here[here] &= (q.k[here] >= q.k[q.first[other[here]]]) & (q.k[here] <= q.k[q.first[other[here] + 1] - 1])
        i, o = np.flatnonzero(here), other[here]
        j = np.searchsorted(q.k + apart * expiry, q.k[i] + apart * o, side="right") - 1
        j = np.clip(j, q.first[o], np.maximum(q.first[o + 1] - 2, q.first[o]))
        far = np.minimum(j + 1, q.first[o + 1] - 1)
        width = q.k[far] - q.k[j]
        share = np.where(width > 0.0, (q.k[i] - q.k[j]) / np.where(width > 0.0, width, 1.0), 0.0)
        weights = np.stack([1.0 - share, share], axis=1)
        there = weights[:, 0] * w[j] + weights[:, 1] * w[far]
        out.append(Gaps("calendar", i, np.stack([j, far], axis=1), weights, sign * (w[i] - there), sign))
    return out
