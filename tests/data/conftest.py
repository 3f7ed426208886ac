"""A small project in a temporary folder, so that no test touches the repository's own data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from research import data
from research.project import Project, find_project

PRICES = """\
  test/prices:
    description: three days of prices
    owner: tester
    source: made up
    licence: none
    raw: data/raw/test/prices.csv
    path: data/curated/test/prices.parquet
    key: date
    as_of: date
    calendar: XNYS
    freshness: {last: 2018-12-07}
    columns:
      date: {type: date, meaning: day}
      close: {type: float, unit: USD, meaning: price, above: 0}
      volume: {type: int, meaning: shares, min: 0, nullable: true, max_missing: 0.5}
    quality: {max_gaps: 0, max_extra: 0}
"""
PRICES_CSV = "date,close,volume\n2018-12-03,10.0,5\n2018-12-04,10.5,6\n2018-12-06,10.25,\n2018-12-07,10.1,8\n"

QUOTES = """\
  test/quotes:
    description: option quotes
    owner: tester
    source: made up
    licence: none
    raw: data/raw/test/quotes.csv
    path: data/curated/test/quotes.parquet
    key: [as_of, expiry, strike]
    as_of: as_of
    columns:
      as_of: {type: date, meaning: day of the quote}
      expiry: {type: date, meaning: last day}
      strike: {type: float, meaning: strike, above: 0}
      implied_vol: {type: float, meaning: volatility, above: 0, max: 5}
      side: {type: category, meaning: put or call, allowed: [C, P]}
    rules: [expiry > as_of]
"""
QUOTES_CSV = (
    "as_of,expiry,strike,implied_vol,side\n"
    "2002-07-05,2002-07-18,3400,0.66,P\n"
    "2002-07-05,2002-07-18,3600,0.60,P\n"
    "2002-07-05,2002-08-15,3400,0.48,C\n"
    "2002-07-05,2002-08-15,3600,0.45,C\n"
)


class Scratch:
    """A project folder with helpers to write into it; the entries and files it starts from."""

    PRICES, PRICES_CSV, QUOTES, QUOTES_CSV = PRICES, PRICES_CSV, QUOTES, QUOTES_CSV

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def project(self) -> Project:
        return find_project(self.root)

    def write(self, relative: str, text: str | bytes) -> Path:
        path = self.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def catalog(self, *entries: str) -> None:
        self.write("data/catalog.yaml", "# a comment\ndatasets:\n\n" + "\n".join(entries))

    def files(self) -> dict[str, bytes]:
        return {
            p.relative_to(self.root).as_posix(): p.read_bytes() for p in sorted(self.root.rglob("*")) if p.is_file()
        }


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scratch]:
    """An empty project, current for `find_project`, with its own cache."""
    folder = Scratch(tmp_path / "project")
    folder.write("dvc.yaml", "stages: {}\n")
    folder.catalog(PRICES, QUOTES)
    monkeypatch.setenv("RESEARCH_PROJECT", str(folder.root))
    monkeypatch.setenv("RESEARCH_CACHE", str(tmp_path / "cache"))
    data.reset_reads()
    yield folder
    data.reset_reads()


@pytest.fixture
def prices(scratch: Scratch) -> Scratch:
    """The project with its prices curated."""
    scratch.write("data/raw/test/prices.csv", PRICES_CSV)
    data.curate("test/prices")
    return scratch


@pytest.fixture
def quotes(scratch: Scratch) -> Scratch:
    """The project with its quotes imported."""
    data.import_file(scratch.write("in/quotes.csv", QUOTES_CSV), "test/quotes")
    return scratch


@pytest.fixture
def refuses() -> Callable[..., str]:
    """Call something that must be refused; the message."""

    def call(function: Callable[..., object], *args: object, **options: object) -> str:
        from research.errors import ResearchError

        with pytest.raises(ResearchError) as caught:
            function(*args, **options)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return call
