"""Which function fits which model: `@fits(Model)` in `calibration/<model>.py` adds the row.

Modules load when their model is first fitted, so that a run's code closure holds only the fit it used.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from research.conventions import check_call, options_in
from research.errors import InputError, rule

F = TypeVar("F", bound=Callable[..., Any])

# model class name: the module of this room that fits it
MODULES: dict[str, str] = {
    "ArbitrageFreeSABR": "arbitrage_free_sabr",
    "Bachelier": "forwards",
    "Bates": "jumps",
    "BlackScholes": "term_structure",
    "BlackTermStructure": "term_structure",
    "CEV": "forwards",
    "DisplacedDiffusion": "forwards",
    "ESSVI": "ssvi",
    "GARCH": "garch",
    "Heston": "heston",
    "LocalStochasticVol": "local_stochastic_vol",
    "LocalVol": "local_vol",
    "Merton": "jumps",
    "MultiAssetBlackScholes": "multi_asset",
    "RoughBergomi": "rough_bergomi",
    "SABR": "sabr",
    "SSVI": "ssvi",
    "SVI": "svi",
    "SVIJumpWings": "svi_forms",
    "SVINatural": "svi_forms",
    "SVISurface": "svi",
    "VarianceGamma": "jumps",
}
ONE_SMILE = {"ArbitrageFreeSABR", "SABR", "SVI", "SVIJumpWings", "SVINatural"}  # fitted to one expiry
SERIES = {"GARCH", "MultiAssetBlackScholes"}  # fitted to a series, which may be a frame
FITS: dict[type, Callable[..., Any]] = {}


def fits(model: type) -> Callable[[F], F]:
    """Register the decorated `function(data, **options) -> Fit` as the fit of `model`."""

    def register(function: F) -> F:
        FITS[model] = function
        return function

    return register


@functools.cache
def option_takers(function: Callable[..., Any]) -> tuple[Callable[..., Any], ...]:
    """Whose signatures say what a fit takes: its own, and that of whom its module hands **options to, OPTIONS_OF."""
    if "options" in inspect.signature(function).parameters:
        module = getattr(inspect.unwrap(function), "__globals__", {})
        return (function, module["OPTIONS_OF"]) if "OPTIONS_OF" in module else (function,)
    return (function,)


def option_names(function: Callable[..., Any]) -> frozenset[str]:
    """Names of a fit's options."""
    return frozenset(name for taker in option_takers(function) for name in options_in(taker))


def checked(model: type, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a fit, each of its kind; refuses unknown names and says which are lacking."""
    return check_call(f"the fit of {model.__name__}", option_takers(fit_function(model)), options)


def fit_function(model: Any) -> Callable[..., Any]:
    """The function that fits `model`; an error that names the known models when there is none."""
    name = getattr(model, "__name__", "")
    if model not in FITS and getattr(model, "__module__", "").startswith("research.models") and name in MODULES:
        importlib.import_module(f"research.calibration.{MODULES[name]}")
    if isinstance(model, type) and model in FITS:
        return FITS[model]
    known = sorted({*MODULES, *(m.__name__ for m in FITS)})
    hint = f"Known models: {', '.join(known)}."
    if not isinstance(model, type):
        hint = f"Pass the class, not an object of it. {hint}"
    raise InputError(rule("model", "be a class with a fit", name or model, hint))
