"""Kernels of the room research.calibration, one file a thing, under the same name."""
