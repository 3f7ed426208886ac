"""Mathematics for kernels, free of libm: the same bits on every x86-64 CPU.

| module | holds |
|---|---|
| elementary | exp, expm1, log, log1p, sin, cos, sincos |
| normal | density, distribution, its inverse, erfc and erfcx |
| complexes | exp, log, sqrt, product and quotient of (re, im) pairs |
| _bits | the bits of a float64 as an int64, and back |
"""
