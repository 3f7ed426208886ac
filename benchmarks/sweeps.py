"""Many runs: a sweep, the record of one run, a question to 10,000 runs. Peers: papermill with MLflow, MLflow.

The peers are timed on a few points and scaled, since the loop of 1,000 takes most of an hour; ours runs all of them.
SWEEP_POINTS makes it smaller. Everything happens in a temporary project.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

POINTS = int(os.environ.get("SWEEP_POINTS", "1000"))
PEER_POINTS, PEER_RUNS, STORED = 4, 20, 10_000
BIN = Path(sys.executable).parent
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
PARAMETERS = "x: float = 1.0  # where\nseed: int = 1  # every draw below\n"
OURS = [
    PARAMETERS,
    "import research\nparams = research.parameters(globals())",
    "import random\nvalue = x * x + random.Random(seed).gauss(0, 1)",
    "research.record(metrics={'value': value, 'x': x})",
]
THEIRS = [PARAMETERS, "import random\nvalue = x * x + random.Random(seed).gauss(0, 1)", "value"]


def notebook(cells: list[str]) -> str:
    """A notebook of code cells, the first tagged parameters."""
    made = [
        {"cell_type": "code", "source": source, "metadata": {"tags": ["parameters"] if i == 0 else []}, "outputs": []}
        | {"execution_count": None, "id": f"cell-{i}"}
        for i, source in enumerate(cells)
    ]
    return json.dumps({"cells": made, "metadata": {"kernelspec": KERNEL}, "nbformat": 4, "nbformat_minor": 5})


def make_project(root: Path) -> None:
    """A committed project with one notebook."""
    files = {"dvc.yaml": "stages: {}\n", "data/catalog.yaml": "datasets: {}\n", "requirements.lock": ""}
    files |= {"notebooks/point.ipynb": notebook(OURS), ".gitignore": "mlruns/\n", "pyproject.toml": ""}
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    who = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *words], cwd=root, check=True)


def our_sweep(root: Path) -> float:
    """Seconds of the whole command: points, summary, and MLflow told of each."""
    axis = f"x=0:1:{POINTS}"
    started = time.perf_counter()
    subprocess.run(
        [str(BIN / "research"), "sweep", "notebooks/point.ipynb", "-g", axis, "--best", "value", "--json"],
        cwd=root, check=True, capture_output=True, env={**os.environ, "RESEARCH_STORE": str(root / "mlruns")},
    )  # fmt: skip
    return time.perf_counter() - started


def their_sweep(root: Path) -> float:
    """Seconds of papermill and MLflow in a loop, scaled to all points; imports and the schema are not counted."""
    import mlflow
    import papermill

    source = root / "theirs.ipynb"
    source.write_text(notebook(THEIRS))
    mlflow.set_tracking_uri(f"sqlite:///{root / 'theirs.db'}")
    mlflow.create_experiment("theirs", artifact_location=str(root / "artifacts"))
    mlflow.set_experiment("theirs")

    def one(x: float) -> None:
        target = root / "out.ipynb"
        with mlflow.start_run():
            done = papermill.execute_notebook(str(source), str(target), {"x": x}, progress_bar=False)
            value = float(done.cells[-1].outputs[0]["data"]["text/plain"])
            mlflow.log_params({"x": x, "seed": 1})
            mlflow.log_metric("value", value)
            mlflow.log_artifact(str(target))

    one(0.0)
    started = time.perf_counter()
    for i in range(PEER_POINTS):
        one(float(i))
    return (time.perf_counter() - started) / PEER_POINTS * POINTS


def our_record(root: Path) -> float:
    """Seconds to open and close a run of 10 parameters and 10 metrics; the least of 100."""
    from research.lineage import store

    best = float("inf")
    for i in range(100):
        raw = capsule_of({f"p{k}": float(k + i) for k in range(10)})
        started = time.perf_counter()
        _, folder = store.open_run(root / "mlruns", raw, "request")
        raw = json.loads((folder / "opened.json").read_text())
        raw["status"], raw["times"]["ended"] = "FINISHED", store.now()
        raw["results"]["metrics"] = {f"m{k}": {"value": k / 7, "unit": "", "rtol": 0.0, "atol": 0.0} for k in range(10)}
        store.close_run(root / "mlruns", raw)
        best = min(best, time.perf_counter() - started)
    return best


def their_record(root: Path) -> float:
    """The same with MLflow's fluent calls; the least of 20."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{root / 'theirs.db'}")
    mlflow.set_experiment("theirs")
    best = float("inf")
    for _ in range(PEER_RUNS):
        started = time.perf_counter()
        with mlflow.start_run():
            mlflow.log_params({f"p{k}": float(k) for k in range(10)})
            mlflow.log_metrics({f"m{k}": k / 7 for k in range(10)})
        best = min(best, time.perf_counter() - started)
    return best


def capsule_of(parameters: dict[str, Any]) -> dict[str, Any]:
    """A capsule as it is when a run opens."""
    results = {"metrics": {}, "tables": {}, "figures": {}, "evidence": [], "model": None, "passed": None}
    return {
        "operator": {"user": "bench", "git_name": None, "git_email": None},
        "notebook": {"path": "notebooks/point.ipynb", "digest": "0" * 64, "title": "Point"},
        "code": {"commit": None, "closure": {}, "core": "", "digest": "", "dirty": []},
        "parameters": parameters, "seeds": {}, "data": [], "catalog": None,
        "environment": {"lock": None, "digest": "0" * 64, "python": "", "distributions": {}},
        "results": results, "artifacts": {}, "pinned": False, "unpinned_reasons": [],
        "undeclared": {"reads": [], "network": [], "processes": [], "databases": []},
    }  # fmt: skip


def fill(root: Path) -> None:
    """10,000 runs in the index, by copies of one."""
    from research.lineage import index

    with index.writing(root / "mlruns") as db:
        row = dict(db.execute("SELECT * FROM runs LIMIT 1").fetchone())
        for i in range(STORED):
            row |= {"run_id": f"copy-{i}", "parameters": json.dumps({f"p{k}": float(k + i) for k in range(10)})}
            db.execute(f"INSERT INTO runs ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))


def our_question(root: Path) -> float:
    """Seconds of the whole command over 10,000 runs; the least of five."""
    call = [str(BIN / "research"), "runs", "-w", "m3 < 1 and p4 > 9000", "--limit", "20"]
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run(call, cwd=root, check=True, capture_output=True)
        best = min(best, time.perf_counter() - started)
    return best


def run() -> list[dict[str, Any]]:
    """The rows."""
    os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        root = Path(folder)
        make_project(root)
        sweep, record = f"sweep of {POINTS:,} small points, all recorded", "record 20 values"
        done = our_sweep(root)
        rows = [("research sweep", sweep, done, f"{POINTS / done:.1f} points/s, MLflow told", False)]
        scaled = f"{PEER_POINTS} points, scaled"
        rows.append(("papermill + mlflow", sweep, their_sweep(root), scaled, True))
        rows.append(("research", record, our_record(root), "durable; MLflow follows", False))
        rows.append(("mlflow", record, their_record(root), "-", True))
        fill(root)
        rows.append(("research runs -w", "ask 10,000 runs, whole command", our_question(root), "-", False))
    return [
        {"name": name, "what": what, "seconds": seconds, "accuracy": text, "peer": peer}
        for name, what, seconds, text, peer in rows
    ]


if __name__ == "__main__":
    for found in run():
        print(f"{found['what']:44} {found['name']:20} {found['seconds']:10.4f} s  {found['accuracy']}")
