"""A run shut off from the world: no network, no undeclared file, one time zone, locale and number of threads.

`enter(spec)` is called in the process of the notebook before its first cell; what it sets up cannot be undone there.

    files     Landlock (Linux 5.13) lets the process open what the specification lists; elsewhere only the audit hook
    network   seccomp refuses every socket but local ones; Landlock (ABI 4) TCP besides; elsewhere only the audit hook
    settings  TZ=UTC, locale C.UTF-8, threads, a home folder of its own; whoever starts the process sets the hash seed

The audit hook sees an attempt first: it says in plain words what was refused, and notes it for the capsule. What goes
past Python (a C library that opens a file) meets the kernel, and is noted where a wrapped reader sees it. The report
says which of these were in force.

The specification travels as JSON in RESEARCH_HERMETIC; kernel and warm child call `enter_from_environment()` when they
are ready for cells and before they start a thread: Landlock and seccomp hold for the calling thread and what it starts.
"""

# ruff: noqa: PTH100, PTH103, PTH111, PTH112, PTH118, PTH120
from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import platform
import struct
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

VARIABLE = "RESEARCH_HERMETIC"
MAX_REFUSED = 100
_SYSTEM = (
    "/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d",
    "/etc/localtime", "/etc/nsswitch.conf", "/etc/passwd", "/etc/group", "/etc/fonts", "/etc/ssl", "/etc/os-release",
    "/etc/alternatives", "/etc/mime.types", "/proc", "/sys/devices/system", "/sys/fs/cgroup", "/sys/kernel/mm",
)  # fmt: skip
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/shm")
_CACHES = ("research", "numba", "matplotlib", "fontconfig")

_refused: dict[tuple[str, str], None] = {}
_spec: Spec | None = None
_report: Report | None = None
_reading: tuple[str, ...] = ()
_writing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What a hermetic process may touch."""

    read: tuple[str, ...]
    write: tuple[str, ...]
    home: str
    threads: int
    time_zone: str = "UTC"
    locale: str = "C.UTF-8"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What holds, and by what; in the capsule together with what was refused."""

    files: str
    network: str
    settings: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def spec_for(root: Path, notebook: Path, *, work: Path, threads: int | None = None) -> Spec:
    """The specification of a run of `notebook` in the project at `root`.

    It may read the interpreter and the system's libraries, the project's code, notebook, configuration, and the files
    that data/catalog.yaml names; it may write `work` and the caches of compiled code and fonts.
    """
    code = [root / "src", Path(__file__).resolve().parents[1], root / "pyproject.toml", root / "requirements.lock"]
    settings = [root / name for name in ("dvc.yaml", "dvc.lock", "params.yaml", "data/catalog.yaml", ".dvc/config")]
    declared = [root / path for path in _declared(root / "data" / "catalog.yaml")]
    names = [path.with_name(f"{path.name}.dvc") for path in declared]
    read = [*code, *settings, *declared, *names, notebook, *map(Path, _interpreter()), *map(Path, _SYSTEM)]
    caches = [base / name for base in _cache_bases() for name in _CACHES]
    names_of_caches = ("RESEARCH_CACHE", "NUMBA_CACHE_DIR", "MPLCONFIGDIR")
    given = [Path(os.environ[name]) for name in names_of_caches if os.environ.get(name)]
    write = [work, *given, *caches, *map(Path, _DEVICES)]
    return Spec(
        read=tuple(dict.fromkeys(str(path) for path in read)),
        write=tuple(dict.fromkeys(str(path) for path in write)),
        home=str(work / "home"),
        threads=threads or _processors(),
    )


def variables(root: Path, notebook: Path, work: Path) -> dict[str, str]:
    """The environment that makes the interpreter of a run hermetic; `work` is a folder of its own."""
    spec = spec_for(root, notebook, work=work)
    return {VARIABLE: json.dumps(spec.to_json()), "PYTHONHASHSEED": "0", "TZ": spec.time_zone, "LC_ALL": spec.locale}


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _declared(catalog: Path) -> list[str]:
    """The files that the data dictionary names."""
    import yaml

    try:
        content = yaml.safe_load(catalog.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError):
        return []
    entries = content.get("datasets") or {}
    return [str(e["path"]) for e in entries.values() if isinstance(e, dict) and e.get("path")]


def _interpreter() -> list[str]:
    paths = sysconfig.get_paths()
    places = [sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.path.realpath(sys.executable))]
    editable = [p for p in sys.path if p and os.path.isdir(p)]
    return [*places, *(paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")), *editable]


def _cache_bases() -> list[Path]:
    base = os.environ.get("XDG_CACHE_HOME")
    return [Path(base) if base else Path.home() / ".cache"]


def enter(spec: Spec) -> Report:
    """Shut this process off, for good; call it in the process of the notebook, before the first cell."""
    global _spec, _report, _reading, _writing
    settings = _settle(spec)
    _reading, _writing = _folders(spec.read), _folders(spec.write)
    _spec = spec
    sys.addaudithook(_hook)
    if _no_new_privileges():
        files, tcp = _landlock(spec)
        sockets = _seccomp()
    else:
        files, tcp, sockets = "", "", ""
    networks = [name for name in (sockets, tcp) if name]
    _report = Report(
        files=files or "audit hook only: this kernel has no Landlock",
        network=" and ".join(networks) or "audit hook only: this kernel filters no system calls",
        settings=settings,
    )
    return _report


def enter_from_environment() -> Report | None:
    """Enter when RESEARCH_HERMETIC asks for it."""
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    raw = json.loads(text)
    own = [os.path.dirname(os.environ[name]) for name in ("RESEARCH_WITNESS", "IPYTHONDIR") if os.environ.get(name)]
    return enter(Spec(**{**raw, "read": tuple(raw["read"]), "write": (*raw["write"], *own)}))


def report() -> dict[str, Any] | None:
    """What holds in this process and what it refused, as JSON; None when the process is not hermetic."""
    if _report is None:
        return None
    refused = [{"kind": kind, "what": what} for kind, what in _refused]
    return {**_report.to_json(), "refused": refused[:MAX_REFUSED]}


def note(kind: str, what: str) -> None:
    """Note that something was refused."""
    _refused[(kind, what)] = None


def lines(found: Mapping[str, Any]) -> list[str]:
    """A report in lines for people."""
    head = f"hermetic: files by {found['files']}; network by {found['network']}"
    refused = [f"refused: {item['kind']} {item['what']}" for item in found["refused"]]
    return [head, *refused] if refused else [head, "refused: nothing"]


def _folders(paths: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(p for path in paths for p in (os.path.abspath(path), os.path.realpath(path))))


def _settle(spec: Spec) -> dict[str, str]:
    """Time zone, locale, threads and home of this process."""
    import locale
    import time

    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    os.makedirs(spec.home, exist_ok=True)
    count = str(spec.threads)
    os.environ.update(
        {"TZ": spec.time_zone, "LC_ALL": spec.locale, "LANG": spec.locale, "HOME": spec.home, "TMPDIR": spec.home}
        | {"XDG_CACHE_HOME": cache, "XDG_CONFIG_HOME": os.path.join(spec.home, ".config")}
        | dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), count)
    )
    import tempfile

    tempfile.tempdir = spec.home
    if hasattr(time, "tzset"):
        time.tzset()
    with contextlib.suppress(locale.Error):
        locale.setlocale(locale.LC_ALL, spec.locale)
    numba = sys.modules.get("numba")
    if numba is not None and spec.threads < numba.config.NUMBA_NUM_THREADS:  # as a cold kernel: it starts no threads
        numba.set_num_threads(spec.threads)
    seed = os.environ.get("PYTHONHASHSEED", "random")
    return {"time zone": spec.time_zone, "locale": spec.locale, "threads": count, "hash seed": seed}


# --- the audit hook: plain words and a note ---------------------------------------------------------------------------


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event == "open":
        _see_open(*args)
    elif event == "socket.connect" and not isinstance(args[1], (str, bytes)):
        _refuse("connection to", f"{args[1][0]}:{args[1][1]}", errno.ENETUNREACH)
    elif event == "socket.__new__" and args[1] not in (-1, _family("AF_UNIX")):
        _refuse("socket", _family_name(args[1]), errno.EACCES)
    elif event in ("socket.getaddrinfo", "socket.gethostbyname") and args[0]:
        _refuse("look-up of", os.fsdecode(args[0]) if isinstance(args[0], bytes) else str(args[0]), errno.ENETUNREACH)


def _family_name(number: int) -> str:
    import socket

    try:
        return socket.AddressFamily(number).name
    except ValueError:
        return f"family {number}"


def _family(name: str) -> int:
    import socket

    return int(getattr(socket, name, -1))


def _see_open(path: Any, mode: Any, flags: Any) -> None:
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if not isinstance(path, str):
        return  # a file descriptor
    wants = (isinstance(mode, str) and any(c in mode for c in "wax+")) or (
        isinstance(flags, int) and mode is None and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    )
    if may_open(path, write=wants):
        return
    if wants or os.path.lexists(path):  # what is not there may be looked for
        _refuse("writing" if wants else "reading", os.path.abspath(path), errno.EACCES)


def may_open(path: str, *, write: bool) -> bool:
    """Whether the specification lists a path."""
    full = os.path.realpath(path)
    places = _writing if write else (*_reading, *_writing)
    return any(full == place or full.startswith(f"{place.rstrip('/')}/") for place in places)


def _refuse(kind: str, what: str, number: int) -> None:
    note(kind, what)
    hint = "declare it in data/catalog.yaml and read it with data.load" if kind == "reading" else ""
    raise PermissionError(number, f"a hermetic run refuses {kind} {what}" + (f"; {hint}" if hint else ""))


# --- the kernel: Landlock and seccomp, by system call -----------------------------------------------------------------

_EXECUTE, _WRITE, _READ, _LIST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL = 1 << 13, 1 << 14, 1 << 15
_ALL_OF_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _IOCTL
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_BIND, _CONNECT = 1, 2


def _libc() -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc


def _no_new_privileges() -> bool:
    return sys.platform == "linux" and _libc().prctl(38, 1, 0, 0, 0) == 0


def landlock_abi() -> int:
    """The version of Landlock in this kernel; 0 when there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc().syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))))


def _landlock(spec: Spec) -> tuple[str, str]:
    """Allow what the specification lists and nothing else; what holds for files and for TCP."""
    abi = landlock_abi()
    if abi < 1:
        return "", ""
    handled = _ALL_OF_ABI[min(abi, 5)]
    network = _BIND | _CONNECT if abi >= 4 else 0
    attributes = struct.pack("=QQ", handled, network) if abi >= 4 else struct.pack("=Q", handled)
    libc = _libc()
    ruleset = libc.syscall(_CREATE, ctypes.c_char_p(attributes), ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
    if ruleset < 0:
        return "", ""
    try:
        for path in spec.read:
            _allow(libc, ruleset, path, handled & (_READ | _LIST | _EXECUTE))
        for path in spec.write:
            _allow(libc, ruleset, path, handled)
        done = libc.syscall(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0)) == 0
    finally:
        os.close(ruleset)
    return (f"Landlock (ABI {abi})" if done else "", f"Landlock TCP (ABI {abi})" if done and network else "")


def _allow(libc: Any, ruleset: int, path: str, rights: int) -> None:
    with contextlib.suppress(OSError):  # a cache that is not there yet, a system without /lib64
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not os.path.isdir(path):
                rights &= _OF_FILES
            rule = struct.pack("=Qi", rights, handle)
            libc.syscall(_ADD, ctypes.c_int(ruleset), ctypes.c_int(1), ctypes.c_char_p(rule), ctypes.c_uint32(0))
        finally:
            os.close(handle)


# offsets in struct seccomp_data; opcodes of classic BPF
_NUMBER, _ARCH, _FIRST = 0, 4, 16
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}  # audit architecture, number of socket()
_UNIX = 1


def _seccomp() -> str:
    """Refuse every socket that is not a local one, whoever asks: Python, or a library in C."""
    machine = _MACHINES.get(platform.machine())
    if machine is None or ctypes.sizeof(ctypes.c_void_p) != 8:
        return ""
    architecture, socket_call = machine
    program = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 0, 4, architecture),  # another architecture: not filtered
        (_LOAD, 0, 0, _NUMBER),
        (_EQUAL, 0, 2, socket_call),
        (_LOAD, 0, 0, _FIRST),
        (_EQUAL, 0, 1, _UNIX),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO | errno.EACCES),
    ]
    code = b"".join(struct.pack("=HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    filled = Program(len(program), ctypes.cast(buffer, ctypes.c_void_p))
    done = _libc().prctl(22, 2, ctypes.byref(filled), 0, 0)
    return "seccomp" if done == 0 else ""
