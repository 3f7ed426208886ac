"""What cells show, as a notebook keeps it: from the events of an interpreter to the outputs of a cell.

Text of one stream in a row is one output. An output that is too large for a notebook goes to a file named by its
content, `outputs/SHA256.txt`; its beginning stays, and says so. More than the limit for a run fails the run: nothing
is ever cut off in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from research.fingerprint import digest_bytes

LARGE = 2 << 20  # characters of one output that a notebook still keeps inside
LIMIT = 512 << 20  # characters of all outputs of a run
_HEAD = 2_000
_KEEP = ("application/vnd.research.",)  # results are read from the notebook


class OutputLimitError(Exception):
    """A run wrote more than it may."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"outputs must stay under {limit:,} characters; got {size:,}")


class Outputs:
    """The outputs of one notebook as they grow."""

    def __init__(self, *, limit: int = LIMIT) -> None:
        self._limit = limit
        self._size = 0
        self._cell: dict[str, Any] = {}
        self._text: list[str] = []  # of the last output, when it is a stream
        self._clear = False
        self._shown: dict[str, list[dict[str, Any]]] = {}  # outputs by display id

    def begin(self, cell: dict[str, Any]) -> None:
        """Events from here on belong to `cell`."""
        self.settle()
        self._cell, self._text, self._clear = cell, [], False
        cell["outputs"] = []

    def hear(self, event: Mapping[str, Any]) -> None:
        """Take in one event."""
        kind, content = event["kind"], event["content"]
        if kind == "stream":
            self._stream(content["name"], content["text"])
        elif kind == "clear_output":
            self._clear = True
            if not content.get("wait"):
                self._clear_now()
        elif kind == "update_display_data":
            self._update(content)
        elif kind in ("display_data", "execute_result", "error"):
            self._add(kind, content)

    def settle(self) -> None:
        """Make the cell complete, as it stands."""
        if self._text:
            self._cell["outputs"][-1]["text"] = "".join(self._text)
            self._text = [self._cell["outputs"][-1]["text"]]

    def end(self) -> None:
        """The cell is done; its outputs are no longer touched, but by their display ids."""
        self.settle()
        self._text = []

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > self._limit:
            raise OutputLimitError(self._size, self._limit)

    def _clear_now(self) -> None:
        if self._clear:
            self._cell["outputs"].clear()
            self._text, self._clear = [], False

    def _stream(self, name: str, text: str) -> None:
        if not text:
            return
        self._clear_now()
        outputs = self._cell["outputs"]
        if not (self._text and outputs[-1]["name"] == name):
            self.settle()
            self._text = []
            outputs.append({"output_type": "stream", "name": name, "text": ""})
        self._text.append(text)
        self._count(len(text))

    def _add(self, kind: str, content: Mapping[str, Any]) -> None:
        self._clear_now()
        self.settle()
        self._text = []
        if kind == "error":
            output = {key: content[key] for key in ("ename", "evalue", "traceback")}
        else:
            output = {"data": content["data"], "metadata": content.get("metadata") or {}}
            self._count(sum(_size(value) for value in content["data"].values()))
        if kind == "execute_result":
            output["execution_count"] = content.get("execution_count")
        output["output_type"] = kind
        self._cell["outputs"].append(output)
        if name := (content.get("transient") or {}).get("display_id"):
            self._shown.setdefault(name, []).append(output)

    def _update(self, content: Mapping[str, Any]) -> None:
        for output in self._shown.get(str((content.get("transient") or {}).get("display_id")), []):
            output["data"], output["metadata"] = content["data"], content.get("metadata") or {}
        self._count(sum(_size(value) for value in content["data"].values()))


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str) else 0


def spill(cell: dict[str, Any], folder: Path) -> None:
    """Move what is too large for a notebook from the outputs of `cell` into files under `folder`."""
    for output in cell.get("outputs", []):
        if output["output_type"] == "stream" and len(output["text"]) > LARGE:
            output["text"] = _moved(output["text"], folder, "txt")
        for kind, value in list(output.get("data", {}).items()):
            if isinstance(value, str) and len(value) > LARGE and not kind.startswith(_KEEP):
                _spill_value(output["data"], kind, value, folder)


def _spill_value(data: dict[str, Any], kind: str, value: str, folder: Path) -> None:
    if kind.startswith("text/plain"):
        data[kind] = _moved(value, folder, "txt")
    elif kind.startswith("text/"):
        name = _write(value, folder, kind.partition("/")[2].partition("+")[0])
        data[kind] = f'<p>{len(value):,} characters: <a href="{name}">{name}</a></p>' if kind == "text/html" else name
    elif kind.startswith("image/") and len(value) > 8 * LARGE:
        del data[kind]
        data["text/plain"] = f"{kind}, {len(value):,} characters: {_write(value, folder, 'base64')}"


def _moved(text: str, folder: Path, suffix: str) -> str:
    name = _write(text, folder, suffix)
    return f"{text[:_HEAD]}\n... all {len(text):,} characters are in {name}\n"


def _write(text: str, folder: Path, suffix: str) -> str:
    """The file named by the content of `text`, relative to `folder`."""
    data = text.encode(errors="surrogatepass")
    name = f"outputs/{digest_bytes(data)}.{suffix}"
    path = folder / name
    if not path.is_file():
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_bytes(data)
        partial.replace(path)
    return name
