"""From the wheels to curated Parquet: the published facts of each data set, the same bytes every time."""

# ruff: noqa: E501 - messages stand whole, as they are printed
from __future__ import annotations

import csv
import shutil
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from research import data
from research.errors import DataError, MissingExtraError
from research.project import Project

ROOT = Path(__file__).parents[2]
DAX = "data/raw/dax_surface_20020705.csv"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Project:
    """Every data set of the repository's catalogue, made in a fresh project."""
    root = tmp_path_factory.mktemp("made")
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / "data" / "raw").mkdir(parents=True)
    shutil.copy(ROOT / "data" / "catalog.yaml", root / "data" / "catalog.yaml")
    shutil.copy(ROOT / DAX, root / DAX)
    project = Project(root)
    for name in data.catalog(project):
        data.ingest(name, project)
        data.curate(name, project)
    return project


def load(project: Project, name: str, **options) -> pd.DataFrame:
    return data.load(name, project=project, **options)


@pytest.fixture(autouse=True)
def cache(made, monkeypatch):
    monkeypatch.setenv("RESEARCH_CACHE", str(made.root / "cache"))


# rows, first, last: the README of each package, and counts made by reading its files with the csv module
FACTS = {
    "equity/dax_surface": (104, "2002-07-05", "2002-07-05"),
    "equity/sp500": (5031, "1999-01-04", "2018-12-31"),
    "equity/nasdaq": (5031, "1999-01-04", "2018-12-31"),
    "vol/vix": (1259, "2014-01-03", "2019-01-03"),
    "credit/moodys_yields": (1200, "1919-02-01", "2019-01-01"),
    "equity/us_stocks": (8313, "1990-01-02", "2022-12-28"),
    "equity/factor_etfs": (2264, "2014-01-02", "2022-12-28"),
    "equity/sp500_index": (8313, "1990-01-02", "2022-12-28"),
}


@pytest.mark.parametrize("name", FACTS)
def test_a_data_set_has_its_published_size_and_span(made, name):
    frame, entry = load(made, name), data.catalog(made)[name]
    dates = frame[entry.as_of]
    assert (len(frame), str(dates.min().date()), str(dates.max().date())) == FACTS[name]


def test_every_data_set_passes_its_own_limits(made):
    assert {name: data.check(name, project=made).verdict for name in data.catalog(made)} == dict.fromkeys(
        data.catalog(made), "pass"
    )


def test_making_everything_again_gives_the_same_bytes(made, tmp_path):
    again = Project(tmp_path)
    (tmp_path / "data" / "raw").mkdir(parents=True)
    shutil.copy(made.root / "data" / "catalog.yaml", tmp_path / "data" / "catalog.yaml")
    shutil.copy(made.root / DAX, tmp_path / DAX)
    for name in ("equity/dax_surface", "equity/sp500", "vol/vix", "fx/ecb"):
        raw, curated = data.ingest(name, again), data.curate(name, again)
        entry = data.catalog(made)[name]
        assert (tmp_path / entry.path).read_bytes() == (made.root / entry.path).read_bytes()
        assert curated.changed
        if raw is not None:
            assert (tmp_path / entry.raw).read_bytes() == (made.root / entry.raw).read_bytes()


def test_a_step_that_changes_nothing_says_so_and_keeps_the_time_stamp(made):
    path = made.root / "data/curated/vol/vix.parquet"
    before = path.stat().st_mtime_ns
    assert not data.ingest("vol/vix", made).changed
    assert not data.curate("vol/vix", made).changed
    assert path.stat().st_mtime_ns == before


def test_no_file_of_pandas_or_of_the_machine_is_in_the_parquet(made):
    import pyarrow.parquet as pq

    for entry in data.catalog(made).values():
        metadata = pq.read_metadata(made.root / entry.path).metadata or {}
        assert set(metadata) <= {b"ARROW:schema"}


def test_nothing_temporary_stays_behind(made):
    assert [p for p in made.root.rglob("*") if p.name.endswith(".tmp")] == []


def test_the_dax_table_agrees_with_the_figures_of_the_paper(made):
    """Spot checks against the printed table: corners, centre, zero rates by expiry."""
    frame = load(made, "equity/dax_surface", as_of=date(2002, 7, 5))
    vol = frame.pivot(index="strike", columns="days", values="implied_vol")
    assert vol.shape == (13, 8) and (frame["spot"] == 4468.17).all()
    assert vol.columns.tolist() == [13, 41, 75, 165, 256, 345, 524, 703]
    assert vol.loc[3400].tolist() == [0.6625, 0.4875, 0.4204, 0.3667, 0.3431, 0.3267, 0.3121, 0.3121]
    assert vol.loc[4500].tolist() == [0.3550, 0.3277, 0.3012, 0.2781, 0.2781, 0.2661, 0.2661, 0.2681]
    assert vol.loc[5600].tolist() == [0.3976, 0.2860, 0.2607, 0.2356, 0.2297, 0.2268, 0.2241, 0.2320]
    rates = frame.groupby("days")["zero_rate"].unique()
    assert [float(r[0]) for r in rates] == [0.0357, 0.0349, 0.0341, 0.0355, 0.0359, 0.0368, 0.0386, 0.0401]
    assert (frame["expiry"] - frame["as_of"] == pd.to_timedelta(frame["days"], unit="D")).all()


def test_the_dax_file_cites_its_source_in_its_first_lines():
    lines = (ROOT / DAX).read_text().splitlines()
    assert lines[0].startswith("# DAX implied volatilities of 5 July 2002") and "A. Sepp" in lines[1]


def test_the_curated_prices_are_the_numbers_in_the_wheel(made):
    """Independent reading: the csv module and float()."""
    import gzip
    from importlib.metadata import distribution

    with gzip.open(str(distribution("arch").locate_file("arch/data/sp500/sp500.csv.gz")), "rt") as handle:
        rows = list(csv.DictReader(handle))
    frame = load(made, "equity/sp500")
    assert frame["close"].tolist() == [float(row["Close"]) for row in rows]
    assert frame["volume"].tolist() == [int(float(row["Volume"])) for row in rows]
    days = [date(int(y), int(m), int(d)) for m, d, y in (row["Date"].split("/") for row in rows)]
    assert frame["date"].dt.date.tolist() == days


def test_ecb_rates_are_missing_only_where_a_currency_is_not_quoted(made):
    frame = load(made, "fx/ecb").set_index("date")
    assert frame["CNY"].first_valid_index() == pd.Timestamp("2005-04-01")
    assert frame["CNY"].loc["2005-04-01":].notna().all()
    assert frame["RUB"].last_valid_index() == pd.Timestamp("2022-03-01")
    assert frame[["USD", "JPY", "GBP", "CHF"]].notna().all().all()
    assert frame.shape[1] == 41


def test_ecb_rates_of_redenominated_currencies_meet_at_their_ratio(made):
    frame = load(made, "fx/ecb", columns=["date", "TRL", "TRY", "ROL", "RON"]).set_index("date")
    for old, new, ratio in (("TRL", "TRY", 1e6), ("ROL", "RON", 1e4)):
        last, first = frame[old].dropna().iloc[-1], frame[new].dropna().iloc[0]
        assert last / ratio == pytest.approx(first, rel=0.02)


def test_the_two_copies_of_the_sp500_agree(made):
    a = load(made, "equity/sp500", columns=["date", "close"]).set_index("date")["close"]
    b = load(made, "equity/sp500_index").set_index("date")["close"]
    both = pd.concat([a, b], axis=1, join="inner")
    assert len(both) == 5031
    assert (both.iloc[:, 0] - both.iloc[:, 1]).abs().max() < 0.006  # the second copy is rounded to cents


def test_a_monthly_average_is_known_only_when_the_month_is_over(made):
    frame = load(made, "credit/moodys_yields", as_of="2008-09-30")
    assert frame["month"].max() == pd.Timestamp("2008-08-01")
    frame = load(made, "credit/moodys_yields", as_of="2008-10-01")
    assert frame["month"].max() == pd.Timestamp("2008-09-01")


def test_no_row_is_later_than_its_as_of(made):
    for name in data.catalog(made):
        entry = data.catalog(made)[name]
        whole = load(made, name)[entry.as_of]
        middle = whole.sort_values().iloc[len(whole) // 2]
        part = load(made, name, as_of=middle)[entry.as_of]
        assert part.max() <= middle and len(part) == int((whole <= middle).sum())


def test_the_raw_file_holds_the_text_of_the_source(made):
    import pyarrow.parquet as pq

    table = pq.read_table(made.root / "data/raw/vol/vix.parquet")
    assert table.column_names == ["Date", "vix"] and {str(t) for t in table.schema.types} == {"string"}
    assert "." in table["vix"].to_pylist()


def test_a_package_that_is_not_there_names_what_to_install(scratch, refuses):
    entry = scratch.PRICES.replace("    raw:", "    ingest: {package: no-such-package, file: a/b.csv}\n    raw:")
    scratch.catalog(entry)
    with pytest.raises(MissingExtraError) as caught:
        data.ingest("test/prices")
    assert str(caught.value) == (
        "package no-such-package must be installed to ingest its data; got none. Install it: pip install 'research[ingest]'."
    )
    assert caught.value.exit_code == 2
    assert not (scratch.root / "data/raw").exists()


def test_a_package_without_the_file_is_refused(scratch, refuses):
    scratch.catalog(scratch.PRICES.replace("    raw:", "    ingest: {package: numpy, file: numpy/no.csv}\n    raw:"))
    message = (
        "package numpy must ship numpy/no.csv; got a version without it. Install the version in requirements.lock."
    )
    assert refuses(data.ingest, "test/prices") == message


def test_ingest_does_not_import_the_package(made):
    import subprocess

    code = (
        "import sys; from pathlib import Path; from research import data; from research.project import Project;"
        f"data.ingest('equity/sp500', Project(Path({str(made.root)!r})));"
        "sys.exit(bool({'arch', 'statsmodels', 'skfolio', 'currency_converter'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=120).returncode == 0


def test_a_raw_file_that_breaks_the_contract_leaves_the_curated_file_alone(prices, refuses):
    path = prices.root / "data/curated/test/prices.parquet"
    before = path.read_bytes()
    prices.write("data/raw/test/prices.csv", "date,close,volume\n2018-12-03,-1,5\n")
    assert refuses(data.curate, "test/prices") == "test/prices: close must be > 0; got -1 at row 1 (1 of 1 rows)."
    assert path.read_bytes() == before


def test_rows_are_sorted_by_the_key_and_a_complaint_names_the_row_of_the_source(prices, refuses):
    prices.write(
        "data/raw/test/prices.csv",
        "date,close,volume\n2018-12-07,10,1\n2018-12-03,11,1\n2018-12-04,12,1\n2018-12-06,13,1\n",
    )
    data.curate("test/prices")
    assert data.load("test/prices")["close"].tolist() == [11.0, 12.0, 13.0, 10.0]
    prices.write("data/raw/test/prices.csv", "date,close,volume\n2018-12-07,-10,1\n2018-12-03,11,1\n")
    assert "got -10 at row 1 (1 of 2 rows)" in refuses(data.curate, "test/prices")


def test_a_raw_file_that_is_not_there_names_the_command(scratch, refuses):
    scratch.catalog(
        scratch.PRICES,
        scratch.PRICES.replace("test/prices", "test/wheel").replace(
            "    raw:", "    ingest: {package: arch, file: x}\n    raw:"
        ),
    )
    assert refuses(data.curate, "test/wheel").endswith("got no such file. Make it: research data ingest test/wheel.")
    assert refuses(data.curate, "test/prices").endswith(
        "Bring it: research data import FILE --as test/prices, or dvc pull."
    )


def test_a_derived_date_keeps_to_the_end_of_short_months(scratch):
    entry = (
        scratch.PRICES.replace(
            "      close:",
            "      known: {type: date, meaning: k, derive: {column: date, months: 1, days: 1}}\n      close:",
        )
        .replace("    calendar: XNYS\n", "")
        .replace("    freshness: {last: 2018-12-07}\n", "")
    )
    scratch.catalog(entry)
    scratch.write("data/raw/test/prices.csv", "date,close,volume\n2019-01-31,10,1\n2020-01-31,10,1\n")
    data.curate("test/prices")
    assert data.load("test/prices")["known"].dt.date.tolist() == [date(2019, 3, 1), date(2020, 3, 1)]


def test_a_derived_date_can_be_days_later(scratch):
    column = "      known: {type: date, meaning: k, derive: {column: date, days: 3}}\n      close:"
    scratch.catalog(scratch.PRICES.replace("      close:", column))
    scratch.write("data/raw/test/prices.csv", scratch.PRICES_CSV)
    data.curate("test/prices")
    frame = data.load("test/prices")
    assert (frame["known"] - frame["date"] == pd.Timedelta(days=3)).all()


def test_numbers_are_read_to_the_last_bit(scratch):
    rng = np.random.default_rng(11)
    values = np.abs(rng.standard_normal(500)) * 10.0 ** rng.integers(-300, 300, 500)
    days = [date(2000, 1, 1) + timedelta(days=i) for i in range(500)]
    scratch.catalog(
        scratch.PRICES.replace("    calendar: XNYS\n", "").replace("    freshness: {last: 2018-12-07}\n", "")
    )
    rows = "".join(f"{d},{v!r},1\n" for d, v in zip(days, values.tolist(), strict=True))
    scratch.write("data/raw/test/prices.csv", "date,close,volume\n" + rows)
    data.curate("test/prices")
    assert data.load("test/prices")["close"].tolist() == values.tolist()


def test_a_data_error_is_an_input_error():
    assert issubclass(DataError, ValueError) and DataError.exit_code == 2
