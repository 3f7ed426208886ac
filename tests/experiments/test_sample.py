"""A sample of runs: the interval is exact, the draw is seeded, a refusal counts as not reproduced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from research.errors import RefusedError
from research.experiments import sample


@given(st.integers(1, 60), st.data())
def test_the_interval_covers_at_least_what_it_promises(tried, data):
    hits = data.draw(st.integers(0, tried))
    lower, upper = sample.clopper_pearson(hits, tried, level=0.9)
    assert 0.0 <= lower <= hits / tried <= upper <= 1.0
    if hits > 0:
        assert binom.sf(hits - 1, tried, lower) == pytest.approx(0.05, rel=1e-6)
    if hits < tried:
        assert binom.cdf(hits, tried, upper) == pytest.approx(0.05, rel=1e-6)


def test_the_interval_agrees_with_the_closed_form_when_all_hit():
    assert sample.clopper_pearson(10, 10)[0] == pytest.approx(0.025 ** (1 / 10))


class Done:
    verdict, reproduced, results, message = "REPRODUCED EXACTLY", True, (), ""


def test_the_seed_draws_the_same_runs_and_a_refused_run_is_not_reproduced(monkeypatch):
    seen = []

    def reproduce(run, **options):
        seen.append(run)
        if run == "run-3":
            raise RefusedError("its commit is gone")
        return Done()

    monkeypatch.setattr("research.experiments.reproduction.reproduce", reproduce)
    runs = [f"run-{i}" for i in range(8)]
    found = sample.reproduce_sample(runs, 5, seed=11)
    again = sample.reproduce_sample(list(reversed(runs)), 5, seed=11)
    assert [i.run_id for i in found.items] == [i.run_id for i in again.items] == seen[:5]
    everything = sample.reproduce_sample(runs, 100, seed=1)
    assert (everything.tried, everything.reproduced, everything.population) == (8, 7, 8)
    (bad,) = [i for i in everything.items if not i.reproduced]
    assert (bad.run_id, bad.verdict, bad.reason) == ("run-3", "REFUSED", "its commit is gone")
    assert everything.sentence().startswith("7 of 8 reproduced (88%); drawn from 8 approved runs with seed 1; with 95%")


def test_no_approved_run_is_refused():
    with pytest.raises(RefusedError, match="approved runs must be there to be sampled; got none"):
        sample.reproduce_sample([], 3)
