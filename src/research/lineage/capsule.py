"""The capsule: one canonical JSON file that says what a run was, and the three digests over it.

`recipe` = SHA-256 of {notebook digest, code closure, parameters, lock digest, seeds}
    What was asked, known before running. No commit, no path of the notebook, no data.
`identity` = SHA-256 of {recipe, data, results}
    What was asked, read and found. Data: name, as-of, columns and digest of every read. Results: metrics, table
    digests, names of figures, evidence, model, passed. Left out: commit, CPU, threads, times, host, operator, picture
    bytes, and numbers declared with an infinite tolerance (seconds). Two equal runs share it.
`record` = SHA-256 of the capsule file
    Everything, this one time. Signatures cover it; it is kept in the index and in the tags of the tracking run.

Canonical means RFC 8785: equal content has equal bytes. NaN and infinities are text, dates ISO text.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from research.errors import IntegrityError
from research.fingerprint import canonical_json, digest_bytes, digest_json

SCHEMA = "research.capsule/1"
FILE = "capsule.json"
_EVIDENCE = ("test", "claim", "verdict", "statistic", "threshold", "p_value", "power", "n")
_READ = ("name", "as_of", "columns", "sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capsule:
    """A run as recorded; `raw` is the whole JSON, the properties are its most asked parts."""

    raw: dict[str, Any]
    folder: Path
    record: str  # SHA-256 of the capsule file

    @property
    def run_id(self) -> str:
        return str(self.raw["run_id"])

    @property
    def status(self) -> str:
        return str(self.raw["status"])

    @property
    def recipe(self) -> str:
        return str(self.raw["digests"]["recipe"])

    @property
    def identity(self) -> str:
        return str(self.raw["digests"]["identity"])

    @property
    def operator(self) -> dict[str, Any]:
        return dict(self.raw["operator"])

    @property
    def notebook(self) -> str:
        """Path of the notebook in the project."""
        return str(self.raw["notebook"]["path"])

    @property
    def commit(self) -> str | None:
        return self.raw["code"]["commit"]

    @property
    def closure(self) -> dict[str, str]:
        return dict(self.raw["code"]["closure"])

    @property
    def parameters(self) -> dict[str, Any]:
        return dict(self.raw["parameters"])

    @property
    def seeds(self) -> dict[str, Any]:
        return dict(self.raw["seeds"])

    @property
    def data(self) -> list[dict[str, Any]]:
        return list(self.raw["data"])

    @property
    def environment(self) -> dict[str, Any]:
        return dict(self.raw["environment"])

    @property
    def results(self) -> dict[str, Any]:
        return dict(self.raw["results"])

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        return dict(self.results["metrics"])

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        return dict(self.results["tables"])

    @property
    def evidence(self) -> list[dict[str, Any]]:
        return list(self.results["evidence"])

    @property
    def model(self) -> dict[str, Any] | None:
        return self.results["model"]

    @property
    def passed(self) -> bool | None:
        return self.results["passed"]

    @property
    def artifacts(self) -> dict[str, str]:
        return dict(self.raw["artifacts"])

    @property
    def pinned(self) -> bool:
        return bool(self.raw["pinned"])

    @property
    def unpinned_reasons(self) -> list[str]:
        return list(self.raw["unpinned_reasons"])

    @property
    def times(self) -> dict[str, Any]:
        return dict(self.raw["times"])

    def table(self, name: str) -> Any:
        """A recorded table as a data frame."""
        import pandas as pd

        return pd.read_parquet(self.folder / self.tables[name]["path"])


def recipe(raw: dict[str, Any]) -> str:
    """The digest of what was asked."""
    return digest_json(
        {
            "notebook": raw["notebook"]["digest"],
            "closure": raw["code"]["closure"],
            "parameters": raw["parameters"],
            "lock": raw["environment"]["lock"],
            "seeds": raw["seeds"],
        }
    )


def identity(raw: dict[str, Any]) -> str:
    """The digest of what was asked, read and found."""
    reads = sorted(({key: read.get(key) for key in _READ} for read in raw["data"]), key=canonical_json)
    return digest_json({"recipe": recipe(raw), "data": reads, "results": essential(raw["results"])})


def essential(results: dict[str, Any]) -> dict[str, Any]:
    """The results that a re-run is held to."""
    metrics = {
        name: {"value": item["value"], "unit": item["unit"]}
        for name, item in results["metrics"].items()
        if "inf" not in (item["rtol"], item["atol"])
    }
    tables = {name: {"digest": item["digest"], "rows": item["rows"]} for name, item in results["tables"].items()}
    evidence = [{key: item.get(key) for key in _EVIDENCE} for item in results["evidence"]]
    figures = sorted(results["figures"])
    model, passed = results["model"], results["passed"]
    return {
        "metrics": metrics,
        "tables": tables,
        "figures": figures,
        "evidence": evidence,
        "model": model,
        "passed": passed,
    }


def sealed(raw: dict[str, Any]) -> dict[str, Any]:
    """`raw` with its recipe and identity filled in."""
    return {**raw, "schema": SCHEMA, "digests": {"recipe": recipe(raw), "identity": identity(raw)}}


def write(folder: Path, raw: dict[str, Any]) -> Capsule:
    """Seal `raw` and write it to `folder/capsule.json`, whole or not at all."""
    full = sealed(raw)
    data = canonical_json(full)
    target = folder / FILE
    partial = folder / f".{FILE}.{os.getpid()}"
    with open(partial, "wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    partial.replace(target)
    return Capsule(raw=full, folder=folder, record=digest_bytes(data))


def read(folder: Path) -> Capsule:
    """The capsule in a run folder.

    Raises
    ------
    IntegrityError
        When the file is missing, is no JSON, or has another schema.
    """
    path = folder / FILE
    try:
        data = path.read_bytes()
        raw = json.loads(data)
    except FileNotFoundError:
        raise IntegrityError(
            f"run {folder.name} must have a {FILE}; got none. The run may still be going on."
        ) from None
    except ValueError as error:
        raise IntegrityError(f"{FILE} of run {folder.name} must be JSON; got a damaged file ({error}).") from None
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        raise IntegrityError(f"{FILE} of run {folder.name} must have schema {SCHEMA}; got {str(raw)[:60]}.")
    return Capsule(raw=raw, folder=folder, record=digest_bytes(data))
