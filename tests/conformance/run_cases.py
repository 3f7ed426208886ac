"""Run every kernel on its cases and print, as JSON, a digest of all it returned and wrote.

    python run_cases.py [--threads 1,2,4] [--only-exact] [--reverse] [--save FOLDER] [CASE_FOLDER]

A case is a function without arguments that builds the positional arguments afresh. The digest covers the bits of
the return value and of every array argument after the call. nan has one digest, whatever its sign and payload,
which IEEE 754 leaves open. `--save` also keeps the values, one .npz a case.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import json
import pkgutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

CASES = Path(__file__).parent / "cases"


def load_core() -> dict[str, Any]:
    """Import every module below research.core; what `_jit` then knows, by full name."""
    import research.core
    from research.core._jit import KERNELS

    for module in pkgutil.walk_packages(research.core.__path__, "research.core."):
        importlib.import_module(module.name)
    return {name: info for name, info in KERNELS.items() if name.startswith("research.core.")}


def load_cases(folder: Path = CASES) -> dict[str, Callable[[], tuple[Any, ...]]]:
    """All CASES of the folder; a second case of one kernel has a label: "research.core.x.f[label]"."""
    found: dict[str, Callable[[], tuple[Any, ...]]] = {}
    for path in sorted(folder.glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"conformance_case_{path.stem}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name, builder in module.CASES.items():
            if name in found:
                raise KeyError(f"case '{name}' must stand in one file; got a second in {path.name}.")
            found[name] = builder
    return found


def kernel_of(case: str) -> str:
    """The kernel's name in a case's name."""
    return case.split("[", 1)[0]


def values(returned: Any, args: Iterable[Any]) -> list[np.ndarray[Any, Any]]:
    """Everything a call gives back, as arrays: the return value's parts, then the array arguments."""
    parts = returned if isinstance(returned, tuple) else (() if returned is None else (returned,))
    return [np.asarray(part) for part in (*parts, *(a for a in args if isinstance(a, np.ndarray)))]


def digest(arrays: Iterable[np.ndarray[Any, Any]]) -> str:
    """SHA-256 over kind, shape and bits. Integers are widened: with the JIT off Python chooses the type."""
    running = hashlib.sha256()
    for array in arrays:
        wide = {"f": np.float64, "c": np.complex128}.get(array.dtype.kind, np.int64)
        plain = np.array(array, dtype=wide, order="C")
        if plain.dtype.kind in "fc":
            parts = plain.reshape(-1).view(np.float64)
            parts[np.isnan(parts)] = np.nan
        running.update(f"{plain.dtype.kind}{plain.shape}".encode())
        running.update(plain.tobytes())
    return running.hexdigest()


def run(case: str, builder: Callable[[], tuple[Any, ...]], info: Any) -> list[np.ndarray[Any, Any]]:
    """One call on fresh arguments."""
    args = builder()
    with np.errstate(all="ignore"):
        return values(info.dispatcher(*args), args)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=CASES)
    parser.add_argument("--threads", default="", help="comma-separated thread counts; one digest each")
    parser.add_argument("--only-exact", action="store_true", help="leave out kernels declared statistical")
    parser.add_argument("--reverse", action="store_true", help="run the cases in the opposite order")
    parser.add_argument("--save", type=Path, help="keep the values here")
    asked = parser.parse_args()

    import numba

    load_core()
    cases = load_cases(asked.folder)
    from research.core._jit import KERNELS as kernels

    digests: dict[str, list[str]] = {}
    for index, case in enumerate(sorted(cases, reverse=asked.reverse)):
        info = kernels[kernel_of(case)]
        if asked.only_exact and info.determinism != "exact":
            continue
        for threads in map(int, asked.threads.split(",")) if asked.threads else [0]:
            if threads:
                numba.set_num_threads(threads)
            got = run(case, cases[case], info)
            digests.setdefault(case, []).append(digest(got))
        if asked.save:
            np.savez(asked.save / f"{index}.npz", *got, name=np.array(case))
    print(json.dumps(digests))


if __name__ == "__main__":
    sys.exit(main())
