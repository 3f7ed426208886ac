"""Differences between runs and between commits of a notebook: what differs is said, what does not is not."""

from __future__ import annotations

import json

import pytest

from research.cli.app import main
from research.experiments import run_notebook
from research.experiments.diff import notebooks, page, terminal
from research.experiments.diff.runs import diff_runs
from research.project import Project

PICTURE = """\
import matplotlib.pyplot as plt
figure, axes = plt.subplots(figsize=(3, 2))
axes.plot(values)
size = Evidence(test="size", verdict="pass" if n > 4 else "fail", statistic=n, threshold=4)
record(figures={"draws": figure}, evidence=[size])"""


@pytest.fixture
def pair(project):
    extra = "from research.evidence import Evidence\n" + PICTURE
    project.write("src/research/experiments/part.py", "FACTOR = 1\n")
    cell = "from research.experiments.part import FACTOR\nvalues = [v * FACTOR for v in values]"
    project.notebook.write_text(project.study(cell, extra, "note = 'old'"))
    project.commit("one")
    a = run_notebook(project.notebook).capsule
    project.write("src/research/experiments/part.py", "FACTOR = 2\n")
    project.notebook.write_text(project.study(cell, extra, "note = 'new'\nmore = 1"))
    project.commit("two")
    return project, a, run_notebook(project.notebook, {"n": 4}).capsule


@pytest.mark.slow
def test_two_runs_are_told_apart_by_parameter_cell_module_metric_row_test_and_pixel(pair, capfd, tmp_path):
    project, a, b = pair
    found = diff_runs(Project(project.root), a, b)
    assert [(p["name"], p["old"], p["new"]) for p in found["parameters"]] == [("n", 5, 4)]
    assert [(c["cell"], c["patch"]) for c in found["code"]["cells"]] == [
        ([7, 7], ["@@ -1 +1,2 @@", "-note = 'old'", "+note = 'new'", "+more = 1"])
    ]
    (module,) = found["code"]["modules"]
    assert (module["path"], module["what"]) == ("src/research/experiments/part.py", "changed")
    assert module["patch"][-2:] == ["-FACTOR = 1", "+FACTOR = 2"]
    metrics = {m["name"]: m for m in found["results"]["metrics"]}
    assert metrics["count"]["change"] == -1.0
    assert metrics["count"]["relative"] == -0.2
    (table,) = found["results"]["tables"]
    assert table["text"].startswith("4 of 5 rows changed; 1 of 5 rows removed; first i 0, value: ")
    (figure,) = found["results"]["figures"]
    assert "of the pixels changed" in figure["text"]
    (evidence,) = found["results"]["evidence"]
    assert (evidence["old"]["verdict"], evidence["new"]["verdict"]) == ("pass", "fail")
    assert found["first_cell"] == 6
    assert found["environment"] == found["data"] == []
    assert not found["same"]
    text = "\n".join(line for line, _ in terminal.lines(found))
    for said in ("  n  5 -> 4", "cell 7 (code)", "    +FACTOR = 2", "size  verdict: pass -> fail", "figure draws:"):
        assert said in text
    for unsaid in ("seed", "scale", "Environment", "Data"):
        assert unsaid not in text
    assert main(["diff", a.run_id, b.run_id, "--html", str(tmp_path / "d.html"), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["same"] is False
    shown = (tmp_path / "d.html").read_text()
    assert shown.count("data:image/png;base64,") == 3
    assert "http://" not in shown and "https://" not in shown
    assert "prefers-color-scheme: dark" in shown
    everything = diff_runs(Project(project.root), a, b, everything=True)
    assert {p["name"] for p in everything["parameters"]} == {"as_of", "n", "scale", "method", "seed"}
    assert diff_runs(Project(project.root), a, a)["same"]
    versions = notebooks.diff_notebooks(Project(project.root), f"{project.notebook}@HEAD~1", f"{project.notebook}@HEAD")
    assert [c["cell"] for c in versions["code"]["cells"]] == [[7, 7]]
    assert main(["diff", f"{project.notebook}@HEAD~1"]) == 0
    assert "+more = 1" in capfd.readouterr().out


def test_two_commits_of_a_notebook_differ_in_cells_and_defaults(project, capfd):
    project.notebook.write_text(project.study("added = 1").replace("n: int = 5", "n: int = 6"))
    found = notebooks.diff_notebooks(Project(project.root), f"{project.notebook}@HEAD", str(project.notebook))
    assert found["parameters"] == [{"name": "n", "old": 5, "new": 6, "same": False}]
    assert [(c["what"], c["cell"]) for c in found["code"]["cells"]] == [("replace", [2, 2]), ("insert", [None, 5])]
    assert "cell 5 added" in page.render(found)
    assert main(["diff", f"{project.notebook}@nowhere"]) == 2
    assert "revision must be a commit of this repository; got 'nowhere'." in capfd.readouterr().err
    assert main(["diff", "notebooks/absent.ipynb@HEAD"]) == 2
    assert "notebook must be in HEAD; got 'notebooks/absent.ipynb'." in capfd.readouterr().err


def test_text_from_notebooks_cannot_become_markup(project):
    project.notebook.write_text(project.study("'<script>alert(1)</script>'"))
    found = notebooks.diff_notebooks(Project(project.root), f"{project.notebook}@HEAD", str(project.notebook))
    assert "<script>" not in page.render(found)


@pytest.mark.slow
def test_two_sweeps_are_told_apart_by_what_was_asked_their_points_and_the_results_of_common_points(bare, capfd):
    path = str(bare.notebook)
    assert main(["sweep", path, "-g", "n=3,4", "--jobs", "1"]) == 0
    bare.notebook.write_text(bare.study("values = [v * 2 for v in values]"))
    assert main(["sweep", path, "-g", "n=4,5,6", "--jobs", "1"]) == 0
    capfd.readouterr()
    assert main(["sweep", "--list", "--json"]) == 0
    second, first = (row["sweep_id"] for row in json.loads(capfd.readouterr().out))
    assert main(["diff", first, second, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert (found["common"], found["only"], found["same"]) == (1, [1, 2], False)
    assert [(p["point"], p["name"], p["relative"]) for p in found["points"]] == [
        ("n 4", "mean", pytest.approx(-1.0, abs=1e-9))
    ]
    assert [c["cell"] for c in found["code"]["cells"]] == [[None, 5]]
    assert main(["diff", first, second]) == 0
    out = capfd.readouterr().out
    assert "1 point only in A; 1 in both" in out
    assert "2 points only in B; 1 in both" in out
    assert "n 4  mean" in out
    assert main(["diff", first, first]) == 0
    assert "Nothing differs" in capfd.readouterr().out
