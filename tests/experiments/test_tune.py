"""Tuning: the same seed gives the same trials, killed or not, and every trial is a run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import sweep_helpers as helpers

from research.errors import ParameterError
from research.experiments import notebooks, tune
from research.experiments.sweep.ledger import trials
from research.lineage import query

pytest.importorskip("optuna")
CELL = """\
from typing import Annotated, Literal
from annotated_types import Ge, Gt, Le
x: Annotated[float, Ge(-3), Le(3)] = 1.0
kind: Literal["a", "b"] = "a"
n: Annotated[int, Ge(1), Le(4)] = 1
free: Annotated[float, Gt(0)] = 1.0
seed: Annotated[int, Ge(0), Le(9)] = 1
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in ("RESEARCH_STORE", "RESEARCH_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    made = helpers.make_project(tmp_path)
    path = tmp_path / "notebooks" / "fake.ipynb"
    path.parent.mkdir()
    path.write_text(helpers.notebook_text(CELL))
    return made


def spec(project, **words):
    schema = notebooks.read(project.root / "notebooks" / "fake.ipynb").schema()
    return tune.spec_from_words("notebooks/fake.ipynb", schema, **{"metric": "loss", "trials": 12, **words})


def run(project, executor=None, **words):
    return tune.tune(spec(project, **words), project, lambda folder: executor or helpers.Inline())


def tried(ledger):
    return [p.parameters for p in ledger.points()]


def test_the_space_is_every_bounded_parameter_that_is_no_seed(project):
    assert list(spec(project).designs[0]["ranges"]) == ["x", "kind", "n"]
    assert list(spec(project, fixed={"kind": "b"}).designs[0]["ranges"]) == ["x", "n"]
    assert spec(project, space=["free=0.1:10:log", "n"]).designs[0]["ranges"] == {"free": "0.1:10:log", "n": None}
    with pytest.raises(ParameterError, match=r"the range of free must have both bounds"):
        spec(project, space=["free"])
    with pytest.raises(ParameterError, match=r"sampler must be one of tpe, random, sobol; got 'cma'"):
        spec(project, sampler="cma")


@pytest.mark.parametrize("sampler", tune.SAMPLERS)
def test_the_same_seed_gives_the_same_trials_and_another_others(project, sampler):
    first = tried(run(project, sampler=sampler))
    assert tried(run(project, sampler=sampler)) == first
    assert tried(run(project, sampler=sampler, seed=2)) != first
    assert all(-3 <= p["x"] <= 3 and p["n"] in (1, 2, 3, 4) and p["free"] == 1.0 for p in first)


@pytest.mark.parametrize("batch", [1, 4])
def test_killed_and_resumed_it_tries_what_it_would_have_tried(project, batch):
    whole = tried(run(project, batch=batch))
    with pytest.raises(KeyboardInterrupt):
        run(project, helpers.Inline(stop_after=6), batch=batch)
    from research.experiments.sweep.ledger import Ledger, resolve

    half = Ledger(project, resolve(project, "latest"))
    assert half.counts()["done"] == 6
    tune.resume(half, lambda folder: helpers.Inline())
    assert tried(half) == whole
    tune.resume(half, lambda folder: helpers.Inline(), trials=14)
    assert tried(half)[:12] == whole
    assert len(tried(half)) == 14


def test_it_finds_the_minimum_better_than_chance_and_counts_its_trials(project):
    least = lambda ledger: min(p.value for p in ledger.points())  # noqa: E731
    found = run(project, trials=30, space=["x"])
    assert least(found) < 0.02
    assert trials(project, "notebooks/fake.ipynb") == 30
    assert {run.point for run in query(sweep=found.sweep_id, project=project)} == set(range(30))


def test_a_trial_without_a_value_does_not_stop_it(project):
    ledger = run(project, helpers.Inline({2: 3}), trials=5)
    assert [p.state for p in ledger.points()].count("set aside") == 1
    assert len(ledger.points()) == 5
