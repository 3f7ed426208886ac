"""JupyterLab's Notebook Jobs, run as recorded runs: checked when asked for, kept like every other run.

`ResearchScheduler` refuses a job whose parameters the notebook's own schema refuses, with our message, in the panel.
`ResearchJob` runs the notebook of the project (not a copy of it: a run belongs to a notebook in its project) and puts
copies of the executed notebook, its page and its capsule where the panel finds them. A job made from a schedule runs
the notebook as it stands when its time comes.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import psutil
from jupyter_scheduler.environments import EnvironmentManager
from jupyter_scheduler.exceptions import SchedulerError
from jupyter_scheduler.executors import ExecutionManager
from jupyter_scheduler.models import (
    CreateJob,
    CreateJobDefinition,
    DescribeJob,
    DescribeJobDefinition,
    JobFeature,
    JobFile,
    RuntimeEnvironment,
    Status,
    UpdateJobDefinition,
)
from jupyter_scheduler.orm import Job
from jupyter_scheduler.scheduler import Scheduler
from jupyter_scheduler.utils import get_utc_timestamp

from research.errors import ResearchError, RunError
from research.project import find_project

TAG = "run:"  # a job's tag that names its run
SOURCE = ".source"  # beside a staged notebook: its path in the project
FORMATS = {"ipynb": "Notebook", "html": "HTML"}


class ResearchEnvironment(EnvironmentManager):
    """One environment: the one JupyterLab runs in, which is the one that is recorded."""

    def list_environments(self) -> list[RuntimeEnvironment]:
        python = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
        return [
            RuntimeEnvironment(
                name="research",
                label="Research",
                description=f"Recorded runs, {python}, requirements.lock",
                file_extensions=["ipynb"],
                output_formats=list(FORMATS),
                metadata={"path": sys.executable},
            )
        ]

    def manage_environments_command(self) -> str:
        return ""

    def output_formats_mapping(self) -> dict[str, str]:
        return dict(FORMATS)


class ResearchScheduler(Scheduler):
    """Jobs with checked parameters; their files need no download."""

    def create_job(self, model: CreateJob) -> str:
        if model.job_definition_id is None:  # a scheduled job fails in the panel, where it is seen
            self._check(model.input_uri, model.parameters)
        _as_recorded(model)
        return str(super().create_job(model))

    def create_job_definition(self, model: CreateJobDefinition) -> str:
        self._check(model.input_uri, model.parameters)
        _as_recorded(model)
        return str(super().create_job_definition(model))

    def update_job_definition(self, job_definition_id: str, model: UpdateJobDefinition) -> None:
        if model.parameters is not None:
            staged = self.get_staging_paths(self.get_job_definition(job_definition_id))["input"]
            self._check(source_of(Path(staged)) or staged, model.parameters)
        super().update_job_definition(job_definition_id, model)

    def _check(self, path: str, parameters: dict[str, str] | None) -> None:
        from research.experiments import notebooks

        try:
            notebooks.read(Path(self.root_dir) / path).schema().check(parameters or {})
        except ResearchError as error:
            raise SchedulerError(str(error)) from None

    def copy_input_file(self, input_uri: str, copy_to_path: str) -> None:
        """Copy the notebook, and note beside the copy where it comes from."""
        Path(copy_to_path).parent.mkdir(parents=True, exist_ok=True)
        super().copy_input_file(input_uri, copy_to_path)
        origin = source_of(Path(self.root_dir) / input_uri) or input_uri
        _source_file(Path(copy_to_path)).write_text(origin, encoding="utf-8")

    def get_staging_paths(self, model: DescribeJob | DescribeJobDefinition) -> dict[str, str]:
        """The files of a job lie at once where the panel looks for them."""
        if not isinstance(model, DescribeJob):
            return dict(super().get_staging_paths(model))
        folder = Path(self.get_local_output_path(model))
        return {name: str(folder / file) for name, file in self.get_job_filenames(model).items() if name != "files"}

    def add_job_files(self, model: DescribeJob) -> None:
        """Name the run: its capsule stands first among the job's files."""
        super().add_job_files(model)
        run_id = run_of(model)
        if run_id is None:
            return
        path = f"{self.get_local_output_path(model, root_dir_relative=True)}/{run_id}.json"
        if self.file_exists(path):
            model.job_files.insert(0, JobFile(display_name=f"Run {run_id}", file_format="json", file_path=path))

    def stop_job(self, job_id: str) -> None:
        """Stop the job with all that it started; the run is kept as FAILED."""
        with self.db_session() as session:
            record = session.query(Job).filter(Job.job_id == job_id).one()
            if Status(record.status) != Status.IN_PROGRESS:
                return
            _end_tree(record.pid)
            session.query(Job).filter(Job.job_id == job_id).update({"status": Status.STOPPED})
            session.commit()
        from research.lineage import store

        store.close_dead_runs(store.root_of(find_project(self.root_dir)))


def _as_recorded(model: CreateJob | CreateJobDefinition) -> None:
    """A recorded run keeps notebook and page whatever was ticked, and reads its project, not a copied folder."""
    model.output_formats = list(FORMATS)
    model.package_input_folder = False


def _end_tree(pid: int | None) -> None:
    """Kill a process of ours and its descendants."""
    mine = {process.pid: process for process in psutil.Process().children(recursive=True)}
    if pid not in mine:
        return
    tree = [*mine[pid].children(recursive=True), mine[pid]]
    for process in tree:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(tree, timeout=5)


def run_of(model: DescribeJob) -> str | None:
    """The run that a job made, if it got so far."""
    return next((tag.removeprefix(TAG) for tag in model.tags or [] if tag.startswith(TAG)), None)


def _source_file(staged: Path) -> Path:
    return staged.with_name(f".{staged.name}{SOURCE}")


def source_of(staged: Path) -> str | None:
    """The notebook in the project that a staged copy was made from."""
    note = _source_file(staged)
    return note.read_text(encoding="utf-8") if note.is_file() else None


class ResearchJob(ExecutionManager):
    """One job: a recorded run of the project's notebook."""

    def execute(self) -> None:
        from research.experiments.runner import run_notebook

        job = self.model
        staged = Path(self.staging_paths["input"])
        origin = source_of(staged)
        if origin is None:
            raise RunError(f"the job must know its notebook; got no note beside {staged.name}. Create the job again.")
        project = find_project(self.root_dir)
        try:
            outcome = run_notebook(Path(self.root_dir) / origin, job.parameters or {}, project=project)
        except ResearchError as error:
            if run_id := getattr(error, "run_id", None):
                self._keep(run_id, project.mlruns / "runs" / run_id)
            raise
        self._keep(outcome.run_id, outcome.capsule.folder)

    def _keep(self, run_id: str, folder: Path) -> None:
        """Copy what people look at beside the job, and tag the job with the run."""
        from research.experiments import page

        page.of_run(folder, Path(str(self.model.input_filename)).stem)  # it may still be on its way
        target = Path(self.staging_paths["input"]).parent
        for source, copy in {
            "notebook.ipynb": self.staging_paths.get("ipynb"),
            "notebook.html": self.staging_paths.get("html"),
            "capsule.json": str(target / f"{run_id}.json"),
        }.items():
            if copy and (folder / source).is_file():
                shutil.copyfile(folder / source, copy)
        with self.db_session() as session:
            tags = [*(self.model.tags or []), TAG + run_id]
            session.query(Job).filter(Job.job_id == self.job_id).update({"tags": tags})
            session.commit()

    def on_failure(self, e: Exception) -> None:
        """Our own refusals are one sentence; anything else shows where it came from, in the server's log."""
        if not isinstance(e, ResearchError):
            super().on_failure(e)
            return
        changes = {"status": Status.FAILED, "status_message": str(e), "end_time": get_utc_timestamp()}
        with self.db_session() as session:
            session.query(Job).filter(Job.job_id == self.job_id).update(changes)
            session.commit()
        print(f"Job {self.job_id}: {e}", file=sys.stderr)

    def supported_features(cls) -> dict[JobFeature, bool]:  # type: ignore[override]  # called on the class, as its base
        """What the panel may offer."""
        yes = {JobFeature.job_name, JobFeature.parameters, JobFeature.output_formats, JobFeature.job_definition}
        yes |= {JobFeature.stop_job, JobFeature.delete_job}
        return {feature: feature in yes for feature in JobFeature}

    def validate(cls, input_path: str) -> bool:  # type: ignore[override]
        """A notebook may lack a kernel: a recorded run brings its own."""
        try:
            return "cells" in json.loads(Path(input_path).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False


__all__: list[Any] = ["ResearchEnvironment", "ResearchScheduler", "ResearchJob", "run_of", "source_of"]
