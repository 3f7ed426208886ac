"""Philox 4x32-10: random numbers as a function of (seed, stream, path, step), Salmon, Moraes, Dror, Shaw (2011).

No state, so no order: a draw is the same whatever thread, process or block asks for it. The 64 bits of `seed`
are the key; the counter is path (64 bits), step pair (32 bits) and stream (32 bits). One block of four 32-bit
words gives two uniforms, so steps 2 j and 2 j + 1 share a block. Two draws collide only if all four numbers agree.

Valid: any int64 seed and path; 0 <= stream < 2**32; 0 <= step < 2**33.

Uniforms are the odd multiples of 2**-53, so they lie in (0, 1), 1 - u is one too, and the normals by inversion
are exactly symmetric, up to 8.2 in size.

References
----------
Salmon, Moraes, Dror, Shaw (2011), Parallel random numbers: as easy as 1, 2, 3. SC11.
"""

from __future__ import annotations

from numba import prange

from research.arrays import Float1D, Float2D
from research.core._jit import inlined, parallel
from research.core.math._bits import from_bits, shift_left, shift_right
from research.core.math.normal import norm_ppf, norm_ppf_row

Block = tuple[int, int, int, int]

_LOW32 = 0xFFFFFFFF
_M0, _M1 = 0xD2511F53, 0xCD9E8D57  # multipliers
_W0, _W1 = 0x9E3779B9, 0xBB67AE85  # key increments: golden ratio, sqrt(3) - 1
_LOW20 = 0xFFFFF
_ONE_BITS = 0x3FF0000000000000
_ALMOST_ONE = 1.0 - 2.0**-53
_TILE = 4096  # paths filled by one task


@inlined
def _round(c0: int, c1: int, c2: int, c3: int, k0: int, k1: int) -> Block:
    """One round; every word is an int64 that holds 32 bits."""
    p0, p1 = _M0 * c0, _M1 * c2
    return (
        shift_right(p1, 32) ^ c1 ^ k0,
        p1 & _LOW32,
        shift_right(p0, 32) ^ c3 ^ k1,
        p0 & _LOW32,
    )


@inlined
def philox4x32(c0: int, c1: int, c2: int, c3: int, k0: int, k1: int) -> Block:
    """Ten rounds: four random 32-bit words for counter (c0, c1, c2, c3) and key (k0, k1), all below 2**32."""
    for _ in range(10):
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _W0) & _LOW32, (k1 + _W1) & _LOW32
    return c0, c1, c2, c3


@inlined
def _uniform(high: int, low: int) -> float:
    """Two 32-bit words to an odd multiple of 2**-53."""
    return from_bits(_ONE_BITS | shift_left(high & _LOW20, 32) | low) - _ALMOST_ONE


@inlined
def uniform_pair(seed: int, stream: int, path: int, pair: int) -> tuple[float, float]:
    """The uniforms of steps 2 * pair and 2 * pair + 1, for the price of one block."""
    a, b, c, d = philox4x32(
        path & _LOW32, shift_right(path, 32), pair & _LOW32, stream & _LOW32, seed & _LOW32, shift_right(seed, 32)
    )
    return _uniform(a, b), _uniform(c, d)


@inlined
def normal_pair(seed: int, stream: int, path: int, pair: int) -> tuple[float, float]:
    """The standard normals of steps 2 * pair and 2 * pair + 1."""
    u, v = uniform_pair(seed, stream, path, pair)
    return norm_ppf(u), norm_ppf(v)


@inlined
def uniform(seed: int, stream: int, path: int, step: int) -> float:
    """Uniform on (0, 1)."""
    u, v = uniform_pair(seed, stream, path, shift_right(step, 1))
    return v if (step & 1) != 0 else u


@inlined
def normal(seed: int, stream: int, path: int, step: int) -> float:
    """Standard normal by inversion: norm_ppf(uniform(...))."""
    return norm_ppf(uniform(seed, stream, path, step))


@inlined
def _fill_tile(
    seed: int, stream: int, first_path: int, first_step: int, task: int, out: Float2D
) -> tuple[Float1D, Float1D]:
    """Fill one tile of uniforms: up to _TILE paths, two steps of one block; the rows filled (empty: outside `out`)."""
    n_steps, n_paths = out.shape
    tiles = (n_paths + _TILE - 1) // _TILE
    pair = task // tiles
    start = (task - pair * tiles) * _TILE
    stop = min(start + _TILE, n_paths)
    pair += first_step // 2
    j = 2 * pair - first_step  # row of the even step
    even = out[max(j, 0), start : (stop if j >= 0 else start)]
    odd = out[min(j + 1, n_steps - 1), start : (stop if j + 1 < n_steps else start)]
    path = first_path + start
    if even.size == odd.size:
        for i in range(even.size):
            even[i], odd[i] = uniform_pair(seed, stream, path + i, pair)
    else:
        for i in range(even.size):
            even[i] = uniform_pair(seed, stream, path + i, pair)[0]
        for i in range(odd.size):
            odd[i] = uniform_pair(seed, stream, path + i, pair)[1]
    return even, odd


@inlined
def _n_tasks(first_step: int, out: Float2D) -> int:
    """Pairs of steps times tiles of paths."""
    n_steps, n_paths = out.shape
    return ((first_step + n_steps + 1) // 2 - first_step // 2) * ((n_paths + _TILE - 1) // _TILE)


@parallel
def fill_uniforms(seed: int, stream: int, first_path: int, first_step: int, out: Float2D) -> None:
    """out[j, i] = uniform(seed, stream, first_path + i, first_step + j); shape (n_steps, n_paths), paths contiguous."""
    for task in prange(_n_tasks(first_step, out)):
        _fill_tile(seed, stream, first_path, first_step, task, out)


@parallel
def fill_normals(seed: int, stream: int, first_path: int, first_step: int, out: Float2D) -> None:
    """out[j, i] = normal(seed, stream, first_path + i, first_step + j); shape (n_steps, n_paths), paths contiguous."""
    for task in prange(_n_tasks(first_step, out)):
        even, odd = _fill_tile(seed, stream, first_path, first_step, task, out)
        norm_ppf_row(even)
        norm_ppf_row(odd)
