"""The executed notebook as one HTML page that reads in light and in dark."""

from __future__ import annotations

import contextlib
import html
import os
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_MATHJAX = re.compile(r"<!-- Load mathjax -->.*?<!-- End of mathjax configuration -->", re.DOTALL)
_UNNAMED = re.compile(r'<img alt="No description has been provided for this image"([^>]{0,200} src="data:image/png)')
_DARK = """<style>
body.jp-Notebook { max-width: 1080px; margin: 0 auto; }
@media (prefers-color-scheme: dark) {
  :root { color-scheme: dark; --jp-layout-color0: #14171a; --jp-layout-color1: #14171a; --jp-layout-color2: #23282d;
    --jp-content-font-color0: #f2f4f5; --jp-content-font-color1: #e3e7ea; --jp-content-font-color2: #b9c1c8;
    --jp-ui-font-color0: #f2f4f5; --jp-ui-font-color1: #e3e7ea; --jp-cell-editor-background: #1d2226;
    --jp-cell-editor-border-color: #333a41; --jp-rendermime-table-row-background: #1a1e22;
    --jp-rendermime-table-row-hover-background: #263039; --jp-rendermime-error-background: #3b1d1d;
    --jp-content-link-color: #7fb7e6; --jp-mirror-editor-punctuation-color: #b9c1c8;
    --jp-mirror-editor-string-color: #c3e88d; --jp-mirror-editor-variable-color: #e3e7ea; }
  body { background: #14171a; color: #e3e7ea; }
  .jp-RenderedImage img { border-radius: 4px; }
  .highlight, .highlight pre { background: #1d2226; color: #e3e7ea; }
  .highlight .k, .highlight .kn, .highlight .ow { color: #82aaff; }
  .highlight .s1, .highlight .s2, .highlight .sd { color: #c3e88d; }
  .highlight .c1 { color: #8a949e; }
  .highlight .mi, .highlight .mf { color: #f78c6c; }
  .highlight .o { color: #b9c1c8; }
}
</style>"""


NOTEBOOK, PAGE = "notebook.ipynb", "notebook.html"


def of_run(folder: Path, title: str) -> Path | None:
    """The page of a run, made when it is not there yet; None when the run has no notebook."""
    notebook, target = folder / NOTEBOOK, folder / PAGE
    if not notebook.is_file():
        return None
    if not target.is_file() or target.stat().st_mtime_ns < notebook.stat().st_mtime_ns:
        write_page(notebook, target, title)
    return target


@contextlib.contextmanager
def without_slow_grammar() -> Iterator[None]:
    """jsonschema builds a URI grammar at import, over a second, for a format that notebooks do not have."""
    name = "rfc3987_syntax"
    had = name in sys.modules
    if not had:
        sys.modules[name] = None  # type: ignore[assignment]
    warnings.filterwarnings("ignore", message="Cell is missing an id field")  # ids come with format 4.5
    try:
        yield
    finally:
        if not had:
            del sys.modules[name]


def _with_descriptions(body: str, notebook: Any) -> str:
    """The page with each picture described by its own `alt`, which the exporter's template leaves out."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    named = iter([output.get("metadata", {}).get("image/png", {}).get("alt", "") for output in pictures])
    if len(_UNNAMED.findall(body)) != len(pictures):  # pictures in the text too: which is which is not known
        return body
    return _UNNAMED.sub(lambda found: f'<img alt="{html.escape(next(named), quote=True)}"{found[1]}', body)


def write_page(notebook: Path, page: Path, title: str) -> None:
    """Convert the executed notebook at `notebook` to `page`, whole or not at all."""
    with without_slow_grammar():
        import nbformat
        from nbconvert import HTMLExporter

    source = nbformat.read(notebook, as_version=4)
    for cell in source.cells:  # the executed copy keeps the values; a page shows the card only
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.research.record+json", None)
    exporter = HTMLExporter(exclude_input_prompt=True, exclude_output_prompt=True, require_js_url="", jquery_url="")
    body, _ = exporter.from_notebook_node(source, resources={"metadata": {"name": title}})
    body = _MATHJAX.sub("", body)  # from another host: a page is whole, now and in ten years
    body = _with_descriptions(body, source)
    partial = page.with_name(f".{page.name}.{os.getpid()}")
    partial.write_text(body.replace("</head>", _DARK + "\n</head>", 1), encoding="utf-8")
    partial.replace(page)
