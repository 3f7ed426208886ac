"""What a line of the catalogue cannot say: terms of a contract that an engine for its kind has no way to price.

`methods` leaves such engines out, `price` finds the same by the engine's own refusal. A limit that depends on the
market (a curve that is not flat, a strike beyond the grid) stays with the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from research.pricing.catalogue import Engine, abilities

Limit = Callable[[Any, Any], bool]  # contract, model: can it be priced?


def _two(item: Any, model: Any) -> bool:
    return len(getattr(item, "underlyings", (None, None))) == 2


def _not_below_zero(item: Any, model: Any) -> bool:
    return bool(item.strike >= 0.0)


def _independent(item: Any, model: Any) -> bool:
    """No bounds on the sum of a cliquet, or returns that know nothing of each other."""
    from research.pricing._returns import is_independent

    free = getattr(item, "global_floor", None) is None and getattr(item, "global_cap", None) is None
    return free or len(item.resets) == 1 or is_independent(model)


def _mean_of_any_sign(item: Any, model: Any) -> bool:
    """A geometric average asks for prices above 0."""
    return getattr(item, "average", "") != "geometric" or "normal" not in abilities(model)


LIMITS: dict[tuple[str, str], Limit] = {  # by module of the engine and method
    ("asian", "analytic"): lambda item, model: item.average == "geometric",
    ("normal", "analytic"): _mean_of_any_sign,
    ("paths.engine", "paths"): _mean_of_any_sign,
    ("quadrature", "quadrature"): lambda item, model: not getattr(item, "memory", False),
    ("cosine_barriers", "cosine"): lambda item, model: item.n_monitoring is not None,
    ("forward_start", "convolution"): _independent,
    ("corridor_variance", "replication"): lambda item, model: item.n_observations is None,
    ("linear", "margrabe"): lambda item, model: getattr(item, "strike", 0.0) == 0.0,
    ("linear", "quadrature"): _two,
    ("linear", "kirk"): _not_below_zero,
    ("linear", "bjerksund_stensland"): _not_below_zero,
}


def within(engine: Engine, item: Any, model: Any) -> bool:
    """Whether an engine for contracts of this kind can price one of these terms."""
    limit = LIMITS.get((engine.module, engine.method))
    return limit is None or limit(item, model)
