"""What other libraries and books call a term: the hint for whoever writes it by habit.

>>> known_as("option_type", ("strike", "tau", "is_call"))
'Write is_call=True for a call, is_call=False for a put.'
>>> known_as("maturity", ("strike", "tau", "is_call"))
'Here it is tau.'
"""

from __future__ import annotations

from collections.abc import Iterable

_CALL = "is_call=True for a call, is_call=False for a put"
_SYNONYMS: dict[str, tuple[str, ...]] = {  # our name, and others' in small letters
    "is_call": ("option_type", "type", "right", "cp", "flag", "call_put", "callput", "put", "is_put", "option", "phi"),
    "tau": ("t", "ttm", "maturity", "time", "time_to_maturity", "time_to_expiry", "years", "tenor"),
    "expiry": ("expiration", "maturity_date", "expiry_date", "expiration_date", "date"),
    "strike": ("k", "x", "exercise", "exercise_price"),
    "sigma": ("vol", "volatility", "iv", "implied_vol"),
    "vols": ("sigma", "sigmas", "vol", "volatilities"),
    "fixings": ("observations", "dates", "schedule", "fixing_dates", "times", "n_fixings"),
    "observations": ("fixings", "dates", "schedule", "observation_dates", "times"),
    "barrier": ("h", "level", "b", "barrier_level"),
    "knock": ("barrier_type", "in_out", "inout", "knock_type"),
    "knock_out": ("ko", "call_level", "autocall_barrier", "upper"),
    "knock_in": ("ki", "protection", "put_barrier", "lower"),
    "initial": ("s0", "spot", "reference", "initial_level", "initial_spot"),
    "notional": ("nominal", "principal", "amount", "face"),
    "rho": ("correlation", "corr"),
    "correlation": ("rho", "corr", "correlations"),
    "kappa": ("mean_reversion", "speed"),
    "theta": ("long_variance", "long_run_variance", "vbar"),
    "v0": ("initial_variance", "variance"),
    "hurst": ("h",),
}


def known_as(name: str, known: Iterable[str]) -> str:
    """The hint at the term that `name` means elsewhere; empty where it means none of the known ones."""
    ours = [own for own in known if name.lower() in _SYNONYMS.get(own, ())]
    if ours == ["is_call"]:
        return f"Write {_CALL}."
    return f"Here it is {' or '.join(ours)}." if ours else ""
