"""Which copy of `research` is running: in a clean checkout it must be the one that stands there."""

from __future__ import annotations

import os
from pathlib import Path

from research.errors import RunError


def assert_source() -> None:
    """Refuse to go on when RESEARCH_SOURCE names a folder and this code was imported from elsewhere."""
    wanted = os.environ.get("RESEARCH_SOURCE")
    if wanted and not Path(__file__).resolve().is_relative_to(Path(wanted).resolve()):
        raise RunError(f"research must be imported from {wanted}; got {Path(__file__).resolve().parents[1]}.")
