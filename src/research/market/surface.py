"""Smiles and surfaces: implied vols as quoted, one smile an expiry. Nothing is interpolated here.

log_moneyness is log(strike / forward); total_variance is vol^2 tau.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from research.arrays import Float1D, vector
from research.conventions import check_fields, check_vols, equal_by_value
from research.errors import require, require_all


@equal_by_value
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Smile:
    """The quoted implied vols of one expiry, by strike."""

    tau: float  # years (ACT/365F), > 0
    forward: float  # price units, > 0
    df: float  # discount factor to expiry
    strike: Float1D  # price units, increasing, > 0, shape (n,)
    vol: Float1D  # 1/sqrt(year), decimal: 20% is 0.20, shape (n,)
    weight: Float1D | None = None  # of a quote in a fit, >= 0, shape (n,); None: all equal
    expiry: date | None = None
    half_spread: Float1D | None = None  # half the distance from bid to ask, vol (decimal), > 0, shape (n,)

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("tau", "forward", "df"):
            value = float(getattr(self, name))
            require(np.isfinite(value) and value > 0.0, name, value, "be finite and > 0")
            object.__setattr__(self, name, value)
        strike, vol = vector(self.strike, "strike"), vector(self.vol, "vol")
        require(strike.size > 0, "strike", strike.size, "hold at least one quote")
        require(strike.size == vol.size, "vol", vol.size, f"have as many values as strike, {strike.size}")
        require_all(np.isfinite(strike) & (strike > 0.0), "strike", strike, "be finite and > 0")
        require_all(np.diff(strike) > 0.0, "strike", strike[1:], "increase", hint="Each strike once, sorted.")
        require_all(np.isfinite(vol) & (vol > 0.0), "vol", vol, "be finite and > 0")
        check_vols("vol", vol)
        strike.flags.writeable = vol.flags.writeable = False
        object.__setattr__(self, "strike", strike)
        object.__setattr__(self, "vol", vol)
        for name, least in (("weight", ">= 0"), ("half_spread", "> 0")):
            if getattr(self, name) is None:
                continue
            given = vector(getattr(self, name), name)
            require(given.size == strike.size, name, given.size, f"have as many values as strike, {strike.size}")
            good = np.isfinite(given) & ((given > 0.0) | ((given == 0.0) & (name == "weight")))
            require_all(good, name, given, f"be finite and {least}")
            given.flags.writeable = False
            object.__setattr__(self, name, given)

    def __len__(self) -> int:
        return int(self.strike.size)

    def __repr__(self) -> str:
        ends = f"strikes {self.strike[0]:g} to {self.strike[-1]:g}, vols {self.vol.min():.1%} to {self.vol.max():.1%}"
        return f"Smile({365.0 * self.tau:.0f} days, forward {self.forward:.6g}, {len(self)} quotes, {ends})"

    @property
    def log_moneyness(self) -> Float1D:
        """log(strike / forward), shape (n,)."""
        out: Float1D = np.log(self.strike / self.forward)
        return out

    @property
    def total_variance(self) -> Float1D:
        """vol^2 tau, shape (n,)."""
        out: Float1D = self.vol * self.vol * self.tau
        return out

    def to_frame(self) -> Any:
        """One row a quote: expiry, tau, forward, df, strike, log_moneyness, vol, total_variance, weight."""
        import pandas as pd

        return pd.DataFrame(
            {
                "expiry": pd.Timestamp(self.expiry) if self.expiry else pd.NaT,
                "tau": self.tau,
                "forward": self.forward,
                "df": self.df,
                "strike": self.strike,
                "log_moneyness": self.log_moneyness,
                "vol": self.vol,
                "total_variance": self.total_variance,
                "weight": 1.0 if self.weight is None else self.weight,
            }
        )


@equal_by_value
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface:
    """Smiles of one underlying on one day, by increasing expiry."""

    as_of: date
    spot: float  # price units, > 0
    smiles: tuple[Smile, ...]

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "smiles", tuple(self.smiles))
        require(np.isfinite(self.spot) and self.spot > 0.0, "spot", self.spot, "be finite and > 0")
        require(len(self.smiles) > 0, "smiles", 0, "hold at least one smile")
        require_all(np.diff(self.tau) > 0.0, "tau", self.tau[1:], "increase from smile to smile")

    def __len__(self) -> int:
        return len(self.smiles)

    def __repr__(self) -> str:
        days = ", ".join(f"{365.0 * smile.tau:.0f}" for smile in self.smiles)
        head = f"Surface({self.as_of}, spot {self.spot:g}, {self.n_quotes} quotes, {len(self)} expiries"
        return f"{head}: {days} days)"

    def __iter__(self) -> Iterator[Smile]:
        return iter(self.smiles)

    @property
    def tau(self) -> Float1D:
        """Years to each expiry, shape (n,)."""
        out: Float1D = np.array([smile.tau for smile in self.smiles])
        return out

    @property
    def n_quotes(self) -> int:
        return sum(len(smile) for smile in self.smiles)

    def to_frame(self) -> Any:
        """Every quote, one row each."""
        import pandas as pd

        return pd.concat([smile.to_frame() for smile in self.smiles], ignore_index=True)
