"""Kernels of the room research.models, one file a thing, under the same name."""
