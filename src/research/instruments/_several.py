"""What contracts on several underlyings share: names, initial prices, the currency of the payment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from research.errors import require

Fx = Literal["quanto", "compo"]


def check_underlyings(names: Sequence[str], *, least: int = 2) -> None:
    """At least `least` names, all different."""
    require(len(names) >= least, "underlyings", len(names), f"number at least {least}")
    for name in names:
        require(isinstance(name, str) and bool(name), "underlyings", name, "be names")
        require(list(names).count(name) == 1, "underlyings", name, "differ")


def check_initials(initials: tuple[float, ...] | None, n: int) -> None:
    """One positive price an underlying, or None."""
    if initials is not None:
        require(len(initials) == n, "initials", len(initials), f"have one price an underlying, {n}")
        for price in initials:
            require(math.isfinite(price) and price > 0.0, "initials", price, "be finite and > 0")


def check_weights(name: str, weights: tuple[float, ...], n: int) -> None:
    """One finite weight an underlying, not all of them 0."""
    require(len(weights) == n, name, len(weights), f"have one number an underlying, {n}")
    for weight in weights:
        require(math.isfinite(weight), name, weight, "be finite")
    require(any(weight != 0.0 for weight in weights), name, 0.0, "not all be 0")


def check_fx(fx: str | None) -> None:
    """What happens to a price in another currency."""
    require(fx in (None, "quanto", "compo"), "fx", fx, "be 'quanto', 'compo' or None",
            hint="quanto: the number is paid in the payment currency; compo: the price is converted.")  # fmt: skip
