"""Jitted kernels: arrays in, arrays out, the only compiled code. Import a module by its full name.

| folder | holds |
|---|---|
| math/ | elementary functions, the normal distribution, complex numbers, small linear algebra |
| random/ | counter-based random numbers |
| models/, pricing/, calibration/, risk/ | the cellar of the room with the same name |
"""
