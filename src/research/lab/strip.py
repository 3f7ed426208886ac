"""The git filter `research-strip`: what a notebook says, without what running or opening it left behind.

Git calls this file for every notebook it stores or compares (`clean`), so it is plain Python without a single import
of ours and starts in a few hundredths of a second. Outputs, counts, widget state, timings and the editor's notes go;
the kernel's title and the language version, which change with whoever opened it last, become those of the
environment-neutral `python3`. Text, tags and cell ids stay. What is not a notebook passes unchanged.
"""

import json
import sys
from typing import Any

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
_OURS = {"python3", "research", "research-warm"}  # names that stand for this project's Python
_NOTES = {  # left in a cell by editors and runners
    "collapsed", "scrolled", "execution", "papermill", "ExecuteTime", "trusted", "editable", "hidden",
    "jp-MarkdownHeadingCollapsed", "outputId", "colab", "vscode", "id",
}  # fmt: skip
_STATE = {"widgets", "papermill", "toc-autonumbering", "toc-showcode", "vscode", "signature", "orig_nbformat"}


def clean(data: bytes) -> bytes:
    """The notebook in `data` without traces; the same bytes when it is no notebook."""
    try:
        notebook = json.loads(data)
        cells = notebook["cells"]
        assert notebook["nbformat"] == 4 and isinstance(cells, list)
        for cell in cells:
            _clean_cell(cell)
        _clean_metadata(notebook.setdefault("metadata", {}))
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError):
        return data
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True, separators=(",", ": "))
    return text.encode() + b"\n"


def _clean_cell(cell: dict[str, Any]) -> None:
    source = cell["source"]
    cell["source"] = (source if isinstance(source, str) else "".join(source)).splitlines(keepends=True)
    cell["metadata"] = {k: v for k, v in cell.get("metadata", {}).items() if k not in _NOTES and v not in ([], {})}
    if cell["cell_type"] == "code":
        cell["outputs"], cell["execution_count"] = [], None
        hidden = cell["metadata"].get("jupyter")
        if isinstance(hidden, dict):
            kept = {k: v for k, v in hidden.items() if k != "outputs_hidden"}
            cell["metadata"].pop("jupyter")
            cell["metadata"].update({"jupyter": kept} if kept else {})


def _clean_metadata(metadata: dict[str, Any]) -> None:
    for name in _STATE & set(metadata):
        del metadata[name]
    kernel = metadata.get("kernelspec")
    if isinstance(kernel, dict) and kernel.get("name") in _OURS:
        metadata["kernelspec"] = dict(KERNEL)
    language = metadata.get("language_info")
    if isinstance(language, dict) and language.get("name"):
        metadata["language_info"] = {"name": language["name"]}


if __name__ == "__main__":
    sys.stdout.buffer.write(clean(sys.stdin.buffer.read()))
