"""What a user waits for before anything happens: help, import, first price. Peers: mlflow, papermill."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FIRST_PRICE = "from research.models import black; print(black.price(100.0, 100.0, 1.0, 0.2))"
BIN = Path(sys.executable).parent


def fastest(command: list[str], repeat: int = 5) -> float:
    """Seconds of the fastest of `repeat` runs; a failing command raises."""
    best = float("inf")
    for _ in range(repeat):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        best = min(best, time.perf_counter() - started)
    return best


def run() -> list[dict[str, Any]]:
    """Wall time of whole processes, interpreter start included."""
    rows = [
        ("--help", "research --help", [str(BIN / "research"), "--help"], False, 7),
        ("--help", "papermill --help", [str(BIN / "papermill"), "--help"], True, 3),
        ("--help", "mlflow --help", [str(BIN / "mlflow"), "--help"], True, 3),
        ("import", "import research", [sys.executable, "-c", "import research"], False, 7),
        ("import", "import mlflow", [sys.executable, "-c", "import mlflow"], True, 3),
        ("first price, warm kernel cache", "research", [sys.executable, "-c", FIRST_PRICE], False, 7),
    ]
    out = []
    for what, name, command, peer, repeat in rows:
        subprocess.run(command, check=True, capture_output=True)  # warm file and kernel caches
        out.append({"what": what, "name": name, "seconds": fastest(command, repeat), "accuracy": "-", "peer": peer})
    return out


def main() -> None:
    """Print the rows."""
    for row in run():
        print(f"{row['what']:32} {row['name']:20} {row['seconds'] * 1e3:8.1f} ms")


if __name__ == "__main__":
    main()
