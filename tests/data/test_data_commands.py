"""`research data ...`: what it prints, and the exit code."""

# ruff: noqa: E501 - messages stand whole, as they are printed

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from research import data
from research.cli.app import main


@pytest.fixture
def run(capsys):
    """Run a command; (exit code, output, errors)."""

    def call(*args: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["data", *map(str, args)])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_list_says_what_is_there_and_what_is_not(prices, run):
    code, out, _ = run("list")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["name", "description", "rows", "columns", "file"]
    assert lines[1].split() == ["test/prices", "three", "days", "of", "prices", "4", "3", "ready"]
    assert lines[2].split()[-2:] == ["not", "here"]


def test_list_as_json(prices, run):
    code, out, _ = run("list", "--json")
    found = {entry["name"]: entry for entry in json.loads(out)}
    assert code == 0 and found["test/prices"]["rows"] == 4 and found["test/quotes"]["state"] == "not here"


def test_list_shows_a_damaged_file(prices, run):
    prices.write("data/curated/test/prices.parquet", b"PAR1")
    assert "damaged" in run("list")[1]


def test_show_explains_every_column(scratch, run):
    code, out, _ = run("show", "test/quotes")
    assert code == 0
    for words in ("option quotes", "as_of, expiry, strike", "expiry > as_of", "> 0; <= 5", "one of C, P", "made up"):
        assert words in out


def test_show_as_json_holds_the_entry(scratch, run):
    shown = json.loads(run("show", "test/prices", "--json")[1])
    assert shown["entry"]["columns"]["close"]["above"] == 0 and shown["entry"]["freshness"] == {"last": "2018-12-07"}


def test_a_misspelt_name_exits_2_with_the_nearest(scratch, run):
    code, out, err = run("show", "test/price")
    assert (code, out) == (2, "")
    assert (
        err
        == "DataError: data set must be one of those in data/catalog.yaml; got 'test/price'. Did you mean 'test/prices'?\n"
    )


def test_an_error_as_json(scratch, run):
    code, out, _ = run("show", "test/price", "--json")
    assert code == 2 and json.loads(out)["error"] == "DataError"


def test_check_of_one_shows_each_figure_and_passes(prices, run):
    code, out, _ = run("check", "test/prices")
    assert code == 0
    assert out.splitlines()[-1] == "test/prices: PASS"
    assert "every session of XNYS" in out


def test_check_exits_1_where_a_limit_is_broken(scratch, run):
    scratch.write("data/raw/test/prices.csv", "date,close,volume\n2018-12-03,1,1\n2018-12-07,1,1\n")
    data.curate("test/prices")
    code, out, _ = run("check", "test/prices")
    assert code == 1 and "2018-12-04, 2018-12-06" in out and out.splitlines()[-1] == "test/prices: FAIL"
    assert run("check", "test/prices", "--as-of", "2018-12-03")[0] == 0


def test_check_exits_1_and_lists_where_the_contract_is_broken(prices, run):
    frame = data.load("test/prices").assign(close=-1.0)
    frame.to_parquet(prices.root / "data/curated/test/prices.parquet")
    code, out, _ = run("check", "test/prices")
    assert code == 1
    assert "must be > 0" in out and "row 4" in out


def test_check_of_all_fails_where_a_data_set_could_be_made_and_was_not(prices, run):
    prices.write("data/raw/test/quotes.csv", prices.QUOTES_CSV)
    code, out, _ = run("check")
    assert code == 1
    assert "not made" in out and "pass" in out and "research data ingest" in out


def test_an_imported_data_set_that_was_not_delivered_holds_up_nobody(prices, run):
    code, out, _ = run("check")
    assert code == 0 and "not here" in out and "dvc pull" in out
    assert json.loads(run("check", "--json")[1])["test/quotes"]["verdict"] == "not here"
    code, out, _ = run("curate")
    assert code == 0 and out.splitlines()[-1].startswith("test/quotes: not here; dvc pull, or research data import")


def test_check_writes_its_figures_the_same_each_time(prices, run):
    path = prices.root / "out" / "quality.json"
    assert run("check", "--results", path)[0] == 0
    first = path.read_bytes()
    found = json.loads(first)
    assert found["test/prices"].pop("sha256") == data.digest_frame(data.load("test/prices"))
    assert found["test/prices"] == {
        "rows": 4, "missing": 0.0, "duplicates": 0, "gaps": 0, "extra": 0, "freshness": 0, "verdict": "pass",
    }  # fmt: skip
    path.unlink()
    run("check", "--results", path)
    assert path.read_bytes() == first


def test_check_writes_its_figures_also_when_it_fails(scratch, run):
    scratch.write("data/raw/test/prices.csv", "date,close,volume\n2018-12-03,1,1\n2018-12-07,1,1\n")
    data.curate("test/prices")
    path = scratch.root / "quality.json"
    assert run("check", "test/prices", "--results", path)[0] == 1
    assert json.loads(path.read_bytes())["test/prices"]["verdict"] == "fail"


def test_check_as_json_is_keyed_by_name_with_plain_figures(prices, run):
    code, out, _ = run("check", "test/prices", "--json")
    found = json.loads(out)["test/prices"]
    assert code == 0 and found["verdict"] == "pass"
    assert found["figures"]["rows"] == 4 and found["n_violations"] == 0


def test_check_of_what_is_not_made_names_the_command(scratch, run):
    code, _, err = run("check", "test/quotes")
    assert code == 2 and err.endswith(
        "got no such file. Make it: research data curate test/quotes, or bring it: dvc pull.\n"
    )


def test_curate_says_what_it_wrote_and_the_second_time_that_nothing_changed(prices, run):
    path = prices.root / "data/curated/test/prices.parquet"
    path.unlink()
    code, out, _ = run("curate", "test/prices")
    assert code == 0 and out.startswith("test/prices: wrote data/curated/test/prices.parquet, 4 rows x 3, sha256 ")
    assert run("curate", "test/prices")[1].startswith("test/prices: unchanged ")
    assert json.loads(run("curate", "test/prices", "--json")[1])[0]["rows"] == 4


def test_ingest_without_a_package_says_there_is_nothing_to_do(prices, run):
    assert run("ingest", "test/prices") == (
        0,
        "test/prices: nothing to ingest, its raw file is not made from a package\n",
        "",
    )


def test_ingest_without_the_package_exits_2(scratch, run):
    scratch.catalog(scratch.PRICES.replace("    raw:", "    ingest: {package: no-such, file: a.csv}\n    raw:"))
    code, _, err = run("ingest")
    assert code == 2 and err.startswith("MissingExtraError: package no-such must be installed")


def test_draft_review_import_and_read(scratch, run):
    source = scratch.write("in/x.csv", scratch.PRICES_CSV)
    contract = scratch.root / "in/contract.yaml"
    code, out, _ = run("draft", source, "--as", "vendor/x", "--out", contract, "--owner", "desk")
    assert code == 0 and out.startswith(f"Wrote {contract}. Review it, then: research data import ")
    code, out, _ = run("import", source, "--as", "vendor/x", "--contract", contract)
    assert (
        code == 0
        and out.startswith("vendor/x: imported 4 rows x 3, digest ")
        and "entry added to data/catalog.yaml" in out
    )
    assert len(data.load("vendor/x")) == 4
    assert run("import", source, "--as", "vendor/x")[1].startswith("vendor/x: unchanged, 4 rows x 3")


def test_draft_prints_the_contract_and_does_not_write_over_a_file(scratch, run):
    source = scratch.write("in/x.csv", scratch.PRICES_CSV)
    assert "vendor/x:" in run("draft", source, "--as", "vendor/x")[1]
    out = scratch.write("in/c.yaml", "mine")
    code, _, err = run("draft", source, "--as", "vendor/x", "--out", out)
    assert code == 2 and "which exists. Choose another name, or remove it." in err
    assert out.read_text() == "mine"


def test_a_refused_import_lists_rule_line_and_value_and_exits_2(scratch, run):
    bad = scratch.QUOTES_CSV.replace("0.60", "-0.6").replace("0.66", "x").replace("0.45", "-0.45")
    code, out, err = run("import", scratch.write("in/q.csv", bad), "--as", "test/quotes")
    assert code == 2
    assert err == (
        "DataError: test/quotes: implied_vol must read as a number; got x at line 2 (1 of 4 rows). 1 more rule is broken. Nothing was imported.\n"
    )
    body = [line.split() for line in out.splitlines() if line.strip()]
    assert body == [
        ["Broken", "rules"],
        ["column", "rule", "where", "value"],
        ["implied_vol", "must", "read", "as", "a", "number", "line", "2", "x"],
        ["implied_vol", "must", "be", ">", "0", "line", "3", "-0.6"],
        ["line", "5", "-0.45"],
    ]


def test_many_violations_are_counted_not_printed(scratch, run):
    lines = "".join(f"2002-07-05,2002-07-18,{3000 + i},-1,P\n" for i in range(100))
    code, out, _ = run(
        "import", scratch.write("in/q.csv", scratch.QUOTES_CSV.splitlines()[0] + "\n" + lines), "--as", "test/quotes"
    )
    assert code == 2 and "95 more, 100 in all" in out and len(out.splitlines()) < 15


def test_a_refused_import_as_json_is_one_object(scratch, run):
    source = scratch.write("in/q.csv", scratch.QUOTES_CSV.replace("0.60", "-0.6"))
    code, out, _ = run("import", source, "--as", "test/quotes", "--json")
    assert code == 2 and json.loads(out)["error"] == "DataError"


def test_a_file_that_is_not_there_exits_2(scratch, run):
    code, _, err = run("import", scratch.root / "no.csv", "--as", "test/quotes")
    assert (code, err) == (2, "DataError: no.csv must exist; got no such file.\n")


def test_no_table_is_wider_than_100_columns(scratch, run):
    """The tables of the repository's own catalogue, as they are piped."""
    import shutil
    from pathlib import Path

    shutil.copy(Path(__file__).parents[2] / "data/catalog.yaml", scratch.root / "data/catalog.yaml")
    for args in (["list"], ["show", "equity/dax_surface"], ["show", "equity/sp500"]):
        assert max(map(len, run(*args)[1].splitlines())) <= 100, args


def test_tables_are_drawn_on_a_terminal(prices, run, monkeypatch, capsys):
    import sys

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    code, out, _ = run("list")
    assert code == 0 and "test/prices" in out and "─" in out


def test_help_names_every_command(run):
    code, out, _ = run("--help")
    assert code == 0
    for name in ("list", "show", "check", "ingest", "curate", "draft", "import"):
        assert name in out


def test_a_frame_written_by_another_tool_is_checked_like_ours(prices, run):
    path = prices.root / "data/curated/test/prices.parquet"
    pq.write_table(pq.read_table(path), path, compression="gzip")
    assert run("check", "test/prices")[0] == 0
