"""Import: a researcher's own CSV or Parquet file enters through a contract, whole or not at all.

The file is read, typed and checked in memory first. Then three files are put in place by rename: the file as it came
(`raw`), the curated Parquet (`path`), and last the catalogue with the new entry. A failure before the last rename
undoes the earlier ones; a kill between them leaves files that no entry names, which the next import replaces.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from research.data.catalog import Dataset, catalog, check_name, did_you_mean, parse_dataset
from research.data.contract import refuse, trace, violations
from research.data.curate import to_frame, typed_table
from research.data.digest import digest_frame
from research.data.ingest import read_found
from research.data.quality import Figure, compare_sessions, figures
from research.data.storage import parquet_bytes, parquet_table, read_bytes, write_bytes
from research.data.yaml12 import parse_yaml
from research.errors import DataError, require, rule
from research.project import Project, find_project


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import put in place."""

    name: str
    rows: int
    columns: int
    raw: str
    path: str
    sha256: str  # digest_frame of the curated data
    figures: tuple[Figure, ...]
    new_entry: bool
    changed: bool  # False: the same data were there already

    def to_json(self) -> dict[str, Any]:
        from research.data.quality import summary

        names = ("name", "rows", "columns", "raw", "path", "sha256", "new_entry", "changed")
        return {**{name: getattr(self, name) for name in names}, "quality": summary(self.figures)}


def import_file(
    file: str | Path,
    name: str,
    *,
    contract: str | Path | None = None,
    replace: bool = False,
    project: Project | None = None,
) -> Imported:
    """Bring `file` into the project as the data set `name`.

    Parameters
    ----------
    file : path of a CSV (.csv, .txt, .tsv) or Parquet file
    name : str
        An entry of the catalogue, or a new name with a `contract`.
    contract : path of a YAML file with the entry, default None
        As `research data draft` writes it. It joins the catalogue when everything else is done.
    replace : bool, default False
        Take the place of data imported before under this name.

    Raises
    ------
    DataError
        With every broken rule in `.violations`; nothing was written.
    """
    project = project or find_project()
    file = Path(file)
    with _alone(project):
        entry, block = _entry(name, contract, file, project)
        content = read_bytes(file, file.name)
        if not content:
            raise DataError(f"{file.name} must hold a header and rows; got an empty file.")
        curated, found, rows = _examine(content, file, entry)
        changed = _may_write(entry, content, curated, replace, project)
        if changed or block is not None:
            _put(project, entry, content, curated, block)
    frame = to_frame(parquet_table(curated, entry.path), entry, entry.path)
    return Imported(
        name=name, rows=rows, columns=frame.shape[1], raw=entry.raw, path=entry.path, sha256=digest_frame(frame),
        figures=found, new_entry=block is not None, changed=changed,
    )  # fmt: skip


@contextlib.contextmanager
def _alone(project: Project) -> Iterator[None]:
    """One import at a time: a lock on the folder of the catalogue, gone when the process is."""
    handle = os.open(project.catalog.parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _entry(name: str, contract: str | Path | None, file: Path, project: Project) -> tuple[Dataset, str | None]:
    """The entry to import under, and its YAML where it has yet to join the catalogue."""
    known = catalog(project)
    if name in known:
        entry = known[name]
        if contract is not None:
            raise DataError(
                f"contract must be left out for {name}, which has one in data/catalog.yaml; got {contract}. "
                "Edit it there."
            )
        if entry.ingest is not None:
            raise DataError(
                rule(
                    "NAME",
                    "not be a data set made from a package",
                    name,
                    f"It is made by: research data ingest {name}. Choose another name.",
                )
            )
        return entry, None
    check_name(name, "NAME")
    if contract is None:
        hint = did_you_mean(name, known).strip()
        draft = (
            f"Draft one: research data draft {file.name} --as {name} --out contract.yaml; "
            "review it, and add --contract contract.yaml."
        )
        raise DataError(
            rule("NAME", "be in data/catalog.yaml or come with a contract", name, f"{hint} {draft}".strip())
        )
    text = read_bytes(Path(contract), Path(contract).name).decode("utf-8", "replace")
    value = parse_yaml(text, Path(contract).name)
    if not isinstance(value, dict) or list(value) != [name]:
        got = ", ".join(map(str, value)) if isinstance(value, dict) else str(value)[:60]
        raise DataError(
            rule(Path(contract).name, f"hold one entry called {name}", got, "As `research data draft` writes it.")
        )
    entry = parse_dataset(name, value[name], Path(contract).name)
    suffix = file.suffix.lower() or ".csv"
    require(
        Path(entry.raw).suffix.lower() == suffix,
        f"{Path(contract).name}: raw",
        entry.raw,
        f"end in {suffix}, as the file does",
        error=DataError,
    )
    _own_paths(entry, known)
    return entry, text


def _own_paths(entry: Dataset, known: Any) -> None:
    """A new entry may not write over the files of another."""
    for other in known.values():
        for place in (entry.raw, entry.path):
            if place in (other.raw, other.path):
                raise DataError(
                    f"{entry.name} must have files of its own; got {place!r}, which belongs to {other.name}."
                )


def _examine(content: bytes, file: Path, entry: Dataset) -> tuple[bytes, tuple[Figure, ...], int]:
    """The curated bytes and their quality; refused with all that is wrong."""
    found = read_found(content, file.suffix, entry, file.name)
    n_rows = found.table.num_rows
    table, bad, rows = typed_table(found, entry, file.name)
    frame = to_frame(table, entry, file.name)
    if table.num_rows == 0:
        raise DataError(f"{file.name} must hold rows; got none.")
    unread = {(violation.column, violation.row) for violation in bad}
    bad = trace(bad, _plain(n_rows), found.first_line) + [
        violation
        for violation in trace(violations(frame, entry), rows, found.first_line)
        if (violation.column, violation.row) not in unread
        and not any(column == violation.column and row is None for column, row in unread)
    ]
    if bad:
        refuse(entry.name, bad, n_rows, "Nothing was imported.")
    quality = figures(frame, entry, compare_sessions(frame, entry))
    failed = [figure for figure in quality if figure.grade == "fail"]
    if failed:
        first = failed[0]
        more = f" {len(failed) - 1} more figures fail." if len(failed) > 1 else ""
        error = DataError(
            f"{entry.name}: {first.check} must be <= {first.limit:g}; got {first.value:g} ({first.detail}).{more} "
            "Nothing was imported."
        )
        error.__dict__["figures"] = quality
        raise error
    return parquet_bytes(table), quality, table.num_rows


def _plain(n: int) -> Any:
    import numpy as np

    return np.arange(1, n + 1)


def _may_write(entry: Dataset, content: bytes, curated: bytes, replace: bool, project: Project) -> bool:
    """Whether there is anything to write; data that are there already are replaced only on demand."""
    same = True
    for relative, new in ((entry.raw, content), (entry.path, curated)):
        path = project.root / relative
        held = path.read_bytes() if path.is_file() else None
        if held is not None and held != new and not replace and entry.name in catalog(project):
            raise DataError(
                f"{entry.name} must not be there already; got other data in {relative}. "
                "Add --replace to put this file in its place."
            )
        same = same and held == new
    return not same


def _put(project: Project, entry: Dataset, content: bytes, curated: bytes, block: str | None) -> None:
    """Raw, curated, catalogue, in this order; the earlier ones are undone when a later one fails."""
    steps = [(project.root / entry.raw, content), (project.root / entry.path, curated)]
    if block is not None:
        steps.append((project.catalog, with_entry(project.catalog.read_text(encoding="utf-8"), block, entry).encode()))
    done: list[tuple[Path, bytes | None]] = []
    try:
        for path, new in steps:
            old = path.read_bytes() if path.is_file() else None
            write_bytes(new, path)  # whole or not at all
            done.append((path, old))
    except BaseException:
        for path, before in reversed(done):
            if before is None:
                path.unlink(missing_ok=True)
            else:
                write_bytes(before, path)
        raise


def with_entry(text: str, block: str, entry: Dataset) -> str:
    """The catalogue with one more entry at its end; every byte before it stays, comments included."""
    lines = text.splitlines()
    at = next((i for i, line in enumerate(lines) if line.startswith("datasets:")), None)
    if at is None:
        raise DataError("data/catalog.yaml must have the key 'datasets' at the start of a line; got none.")
    body = [line for line in lines[at + 1 :] if line.strip() and not line.lstrip().startswith("#")]
    indent = len(body[0]) - len(body[0].lstrip()) if body else 2
    if lines[at].split("#")[0].strip() in ("datasets: {}", "datasets: null"):
        text = text.replace(lines[at], "datasets:", 1)
    pad = " " * max(indent, 1)
    added = "\n".join(pad + line if line.strip() else "" for line in block.strip("\n").splitlines())
    out = f"{text.rstrip()}\n\n{added}\n"
    # what will be read is what was meant, and the old entries are untouched
    before, after = parse_yaml(text, "data/catalog.yaml"), parse_yaml(out, "data/catalog.yaml")
    old, new = before.get("datasets") or {}, after.get("datasets") or {}
    if {**new, entry.name: None} != {**old, entry.name: None} or parse_dataset(
        entry.name, new.get(entry.name)
    ) != entry:
        raise DataError(
            "data/catalog.yaml must end with its data sets, indented alike; "
            f"got a file to which {entry.name} cannot be added."
        )
    return out
