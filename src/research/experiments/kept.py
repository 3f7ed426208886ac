"""Values as files, and their digests: what a step takes and gives. No pickle: a file that was edited cannot run code.

Kept are None, bool, int, float, text, bytes, dates; lists, tuples, dicts with text keys; NumPy arrays and scalars
(`.npy`), pandas frames and series (Parquet), and the dataclasses of `research`, field by field. Anything else is
refused by name. A value has one digest, over its content and its types, whatever library wrote the file.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import hashlib
import importlib
import io
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from research.errors import InputError, IntegrityError, rule
from research.fingerprint import digest_bytes, digest_json

_PLAIN = (bool, str, type(None))
_WHAT = "be a number, text, date, array, frame, a list or dict of them, or a dataclass of research"


@dataclasses.dataclass
class Encoded:
    """A value as a JSON tree with its large parts as bytes."""

    tree: Any
    files: dict[str, bytes]

    @property
    def digest(self) -> str:
        return digest_json({"tree": self.tree, "files": {n: digest_bytes(b) for n, b in self.files.items()}})


def encode(value: Any, name: str = "value") -> Encoded:
    """The value as it is kept.

    Raises
    ------
    InputError
        Names the part that cannot be kept.
    """
    files: dict[str, bytes] = {}
    return Encoded(_tree(value, name, files), files)


def _tree(value: Any, name: str, files: dict[str, bytes]) -> Any:
    if isinstance(value, _PLAIN):
        return value
    if type(value) in (int, float):
        return (
            {"int": str(value)}
            if type(value) is int
            else {"float": value.hex() if math.isfinite(value) else str(value)}
        )
    if isinstance(value, (dt.datetime, dt.date)):
        return (
            {type(value).__name__: value.isoformat()}
            if type(value) in (dt.datetime, dt.date)
            else _frame(value, name, files)
        )
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if type(value) in (list, tuple):
        return {type(value).__name__: [_tree(item, f"{name}[{i}]", files) for i, item in enumerate(value)]}
    if type(value) is dict:
        for key in value:
            if not isinstance(key, str):
                raise InputError(rule(f"a key of {name}", "be text", key))
        return {"dict": [[key, _tree(item, f"{name}[{key!r}]", files)] for key, item in value.items()]}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _dataclass(value, name, files)
    return _frame(value, name, files)


def _dataclass(value: Any, name: str, files: dict[str, bytes]) -> Any:
    kind = type(value)
    if not kind.__module__.startswith("research.") or "<locals>" in kind.__qualname__:
        raise InputError(rule(name, _WHAT, f"a {kind.__module__}.{kind.__qualname__}"))
    fields = [f for f in dataclasses.fields(value) if f.init]
    inner = [[f.name, _tree(getattr(value, f.name), f"{name}.{f.name}", files)] for f in fields]
    return {"dataclass": f"{kind.__module__}:{kind.__qualname__}", "fields": inner}


def _frame(value: Any, name: str, files: dict[str, bytes]) -> Any:
    """Arrays, frames and series, in files."""
    import numpy as np
    import pandas as pd

    number = len(files)
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        if array.dtype.hasobject:
            raise InputError(rule(name, "be an array of numbers, texts or times", f"dtype {array.dtype}"))
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        files[f"{number}.npy"] = buffer.getvalue()
        return {"array": f"{number}.npy", "scalar": isinstance(value, np.generic)}
    if isinstance(value, (pd.DataFrame, pd.Series)):
        frame = value if isinstance(value, pd.DataFrame) else value.to_frame("value")
        buffer = io.BytesIO()
        try:
            frame.to_parquet(buffer, index=True)
        except Exception as error:  # pyarrow has many names for it
            text = " ".join(str(error).split())[:120]
            raise InputError(rule(name, "be a frame of columns of one type each", text)) from None
        files[f"{number}.parquet"] = buffer.getvalue()
        if isinstance(value, pd.Series):
            return {"series": f"{number}.parquet", "name": _tree(value.name, f"the name of {name}", files)}
        return {"frame": f"{number}.parquet"}
    kind = type(value)
    raise InputError(rule(name, _WHAT, f"a {kind.__module__}.{kind.__qualname__}"))


def decode(tree: Any, files: Mapping[str, bytes]) -> Any:
    """The value that was encoded."""
    if isinstance(tree, _PLAIN):
        return tree
    kind, content = next(iter(tree.items()))
    inner: Callable[[Any], Any] = lambda part: decode(part, files)  # noqa: E731
    if kind == "list":
        return [inner(item) for item in content]
    if kind == "tuple":
        return tuple(inner(item) for item in content)
    if kind == "dict":
        return {key: inner(item) for key, item in content}
    if kind == "dataclass":
        return _made(content, {name: inner(item) for name, item in tree["fields"]})
    if kind in ("array", "frame", "series"):
        return _read(kind, tree, files)
    plain: dict[str, Callable[[str], Any]] = {
        "int": int,
        "float": lambda text: float(text) if text in ("nan", "inf", "-inf") else float.fromhex(text),
        "bytes": base64.b64decode,
        "date": dt.date.fromisoformat,
        "datetime": dt.datetime.fromisoformat,
    }
    return plain[kind](content)


def _made(place: str, fields: dict[str, Any]) -> Any:
    module, _, name = place.partition(":")
    if not module.startswith("research."):
        raise IntegrityError(f"a kept value must name a class of research; got {place}.")
    kind: Any = importlib.import_module(module)
    for part in name.split("."):
        kind = getattr(kind, part)
    return kind(**fields)


def _read(kind: str, tree: Mapping[str, Any], files: Mapping[str, bytes]) -> Any:
    import numpy as np
    import pandas as pd

    data = io.BytesIO(files[tree[kind]])
    if kind == "array":
        array = np.load(data, allow_pickle=False)
        return array[()] if tree["scalar"] else array
    frame = pd.read_parquet(data)
    if kind == "frame":
        return frame
    series = frame["value"]
    return series.rename(decode(tree["name"], files))


def write(folder: Path, encoded: Encoded, facts: Mapping[str, Any]) -> None:
    """Write a value with what is known of it into a new `folder`, whole or not at all."""
    import secrets

    partial = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    partial.mkdir(parents=True)
    for name, data in encoded.files.items():
        (partial / name).write_bytes(data)
    entry = {**facts, "tree": encoded.tree, "files": {n: digest_bytes(b) for n, b in encoded.files.items()}}
    entry["digest"] = encoded.digest
    (partial / "entry.json").write_text(json.dumps({"entry": entry, "sha256": digest_json(entry)}), encoding="utf-8")
    try:
        partial.rename(folder)
    except OSError:  # another process was first
        import shutil

        shutil.rmtree(partial, ignore_errors=True)


def read(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]] | None:
    """What is known of a kept value, and its files; None when there is none.

    Raises
    ------
    IntegrityError
        When a byte is not as it was written.
    """
    try:
        raw = json.loads((folder / "entry.json").read_text(encoding="utf-8"))
        entry = raw["entry"]
        files = {name: (folder / name).read_bytes() for name in entry["files"]}
    except FileNotFoundError:
        if folder.is_dir():
            raise IntegrityError(f"the kept value {folder.name[:12]} must be whole; got a part of it.") from None
        return None
    except (ValueError, KeyError, TypeError):
        raise IntegrityError(f"the kept value {folder.name[:12]} must be readable; got a damaged entry.") from None
    if digest_json(entry) != raw["sha256"]:
        raise IntegrityError(f"the kept value {folder.name[:12]} must have its digest; got an edited entry.")
    for name, data in files.items():
        if hashlib.sha256(data).hexdigest() != entry["files"][name]:
            raise IntegrityError(f"{name} of the kept value {folder.name[:12]} must have its digest; got other bytes.")
    return entry, files
