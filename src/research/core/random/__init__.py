"""Random numbers without a state: a draw is a function of its name, so any slice of any run can be made alone.

| module | holds |
|---|---|
| philox | Philox 4x32-10, named by (seed, stream, path, step); uniforms, normals, array fillers |
| sobol | scrambled Sobol' points in up to 1,111 dimensions, directions of Joe and Kuo |
| brownian | Brownian paths in blocks from either, by bridge or step by step |
"""
