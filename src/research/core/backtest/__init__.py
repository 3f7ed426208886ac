"""Kernels of the room research.backtest, one file a thing, under the same name."""
