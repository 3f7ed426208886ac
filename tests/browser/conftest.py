"""A real JupyterLab on a small project, and a headless Chromium in front of it.

RESEARCH_SCREENSHOTS=FOLDER keeps a picture of every step; RESEARCH_CHROMIUM names another browser.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "test-token"
NOTEBOOK = "notebooks/calibration/smile.ipynb"


def chromium() -> str | None:
    """The system's own browser: Playwright's download is not needed."""
    names = (os.environ.get("RESEARCH_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome", "chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


@dataclass
class Lab:
    """A running JupyterLab."""

    root: Path
    port: int
    home: Path
    log: Path
    asked: list[str] = field(default_factory=list)  # every address that a page asked for

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.port}/lab{path}?token={TOKEN}&reset"

    def git(self, *args: str) -> str:
        return subprocess.run(
            ["git", *args], cwd=self.root, capture_output=True, text=True, check=True, env=_environment(self.home)
        ).stdout


def _environment(home: Path) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("RESEARCH_", "JUPYTER", "JPY_"))}
    from research.core._jit import cache_root

    env |= {
        "RESEARCH_CACHE": str(cache_root())
    }  # kernels that are compiled already; everything else starts from nothing
    person = {f"GIT_{w}_{k}": v for w in ("AUTHOR", "COMMITTER") for k, v in (("NAME", "Ada"), ("EMAIL", "a@x.org"))}
    return {**env, **person, "HOME": str(home), "GIT_CONFIG_GLOBAL": os.devnull, "RESEARCH_WARM_IDLE": "60"}


def _project(root: Path, home: Path) -> None:
    """This project's template as a notebook, on the one data set that is in git; a repository with our filter."""
    from research.lab import git_setup
    from research.lab.scaffold import create
    from research.project import Project

    for name in (
        "dvc.yaml", "params.yaml", "data/catalog.yaml", "data/raw/dax_surface_20020705.csv", "pyproject.toml",
        "requirements.lock", "notebooks/_template.ipynb", ".gitattributes", ".gitignore",
    ):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, root / name)
    create("calibration", "smile", owner="Ada", project=Project(root))
    curate = [sys.executable, "-m", "research", "data", "curate", "equity/dax_surface"]
    subprocess.run(curate, cwd=root, env=_environment(home), check=True, capture_output=True)
    for args in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run(["git", *args], cwd=root, env=_environment(home), check=True)
        if args[0] == "init":
            git_setup.set_up(root)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """`research lab` on a project of its own, with an empty home folder."""
    pytest.importorskip("playwright", reason="the browser extra is not installed: make test-browser")
    if chromium() is None:
        pytest.skip("there is no chromium (Debian, Ubuntu: apt-get install chromium)")
    base = tmp_path_factory.mktemp("lab")
    root, home, log = base / "project", base / "home", base / "lab.log"
    home.mkdir()
    _project(root, home)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    call = [sys.executable, "-m", "research", "lab", "--no-browser", f"--port={port}"]
    call += [f"--IdentityProvider.token={TOKEN}", "--ServerApp.port_retries=0", "--allow-root"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            call, cwd=root, env=_environment(home), stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait(f"http://127.0.0.1:{port}/api/status?token={TOKEN}", process, log)
        yield Lab(root, port, home, log)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise AssertionError(log.read_text(errors="replace")[-3000:])


@pytest.fixture(scope="module")
def browser(lab: Lab) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        made = tool.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        yield made
        made.close()


@pytest.fixture
def page(browser: Any, lab: Lab, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A tab; what it asked for is kept, and how it looked at the end when the test failed."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(60_000)
    tab = context.new_page()
    tab.on("request", lambda asked: lab.asked.append(asked.url))
    failed = request.session.testsfailed
    yield tab
    if request.session.testsfailed > failed and (folder := os.environ.get("RESEARCH_SCREENSHOTS")):
        tab.screenshot(path=str(Path(folder) / f"failed-{request.node.name}.png"))
    context.close()


@pytest.fixture
def picture(page: Any) -> Any:
    """Keep a picture of the page, when RESEARCH_SCREENSHOTS names a folder."""
    folder = os.environ.get("RESEARCH_SCREENSHOTS")

    def take(name: str) -> None:
        if folder:
            page.wait_for_timeout(600)
            page.screenshot(path=str(Path(folder) / f"{name}.png"))

    return take
