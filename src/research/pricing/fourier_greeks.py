"""Greeks of European options, digitals, gaps and supershares under the integral: no bump, under Heston, Bates, Merton,
Variance Gamma.

All of them are sums of three claims on the price beyond a strike: the option, the underlying, the strike itself. Their
derivatives in the forward, the vol, time and every parameter are jets (`_jets`): contour integrals of the same quality
as the price under Heston, mixtures of these or of Black's under the others. With D = F d/dF,

    delta = D V / S,   gamma = (D - 1) D V / S^2,   speed = (D - 2)(D - 1) D V / S^3,   rho = tau (D - 1) V,
    theta = r V - (r - q) D V - df dv/dtau,

r and q the forward rates at expiry. The vol of such a model does not depend on the level of the spot, so that delta is
the model's own (sticky moneyness). Vega moves sqrt(v0) and sqrt(theta) together, or sigma (`_bumps.shifted`).

References
----------
Haug (2007), The Complete Guide to Option Pricing Formulas, 2nd ed., chapter 2 (the Greeks).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.instruments import Digital, European, Gap, Supershare
from research.market import Snapshot
from research.models.heston import Heston
from research.models.jumps import Bates, Merton, VarianceGamma
from research.pricing import cosine_greeks
from research.pricing._bounded import Bounded
from research.pricing._greek_tables import Table, entry
from research.pricing._jets import Jets, jets, log_ratio
from research.pricing.black_greeks import along_the_curve

CONTRACTS = (European, Digital, Gap, Supershare)
_HOW = "under the integral"
_ROUNDING = 1e-15


def takes(item: Any, model: Any, snapshot: Snapshot) -> bool:
    """Whether Greeks of this contract under this model need no bump; a clock without noise has no density.

    Contracts with dates that the cosine recursion prices have theirs from `cosine_greeks`.
    """
    if cosine_greeks.takes(item, model, snapshot):
        return True
    known = isinstance(model, (Heston, Bates, Merton)) or (isinstance(model, VarianceGamma) and model.sigma > 0.0)
    alive = known and isinstance(item, CONTRACTS) and item.years(snapshot.as_of) > 0.0
    return alive and snapshot.cash_dividends is None


@dataclass(frozen=True, slots=True)
class _Claims:
    """n pieces of contracts: strike, years, whose, above the strike or below, and how much of each."""

    owner: Any
    strike: Float1D
    tau: Float1D
    above: Any
    option: Float1D
    asset: Float1D
    cash: Float1D


def greek_table(items: Sequence[Any], model: Any, snapshot: Snapshot, wanted: Sequence[str]) -> Table:
    """The Greeks of the module, each with its error, shape (n,) each."""
    if cosine_greeks.takes(items[0], model, snapshot):
        return cosine_greeks.greek_table(items, model, snapshot, wanted)
    claims = _claims(items, snapshot)
    found = _by_claim(claims, model, snapshot)
    return {name: entry(*_summed(found[name](), claims, len(items)), _HOW) for name in wanted if name in found}


def parameter_table(item: Any, model: Any, snapshot: Snapshot, names: Sequence[str]) -> Table:
    """Derivatives of one contract's value by parameters of the model."""
    if cosine_greeks.takes(item, model, snapshot):
        return cosine_greeks.parameter_table(item, model, snapshot, names)
    claims = _claims([item], snapshot)
    z, unit = _Moved(claims, model, snapshot), _discounted(claims, snapshot)
    return {f"by_{n}": entry(*_summed(z.value(f"{n}.") * unit, claims, 1), _HOW) for n in names}


def _claims(items: Sequence[Any], snapshot: Snapshot) -> _Claims:
    rows: list[tuple[float, ...]] = []
    for i, item in enumerate(items):
        tau = item.years(snapshot.as_of)
        if isinstance(item, Supershare):
            rows += [
                (i, item.low, tau, 1.0, 0.0, 1.0 / item.low, 0.0),
                (i, item.high, tau, 1.0, 0.0, -1.0 / item.low, 0.0),
            ]
            continue
        side = 1.0 if item.is_call else -1.0
        if isinstance(item, European):
            rows.append((i, item.strike, tau, side, 1.0, 0.0, 0.0))
        elif isinstance(item, Gap):
            rows.append((i, item.trigger, tau, side, 0.0, 1.0, -item.strike / item.trigger))
        else:
            cash, unit = item.pays == "cash", side * item.amount
            rows.append((i, item.strike, tau, side, 0.0, 0.0 if cash else unit, unit / item.strike if cash else 0.0))
    owner, *rest = np.array(rows).T
    return _Claims(owner.astype(np.int64), *(np.ascontiguousarray(part) for part in rest))


def _summed(each: Bounded, claims: _Claims, n: int) -> tuple[Float1D, Float1D]:
    value, error = (np.asarray(np.bincount(claims.owner, part, n), np.float64) for part in (each.value, each.error))
    return value, error + _ROUNDING * np.abs(value)


def _discounted(claims: _Claims, snapshot: Snapshot) -> Float1D:
    """Forward times discount factor."""
    out: Float1D = np.asarray(snapshot.forward(claims.tau)) * np.asarray(snapshot.discount.df(claims.tau))
    return out


class _Moved:
    """The claims in units of the forward, undiscounted, and what D makes of them."""

    def __init__(self, claims: _Claims, model: Any, snapshot: Snapshot) -> None:
        self.claims = claims
        forward = np.asarray(snapshot.forward(claims.tau))
        k = log_ratio(claims.strike, forward)
        self.jets: Jets = {}
        side = np.empty_like(k)
        for years in np.unique(claims.tau):
            here = claims.tau == years
            found, side[here] = jets(model, float(years), k[here])
            for name, each in found.items():
                whole = self.jets.setdefault(name, Bounded(np.zeros_like(k), np.zeros_like(k)))
                whole.value[here], whole.error[here] = each.value, each.error
        ahead = (side < 0.0) * 1.0 - (claims.above < 0.0)  # from the side out of the money to the contract's own
        ratio = claims.strike / forward
        self.jets["a"], self.jets["q"] = self.jets["a"] + ahead, self.jets["q"] + ahead * ratio
        self.jets["c"] = self.jets["c"] + ahead * (1.0 - ratio)

    def __getitem__(self, name: str) -> Bounded:
        return self.jets[name]

    def _of(self, option: Bounded, asset: Bounded, cash: Bounded) -> Bounded:
        return self.claims.option * option + self.claims.asset * asset + self.claims.cash * cash

    def value(self, by: str = "") -> Bounded:
        """V, or its derivative by a direction ("vol.")."""
        return self._of(self[f"{by}c"], self[f"{by}a"], self[f"{by}q"])

    def slope(self, by: str = "") -> Bounded:
        """D V."""
        q1 = self[f"{by}q1"]
        return self._of(self[f"{by}a"], self[f"{by}a"] + q1, q1)

    def less(self) -> Bounded:
        """(D - 1) V."""
        return self._of(self["q"], self["q1"], self["q1"] - self["q"])

    def bend(self) -> Bounded:
        """(D - 1) D V."""
        return self._of(self["q1"], self["q2"], self["q2"] - self["q1"])

    def turn(self) -> Bounded:
        """(D - 2)(D - 1) D V."""
        one, two, three = self["q1"], self["q2"], self["q3"]
        return self._of(two - 2.0 * one, three - 2.0 * two, three - 3.0 * two + 2.0 * one)


def _by_claim(claims: _Claims, model: Any, snapshot: Snapshot) -> dict[str, Callable[[], Bounded]]:
    z, spot, unit, tau = _Moved(claims, model, snapshot), snapshot.spot, _discounted(claims, snapshot), claims.tau
    df = np.asarray(snapshot.discount.df(tau))
    lift, carry = along_the_curve(snapshot, tau, df)
    short = lift - np.log(df) / tau
    return {
        "value": lambda: z.value() * unit,
        "delta": lambda: z.slope() * (unit / spot),
        "gamma": lambda: z.bend() * (unit / spot**2),
        "speed": lambda: z.turn() * (unit / spot**3),
        "vega": lambda: z.value("vol.") * unit,
        "volga": lambda: z.value("vol twice.") * unit,
        "vanna": lambda: z.slope("vol.") * (unit / spot),
        "rho": lambda: z.less() * (unit * tau),
        "theta": lambda: (z.value() * short - z.slope() * carry - z.value("time.")) * unit,
        "charm": lambda: (z.slope() * (short - carry) - z.bend() * carry - z.slope("time.")) * (unit / spot),
    }  # fmt: skip
