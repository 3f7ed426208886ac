"""Which engine prices what: one line an engine, a contract and what it needs of the model.

The first line that fits is what `method="auto"` takes, so the most accurate for its cost stands first. A module here
has `value(items, model, snapshot, **options) -> Values`; it is imported when it is used.
"""

from __future__ import annotations

import functools
import importlib
import sys
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
        name = f"research.pricing.{self.module}"
        found: Callable[..., Values] | None = getattr(sys.modules.get(name), self.function, None)
        return found or getattr(importlib.import_module(name), self.function)  # type: ignore[no-any-return]


CATALOGUE: tuple[Engine, ...] = (
    Engine("analytic", "European", "implied_vol", "analytic", "4e-16 of the larger of forward and strike",
           "1 us an option in a list", "Black's formula at the model's own implied vol"),
    Engine("analytic", "European", "implied_vol_at", "analytic", "4e-16 of the larger of forward and strike",
           "0.2 us an option", "Black's formula at the model's own implied vol of this forward", "value_at"),
    Engine("analytic", "European", "closed_form", "analytic", "1e-14 of the larger of forward and strike",
           "0.5 us an option, 20 us under CEV", "the model's own closed form", "value_closed"),
    Engine("analytic", "European", "black_mixture", "mixtures", "stated with each price, about 1e-14 of the forward",
           "10 us an option in a smile, 40 us on a clock", "Black prices mixed over the jumps or the gamma clock"),
    Engine("fourier", "European", "characteristic_function", "fourier", "bound given with each price, at most 1e-10",
           "1 us an option in a grid", "Lewis' integral on a tilted contour"),
    Engine("fourier", "European", "heston_mixture", "bates", "bound given with each price, at most 1e-10",
           "30 us an option in a smile", "Heston's integral for each number of jumps"),
    Engine("cosine", "European", "real_characteristic_function", "cosine", "bounded with each price, 1e-12 when smooth",
           "5 us an option in a smile", "Fourier cosine series, for any characteristic function"),
    Engine("monte_carlo", "European", "rough_paths", "rough_bergomi", "a standard error; of vol about 5 bp by the grid",
           "50 ms for 2^14 pairs of 128 steps", "Black's formula given the variance path, a timer option as control"),
    Engine("analytic", "Barrier", "lognormal", "barrier", "1e-14 of spot; n looks: 1e-12, over 100 of order 1/n^2",
           "50 us an option", "Reiner and Rubinstein's closed forms", "barriers"),
    Engine("analytic", "Touch", "lognormal", "barrier", "1e-14 of the amount; n looks: 1e-12, over 100 of order 1/n^2",
           "50 us a contract", "Reiner and Rubinstein's closed forms", "touches"),
    Engine("analytic", "DoubleBarrier", "lognormal", "double_barrier", "2e-14 of spot; watched n times: 1e-12",
           "50 us an option in a batch; 5 us a look", "images or eigenfunctions, whichever falls faster", "options"),
    Engine("analytic", "DoubleTouch", "lognormal", "double_barrier", "2e-14 of the amount; n looks: 1e-12",
           "20 us a contract in a batch; 5 us a look", "images or eigenfunctions, whichever falls faster", "touches"),
    *(Engine("cosine", contract, needs, "cosine_barriers", "bounded with each price, 1e-11 when smooth",
             "10 ms for 50 looks", "each of the n looks by a Fourier cosine series", function)
      for needs in ("deterministic_vol", "black_mixture")
      for contract, function in (("DoubleBarrier", "barriers"), ("DoubleTouch", "double_touches"))),
    Engine("analytic", "PartialBarrier", "lognormal", "partial_barrier", "1e-13 of spot; watched n times: 1e-12",
           "10 us an option in a batch; 20 us a look", "Heynen and Kat's bivariate probabilities"),
    Engine("analytic", "Lookback", "lognormal", "lookback", "1e-13 of spot; n looks: 1e-12",
           "4 us an option in a batch; 10 us a look",
           "Goldman, Sosin and Gatto's and Conze and Viswanathan's closed forms"),
    *(Engine("replication", "Lookback", needs, "lookback_touches", "stated with each price, about 1e-5 of spot",
             "0.3 s an option", "a strip of touches on a grid, one for each level that the extreme may pass")
      for needs in ("local_vol", "normal", "stochastic_variance")),
    Engine("analytic", "PartialLookback", "lognormal", "lookback", "1e-12 of spot",
           "1 ms an option", "one integral over the price at the switch", "partial"),
    Engine("analytic", "Digital", "deterministic_vol", "barrier", "1e-14 of the amount",
           "1 us an option in a list", "the probability in Black's formula", "digitals"),
    *(Engine("analytic", contract, "normal", "normal", "1e-14 of the price", "1 us an option in a batch",
             "normal prices, strikes of any sign", function)
      for contract, function in (("Digital", "digitals"), ("Asian", "asians"))),
    *(Engine("analytic", "Digital", needs, "static", "stated with each price, 1e-11 when smooth",
             "1 ms an option", "the probability of the model's own smile", "digitals")
      for needs in ("implied_vol", "implied_vol_at", "terminal_law", "real_characteristic_function")),
    *(Engine("analytic", contract, needs, "static", "stated with each price, 1e-11 when smooth",
             "1 ms a contract", "the model's own options and probabilities", function)
      for contract, function in (("Gap", "gaps"), ("Supershare", "supershares"), ("Power", "powers"),
                                 ("LogContract", "logs"))
      for needs in ("implied_vol", "implied_vol_at", "terminal_law", "real_characteristic_function")),
    Engine("analytic", "Compound", "deterministic_vol", "compound", "1e-14 of spot and strikes",
           "8 us an option in a batch", "Geske's closed form, with the whole curve"),
    Engine("analytic", "Chooser", "deterministic_vol", "compound", "1e-14 of spot and strikes",
           "10 us an option in a batch", "Rubinstein's closed form, with the whole curve", "choosers"),
    Engine("analytic", "ForwardStart", "deterministic_vol", "forward_start", "1e-14 of spot",
           "5 us an option in a batch", "Black's formula for the return"),
    Engine("fourier", "ForwardStart", "real_characteristic_function", "forward_start",
           "stated with each price, 1e-11 when smooth", "5 ms an option", "the forward characteristic function"),
    Engine("convolution", "Cliquet", "deterministic_vol", "forward_start",
           "stated with each price, 1e-8 of the notional", "0.1 s with bounds on the sum, 1 ms without",
           "the law of each return, convolved", "cliquets"),
    Engine("convolution", "Cliquet", "real_characteristic_function", "forward_start",
           "stated with each price", "1 s with bounds on the sum", "the law of each return, convolved", "cliquets"),
    Engine("analytic", "Quanto", "lognormal_cross_currency", "cross_currency", "1e-15 of the forward",
           "1 us an option in a batch", "Black's formula for the forward in another measure", "quantos"),
    Engine("analytic", "Compo", "lognormal_cross_currency", "cross_currency", "1e-15 of the forward",
           "1 us an option in a batch", "Black's formula for the product", "compos"),
    *(Engine("analytic", "VarianceSwap", needs, "variance", "1e-14; n observations: 1e-13",
             "0.1 ms a swap; 0.1 ms an observation", "the model's expected quadratic variation")
      for needs in ("deterministic_vol", "real_characteristic_function")),
    *(Engine("replication", "VarianceSwap", needs, "variance", "stated with each price, about 1e-12 of variance",
             "5 ms a swap", "Carr and Madan's integral of options, for continuous paths", "replicated")
      for needs in ("implied_vol", "implied_vol_at", "terminal_law", "characteristic_function")),
    *(Engine("replication", "CorridorVarianceSwap", needs, "corridor_variance",
             "stated with each price, about 1e-10", "5 ms a swap, 0.1 s with carry",
             "options inside the corridor, for continuous paths")
      for needs in ("implied_vol", "implied_vol_at", "characteristic_function")),
    *(Engine("analytic", "GammaSwap", needs, "gamma_swap", "1e-13; n observations: 1e-9",
             "0.2 ms a swap; 0.1 ms an observation", "a variance under the share measure")
      for needs in ("deterministic_vol", "real_characteristic_function")),
    *(Engine("replication", "GammaSwap", needs, "gamma_swap", "stated with each price, about 1e-10 of variance",
             "5 ms a swap, 50 ms with carry", "options, for continuous paths", "replicated")
      for needs in ("implied_vol", "implied_vol_at", "characteristic_function")),
    *(Engine("analytic", "VolatilitySwap", needs, "variance", "1e-13",
             "1 ms a swap", "the Laplace transform of the variance", "volatility_swaps")
      for needs in ("deterministic_vol", "real_characteristic_function")),
    *(Engine("analytic", "DualCurrencyDeposit", needs, "dual_currency", "stated with each price",
             "0.1 ms a deposit", "a bond and an option at the model's own smile")
      for needs in ("implied_vol", "implied_vol_at", "terminal_law", "real_characteristic_function")),
    Engine("spectral", "American", "lognormal", "american", "bound given with each price, at most 1e-8 of the strike",
           "0.1 ms an option, a chain shares its boundary", "collocation of the exercise boundary"),
    *(Engine("cosine", "Bermudan", needs, "cosine_dates", "bounded with each price, 1e-11 when smooth",
             "10 ms for 10 dates, all strikes", "each exercise day by a Fourier cosine series", "bermudans")
      for needs in ("deterministic_vol", "black_mixture")),
    Engine("cosine", "American", "black_mixture", "cosine_dates", "stated with each price, 1e-6 of the strike",
           "0.1 s, all strikes", "extrapolated from Bermudans by Fourier cosine series", "americans"),
    *(Engine("cosine", "Barrier", needs, "cosine_barriers", "bounded with each price, 1e-11 when smooth",
             "10 ms for 50 looks", "each of the n looks by a Fourier cosine series", "barriers")
      for needs in ("deterministic_vol", "black_mixture")),
    *(Engine("pde", contract, needs, "pde", "stated with each price, about 1e-6 of the amount at 400 x 200",
             "20 ms a contract", why)
      for needs, why in (("local_vol", "local variance at each node and step, cash dividends"),
                         ("lognormal", "cash dividends, to check others"))
      for contract in ("Gap", "Supershare", "Power", "LogContract", "Compound", "Chooser")),
    *(Engine("adi", contract, "stochastic_variance", "adi", "stated with each price, about 1e-5 of the amount",
             "50 ms a contract", "finite differences in spot and variance, cash dividends")
      for contract in ("Gap", "Supershare", "Power", "LogContract", "Compound", "Chooser")),
    *(Engine("adi", contract, "stochastic_variance_jumps", "adi", "stated with each price, about 1e-5 of the amount",
             "0.1 s a contract", "finite differences in spot and variance, jumps explicit, cash dividends")
      for contract in ("Gap", "Supershare", "Power", "LogContract", "Compound", "Chooser", "European", "American",
                       "Barrier", "Digital", "Touch", "DoubleBarrier", "DoubleTouch", "PartialBarrier", "Bermudan")),
    Engine("pde", "American", "lognormal", "pde", "stated with each price, about 1e-6 of the strike at 200 x 100",
           "0.5 ms an option at 200 x 100", "the whole curve, cash dividends, rates of any sign"),
    Engine("pde", "European", "lognormal", "pde", "stated with each price, about 1e-6 of the strike at 200 x 100",
           "0.5 ms an option at 200 x 100", "cash dividends"),
    Engine("pde", "Barrier", "lognormal", "pde", "stated with each price, about 1e-6 of the strike at 200 x 100",
           "0.5 ms an option at 200 x 100", "the whole curve, cash dividends; watched at every moment"),
    *(Engine("pde", contract, "local_vol", "pde", "stated with each price, about 1e-5 of the strike at 200 x 100",
             "1 ms an option at 200 x 100", "local variance at each node and step, cash dividends")
      for contract in ("European", "American", "Barrier", "Digital", "Touch", "DoubleBarrier", "DoubleTouch")),
    *(Engine("pde", contract, "lognormal", "pde", "stated with each price, about 1e-6 at 200 x 100",
             "0.5 ms a contract at 200 x 100", "the whole curve, cash dividends, to check others")
      for contract in ("Digital", "Touch", "DoubleBarrier", "DoubleTouch")),
    *(Engine("pde", contract, "local_vol", "pde", "stated with each price, about 1e-6 of the strike at 400 x 200",
             "20 ms a contract, 0.2 s where it is watched daily", "dates are nodes of the grid, levels too")
      for contract in ("PartialBarrier", "Bermudan")),
    *(Engine("adi", contract, "stochastic_variance", "adi", "stated with each price, about 1e-5 of the strike",
             "3 ms an expiry and kind at 100 x 50 x 50", "finite differences in spot and variance, cash dividends")
      for contract in ("European", "American", "Barrier", "Digital", "Touch", "DoubleBarrier", "DoubleTouch",
                       "PartialBarrier", "Bermudan")),
    *(Engine("pde", contract, "lognormal", "pde", "stated with each price, about 1e-6 of the strike at 400 x 200",
             "20 ms a contract", "the whole curve; dates are nodes of the grid, levels too")
      for contract in ("Bermudan", "PartialBarrier")),
    Engine("lattice", "Bermudan", "deterministic_vol", "lattice",
           "about 3e-4 of the strike at 501 steps, falls with 1/n", "0.4 ms an option at 501 steps",
           "a tree that meets the strike, exercise on given days"),
    Engine("lattice", "American", "deterministic_vol", "lattice",
           "about 1e-5 of the strike at 501 steps, falls with 1/n", "0.4 ms an option at 501 steps",
           "a tree that meets the strike, rates of any sign"),
    Engine("lattice", "European", "deterministic_vol", "lattice",
           "about 1e-7 of the strike at 501 steps, falls with 1/n^2", "0.4 ms an option at 501 steps",
           "a tree that meets the strike, to check others"),
    Engine("cosine", "American", "deterministic_vol", "cosine_dates", "stated with each price, 1e-6 of the strike",
           "0.1 s, all strikes", "extrapolated from Bermudans by Fourier cosine series, to check others", "americans"),
    Engine("monte_carlo", "Asian", "deterministic_vol", "monte_carlo",
           "a standard error of choice; geometric ones exact", "1 ms at 1 bp",
           "Sobol' paths with the geometric average as control"),
    Engine("analytic", "Asian", "deterministic_vol", "asian", "1e-14 of spot; geometric averages only",
           "0.1 ms an option", "the geometric average is lognormal"),
    Engine("analytic", "DoubleNoTouch", "lognormal", "double_barrier", "1e-12 of the notional",
           "5 us a look", "day by day between the barriers", "deposits"),
    *(Engine("monte_carlo", contract, "deterministic_vol", "monte_carlo", "a standard error of choice",
             "0.1 s at 1 bp for a snowball", "Sobol' paths, daily barriers filled in where they can be reached")
      for contract in ("Autocallable", "Phoenix", "SharkFin", "RangeAccrual", "DoubleNoTouch", "Airbag",
                       "StructuredDeposit")),
    *(Engine("margrabe", contract, "multi_lognormal", "linear", "4e-16 of the larger leg",
             "30 us an option", "Margrabe's formula", "margrabe")
      for contract in ("Exchange", "Outperformance")),
    *(Engine("quadrature", contract, "multi_lognormal", "linear", "stated with each price, 1e-14 of the legs",
             "70 us an option", "exact for two assets: one lognormal given the other", "quadrature")
      for contract in ("Exchange", "Outperformance", "Spread", "Basket")),
    *(Engine(method, contract, "multi_lognormal", "linear", error, "0.3 ms an option", why, method)
      for contract in ("Outperformance", "Spread")
      for method, error, why in (
          ("bjerksund_stensland", "stated: the distance to the exact value, 1e-3", "a lower bound in closed form"),
          ("kirk", "stated: the distance to the exact value, about 1e-2 of it", "what desks quote with"))),
    *(Engine("analytic", contract, "multi_lognormal", "rainbow", "1e-13 for two or three assets, else a standard error",
             "1 ms for two assets, 50 ms for four", "Stulz' and Johnson's formulas")
      for contract in ("BestOf", "WorstOf")),
    *(Engine("analytic", contract, "multi_lognormal", "quanto", "1e-15 of the larger of forward and strike",
             "50 us an option", "Black's formula, quanto drift or compo vol") for contract in ("Quanto", "Compo")),
    *(Engine("monte_carlo", contract, "multi_lognormal", "multi_asset", "a standard error of choice",
             "10 ms at 1 bp", "Sobol' points on principal components")
      for contract in ("Basket", "Rainbow", "WorstOfNote", "BestOf", "WorstOf", "Spread", "Exchange",
                       "Outperformance")),
    Engine("moment_matching", "Basket", "multi_lognormal", "linear", "stated: the distance to a simulation",
           "5 ms an option", "a shifted lognormal of the same three moments, to check others", "moment_matching"),
    *(Engine("pde", contract, "normal", "pde", "stated with each price, about 1e-5 of the strike",
             "5 ms a grid, notes 0.2 s", "a grid in the price itself, of any sign")
      for contract in ("American", "Bermudan", "European", "Digital", "Barrier", "Touch", "DoubleBarrier",
                       "DoubleTouch", "PartialBarrier", "Gap", "Supershare", "Compound", "Chooser",
                       "Autocallable", "Phoenix", "SharkFin", "RangeAccrual", "DoubleNoTouch", "Airbag",
                       "StructuredDeposit")),
    *(Engine("pde", contract, "local_vol", "pde", "stated with each price, about 1e-6 of the notional",
             "0.2 s for a note of a year watched daily", "no sampling error")
      for contract in ("Autocallable", "Phoenix", "SharkFin", "RangeAccrual", "DoubleNoTouch", "Airbag",
                       "StructuredDeposit")),
    *(Engine("adi", contract, "stochastic_variance", "adi", "stated with each price, about 1e-5 of the notional",
             "2 s for a note of a year watched daily", "no sampling error")
      for contract in ("Autocallable", "Phoenix", "SharkFin", "RangeAccrual", "DoubleNoTouch", "Airbag",
                       "StructuredDeposit")),
    *(Engine("quadrature", contract, "deterministic_vol", "quadrature",
             "stated with each price, about 1e-6 of the notional", "0.1 s for a note of a year watched daily",
             "no sampling error, to check others; notes without memory")
      for contract in ("Autocallable", "Phoenix", "SharkFin", "RangeAccrual", "DoubleNoTouch", "Airbag",
                       "StructuredDeposit")),
    *(Engine("pde", contract, "lognormal", "pde", "stated with each price, about 1e-6 of the notional",
             "0.2 s for a note of a year watched daily", "the whole curve, cash dividends, no sampling error")
      for contract in ("Autocallable", "Phoenix", "SharkFin", "RangeAccrual", "DoubleNoTouch", "Airbag",
                       "StructuredDeposit")),
    *(Engine("paths", contract, "paths", "paths.engine", "a standard error of choice, and the scheme's bias",
             "0.1 to 2 s at 1 bp", "a payoff on blocks of paths, for any model that has paths")
      for contract in ("Asian", "Autocallable", "Phoenix", "SharkFin", "RangeAccrual", "DoubleNoTouch", "Airbag",
                       "StructuredDeposit", "Composed", "Barrier", "Touch", "Digital", "European", "DoubleBarrier",
                       "DoubleTouch", "PartialBarrier", "Lookback", "PartialLookback", "Gap", "Power", "Supershare",
                       "LogContract", "ForwardStart", "Cliquet", "VarianceSwap", "VolatilitySwap",
                       "CorridorVarianceSwap", "GammaSwap", "DualCurrencyDeposit")),
    *(Engine("adi", contract, "stochastic_variance_jumps", "adi", "stated with each price, about 1e-5 of the notional",
             "5 s for a note of a year watched daily", "no sampling error, to check others")
      for contract in ("Autocallable", "Phoenix", "SharkFin", "RangeAccrual", "DoubleNoTouch", "Airbag",
                       "StructuredDeposit")),
    *(Engine("paths", contract, "paths_any_sign", "paths.engine", "a standard error of choice",
             "0.1 to 2 s at 1 bp", "a payoff on blocks of paths, prices below 0 too")
      for contract in ("European", "Digital", "Asian", "Barrier", "Touch", "DoubleBarrier", "DoubleTouch",
                       "PartialBarrier", "Lookback", "PartialLookback", "Gap", "Supershare", "ForwardStart",
                       "Autocallable", "Phoenix", "SharkFin", "RangeAccrual", "DoubleNoTouch", "Airbag",
                       "StructuredDeposit", "Composed")),
    *(Engine("paths", contract, "real_characteristic_function", "paths.engine",
             "a standard error of choice, and 1e-5 of the spot", "0.2 s",
             "the option on the first day by the model's own series") for contract in ("Compound", "Chooser")),
    *(Engine("monte_carlo", contract, "rough_paths", "rough_compound", "a standard error, two bounds, the grid's bias",
             "3 s for 2,048 pairs of 64 paths", "paths within paths: the variance remembers its past")
      for contract in ("Compound", "Chooser")),
    Engine("longstaff_schwartz", "American", "lognormal", "longstaff_schwartz", "a standard error, and an upper bound",
           "20 ms for 10,000 paths and 50 dates, 0.1 s with the upper bound",
           "exercise rule by regression, its value on fresh paths"),
    *(Engine("longstaff_schwartz", contract, needs, "paths.exercise", "a standard error, and an upper bound",
             "1 s for 10,000 paths and 50 dates", "exercise rule by regression, for any model that has paths")
      for contract in ("American", "Bermudan") for needs in ("paths", "paths_any_sign")),
)  # fmt: skip


def abilities(model: Any) -> frozenset[str]:
    """What a model declares that it can do."""
    return frozenset(getattr(model, "abilities", ()))


def engines_for(contract: Any, model: Any) -> list[Engine]:
    """The engines that can price this contract under this model, best first."""
    kind = contract if isinstance(contract, str) else type(contract).__name__
    able = abilities(model)
    return [e for e in lines_of(kind) if e.needs in able]


@functools.cache
def lines_of(kind: str) -> tuple[Engine, ...]:
    """All engines of one class of contracts, best first."""
    return tuple(e for e in CATALOGUE if e.contract == kind)
