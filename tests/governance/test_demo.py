"""The demo: three people of its own, the author refused once, nothing changed the second time."""

from __future__ import annotations

import json

import pytest

from research.cli.app import main
from research.errors import RefusedError
from research.governance import demo, promotion
from research.governance.office import open_office
from research.project import find_project
from research.serving import _load, load

BENCHMARK = "notebooks/validation/heston_benchmark.ipynb"


class Stub:
    def price(self, frame):
        return frame.assign(price=1.0)

    def scope_columns(self, frame):
        return frame

    def example(self):
        import pandas as pd

        return pd.DataFrame({"tau": [1.0], "moneyness": [1.0]})


@pytest.fixture(autouse=True)
def light(monkeypatch):
    monkeypatch.setenv("RESEARCH_MLFLOW", "off")
    monkeypatch.setattr(_load, "make", lambda content, folder: Stub())


def ready(world) -> str:
    run = world.run()
    world.run(BENCHMARK)
    world.reproduced(run)
    return run


def test_the_demo_promotes_and_refuses_its_author(world):
    run = ready(world)
    done = demo.promote_demo(run)
    assert (done.model, done.version, done.run, done.changed) == ("heston_dax", 1, run, True)
    (refused,) = [line for line in done.lines if line.startswith("refused, as it should be")]
    assert "must come from someone who is not an author; demo-researcher is one" in refused
    assert refused.endswith("Who can: demo-approver.")
    assert any("DEMO: signed by demo people, not approved for any use" in line for line in done.lines)


def test_the_demo_changes_nothing_the_second_time_and_makes_a_version_of_a_new_run(world):
    first = ready(world)
    demo.promote_demo(first)
    before = open_office(demo.people()).ledger.path.read_bytes()
    again = demo.promote_demo(first)
    assert (again.changed, again.version) == (False, 1)
    assert "nothing changed" in str(again)
    assert open_office(demo.people()).ledger.path.read_bytes() == before
    second = demo.promote_demo(ready(world))
    assert (second.changed, second.version) == (True, 2)
    states = [(v.number, v.state) for v in open_office(demo.people()).register().versions]
    assert states == [(1, "retired"), (2, "production")]


def test_a_demo_that_was_stopped_goes_on(world):
    run = ready(world)
    office = open_office(demo.people())
    promotion.submit(office, run, "heston_dax", demo.signer(office.realm, demo.RESEARCHER))
    promotion.validate(office, "heston_dax", demo.signer(office.realm, demo.VALIDATOR))
    done = demo.promote_demo(run)
    assert (done.version, done.changed) == (1, True)
    assert [e.step for e in office.ledger.entries()] == ["submit", "validate", "approve", "promote"]


def test_the_demo_needs_no_git_identity_of_this_user(world, monkeypatch):
    """The run's operator has a login only; whoever that is, the demo's researcher stands for him."""
    run = world.run(operator={"user": "nobody-knows", "git_name": None, "git_email": None})
    world.run(BENCHMARK)
    world.reproduced(run)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    assert demo.promote_demo(run).version == 1


def test_what_the_demo_promoted_is_not_for_use(world):
    demo.promote_demo(ready(world))
    with pytest.raises(
        RefusedError, match=r"The demo has one: load\('heston_dax@champion', demo=True\), not approved for any use"
    ):
        load("heston_dax@champion")
    assert load("heston_dax@champion", demo=True).demo


def test_demo_keys_mean_nothing_to_the_firm(world):
    realm = demo.people()
    run = ready(world)
    with pytest.raises(RefusedError, match=r"--as must name someone in roles\.yaml"):
        promotion.submit(world.office, run, "heston_dax", demo.signer(realm, demo.RESEARCHER))


def test_the_demo_leaves_the_tree_clean(world):
    demo.promote_demo(ready(world))
    assert world.git("status", "--porcelain") == ""


def test_an_unpinned_run_is_refused_in_the_demo_too(world):
    run = world.run(pinned=False, unpinned_reasons=["git does not know who runs this"])
    with pytest.raises(RefusedError, match="must be pinned; got unpinned: git does not know who runs this"):
        demo.promote_demo(run)


def test_the_steps_by_command_need_no_name_and_no_key_in_the_demo(world, capsys):
    run = ready(world)
    assert main(["model", "submit", run, "--model", "heston_dax", "--demo"]) == 0
    assert main(["model", "validate", "heston_dax", "--demo"]) == 0
    assert main(["model", "approve", "heston_dax", "--demo", "--as", "demo-researcher"]) == 1
    assert main(["model", "approve", "heston_dax", "--demo"]) == 0
    assert main(["model", "promote", "heston_dax", "--demo"]) == 0
    capsys.readouterr()
    assert main(["audit", "verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["heads"]["demo"]["seq"] == 3
    assert find_project(world.root).mlruns.joinpath("demo", "keys").stat().st_mode & 0o077 == 0
