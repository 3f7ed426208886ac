"""`%run_info`, `%last`, `%lineage`: what a notebook recorded before, and what differs now."""

import importlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from research.errors import InputError
from research.lab import history, magics
from research.project import Project

pytestmark = pytest.mark.slow
RECORD = importlib.import_module("research.experiments.recording")
NOTEBOOK = "notebooks/study/tiny.ipynb"


@pytest.fixture
def here(ran: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RESEARCH_MLFLOW", "off")
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.chdir(ran[0])
    monkeypatch.setattr(RECORD, "_declared", {"metrics": {}, "tables": {}, "passed": None})
    return ran[0]


def session(root: Path, **values: Any) -> history.Session:
    return history.Session(Project(root), root / NOTEBOOK, values)


def recorded(root: Path, run: str) -> Any:
    from research.lineage import load_capsule

    return load_capsule(run, project=Project(root))


def test_the_notebook_is_known_from_jupyter_vs_code_or_its_parameters_cell(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = json.loads((here / NOTEBOOK).read_text())["cells"][1]["source"]
    assert history.session({}, ["", cell]).name == NOTEBOOK
    assert history.session({"__vsc_ipynb_file__": str(here / NOTEBOOK)}, []).name == NOTEBOOK
    monkeypatch.setenv("JPY_SESSION_NAME", str(here / NOTEBOOK))
    assert history.session({}, []).name == NOTEBOOK
    monkeypatch.setenv("JPY_SESSION_NAME", "console-1")
    with pytest.raises(InputError, match=r"this notebook must be known and lie in .*; got 'console-1'\. Save the note"):
        history.session({}, ["x = 1"])


def test_nothing_differs_when_nothing_was_changed(here: Path, ran: tuple[Path, str]) -> None:
    assert history.differences(session(here, n=7), recorded(*ran)) == []


def test_a_parameter_a_cell_and_a_result_that_differ_are_told_with_both_values(
    here: Path, ran: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from research.experiments.recording import declared, record

    where = here / "changed.ipynb"
    text = (here / NOTEBOOK).read_text()
    where.write_text(text.replace("scale * i for", "scale * i**2 for"))
    monkeypatch.setattr(RECORD, "_display", lambda payload: None)
    record(metrics={"mean": 13.0, "new": 1.0}, tables={"values": {"value": [1.0]}}, passed=False)
    assert declared()["metrics"].keys() == {"mean", "new"}
    found = history.differences(history.Session(Project(here), where, {"n": "8"}), recorded(*ran))
    assert [(d.kind, d.name, d.then, d.now) for d in found] == [
        ("parameter", "n", "7", "8"),
        ("cell", "cell 4", "values = [scale * i for i in range(n)]", "values = [scale * i**2 for i in range(n)]"),
        ("result", "mean", "3", "13 (+333.33%)"),
        ("result", "new", "none", "1"),
        ("result", "table values", "7 rows", "1 rows, other values"),
        ("result", "passed", "True", "False"),
    ]


def test_comments_and_questions_in_cells_are_no_difference(here: Path, ran: tuple[Path, str]) -> None:
    raw = json.loads((here / NOTEBOOK).read_text())
    raw["cells"][3]["source"] += "  # a comment"
    raw["cells"].append({**raw["cells"][3], "id": "asks", "source": "%load_ext research\n%last"})
    (here / "commented.ipynb").write_text(json.dumps(raw))
    where = history.Session(Project(here), here / "commented.ipynb", {"n": 7})
    assert history.differences(where, recorded(*ran)) == []


def test_code_and_packages_that_differ_are_told(here: Path, ran: tuple[Path, str]) -> None:
    found = recorded(*ran)
    name = next(name for name in found.closure if name.endswith("evidence.py"))
    found.raw["code"]["closure"][name] = "0" * 64
    found.raw["environment"]["distributions"] = {**found.environment["distributions"], "scipy": "1.16.0"}
    kinds = {(d.kind, d.then) for d in history.differences(session(here, n=7), found)}
    assert kinds == {("code", "000000000000"), ("environment", "1.16.0")}


def test_last_shows_the_results_and_that_nothing_differs(here: Path, ran: tuple[Path, str]) -> None:
    shown = magics.last(session(here, n=7), "")
    assert repr(shown).startswith(f"run {ran[1]}, ")
    assert "mean    3      bp" in repr(shown) and "Nothing differs: a run now would be asked the same." in repr(shown)
    assert "<script" not in shown._repr_html_() and ran[1] in shown._repr_html_()


def test_run_info_shows_parameters_runs_and_what_keeps_a_run_from_being_pinned(here: Path) -> None:
    text = repr(magics.run_info(session(here, n=9), ""))
    assert ["n", "Annotated[int,", "Gt(0)]", "5", "9", "points"] in [line.split() for line in text.splitlines()]
    assert "FINISHED" in text and "A run now would not be pinned: the project is not a git repository" in text


def test_lineage_goes_from_notebook_to_run(here: Path, ran: tuple[Path, str]) -> None:
    shutil.copytree(Path(__file__).resolve().parents[2] / "governance", here / "governance", dirs_exist_ok=True)
    text = repr(magics.lineage(session(here), ""))
    assert NOTEBOOK in text and ran[1] in text and "never" in text


def test_a_notebook_without_runs_says_how_to_make_one(here: Path) -> None:
    (here / "notebooks/study/other.ipynb").write_text((here / NOTEBOOK).read_text().replace("Tiny", "Other"))
    where = history.Session(Project(here), here / "notebooks/study/other.ipynb", {})
    for ask in (magics.last, magics.lineage):
        assert repr(ask(where, "")) == (
            "notebooks/study/other.ipynb has no finished run yet. research run notebooks/study/other.ipynb"
        )
    (here / "notebooks/study/other.ipynb").unlink()


def test_in_ipython_a_refusal_is_one_sentence(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    monkeypatch.setenv("IPYTHONDIR", str(here / "ipython"))
    monkeypatch.setenv("JPY_SESSION_NAME", os.devnull)
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "research")
    assert shell.run_line_magic("last", "tiny-1999") is None
    out = capsys.readouterr().out
    assert out.startswith("InputError: this notebook must be known") and out.count("\n") == 1
