"""The evidence ledger: append-only lines, each one signed and chained to the line before it.

A line is the canonical JSON of one DSSE envelope; its hash is the SHA-256 of these bytes. The signed statement
holds the number of the entry and the hash of the one before, so one signature covers the fact and its place.

    what someone does to the file           what finds it
    changes a byte                          canonical form, signature, or the next entry's `prev`
    removes or swaps entries                `seq` and `prev`
    cuts the tail                           a head published earlier: `verify(people, head=HASH)`
    adds an entry                           the signature, and the rule pack (lifecycle)

Each entry has two times: `effective`, from when the fact holds, and `recorded`, when the ledger learned it.
Writers wait for each other on a lock file; a line is on disk (fsync) before `append` returns.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from research.errors import IntegrityError, RefusedError, require
from research.fingerprint import canonical_json, digest_bytes
from research.governance import signatures
from research.governance.roles import Actor, People
from research.lineage.locks import file_lock

GENESIS = "0" * 64
PREDICATE = "urn:research:governance:{step}:v1"
_FIELDS = ("seq", "prev", "recorded", "effective", "step", "model", "version", "run", "person", "facts")


def utc(moment: datetime) -> str:
    """A moment as the ledger writes it: ISO 8601 in UTC with microseconds."""
    require(moment.tzinfo is not None, "moment", moment, "have a time zone")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    """The moment behind the ledger's text."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What someone does: the part of an entry that its writer chooses."""

    step: str  # submit, validate, approve, promote, retire
    model: str
    version: int
    run: str
    record: str  # digest of the capsule
    identity: str  # digest that two equal runs share
    facts: dict[str, Any]
    effective: datetime | None = None  # None: from the moment it is recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the ledger, read but not yet verified."""

    seq: int
    prev: str
    hash: str
    recorded: datetime
    effective: datetime
    step: str
    model: str
    version: int
    run: str
    record: str
    identity: str
    person: str
    keyid: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry: publish its hash, and nobody can cut the ledger behind it unseen."""

    seq: int
    hash: str


def _entry(line: bytes) -> Entry:
    content, keyid = signatures.read_envelope(line)
    try:
        (subject,) = content["subject"]
        body = content["predicate"]
        if content["_type"] != signatures.STATEMENT_TYPE or set(body) != set(_FIELDS):
            raise ValueError
        if content["predicateType"] != PREDICATE.format(step=body["step"]):
            raise ValueError
        values = {name: body[name] for name in _FIELDS}
        values["recorded"], values["effective"] = moment(body["recorded"]), moment(body["effective"])
        return Entry(
            hash=digest_bytes(line), keyid=keyid, identity=subject["name"], record=subject["digest"]["sha256"], **values
        )
    except (KeyError, TypeError, ValueError):
        raise IntegrityError("entry must be a ledger statement; got another kind of statement.") from None


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger in one file. Reading needs no lock: lines are only ever added."""

    path: Path

    def _lines(self) -> list[bytes]:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        *lines, rest = data.split(b"\n")
        if rest:
            raise IntegrityError(
                f"ledger must end with a whole entry; got a piece of one after {len(lines)} entries. "
                "Nothing is written behind it: restore the file from a copy."
            )
        return lines

    def entries(self) -> list[Entry]:
        """Every entry, in order, with the chain checked but no signature (see `verify`)."""
        found: list[Entry] = []
        for number, line in enumerate(self._lines()):
            try:
                entry = _entry(line)
            except IntegrityError as error:
                raise IntegrityError(f"ledger entry {number}: {error}") from None
            problem = _chain(found[-1] if found else None, entry)
            if problem:
                raise IntegrityError(f"ledger entry {number}: {problem}")
            found.append(entry)
        return found

    def head(self) -> Head | None:
        """The number and hash of the last entry; None when there is none."""
        lines = self._lines()
        return Head(len(lines) - 1, digest_bytes(lines[-1])) if lines else None

    def verify(self, people: People, *, head: str | None = None) -> list[str]:
        """Everything wrong with form, chain, signatures and (when a published head is given) length; empty if sound."""
        if head is not None:
            hint = "`research audit verify` prints the head."
            require(bool(re.fullmatch(r"[0-9a-fA-F]{12,64}", head)), "head", head, "be 12 to 64 hex digits", hint=hint)
        try:
            lines = self._lines()
        except IntegrityError as error:
            return [str(error)]
        problems: list[str] = []
        before: Entry | None = None
        for number, line in enumerate(lines):
            try:
                entry = _entry(line)
                problem = _chain(before, entry) or _signed(line, entry, people)
                before = entry
            except IntegrityError as error:
                problem = str(error)
            if problem:
                problems.append(f"ledger entry {number}: {problem}")
        if head is not None and not any(digest_bytes(line).startswith(head.lower()) for line in lines):
            problems.append(
                f"ledger: the published head {head[:12]} must be one of its {len(lines)} entries; got none like it. "
                "Entries were removed or rewritten after that head was published."
            )
        return problems

    @contextmanager
    def exclusive(self) -> Iterator[Writer]:
        """Hold the ledger: check and append as one step while other writers wait."""
        with file_lock(self.path.with_suffix(".lock")):
            yield Writer(self)


@dataclass(frozen=True, slots=True)
class Writer:
    """The right to append, given by `Ledger.exclusive`."""

    ledger: Ledger

    def append(self, step: Step, actor: Actor, *, objection: Callable[[list[Entry]], str] | None = None) -> Entry:
        """Sign and add one entry; it is on disk when this returns.

        Parameters
        ----------
        objection : function of all entries, the new one last, optional
            Why the new entry would have no effect; then it is not written.
        """
        entries = self.ledger.entries()
        last = entries[-1] if entries else None
        now = datetime.now(UTC)
        recorded = max(now, last.recorded) if last else now  # a clock set back does not turn the order round
        content = signatures.statement(
            identity=step.identity,
            record=step.record,
            predicate_type=PREDICATE.format(step=step.step),
            predicate={
                "seq": last.seq + 1 if last else 0,
                "prev": last.hash if last else GENESIS,
                "recorded": utc(recorded),
                "effective": utc(step.effective or recorded),
                "step": step.step,
                "model": step.model,
                "version": step.version,
                "run": step.run,
                "person": actor.person.name,
                "facts": step.facts,
            },
        )
        line = canonical_json(signatures.sign(content, actor.signer))
        entry = _entry(line)
        why = objection([*entries, entry]) if objection else ""
        if why:
            raise RefusedError(why)
        _write(self.ledger.path, line + b"\n")
        return entry


def _chain(before: Entry | None, entry: Entry) -> str:
    """What is wrong with an entry's place; empty when nothing."""
    seq, prev = (before.seq + 1, before.hash) if before else (0, GENESIS)
    if entry.seq != seq:
        return f"its number must be {seq}; got {entry.seq}. An entry was removed, added or moved."
    if entry.prev != prev:
        return f"it must follow {prev[:12]}; got {entry.prev[:12]}. The entry before it was changed."
    if before and entry.recorded < before.recorded:
        return f"it must not be older than entry {before.seq}; got {utc(entry.recorded)}."
    return ""


def _signed(line: bytes, entry: Entry, people: People) -> str:
    """What is wrong with an entry's signature; empty when nothing."""
    owner = people.by_key(entry.keyid)
    if owner is None:
        return f"its key {entry.keyid[:12]} must stand in roles.yaml; got a key of nobody there."
    if owner[0].name != entry.person:
        return f"it must be signed by {entry.person}; got the key of {owner[0].name}."
    if not owner[1].valid_at(entry.recorded):
        return f"the key of {entry.person} must be valid on {utc(entry.recorded)}; it was revoked or not yet valid."
    try:
        signatures.verify(line, owner[1].key)
    except IntegrityError as error:
        return str(error)
    return ""


def _write(path: Path, data: bytes) -> None:
    """Append all of `data` or none of it, and wait until it is on disk."""
    new = not path.exists()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        size = os.fstat(handle).st_size
        try:
            if os.write(handle, data) != len(data):
                raise OSError("short write: the disk is full")
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)
    if new:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
