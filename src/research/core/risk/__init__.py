"""Kernels of the room research.risk, one file a thing, under the same name."""
