"""`research new`: the notebook runs at once and its test passes; the pipeline keeps its comments."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from research.cli import app
from research.lab.inspection import inspect
from research.lab.scaffold import create
from research.lab.templates import TEMPLATES
from research.project import Project

ROOT = Path(__file__).resolve().parents[2]


def make(root: Path) -> Project:
    """This project without its results and tests; the code is linked, not copied."""
    for name in ("dvc.yaml", "params.yaml", "data/catalog.yaml", "notebooks/_template.ipynb", "pyproject.toml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, root / name)
    shutil.copyfile(ROOT / "requirements.lock", root / "requirements.lock")
    (root / "src").symlink_to(ROOT / "src")
    return Project(root)


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    return make(tmp_path)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a new notebook of each kind."""
    project = make(tmp_path_factory.mktemp("three"))
    for kind in TEMPLATES:
        create(kind, f"my_{kind}", owner="Ada", project=project)
    return project


def test_three_kinds_are_known() -> None:
    assert set(TEMPLATES) == {"calibration", "backtesting", "validation"}


@pytest.mark.parametrize("kind", TEMPLATES)
def test_the_notebook_is_fit_for_promotion_and_names_its_owner(three: Project, kind: str) -> None:
    path = three.root / f"notebooks/{kind}/my_{kind}.ipynb"
    assert [str(item) for item in inspect(path)] == []
    title = "".join(json.loads(path.read_text())["cells"][0]["source"])
    assert title.startswith(f"# My {kind}\n\n**Purpose.**") and "**Owner.** Ada." in title


@pytest.mark.parametrize("kind", TEMPLATES)
def test_the_stage_runs_it_with_its_own_parameters_and_depends_on_what_it_imports(three: Project, kind: str) -> None:
    stages = yaml.safe_load((three.root / "dvc.yaml").read_text())["stages"]
    stage, name = stages[f"my_{kind}"], f"my_{kind}"
    results = f"pipelines/equity/results/{name}.json"
    assert stage["cmd"] == (
        f"python -m research run notebooks/{kind}/{name}.ipynb -f params.yaml:{name} --results {results}"
    )
    assert stage["params"] == [name] and stage["metrics"] == [{results: {"cache": False}}]
    needed = {"src/research/data", "src/research/core", "src/research/errors.py", "src/research/report"}
    assert needed | {f"notebooks/{kind}/{name}.ipynb"} <= set(stage["deps"])
    assert ("src/research/validation" in stage["deps"]) == (kind == "validation")
    assert results in stages["report"]["deps"]
    assert name in yaml.safe_load((three.root / "params.yaml").read_text())


@pytest.mark.parametrize("file", ["dvc.yaml", "params.yaml"])
def test_the_pipeline_gains_lines_and_loses_none(three: Project, file: str) -> None:
    before = (ROOT / file).read_text().splitlines()
    after = iter((three.root / file).read_text().splitlines())
    assert all(line in after for line in before)  # in the same order, comments and empty lines included


REFUSED = {
    "kind must be one of calibration, backtesting, validation; got 'pricing'.": ("pricing", "x"),
    "name must be lower-case letters, digits and _; got 'My-Model'. Such as sabr_surface.": ("calibration", "My-Model"),
    "stage heston must not be in dvc.yaml yet; it is. Choose another name.": ("calibration", "heston"),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_made_is_refused_and_nothing_is_written(message: str, fresh: Project) -> None:
    before = {p: p.read_bytes() for p in fresh.root.rglob("*.*") if p.is_file() and "src" not in p.parts}
    with pytest.raises(Exception) as error:
        create(*REFUSED[message], project=fresh)
    assert str(error.value) == message
    assert {p: p.read_bytes() for p in fresh.root.rglob("*.*") if p.is_file() and "src" not in p.parts} == before


def test_what_is_there_is_not_written_over(fresh: Project) -> None:
    target = fresh.root / "notebooks/calibration/mine.ipynb"
    target.parent.mkdir()
    target.write_text("my work")
    with pytest.raises(Exception, match=r"notebooks/calibration/mine\.ipynb must not be there yet; it is\."):
        create("calibration", "mine", project=fresh)
    assert target.read_text() == "my work"


def test_when_the_pipeline_cannot_be_written_nothing_is_left_behind(
    fresh: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (fresh.root / "dvc.yaml").read_text()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("research.lab.scaffold._add_section", full)
    with pytest.raises(OSError):
        create("calibration", "mine", project=fresh)
    assert (fresh.root / "dvc.yaml").read_text() == before
    assert not list(fresh.root.rglob("*mine*"))


def test_a_pipeline_that_is_no_yaml_is_said_so(fresh: Project) -> None:
    (fresh.root / "dvc.yaml").write_text("stages: [")
    with pytest.raises(Exception, match=r"dvc\.yaml must be YAML; "):
        create("calibration", "mine", project=fresh)


def test_the_command_says_what_comes_next(
    fresh: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RESEARCH_PROJECT", str(fresh.root))
    assert app.main(["new", "calibration", "sabr", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["notebook"], made["stage"]) == ("notebooks/calibration/sabr.ipynb", "sabr")
    assert app.main(["new", "calibration", "sabr"]) == 2
    assert "must not be there yet" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("kind", TEMPLATES)
def test_the_made_test_passes_on_real_data(three: Project, kind: str, tmp_path: Path) -> None:
    """Which runs the made notebook with its defaults; the data are made here from what is in git and in wheels."""
    env = {**os.environ, "RESEARCH_PROJECT": str(three.root), "RESEARCH_STORE": str(tmp_path), "RESEARCH_MLFLOW": "off"}
    env["RESEARCH_WARM"] = "0"
    dataset = TEMPLATES[kind].dataset
    raw = "data/raw/dax_surface_20020705.csv"
    (three.root / raw).parent.mkdir(exist_ok=True)
    shutil.copyfile(ROOT / raw, three.root / raw)
    for step in ["curate"] if kind == "calibration" else ["ingest", "curate"]:
        call = [sys.executable, "-m", "research", "data", step, dataset]
        made = subprocess.run(call, cwd=three.root, env=env, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
    test = f"tests/notebooks/test_{kind}_my_{kind}.py"
    call = [sys.executable, "-m", "pytest", "-q", "--import-mode=importlib", "-p", "no:cacheprovider", test]
    done = subprocess.run(call, cwd=three.root, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout
