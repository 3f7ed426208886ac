"""Rules over the source of compiled code, as functions from a syntax tree to sentences about what breaks them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

MAX_ARGUMENTS = 12
DECORATORS = {"kernel", "inlined", "parallel"}
MATH_ALLOWED = {"sqrt", "fabs", "floor", "ceil", "isnan", "isinf", "isfinite", "pi", "inf", "nan"}
NUMBA_ALLOWED = {"prange"}
TRANSCENDENTAL = {
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin", "arccos", "arctan",
    "arctan2", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "power", "float_power", "pow", "cbrt", "hypot",
    "angle", "logaddexp", "sinc",
}  # fmt: skip
BLAS = {
    "dot",
    "vdot",
    "inner",
    "outer",
    "matmul",
    "tensordot",
    "einsum",
    "linalg",
    "fft",
    "convolve",
    "correlate",
    "kron",
}
REDUCTIONS = {"sum", "mean", "std", "var", "prod", "nansum", "nanmean", "average", "cumsum", "cumprod", "median"}

Found = Iterator[tuple[ast.AST, str]]


def decorator_of(function: ast.FunctionDef) -> tuple[str, bool]:
    """("kernel" | "inlined" | "parallel" | "", declared statistical?)."""
    for node in function.decorator_list:
        call = node.func if isinstance(node, ast.Call) else node
        if isinstance(call, ast.Name) and call.id in DECORATORS:
            words = node.keywords if isinstance(node, ast.Call) else []
            return call.id, any(
                word.arg == "statistical" and isinstance(word.value, ast.Constant) and bool(word.value.value)
                for word in words
            )
    return "", False


def compiled_functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, str, bool]]:
    """Every decorated function, its decorator, and whether it is declared statistical."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and decorator_of(node)[0]:
            yield node, *decorator_of(node)


def exact_nodes(tree: ast.Module) -> Iterator[ast.AST]:
    """All nodes outside functions declared statistical: constants at module level freeze into the kernels too."""
    skipped: set[ast.AST] = set()
    for function, _, statistical in compiled_functions(tree):
        if statistical:
            skipped.update(ast.walk(function))
    yield from (node for node in ast.walk(tree) if node not in skipped)


def is_module(node: ast.AST, *names: str) -> bool:
    return isinstance(node, ast.Name) and node.id in names


def libm(tree: ast.Module) -> Found:
    """Transcendental functions of the C library change bits with its version and the CPU."""
    for node in exact_nodes(tree):
        if isinstance(node, ast.Attribute) and is_module(node.value, "math") and node.attr not in MATH_ALLOWED:
            yield node, f"math.{node.attr}: use core.math"
        if isinstance(node, ast.Attribute) and is_module(node.value, "np", "numpy") and node.attr in TRANSCENDENTAL:
            yield node, f"np.{node.attr}: use core.math"
        if isinstance(node, ast.ImportFrom) and node.module in ("math", "cmath", "numpy"):
            for name in (alias.name for alias in node.names):
                allowed = (
                    name in MATH_ALLOWED
                    if node.module == "math"
                    else node.module == "numpy" and name not in TRANSCENDENTAL
                )
                if not allowed:
                    yield node, f"from {node.module} import {name}: use core.math"
        if isinstance(node, ast.Import) and any(alias.name == "cmath" for alias in node.names):
            yield node, "cmath: use core.math.complexes"


def float_powers(tree: ast.Module) -> Found:
    """x ** y goes to libm unless the exponent is a whole number written out."""
    for node in exact_nodes(tree):
        exponent = node.right if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) else None
        if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Pow):
            exponent = node.value
        if isinstance(exponent, ast.UnaryOp):
            exponent = exponent.operand
        if exponent is not None and not (isinstance(exponent, ast.Constant) and type(exponent.value) is int):
            yield node, "** with an exponent that is no integer literal: use core.math.elementary.power"
        if isinstance(node, ast.Call) and is_module(node.func, "pow"):
            yield node, "pow(): use core.math.elementary.power"


def blas(tree: ast.Module) -> Found:
    """BLAS and LAPACK change bits with the number of their threads."""
    for node in exact_nodes(tree):
        if isinstance(node, ast.MatMult):
            yield node, "@: write the loop"
        if (
            isinstance(node, ast.Attribute)
            and node.attr in BLAS
            and (is_module(node.value, "np", "numpy") or node.attr == "dot")
        ):
            yield node, f".{node.attr}: write the loop"


def random_state(tree: ast.Module) -> Found:
    """A generator with a state gives other draws in another order: use core.random.philox."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "random" and is_module(node.value, "np", "numpy"):
            yield node, "np.random: use core.random.philox"
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if (
            "random" in names
            or "numpy.random" in names
            or (isinstance(node, ast.ImportFrom) and node.module in ("random", "numpy.random"))
        ):
            yield node, "random: use core.random.philox"


def foreign_compilers(tree: ast.Module) -> Found:
    """One compile policy: research.core._jit."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (
                (node, f"import {a.name}: use research.core._jit")
                for a in node.names
                if a.name.split(".")[0] == "numba"
            )
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numba":
            for name in (alias.name for alias in node.names if alias.name not in NUMBA_ALLOWED):
                yield node, f"from {node.module} import {name}: use research.core._jit"
        if isinstance(node, ast.keyword) and node.arg == "fastmath":
            yield node, "fastmath: the order of operations is part of the result"


def _names(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def _targets(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements in order, nested blocks included."""
    for statement in body:
        yield statement
        for field in ("body", "orelse"):
            yield from _statements(getattr(statement, field, []))


def _carried(loop: ast.For) -> Found:
    """Values that one iteration of a prange hands to the next."""
    local = _targets(loop.target)
    for node in _statements(loop.body):
        if isinstance(node, ast.For):
            local |= _targets(node.target)
        elif isinstance(node, ast.AugAssign):
            target = node.target
            if isinstance(target, ast.Name) and target.id not in local:
                yield node, f"'{target.id}' accumulates across the iterations of a prange"
            if isinstance(target, ast.Subscript) and not (_names(target.slice) | _names(target.value)) & local:
                yield node, f"'{ast.unparse(target)}' accumulates across the iterations of a prange"
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            stored = set().union(*(_targets(t) for t in targets))
            read = {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
            for name in sorted((stored & read) - local):
                yield node, f"'{name}' passes from one iteration of a prange to the next"
            for target in targets:
                if isinstance(target, ast.Subscript) and not (_names(target.slice) | _names(target.value)) & local:
                    yield node, f"'{ast.unparse(target)}' is written by every iteration of a prange"
            local |= stored


def sums_across_threads(tree: ast.Module) -> Found:
    """A sum over a prange, or over an array in a @parallel function, is cut by the number of threads."""
    for function, kind, statistical in compiled_functions(tree):
        if statistical:
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.For) and isinstance(node.iter, ast.Call) and is_module(node.iter.func, "prange"):
                yield from _carried(node)
            call = node.func if kind == "parallel" and isinstance(node, ast.Call) else None
            if isinstance(call, ast.Attribute) and call.attr in REDUCTIONS:
                yield node, f".{call.attr}() in a @parallel function: sum fixed blocks in a @kernel"


def prange_outside_parallel(tree: ast.Module) -> Found:
    """prange in a function that is not @parallel runs on one thread, silently."""
    for function, kind, _ in compiled_functions(tree):
        calls = [n for n in ast.walk(function) if isinstance(n, ast.Call) and is_module(n.func, "prange")]
        if kind != "parallel":
            yield from ((call, "prange outside @parallel") for call in calls)
        elif not calls:
            yield function, f"@parallel {function.name} without a prange"


def signatures(tree: ast.Module) -> Found:
    """At most 12 arguments, all positional, all annotated, no defaults."""
    for function, _, _ in compiled_functions(tree):
        given = function.args
        if len(given.args) > MAX_ARGUMENTS:
            yield function, f"{function.name} has {len(given.args)} arguments; at most {MAX_ARGUMENTS}"
        if given.defaults or given.kwonlyargs or given.vararg or given.kwarg:
            yield function, f"{function.name} has defaults, keywords or stars"
        if function.returns is None or any(a.annotation is None for a in given.args):
            yield function, f"{function.name} must be annotated"


def _is_cut(node: ast.AST) -> bool:
    """x[:], x[a:b], x[:, j]."""
    return isinstance(node, ast.Subscript) and any(isinstance(part, ast.Slice) for part in ast.walk(node.slice))


def slices_filled_from_arrays(tree: ast.Module) -> Found:
    """Arrays are copied by `core.math.linear.copy` or a loop: out[:] = source compiles words about shapes."""
    for function, _, _ in compiled_functions(tree):
        for node in ast.walk(function):
            filled = isinstance(node, ast.Assign) and any(map(_is_cut, node.targets))
            if filled and (isinstance(node.value, ast.Name) or _is_cut(node.value)):
                yield node, f"{ast.unparse(node)} in {function.name} is a copy: use copy(source, out)"


def talk(tree: ast.Module) -> Found:
    """Kernels return codes; they neither raise nor print."""
    for function, _, _ in compiled_functions(tree):
        for node in ast.walk(function):
            if isinstance(node, (ast.Raise, ast.Try, ast.Assert, ast.With, ast.Lambda, ast.Yield)):
                yield node, f"{type(node).__name__.lower()} in a kernel"
            if isinstance(node, ast.Call) and is_module(node.func, "print", "open", "eval"):
                yield node, f"{ast.unparse(node.func)}() in a kernel"


RULES = (
    libm,
    float_powers,
    blas,
    random_state,
    foreign_compilers,
    sums_across_threads,
    prange_outside_parallel,
    signatures,
    slices_filled_from_arrays,
    talk,
)
