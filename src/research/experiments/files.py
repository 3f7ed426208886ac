"""Parameter files: YAML 1.2, where `1e-6` is a number and `no` is text. `file.yaml:section.part` takes one section."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from research.errors import ParameterError, rule


def yaml_value(text: str) -> Any:
    """The value of YAML 1.2 text, as plain Python objects."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ParameterError(rule("text", "be YAML", text, _problem(error))) from None


def _problem(error: Any) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    return (
        f"{problem or type(error).__name__}, line {mark.line + 1}." if mark is not None else str(error).splitlines()[0]
    )


def read_parameter_file(spec: str) -> dict[str, Any]:
    """The parameters in `FILE` or `FILE:SECTION`; a section may be dotted, `params.yaml:calibration.heston`."""
    name, _, section = spec.partition(":") if not Path(spec).is_file() else (spec, "", "")
    path = Path(name)
    if not path.is_file():
        raise ParameterError(rule("-f", "name a parameter file", name, "Write FILE or FILE:SECTION."))
    try:
        value = yaml_value(path.read_text(encoding="utf-8"))
    except ParameterError as error:
        raise ParameterError(str(error).replace("text must", f"{name} must", 1)) from None
    for key in section.split(".") if section else []:
        if not isinstance(value, dict) or key not in value:
            known = ", ".join(map(str, value)) if isinstance(value, dict) else "no sections"
            raise ParameterError(rule(f"section of {name}", f"be one of {known}", section))
        value = value[key]
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ParameterError(rule(spec, "hold names and values", value, "Name a section with FILE:SECTION."))
    return {str(key): item for key, item in value.items()}
