"""The executed notebook as one HTML page that reads in light and in dark."""

from __future__ import annotations

from pathlib import Path

_DARK = """<style>
body.jp-Notebook { max-width: 1080px; margin: 0 auto; }
@media (prefers-color-scheme: dark) {
  :root { color-scheme: dark; --jp-layout-color0: #14171a; --jp-layout-color1: #14171a; --jp-layout-color2: #23282d;
    --jp-content-font-color0: #f2f4f5; --jp-content-font-color1: #e3e7ea; --jp-content-font-color2: #b9c1c8;
    --jp-ui-font-color0: #f2f4f5; --jp-ui-font-color1: #e3e7ea; --jp-cell-editor-background: #1d2226;
    --jp-cell-editor-border-color: #333a41; --jp-rendermime-table-row-background: #1a1e22;
    --jp-rendermime-table-row-hover-background: #263039; --jp-rendermime-error-background: #3b1d1d;
    --jp-content-link-color: #7fb7e6; }
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


def prepare() -> None:
    """Import what `write_page` needs; in a thread, while a kernel works."""
    from research.experiments.engine import _without_slow_grammar

    with _without_slow_grammar():
        import nbconvert
        import nbformat  # noqa: F401

        nbconvert.HTMLExporter  # noqa: B018  (loads its templates' engine)


def write_page(notebook: Path, page: Path, title: str) -> None:
    """Convert the executed notebook at `notebook` to `page`."""
    from research.experiments.engine import _without_slow_grammar

    with _without_slow_grammar():
        import nbformat
        from nbconvert import HTMLExporter

    source = nbformat.read(notebook, as_version=4)
    for cell in source.cells:  # the executed copy keeps the values; a page shows the card only
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.research.record+json", None)
    exporter = HTMLExporter(exclude_input_prompt=True, exclude_output_prompt=True, require_js_url="", jquery_url="")
    body, _ = exporter.from_notebook_node(source, resources={"metadata": {"name": title}})
    page.write_text(body.replace("</head>", _DARK + "\n</head>", 1), encoding="utf-8")
