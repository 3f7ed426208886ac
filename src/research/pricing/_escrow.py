"""Escrowed dividends on the way: what is still to come, and the model as a grid in the quoted spot sees it.

The spot is S(t) = X(t) + D(t): X moves by the model, D(t) is the worth at t of the dividends still to come, and grows
as X's forward does. Between two dividends

    dS = (r - q) S dt + s(t, X) (S - D(t)) dW,

so that in the quoted spot escrowed cash is a local volatility s (1 - D / S), and a fall of S by the amount on each day,
which the spot can always pay. Levels, strikes, barriers and exercise stay those of the quoted spot, and nodes of the
grid stay on them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from research.arrays import Float1D, Float2D, numbers
from research.market import Snapshot
from research.models.bachelier import Bachelier
from research.models.heston import Heston
from research.models.local_stochastic_vol import LocalStochasticVol

_LEAST = 1e-8  # of S: a spot that holds nothing but dividends


def to_come(snapshot: Snapshot, t: Any) -> Any:
    """D(t): the worth at `t` (years) of the cash that is paid after it; float in, float out."""
    at, cash = numbers(t, "t"), snapshot.cash_dividends
    if cash is None:
        return np.zeros(at.shape) if at.shape else 0.0
    worth = np.where(cash.tau > at[..., None], cash.cash / snapshot.growth(cash.tau), 0.0).sum(axis=-1)
    out = np.asarray(worth * snapshot.growth(at))
    return out if out.shape else float(out)


def moving(snapshot: Snapshot) -> Snapshot:
    """The market of X: the part of the spot that moves, its yields and rates, and no cash."""
    return replace(snapshot, spot=snapshot.spot - to_come(snapshot, 0.0), cash_dividends=None)


@dataclass(frozen=True, slots=True, eq=False)
class Escrowed:
    """A model of X in one dimension, and the market of its dividends."""

    base: Any
    market: Snapshot

    def share(self, times: Float1D, log_spot: Float2D) -> tuple[Float2D, Float2D]:
        """(log X, X / S) of each step at log S, shape (steps, n); `times` as for `variance_on_grid`."""
        coming = np.asarray(to_come(self.market, 0.5 * (times[1:] + times[:-1])))
        part = np.maximum(1.0 - coming[:, None] * np.exp(-log_spot), _LEAST)
        return log_spot + np.log(part), np.where(part > _LEAST, part, 0.0)

    def rows(self, times: Float1D, log_spot: Float2D, of_x: Callable[[Float2D], Float2D]) -> Float2D:
        """Variance of d log S of each step, earliest first; `of_x` gives that of d log X at log X."""
        x, part = self.share(times, np.broadcast_to(log_spot, (times.size - 1, log_spot.shape[-1])))
        return of_x(x) * part**2


@dataclass(frozen=True, slots=True, eq=False)
class EscrowedLeverage:
    """A leverage of X as one of S; its log moneyness is by the forward without cash, `LocalVol`'s manner otherwise."""

    base: Any  # a LocalVol grid, or None for a leverage of 1
    market: Snapshot

    def _log_spot(self, times: Any, log_moneyness: Any) -> Any:
        plain = self.market.spot * self.market.growth(times)
        return log_moneyness + np.log(plain)

    def variance_rows(self, times: Float1D, log_moneyness: Float2D) -> Float2D:
        """Mean of L^2 (X / S)^2 in each step, at log(S / F)."""
        middle = 0.5 * (times[1:] + times[:-1])
        of = Escrowed(self.base, self.market)
        fall = np.log(moving(self.market).spot * np.asarray(self.market.growth(middle)))[:, None]

        def of_x(x: Float2D) -> Float2D:
            return np.ones_like(x) if self.base is None else np.asarray(self.base.variance_rows(times, x - fall))

        return of.rows(times, self._log_spot(middle[:, None], log_moneyness), of_x)

    def local_vol(self, log_moneyness: float, tau: float) -> float:
        """L X / S at one point."""
        log_spot = np.array([[self._log_spot(tau, log_moneyness)]])
        x, part = Escrowed(self.base, self.market).share(np.array([tau, tau]), log_spot)
        forward = moving(self.market).spot * self.market.growth(tau)
        lever = 1.0 if self.base is None else float(self.base.local_vol(float(x[0, 0] - np.log(forward)), tau))
        return lever * float(part[0, 0])

    def std(self, tau: float, reach: float = 0.0) -> float:
        """Room for the grid: that of X, which moves more than S."""
        return float(np.sqrt(tau)) if self.base is None else float(self.base.std(tau, reach))


@dataclass(frozen=True, slots=True, eq=False)
class EscrowedVariance:
    """Heston's model of X, with a leverage or without, as a leveraged one of S."""

    heston: Heston
    leverage: EscrowedLeverage


LEVERAGED = (LocalStochasticVol, EscrowedVariance)
Leveraged = LocalStochasticVol | EscrowedVariance


def on_grid(model: Any, snapshot: Snapshot) -> Any:
    """The model as the grids take it in a market that may have escrowed cash."""
    cash = snapshot.cash_dividends
    if cash is None or cash.model != "escrowed" or isinstance(model, Bachelier):  # a variance of S that does not ask
        return model
    if isinstance(model, LocalStochasticVol):
        return EscrowedVariance(model.heston, EscrowedLeverage(model.leverage, snapshot))
    if isinstance(model, Heston):
        return EscrowedVariance(model, EscrowedLeverage(None, snapshot))
    return Escrowed(model, snapshot)


def base_of(model: Any) -> Any:
    """The model of X."""
    return model.base if isinstance(model, Escrowed) else model


__all__ = ["LEVERAGED", "Escrowed", "EscrowedVariance", "Leveraged", "base_of", "moving", "on_grid",
           "to_come"]  # fmt: skip
