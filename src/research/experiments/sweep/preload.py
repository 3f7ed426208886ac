"""Imported once by the server that workers are forked from."""

import contextlib

import research.experiments.results
import research.experiments.runner
import research.experiments.sweep.ledger

with contextlib.suppress(ImportError):  # what a run loads when it gets there
    import pyarrow.parquet  # noqa: F401

    import research.experiments.engine  # noqa: F401
