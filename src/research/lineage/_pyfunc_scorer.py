"""The code that MLflow keeps with a registered version: it loads the approved model, with every check, and prices.

MLflow copies this file into its artifacts and runs it there; it holds no path, no parameter and no pickle.
"""

from __future__ import annotations

import importlib
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class ApprovedModel(PythonModel):
    """The version that `model_config["reference"]` names, loaded as `research.load` loads it."""

    def load_context(self, context: Any) -> None:
        config = context.model_config
        load = importlib.import_module("research.serving").load
        self.model = load(config["reference"], demo=bool(config["demo"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:
        return self.model.price(model_input)


set_model(ApprovedModel())
