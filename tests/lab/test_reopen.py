"""`research open`: the cells that ran, with their parameters and data; the run itself is not touched."""

import json
from pathlib import Path
from typing import Any

import pytest

from research.cli import app
from research.errors import DataError, InputError
from research.lab import held
from research.lab.reopen import reopen
from research.project import Project

pytestmark = pytest.mark.slow


def sources(path: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]]


def test_the_notebook_of_a_run_has_its_cells_and_its_parameters(ran: tuple[Path, str]) -> None:
    root, run = ran
    path = reopen(run, project=Project(root))
    assert path == root / f"notebooks/opened/{run}.ipynb"
    found, original = sources(path), sources(root / "notebooks/study/tiny.ipynb")
    assert found[:2] == original[:2]
    assert found[2] == "# Parameters\nas_of = '2002-07-05'\nn = 7\nscale = 1"
    assert found[3:] == original[2:]
    cells = json.loads(path.read_text())["cells"]
    assert cells[2]["metadata"]["tags"] == ["injected-parameters"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


def test_it_runs_and_says_what_the_run_said(ran: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    from research.experiments.schema import parameters

    root, run = ran
    monkeypatch.chdir(root)
    recorded: list[dict[str, Any]] = []
    monkeypatch.setattr("research.record", lambda **given: recorded.append(given), raising=False)
    names: dict[str, Any] = {"In": [""]}
    for source in sources(reopen(run, to=root / "copies/again.ipynb", project=Project(root)))[1:]:
        names["In"].append(source)
        exec(source, names)
    assert parameters is not None and recorded[0]["metrics"]["mean"].value == 3.0 and recorded[0]["passed"]


def test_what_is_there_is_not_written_over_unless_told(ran: tuple[Path, str]) -> None:
    root, run = ran
    target = root / "notebooks/opened/mine.ipynb"
    reopen(run, to=target, project=Project(root))
    target.write_text("my work")
    with pytest.raises(InputError) as error:
        reopen(run, to=target, project=Project(root))
    message = "notebooks/opened/mine.ipynb must not be there yet; it is. Open it, or write over it with --force."
    assert str(error.value) == message and target.read_text() == "my work"
    reopen(run, to=target, force=True, project=Project(root))
    assert len(sources(target)) == 6


def test_a_file_of_another_kind_is_refused(ran: tuple[Path, str]) -> None:
    root, run = ran
    with pytest.raises(InputError, match=r"--to must end in \.ipynb; got 'x\.py'\."):
        reopen(run, to=Path("x.py"), project=Project(root))


def test_the_command_prints_where_it_is_and_an_unknown_run_is_wrong_use(
    ran: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root, run = ran
    monkeypatch.chdir(root)
    assert app.main(["open", run, "--to", "notebooks/opened/cli.ipynb"]) == 0
    assert capsys.readouterr().out == "notebooks/opened/cli.ipynb\n"
    assert app.main(["open", "tiny-1999"]) == 2
    assert "run must be a recorded run; got 'tiny-1999'." in capsys.readouterr().err


class Recorded:
    """Stands for a capsule with one read of a data set."""

    run_id = "tiny-1"

    def __init__(self, **read: Any) -> None:
        self.data = [{"name": "a/b", "as_of": None, "columns": ["x"], "path": "data/b.parquet", "rows": 2, **read}]


def holding(recorded: Recorded, *, lost: bool = False, changed: bool = False) -> tuple[Any, list[Any]]:
    import pandas as pd

    asked: list[Any] = []

    def load(name: str, *, as_of: Any = None, columns: Any = None, project: Any = None) -> Any:
        asked.append(project)
        return pd.DataFrame({"x": [1.0, 2.0]})

    paths = {"data/b.parquet": Path("cache")} if changed else {}
    missing = {"a/b": recorded.data[0]} if lost else {}
    here, there = Project(Path("here")), Project(Path("there"))
    return held._holding(load, here, there, paths, missing, recorded), asked  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _no_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("research.data.catalog", lambda project: {})


def digest() -> str:
    import pandas as pd

    from research.data import digest_frame

    return digest_frame(pd.DataFrame({"x": [1.0, 2.0]}))


def test_held_data_that_changed_since_are_read_from_where_they_were_kept() -> None:
    load, asked = holding(Recorded(sha256=digest(), file_sha256="0"), changed=True)
    assert load("a/b")["x"].tolist() == [1.0, 2.0] and asked == [Project(Path("there"))]
    load, asked = holding(Recorded(sha256=digest(), file_sha256="0"))
    load("a/b")
    assert asked == [Project(Path("here"))]


def test_held_data_that_are_lost_are_refused_with_the_reason() -> None:
    load, asked = holding(Recorded(sha256="0", file_sha256="abcdef0123456789"), lost=True)
    with pytest.raises(DataError) as error:
        load("a/b")
    assert not asked
    assert str(error.value) == (
        "a/b must be as in run tiny-1 (SHA-256 abcdef012345...); the file has changed, and neither DVC's cache nor "
        "its remote has the old one. Take out hold(...) to read what is there today."
    )


def test_other_values_from_the_same_file_are_refused_and_other_questions_are_not_compared() -> None:
    load, _ = holding(Recorded(sha256="0" * 64, file_sha256="0"))
    with pytest.raises(DataError, match=r"a/b must be as in run tiny-1 \(digest 000000000000\.\.\.\); got"):
        load("a/b")
    assert len(load("a/b", as_of="2002-07-05")) == 2  # another date than the run's: nothing to compare with
