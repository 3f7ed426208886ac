"""Paths of one underlying: kernels that turn blocks of Brownian motion into log prices at given times."""
