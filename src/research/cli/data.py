"""`research data`: list, show, check, ingest, curate, draft and import data sets."""

from __future__ import annotations

import itertools
import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from research.errors import DataError

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Data sets: the dictionary, checks, and how data enter."
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(help="A data set, for example equity/sp500.")]
Names = Annotated[list[str] | None, typer.Argument(help="Data sets; all of them where none is named.")]
_WIDTH = 100  # characters of a plain table
_WRAPPED = ("description", "meaning", "checks", "detail", "value", "rule", "fact")
_COLOURS = {"pass": "green", "warn": "yellow", "fail": "bold red"}


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _table(
    rows: Sequence[Sequence[Any]], headers: Sequence[str], *, title: str = "", numbers: Sequence[str] = ()
) -> None:
    """A rich table on a terminal, aligned plain columns elsewhere."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        from rich import box
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        table = Table(
            title=escape(title) or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
        )
        for header in headers:
            table.add_column(
                header,
                justify="right" if header in numbers else "left",
                overflow="fold",
                no_wrap=header not in _WRAPPED,
            )
        for row in cells:
            table.add_row(*[f"[{_COLOURS[cell]}]{cell}[/]" if cell in _COLOURS else escape(cell) for cell in row])
        Console().print(table)
        return
    if title:
        print(title)
    widths = _fit([max(len(str(line[i])) for line in [headers, *cells]) for i in range(len(headers))])
    for row in [list(headers), *cells]:
        wrapped = [textwrap.wrap(cell, width) or [""] for cell, width in zip(row, widths)]
        for line in itertools.zip_longest(*wrapped, fillvalue=""):
            sides = [f"{c:>{w}}" if h in numbers else f"{c:<{w}}" for c, w, h in zip(line, widths, headers)]
            print("  ".join(sides).rstrip())
    print()


def _fit(widths: list[int]) -> list[int]:
    """Narrow the widest columns until a row has no more than 100 characters."""
    widths = [max(width, 1) for width in widths]
    while sum(widths) + 2 * (len(widths) - 1) > _WIDTH and max(widths) > 20:
        widths[widths.index(max(widths))] -= 1
    return widths


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


def _chosen(names: list[str] | None) -> list[str]:
    from research import data

    known = data.catalog()
    return [known[name].name for name in names] if names else list(known)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """What there is: every data set of the catalogue, with its span and file."""
    from research import data
    from research.data.catalog_view import overview

    rows = [overview(entry) for entry in data.catalog().values()]
    if as_json:
        _print_json(rows)
        return
    _table(
        [[r["name"], r["description"], _number(r["rows"]), r["columns"], r["state"]] for r in rows],
        ["name", "description", "rows", "columns", "file"],
        numbers=["rows", "columns"],
    )


@app.command()
def show(name: Name, as_json: Json = False) -> None:
    """The dictionary of one data set: source, owner, columns, checks, limits."""
    from research import data
    from research.data.catalog_view import checks_in_words, facts, overview

    entry = data.catalog()[name]
    if as_json:
        _print_json({**overview(entry), "entry": entry.model_dump(mode="json", by_alias=True, exclude_none=True)})
        return
    print(f"{entry.name}: {entry.description}\n")
    _table(facts(entry), ["fact", "value"])
    _table(
        [[n, c.type, c.unit, c.meaning, checks_in_words(n, c, entry)] for n, c in entry.columns.items()],
        ["column", "type", "unit", "meaning", "checks"],
    )


@app.command()
def check(
    names: Names = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help="Only what was known by this day.")] = None,
    results: Annotated[
        Path | None, typer.Option("--results", help="Write the figures there, as canonical JSON.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Contract and quality, with a verdict; exit 1 where a data set fails or was not made."""
    from research import data
    from research.data.quality import summary
    from research.data.storage import write_bytes
    from research.fingerprint import canonical_json

    chosen = _chosen(names)
    states = {name: "ready" if names else data.state(name) for name in chosen}
    reports = [data.check(name, as_of=as_of) for name in chosen if states[name] == "ready"]
    absent = {name: state for name, state in states.items() if state != "ready"}
    if results is not None:
        figures = {r.name: {**summary(r.figures), "verdict": r.verdict, "sha256": r.sha256} for r in reports}
        write_bytes(canonical_json(figures) + b"\n", results)
    if as_json:
        not_here = {name: {"name": name, "verdict": state} for name, state in absent.items()}
        _print_json({**{report.name: report.to_json() for report in reports}, **not_here})
    elif len(chosen) == 1 and reports:
        _one_report(reports[0])
    else:
        _many_reports(reports, absent)
    if "not made" in absent.values() or any(report.verdict == "fail" for report in reports):
        raise typer.Exit(1)


def _one_report(report: Any) -> None:
    _table(
        [[f.check, _number(f.value), _number(f.limit), f.grade, f.detail] for f in report.figures],
        ["check", "value", "limit", "grade", "detail"],
        title=f"{report.name}: {report.first} to {report.last}",
        numbers=["value", "limit"],
    )
    if report.broken:
        _violations(report.broken)
    print(f"{report.name}: {report.verdict.upper()}")


def _many_reports(reports: Sequence[Any], absent: Mapping[str, str]) -> None:
    wanted = ["rows", "missing", "duplicates", "gaps", "extra", "outliers", "longest run"]
    rows = []
    for report in reports:
        values = {figure.check: figure.value for figure in report.figures}
        rows.append(
            [
                report.name,
                *[_number(values.get(w)) for w in wanted],
                report.last,
                "fail" if report.broken else report.verdict,
            ]
        )
    rows += [[name, *[""] * (len(wanted) + 1), state] for name, state in absent.items()]
    headers = ["run" if name == "longest run" else name for name in wanted]
    _table(rows, ["name", *headers, "last", "verdict"], numbers=headers)
    if "not made" in absent.values():
        print("To make what is not made: research data ingest, then research data curate.")
    if "not here" in absent.values():
        print("To bring what is not here: dvc pull, or research data import FILE --as NAME.")
    for report in reports:
        for figure in report.figures:
            if figure.grade != "pass":
                limit = f" (limit {_number(figure.limit)})" if figure.limit is not None else ""
                print(f"{report.name}: {figure.check} {_number(figure.value)}{limit}: {figure.detail}")
        if report.broken:
            print(
                f"{report.name}: {len(report.broken)} values break the contract; see research data check {report.name}"
            )


def _violations(found: Sequence[Any], first: int = 5) -> None:
    """Each broken rule with its first rows and how many there are."""
    from research.data.contract import by_rule

    rows: list[list[Any]] = []
    for (column, rule), cases in by_rule(found).items():
        for i, case in enumerate(cases[:first]):
            place = "" if case.row is None else f"line {case.line}" if case.line else f"row {case.row}"
            rows.append([column if i == 0 else "", f"must {rule}" if i == 0 else "", place, case.value])
        if len(cases) > first:
            rows.append(["", "", "...", f"{len(cases) - first} more, {len(cases)} in all"])
    _table(rows, ["column", "rule", "where", "value"], title="Broken rules")


@app.command()
def ingest(names: Names = None, as_json: Json = False) -> None:
    """From installed packages to data/raw, as found; the same bytes every time."""
    from research import data

    _steps([(name, data.ingest(name)) for name in _chosen(names)], as_json)


@app.command()
def curate(names: Names = None, as_json: Json = False) -> None:
    """From data/raw to checked Parquet in data/curated; the same bytes every time."""
    from research import data

    known = data.catalog()
    absent = [] if names else [n for n in known if data.state(n) == "not here"]
    _steps([(name, data.curate(name)) for name in _chosen(names) if name not in absent], as_json)
    for name in absent if not as_json else ():
        print(f"{name}: not here; dvc pull, or research data import FILE --as {name}")


def _steps(done: Sequence[tuple[str, Any]], as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        _print_json([asdict(written) if written else {"name": name, "path": None} for name, written in done])
        return
    for name, written in done:
        if written is None:
            print(f"{name}: nothing to ingest, its raw file is not made from a package")
        else:
            what = "wrote" if written.changed else "unchanged"
            shape = f"{written.rows:,} rows x {written.columns}"
            print(f"{name}: {what} {written.path}, {shape}, sha256 {written.sha256[:12]}")


@app.command()
def draft(
    file: Annotated[Path, typer.Argument(help="A CSV or Parquet file.")],
    name: Annotated[str, typer.Option("--as", help="The name it will have: room/name.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write the contract here; else it is printed.")] = None,
    owner: Annotated[str, typer.Option("--owner", help="Who answers for the data.")] = "to be named",
    as_json: Json = False,
) -> None:
    """Propose a contract for a file: types, ranges, key and calendar, to be reviewed by a person."""
    from research import data

    text = data.draft(file, name, owner=owner)
    if out is not None:
        if out.exists():
            raise DataError(
                f"--out must name a new file; got {str(out)!r}, which exists. Choose another name, or remove it."
            )
        out.write_text(text, encoding="utf-8")
    if as_json:
        _print_json({"name": name, "contract": text, "out": str(out) if out else None})
    elif out is None:
        print(text, end="")
    else:
        print(f"Wrote {out}. Review it, then: research data import {file} --as {name} --contract {out}")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A CSV or Parquet file.")],
    name: Annotated[str, typer.Option("--as", help="The name it has or will have in the catalogue.")],
    contract: Annotated[
        Path | None, typer.Option("--contract", help="The entry of a new data set; see research data draft.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of data imported before.")] = False,
    as_json: Json = False,
) -> None:
    """Bring in a file through a contract, whole or not at all; what fails is listed by rule, row and value."""
    from research import data

    try:
        done = data.import_file(file, name, contract=contract, replace=replace)
    except DataError as error:
        _explain(error, as_json)
        raise
    if as_json:
        _print_json(done.to_json())
        return
    what = "imported" if done.changed else "unchanged,"
    print(f"{name}: {what} {done.rows:,} rows x {done.columns}, digest {done.sha256[:12]}")
    print(f"  {done.raw} (as it came), {done.path}{', entry added to data/catalog.yaml' if done.new_entry else ''}")
    print(f'Read it with data.load("{name}"). Version it with: dvc add {done.raw} {done.path}, and commit.')


def _explain(error: DataError, as_json: bool) -> None:
    """The list behind a refusal; the one-line error follows."""
    found, figures = getattr(error, "violations", ()), getattr(error, "figures", ())
    if as_json or not (found or figures):
        return
    if found:
        _violations(found)
    else:
        rows = [[f.check, _number(f.value), _number(f.limit), f.grade, f.detail] for f in figures]
        _table(rows, ["check", "value", "limit", "grade", "detail"], numbers=["value", "limit"])
