"""Models as plain data: `to_json(model)` and `model_from_json(terms)`; the type stands beside the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from research.conventions import terms_in
from research.errors import InputError, did_you_mean, require, rule


def to_json(model: Any) -> dict[str, Any]:
    """The type and the parameters of a model; JSON-able.

    Examples
    --------
    >>> from research.models import BlackScholes
    >>> to_json(BlackScholes(sigma=0.2))
    {'type': 'BlackScholes', 'sigma': 0.2}
    """
    name, known = type(model).__name__, _kinds()
    require(known.get(name) is type(model), "model", model, f"be one of {', '.join(known)}")
    return {"type": name} | dict(model.to_json())


def model_from_json(terms: Mapping[str, Any] | str) -> Any:
    """The model back from `to_json`, or from its JSON text; unknown types and parameters are refused by name."""
    terms = terms_in("model", terms)
    name, known = terms.get("type"), _kinds()
    if not isinstance(name, str) or name not in known:
        raise InputError(rule("type", f"be one of {', '.join(known)}", name, did_you_mean(name, known)))
    return known[name].from_json({key: value for key, value in terms.items() if key != "type"})


def _kinds() -> dict[str, Any]:
    """Every model that can be written down, by name."""
    from research import models

    found = {name: getattr(models, name) for name in models.__all__}
    return {name: kind for name, kind in found.items() if isinstance(kind, type) and hasattr(kind, "from_json")}
