"""``idverify ledger verify``: a receipt, offline, with nothing but the log's key or a policy."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import orjson

from idverify.cli.auditing.trust import Trust
from idverify.cli.output import WrongUsage, print_json, read_input, say
from idverify.ledger.errors import LedgerError, ReceiptError
from idverify.ledger.proof import TlogProof
from idverify.ledger.receipt import Opening, Receipt, verify_receipt

DIGEST_SIZE = 32


@dataclass(frozen=True, slots=True)
class Question:
    """A receipt, and the object that it should be of: a file, or its SHA-256 in hexadecimal, or neither."""

    receipt: str
    object: Path | None
    sha256: str | None
    record_type: str | None
    json: bool


def verify(question: Question, trust: Trust) -> int:
    """Check a receipt: 0 it holds, 1 it does not."""
    policy, data = trust.resolve(), _of_a_wallet(read_input(question.receipt))
    given = _digest(question)
    try:
        digest = _recorded(data) if given is None else given
        receipt = verify_receipt(data, digest, policy, record_type=question.record_type)
    except ReceiptError as error:
        if question.json:
            print_json({"holds": False, "rule": error.rule, "detail": error.detail})
        else:
            say(f"The receipt does not hold. {error}")
        return 1
    if question.json:
        print_json(_as_json(receipt, compared=given is not None))
    else:
        _tell(receipt, compared=given is not None)
    return 0


def _of_a_wallet(data: bytes) -> bytes:
    """The receipt alone, also from where a wallet keeps it or what a wallet presents."""
    try:
        held = orjson.loads(data)
        receipt = held.get("receipt") if isinstance(held, dict) else None
    except orjson.JSONDecodeError:
        return data
    return receipt.encode() if isinstance(receipt, str) else data


def _digest(question: Question) -> bytes | None:
    if question.object is not None and question.sha256 is not None:
        raise WrongUsage("Give --object FILE or --sha256 DIGEST, not both.")
    if question.object is not None:
        with question.object.open("rb") as file:
            hashing = sha256()
            while piece := file.read(1 << 20):
                hashing.update(piece)
        return hashing.digest()
    if question.sha256 is None:
        return None
    try:
        digest = bytes.fromhex(question.sha256)
    except ValueError as error:
        raise WrongUsage("--sha256 must be hexadecimal.") from error
    if len(digest) != DIGEST_SIZE:
        raise WrongUsage(f"--sha256 must be {DIGEST_SIZE} bytes in hexadecimal; got {len(digest)}.")
    return digest


def _recorded(data: bytes) -> bytes:
    """The digest that the receipt itself names: then every other rule is checked."""
    try:
        return Opening.decode(TlogProof.decode(data).extra or b"").record.object_digest
    except LedgerError as error:
        raise ReceiptError("format", str(error)) from error


def _as_json(receipt: Receipt, *, compared: bool) -> dict[str, object]:
    return {
        "holds": True,
        "log": receipt.checkpoint.origin,
        "index": receipt.entry.index,
        "time": receipt.entry.time,
        "size": receipt.checkpoint.size,
        "type": receipt.record.type,
        "object_sha256": receipt.record.object_digest.hex(),
        "object_compared": compared,
    }


def _tell(receipt: Receipt, *, compared: bool) -> None:
    say(f"The receipt holds: entry {receipt.entry.index} of {receipt.checkpoint.origin}, {receipt.record.type}.")
    say(f"It is of the object with SHA-256 {receipt.record.object_digest.hex()},")
    say("which is the one in hand." if compared else "which nothing was compared with: give --object or --sha256.")
