"""The judge: named statistical tests, laws and independent benchmarks. It borrows no code from what it judges.

| room | question |
|---|---|
| value_at_risk/ | do losses exceed the value at risk as often as claimed, and independently? |
| numerics/ | does a pricer obey the laws of prices, and agree with itself? |
| option_models/ | do all engines that can price a product give the same price? |
| benchmarks/ | what does an independent implementation say? |
| suites/ | which tests must a model of this class pass? |
"""
