"""The data dictionary: what `data/catalog.yaml` may say, and reading it.

One entry a data set: what it is, who owns it, where it comes from, what each column means, which checks it must
pass. A key that is not known here is refused with the nearest known one, so that a misspelt threshold cannot
silently check nothing.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from research.data.yaml12 import read_yaml
from research.errors import DataError, rule
from research.fingerprint import digest_json
from research.project import Project, find_project

ColumnType = Literal["date", "datetime", "float", "int", "str", "category", "bool"]
Bound = float | date
_NAME = re.compile(r"[a-z0-9_]+(/[a-z0-9_]+)+")
_RULE = re.compile(r"(\w+)\s*(<=|>=|==|!=|<|>)\s*(\w+)(?:\s*([+-])\s*(\w+))?")


def _texts(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Texts = Annotated[list[str], BeforeValidator(_texts)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Quoted(_Entry):
    """A span in which a column is expected to have values; both ends included, either may be open."""

    start: date | None = Field(default=None, alias="from")
    end: date | None = Field(default=None, alias="to")


class Column(_Entry):
    """Type, unit, meaning and checks of one column."""

    type: ColumnType
    unit: str = ""
    meaning: str = Field(min_length=1)
    source: str | None = Field(default=None, alias="from", description="its name in the source, where that differs")
    format: str | None = Field(default=None, description="strptime format of dates in the source")
    nullable: bool = False
    unique: bool = False
    minimum: Bound | None = Field(default=None, alias="min")
    maximum: Bound | None = Field(default=None, alias="max")
    above: Bound | None = None
    below: Bound | None = None
    allowed: list[str | int | bool] | None = None
    regex: str | None = None
    quoted: list[Quoted] | None = Field(
        default=None, description="where values are expected; missing ones elsewhere do not count"
    )
    max_missing: float | None = Field(default=None, ge=0.0, le=1.0)
    derive: Derive | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Column:
        if self.type == "category" and not self.allowed:
            raise ValueError("a category must list its allowed values")
        if self.regex is not None and self.type != "str":
            raise ValueError("only a str column can have a regex")
        if self.regex is not None:
            try:
                re.compile(self.regex)
            except re.error as error:
                raise ValueError(f"regex must be a regular expression; got {self.regex!r} ({error})") from None
        dated = self.type in ("date", "datetime")
        for name in ("minimum", "maximum", "above", "below"):
            bound = getattr(self, name)
            if bound is None:
                continue
            if self.type not in ("date", "datetime", "float", "int"):
                raise ValueError(f"a {self.type} column cannot have bounds")
            if dated != isinstance(bound, date):
                raise ValueError(
                    f"the bounds of a {self.type} column must be {'dates' if dated else 'numbers'}; got {bound!r}"
                )
        return self


class Derive(_Entry):
    """A date made from another one: `column` plus months plus days."""

    column: str
    months: int = 0
    days: int = 0


class Ingest(_Entry):
    """A file inside an installed wheel."""

    package: str
    file: str
    member: str | None = None  # for a zip: the file inside it


class Csv(_Entry):
    """How the source file is written."""

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf8"
    missing: list[str] = ["", "N/A", "NA", "NaN", "nan", "null", "NULL"]


class Freshness(_Entry):
    """A closed history names its last date; a living one the age it may reach."""

    last: date | None = None
    max_age_days: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _one(self) -> Freshness:
        if (self.last is None) == (self.max_age_days is None):
            raise ValueError("freshness must give either last or max_age_days")
        return self


class Outliers(_Entry):
    """Robust z-scores beyond `threshold`: |x - median| / (1.4826 MAD) of log returns, differences or levels."""

    columns: Texts
    of: Literal["log_returns", "differences", "levels"] = "log_returns"
    threshold: float = Field(default=20.0, gt=0.0)
    max: int | None = Field(default=None, ge=0)


class Quality(_Entry):
    """Limits of the quality figures. A figure without a limit is reported, and is a warning where it is not zero."""

    max_missing: float = Field(default=0.0, ge=0.0, le=1.0)
    max_duplicates: int = Field(default=0, ge=0)
    max_gaps: int | None = Field(default=None, ge=0)
    max_extra: int | None = Field(default=None, ge=0)
    max_run: int | None = Field(default=None, ge=1)
    run_columns: Texts | None = None
    outliers: Outliers | None = None


class Dataset(_Entry):
    """One entry of the dictionary."""

    name: str = ""
    description: str = Field(min_length=1)
    owner: str = Field(min_length=1)
    source: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    ingest: Ingest | None = None
    raw: str
    path: str
    csv: Csv = Csv()
    key: Texts = []
    as_of: str | None = None
    calendar: str | None = None
    calendar_column: str | None = Field(
        default=None, description="the dates that follow the calendar; as_of unless given"
    )
    freshness: Freshness | None = None
    columns: dict[str, Column] = Field(min_length=1)
    drop_empty: bool = Field(default=False, description="leave out rows with no value outside the key")
    ignore: list[str] = Field(default=[], description="columns of the source left out on purpose")
    rules: list[str] = []
    quality: Quality = Quality()

    @model_validator(mode="after")
    def _consistent(self) -> Dataset:
        for where, names in (("key", self.key), ("as_of", [self.as_of]), ("calendar_column", [self.calendar_column])):
            for name in names:
                if name is not None:
                    self._known(where, name)
        if self.as_of and self.columns[self.as_of].type not in ("date", "datetime"):
            raise ValueError(f"as_of must name a date or datetime column; got {self.as_of!r}")
        for column in self.columns.values():
            if column.derive:
                self._known("derive", column.derive.column)
        checked = self.quality.outliers.columns if self.quality.outliers else []
        for name in [*checked, *(self.quality.run_columns or [])]:
            self._known("quality", name)
            if self.columns[name].type not in ("float", "int"):
                raise ValueError(f"quality must name number columns; got {name!r}")
        for text in self.rules:
            left, _, right, _, shift = split_rule(text)
            for word in (left, right, shift):
                if word is not None and not word.isdigit():
                    self._known(f"rule {text!r}", word)
        for place in ("raw", "path"):
            parts = Path(getattr(self, place)).parts
            if not parts or parts[0] != "data" or ".." in parts:
                raise ValueError(f"{place} must lie inside data/; got {getattr(self, place)!r}")
        return self

    def _known(self, where: str, name: str) -> None:
        if name not in self.columns:
            raise ValueError(f"{where} must name a column; got {name!r}.{did_you_mean(name, self.columns)}")

    @property
    def contract_digest(self) -> str:
        """SHA-256 of the entry, so that a check can say what it checked against."""
        return digest_json(self.model_dump(mode="json", by_alias=True, exclude_none=True))

    @property
    def sources(self) -> dict[str, str]:
        """Name of each column in the source -> its name here, derived columns left out."""
        return {column.source or name: name for name, column in self.columns.items() if column.derive is None}


def split_rule(text: str) -> tuple[str, str, str, str | None, str | None]:
    """The words of a rule between columns: `low <= high`, `strike > 0`, `expiry == as_of + days`."""
    found = _RULE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"a rule must read COLUMN OP COLUMN [+ COLUMN], with OP one of < <= > >= == !=; got {text!r}")
    return found.groups()  # type: ignore[return-value]


class Catalog(Mapping[str, Dataset]):
    """The data sets by name."""

    def __init__(self, datasets: Mapping[str, Dataset], path: Path) -> None:
        self._datasets, self.path = dict(datasets), path

    def __getitem__(self, name: str) -> Dataset:
        if name not in self._datasets:
            raise DataError(
                rule(
                    "data set",
                    "be one of those in data/catalog.yaml",
                    name,
                    did_you_mean(name, self._datasets).strip() or "See: research data list.",
                )
            )
        return self._datasets[name]

    def __contains__(self, name: object) -> bool:
        return name in self._datasets

    def __iter__(self) -> Any:
        return iter(self._datasets)

    def __len__(self) -> int:
        return len(self._datasets)

    def __repr__(self) -> str:
        return f"Catalog({', '.join(self._datasets)})"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """' Did you mean 'x'?', or nothing. A short name finds the data set that ends with it."""
    names = list(known)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.65)
    if not close:
        tails = {n.rsplit("/", 1)[-1]: n for n in names}
        close = [tails[t] for t in difflib.get_close_matches(str(name).rsplit("/", 1)[-1], tails, n=1, cutoff=0.65)]
    return f" Did you mean '{close[0]}'?" if close else ""


_KINDS: dict[str, type[_Entry]] = {
    "columns": Column,
    "ingest": Ingest,
    "csv": Csv,
    "freshness": Freshness,
    "quality": Quality,
    "outliers": Outliers,
    "derive": Derive,
    "quoted": Quoted,
}


def _keys(kind: type[_Entry]) -> list[str]:
    return [field.alias or name for name, field in kind.model_fields.items()]


def _explain(error: ValidationError, where: str) -> str:
    """The first problem of a pydantic report in one sentence, and how many more there are."""
    first = error.errors()[0]
    loc = [str(part) for part in first["loc"]]
    if loc and loc[-1] in ("float", "date"):  # a bound is a number or a date: two reports for one mistake
        must = "be a number, or a date for a date column"
        return f"{'.'.join([where, *loc[:-1]])} must {must}; got {first['input']!r}."
    name = ".".join([where, *loc]) if loc else where
    more = f" ({error.error_count() - 1} more.)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        parents = [part for part in loc[:-1] if part in _KINDS]
        known = _keys(_KINDS[parents[-1]] if parents else Dataset)
        hint = did_you_mean(loc[-1], known) or f" Known keys: {', '.join(known)}."
        return f"{name} must be a known key; got {loc[-1]!r}.{hint}{more}"
    if first["type"] == "missing":
        return f"{name} must be given; got nothing.{more}"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return f"{name}: {message}{'' if message.endswith(('.', '?')) else '.'}{more}"
    must = re.sub(r"^Input should be ", "be ", message)
    return f"{name} must {must[:1].lower() + must[1:]}; got {first['input']!r}.{more}"


def check_name(name: str, where: str) -> None:
    """Refuse a name that is not room/name."""
    if not _NAME.fullmatch(name):
        hint = "For example equity/sp500."
        raise DataError(rule(where, "read room/name in lower case, digits and _", name, hint))


def parse_dataset(name: str, value: Any, where: str = "data/catalog.yaml") -> Dataset:
    """One entry; `where` is how errors call the file."""
    check_name(name, f"{where}: the name of a data set")
    if not isinstance(value, dict):
        raise DataError(f"{where}: {name} must be a mapping of keys; got {value!r}.")
    try:
        entry = Dataset.model_validate({**value, "name": name})
    except ValidationError as error:
        raise DataError(_explain(error, f"{where}: {name}")) from None
    return entry


_cache: dict[tuple[str, int, int], Catalog] = {}


def catalog(project: Project | None = None) -> Catalog:
    """The dictionary of the project around the working directory; parsed once per state of the file."""
    path = (project or find_project()).catalog
    status = path.stat()
    key = (str(path), status.st_mtime_ns, status.st_size)
    if key not in _cache:
        value = read_yaml(path, "data/catalog.yaml")
        if not isinstance(value, dict) or not isinstance(value.get("datasets"), dict) or set(value) != {"datasets"}:
            raise DataError(
                f"data/catalog.yaml must be a mapping with the one key 'datasets'; got {str(value)[:60]!r}."
            )
        entries = {str(name): parse_dataset(str(name), entry) for name, entry in value["datasets"].items()}
        _cache.clear()
        _cache[key] = Catalog(entries, path)
    return _cache[key]
