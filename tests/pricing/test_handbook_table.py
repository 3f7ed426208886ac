"""The handbook's table of contracts, models and methods is that of the catalogue."""

import re
from pathlib import Path

import pytest

from research import models
from research.pricing.catalogue import CATALOGUE, engines_for

TEXT = (Path(__file__).parents[2] / "docs" / "nouns_and_verbs.md").read_text(encoding="utf-8")
MODELS = {
    "BS": "BlackScholes", "by time": "BlackTermStructure", "CEV": "CEV", "local": "LocalVol", "Heston": "Heston",
    "LSV": "LocalStochasticVol", "Bates": "Bates", "jumps": "Merton", "rough": "RoughBergomi", "smile": "SVISurface",
    "normal": "Bachelier",
}  # fmt: skip
LEGEND = TEXT[TEXT.index("\nA `analytic`") : TEXT.index("\nBS is")]
LETTERS = dict(re.findall(r"\b([A-Z])\s`(\w+)`", LEGEND))


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def table():
    lines = TEXT[TEXT.index("| contract | BS |") :].split("\n\n", 1)[0].splitlines()
    heads = cells(lines[0])[1:]
    assert heads == list(MODELS)
    return {kind: dict(zip(heads, cells(line)[1:], strict=True))
            for line in lines[2:] for kind in re.findall(r"`(\w+)`", cells(line)[0])}  # fmt: skip


def test_every_contract_on_one_price_stands_in_the_table():
    several = {e.contract for e in CATALOGUE if e.needs.startswith(("multi", "lognormal_cross"))}
    assert set(table()) == {e.contract for e in CATALOGUE} - several


@pytest.mark.parametrize("head", MODELS)
def test_the_table_lists_the_methods_best_first(head):
    for kind, row in table().items():
        found = dict.fromkeys(e.method for e in engines_for(kind, getattr(models, MODELS[head])))
        said = [] if row[head] == "-" else [LETTERS[letter] for letter in row[head]]
        assert said == list(found), (kind, head)


def test_the_models_that_share_a_column_have_its_methods():
    for kind in table():
        of = {name: [e.method for e in engines_for(kind, getattr(models, name))] for name in
              ("Merton", "VarianceGamma", "SVISurface", "SSVI", "ESSVI", "SVI", "SABR")}  # fmt: skip
        assert of["Merton"] == of["VarianceGamma"], kind
        displaced, cev = (
            [e.method for e in engines_for(kind, model)] for model in (models.DisplacedDiffusion, models.CEV)
        )
        assert [one for one in dict.fromkeys(displaced) if one != "replication"] == [
            one for one in dict.fromkeys(cev) if one != "replication"
        ], kind
        assert of["SVISurface"] == of["SSVI"] == of["ESSVI"] == of["SVI"] == of["SABR"], kind


def test_lines_are_short():
    assert [line for line in TEXT.splitlines() if len(line) > 120] == []
