"""Hypothesis draws the same examples in every run; HYPOTHESIS_PROFILE=explore looks for new ones.

Tests that press Ctrl-C work in a background job too: a shell starts one with SIGINT ignored, which children inherit.
"""

import os
import signal

from hypothesis import settings

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config):  # type: ignore[no-untyped-def]
    config.addinivalue_line("markers", "overnight: sweeps that take up to hours, by hand: `pytest -m overnight`")
