"""What the engines share that take one rate up to expiry."""

from __future__ import annotations

import numpy as np

from research.arrays import Float1D
from research.errors import NoEngineError, require_all
from research.market import Snapshot


def flat_rates(snapshot: Snapshot, tau: Float1D, method: str) -> Float1D:
    """The zero rate to each tau; refuses a curve that is not flat up to there."""
    curve = snapshot.discount
    rate: Float1D = curve.zero_rate_at(tau)
    on_the_way = curve.zero_rate_at(np.minimum(curve.tau[:, None], tau))
    require_all(
        np.all(np.abs(on_the_way - rate) < 1e-12, axis=0), "zero_rate", rate,
        f"be one rate up to expiry for method='{method}'",
        hint="Use method='auto': it goes on to an engine that takes the whole curve.",
        error=NoEngineError,
    )  # fmt: skip
    return rate
