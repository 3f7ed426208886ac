"""a * b + c with one rounding (IEEE 754-2008, fusedMultiplyAdd): the same bits on every CPU, as + - * / sqrt have.

LLVM never fuses on its own here, since then the bits would depend on the processor and on the place in a loop; this
asks for it by name. Where the processor has the instruction (all since 2013) it costs as much as a product alone, so
a polynomial takes half the time and loses fewer digits; elsewhere the C library computes it exactly, slowly.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from typing import Any

import numpy as np
from numba import types
from numba.core import config
from numba.extending import intrinsic

fma: Any


def _jit_fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """LLVM's llvm.fma.f64, which vectorises."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    return types.float64(types.float64, types.float64, types.float64), build


def _py_fma() -> Any:
    """With the JIT off: the C library's, which C99 wants rounded once."""
    libm = ctypes.CDLL(ctypes.util.find_library("m"))
    libm.fma.restype, libm.fma.argtypes = ctypes.c_double, [ctypes.c_double] * 3
    compute = libm.fma

    def fma(a: float, b: float, c: float) -> np.float64:
        return np.float64(compute(a, b, c))  # a NumPy number divides by zero as compiled code does

    return fma


fma = _py_fma() if config.DISABLE_JIT else intrinsic(_jit_fma)
