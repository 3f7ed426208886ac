"""Small inputs for the GARCH and value-at-risk kernels: clustered returns, a flat series, blocks that end early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

N = 331
MODEL = (2e-4, 2e-6, 0.09, 0.89)
SCALED = (0.02, 0.03, 0.09, 0.88)
P = np.array([0.01, 0.025])


def _returns(n: int = N) -> np.ndarray:
    rng = np.random.default_rng(86)
    z, h, out = rng.standard_t(6, n) / np.sqrt(1.5), 1e-4, np.empty(n)
    for t in range(n):
        out[t] = MODEL[0] + np.sqrt(h) * z[t]
        h = MODEL[1] + MODEL[2] * (out[t] - MODEL[0]) ** 2 + MODEL[3] * h
    return out


def _unit() -> np.ndarray:
    x = _returns()
    return x / x.std()


def _box() -> tuple[Any, ...]:
    b = np.diag([4.0, 3.0, 2.0, 1.0]) + 0.3
    return b, np.array([1.0, -1.0, 0.5, 0.2])


def _blocks() -> tuple[Any, ...]:
    begin = np.arange(260, N + 1, 21, dtype=np.int64)
    end = np.minimum(begin + 21, N + 1)
    fitted = np.zeros((begin.size, 9))
    fitted[:, :4] = MODEL
    return begin, end, fitted


def _forecasts() -> tuple[Any, ...]:
    begin, end, fitted = _blocks()
    return _returns(), begin, end, 250, fitted, np.zeros(N + 1 - 260), 260


def _filtered() -> tuple[Any, ...]:
    begin, end, fitted = _blocks()
    out = np.zeros((2, N + 1 - 260, 2))
    return _returns(), begin, end, 250, 120, fitted, P.copy(), out[0], out[1], 260


def _refits() -> tuple[Any, ...]:
    end = np.array([260, 290, N], dtype=np.int64)
    counts = np.zeros((2, 3), dtype=np.int64)
    return _returns(), end, 250, 0.0, 100, np.zeros((3, 9)), counts[0], counts[1]


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.models.garch.garch_initial": lambda: (_returns(), MODEL[0], 0.0),
    "research.core.models.garch.garch_variances": lambda: (_returns(), *MODEL, 0.0, np.zeros(N + 1)),
    "research.core.models.garch.garch_log_likelihood": lambda: (_returns(), *MODEL, 1e-4),
    "research.core.calibration.garch.garch_derivatives": lambda: (_unit(), *SCALED, 0.0, np.zeros(15)),
    "research.core.calibration.garch.garch_scores": lambda: (_unit(), *SCALED, 0.0, np.zeros((N, 4))),
    "research.core.calibration.garch.garch_starts": lambda: (_unit(), 0.01, 0.0, np.zeros((20, 4)), np.zeros(20)),
    "research.core.calibration.garch.box_derivatives": lambda: (
        _unit(), np.array([0.0, 0.1, 0.95, 0.1]), 1.01, 0.0, np.zeros(15), np.zeros(4), np.zeros((4, 4)),
    ),
    "research.core.calibration.garch.damped_step": lambda: (
        *_box(), np.array([1, 0, 1, 1]), 0.01, np.zeros((4, 4)), np.zeros(4),
    ),
    "research.core.calibration.garch.promised_gain": lambda: (
        *_box()[::-1], np.array([0.0, 0.1, 0.95, 0.1]), np.array([0.1, -0.1, 0.2, 0.1]), np.zeros(4),
    ),
    "research.core.calibration.garch.garch_search": lambda: (_unit(), 0.0, 1.01, 100, np.array([0.0, 0.0, 0.9, 0.1])),
    "research.core.calibration.garch.garch_fit": lambda: (_returns(), 0.0, 100, np.zeros(N), np.zeros(9)),
    "research.core.calibration.garch.garch_refits": _refits,
    "research.core.risk.value_at_risk.rolling_tails": lambda: (
        _returns(), 120, N + 1, 120, P.copy(), np.zeros((N - 119, 2)), np.zeros((N - 119, 2)),
    ),
    "research.core.risk.value_at_risk.ewma_variances": lambda: (_returns(), 120, 0.94, np.zeros(N + 1)),
    "research.core.risk.value_at_risk.garch_forecasts": _forecasts,
    "research.core.risk.value_at_risk.garch_filtered_tails": _filtered,
}  # fmt: skip
