"""Sobol' points in up to 1,111 dimensions, scrambled by Matousek's random linear map and a digital shift.

A point is the XOR of the direction numbers that its index selects (natural order, not Gray code), so any slice can be
made alone. Scrambling replaces each direction number by its image under a random lower triangular bit matrix, once
for each (seed, replicate, dimension); after that a scrambled point costs what a plain one does. Every replicate is
unbiased, and the variance of a mean over 2**m points is that of Owen's scrambling.

A table of directions has shape (n_dims, 33): 32 numbers of 32 bits, then the shift. Philox stream 2**32 - 1 is kept for
scrambles.

References
----------
Sobol' (1967), "On the distribution of points in a cube", USSR Comput. Math. and Math. Phys. 7, 86-112.
Joe, Kuo (2008), SIAM J. Sci. Comput. 30, 2635 (directions).
Matousek (1998), "On the L2-discrepancy for anchored boxes", J. Complexity 14, 527-556 (linear scrambling).
Owen (2003), "Variance with alternative scramblings of digital nets", ACM TOMACS 13, 363-378.
"""

from __future__ import annotations

import base64
import functools
import zlib

import numpy as np

from research.arrays import Float1D, Int1D, Int2D, Int3D
from research.core._jit import inlined, kernel
from research.core.math._bits import from_bits, shift_left, shift_right
from research.core.random import _joe_kuo
from research.core.random.philox import philox4x32

BITS = 32
COLUMNS = BITS + 1  # directions, shift
MAX_DIMS = 1111
_LOW32 = 0xFFFFFFFF
_ONE_BITS = 0x3FF0000000000000
_HALF_ULP = 1 << 19  # the middle of a cell of width 2**-32
_STREAM = 0xFFFFFFFF  # of Philox


@functools.cache
def _packed() -> tuple[tuple[int, ...], ...]:
    """For each dimension its polynomial and first direction numbers."""
    words = np.frombuffer(zlib.decompress(base64.b64decode(_joe_kuo.PACKED)), dtype="<u2").tolist()
    rows, at = [], 0
    while at < len(words):
        degree = int(words[at]).bit_length() - 1
        rows.append(tuple(words[at : at + 1 + degree]))
        at += 1 + degree
    return tuple(rows)


def directions(n_dims: int) -> Int2D:
    """The plain table of directions, shape (n_dims, 33), shift 0; n_dims <= MAX_DIMS."""
    return _directions(n_dims).copy()


@functools.lru_cache(maxsize=64)
def _directions(n_dims: int) -> Int2D:
    table = np.zeros((n_dims, COLUMNS), dtype=np.int64)
    for d, (polynomial, *m) in enumerate(_packed()[:n_dims]):
        degree = len(m)
        m = m if degree else [1] * BITS
        for k in range(len(m), BITS):
            new = m[k - degree] ^ (m[k - degree] << degree)
            for i in range(1, degree):
                new ^= ((polynomial >> (degree - i)) & 1) * (m[k - i] << i)
            m.append(new)
        table[d, :BITS] = [m[k] << (BITS - 1 - k) for k in range(BITS)]
    return table


@inlined
def _scrambled(number: int, columns: Int1D) -> int:
    """The bit matrix times one direction number."""
    image = 0
    for k in range(32):
        image ^= columns[k] & -(shift_right(number, 31 - k) & 1)
    return image


@kernel
def scramble(seed: int, first: int, plain: Int2D, out: Int3D) -> None:
    """out[r, d] = row d of the table `plain`, shape (n_dims, 33), in replicate first + r; its shift is drawn too."""
    columns = np.empty(36, np.int64)
    for r in range(out.shape[0]):
        for d in range(plain.shape[0]):
            for block in range(9):
                four = philox4x32(d, first + r, block, _STREAM, seed & _LOW32, shift_right(seed, 32))
                for i in range(4):
                    columns[4 * block + i] = four[i]
            out[r, d, 32] = columns[32]
            for k in range(32):
                bit = shift_left(1, 31 - k)
                columns[k] = bit | (columns[k] & (bit - 1))
            for k in range(32):
                out[r, d, k] = _scrambled(plain[d, k], columns)


@inlined
def sobol_row(table: Int1D, first: int, bits: Int1D, row: Float1D) -> None:
    """row[i] = coordinate of point first + i, inside (0, 1); row.size a power of two that divides `first`."""
    start = table[32]
    for k in range(32):
        start ^= table[k] & -(shift_right(first, k) & 1)
    bits[0] = start
    done, k = 1, 0
    while done < row.size:  # the next `done` points differ from those before by one direction
        for i in range(done):
            bits[done + i] = bits[i] ^ table[k]
        done, k = 2 * done, k + 1
    for i in range(row.size):
        row[i] = from_bits(_ONE_BITS | shift_left(bits[i], 20) | _HALF_ULP) - 1.0
