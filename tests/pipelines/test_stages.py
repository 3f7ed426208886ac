"""dvc.yaml: a stage depends on what its notebook imports and reads, and on nothing it does not."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
NOTEBOOKS = {name: m.group(1) for name, s in STAGES.items() if (m := re.search(r"research run (\S+\.ipynb)", s["cmd"]))}

# Run the notebook's import statements alone, then list what of research was loaded.
IMPORTS = """
import ast, json, sys
import research
cells = json.load(open(sys.argv[1]))["cells"]
names = set()
for cell in cells:
    if cell["cell_type"] != "code":
        continue
    tree = ast.parse("".join(cell["source"]))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            exec(compile(ast.Module([node], []), "cell", "exec"))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "research":
            getattr(research, node.attr)
print(json.dumps(sorted({m for m in sys.modules if m.startswith("research.")})))
"""


def rooms(notebook: str) -> set[str]:
    """src paths of the rooms and ground files that a notebook's imports load."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, notebook], cwd=ROOT, capture_output=True, text=True, check=True
    )
    top = {name.split(".")[1] for name in json.loads(done.stdout.splitlines()[-1])}
    return {f"src/research/{name}" + ("" if (ROOT / "src/research" / name).is_dir() else ".py") for name in top}


def test_the_pipeline_has_its_notebooks() -> None:
    assert set(NOTEBOOKS.values()) >= {
        "notebooks/calibration/svi_surface.ipynb",
        "notebooks/calibration/heston.ipynb",
        "notebooks/backtesting/value_at_risk.ipynb",
        "notebooks/validation/heston_benchmark.ipynb",
        "notebooks/validation/value_at_risk.ipynb",
        "notebooks/calibration/surface_history.ipynb",
        "notebooks/backtesting/delta_hedging.ipynb",
        "notebooks/validation/option_models.ipynb",
    }


@pytest.mark.slow
@pytest.mark.parametrize("stage", sorted(NOTEBOOKS))
def test_a_stage_depends_on_the_rooms_its_notebook_imports(stage: str) -> None:
    deps = set(STAGES[stage]["deps"])
    assert NOTEBOOKS[stage] in deps
    assert rooms(NOTEBOOKS[stage]) == {d for d in deps if d.startswith("src/")}


@pytest.mark.parametrize("stage", sorted(NOTEBOOKS))
def test_a_stage_depends_on_the_data_its_notebook_reads(stage: str) -> None:
    cells = json.loads((ROOT / NOTEBOOKS[stage]).read_text())["cells"]
    text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    catalog = yaml.safe_load((ROOT / "data/catalog.yaml").read_text())["datasets"]
    read = set(re.findall(r"data\.load\(\s*[\"']([\w/]+)[\"']", text))
    named = {PARAMS[stage].get("dataset")} - {None}
    assert read | named or stage == "option_models"  # contracts and markets are written in its room
    assert {catalog[name]["path"] for name in read | named} <= set(STAGES[stage]["deps"])


@pytest.mark.parametrize("stage", sorted(NOTEBOOKS))
def test_a_stage_takes_its_own_parameters_and_declares_its_metrics(stage: str) -> None:
    assert f"params.yaml:{stage}" in STAGES[stage]["cmd"] and stage in PARAMS
    assert STAGES[stage]["params"] == [stage]
    (metric,) = STAGES[stage]["metrics"]
    ((path, options),) = metric.items()
    assert path == f"pipelines/equity/results/{stage}.json" and options == {"cache": False}


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_what_a_stage_depends_on_exists_in_git_or_is_made_by_another_stage(stage: str) -> None:
    made = {
        o if isinstance(o, str) else next(iter(o))
        for s in STAGES.values()
        for o in [*s.get("outs", []), *s.get("metrics", [])]
    }
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.splitlines()
    if not tracked:
        pytest.skip("not a git checkout")
    for path in STAGES[stage].get("deps", []):
        assert path in made or any(t == path or t.startswith(path + "/") for t in tracked), path
