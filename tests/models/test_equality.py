"""A model back from JSON is the model: equal, with the same hash; one that differs in one number is not."""

import dataclasses
import json

import numpy as np
import pytest

from research import models
from research.models import Heston, LocalStochasticVol, LocalVol, MultiAssetBlackScholes, RoughBergomi
from research.models.correlation import CorrelationWarning

GRID = {"tau": [0.0, 1.0], "log_moneyness": [-0.1, 0.1], "vol": [[0.3, 0.2], [0.3, 0.2]]}
HESTON = Heston(v0=0.04, kappa=1.0, theta=0.04, sigma=0.5, rho=-0.5)
WITH_ARRAYS = [
    LocalVol(**GRID),
    LocalStochasticVol(heston=HESTON, leverage=LocalVol(**GRID)),
    RoughBergomi(hurst=0.1, eta=1.9, rho=-0.9, forward_variance=[0.04, 0.05], forward_tau=[0.5, 1.0]),
    MultiAssetBlackScholes(names=("A", "B"), vols=(0.2, 0.3), correlation=[[1.0, 0.5], [0.5, 1.0]]),
]


@pytest.mark.parametrize("model", WITH_ARRAYS, ids=lambda m: type(m).__name__)
def test_a_model_with_arrays_back_from_json_is_equal(model):
    again = models.model_from_json(json.dumps(models.to_json(model)))
    assert again is not model and again == model and hash(again) == hash(model)
    assert len({again, model}) == 1 and model != models.to_json(model)


@pytest.mark.parametrize("model", WITH_ARRAYS, ids=lambda m: type(m).__name__)
def test_one_other_number_makes_another_model(model):
    for field in dataclasses.fields(model):
        value = getattr(model, field.name)
        if isinstance(value, np.ndarray) and value.ndim == 1:
            assert dataclasses.replace(model, **{field.name: value * (1.0 + 1e-15) + 1e-16}) != model
        elif type(value) is float and field.init:
            assert dataclasses.replace(model, **{field.name: 0.99 * value}) != model


def test_local_vols_that_differ_in_one_node_or_in_size_differ():
    other = np.array(GRID["vol"])
    other[1, 1] += 1e-9
    assert LocalVol(**GRID) != LocalVol(**(GRID | {"vol": other}))
    assert LocalVol(**GRID) != LocalVol(tau=[0.5], log_moneyness=[-0.1, 0.1], vol=[[0.3, 0.2]])
    both = (
        LocalStochasticVol(heston=h, leverage=LocalVol(**GRID)) for h in (HESTON, dataclasses.replace(HESTON, v0=0.1))
    )
    assert next(both) != next(both)


def test_a_repaired_correlation_comes_back_as_it_was_repaired():
    with pytest.warns(CorrelationWarning):
        model = MultiAssetBlackScholes(
            names=("A", "B", "C"), vols=(0.2, 0.2, 0.2),
            correlation=[[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]],
        )  # fmt: skip
    assert models.model_from_json(models.to_json(model)) == model
