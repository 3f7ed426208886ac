"""Calls that a run is not repeated by: reads past `data.load`, draws without a seed, the clock."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """A line of a cell, what is wrong there, and what to write instead."""

    line: int
    kind: str
    what: str
    hint: str


_LOAD = "Bring it in with research data import, and read it with data.load."
_RNG = "Write rng = np.random.default_rng(seed), with seed: int among the parameters."
_CLOCK = "Make it a parameter: as_of: date = date(2002, 7, 5)."

# modules whose use alone is an undeclared input
_NETWORK = {
    "requests", "urllib.request", "urllib3", "httpx", "aiohttp", "http.client", "ftplib", "socket", "smtplib",
    "yfinance", "pandas_datareader", "boto3", "s3fs", "gcsfs", "paramiko", "openbb", "quandl", "fredapi",
}  # fmt: skip
_PROGRAMS = {"subprocess", "os.system", "os.popen", "os.posix_spawn", "os.fork", "os.execv", "multiprocessing"}
_DATABASES = {"sqlite3.connect", "duckdb.connect", "duckdb.sql", "duckdb.query", "duckdb.read_parquet",
              "duckdb.read_csv", "sqlalchemy.create_engine", "psycopg2.connect", "pyodbc.connect"}  # fmt: skip
_FILES = {
    "open", "io.open", "numpy.load", "numpy.loadtxt", "numpy.genfromtxt", "numpy.fromfile", "numpy.memmap",
    "pyarrow.parquet.read_table", "pyarrow.csv.read_csv", "pyarrow.feather.read_feather", "polars.scan_parquet",
    "polars.scan_csv", "scipy.io.loadmat", "joblib.load", "glob.glob", "os.listdir", "os.scandir", "os.walk",
}  # fmt: skip
_READERS = ("pandas.read_", "polars.read_", "geopandas.read_")
_FILE_METHODS = {"read_text", "read_bytes", "iterdir", "rglob"}
_SETTINGS = {"os.environ", "os.getenv", "sys.argv"}
_CLOCKS = {
    "time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime", "datetime.datetime.now",
    "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today", "pandas.Timestamp.now",
    "pandas.Timestamp.today", "pandas.Timestamp.utcnow",
}  # fmt: skip
_CLOCK_TEXTS = {"numpy.datetime64", "pandas.to_datetime", "pandas.Timestamp"}  # of "now" or "today"
_GENERATORS = {"PCG64", "PCG64DXSM", "Philox", "SFC64", "MT19937", "SeedSequence", "RandomState", "default_rng"}
_ENTROPY = {"uuid.uuid1", "uuid.uuid4", "os.urandom", "random.SystemRandom"}


def aliases(trees: Iterable[ast.Module]) -> dict[str, str]:
    """What the imported names stand for: {"pd": "pandas", "default_rng": "numpy.random.default_rng"}."""
    out: dict[str, str] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for item in node.names:
                    top = item.name.split(".")[0]
                    out[item.asname or top] = item.name if item.asname else top
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                out.update({item.asname or item.name: f"{node.module}.{item.name}" for item in node.names})
    return out


def dotted(node: ast.AST, names: Mapping[str, str]) -> str:
    """The full name of `pd.read_csv`: pandas.read_csv; empty when it hangs on something computed or of our own."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    root = names.get(node.id) or (node.id if hasattr(builtins, node.id) else "")
    return ".".join([root, *reversed(parts)]) if root else ""


def calls(tree: ast.Module, names: Mapping[str, str], seeded: bool) -> Iterator[Found]:
    """Everything in one cell; `seeded` when an earlier cell called np.random.seed(...)."""
    seeded = seeded or seeds_globally(tree, names)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from _imports(node)
        elif isinstance(node, ast.Call):
            name = dotted(node.func, names)
            yield from _read(node, name)
            yield from _draw(node, name, seeded)
            yield from _clock(node, name)
        elif isinstance(node, (ast.Attribute, ast.Name)) and dotted(node, names) in _SETTINGS:
            what = f"{ast.unparse(node)} depends on where it runs"
            yield Found(node.lineno, "undeclared read", what, "Make it a parameter.")


def seeds_globally(tree: ast.Module, names: Mapping[str, str]) -> bool:
    """Whether the cell seeds NumPy's one global generator."""
    return any(
        isinstance(node, ast.Call) and dotted(node.func, names) == "numpy.random.seed" and _has_seed(node)
        for node in ast.walk(tree)
    )


def _imports(node: ast.Import | ast.ImportFrom) -> Iterator[Found]:
    modules = [item.name for item in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    for module in modules:
        if module == "research.core" or module.startswith("research.core."):
            hint = "Call the room above it: research.models, research.pricing, ..."
            yield Found(node.lineno, "structure", f"{module} is imported, whose arguments nobody checks", hint)
        if module in _NETWORK or module.split(".")[0] in _NETWORK:
            yield Found(node.lineno, "undeclared read", f"{module} reaches the network", _LOAD)
        if module in _PROGRAMS:
            hint = "A run may start no program; do this outside the notebook."
            yield Found(node.lineno, "undeclared read", f"{module} starts programs", hint)
    if isinstance(node, ast.ImportFrom) and any(item.name == "*" for item in node.names):
        what = f"from {node.module} import * brings names that nobody sees"
        yield Found(node.lineno, "hidden state", what, "Import the names that are used.")


def _read(node: ast.Call, name: str) -> Iterator[Found]:
    shown = f"{ast.unparse(node.func)}(...)"
    if name in _PROGRAMS:
        hint = "A run may start no program; do this outside the notebook."
        yield Found(node.lineno, "undeclared read", f"{shown} starts a program", hint)
    elif name in _DATABASES:
        yield Found(node.lineno, "undeclared read", f"{shown} opens a database", _LOAD)
    elif name in ("open", "io.open") and _writes(node):
        hint = "Record it: record(tables={...}, figures={...})."
        yield Found(node.lineno, "undeclared read", f"{shown} writes a file that no record knows", hint)
    elif name in _FILES or name.startswith(_READERS) or _is_file_method(node.func):
        yield Found(node.lineno, "undeclared read", f"{shown} reads past data.load", _LOAD)


def _is_file_method(function: ast.expr) -> bool:
    """Path(...).read_text and its like, whatever it hangs on."""
    return isinstance(function, ast.Attribute) and function.attr in _FILE_METHODS


def _writes(node: ast.Call) -> bool:
    modes = [*node.args[1:2], *(k.value for k in node.keywords if k.arg == "mode")]
    return any(isinstance(m, ast.Constant) and str(m.value)[:1] in ("w", "x", "a") for m in modes)


def _draw(node: ast.Call, name: str, seeded: bool) -> Iterator[Found]:
    shown, last = f"{ast.unparse(node.func)}(...)", name.rpartition(".")[2]
    kind = "unseeded randomness"
    if name.startswith("numpy.random."):
        if last in _GENERATORS:
            if not _has_seed(node):
                yield Found(node.lineno, kind, f"{ast.unparse(node)} has no seed", _RNG)
        elif last not in ("seed", "Generator", "BitGenerator") and not seeded:
            yield Found(node.lineno, kind, f"{shown} draws from the global generator", _RNG)
    elif name.startswith("random.") and name.count(".") == 1:
        if last == "Random":
            if not _has_seed(node):
                yield Found(node.lineno, kind, f"{ast.unparse(node)} has no seed", "Write random.Random(seed).")
        elif last != "seed" or not _has_seed(node):
            hint = "Write rng = random.Random(seed), with seed: int among the parameters."
            yield Found(node.lineno, kind, f"{shown} draws from the global generator", hint)
    elif name in _ENTROPY or name.startswith("secrets."):
        yield Found(node.lineno, kind, f"{shown} is different every time", "Take it out, or make it a parameter.")
    elif _draws_by_method(node) and not any(k.arg in ("random_state", "rng", "seed", None) for k in node.keywords):
        yield Found(node.lineno, kind, f"{shown} has no random_state", "Write random_state=seed.")


def _has_seed(node: ast.Call) -> bool:
    given = [*node.args, *(k.value for k in node.keywords)]
    return any(not (isinstance(value, ast.Constant) and value.value is None) for value in given)


def _draws_by_method(node: ast.Call) -> bool:
    """A SciPy distribution's rvs(...), a frame's sample(n=...) or sample(frac=...)."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    return name == "rvs" or (name == "sample" and any(k.arg in ("n", "frac") for k in node.keywords))


def _clock(node: ast.Call, name: str) -> Iterator[Found]:
    shown = f"{ast.unparse(node.func)}(...)"
    if name in _CLOCKS:
        yield Found(node.lineno, "wall clock", f"{shown} is another day tomorrow", _CLOCK)
    elif name in _CLOCK_TEXTS and any(isinstance(a, ast.Constant) and a.value in ("now", "today") for a in node.args):
        yield Found(node.lineno, "wall clock", f"{ast.unparse(node)} is another day tomorrow", _CLOCK)
    elif name == "time.strftime" and len(node.args) < 2:
        yield Found(node.lineno, "wall clock", f"{shown} is another day tomorrow", _CLOCK)
