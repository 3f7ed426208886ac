"""Simulation on several prices: against closed forms and a plain NumPy twin; same seed, same bits; Greeks."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from scipy.stats import norm
from tests.pricing.multi_asset.worlds import PAIR, abroad, many, market, pair

from research.errors import InputError
from research.instruments import (
    Airbag,
    Autocallable,
    Basket,
    BestOf,
    DoubleNoTouch,
    Exchange,
    Phoenix,
    Quanto,
    Rainbow,
    RangeAccrual,
    Spread,
    WorstOf,
    WorstOfNote,
)
from research.market import flat_basket
from research.models import MultiAssetBlackScholes
from research.pricing import basket_greeks, multi_asset, price, worst_of

SNOWBALL = Autocallable(
    initial=100.0, observations=tuple(j / 252 for j in range(63, 253, 21)), knock_out=1.03, coupon=0.15, knock_in=0.75
)
EXACT_SNOWBALL = 98.60896  # one asset, by backward quadrature (tests/pricing/monte_carlo/twins.py)


def z_score(a: Any, b: Any) -> float:
    return float((a.value - b.value) / np.hypot(a.std_error, b.std_error))


@pytest.mark.parametrize("options", [{}, {"sampler": "philox"}, {"sampler": "philox", "antithetic": True}], ids=str)
@pytest.mark.parametrize(
    "item",
    [
        Spread(long="A", short="B", strike=5.0, tau=1.0),
        Basket(underlyings=PAIR, weights=(0.5, 0.5), strike=98.0, tau=1.0, is_call=False),
        Exchange(receive="B", give="A", tau=2.0),
        BestOf(underlyings=PAIR, strike=97.0, tau=1.0),
        WorstOf(underlyings=PAIR, strike=97.0, tau=1.0, is_call=False),
    ],
    ids=lambda item: type(item).__name__,
)
def test_simulation_agrees_with_closed_forms(item: Any, options: dict[str, Any]) -> None:
    found = price(item, pair(), market(), method="monte_carlo", n_paths=1 << 15, **options)
    assert abs(z_score(found, price(item, pair(), market()))) < 4.0
    assert 0.0 < found.std_error < 0.1


def test_a_rainbow_of_all_ranks_is_a_basket_and_of_one_rank_the_best() -> None:
    m, s = many(3)
    even = Rainbow(underlyings=m.names, rank_weights=(1.0, 1.0, 1.0), strike=290.0, tau=1.0)
    basket = Basket(underlyings=m.names, weights=(1.0, 1.0, 1.0), strike=290.0, tau=1.0)
    best = Rainbow(underlyings=m.names, rank_weights=(1.0, 0.0, 0.0), strike=100.0, tau=1.0)
    assert abs(z_score(price(even, m, s), price(basket, m, s, seed=2))) < 4.0
    assert abs(z_score(price(best, m, s), price(BestOf(underlyings=m.names, strike=100.0, tau=1.0), m, s))) < 4.0


@pytest.mark.parametrize("sampler", ["sobol", "philox"])
def test_the_worst_of_one_is_the_note_itself(sampler: str) -> None:
    model = MultiAssetBlackScholes(names=("A",), vols=[0.25], correlation=[[1.0]])
    one = WorstOfNote(underlyings=("A",), initials=(50.0,), note=SNOWBALL)
    found = price(
        one, model, flat_basket({"A": 50.0}, rate=0.03, dividend_yield=0.01), n_paths=1 << 15, sampler=sampler
    )
    assert abs(found.value - EXACT_SNOWBALL) < 4.0 * found.std_error < 0.4


def test_gaps_that_are_passed_over_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Filling every gap in finds not one knock-in more: the same bits."""
    item = WorstOfNote(underlyings=PAIR, initials=(100.0, 95.0), note=SNOWBALL)
    quick = price(item, pair(), market(), n_paths=1 << 13)
    monkeypatch.setattr(worst_of, "_CERTAIN", 1e9)
    assert price(item, pair(), market(), n_paths=1 << 13).value == quick.value


def test_perfectly_correlated_twins_are_the_note_itself() -> None:
    m = pair(1.0, (0.25, 0.25))
    item = WorstOfNote(underlyings=PAIR, initials=(100.0, 95.0), note=SNOWBALL)
    found = price(item, m, flat_basket({"A": 100.0, "B": 95.0}, rate=0.03, dividend_yield=0.01), n_paths=1 << 15)
    assert abs(found.value - EXACT_SNOWBALL) < 4.0 * found.std_error


def daily_worst(m: MultiAssetBlackScholes, s: Any, n_paths: int, n_days: int, seed: int) -> Any:
    """Worst performance on every day, shape (n_paths, n_days), all forwards and vols flat: a plain twin."""
    rng = np.random.default_rng(seed)
    factor = np.linalg.cholesky(m.correlation)
    worst = np.full((n_paths, n_days), np.inf)
    noise = rng.standard_normal((len(m.names), n_paths, n_days))
    for i, name in enumerate(m.names):
        z = np.tensordot(factor[i], noise, axes=1)
        v = m.vols[i, 0]
        drift = np.log(s.forward(name, 1.0) / s.underlying(name).spot) - 0.5 * v * v
        worst = np.minimum(worst, np.exp(np.cumsum(drift / 252 + v / np.sqrt(252) * z, axis=1)))
    return worst


@pytest.mark.parametrize("n", [2, 3])
def test_a_worst_of_snowball_agrees_with_a_plain_twin(n: int) -> None:
    m, s = many(n, 0.5) if n == 3 else (pair(0.5), market())
    item = WorstOfNote(underlyings=m.names, initials=tuple(u.spot for u in s.underlyings), note=SNOWBALL)
    found = price(item, m, s, n_paths=1 << 16)
    worst = daily_worst(m, s, 8_000, 252, 3)
    days = np.array([63 + 21 * k for k in range(10)])
    hit = worst[:, days - 1] >= 1.03
    called, first = hit.any(axis=1), days[hit.argmax(axis=1)]
    rate = -np.log(s.discount.df(1.0))
    paid = np.where((worst < 0.75).any(axis=1), np.minimum(worst[:, -1], 1.0), 1.15)
    time = np.where(called, first / 252, 1.0)
    value = 100.0 * np.where(called, 1.0 + 0.15 * time, paid) * np.exp(-rate * time)
    assert abs(found.value - value.mean()) < 4.0 * np.hypot(found.std_error, value.std() / np.sqrt(value.size))
    about = multi_asset.simulate(item, m, s, n_paths=1 << 14)
    assert about.means[1] == pytest.approx(called.mean(), abs=0.03)  # knocked out


def test_a_worst_of_phoenix_agrees_with_a_plain_twin() -> None:
    m, s = pair(0.3), market()
    days = np.array([63, 126, 189, 252])
    note = Phoenix(
        initial=1.0, observations=tuple(days / 252), knock_out=1.05, coupon_barrier=0.8, coupon=0.03, knock_in=0.7,
        memory=True,
    )  # fmt: skip
    found = price(WorstOfNote(underlyings=PAIR, initials=(100.0, 95.0), note=note), m, s, n_paths=1 << 16)
    worst, value = daily_worst(m, s, 8_000, 252, 4), np.zeros(8_000)
    alive, missed = np.ones(8_000, dtype=bool), np.zeros(8_000)
    for day in days:
        here, df = worst[:, day - 1], np.exp(-0.03 * day / 252)
        paid = alive & (here >= 0.8)
        value += np.where(paid, 100.0 * df * (0.03 + missed), 0.0)
        missed = np.where(here >= 0.8, 0.0, missed + 0.03)
        out = alive & (here >= 1.05)
        value += np.where(out, 100.0 * df, 0.0)
        alive &= ~out
    lost = (worst < 0.7).any(axis=1)
    value += np.where(alive, 100.0 * np.exp(-0.03) * np.where(lost, np.minimum(worst[:, -1], 1.0), 1.0), 0.0)
    assert abs(found.value - value.mean()) < 4.0 * np.hypot(found.std_error, value.std() / np.sqrt(value.size))


def test_flat_vols_written_as_a_term_structure_give_the_same_note() -> None:
    """The nodes become dates on which nothing happens, watched where the day is."""
    m, s = pair(0.5), market()
    tau = np.array([0.3, 100 / 252, 0.9])
    same = MultiAssetBlackScholes(names=PAIR, vols=np.repeat(m.vols, 3, axis=1), vol_tau=tau, correlation=m.correlation)
    for note in (SNOWBALL, Airbag(initial=1.0, knock_in=0.8, tau=1.0), RangeAccrual(
        initial=1.0, low=0.9, high=1.2, rate=0.05, tau=0.5, steps_per_year=52)):  # fmt: skip
        item = WorstOfNote(underlyings=PAIR, initials=(100.0, 95.0), note=note)
        plain, bent = (price(item, x, s, n_paths=1 << 13) for x in (m, same))
        assert abs(z_score(plain, bent)) < 4.0


def test_a_note_under_a_true_term_structure_of_vols_agrees_with_its_european_part() -> None:
    """Never knocked in, never called: a knock-in on the last day alone is a digital and a put on the worst."""
    m = MultiAssetBlackScholes(
        names=PAIR, vols=[[0.3, 0.2], [0.2, 0.3]], vol_tau=[0.3, 1.0], correlation=[[1.0, 0.4], [0.4, 1.0]]
    )
    s = market()
    note = Autocallable(initial=1.0, observations=(1.0,), knock_out=19.0, coupon=0.0, knock_in=0.999999,
                        knock_in_daily=False)  # fmt: skip
    found = price(WorstOfNote(underlyings=PAIR, initials=(100.0, 95.0), note=note), m, s, n_paths=1 << 16)
    put = WorstOf(underlyings=PAIR, initials=(100.0, 95.0), strike=1.0, tau=1.0, is_call=False, notional=100.0)
    exact = 100.0 * s.discount.df(1.0) - price(put, m, s).value
    assert abs(found.value - exact) < 4.0 * found.std_error + 1e-3


def test_same_seed_same_bits_at_any_number_of_threads() -> None:
    item = WorstOfNote(underlyings=PAIR, initials=(100.0, 95.0), note=SNOWBALL)
    before, found = numba.get_num_threads(), []
    for threads in (1, 2):
        numba.set_num_threads(min(threads, before))
        found.append([price(item, pair(), market(), n_paths=1 << 13, sampler=k).value for k in ("sobol", "philox")])
    numba.set_num_threads(before)
    assert found[0] == found[1]


def test_a_run_stops_at_the_standard_error() -> None:
    m, s = many(5)
    item = Basket(underlyings=m.names, weights=(0.2,) * 5, strike=100.0, tau=1.0)
    assert price(item, m, s, std_error=1e-3).std_error <= 1e-3


def test_a_breached_barrier_and_a_note_that_watches_above_are_refused() -> None:
    item = WorstOfNote(underlyings=PAIR, initials=(140.0, 95.0), note=SNOWBALL)
    with pytest.raises(InputError, match=r"spot must lie above the barrier, 75: it is breached; got 71.42"):
        price(item, pair(), market())
    with pytest.raises(InputError, match="note must be an Autocallable, Phoenix, Airbag"):
        WorstOfNote(  # type: ignore[arg-type]
            underlyings=PAIR, initials=(1.0, 1.0), note=DoubleNoTouch(initial=1, low=0.9, high=1.1, rate=0.1, tau=1)
        )


def greek(frame: Any, name: str, first: str = "", second: str = "") -> Any:
    return frame[(frame.greek == name) & (frame["first"] == first) & (frame.second == second)].iloc[0]


def test_greeks_of_an_exchange_agree_with_margrabe() -> None:
    m, s = pair(), market()
    found = basket_greeks(Exchange(receive="A", give="B", tau=1.0), m, s)
    f1, f2, df = s.forward("A", 1.0), s.forward("B", 1.0), s.discount.df(1.0)
    std = np.sqrt(0.04 + 0.09 - 2 * 0.5 * 0.06)
    d1 = np.log(f1 / f2) / std + 0.5 * std
    da, db = np.exp(-0.01) * norm.cdf(d1), -np.exp(-0.02) * norm.cdf(d1 - std)
    vega = df * f1 * norm.pdf(d1)  # per unit of the spread's vol
    exact = [
        (("delta", "A"), da), (("delta", "B"), db),
        (("gamma", "A"), np.exp(-0.01) * norm.pdf(d1) / (100 * std)),
        (("cross gamma", "A", "B"), -np.exp(-0.01) * norm.pdf(d1) / (95 * std)),
        (("vega", "A"), vega * (0.2 - 0.15) / std), (("vega", "B"), vega * (0.3 - 0.1) / std),
        (("correlation", "A", "B"), -vega * 0.06 / std),
    ]  # fmt: skip
    for key, value in exact:
        assert greek(found, *key)["value"] == pytest.approx(value, rel=2e-5 if key[0] == "cross gamma" else 2e-6), key
    assert 100 * da + 95 * db == pytest.approx(greek(found, "value")["value"], rel=1e-12)  # homogeneous


def test_simulated_greeks_agree_with_the_closed_form() -> None:
    item = WorstOf(underlyings=PAIR, strike=97.0, tau=1.0, is_call=False)
    exact = basket_greeks(item, pair(), market())
    noisy = basket_greeks(item, pair(), market(), method="monte_carlo", n_paths=1 << 16, spot_bump=0.005)
    assert (exact["std_error"] == 0.0).all()
    z = (noisy["value"] - exact["value"]) / (noisy["std_error"] + 2e-4 * exact["value"].abs())  # and the bumps' bias
    assert z.abs().max() < 4.0


def test_correlation_at_its_bound_is_bumped_inwards_and_a_quanto_has_a_cross_vega() -> None:
    edge = basket_greeks(Spread(long="A", short="B", strike=5.0, tau=1.0), pair(1.0), market())
    near = basket_greeks(Spread(long="A", short="B", strike=5.0, tau=1.0), pair(0.995), market())
    rho = [greek(f, "correlation", "A", "B")["value"] for f in (edge, near)]
    assert rho[0] == pytest.approx(rho[1], rel=0.1) and rho[0] < 0.0
    m, s = abroad()
    found = basket_greeks(Quanto(underlying="SPX", strike=5000.0, tau=1.0), m, s)
    delta = greek(found, "delta", "SPX")["value"]
    drift = -0.18 * 0.06 * 5000.0 * delta  # the forward falls with the correlation
    assert greek(found, "correlation", "SPX", "USDCNY")["value"] == pytest.approx(drift, rel=1e-6)
