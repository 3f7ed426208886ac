"""In a real JupyterLab: open, run, save; a job with parameters, misspelt and right; MLflow from the Launcher."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.deep]
NOTEBOOK = "notebooks/calibration/smile.ipynb"
TOKEN = "test-token"  # as conftest.py starts it
FILE = ".jp-DirListing-item:has-text('smile.ipynb')"
IDLE = "() => document.body.innerText.includes('| Idle')"  # in the status bar, once there is a kernel
RAN = "() => [...document.querySelectorAll('.jp-InputPrompt')].some(e => e.innerText.includes('[7]'))"


def start(page: Any, lab: Any, path: str) -> None:
    page.goto(lab.url(f"/tree/{path}"))
    page.wait_for_selector(".jp-DirListing-item")


def run_all(page: Any) -> None:
    page.wait_for_function(IDLE)
    page.get_by_text("Run", exact=True).first.click()
    page.get_by_text("Run All Cells", exact=True).first.click()
    page.wait_for_function(RAN, timeout=240_000)  # a cold cache compiles the fit
    page.wait_for_function(IDLE)


def put(page: Any, name: str, value: str) -> None:
    """Write into a field as a person does: the panel listens to keys."""
    field = page.locator(f"input[name={name}]")
    field.click()
    field.press("Control+a")
    field.press_sequentially(value)
    field.press("Tab")


def ask_for_job(page: Any, lab: Any) -> None:
    start(page, lab, "notebooks/calibration")
    page.locator(FILE).click(button="right")
    page.get_by_text("Create Job").click()
    page.wait_for_selector("text=Run now")


def finished(page: Any) -> None:
    for _ in range(60):
        if page.get_by_text("Completed").count():
            return
        page.get_by_role("button", name="Reload").first.click()
        page.wait_for_timeout(1000)
    raise AssertionError(page.inner_text("body"))


def test_a_notebook_runs_in_the_projects_kernel_and_saving_it_leaves_git_clean(
    page: Any, lab: Any, picture: Any
) -> None:
    start(page, lab, NOTEBOOK)
    run_all(page)
    card = page.locator(".jp-OutputArea-output:has-text('PASSED')").last
    card.scroll_into_view_if_needed()
    assert "rmse_bp" in card.inner_text()
    picture("lab-notebook")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+s")
    page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')")
    page.wait_for_timeout(1500)
    assert "image/png" in (lab.root / NOTEBOOK).read_text()
    assert lab.git("status", "--porcelain") == ""


def test_no_popup_asks_for_anything(page: Any, lab: Any) -> None:
    start(page, lab, "notebooks")
    page.wait_for_timeout(3000)
    assert page.locator(".jp-toastContainer .Toastify__toast, .jp-Dialog").count() == 0


def test_a_misspelt_parameter_is_answered_in_the_panel(page: Any, lab: Any, picture: Any) -> None:
    ask_for_job(page, lab)
    page.get_by_role("button", name="Add new parameter").click()
    put(page, "parameter-0-name", "max_rsme_bp")
    put(page, "parameter-0-value", "80")
    page.get_by_role("button", name="Create", exact=True).click()
    answer = page.get_by_text("Did you mean 'max_rmse_bp'?")
    answer.wait_for()
    assert answer.inner_text() == (
        "parameter must be one of as_of, expiry, max_rmse_bp; got 'max_rsme_bp'. Did you mean 'max_rmse_bp'?"
    )
    picture("lab-job-refused")


def test_a_job_is_a_recorded_run_and_the_panel_names_it(page: Any, lab: Any, picture: Any) -> None:
    ask_for_job(page, lab)
    page.get_by_role("button", name="Add new parameter").click()
    put(page, "parameter-0-name", "expiry")
    put(page, "parameter-0-value", "4")
    page.get_by_role("button", name="Create", exact=True).click()
    page.get_by_text('Your job "smile" has been created').wait_for()
    finished(page)
    run = page.locator("a:has-text('Run smile-')").first.inner_text().removeprefix("Run ")
    picture("lab-jobs")
    capsule = json.loads((lab.root / f"mlruns/runs/{run}/capsule.json").read_text())
    assert capsule["parameters"]["expiry"] == 4 and capsule["notebook"]["path"] == NOTEBOOK
    page.get_by_role("link", name="HTML").first.click()
    page.frame_locator(".jp-HTMLViewer iframe").get_by_text("PASSED").first.wait_for()
    picture("lab-job-page")


def test_a_schedule_is_kept_and_checked(page: Any, lab: Any) -> None:
    ask_for_job(page, lab)
    page.get_by_text("Run on a schedule").click()
    page.get_by_role("button", name="Add new parameter").click()
    put(page, "parameter-0-name", "expiry")
    put(page, "parameter-0-value", "-1")
    page.get_by_role("button", name="Create", exact=True).click()
    page.get_by_text("expiry must be >= 0; got -1.").wait_for()
    put(page, "parameter-0-value", "2")
    page.get_by_role("button", name="Create", exact=True).click()
    page.get_by_text('Your job definition "smile" has been created').wait_for()


def ask(lab: Any, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
    """An answer of the scheduler's interface."""
    head = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{lab.port}/scheduler/{path}", data, head, method=method)
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.loads(reply.read() or b"null")


def test_a_schedule_starts_its_run_when_its_minute_comes(lab: Any) -> None:
    asked = {"input_uri": NOTEBOOK, "name": "each minute", "runtime_environment_name": "research"}
    made = ask(lab, "job_definitions", {**asked, "schedule": "* * * * *", "timezone": "UTC"})["job_definition_id"]
    end = time.monotonic() + 240.0
    while time.monotonic() < end:
        jobs = ask(lab, f"jobs?job_definition_id={made}")["jobs"]
        if any(job["status"] == "COMPLETED" for job in jobs):
            break
        time.sleep(1.0)
    ask(lab, f"job_definitions/{made}", method="DELETE")
    done = next(job for job in jobs if job["status"] == "COMPLETED")
    (run,) = [tag.removeprefix("run:") for tag in done["tags"] if tag.startswith("run:")]
    capsule = json.loads((lab.root / "mlruns" / "runs" / run / "capsule.json").read_text())
    assert (capsule["status"], capsule["notebook"]["path"]) == ("FINISHED", NOTEBOOK)


def test_mlflow_opens_from_the_launcher_on_the_runs_without_its_assistant(page: Any, lab: Any, picture: Any) -> None:
    start(page, lab, "notebooks")
    picture("lab-launcher")
    page.locator(".jp-LauncherCard:has-text('MLflow')").first.click()
    frame = page.frame_locator("iframe[src*='mlflow']")
    frame.get_by_text("calibration/smile").first.wait_for(timeout=120_000)
    assert "Model training" in frame.locator("body").inner_text()
    frame.get_by_text("calibration/smile").first.click()
    frame.get_by_text(re.compile(r"\d+ matching runs?")).wait_for()
    assert frame.get_by_text("MLflow Assistant").filter(visible=True).count() == 0
    picture("lab-mlflow")
    status = page.evaluate("async () => (await fetch('/mlflow/ajax-api/3.0/mlflow/assistant/config')).status")
    assert status == 403


def test_nothing_was_asked_of_the_network_and_nothing_written_into_the_home_folder(lab: Any) -> None:
    hosts = {urlsplit(url).hostname for url in lab.asked if not url.startswith(("data:", "blob:", "about:"))}
    assert hosts == {"127.0.0.1"}
    left = sorted(str(path.relative_to(lab.home)) for path in Path(lab.home).rglob("*") if path.is_file())
    assert [name for name in left if not name.startswith((".cache/", ".config/matplotlib"))] == []
