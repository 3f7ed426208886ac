"""Golden runs: pinned by value, found again in a clone without the run, and missed when the results move."""

from __future__ import annotations

import json
import subprocess

import pytest

from research.cli.app import main
from research.errors import InputError, IntegrityError, RefusedError
from research.experiments import run_notebook
from research.experiments.pins import add_pin, check_pins, has_changed, hold, read_pins
from research.project import Project

CELL = 'record(metrics={"loose": metric(sum(values), rtol=1e-3)}, tables={"many": {"i": list(range(3000))}})'


@pytest.mark.slow
def test_a_pin_holds_in_a_clone_and_is_missed_when_a_result_moves(project, tmp_path, capfd):
    project.notebook.write_text(project.study(CELL))
    project.commit("study")
    run = run_notebook(project.notebook, {"n": 6}).capsule
    assert main(["pins", "add", run.run_id, "--name", "golden", "--why", "guards the draws"]) == 0
    assert "pinned golden: notebooks/study/tiny.ipynb" in capfd.readouterr().out
    (pin,) = read_pins(Project(project.root))
    assert (pin.parameters["n"], pin.why, pin.identity) == (6, "guards the draws", run.identity)
    project.commit("pin")

    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(project.root), str(clone)], check=True, env=project.env)
    env = {**project.env, "PYTHONPATH": str(clone / "src")}
    done = subprocess.run(
        project.command("pins", "check"), cwd=clone, env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout == "golden: REPRODUCED EXACTLY (6 of 6 results exact)\n", done.stderr

    assert main(["pins", "check"]) == 0
    assert "REPRODUCED EXACTLY" in capfd.readouterr().out
    assert main(["pins", "check", "--changed"]) == 0
    assert "golden: UNCHANGED" in capfd.readouterr().out
    project.notebook.write_text(
        project.study(CELL.replace("sum(values)", "sum(values) * 1.0001").replace("3000", "3001"))
    )
    assert has_changed(Project(project.root), pin)
    assert main(["pins", "check", "--changed"]) == 1
    out = capfd.readouterr().out
    assert "golden: NOT REPRODUCED" in out
    assert "table many: other values; it has more than 2,000 rows" in out
    assert "metric loose" not in out  # within its tolerance


@pytest.fixture
def pinned(project):
    run = run_notebook(project.notebook).capsule
    add_pin(run.run_id, name="golden", project=Project(project.root))
    return project, run


def test_a_pin_that_was_edited_is_refused(pinned):
    project, run = pinned
    path = project.root / "pipelines" / "pins" / "golden.json"
    expected = json.loads(path.read_text())
    assert {v.outcome for v in hold(expected, run)} == {"EXACT"}
    expected["tables"]["values"]["value"]["values"][1] += 1e-3
    expected["results"]["tables"]["values"]["digest"] = "0"
    (bad,) = [v for v in hold(expected, run) if v.outcome == "DIFFERS"]
    assert bad.detail.startswith("row 1, column value: ")
    path.write_text(json.dumps(expected))
    with pytest.raises(IntegrityError, match=r"golden.json must have the results that pins.yaml names; got others"):
        check_pins(project=Project(project.root))
    with pytest.raises(InputError, match=r"pin must be in pipelines/pins.yaml; got 'goldn'. Did you mean 'golden'\?"):
        check_pins(["goldn"], project=Project(project.root))
    assert main(["pins", "remove", "golden"]) == 0
    assert read_pins(Project(project.root)) == []
    assert not path.exists()


def test_a_run_that_a_clone_could_not_make_is_no_golden_run(project):
    project.notebook.write_text(project.study("extra = 1"))
    run = run_notebook(project.notebook).capsule
    with pytest.raises(
        RefusedError, match=r"must be pinned to a commit to be a golden run; it is not: .*tiny.ipynb differs"
    ):
        add_pin(run.run_id, project=Project(project.root))


def test_a_notebook_that_fails_fails_its_pin(pinned, capfd):
    project, _ = pinned
    project.notebook.write_text(project.study("1 / 0"))
    assert main(["pins", "check", "--json"]) == 1
    (found,) = json.loads(capfd.readouterr().out)
    assert (found["verdict"], found["good"]) == ("FAILED", False)
    assert "ZeroDivisionError" in found["message"]
