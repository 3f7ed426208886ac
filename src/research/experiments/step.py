"""`step("name", inputs...)`: an expensive cell is computed once; a notebook that failed later resumes behind it.

    @research.step("paths", spot, vol, n=n_paths)
    def paths(spot, vol, n):                          # `paths` is now the value, computed or kept
        return simulate(spot, vol, n)

    surface = research.step("surface", quotes)(fit_surface)      # the same, as a call

The value is kept under a digest of everything it can depend on: the inputs; the code of the function, of the
functions and constants of the notebook that it uses; every module of `research` below the doors and of the
project's `src/`; the compiled core; Python and the installed packages. Data that it loads is hashed again, files and
connections that it opened are reported again, and the value is checked by digest: a kept value gives the same
record as a computed one. The capsule lists the steps, and which were kept. `reproduce` and hermetic runs compute all
of them; RESEARCH_STEPS=off does so too. What is kept lies in `mlruns/steps/` and may be deleted at any time.

A step returns a value (see `kept` for the kinds). What it prints or shows is not kept; a draw from a generator that
is no input would make the value depend on it: pass the seed.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import os
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from research.errors import InputError, IntegrityError, RefusedError, rule
from research.experiments import kept
from research.fingerprint import core_fingerprint, digest_json, source_files
from research.project import Project, find_project

FOLDER = "steps"
_DOORS = ("cli", "lab", "serving", "report", "governance")
_taken: list[dict[str, Any]] = []


class Step:
    """A step that waits for its function; calling it gives the value."""

    def __init__(self, name: str, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        if not isinstance(name, str) or not name.strip():
            raise InputError(rule("the name of a step", "be text", name, 'Write step("paths", spot, n=n).'))
        self.name, self.inputs, self.named = name, inputs, named

    def __call__(self, function: Callable[..., Any]) -> Any:
        """The value of `function(*inputs, **named)`, computed or kept."""
        if not isinstance(function, types.FunctionType):
            raise InputError(rule(f"step '{self.name}'", "be given a function", function, "Wrap it in a def."))
        project, started = find_project(), time.perf_counter()
        before = self._digest_of_inputs()
        code = _digest_of_code(function, f"step '{self.name}'")
        key = digest_json(
            {"name": self.name, "inputs": before, "code": code, "around": _digest_around(project), "version": 1}
        )
        folder = project.mlruns / FOLDER / key
        found, note = (None, "") if is_off() else _recall(folder, project)
        if found is None:
            found = self._compute(function, folder, before, note)
            taken = False
        else:
            taken = True
        _taken.append(
            {
                "name": self.name,
                "key": key,
                "kept": taken,
                "digest": found[1],
                "seconds": round(time.perf_counter() - started, 6),
                **({"note": note} if note else {}),
            }
        )
        return found[0]

    def _digest_of_inputs(self) -> str:
        whole = {"inputs": list(self.inputs), "named": dict(self.named)}
        return kept.encode(whole, f"step '{self.name}'").digest

    def _compute(self, function: Callable[..., Any], folder: Path, before: str, note: str) -> tuple[Any, str]:
        seen = _Seen()
        value = function(*self.inputs, **self.named)
        if self._digest_of_inputs() != before:
            raise RefusedError(
                f"step '{self.name}' must not change its inputs; got one that is not as it was. Work on a copy."
            )
        encoded = kept.encode(value, f"the value of step '{self.name}'")
        if not is_off():
            if note:
                _remove(folder)
            kept.write(folder, encoded, {"name": self.name, **seen.report()})
        return value, encoded.digest


def step(name: str, *inputs: Any, **named: Any) -> Step:
    """A step called `name` over these inputs; decorate or call it with the function that computes the value."""
    return Step(name, inputs, named)


def is_off() -> bool:
    """Whether steps are always computed: asked for, or a hermetic run."""
    return os.environ.get("RESEARCH_STEPS", "").lower() in ("off", "0", "false") or "RESEARCH_HERMETIC" in os.environ


def taken() -> list[dict[str, Any]]:
    """The steps of this process, in order, and which of them were kept."""
    return list(_taken)


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _recall(folder: Path, project: Project) -> tuple[tuple[Any, str] | None, str]:
    """A kept value whose data is as it was, and its digest; else None, with a note when something was wrong."""
    try:
        found = kept.read(folder)
    except IntegrityError as error:
        return None, f"computed again: {error}"
    if found is None:
        return None, ""
    entry, files = found
    if (_is_recorded() and not entry["watched"]) or not _data_is_same(entry["reads"], project):
        return None, "computed again: its data changed, or nobody watched what it read"
    value = kept.decode(entry["tree"], files)
    _repeat(entry)
    return (value, entry["digest"]), ""


def _is_recorded() -> bool:
    return bool(os.environ.get("RESEARCH_RUN_ID"))


def _data_is_same(reads: list[dict[str, Any]], project: Project) -> bool:
    """Whether every read of the step would read the same today: the file and its contract."""
    if not reads:
        return True
    from research.data import catalog
    from research.fingerprint import digest_file

    try:
        entries = catalog(project)
        return all(
            digest_file(project.root / read["path"]) == read["file_sha256"]
            and entries[read["name"]].contract_digest == read["contract"]
            for read in reads
        )
    except (OSError, KeyError):
        return False


def _repeat(entry: dict[str, Any]) -> None:
    """Leave the traces that computing would leave: modules, declared reads, and what the witness saw."""
    for name in entry["modules"]:
        if name not in sys.modules:
            importlib.import_module(name)
    if entry["reads"]:
        from research.data.journal import Read, note

        for read in entry["reads"]:
            note(Read(**read))
    witness = sys.modules.get("research.experiments.witness")
    for kind in _KINDS if witness is not None else ():
        getattr(witness, kind).update(dict.fromkeys(entry[kind]))


_KINDS = ("_opened", "_network", "_processes", "_databases")


class _Seen:
    """What a step takes in while it is computed."""

    def __init__(self) -> None:
        self._reads = len(_reads())
        witness = sys.modules.get("research.experiments.witness")
        self._witness = witness if witness is not None and witness._watching else None
        self._before = {kind: set(getattr(self._witness, kind)) for kind in _KINDS if self._witness is not None}

    def report(self) -> dict[str, Any]:
        """As JSON, to be repeated when the value is taken."""
        seen = {
            kind: [x for x in getattr(self._witness, kind) if x not in self._before[kind]] if self._witness else []
            for kind in _KINDS
        }
        return {
            "watched": self._witness is not None,
            "reads": [read.to_json() for read in _reads()[self._reads :]],
            "modules": sorted(name for name in sys.modules if name.startswith("research.") and _has_file(name)),
            **seen,
        }


def _has_file(name: str) -> bool:
    return bool(getattr(sys.modules[name], "__file__", None))


def _reads() -> list[Any]:
    data = sys.modules.get("research.data")
    return list(data.reads()) if data is not None else []


@functools.cache
def _python() -> str:
    from research.lineage.environment import distributions

    return digest_json({"python": sys.version, "distributions": distributions()})


def _digest_around(project: Project) -> str:
    """Code and packages that any step may use."""
    from research.lineage.memo import file_digest

    package = Path(__file__).resolve().parents[1]
    files = [p for p in source_files(package) if p.relative_to(package).parts[0] not in _DOORS]
    own, root = (project.root / "src").resolve(), f"{project.root.resolve()}{os.sep}"
    files += [p for p in source_files(own) if not p.is_relative_to(package)] if own.is_dir() else []
    loaded = {str(getattr(module, "__file__", None) or "") for module in list(sys.modules.values())}
    beside = [f for f in loaded if f.startswith(root) and not f.startswith((str(own), f"{sys.prefix}{os.sep}"))]
    running = hashlib.sha256()
    for path in [*files, *map(Path, sorted(beside))]:
        running.update(f"{path}\0{file_digest(path)}\n".encode())
    return digest_json([running.hexdigest(), core_fingerprint(), _python()])


def _constant(value: Any) -> str:
    """A constant in words; a set has no order."""
    return f"set {sorted(map(repr, value))}" if isinstance(value, frozenset) else repr(value)


def _digest_of_code(function: types.FunctionType, name: str) -> str:
    """The code of a function, and of what it uses from the notebook: functions, classes, constants."""
    seen: set[int] = set()

    def of_code(code: types.CodeType) -> list[Any]:
        constants = [of_code(c) if isinstance(c, types.CodeType) else _constant(c) for c in code.co_consts]
        names = [list(code.co_names), list(code.co_varnames), list(code.co_freevars), code.co_flags]
        return [code.co_code.hex(), constants, names]

    def of_function(found: types.FunctionType) -> list[Any]:
        if id(found) in seen:
            return ["again", found.__qualname__]
        seen.add(id(found))
        outside = inspect.getclosurevars(found)
        used = {**outside.globals, **outside.nonlocals}
        parts = [[key, of_value(value, key)] for key, value in sorted(used.items())]
        defaults = kept.encode([list(found.__defaults__ or ()), dict(found.__kwdefaults__ or {})], name).digest
        return [of_code(found.__code__), defaults, parts]

    def of_value(value: Any, key: str) -> Any:
        if isinstance(value, types.ModuleType):
            return ["module", value.__name__]
        home = getattr(value, "__module__", None) or ""
        known = home.partition(".")[0] not in ("__main__", "") and home in sys.modules
        if isinstance(value, types.FunctionType):
            return [home, value.__qualname__] if known else of_function(value)
        if isinstance(value, type):
            return [home, value.__qualname__] if known else [inspect.getsource(value)]
        if isinstance(value, types.BuiltinFunctionType) or (
            callable(value) and known and hasattr(value, "__qualname__")
        ):
            return [home, getattr(value, "__qualname__", repr(value))]
        try:
            return kept.encode(value, f"{key}, used by {name},").digest
        except InputError as error:
            raise InputError(f"{error} Pass what it needs as an input.") from None

    return digest_json(of_function(function))
