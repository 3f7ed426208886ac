"""The small language of a parameters cell: annotations and default values, read from the syntax tree, never executed.

An annotation is one of `int float str bool date datetime`, `Literal[...]`, `list[...]`, `tuple[...]`, a union with
`|`, `Optional` or `Union`, or `Annotated[..., constraint]` with the constraints of annotated_types. A default is a
literal, a list or tuple of defaults, `date(...)`, `datetime(...)`, or plain arithmetic on numbers.
"""

from __future__ import annotations

import ast
import datetime as dt
import operator
import typing
from collections.abc import Callable
from typing import Any

import annotated_types

from research.errors import ParameterError, rule

MODULES = {"typing": typing, "datetime": dt, "annotated_types": annotated_types}
_CONSTRAINTS = ("Gt", "Ge", "Lt", "Le", "Interval", "MultipleOf", "MinLen", "MaxLen", "Len")
_BASES: dict[str, Any] = {"int": int, "float": float, "str": str, "bool": bool, "list": list, "tuple": tuple}
_KNOWN: dict[str, Any] = {
    **_BASES,
    "date": dt.date,
    "datetime": dt.datetime,
    **{name: getattr(typing, name) for name in ("Literal", "Annotated", "Optional", "Union")},
    **{name: getattr(annotated_types, name) for name in _CONSTRAINTS},
}
_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}
_ALLOWED = "int, float, str, bool, date, datetime, Literal, list, Annotated with annotated_types, or a union of them"


class Names:
    """What the names of one parameters cell stand for: the known ones, and those the cell imports."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = dict(_KNOWN)

    def add_import(self, node: ast.Import | ast.ImportFrom) -> bool:
        """Bind what an import statement binds; False when it imports anything but the three modules."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name not in MODULES:
                    return False
                self._known[alias.asname or alias.name] = MODULES[alias.name]
            return True
        if node.level or node.module not in MODULES:
            return False
        for alias in node.names:
            found = getattr(MODULES[node.module], alias.name, None)
            if found is None:
                return False
            self._known[alias.asname or alias.name] = found
        return True

    def resolve(self, node: ast.expr) -> Any:
        """The object behind `Name` or `module.Name`; None when unknown."""
        if isinstance(node, ast.Name):
            return self._known.get(node.id)
        if isinstance(node, ast.Attribute):
            owner = self.resolve(node.value)
            return getattr(owner, node.attr, None) if owner in MODULES.values() else None
        return None


def read_annotation(name: str, node: ast.expr, names: Names) -> Any:
    """The Python type that an annotation stands for."""

    def refuse() -> ParameterError:
        return ParameterError(rule(name, f"be annotated with {_ALLOWED}", ast.unparse(node)))

    def walk(part: ast.expr) -> Any:
        if isinstance(part, ast.Constant) and part.value is None:
            return type(None)
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.BitOr):
            return walk(part.left) | walk(part.right)
        if isinstance(part, ast.Subscript):
            return _subscript(part, walk, names, refuse)
        found = names.resolve(part)
        if found in (int, float, str, bool, list, tuple, dt.date, dt.datetime):
            return found
        raise refuse()

    return walk(node)


def _subscript(
    part: ast.Subscript, walk: Callable[[ast.expr], Any], names: Names, refuse: Callable[[], ParameterError]
) -> Any:
    items = list(part.slice.elts) if isinstance(part.slice, ast.Tuple) else [part.slice]
    base = names.resolve(part.value)
    if base is typing.Literal:
        return typing.Literal[tuple(_literal_item(item, refuse) for item in items)]
    if base is typing.Annotated and len(items) > 1:
        return typing.Annotated[(walk(items[0]), *(_constraint(item, names, refuse) for item in items[1:]))]
    if base is typing.Optional and len(items) == 1:
        return typing.Optional[walk(items[0])]  # noqa: UP045
    if base is typing.Union:
        return typing.Union[tuple(walk(item) for item in items)]  # noqa: UP007
    if base is list and len(items) == 1:
        return list[walk(items[0])]  # type: ignore[misc]
    if base is tuple:
        inner = tuple(... if isinstance(i, ast.Constant) and i.value is ... else walk(i) for i in items)
        return tuple[inner]  # type: ignore[valid-type]
    raise refuse()


def _literal_item(node: ast.expr, refuse: Callable[[], ParameterError]) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise refuse() from None


def _constraint(node: ast.expr, names: Names, refuse: Callable[[], ParameterError]) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value  # a unit or a remark
    kind = names.resolve(node.func) if isinstance(node, ast.Call) else None
    if isinstance(node, ast.Call) and kind in [getattr(annotated_types, c) for c in _CONSTRAINTS]:
        args = [read_default("constraint", arg, names) for arg in node.args]
        made: Any = kind
        return made(*args, **{k.arg: read_default("constraint", k.value, names) for k in node.keywords if k.arg})
    raise refuse()


def read_default(name: str, node: ast.expr, names: Names) -> Any:
    """The value of a default, computed from the syntax tree."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, (ast.List, ast.Tuple)):
        items = [read_default(name, item, names) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        value = read_default(name, node.operand, names)
        if isinstance(value, (int, float)):
            return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        left, right = read_default(name, node.left, names), read_default(name, node.right, names)
        if isinstance(left, (int, float)) and isinstance(right, (int, float)):
            return _ARITHMETIC[type(node.op)](left, right)
    if isinstance(node, ast.Call) and names.resolve(node.func) in (dt.date, dt.datetime):
        args = [read_default(name, arg, names) for arg in node.args]
        keywords = {k.arg: read_default(name, k.value, names) for k in node.keywords if k.arg}
        try:
            return names.resolve(node.func)(*args, **keywords)
        except (TypeError, ValueError) as error:
            raise ParameterError(
                rule(name, "have a valid date as its default", ast.unparse(node), f"{error}.")
            ) from None
    raise ParameterError(rule(name, "have a default that is a literal or a date", ast.unparse(node)))
