"""A difference as lines for a terminal, each with a colour; in a pipe they are plain text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from research.experiments.diff.page import cell_name, change, pair, plain, show

Line = tuple[str, str]  # text, style
OLD, NEW, HEAD, QUIET = "red", "green", "bold", "dim"
SHOWN = 8  # cells of a table
POINTS = 20  # of a sweep


def lines(found: Mapping[str, Any]) -> Iterator[Line]:
    """What differs; nothing else."""
    yield f"A  {found['a']['run_id']}{_facts(found['a'])}", QUIET
    yield f"B  {found['b']['run_id']}{_facts(found['b'])}", QUIET
    if found["same"]:
        yield "Nothing differs: code, parameters, data and results are the same.", "bold green"
    yield from _pairs("Parameters", found.get("parameters", []))
    yield from _data(found.get("data", []))
    yield from _code(found.get("code", {}))
    yield from _pairs("Environment", found.get("environment", []))
    yield from _results(found.get("results", {}))
    yield from _points(found)
    if found.get("first_cell") is not None:
        yield "", ""
        yield f"Outputs differ from cell {found['first_cell']} on.", ""


def _points(found: Mapping[str, Any]) -> Iterator[Line]:
    """Of two sweeps: points that one has alone, and common points whose results differ."""
    points = found.get("points", [])
    for count, side in zip(found.get("only", []), "AB"):
        if count:
            yield f"{count:,} point{'s' if count > 1 else ''} only in {side}; {found['common']:,} in both", ""
    shown: list[Mapping[str, Any]] = [{**p, "name": f"{p['point']}  {p['name']}"} for p in points[:POINTS]]
    yield from _pairs("Points, the largest change first", shown)
    if len(points) > POINTS:
        yield f"  and {len(points) - POINTS:,} more", QUIET


def _facts(side: Mapping[str, Any]) -> str:
    if "started" not in side:
        return ""
    commit = f", commit {str(side['commit'])[:12]}" if side["commit"] else ""
    return f"  {side['notebook']}{commit}, {'pinned' if side['pinned'] else 'not pinned'}"


def _section(title: str) -> Iterator[Line]:
    yield "", ""
    yield title, HEAD


def _pairs(title: str, items: list[Mapping[str, Any]]) -> Iterator[Line]:
    if not items:
        return
    yield from _section(title)
    width = max(len(str(item["name"])) for item in items)
    for item in items:
        old, new = pair(item["old"], item["new"])
        if item.get("same"):
            yield f"  {item['name']:<{width}}  {old}", QUIET
        else:
            yield f"  {item['name']:<{width}}  {old} -> {new}", ""


def _data(items: list[Mapping[str, Any]]) -> Iterator[Line]:
    if items:
        yield from _section("Data")
    for item in items:
        yield f"  {item['name']}: {item['text']}", ""
        yield from _rows(item.get("rows"))


def _rows(rows: Mapping[str, Any] | None) -> Iterator[Line]:
    for one in (rows or {}).get("changes", [])[:SHOWN]:
        where = ", ".join(f"{k} {plain(v)}" for k, v in one["key"].items()) or f"row {one['row']}"
        old, new = pair(one["old"], one["new"])
        yield f"    {where}  {one['column']}: {old} -> {new}", ""
    for what, style in (("removed", OLD), ("added", NEW)):
        for row in (rows or {}).get("samples", {}).get(what, [])[:3]:
            yield (
                f"    {'-' if what == 'removed' else '+'} {', '.join(f'{k} {show(v)}' for k, v in row.items())}",
                style,
            )


def _code(code: Mapping[str, Any]) -> Iterator[Line]:
    if code.get("cells") or code.get("modules"):
        yield from _section("Code")
    for item in code.get("cells", []):
        yield f"  {cell_name(item)} ({item['type']})", ""
        yield from _patch(item["patch"])
    for item in code.get("modules", []):
        yield f"  {item['path']} {item['what']}", ""
        yield from _patch((item["patch"] or ["", "", "its text is not in the repository"])[2:])


def _patch(patch: list[str]) -> Iterator[Line]:
    for line in patch:
        yield f"    {line}", {"-": OLD, "+": NEW, "@": QUIET}.get(line[:1], "")


def _results(results: Mapping[str, Any]) -> Iterator[Line]:
    if not any(results.values()):
        return
    yield from _section("Results")
    metrics = results["metrics"]
    width = max((len(m["name"]) for m in metrics), default=0)
    for m in metrics:
        old, new = pair(m["old"], m["new"])
        unit = f" {m['unit']}" if m["unit"] else ""
        if m.get("same"):
            yield f"  {m['name']:<{width}}  {old}{unit}", QUIET
        else:
            style = OLD if m.get("outcome") == "DIFFERS" else ""
            yield f"  {m['name']:<{width}}  {old} -> {new}{unit}  {change(m)}  {m.get('outcome', '')}".rstrip(), style
    if results["passed"]:
        yield f"  passed: {show(results['passed']['old'])} -> {show(results['passed']['new'])}", ""
    for item in results["evidence"]:
        changed = [k for k in item["old"] if item["old"][k] != item["new"][k]]
        text = ", ".join("{}: {} -> {}".format(k, *pair(item["old"][k], item["new"][k])) for k in changed)
        yield f"  {item['name']}  {text}", ""
    for item in results["model"]:
        yield "  {}: {} -> {}".format(item["name"], *pair(item["old"], item["new"])), ""
    for item in results["tables"]:
        yield f"  table {item['name']}: {item['text']}", ""
        yield from _rows(item.get("rows"))
    for item in results["figures"]:
        yield f"  figure {item['name']}: {item['text']}", ""
