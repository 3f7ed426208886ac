"""Compile every kernel ahead of its first call, from its annotations, into the shared cache.

A kernel's annotations are its signature (`Float1D` is float64[::1], `int` is int64, ...), so nothing else has to
be listed. A stamp in the cache folder says that this core is warm on this machine.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.context import ForkServerContext
from typing import Any, get_args, get_type_hints

import numpy as np
from numba import types

import research.core
from research.core._jit import KERNELS, KernelInfo, cache_key, cache_root
from research.fingerprint import digest_json

_SCALARS = {float: types.float64, int: types.int64, bool: types.boolean, complex: types.complex128}
_DTYPES = {
    np.float64: types.float64, np.int64: types.int64, np.complex128: types.complex128, np.bool_: types.boolean,
    np.uint64: types.uint64, np.uint32: types.uint32, np.int8: types.int8, np.uint8: types.uint8,
}  # fmt: skip


def discover(modules: Sequence[str] = ()) -> dict[str, KernelInfo]:
    """Import `modules` (all of the core by default); the kernels called from Python that are then known, by name."""
    whole = [m.name for m in pkgutil.walk_packages(research.core.__path__, "research.core.") if "._" not in m.name]
    for name in modules or whole:
        importlib.import_module(name)
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


def _stamp(names: Sequence[str]) -> Any:
    return cache_root() / "kernels" / cache_key() / f"warm-{digest_json(sorted(names))[:12]}.json"


def is_warm(names: Sequence[str]) -> bool:
    """Whether an earlier warm-up of this very core left these kernels in the cache."""
    return _stamp(names).is_file()


def compile_one(name: str) -> str:
    """Compile one kernel into the cache (or load it from there); its name."""
    importlib.import_module(name.rpartition(".")[0])
    info = KERNELS[name]
    info.dispatcher.compile(signature(info))
    return name


def warm_up(names: Sequence[str], *, workers: int = 2, on_done: Callable[[str], None] | None = None) -> None:
    """Compile these kernels in `workers` processes. Raises what a compilation raises."""
    for name in _compiled(names, workers):
        if on_done is not None:
            on_done(name)
    path = _stamp(names)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"kernels": len(names)}))


def _compiled(names: Sequence[str], workers: int) -> Iterator[str]:
    if workers <= 1:
        yield from map(compile_one, names)
        return
    # never forked from this process: a child would share its half-started threading layer
    context = get_context("forkserver" if "forkserver" in get_all_start_methods() else "spawn")
    if isinstance(context, ForkServerContext):
        context.set_forkserver_preload(["research.core._compile_only"])
    os.environ["RESEARCH_COMPILE_ONLY"] = "1"  # for the processes started here
    try:
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            for done in as_completed([pool.submit(_compile_module, part) for part in _by_module(names)]):
                yield from done.result()
    finally:
        del os.environ["RESEARCH_COMPILE_ONLY"]


def _compile_module(names: Sequence[str]) -> list[str]:
    return [compile_one(name) for name in names]


def _by_module(names: Sequence[str]) -> list[list[str]]:
    """Kernels of one module together, since they call each other; the longest module first."""
    parts: dict[str, list[str]] = {}
    for name in names:
        parts.setdefault(name.rpartition(".")[0], []).append(name)
    return [parts[m] for m in sorted(parts, key=lambda m: -len(inspect.getsource(importlib.import_module(m))))]
