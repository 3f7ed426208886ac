"""What compiled code may not contain; each rule is shown to catch its fault."""

from __future__ import annotations

import ast
import functools
import importlib.util
from pathlib import Path
from typing import Any

import pytest

SPEC = importlib.util.spec_from_file_location("core_rules", Path(__file__).with_name("core_rules.py"))
assert SPEC is not None and SPEC.loader is not None
rules: Any = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(rules)

CORE = Path(__file__).parents[2] / "src" / "research" / "core"
MACHINERY = {"_jit.py", "_warmup.py", "_compile_only.py", "_bits.py", "_fused.py"}  # how code is compiled, not what
SOURCES = sorted(path for path in CORE.rglob("*.py") if path.name not in MACHINERY)


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_core_keeps_the_rule(rule: Any) -> None:
    assert len(SOURCES) > 10
    broken = [
        f"{path.relative_to(CORE)}:{getattr(node, 'lineno', '?')}: {sentence}"
        for path in SOURCES
        for node, sentence in rule(tree(path))
    ]
    assert not broken, "\n".join([rule.__doc__, *broken])


def in_kernel(line: str, decorator: str = "@kernel") -> str:
    return f"{decorator}\ndef f(x: float, out: Float1D) -> float:\n    {line}\n"


def in_prange(lines: str) -> str:
    body = "".join(f"        {line}\n" for line in lines.split("; "))
    return f"@parallel\ndef f(x: Float1D, out: Float1D) -> None:\n    total = 0.0\n    for i in prange(x.size):\n{body}"


FAULTS = {
    "libm": [
        in_kernel("return math.exp(x)"),
        in_kernel("return np.log(x)"),
        "from math import sin, sqrt",
        "import cmath",
        "_C = math.log(2.0)",
        "from numpy import exp",
    ],
    "float_powers": [
        in_kernel("return x ** 0.5"),
        in_kernel("return x ** x"),
        in_kernel("x **= 1.5"),
        in_kernel("return pow(x, 2)"),
    ],
    "blas": [
        in_kernel("return x @ out"),
        in_kernel("return np.dot(x, out)"),
        in_kernel("return np.linalg.solve(x, out)"),
        in_kernel("return x.dot(out)"),
    ],
    "random_state": [in_kernel("return np.random.normal()"), "import random", "from numpy.random import default_rng"],
    "foreign_compilers": [
        "from numba import njit, prange",
        "import numba",
        in_kernel("pass", "@kernel(fastmath=True)"),
        "from numba.extending import overload",
    ],
    "sums_across_threads": [
        in_prange("total += x[i]"),
        in_prange("total = total + x[i]"),
        in_prange("total = max(total, x[i])"),
        in_prange("out[0] += x[i]"),
        in_prange("out[0] = x[i]"),
        in_prange("out[i] = x.sum()"),
        in_prange("a, total = x[i], total * x[i]"),
    ],
    "prange_outside_parallel": [in_kernel("for i in prange(3): out[i] = x"), in_kernel("return x", "@parallel")],
    "signatures": [
        "@kernel\ndef f(x: float = 1.0) -> float: ...",
        "@kernel\ndef f(x) -> float: ...",
        "@inlined\ndef f(x: float): ...",
        "@kernel\ndef f(" + ", ".join(f"a{i}: float" for i in range(13)) + ") -> float: ...",
        "@kernel\ndef f(*x: float) -> float: ...",
    ],
    "slices_filled_from_arrays": [
        in_kernel("out[:] = row"),
        in_kernel("out[1:] = out[:-1]"),
        in_kernel("out[:, 0] = row"),
    ],
    "talk": [in_kernel("raise ValueError"), in_kernel("print(x)"), in_kernel("assert x > 0.0")],
}

FINE = [
    in_kernel("return sqrt(x) + math.fabs(x) + x ** 2 + x ** -3 + 2.0 ** -53"),
    in_kernel("return math.exp(x) + x ** 0.5 + np.dot(x, x)", '@kernel(statistical="goes through BLAS")'),
    "from math import floor, sqrt\nfrom numba import prange\nimport numpy as np",
    in_prange("s = 0.0; s += x[i]; s = s * 2.0; out[i] = s; row = out[i]; row[0] = s; out[i] += 1.0"),
    in_kernel("out[:] = 0.0; out[0] = x; row = out[1:]"),
    in_kernel("total = 0.0\n    for i in range(3): total += out[i]\n    return total"),
]


@pytest.mark.parametrize(("name", "source"), [(name, source) for name, sources in FAULTS.items() for source in sources])
def test_the_rule_catches_the_fault(name: str, source: str) -> None:
    assert list(getattr(rules, name)(ast.parse(source))), source


@pytest.mark.parametrize("source", FINE)
@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_rule_lets_good_code_pass(rule: Any, source: str) -> None:
    assert not [sentence for _, sentence in rule(ast.parse(source))]


def test_statistical_needs_a_reason() -> None:
    assert list(rules.libm(ast.parse(in_kernel("return math.exp(x)", '@kernel(statistical="")'))))
