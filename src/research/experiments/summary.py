"""How a record looks in a notebook: one card, plain HTML with inline styles that read in light and in dark."""

from __future__ import annotations

import html as _html
import math
from collections.abc import Container, Mapping
from typing import Any

_ROWS = 8  # rows of a table shown in the card
_GREY = "rgba(128,128,128,.35)"
_CARD = f"border:1px solid {_GREY};border-radius:8px;padding:12px 16px;margin:4px 0;max-width:980px;color:inherit"
_TILE = f"border:1px solid {_GREY};border-radius:6px;padding:6px 12px;min-width:92px"
_SMALL = "font-size:11px;opacity:.7;letter-spacing:.02em"
_PICTURE = "max-height:220px;max-width:460px;border-radius:4px"
_BADGES = {True: ("PASSED", "#1a7f5a"), False: ("NOT PASSED", "#b5482e"), None: ("RECORDED", "#5b6b7b")}
_VERDICTS = {"pass": "#1a7f5a", "fail": "#b5482e", "not applicable": "#5b6b7b"}


def number(value: Any, digits: int = 6) -> str:
    """A number for people: six significant digits, thousands separated, text as it is.

    Examples
    --------
    >>> number(1234567), number(0.000123456789), number(12.0)
    ('1,234,567', '0.000123457', '12')
    """
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return f"{value:,.{digits}g}" if abs(value) < 1e15 else f"{value:.{digits}g}"
    return str(value)


def text(payload: Mapping[str, Any]) -> str:
    """The card as plain text."""
    lines = [f"record: {_BADGES[payload['passed']][0].lower()}"]
    for name, item in payload["metrics"].items():
        lines.append(f"  {name} = {number(item['value'])} {item['unit']}".rstrip())
    for name, item in payload["tables"].items():
        lines.append(f"  table {name}: {item['rows']} rows x {len(item['columns'])} columns")
    lines += [f"  figure {name}" for name in payload["figures"]]
    lines += [f"  {item['test']}: {item['verdict']}" for item in payload["evidence"]]
    if payload["model"] is not None:
        lines.append(f"  model for scorer {payload['model']['scorer']}")
    return "\n".join(lines)


def html(payload: Mapping[str, Any]) -> str:
    """The card as HTML."""
    label, colour = _BADGES[payload["passed"]]
    badge = (
        f'<span style="background:{colour};color:#fff;border-radius:4px;padding:2px 8px;font-size:11px;'
        f'font-weight:600;letter-spacing:.05em">{label}</span>'
    )
    parts = [
        f'<div style="margin-bottom:8px">{badge}</div>',
        tiles(payload["metrics"]),
        _evidence(payload["evidence"]),
    ]
    parts += [_table(name, item) for name, item in payload["tables"].items()]
    parts.append(_figures(payload["figures"]))
    if payload["model"] is not None:
        parts.append(_model(payload["model"]))
    return card("".join(parts))


def card(inside: str) -> str:
    """HTML in the frame of a record."""
    return f'<div style="{_CARD}">{inside}</div>'


def _escape(value: Any) -> str:
    return _html.escape(str(value))


def tiles(metrics: Mapping[str, Any]) -> str:
    """Metrics as tiles: name above value and unit."""
    tiles = "".join(
        f'<div style="{_TILE}"><div style="{_SMALL}">{_escape(name)}</div>'
        f'<div style="font-size:17px;font-variant-numeric:tabular-nums">{number(item["value"])}'
        f'<span style="{_SMALL}"> {_escape(item["unit"])}</span></div></div>'
        for name, item in metrics.items()
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:8px;margin-bottom:8px">{tiles}</div>' if tiles else ""


def _evidence(items: list[Mapping[str, Any]]) -> str:
    if not items:
        return ""
    rows = []
    for item in items:
        verdict = f'<b style="color:{_VERDICTS[item["verdict"]]}">{_escape(item["verdict"])}</b>'
        values = [number(item[key]) for key in ("statistic", "threshold", "p_value", "n")]
        rows.append([_escape(item["test"]), _escape(item["claim"]), *values, verdict])
    return grid("evidence", ["test", "claim", "statistic", "threshold", "p value", "n", "verdict"], rows, text=(0, 1))


def _table(name: str, item: Mapping[str, Any]) -> str:
    from research.experiments.recording import frame_of

    frame = frame_of(item)
    head = [
        f'{_escape(c["name"])}<span style="font-weight:400;opacity:.7"> {_escape(c["unit"])}</span>'
        if c["unit"]
        else _escape(c["name"])
        for c in item["columns"]
    ]
    years = {i for i, column in enumerate(frame.columns) if str(column) == "year"}  # 2008, not 2,008
    rows = [[_escape(str(value) if i in years else _cell(value)) for i, value in enumerate(row)]
            for row in frame.head(_ROWS).itertuples(index=False, name=None)]  # fmt: skip
    rest = f", first {_ROWS} shown" if len(frame) > _ROWS else ""
    words = [i for i, column in enumerate(frame.columns) if not _is_number(frame[column])]
    return grid(f"{_escape(name)} ({len(frame):,} rows{rest})", head, rows, text=words)


def _is_number(column: Any) -> bool:
    return column.dtype.kind in "biufmM"


def _cell(value: Any) -> str:
    if hasattr(value, "isoformat"):
        return str(value.isoformat()).removesuffix("T00:00:00")
    value = value.item() if hasattr(value, "item") else value
    return "" if isinstance(value, float) and math.isnan(value) else number(value)


def grid(title: str, head: list[str], rows: list[list[str]], text: Container[int] = ()) -> str:
    """A table as HTML; cells are HTML already, columns in `text` stand left, the others right."""

    def align(i: int) -> str:
        return "left" if i in text else "right;white-space:nowrap"

    style = f"padding:2px 8px;border-bottom:1px solid {_GREY};background:transparent"
    top = "".join(f'<th style="{style};text-align:{align(i)}">{h}</th>' for i, h in enumerate(head))
    body = "".join(
        "<tr>" + "".join(f'<td style="{style};text-align:{align(i)}">{v}</td>' for i, v in enumerate(row)) + "</tr>"
        for row in rows
    )
    return (
        f'<div style="{_SMALL};margin-top:8px">{title}</div><div style="overflow-x:auto"><table style="border-collapse:'
        f'collapse;font-size:12px;font-variant-numeric:tabular-nums"><tr>{top}</tr>{body}</table></div>'
    )


def _figures(figures: Mapping[str, Any]) -> str:
    pictures = "".join(
        f'<figure style="margin:0"><img alt="{_escape(name)}" style="{_PICTURE}" '
        f'src="data:image/png;base64,{item["data"]}"/><figcaption style="{_SMALL}">{_escape(name)}</figcaption>'
        f"</figure>"
        for name, item in figures.items()
        if item["format"] == "png"
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:12px;margin-top:10px">{pictures}</div>' if pictures else ""


def _model(model: Mapping[str, Any]) -> str:
    values = _escape(_brief(model.get("parameters", {})))
    return f'<div style="{_SMALL};margin-top:8px">model for scorer <b>{_escape(model["scorer"])}</b>: {values}</div>'


def _brief(value: Any) -> str:
    """Nested values in one line: numbers to six digits, the first of a long list."""
    if isinstance(value, Mapping):
        return ", ".join(
            f"{k} ({_brief(v)})" if isinstance(v, Mapping) else f"{k} = {_brief(v)}" for k, v in value.items()
        )
    if isinstance(value, (list, tuple)):
        shown = ", ".join(_brief(item) for item in value[:3])
        return f"[{shown}, ... {len(value)} values]" if len(value) > 3 else f"[{shown}]"
    return number(value)
