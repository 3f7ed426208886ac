"""Prices of large variance, sampled so that no pay-off is seen too rarely: under a mixture of measures.

What is paid is at most g = b_0 + sum of b_i S_i / F_i. With the density g / E[g], the mixture of the payment measure
and of the measures of the prices themselves, each asset's own large outcomes are met as often as they count, and what
is averaged, E[g] paid / g, lies within +-E[g] whatever the variance. Plain paths of exp(x - v / 2) with v >> 1 nearly
all end near 0, and neither their mean nor their spread says so.

References
----------
Owen, Zhou (2000), "Safe and effective importance sampling", J. Amer. Statist. Assoc. 95, 135-143 (mixtures, controls).
Glasserman (2004), Monte Carlo Methods in Financial Engineering, section 4.6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from research.arrays import Float1D, Float2D


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixture:
    """Which measure a path is drawn under, and what it then weighs."""

    bound: Float1D  # b_0, b_1, ..., b_n >= 0, shape (n + 1,)
    covariance: Float2D  # of the log prices, shape (n, n)

    def shift(self, pick: Float1D) -> Float2D:
        """Mean of the log prices, + v / 2, under the measure that a normal number picks, shape (n, paths)."""
        edges = np.cumsum(self.bound)[:-1] / self.bound.sum()
        chosen = np.searchsorted(edges, ndtr(pick), side="right")
        means = np.column_stack((np.zeros(self.covariance.shape[0]), self.covariance))
        return np.asarray(means[:, chosen])

    def scaled(self, log_ratio: Float2D) -> tuple[Float2D, Float1D]:
        """S / F and 1, both times the weight of each path: E[g] / g, without overflow; shapes (n, paths), (paths,)."""
        top = log_ratio.max(axis=0)
        if self.bound[0] > 0.0:
            top = np.maximum(top, 0.0)
        ratio, one = np.exp(log_ratio - top), np.exp(-top) if self.bound[0] > 0.0 else np.zeros_like(top)
        weight = self.bound.sum() / (self.bound[0] * one + self.bound[1:] @ ratio)
        return ratio * weight, one * weight


def moments(values: Any) -> list[float]:
    """The sums of core.pricing._moments of a value and two controls."""
    v, a, b = values
    return [float(part.sum()) for part in (v, v * v, a, b, v * a, v * b, a * a, a * b, b * b)]
