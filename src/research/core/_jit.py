"""The one compile policy of the core: `@kernel`, `@inlined`, `@parallel`, and a cache that cannot lie.

No fastmath, no contraction, NumPy error model (no exceptions out of division), the GIL released. numba does
not see an edit in a module that a cached function calls (numba/numba#1833), so our cache folder is named by
the hash of the kernel's module and of every module of the core that it imports, directly or not, the numba and
llvmlite versions, Python, and the CPU: an edited module never meets old machine code, what does not use it is not
compiled again, and a second checkout with the same text shares it.

Threads come from TBB: its library survives a fork and calls from several threads, where OpenMP dies after a
fork and workqueue aborts on two threads. numba does not find the wheel's library in a virtual environment,
so it is loaded by path here.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, TypeVar, overload

import llvmlite
import numba
from numba.core import caching, config

from research.fingerprint import core_fingerprint, digest_file, digest_json

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class KernelInfo:
    """What `_jit` knows of one compiled function."""

    name: str  # "research.core.models.black.black_prices"
    kind: str  # "kernel", "inlined" or "parallel"
    determinism: str  # "exact": same bits on any CPU and thread count; "statistical": see reason
    reason: str
    dispatcher: Any


KERNELS: dict[str, KernelInfo] = {}


def cache_root() -> Path:
    """RESEARCH_CACHE, else XDG_CACHE_HOME/research, else ~/.cache/research."""
    given = os.environ.get("RESEARCH_CACHE")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path("~").expanduser() / ".cache") / "research"


# numba settings that change the machine code but not numba's own cache index
_CODEGEN = (
    "CPU_NAME",
    "CPU_FEATURES",
    "OPT",
    "LOOP_VECTORIZE",
    "SLP_VECTORIZE",
    "ENABLE_AVX",
    "BOUNDSCHECK",
    "DEBUGINFO_DEFAULT",
)


# what of the core a module's text imports: the package, and the names, which may be modules themselves
_IMPORTS = re.compile(
    r"^[ \t]*(?:from|import)[ \t]+(research\.core[\w.]*)(?:[ \t]+import[ \t]*(\([^)]*\)|[^\n]*))?", re.M
)


def closure(module: str, root: Path = Path(__file__).parent) -> tuple[Path, ...]:
    """The files of the core, sorted, that code compiled in `module` may come from: what it imports, and this file."""
    found: dict[Path, None] = {root / "_jit.py": None}
    waiting = [module]
    while waiting:
        parts = waiting.pop().split(".")[2:]
        for n in range(len(parts) + 1):  # importing a module runs the packages above it
            for path in (root.joinpath(*parts[:n], "__init__.py"), root.joinpath(*parts[:n]).with_suffix(".py")):
                if path not in found and path.is_file():
                    found[path] = None
                    for package, names in _IMPORTS.findall(path.read_text()):
                        waiting += [package, *(f"{package}.{name}" for name in re.findall(r"\w+", names))]
    return tuple(sorted(found))


def module_digest(module: str) -> str:
    """SHA-256 over the texts of `closure(module)`."""
    root = Path(__file__).parent
    return digest_json({path.relative_to(root).as_posix(): digest_file(path) for path in closure(module)})


_known_digest = functools.cache(module_digest)


def cache_key(sources: str = "") -> str:
    """What compiled code depends on: the sources (by digest, the whole core unless given), the compiler, the
    interpreter, the CPU and numba's settings."""
    from llvmlite import binding

    parts: dict[str, Any] = {
        "core": sources or core_fingerprint(),
        "numba": numba.__version__,
        "llvmlite": llvmlite.__version__,
        "python": sys.version,
        "cpu": binding.get_host_cpu_name(),
        "features": binding.get_host_cpu_features().flatten(),
        "asked": {name: str(getattr(config, name, "")) for name in _CODEGEN},
    }
    return digest_json(parts)[:24]


class _Locator(caching._CacheLocator):  # type: ignore[misc]
    """Keeps compiled kernels under a folder named by `cache_key`; the source stamp is the hash of their texts."""

    def __init__(self, py_func: Any) -> None:
        self._py_func = py_func
        self._stamp = _known_digest(py_func.__module__)
        self._folder = cache_root() / "kernels" / cache_key(self._stamp)

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return self._stamp

    def get_disambiguator(self) -> str:
        return f"{self._py_func.__module__}"

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> _Locator | None:
        locator = cls(py_func)
        try:
            locator.ensure_cache_path()
        except OSError:  # read-only home: compile without a cache
            return None
        return locator


class _Impl(caching.CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes: ClassVar = [_Locator]


@contextlib.contextmanager
def _without_blas() -> Iterator[None]:
    """numba imports scipy.linalg (0.2 s) only to learn whether BLAS is there, when it loads its first cached code.

    An empty module answers that question; it is taken away again, and whoever needs BLAS later imports the true one.
    """
    name = "scipy.linalg.cython_blas"
    if name in sys.modules or "numba.np.arraymath" in sys.modules or importlib.util.find_spec("scipy") is None:
        yield
        return
    placeholder = ModuleType(name)
    sys.modules[name] = placeholder
    try:
        importlib.import_module("numba.np.arraymath")
        yield
    finally:
        if sys.modules.get(name) is placeholder:
            del sys.modules[name]


class _Cache(caching.Cache):  # type: ignore[misc]
    _impl_class = _Impl

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """As numba's, without its import of scipy.linalg."""
        with _without_blas():
            return super().load_overload(sig, target_context)

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the code, unless its sources were edited since this process hashed them: then what was compiled may
        be of another text than the key says."""
        module = self._py_func.__module__
        if module_digest(module) == _known_digest(module):
            super().save_overload(sig, data)


def _build(func: F, kind: str, statistical: str, **options: Any) -> F:
    options |= {"error_model": "numpy", "fastmath": False, "nogil": True}
    dispatcher = numba.njit(no_cfunc_wrapper=True, **options)(func)  # no C code calls these
    name = f"{func.__module__}.{func.__qualname__}"
    inside = func.__module__.startswith("research.core.")  # the key knows the sources of the core, of nothing else
    if inside and kind != "inlined" and not config.DISABLE_JIT and not config.CACHE_LOCATOR_CLASSES:
        with contextlib.suppress(RuntimeError):  # nowhere to write: compile each time
            dispatcher._cache = _Cache(func)
    KERNELS[name] = KernelInfo(name, kind, "statistical" if statistical else "exact", statistical, dispatcher)
    return dispatcher  # type: ignore[no-any-return]


@overload
def kernel(func: F) -> F: ...
@overload
def kernel(*, statistical: str) -> Callable[[F], F]: ...
def kernel(func: Any = None, *, statistical: str = "") -> Any:
    """Compile a function called from Python. `statistical="reason"` where the bits may differ between CPUs."""
    return _decorate(func, "kernel", statistical)


@overload
def inlined(func: F) -> F: ...
@overload
def inlined(*, statistical: str) -> Callable[[F], F]: ...
def inlined(func: Any = None, *, statistical: str = "") -> Any:
    """Compile a small function that LLVM always inlines into its callers, so that their loops vectorise."""
    return _decorate(func, "inlined", statistical, forceinline=True)


@overload
def parallel(func: F) -> F: ...
@overload
def parallel(*, statistical: str) -> Callable[[F], F]: ...
def parallel(func: Any = None, *, statistical: str = "") -> Any:
    """Compile a function whose `prange` loops share the threads; it writes out[i] and never accumulates."""
    return _decorate(func, "parallel", statistical, parallel=True)


def _decorate(func: Any, kind: str, statistical: str, **options: Any) -> Any:
    if func is not None:
        return _build(func, kind, statistical, **options)
    return lambda f: _build(f, kind, statistical, **options)


def _load_tbb() -> str:
    """Load the TBB wheel's library by path; the name of the threading layer that numba will use."""
    if sys.platform.startswith("linux") and "NUMBA_THREADING_LAYER" not in os.environ:
        library = Path(sys.prefix) / "lib" / "libtbb.so.12"
        if library.is_file():
            try:
                ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
            except OSError:
                return "default"
            config.THREADING_LAYER = "tbb"
            return "tbb"
    return str(config.THREADING_LAYER)


def _whole_vectors() -> None:
    """Let LLVM use all of a 512-bit register, unless the user chose a processor himself.

    By default it keeps to half of one on Intel's processors, where a program that seldom uses the whole slows down its
    other code; here nearly all the time goes into such loops, and they gain up to a third. No bits change.
    """
    if config.CPU_NAME is None and config.CPU_FEATURES is None:
        from numba.core.codegen import get_host_cpu_features

        features = get_host_cpu_features()
        if "+avx512f" in features:
            config.CPU_FEATURES = features + ",-prefer-256-bit"


THREADING_LAYER = _load_tbb()
_whole_vectors()


def n_threads() -> int:
    """How many threads numba would use now: NUMBA_NUM_THREADS, or what set_num_threads says."""
    return int(numba.get_num_threads())
