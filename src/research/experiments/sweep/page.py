"""The page of a sweep."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame


def write(folder: Path, found: dict[str, Any], table: DataFrame) -> None:
    """Write `summary.html`."""
    body = f"<h1>{html.escape(found['sweep_id'])}</h1>" + table.to_html(index=False)
    (folder / "summary.html").write_text(f"<!doctype html><meta charset=utf-8>{body}", encoding="utf-8")
