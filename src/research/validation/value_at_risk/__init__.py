"""Is this value at risk right? Tests over a series of exceptions (days whose loss exceeded the VaR).

| question | function | reference |
|---|---|---|
| is the number of exceptions right? | `kupiec_pof` | Kupiec (1995) |
| do exceptions come independently of each other? | `christoffersen_independence` | Christoffersen (1998) |
| both at once | `christoffersen_coverage` | Christoffersen (1998) |
| which supervisory zone, which capital multiplier? | `basel_traffic_light` | Basel Committee (1996), MAR99 |
| does the desk keep its model approval? | `basel_desk_limit` | Basel Committee MAR32.18, CRR 325bf(3) |
| is the expected shortfall deep enough? | `acerbi_szekely` | Acerbi and Szekely (2014), test 2 |

Each gives an `Evidence` with its p-value and its power: the probability that the test, at this sample size,
rejects a stated wrong model. A pass with little power says little.
"""

from research.validation.value_at_risk.acerbi_szekely import acerbi_szekely
from research.validation.value_at_risk.christoffersen import (
    christoffersen_coverage,
    christoffersen_independence,
    coverage_power,
    independence_power,
)
from research.validation.value_at_risk.kupiec import kupiec_acceptance, kupiec_pof, kupiec_power
from research.validation.value_at_risk.traffic_light import (
    basel_desk_limit,
    basel_multiplier,
    basel_traffic_light,
    traffic_light_zones,
    zone_probabilities,
)

__all__ = [
    "kupiec_pof", "kupiec_acceptance", "kupiec_power",
    "christoffersen_independence", "christoffersen_coverage", "independence_power", "coverage_power",
    "basel_traffic_light", "basel_desk_limit", "basel_multiplier", "traffic_light_zones", "zone_probabilities",
    "acerbi_szekely",
]  # fmt: skip
