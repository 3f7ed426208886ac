"""The ledger finds every edit, keeps its order under several writers, and remembers what it knew when."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from research.errors import IntegrityError
from research.fingerprint import canonical_json, digest_bytes
from research.governance import signatures
from research.governance.ledger import Ledger, Step
from research.governance.roles import Actor, People, Person, PublicKey


def person(name: str, folder: Path) -> tuple[Actor, Person]:
    path, public = signatures.generate_key(name, folder)
    someone = Person(name=name, roles=("developer",), keys=(PublicKey(public=signatures.public_text(public)),))
    return Actor(someone, signatures.read_key(path)), someone


def step(number: int = 1) -> Step:
    return Step(
        step="submit",
        model="m",
        version=number,
        run=f"run-{number}",
        record="a" * 64,
        identity="b" * 64,
        facts={"n": number},
    )


@pytest.fixture
def book(tmp_path: Path) -> tuple[Ledger, Actor, People]:
    actor, someone = person("ada", tmp_path / "keys")
    ledger = Ledger(tmp_path / "ledger" / "ledger.jsonl")
    with ledger.exclusive() as writer:
        for number in range(1, 5):
            writer.append(step(number), actor)
    return ledger, actor, People(people=(someone,))


def test_an_untouched_ledger_is_sound(book):
    ledger, _, people = book
    assert ledger.verify(people) == []
    assert [e.seq for e in ledger.entries()] == [0, 1, 2, 3]
    head = ledger.head()
    assert head is not None and head.seq == 3
    assert ledger.verify(people, head=head.hash) == []


def test_the_envelope_is_dsse_over_an_in_toto_statement_that_another_library_verifies(book):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    ledger, _, people = book
    envelope = json.loads(ledger.path.read_bytes().splitlines()[0])
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    signed = b"DSSEv1 %d %b %d %b" % (
        len(kind),
        kind,
        len(payload),
        payload,
    )  # pre-authentication encoding of the standard
    key = people.people[0].keys[0].public.removeprefix("ed25519:")
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(
        base64.b64decode(envelope["signatures"][0]["sig"]), signed
    )
    statement = json.loads(payload)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [{"name": "b" * 64, "digest": {"sha256": "a" * 64}}]


def test_one_changed_byte_anywhere_is_found(book):
    ledger, _, people = book
    good = ledger.path.read_bytes()
    for position in range(0, len(good), 7):  # every seventh byte, in each entry, the last included
        bad = bytearray(good)
        bad[position] ^= 0x01
        ledger.path.write_bytes(bytes(bad))
        assert ledger.verify(people), f"byte {position} {good[position : position + 1]!r}"
    ledger.path.write_bytes(good)
    assert ledger.verify(people) == []


def test_every_changed_byte_of_the_last_entry_is_found_although_nothing_is_chained_to_it(book):
    ledger, _, people = book
    good = ledger.path.read_bytes()
    start = good[:-1].rindex(b"\n") + 1
    for position in range(start, len(good)):
        bad = bytearray(good)
        bad[position] ^= 0x20  # also turns the case of letters, which hexadecimal and some base64 readers forgive
        ledger.path.write_bytes(bytes(bad))
        assert ledger.verify(people), f"byte {position} {good[position : position + 1]!r}"


def test_an_entry_removed_from_the_middle_is_found(book):
    ledger, _, people = book
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(b"".join(lines[:1] + lines[2:]))
    assert ledger.verify(people)[0] == (
        "ledger entry 1: its number must be 1; got 2. An entry was removed, added or moved."
    )
    with pytest.raises(IntegrityError, match="its number must be 1; got 2"):
        ledger.entries()


def test_a_removed_tail_is_found_against_a_published_head(book):
    ledger, _, people = book
    head = ledger.head()
    assert head is not None
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(b"".join(lines[:-1]))
    assert ledger.verify(people) == []  # a shorter chain is a chain
    (problem,) = ledger.verify(people, head=head.hash)
    assert problem.startswith(
        f"ledger: the published head {head.hash[:12]} must be one of its 3 entries; got none like it."
    )


def test_a_head_published_earlier_stays_good_when_the_ledger_grows(book):
    ledger, actor, people = book
    head = ledger.head()
    with ledger.exclusive() as writer:
        writer.append(step(9), actor)
    assert head is not None and ledger.verify(people, head=head.hash) == []


def test_a_rewritten_chain_needs_the_signers_key(book, tmp_path):
    ledger, _, people = book
    stranger, _ = person("mallory", tmp_path / "other")
    lines = ledger.path.read_bytes().splitlines()
    content, _ = signatures.read_envelope(lines[-1])
    content["predicate"]["facts"] = {"n": 99}
    forged = canonical_json(signatures.sign(content, stranger.signer))
    ledger.path.write_bytes(b"\n".join([*lines[:-1], forged]) + b"\n")
    assert "must stand in roles.yaml; got a key of nobody there" in ledger.verify(people)[0]


def test_a_signer_who_rewrites_his_own_entry_is_found_by_the_next_one(book):
    """His key is good and the number is right; only the hash in the entry after it disagrees."""
    ledger, actor, people = book
    lines = ledger.path.read_bytes().splitlines()
    content, _ = signatures.read_envelope(lines[1])
    content["predicate"]["facts"] = {"n": 99}
    lines[1] = canonical_json(signatures.sign(content, actor.signer))
    ledger.path.write_bytes(b"\n".join(lines) + b"\n")
    (problem,) = ledger.verify(people)
    assert problem.startswith("ledger entry 2: it must follow ")
    assert problem.endswith("The entry before it was changed.")


def test_the_same_envelope_written_another_way_is_found(book):
    """Base64 leaves slack bits and JSON leaves spaces: neither may hide an edit of the last entry."""
    ledger, _, people = book
    *before, last = ledger.path.read_bytes().splitlines()
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    at = last.index(b'=="', last.index(b'"sig"')) - 1  # the last letter of the signature: four of its bits mean nothing
    slack = alphabet[alphabet.index(last[at : at + 1]) + 1 : alphabet.index(last[at : at + 1]) + 2]
    again = {
        "slack": last[:at] + slack + last[at + 1 :],
        "space": last.replace(b'":', b'": ', 1),
        "order": json.dumps(dict(reversed(json.loads(last).items())), separators=(",", ":")).encode(),
    }
    assert base64.b64decode(json.loads(again["slack"])["signatures"][0]["sig"]) == base64.b64decode(
        json.loads(last)["signatures"][0]["sig"]
    )
    for how, line in again.items():
        ledger.path.write_bytes(b"\n".join([*before, line]) + b"\n")
        assert ledger.verify(people) == [
            "ledger entry 3: entry must be one signed DSSE envelope in canonical JSON; got other bytes."
        ], how


def test_a_piece_of_an_entry_at_the_end_stops_reading_and_writing(book):
    ledger, actor, people = book
    ledger.path.write_bytes(ledger.path.read_bytes()[:-20])
    expected = "ledger must end with a whole entry; got a piece of one after 3 entries"
    assert ledger.verify(people)[0].startswith(expected)
    size = ledger.path.stat().st_size
    with pytest.raises(IntegrityError, match=expected), ledger.exclusive() as writer:
        writer.append(step(5), actor)
    assert ledger.path.stat().st_size == size


def test_nothing_is_appended_behind_a_changed_entry(book):
    ledger, actor, _ = book
    lines = ledger.path.read_bytes().splitlines()
    ledger.path.write_bytes(b"\n".join([lines[0], lines[0], *lines[2:]]) + b"\n")
    with pytest.raises(IntegrityError, match="ledger entry 1"), ledger.exclusive() as writer:
        writer.append(step(5), actor)


def test_a_revoked_key_signs_nothing_more_and_what_it_signed_stays_valid(book):
    ledger, _, people = book
    entries = ledger.entries()
    someone = people.people[0]

    def revoked(moment: datetime) -> People:
        key = someone.keys[0].model_copy(update={"revoked": moment})
        return People(people=(someone.model_copy(update={"keys": (key,)}),))

    assert ledger.verify(revoked(datetime.now(UTC))) == []
    problems = ledger.verify(revoked(entries[2].recorded))
    assert [p.split(":")[0] for p in problems] == ["ledger entry 2", "ledger entry 3"]
    assert "it was revoked or not yet valid" in problems[0]


def test_a_new_key_of_the_same_person_continues_the_ledger(book, tmp_path):
    ledger, _, people = book
    old = people.people[0]
    path, public = signatures.generate_key("ada-2", tmp_path / "keys")
    new = PublicKey(public=signatures.public_text(public), since=datetime.now(UTC))
    rotated = old.model_copy(update={"keys": (old.keys[0].model_copy(update={"revoked": datetime.now(UTC)}), new)})
    with ledger.exclusive() as writer:
        writer.append(step(7), Actor(rotated, signatures.read_key(path)))
    assert ledger.verify(People(people=(rotated,))) == []


# not multiprocessing: its child would import this module by a name that another package may hold
_APPEND_TEN = """
import importlib.util, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("ledger_steps", sys.argv[1])
steps = importlib.util.module_from_spec(spec)
spec.loader.exec_module(steps)
actor = steps.Actor(steps.Person(name=sys.argv[4]), steps.signatures.read_key(sys.argv[3]))
for number in range(10):
    with steps.Ledger(Path(sys.argv[2])).exclusive() as writer:
        writer.append(steps.step(number), actor)
"""


def test_two_processes_writing_at_once_leave_one_sound_chain(tmp_path):
    folder, ledger = tmp_path / "keys", Ledger(tmp_path / "ledger.jsonl")
    people = People(people=tuple(person(name, folder)[1] for name in ("ada", "bob")))
    jobs = [
        subprocess.Popen([sys.executable, "-c", _APPEND_TEN, __file__, ledger.path, folder / f"{name}.pem", name])
        for name in ("ada", "bob")
    ]
    for job in jobs:
        assert job.wait(60) == 0
    assert ledger.verify(people) == []
    assert len(ledger.entries()) == 20


def test_the_hash_of_a_line_is_that_of_its_bytes(book):
    ledger, _, _ = book
    lines = ledger.path.read_bytes().splitlines()
    assert [e.hash for e in ledger.entries()] == [digest_bytes(line) for line in lines]
