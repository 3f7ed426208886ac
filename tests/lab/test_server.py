"""What JupyterLab is told: our jobs and MLflow, nothing of the network, nothing in the home folder."""

import json
from pathlib import Path

import pytest

from research.lab import server
from research.project import Project


@pytest.fixture
def settings(root: Path) -> Path:
    server.write_settings(Project(root), root / "mlflow.sock")
    return root / ".lab/config"


def test_everything_that_jupyter_writes_lies_in_the_project_and_git_ignores_it(root: Path, settings: Path) -> None:
    env = server.environment(Project(root))
    places = [name for name in env if name.startswith(("JUPYTER", "IPYTHON")) and name.endswith(("DIR", "PATH"))]
    assert {"JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"} <= set(places)
    for name in places:
        assert all(Path(p).is_relative_to(root / ".lab") for p in env[name].split(":") if p), name
    assert (root / ".lab/.gitignore").read_text() == "*\n"
    assert (root / ".lab").stat().st_mode & 0o077 == 0  # the jobs' list and the cookie secret are the user's


def test_jobs_are_ours_and_mlflow_is_behind_a_socket_of_this_user(root: Path, settings: Path) -> None:
    told = json.loads((settings / "jupyter_server_config.json").read_text())
    assert told["SchedulerApp"]["scheduler_class"] == "research.lab.jobs.ResearchScheduler"
    assert told["ResearchScheduler"]["execution_manager_class"] == "research.lab.jobs.ResearchJob"
    mlflow = told["ServerProxy"]["servers"]["mlflow"]
    assert mlflow["unix_socket"] == str(root / "mlflow.sock") and "{port}" not in " ".join(mlflow["command"])
    assert mlflow["launcher_entry"]["path_info"] == "mlflow/#/experiments?workflowType=machine_learning"
    assert Path(mlflow["launcher_entry"]["icon_path"]).is_file()


def test_the_classes_that_are_named_exist_and_are_of_the_right_kind(root: Path, settings: Path) -> None:
    from importlib import import_module

    from jupyter_scheduler.executors import ExecutionManager
    from jupyter_scheduler.scheduler import Scheduler

    told = json.loads((settings / "jupyter_server_config.json").read_text())

    def named(text: str) -> object:
        module, _, name = text.rpartition(".")
        return getattr(import_module(module), name)

    assert issubclass(named(told["SchedulerApp"]["scheduler_class"]), Scheduler)  # type: ignore[arg-type]
    assert issubclass(named(told["ResearchScheduler"]["execution_manager_class"]), ExecutionManager)  # type: ignore[arg-type]
    assert callable(named(told["FileContentsManager"]["post_save_hook"]))


def test_nothing_is_asked_of_the_network(settings: Path) -> None:
    told = json.loads((settings / "jupyter_server_config.json").read_text())["LabApp"]
    assert told["news_url"] is None and told["check_for_updates_class"] == "jupyterlab.NeverCheckForUpdate"
    assert told["extension_manager"] == "readonly"
    page = json.loads((settings / "labconfig/page_config.json").read_text())
    assert page["disabledExtensions"]["@jupyterlab/apputils-extension:announcements"] is True


def test_what_the_user_set_in_jupyterlab_stays(root: Path, settings: Path) -> None:
    mine = settings / "lab/user-settings/@jupyterlab/apputils-extension/themes.jupyterlab-settings"
    mine.parent.mkdir(parents=True)
    mine.write_text('{"theme": "JupyterLab Dark"}')
    server.write_settings(Project(root), root / "other.sock")
    assert mine.read_text() == '{"theme": "JupyterLab Dark"}'
