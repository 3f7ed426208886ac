"""The bits of a float64 as an int64, and back: what exponent arithmetic without libm needs.

Compiled, each function is one LLVM instruction and vectorises. With the JIT off the same names are plain
Python, so that every kernel still runs.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import config
from numba.extending import intrinsic

from research.core._jit import inlined

_MASK = (1 << 64) - 1


def _signed(bits: int) -> int:
    bits &= _MASK
    return bits - (1 << 64) if bits >> 63 else bits


def _py_to_bits(x: float) -> int:
    return int(struct.unpack("<q", struct.pack("<d", x))[0])


def _py_from_bits(bits: int) -> np.float64:  # a NumPy number divides by zero as compiled code does
    return np.float64(struct.unpack("<d", struct.pack("<Q", int(bits) & _MASK))[0])


def _py_shift_right(bits: int, n: int) -> int:
    return _signed((int(bits) & _MASK) >> int(n))


def _py_shift_left(bits: int, n: int) -> int:
    return _signed(int(bits) << int(n))


def _jit_to_bits(typing_context: Any, x: Any) -> Any:
    """float64 -> int64 with the same bits."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), build


def _jit_from_bits(typing_context: Any, bits: Any) -> Any:
    """int64 -> float64 with the same bits."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), build


def _jit_shift_right(typing_context: Any, bits: Any, n: Any) -> Any:
    """Logical shift: zeros come in from the left (an arithmetic shift of int64 does not vectorise on AVX2)."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.lshr(args[0], args[1])

    return types.int64(types.int64, types.int64), build


def _jit_shift_left(typing_context: Any, bits: Any, n: Any) -> Any:
    """Shift left modulo 2**64."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.shl(args[0], args[1])

    return types.int64(types.int64, types.int64), build


to_bits: Any
from_bits: Any
shift_right: Any
shift_left: Any
if config.DISABLE_JIT:
    to_bits, from_bits, shift_right, shift_left = _py_to_bits, _py_from_bits, _py_shift_right, _py_shift_left
else:
    to_bits, from_bits = intrinsic(_jit_to_bits), intrinsic(_jit_from_bits)
    shift_right, shift_left = intrinsic(_jit_shift_right), intrinsic(_jit_shift_left)

_SIGN = -0x8000000000000000
_MAGNITUDE = 0x7FFFFFFFFFFFFFFF


@inlined
def copysign(size: float, sign: float) -> float:
    """abs(size) with the sign bit of `sign`."""
    return from_bits((to_bits(size) & _MAGNITUDE) | (to_bits(sign) & _SIGN))
