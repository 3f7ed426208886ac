"""Do two pricers agree? The largest difference in units of a scale, against a tolerance."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from research.errors import require
from research.evidence import Evidence


def agreement(
    ours: ArrayLike, theirs: ArrayLike, *, scale: ArrayLike, tolerance: float, claim: str, reference: str = ""
) -> Evidence:
    """Evidence that |ours - theirs| <= tolerance * scale everywhere.

    Parameters
    ----------
    ours, theirs : array-like, price units; the same shape
    scale : array-like, price units
        What a difference is measured against: the forward, or the spot. Broadcasts with the prices.
    tolerance : float, > 0

    Returns
    -------
    Evidence
        `statistic` is the largest |ours - theirs| / scale; a value that is not finite fails.
    """
    a, b = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    require(a.shape == b.shape, "theirs", b.shape, f"have the shape of ours, {a.shape}")
    require(tolerance > 0.0, "tolerance", tolerance, "be > 0")
    require(a.size > 0, "ours", a.shape, "hold at least one price")
    return largest("agreement", np.abs(a - b) / scale, tolerance, claim, reference)


def largest(test: str, violation: ArrayLike, tolerance: float, claim: str, reference: str) -> Evidence:
    """Evidence from the largest of many violations; one that is not a number counts as infinite."""
    sizes = np.asarray(violation, dtype=np.float64)
    worst = float(np.where(np.isfinite(sizes), sizes, np.inf).max())
    return Evidence(
        test=test,
        verdict="pass" if worst <= tolerance else "fail",
        statistic=max(worst, 0.0),
        threshold=tolerance,
        n=int(sizes.size),
        claim=claim,
        reference=reference,
    )
