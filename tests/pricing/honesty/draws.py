"""Random contracts in random markets, extremes included: an hour to 50 years, vol 0.1 % to 500 %, barriers at the spot.

Every draw is a function of a seed, so that a finding can be made again alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from research import instruments as inst
from research.market import Snapshot, flat_snapshot

SPOT = 100.0
TAUS, VOLS = (1.0 / 8760.0, 50.0), (0.001, 5.0)


@dataclass(frozen=True, slots=True)
class World:
    """One market of flat rates and one vol."""

    tau: float
    vol: float
    rate: float
    carry: float  # dividend yield

    @property
    def std(self) -> float:
        return self.vol * float(np.sqrt(self.tau))

    @property
    def snapshot(self) -> Snapshot:
        return flat_snapshot(spot=SPOT, rate=self.rate, dividend_yield=self.carry)


def world(rng: np.random.Generator, wide: float = 12.0) -> World:
    """A market whose standard deviation at expiry is at most `wide`."""
    while True:
        tau, vol = (float(np.exp(rng.uniform(*np.log(ends)))) for ends in (TAUS, VOLS))
        if rng.random() < 0.15:
            tau = float(rng.choice(TAUS))
        if rng.random() < 0.15:
            vol = float(rng.choice(VOLS))
        if vol * np.sqrt(tau) <= wide:
            break
    rate, carry = (float(rng.choice([0.0, rng.uniform(-0.05, 0.15), rng.uniform(-0.01, 0.01)])) for _ in "rq")
    return World(tau, vol, rate, rate if rng.random() < 0.15 else carry)


def near(rng: np.random.Generator, w: World, share: float = 1.0) -> float:
    """A strike where the price may be at expiry, now and then far away."""
    drift = (w.rate - w.carry) * w.tau * share
    away = rng.normal() * min(w.std, 3.0) * rng.choice([1.0, 3.0], p=[0.85, 0.15])
    return float(SPOT * np.exp(np.clip(drift + away, -12.0, 12.0)))


def away(rng: np.random.Generator, w: World, down: bool) -> float:
    """A barrier at any distance, one in four next to the spot."""
    scale = rng.choice([1.0, 0.05, 1e-4], p=[0.75, 0.15, 0.1])
    distance = max(min(abs(rng.normal()) * w.std, 10.0) * scale, 1e-9)
    return float(SPOT * np.exp(-distance if down else distance))


def _coin(rng: np.random.Generator) -> bool:
    return bool(rng.random() < 0.5)


def _side(rng: np.random.Generator) -> dict[str, Any]:
    return {"is_call": _coin(rng)}


def _option(rng: np.random.Generator, w: World) -> dict[str, Any]:
    return {"strike": near(rng, w), "tau": w.tau, **_side(rng)}


def _even(rng: np.random.Generator, w: World, most: int = 8) -> tuple[float, ...]:
    n = int(rng.integers(1, most + 1))
    return tuple(float(w.tau * k / n) for k in range(1, n + 1))


def _looks(rng: np.random.Generator) -> int | None:
    return int(rng.choice([1, 2, 5, 12, 50])) if rng.random() < 0.4 else None


def _rebate(rng: np.random.Generator) -> dict[str, Any]:
    return {"rebate": float(rng.choice([0.0, 3.0])), "rebate_at": str(rng.choice(["hit", "expiry"]))}


def barrier(rng: np.random.Generator, w: World) -> Any:
    down, knock = _coin(rng), str(rng.choice(["in", "out"]))
    rebate = _rebate(rng)
    if knock == "in":
        rebate["rebate_at"] = "expiry"
    return inst.Barrier(barrier=away(rng, w, down), direction="down" if down else "up", knock=knock,
                        n_monitoring=_looks(rng), **rebate, **_option(rng, w))  # fmt: skip


def touch(rng: np.random.Generator, w: World, n_monitoring: int | None = None) -> Any:
    down, is_touch = _coin(rng), _coin(rng)
    return inst.Touch(barrier=away(rng, w, down), direction="down" if down else "up", tau=w.tau, is_touch=is_touch,
                      pays_at=str(rng.choice(["hit", "expiry"])) if is_touch else "expiry",
                      n_monitoring=n_monitoring)  # fmt: skip


def double_barrier(rng: np.random.Generator, w: World) -> Any:
    knock, rebate = str(rng.choice(["in", "out"])), _rebate(rng)
    if knock == "in":
        rebate["rebate_at"] = "expiry"
    return inst.DoubleBarrier(low=away(rng, w, True), high=away(rng, w, False), knock=knock,
                              n_monitoring=_looks(rng), **rebate, **_option(rng, w))  # fmt: skip


def double_touch(rng: np.random.Generator, w: World) -> Any:
    wins = str(rng.choice(["either", "none", "low", "high"]))
    at = "expiry" if wins == "none" else str(rng.choice(["hit", "expiry"]))
    return inst.DoubleTouch(low=away(rng, w, True), high=away(rng, w, False), tau=w.tau, pays_if=wins, pays_at=at,
                            n_monitoring=_looks(rng))  # fmt: skip


def partial_barrier(rng: np.random.Generator, w: World) -> Any:
    watched = str(rng.choice(["start", "end"]))
    direction = str(rng.choice(["down", "up"] if watched == "start" else ["down", "up", "either"]))
    down = direction == "down" or (direction == "either" and _coin(rng))
    return inst.PartialBarrier(barrier=away(rng, w, down), direction=direction, knock=str(rng.choice(["in", "out"])),
                               watched=watched, switch=float(w.tau * rng.uniform(0.05, 0.95)),
                               rebate=float(rng.choice([0.0, 3.0])),
                               n_monitoring=None if direction == "either" else _looks(rng),
                               **_option(rng, w))  # fmt: skip


def lookback(rng: np.random.Generator, w: World) -> Any:
    is_call, fixed = _coin(rng), _coin(rng)
    higher = float(np.exp(min(w.std, 5.0) * abs(rng.normal()) * _coin(rng)))
    extreme = SPOT * higher if is_call == fixed else SPOT / higher
    return inst.Lookback(strike=near(rng, w) if fixed else None, tau=w.tau, is_call=is_call, extreme=extreme,
                         n_monitoring=_looks(rng))  # fmt: skip


def partial_lookback(rng: np.random.Generator, w: World) -> Any:
    is_call, fixed = _coin(rng), _coin(rng)
    scale = 1.0 if fixed else float(np.exp((0.3 if is_call else -0.3) * abs(rng.normal()) * min(w.std, 1.0)))
    return inst.PartialLookback(switch=float(w.tau * rng.uniform(0.05, 0.95)), strike=near(rng, w) if fixed else None,
                                scale=scale, tau=w.tau, is_call=is_call)  # fmt: skip


def asian(rng: np.random.Generator, w: World) -> Any:
    average = str(rng.choice(["arithmetic", "geometric"]))
    seasoned = average == "arithmetic" and rng.random() < 0.3
    past = {"n_fixed": 2, "fixed_mean": near(rng, w, 0.0)} if seasoned else {}
    strike = near(rng, w, 0.5) if rng.random() < 0.75 else None
    return inst.Asian(fixings=_even(rng, w, 12), strike=strike, average=average, **past, **_side(rng))


def compound(rng: np.random.Generator, w: World) -> Any:
    from research.models import BlackScholes
    from research.pricing import price

    option = inst.European(**_option(rng, w))
    fair = max(float(price(option, BlackScholes(sigma=w.vol), w.snapshot)), 1e-6)
    return inst.Compound(option=option, strike=fair * float(np.exp(rng.normal() * 0.7)),
                         tau=float(w.tau * rng.uniform(0.02, 0.98)), is_call=_coin(rng))  # fmt: skip


def chooser(rng: np.random.Generator, w: World) -> Any:
    strike, same = near(rng, w), _coin(rng)
    put = inst.European(strike=strike if same else near(rng, w), is_call=False,
                        tau=w.tau if same else float(w.tau * rng.uniform(0.6, 1.0)))  # fmt: skip
    return inst.Chooser(call=inst.European(strike=strike, tau=w.tau), put=put,
                        tau=float(w.tau * rng.uniform(0.05, 0.55)))  # fmt: skip


def cliquet(rng: np.random.Generator, w: World) -> Any:
    std = w.std
    bounds = {"global_floor": 0.0, "global_cap": float(min(3.0 * std, 9.0))} if _coin(rng) else {}
    return inst.Cliquet(resets=_even(rng, w), local_floor=float(rng.choice([0.0, -min(std, 0.9)])),
                        local_cap=float(std) if _coin(rng) or bounds else None, **bounds)  # fmt: skip


def supershare(rng: np.random.Generator, w: World) -> Any:
    low, high = sorted((near(rng, w), near(rng, w)))
    return inst.Supershare(low=low, high=high, tau=w.tau)


def power(rng: np.random.Generator, w: World) -> Any:
    p = float(rng.choice([0.5, 2.0, 1.5]))
    return inst.Power(strike=near(rng, w) ** p, power=p, tau=w.tau, **_side(rng))


def corridor_swap(rng: np.random.Generator, w: World) -> Any:
    low, high = sorted((near(rng, w), near(rng, w)))
    return inst.CorridorVarianceSwap(strike=0.0, low=low if _coin(rng) else None, high=high, tau=w.tau,
                                     n_observations=int(rng.choice([5, 20])) if _coin(rng) else None)  # fmt: skip


def _steps(w: World) -> int:
    """Looks a year, so that a note has about 20, or fewer in a short life."""
    return min(max(1, round(20.0 / w.tau)), 10_000)


def autocallable(rng: np.random.Generator, w: World) -> Any:
    width = min(w.std, 1.0)
    return inst.Autocallable(initial=SPOT, observations=_even(rng, w, 6), knock_out=float(np.exp(0.3 * width)),
                             coupon=0.05, knock_in=float(np.exp(-width * rng.uniform(0.05, 1.5))),
                             knock_in_daily=False)  # fmt: skip


def shark_fin(rng: np.random.Generator, w: World) -> Any:
    width = min(w.std, 1.5)
    return inst.SharkFin(initial=SPOT, strike=1.0, barrier=float(np.exp(width * rng.uniform(0.05, 2.0))), rebate=0.02,
                         tau=w.tau, steps_per_year=_steps(w))  # fmt: skip


def range_accrual(rng: np.random.Generator, w: World) -> Any:
    width = min(w.std, 1.5)
    return inst.RangeAccrual(initial=SPOT, low=float(np.exp(-width)), high=float(np.exp(width)), rate=0.05, tau=w.tau,
                             steps_per_year=_steps(w))  # fmt: skip


def double_no_touch(rng: np.random.Generator, w: World) -> Any:
    low, high = (away(rng, w, down) / SPOT for down in (True, False))
    return inst.DoubleNoTouch(
        initial=SPOT, low=low, high=min(high, 19.0), rate=0.05, tau=w.tau, steps_per_year=_steps(w)
    )


DRAWS: dict[str, Callable[[np.random.Generator, World], Any]] = {
    "European": lambda rng, w: inst.European(**_option(rng, w)),
    "American": lambda rng, w: inst.American(**_option(rng, w)),
    "Bermudan": lambda rng, w: inst.Bermudan(strike=near(rng, w), times=_even(rng, w), **_side(rng)),
    "Digital": lambda rng, w: inst.Digital(pays=str(rng.choice(["cash", "asset"])), **_option(rng, w)),
    "Barrier": barrier, "Touch": touch, "DoubleBarrier": double_barrier, "DoubleTouch": double_touch,
    "PartialBarrier": partial_barrier, "Lookback": lookback, "PartialLookback": partial_lookback, "Asian": asian,
    "Compound": compound, "Chooser": chooser,
    "ForwardStart": lambda rng, w: inst.ForwardStart(
        start=float(w.tau * rng.uniform(0.02, 0.98)), strike=min(near(rng, w) / SPOT, 19.0), tau=w.tau,
        on_return=_coin(rng), **_side(rng)),
    "Cliquet": cliquet,
    "Gap": lambda rng, w: inst.Gap(trigger=near(rng, w), **_option(rng, w)),
    "Supershare": supershare, "Power": power,
    "LogContract": lambda rng, w: inst.LogContract(strike=near(rng, w), tau=w.tau),
    "VarianceSwap": lambda rng, w: inst.VarianceSwap(
        strike=w.vol, tau=w.tau, n_observations=20 if _coin(rng) else None),
    "VolatilitySwap": lambda rng, w: inst.VolatilitySwap(strike=w.vol, tau=w.tau),
    "CorridorVarianceSwap": corridor_swap,
    "DualCurrencyDeposit": lambda rng, w: inst.DualCurrencyDeposit(strike=near(rng, w), coupon=0.05, tau=w.tau),
    "Autocallable": autocallable, "SharkFin": shark_fin, "RangeAccrual": range_accrual,
    "DoubleNoTouch": double_no_touch,
}  # fmt: skip
