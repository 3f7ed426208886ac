"""Figures as results: PNG at one resolution and without metadata, so that the same picture has the same bytes."""

from __future__ import annotations

import base64
import io
import sys
from typing import Any

from research.errors import InputError, rule

DPI = 144  # pixels per inch of a recorded figure


def encode(name: str, figure: Any) -> dict[str, Any]:
    """A matplotlib or plotly figure as JSON: its format and its data."""
    if hasattr(figure, "savefig"):
        return {"format": "png", "data": base64.b64encode(_png(figure)).decode("ascii")}
    if hasattr(figure, "get_figure") and hasattr(figure.get_figure(), "savefig"):  # an Axes
        return encode(name, figure.get_figure())
    if hasattr(figure, "to_plotly_json"):
        return {"format": "plotly.json", "data": figure.to_json()}
    raise InputError(rule(f"figure {name}", "be a matplotlib or plotly figure", type(figure).__name__))


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:  # the summary shows it; else Jupyter would show it a second time
        pyplot.close(figure)
    return buffer.getvalue()


def decode(entry: dict[str, Any]) -> bytes:
    """The bytes of the file that a figure becomes."""
    return base64.b64decode(entry["data"]) if entry["format"] == "png" else entry["data"].encode()
