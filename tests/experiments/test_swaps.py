"""Which change brings a difference: found alone, in company, in pairs, among mixtures that do not run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from research.experiments.swaps import search


def counted(rule):
    seen: list[frozenset[int]] = []

    def appears(changes):
        seen.append(changes)
        return rule(changes)

    return appears, seen


@given(st.integers(1, 60), st.data())
def test_one_culprit_is_found_in_about_twice_log_n_trials(count, data):
    culprit = data.draw(st.integers(0, count - 1))
    appears, seen = counted(lambda changes: culprit in changes)
    assert search([list(range(count))], appears) == [(culprit,)]
    assert len(seen) <= 2 * count.bit_length() + 1


@given(st.sets(st.integers(0, 15), min_size=1, max_size=3))
def test_independent_culprits_are_all_found(culprits):
    appears, _ = counted(lambda changes: bool(culprits & changes))
    found = search([list(range(16))], appears)
    assert {change for one in found for change in one} == culprits
    assert all(len(one) == 1 for one in found)


@given(st.sets(st.integers(0, 15), min_size=2, max_size=2))
def test_two_changes_that_only_act_together_are_named_together(pair):
    appears, _ = counted(lambda changes: pair <= changes)
    assert [set(one) for one in search([list(range(16))], appears)] == [pair]


def test_groups_are_tried_one_after_the_other():
    appears, seen = counted(lambda changes: "row" in changes)
    assert search([["a.py", "b.py"], ["row"], ["scipy"]], appears) == [("row",)]
    assert seen[:2] == [frozenset({"a.py", "b.py"}), frozenset({"row"})]


def test_changes_that_only_run_together_are_named_together():
    def rule(changes):  # a function renamed in one file and in its caller
        return None if len(changes & {"caller", "callee"}) == 1 else "callee" in changes

    assert search([["caller", "callee", "other"]], rule) == [("caller", "callee", "other")]
    assert search([["caller", "callee"]], rule) == [("caller", "callee")]


def test_a_mixture_that_does_not_run_does_not_hide_a_culprit():
    def rule(changes):
        return None if 3 in changes and 2 not in changes else 1 in changes

    assert search([[0, 1, 2, 3]], rule) == [(1,)]
    assert search([[3, 0, 2, 1]], rule) == [(1,)]
