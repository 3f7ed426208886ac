"""Which combinations make sense: `2 * kappa * theta > sigma ** 2 and method != "fast"`, over the parameters of a point.

Arithmetic, comparisons, `and or not in`, and the functions abs, min, max, sqrt, log, exp. Read from the syntax tree;
nothing else can be written, so a sweep file cannot run code.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from research.errors import ParameterError, did_you_mean, rule

_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARE: dict[type, Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_UNARY: dict[type, Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs, "min": min, "max": max, "sqrt": math.sqrt, "log": math.log, "exp": math.exp,
}  # fmt: skip


def condition(text: str, names: Iterable[str]) -> Callable[[Mapping[str, Any]], bool]:
    """A test of a point's parameters.

    Raises
    ------
    ParameterError
        When the text is no such expression, or names what is no parameter.
    """
    known = list(names)
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise ParameterError(rule("condition", "be an expression of the parameters", text, f"{error.msg}.")) from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in known and node.id not in _FUNCTIONS:
            hint = did_you_mean(node.id, known)
            raise ParameterError(rule("condition", f"name parameters ({', '.join(known)})", node.id, hint))
    _value(tree, dict.fromkeys(known), text, dry=True)

    def holds(point: Mapping[str, Any]) -> bool:
        try:
            return bool(_value(tree, point, text))
        except (TypeError, ValueError, ArithmeticError) as error:
            shown = ", ".join(f"{k}={v}" for k, v in point.items() if k in text)
            raise ParameterError(
                rule("condition", "have a value at every point", text, f"At {shown}: {error}.")
            ) from None

    return holds


def _value(node: ast.expr, at: Mapping[str, Any], text: str, dry: bool = False) -> Any:
    """The value of the expression; `dry` only checks that every part may be written."""

    def of(part: ast.expr) -> Any:
        return _value(part, at, text, dry)

    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return at.get(node.id)
    if isinstance(node, (ast.List, ast.Tuple)):
        return [of(item) for item in node.elts]
    if isinstance(node, ast.BoolOp):
        return _both(node, of, dry)
    if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        inner = of(node.operand)
        return None if dry else _UNARY[type(node.op)](inner)
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        left, right = of(node.left), of(node.right)
        return None if dry else _BINARY[type(node.op)](left, right)
    if isinstance(node, ast.Compare) and all(type(op) in _COMPARE for op in node.ops):
        parts = [of(node.left), *map(of, node.comparators)]
        return None if dry else all(_COMPARE[type(op)](a, b) for op, a, b in zip(node.ops, parts, parts[1:]))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
        arguments = [of(item) for item in node.args]
        return None if dry or node.keywords else _FUNCTIONS[node.func.id](*arguments)
    must = "use parameters, numbers, + - * / ** %, comparisons, and/or/not, abs min max sqrt log exp"
    raise ParameterError(rule("condition", must, ast.unparse(node)))


def _both(node: ast.BoolOp, of: Callable[[ast.expr], Any], dry: bool) -> Any:
    if dry:
        return [of(part) for part in node.values] and None
    return all(of(p) for p in node.values) if isinstance(node.op, ast.And) else any(of(p) for p in node.values)
