"""The `parameters` cell is the schema: annotated assignments become a pydantic model, before any kernel starts.

`read_cell(source)` parses the cell (it is never executed) and `Schema.check(values)` validates what a caller
gives. In the notebook, `params = research.parameters(globals())` in the next cell does the same to the values that
are there, whoever put them, and rebinds the names; so JupyterLab, plain papermill and `research run` agree.
"""

from __future__ import annotations

import ast
import difflib
import functools
import io
import tokenize
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from research.errors import ParameterError, did_you_mean, rule
from research.experiments.annotations import MODULES, Names, read_annotation, read_default
from research.experiments.coercion import coerce, unwrap
from research.experiments.summary import number


class Parameters(BaseModel):
    """Checked parameters: a frozen namespace, `params.n_paths`."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    def values(self) -> dict[str, Any]:
        """Names and Python values, in the order of the cell."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    def to_json(self) -> dict[str, Any]:
        """Names and JSON values: dates as ISO text."""
        return self.model_dump(mode="json")

    def __repr__(self) -> str:
        return "Parameters(" + ", ".join(f"{k}={v!r}" for k, v in self.values().items()) + ")"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One line of the cell."""

    name: str
    annotation: Any
    text: str  # the annotation as written
    default: Any
    comment: str = ""


@dataclass(frozen=True)
class Schema:
    """What a notebook takes."""

    items: tuple[Parameter, ...] = ()
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(item.name for item in self.items))

    @functools.cached_property
    def model(self) -> type[Parameters]:
        """The pydantic model of the cell."""
        fields: dict[str, Any] = {
            item.name: (item.annotation, Field(default=item.default, description=item.comment or None))
            for item in self.items
        }
        with warnings.catch_warnings():  # a parameter may be called `copy` or `json`
            warnings.simplefilter("ignore")
            return create_model("Parameters", __base__=Parameters, **fields)

    def check(self, given: Mapping[str, Any]) -> Parameters:
        """The parameters of a run: defaults, overruled by `given`, coerced and validated.

        Raises
        ------
        ParameterError
            On the first unknown name, wrong type, or value out of range.
        """
        for name in given:
            if name not in self.names:
                raise ParameterError(unknown_name(str(name), self.names))
        values = {item.name: coerce(item.annotation, given.get(item.name, item.default)) for item in self.items}
        try:
            return self.model(**values)
        except ValidationError as error:
            raise ParameterError(_sentence(error, {item.name: item for item in self.items})) from None


def unknown_name(name: str, known: tuple[str, ...]) -> str:
    """The refusal of a name that is not there, with the nearest one."""
    if not known:
        return rule("parameter", "not be given to a notebook without parameters", name)
    return rule("parameter", f"be one of {', '.join(known)}", name, did_you_mean(name, known, cutoff=0.5))


_RULES = {
    "greater_than": "be > {gt}",
    "greater_than_equal": "be >= {ge}",
    "less_than": "be < {lt}",
    "less_than_equal": "be <= {le}",
    "multiple_of": "be a multiple of {multiple_of}",
    "finite_number": "be finite",
    "too_short": "have at least {min_length} items",
    "too_long": "have at most {max_length} items",
    "string_too_short": "have at least {min_length} characters",
    "string_too_long": "have at most {max_length} characters",
}


def _sentence(error: ValidationError, items: Mapping[str, Parameter]) -> str:
    first = error.errors()[0]
    name, value, context = str(first["loc"][0]), first["input"], first.get("ctx", {})
    item, where = items[name], "".join(f"[{part}]" for part in first["loc"][1:] if isinstance(part, int))
    if first["type"] in _RULES:
        bounds = {key: number(bound) if isinstance(bound, float) else bound for key, bound in context.items()}
        return rule(name + where, _RULES[first["type"]].format(**bounds), value)
    if first["type"] == "literal_error":
        choices = [repr(c) for kind in unwrap(item.annotation) for c in getattr(kind, "__args__", ())]
        close = difflib.get_close_matches(repr(value), choices, n=1)
        return rule(
            name + where, f"be one of {', '.join(choices)}", value, f"Did you mean {close[0]}?" if close else ""
        )
    hint = "Write it as 2002-07-05." if "date" in item.text and "list" not in item.text else ""
    kind = _plain_kind(item.text)
    return rule(name, f"be {_article(kind)} {kind}", value, hint)


def _plain_kind(text: str) -> str:
    """The annotation without its constraints: `Annotated[float, Gt(0)]` is a float."""
    node = ast.parse(text, mode="eval").body
    if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("Annotated"):
        return ast.unparse(node.slice.elts[0]) if isinstance(node.slice, ast.Tuple) else text
    return text


def _article(text: str) -> str:
    return "an" if text[:1].lower() in "aeiou" else "a"


@functools.lru_cache(maxsize=32)  # a model takes 5 ms to make; a sweep asks for the same one at every point
def read_cell(source: str) -> Schema:
    """The schema that the source of a parameters cell stands for.

    Examples
    --------
    >>> read_cell("n_paths: int = 100_000  # paths").check({"n_paths": "5e4"}).n_paths
    50000
    """
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        text = (error.text or "").strip()
        raise ParameterError(
            rule("parameters cell", "be valid Python", text, f"{error.msg}, line {error.lineno}.")
        ) from None
    names, comments, items = Names(), _comments(source), list[Parameter]()
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            if not names.add_import(node):
                must = "import only from typing, datetime and annotated_types"
                raise ParameterError(rule("parameters cell", must, ast.unparse(node), "Move it to the next cell."))
        elif isinstance(node, ast.AnnAssign):
            items.append(_parameter(node, names, comments))
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            _refuse(node)
    doubles = [item.name for i, item in enumerate(items) if item.name in {other.name for other in items[:i]}]
    if doubles:
        raise ParameterError(rule("parameters cell", "assign each name once", doubles[0]))
    return Schema(tuple(items))


def _refuse(node: ast.stmt) -> None:
    text = ast.unparse(node).splitlines()[0]
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        name = node.targets[0].id
        value = node.value.value if isinstance(node.value, ast.Constant) else None
        kind = type(value).__name__ if value is not None else "float"
        raise ParameterError(rule(name, "have a type annotation", text, f"Write {name}: {kind} = ..."))
    must = "hold only annotated assignments"
    raise ParameterError(rule("parameters cell", must, text, f"Move line {node.lineno} to the next cell."))


def _parameter(node: ast.AnnAssign, names: Names, comments: dict[int, str]) -> Parameter:
    if not isinstance(node.target, ast.Name) or node.target.id.startswith("_"):
        raise ParameterError(
            rule("parameter", "be a plain name without a leading underscore", ast.unparse(node.target))
        )
    name = node.target.id
    annotation = read_annotation(name, node.annotation, names)
    if node.value is None:
        raise ParameterError(rule(name, "have a default", ast.unparse(node), f"Write {name}: ... = VALUE."))
    default = read_default(name, node.value, names)
    text, comment = ast.unparse(node.annotation), comments.get(node.end_lineno or node.lineno, "")
    return Parameter(name=name, annotation=annotation, text=text, default=default, comment=comment)


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ").rstrip() for t in tokens if t.type == tokenize.COMMENT}


def parameters(namespace: dict[str, Any]) -> Parameters:
    """Check the parameters of the notebook that calls this, rebind their names, and return them frozen.

    Call it in the cell after the one tagged `parameters`: `params = research.parameters(globals())`. Text that a
    tool injected for a date or a number becomes one; a wrong value stops the notebook here.
    """
    schema, injected = _schema_of(namespace)
    for name in injected:
        if name not in schema.names:
            raise ParameterError(unknown_name(name, schema.names))
    checked = schema.check({name: namespace[name] for name in schema.names if name in namespace})
    namespace.update(checked.values())
    return checked


def _schema_of(namespace: Mapping[str, Any]) -> tuple[Schema, list[str]]:
    """The schema of the last parameters cell that ran here, and the names injected right after it."""
    history = [source for source in namespace.get("In", ()) if isinstance(source, str)]
    for index in range(len(history) - 1, -1, -1):
        if _looks_like_parameters(history[index]):
            following = history[index + 1] if index + 1 < len(history) else ""
            return read_cell(history[index]), _injected(following)
    return _schema_of_annotations(namespace), []


def _looks_like_parameters(source: str) -> bool:
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return False
    return any(isinstance(node, ast.AnnAssign) for node in body) and all(
        isinstance(node, (ast.AnnAssign, ast.Import, ast.ImportFrom))
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in body
    )


def _injected(source: str) -> list[str]:
    if not source.startswith("# Parameters\n"):  # what papermill writes
        return []
    body = ast.parse(source).body
    return [t.id for node in body if isinstance(node, ast.Assign) for t in node.targets if isinstance(t, ast.Name)]


def _schema_of_annotations(namespace: Mapping[str, Any]) -> Schema:
    """Outside IPython: the annotated names of the module, as they are now."""
    found = namespace.get("__annotations__", {})
    items = []
    for name, kind in found.items():
        if name in namespace and not name.startswith("_"):
            text = kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))
            if isinstance(kind, str):  # from __future__ import annotations
                kind = read_annotation(name, ast.parse(kind, mode="eval").body, _names_in(namespace))
            items.append(Parameter(name=name, annotation=kind, text=text, default=namespace[name]))
    if not items:
        must = "follow a cell of annotated assignments"
        raise ParameterError(
            rule("parameters(globals())", must, "none", "Write n_paths: int = 1000 in the cell above.")
        )
    return Schema(tuple(items))


def _names_in(namespace: Mapping[str, Any]) -> Names:
    names = Names()
    for name, module in MODULES.items():
        for alias, value in namespace.items():
            if value is module:
                names.add_import(ast.Import(names=[ast.alias(name=name, asname=alias)]))
    return names
