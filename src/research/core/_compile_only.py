"""With RESEARCH_COMPILE_ONLY=1, importing this makes a process one that compiles and calls nothing.

numba makes every small function that a kernel takes in callable from Python: a wrapper, machine code, an address.
A process that fills the cache calls nothing, so only the kernels themselves get that; a fifth of the time is saved.
Nor do the small functions get machine code: they stand in each kernel as intermediate code. (They are optimised by
themselves all the same: without it some kernels came out at half the speed.) What all kernels share (core.math and
core.random) is compiled on import, once for all processes forked from this one.
"""

from __future__ import annotations

import gc
import importlib
import os
import pkgutil
import weakref
from typing import Any

from llvmlite.binding import ffi
from numba.core import codegen, cpu, errors, lowering

from research.core import math, random
from research.core._jit import KERNELS
from research.core._warmup import signature

_wrap = lowering.BaseLower.create_cpython_wrapper
_load = cpu.CPUContext.get_executable
_lower = lowering.BaseLower.__init__
_emit = codegen.CPUCodeLibrary._finalize_final_module
_PARTS: weakref.WeakSet[Any] = weakref.WeakSet()  # the libraries of functions that are only taken into others


def _is_called(fndesc: Any) -> bool:
    """Whether Python calls this function: a kernel, which the cache keeps with its wrapper."""
    info = KERNELS.get(f"{fndesc.modname}.{fndesc.qualname}")
    return info is not None and info.kind != "inlined"


def _create_cpython_wrapper(self: Any, release_gil: bool = False) -> None:
    if _is_called(self.fndesc):
        _wrap(self, release_gil)


def _get_executable(self: Any, library: Any, fndesc: Any, env: Any) -> Any:
    if _is_called(fndesc):
        return _load(self, library, fndesc, env)
    return [].append  # some function, different each time: numba asks for no more


def _lower_init(self: Any, context: Any, library: Any, fndesc: Any, *args: Any, **options: Any) -> None:
    if not _is_called(fndesc):
        _PARTS.add(library)
    _lower(self, context, library, fndesc, *args, **options)


def _finalize_final_module(self: Any) -> None:
    """No machine code for a part: whoever takes it in takes its intermediate code."""
    if self not in _PARTS:
        _emit(self)
        return
    self._finalize_dynamic_globals()
    self._verify_declare_only_symbols()
    self._finalized = True


def _markup(self: Any, msg: str, *_: Any, **__: Any) -> str:
    return msg


def _leave_out_reports() -> None:
    """No time is kept of each call into LLVM, and no colours are put into the reasons why a type did not fit.

    numba makes thousands of both for one kernel, and nobody reads them here.
    """
    ffi.lib._lock._cblist.clear()
    colours = type(errors.termcolor())
    if hasattr(colours, "_markup"):
        colours._markup = _markup


def _compile_shared() -> None:
    """The inlined functions of core.math and core.random, as far as their annotations say for which types."""
    for package in (math, random):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    for name, info in list(KERNELS.items()):
        if info.kind == "inlined" and name.startswith((f"{math.__name__}.", f"{random.__name__}.")):
            try:
                types = signature(info)
            except (TypeError, KeyError):  # takes what only its caller knows
                continue
            info.dispatcher.compile(types)


if os.environ.get("RESEARCH_COMPILE_ONLY") == "1":
    lowering.BaseLower.create_cpython_wrapper = _create_cpython_wrapper
    cpu.CPUContext.get_executable = _get_executable
    lowering.BaseLower.__init__ = _lower_init
    codegen.CPUCodeLibrary._finalize_final_module = _finalize_final_module
    _leave_out_reports()
    gc.set_threshold(100_000, 50, 100)  # little of what a compiler makes is garbage
    _compile_shared()
