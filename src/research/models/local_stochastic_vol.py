"""Heston's model times a leverage function of time and spot: the dynamics of one, the smiles of the market.

    dS / S = (r(t) - q) dt + L(t, y) sqrt(v) dW1,    y = log(S(t) / F(t)),    F the forward of today
    dv     = kappa (theta - v) dt + sigma sqrt(v) dW2,    d<W1, W2> = rho dt

With L^2(t, y) E[v(t) | y(t) = y] = sigma_local^2(t, y) every European option has the price of the local vol (Gyongy
1986); `calibration.fit(LocalStochasticVol, local_vol, heston=..., snapshot=...)` finds that leverage.

References
----------
Jex, Henderson, Wang (1999), "Pricing exotics under the smile", Risk 12(11), 72-75.
Guyon, Henry-Labordere (2012), "Being particular about calibration", Risk 25(1), 92-97.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from research.conventions import check_fields, check_terms, equal_by_value
from research.errors import require
from research.models.heston import Heston
from research.models.local_vol import LocalVol


@equal_by_value
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocalStochasticVol:
    """Heston and the factor on its volatility. A leverage of 1 everywhere is Heston."""

    abilities: ClassVar[frozenset[str]] = frozenset({"stochastic_variance", "leverage", "paths"})

    heston: Heston
    leverage: LocalVol  # L on a grid of time and log(spot / forward): its "vol" is a pure number, L^2 is interpolated

    def __post_init__(self) -> None:
        check_fields(self)
        require(isinstance(self.heston, Heston), "heston", type(self.heston).__name__, "be a Heston")
        require(isinstance(self.leverage, LocalVol), "leverage", type(self.leverage).__name__, "be a LocalVol grid")

    def __repr__(self) -> str:
        low, high = self.leverage.vol.min(), self.leverage.vol.max()
        return f"LocalStochasticVol({self.heston!r}, leverage {low:.4g} to {high:.4g})"

    def to_json(self) -> dict[str, Any]:
        """Both parts."""
        return {"heston": self.heston.to_json(), "leverage": self.leverage.to_json()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> LocalStochasticVol:
        """The model back from `to_json`."""
        given = check_terms(cls, values)
        return cls(heston=Heston.from_json(given["heston"]), leverage=LocalVol.from_json(given["leverage"]))
