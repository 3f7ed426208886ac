"""`make bench`: every workload, ours and the peer in one run, with the accuracy of both.

A workload is a module beside this one with `run() -> list[dict]`; each row has `name`, `seconds` (the minimum of
several calls), `accuracy` (text), `what` (the work) and `peer` (bool). The ratio is the fastest peer of the same
`what` over ours. A peer that is not installed is left out and said; `pip install -r benchmarks/requirements.lock`
brings them.

    python benchmarks/run.py [NAME ...]
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
WORKLOADS = [
    "start_up",
    "limits",
    "elementary",
    "implied_vol",
    "heston_calibration",
    "jump_calibration",
    "smile_fits",
    "black_greeks",
    "greeks_ladder",
    "adjoint",
    "american",
    "finite_differences",
    "monte_carlo",
    "paths",
    "multi_asset",
    "exotics",
    "value_at_risk",
    "sweeps",
    "notebook_runs",
]


def seconds_text(seconds: float) -> str:
    """Three significant digits with a unit a person reads at once."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add `ratio` to our rows: the fastest peer that does the same work, over ours."""
    for row in rows:
        peers = [r["seconds"] for r in rows if r["peer"] and r["what"] == row["what"]]
        row["ratio"] = min(peers) / row["seconds"] if peers and not row["peer"] else None
    return rows


def show(name: str, rows: list[dict[str, Any]]) -> None:
    """One table a workload."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=name, title_justify="left", box=None, pad_edge=False)
    for title, justify in (
        ("work", "left"),
        ("who", "left"),
        ("time", "right"),
        ("peer / ours", "right"),
        ("accuracy", "left"),
    ):
        table.add_column(title, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        ratio = f"{row['ratio']:.1f}x" if row.get("ratio") else ""
        style = None if row["peer"] else "bold"
        table.add_row(row["what"], row["name"], seconds_text(row["seconds"]), ratio, row["accuracy"], style=style)
    Console(width=max(120, Console().width)).print(table, "")


def main(names: list[str]) -> int:
    """Run the named workloads (all by default); write benchmarks/results/latest.json."""
    sys.path.insert(0, str(HERE))
    unknown = [n for n in names if n not in WORKLOADS]
    if unknown:
        print(f"workload must be one of {', '.join(WORKLOADS)}; got {unknown[0]}.", file=sys.stderr)
        return 2
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    results: dict[str, Any] = {}
    for name in names or WORKLOADS:
        rows = ratios(importlib.import_module(name).run())
        results[name] = rows
        show(name, rows)
    out = HERE / "results" / "latest.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
