"""Batches: rows that hold nan are marked and counted, single numbers stand for all rows, memory is used again."""

from __future__ import annotations

import numpy as np
import pytest

from research import arrays
from research.errors import InputError
from research.models import black

N = 3000


@pytest.fixture
def options():
    rng = np.random.default_rng(5)
    return {
        "forward": rng.uniform(50.0, 200.0, N),
        "strike": rng.uniform(50.0, 200.0, N),
        "tau": np.exp(rng.uniform(-9.0, 3.9, N)),
        "vol": np.exp(rng.uniform(-6.9, 1.6, N)),
        "df": rng.uniform(0.3, 1.1, N),
        "is_call": rng.random(N) < 0.5,
    }


@pytest.mark.parametrize("name", ["forward", "strike", "tau", "vol", "df"])
def test_a_row_of_nan_is_marked_and_counted_and_spoils_no_other(options, name):
    clean = black.greeks(**options, which=black.HIGHER)
    options[name][[7, 1400]] = np.nan
    with pytest.warns(RuntimeWarning, match=r"2 of 3000 rows hold nan \(the first is row 7\): their results are nan"):
        marked = black.greeks(**options, which=black.HIGHER)
    for greek, values in marked.items():
        assert np.flatnonzero(np.isnan(values)).tolist() == [7, 1400], greek
        others = np.delete(np.arange(N), [7, 1400])
        assert values[others].tobytes() == clean[greek][others].tobytes(), greek


def test_implied_vols_of_a_batch_go_round_a_row_of_nan():
    with pytest.warns(RuntimeWarning, match="1 of 3 rows hold nan"):
        vols = black.implied_vol([8.0, np.nan, 9.0], 100.0, 100.0, 1.0)
    assert np.isnan(vols).tolist() == [False, True, False]


def test_a_broken_rule_is_refused_beside_a_row_of_nan(options):
    options["vol"][3], options["strike"][5] = -0.2, np.nan
    with pytest.raises(InputError, match=r"vol must be finite and >= 0; got -0\.2 \(1 of 3000 values\)"):
        black.price(**options)


def test_single_numbers_stand_for_every_row(options):
    flat = options | {"forward": 100.0, "df": 0.95, "is_call": False}
    spread = flat | {n: np.full(N, flat[n]) for n in ("forward", "df", "is_call")}
    one, other = black.greeks(**flat, which=black.HIGHER), black.greeks(**spread, which=black.HIGHER)
    for greek in black.HIGHER:
        assert one[greek].tobytes() == other[greek].tobytes(), greek
    price = black.price(**options)
    vols = black.implied_vol(price, options["forward"], options["strike"], options["tau"], df=options["df"],
                             is_call=options["is_call"], on_error="nan")  # fmt: skip
    again = np.array([
        black.implied_vol(p, f, k, t, df=d, is_call=bool(c), on_error="nan")
        for p, f, k, t, d, c in zip(price[:50], *(options[n] for n in ("forward", "strike", "tau", "df", "is_call")))
    ])  # fmt: skip
    assert vols[:50].tobytes() == again.tobytes()


def test_a_row_does_not_depend_on_its_neighbours(options):
    whole = black.greeks(**options, which=black.HIGHER)
    for i in (0, 511, 512, 2999):
        alone = black.greeks(**{k: (bool(v[i]) if k == "is_call" else float(v[i])) for k, v in options.items()},
                             which=black.HIGHER)  # fmt: skip
        assert all(alone[g] == whole[g][i] for g in black.HIGHER)


def test_charm_and_speed_are_differences_of_delta_and_gamma():
    args = {"strike": 100.0, "vol": 0.3, "is_call": False}
    rate, e = 0.04, 1e-6
    at = lambda f, t: black.greeks(f, tau=t, df=float(np.exp(-rate * t)), **args, which=black.HIGHER)  # noqa: E731
    for f, t in ((90.0, 0.5), (110.0, 2.0)):
        charm = -(at(f, t + e)["delta"] - at(f, t - e)["delta"]) / (2 * e)
        speed = (at(f + 1e-3, t)["gamma"] - at(f - 1e-3, t)["gamma"]) / 2e-3
        assert at(f, t)["charm"] == pytest.approx(charm, rel=1e-7)
        assert at(f, t)["speed"] == pytest.approx(speed, rel=1e-6)


def test_an_unknown_greek_is_refused():
    with pytest.raises(InputError, match="which must be among price, delta"):
        black.greeks(100.0, 100.0, 1.0, 0.2, which=("price", "zomma"))


def test_memory_of_a_large_result_is_used_again_only_once_nobody_holds_it():
    first = arrays.reused(2, 200_000)
    first[:] = 1.0
    row = first[1]
    where = first.__array_interface__["data"][0]
    del first
    second = arrays.reused(2, 200_000)  # the row still holds the first
    second[:] = 2.0
    assert row[0] == 1.0
    del row
    third = arrays.reused(2, 200_000)
    assert third.__array_interface__["data"][0] == where
    assert arrays.reused(10).size == 10
