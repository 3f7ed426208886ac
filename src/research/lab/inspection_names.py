"""Names across cells: used before they are defined, or defined nowhere. What a fresh kernel would stumble over."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from research.lab.inspection_calls import Found

_GIVEN = {*dir(builtins), "__name__", "__file__", "__annotations__", "get_ipython", "display"}
_BLOCKS = (ast.For, ast.While, ast.If, ast.With, ast.Try, ast.AsyncFor, ast.AsyncWith, ast.Match)
_LEFTOVERS = {"_", "__", "___", "In", "Out", "_ih", "_oh", "_dh", "_i", "_ii", "_iii"}


@dataclass
class _Uses(ast.NodeVisitor):
    """Free names of a piece of code: `now` when it runs, `later` inside functions; and the names it binds."""

    now: dict[str, int] = field(default_factory=dict)  # name: line
    later: dict[str, int] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)
    scopes: list[set[str]] = field(default_factory=list)
    deferred: int = 0

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            if not any(node.id in scope for scope in self.scopes):
                (self.later if self.deferred else self.now).setdefault(node.id, node.lineno)
        elif self.scopes:
            self.scopes[-1].add(node.id)
        else:
            self.bound.add(node.id)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        (self.scopes[-1] if self.deferred and self.scopes else self.bound).add(node.target.id)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        names = {item.asname or item.name.split(".")[0] for item in node.names}
        (self.scopes[-1] if self.scopes else self.bound).update(names)

    visit_ImportFrom = visit_Import

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            (self.scopes[-1] if self.scopes else self.bound).add(node.name)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.visit(ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target))
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)  # before its targets
        for target in node.targets:
            self.visit(target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        for part in (node.annotation, node.value):
            if part is not None:
                self.visit(part)
        if node.value is not None:
            self.visit(node.target)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        for part in (node.iter, node.target, *node.body, *node.orelse):
            self.visit(part)

    visit_AsyncFor = visit_For

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in (*node.decorator_list, *node.args.defaults, *(d for d in node.args.kw_defaults if d)):
            self.visit(part)
        (self.scopes[-1] if self.scopes else self.bound).add(node.name)
        self._function(node.args, node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for part in (*node.args.defaults, *(d for d in node.args.kw_defaults if d)):
            self.visit(part)
        self._function(node.args, [node.body])

    def _function(self, args: ast.arguments, body: Sequence[ast.AST]) -> None:
        every = [*args.posonlyargs, *args.args, *args.kwonlyargs, *(a for a in (args.vararg, args.kwarg) if a)]
        local = {a.arg for a in every}
        for part in body:  # a name bound anywhere in a function is local everywhere in it
            local |= {
                n.id for n in ast.walk(part) if isinstance(n, ast.Name) and isinstance(n.ctx, (ast.Store, ast.Del))
            }
        self.scopes.append(local)
        self.deferred += 1
        for part in body:
            self.visit(part)
        self.deferred -= 1
        self.scopes.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases, *(k.value for k in node.keywords)):
            self.visit(part)
        self.scopes.append(set())
        for statement in node.body:
            self.visit(statement)
        self.scopes.pop()
        (self.scopes[-1] if self.scopes else self.bound).add(node.name)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        self.scopes.append(set())
        for loop in node.generators:
            for part in (loop.iter, loop.target, *loop.ifs):
                self.visit(part)
        for part in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
            self.visit(part)
        self.scopes.pop()

    visit_ListComp = visit_SetComp = visit_GeneratorExp = visit_DictComp = _comprehension


def hidden_state(cells: list[tuple[int, ast.Module]]) -> Iterator[tuple[int, Found]]:
    """Names that the cells above do not define; one finding per name and cell."""
    homes: dict[str, int] = {}  # name: the first cell that binds it
    uses: list[tuple[int, list[tuple[_Uses, bool]]]] = []
    star = False
    for number, tree in cells:
        pieces = []
        for statement in tree.body:
            piece = _Uses()
            piece.visit(statement)
            pieces.append((piece, isinstance(statement, _BLOCKS)))
            for name in piece.bound:
                homes.setdefault(name, number)
            star = star or any(
                isinstance(n, ast.ImportFrom) and any(i.name == "*" for i in n.names) for n in ast.walk(statement)
            )
        uses.append((number, pieces))
    known = set(_GIVEN)
    for number, pieces in uses:
        told: set[str] = set()
        for piece, is_block in pieces:
            fine = known | piece.bound if is_block else known  # a block may use what its first lines bind
            for name, line in [*piece.now.items(), *((n, k) for n, k in piece.later.items() if n not in homes)]:
                if name not in fine and name not in told and not (star and name not in homes):
                    told.add(name)
                    yield number, _found(name, line, number, homes.get(name))
            known |= piece.bound


def _found(name: str, line: int, number: int, home: int | None) -> Found:
    if name in _LEFTOVERS:
        return Found(line, "hidden state", f"{name} is whatever ran last", "Give the result a name.")
    if home is None:
        hint = "Was its cell deleted? Restart the kernel and run all cells."
        return Found(line, "hidden state", f"{name} is defined nowhere", hint)
    if home == number:
        return Found(line, "hidden state", f"{name} is used before it is defined in the same cell", "Move it up.")
    return Found(line, "hidden state", f"{name} is defined only below, in cell {home}", "Move that cell up.")
