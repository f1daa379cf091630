"""``idverify wallet``: a demo wallet. Its key is a file; a real wallet's lives in the phone's secure hardware."""

from __future__ import annotations

import hashlib
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from idverify.cli.output import Refused, WrongUsage, print_json, read_json, say
from idverify.cli.request import request
from idverify.cli.wallet_shows import SHOWS, Wish
from idverify.errors import DocumentError, Unavailable
from idverify.formats import carriers, jose, key_proof
from idverify.formats.base import HolderBindingExpected, Presented
from idverify.services.verify import type_id

OFFER = {"issuer", "type", "code", "nonce"}
REQUEST = {"verification_request", "type", "nonce", "audience"}


def receive(offer: str, directory: Path, *, json: bool) -> int:
    """Collect what an offer holds, with its receipt."""
    offered = read_json(offer, OFFER)
    key = _key(directory)
    unsigned = key_proof.prepare(
        jose.public_jwk(key.public_key()), offered["issuer"], offered["nonce"], int(time.time())
    )
    proof = jose.jws(unsigned, _sign(key, unsigned)).decode()
    # The code names the attempt, so that running this again after a cut-off returns the same credential.
    pending = directory / f"{_name(offered['code'])}.pending"
    proof = pending.read_text() if pending.exists() else proof
    _write_private(pending, proof.encode())
    try:
        answer = _post(offered, proof)
    except Refused:  # refused for good: another try needs another offer
        pending.unlink()
        raise
    _write_private(directory / f"{answer['handle']}.json", orjson.dumps(answer, option=orjson.OPT_INDENT_2))
    pending.unlink()
    if json:
        print_json(answer)
        return 0
    form = _read(answer).format
    say(f"Received {offered['type']} ({form}) as {answer['handle']}, entry {answer['ledger']['index']} of the ledger.")
    later = "The receipt is not there yet; fetch it with: idverify wallet receipts"
    say("The receipt came with it." if answer["receipt"] else later)
    return 0


def fetch_receipts(directory: Path, *, anew: bool, json: bool) -> int:
    """Fetch what is missing, or all `anew`: 0 every credential has its receipt now, 2 one is not there yet.

    Asked when the holder wishes, never while presenting: that would tell the issuer when something is shown.
    """
    waiting = []
    for path in sorted(directory.glob("*.json")):
        answer = orjson.loads(path.read_bytes())
        if answer["receipt"] is not None and not anew:
            continue
        headers = {"Authorization": f"Bearer {answer['receipt_token']}", "Prefer": "wait=4"}
        try:
            answer["receipt"] = request("GET", answer["receipt_url"], None, headers).decode()
        except Unavailable:
            waiting.append(answer["handle"])
            continue
        _write_private(path, orjson.dumps(answer, option=orjson.OPT_INDENT_2))
    if json:
        print_json({"waiting": waiting})
    elif waiting:
        say(f"Not there yet: {', '.join(waiting)}. Try again in a second.")
    else:
        say("Every credential has its receipt.")
    return 2 if waiting else 0


def show(directory: Path, *, json: bool) -> int:
    """What is in the wallet."""
    held = []
    for path in sorted(directory.glob("*.json")):
        answer = orjson.loads(path.read_bytes())
        presented = _read(answer)
        held.append(
            {
                "credential": answer["handle"],
                "format": presented.format,
                "type": type_id(presented),
                "issuer": presented.iss,
                "expires_at": answer["expires_at"],
                "has_receipt": answer["receipt"] is not None,
                "claims": presented.claims,
                "can_show": SHOWS[presented.format].names(presented),
            }
        )
    if json:
        print_json(held)
    elif not held:
        say(f"The wallet {directory} is empty.")
    for credential in held if not json else ():
        receipt = "with its receipt" if credential["has_receipt"] else "without receipt"
        kind = f"{credential['type']} ({credential['format']})"
        say(f"{credential['credential']}  {kind}  until {credential['expires_at']}, {receipt}")
        say(f"  can show: {', '.join(credential['can_show'])}")
    return 0


def present(request: str, disclose: list[str], credential: str | None, directory: Path) -> int:
    """Answer a verification request."""
    asked = read_json(request, REQUEST)
    answer = _credential(directory, credential, asked["type"])
    presented = _read(answer)
    shows = SHOWS[presented.format]
    _require_known(f"{answer['handle']} ({presented.format})", shows.names(presented), disclose)
    expected = HolderBindingExpected(asked["audience"], asked["nonce"])
    wish = Wish(answer["credential"], presented, disclose, expected, int(time.time()))
    print_json(
        {
            "document": shows.show(wish, partial(_sign, _key(directory))),
            "receipt": answer["receipt"],
            "verification_request": asked["verification_request"],
        }
    )
    return 0


def _read(answer: dict[str, Any]) -> Presented:
    document = answer["credential"].encode()
    return carriers.sniff(document).read(document)


def _require_known(which: str, known: list[str], names: list[str]) -> None:
    for name in names:
        if name not in known:
            raise WrongUsage(
                f"The credential {which} has no {name!r}; it can show: {', '.join(known)}. Another one: --credential."
            )


def _credential(directory: Path, handle: str | None, kind: str) -> dict[str, Any]:
    """The credential to present: the newest of the asked type, or the one that was named."""
    found = []
    for path in directory.glob("*.json"):
        answer = orjson.loads(path.read_bytes())
        if handle in (None, answer["handle"]) and type_id(_read(answer)) == kind:
            found.append((path.stat().st_mtime, answer))
    if not found:
        raise WrongUsage(f"The wallet {directory} holds no such credential of type {kind}; see: idverify wallet list")
    newest: dict[str, Any] = max(found, key=lambda dated: dated[0])[1]
    return newest


def _key(directory: Path) -> ec.EllipticCurvePrivateKey:
    """The wallet's key; made at first use."""
    path = directory / "holder-key.pem"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        _write_private(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise DocumentError("wallet-key", f"{path} must hold a P-256 key.")
    return key


def _sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _write_private(path: Path, content: bytes) -> None:
    unfinished = path.with_suffix(".new")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)


def _name(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def _post(offered: dict[str, Any], proof: str) -> dict[str, Any]:
    """Ask the issuer for the credential; wait for the receipt that comes with the next checkpoint."""
    body = orjson.dumps({"code": offered["code"], "proof": proof})
    headers = {"Idempotency-Key": _name(offered["code"] + proof), "Prefer": "wait=4"}
    answer: dict[str, Any] = orjson.loads(request("POST", f"{offered['issuer']}/api/v1/credentials", body, headers))
    return answer
