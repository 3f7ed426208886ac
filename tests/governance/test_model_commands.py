"""`research model` and `research lineage`, as a person types them."""

from __future__ import annotations

import json

import pytest

from research.cli.app import main


@pytest.fixture(autouse=True)
def quiet_registry(monkeypatch):
    monkeypatch.setenv("RESEARCH_MLFLOW", "off")


def sign(world, name: str) -> list[str]:
    return ["--as", name, "--key", str(world.keys / f"{name}.pem")]


@pytest.fixture
def firm(world):
    world.promoted()
    return world


def test_the_path_by_commands(world, capsys):
    run = world.run()
    world.run("notebooks/validation/heston_benchmark.ipynb")
    world.reproduced(run)
    assert main(["model", "submit", run, "--model", "heston_dax", "--note", "first", *sign(world, "sam")]) == 0
    assert main(["model", "validate", "heston_dax", *sign(world, "vic")]) == 0
    assert main(["model", "approve", "heston_dax@1", *sign(world, "abe")]) == 0
    capsys.readouterr()
    assert main(["model", "promote", "heston_dax", "--json", *sign(world, "sam")]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["state"], answer["version"], answer["run"], answer["person"]) == ("production", 1, run, "sam")
    assert main(["model", "retire", "heston_dax@champion", "--reason", "test", *sign(world, "abe")]) == 0
    assert "heston_dax version 1: retired" in capsys.readouterr().out


def test_a_refusal_is_one_line_and_exit_one(world, capsys):
    run = world.run(pinned=False, unpinned_reasons=["read outside the catalogue: /x.csv"])
    assert main(["model", "submit", run, "--model", "heston_dax", *sign(world, "sam")]) == 1
    err = capsys.readouterr().err
    assert err.startswith("RefusedError: submit of heston_dax version 1 refused: ")
    assert err.count("\n") == 1


def test_a_step_without_a_signature_is_wrong_use(world, capsys):
    assert main(["model", "approve", "heston_dax"]) == 2
    assert "--as must be given: a step is signed" in capsys.readouterr().err
    assert main(["model", "approve", "heston_dax", "--as", "abe", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["exit_code"] == 2


def test_a_date_that_is_none_is_wrong_use(firm, capsys):
    assert main(["model", "show", "heston_dax", "--as-of", "yesterday"]) == 2
    assert "--as-of must be an ISO date or time; got 'yesterday'" in capsys.readouterr().err


def test_list_shows_what_is_in_use_and_what_is_only_proposed(world, capsys):
    assert main(["model", "list", "--json"]) == 0
    (line,) = json.loads(capsys.readouterr().out)
    assert (line["model"], line["state"], line["version"]) == ("heston_dax", "proposed", None)
    run = world.promoted()
    assert main(["model", "list", "--json"]) == 0
    (line,) = json.loads(capsys.readouterr().out)
    assert (line["state"], line["version"], line["run"], line["reproduced"]) == (
        "production",
        1,
        run,
        "REPRODUCED EXACTLY",
    )
    assert line["signers"] == ["sam", "vic", "abe"]
    assert main(["model", "list"]) == 0
    assert "heston_dax  2     production  1" in capsys.readouterr().out


def test_show_answers_for_a_past_date(firm, capsys):
    assert main(["model", "show", "heston_dax", "--json"]) == 0
    now = json.loads(capsys.readouterr().out)["versions"]
    assert [v["state"] for v in now] == ["production"]
    assert (now[0]["payload_now"], now[0]["code_now"]) == ("whole", "as approved")
    assert main(["model", "show", "heston_dax", "--as-of", "2020-01-01", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["versions"] == []
    assert main(["model", "show", "heston_dax"]) == 0
    out = capsys.readouterr().out
    assert "version 1: production since" in out and "approve" in out and "abe" in out


def test_lineage_of_a_model_leads_back_to_the_data(firm, capsys):
    assert main(["lineage", "heston_dax", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["version"], found["state"]) == ("model", 1, "production")
    assert found["made_from"]["run"] == firm.made[0]
    assert found["made_from"]["data"][0]["name"] == "equity/dax_surface"
    assert found["made_from"]["notebook"]["path"] == "notebooks/calibration/heston.ipynb"
    assert found["evidence"][0]["run"] == firm.made[1]
    assert main(["lineage", "heston_dax"]) == 0
    out = capsys.readouterr().out
    for word in ("data", "notebook", "code", "run", "evidence", "signed", "registered", "put_call_parity"):
        assert word in out


def test_lineage_of_a_run_leads_on_to_the_versions(firm, capsys):
    assert main(["lineage", firm.made[0], "--json"]) == 0
    (version,) = json.loads(capsys.readouterr().out)["versions"]
    assert (version["model"], version["version"]) == ("heston_dax", 1)
    assert main(["lineage", firm.made[1], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["evidence_for"] == [{"model": "heston_dax", "version": 1, "demo": False}]
    assert main(["lineage", firm.made[0]]) == 0
    assert "versions made from it" in capsys.readouterr().out
    assert main(["lineage", "no-such-run"]) == 2


def test_keygen_prints_what_to_add(tmp_path, capsys):
    assert main(["model", "keygen", "ada", "--out", str(tmp_path / "keys")]) == 0
    out = capsys.readouterr().out
    assert "- public: ed25519:" in out
    assert (tmp_path / "keys" / "ada.pem").is_file()
