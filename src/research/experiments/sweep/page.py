"""The page and the notebook of a sweep: counts, best points, pictures, failures by cause; each stands alone."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from research.experiments.summary import number
from research.experiments.sweep import charts

if TYPE_CHECKING:
    from pandas import DataFrame

_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --panel: #f6f8fa; --line: #d8dee4; --ink: #1f2933; --muted: #5b6776;
  --bad: #b04a00; --accent: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --ground: #12171d; --panel: #1a2129; --line: #323c47; --ink: #e3e8ed;
  --muted: #9aa7b4; --bad: #ff9d57; --accent: #56b4e9; } }
body { margin: 0 auto; max-width: 1128px; padding: 28px 24px 60px; background: var(--ground); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 4px; } h2 { font-size: 1.2rem; margin: 36px 0 10px; }
.muted { color: var(--muted); } code { font: .88em ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.tiles { display: flex; flex-wrap: wrap; gap: 12px; margin: 20px 0; }
.tile { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 9px 14px;
  min-width: 96px; }
.tile span { display: block; color: var(--muted); font-size: .82rem; }
.tile b { font-size: 1.2rem; font-variant-numeric: tabular-nums; } .bad b { color: var(--bad); }
.scroll { overflow: auto; max-height: 560px; border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: .87rem; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 12px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
td.text, th.text { text-align: left; white-space: normal; } tr:last-child td { border-bottom: 0; }
th { position: sticky; top: 0; background: var(--panel); color: var(--muted); font-size: .8rem; }
.bar { height: 9px; border-radius: 3px; background: var(--accent); }
"""
_TILES = ("points", "done", "hits", "failed", "set_aside", "waiting", "trials")


def write(folder: Path, found: dict[str, Any], table: DataFrame) -> None:
    """Write `summary.html` and `summary.ipynb`."""
    metric = charts.metric_of(table, found["metric"], found["varied"])
    pictures = []
    if metric is not None:
        made = (charts.surface(table, metric, found["varied"]), charts.parallel(table, metric, found["varied"]))
        pictures = [figure for figure in made if figure is not None]
    (folder / "summary.html").write_text(_page(found, table, metric, pictures), encoding="utf-8")
    (folder / "summary.ipynb").write_text(_notebook(found, table, metric, pictures), encoding="utf-8")


def _page(found: dict[str, Any], table: DataFrame, metric: str | None, pictures: list[Any]) -> str:
    title = f"Sweep of {found['notebook'].removeprefix('notebooks/').removesuffix('.ipynb')}"
    parts = [
        f"<h1>{_text(title)}</h1>",
        f"<p class=muted><code>{_text(found['sweep_id'])}</code>, {found['state']}</p>",
    ]
    parts += [_tiles(found), _best(found)]
    for i, figure in enumerate(pictures):
        parts.append(figure.to_html(full_html=False, include_plotlyjs=i == 0, config={"displaylogo": False}))
    if metric is not None:
        parts.append(_effects(charts.effects(table, metric, found["varied"]), metric))
    parts += [_causes(found), _points(table, found["varied"])]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{_text(title)}</title>'
    return (
        f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{"".join(parts)}</body></html>'
    )


def _text(value: Any) -> str:
    return html.escape(str(value))


def _tiles(found: dict[str, Any]) -> str:
    shown = [(k, found[k]) for k in _TILES if found[k] or k in ("points", "done", "trials")]
    made = "".join(
        f'<div class="tile{" bad" if k in ("failed", "set_aside") else ""}"><span>{k.replace("_", " ")}</span>'
        f"<b>{v:,}</b></div>"
        for k, v in shown
    )
    return f'<div class="tiles">{made}</div>'


def _table(head: list[str], rows: list[list[str]], text: tuple[int, ...] = ()) -> str:
    kind = lambda i: ' class="text"' if i in text else ""  # noqa: E731
    top = "".join(f"<th{kind(i)}>{_text(name)}</th>" for i, name in enumerate(head))
    body = "".join("<tr>" + "".join(f"<td{kind(i)}>{c}</td>" for i, c in enumerate(row)) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _best(found: dict[str, Any]) -> str:
    if not found["best"]:
        return ""
    names = found["varied"]
    rows = [
        [
            number(b["value"]),
            str(b["point"]),
            *(_text(number(b["parameters"][n])) for n in names),
            f"<code>{_text(b['run_id'])}</code>",
        ]
        for b in found["best"]
    ]
    title = f"Best: {'least' if found['goal'] == 'min' else 'most'} {_text(found['metric'])}"
    warning = (
        f"<p class=muted>The best of {found['trials']} trials looks better than it is; the tests for overfitting take "
        "this number.</p>"
        if found["trials"] > 1
        else ""
    )
    return f"<h2>{title}</h2>{_table([found['metric'], 'point', *names, 'run'], rows, (len(names) + 2,))}{warning}"


def _effects(shares: list[tuple[str, float]], metric: str) -> str:
    if not shares:
        return ""
    rows = [
        [_text(name), f"{100 * share:.1f}%", f'<div class="bar" style="width:{max(0.5, 100 * share):.1f}%"></div>']
        for name, share in shares
    ]
    note = (
        "<p class=muted>Share of the variance between the values of one parameter; a continuous one in six groups.</p>"
    )
    return f"<h2>What moves {_text(metric)}</h2>{_table(['parameter', 'share', ''], rows, (0, 2))}{note}"


def _causes(found: dict[str, Any]) -> str:
    if not found["causes"]:
        return ""
    rows = [
        [
            str(c["count"]),
            _text(c["cause"]),
            ", ".join(map(str, c["points"][:20])) + (" ..." if c["count"] > 20 else ""),
            f"<code>{_text(c['run_id'] or '-')}</code>",
        ]
        for c in found["causes"]
    ]
    return f"<h2>Failures by cause</h2>{_table(['count', 'cause', 'points', 'first run'], rows, (1, 2, 3))}"


def _points(table: DataFrame, varied: list[str]) -> str:
    own = ["point", "state", *varied]
    names = own + [n for n in table.columns if n not in {*own, "run_id", "hit", "seconds"}] + ["seconds", "run_id"]
    rows = [
        [_text("" if v is None or v != v else number(v, 6)) for v in row]
        for row in table[names].head(2000).itertuples(index=False, name=None)
    ]
    more = (
        f"<p class=muted>The first 2,000 of {len(table):,}; all are in points.parquet.</p>" if len(table) > 2000 else ""
    )
    return f"<h2>Points</h2>{_table(names, rows, (1, len(names) - 1))}{more}"


def _notebook(found: dict[str, Any], table: DataFrame, metric: str | None, pictures: list[Any]) -> str:
    """The same to go on from: a notebook that reads the points and has its outputs already."""
    lines = [
        f"# Sweep of {found['notebook']}",
        "",
        f"`{found['sweep_id']}`: {found['done']} of {found['points']} done, ",
    ]
    lines[-1] += (
        f"{found['hits']} hits, {found['failed']} failed, {found['set_aside']} set aside; {found['trials']} trials."
    )
    lines += [f"- {c['count']} x {c['cause']}" for c in found["causes"]]
    read = "import pandas as pd\n\npoints = pd.read_parquet('points.parquet')\npoints"
    shown = {"text/html": table.head(20).to_html(index=False), "text/plain": str(table.head(20))}
    cells = [_cell("markdown", "\n".join(lines)), _cell("code", read, shown, 1)]
    calls = ("surface", "parallel")
    for count, (call, figure) in enumerate(zip(calls, pictures), 2):
        code = (
            f"from research.experiments.sweep import charts\n\ncharts.{call}(points, {metric!r}, {found['varied']!r})"
        )
        data = {"application/vnd.plotly.v1+json": json.loads(figure.to_json()), "text/plain": "Figure"}
        cells.append(_cell("code", code, data, count))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    for i, cell in enumerate(cells):
        cell["id"] = f"cell-{i}"
    return json.dumps(content, indent=1)


def _cell(kind: str, source: str, data: dict[str, Any] | None = None, count: int | None = None) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "source": source, "metadata": {}}
    if kind == "code":
        output = {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": count}
        cell |= {"outputs": [output] if data else [], "execution_count": count}
    return cell
