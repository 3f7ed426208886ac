"""The page and the summary say what the store says, and nothing else."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from research.report import index, style
from research.report.facts import collect
from research.report.summary import summary
from research.report.text import inline as text_of

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x06\x00\x00\x00\x03\x00\x08\x06\x00\x00\x00" + bytes(
    16
)  # only a header: 1536 by 768
KUPIEC = {
    "test": "kupiec", "claim": "The rate is 1%", "verdict": "fail", "statistic": 21.0, "threshold": 3.84,
    "p_value": 4.6e-6, "power": 0.93, "n": 4030, "reference": "Kupiec (1995)", "details": {},
}  # fmt: skip
VOID = {"meta", "link", "img", "br", "wbr", "rect", "path", "hr", "input"}


class Strict(HTMLParser):
    """Every tag is closed in order; every address inside the page leads somewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids.add(values.get("id") or "")
        self.links.append(values.get("href") or "")
        self.sources.append(values.get("src") or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag


def page(project) -> str:
    return index.render(collect(project))


def test_an_empty_store_gives_a_page_that_says_what_to_run(project):
    text = page(project)
    assert "No run is recorded yet" in text and "make demo" in text
    assert "passed" not in text.split("</style>")[1]


def test_an_empty_store_lists_the_notebooks_that_could_run(project):
    folder = project.root / "notebooks" / "calibration"
    folder.mkdir(parents=True)
    (folder / "heston.ipynb").write_text("no notebook at all")
    assert "research run notebooks/calibration/heston.ipynb" in page(project)
    assert summary(project).startswith("No run is recorded yet.")


def test_the_page_shows_each_notebook_with_verdict_numbers_and_run(project, add_run):
    good = add_run(metrics={"rmse": (75.1234, "bp"), "kappa": (1.5, "1/year")}, figures={"smiles": PNG})
    add_run("notebooks/validation/value_at_risk.ipynb", title="VaR tests", passed=False, evidence=[KUPIEC])
    text = page(project)
    assert "75.123" in text and "bp" in text and good in text
    assert "✗ not passed" in text and "1 of 2" in text
    assert "The rate is 1%" in text and "4.6e−6" in text and "93%" in text
    assert 'src="data:image/png;base64,' in text and 'width="1067"' in text


def test_the_page_is_well_formed_and_every_link_inside_leads_somewhere(project, add_run):
    add_run(figures={"smiles": PNG, "residuals": PNG}, evidence=[KUPIEC])
    add_run("notebooks/backtesting/value_at_risk.ipynb")
    parser = Strict()
    parser.feed(page(project))
    assert parser.open == []
    assert {link[1:] for link in parser.links if link.startswith("#")} <= parser.ids


def test_the_page_needs_no_network_and_no_script(project, add_run):
    add_run(figures={"smiles": PNG})
    text = page(project)
    parser = Strict()
    parser.feed(text)
    assert all(source.startswith("data:") for source in parser.sources if source)
    assert "<script" not in text and "http" not in text and "@import" not in text and "url(" not in text


def test_the_same_store_gives_the_same_page(project, add_run):
    add_run(figures={"smiles": PNG})
    add_run("notebooks/backtesting/value_at_risk.ipynb")
    assert page(project) == page(project)


def test_metrics_and_figures_keep_the_order_of_the_notebook(project, add_run):
    add_run(metrics={"zeta": (1.5, ""), "alpha": (2.5, "")}, figures={"smiles": PNG, "fit": PNG, "smile": PNG})
    (notebook,) = collect(project).notebooks
    assert list(notebook.metrics) == ["zeta", "alpha"]
    assert [figure.name for figure in notebook.figures] == ["smiles", "fit", "smile"]


def test_markdown_of_a_purpose_is_shown_as_meant(project, add_run):
    add_run()
    path = project.root / "notebooks" / "backtesting" / "value_at_risk.ipynb"
    path.parent.mkdir(parents=True)
    cell = {"cell_type": "markdown", "source": ["# VaR\n", "\n", "**Purpose.** Is **it** `right` & <b>fair</b>?\n"]}
    path.write_text(json.dumps({"cells": [cell]}))
    purpose = next(n.purpose for n in collect(project).notebooks if n.title == "VaR")
    assert text_of(purpose) == "Is <b>it</b> <code>right</code> &amp; &lt;b&gt;fair&lt;/b&gt;?"


def test_the_newest_finished_run_is_shown_and_a_newer_failure_is_told(project, add_run):
    start = datetime(2026, 11, 22, tzinfo=UTC)
    add_run(metrics={"rmse": (1.5, "bp")}, started=start)
    new = add_run(metrics={"rmse": (2.5, "bp")}, started=start + timedelta(hours=1))
    add_run(status="FAILED", passed=None, message="cell 7 failed: ValueError", started=start + timedelta(hours=2))
    # the index orders by when a run was opened; the three were opened in this order
    (notebook,) = collect(project).notebooks
    assert notebook.run is not None and notebook.run.run_id == new
    assert notebook.runs == 3
    text = page(project)
    assert "A newer run failed" in text and "cell 7 failed: ValueError" in text
    assert "a newer run failed: cell 7 failed: ValueError" in summary(project)


def test_a_notebook_that_only_failed_is_shown_as_failed(project, add_run):
    add_run(status="FAILED", passed=None, message="cell 2 failed")
    assert "✗ failed" in page(project) and "cell 2 failed" in page(project)


def test_an_unpinned_run_says_why(project, add_run):
    add_run(pinned=False)
    assert "src/research/models/heston.py differs from HEAD" in page(project)


def test_one_changed_byte_in_a_run_is_told(project, add_run):
    run = add_run(figures={"smiles": PNG})
    (project.mlruns / "runs" / run / "smiles.png").write_bytes(PNG + b"x")
    assert "Not as it was recorded: artifact smiles.png must have the digest of the capsule" in page(project)
    assert "not as it was recorded" in summary(project)


def test_names_are_escaped(project, add_run):
    add_run(title="<script>alert(1)</script>", message="")
    assert "<script" not in page(project) and "&lt;script&gt;" in page(project)


def test_data_sets_show_digest_rows_quality_and_readers(project, add_run):
    add_run()
    text = page(project).split('id="data"')[1]
    assert "equity/prices" in text and "1,234" in text and "abababababab" in text and "gaps 3" in text
    assert "calibration/<wbr>heston" in text
    assert "1 more in the dictionary that no run shown here read" in text and "equity/unread" in text


def test_executed_notebooks_lie_beside_the_page_by_kind(project, add_run):
    add_run("notebooks/backtesting/value_at_risk.ipynb", html="<p>back</p>")
    add_run("notebooks/validation/value_at_risk.ipynb", html="<p>test</p>")
    path = index.write(project)
    folder = path.parent / "notebooks"
    assert (folder / "backtesting" / "value_at_risk.html").read_text() == "<p>back</p>"
    assert (folder / "validation" / "value_at_risk.html").read_text() == "<p>test</p>"
    assert 'href="notebooks/validation/value_at_risk.html"' in path.read_text()


def test_writing_again_leaves_no_other_files(project, add_run):
    add_run()
    index.write(project)
    index.write(project)
    assert sorted(p.name for p in project.reports.iterdir()) == ["index.html", "notebooks"]


def test_the_summary_is_plain_text_off_a_terminal(project, add_run):
    add_run(metrics={"rmse": (75.1234, "bp")})
    text = summary(project)
    assert "\x1b" not in text
    assert "calibration/heston" in text and "passed" in text and "RMSE 75.123 bp" in text
    assert "research reproduce heston-" in text


def test_the_summary_has_colour_on_a_terminal(project, add_run):
    add_run()
    assert re.search(r"\x1b\[\d+mpassed", summary(project, colour=True))


def test_the_command_writes_the_page_and_prints_its_path(project, add_run, monkeypatch, capsys):
    from research.cli.app import main

    add_run(metrics={"rmse": (75.1234, "bp")})
    monkeypatch.setenv("RESEARCH_PROJECT", str(project.root))
    assert main(["report"]) == 0
    assert capsys.readouterr().out.strip() == str(project.reports / "index.html")
    assert main(["report", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["notebooks"][0]["metrics"] == {"rmse": {"value": 75.1234, "unit": "bp"}}
    assert found["notebooks"][0]["verdict"] == "passed"


@pytest.mark.parametrize("name", ["good", "bad", "muted", "ink"])
def test_words_on_the_page_have_contrast_in_light_and_dark(name):
    """WCAG 2.1: text needs a contrast of at least 4.5 against its ground."""
    css = (index.TEMPLATES / "style.css").read_text()
    light, dark = css.split("@media (prefers-color-scheme: dark)")[:2]
    for part in (light, dark):
        colour = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", part))
        assert _contrast(colour[name], colour.get(f"{name}-ground", colour["ground"])) >= 4.5


def _contrast(a: str, b: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b_ = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * r + 0.7152 * g + 0.0722 * b_

    high, low = sorted((light(a), light(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_colours_are_those_of_okabe_and_ito():
    """Okabe and Ito (2008), the eight colours in their published order."""
    published = ["#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"]
    names = ("black", "orange", "sky", "green", "yellow", "blue", "vermillion", "purple")
    assert [style.COLORS[name] for name in names] == published


def test_many_tests_fold_and_the_failed_one_stays_in_sight(project, add_run):
    passed = [KUPIEC | {"test": f"law_{i}", "verdict": "pass", "p_value": None, "power": None} for i in range(9)]
    add_run(evidence=[*passed, KUPIEC | {"p_value": None, "power": None}])
    text = page(project)
    assert "9 of 10 tests passed" in text
    shown = text.split("tests passed")[2].split("<details>")[0]
    assert "Kupiec" in shown and "Law 1" not in shown and "p-value" not in text
