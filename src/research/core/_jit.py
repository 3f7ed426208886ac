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
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar, overload

import llvmlite
import numba
import numpy as np
from numba import types
from numba.core import caching, config, entrypoints, environment
from numba.core.runtime import rtsys
from numba.core.typing import typeof
from numba.np import numpy_support

from research.fingerprint import core_fingerprint, digest_bytes, digest_json

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


_ROOT = Path(__file__).parent
_Text = tuple[str, tuple[str, ...]]  # digest of a file; what of the core it imports


def _read(path: str) -> _Text:
    """A file's text as it stands now."""
    data = Path(path).read_bytes()
    imports = _IMPORTS.findall(data.decode())
    names = [n for package, some in imports for n in (package, *(f"{package}.{m}" for m in re.findall(r"\w+", some)))]
    return digest_bytes(data), tuple(dict.fromkeys(names))


@functools.cache
def _read_once(path: str, inode: int, size: int, changed: int) -> _Text:
    return _read(path)


def _remembered(path: str) -> _Text:
    """As `_read`, once for all modules that import the file, while it is the same."""
    seen = os.stat(path)  # noqa: PTH116 (a Path for each of hundreds of look-ups is a tenth of the first price)
    return _read_once(path, seen.st_ino, seen.st_size, seen.st_mtime_ns)


def _texts(module: str, root: Path, read: Callable[[str], _Text]) -> dict[str, str]:
    """Digests by path of the files that code compiled in `module` may come from: what it imports, and this file."""
    found = {f"{root}/_jit.py": read(f"{root}/_jit.py")[0]}
    waiting, tried = [module], {""}
    while waiting:
        name = waiting.pop()
        tried.add(name)
        base = "/".join((str(root), *name.split(".")[2:]))
        for path in (f"{base}/__init__.py", f"{base}.py"):
            if path not in found and os.path.isfile(path):  # noqa: PTH113
                found[path], imports = read(path)
                waiting += [one for one in imports if one not in tried]
        above = name.rpartition(".")[0]  # importing a module runs the packages above it
        waiting += [above] if above not in tried and above.startswith("research.core") else []
    return found


def closure(module: str, root: Path = _ROOT) -> tuple[Path, ...]:
    """The files of the core, sorted, that code compiled in `module` may come from."""
    return tuple(sorted(map(Path, _texts(module, root, _read))))


def module_digest(module: str, read: Callable[[str], _Text] = _read) -> str:
    """SHA-256 over the texts of `closure(module)`."""
    texts = _texts(module, _ROOT, read)
    return digest_json({path.removeprefix(f"{_ROOT}/"): texts[path] for path in sorted(texts)})


@functools.cache
def _known_digest(module: str) -> str:
    return module_digest(module, _remembered)


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


class _Cache(caching.Cache):  # type: ignore[misc]
    _impl_class = _Impl

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """As numba's, but that it only starts the runtime that compiled code calls: 0.3 s of imports, of what compiling
        needs, are left to the first compilation, which asks for them itself."""
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            found = self._load_overload(sig, target_context)
            if found is not None:
                return found
        entrypoints.init_all()  # what others add to numba, before the first compilation
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the code, unless its sources were edited since this process hashed them: then what was compiled may
        be of another text than the key says."""
        module = self._py_func.__module__
        if module_digest(module) == _known_digest(module):
            super().save_overload(sig, data)


def _later() -> None:
    """numba asks all installed packages for extensions before it looks for compiled code; `_Cache` asks where none is
    found, since ours takes plain arrays and numbers alone."""


def _call_template(dispatcher: Any, args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
    """As numba's, where a number that a caller writes out is one like any other.

    Else the called function is compiled again for each such number; LLVM sees them all the same.
    """
    return type(dispatcher).get_call_template(dispatcher, tuple(map(types.unliteral, args)), kws)


def _build(func: F, kind: str, statistical: str, **options: Any) -> F:
    options |= {"error_model": "numpy", "fastmath": False, "nogil": True}
    dispatcher = numba.njit(no_cfunc_wrapper=True, **options)(func)  # no C code calls these
    if not config.DISABLE_JIT:
        dispatcher.get_call_template = functools.partial(_call_template, dispatcher)
    name = f"{func.__module__}.{func.__qualname__}"
    inside = func.__module__.startswith("research.core.")  # the key knows the sources of the core, of nothing else
    if inside and kind != "inlined" and not config.DISABLE_JIT and not config.CACHE_LOCATOR_CLASSES:
        with contextlib.suppress(RuntimeError):  # nowhere to write: compile each time
            dispatcher._cache = _Cache(func)
            dispatcher._compilation_chain_init_hook = _later
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


def _light_start() -> None:
    """Leave out what numba imports for the first call of a cached kernel and that call has no use for.

    To find the type of an array it loads numpy.ma, only to see that the array is none of those. To restore the
    constants of compiled code it imports the module of each small function in it, half of numba; code without Python
    objects, all of ours, looks up none of its globals.
    """
    full, rebuild = typeof.typeof_impl.dispatch(np.ndarray), environment._rebuild_env

    def typeof_array(array: Any, context: Any) -> Any:
        if "numpy.ma" in sys.modules or type(array) is not np.ndarray or array.dtype.kind not in "fiucb":
            return full(array, context)
        layout = numpy_support.map_layout(array)
        return types.Array(numpy_support.from_dtype(array.dtype), array.ndim, layout, not array.flags.writeable)

    def rebuild_environment(module: str, constants: Any, name: str) -> Any:
        if module in sys.modules or not module.startswith("numba.") or environment.lookup_environment(name) is not None:
            return rebuild(module, constants, name)
        made = environment.Environment({"__name__": module})
        made.consts[:] = constants
        made.env_name = name
        environment.Environment._memo[name] = made
        return made

    rebuild_environment.__module__, rebuild_environment.__qualname__ = rebuild.__module__, rebuild.__qualname__
    typeof.typeof_impl.register(np.ndarray, typeof_array)
    environment._rebuild_env = rebuild_environment


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
_light_start()
_whole_vectors()


def n_threads() -> int:
    """How many threads numba would use now: NUMBA_NUM_THREADS, or what set_num_threads says."""
    return int(numba.get_num_threads())
