"""`price(instrument, model, snapshot, method=...) -> Price`: one verb; the engine is found by what the model can do."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from research.arrays import Float1D
from research.errors import NoEngineError, require
from research.instruments import European
from research.market import Snapshot

# method: what it needs of a model, the first that fits is "auto"
ENGINES: dict[str, str] = {"analytic": "implied_vol", "fourier": "characteristic_function"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Price:
    """The value of one instrument (floats) or of several (arrays of shape (n,)), and how it was found."""

    value: Any  # price units, present value
    std_error: Any  # price units, of a simulation; 0 for a deterministic method
    error: Any  # price units: estimate of the largest numerical error
    method: str  # "analytic" or "fourier"
    model: str  # name of the model's class

    def __float__(self) -> float:
        return float(self.value)

    def __repr__(self) -> str:
        if np.ndim(self.value):
            n, error = np.size(self.value), np.max(self.error)
            return f"Price({n} values by {self.method} under {self.model}, error <= {error:.1e})"
        return f"Price({self.value:.10g} by {self.method} under {self.model}, error <= {self.error:.1e})"


def abilities(model: Any) -> frozenset[str]:
    """What a model declares that it can do."""
    return frozenset(getattr(model, "abilities", ()))


def engines_for(model: Any) -> list[str]:
    """The methods that can price under `model`."""
    return [name for name, need in ENGINES.items() if need in abilities(model)]


def price(instruments: European | Sequence[European], model: Any, snapshot: Snapshot, *, method: str = "auto") -> Price:
    """Present value of European options under a model, with the snapshot's forwards and discount factors.

    Parameters
    ----------
    instruments : European or sequence of European
    model : an object with `abilities`, e.g. Heston or SVISurface
    snapshot : Snapshot
    method : "auto", "analytic" or "fourier", default "auto"
        "auto" takes the first that the model allows.

    Returns
    -------
    Price
        Floats for one instrument, arrays for a sequence.

    Raises
    ------
    NoEngineError
        When the model cannot do what the method needs; names the methods it allows.
    """
    name = _choose(model, method)
    one = isinstance(instruments, European)
    items: list[European] = [instruments] if one else list(instruments)  # type: ignore[list-item, arg-type]
    require(len(items) > 0, "instruments", items, "hold at least one instrument")
    for item in items:
        if not isinstance(item, European):
            what = type(item).__name__
            raise NoEngineError(f"'{name}' prices European options; got {what}. Available for {what}: none.")
    strike = np.array([item.strike for item in items])
    tau = np.array([item.years(snapshot.as_of) for item in items])
    is_call = np.array([item.is_call for item in items])
    value, error = _run(name, model, snapshot, strike, tau, is_call)
    if one:
        return Price(value=float(value[0]), std_error=0.0, error=float(error[0]), method=name, model=_name(model))
    return Price(value=value, std_error=np.zeros_like(value), error=error, method=name, model=_name(model))


def _run(
    name: str, model: Any, snapshot: Snapshot, strike: Float1D, tau: Float1D, is_call: Any
) -> tuple[Float1D, Float1D]:
    engine = importlib.import_module(f"research.pricing.{name}")
    forward = snapshot.forward(tau)
    value, error = engine.price_with_error(model, forward, strike, tau, df=snapshot.discount.df(tau), is_call=is_call)
    return value, error


def _name(model: Any) -> str:
    return model.__name__ if isinstance(model, type) else type(model).__name__


def _choose(model: Any, method: str) -> str:
    """The engine's name, or NoEngineError."""
    able = engines_for(model)
    available = f"Available: {', '.join(map(repr, able)) or 'none'}."
    if method == "auto":
        if not able:
            raise NoEngineError(f"{_name(model)} has none of {', '.join(ENGINES.values())}. {available}")
        return able[0]
    require(method in ENGINES, "method", method, f"be 'auto' or one of {', '.join(map(repr, ENGINES))}", hint=available)
    if method not in able:
        raise NoEngineError(f"{_name(model)} has no {ENGINES[method]}, needed by '{method}'. {available}")
    return method
