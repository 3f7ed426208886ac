"""A difference as one page: light and dark, no network, no script; pictures side by side with what changed."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STYLE = Path(__file__).with_name("style.css")


def render(found: Mapping[str, Any]) -> str:
    """The page as text."""
    a, b = found["a"], found["b"]
    head = [
        f"<h1>{_e(_title(found))}</h1>",
        f'<p class="sub">A is <code>{_e(a["run_id"])}</code>, B is <code>{_e(b["run_id"])}</code></p>',
    ]
    if found["kind"] == "runs":
        head.append(_sides(a, b))
    if found["same"]:
        head.append('<p class="verdict">Nothing differs: code, parameters, data and results are the same.</p>')
    sections = [
        _parameters(found.get("parameters", [])),
        _data(found.get("data", [])),
        _code(found.get("code", {})),
        _environment(found.get("environment", [])),
        _results(found.get("results", {})),
        _points(found.get("points", [])),
    ]
    body = "\n".join([*head, *filter(None, sections)])
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{_e(_title(found))}</title>'
        f"<style>{STYLE.read_text(encoding='utf-8')}</style></head><body>\n{body}\n</body></html>\n"
    )


def write(found: Mapping[str, Any], path: Path) -> Path:
    """Write the page, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(render(found), encoding="utf-8")
    partial.replace(path)
    return path


def _title(found: Mapping[str, Any]) -> str:
    return {"runs": "Two runs", "notebooks": "Two versions of a notebook", "sweeps": "Two sweeps"}[found["kind"]]


def _e(value: Any) -> str:
    return html.escape(show(value))


def show(value: Any) -> str:
    """A value for people: numbers to six digits, the rest as JSON or text."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return f"{value:,.6g}" if abs(value) < 1e15 else f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value)


def plain(value: Any) -> str:
    """A value that names a row: a year is no quantity."""
    return str(value) if isinstance(value, int) else show(value)


def pair(old: Any, new: Any) -> tuple[str, str]:
    """Two values for people; with all digits when six do not tell them apart."""
    short = show(old), show(new)
    return short if short[0] != short[1] or old == new else (repr(old), repr(new))


def _table(head: list[str], rows: list[list[str]], numbers: tuple[int, ...] = ()) -> str:
    def cell(tag: str, i: int, text: str, extra: str = "") -> str:
        kinds = " ".join(k for k in ("n" if i in numbers else "", extra) if k)
        return f'<{tag} class="{kinds}">{text}</{tag}>' if kinds else f"<{tag}>{text}</{tag}>"

    extras = {"A": "old", "B": "new"}
    top = "".join(cell("th", i, _e(name), "side" if name in extras else "") for i, name in enumerate(head))
    lines = ["".join(cell("td", i, text, extras.get(head[i], "")) for i, text in enumerate(row)) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _sides(a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    names = {"notebook": "notebook", "started": "started (UTC)", "commit": "commit", "operator": "operator"}
    rows = []
    for key, name in names.items():
        one, other = (
            str(side[key] or "–")[:19].replace("T", " ") if key == "started" else side[key] for side in (a, b)
        )
        if key == "commit":
            one, other = (str(value or "–")[:12] for value in (one, other))
        if one != other:
            rows.append([name, _e(one), _e(other)])
    return _table(["", "A", "B"], rows) if rows else ""


def _parameters(items: list[Mapping[str, Any]]) -> str:
    rows = [[f"<code>{_e(i['name'])}</code>", *map(html.escape, pair(i["old"], i["new"]))] for i in items]
    return f"<h2>Parameters</h2>{_table(['name', 'A', 'B'], rows)}" if rows else ""


def _data(items: list[Mapping[str, Any]]) -> str:
    parts = [f"<h3>{_e(i['name'])}</h3><p>{_e(i['text'])}</p>{_rows(i.get('rows'))}" for i in items]
    return "<h2>Data</h2>" + "".join(parts) if parts else ""


def _rows(rows: Mapping[str, Any] | None) -> str:
    """The first changed cells, then whole rows that were added or removed."""
    if not rows:
        return ""
    out = ""
    if rows["changes"]:
        keys = rows["key"] or ["row"]
        lines = [
            [
                *(html.escape(plain(c["key"].get(k, c["row"]))) for k in keys),
                _e(c["column"]),
                *map(html.escape, pair(c["old"], c["new"])),
            ]
            for c in rows["changes"]
        ]
        out += _table([*keys, "column", "A", "B"], lines)
    for what, lines in rows["samples"].items():
        head = list(lines[0])
        count = rows[what]
        first = f", the first {len(lines)}" if count > len(lines) else ""
        out += f"<p>{count:,} {what}{first}</p>" + _table(head, [[_e(v) for v in line.values()] for line in lines])
    return out


def _patch(lines: list[str]) -> str:
    marks = {"-": "minus", "+": "plus", "@": "at"}
    spans = [f'<span class="{marks.get(line[:1], "")}">{html.escape(line) or " "}</span>' for line in lines]
    return f"<pre>{''.join(spans)}</pre>"


def cell_name(item: Mapping[str, Any]) -> str:
    """`cell 7`, `cell 7, was 6`, `cell 7 added`."""
    old, new = item["cell"]
    if old is None or new is None:
        return f"cell {new or old} {'added' if old is None else 'removed'}"
    return f"cell {new}" if old == new else f"cell {new}, was {old}"


def _code(code: Mapping[str, Any]) -> str:
    parts = []
    for item in code.get("cells", []):
        parts.append(f"<h3>{_e(cell_name(item))} ({_e(item['type'])})</h3>{_patch(item['patch'])}")
    for item in code.get("modules", []):
        text = _patch(item["patch"]) if item["patch"] is not None else "<p>its text is not in the repository</p>"
        parts.append(f"<h3><code>{_e(item['path'])}</code> {_e(item['what'])}</h3>{text}")
    return "<h2>Code</h2>" + "".join(parts) if parts else ""


def _environment(items: list[Mapping[str, Any]]) -> str:
    rows = [[_e(i["name"]), _e(i["old"]), _e(i["new"])] for i in items]
    return f"<h2>Environment</h2>{_table(['', 'A', 'B'], rows)}" if rows else ""


def _results(results: Mapping[str, Any]) -> str:
    parts = []
    metrics = results.get("metrics", [])
    if metrics:
        rows = [
            [
                _e(m["name"]),
                *map(html.escape, pair(m["old"], m["new"])),
                _e(m["unit"]),
                change(m),
                _e(m.get("outcome", "")),
            ]
            for m in metrics
        ]
        parts.append(_table(["metric", "A", "B", "unit", "change", "verdict"], rows, (1, 2, 4)))
    if results.get("passed"):
        parts.append(f"<p>passed: {_e(results['passed']['old'])} → {_e(results['passed']['new'])}</p>")
    for item in results.get("evidence", []):
        old, new = item["old"], item["new"]
        rows = [[k, *map(html.escape, pair(old[k], new[k]))] for k in old if old[k] != new[k]]
        parts.append(f"<h3>{_e(item['name'])}: {_e(item['claim'])}</h3>{_table(['', 'A', 'B'], rows)}")
    if results.get("model"):
        rows = [[_e(i["name"]), *map(html.escape, pair(i["old"], i["new"]))] for i in results["model"]]
        parts.append(f"<h3>model</h3>{_table(['', 'A', 'B'], rows)}")
    for item in results.get("tables", []):
        parts.append(f"<h3>table {_e(item['name'])}</h3><p>{_e(item['text'])}</p>{_rows(item.get('rows'))}")
    for item in results.get("figures", []):
        parts.append(f"<h3>figure {_e(item['name'])}</h3><p>{_e(item['text'])}</p>{_pictures(item)}")
    return "<h2>Results</h2>" + "".join(parts) if parts else ""


def change(metric: Mapping[str, Any]) -> str:
    """`+1.2 (+3.4%)`; empty where there is no pair of numbers."""
    if not isinstance(metric.get("change"), (int, float)):
        return ""
    relative = metric.get("relative")
    share = f" ({relative:+.2%})" if isinstance(relative, (int, float)) and abs(relative) < 1e4 else ""
    return f"{metric['change']:+.4g}{share}"


def _pictures(item: Mapping[str, Any]) -> str:
    from research.experiments.pictures import difference_png

    if "old" not in item or not str(item["old"]).endswith(".png"):
        return ""
    old, new = (Path(item[side]).read_bytes() for side in ("old", "new"))
    shown = [("A", old), ("B", new), ("what changed", difference_png(old, new))]
    figures = [
        f'<figure><figcaption>{name}</figcaption><img alt="{_e(item["name"])}, {name}" '
        f'src="data:image/png;base64,{base64.b64encode(data).decode()}"></figure>'
        for name, data in shown
        if data is not None
    ]
    return f'<div class="pictures">{"".join(figures)}</div>'


def _points(items: list[Mapping[str, Any]]) -> str:
    """Points of two sweeps whose results differ."""
    if not items:
        return ""
    rows = [
        [f"<code>{_e(i['point'])}</code>", _e(i["name"]), *map(html.escape, pair(i["old"], i["new"])), change(i)]
        for i in items
    ]
    return f"<h2>Points</h2>{_table(['point', 'metric', 'A', 'B', 'change'], rows, (2, 3, 4))}"
