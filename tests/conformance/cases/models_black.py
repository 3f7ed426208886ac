"""Small inputs for the Black kernels: in and out of the money, both sides of every select, lanes and searches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

N = 1031  # two blocks of lanes and a rest


def _options() -> tuple[Any, ...]:
    rng = np.random.default_rng(76)
    tau = np.exp(rng.uniform(-6.0, 3.0, N))
    vol = rng.uniform(0.02, 1.5, N)
    forward = np.full(N, 100.0)
    strike = 100.0 * np.exp(rng.uniform(-8.0, 8.0, N) * vol * np.sqrt(tau))
    strike[::50] = 100.0
    return forward, strike, tau, vol, np.exp(-0.03 * tau), rng.random(N) < 0.5


def _greeks(n_rows: int, *, single: bool = False) -> tuple[Any, ...]:
    forward, strike, tau, vol, df, is_call = _options()
    if single:  # one number for all
        forward, df, is_call = forward[:1].copy(), df[:1].copy(), is_call[:1].copy()
    return forward, strike, tau, vol, df, is_call, 0, np.zeros((n_rows, N)), np.zeros(3, dtype=np.int64)


def _implied_vols() -> tuple[Any, ...]:
    forward, strike, tau, _, df, is_call = _options()
    sign = np.where(is_call, 1.0, -1.0)
    rng = np.random.default_rng(77)
    low = np.minimum(forward, strike)
    share = np.concatenate([10.0 ** rng.uniform(-40.0, 0.0, N - 31), 1.0 - 10.0 ** rng.uniform(-15.0, -1.0, 31)])
    price = df * (share * low + np.maximum(sign * (forward - strike), 0.0))
    price[7], price[8], price[9] = -1.0, np.nan, 1e9
    return price, forward, strike, tau, df, is_call, np.zeros(N)


CASES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "research.core.models.black.black_greeks": lambda: _greeks(10),
    "research.core.models.black.black_greeks[price]": lambda: _greeks(1),
    "research.core.models.black.black_greeks[six rows, single numbers]": lambda: _greeks(6, single=True),
    "research.core.models.implied_vol.implied_vols": _implied_vols,
}
