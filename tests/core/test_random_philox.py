"""Philox against its known answers, and what a simulation relies on."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from scipy import special, stats

from research.core.random import philox

REFERENCE = Path(__file__).parents[1] / "reference" / "philox4x32_known_answers.csv"


def naive_philox(counter: list[int], key: list[int]) -> list[int]:
    """Figure 2 of the paper, word by word, in unbounded integers."""
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * counter[0], 2**32)
        high1, low1 = divmod(0xCD9E8D57 * counter[2], 2**32)
        counter = [high1 ^ counter[1] ^ key[0], low1, high0 ^ counter[3] ^ key[1], low0]
        key = [(key[0] + 0x9E3779B9) % 2**32, (key[1] + 0xBB67AE85) % 2**32]
    return counter


def naive_uniform(seed: int, stream: int, path: int, step: int) -> float:
    words = naive_philox(
        [path % 2**32, path // 2**32 % 2**32, step // 2 % 2**32, stream], [seed % 2**32, seed // 2**32 % 2**32]
    )
    high, low = words[2 * (step % 2) : 2 * (step % 2) + 2]
    return (2 * ((high % 2**20) * 2**32 + low) + 1) / 2**53


@numba.njit
def block(c0: int, c1: int, c2: int, c3: int, k0: int, k1: int) -> Any:
    return philox.philox4x32(c0, c1, c2, c3, k0, k1)


@numba.njit(error_model="numpy")
def single(seed: int, stream: int, path: int, step: int) -> Any:
    return philox.uniform(seed, stream, path, step), philox.normal(seed, stream, path, step)


def known_answers() -> list[tuple[list[int], list[int], list[int]]]:
    with open(REFERENCE) as handle:
        handle.readline()
        rows = list(csv.DictReader(handle))
    return [tuple([int(w, 16) for w in row[name].split()] for name in ("counter", "key", "answer")) for row in rows]  # type: ignore[misc]


def uniforms(shape: tuple[int, int], seed: int = 1, stream: int = 0, path: int = 0, step: int = 0) -> Any:
    out = np.full(shape, np.nan)
    philox.fill_uniforms(seed, stream, path, step, out)
    return out


def normals(shape: tuple[int, int], seed: int = 1, stream: int = 0, path: int = 0, step: int = 0) -> Any:
    out = np.full(shape, np.nan)
    philox.fill_normals(seed, stream, path, step, out)
    return out


@pytest.mark.parametrize(("counter", "key", "answer"), known_answers())
def test_block_gives_the_known_answer(counter: list[int], key: list[int], answer: list[int]) -> None:
    assert list(block(*counter, *key)) == answer
    assert naive_philox(counter, key) == answer


@pytest.mark.parametrize(
    ("seed", "stream", "path", "step"), [(1, 0, 0, 0), (-1, 7, 12, 5), (2**62 + 3, 2**32 - 1, 2**40 + 9, 2**33 - 1)]
)
def test_draws_agree_with_the_naive_twin(seed: int, stream: int, path: int, step: int) -> None:
    u, z = single(seed, stream, path, step)
    assert u == naive_uniform(seed, stream, path, step)
    assert z == pytest.approx(special.ndtri(u), rel=1e-13)


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (2, 4096), (3, 4097), (5, 1)])
@pytest.mark.parametrize("step", [0, 1, 6])
def test_fillers_give_each_draw_by_its_own_name(shape: tuple[int, int], step: int) -> None:
    u, z = uniforms(shape, 9, 4, 100, step), normals(shape, 9, 4, 100, step)
    for j, i in {(0, 0), (shape[0] - 1, shape[1] - 1), (shape[0] // 2, shape[1] // 2), (0, shape[1] - 1)}:
        assert (u[j, i], z[j, i]) == single(9, 4, 100 + i, step + j)
    assert not np.isnan(u).any() and not np.isnan(z).any()


def test_a_draw_does_not_depend_on_what_else_is_drawn() -> None:
    whole = normals((12, 9000))
    assert np.array_equal(normals((5, 777), path=4000, step=3), whole[3:8, 4000:4777])


def test_an_empty_array_stays_empty() -> None:
    assert normals((0, 5)).size == normals((3, 0)).size == 0


def test_uniforms_are_odd_multiples_of_two_to_the_minus_53() -> None:
    units = uniforms((2, 50_000)) * 2.0**53
    assert np.array_equal(units % 2.0, np.ones_like(units))
    assert units.min() >= 1.0 and units.max() <= 2.0**53 - 1.0


def test_every_bit_of_a_uniform_is_fair() -> None:
    whole = (uniforms((10, 20_000)).ravel() * 2.0**53).astype(np.int64) // 2
    for bit in range(52):
        ones = int((whole >> bit & 1).sum())
        assert abs(ones - whole.size / 2) < 4.5 * math.sqrt(whole.size / 4), bit


@pytest.mark.parametrize(("draw", "name"), [(uniforms, "uniform"), (normals, "norm")])
def test_draws_have_their_distribution(draw: Any, name: str) -> None:
    x = draw((10, 20_000), seed=20260630).ravel()
    assert stats.kstest(x, name).pvalue > 1e-4
    shifted = x - (0.5 if name == "uniform" else 0.0)
    exact = (
        {2: 1 / 12, 4: 1 / 80, 6: 1 / 448, 8: 1 / 2304} if name == "uniform" else {2: 1.0, 4: 3.0, 6: 15.0, 8: 105.0}
    )
    for power in (1, 2, 3, 4):
        error = (shifted**power).mean() - exact.get(power, 0.0)
        variance = exact[2 * power] - exact.get(power, 0.0) ** 2
        assert abs(error) < 4.5 * math.sqrt(variance / x.size), power


@pytest.mark.parametrize(
    "other",
    [{"seed": 2}, {"seed": 1 + 2**32}, {"stream": 1}, {"path": 20_000}, {"path": 2**32}, {"step": 10}, {"step": 1}],
)
def test_neighbouring_names_give_independent_draws(other: dict[str, int]) -> None:
    x, y = normals((10, 20_000)).ravel(), normals((10, 20_000), **{"seed": 1, **other}).ravel()
    assert not np.array_equal(x, y)
    n = x.size
    for a, b in ((x, y), (x * x - 1.0, y * y - 1.0)):
        assert abs((a * b).mean()) < 4.5 * math.sqrt((a * a).mean() * (b * b).mean() / n)


@pytest.mark.parametrize("lag", [1, 2, 3])
def test_neighbouring_draws_are_uncorrelated(lag: int) -> None:
    z = normals((40, 5000))
    for a, b in ((z[lag:], z[:-lag]), (z[:, lag:], z[:, :-lag])):
        assert abs((a * b).mean()) < 4.5 / math.sqrt(a.size)


def test_pairs_of_uniforms_fill_the_square_evenly() -> None:
    u = uniforms((2, 100_000))
    counts = np.histogram2d(u[0], u[1], bins=16, range=[[0.0, 1.0], [0.0, 1.0]])[0]
    assert stats.chisquare(counts.ravel()).pvalue > 1e-4


def test_tails_of_the_normals_have_their_weight() -> None:
    z = np.abs(normals((10, 100_000)))
    for level in (2.0, 3.0, 4.0):
        expected = z.size * special.erfc(level / math.sqrt(2.0))
        assert abs((z > level).sum() - expected) < 4.5 * math.sqrt(expected)
