"""Options on the geometric average in closed form under Black-Scholes: `Asian`, average price or average strike.

The logarithm of the geometric average is normal, so Black's formula, or Margrabe's for the average strike, holds for
any schedule, curve and term structure of vol.

References
----------
Kemna, Vorst (1990), "A pricing method for options based on average asset values", J. Banking and Finance 14, 113-129.
Margrabe (1978), "The value of an option to exchange one asset for another", J. Finance 33, 177-186.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from research.errors import NoEngineError, rule
from research.instruments import Asian
from research.market import Snapshot
from research.models import BlackTermStructure
from research.models.black_scholes import BlackScholes
from research.pricing import _clock
from research.pricing._asian import closed_form
from research.pricing.catalogue import Values

_ROUNDING = 1e-14


def value(items: Sequence[Asian], model: BlackScholes | BlackTermStructure, snapshot: Snapshot) -> Values:
    """The engine's door for `pricing.price`; refuses an arithmetic average."""
    found = np.empty(len(items))
    for i, item in enumerate(items):
        exact = closed_form(item, partial(_clock.variance, model), snapshot)
        if exact is None:
            hint = "Use method='monte_carlo'."
            raise NoEngineError(rule("average", "be geometric for method='analytic'", item.average, hint))
        found[i] = exact
    return Values(found, np.zeros_like(found), np.full(len(items), _ROUNDING * snapshot.spot))
