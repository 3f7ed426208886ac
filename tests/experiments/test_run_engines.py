"""`research run` with an engine, with limits, and what follows a run."""

from __future__ import annotations

import json

import pytest

from research import lineage
from research.cli.app import main
from research.errors import RunError
from research.experiments import courier, run_notebook
from research.project import Project


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--engine", "magic"], "engine must be one of process, kernel; got 'magic'."),
        (["--memory", "lots"], "--memory must be a size such as 500M or 4G; got 'lots'."),
        (["--timeout", "0"], "--timeout must be > 0 seconds; got 0."),
    ],
)
def test_a_wrong_limit_ends_with_2_before_a_run_is_opened(bare, capfd, arguments, message):
    assert main(["run", str(bare.notebook), *arguments]) == 2
    assert message in capfd.readouterr().err
    assert not (bare.store / "runs").exists()


def with_metadata(text: str, **metadata: object) -> str:
    content = json.loads(text)
    content["metadata"].update(metadata)
    return json.dumps(content)


def test_an_engine_that_is_none_in_the_metadata_is_refused(bare, capfd):
    bare.notebook.write_text(with_metadata(bare.study(), research={"engine": "rocket"}))
    assert main(["run", str(bare.notebook)]) == 2
    must = "metadata.research.engine of tiny.ipynb must be one of process, kernel; got 'rocket'."
    assert must in capfd.readouterr().err


def test_a_notebook_of_a_kernel_that_is_not_installed_runs_on_ours(bare):
    bare.notebook.write_text(with_metadata(bare.study(), kernelspec={"name": "gone", "display_name": "Gone"}))
    assert run_notebook(bare.notebook, deliver="never").capsule.status == "FINISHED"


@pytest.mark.slow
def test_a_notebook_says_that_it_needs_a_kernel_and_its_identity_is_the_same(bare):
    process = run_notebook(bare.notebook, deliver="never").capsule
    bare.notebook.write_text(with_metadata(bare.study(), research={"engine": "kernel"}))
    kernel = run_notebook(bare.notebook, force=True, deliver="never").capsule
    assert (process.raw["engine"]["mode"], kernel.raw["engine"]["mode"]) == ("process", "kernel")
    assert process.closure == kernel.closure
    assert process.identity == kernel.identity


def test_a_run_past_its_time_is_kept_as_failed(bare):
    bare.notebook.write_text(bare.study("while True: pass"))
    with pytest.raises(RunError, match=r"failed in cell 5 \(while True: pass\): the run must end within 2 s"):
        run_notebook(bare.notebook, timeout=2.0, deliver="never")
    run = lineage.load_capsule("latest")
    assert run.status == "FAILED"
    assert [cell["cell"] for cell in run.times["cells"]] == [2, 3, 4, 5]


def test_a_process_left_behind_unpins_the_run(bare):
    bare.notebook.write_text(bare.study("import subprocess; subprocess.Popen(['sleep', '300'])"))
    run = run_notebook(bare.notebook, deliver="never").capsule
    assert run.status == "FINISHED"
    assert "left a process behind, which was ended: sleep" in run.unpinned_reasons


def test_a_large_output_is_a_file_named_by_its_content(bare):
    bare.notebook.write_text(bare.study("print('y' * 3_000_000)"))
    run = run_notebook(bare.notebook, deliver="never").capsule
    (name,) = [name for name in run.artifacts if name.startswith("outputs/")]
    assert name == f"outputs/{run.artifacts[name]}.txt"
    assert (run.folder / name).read_text() == "y" * 3_000_000 + "\n"
    assert f"all 3,000,001 characters are in {name}" in (run.folder / "notebook.ipynb").read_text()
    assert lineage.verify_run(run.run_id) == []


def test_what_follows_a_run_can_wait_and_is_made_up_for(bare, monkeypatch):
    run = run_notebook(bare.notebook, deliver="never").capsule
    page = run.folder / "notebook.html"
    assert not page.exists()
    project = Project(bare.root)
    waiting = bare.store / ".courier" / run.run_id
    waiting.parent.mkdir()
    waiting.touch()
    monkeypatch.setattr(courier, "IDLE_S", 0.3)
    monkeypatch.setattr(courier.os, "nice", lambda more: more)  # the tests after this one are no couriers
    courier.serve(project)
    assert not waiting.exists()
    assert "Tiny study" in page.read_text()
    assert lineage.verify_run(run.run_id) == []
