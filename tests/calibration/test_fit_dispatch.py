"""`calibration.fit` finds the right fit, and names the known ones when there is none."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import pytest

from research.calibration import Fit, fit, fits
from research.errors import InputError


@dataclass(frozen=True)
class Mean:
    level: float


def _answer(status: int = 0) -> Fit[Mean]:
    empty = pd.DataFrame({"name": ["level"], "value": [1.0], "std_error": [0.1], "lower": [0.0], "upper": [2.0]})
    return Fit(
        model=Mean(1.0), parameters=empty, residuals=pd.DataFrame({"error": [0.0]}), rmse=0.0012, unit="vol",
        sse=0.0, status=status, n_iter=3, message="settled", seconds=0.0,
    )  # fmt: skip


def test_a_registered_model_is_fitted_by_its_function() -> None:
    seen = {}

    @fits(Mean)
    def fit_mean(data: list[float], *, start: float = 0.0) -> Fit[Mean]:
        seen.update(data=data, start=start)
        return _answer()

    answer = fit(Mean, [1.0, 2.0], start=0.5)
    assert answer.model == Mean(1.0)
    assert seen == {"data": [1.0, 2.0], "start": 0.5}


def test_an_unknown_model_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(InputError, match=r"^model must be a class with a fit; got 'int'\. Known.*GARCH.*Heston"):
        fit(int, None)


def test_an_object_instead_of_a_class_is_refused_with_a_hint() -> None:
    with pytest.raises(InputError, match="Pass the class, not an object of it"):
        fit(Mean(1.0), None)  # type: ignore[arg-type]


def test_a_fit_prints_its_error_and_status() -> None:
    answer = _answer()
    assert "rmse=0.0012 vol, converged after 3 iterations" in repr(answer)
    assert "level" in answer._repr_html_()
    assert answer.converged
    assert answer.rmse_bp == pytest.approx(12.0)


def test_a_search_stopped_by_max_iter_has_not_converged() -> None:
    assert not _answer(status=1).converged
