"""Sobol' points against SciPy's, what a scramble must keep, and Brownian paths from both samplers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr
from scipy.stats import qmc

from research.core.random import brownian, sobol
from research.core.random.philox import philox4x32


def normals(table: Any, first: int, n: int, lanes: int = 64) -> Any:
    """Normals of each dimension, shape (n_dims, n): a plan that joins nothing."""
    dims = table.shape[0]
    order = np.zeros((dims, 3), dtype=np.int64)
    order[:, 0] = np.arange(1, dims + 1)
    weights = np.tile([0.0, 0.0, 1.0], (dims, 1))
    out = np.empty((dims, n))
    brownian.brownian_paths(table, 0, first, lanes, order, weights, out)
    return out


def scrambles(seed: int, n: int, dims: int, first: int = 0) -> Any:
    out = np.empty((n, dims, sobol.COLUMNS), dtype=np.int64)
    sobol.scramble(seed, first, sobol.directions(dims), out)
    return out


def test_plain_points_are_those_of_joe_and_kuo_in_every_dimension() -> None:
    # SciPy draws in Gray-code order: the first 256 points are the same set, point 0 the same
    ours = ndtr(normals(sobol.directions(sobol.MAX_DIMS), 0, 256))
    theirs = qmc.Sobol(sobol.MAX_DIMS, scramble=False, bits=32).random(256).T + 0.5**33
    gray = np.arange(256) ^ (np.arange(256) >> 1)
    assert np.abs(ours[:, gray] - theirs).max() < 1e-14


def test_any_slice_is_the_same_as_in_the_whole() -> None:
    table = scrambles(3, 1, 20)[0]
    whole = normals(table, 0, 1024)
    assert np.array_equal(normals(table, 512, 128, lanes=32), whole[:, 512:640])


def naive_scramble(number: int, columns: list[int]) -> int:
    """Bit by bit: row i of the matrix times the number."""
    out = 0
    for k in range(32):
        if number >> (31 - k) & 1:
            out ^= columns[k]
    return out


def test_a_scramble_is_linear_lower_triangular_with_ones_on_the_diagonal() -> None:
    identity = np.zeros((5, sobol.COLUMNS), dtype=np.int64)
    identity[:, :32] = [1 << (31 - k) for k in range(32)]
    images, found = np.empty((2, 5, sobol.COLUMNS), dtype=np.int64), scrambles(9, 2, 5)
    sobol.scramble(9, 0, identity, images)
    plain = sobol.directions(5)
    for r in range(2):
        for d in range(5):
            columns = [int(c) for c in images[r, d, :32]]
            assert all(c >> (31 - k) == 1 for k, c in enumerate(columns))
            assert [naive_scramble(int(v), columns) for v in plain[d, :32]] == found[r, d, :32].tolist()


def test_scrambled_points_keep_one_point_in_each_cell() -> None:
    table = scrambles(20260630, 3, 40)
    for r in range(3):
        u = ndtr(normals(table[r], 0, 512))
        assert all(np.unique(np.floor(row * 512)).size == 512 for row in u)
        first_two = np.floor(u[:2] * 16).astype(int)  # an elementary square of dimensions 1 and 2 holds two points
        assert (np.bincount(16 * first_two[0] + first_two[1], minlength=256) == 2).all()


def test_scrambled_points_are_uniform_over_scrambles() -> None:
    u = ndtr(normals(scrambles(4, 1, 3)[0], 0, 8, lanes=8))
    many = scrambles(4, 4000, 3)
    point = np.array([ndtr(normals(table, 0, 8, lanes=8)[:, 5]) for table in many])
    assert not np.isin(u[:, 5], point[1:]).any()
    for column in point.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-4
    assert abs(np.corrcoef(point.T) - np.eye(3)).max() < 5.0 / np.sqrt(4000)


def test_replicates_have_their_own_names() -> None:
    assert np.array_equal(scrambles(5, 4, 6)[2], scrambles(5, 1, 6, first=2)[0])
    assert not np.array_equal(scrambles(5, 1, 6), scrambles(6, 1, 6))


def test_a_smooth_integral_converges_faster_than_by_chance() -> None:
    errors = []
    for n in (256, 4096):
        means = [np.prod(1.0 + (ndtr(normals(t, 0, n)) - 0.5) / 3.0, axis=0).mean() for t in scrambles(8, 16, 6)]
        assert abs(np.mean(means) - 1.0) < 4.0 * np.std(means, ddof=1) / 4.0
        errors.append(np.std(means))
    assert errors[1] < errors[0] / 11.0  # n^-1 or better would be 16; by chance it is 4


@pytest.mark.parametrize("bridge", [True, False])
def test_paths_have_the_covariance_of_brownian_motion(bridge: bool) -> None:
    v = np.array([0.1, 0.15, 0.4, 0.9, 1.0, 1.0, 2.0])
    order, weights = brownian.plan(v, bridge)
    matrix = np.zeros((v.size + 1, v.size))
    for k, (target, left, right) in enumerate(order):
        matrix[target] = weights[k, 0] * matrix[left] + weights[k, 1] * matrix[right]
        matrix[target, k] += weights[k, 2]
    assert np.allclose(matrix[1:] @ matrix[1:].T, np.minimum.outer(v, v), atol=1e-15)
    out = np.empty((v.size, 40_000))
    brownian.brownian_paths(np.zeros((0, 33), dtype=np.int64), 3, 0, 128, order, weights, out)
    assert np.abs(np.cov(out) - np.minimum.outer(v, v)).max() < 5.0 * 2.0 * np.sqrt(2.0 / 40_000)


def box_muller(seed: int, path: int, n_steps: int) -> Any:
    """The normals of one path by NumPy: each block's words are two radii and two angles."""
    out = []
    for block in range(-(-n_steps // 4)):
        words = np.array(philox4x32(path & 0xFFFFFFFF, path >> 32, block, 0, seed & 0xFFFFFFFF, seed >> 32))
        r0, t0, r1, t1 = (words + 0.5) / 2.0**32
        for radius, turn in ((r0, t0), (r1, t1)):
            size = np.sqrt(-2.0 * np.log(radius))
            out += [size * np.sin(2.0 * np.pi * turn), size * np.cos(2.0 * np.pi * turn)]
    return np.array(out[:n_steps])


def test_philox_paths_are_sums_of_the_normals_of_their_steps() -> None:
    n = 11  # not a multiple of the four that a block makes
    order, weights = brownian.plan(np.arange(1.0, n + 1.0), False)
    out = np.empty((n, 77))
    brownian.brownian_paths(np.zeros((0, 33), dtype=np.int64), 11, 1000, 16, order, weights, out)
    for lane in (0, 1, 76):
        assert out[:, lane] == pytest.approx(np.cumsum(box_muller(11, 1000 + lane, n)), abs=1e-13)


def test_philox_paths_are_normal() -> None:
    n, paths = 8, 1 << 17
    order, weights = brownian.plan(np.arange(1.0, n + 1.0), False)
    out = np.empty((n, paths))
    brownian.brownian_paths(np.zeros((0, 33), dtype=np.int64), 5, 0, 1024, order, weights, out)
    z = np.diff(out, axis=0, prepend=0.0).ravel()
    for power, moment, spread in ((1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0), (6, 15.0, 10170.0)):
        assert abs((z**power).mean() - moment) < 4.0 * np.sqrt(spread / z.size)
    assert stats.kstest(z[::7], "norm").pvalue > 1e-4
    assert np.abs(np.corrcoef(z.reshape(n, paths)) - np.eye(n)).max() < 5.0 / np.sqrt(paths)
