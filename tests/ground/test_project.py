"""Where the project is."""

from pathlib import Path

import pytest

from research.errors import ProjectError
from research.project import find_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("RESEARCH_PROJECT", raising=False)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "catalog.yaml").write_text("datasets: {}\n")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    return tmp_path


def test_the_nearest_parent_with_both_files_is_the_project(project: Path) -> None:
    deep = project / "notebooks" / "calibration"
    deep.mkdir(parents=True)
    assert find_project(deep).root == project


def test_one_of_the_two_files_is_not_enough(project: Path) -> None:
    (project / "dvc.yaml").unlink()
    with pytest.raises(ProjectError, match=r"must lie inside a project .* got .*Change into the project"):
        find_project(project)


def test_the_store_can_stand_elsewhere(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESEARCH_STORE", raising=False)
    assert find_project(project).mlruns == project / "mlruns"
    monkeypatch.setenv("RESEARCH_STORE", str(tmp_path / "store"))
    assert find_project(project).mlruns == tmp_path / "store"
