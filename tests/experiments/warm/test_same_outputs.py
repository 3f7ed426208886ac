"""A cell shows the same in both modes: MIME bundles, text, counts, tracebacks."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from research.errors import RunError

CELLS = [
    "1 + 1",
    "print('a'); print('b', end=''); print('c')",
    "import sys; print('to stderr', file=sys.stderr)",
    "import pandas as pd\nframe = pd.DataFrame({'x': [1, 2], 'y': ['a', None]}); frame",
    "frame.style.format({'x': '{:.1f}'}).set_uuid('fixed')",
    "from IPython.display import HTML, Markdown, display, update_display, clear_output\n"
    "display(HTML('<b>one</b>'), Markdown('*two*'), metadata={'isolated': True})",
    "handle = display('first', display_id='shown'); update_display('second', display_id='shown')",
    "print('gone'); clear_output(); print('kept')",
    "print('gone too'); clear_output(wait=True); print('kept too')",
    "update_display('third', display_id='shown')",
    "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.figure(figsize=(1, 1)); plt.plot([1, 2]);",
    "figure, axes = plt.subplots(figsize=(1, 1)); figure",
    "import asyncio\nawait asyncio.sleep(0.001)\nasyncio.get_running_loop().is_running()",
    "async def later():\n    await asyncio.sleep(0.001)\n    return 'later'\ntask = asyncio.create_task(later())",
    "await task",
    "In[1], Out[1], _1, _",
    "%%capture held\nprint('captured')",
    "held.stdout",
    "%env RESEARCH_TEST=1\n%who_ls str",
    "!echo from the shell",
    "'quiet';",
    "import warnings; warnings.simplefilter('always')\ndef old():\n    warnings.warn('careful', DeprecationWarning)",
    "class Rich:\n    def _repr_html_(self): return '<i>rich</i>'\n    def __repr__(self): return 'plain'\nRich()",
    "get_ipython().__class__.__name__, type(sys.stdout).__name__ != '', __name__",
    "len?",
    "exit_code = 3\nexit_code",
    "",
    "class Picture:\n    def _repr_png_(self): return b'\\x89PNG\\r\\n', {'width': 3}\nPicture()",
    "display({'image/jpeg': b'jpeg', 'application/json': {'n': [1, 2]}}, raw=True)",
    "def deep(n):\n    return 1 / n\ndeep(0)",
]


def plain(cell: dict[str, Any]) -> list[dict[str, Any]]:
    """The outputs of a cell with neighbouring text of a stream as one, and without addresses and process ids."""
    out: list[dict[str, Any]] = []
    for output in cell["outputs"]:
        held = {key: re.sub(r"0x[0-9a-f]+|ipykernel_\d+", "#", str(value)) for key, value in output.items()}
        if out and held["output_type"] == "stream" and out[-1].get("name") == held["name"]:
            out[-1]["text"] += held["text"]
        else:
            out.append(held)
    return out


def test_a_notebook_shows_the_same_in_process_and_in_kernel_mode(warm, run):
    both = {}
    for mode in ("process", "kernel"):
        with pytest.raises(RunError, match=r"cell 30 \(def deep\(n\):\): ZeroDivisionError: division by zero"):
            run(*CELLS, mode=mode)
        both[mode] = run.last.cells
        assert run.last.ran.warm
    for number, (process, kernel) in enumerate(zip(both["process"], both["kernel"], strict=True)):
        assert plain(process) == plain(kernel), CELLS[number]
        assert process["execution_count"] == kernel["execution_count"], CELLS[number]
    shown = plain(both["process"][6])
    assert [o["data"] for o in shown] == ["{'text/plain': \"'third'\"}"]
    assert both["process"][27]["outputs"][0]["data"]["image/png"] == "iVBORw0K"


@pytest.mark.parametrize("mode", ["process", "kernel"])
def test_a_display_that_fails_fails_the_run_in_both_modes(warm, run, mode):
    bad = "class Bad:\n    def _repr_html_(self): raise ValueError('no')\nBad()"
    with pytest.raises(RunError, match=r"cell 1 \(class Bad:\): ValueError: no"):
        run(bad, mode=mode)


def test_a_fresh_interpreter_shows_what_a_forked_one_shows(warm, run):
    cells = [CELLS[i] for i in (0, 1, 3, 5, 12, 22)]
    warm_cells, cold_cells = run(*cells).cells, run(*cells, cold=True).cells
    assert [plain(c) for c in warm_cells] == [plain(c) for c in cold_cells]


@pytest.mark.parametrize("mode", ["process", "kernel"])
def test_input_is_refused(warm, run, mode):
    with pytest.raises(RunError, match="StdinNotImplementedError: raw_input was called"):
        run("input('?')", mode=mode)


def test_what_native_code_prints_is_in_its_cell(warm, run):
    native = "import ctypes, os\nctypes.CDLL(None).puts(b'from C')\nos.write(2, b'from the system\\n')"
    cells = run(native, "1").cells
    assert {(o["name"], o["text"]) for o in cells[0]["outputs"] if o["output_type"] == "stream"} == {
        ("stdout", "from C\n"),
        ("stderr", "from the system\n"),
    }
    assert [o["output_type"] for o in cells[1]["outputs"]] == ["execute_result"]


def test_more_native_text_than_a_pipe_holds_does_not_block(warm, run):
    found = run("import os\nfor _ in range(40):\n    os.write(1, b'x' * 65536)").text
    assert len(found) == 40 * 65536 or "characters are in outputs/" in found


def test_a_comm_is_begun_again_on_a_kernel_with_a_note(warm, run):
    done = run("print('begin')", "import comm\nc = comm.create_comm(target_name='t')", "print('end')")
    assert done.ran.mode == "kernel"
    assert done.ran.notes == ["begun again on a Jupyter kernel: it uses widgets or comms"]
    assert done.text == "begin\nend\n"


def test_a_slider_is_kept_with_its_state_and_an_output_widget_shows_what_went_into_it(warm, run):
    pytest.importorskip("ipywidgets")
    cell = "from ipywidgets import IntSlider, Output\nslider, out = IntSlider(value=7, max=9), Output()"
    done = run(cell, "slider", "with out:\n    print('into it')\nout", "slider.value = 8")
    assert done.ran.mode == "kernel"
    view = done.cells[1]["outputs"][0]["data"]["application/vnd.jupyter.widget-view+json"]
    kept = json.loads(done.path.read_text())["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"][
        "state"
    ]
    assert (kept[view["model_id"]]["model_name"], kept[view["model_id"]]["state"]["value"]) == ("IntSliderModel", 8)
    assert "into it" in json.dumps([cell["outputs"] for cell in done.cells]) + json.dumps(kept)


def test_tags_that_other_runners_know_are_kept(warm, tmp_path, run):
    from research.experiments import execution

    source = tmp_path / "tagged.ipynb"
    cell = {"cell_type": "code", "outputs": [], "execution_count": None}
    cells = [
        {**cell, "id": "a", "source": "1 / 0", "metadata": {"tags": ["raises-exception"]}},
        {**cell, "id": "b", "source": "1 / 0", "metadata": {"tags": ["skip-execution"]}},
        {**cell, "id": "c", "source": "'after'", "metadata": {}},
    ]
    source.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    execution.execute(source, tmp_path / "out.ipynb", {}, execution.How(cwd=tmp_path), execution.Ran())
    done = json.loads((tmp_path / "out.ipynb").read_text())["cells"]
    assert [len(c["outputs"]) for c in done] == [1, 0, 1]


def test_an_executed_notebook_is_valid(warm, run):
    import nbformat

    done = run("1", "print(1)", "from IPython.display import display; display(1)")
    book = nbformat.read(done.path, as_version=4)
    nbformat.validate(book)  # raises
    kinds = [output["output_type"] for cell in book["cells"] for output in cell["outputs"]]
    assert kinds == ["execute_result", "stream", "display_data"]
