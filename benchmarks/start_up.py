"""What a user waits for before anything happens: help, import, first price. Peers: mlflow, papermill.

Bytecode is kept between runs, as it is for a user: where PYTHONDONTWRITEBYTECODE is set, our sources would be compiled
in every run while the installed peers would not. A row is said when it is measured; all of them take a minute.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FIRST_PRICE = "from research.models import black; print(black.price(100.0, 100.0, 1.0, 0.2))"
PRICE = "first price, warm kernel cache"
BIN = Path(sys.executable).parent


def once(command: list[str]) -> float:
    """Seconds of one run; a command that fails raises with what it said."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} must exit with 0; got {done.returncode}. {done.stderr[-2000:]}")
    return seconds


def run() -> list[dict[str, Any]]:
    """Wall time of whole processes, interpreter start included: the fastest of some, after one that warms caches."""
    python = [sys.executable, "-c"]
    rows = [
        ("--help", "research --help", [str(BIN / "research"), "--help"], False, 5),
        ("--help", "papermill --help", [str(BIN / "papermill"), "--help"], True, 2),
        ("--help", "mlflow --help", [str(BIN / "mlflow"), "--help"], True, 2),
        ("import", "import research", [*python, "import research"], False, 5),
        ("import", "import mlflow", [*python, "import mlflow"], True, 2),
        (PRICE, "research", [*python, FIRST_PRICE], False, 5),
        (PRICE, "limit: import numba", [*python, "import numba"], True, 5),
    ]
    out = []
    for what, name, command, peer, repeat in rows:
        if not Path(command[0]).exists():
            print(f"{name}: {command[0]} is not installed, left out", file=sys.stderr)
            continue
        once(command)
        seconds = min(once(command) for _ in range(repeat))
        print(f"{name}: {1e3 * seconds:.0f} ms", file=sys.stderr, flush=True)
        out.append({"what": what, "name": name, "seconds": seconds, "accuracy": "-", "peer": peer})
    return out


def main() -> None:
    """Print the rows."""
    for row in run():
        print(f"{row['what']:32} {row['name']:20} {row['seconds'] * 1e3:8.1f} ms")


if __name__ == "__main__":
    main()
