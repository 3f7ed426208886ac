"""The author set: who made the model, computed from git and the capsule, never from a form.

Authors are the git authors and co-authors, up to the run's commit and through renames, of the notebook and of every
file of the run's code closure that is not shared ground (the rule pack says which), the operator of the run, and
the submitter. They can't validate or approve. A shallow clone has no history to compute it from, so it is refused.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from research.errors import RefusedError
from research.governance.roles import People, Person

_FIELD, _END = "\x1f", "\x1e"
_FORMAT = f"%H{_FIELD}%an{_FIELD}%ae{_FIELD}%(trailers:key=Co-authored-by,valueonly,separator={_FIELD}){_END}"
_PERSON = re.compile(r"\s*(?P<name>.*?)\s*<(?P<email>[^>]*)>\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """One member of the author set, and why."""

    name: str = ""
    email: str = ""
    user: str = ""  # login name, of the operator
    why: tuple[str, ...] = ()

    def is_person(self, person: Person) -> bool:
        """Whether this is `person`: the same email, name or login."""
        return bool(
            (self.email and self.email.lower() in {e.lower() for e in person.emails})
            or (self.name and self.name.casefold() in {person.name.casefold(), person.full_name.casefold()})
            or (self.user and self.user in person.users)
        )

    def __str__(self) -> str:
        return self.name or self.email or self.user

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "why": list(self.why)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Author:
        return cls(**{**value, "why": tuple(value["why"])})


def _git(root: Path, *args: str) -> str:
    env = {**os.environ, "GIT_NO_REPLACE_OBJECTS": "1", "LC_ALL": "C"}
    done = subprocess.run(["git", "-C", str(root), *args], capture_output=True, text=True, env=env)
    if done.returncode != 0:
        raise RefusedError(
            f"git history must be readable; git {args[0]} said: {done.stderr.strip().splitlines()[-1:]}."
        )
    return done.stdout


def require_full_history(root: Path, commit: str) -> None:
    """Refuse a shallow clone, and a clone without the commit."""
    if _git(root, "rev-parse", "--is-shallow-repository").strip() == "true":
        raise RefusedError(
            "clone must be complete to compute who the authors are; got a shallow one. git fetch --unshallow"
        )
    try:
        _git(root, "cat-file", "-e", f"{commit}^{{commit}}")
    except RefusedError:
        raise RefusedError(f"commit of the run must be in this clone; got none {commit[:12]}. git fetch") from None


def git_authors(root: Path, commit: str, path: str) -> list[tuple[str, str]]:
    """(name, email) of everyone who wrote `path` up to `commit`, through renames, once each."""
    log = _git(root, "log", "--follow", f"--format={_FORMAT}", commit, "--", path)
    found: dict[tuple[str, str], None] = {}
    for commit_text in filter(None, (part.strip("\n") for part in log.split(_END))):
        _, name, email, *others = commit_text.split(_FIELD)
        found[(name, email)] = None
        for match in filter(None, map(_PERSON.fullmatch, others)):
            found[(match["name"], match["email"])] = None
    return list(found)


def author_set(
    root: Path, *, commit: str, paths: Iterable[str], operator: dict[str, Any], submitter: Person, run: str
) -> tuple[Author, ...]:
    """Everyone who made the model; `paths` are its own files (the closure without shared ground)."""
    require_full_history(root, commit)
    why: dict[tuple[str, str, str], list[str]] = {}
    for path in sorted(paths):
        authors = git_authors(root, commit, path)
        if not authors:
            raise RefusedError(
                f"{path} must have a history at commit {commit[:12]}; got none, so nobody is its author."
            )
        for name, email in authors:
            why.setdefault((name, email, ""), []).append(path)
    who = (str(operator.get("git_name") or ""), str(operator.get("git_email") or ""), str(operator.get("user") or ""))
    if any(who):
        why.setdefault(who, []).append(f"operator of run {run}")
    why.setdefault((submitter.name, "", ""), []).append("submitter")
    return tuple(Author(name=n, email=e, user=u, why=tuple(reasons)) for (n, e, u), reasons in why.items())


def reasons(authors: Iterable[Author], person: Person) -> list[str]:
    """Why `person` is an author; empty when he is not."""
    return [reason for author in authors if author.is_person(person) for reason in author.why]


def unknown(authors: Iterable[Author], people: People) -> list[str]:
    """Authors that roles.yaml knows nobody for."""
    return sorted({str(a) for a in authors if not any(a.is_person(p) for p in people.people)})


def merge(*sets: Iterable[Author]) -> tuple[Author, ...]:
    """The union of several author sets."""
    found: dict[tuple[str, str, str], dict[str, None]] = {}
    for author in (a for group in sets for a in group):
        found.setdefault((author.name, author.email, author.user), {}).update(dict.fromkeys(author.why))
    return tuple(Author(name=n, email=e, user=u, why=tuple(why)) for (n, e, u), why in found.items())
