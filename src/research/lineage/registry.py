"""Registered models in MLflow: a projection of the governance ledger, for people to look at.

A version in MLflow carries tags (state, signers, digests), a link to its run, and a small pyfunc whose only content
is the reference to load: what is approved stands in our own payload, and `mlflow.pyfunc.load_model` goes through the
same verification as `research.load`. Nothing relies on what stands here; the alias is compared with the ledger at
every load, so a foreign move is found.

Versions are matched by the tag `research.version`, because MLflow numbers on its own.
"""

from __future__ import annotations

import sqlite3
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from research.fingerprint import digest_file
from research.lineage import tracking
from research.lineage.capsule import FILE, Capsule
from research.project import Project

ALIAS = "champion"
VERSION_TAG = "research.version"
_PYFUNC = Path(__file__).with_name("_pyfunc_scorer.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What MLflow shows of one version."""

    name: str  # registered model
    number: int  # version in the ledger
    run_id: str  # our run
    description: str
    tags: Mapping[str, str]
    reference: str  # what the pyfunc loads: "heston_dax@3"
    demo: bool
    inputs: Sequence[Mapping[str, Any]]  # name, type, required
    outputs: Sequence[Mapping[str, Any]]


def exists(project: Project) -> bool:
    """Whether there is an MLflow store that could disagree with the ledger."""
    return (project.mlruns / "mlflow.db").is_file()


def champion(project: Project, name: str) -> int | None:
    """The ledger's number of the version that the alias points to; None without an alias, 0 for a version not ours.

    Reads the tracking store directly: a load must not wait for MLflow to be imported.
    """
    path = project.mlruns / "mlflow.db"
    query = (
        "SELECT t.value FROM registered_model_aliases a LEFT JOIN model_version_tags t "
        "ON t.name = a.name AND t.version = a.version AND t.workspace = a.workspace AND t.key = ? "
        "WHERE a.name = ? AND a.alias = ?"
    )
    if not path.is_file():
        return None
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30.0)) as db:
        try:
            row = db.execute(query, (VERSION_TAG, name, ALIAS)).fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return None
            raise
    if row is None:
        return None
    return int(row[0]) if row[0] and str(row[0]).isdigit() else 0


def changed_copies(project: Project, run: Capsule) -> list[str]:
    """Files of a run that MLflow shows and that differ from the recorded ones."""
    known = tracking.tracking_id(run.run_id, project=project)
    folder = next((project.mlruns / "artifacts").glob(f"*/{known}/artifacts"), None) if known else None
    if folder is None:
        return []
    wanted = {**run.artifacts, FILE: run.record}
    there = {name: folder / name for name in wanted if (folder / name).is_file()}
    return [name for name, path in there.items() if digest_file(path) != wanted[name]]


def project_versions(
    project: Project, versions: Sequence[Registration], champions: Mapping[str, int | None]
) -> list[str]:
    """Make MLflow show these versions and champions; what was changed, one line each. RESEARCH_MLFLOW=off: nothing."""
    if tracking.is_off():
        return []
    tracking.flush(project)
    client, said = tracking.client(project.mlruns), list[str]()
    for registration in versions:
        said += _show(client, project, registration)
    for name, number in champions.items():
        said += _point(client, name, number)
    return said


def _numbers(client: Any, name: str) -> dict[int, Any]:
    """MLflow's version for each of ours."""
    found = client.search_model_versions(f"name = '{name}'")
    return {int(v.tags[VERSION_TAG]): v for v in found if str(v.tags.get(VERSION_TAG, "")).isdigit()}


def _show(client: Any, project: Project, registration: Registration) -> list[str]:
    from mlflow.exceptions import MlflowException

    name, tags = registration.name, {VERSION_TAG: str(registration.number), **registration.tags}
    try:
        client.get_registered_model(name)
    except MlflowException:
        client.create_registered_model(name, tags={"research.demo": str(registration.demo).lower()})
    shown = _numbers(client, name).get(registration.number)
    if shown is None:
        tracking_id = tracking.tracking_id(registration.run_id, project=project)
        source = _log_pyfunc(client, tracking_id, registration)
        client.create_model_version(
            name,
            source=source,
            run_id=tracking_id,
            tags=tags,
            description=registration.description,
            await_creation_for=0,
        )
        return [f"{name} version {registration.number} registered"]
    wrong = {key: value for key, value in tags.items() if shown.tags.get(key) != value}
    for key, value in wrong.items():
        client.set_model_version_tag(name, shown.version, key, value)
    return [f"{name} version {registration.number}: {', '.join(wrong)} written"] if wrong else []


def _point(client: Any, name: str, number: int | None) -> list[str]:
    """Set or remove the alias."""
    aliased = client.get_registered_model(name).aliases.get(ALIAS)
    target = _numbers(client, name)[number].version if number is not None else None
    if aliased is not None and target is None:
        client.delete_registered_model_alias(name, ALIAS)
        return [f"{name}: alias {ALIAS} removed"]
    if target is not None and str(aliased) != str(target):
        client.set_registered_model_alias(name, ALIAS, target)
        return [f"{name}: alias {ALIAS} set to version {number}"]
    return []


def _log_pyfunc(client: Any, tracking_id: str | None, registration: Registration) -> str:
    """Keep a pyfunc that loads the reference beside the run's artifacts; where it stands."""
    import mlflow.pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    def schema(columns: Sequence[Mapping[str, Any]]) -> Any:
        return Schema([ColSpec(c["type"], c["name"], required=c.get("required", True)) for c in columns])

    place = f"registered/{registration.name}/{registration.number}"
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        target = Path(folder) / "model"
        mlflow.pyfunc.save_model(
            path=str(target),
            python_model=str(_PYFUNC),
            model_config={"reference": registration.reference, "demo": registration.demo},
            pip_requirements=["research"],
            signature=ModelSignature(inputs=schema(registration.inputs), outputs=schema(registration.outputs)),
        )
        if tracking_id is None:
            return f"research:{registration.reference}"
        client.log_artifacts(tracking_id, str(target), place)
    return f"runs:/{tracking_id}/{place}"
