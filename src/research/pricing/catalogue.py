"""Which engine prices what: one line an engine, a contract and what it needs of the model.

The first line that fits is what `method="auto"` takes, so the most accurate for its cost stands first. A module here
has `value(items, model, snapshot, **options) -> Values`; it is imported when it is used.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from research.arrays import Float1D


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """What an engine gives for n contracts; arrays of shape (n,), price units."""

    value: Float1D  # present value; nan where the contract could not be priced
    std_error: Float1D  # of a simulation; 0 for a deterministic method
    error: Float1D  # estimate of the largest numerical error


@dataclass(frozen=True, slots=True)
class Engine:
    """One numerical method for one contract."""

    method: str  # "fourier"
    contract: str  # class name in research.instruments
    needs: str  # ability of the model
    module: str  # under research.pricing
    error: str  # what to expect, in words with a number
    cost: str  # on one core, measured by benchmarks/
    why: str  # when it is the right choice
    function: str = "value"

    def load(self) -> Callable[..., Values]:
        """The engine's function."""
        found: Callable[..., Values] = getattr(
            importlib.import_module(f"research.pricing.{self.module}"), self.function
        )
        return found


CATALOGUE: tuple[Engine, ...] = (
    Engine("analytic", "European", "implied_vol", "analytic", "4e-16 of the larger of forward and strike",
           "0.1 us an option", "Black's formula at the model's own implied vol"),
    Engine("analytic", "European", "implied_vol_at", "analytic", "4e-16 of the larger of forward and strike",
           "0.2 us an option", "Black's formula at the model's own implied vol of this forward", "value_at"),
    Engine("fourier", "European", "characteristic_function", "fourier", "bound given with each price, at most 1e-10",
           "0.5 us an option in a grid", "Lewis' integral on a tilted contour"),
    Engine("cosine", "European", "real_characteristic_function", "cosine", "stated with each price, 1e-11 when smooth",
           "5 us an option in a smile", "Fourier cosine series, for any characteristic function"),
    Engine("analytic", "Barrier", "lognormal", "barrier", "1e-14 of spot; watched n times: of order 1/n",
           "50 us an option", "Reiner and Rubinstein's closed forms", "barriers"),
    Engine("analytic", "Touch", "lognormal", "barrier", "1e-14 of the amount",
           "50 us a contract", "Reiner and Rubinstein's closed forms", "touches"),
    Engine("analytic", "Digital", "lognormal", "barrier", "1e-14 of the amount",
           "0.1 us an option in a batch", "the probability in Black's formula", "digitals"),
    Engine("spectral", "American", "lognormal", "american", "bound given with each price, at most 1e-8 of the strike",
           "0.1 ms an option, a chain shares its boundary", "collocation of the exercise boundary"),
    Engine("pde", "American", "lognormal", "pde", "stated with each price, about 1e-6 of the strike at 200 x 100",
           "0.5 ms an option at 200 x 100", "the whole curve, cash dividends, rates of any sign"),
    Engine("pde", "European", "lognormal", "pde", "stated with each price, about 1e-6 of the strike at 200 x 100",
           "0.5 ms an option at 200 x 100", "cash dividends"),
    Engine("pde", "Barrier", "lognormal", "pde", "stated with each price, about 1e-6 of the strike at 200 x 100",
           "0.5 ms an option at 200 x 100", "the whole curve, cash dividends; watched at every moment"),
    Engine("lattice", "Bermudan", "lognormal", "lattice", "about 3e-4 of the strike at 501 steps, falls with 1/n",
           "0.4 ms an option at 501 steps", "a tree that meets the strike, exercise on given days"),
    Engine("lattice", "American", "lognormal", "lattice", "about 1e-5 of the strike at 501 steps, falls with 1/n",
           "0.4 ms an option at 501 steps", "a tree that meets the strike, rates of any sign"),
    Engine("lattice", "European", "lognormal", "lattice", "about 1e-7 of the strike at 501 steps, falls with 1/n^2",
           "0.4 ms an option at 501 steps", "a tree that meets the strike, to check others"),
    Engine("monte_carlo", "Asian", "lognormal", "monte_carlo", "a standard error of choice; geometric ones exact",
           "1 ms at 1 bp", "Sobol' paths with the geometric average as control"),
    *(Engine("monte_carlo", contract, "lognormal", "monte_carlo", "a standard error of choice",
             "20 ms at 1 bp for a snowball", "Sobol' paths, daily barriers filled in where they can be reached")
      for contract in ("Autocallable", "Phoenix", "SharkFin", "RangeAccrual", "DoubleNoTouch", "Airbag",
                       "StructuredDeposit")),
    *(Engine("quadrature", contract, "lognormal", "quadrature", "stated with each price, about 1e-6 of the notional",
             "0.1 s for a note of a year watched daily", "no sampling error, to check others; notes without memory")
      for contract in ("Autocallable", "Phoenix", "SharkFin", "RangeAccrual", "DoubleNoTouch", "Airbag",
                       "StructuredDeposit")),
    Engine("longstaff_schwartz", "American", "lognormal", "longstaff_schwartz", "a standard error, and an upper bound",
           "10 ms for 10,000 paths and 50 dates", "exercise rule by regression, its value on fresh paths"),
)  # fmt: skip


def abilities(model: Any) -> frozenset[str]:
    """What a model declares that it can do."""
    return frozenset(getattr(model, "abilities", ()))


def engines_for(contract: Any, model: Any) -> list[Engine]:
    """The engines that can price this contract under this model, best first."""
    kind = contract if isinstance(contract, str) else type(contract).__name__
    return [e for e in CATALOGUE if e.contract == kind and e.needs in abilities(model)]
