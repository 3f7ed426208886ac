"""The payload: the files that an approved version is made of, with a SHA-256 manifest.

    payload/
      scorer.json     scorer name, parameters, scope, uses; digests of data, capsule, and every module it runs
      capsule.json    the capsule, byte for byte
      tables/         the tables that the run's model names
      manifest.json   {file: SHA-256}; the SHA-256 of this file is the payload digest that people sign

Nothing here is ever unpickled, and no path is absolute. What a scorer runs is found by letting it price its own
example in a fresh process and listing the `research` modules that this imported.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from research.errors import InputError, IntegrityError, RefusedError
from research.fingerprint import canonical_json, digest_file
from research.governance.inventory import Card
from research.lineage.capsule import Capsule

SCHEMA = "research.payload/1"
PACKAGE = Path(__file__).resolve().parents[1]  # the installed `research`


def build(folder: Path, capsule: Capsule, card: Card) -> str:
    """Write the payload of a run into the empty `folder`; its digest."""
    model = capsule.model or {}
    if model.get("scorer") != card.scorer:
        raise RefusedError(
            f"scorer of run {capsule.run_id} must be {card.scorer!r}, as on the card; got {model.get('scorer')!r}. "
            'The notebook declares it: record(model={"scorer": ..., "parameters": ...}).'
        )
    (folder / "tables").mkdir(parents=True)
    tables = {name: _table(folder, capsule, name) for name in model.get("tables") or ()}
    shutil.copyfile(capsule.folder / "capsule.json", folder / "capsule.json")
    scorer = {
        "schema": "research.scorer/1",
        "model": card.name,
        "scorer": card.scorer,
        "parameters": model.get("parameters", {}),
        "tables": tables,
        "scope": [bound.model_dump(mode="json") for bound in card.scope],
        "uses": {
            "intended": [use.id for use in card.intended_use],
            "out_of_scope": [use.id for use in card.out_of_scope_use],
        },
        "data": [
            {key: read.get(key) for key in ("name", "as_of", "sha256", "dvc_md5", "rows")} for read in capsule.data
        ],
        "capsule": {
            "run": capsule.run_id,
            "record": capsule.record,
            "identity": capsule.identity,
            "commit": capsule.commit,
        },
        "modules": {},
    }
    _write(folder / "scorer.json", scorer)
    _write(folder / "scorer.json", {**scorer, "modules": _modules(folder)})
    files = {p.relative_to(folder).as_posix(): digest_file(p) for p in sorted(folder.rglob("*")) if p.is_file()}
    _write(folder / "manifest.json", {"schema": SCHEMA, "files": files})
    return digest_file(folder / "manifest.json")


def _table(folder: Path, capsule: Capsule, name: str) -> str:
    known = capsule.tables.get(name)
    if known is None:
        raise RefusedError(
            f"tables of the run's model must be recorded tables ({', '.join(capsule.tables)}); got {name!r}."
        )
    source = capsule.folder / known["path"]
    if digest_file(source) != capsule.artifacts[known["path"]]:
        raise IntegrityError(f"table {name} must have the digest in the capsule; its file was changed.")
    target = folder / "tables" / source.name
    shutil.copyfile(source, target)
    return target.relative_to(folder).as_posix()


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_bytes(canonical_json(value))


def _modules(folder: Path) -> dict[str, str]:
    """Digest of every `research` module that the scorer runs; fails when it can't price its example."""
    call = [sys.executable, "-P", "-m", "research.serving.closure", str(folder)]
    done = subprocess.run(call, capture_output=True, text=True)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RefusedError(f"scorer must load from its payload and price its example; got {last}")
    modules: dict[str, str] = json.loads(done.stdout)
    return modules


def problems(folder: Path, digest: str) -> list[str]:
    """Everything in the payload that differs from what was signed; empty when nothing."""
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        return [f"payload must be there; got no {folder.parent.name}/payload/manifest.json."]
    if digest_file(manifest) != digest:
        return ["payload manifest must have the digest that was signed; its file was changed."]
    files: dict[str, str] = json.loads(manifest.read_bytes())["files"]
    found = []
    for name, wanted in files.items():
        path = folder / name
        if not path.is_file() or path.is_symlink():
            found.append(f"payload file {name} must be there; got none.")
        elif digest_file(path) != wanted:
            found.append(f"payload file {name} must have the digest that was signed; its content was changed.")
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir() or p.is_symlink()}
    found += [
        f"payload must hold only signed files; got {name} too."
        for name in sorted(there - set(files) - {"manifest.json"})
    ]
    return found


def read_scorer(folder: Path) -> dict[str, Any]:
    """`scorer.json` of a payload; check `problems` first."""
    content = json.loads((folder / "scorer.json").read_bytes())
    if content.get("schema") != "research.scorer/1":
        raise InputError(f"scorer.json must have schema 'research.scorer/1'; got {content.get('schema')!r}.")
    return dict(content)


def changed_modules(modules: dict[str, str]) -> list[str]:
    """Approved modules whose installed file differs, or that were imported from elsewhere."""
    found = []
    for name, wanted in modules.items():
        path = PACKAGE.parent / name
        if not path.is_file():
            found.append(f"{name} is missing")
        elif digest_file(path) != wanted:
            found.append(f"{name} differs")
        elif _imported_from(name) not in (None, path):
            found.append(f"{name} was imported from {_imported_from(name)}")
    return found


def _imported_from(name: str) -> Path | None:
    dotted = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    file = getattr(sys.modules.get(dotted), "__file__", None)
    return Path(file).resolve() if file else None
