"""A run that reads data: its digest in the record, hits while the bytes stay, reproduction from where they are."""

from __future__ import annotations

import hashlib
import json

import pytest

from research import data
from research.cli.app import main
from research.errors import DataError
from research.experiments import reproduce, run_notebook
from research.experiments.place import find_data
from research.project import Project

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
OTHER = CATALOG.replace("datasets:\n", "").replace("test/quotes:", "test/other:")
CSV = "as_of,strike,implied_vol\n2002-07-05,3400,0.66\n2002-07-05,3600,0.60\n2002-07-08,3400,0.65\n"
LOAD = """\
from research import data
quotes = data.load("test/quotes", as_of=as_of)
record(metrics={"atm": float(quotes["implied_vol"].iloc[-1])}, tables={"quotes": quotes})"""


@pytest.fixture
def with_data(project):
    project.write(".gitignore", "mlruns/\n__pycache__/\ndata/curated/\n.dvc/cache/\n")
    project.write("data/catalog.yaml", CATALOG)
    project.write("data/raw/test/quotes.csv", CSV)
    project.notebook.write_text(project.study(LOAD))
    project.commit("data")
    data.curate("test/quotes", Project(project.root))
    return project


@pytest.mark.slow
def test_data_are_recorded_by_digest_and_a_hit_asks_for_the_same_bytes(with_data):
    project = with_data
    run = run_notebook(project.notebook).capsule
    assert run.pinned, run.unpinned_reasons
    read = run.data[0]
    path = project.root / read["path"]
    assert (read["name"], read["as_of"], read["rows"]) == ("test/quotes", "2002-07-05", 2)
    assert read["file_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert read["dvc_md5"] == hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    project.write("data/catalog.yaml", CATALOG + OTHER)  # another entry
    assert run_notebook(project.notebook).hit
    project.write("data/catalog.yaml", CATALOG.replace("max: 5", "max: 4"))  # the entry that was read
    assert not run_notebook(project.notebook).hit
    project.write("data/catalog.yaml", CATALOG)
    project.write("data/raw/test/quotes.csv", CSV.replace("0.60", "0.61"))
    data.curate("test/quotes", Project(project.root))
    again = run_notebook(project.notebook)
    assert not again.hit
    assert again.capsule.identity != run.identity
    assert again.capsule.recipe == run.recipe


@pytest.mark.deep
@pytest.mark.slow
def test_a_run_is_reproduced_with_data_from_the_dvc_cache_or_made_anew(with_data, capfd):
    project = with_data
    run = run_notebook(project.notebook).capsule
    path = project.root / run.data[0]["path"]
    content = path.read_bytes()
    path.unlink()
    assert main(["reproduce", run.run_id, "--json"]) == 0  # the raw file is in the commit
    assert json.loads(capfd.readouterr().out)["verdict"] == "REPRODUCED EXACTLY"
    md5 = run.data[0]["dvc_md5"]
    cached = project.root / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
    cached.parent.mkdir(parents=True)
    cached.write_bytes(content)
    assert main(["reproduce", run.run_id]) == 0
    assert "missing data" not in capfd.readouterr().out
    assert not path.exists()  # the working tree is left alone


@pytest.mark.deep
def test_data_that_only_the_remote_has_are_fetched_by_their_hash(with_data, tmp_path):
    project = with_data
    run = run_notebook(project.notebook).capsule
    read = run.data[0]
    path, md5 = project.root / read["path"], read["dvc_md5"]
    where = tmp_path / "remote"
    kept = where / "files" / "md5" / md5[:2] / md5[2:]
    kept.parent.mkdir(parents=True)
    path.rename(kept)
    (project.root / "data" / "raw" / "test" / "quotes.csv").unlink()
    project.write(
        ".dvc/config", f"[core]\n    remote = store\n    analytics = false\n['remote \"store\"']\n    url = {where}\n"
    )
    files, missing = find_data(Project(project.root), run)
    assert missing == []
    assert files[read["path"]] == project.root / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
    assert hashlib.md5(files[read["path"]].read_bytes(), usedforsecurity=False).hexdigest() == md5
    files[read["path"]].unlink()
    kept.unlink()
    with pytest.raises(
        DataError, match=r"missing: test/quotes .* The notebook was not run. Try dvc checkout, dvc fetch"
    ):
        reproduce(run.run_id, here=True)
