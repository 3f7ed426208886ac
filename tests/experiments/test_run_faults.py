"""What bad input and bad luck get: one sentence, the right exit code, nothing lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest

from research import lineage
from research.cli.app import main
from research.errors import RunError
from research.experiments import run_notebook
from research.lineage import store

SED = "ParameterError: parameter must be one of as_of, n, scale, method, seed; got 'sed'. Did you mean 'seed'?"
TWO = {"cell_type": "code", "source": "a: int = 1", "metadata": {"tags": ["parameters"]}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", "sed", "1"], SED),
        (["-p", "n", "lots"], "ParameterError: n must be an int; got 'lots'."),
        (["-p", "scale", "-1"], "ParameterError: scale must be > 0; got -1."),
        (["-p", "n"], "ParameterError: -p must be followed by NAME VALUE; got 'n'."),
        (["-p", "n", "1", "-p", "n", "2"], "ParameterError: -p n must be given once; got it 2 times."),
        (["-f", "none.yaml"], "ParameterError: -f must name a parameter file; got 'none.yaml'."),
    ],
)
def test_a_wrong_parameter_ends_with_2_before_a_run_is_opened(bare, capfd, arguments, message):
    assert main(["run", str(bare.notebook), *arguments]) == 2
    out, err = capfd.readouterr()
    assert message in err
    assert "Traceback" not in out + err
    assert not bare.store.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{ not json", "tiny.ipynb must be a notebook (JSON); got '{ not json'."),
        ("", "tiny.ipynb must be a notebook (JSON); got ''."),
        ("[1, 2]", "tiny.ipynb must be a notebook of format 4 (with a list of cells); got 'list'."),
        ('{"worksheets": []}', "tiny.ipynb must be a notebook of format 4 (with a list of cells); got ['worksheets']."),
        ('{"cells": [{"cell_type": "code"}]}', "cell 1 of tiny.ipynb must have a type and a source;"),
        (
            json.dumps({"cells": [TWO, TWO]}),
            "tiny.ipynb must have one cell tagged 'parameters'; got 2. They are cells 1 and 2.",
        ),
    ],
)
def test_a_broken_notebook_ends_with_2(bare, capfd, text, message):
    bare.notebook.write_text(text)
    assert main(["run", str(bare.notebook)]) == 2
    assert message in capfd.readouterr().err
    assert not bare.store.exists()


def test_a_misspelt_notebook_is_refused_with_the_nearest(bare, capfd):
    assert main(["run", str(bare.notebook.with_name("tinny.ipynb"))]) == 2
    assert "Did you mean" in capfd.readouterr().err


def test_outside_a_project_the_refusal_says_so(bare, tmp_path, capfd):
    lost = tmp_path / "lost.ipynb"
    lost.write_text(bare.study())
    assert main(["run", str(lost)]) == 2
    assert "must lie inside a project" in capfd.readouterr().err


def test_a_failing_cell_keeps_the_partial_notebook_and_names_cell_line_and_exception(project, capfd):
    project.notebook.write_text(project.study("print('so far')", "# a remark\nbad = 1 / 0\nprint('never')"))
    assert main(["run", str(project.notebook), "-p", "n", "4"]) == 1
    err = capfd.readouterr().err
    assert (
        "RunError: notebooks/study/tiny.ipynb failed in cell 6 (bad = 1 / 0): ZeroDivisionError: division by zero."
        in err
    )
    run = lineage.load_capsule("latest")
    assert run.status == "FAILED"
    assert not run.pinned
    assert run.closure
    assert run.parameters["n"] == 4
    executed = (run.folder / "notebook.ipynb").read_text()
    assert "so far" in executed
    assert "ZeroDivisionError" in (run.folder / "notebook.html").read_text()
    assert lineage.verify_run(run.run_id) == []
    assert "division by zero" in lineage.get_run("latest").message


def test_a_cell_that_ends_the_process_gives_a_failed_run(bare):
    bare.notebook.write_text(bare.study("import os\nos._exit(7)"))
    with pytest.raises(RunError, match=r"failed in cell 5 \(import os\): the kernel died \(exit code 7\)"):
        run_notebook(bare.notebook)
    assert lineage.load_capsule("latest").status == "FAILED"


def test_a_crash_in_native_code_is_placed(bare):
    bare.notebook.write_text(bare.study("import ctypes\ndef deep():\n    ctypes.string_at(0)\ndeep()"))
    with pytest.raises(
        RunError, match=r"cell 5 \(import ctypes\): the kernel died \(killed by SIGSEGV\).*Fatal Python error: Seg"
    ):
        run_notebook(bare.notebook)
    assert "in deep" in (lineage.load_capsule("latest").folder / "kernel.log").read_text()


def test_a_wrong_value_that_only_the_notebook_can_see_stops_it(bare):
    cells = (
        bare.code(bare.parameters_cell, "parameters"),
        bare.code("n = 'many'"),
        bare.code(bare.check_cell),
    )
    bare.notebook.write_text(bare.notebook_json(*cells))
    with pytest.raises(RunError, match=r"failed in cell 3 .*ParameterError: n must be an int; got 'many'"):
        run_notebook(bare.notebook)


def test_a_result_name_given_twice_fails_the_run(bare):
    bare.notebook.write_text(bare.study('record(metrics={"mean": 1.0})'))
    with pytest.raises(Exception, match="metric name must be recorded once; got 'mean'"):
        run_notebook(bare.notebook)
    assert lineage.load_capsule("latest").status == "FAILED"


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
def test_kill_9_in_the_middle_leaves_no_kernel_and_a_failed_run_with_what_was_done(project, tmp_path):
    note = tmp_path / "pid"
    sleepy = f"import os, time\nprint('before')\nopen({str(note)!r}, 'w').write(str(os.getpid()))\ntime.sleep(120)"
    project.notebook.write_text(project.study("print('done before')", "import time; time.sleep(0.6)", sleepy))
    with subprocess.Popen(project.command("run", project.notebook), cwd=project.root, env=project.env) as runner:
        assert wait_for(lambda: note.is_file() and note.read_text().isdigit())
        kernel = int(note.read_text())
        assert [run.status for run in lineage.list_runs()] == ["RUNNING"]
        runner.send_signal(signal.SIGKILL)
    assert wait_for(lambda: not running(kernel), 10.0), "the kernel outlived its runner"
    assert main(["runs", "--json"]) == 0
    run = lineage.load_capsule("latest")
    assert run.status == "FAILED"
    assert "done before" in (run.folder / "notebook.ipynb").read_text()
    project.notebook.write_text(project.study())
    assert run_notebook(project.notebook).capsule.status == "FINISHED"


@pytest.mark.slow
def test_ctrl_c_closes_the_run_as_failed(project, tmp_path):
    note = tmp_path / "pid"
    sleepy = f"import os, time\nopen({str(note)!r}, 'w').write(str(os.getpid()))\ntime.sleep(120)"
    project.notebook.write_text(project.study(sleepy))
    call = project.command("run", project.notebook)
    with subprocess.Popen(call, cwd=project.root, env=project.env, start_new_session=True) as runner:
        assert wait_for(lambda: note.is_file() and note.read_text().isdigit())
        os.killpg(runner.pid, signal.SIGINT)
        code_ = runner.wait(timeout=60)
    assert code_ in (1, 130)
    assert wait_for(lambda: not running(int(note.read_text())), 10.0)
    assert store.get_run("latest").status == "FAILED"


@pytest.mark.slow
def test_two_runs_at_once_both_finish(project):
    calls = [project.command("run", project.notebook, "--json", "--force") for _ in range(2)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(call, cwd=project.root, env=project.env, **pipes) for call in calls]
    answers = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    runs = [json.loads(answer[0]) for answer in answers]
    assert runs[0]["run_id"] != runs[1]["run_id"]
    assert runs[0]["identity"] == runs[1]["identity"]
