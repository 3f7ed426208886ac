"""A small firm in a temporary folder: a project in git, people with keys, and runs written by the real store."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from research.fingerprint import canonical_json, digest_bytes, digest_file
from research.governance import payload, promotion, signatures
from research.governance.office import Office, open_office
from research.governance.promotion import Signer
from research.governance.realm import realm
from research.lineage import store
from research.project import find_project

REPO = Path(__file__).resolve().parents[2]
PACKAGE = REPO / "src" / "research"
NOTEBOOK, BENCHMARK = "notebooks/calibration/heston.ipynb", "notebooks/validation/heston_benchmark.ipynb"
OWN = ("models/heston.py", "serving/heston_surface.py")  # the model's own modules in this small firm
SHARED = ("errors.py", "fingerprint.py")
PARAMETERS = {
    "heston": {"v0": 0.08, "kappa": 1.5, "theta": 0.07, "sigma": 0.6, "rho": -0.7},
    "as_of": "2002-07-05",
    "spot": 4468.17,
    "dividend_yield": 0.0,
    "curve": {"tau": [13 / 365, 1.0, 703 / 365], "zero_rate": [0.0357, 0.0368, 0.0401]},
}
PEOPLE = {  # ada wrote the model; every role, so that only authorship can stop her
    "ada": ("Ada Author", ["developer", "validator", "approver", "owner"]),
    "sam": ("Sam Submitter", ["developer", "operator"]),
    "vic": ("Vic Validator", ["validator"]),
    "abe": ("Abe Approver", ["approver", "owner"]),
    "bea": ("Bea Approver", ["approver", "validator"]),
    "eve": ("Eve Auditor", ["auditor"]),
}


@dataclass
class World:
    """The firm."""

    root: Path
    keys: Path
    demo: bool = False
    made: list[str] = field(default_factory=list)

    def git(self, *args: str, author: str = "Ada Author <ada@example.org>") -> str:
        name, _, email = author.rstrip(">").partition(" <")
        who = {
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", name), ("EMAIL", email))
        }
        done = subprocess.run(
            ["git", *args],
            cwd=self.root,
            env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, **who},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, message: str = "work", *, author: str = "Ada Author <ada@example.org>") -> str:
        self.git("add", "-A", author=author)
        self.git("commit", "-q", "--allow-empty", "-m", message, author=author)
        return self.git("rev-parse", "HEAD")

    def edit(self, path: str, change: Callable[[dict[str, Any]], None]) -> None:
        file = self.root / path
        content = yaml.safe_load(file.read_text())
        change(content)
        file.write_text(yaml.safe_dump(content, sort_keys=False))

    @property
    def store(self) -> Path:
        return find_project(self.root).mlruns

    @property
    def office(self) -> Office:
        return open_office(realm(project=find_project(self.root), demo=self.demo))

    def by(self, name: str) -> Signer:
        return Signer(name=name, key=self.keys / f"{name}.pem")

    def run(self, notebook: str = NOTEBOOK, **changes: Any) -> str:
        """Record a finished run; `changes` replace keys of the capsule (results: merged)."""
        closure = {f"src/research/{name}": digest_file(PACKAGE / name) for name in (*OWN[:1], *SHARED)}
        skeleton: dict[str, Any] = {
            "operator": {"user": "sam-login", "git_name": "Sam Submitter", "git_email": "sam@example.org"},
            "notebook": {"path": notebook, "digest": "0" * 64, "title": Path(notebook).stem},
            "code": {
                "commit": self.git("rev-parse", "HEAD"),
                "closure": closure,
                "core": "c" * 64,
                "digest": "d" * 64,
                "dirty": [],
            },
            "parameters": {},
            "seeds": {},
            "data": [
                {
                    "name": "equity/dax_surface",
                    "as_of": "2002-07-05",
                    "columns": None,
                    "path": "data/x.csv",
                    "sha256": "e" * 64,
                    "dvc_md5": None,
                    "rows": 104,
                    "quality": {},
                }
            ],
            "environment": {"lock": "f" * 64, "python": "3.11", "distributions": {}, "digest": "a" * 64},
            "pinned": True,
            "unpinned_reasons": [],
        }
        run_id, folder = store.open_run(self.store, skeleton, request=f"request {len(self.made)}")
        raw = json.loads((folder / "opened.json").read_text())
        (folder / "executed.ipynb").write_text("{}")
        results: dict[str, Any] = {
            "metrics": {"rmse": {"value": 12.5 + len(self.made), "unit": "bp", "rtol": 1e-9, "atol": 0.0}},
            "tables": {},
            "figures": {},
            "evidence": [],
            "passed": True,
            "model": {"scorer": "heston_surface", "parameters": PARAMETERS, "tables": []}
            if notebook == NOTEBOOK
            else None,
        }
        if notebook == BENCHMARK:
            results["evidence"] = [
                {
                    "test": "put_call_parity",
                    "verdict": "pass",
                    "statistic": 0.0,
                    "threshold": 1.0,
                    "claim": "",
                    "p_value": None,
                }
            ]
        raw |= {"status": "FINISHED", **{k: v for k, v in changes.items() if k != "results"}}
        raw["results"] = {**results, **changes.get("results", {})}
        raw["times"]["ended"] = store.now()
        raw["artifacts"] = store.artifacts(folder)
        store.close_run(self.store, raw)
        self.made.append(run_id)
        return run_id

    def reproduced(self, run: str, verdict: str = "REPRODUCED EXACTLY", *, here: bool = False) -> Path:
        """Keep a verdict as `research reproduce` does; its report."""
        at = store.now()
        folder = self.store / "runs" / run / "reproductions" / at.replace(":", "").replace("-", "")
        folder.mkdir(parents=True)
        record = store.load_capsule(run).record
        report = canonical_json({"verdict": verdict, "here": here, "record": record, "run_id": run})
        (folder / "verdict.json").write_bytes(report)
        store.add_reproduction(
            self.store,
            run_id=run,
            at=at,
            verdict=verdict,
            operator="vic@example.org",
            seconds=1.0,
            folder=f"reproductions/{folder.name}",
            digest=digest_bytes(report),
        )
        return folder / "verdict.json"

    def submitted(self) -> str:
        """A submitted version with all the evidence there can be; its run."""
        run = self.run()
        self.run(BENCHMARK)
        self.reproduced(run)
        promotion.submit(self.office, run, "heston_dax", self.by("sam"))
        return run

    def promoted(self) -> str:
        """A version in production; its run."""
        run = self.submitted()
        promotion.validate(self.office, "heston_dax", self.by("vic"))
        promotion.approve(self.office, "heston_dax", self.by("abe"))
        promotion.promote(self.office, "heston_dax", self.by("sam"))
        return run


def _roles(keys: Path) -> dict[str, Any]:
    people = []
    for name, (full, roles) in PEOPLE.items():
        _, public = signatures.generate_key(name, keys)
        people.append(
            {
                "name": name,
                "full_name": full,
                "emails": [f"{name}@example.org"],
                "roles": roles,
                "keys": [{"public": signatures.public_text(public)}],
            }
        )
    return {"people": people}


def _template(root: Path) -> None:
    for name in ("governance/rules", "governance/inventory"):
        shutil.copytree(REPO / name, root / name)
    for path in (NOTEBOOK, BENCHMARK):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(json.dumps({"cells": [], "name": path}))
    for name in (*OWN, *SHARED):
        target = root / "src" / "research" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PACKAGE / name, target)
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / "data").mkdir()
    (root / "data" / "catalog.yaml").write_text("{}\n")
    (root / ".gitignore").write_text("/mlruns/\n")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The small firm; what a scorer runs is told, not traced (that takes a process and is tested in serving)."""
    root, keys = tmp_path / "firm", tmp_path / "keys"
    root.mkdir()
    _template(root)
    firm = World(root, keys)
    (root / "governance" / "roles.yaml").write_text(yaml.safe_dump(_roles(keys), sort_keys=False))
    firm.git("init", "-q", "-b", "main")
    firm.commit("The model")
    monkeypatch.setenv("RESEARCH_PROJECT", str(root))
    monkeypatch.delenv("RESEARCH_STORE", raising=False)
    told = {f"research/{name}": digest_file(PACKAGE / name) for name in (*OWN, *SHARED)}
    monkeypatch.setattr(payload, "_modules", lambda folder: told)
    return firm
