"""Compile every kernel ahead of its first call, from its annotations, into the shared cache.

A kernel's annotations are its signature (`Float1D` is float64[::1], `int` is int64, ...), so nothing else has to
be listed. A stamp in the cache folder says that this core is warm on this machine.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any, get_args, get_type_hints

import numpy as np
from numba import types

import research.core
from research.core._jit import KERNELS, KernelInfo, cache_key, cache_root

_SCALARS = {float: types.float64, int: types.int64, bool: types.boolean, complex: types.complex128}
_DTYPES = {
    np.float64: types.float64, np.int64: types.int64, np.complex128: types.complex128, np.bool_: types.boolean,
    np.uint64: types.uint64, np.uint32: types.uint32, np.int8: types.int8, np.uint8: types.uint8,
}  # fmt: skip


def discover() -> dict[str, KernelInfo]:
    """Import every module of the core; the kernels called from Python, by full name."""
    for module in pkgutil.walk_packages(research.core.__path__, "research.core."):
        importlib.import_module(module.name)
    return {
        name: info for name, info in sorted(KERNELS.items()) if info.kind != "inlined" and name.startswith("research.")
    }


def _numba_type(annotation: Any) -> Any:
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    args = get_args(annotation)  # np.ndarray[tuple[int, ...], np.dtype[T]]
    if len(args) == 2 and get_args(args[0]) and get_args(args[1]):
        return types.Array(_DTYPES[get_args(args[1])[0]], len(get_args(args[0])), "C")
    raise TypeError(
        f"kernel annotations must be float, int, bool, complex or an array of arrays.py; got {annotation!r}."
    )


def signature(info: KernelInfo) -> tuple[Any, ...]:
    """The numba argument types of one kernel, read from its annotations."""
    func = info.dispatcher.py_func
    hints = get_type_hints(func)
    return tuple(_numba_type(hints[name]) for name in inspect.signature(func).parameters)


def _stamp() -> Any:
    return cache_root() / "kernels" / cache_key() / "warm.json"


def is_warm() -> int:
    """How many kernels an earlier full warm-up of this very core left in the cache; 0 when none did."""
    try:
        return int(json.loads(_stamp().read_text())["kernels"])
    except (OSError, ValueError, KeyError):
        return 0


def compile_one(name: str) -> str:
    """Compile one kernel into the cache (or load it from there); its name."""
    importlib.import_module(name.rpartition(".")[0])
    info = KERNELS[name]
    info.dispatcher.compile(signature(info))
    return name


def warm_up(*, workers: int = 2, on_done: Callable[[str], None] | None = None) -> int:
    """Compile all kernels in `workers` processes; the number compiled. Raises what a compilation raises."""
    names = list(discover())
    for name in _compiled(names, workers):
        if on_done is not None:
            on_done(name)
    path = _stamp()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"kernels": len(names)}))
    return len(names)


def _compiled(names: list[str], workers: int) -> Iterator[str]:
    if workers <= 1:
        yield from map(compile_one, names)
        return
    # spawn: a forked child would share the parent's half-started threading layer
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(compile_one, name) for name in names]):
            yield done.result()
