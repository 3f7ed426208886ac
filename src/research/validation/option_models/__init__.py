"""Do all engines that can price a product give the same price, within the errors they state?

| question | function | gives |
|---|---|---|
| which contracts are compared? | `CASES` | one line a product: terms, model, market, published value |
| do engines agree pair by pair? | `pairs` | one row a pair: difference, allowance, ratio |
| at one glance? | `matrix` | the largest ratio of each pair of methods |
| is an approximation its formula, and as far off as it states? | `approximations` | Evidence, two a price |
| what is on record? | `agreement` | Evidence of each contract and model, and of each published value |

The unit is what two prices allow together: the error that a deterministic method states, four standard errors of a
simulation. Independent prices come from `validation.benchmarks`: QuantLib where it is installed, and notes by plain
simulation of their term sheets, and claims on two prices by a double integral.
"""

from research.validation.option_models.cases import CASES, Case
from research.validation.option_models.compare import agreement, allowance, approximations, matrix, pairs

__all__ = ["CASES", "Case", "agreement", "allowance", "approximations", "matrix", "pairs"]
