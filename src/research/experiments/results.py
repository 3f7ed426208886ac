"""From an executed notebook to results: the records collected, tables and figures as files, and `results.json`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from research.errors import InputError, did_you_mean, rule
from research.experiments import figures
from research.experiments.jsonable import float_from_json, to_json
from research.experiments.recording import MIME, merge
from research.experiments.tables import cells, decode, from_parquet, rounded
from research.fingerprint import canonical_json, digest_bytes
from research.lineage.capsule import Capsule

EMPTY: dict[str, Any] = {"metrics": {}, "tables": {}, "figures": {}, "evidence": [], "model": None, "passed": None}


def records(notebook: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every record in the outputs of an executed notebook, in order."""
    found = []
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if MIME in data:
                payload = data[MIME]
                found.append(json.loads(payload) if isinstance(payload, str) else dict(payload))
    return found


def collect(notebook: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The `results` of a capsule; tables and figures are written under `folder`."""
    merged = merge(records(notebook))
    tables = {name: _keep_table(name, entry, folder) for name, entry in merged["tables"].items()}
    pictures = {name: _keep_figure(name, entry, folder) for name, entry in merged["figures"].items()}
    return to_json({**merged, "tables": tables, "figures": pictures}, "results")


def _keep_table(name: str, entry: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    path = folder / "tables" / f"{name}.parquet"
    path.parent.mkdir(exist_ok=True)
    data = decode(entry["data"])
    path.write_bytes(data)
    columns = entry["columns"]
    return {
        "path": f"tables/{name}.parquet",
        "sha256": digest_bytes(data),
        "digest": entry["digest"],
        "rounded": entry["rounded"],
        "rows": entry["rows"],
        "columns": [column["name"] for column in columns],
        "units": {column["name"]: column["unit"] for column in columns if column["unit"]},
        "rtol": {column["name"]: column["rtol"] for column in columns},
        "atol": {column["name"]: column["atol"] for column in columns},
    }


def _keep_figure(name: str, entry: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    path = folder / "figures" / f"{name}.{entry['format']}"
    path.parent.mkdir(exist_ok=True)
    data = figures.decode(dict(entry))
    path.write_bytes(data)
    return {"path": path.relative_to(folder).as_posix(), "sha256": digest_bytes(data)}


def read_table(folder: Path, entry: Mapping[str, Any]) -> Any:
    """A recorded table of a capsule as a data frame."""
    return from_parquet((folder / entry["path"]).read_bytes())


def write_series(run: Capsule, name: str, path: Path) -> None:
    """Write a recorded table as CSV, each number rounded to the digits of its tolerance: what `dvc plots` draws.

    Raises
    ------
    InputError
        When the run has no such table.
    """
    import pandas as pd

    if name not in run.tables:
        hint = did_you_mean(name, run.tables) or f"Tables: {', '.join(run.tables) or 'none'}."
        raise InputError(rule("--series", f"name a table of {run.notebook}", name, hint))
    entry, frame, columns = run.tables[name], run.table(name), {}
    for column in frame.columns:
        rtol, atol = (float_from_json(entry[kind][column]) for kind in ("rtol", "atol"))
        if math.isfinite(rtol) and math.isfinite(atol):
            values = cells(frame[column])
            columns[column] = [rounded(v, rtol, atol) if isinstance(v, float) else v for v in values]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    pd.DataFrame(columns).to_csv(partial, index=False, lineterminator="\n")
    partial.replace(path)


def summary(results: Mapping[str, Any]) -> dict[str, Any]:
    """What `results.json` holds: each number rounded to the digits of its tolerance, tables by digest and rows.

    Metrics stand at the top, so that `dvc metrics diff` shows them by name. Numbers with an infinite tolerance
    and everything about pictures are left out.
    """
    out: dict[str, Any] = {}
    for name, item in results["metrics"].items():
        rtol, atol = float_from_json(item["rtol"]), float_from_json(item["atol"])
        if math.isfinite(rtol) and math.isfinite(atol):
            out[name] = to_json(rounded(float_from_json(item["value"]), rtol, atol))
    out["passed"] = results["passed"]
    out["tables"] = {k: {"digest": t["rounded"], "rows": t["rows"]} for k, t in results["tables"].items()}
    out["evidence"] = {f"{i + 1} {item['test']}": item["verdict"] for i, item in enumerate(results["evidence"])}
    return {key: value for key, value in out.items() if value not in ({}, None)}


def write_summary(results: Mapping[str, Any], path: Path) -> None:
    """Write `results.json`: canonical, one line and a newline, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(canonical_json(summary(results)) + b"\n")
    partial.replace(path)
