"""`research model ...`: submit, validate, approve, promote, retire; list, show, sync; keygen."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from research.errors import InputError, rule

if TYPE_CHECKING:
    from research.governance.ledger import Entry
    from research.governance.office import Office
    from research.governance.promotion import Signer

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Submit, validate, approve, promote, list and show models."
)

Reference = Annotated[str, typer.Argument(help="NAME, NAME@VERSION or NAME@champion.", show_default=False)]
As = Annotated[str | None, typer.Option("--as", metavar="PERSON", help="Who signs; a name in roles.yaml.")]
Key = Annotated[Path | None, typer.Option("--key", metavar="FILE", help="The private key to sign with.")]
Demo = Annotated[bool, typer.Option("--demo", help="In the demo's ledger, with its people and keys.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Note = Annotated[str, typer.Option("--note", help="A remark that is signed with the step.")]
Effective = Annotated[str | None, typer.Option("--effective", metavar="TIME", help="Holds from then on; default now.")]


def _moment(name: str, text: str | None) -> datetime | None:
    """An ISO date or time; UTC unless it says otherwise."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(rule(name, "be an ISO date or time", text, "For example 2026-11-30.")) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _desk(step: str, person: str | None, key: Path | None, demo: bool) -> tuple[Office, Signer]:
    """The office, and whose signature; in the demo both have defaults."""
    from research.governance import demo as show
    from research.governance.office import open_office
    from research.governance.promotion import Signer
    from research.governance.realm import realm

    if demo:
        where = show.people()
        name = person or show.SIGNS[step]
        return open_office(where), Signer(name=name, key=key or where.keys / f"{name}.pem")
    if person is None or key is None:
        missing = "--as" if person is None else "--key"
        raise InputError(f"{missing} must be given: a step is signed. The demo's people need neither: --demo.")
    return open_office(realm()), Signer(name=person, key=key)


def _done(office: Office, entry: Entry, as_json: bool) -> None:
    """Show MLflow the new state, and the user what was written."""
    from research.governance import projection

    version = office.register().version(entry.model, entry.version)
    shown = projection.sync(office)
    state = version.state if version else "unknown"
    if as_json:
        facts = {"step": entry.step, "model": entry.model, "version": entry.version, "state": state, "run": entry.run}
        print(json.dumps({**facts, "entry": entry.seq, "hash": entry.hash, "person": entry.person, "registry": shown}))
        return
    from research.cli import _print

    _print.line(f"{entry.model} version {entry.version}: {state}", "bold green")
    _print.line(f"  {entry.step} signed by {entry.person}, ledger entry {entry.seq}, {entry.hash[:16]}")
    for line in shown:
        _print.line(f"  registry: {line}")


@app.command()
def submit(
    run: Annotated[str, typer.Argument(help="A pinned run, or latest.", show_default=False)],
    model: Annotated[str, typer.Option("--model", metavar="NAME", help="A model with a card in governance/inventory.")],
    person: As = None,
    key: Key = None,
    demo: Demo = False,
    note: Note = "",
    as_json: Json = False,
) -> None:
    """Propose a run as the next version of a model."""
    from research.governance import promotion

    office, signer = _desk("submit", person, key, demo)
    _done(office, promotion.submit(office, run, model, signer, note=note), as_json)


@app.command()
def validate(
    model: Reference,
    evidence: Annotated[
        list[str] | None,
        typer.Option("--evidence", metavar="RUN", help="A validation run; default the newest fitting."),
    ] = None,
    reject: Annotated[str, typer.Option("--reject", metavar="WHY", help="Reject the version instead.")] = "",
    reproduce: Annotated[bool, typer.Option("--reproduce", help="Re-run it in a clean checkout first.")] = False,
    person: As = None,
    key: Key = None,
    demo: Demo = False,
    note: Note = "",
    as_json: Json = False,
) -> None:
    """State, as someone who did not make it, that a version does what its card says."""
    from research.governance import promotion
    from research.governance.office import resolve

    office, signer = _desk("validate", person, key, demo)
    if reproduce:
        from research.experiments import reproduce as repeat

        repeat(resolve(office.register(), model, newest_in=("submitted",)).run)
    entry = promotion.validate(office, model, signer, evidence=evidence or (), reject=reject, note=note)
    _done(office, entry, as_json)


@app.command()
def approve(
    model: Reference, person: As = None, key: Key = None, demo: Demo = False, note: Note = "", as_json: Json = False
) -> None:
    """Allow a validated version to be used for what its card says."""
    from research.governance import promotion

    office, signer = _desk("approve", person, key, demo)
    _done(office, promotion.approve(office, model, signer, note=note), as_json)


@app.command()
def promote(
    model: Reference,
    effective: Effective = None,
    person: As = None,
    key: Key = None,
    demo: Demo = False,
    note: Note = "",
    as_json: Json = False,
) -> None:
    """Put an approved version in production; the one before is retired."""
    from research.governance import promotion

    office, signer = _desk("promote", person, key, demo)
    when = _moment("--effective", effective)
    _done(office, promotion.promote(office, model, signer, effective=when, note=note), as_json)


@app.command()
def retire(
    model: Reference,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is signed with the step.")],
    effective: Effective = None,
    person: As = None,
    key: Key = None,
    demo: Demo = False,
    as_json: Json = False,
) -> None:
    """Take a version out of use."""
    from research.governance import promotion

    office, signer = _desk("retire", person, key, demo)
    when = _moment("--effective", effective)
    _done(office, promotion.retire(office, model, signer, reason=reason, effective=when), as_json)


@app.command("list")
def list_models(
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="TIME", help="What held then.")] = None,
    known: Annotated[str | None, typer.Option("--known", metavar="TIME", help="What the ledger said then.")] = None,
    as_json: Json = False,
) -> None:
    """What is in use, since when, by whose signature, and whether it still reproduces."""
    from research.governance import provenance
    from research.project import find_project

    when = {"effective": _moment("--as-of", as_of), "known": _moment("--known", known)}
    found = provenance.overview(find_project(), **when)
    if as_json:
        print(json.dumps(found))
        return
    from research.cli import _print

    head = ["model", "tier", "state", "version", "since (UTC)", "signed by", "run", "reproduced", "next review"]
    rows = [
        [
            line["model"] + (" (demo)" if line["demo"] else ""),
            str(line["tier"]),
            line["state"],
            str(line["version"] or "-"),
            _time(line["since"]),
            ", ".join(line["signers"]) or "-",
            line["run"] or "-",
            line["reproduced"] or "-",
            line["next_review"],
        ]
        for line in found
    ]
    _print.table("", head, rows)


def _time(text: str | None) -> str:
    return text[:16].replace("T", " ") if text else "-"


@app.command()
def show(
    model: Reference,
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="TIME", help="What held then.")] = None,
    known: Annotated[str | None, typer.Option("--known", metavar="TIME", help="What the ledger said then.")] = None,
    demo: Demo = False,
    as_json: Json = False,
) -> None:
    """One model: its card, its versions, who signed what, and whether each is still what was approved."""
    from research.governance import provenance
    from research.project import find_project

    when = {"effective": _moment("--as-of", as_of), "known": _moment("--known", known)}
    found = provenance.model(find_project(), model, demo=demo, **when)
    if as_json:
        print(json.dumps(found))
        return
    _print_model(found, as_of)


def _print_model(found: dict[str, Any], as_of: str | None) -> None:
    from research.cli import _print

    card = found["card"]
    _print.line(f"{card['name']}: {card['title']}" + (f" (as of {as_of})" if as_of else ""), "bold")
    facts = [
        ["owner", card["owner"]],
        ["tier", f"{card['tier']}: {card['tier_rationale']}"],
        ["purpose", card["purpose"]],
        ["uses", ", ".join(u["id"] for u in card["intended_use"])],
        ["not for", ", ".join(u["id"] for u in card["out_of_scope_use"])],
        ["next review", card["next_review"]],
    ]
    _print.table("", ["", ""], facts)
    for version in found["versions"]:
        _print.line("")
        demo = " (demo)" if version["demo"] else ""
        colour = "bold green" if version["state"] == "production" else "bold"
        _print.line(
            f"version {version['version']}{demo}: {version['state']} since {_time(version['since'])} UTC", colour
        )
        _print.line(f"  run {version['run_id']}, authors: {', '.join(version['authors'])}")
        _print.line(
            f"  reproduced: {version['reproduced'] or 'never'}; payload {version['payload_now']}; "
            f"code {version['code_now']}"
        )
        rows = [
            [s["step"], s["person"], _time(s["recorded"]), str(s["entry"]), s["hash"][:16], s["note"]]
            for s in version["signatures"]
        ]
        _print.table(
            "",
            ["  step", "signed by", "recorded (UTC)", "entry", "hash", "note"],
            [["  " + r[0], *r[1:]] for r in rows],
        )
    if not found["versions"]:
        _print.line("\nNo version was submitted: the model is proposed.")


@app.command()
def sync(demo: Demo = False, as_json: Json = False) -> None:
    """Make MLflow show what the ledger says: versions, tags, the champion alias."""
    from research.governance import projection
    from research.governance.office import open_office
    from research.governance.realm import realm

    said = projection.sync(open_office(realm(demo=demo)))
    if as_json:
        print(json.dumps({"changed": said}))
        return
    print("\n".join(said) or "MLflow shows what the ledger says; nothing changed.")


@app.command()
def keygen(
    name: Annotated[str, typer.Argument(help="The person's short name.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where the private key goes; outside every repository.")
    ],
    as_json: Json = False,
) -> None:
    """Make a key pair: the private key to a file only you can read, the public one to add to governance/roles.yaml."""
    from research.governance import signatures

    path, public = signatures.generate_key(name, out)
    text = signatures.public_text(public)
    if as_json:
        print(json.dumps({"name": name, "private_key": str(path), "public": text}))
        return
    print(
        f"Private key: {path} (keep it; nobody else needs it)\n"
        "Add to governance/roles.yaml, with the roles that were granted:\n"
    )
    print(f"  - name: {name}\n    full_name: \n    emails: []\n    roles: []\n    keys:\n      - public: {text}")
