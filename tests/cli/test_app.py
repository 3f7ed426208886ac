"""The command table, exit codes, and that help costs nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from research.cli import app

CLI = Path(app.__file__).parent


def test_every_command_of_the_table_has_its_module_and_back() -> None:
    modules = {p.stem for p in CLI.glob("*.py")} - {"__init__", "app"}
    public = {m for m in modules if not m.startswith("_")}
    assert public == set(app.COMMANDS)


@pytest.mark.parametrize("name", sorted(app.COMMANDS))
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main([name, "--help"]) == 0
    assert f"research {name}" in capsys.readouterr().out


def test_help_imports_no_library() -> None:
    code = (
        "import sys; from research.cli.app import main; main(['--help']); "
        "print(sorted({m.split('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(eval(done.stdout.splitlines()[-1]))
    assert not loaded & {"numpy", "pandas", "numba", "typer", "click", "rich", "mlflow", "dvc", "pydantic"}


def test_a_misspelt_command_is_wrong_use_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["reproduec"]) == 2
    assert "Did you mean 'reproduce'?" in capsys.readouterr().err


def test_an_unknown_option_is_wrong_use_without_a_stack_trace(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["doctor", "--fast"]) == 2
    err = capsys.readouterr().err
    assert "--fast" in err and "Traceback" not in err


def test_outside_a_project_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RESEARCH_PROJECT", raising=False)
    monkeypatch.chdir(tmp_path)
    assert app.main(["runs"]) == 2
    assert "must lie inside a project" in capsys.readouterr().err


def test_errors_are_json_when_json_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RESEARCH_PROJECT", raising=False)
    monkeypatch.chdir(tmp_path)
    assert app.main(["runs", "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["error"] == "ProjectError" and told["exit_code"] == 2
