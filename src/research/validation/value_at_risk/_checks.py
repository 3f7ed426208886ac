"""What every test of this room asks of its inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from research.errors import require, require_all


def check_level(level: float) -> float:
    """Probability of an exception under the null, 1 - level."""
    require(0.0 < level < 1.0, "level", level, "lie in (0, 1)", hint="Use 0.99 for a 99% VaR, not 99.")
    return 1.0 - level


def check_size(size: float) -> None:
    require(0.0 < size < 1.0, "size", size, "lie in (0, 1)", hint="Use 0.05 for a test at 5%.")


def check_exceptions(exceptions: ArrayLike) -> NDArray[np.int64]:
    """Zeros and ones, one a day, in order of time."""
    values = np.asarray(exceptions, dtype=np.float64)
    require(values.ndim == 1, "exceptions", values.shape, "have one dimension, one entry a day")
    require(values.size >= 2, "exceptions", values.size, "have at least 2 days")
    hint = "Pass loss > value_at_risk; a day without one of them counts as an exception (MAR32)."
    require_all((values == 0.0) | (values == 1.0), "exceptions", values, "be 0 or 1 each day", hint=hint)
    return values.astype(np.int64)


def check_coverage(alternative: float, probability: float) -> float:
    """The wrong exception probability whose detection is asked for: `alternative` times the claimed one."""
    wrong = alternative * probability
    hint = "It multiplies the claimed exception probability: 2.0 asks for the power against twice as many."
    require(
        alternative > 0.0 and wrong < 1.0, "alternative", alternative, "be > 0 and give a probability < 1", hint=hint
    )
    return wrong


def percent(share: float) -> str:
    """A probability for a sentence: 0.99 is 99%, 0.975 is 97.5%."""
    return f"{100.0 * share:.6g}%"


def round_level(level: float) -> float:
    """1 - level without the dust of binary fractions, for reports: 0.01, not 0.010000000000000009."""
    return float(np.round(1.0 - level, 12))
