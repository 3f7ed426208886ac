"""Vendors' files, as they come, through draft and import; skipped where the folder of sample files is not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from research import data
from research.data.draft import drafted
from research.errors import DataError

SHARED = Path(os.environ.get("RESEARCH_SHARED_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SHARED.is_dir(), reason="no folder of sample files (RESEARCH_SHARED_DATA)"),
]

# file: rows (line counts), key, calendar with gaps and extra days (the folder's README for CSI 300 and the
# 100 working weekends of SHIBOR; the others are pinned)
FILES = {
    "aapl_4day_smile.csv": (33, ["strike"], None),
    "amlsim_20K_fanin200_nodes.csv": (20000, ["nodeid"], None),
    "amlsim_20K_fanin200_transactions.csv": (118250, [], None),
    "cgb_yield_curve_2002_2014.csv": (3245, ["date"], ("XSHG", 8, 105)),
    "csi300_daily_2014_2019.csv": (1464, ["date"], ("XSHG", 0, 0)),
    "dax_20010809_dividend_curve.csv": (8, ["maturity_years"], None),
    "dax_20010809_rate_curve.csv": (13, ["maturity_years"], None),
    "dax_options_20010809.csv": (550, ["strike", "maturity_years"], None),
    "ecb_fx_eur_1999_2022.csv": (6147, ["date"], ("TARGET", 0, 0)),
    "ore_example_market_20160205.csv": (4827, [], None),
    "shibor_2006_2021.csv": (3809, ["date"], ("XSHG", 0, 100)),
    "sp500_shiller_monthly.csv": (1866, ["Date"], ("MONTHS", 0, 0)),
    "sparkov_card_sample.csv": (2100, ["trans_date", "trans_num"], None),
    "spx_surface_oct1995_kahale.csv": (100, ["T", "relative_strike"], None),
    "sse_50etf_options_eod_2018.csv": (12384, ["date", "contract"], ("XSHG", 1, 0)),
    "sx5e_option_ask_20190110.csv": (694, ["type", "strike", "maturity_years"], None),
    "taiwan_credit_default_train.csv": (20000, ["ID"], None),
    "tsla_1m_smile_2018.csv": (71, ["strike"], None),
    "us_treasury_par_1990_2014.csv": (6255, ["date"], ("XNYS", 55, 9)),
    "vix_daily_1990_2021.csv": (8061, ["date"], ("XNYS", 4, 1)),
}


def bring(scratch, name: str, change=lambda text: text) -> data.Read:
    source = SHARED / name
    contract = scratch.write("in/contract.yaml", change(data.draft(source, "vendor/file")))
    data.import_file(source, "vendor/file", contract=contract)
    data.load("vendor/file")
    return data.reads()[-1]


@pytest.mark.parametrize("name", FILES)
def test_a_vendors_file_enters_through_its_draft(scratch, name):
    if not (SHARED / name).is_file():
        pytest.skip(f"{name} is not there")
    read = bring(scratch, name)
    entry = data.catalog()["vendor/file"]
    n_rows, key, calendar = FILES[name]
    assert (read.rows, entry.key) == (n_rows, key)
    found = (entry.calendar, entry.quality.max_gaps, entry.quality.max_extra) if entry.calendar else None
    assert found == calendar
    assert read.quality["verdict"] in ("pass", "warn")


def test_stale_option_quotes_are_refused_by_a_tighter_contract(scratch):
    """SSE 50ETF: a last trade with no volume that day is stale; the reviewer says so, and the file is refused."""

    def change(text: str) -> str:
        return text.replace('source: volume_contracts", min: 0', 'source: volume_contracts", above: 0')

    with pytest.raises(DataError) as caught:
        bring(scratch, "sse_50etf_options_eod_2018.csv", change)
    assert str(caught.value).startswith("vendor/file: volume_contracts must be > 0; got 0 at line ")
    rules = {(v.column, v.rule) for v in caught.value.violations}
    assert rules == {("volume_contracts", "be > 0")}
    assert "vendor/file" not in data.catalog()


def test_bars_whose_low_is_above_their_open_are_found(scratch):
    """CSI 300: some opens lie below the low of the day; the draft says so, the rule would refuse them."""
    text = data.draft(SHARED / "csi300_daily_2014_2019.csv", "vendor/file")
    assert "# broken: low <= open in " in text
    assert drafted(text, "vendor/file").rules == ["open <= high", "close <= high"]


def test_the_two_copies_of_the_ecb_rates_agree(scratch):
    from research.data.catalog import catalog
    from research.project import Project

    root = Path(__file__).parents[2]
    scratch.write("data/catalog.yaml", (root / "data/catalog.yaml").read_text())
    data.ingest("fx/ecb")
    data.curate("fx/ecb")
    wheel = data.load("fx/ecb").set_index("date")
    assert "fx/ecb" in catalog(Project(root))
    bring(scratch, "ecb_fx_eur_1999_2022.csv")
    file = data.load("vendor/file").set_index("date")
    both = wheel.loc[: file.index[-1], file.columns]
    assert ((both == file) | (both.isna() & file.isna())).all().all()
