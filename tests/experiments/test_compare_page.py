"""One page of many runs: only what differs, no network, nothing of a notebook becomes markup."""

from __future__ import annotations

import json

import pytest

from research.cli.app import main
from research.errors import InputError
from research.experiments.compare_page import compare_runs, render
from research.lineage.store import Run

BASE = {
    "run_id": "a", "notebook": "n.ipynb", "status": "FINISHED", "started": "2026-11-22T09:00:00Z", "ended": None,
    "seconds": 1.0, "operator": "ada", "commit": "c", "pinned": True, "passed": True, "message": "", "recipe": None,
    "identity": None, "record": None, "parameters": {"model": "heston", "n": 5, "seed": 1},
    "metrics": {"rmse": {"value": 12.5, "unit": "bp"}, "bias": {"value": "nan", "unit": ""}}, "unpinned_reasons": [],
}  # fmt: skip


def run(name, **changes):
    return Run(**{**BASE, "run_id": name, **changes})


@pytest.fixture
def three():
    other = {"rmse": {"value": 10.0, "unit": "bp"}, "bias": {"value": "nan", "unit": ""}}
    return [
        run("a"),
        run("b", parameters={**BASE["parameters"], "model": "</script><b>bates"}, metrics=other),
        run("c", parameters={**BASE["parameters"], "dates": ["x", "y"]}),
    ]


def test_only_differing_columns_are_shown(three):
    found = compare_runs(three)
    assert [(c["kind"], c["name"]) for c in found["columns"]] == [
        ("parameter", "model"),
        ("parameter", "dates"),
        ("metric", "rmse"),
    ]
    assert found["same"]["seed"] == 1
    assert found["columns"][2]["values"] == [12.5, 10.0, 12.5]
    assert json.dumps(found, allow_nan=False)


def test_the_page_needs_no_network_and_holds_no_foreign_markup(three):
    page = render(compare_runs(three))
    assert "<b>bates" not in page.replace("<\\/script><b>bates", "")
    assert "@" + "TITLE@" not in page
    assert '<script src="' not in page and '<link rel="stylesheet"' not in page
    assert page.count("Parallel coordinates") == 1


def test_one_run_is_not_compared_and_names_and_filter_exclude_each_other(three, project, capfd):
    with pytest.raises(InputError, match="runs must be 2 to 5,000 to be compared; got 1"):
        compare_runs(three[:1])
    assert main(["compare", "a", "-w", "n = 5"]) == 2
    assert "runs must be named or chosen by --where; got both." in capfd.readouterr().err
