"""Which of many changes brings a difference? Delta debugging (Zeller and Hildebrandt 2002) over sets of changes.

`appears(changes)` runs with these changes and no others, and says whether the difference shows; None when that mixture
cannot be judged (it does not run). Nothing here knows what a change is.

References
----------
Zeller, A. and Hildebrandt, R. (2002), Simplifying and Isolating Failure-Inducing Input, IEEE TSE 28(2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
Appears = Callable[[frozenset[T]], bool | None]
MAX_FINDINGS = 3


def search(groups: Sequence[Sequence[T]], appears: Appears[T]) -> list[tuple[T, ...]]:
    """The smallest sets of changes that bring the difference, one tuple each; several only when they are independent.

    A tuple of more than one change means that they bring it together, or that they could not be told apart.

    Parameters
    ----------
    groups : lists of changes
        Each group is tried as a whole first, in this order.
    """
    left = [list(group) for group in groups if group]
    found: list[tuple[T, ...]] = []
    while left and len(found) < MAX_FINDINGS:
        one = _one(left, appears, assumed=not found)
        if one is None:
            break
        found.append(one)
        left = [rest for group in left if (rest := [change for change in group if change not in one])]
    return found


def _one(groups: list[list[T]], appears: Appears[T], *, assumed: bool) -> tuple[T, ...] | None:
    """One smallest set; None when what is left brings no difference."""
    everything = [change for group in groups for change in group]
    if len(groups) > 1:
        for group in groups:
            if appears(frozenset(group)):
                return _narrow(group, frozenset(), appears)
    if assumed or appears(frozenset(everything)):
        return _narrow(everything, frozenset(), appears)
    return None


def _narrow(changes: list[T], context: frozenset[T], appears: Appears[T]) -> tuple[T, ...]:
    """The least of `changes` that brings the difference on top of `context`, which does not bring it."""
    if len(changes) == 1:
        return (changes[0],)
    half = len(changes) // 2
    left, right = changes[:half], changes[half:]
    by_left = appears(context | set(left))
    if by_left:
        return _narrow(left, context, appears)
    by_right = appears(context | set(right))
    if by_right:
        return _narrow(right, context, appears)
    if by_left is None or by_right is None:
        for change in changes if len(changes) > 2 else ():
            if appears(context | {change}):
                return (change,)
        return tuple(changes)
    return (*_narrow(left, context | set(right), appears), *_narrow(right, context | set(left), appears))
