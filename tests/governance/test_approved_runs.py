"""The runs behind what is approved: none before approval, one after, none again once it is retired."""

from __future__ import annotations

from research.governance.approved import approved_runs
from research.project import Project


def test_a_run_counts_from_its_approval(world):
    where = Project(world.root)
    assert approved_runs(project=where) == []
    world.submitted()
    assert approved_runs(project=where) == []


def test_a_run_in_production_counts_once_and_in_its_own_realm(world):
    run = world.promoted()
    assert approved_runs(project=Project(world.root)) == [run]
    assert approved_runs(demo=True, project=Project(world.root)) == []
