"""`%load_ext research`: what this notebook recorded before, and what differs now, without leaving it.

%run_info        what the notebook takes, its last runs, and whether a run now would be pinned
%last [RUN]      the last run's results, and what differs now: parameters, cells, code, data, packages, results
%lineage [RUN]   from data to registered model, of the last run
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

from research.errors import ResearchError
from research.experiments.summary import card, grid, number, tiles
from research.lab import history
from research.lab.history import Difference, Session

_SMALL = "font-size:11px;opacity:.7;letter-spacing:.02em"
_COLOURS = {"FINISHED": "#1a7f5a", "FAILED": "#b5482e", "RUNNING": "#5b6b7b"}


class Shown:
    """Text for a terminal, HTML for a notebook."""

    def __init__(self, text: str, page: str) -> None:
        self.text, self.page = text, page

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return card(self.page)


def register(shell: Any) -> None:
    """Add the magics to an IPython shell."""
    for name, make in {"run_info": run_info, "last": last, "lineage": lineage}.items():
        shell.register_magic_function(_magic(shell, make), "line", name)


def _magic(shell: Any, make: Callable[[Session, str], Shown]) -> Callable[[str], Shown | None]:
    def magic(line: str = "") -> Shown | None:
        try:
            where = history.session(shell.user_ns, list(shell.user_ns.get("In", ())))
            return make(where, line.strip())
        except ResearchError as error:  # one sentence, no stack trace
            print(f"{type(error).__name__}: {error}")
            return None

    magic.__doc__ = make.__doc__
    return magic


def run_info(where: Session, line: str = "") -> Shown:
    """%run_info: what this notebook takes, its last runs, and whether a run now would be pinned."""
    from research.experiments import notebooks

    schema = notebooks.read(where.path).schema()
    defaults = schema.check({}).to_json()
    head = ["parameter", "type", "default", "now", "meaning"]
    rows = []
    for item in schema.items:
        now = where.values.get(item.name)
        shown = "" if item.name not in where.values else number(_plain(now))
        default = number(defaults[item.name])
        rows.append([item.name, item.text, default, "" if shown == default else shown, item.comment])
    found = history.runs(where, 5)
    listed = [[r.run_id, r.status, _when(r.started), _yes(r.passed), _yes(r.pinned)] for r in found]
    reasons = unpinned(where)
    pin = (
        "Nothing is known that would keep a run from being pinned."
        if not reasons
        else "A run now would not be pinned: " + "; ".join(reasons) + "."
    )
    runs_head = ["run", "status", "started (UTC)", "passed", "pinned"]
    text = "\n".join(
        [where.name, _lines(head, rows), "", _lines(runs_head, listed) if listed else "No run yet.", "", pin]
    )
    page = _title(where.name) + _grid("takes", head, rows, 5)
    page += _grid("last runs", runs_head, listed, 5) if listed else f'<div style="{_SMALL}">No run yet.</div>'
    return Shown(text, page + f'<div style="margin-top:8px">{html.escape(pin)}</div>')


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _when(time: str | None) -> str:
    return (time or "")[:16].replace("T", " ")


def _yes(value: bool | None) -> str:
    return {True: "yes", False: "no", None: "-"}[value]


def unpinned(where: Session) -> list[str]:
    """Why a run of the saved notebook would not be pinned, as far as can be known before it runs.

    The code that it will import is taken to be that of its last run.
    """
    from research.experiments import notebooks
    from research.experiments.closure import closure_file, code_reasons
    from research.fingerprint import digest_file

    recorded = history.last(where)
    names = recorded.closure if recorded is not None else {}
    paths = {name: closure_file(where.project, name) for name in names}
    now = {name: digest_file(path) for name, path in paths.items() if path is not None}
    reasons, _ = code_reasons(where.project, now, where.name, notebooks.read(where.path).digest)
    return reasons


def last(where: Session, line: str = "") -> Shown:
    """%last [RUN]: the results of this notebook's last run (or of RUN), and what differs now."""
    from research.lineage import load_capsule

    recorded = load_capsule(line, project=where.project) if line else history.last(where)
    if recorded is None:
        text = f"{where.name} has no finished run yet. research run {where.name}"
        return Shown(text, html.escape(text))
    found = history.differences(where, recorded)
    facts = f"run {recorded.run_id}, {_when(recorded.times['started'])} UTC, "
    facts += {True: "passed", False: "not passed", None: "recorded"}[recorded.passed]
    facts += ", pinned" if recorded.pinned else ", not pinned"
    metrics = [[name, number(item["value"]), item["unit"]] for name, item in recorded.metrics.items()]
    head = ["what", "name", "then", "now"]
    rows = [[d.kind, d.name, d.then, d.now] for d in _short(found)]
    nothing = "Nothing differs: a run now would be asked the same."
    text = "\n".join([facts, _lines(["metric", "value", "unit"], metrics), "", _lines(head, rows) if rows else nothing])
    page = _title(facts) + tiles(recorded.metrics)
    page += _grid("differs now", head, rows, 4) if rows else f'<div style="margin-top:8px">{nothing}</div>'
    return Shown(text, page)


def _short(found: list[Difference], most: int = 6) -> list[Difference]:
    """The first few of each kind; the rest as a count."""
    out = []
    for kind in dict.fromkeys(d.kind for d in found):
        same = [d for d in found if d.kind == kind]
        out += same[:most]
        if len(same) > most:
            out.append(Difference(kind, f"and {len(same) - most} more", "", ""))
    return out


def lineage(where: Session, line: str = "") -> Shown:
    """%lineage [RUN]: from data to registered model, of this notebook's last run (or of RUN)."""
    from research.governance import provenance

    recorded = None if line else history.last(where)
    run = line or (recorded.run_id if recorded else "")
    if not run:
        text = f"{where.name} has no finished run yet. research run {where.name}"
        return Shown(text, html.escape(text))
    found = provenance.of_run(where.project, run)
    rows = [["data", _read(read)] for read in found["data"]]
    rows.append(["notebook", f"{found['notebook']['path']}  {found['notebook']['digest'][:12]}"])
    code = found["code"]
    rows.append(["code", f"commit {str(code['commit'])[:12]}, {code['files']} files"])
    rows.append(["run", f"{found['run']}, identity {found['identity'][:12]}, record {found['record'][:12]}"])
    rows += [["test", f"{test['test']}: {test['verdict']}"] for test in found["tests"]]
    again = found["reproduced"]
    rows.append(["reproduced", f"{again['verdict']}, {_when(again['at'])} UTC" if again else "never"])
    rows += [["version", f"{v['model']} {v['version']}: {v['state']}"] for v in found["versions"]]
    rows += [["evidence for", f"{use['model']} {use['version']}"] for use in found["evidence_for"]]
    return Shown(_lines(["", found["run"]], rows), _title(f"lineage of {found['run']}") + _grid("", ["", ""], rows, 2))


def _read(read: dict[str, Any]) -> str:
    when = f" as of {read['as_of']}" if read["as_of"] else ""
    return f"{read['name']}{when}, {read['rows']} rows, {read['sha256'][:12]}"


def _lines(head: list[str], rows: list[list[str]]) -> str:
    """A table as text."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in (head, *rows))


def _title(text: str) -> str:
    return f'<div style="font-weight:600">{html.escape(text)}</div>'


def _grid(title: str, head: list[str], rows: list[list[str]], text_columns: int) -> str:
    cells = [[_cell(value) for value in row] for row in rows]
    return grid(html.escape(title), [html.escape(h) for h in head], cells, range(text_columns))


def _cell(value: str) -> str:
    colour = _COLOURS.get(value)
    return f'<b style="color:{colour}">{value}</b>' if colour else html.escape(value)
