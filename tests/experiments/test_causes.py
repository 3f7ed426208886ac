"""Each cause is injected, and named: a module, a cell, a data row, the number of threads, a package, chance."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from research import data
from research.errors import RefusedError
from research.experiments import factors, fresh, run_notebook
from research.experiments.reproduction import reproduce
from research.project import Project

SOURCE = Path(fresh.__file__).parent

CATALOG = """\
datasets:
  test/quotes:
    description: option quotes
    owner: tester
    source: made up
    licence: none
    raw: data/raw/test/quotes.csv
    path: data/curated/test/quotes.parquet
    key: [as_of, strike]
    as_of: as_of
    columns:
      as_of: {type: date, meaning: day of the quote}
      strike: {type: float, meaning: strike, above: 0}
      implied_vol: {type: float, meaning: volatility, above: 0, max: 5}
"""
CSV = "as_of,strike,implied_vol\n2002-07-05,3400,0.66\n2002-07-06,3600,0.60\n2002-07-08,3400,0.65\n"
LOAD = """\
from research import data
quotes = data.load("test/quotes")
values = [v * float(quotes["implied_vol"].sum()) for v in values]"""


def found(project, run, **options):
    """The verdict of a re-run in the working tree, and what was said on the way."""
    said: list[str] = []
    verdict = reproduce(run.run_id, here=True, say=said.append, **options)
    assert verdict.verdict == "NOT REPRODUCED"
    return verdict, said


@pytest.mark.slow
def test_the_edited_module_is_named_among_edited_modules(project):
    for name, value in (("alpha", 1), ("beta", 2)):
        project.write(f"src/research/experiments/{name}_part.py", f"VALUE = {value}\n")
    parts = "; ".join(f"from research.experiments.{n}_part import VALUE as {n}" for n in ("alpha", "beta"))
    project.notebook.write_text(project.study(f"{parts}\nvalues = [v * beta for v in values]\nprint(values[0])"))
    project.commit("parts")
    run = run_notebook(project.notebook).capsule
    assert run.pinned, run.unpinned_reasons
    for name, text in (("alpha", "VALUE = 1  # the same\n"), ("beta", "VALUE = 20\n")):
        project.write(f"src/research/experiments/{name}_part.py", text)
    verdict, said = found(project, run)
    assert verdict.causes == ["src/research/experiments/beta_part.py changed, first seen in cell 5"]
    assert [cause.proved for cause in verdict.explained] == [True]
    assert any("trial" in line and "as recorded" in line for line in said)
    assert not project.git("worktree", "list").count("\n")


@pytest.mark.deep
def test_the_edited_cell_is_named_and_an_edit_without_effect_is_not(project):
    project.notebook.write_text(project.study("extra = 1", "values[0] = 7.0", "late = 2"))
    project.commit("cells")
    run = run_notebook(project.notebook).capsule
    project.notebook.write_text(project.study("extra = 11", "values[0] = 8.0", "late = 22"))
    verdict, _ = found(project, run)
    assert verdict.causes == ["cell 6 of notebooks/study/tiny.ipynb changed, first seen in cell 8"]


@pytest.mark.deep
def test_the_changed_row_of_the_data_is_named(project):
    project.write(".gitignore", "mlruns/\n__pycache__/\ndata/curated/\n.dvc/cache/\n")
    project.write("data/catalog.yaml", CATALOG)
    project.write("data/raw/test/quotes.csv", CSV)
    project.notebook.write_text(project.study(LOAD))
    project.commit("data")
    where = Project(project.root)
    data.curate("test/quotes", where)
    run = run_notebook(project.notebook).capsule
    path, md5 = project.root / run.data[0]["path"], run.data[0]["dvc_md5"]
    cached = project.root / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
    cached.parent.mkdir(parents=True)
    shutil.copy(path, cached)
    project.write("data/raw/test/quotes.csv", CSV.replace("0.60", "0.61"))
    project.write("src/research/experiments/figures.py", (SOURCE / "figures.py").read_text() + "# an edit\n")
    data.curate("test/quotes", where)
    verdict, said = found(project, run)
    assert verdict.causes == [
        "data test/quotes: 1 of 3 rows changed; first as_of 2002-07-06, implied_vol: 0.6 -> 0.61, first seen in cell 6"
    ]
    assert any("figures.py changed" in line and "data test/quotes changed" in line for line in said)
    cached.unlink()
    verdict, said = found(project, run)
    assert verdict.causes[-1] == "possibly: data test/quotes changed, first seen in cell 6"
    assert any("the recorded bytes of test/quotes are gone" in line for line in said)


@pytest.mark.deep
def test_a_result_that_depends_on_the_number_of_threads_names_them(project):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one processor")
    cell = "import os\nvalues = [v * len(os.sched_getaffinity(0)) for v in values]"
    project.notebook.write_text(project.study(cell))
    project.commit("threads")
    count = len(os.sched_getaffinity(0))
    run = run_notebook(project.notebook).capsule
    kept = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(kept)})
    try:
        verdict, _ = found(project, run)
    finally:
        os.sched_setaffinity(0, kept)
    assert verdict.causes == [f"threads {count} -> 1, first seen in cell 6"]


@pytest.mark.deep
def test_chance_is_named_as_chance_with_its_cell(project):
    project.notebook.write_text(project.study("import random\nvalues[0] = random.random()\nprint(values[0])"))
    project.commit("chance")
    run = run_notebook(project.notebook).capsule
    verdict = reproduce(run.run_id)
    assert verdict.verdict == "NOT REPRODUCED"
    assert verdict.causes == [
        "the notebook is not deterministic: two re-runs of the same code, data and environment differ, "
        "first seen in cell 5"
    ]


def wheel(folder: Path, version: str, value: float) -> str:
    """A tiny wheel `tinymath`; its hash as a lock writes it."""
    path = folder / f"tinymath-{version}-py3-none-any.whl"
    info = f"tinymath-{version}.dist-info"
    files = {
        "tinymath/__init__.py": f"FACTOR = {value}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tinymath\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},{len(text)}"
        for name, text in files.items()
    ]
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,"]) + "\n"
    with zipfile.ZipFile(path, "w") as out:
        for name, text in files.items():
            out.writestr(name, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def environment(folder: Path, wheels: Path, version: str) -> Path:
    """An interpreter with `tinymath`, and what this one has behind it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = next((folder / "lib").glob("python*/site-packages"))
    with zipfile.ZipFile(wheels / f"tinymath-{version}-py3-none-any.whl") as archive:
        archive.extractall(site)
    lend_site_packages(site)
    return folder / "bin" / "python"


def lend_site_packages(site: Path) -> None:
    paths = {sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]}
    (site / "lent.pth").write_text("\n".join(sorted(paths)) + "\n")
    (site.parents[2] / "share").symlink_to(Path(sys.prefix) / "share")  # where nbconvert looks for its templates


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("RESEARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # without uv
    return folder, wheel(folder, "1.0", 1.0), wheel(folder, "2.0", 2.0)


@pytest.fixture
def measured(project, tmp_path, wheels):
    """A run under tinymath 1.0 and its lock; and an interpreter with 2.0."""
    folder, first, _ = wheels
    project.write("requirements.lock", f"tinymath==1.0 --hash=sha256:{first}\n")
    project.notebook.write_text(project.study("import tinymath\nvalues = [v * tinymath.FACTOR for v in values]"))
    project.commit("tinymath")
    old = environment(tmp_path / "old", folder, "1.0")
    call = [str(old), "-m", "research", "run", "notebooks/study/tiny.ipynb", "--json"]
    env = {**project.env, "RESEARCH_WARM": "0", "PATH": os.environ["PATH"]}
    done = subprocess.run(call, cwd=project.root, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)["run_id"], environment(tmp_path / "new", folder, "2.0")


@pytest.mark.deep
def test_the_package_that_changed_is_named_by_swapping_it_into_the_locked_environment(measured, monkeypatch):
    run, python = measured
    make = fresh.make

    def lent(folder: Path, lock: bytes, base: str) -> None:
        make(folder, lock, base)  # pip, with hashes, from the folder of wheels
        lend_site_packages(next((folder / "lib").glob("python*/site-packages")))

    monkeypatch.setattr(fresh, "make", lent)
    monkeypatch.setenv("RESEARCH_WARM", "0")
    verdict = reproduce(run, python=python)
    assert verdict.verdict == "NOT REPRODUCED"
    assert verdict.causes == ["possibly: tinymath 1.0 -> 2.0, first seen in cell 6"]
    verdict = reproduce(run, python=python, packages=True)
    assert verdict.causes == ["tinymath 1.0 -> 2.0, first seen in cell 6"]
    verdict = reproduce(run, fresh_env=True)
    assert (verdict.verdict, verdict.depth) == ("REPRODUCED EXACTLY", "fresh environment")


@pytest.mark.deep
def test_a_lock_that_cannot_be_installed_any_more_is_refused_before_anything_runs(project, wheels, tmp_path):
    _, first, second = wheels
    run = run_notebook(project.notebook).capsule
    for lock, said in (
        (f"tinymath==1.0 --hash=sha256:{second}\n", "THESE PACKAGES DO NOT MATCH THE HASHES"),
        (f"tinymath==9.0 --hash=sha256:{first}\n", "No matching distribution found for tinymath==9.0"),
    ):
        digest = hashlib.sha256(lock.encode()).hexdigest()
        project.write("requirements.lock", lock)
        raw = {**run.raw, "environment": {**run.environment, "lock": digest}}
        with pytest.raises(RefusedError, match=r"must be installable; pip said: .*Nothing was run") as caught:
            fresh.environment_of(Project(project.root), dataclasses.replace(run, raw=raw), lambda text: None)
        assert said in str(caught.value)
        assert not [p for p in fresh.cache_folder().iterdir() if p.is_dir()]


def test_what_the_installer_said_is_passed_on_and_nothing_half_made_is_left(project, tmp_path, monkeypatch):
    monkeypatch.setenv("RESEARCH_CACHE", str(tmp_path / "cache"))
    run = run_notebook(project.notebook).capsule

    def make(folder: Path, lock: bytes, base: str) -> None:
        folder.mkdir()
        raise RefusedError("pip said: No matching distribution found for tinymath==9.0.")

    monkeypatch.setattr(fresh, "make", make)
    with pytest.raises(RefusedError) as caught:
        reproduce(run.run_id, fresh_env=True)
    assert str(caught.value) == (
        f"the lock of run {run.run_id} must be installable; pip said: No matching distribution found for "
        "tinymath==9.0. Nothing was run. A folder of wheels helps: PIP_FIND_LINKS (or UV_FIND_LINKS)."
    )
    assert not [p for p in fresh.cache_folder().iterdir() if p.is_dir()]
    with pytest.raises(RefusedError, match="--fresh-env must go with the commit of the run; got --here"):
        reproduce(run.run_id, fresh_env=True, here=True)


def test_a_commit_that_is_gone_is_refused_with_its_name(project):
    run = run_notebook(project.notebook).capsule
    assert run.pinned, run.unpinned_reasons
    project.git("checkout", "--orphan", "other")
    project.commit("another history")
    project.git("branch", "-D", "master") if "master" in project.git("branch") else project.git("branch", "-D", "main")
    project.git("reflog", "expire", "--expire=now", "--all")
    project.git("gc", "-q", "--prune=now")
    with pytest.raises(
        RefusedError, match=rf"commit {run.commit} of run .* must be in the repository; got none: it was"
    ):
        reproduce(run.run_id)


def test_rows_that_changed_are_found_by_their_key():
    from research.experiments.rows import compare_rows

    old = pd.DataFrame({"day": ["a", "b", "c", "d"], "x": [1.0, 2.0, float("nan"), 4.0], "n": [1, 2, 3, 4]})
    new = pd.DataFrame({"day": ["e", "d", "c", "b"], "x": [5.0, 4.0, float("nan"), 2.5], "n": [5, 4, 3, 2]})
    apart = compare_rows(old, new)
    assert (apart.changed, apart.added, apart.removed, apart.key) == (1, 1, 1, ["day"])
    assert apart.changes == [{"row": 1, "key": {"day": "b"}, "column": "x", "old": 2.0, "new": 2.5}]
    assert apart.largest == {"x": 0.5}
    assert apart.text() == "1 of 4 rows changed; 1 row added; 1 of 4 rows removed; first day b, x: 2.0 -> 2.5"
    assert compare_rows(old, old.copy()).same


@pytest.mark.slow
def test_a_checkout_that_is_not_installed_is_no_difference_between_environments():
    installed = {"distributions": {"numpy": "2.4.6", "research": "0.1.0"}}
    assert factors.packages(installed) == factors.packages({"distributions": {"numpy": "2.4.6"}}) == {"numpy": "2.4.6"}


def test_a_notebook_that_takes_long_is_not_run_again_unasked(project, monkeypatch):
    run = run_notebook(project.notebook).capsule
    project.notebook.write_text(project.study("values[0] = 8.0"))
    monkeypatch.setattr("research.experiments.reproduction.LONG_S", 0.0)
    verdict, said = found(project, run)
    assert verdict.causes == ["possibly: cell 5 of notebooks/study/tiny.ipynb added, first seen in cell 5"]
    assert "nothing is swapped: a trial takes more than ten minutes; --cause does it" in said
