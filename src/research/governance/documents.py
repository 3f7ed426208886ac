"""Read a governance file (YAML 1.2) into its checked form; what is wrong is said in one line with the place."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from research.errors import InputError, ProjectError, did_you_mean

M = TypeVar("M", bound="Document")


class Document(BaseModel):
    """Base of every governance document: frozen, and an unknown word is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


def _names(model: Any) -> list[str]:
    """Field names of a document and of the documents inside it, for suggestions."""
    found = list(model.model_fields)
    for field in model.model_fields.values():
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found += _names(kind)
    return found


def _sentence(path: Path, model: type[BaseModel], error: ValidationError) -> str:
    first, more = error.errors()[0], error.error_count() - 1
    place = ".".join(map(str, first["loc"])) or "the document"
    hint = ""
    if first["type"] == "extra_forbidden":
        rule = "be a known name"
        hint = " " + did_you_mean(first["loc"][-1], _names(model))
    elif first["type"] == "missing":
        return f"{place} must be given in {path.name}." + (f" And {more} more." if more else "")
    else:
        text = first["msg"].removeprefix("Value error, ").removeprefix("Input should ").rstrip(".")
        rule = text if text.startswith("be ") else f"hold: {text}"
    value = first["loc"][-1] if first["type"] == "extra_forbidden" else first["input"]
    return f"{place} in {path.name} must {rule}; got {value!r}.{hint.rstrip()}" + (f" And {more} more." if more else "")


def parse(path: Path) -> Any:
    """The plain content of a YAML 1.2 file; not to be changed."""
    from ruamel.yaml.error import YAMLError

    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ProjectError(f"governance file must exist; got no {path.parent.name}/{path.name}.") from None
    except YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = f" line {line + 1}" if line is not None else ""
        raise ProjectError(f"{path.name} must be YAML; got {getattr(error, 'problem', error)}{where}.") from None


@functools.lru_cache(maxsize=32)
def _parsed(text: str) -> Any:
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(text)


def read(path: Path, model: type[M]) -> M:
    """The checked document in `path`."""
    content = parse(path)
    if not isinstance(content, dict):
        raise InputError(f"{path.name} must hold names and values; got {type(content).__name__}.")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InputError(_sentence(path, model, error)) from None
