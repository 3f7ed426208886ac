"""The page of a run: pictures are there, and described."""

from __future__ import annotations

import base64
import re

from research.experiments import run_notebook
from research.experiments.page import write_page

PICTURES = """\
from research.report import style
for title in ("Smiles & wings", ""):
    figure, axes = style.subplots(size=(2.0, 1.0))
    axes.plot([1, 2])
    if title:
        style.heading(figure, title, "in vol points")
    display(figure)"""


def test_a_picture_shown_by_a_cell_is_a_picture_on_the_page_and_says_what_it_shows(bare):
    bare.notebook.write_text(bare.study(PICTURES))
    run = run_notebook(bare.notebook, deliver="never").capsule
    write_page(run.folder / "notebook.ipynb", run.folder / "page.html", "Pictures")
    body = (run.folder / "page.html").read_text()
    found = re.findall(r'<img alt="([^"]*)"[^>]*? src="data:image/png;base64,([^"]+)"', body)
    assert [alt for alt, _ in found] == ["Smiles &amp; wings", "chart"]
    for _, data in found:
        assert base64.b64decode(data.replace("\n", ""), validate=True)[:8] == b"\x89PNG\r\n\x1a\n"
