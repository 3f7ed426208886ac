"""The git filter: what a notebook says stays, what running or opening it left goes; git works with and without it."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from research.experiments.notebooks import digest
from research.lab import git_setup, strip

ROOT = Path(__file__).resolve().parents[2]
GIT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_PAGER": "cat"}
PERSON = {f"GIT_{w}_{k}": v for w in ("AUTHOR", "COMMITTER") for k, v in (("NAME", "Ada"), ("EMAIL", "a@example.org"))}


def used() -> dict[str, Any]:
    """A notebook as JupyterLab saves it after a run."""
    figure = {"output_type": "display_data", "data": {"image/png": "AAAA"}, "metadata": {}}
    return {
        "cells": [
            {"cell_type": "markdown", "id": "title", "metadata": {"collapsed": True}, "source": "# A"},
            {
                "cell_type": "code",
                "id": "keep-me",
                "metadata": {
                    "tags": ["parameters"], "execution": {"iopub.status.busy": "2026-01-01"}, "scrolled": True,
                    "jupyter": {"outputs_hidden": True, "source_hidden": True}, "papermill": {"duration": 1.0},
                },
                "source": ["n: int = 5\n", "m: int = 6"],
                "outputs": [figure],
                "execution_count": 7,
            },
        ],
        "metadata": {
            "kernelspec": {"display_name": "Research (warm)", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "version": "3.13.1", "codemirror_mode": {"name": "ipython"}},
            "widgets": {"state": {}},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }  # fmt: skip


def clean(notebook: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(strip.clean(json.dumps(notebook).encode())))


def test_outputs_counts_and_notes_go_and_text_tags_and_ids_stay() -> None:
    title, code = clean(used())["cells"]
    assert title == {"cell_type": "markdown", "id": "title", "metadata": {}, "source": ["# A"]}
    assert code == {
        "cell_type": "code",
        "id": "keep-me",
        "metadata": {"tags": ["parameters"], "jupyter": {"source_hidden": True}},
        "source": ["n: int = 5\n", "m: int = 6"],
        "outputs": [],
        "execution_count": None,
    }


def test_the_kernel_that_opened_it_leaves_no_trace() -> None:
    warm = clean(used())["metadata"]
    assert warm == {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


def test_a_kernel_of_another_kind_is_left_alone() -> None:
    notebook = used()
    notebook["metadata"]["kernelspec"] = {"display_name": "R", "language": "R", "name": "ir"}
    assert clean(notebook)["metadata"]["kernelspec"] == {"display_name": "R", "language": "R", "name": "ir"}


@pytest.mark.parametrize("data", [b"", b"{}", b"not json \xff", b'{"cells": [1], "nbformat": 4}', b'{"nbformat": 3}'])
def test_what_is_no_notebook_of_format_4_passes_unchanged(data: bytes) -> None:
    assert strip.clean(data) == data


@pytest.mark.parametrize(
    "path", sorted((ROOT / "notebooks").rglob("*.ipynb")), ids=lambda p: f"{p.parent.name}-{p.stem}"
)
def test_it_changes_nothing_that_a_notebook_says_and_once_is_enough(path: Path) -> None:
    data = path.read_bytes()
    once = strip.clean(data)
    assert strip.clean(once) == once
    assert digest(once) == digest(data)


def test_it_starts_alone_without_site_and_imports_nothing_heavy() -> None:
    source = Path(strip.__file__).read_text()
    imported = [n for n in ast.walk(ast.parse(source)) if isinstance(n, (ast.Import, ast.ImportFrom))]
    names = {a.name for n in imported if isinstance(n, ast.Import) for a in n.names}
    assert names | {n.module for n in imported if isinstance(n, ast.ImportFrom)} == {"json", "sys", "typing"}
    call = [sys.executable, "-IS", strip.__file__]
    done = subprocess.run(call, input=json.dumps(used()).encode(), capture_output=True, check=True)
    assert json.loads(done.stdout) == clean(used())


class Repository:
    """A git repository with one notebook, committed clean."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in {**GIT, **PERSON}.items():
            monkeypatch.setenv(name, value)
        self.root = folder
        folder.mkdir()
        (folder / ".gitattributes").write_text((ROOT / ".gitattributes").read_text())
        self.git("init", "-q", "-b", "main")

    def git(self, *args: str) -> str:
        done = subprocess.run(["git", *args], cwd=self.root, capture_output=True, text=True, check=True)
        return done.stdout

    def save(self, notebook: dict[str, Any]) -> None:
        (self.root / "a.ipynb").write_text(json.dumps(notebook, indent=1))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    return Repository(tmp_path / "repository", monkeypatch)


def test_opening_running_and_saving_a_notebook_leaves_git_clean(repository: Repository) -> None:
    git_setup.set_up(repository.root)
    repository.save(clean(used()))
    repository.git("add", "-A")
    repository.git("commit", "-qm", "clean")
    repository.save(used())
    assert git_setup.settle(repository.root / "a.ipynb")
    assert repository.git("status", "--porcelain") == ""


def test_a_notebook_that_says_something_else_is_modified_and_not_staged(repository: Repository) -> None:
    git_setup.set_up(repository.root)
    repository.save(used())
    repository.git("add", "-A")
    repository.git("commit", "-qm", "used")
    changed = used()
    changed["cells"][1]["source"] = ["n: int = 9"]
    repository.save(changed)
    assert not git_setup.settle(repository.root / "a.ipynb")
    assert repository.git("status", "--porcelain") == " M a.ipynb\n"
    (repository.root / "new.ipynb").write_text(json.dumps(used()))
    assert not git_setup.settle(repository.root / "new.ipynb")


def test_only_what_was_written_is_committed_and_the_diff_is_by_cell(repository: Repository) -> None:
    git_setup.set_up(repository.root)
    repository.save(used())
    repository.git("add", "-A")
    repository.git("commit", "-qm", "used")
    assert "image/png" not in repository.git("show", "HEAD:a.ipynb")
    changed = used()
    changed["cells"][1]["source"] = ["n: int = 5\n", "m: int = 8"]
    repository.save(changed)
    shown = repository.git("diff")
    assert "nbdiff a/a.ipynb b/a.ipynb" in shown and "/cells/1/source" in shown and "m: int = 8" in shown
    assert "outputs" not in shown and "kernelspec" not in shown


def test_a_clone_where_nothing_was_set_up_works_as_git_does(repository: Repository) -> None:
    repository.save(clean(used()))
    repository.git("add", "-A")
    repository.git("commit", "-qm", "clean")
    assert repository.git("status", "--porcelain") == ""
    repository.save(used())
    assert repository.git("status", "--porcelain") == " M a.ipynb\n"
    assert "image/png" in repository.git("diff")


def test_a_filter_that_is_gone_lets_the_notebook_through(repository: Repository) -> None:
    git_setup.set_up(repository.root, python=Path("/nowhere/python"))
    repository.save(clean(used()))
    repository.git("add", "-A")
    repository.git("commit", "-qm", "clean")
    assert repository.git("status", "--porcelain") == ""


def test_set_up_writes_into_the_repository_only_and_once(repository: Repository) -> None:
    assert set(git_setup.set_up(repository.root)) == set(git_setup.wanted(Path(sys.executable)))
    assert git_setup.set_up(repository.root) == []
    origins = {line.split("\t")[0] for line in repository.git("config", "--show-origin", "-l").splitlines()}
    assert origins == {"file:.git/config"}


def test_outside_a_repository_nothing_is_set_up(tmp_path: Path) -> None:
    assert git_setup.set_up(tmp_path) == []
