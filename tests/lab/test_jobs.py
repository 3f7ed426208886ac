"""Notebook Jobs: refused with our message, run as recorded runs, found with their run's name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

jupyter_scheduler = pytest.importorskip("jupyter_scheduler")

from jupyter_scheduler import scheduler as base  # noqa: E402
from jupyter_scheduler.exceptions import SchedulerError  # noqa: E402
from jupyter_scheduler.models import (  # noqa: E402
    CreateJob,
    CreateJobDefinition,
    CreateJobFromDefinition,
    DescribeJob,
    Status,
    UpdateJobDefinition,
)
from jupyter_scheduler.orm import create_tables  # noqa: E402

from research.lab import jobs  # noqa: E402
from research.project import Project  # noqa: E402

NOTEBOOK = "notebooks/study/tiny.ipynb"


class Inline:
    """Stands for a process: runs its target when it is started."""

    pid = 0

    def __init__(self, target: Callable[[], None]) -> None:
        self.target = target

    def start(self) -> None:
        self.target()


class Context:
    Process = Inline


@pytest.fixture
def panel(root: Path, monkeypatch: pytest.MonkeyPatch) -> jobs.ResearchScheduler:
    """The scheduler of a JupyterLab on the project; its jobs run here and now."""
    monkeypatch.setattr(base.mp, "get_context", lambda kind: Context)
    url = f"sqlite:///{root}/jobs.sqlite"
    create_tables(url)
    made = jobs.ResearchScheduler(root_dir=str(root), environments_manager=jobs.ResearchEnvironment(), db_url=url)
    made.staging_path, made.output_directory = str(root / ".lab/staging"), "reports/jobs"
    made.execution_manager_class = jobs.ResearchJob
    return made


def job(parameters: dict[str, str] | None = None, **more: Any) -> CreateJob:
    values = {"input_uri": NOTEBOOK, "name": "tiny", "runtime_environment_name": "research", **more}
    return CreateJob(parameters=parameters, **values)


def definition(parameters: dict[str, str] | None = None) -> CreateJobDefinition:
    return CreateJobDefinition(
        input_uri=NOTEBOOK,
        name="tiny",
        runtime_environment_name="research",
        parameters=parameters,
        schedule="0 7 * * *",
    )


REFUSED = {
    "parameter must be one of as_of, n, scale; got 'scael'. Did you mean 'scale'?": {"scael": "2"},
    "n must be an int; got 'lots'.": {"n": "lots"},
    "n must be > 0; got 0.": {"n": "0"},
    "as_of must be a date; got '5.7.2002'. Write it as 2002-07-05.": {"as_of": "5.7.2002"},
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_the_notebook_does_not_take_is_refused_before_there_is_a_job(
    message: str, panel: jobs.ResearchScheduler
) -> None:
    for ask in (
        lambda: panel.create_job(job(REFUSED[message])),
        lambda: panel.create_job_definition(definition(REFUSED[message])),
    ):
        with pytest.raises(SchedulerError) as error:
            ask()
        assert str(error.value) == message
    assert panel.list_jobs(base.ListJobsQuery()).total_count == 0


def test_a_schedule_is_not_changed_to_what_the_notebook_refuses(panel: jobs.ResearchScheduler) -> None:
    made = panel.create_job_definition(definition({"n": "4"}))
    with pytest.raises(SchedulerError, match="got 'm'"):
        panel.update_job_definition(made, UpdateJobDefinition(parameters={"m": "4"}))


def test_what_is_no_notebook_is_refused(root: Path, panel: jobs.ResearchScheduler) -> None:
    (root / NOTEBOOK).write_text("{}")
    with pytest.raises(SchedulerError, match="must be a notebook of format 4"):
        panel.create_job(job())


@pytest.mark.slow
def test_a_job_is_a_recorded_run_with_text_parameters_coerced(root: Path, panel: jobs.ResearchScheduler) -> None:
    from research.lineage import load_capsule

    made = panel.get_job(panel.create_job(job({"n": "7", "as_of": "2002-07-08"}, package_input_folder=True)))
    assert made.status == Status.COMPLETED, made.status_message
    recorded = load_capsule("latest", project=Project(root))
    assert recorded.parameters == {"as_of": "2002-07-08", "n": 7, "scale": 1.0}
    assert recorded.notebook == NOTEBOOK and recorded.passed
    names = {file.display_name: file.file_path for file in made.job_files}
    assert names.keys() == {f"Run {recorded.run_id}", "Notebook", "HTML", "Input"}
    assert made.downloaded  # nothing to fetch: the files lie where the panel looks
    assert json.loads((root / names[f"Run {recorded.run_id}"]).read_text())["run_id"] == recorded.run_id
    assert "Tiny study" in (root / names["HTML"]).read_text()
    executed = json.loads((root / names["Notebook"]).read_text())
    assert any(cell.get("execution_count") for cell in executed["cells"])


@pytest.mark.slow
def test_a_scheduled_job_runs_the_notebook_as_it_stands_then(root: Path, panel: jobs.ResearchScheduler) -> None:
    from research.lineage import load_capsule

    made = panel.create_job_definition(definition({"n": "4"}))
    text = (root / NOTEBOOK).read_text()
    (root / NOTEBOOK).write_text(text.replace("scale * i", "scale * i * 10"))
    panel.create_job_from_definition(made, CreateJobFromDefinition())
    recorded = load_capsule("latest", project=Project(root))
    assert recorded.metrics["mean"]["value"] == 15.0  # 10 times (0 + 1 + 2 + 3) / 4
    (root / NOTEBOOK).write_text(text.replace("scale: float", "width: float").replace("scale *", "width *"))
    panel.create_job_from_definition(made, CreateJobFromDefinition(parameters={"scale": "2"}))
    late = panel.list_jobs(base.ListJobsQuery()).jobs[0]
    assert late.status == Status.FAILED
    assert late.status_message == "parameter must be one of as_of, n, width; got 'scale'."


@pytest.mark.slow
def test_a_job_that_fails_says_where_and_keeps_its_run(root: Path, panel: jobs.ResearchScheduler) -> None:
    from research.lineage import get_run

    made = panel.get_job(panel.create_job(job({"as_of": "1999-01-04"})))
    assert made.status == Status.FAILED
    assert "failed in cell" in str(made.status_message) and "AssertionError" in str(made.status_message)
    run = jobs.run_of(made)
    assert run is not None and get_run(run, project=Project(root)).status == "FAILED"
    assert any(file.display_name == f"Run {run}" for file in made.job_files)


def test_a_job_whose_note_is_lost_says_so(root: Path, panel: jobs.ResearchScheduler) -> None:
    described = DescribeJob(
        runtime_environment_name="research", name="tiny", job_id="1", url="", create_time=1, update_time=1,
        input_filename="tiny.ipynb", output_formats=["ipynb", "html"],
    )  # fmt: skip
    staged = panel.get_staging_paths(described)
    manager = jobs.ResearchJob("1", str(root), panel.db_url, staged)
    manager._model = described
    with pytest.raises(Exception, match=r"the job must know its notebook; got no note beside tiny\.ipynb"):
        manager.execute()


def test_the_panel_offers_one_environment_and_what_a_run_can_do() -> None:
    (only,) = jobs.ResearchEnvironment().list_environments()
    assert only.name == "research" and only.output_formats == ["ipynb", "html"]
    features = jobs.ResearchJob.supported_features(jobs.ResearchJob)
    assert features["parameters"] and features["stop_job"] and not features["timeout_seconds"]
