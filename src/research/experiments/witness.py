"""What a kernel did besides computing: files it opened, connections, processes, databases, modules, declared reads.

An audit hook sees what goes through Python; pyarrow and DuckDB open files in native code, so their readers are
wrapped as they are imported. It guards against mistakes, not against malice. Standard library only: this is
imported before anything else in the kernel.
"""

# A hook on every open() must be cheap: text paths, no Path objects.
# ruff: noqa: PTH100, PTH109, PTH110, PTH112, PTH119, PTH120
from __future__ import annotations

import contextlib
import functools
import importlib.abc
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

MAX_FINDINGS = 50  # of each kind
_QUIET_PROGRAMS = {"uname", "ldconfig", "ld", "gcc", "cc", "fc-list", "lscpu", "sysctl", "objdump", "arch", "file"}
_LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")
_READERS: dict[str, tuple[str, ...]] = {
    "pyarrow": ("memory_map", "input_stream"),
    "pyarrow.parquet.core": (
        "read_table",
        "read_pandas",
        "read_schema",
        "read_metadata",
        "ParquetFile",
        "ParquetDataset",
    ),
    "pyarrow.csv": ("read_csv", "open_csv"),
    "pyarrow.json": ("read_json",),
    "pyarrow.feather": ("read_table", "read_feather"),
    "pyarrow.orc": ("read_table", "ORCFile"),
    "pyarrow.ipc": ("open_file", "open_stream"),
    "pyarrow.dataset": ("dataset", "parquet_dataset"),
    "duckdb": ("sql", "query", "execute", "read_csv", "read_parquet", "read_json", "from_csv_auto", "from_parquet"),
}
_QUOTED_FILE = re.compile(r"'([^']+\.(?:csv|tsv|parquet|json|ndjson|arrow|feather|db|duckdb)(?:\.gz)?)'", re.IGNORECASE)

_ENGINE = "research.experiments.warm"  # runs the cells, and is no part of what they use
_HERMETIC = "research.experiments.hermetic"  # nor is this
_opened: dict[str, None] = {}  # paths opened for reading, in order
_written: set[str] = set()
_network: dict[str, None] = {}
_processes: dict[str, None] = {}
_databases: dict[str, None] = {}
_watching = False


def _see_open(path: Any, mode: Any, flags: Any) -> None:
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if not isinstance(path, str):
        return  # a file descriptor
    full = path if path.startswith("/") else os.path.abspath(path)
    if isinstance(mode, str):
        new, adds = "w" in mode or "x" in mode, "a" in mode
    else:
        number = flags if isinstance(flags, int) else 0
        new, adds = bool(number & os.O_TRUNC), bool(number & os.O_WRONLY)
    if new or (adds and not os.path.exists(full)):
        if full not in _opened:
            _written.add(full)  # reading back what this process wrote is no input
    elif not adds:
        _opened[full] = None


def _see_connection(address: Any) -> None:
    if isinstance(address, tuple) and not str(address[0]).startswith(_LOOPBACK):
        _network[f"connection to {address[0]}:{address[1]}"] = None


def _see_lookup(host: Any) -> None:
    name = os.fsdecode(host) if isinstance(host, bytes) else host
    if not isinstance(name, str) or not name or name.replace(".", "").isdigit() or ":" in name:
        return  # an address needs no look-up
    if not name.startswith(_LOOPBACK) and name != os.uname().nodename:
        _network[f"look-up of {name}"] = None


def _see_process(program: Any, arguments: Any) -> None:
    words = [arguments] if isinstance(arguments, (str, bytes)) else list(arguments or [program])
    text = " ".join(os.fsdecode(w) if isinstance(w, (bytes, os.PathLike)) else str(w) for w in words)
    if os.path.basename(text.split(" ")[0]) not in _QUIET_PROGRAMS:
        _processes[text[:120]] = None


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _watching:
        return
    if event == "open":
        _see_open(*args)
    elif event == "socket.connect":
        _see_connection(args[1])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        _see_lookup(args[0])
    elif event in ("subprocess.Popen", "os.posix_spawn", "os.exec"):
        _see_process(args[0], args[1])
    elif event == "os.system":
        _see_process(args[0], args[0])
    elif event in ("os.fork", "os.forkpty"):
        _processes[f"{event}()"] = None
    elif event == "sqlite3.connect":
        name = os.fsdecode(args[0]) if isinstance(args[0], (str, bytes, os.PathLike)) else str(args[0])
        if name not in (":memory:", ""):
            _databases[os.path.abspath(name)] = None


def _see_source(value: Any) -> None:
    """The first argument of a native reader: a path, paths, or SQL that names files."""
    if isinstance(value, (list, tuple)):
        for item in value:
            _see_source(item)
    elif isinstance(value, (str, os.PathLike)):
        text = os.fspath(value)
        if "://" in text and not text.startswith("file://"):
            _network[f"read of {text}"] = None
        elif isinstance(text, str) and re.search(r"\bfrom\b|\bread_\w+\s*\(", text, re.IGNORECASE):
            for name in _QUOTED_FILE.findall(text):
                _opened[os.path.abspath(name)] = None
        else:
            path = os.path.abspath(text.removeprefix("file://"))
            for file in sorted(Path(path).rglob("*")) if os.path.isdir(path) else [path]:
                _opened[str(file)] = None


def _wrap(function: Any) -> Any:
    if isinstance(function, type):
        original = function.__init__  # type: ignore[misc]

        @functools.wraps(original)
        def initialise(self: Any, *args: Any, **kwargs: Any) -> None:
            if _watching and args:
                _see_source(args[0])
            original(self, *args, **kwargs)

        with contextlib.suppress(TypeError):  # a native class
            function.__init__ = initialise  # type: ignore[misc]
        return function

    @functools.wraps(function)
    def reader(*args: Any, **kwargs: Any) -> Any:
        given = (
            args[0]
            if args
            else next((kwargs[k] for k in ("source", "input_file", "path", "query") if k in kwargs), None)
        )
        if _watching and given is not None:
            _see_source(given)
        return function(*args, **kwargs)

    return reader


def _wrap_duckdb(module: Any) -> None:
    connect = getattr(module, "connect", None)
    if connect is None:
        return

    @functools.wraps(connect)
    def connected(database: Any = ":memory:", *args: Any, **kwargs: Any) -> Any:
        if _watching and str(database) not in (":memory:", ""):
            _databases[os.path.abspath(os.fspath(database))] = None
        return _Connection(connect(database, *args, **kwargs))

    module.connect = connected


class _Connection:
    """A DuckDB connection whose SQL is looked at for file names."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return _wrap(found) if name in _READERS["duckdb"] else found

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._inner.close()


class _Finder(importlib.abc.MetaPathFinder):
    """Wraps the readers of a native library as soon as its module has run."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in _READERS:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader.exec_module = _after(spec.loader.exec_module, name)  # type: ignore[method-assign, assignment]
                return spec
        return None


def _after(execute: Callable[[Any], None], name: str) -> Callable[[Any], None]:
    def run(module: Any) -> None:
        execute(module)
        wrap_readers(name, module)

    return run


def wrap_readers(name: str, module: Any) -> None:
    """Replace the readers of `module` by ones that are seen."""
    for reader in _READERS[name]:
        if hasattr(module, reader):
            setattr(module, reader, _wrap(getattr(module, reader)))
    if name == "duckdb":
        _wrap_duckdb(module)


def install() -> None:
    """Install the hook, and the wrappers for libraries to come; call before anything else is imported."""
    sys.addaudithook(_hook)
    sys.meta_path.insert(0, _Finder())


def begin() -> None:
    """From here on, what happens is the notebook's doing."""
    global _watching
    _watching = True


def _own_modules(project: Path) -> dict[str, str]:
    """Modules of `research` and of the project, by file."""
    out = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name in (_ENGINE, _HERMETIC) or name.startswith(f"{_ENGINE}."):
            continue
        if file and (name.partition(".")[0] == "research" or _inside(file, project)):
            out[name] = os.path.realpath(file)
    return out


def _inside(file: str, project: Path) -> bool:
    return file.startswith(f"{project}{os.sep}") and not file.startswith(f"{sys.prefix}{os.sep}")


def _reads() -> list[Any]:
    data = sys.modules.get("research.data")
    if data is None:
        return []
    out = []
    for read in data.reads():
        fields = getattr(read, "__dataclass_fields__", None)
        out.append(read.to_json() if hasattr(read, "to_json") else {name: getattr(read, name) for name in fields or ()})
    return out


def _steps() -> list[Any]:
    steps = sys.modules.get("research.experiments.step")
    return steps.taken() if steps is not None else []


def _threads() -> int | None:
    numba, running = sys.modules.get("numba"), sys.modules.get("numba.np.ufunc.parallel")
    if numba is None:
        return None
    started = getattr(running, "_is_initialized", False)  # asking would start them
    return int(numba.get_num_threads() if started else numba.config.NUMBA_NUM_THREADS)


def _hermetic() -> dict[str, Any] | None:
    """What shut this process off, and what it refused; None when nothing did."""
    module = sys.modules.get(_HERMETIC)
    return module.report() if module is not None else None


def report() -> dict[str, Any]:
    """All that was seen, as JSON."""
    global _watching
    _watching = False
    project = Path(os.environ.get("RESEARCH_PROJECT", os.getcwd())).resolve()
    engine = f"{Path(__file__).parent / 'warm'}{os.sep}"
    system = tuple(f"{p}{os.sep}" for p in {sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.__file__)})
    return {
        "modules": _own_modules(project),
        "reads": _reads(),
        "opened": [p for p in _opened if not p.startswith((*system, engine)) and p not in _written],
        "network": list(_network)[:MAX_FINDINGS],
        "processes": list(_processes)[:MAX_FINDINGS],
        "databases": list(_databases)[:MAX_FINDINGS],
        "threads": _threads(),
        "hermetic": _hermetic(),
        "steps": _steps(),
        "python": sys.version.split()[0],
    }


def write() -> None:
    """Write the report to the file named by RESEARCH_WITNESS."""
    from research.experiments.jsonable import to_json

    target = Path(os.environ["RESEARCH_WITNESS"])
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps(to_json(report())), encoding="utf-8")
    partial.replace(target)
