"""Is a run as it was recorded? Every byte of capsule and artifacts against the digests."""

from __future__ import annotations

from research.errors import IntegrityError
from research.fingerprint import canonical_json, digest_file
from research.lineage import capsule, index
from research.lineage.store import folder_of, resolve, root_of
from research.project import Project


def verify_run(run: str, *, project: Project | None = None) -> list[str]:
    """What is wrong with a recorded run, one sentence each; empty when nothing is."""
    root = root_of(project)
    name = resolve(root, run)
    with index.reading(root) as db:
        row = db.execute("SELECT status, record FROM runs WHERE run_id = ?", (name,)).fetchone()
    if row["status"] == "RUNNING":
        return [f"run {name} is still going on"]
    folder = folder_of(root, name)
    try:
        found = capsule.read(folder)
    except IntegrityError as error:
        return [str(error)]
    problems = []
    if found.record != row["record"]:
        problems.append(f"{capsule.FILE} must have the digest of the index, {row['record']}; got {found.record}")
    if canonical_json(found.raw) != (folder / capsule.FILE).read_bytes():
        problems.append(f"{capsule.FILE} must be canonical JSON")
    for kind, made in (("recipe", capsule.recipe(found.raw)), ("identity", capsule.identity(found.raw))):
        if made != found.raw["digests"][kind]:
            problems.append(
                f"{kind} of the capsule must follow from its content, {made}; got {found.raw['digests'][kind]}"
            )
    for path, wanted in found.artifacts.items():
        file = folder / path
        if not file.is_file():
            problems.append(f"artifact {path} is missing")
        elif (got := digest_file(file)) != wanted:
            problems.append(f"artifact {path} must have the digest of the capsule, {wanted}; got {got}")
    return problems
