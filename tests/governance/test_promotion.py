"""The path to production, and every way in which it is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from research.errors import InputError, IntegrityError, RefusedError
from research.governance import authorship, payload, promotion
from research.governance.ledger import Step
from research.governance.roles import actor

BENCHMARK = "notebooks/validation/heston_benchmark.ipynb"


def test_the_whole_path_ends_in_production(world):
    run = world.promoted()
    version = world.office.register().champion("heston_dax")
    assert version is not None
    assert (version.number, version.run, version.state) == (1, run, "production")
    assert {step: version.signers(step) for step in ("submit", "validate", "approve", "promote")} == {
        "submit": ("sam",),
        "validate": ("vic",),
        "approve": ("abe",),
        "promote": ("sam",),
    }
    assert world.office.register().problems == ()
    assert payload.problems(world.office.realm.payload("heston_dax", 1), version.payload) == []


def test_the_author_set_holds_git_authors_operator_and_submitter(world):
    world.submitted()
    (entry,) = world.office.ledger.entries()
    why = {a["name"]: a["why"] for a in entry.facts["authors"]}
    assert "notebooks/calibration/heston.ipynb" in why["Ada Author"]
    assert "src/research/models/heston.py" in why["Ada Author"]
    assert "src/research/serving/heston_surface.py" in why["Ada Author"]
    assert not any("errors.py" in reason for reason in why["Ada Author"])  # shared ground
    assert why["Sam Submitter"][0].startswith("operator of run heston-")
    assert why["sam"] == ["submitter"]


def test_the_author_set_follows_renames_and_co_authors(world):
    world.git("mv", "notebooks/calibration/heston.ipynb", "notebooks/calibration/renamed.ipynb")
    world.commit("Move\n\nCo-authored-by: Bea Approver <bea@example.org>", author="Zoe <zoe@example.org>")
    found = authorship.git_authors(world.root, "HEAD", "notebooks/calibration/renamed.ipynb")
    assert set(found) == {
        ("Ada Author", "ada@example.org"),
        ("Zoe", "zoe@example.org"),
        ("Bea Approver", "bea@example.org"),
    }


def test_an_author_cannot_validate_and_is_told_who_can(world):
    world.submitted()
    with pytest.raises(RefusedError) as refusal:
        promotion.validate(world.office, "heston_dax", world.by("ada"))
    assert str(refusal.value) == (
        "validate of heston_dax version 1 refused: must come from someone who is not an author; ada is one "
        "(notebooks/calibration/heston.ipynb; src/research/models/heston.py; src/research/serving/heston_surface.py). "
        "Who can: vic, bea."
    )


def test_an_author_under_another_address_is_known_by_name(world):
    world.commit("Second address", author="ADA AUTHOR <ada@home.example>")
    person = world.office.people.find("ada")
    assert authorship.Author(name="ADA AUTHOR", email="ada@home.example").is_person(person)


def test_the_submitter_cannot_approve_even_with_the_role(world):
    world.edit("governance/roles.yaml", lambda r: r["people"][1]["roles"].append("approver"))
    world.submitted()
    promotion.validate(world.office, "heston_dax", world.by("vic"))
    with pytest.raises(
        RefusedError,
        match=r"sam is one \((operator of run heston-\S*; submitter)\)\. Who can: abe, bea\.",
    ):
        promotion.approve(world.office, "heston_dax", world.by("sam"))


def test_the_validator_cannot_approve(world):
    world.submitted()
    promotion.validate(world.office, "heston_dax", world.by("bea"))
    with pytest.raises(
        RefusedError, match=r"must come from someone else than the validate step; bea signed that\. Who can: abe\."
    ):
        promotion.approve(world.office, "heston_dax", world.by("bea"))


def test_a_role_is_needed(world):
    world.submitted()
    with pytest.raises(RefusedError, match=r"needs one of the roles validator; eve has auditor\. Who can: vic, bea\."):
        promotion.validate(world.office, "heston_dax", world.by("eve"))


def test_a_stranger_and_a_borrowed_key_are_refused(world):
    run = world.run()
    with pytest.raises(RefusedError, match=r"--as must name someone in roles.yaml \(ada, sam, .*\); got 'zed'"):
        promotion.submit(world.office, run, "heston_dax", promotion.Signer(name="zed", key=world.keys / "ada.pem"))
    with pytest.raises(RefusedError, match=r"key must be one of sam's in roles.yaml; got vic's"):
        promotion.submit(world.office, run, "heston_dax", promotion.Signer(name="sam", key=world.keys / "vic.pem"))


def test_an_unpinned_run_is_refused_with_its_reasons(world):
    run = world.run(pinned=False, unpinned_reasons=["code differs from HEAD: src/research/models/heston.py"])
    with pytest.raises(RefusedError, match=r"must be pinned; got unpinned: code differs from HEAD: .*Commit, then run"):
        promotion.submit(world.office, run, "heston_dax", world.by("sam"))


def test_a_failed_and_a_not_passed_run_are_refused_with_all_reasons_at_once(world):
    run = world.run(status="FAILED", results={"passed": False})
    with pytest.raises(RefusedError) as refusal:
        promotion.submit(world.office, run, "heston_dax", world.by("sam"))
    assert "must be FINISHED; got FAILED" in str(refusal.value)
    assert "must meet its notebook's 'passes when'; got passed = False" in str(refusal.value)


def test_a_run_of_another_notebook_is_refused(world):
    run = world.run(BENCHMARK)
    with pytest.raises(
        RefusedError, match=r"must be one of notebooks/calibration/heston.ipynb, as on the card; it ran"
    ):
        promotion.submit(world.office, run, "heston_dax", world.by("sam"))


def test_an_unknown_model_gets_a_suggestion(world):
    with pytest.raises(InputError, match="Did you mean 'heston_dax'"):
        promotion.submit(world.office, world.run(), "heston_dx", world.by("sam"))


def test_a_shallow_clone_is_refused(world, tmp_path, monkeypatch):
    world.commit("another")
    clone = tmp_path / "shallow"
    world.git("clone", "-q", "--depth", "1", f"file://{world.root}", str(clone))
    with pytest.raises(RefusedError, match=r"clone must be complete .*; got a shallow one\. git fetch --unshallow"):
        authorship.require_full_history(clone, "HEAD")


def test_an_edited_scorer_that_is_not_committed_is_refused(world, monkeypatch):
    told = payload._modules(Path())
    monkeypatch.setattr(payload, "_modules", lambda folder: {**told, "research/serving/heston_surface.py": "0" * 64})
    with pytest.raises(RefusedError, match=r"src/research/serving/heston_surface.py must be committed; got edits"):
        promotion.submit(world.office, world.run(), "heston_dax", world.by("sam"))
    assert list((world.store / "models" / "heston_dax").iterdir()) == []  # nothing half-built stays


def test_code_edited_since_the_run_is_refused(world, monkeypatch):
    told = payload._modules(Path())
    monkeypatch.setattr(payload, "_modules", lambda folder: {**told, "research/models/heston.py": "0" * 64})
    with pytest.raises(
        RefusedError, match=r"src/research/models/heston.py must be the code of the run; it was edited since"
    ):
        promotion.submit(world.office, world.run(), "heston_dax", world.by("sam"))


def test_the_same_run_is_submitted_once(world):
    run = world.submitted()
    with pytest.raises(
        RefusedError, match=r"run must be new to heston_dax; got heston-.*, which is version 1 \(submitted\)"
    ):
        promotion.submit(world.office, run, "heston_dax", world.by("sam"))


def test_validation_needs_a_reproduction_and_its_verdict(world):
    run = world.run()
    world.run(BENCHMARK)
    promotion.submit(world.office, run, "heston_dax", world.by("sam"))
    with pytest.raises(RefusedError, match=f"must have been reproduced; got no verdict. research reproduce {run}"):
        promotion.validate(world.office, "heston_dax", world.by("vic"))
    world.reproduced(run, "NOT REPRODUCED")
    with pytest.raises(RefusedError, match="must be reproduced; its verdict is NOT REPRODUCED"):
        promotion.validate(world.office, "heston_dax", world.by("vic"))
    world.reproduced(run, "REPRODUCED WITHIN TOLERANCE")
    entry = promotion.validate(world.office, "heston_dax", world.by("vic"))
    assert entry.facts["reproduction"]["verdict"] == "REPRODUCED WITHIN TOLERANCE"


def test_a_reproduction_in_the_working_tree_does_not_count(world):
    run = world.run()
    world.run(BENCHMARK)
    promotion.submit(world.office, run, "heston_dax", world.by("sam"))
    world.reproduced(run, here=True)
    with pytest.raises(RefusedError, match="must have been reproduced; got no verdict"):
        promotion.validate(world.office, "heston_dax", world.by("vic"))


def test_an_edited_verdict_does_not_count(world):
    run = world.submitted()
    report = world.reproduced(run, "NOT REPRODUCED")
    report.write_bytes(report.read_bytes().replace(b"NOT REPRODUCED", b"REPRODUCED"))
    with pytest.raises(IntegrityError, match="must have the digest in the index; it was changed or removed"):
        promotion.validate(world.office, "heston_dax", world.by("vic"))


def test_validation_needs_the_evidence_that_the_card_names(world):
    run = world.run()
    world.reproduced(run)
    promotion.submit(world.office, run, "heston_dax", world.by("sam"))
    with pytest.raises(RefusedError, match=f"evidence must hold a passed, pinned run of {BENCHMARK}; got none"):
        promotion.validate(world.office, "heston_dax", world.by("vic"))
    failed = [{"test": "parity", "verdict": "fail", "statistic": 2.0, "threshold": 1.0}]
    world.run(BENCHMARK, results={"evidence": failed})
    with pytest.raises(RefusedError, match=r"tests of .* must pass; got parity"):
        promotion.validate(world.office, "heston_dax", world.by("vic"))
    code = {"commit": world.git("rev-parse", "HEAD"), "closure": {}, "core": "0" * 64, "digest": "d" * 64, "dirty": []}
    other = world.run(BENCHMARK, code=code)
    with pytest.raises(RefusedError, match="must have tested the core of this run; it ran on another"):
        promotion.validate(world.office, "heston_dax", world.by("vic"), evidence=[other])
    good = world.run(BENCHMARK)
    entry = promotion.validate(world.office, "heston_dax", world.by("vic"))
    assert entry.facts["evidence"][BENCHMARK]["run"] == good


def test_a_changed_run_cannot_be_validated(world):
    run = world.submitted()
    (world.store / "runs" / run / "executed.ipynb").write_text("{ }")
    with pytest.raises(
        IntegrityError, match=f"run {run} must be as recorded; artifact executed.ipynb must have the digest"
    ):
        promotion.validate(world.office, "heston_dax", world.by("vic"))


def test_an_edited_card_must_be_submitted_again(world):
    world.submitted()
    world.edit("governance/inventory/heston_dax.yaml", lambda card: card.update(tier=3))
    with pytest.raises(RefusedError, match=r"the card must be the one submitted; .*heston_dax.yaml was edited since"):
        promotion.validate(world.office, "heston_dax", world.by("vic"))


def test_an_overdue_review_stops_a_submission(world):
    world.edit("governance/inventory/heston_dax.yaml", lambda card: card.update(next_review="2020-01-31"))
    with pytest.raises(RefusedError, match="next_review of the card must lie ahead; got 2020-01-31"):
        promotion.submit(world.office, world.run(), "heston_dax", world.by("sam"))


def test_the_steps_have_an_order(world):
    world.submitted()
    with pytest.raises(RefusedError, match="the version must be validated; it is submitted"):
        promotion.approve(world.office, "heston_dax", world.by("abe"))
    with pytest.raises(RefusedError, match="the version must be approved; it is submitted"):
        promotion.promote(world.office, "heston_dax", world.by("abe"))


def test_a_rejected_version_goes_no_further(world):
    world.submitted()
    promotion.validate(world.office, "heston_dax", world.by("vic"), reject="short expiries fit badly")
    (version,) = world.office.register().versions
    assert version.state == "rejected"
    with pytest.raises(RefusedError, match="the version must be validated; it is rejected"):
        promotion.approve(world.office, "heston_dax", world.by("abe"))


def test_tier_one_needs_two_approvals_and_known_authors(world):
    world.edit("governance/inventory/heston_dax.yaml", lambda card: card.update(tier=1))
    world.commit("An outsider's line", author="Zoe <zoe@example.org>")
    (world.root / "notebooks/calibration/heston.ipynb").write_text("{}")
    world.commit("An outsider's line", author="Zoe <zoe@example.org>")
    run = world.run()
    with pytest.raises(RefusedError, match=r"every author must stand in roles.yaml; got Zoe besides"):
        promotion.submit(world.office, run, "heston_dax", world.by("sam"))
    world.edit("governance/roles.yaml", lambda r: r["people"].append({"name": "zoe", "emails": ["zoe@example.org"]}))
    world.reproduced(run)
    world.run(BENCHMARK)
    promotion.submit(world.office, run, "heston_dax", world.by("sam"))
    promotion.validate(world.office, "heston_dax", world.by("vic"))
    promotion.approve(world.office, "heston_dax", world.by("abe"))
    (version,) = world.office.register().versions
    assert version.state == "validated"  # one of two
    with pytest.raises(RefusedError, match="abe has signed it already"):
        promotion.approve(world.office, "heston_dax", world.by("abe"))
    promotion.approve(world.office, "heston_dax", world.by("bea"))
    (version,) = world.office.register().versions
    assert (version.state, version.signers("approve")) == ("approved", ("abe", "bea"))


def test_a_promotion_retires_the_version_before(world):
    world.promoted()
    second = world.promoted()
    states = [(v.number, v.state) for v in world.office.register().of("heston_dax")]
    assert states == [(1, "retired"), (2, "production")]
    assert world.office.register().champion("heston_dax").run == second


def test_a_key_used_past_the_commands_promotes_nothing(world):
    """The signature is good, the chain is good; the entry has no effect, because the rules say who may."""
    world.submitted()
    office, who = world.office, None
    submitted = office.ledger.entries()[0]
    who = actor(office.people, "sam", world.keys / "sam.pem", now=datetime.now(UTC))
    keep = {k: submitted.facts[k] for k in ("rules", "tier", "card", "payload", "authors")}
    for step in ("validate", "approve", "promote"):
        with office.ledger.exclusive() as writer:
            writer.append(
                Step(
                    step=step,
                    model="heston_dax",
                    version=1,
                    run=submitted.run,
                    record=submitted.record,
                    identity=submitted.identity,
                    facts=keep,
                ),
                who,
            )
    assert office.ledger.verify(office.people) == []
    register = office.register()
    assert register.versions[0].state == "submitted"
    assert [p.split(": ")[2].split(";")[0] for p in register.problems] == [
        "needs one of the roles validator",
        "the version must be validated",
        "the version must be approved",
    ]


def test_an_entry_of_garbage_has_no_effect_and_is_reported(world):
    world.submitted()
    office = world.office
    who = actor(office.people, "vic", world.keys / "vic.pem", now=datetime.now(UTC))
    with office.ledger.exclusive() as writer:
        writer.append(
            Step(step="validate", model="heston_dax", version=1, run="x", record="y", identity="z", facts={}), who
        )
    assert office.register().problems == (
        "ledger entry 1: validate heston_dax version 1: its facts must be those of the step; got others",
    )


def test_past_states_can_be_asked_by_both_times(world):
    world.submitted()
    promotion.validate(world.office, "heston_dax", world.by("vic"))
    promotion.approve(world.office, "heston_dax", world.by("abe"))
    before = datetime.now(UTC)
    monday = before + timedelta(days=3)
    promotion.promote(world.office, "heston_dax", world.by("sam"), effective=monday)

    def state(**when: datetime) -> str:
        return world.office.register(**when).versions[0].state

    assert state() == "approved"  # not yet
    assert state(effective=monday) == "production"
    assert state(effective=monday, known=before) == "approved"  # what one knew before the promotion
    late = monday + timedelta(days=10)
    promotion.retire(world.office, "heston_dax@1", world.by("abe"), reason="withdrawn", effective=late)
    assert state(effective=monday + timedelta(days=1)) == "production"
    assert state(effective=late) == "retired"


def test_nothing_is_in_production_before_its_approval(world):
    world.submitted()
    promotion.validate(world.office, "heston_dax", world.by("vic"))
    promotion.approve(world.office, "heston_dax", world.by("abe"))
    with pytest.raises(RefusedError, match="must not hold from before the approve step"):
        promotion.promote(world.office, "heston_dax", world.by("sam"), effective=datetime(2020, 1, 1, tzinfo=UTC))
    assert [e.step for e in world.office.ledger.entries()] == ["submit", "validate", "approve"]


def test_an_edited_rule_pack_does_not_judge_old_entries_silently(world):
    world.submitted()
    world.edit("governance/rules/base-1.yaml", lambda pack: pack["tiers"][2]["approve"].update(independent=False))
    (problem,) = world.office.register().problems
    assert problem.endswith("it names another, or the pack was edited")


def test_retiring_needs_a_reason(world):
    world.promoted()
    with pytest.raises(InputError, match="reason must say why the version is retired"):
        promotion.retire(world.office, "heston_dax@1", world.by("abe"), reason=" ")
    promotion.retire(world.office, "heston_dax@champion", world.by("abe"), reason="replaced by SVI")
    assert world.office.register().champion("heston_dax") is None


def test_a_submission_killed_before_its_entry_leaves_the_number_free(world):
    stale = world.office.realm.payload("heston_dax", 1)
    stale.mkdir(parents=True)
    (stale / "left").write_text("over")
    world.submitted()
    assert not (stale / "left").exists()
    assert world.office.register().versions[0].number == 1
