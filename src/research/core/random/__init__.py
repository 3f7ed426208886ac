"""Counter-based random numbers: the draw is a function of (seed, stream, path, step).

| module | holds |
|---|---|
| philox | Philox 4x32-10, uniforms, normals, array fillers |
"""
