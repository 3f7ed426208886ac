"""`research COMMAND`: finds the command, runs it, and turns deliberate errors into one line and an exit code.

Exit codes: 0 done; 1 the answer is no (failed run, not reproduced, refused); 2 wrong use. The command table is
static, so that `research --help` imports neither a room nor a command-line library.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Sequence

# name: what it does. The module research.cli.NAME holds `app`, a typer application.
COMMANDS: dict[str, str] = {
    "demo": "The whole path on real data: pipeline, promotion, report, summary.",
    "run": "Run a notebook with checked parameters, and record it.",
    "sweep": "Run a notebook at many points; durable and resumable.",
    "tune": "Search for the best parameters of a notebook; every trial recorded.",
    "runs": "List runs; filter, sort and choose columns.",
    "show": "Show one run: parameters, data, results, verdict.",
    "diff": "What differs between two runs, two commits of a notebook, or two sweeps.",
    "compare": "Many runs on one page: table, scatter, parallel coordinates.",
    "reproduce": "Re-run a pinned run in a clean checkout; a verdict, and the cause.",
    "pins": "Golden runs: pin one, list them, check that they still hold.",
    "lineage": "From data to registered model: the tree of a run or a model.",
    "model": "Submit, validate, approve, promote, list and show models.",
    "audit": "Verify ledger, signatures, capsules and artifacts.",
    "data": "List, show, check, ingest and import data sets.",
    "report": "Write reports/index.html from the recorded runs.",
    "new": "Start a notebook, with its test and its stage.",
    "check": "Say what would keep notebooks from promotion.",
    "open": "Open a run again as a notebook, with its parameters and data.",
    "lab": "Open JupyterLab on the notebooks: jobs, MLflow, the warm kernel.",
    "ui": "Open the MLflow UI on the local store.",
    "warmup": "Compile every kernel into the cache.",
    "doctor": "Check this machine: Python, packages, threads, store.",
}


def _help() -> str:
    width = max(map(len, COMMANDS)) + 2
    rows = "\n".join(f"  {name:<{width}}{text}" for name, text in COMMANDS.items())
    return (
        "Usage: research COMMAND [ARGUMENTS]\n\n"
        "Reproducible quantitative research: runs, evidence, verdicts, signed promotion.\n\n"
        f"Commands:\n{rows}\n\nresearch COMMAND --help explains one. Most commands take --json.\n"
        "Exit codes: 0 done, 1 the answer is no, 2 wrong use."
    )


def _fail(error: BaseException, code: int, as_json: bool) -> int:
    kind, text = type(error).__name__, str(error)
    if as_json:
        print(json.dumps({"error": kind, "message": text, "exit_code": code}))
    else:
        print(f"{kind}: {text}", file=sys.stderr)
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    if not args or args[0] in ("-h", "--help", "help"):
        print(_help())
        return 0 if args else 2
    if args[0] == "--version":
        import research

        print(f"research {research.__version__}")
        return 0
    name, rest = args[0], args[1:]
    if name not in COMMANDS:
        from research.errors import did_you_mean, rule

        hint = did_you_mean(name, COMMANDS) or "See research --help."
        print("UsageError:", rule("command", f"be one of {', '.join(COMMANDS)}", name, hint), file=sys.stderr)
        return 2
    if argv is None:
        from research.cli import _front

        code = _front.carried(name, rest)
        if code is not None:
            return code
    return _dispatch(name, rest)


def _dispatch(name: str, rest: list[str]) -> int:
    import typer

    from research.errors import ResearchError

    as_json = "--json" in rest
    try:
        app = importlib.import_module(f"research.cli.{name}").app
        code = typer.main.get_command(app).main(args=rest, prog_name=f"research {name}", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except typer.Exit as stop:
        return int(stop.exit_code)
    except typer.TyperException as error:
        if as_json or not hasattr(error, "show"):
            return _fail(error, error.exit_code, as_json)
        error.show()  # with the usage line
        return error.exit_code
    except ResearchError as error:
        return _fail(error, error.exit_code, as_json)
    except (KeyboardInterrupt, typer.Abort):
        print("Interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `research runs | head`
        sys.stderr.close()
        return 0
