"""The same checks for every kernel: same seed, same bits, whatever the threads, the process, the CPU."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HERE = Path(__file__).parent
SCRIPT = HERE / "run_cases.py"
SPEC = importlib.util.spec_from_file_location("conformance_run_cases", SCRIPT)
assert SPEC is not None and SPEC.loader is not None
runner: Any = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(runner)


def digests(*options: str, script: Path = SCRIPT, **environment: str) -> dict[str, list[str]]:
    """Digests of all cases from a process of their own."""
    env = {**os.environ, "NUMBA_NUM_THREADS": "4", **environment}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), *options], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def by_threads() -> dict[str, list[str]]:
    return digests("--threads", "1,2,4,4")


def differing(one: dict[str, list[str]], other: dict[str, list[str]]) -> list[str]:
    assert set(one) == set(other)
    return sorted(name for name in one if set(one[name]) != set(other[name]))


def test_every_kernel_has_a_case() -> None:
    wanted = {name for name, info in runner.load_core().items() if info.kind in ("kernel", "parallel")}
    covered = {runner.kernel_of(case) for case in runner.load_cases()}
    missing = sorted(wanted - covered)
    assert not missing, f"add cases in tests/conformance/cases/ for {missing}"


def test_every_case_names_a_kernel() -> None:
    known = runner.load_core()
    unknown = [case for case in runner.load_cases() if runner.kernel_of(case) not in known]
    assert not unknown


def test_a_case_builds_fresh_and_equal_arguments_each_time() -> None:
    for case, builder in runner.load_cases().items():
        first, second = builder(), builder()
        assert runner.digest(runner.values(None, first)) == runner.digest(runner.values(None, second)), case
        shared = [a for a in first for b in second if isinstance(a, np.ndarray) and a is b]
        assert not shared, f"{case} hands out one array twice"


def test_every_kernel_gives_the_same_bits_on_1_2_and_4_threads(by_threads: dict[str, list[str]]) -> None:
    several = sorted(name for name, found in by_threads.items() if len(set(found)) > 1)
    assert not several, f"bits change with the number of threads: {several}"


def test_every_kernel_gives_the_same_bits_in_two_processes(by_threads: dict[str, list[str]]) -> None:
    assert not differing(by_threads, digests("--threads", "2", "--reverse", NUMBA_NUM_THREADS="2"))


@pytest.mark.deep
@pytest.mark.slow
def test_every_exact_kernel_gives_the_same_bits_on_another_cpu() -> None:
    here = digests("--only-exact")
    assert not differing(here, digests("--only-exact", NUMBA_CPU_NAME="generic"))  # SSE2 only


@pytest.mark.slow
def test_every_exact_kernel_gives_the_same_bits_with_the_jit_off(by_threads: dict[str, list[str]]) -> None:
    plain = digests("--only-exact", NUMBA_DISABLE_JIT="1")
    assert not differing({name: by_threads[name] for name in plain}, plain)


BAD_CORE = """
import numpy as np
from numba import prange
from research.core._jit import KERNELS, parallel

@parallel
def racing_sum(x):
    total = 0.0
    for i in prange(x.size):
        total += x[i]
    return total

KERNELS["research.core.racing_sum"] = KERNELS.pop(f"{__name__}.racing_sum")
CASES = {"research.core.racing_sum": lambda: (np.random.default_rng(1).normal(size=100_003) ** 3,)}
"""


@pytest.mark.slow
def test_a_sum_across_threads_is_caught(tmp_path: Path) -> None:
    """The harness itself: a kernel that accumulates in prange must show up."""
    (tmp_path / "racing.py").write_text(BAD_CORE)
    found = digests("--threads", "1,2,4,2,4,2,4,2,4,2,4", str(tmp_path))  # on a busy machine one thread may do it all
    assert len(set(found["research.core.racing_sum"])) > 1
