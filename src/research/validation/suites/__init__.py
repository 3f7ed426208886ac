"""Which tests a model of each class must pass.

| model class | suite | asks |
|---|---|---|
| value at risk | `value_at_risk.run` | frequency, independence, both, supervisory zone, depth of the tail |
| Heston prices | `heston.run` | agreement with independent pricers, and the laws of prices |

`run(name, ...)` finds a suite by its class; every suite gives a list of `Evidence`.
"""

from research.validation.suites._run import run

__all__ = ["run"]
