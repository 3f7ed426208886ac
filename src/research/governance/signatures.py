"""DSSE envelopes with ed25519 keys over in-toto statements: who said what about which capsule.

The payload is an in-toto Statement v1. Its subject is the capsule's `record` digest, named with the `identity`
digest; its predicate is the step with its facts. Signing and verifying is securesystemslib's; this file adds the
checks a ledger needs: one signature an envelope, and exactly one way to write it down (base64 and hexadecimal
text allow several, so an edit could otherwise hide in the slack).

References
----------
DSSE v1.0.2: https://github.com/secure-systems-lab/dsse
in-toto attestation framework v1: https://github.com/in-toto/attestation
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from research.errors import InputError, IntegrityError, RefusedError, require
from research.fingerprint import canonical_json

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, SSlibKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_PUBLIC = re.compile(r"ed25519:[0-9a-f]{64}")


# --- keys -------------------------------------------------------------------------------------------------------


def public_text(key: SSlibKey) -> str:
    """A public key as it stands in roles.yaml: ed25519:HEX."""
    return f"ed25519:{key.keyval['public']}"


def public_key(text: str) -> SSlibKey:
    """The key behind `ed25519:HEX`."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from securesystemslib.signer import SSlibKey

    require(
        bool(_PUBLIC.fullmatch(text)),
        "public key",
        text,
        "look like ed25519: and 64 hexadecimal digits",
        hint="`research model keygen NAME --out DIR` prints it.",
    )
    return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(bytes.fromhex(text.removeprefix("ed25519:"))))


def _refuse_tracked(folder: Path, name: str) -> None:
    """A private key must not stand where `git add` would take it."""
    base = next(p for p in (folder, *folder.parents) if p.is_dir())
    git = ["git", "-C", str(base)]
    try:
        inside = subprocess.run([*git, "rev-parse", "--is-inside-work-tree"], capture_output=True, text=True)
    except FileNotFoundError:  # no git, so nothing to be added to
        return
    if inside.returncode != 0 or inside.stdout.strip() != "true":
        return
    ignored = subprocess.run([*git, "check-ignore", "-q", str(folder / name)], capture_output=True)
    if ignored.returncode != 0:
        raise RefusedError(
            f"key folder must lie outside every git working tree; got {str(folder)!r}. "
            "A private key that is committed is lost: use a folder in your home, such as ~/.research-keys."
        )


def generate_key(name: str, folder: str | Path) -> tuple[Path, SSlibKey]:
    """Write a new private key to FOLDER/NAME.pem, readable by its owner only.

    Returns
    -------
    (path of the private key, public key)
    """
    from securesystemslib.signer import CryptoSigner

    require(
        bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name)),
        "name",
        name,
        "be letters, digits, '.', '_' or '-'",
    )
    base = Path(folder).expanduser().resolve()
    _refuse_tracked(base, f"{name}.pem")
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    path, signer = base / f"{name}.pem", CryptoSigner.generate_ed25519()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise RefusedError(f"key file must not exist yet; got {str(path)!r}. Choose another name or folder.") from None
    with os.fdopen(handle, "wb") as out:
        out.write(signer.private_bytes)
    return path, signer.public_key


def read_key(path: str | Path) -> CryptoSigner:
    """The signer in a private key file; refused when others can read it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer import CryptoSigner

    file = Path(path).expanduser()
    require(file.is_file(), "key", str(path), "be a private key file", hint="`research model keygen` makes one.")
    mode = file.stat().st_mode & 0o777
    if mode & 0o077:
        raise RefusedError(f"key {file.name} must be readable by its owner only; got mode {mode:o}. chmod 600 {file}")
    try:
        private = load_pem_private_key(file.read_bytes(), password=None)
    except (ValueError, TypeError):
        raise InputError(f"key must be an unencrypted PEM private key; got {str(path)!r}.") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise InputError(f"key must be an ed25519 key; got {type(private).__name__.strip('_')} in {str(path)!r}.")
    return CryptoSigner(private)


# --- statements and envelopes -----------------------------------------------------------------------------------


def statement(*, identity: str, record: str, predicate_type: str, predicate: dict[str, Any]) -> dict[str, Any]:
    """An in-toto Statement v1 about one capsule."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": identity, "digest": {"sha256": record}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }


def sign(content: dict[str, Any], signer: CryptoSigner) -> dict[str, Any]:
    """The DSSE envelope of a statement, as JSON-able dict."""
    from securesystemslib.dsse import Envelope

    envelope = Envelope(canonical_json(content), PAYLOAD_TYPE, {})
    envelope.sign(signer)
    out: dict[str, Any] = envelope.to_dict()
    return out


def read_envelope(line: bytes) -> tuple[dict[str, Any], str]:
    """Parse one canonical envelope.

    Returns
    -------
    (statement, key id)

    Raises
    ------
    IntegrityError
        When the bytes are not the one canonical way to write this envelope.
    """
    from securesystemslib.dsse import Envelope

    try:
        envelope = Envelope.from_dict(json.loads(line))
        content = json.loads(envelope.payload)
        same = canonical_json(envelope.to_dict()) == line and canonical_json(content) == envelope.payload
    except Exception as error:  # whatever a changed byte breaks: JSON, base64, UTF-8, a missing key
        raise IntegrityError(f"entry must be a DSSE envelope in canonical JSON; got {type(error).__name__}.") from None
    if not same or envelope.payload_type != PAYLOAD_TYPE or len(envelope.signatures) != 1:
        raise IntegrityError("entry must be one signed DSSE envelope in canonical JSON; got other bytes.")
    return content, next(iter(envelope.signatures))


def verify(line: bytes, key: SSlibKey) -> dict[str, Any]:
    """The statement in an envelope, after checking its signature against `key`."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    content, _ = read_envelope(line)
    try:
        Envelope.from_dict(json.loads(line)).verify([key], 1)
    except VerificationError:
        raise IntegrityError(f"signature must verify with key {key.keyid[:12]}; got one that does not.") from None
    return content
