"""The quotes of a surface as the table that a kernel fits: sorted, weighted, checked for arbitrage."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from research import market
from research.arrays import Float1D, Float2D, Int1D
from research.calibration._options import Weights, quote_weights, surface_of
from research.errors import require
from research.market import Snapshot, Surface

_COLUMNS = pd.Index(["tau", "strike", "log_moneyness", "market_vol", "model_vol", "error_bp", "weight"])
ARBITRAGE_HINT = (
    "market.find_arbitrage lists all; market.repair_quotes(...).surface has the nearest quotes without any; "
    "allow_arbitrage=True fits them as they are."
)


@dataclass(frozen=True, slots=True, eq=False)
class Quotes:
    """One column a quote, by expiry and increasing log(F/K): the strikes of each smile from high to low."""

    surface: Surface
    weight: Float1D  # of the squared error, in the order of `table`
    tau: Float1D  # of each expiry
    first: Int1D  # where each expiry starts in `table`, and the end
    table: Float2D  # shape (7, n): see core.calibration.heston.heston_vol_errors

    @property
    def n(self) -> int:
        return int(self.table.shape[1])

    @property
    def n_active(self) -> int:
        """Quotes of positive weight."""
        return int(np.count_nonzero(self.weight))

    def at_the_money_variance(self) -> tuple[float, float]:
        """Variance at the forward of the shortest and of the longest expiry."""
        ends = []
        for g in (0, self.tau.size - 1):
            here = slice(self.first[g], self.first[g + 1])
            ends.append(float(np.interp(0.0, self.table[0, here], self.table[3, here])) ** 2)
        return ends[0], ends[1]

    def skew(self) -> float:
        """Slope of vol in log(K/F), all quotes together, times a positive number."""
        k, vol = -self.table[0], self.table[3]
        return float(np.sum((k - k.mean()) * (vol - vol.mean())))

    def residuals(self, model_vol: Float1D) -> pd.DataFrame:
        """The table of a fit, in the order of the surface; error_bp is model minus market."""
        back = _reversed_within(self.first)
        sizes = np.diff(self.first)
        expiry = [np.datetime64(smile.expiry or "NaT", "s") for smile in self.surface]
        x, strike, market = self.table[0, back], self.table[2, back], self.table[3, back]
        model = model_vol[back]
        numbers = (np.repeat(self.tau, sizes), strike, -x, market, model, 1e4 * (model - market), self.weight[back])
        out = pd.DataFrame(np.array(numbers).T, columns=_COLUMNS)  # one block of numbers: a third of the time
        out.insert(0, "expiry", np.repeat(np.array(expiry), sizes))
        return out


def _reversed_within(first: Int1D) -> Int1D:
    """Positions that turn each expiry's quotes around; its own inverse."""
    return np.concatenate([np.arange(b - 1, a - 1, -1) for a, b in pairwise(first)])


def read_quotes(
    data: Snapshot | Surface,
    weights: Weights,
    *,
    allow_arbitrage: bool,
    tolerance: float,
) -> Quotes:
    """The quotes of a snapshot or surface; refuses arbitrage beyond `tolerance` (vol)."""
    surface = surface_of(data)
    require(tolerance >= 0.0, "arbitrage_tolerance", tolerance, "be >= 0")
    if not allow_arbitrage:
        refuse_arbitrage(surface, tolerance)
    smiles = surface.smiles
    sizes = np.array([len(smile) for smile in smiles])
    first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    back = _reversed_within(first)
    strike, vol = (np.concatenate([getattr(smile, name) for smile in smiles])[back] for name in ("strike", "vol"))
    forward, tau = (np.repeat([getattr(smile, name) for smile in smiles], sizes) for name in ("forward", "tau"))
    x = np.log(forward / strike)
    weight = np.concatenate(quote_weights(smiles, weights))[back]
    table = np.array([x, forward, strike, vol, np.sqrt(weight), np.sqrt(tau), np.sqrt(forward * strike)])
    return Quotes(surface, weight, surface.tau, first, table)


def refuse_arbitrage(surface: Surface, tolerance: float) -> None:
    """InputError where a quote would have to move by more than `tolerance` (vol): which, by how much, what to do."""
    market.refuse_arbitrage(surface, tolerance=tolerance, hint=ARBITRAGE_HINT)
