"""`research lineage RUN|MODEL`: from data to registered model, as a tree."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

app = typer.Typer(add_completion=False)


@app.command()
def lineage(
    what: Annotated[str, typer.Argument(metavar="RUN|MODEL", help="A run (or latest), or NAME[@VERSION] of a model.")],
    demo: Annotated[bool, typer.Option("--demo", help="A model in the demo's ledger.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Data, notebook and code, run, evidence, registered versions: what made what, with digests."""
    from research.governance import provenance
    from research.project import find_project

    project = find_project()
    if provenance.is_model(project, what):
        found = provenance.of_model(project, what, demo=demo)
    else:
        found = provenance.of_run(project, what)
    if as_json:
        print(json.dumps(found))
        return
    from rich.console import Console

    width = None if sys.stdout.isatty() else 200
    Console(width=width, highlight=False, soft_wrap=True).print(
        _model(found) if found["kind"] == "model" else _run(found)
    )


def _tree(text: str) -> Any:
    from rich.tree import Tree

    return Tree(text, guide_style="dim")


def _text(value: Any) -> str:
    from rich.markup import escape

    return escape(str(value))


def _short(digest: str | None) -> str:
    return f"[dim]{digest[:12]}[/]" if digest else "[dim]-[/]"


def _model(found: dict[str, Any]) -> Any:
    tree = _tree(_version_line(found))
    _signatures(tree, found)
    _fill_run(tree.add(_run_line(found["made_from"])), found["made_from"])
    proof = tree.add("[bold]validation evidence[/]")
    for item in found["evidence"]:
        state = "" if item["unchanged"] else " [bold red]changed since[/]"
        branch = proof.add(f"run {_text(item['run'])} of {_text(item['notebook'])} {_short(item['record'])}{state}")
        _tests(branch, item["tests"])
    tree.add(f"[bold]registered[/] in MLflow as {_text(found['registered_as'])}, payload {_short(found['payload'])}")
    return tree


def _version_line(found: dict[str, Any]) -> str:
    demo = " [yellow](demo)[/]" if found["demo"] else ""
    colour = "bold green" if found["state"] == "production" else "bold"
    name = f"{found['model']} version {found['version']}: {found['state']}"
    return f"[{colour}]{name}[/]{demo} since {found['since'][:16]} UTC"


def _signatures(tree: Any, found: dict[str, Any]) -> None:
    signed = tree.add("[bold]signed[/]")
    for s in found["signatures"]:
        signed.add(
            f"{s['step']} by {_text(s['person'])}, {s['recorded'][:16]} UTC, entry {s['entry']} {_short(s['hash'])}"
        )


def _run_line(found: dict[str, Any]) -> str:
    passed = {True: "[green]passed[/]", False: "[red]not passed[/]", None: "recorded"}[found["passed"]]
    pinned = "pinned" if found["pinned"] else f"[yellow]not pinned: {_text('; '.join(found['unpinned_reasons']))}[/]"
    return f"[bold]run[/] {_text(found['run'])}: {found['status']}, {passed}, {pinned}, by {_text(found['operator'])}"


def _run(found: dict[str, Any]) -> Any:
    tree = _tree(_run_line(found))
    _fill_run(tree, found)
    versions = tree.add("[bold]versions made from it[/]" if found["versions"] else "[bold]no version made from it[/]")
    for version in found["versions"]:
        _signatures(versions.add(_version_line(version)), version)
    for use in found["evidence_for"]:
        versions.add(
            f"evidence for {use['model']} version {use['version']}" + (" [yellow](demo)[/]" if use["demo"] else "")
        )
    return tree


def _fill_run(tree: Any, found: dict[str, Any]) -> None:
    data = tree.add("[bold]data[/]")
    for read in found["data"]:
        when = f" as of {read['as_of']}" if read["as_of"] else ""
        data.add(
            f"{_text(read['name'])}{when}, {read['rows']} rows, "
            f"sha256 {_short(read['sha256'])}, DVC {_short(read['dvc_md5'])}"
        )
    book, code = found["notebook"], found["code"]
    tree.add(f"[bold]notebook[/] {_text(book['path'])} {_short(book['digest'])}")
    tree.add(f"[bold]code[/] commit {_short(code['commit'])}, {code['files']} files, core {_short(code['core'])}")
    if found["parameters"]:
        tree.add("[bold]parameters[/] " + _text(", ".join(f"{k} = {v}" for k, v in found["parameters"].items())))
    results = tree.add(f"[bold]results[/] identity {_short(found['identity'])}, record {_short(found['record'])}")
    for name, metric in found["metrics"].items():
        value = metric["value"]
        number = f"{value:.6g}" if isinstance(value, (int, float)) else value
        results.add(f"{_text(name)} = {number} {_text(metric['unit'])}".rstrip())
    _tests(results, found["tests"])
    again = found["reproduced"]
    tree.add(
        f"[bold]reproduced[/] {again['verdict']}, {again['at'][:16]} UTC by {_text(again['operator'])}"
        if again
        else "never reproduced"
    )


def _tests(tree: Any, tests: list[dict[str, str]]) -> None:
    colours = {"pass": "green", "fail": "bold red"}
    for test in tests:
        verdict = test["verdict"]
        tree.add(f"{_text(test['test'])}: [{colours.get(verdict, 'dim')}]{verdict}[/]")
