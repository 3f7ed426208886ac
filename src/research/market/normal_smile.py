"""Normal (Bachelier) vols as quoted for one expiry: forwards and strikes of any sign, as rates have them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from research.arrays import Float1D, vector
from research.conventions import check_fields, equal_by_value
from research.errors import require, require_all


@equal_by_value
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NormalSmile:
    """The quoted normal vols of one expiry, by strike."""

    tau: float  # years (ACT/365F), > 0
    forward: float  # price units, any sign
    strike: Float1D  # price units, increasing, any sign, shape (n,)
    vol: Float1D  # price units / sqrt(year): 80 basis points of a rate in decimals are 0.008, shape (n,)
    df: float = 1.0  # discount factor to expiry
    weight: Float1D | None = None  # of a quote in a fit, >= 0, shape (n,); None: all equal
    expiry: date | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("tau", "forward", "df"):
            value = float(getattr(self, name))
            good = np.isfinite(value) and (value > 0.0 or name == "forward")
            require(bool(good), name, value, "be finite" if name == "forward" else "be finite and > 0")
            object.__setattr__(self, name, value)
        strike, vol = vector(self.strike, "strike"), vector(self.vol, "vol")
        weight = np.ones(strike.size) if self.weight is None else vector(self.weight, "weight")
        require(strike.size > 0, "strike", strike.size, "hold at least one quote")
        for name, values in (("vol", vol), ("weight", weight)):
            require(values.size == strike.size, name, values.size, f"have as many values as strike, {strike.size}")
        require_all(np.isfinite(strike), "strike", strike, "be finite")
        require_all(np.diff(strike) > 0.0, "strike", strike[1:], "increase", hint="Each strike once, sorted.")
        require_all(np.isfinite(vol) & (vol > 0.0), "vol", vol, "be finite and > 0")
        require_all(np.isfinite(weight) & (weight >= 0.0), "weight", weight, "be finite and >= 0")
        for name, values in (("strike", strike), ("vol", vol), ("weight", weight)):
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    def __len__(self) -> int:
        return int(self.strike.size)

    def to_frame(self) -> Any:
        """One row a quote: expiry, tau, forward, df, strike, vol, weight."""
        import pandas as pd

        columns = {name: getattr(self, name) for name in ("tau", "forward", "df", "strike", "vol", "weight")}
        return pd.DataFrame({"expiry": pd.Timestamp(self.expiry) if self.expiry else pd.NaT} | columns)
