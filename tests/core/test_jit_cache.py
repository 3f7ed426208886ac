"""The kernel cache cannot lie: keyed by all that a kernel imports, shared by equal checkouts, closed to other code."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import research
from research.core import _jit
from research.fingerprint import source_files

PACKAGE = Path(research.__file__).parent

CALLED = """
from research.core._jit import inlined, kernel

@inlined
def vol() -> float:
    return 0.20

@kernel
def called(x: float) -> float:
    return x * 0.20
"""
CALLER = """
from research.core._jit import kernel
from research.core.called import called, vol

@kernel
def price(x: float) -> float:
    return vol() * x + called(x)
"""
PRINT_PRICE = """
import research, sys
assert research.__file__.startswith(sys.argv[1]), research.__file__
from research.core.caller import price
value = price(100.0)
print(value, sum(price.stats.cache_hits.values()), sum(price.stats.cache_misses.values()))
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A package with the real compile policy and two small modules in its core."""
    return make_checkout(tmp_path / "one")


def make_checkout(root: Path) -> Path:
    for name in ("__init__.py", "arrays.py", "errors.py", "fingerprint.py", "core/__init__.py", "core/_jit.py"):
        target = root / "research" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PACKAGE / name, target)
    (root / "research/core/called.py").write_text(CALLED)
    (root / "research/core/caller.py").write_text(CALLER)
    return root


def run(root: Path, code: str = PRINT_PRICE, **environment: str) -> list[float]:
    cache = environment.pop("RESEARCH_CACHE", str(root.parent / "cache"))
    env = {
        **os.environ,
        "PYTHONPATH": str(root),
        "RESEARCH_CACHE": cache,
        "PYTHONDONTWRITEBYTECODE": "1",
        **environment,
    }
    done = subprocess.run([sys.executable, "-c", code, str(root)], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [float(word) for word in done.stdout.split()]


@pytest.mark.slow
def test_an_edit_in_a_called_module_reaches_the_cached_caller(checkout: Path) -> None:
    assert run(checkout) == [40.0, 0.0, 1.0]
    assert run(checkout) == [40.0, 1.0, 0.0]  # a new process finds the machine code
    called = checkout / "research/core/called.py"
    called.write_text(CALLED.replace("0.20", "0.35"))
    assert run(checkout) == [70.0, 0.0, 1.0]  # numba alone would still answer 40
    called.write_text(CALLED)
    assert run(checkout) == [40.0, 1.0, 0.0]  # and the old core finds its old code


EDIT_BETWEEN_HASH_AND_IMPORT = """
import pathlib, sys
from research.core._jit import _known_digest
_known_digest("research.core.caller")  # the sources are hashed here
called = pathlib.Path(sys.argv[1]) / "research/core/called.py"
text = called.read_text()
called.write_text(text.replace("0.20", "0.35"))
from research.core.caller import price
print(price(100.0))
called.write_text(text)
"""


@pytest.mark.slow
def test_code_compiled_while_the_core_was_being_edited_is_not_kept(checkout: Path) -> None:
    assert run(checkout, EDIT_BETWEEN_HASH_AND_IMPORT) == [70.0]
    assert run(checkout) == [40.0, 0.0, 1.0]


@pytest.mark.slow
def test_another_checkout_of_the_same_core_hits(checkout: Path, tmp_path: Path) -> None:
    assert run(checkout) == [40.0, 0.0, 1.0]
    assert run(make_checkout(tmp_path / "two")) == [40.0, 1.0, 0.0]


@pytest.mark.slow
def test_an_edit_outside_the_core_keeps_the_cache(checkout: Path) -> None:
    run(checkout)
    with open(checkout / "research/errors.py", "a") as handle:
        handle.write("# another thought\n")
    assert run(checkout) == [40.0, 1.0, 0.0]


def test_a_cache_that_cannot_be_written_costs_time_not_results(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert run(checkout, RESEARCH_CACHE=str(tmp_path / "file" / "cache"))[0] == 40.0


@pytest.mark.deep
@pytest.mark.slow
def test_another_cpu_does_not_meet_our_machine_code(checkout: Path) -> None:
    run(checkout)
    assert run(checkout, NUMBA_CPU_NAME="generic") == [40.0, 0.0, 1.0]
    assert run(checkout, NUMBA_BOUNDSCHECK="1") == [40.0, 0.0, 1.0]


def imported(path: Path) -> set[str]:
    """The modules of the core that a file imports, by the parser of Python itself."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: the key follows no relative imports"
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.startswith("research.core")}


def file_of(module: str) -> Path | None:
    """Where a module of the core stands; None for a name in a module."""
    base = PACKAGE.parent.joinpath(*module.split("."))
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)


def test_the_key_follows_every_import_of_a_kernels_module() -> None:
    modules = {path: _jit.closure(module_of(path)) for path in source_files(PACKAGE / "core")}
    for path, closure in modules.items():
        assert path in closure and PACKAGE / "core" / "_jit.py" in closure
        for name in imported(path):
            there = file_of(name)
            assert there is None or set(modules[there]) <= set(closure), f"{path} imports {name}"
    heston = modules[PACKAGE / "core" / "calibration" / "heston.py"]
    assert PACKAGE / "core" / "math" / "elementary.py" in heston
    assert PACKAGE / "core" / "pricing" / "pde.py" not in heston


def module_of(path: Path) -> str:
    """The dotted name of a source file."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.slow
def test_an_edit_elsewhere_in_the_core_keeps_the_cached_code(checkout: Path) -> None:
    (checkout / "research/core/stranger.py").write_text("RATE = 0.05\n")
    assert run(checkout) == [40.0, 0.0, 1.0]
    (checkout / "research/core/stranger.py").write_text("RATE = 0.06\n")
    assert run(checkout) == [40.0, 1.0, 0.0]


def test_code_outside_the_core_is_not_cached_under_its_key() -> None:
    def double(x: float) -> float:
        return 2.0 * x

    compiled = _jit.kernel(double)
    assert compiled(2.0) == 4.0
    assert not hasattr(compiled, "stats") or compiled.stats.cache_path is None
    _jit.KERNELS.pop(f"{__name__}.{double.__qualname__}")


def test_declaring_a_kernel_statistical_is_remembered_with_its_reason() -> None:
    def half(x: float) -> float:
        return 0.5 * x

    _jit.kernel(statistical="uses LAPACK")(half)
    info = _jit.KERNELS.pop(f"{__name__}.{half.__qualname__}")
    assert (info.kind, info.determinism, info.reason) == ("kernel", "statistical", "uses LAPACK")


FORK = """
import os, sys, threading
import numpy as np
from research.core.random.philox import fill_normals

def draw() -> bytes:
    out = np.empty((4, 20_000))
    fill_normals(1, 0, 0, 0, out)
    return out.tobytes()

here = draw()
child = os.fork()
if child == 0:
    os._exit(0 if draw() == here else 1)
assert os.waitpid(child, 0)[1] == 0
found = [b""] * 4
def work(i: int) -> None:
    for _ in range(5):
        found[i] = draw()
threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
assert all(f == here for f in found)
"""


@pytest.mark.slow
@pytest.mark.skipif(_jit.THREADING_LAYER != "tbb", reason="only TBB survives a fork and calls from several threads")
def test_parallel_kernels_work_after_a_fork_and_from_several_threads() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_kernel_from_the_cache_leaves_scipy_alone_and_blas_usable() -> None:
    text = """
import sys
from research.models import black
black.price(100.0, 100.0, 1.0, 0.2)
unwanted = ("scipy.linalg", "numpy.ma.", "numba.cpython.unicode", "numba.np.arrayobj")
assert not [name for name in sys.modules if name.startswith(unwanted)], "a first price imports what it does not use"
import numba, numpy as np
dot = numba.njit(lambda a, b: np.dot(a, b))
assert dot(np.ones((2, 2)), np.ones((2, 2)))[0, 0] == 2.0
assert hasattr(sys.modules["scipy.linalg.cython_blas"], "__pyx_capi__"), "the placeholder stayed"
"""
    for _ in range(2):  # the first may compile
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_number_written_out_does_not_compile_the_called_function_again() -> None:
    @_jit.kernel
    def more(x: int) -> int:
        return x + 1

    @_jit.kernel
    def twice(x: int) -> int:
        return more(3) + more(4) + more(x)

    assert twice(1) == 11
    assert len(more.signatures) == 1
    for func in (more, twice):
        _jit.KERNELS.pop(f"{__name__}.{func.py_func.__qualname__}")


KINDS = """
import sys, numba, numpy as np
import research.core._jit
frozen = np.ones(3)
frozen.flags.writeable = False
arrays = (np.ones(3), np.ones((2, 2), order="F"), np.ones((4, 4))[::2, ::2], np.arange(3), frozen, np.ones(2) > 0)
print([str(numba.typeof(array)) for array in arrays], "numpy.ma" in sys.modules)
import numpy.ma  # from here on it is numba's own way
print([str(numba.typeof(array)) for array in arrays], False)
try:
    numba.typeof(numpy.ma.masked_array([1.0]))
except numba.core.errors.NumbaTypeError:
    print("refused")
"""


def test_kinds_of_arrays_are_told_apart_as_by_numba() -> None:
    done = subprocess.run([sys.executable, "-c", KINDS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ours, theirs, last = done.stdout.splitlines()
    assert ours == theirs
    assert last == "refused"
    assert "readonly" in ours and "2d, F" in ours and "2d, A" in ours
