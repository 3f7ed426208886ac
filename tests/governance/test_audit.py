"""The audit finds one changed byte anywhere: ledger, payload, capsule, artifact, verdict, registry."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from research.cli.app import main
from research.governance import audit
from research.project import find_project


def flip(path: Path, share: float = 0.5) -> None:
    """Change one bit of one byte."""
    content = bytearray(path.read_bytes())
    content[int(len(content) * share)] ^= 1
    path.write_bytes(bytes(content))


@pytest.fixture
def firm(world):
    world.promoted()
    return world


def problems(world) -> list[str]:
    return list(audit.verify(find_project(world.root)).problems)


def test_an_untouched_firm_is_ok(firm):
    found = audit.verify(find_project(firm.root))
    assert found.ok
    assert found.checked == {"entries": 4, "versions": 1, "runs": 2, "artifacts": 2}


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.99])
def test_a_changed_byte_of_the_ledger_is_found(firm, share):
    flip(firm.office.ledger.path, share)
    assert problems(firm)[0].startswith("ledger entry ")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_changed_byte_of_a_capsule_is_found_twice(firm, share):
    flip(firm.store / "runs" / firm.made[0] / "capsule.json", share)
    found = problems(firm)
    assert any(p.startswith("heston_dax version 1: ") for p in found)
    assert any(p.startswith(f"run {firm.made[0]}: ") for p in found)


def test_a_capsule_with_a_misspelt_part_is_found(firm):
    file = firm.store / "runs" / firm.made[0] / "capsule.json"
    file.write_bytes(file.read_bytes().replace(b'"results"', b'"resultz"'))
    assert any(
        "must hold what a capsule holds" in p or "must have the digest of the index" in p for p in problems(firm)
    )


def test_a_changed_artifact_is_found(firm):
    flip(firm.store / "runs" / firm.made[1] / "executed.ipynb")
    (problem,) = problems(firm)
    assert problem.startswith(f"run {firm.made[1]}: artifact executed.ipynb must have the digest of the capsule")


def test_a_capsule_and_index_rewritten_together_are_found_by_the_signatures(firm):
    """Whoever owns the disk can make run and index agree; nobody can make the ledger agree."""
    from research.lineage import capsule

    folder = firm.store / "runs" / firm.made[0]
    raw = json.loads((folder / "capsule.json").read_bytes())
    raw["results"]["metrics"]["rmse"]["value"] = 1.0
    again = capsule.write(folder, raw)
    with closing(sqlite3.connect(firm.store / "index.db")) as db, db:
        db.execute(
            "UPDATE runs SET record = ?, identity = ? WHERE run_id = ?", (again.record, again.identity, again.run_id)
        )
    (problem,) = problems(firm)
    assert problem == (
        f"heston_dax version 1: capsule of run {again.run_id} must have the digest that was signed; "
        "its file was changed"
    )


@pytest.mark.parametrize("name", ["manifest.json", "scorer.json", "capsule.json"])
def test_a_changed_payload_is_found(firm, name):
    flip(firm.office.realm.payload("heston_dax", 1) / name)
    (problem,) = problems(firm)
    assert problem.startswith("heston_dax version 1: payload ")


def test_a_changed_verdict_is_found(firm):
    report = firm.reproduced(firm.made[0])
    flip(report)
    (problem,) = problems(firm)
    assert problem.startswith(f"report of the reproduction of {firm.made[0]} must have the digest in the index")


def test_a_removed_run_and_a_foreign_folder_are_found(firm):
    (firm.store / "runs" / "heston-smuggled").mkdir()
    assert problems(firm) == ["run heston-smuggled: its folder must stand in the index; it does not"]


def test_the_command_says_ok_and_publishes_the_head(firm, capsys):
    assert main(["audit", "verify"]) == 0
    out = capsys.readouterr().out
    head = firm.office.ledger.head()
    assert out.rstrip().endswith("OK")
    assert f"head of the firm ledger: entry 3, {head.hash}" in out
    assert main(["audit", "verify", "--head", head.hash]) == 0
    lines = firm.office.ledger.path.read_bytes().splitlines(keepends=True)
    firm.office.ledger.path.write_bytes(b"".join(lines[:-1]))
    assert main(["audit", "verify"]) == 0
    assert main(["audit", "verify", "--head", head.hash, "--json"]) == 1
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["ok"] is False
    assert found["problems"][0].startswith(f"ledger: the published head {head.hash[:12]} must be one of its 3 entries")


def test_a_head_that_is_no_head_is_wrong_use(firm, capsys):
    assert main(["audit", "verify", "--head", "latest"]) == 2
    assert "head must be 12 to 64 hex digits; got 'latest'" in capsys.readouterr().err


def test_the_log_is_readable(firm, capsys):
    assert main(["audit", "log", "--json"]) == 0
    steps = [entry["step"] for entry in json.loads(capsys.readouterr().out)]
    assert steps == ["submit", "validate", "approve", "promote"]


def test_a_run_killed_before_it_left_a_record_is_no_problem(firm):
    from research.lineage import store

    skeleton = json.loads((firm.store / "runs" / firm.made[0] / "capsule.json").read_bytes())
    run, folder = store.open_run(firm.store, skeleton, request="killed")
    (folder / "opened.json").unlink()
    with closing(sqlite3.connect(firm.store / "index.db")) as db, db:
        db.execute("UPDATE runs SET status = 'FAILED' WHERE run_id = ?", (run,))
    assert problems(firm) == []
