"""Mathematics for kernels, free of libm: the same bits on every x86-64 CPU.

| module | holds |
|---|---|
| elementary | exp, expm1, log, log1p, power, sin, cos, sincos, sinh, cosh, tanh |
| normal | density, distribution, its inverse, Mills' ratio, erfc and erfcx |
| complexes | exp, log, sqrt, product and quotient of (re, im) pairs; atan2 |
| quadrature | Gauss-Legendre and tanh-sinh rules |
| linear | small Cholesky and Householder least squares, without BLAS |
| _bits | the bits of a float64 as an int64, and back; copysign |
| _fused | a * b + c with one rounding |
| _exact | sums and products with their rounding error |
"""
