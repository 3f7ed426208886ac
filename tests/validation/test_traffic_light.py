"""The traffic light: both tables of the Basel Committee, boundaries, desk limits, refusals."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from research.errors import InputError
from research.validation.value_at_risk import (
    basel_desk_limit,
    basel_multiplier,
    basel_traffic_light,
    traffic_light_zones,
    zone_probabilities,
)

REFERENCE = Path(__file__).parents[1] / "reference"


def rows() -> list[dict[str, str]]:
    return list(csv.DictReader((REFERENCE / "basel_traffic_light.csv").read_text().splitlines()[1:]))


def year(count: int, n: int = 250) -> np.ndarray:
    return np.r_[np.ones(count, dtype=int), np.zeros(n - count, dtype=int)]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["exceptions"])
def test_agrees_with_tables_1_and_2_of_the_basel_committee(row: dict[str, str]) -> None:
    count = int(row["exceptions"])
    found = basel_traffic_light(year(count), level=0.99)
    assert found.details["zone"] == row["zone"]
    assert 100.0 * found.details["cumulative_probability"] == pytest.approx(float(row["cumulative"]), abs=0.0051)
    assert found.p_value is not None
    assert 100.0 * found.p_value == pytest.approx(float(row["type_1"]), abs=0.051)
    assert 100.0 * binom.cdf(count - 1, 250, 0.02) == pytest.approx(float(row["type_2_at_98"]), abs=0.051)
    assert found.details["multiplier"]["basel_2.5"] == pytest.approx(3.0 + float(row["basel_2_5"]))
    assert found.details["multiplier"]["basel_3"] == pytest.approx(1.5 + float(row["basel_3"]))


def test_zones_begin_at_five_and_ten() -> None:
    assert traffic_light_zones(250, 0.99) == (5, 10)
    zones = [basel_traffic_light(year(k), level=0.99).details["zone"] for k in (4, 5, 9, 10, 40)]
    assert zones == ["green", "yellow", "yellow", "red", "red"]


def test_the_worst_zone_that_passes_is_a_parameter() -> None:
    assert [basel_traffic_light(year(k), level=0.99).verdict for k in (4, 5, 9, 10)] == ["pass", "pass", "pass", "fail"]
    strict = [basel_traffic_light(year(k), level=0.99, worst="green") for k in (4, 5)]
    assert [item.verdict for item in strict] == ["pass", "fail"]
    assert [item.threshold for item in strict] == [4.0, 4.0]


def test_power_is_the_probability_of_the_failing_zones() -> None:
    zones = zone_probabilities(250, 0.99, 0.02)
    assert sum(zones.values()) == pytest.approx(1.0)
    assert basel_traffic_light(year(2), level=0.99).power == pytest.approx(zones["red"])
    assert basel_traffic_light(year(2), level=0.99, worst="green").power == pytest.approx(
        zones["red"] + zones["yellow"]
    )


@pytest.mark.parametrize("n", [1, 3, 5, 20, 60, 1000, 4030])
@pytest.mark.parametrize("level", [0.99, 0.975, 0.95])
def test_no_exception_is_green_for_any_sample(n: int, level: float) -> None:
    yellow, red = traffic_light_zones(n, level)
    assert 1 <= yellow <= red


def test_multiplier_is_for_250_days_at_99_percent_only() -> None:
    assert basel_traffic_light(year(3, 500), level=0.99).details["multiplier"] is None
    assert basel_traffic_light(year(3), level=0.975).details["multiplier"] is None
    assert basel_multiplier(1000) == 2.0
    with pytest.raises(InputError, match=r"rule must be one of basel_2\.5, basel_3; got 'basel_4'"):
        basel_multiplier(3, rule="basel_4")  # type: ignore[arg-type]


@pytest.mark.parametrize(("level", "limit"), [(0.99, 12), (0.975, 30)])
def test_desk_limits_stand_between_12_and_13_and_30_and_31(level: float, limit: int) -> None:
    assert basel_desk_limit(year(limit), level=level).verdict == "pass"
    assert basel_desk_limit(year(limit + 1), level=level).verdict == "fail"


def test_desk_limit_looks_at_the_last_250_days() -> None:
    long_ago = np.r_[np.ones(40, dtype=int), np.zeros(250, dtype=int)]
    assert basel_desk_limit(long_ago, level=0.99).statistic == 0.0


def test_desk_limit_knows_two_levels_only() -> None:
    with pytest.raises(InputError, match=r"^level must be 0.99 or 0.975; got 0.95\."):
        basel_desk_limit(year(3), level=0.95)
