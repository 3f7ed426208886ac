"""Two tables by row: which rows were added, removed, changed, in which column, from what to what.

Rows are matched by a key where there is one: a few columns that name every row of both tables once, without floats but
for those with few values, such as a level. Without a key, row stands against row.
"""

from __future__ import annotations

import io
import itertools
import math
from dataclasses import asdict, dataclass, field
from typing import Any

from research.experiments.tables import as_frame, cells, kind_of

SHOWN = 20
LARGE = 20_000  # rows
FEW = 20  # values of a float column that names rows, such as 0.975 and 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDifference:
    """How two tables differ; `changes` holds the first few cells."""

    rows: tuple[int, int]
    key: list[str]
    columns_added: list[str]
    columns_removed: list[str]
    changed: int = 0  # rows
    added: int = 0
    removed: int = 0
    changes: list[dict[str, Any]] = field(default_factory=list)  # row, key, column, old, new
    samples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # added, removed: whole rows
    largest: dict[str, float] = field(default_factory=dict)  # column: largest absolute change

    @property
    def same(self) -> bool:
        return not (self.changed or self.added or self.removed or self.columns_added or self.columns_removed)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def text(self) -> str:
        """In one line, with the first change."""
        parts = [f"column {name} added" for name in self.columns_added]
        parts += [f"column {name} removed" for name in self.columns_removed]
        for count, what in ((self.changed, "changed"), (self.added, "added"), (self.removed, "removed")):
            if count:
                total = f" of {self.rows[0]:,}" if what != "added" else ""
                parts.append(f"{count:,}{total} row{'s' if count != 1 or total else ''} {what}")
        if not parts:
            return "the same rows"
        if self.changes:
            one = self.changes[0]
            where = ", ".join(f"{k} {v}" for k, v in one["key"].items()) or f"row {one['row']}"
            parts.append(f"first {where}, {one['column']}: {one['old']!r} -> {one['new']!r}")
        return "; ".join(parts)


def compare_rows(old: Any, new: Any, *, shown: int = SHOWN) -> RowDifference:
    """Two frames by row."""
    a, b = as_frame(old), as_frame(new)
    common = [c for c in a.columns if c in b.columns]
    facts: dict[str, Any] = {
        "rows": (len(a), len(b)),
        "columns_added": [c for c in b.columns if c not in a.columns],
        "columns_removed": [c for c in a.columns if c not in b.columns],
    }
    key = find_key(a, b, common)
    if key:
        left, right, added, removed = _matched(a, b, key)
    else:
        n = min(len(a), len(b))
        left, right = list(range(n)), list(range(n))
        added, removed = list(range(n, len(b))), list(range(n, len(a)))
    changed, changes, largest = _changes(a, b, left, right, key, [c for c in common if c not in key], shown)
    samples = {
        "added": b.iloc[added[:shown]].to_dict("records"),
        "removed": a.iloc[removed[:shown]].to_dict("records"),
    }
    samples = {k: [{c: _plain(v) for c, v in row.items()} for row in rows] for k, rows in samples.items() if rows}
    return RowDifference(
        **facts,
        key=key,
        changed=changed,
        added=len(added),
        removed=len(removed),
        changes=changes,
        samples=samples,
        largest=largest,
    )


def find_key(a: Any, b: Any, common: list[str]) -> list[str]:
    """The columns that name rows in both frames; empty when none do.

    Of the sets that are unique in both, the one by which most rows of the two meet; then the smallest, then the
    leading one. A large frame is asked for leading sets only.
    """
    alike = [c for c in common if kind_of(a[c]) == kind_of(b[c])]
    names = [c for c in alike if kind_of(a[c]) != "float"]
    names += [c for c in alike if c not in names and a[c].nunique() <= FEW and set(a[c].unique()) == set(b[c].unique())]
    if max(len(a), len(b)) > LARGE:
        candidates = [tuple(names[:count]) for count in range(1, min(len(names), 4) + 1)]
    else:
        candidates = [key for count in (1, 2, 3) for key in itertools.combinations(names[:8], count)]
    best, met = list[str](), 0
    for key in candidates:
        columns = list(key)
        if a[columns].duplicated().any() or b[columns].duplicated().any():
            continue
        count = len(set(_rows(a, columns)) & set(_rows(b, columns)))
        if count > met or not best:
            best, met = columns, count
        if met == min(len(a), len(b)):
            break
    return best


def _rows(frame: Any, columns: list[str]) -> Any:
    return zip(*(frame[c].tolist() for c in columns))


def _matched(a: Any, b: Any, key: list[str]) -> tuple[list[int], list[int], list[int], list[int]]:
    """Positions of the rows with the same key, and of those that only one side has."""
    import pandas as pd

    one = a[key].assign(_old=range(len(a)))
    two = b[key].assign(_new=range(len(b)))
    both = pd.merge(one, two, on=key, how="outer", sort=False)
    pairs = both.dropna(subset=["_old", "_new"]).sort_values("_old")
    added = sorted(int(v) for v in both.loc[both["_old"].isna(), "_new"])
    removed = sorted(int(v) for v in both.loc[both["_new"].isna(), "_old"])
    return pairs["_old"].astype(int).tolist(), pairs["_new"].astype(int).tolist(), added, removed


def _changes(
    a: Any, b: Any, left: list[int], right: list[int], key: list[str], columns: list[str], shown: int
) -> tuple[int, list[dict[str, Any]], dict[str, float]]:
    import numpy as np

    rows = np.zeros(len(left), dtype=bool)
    first: list[tuple[int, int, str]] = []
    largest: dict[str, float] = {}
    one, two = a.iloc[left].reset_index(drop=True), b.iloc[right].reset_index(drop=True)
    for order, column in enumerate(columns):
        differs = _differs(one[column], two[column])
        rows |= differs
        if differs.any():
            first += [(int(i), order, column) for i in np.flatnonzero(differs)[:shown]]
            if kind_of(one[column]) in ("float", "int") and kind_of(two[column]) in ("float", "int"):
                apart = (two[column].astype(float) - one[column].astype(float)).abs().max()
                if apart == apart:
                    largest[column] = float(apart)
    changes = []
    for i, _, column in sorted(first)[:shown]:
        where = {name: _plain(one[name].iloc[i]) for name in key}
        old, new = _plain(one[column].iloc[i]), _plain(two[column].iloc[i])
        changes.append({"row": left[i], "key": where, "column": column, "old": old, "new": new})
    return int(rows.sum()), changes, largest


def _differs(one: Any, two: Any) -> Any:
    """Where two columns of one length hold different values; two missing values are the same."""
    import numpy as np

    if kind_of(one) == kind_of(two) == "float":
        x, y = one.to_numpy(dtype=float, na_value=math.nan), two.to_numpy(dtype=float, na_value=math.nan)
        return (x != y) & ~(np.isnan(x) & np.isnan(y))
    if kind_of(one) == kind_of(two) and kind_of(one) in ("int", "bool", "time"):
        missing = one.isna().to_numpy() & two.isna().to_numpy()
        return np.asarray((one != two).fillna(True), dtype=bool) & ~missing
    return np.array([x != y for x, y in zip(cells(one), cells(two))], dtype=bool)


def _plain(value: Any) -> Any:
    """A cell as JSON: numbers, text, None; times as ISO text."""
    import pandas as pd

    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if hasattr(value, "isoformat"):
        text = str(value.isoformat())
        return text.removesuffix("T00:00:00")
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def describe_parquet(old: bytes, new: bytes) -> str:
    """The difference of two Parquet files in one line."""
    import pandas as pd

    a, b = pd.read_parquet(io.BytesIO(old)), pd.read_parquet(io.BytesIO(new))
    return compare_rows(a, b, shown=1).text()
