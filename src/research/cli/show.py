"""`research show RUN`: one run, its parameters, data, results and verdict."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from research.lineage.capsule import Capsule

app = typer.Typer(add_completion=False)


@app.command()
def show(
    run: Annotated[str, typer.Argument(help="A run, a unique beginning or end of its name, or latest.")] = "latest",
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole capsule as JSON.")] = False,
) -> None:
    """Show one run: parameters, data, results, verdict, and when it was last reproduced."""
    from research.lineage import store

    store.close_dead_runs(store.root_of())
    line = store.get_run(run)
    if line.status == "RUNNING":
        _show_open(line.to_json(), as_json)
        return
    found = store.load_capsule(line.run_id)
    again = store.reproductions(line.run_id)
    if as_json:
        print(json.dumps({**found.raw, "record": found.record, "message": line.message, "reproductions": again}))
        return
    run_lines(found, message=line.message)
    _details(found, again)


def _show_open(line: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(line))
        return
    from research.cli import _print

    _print.line(f"Run {line['run_id']}: RUNNING since {line['started'][:19].replace('T', ' ')} UTC", "yellow")


def run_json(found: Capsule) -> dict[str, Any]:
    """What a script wants to know of a run."""
    return {
        "run_id": found.run_id,
        "status": found.status,
        "passed": found.passed,
        "pinned": found.pinned,
        "unpinned_reasons": found.unpinned_reasons,
        "metrics": found.metrics,
        "identity": found.identity,
        "recipe": found.recipe,
        "record": found.record,
        "folder": str(found.folder),
    }


def run_lines(found: Capsule, *, hit: bool = False, message: str = "") -> None:
    """The few lines a person wants: verdict, numbers, pinned or why not, where to look."""
    from research.cli import _print

    seconds = sum(cell["seconds"] for cell in found.times["cells"])
    verdict = {True: "passed", False: "NOT PASSED", None: "recorded"}[found.passed]
    colour = {True: "bold green", False: "bold red", None: "bold"}[found.passed]
    if found.status != "FINISHED":
        verdict, colour = "FAILED", "bold red"
    _print.line(f"{found.raw['notebook']['title']}: {verdict}", colour)
    if hit:
        _print.line(f"  hit: same code, parameters and data as run {found.run_id} (--force runs it again)")
    else:
        _print.line(f"  run {found.run_id}, {seconds:.1f} s in cells")
    if message:
        _print.line(f"  {message}", "red")
    for name, item in found.metrics.items():
        _print.line(f"  {name} = {_print.number(item['value'])} {item['unit']}".rstrip())
    _evidence(found.evidence)
    if found.pinned:
        _print.line(f"  pinned at {str(found.commit)[:12]}")
    else:
        _print.line("  not pinned: " + "; ".join(found.unpinned_reasons), "yellow")
    if found.raw.get("hermetic"):
        from research.experiments.hermetic import lines

        for text in lines(found.raw["hermetic"]):
            _print.line(f"  {text}")


def _evidence(items: list[dict[str, Any]]) -> None:
    """A few tests by name; of many, how many passed and which did not."""
    from research.cli import _print

    shown = items if len(items) <= 6 else [item for item in items if item["verdict"] != "pass"]
    for item in shown:
        _print.line(f"  {item['test']}: {item['verdict']}  {item['claim']}", {"fail": "red"}.get(item["verdict"], ""))
    if len(items) > 6:
        _print.line(f"  {sum(item['verdict'] == 'pass' for item in items)} of {len(items)} tests passed")


def _details(found: Capsule, again: list[dict[str, Any]]) -> None:
    from research.cli import _print

    who = found.operator
    _print.line("")
    facts = [
        ["notebook", found.notebook],
        ["started (UTC)", found.times["started"][:19].replace("T", " ")],
        ["operator", who["git_email"] or who["user"] or "-"],
        ["commit", found.commit or "-"],
        ["recipe", found.recipe],
        ["identity", found.identity],
        ["record", found.record],
        ["folder", str(found.folder)],
    ]
    _print.table("", ["fact", "value"], facts)
    if found.parameters:
        _print.line("")
        _print.table("Parameters", ["name", "value"], [[k, str(v)] for k, v in found.parameters.items()])
    if found.data:
        _print.line("")
        rows = [
            [r["name"], r["as_of"] or "all", f"{r['rows']:,}", r["sha256"][:16], (r.get("dvc_md5") or "-")[:12]]
            for r in found.data
        ]
        _print.table("Data", ["name", "as of", "rows", "digest", "DVC"], rows, right=[2])
    if found.tables:
        _print.line("")
        rows = [[k, f"{t['rows']:,}", str(len(t["columns"])), t["path"]] for k, t in found.tables.items()]
        _print.table("Tables", ["name", "rows", "columns", "file"], rows, right=[1, 2])
    _print.line("")
    if again:
        last = again[0]
        when = last["at"][:16].replace("T", " ")
        _print.line(f"Last reproduced {when} UTC by {last['operator']}: {last['verdict']} ({len(again)} times)")
    else:
        _print.line(f"Never reproduced. research reproduce {found.run_id}")
