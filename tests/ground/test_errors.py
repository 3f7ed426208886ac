"""The error form: NAME must RULE; got VALUE. HINT"""

import numpy as np
import pytest

from research import errors


def test_require_names_the_value_the_rule_and_the_hint() -> None:
    with pytest.raises(errors.InputError) as caught:
        errors.require(False, "level", 99, "lie in (0, 1)", hint="Use 0.99 for a 99% VaR, not 99.")
    assert str(caught.value) == "level must lie in (0, 1); got 99. Use 0.99 for a 99% VaR, not 99."


def test_require_all_shows_the_first_bad_value_and_the_count() -> None:
    forward = np.array([-1.0, 2.0, -3.0])
    with pytest.raises(errors.InputError, match=r"^forward must be > 0; got -1 \(2 of 3 values\)\.$"):
        errors.require_all(forward > 0, "forward", forward, "be > 0")


def test_require_all_passes_an_empty_array() -> None:
    assert errors.require_all(np.array([], dtype=bool), "forward", np.array([]), "be > 0") is None


def test_long_values_are_cut() -> None:
    assert len(errors.rule("text", "be short", "x" * 5000)) < 250


def test_every_error_says_how_the_command_line_ends() -> None:
    kinds = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.ResearchError)]
    assert {c.exit_code for c in kinds} == {1, 2}
    assert errors.InputError.exit_code == errors.ProjectError.exit_code == 2
    assert errors.RunError.exit_code == errors.RefusedError.exit_code == errors.IntegrityError.exit_code == 1


def test_an_input_error_is_a_value_error() -> None:
    assert issubclass(errors.ParameterError, ValueError)
