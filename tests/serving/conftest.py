"""The small firm of the governance tests, shared by path."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_FILE = Path(__file__).resolve().parents[1] / "governance" / "conftest.py"
_SPEC = importlib.util.spec_from_file_location("small_firm", _FILE)
assert _SPEC is not None and _SPEC.loader is not None
_FIRM = importlib.util.module_from_spec(_SPEC)
sys.modules["small_firm"] = _FIRM
_SPEC.loader.exec_module(_FIRM)
world = _FIRM.world
