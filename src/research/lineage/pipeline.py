"""The DVC pipeline as a door sees it: run it, and settle what it made with what is committed.

When the pipeline gives other bytes than `dvc.lock` holds although code, data and parameters are the committed ones
(another Python, another CPU), the results are compared within their declared tolerances and the committed files
are restored: the lock belongs to the reference Python (design contract 14).
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from research.errors import RunError
from research.project import Project

DEMO_PERSON = ("Demo Researcher", "researcher@demo.invalid")


def environment(project: Project) -> dict[str, str]:
    """The pipeline's environment: this interpreter first, no telemetry, an author when git knows none."""
    env = dict(os.environ)
    env["PATH"] = str(Path(sys.executable).parent) + os.pathsep + env.get("PATH", "")
    env |= {"DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"}
    known = subprocess.run(["git", "config", "user.email"], cwd=project.root, capture_output=True, check=False)
    if known.returncode:
        env.setdefault("GIT_AUTHOR_NAME", DEMO_PERSON[0])
        env.setdefault("GIT_AUTHOR_EMAIL", DEMO_PERSON[1])
    return env


@dataclass(frozen=True, slots=True, kw_only=True)
class NotebookStage:
    """A stage of dvc.yaml that runs a notebook."""

    name: str
    notebook: str
    parameters: str  # FILE:SECTION, as `research run -f` takes it; "" for the notebook's own


def notebook_stages(project: Project) -> list[NotebookStage]:
    """The stages that run notebooks, in the order of dvc.yaml."""
    stages = (yaml.safe_load((project.root / "dvc.yaml").read_text()) or {}).get("stages", {})
    found = []
    for name, stage in stages.items():
        call = re.search(r"research run (\S+\.ipynb)(?: -f (\S+))?", str(stage.get("cmd", "")))
        if call:
            found.append(NotebookStage(name=name, notebook=call[1], parameters=call[2] or ""))
    return found


def without_run(project: Project) -> list[str]:
    """Notebooks of the pipeline of which this store has no finished run.

    Results live in git, so DVC finds nothing to do in a fresh clone; but a number without a run here has no evidence.
    """
    from research.lineage.store import list_runs

    names = [stage.notebook for stage in notebook_stages(project)]
    return [n for n in names if not list_runs(notebook=n, status="FINISHED", project=project, limit=1)]


def run_pipeline(
    project: Project, env: dict[str, str], say: Callable[[str], None], *, force: bool = False, only: Sequence[str] = ()
) -> list[str]:
    """`dvc repro`; each line worth reading goes to `say`. The names of the stages that ran.

    `only` runs the named stages and none that they depend on.
    """
    single = ["--single-item", *only] if only else []
    call = [sys.executable, "-m", "dvc", "repro", *(["--force"] if force else []), *single]
    ran: list[str] = []
    with subprocess.Popen(
        call, cwd=project.root, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        tail: list[str] = []
        for line in process.stdout:
            text = line.rstrip()
            tail = [*tail[-30:], text]
            if stage := re.match(r"Running stage '(.+)':", text):
                ran.append(stage.group(1))
                say(f"  stage {stage.group(1)}")
            elif text and not _noise(text):
                say(f"    {text}")
    if process.returncode:
        raise RunError("the pipeline must finish; dvc repro stopped. Its last lines:\n" + "\n".join(tail[-12:]))
    return ran


def _noise(text: str) -> bool:
    """DVC's advice to commit dvc.lock and its progress chatter: not news in a demo."""
    return text.startswith(
        (
            "Updating lock file",
            "Generating lock file",
            "To track",
            "\tgit add",
            "\tdvc config",
            "To enable auto",
            "Use `dvc push`",
            "> ",
            "Verifying",
            "Stage '",
            "Data and pipelines",
        )
    )


def read_lock(project: Project) -> dict[str, Any]:
    path = project.root / "dvc.lock"
    return dict((yaml.safe_load(path.read_text()) or {}).get("stages", {})) if path.is_file() else {}


def _committed(project: Project, path: str) -> str | None:
    done = subprocess.run(
        ["git", "show", f"HEAD:{path}"], cwd=project.root, capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else None


def differing_outputs(before: dict[str, Any], after: dict[str, Any]) -> list[str] | None:
    """Outputs whose digest changed although command, parameters and outside inputs are the same.

    None when the inputs changed too: then the user changed something, and the lock is theirs to commit.
    """
    produced = {out["path"] for stage in after.values() for out in stage.get("outs", [])}
    changed: list[str] = []
    for name, stage in after.items():
        old = before.get(name)
        if old is None or _inputs(old, produced) != _inputs(stage, produced):
            return None
        was = {out["path"]: out.get("md5") for out in old.get("outs", [])}
        changed += [out["path"] for out in stage.get("outs", []) if was.get(out["path"]) != out.get("md5")]
    return changed


def _inputs(stage: dict[str, Any], produced: set[str]) -> tuple[Any, ...]:
    outside = sorted((d["path"], d.get("md5")) for d in stage.get("deps", []) if d["path"] not in produced)
    return stage.get("cmd"), stage.get("params"), outside


def _numbers(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def compare_results(committed: dict[str, Any], fresh: dict[str, Any], *, rtol: float = 1e-6) -> list[str]:
    """Where two results files disagree beyond the rounding of their tolerances; empty when nowhere.

    Values are already rounded to their declared tolerance; two neighbouring roundings are within it, so numbers
    are compared at `rtol` or one unit of their last digit, and digests of tables are left to the run's own verdict;
    their rows are counted and must be equal.
    """
    old, new = dict(_numbers(committed)), dict(_numbers(fresh))
    found = [
        f"{name}: only in {'the committed' if name in old else 'this'} result" for name in sorted(set(old) ^ set(new))
    ]
    for name in sorted(set(old) & set(new)):
        a, b = old[name], new[name]
        counted = name.endswith(".rows") or isinstance(a, bool)
        if isinstance(a, (int, float)) and isinstance(b, (int, float)) and not counted:
            if not math.isclose(a, b, rel_tol=rtol, abs_tol=_last_digit(a)):
                found.append(f"{name}: {a!r} committed, {b!r} here")
        elif a != b and not name.endswith(("sha256", "digest")):
            found.append(f"{name}: {a!r} committed, {b!r} here")
    return found


def _last_digit(value: float) -> float:
    mantissa, _, exponent = f"{value!r}".partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 1.0001 * 10.0 ** (int(exponent or 0) - decimals)


def settle_lock(project: Project, before: dict[str, Any]) -> str:
    """Compare what the pipeline made with what is committed; one sentence for the summary."""
    changed = differing_outputs(before, read_lock(project))
    if changed is None:
        return (
            "Code, data or parameters differ from dvc.lock: dvc.lock and pipelines/ now hold your results; "
            "commit them to keep them."
        )
    if not changed:
        return "Every output has the committed digest."
    problems: list[str] = []
    for path in changed:
        committed = _committed(project, path) if path.endswith(".json") else None
        if committed is not None:
            problems += [
                f"{path} {line}"
                for line in compare_results(json.loads(committed), json.loads((project.root / path).read_text()))
            ]
    if problems:
        raise RunError(
            "the results must agree with the committed ones within their tolerances; got:\n  "
            + "\n  ".join(problems[:20])
            + "\nNothing was restored; look at git diff."
        )
    restore = ["dvc.lock", *[p for p in changed if _committed(project, p) is not None]]
    subprocess.run(["git", "checkout", "--quiet", "HEAD", "--", *restore], cwd=project.root, check=True)
    return (
        f"{len(changed)} outputs differ from the committed digests within their tolerances "
        "(another Python or CPU); dvc.lock restored."
    )
