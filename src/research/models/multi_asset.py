"""Several lognormal prices with correlated noise: Black and Scholes for baskets, spreads, worst-of and quanto.

    dS_i / S_i = (r - q_i) dt + sigma_i(t) dW_i,    d<W_i, W_j> = rho_ij dt

Vols are implied (average) vols, one a name or one a name and time; between two times the instantaneous vol is constant.
Exchange rates are factors like any other, named by their pair: "USDCNY" is the price of a dollar in yuan.

References
----------
Black & Scholes (1973), J. Political Economy 81, 637-654; Margrabe (1978), J. Finance 33, 177-186 (two assets).
Higham (2002), IMA J. Numer. Anal. 22, 329-343 (repair of a correlation matrix).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from research.arrays import Float1D, Float2D, numbers, vector
from research.conventions import check_fields, check_terms, check_vols, equal_by_value
from research.errors import InputError, require, require_all, rule
from research.models.correlation import CorrelationWarning, check_correlation, is_semidefinite, nearest_correlation


@equal_by_value
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MultiAssetBlackScholes:
    """Vols and correlations of n prices and exchange rates.

    A correlation matrix that is not positive semidefinite is replaced by the nearest one that is: a CorrelationWarning
    says so, `repaired_by` keeps how far it lies from what was given, in the Frobenius norm.
    """

    abilities: ClassVar[frozenset[str]] = frozenset({"multi_lognormal"})

    names: tuple[str, ...]
    vols: Float2D  # implied vol, 1/sqrt(year), decimal, shape (n,) or (n, m)
    correlation: Float2D  # shape (n, n)
    vol_tau: Float1D | None = None  # years of the columns of `vols`, increasing, shape (m,); None: flat
    repaired_by: float = field(init=False, default=0.0, compare=False)

    def __post_init__(self) -> None:
        check_fields(self)
        names = tuple(self.names)
        twice = [name for name in names if names.count(name) > 1]
        require(len(names) > 0 and not twice, "names", twice[:1], "differ, and be at least one")
        vols: Any = np.array(numbers(self.vols, "vols"))
        vols = vols[:, None] if vols.ndim == 1 else vols
        tau = np.array([1.0]) if self.vol_tau is None else vector(self.vol_tau, "vol_tau")
        if vols.shape != (len(names), tau.size):
            raise InputError(
                rule("vols", f"have one row a name and one column a time, {(len(names), tau.size)}", vols.shape)
            )
        for name, row in zip(names, vols):
            require_all(np.isfinite(row) & (row >= 0.0), f"vol of {name}", row, "be finite and >= 0",
                        hint="Decimals are wanted: 20% is 0.20.")  # fmt: skip
            check_vols(f"vol of {name}", row)
            rise = np.diff(row**2 * tau) >= -1e-14
            require_all(rise, f"vol of {name}", row[1:], "not let the total variance vol^2 tau fall")
        require_all(np.diff(tau, prepend=0.0) > 0.0, "vol_tau", tau, "be > 0 and increase")
        matrix, distance = check_correlation(self.correlation, names), 0.0
        if not is_semidefinite(matrix):
            matrix, distance = nearest_correlation(matrix)
            said = (
                f"correlation was not positive semidefinite; the nearest one (Higham 2002) stands in its place, "
                f"{distance:.3g} away in the Frobenius norm."
            )
            warnings.warn(said, CorrelationWarning, stacklevel=3)
        for array in (vols, tau, matrix):
            array.flags.writeable = False
        set_ = object.__setattr__
        set_(self, "names", names)
        set_(self, "vols", vols)
        set_(self, "correlation", matrix)
        set_(self, "vol_tau", None if self.vol_tau is None else tau)
        set_(self, "repaired_by", distance)

    def position(self, name: str) -> int:
        """Row of a factor, or InputError with those there are."""
        require(name in self.names, "factor", name, f"be one of the model's, {', '.join(self.names)}")
        return self.names.index(name)

    @property
    def nodes(self) -> Float1D:
        """Times at which an instantaneous vol may change, years, shape (m,); empty when flat."""
        return np.empty(0) if self.vol_tau is None else self.vol_tau

    def covariance(self, tau: float) -> Float2D:
        """Covariance of the log prices at tau (years), shape (n, n)."""
        nodes = np.array([1.0]) if self.vol_tau is None else self.vol_tau
        total = np.column_stack((np.zeros(len(self.names)), self.vols**2 * nodes))
        step = np.diff(nodes, prepend=0.0)
        rate = np.sqrt(np.maximum(np.diff(total, axis=1), 0.0) / step)  # instantaneous vol, one column a step
        spent = np.clip(tau - (nodes - step), 0.0, step)
        spent[-1] = max(tau - (nodes[-1] - step[-1]), 0.0)  # beyond the last node its vol goes on
        out: Float2D = self.correlation * ((rate * spent) @ rate.T)
        return out

    def vol(self, name: str, tau: ArrayLike) -> Any:
        """Implied vol of one factor at tau (years), decimal."""
        i = self.position(name)
        t = numbers(tau, "tau")
        out = np.array([np.sqrt(self.covariance(float(x))[i, i] / x) if x > 0.0 else self.vols[i, 0] for x in t.flat])
        return out.reshape(t.shape) if t.shape else float(out[0])

    def to_json(self) -> dict[str, Any]:
        """The parameters by name, as plain lists."""
        plain: dict[str, Any] = {"names": list(self.names), "vols": self.vols.tolist()}
        if self.vol_tau is not None:
            plain["vol_tau"] = self.vol_tau.tolist()
        return plain | {"correlation": self.correlation.tolist()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> MultiAssetBlackScholes:
        """The model back from `to_json`."""
        return cls(**check_terms(cls, values))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} {row[-1]:.4g}" for name, row in zip(self.names, self.vols))
        return f"MultiAssetBlackScholes(vols: {shown})"


def equicorrelation(n: int, rho: float) -> Float2D:
    """The matrix of n factors that all correlate by rho, shape (n, n)."""
    out: Float2D = np.full((n, n), float(rho))
    np.fill_diagonal(out, 1.0)
    return out


def one_pair(model: MultiAssetBlackScholes, first: str, second: str, rho: float) -> Float2D:
    """The model's correlation matrix with one pair changed."""
    out: Any = model.correlation.copy()
    i, j = model.position(first), model.position(second)
    out[i, j] = out[j, i] = rho
    return np.asarray(out)
