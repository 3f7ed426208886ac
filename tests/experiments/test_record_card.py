"""`record(...)`: what it accepts, what travels in the output, and the card a person sees."""

from __future__ import annotations

import math

import matplotlib.figure
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from research.errors import InputError
from research.evidence import Evidence, metric
from research.experiments import record, table
from research.experiments.recording import MIME, frame_of


@pytest.fixture
def shell():
    InteractiveShell.clear_instance()
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def shown(shell, **results):
    with capture_output() as captured:
        record(**results)
    return captured.outputs[-1].data


def figure() -> matplotlib.figure.Figure:
    made = matplotlib.figure.Figure(figsize=(2, 1))
    made.subplots().plot([1, 2, 3])
    return made


def test_everything_travels_in_one_bundle(shell):
    frame = pd.DataFrame({"strike": [90.0, 100.0], "vol": [0.25, math.nan]}, index=[7, 9])
    data = shown(
        shell,
        metrics={"rmse": metric(12.5, "bp", rtol=1e-6), "n": 3},
        tables={"residuals": table(frame, unit={"vol": "1/sqrt(year)"})},
        figures={"smiles": figure()},
        evidence=[Evidence(test="kupiec", verdict="fail", statistic=9.1, threshold=3.84, claim="the number is right")],
        model={"scorer": "heston_surface", "parameters": {"kappa": 2.0}, "tables": ["residuals"]},
        passed=True,
    )
    payload = data[MIME]
    assert payload["metrics"]["rmse"] == {"value": 12.5, "unit": "bp", "rtol": 1e-6, "atol": 0.0}
    assert payload["metrics"]["n"]["value"] == 3.0
    assert list(frame_of(payload["tables"]["residuals"]).columns) == ["index_0", "strike", "vol"]
    assert payload["model"]["scorer"] == "heston_surface"
    html = data["text/html"]
    for text in ("PASSED", "rmse", "12.5", "bp", "kupiec", "fail", "data:image/png;base64", "heston_surface", "strike"):
        assert text in html
    assert "<style" not in html  # an untrusted notebook would lose it
    assert "rmse = 12.5 bp" in data["text/plain"]


def test_the_same_picture_has_the_same_bytes(shell):
    first = shown(shell, figures={"f": figure()})[MIME]["figures"]["f"]["data"]
    assert first == shown(shell, figures={"f": figure()})[MIME]["figures"]["f"]["data"]


def test_numbers_that_json_does_not_know_travel_as_text(shell):
    payload = shown(shell, metrics={"a": math.nan, "b": -math.inf})[MIME]
    assert [payload["metrics"][k]["value"] for k in "ab"] == ["nan", "-inf"]


def test_names_with_markup_stay_text(shell):
    assert "<script>" not in shown(shell, tables={"t": pd.DataFrame({"<script>": ["<b>"]})})["text/html"]


def test_without_a_notebook_the_card_is_printed(capsys):
    InteractiveShell.clear_instance()
    record(metrics={"rmse": 12.5})
    assert "rmse = 12.5" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({"metrics": {"a|b": 1.0}}, r"metric name must be letters, digits, spaces and _ . / : -; got 'a|b'."),
        ({"metrics": {"a": "x"}}, "metric a must be a number; got 'x'."),
        ({"metrics": {"a": None}}, "metric a must be a number; got None."),
        (
            {"tables": {"../t": [1]}},
            "table name must be letters, digits and _ . - so that it names a file; got '../t'.",
        ),
        ({"figures": {"f": 3}}, "figure f must be a matplotlib or plotly figure; got 'int'."),
        ({"evidence": ["kupiec"]}, "evidence must be a list of Evidence; got 'kupiec'."),
        ({"model": {"parameters": {}}}, "model must name its scorer;"),
        ({"model": {"scorer": "s", "tables": ["t"]}}, "model tables must be among the recorded tables []; got 't'."),
        ({"tables": {"t": pd.DataFrame([[1, 2]], columns=["a", "a"])}}, "table columns must be unique; got 'a'."),
    ],
)
def test_what_cannot_be_recorded_is_refused_by_one_sentence(results, message):
    with pytest.raises(InputError) as caught:
        record(**results)
    assert message in str(caught.value)
