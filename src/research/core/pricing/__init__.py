"""Kernels of the room research.pricing, one file a thing, under the same name."""
