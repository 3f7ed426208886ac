"""A kept value is used only when computing would give the same, and leaves the same record."""

from __future__ import annotations

import datetime as dt
import json
import sys

import numpy as np
import pandas as pd
import pytest

from research.errors import InputError, IntegrityError, RefusedError
from research.evidence import Metric
from research.experiments import kept
from research.experiments import step as steps
from research.experiments.step import step

FRAME = pd.DataFrame({"x": [1.0, float("nan")], "t": pd.to_datetime(["2020-01-01", None]), "s": ["a", None]})
VALUES = [
    None, True, 3, 10**30, 0.1, float("nan"), float("-inf"), "ü", b"\x00", dt.date(2020, 1, 2),
    dt.datetime(2020, 1, 2, 3),
    [1, (2.0, [])], {"a": {"b": None}}, np.float32(1.5), np.arange(6).reshape(2, 3),
    np.array([], dtype="datetime64[D]"),
    FRAME, FRAME.set_index("s"), FRAME["x"], Metric(value=1.5, unit="bp"), [FRAME, np.ones(2)],
]  # fmt: skip


def same(a, b) -> bool:
    return kept.encode(a).digest == kept.encode(b).digest and type(a) is type(b)


@pytest.mark.parametrize("value", VALUES, ids=lambda v: type(v).__name__)
def test_a_value_comes_back_as_it_was(value, tmp_path):
    encoded = kept.encode(value)
    kept.write(tmp_path / "k", encoded, {"name": "n"})
    entry, files = kept.read(tmp_path / "k")
    assert same(kept.decode(entry["tree"], files), value)
    assert entry["digest"] == encoded.digest


def test_values_that_differ_in_type_or_bit_have_other_digests():
    alike = [
        1,
        1.0,
        True,
        "1",
        np.int64(1),
        np.float64(1.0),
        [1],
        (1,),
        np.array([1]),
        np.array([1.0]),
        -0.0,
        0.0,
        b"1",
    ]
    assert len({kept.encode(value).digest for value in alike}) == len(alike)
    assert not same(FRAME, FRAME.rename(columns={"x": "y"}))
    assert not same(FRAME, FRAME.iloc[::-1])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), r"value must be a number, .*; got 'a builtins\.object'"),
        ({"a": [1, {2, 3}]}, r"value\['a'\]\[1\] must be a number, .*; got 'a builtins\.set'"),
        ({1: 2}, "a key of value must be text; got 1"),
        (np.array([object()]), "value must be an array of numbers, texts or times; got 'dtype object'"),
        (pd.DataFrame({"a": [1, "x"]}), "value must be a frame of columns of one type each"),
        (lambda: 1, "got 'a builtins.function'"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(value, message):
    with pytest.raises(InputError, match=message):
        kept.encode(value)


def test_a_file_cannot_name_a_class_outside_of_research(tmp_path):
    with pytest.raises(IntegrityError, match="must name a class of research; got subprocess:Popen"):
        kept.decode({"dataclass": "subprocess:Popen", "fields": [["args", "true"]]}, {})


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in ("dvc.yaml", "data/catalog.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    for name in ("RESEARCH_STORE", "RESEARCH_RUN_ID", "RESEARCH_STEPS", "RESEARCH_HERMETIC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RESEARCH_PROJECT", str(tmp_path))
    steps._taken.clear()
    return tmp_path


def cell(source: str, **names):
    """Run source as a notebook's cell does; what it binds."""
    namespace = {"__name__": "__main__", "step": step, "calls": [], **names}
    exec(compile(source, "<cell>", "exec"), namespace)
    return namespace


PATHS = """
@step("paths", 3, n=4)
def paths(seed, n):
    note()
    return [seed * i for i in range(n)]
"""


class Calls:
    """Counts, and is no part of the code: a function of a module that is known."""

    count = 0


def note():
    Calls.count += 1


@pytest.fixture(autouse=True)
def fresh():
    Calls.count = 0
    yield


def computed(source: str, **names) -> int:
    before = Calls.count
    cell(source, note=note, **names)
    return Calls.count - before


def test_the_second_time_the_value_is_kept(project):
    first, second = cell(PATHS, note=note), cell(PATHS, note=note)
    assert first["paths"] == second["paths"] == [0, 3, 6, 9]
    assert Calls.count == 1
    assert [(s["name"], s["kept"]) for s in steps.taken()] == [("paths", False), ("paths", True)]
    assert len({s["digest"] for s in steps.taken()}) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"paths"', '"other"'),
        ("3, n", "4, n"),
        ("n=4", "n=5"),
        ("seed * i", "seed + i"),
        ("n=4", "n=4.0"),
        ("* i", "* (i + 1)"),
    ],
)
def test_another_name_input_or_code_is_computed(project, old, new):
    assert computed(PATHS) == 1
    changed = PATHS.replace(old, new)
    if "4.0" in new:
        changed = changed.replace("range(n)", "range(int(n))")
    assert computed(changed) == 1
    assert computed(PATHS) == 0


def test_constants_and_functions_of_the_notebook_count_as_code(project):
    source = "LEVEL = 2\ndef inner(x):\n    return x * LEVEL\n@step('a')\ndef a():\n    note()\n    return inner(1)\n"
    assert computed(source) == 1
    assert computed(source) == 0
    assert computed(source.replace("LEVEL = 2", "LEVEL = 3")) == 1
    assert computed(source.replace("x * LEVEL", "x + LEVEL")) == 1
    assert computed("# a comment\n" + source) == 0


def test_a_global_that_cannot_be_hashed_is_refused(project):
    with pytest.raises(InputError, match=r"thing, used by step 'a', must be .*Pass what it needs as an input\."):
        cell("@step('a')\ndef a():\n    return thing\n", thing=object())


def test_an_edited_module_of_the_project_is_seen(project):
    source = project / "src" / "mine.py"
    source.parent.mkdir()
    source.write_text("LEVEL = 1\n")
    assert (computed(PATHS), computed(PATHS)) == (1, 0)
    source.write_text("LEVEL = 2\n")
    assert computed(PATHS) == 1


def test_an_input_that_the_step_changes_is_refused(project):
    with pytest.raises(RefusedError, match=r"step 'sort' must not change its inputs; .* Work on a copy\."):
        step("sort", [2, 1])(lambda values: values.sort())


def test_a_damaged_value_is_computed_again_and_the_step_says_so(project):
    computed(PATHS.replace("[seed * i for i in range(n)]", "__import__('numpy').arange(n)"))
    (folder,) = (project / "mlruns" / "steps").iterdir()
    (folder / "0.npy").write_bytes((folder / "0.npy").read_bytes()[:-1] + b"x")
    assert computed(PATHS.replace("[seed * i for i in range(n)]", "__import__('numpy').arange(n)")) == 1
    assert "computed again: 0.npy of the kept value" in steps.taken()[-1]["note"]
    entry = folder / "entry.json"
    content = json.loads(entry.read_text())
    content["entry"]["name"] = "edited"
    entry.write_text(json.dumps(content))
    assert computed(PATHS.replace("[seed * i for i in range(n)]", "__import__('numpy').arange(n)")) == 1
    assert "edited entry" in steps.taken()[-1]["note"]


def test_switched_off_or_hermetic_every_step_is_computed(project, monkeypatch):
    for name, value in (("RESEARCH_STEPS", "off"), ("RESEARCH_HERMETIC", "{}")):
        computed(PATHS)
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert computed(PATHS) == 1


def test_a_recorded_run_does_not_take_what_nobody_watched(project, monkeypatch):
    assert computed(PATHS) == 1  # by hand, in a lab
    monkeypatch.setenv("RESEARCH_RUN_ID", "a-run")
    assert computed(PATHS) == 1
    assert "nobody watched" in steps.taken()[-1]["note"]


def test_a_step_without_a_name_or_function_is_refused(project):
    with pytest.raises(InputError, match=r'the name of a step must be text; .*Write step\("paths"'):
        step(note)
    with pytest.raises(InputError, match="step 'a' must be given a function; got 3"):
        step("a")(3)
    assert sys.modules["research.experiments.step"].taken() == []
