"""A scorer that runs the approved code although the installed code has moved on: in its own process, from a worktree.

An imported package can't be swapped inside a process, so the approved commit is checked out, its modules are compared
with the approved digests, and a child with that `src/` first on its path makes the scorer. Frames travel as Arrow, so
floats keep their bits. The child runs with today's installed distributions, not with those of the run.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import weakref
from pathlib import Path
from typing import Any, BinaryIO

from research import errors
from research.errors import IntegrityError, RefusedError
from research.fingerprint import digest_file
from research.lineage import git


class PinnedScorer:
    """Stands for a scorer in a child process; has the methods of `Scorer`."""

    def __init__(self, root: Path, commit: str, folder: Path, modules: dict[str, str]) -> None:
        place = Path(tempfile.mkdtemp(prefix="research-pinned-"))
        self._end = weakref.finalize(self, _end, root, place, [])
        checkout = git.add_worktree(root, commit, place / "code")
        source = checkout / "src"
        wrong = [n for n, digest in modules.items() if not (source / n).is_file() or digest_file(source / n) != digest]
        if wrong:
            self.close()
            raise IntegrityError(
                f"commit {commit[:12]} must hold the approved code; {', '.join(wrong[:3])} is not the approved file."
            )
        env = {**os.environ, "PYTHONPATH": str(source)}
        call = [sys.executable, "-P", "-m", "research.serving._pinned", str(folder.resolve()), str(source)]
        self._child = subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        self._end.detach()
        self._end = weakref.finalize(self, _end, root, place, [self._child])
        self._shown = self._ask("show").decode()

    def price(self, frame: Any) -> Any:
        return _frame(self._ask("price", frame))

    def scope_columns(self, frame: Any) -> Any:
        return _frame(self._ask("scope_columns", frame))

    def example(self) -> Any:
        return _frame(self._ask("example"))

    def close(self) -> None:
        """End the child and remove the worktree; also done when the object goes."""
        self._end()

    def __repr__(self) -> str:
        return f"{self._shown}, pinned"

    def _ask(self, method: str, frame: Any = None) -> bytes:
        assert self._child.stdin is not None and self._child.stdout is not None
        try:
            _send(self._child.stdin, method, b"" if frame is None else _bytes(frame))
            kind, body = _receive(self._child.stdout)
        except (OSError, EOFError):
            raise RefusedError("the pinned scorer must answer; its process ended. See its message above.") from None
        if kind == "ok":
            return body
        raise getattr(errors, kind, RefusedError)(body.decode())


def _end(root: Path, place: Path, children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
    git.remove_worktree(root, place / "code")
    shutil.rmtree(place, ignore_errors=True)


def _send(pipe: BinaryIO | Any, kind: str, body: bytes) -> None:
    head = json.dumps({"kind": kind, "size": len(body)}).encode()
    pipe.write(head + b"\n" + body)
    pipe.flush()


def _receive(pipe: BinaryIO | Any) -> tuple[str, bytes]:
    line = pipe.readline()
    if not line:
        raise EOFError
    head = json.loads(line)
    return head["kind"], pipe.read(head["size"])


def _bytes(frame: Any) -> bytes:
    import pyarrow as pa

    table, sink = pa.Table.from_pandas(frame), io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _frame(body: bytes) -> Any:
    import pyarrow as pa

    return pa.ipc.open_stream(body).read_all().to_pandas()


def main(folder: Path, source: Path) -> None:
    """The child: make the scorer, then answer until the parent goes."""
    import research
    from research.serving import _scorers

    here = Path(research.__file__).resolve()
    if source.resolve() not in here.parents:
        raise RefusedError(f"research must be imported from {source}; got {here.parent}.")
    answers, sys.stdout = sys.stdout.buffer, sys.stderr  # nothing else may be printed into the answers
    scorer = _scorers.make(json.loads((folder / "scorer.json").read_bytes()), folder)
    while True:
        try:
            method, body = _receive(sys.stdin.buffer)
        except EOFError:
            return
        try:
            if method == "show":
                _send(answers, "ok", repr(scorer).encode())
            elif method == "example":
                _send(answers, "ok", _bytes(scorer.example()))
            elif method in ("price", "scope_columns"):
                _send(answers, "ok", _bytes(getattr(scorer, method)(_frame(body))))
        except errors.ResearchError as error:
            _send(answers, type(error).__name__, str(error).encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
