"""`research new`: a notebook that runs at once, its test, and its stage in the pipeline."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from research.errors import InputError, ProjectError, RunError, rule
from research.lab.templates import TEMPLATES, TEST, Template
from research.project import Project

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")

# The rooms that a notebook's imports load, found by running its import statements alone.
_IMPORTS = """
import ast, json, sys
import research
for cell in json.load(open(sys.argv[1], encoding="utf-8"))["cells"]:
    if cell["cell_type"] != "code":
        continue
    for node in ast.walk(ast.parse("".join(cell["source"]))):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            exec(compile(ast.Module([node], []), "cell", "exec"))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "research":
            getattr(research, node.attr)
print(json.dumps(sorted({m.split(".")[1] for m in sys.modules if m.startswith("research.")})))
"""


@dataclass(frozen=True, slots=True)
class Made:
    """What was made; paths are relative to the project."""

    notebook: str
    test: str
    stage: str
    changed: tuple[str, ...] = ("dvc.yaml", "params.yaml")


def create(kind: str, name: str, *, owner: str = "", project: Project) -> Made:
    """Make `notebooks/KIND/NAME.ipynb`, `tests/notebooks/test_KIND_NAME.py` and the stage NAME.

    All or nothing: what is there already is refused before anything is written.

    Raises
    ------
    InputError
        When the kind is unknown, the name is no plain name, or something of this name is there.
    """
    if kind not in TEMPLATES:
        raise InputError(rule("kind", f"be one of {', '.join(TEMPLATES)}", kind))
    if not _NAME.match(name):
        raise InputError(rule("name", "be lower-case letters, digits and _", name, "Such as sabr_surface."))
    made = Made(f"notebooks/{kind}/{name}.ipynb", f"tests/notebooks/test_{kind}_{name}.py", name)
    pipeline, params = (_Yaml(project.root / file) for file in ("dvc.yaml", "params.yaml"))
    for path in (made.notebook, made.test):
        if (project.root / path).exists():
            raise InputError(f"{path} must not be there yet; it is. Choose another name.")
    if name in pipeline.value["stages"] or name in params.value:
        raise InputError(f"stage {name} must not be in dvc.yaml yet; it is. Choose another name.")
    template = TEMPLATES[kind]
    data = _path_of(template.dataset, project)
    notebook = _notebook(project, template, name, owner or "who answers for it")
    written: list[Path] = []
    try:
        _write(project.root / made.notebook, notebook, written)
        test = TEST.format(
            title=_title(name), kind=kind, name=name, data=data, dataset=template.dataset, as_of=template.as_of
        )
        _write(project.root / made.test, test, written)
        stage = _stage(made, kind, name, data, _rooms(project, project.root / made.notebook))
        pipeline.save(lambda stages: _add_stage(stages, name, stage), "stages")
        params.save(lambda sections: _add_section(sections, name, template.as_of))
    except BaseException:
        for file in written:
            file.unlink(missing_ok=True)
        pipeline.restore()
        raise
    return made


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _write(path: Path, text: str, written: list[Path]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    written.append(path)


def _path_of(dataset: str, project: Project) -> str:
    from research.data import catalog

    return str(catalog(project)[dataset].path)


def _notebook(project: Project, template: Template, name: str, owner: str) -> str:
    from research.lab.strip import clean

    source = project.root / "notebooks" / "_template.ipynb"
    if not source.is_file():
        raise ProjectError(f"notebooks/_template.ipynb must be there; got none in {project.root}.")
    raw = json.loads(source.read_text(encoding="utf-8"))
    texts = {**template.cells, "title": f"# {_title(name)}\n\n{template.about.format(owner=owner)}"}
    for cell in raw["cells"]:
        cell["source"] = texts.pop(cell["id"], cell["source"])
    if texts:
        raise ProjectError(f"notebooks/_template.ipynb must have cells {', '.join(texts)}; got none of these ids.")
    return clean(json.dumps(raw).encode()).decode()


def _rooms(project: Project, notebook: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTS, str(notebook)], cwd=project.root, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RunError(f"{notebook.name} must import; {done.stderr.strip().splitlines()[-1]}")
    found = []
    for room in json.loads(done.stdout.splitlines()[-1]):
        path = f"src/research/{room}"
        found.append(path if (project.root / path).is_dir() else f"{path}.py")
    return sorted(found)


def _stage(made: Made, kind: str, name: str, data: str, rooms: list[str]) -> dict[str, Any]:
    results = f"pipelines/equity/results/{name}.json"
    return {
        "desc": f"{_title(name)} ({kind})",
        "cmd": f"python -m research run {made.notebook} -f params.yaml:{name} --results {results}",
        "deps": [made.notebook, data, *rooms],
        "params": [name],
        "metrics": [{results: {"cache": False}}],
    }


def _add_stage(stages: Any, name: str, stage: dict[str, Any]) -> None:
    """Before the report, which then waits for it too; with an empty line between stages as everywhere."""
    result = next(iter(stage["metrics"][0]))
    place = list(stages).index("report") if "report" in stages else len(stages)
    stages.insert(place, name, _spaced(stage))
    if "report" in stages:
        deps = stages["report"]["deps"]
        last = max((i for i, dep in enumerate(deps) if "/results/" in str(dep)), default=len(deps) - 1)
        deps.insert(last + 1, result)


def _spaced(stage: dict[str, Any]) -> Any:
    """The stage with the empty line after it that separates stages (ruamel keeps it with the last value)."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.error import CommentMark
    from ruamel.yaml.tokens import CommentToken

    result, options = next(iter(stage["metrics"][0].items()))
    last = CommentedMap(options)
    last.ca.items["cache"] = [None, None, CommentToken("\n\n", CommentMark(0), None), None]
    return CommentedMap({**stage, "metrics": CommentedSeq([CommentedMap({result: last})])})


def _add_section(sections: Any, name: str, as_of: str) -> None:
    from ruamel.yaml.scalarstring import SingleQuotedScalarString

    sections[name] = {"as_of": SingleQuotedScalarString(as_of)}


class _Yaml:
    """A YAML file that is edited without losing comments, order or quotes."""

    def __init__(self, path: Path) -> None:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        self.path = path
        self.text = path.read_text(encoding="utf-8") if path.is_file() else "{}\n"
        self.tool = YAML()
        self.tool.indent(mapping=2, sequence=4, offset=2)
        self.tool.width, self.tool.preserve_quotes = 4096, True
        try:
            self.value = self.tool.load(self.text) or {}
        except YAMLError as error:
            raise ProjectError(f"{path.name} must be YAML; {' '.join(str(error).split())}") from None

    def save(self, edit: Callable[[Any], None], key: str | None = None) -> None:
        """Edit, and write the file."""
        if key is not None and not self.value.get(key):
            from ruamel.yaml.comments import CommentedMap

            self.value[key] = CommentedMap()
        edit(self.value if key is None else self.value[key])
        out = io.StringIO()
        self.tool.dump(self.value, out)
        self.path.write_text(out.getvalue(), encoding="utf-8")

    def restore(self) -> None:
        self.path.write_text(self.text, encoding="utf-8")
