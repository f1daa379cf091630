"""The statement of entries: what the service says its ledger holds about one person, as one JWS for that person.

It is complete below the size of the tree that it names. Whoever keeps it can show later what they were told; a service
that leaves an entry out, or tells two stories, has signed that it did.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from idverify.core.credential import Issuer
from idverify.core.trust import TrustStore
from idverify.errors import DocumentError
from idverify.formats import jose, x509
from idverify.formats.base import ToBeSigned
from idverify.formats.strict_json import encode_json, parse_object

WHAT: Final = "A statement of entries"
PROFILE: Final = jose.TokenProfile(WHAT, "idverify-entries+jwt", "x5c")
PURPOSES: Final = frozenset({x509.Purpose.ENTRIES})
MAX_STATEMENT: Final = 4 * 1024 * 1024
_HANDLE: Final = 16
_ROOT: Final = 32


@dataclass(frozen=True, slots=True)
class Place:
    """One entry about the person: its log, index, handle (16 bytes), true type, and time (Unix seconds)."""

    origin: str
    index: int
    handle: bytes
    type: str
    time: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What is said to one person. ``origin``, ``size`` and ``root`` are the tree below which it is complete.

    ``subject`` is the person's reference in hex; of logs before the current one all entries are listed.
    """

    iss: str
    subject: str
    issued_at: int
    origin: str
    size: int
    root: bytes
    entries: tuple[Place, ...]


def prepare(statement: Statement, issuer: Issuer) -> ToBeSigned:
    """The bytes that the entries key signs."""
    body = {
        "iss": statement.iss,
        "sub": statement.subject,
        "iat": statement.issued_at,
        "log": {"origin": statement.origin, "size": statement.size, "root": _text(statement.root)},
        "entries": [
            {"log": one.origin, "index": one.index, "handle": one.handle.hex(), "type": one.type, "time": one.time}
            for one in statement.entries
        ],
    }
    header = {"alg": "ES256", "typ": PROFILE.typ, "x5c": jose.x5c_header(issuer.chain)}
    return ToBeSigned(jose.signing_input(header, encode_json(body)))


def seal(unsigned: ToBeSigned, signature: bytes) -> bytes:
    """The finished statement."""
    return jose.jws(unsigned.payload, signature)


def open_statement(encoded: bytes, trust: TrustStore) -> Statement:
    """A statement that an issuer we rely on signed, with a certificate for nothing else that held at its time.

    Raises ``DocumentError``: ``issuer-known``, ``signature``, ``statement-form``, or what else breaks.
    """
    token = jose.read_jws(encoded, PROFILE, MAX_STATEMENT)
    statement = _parse(parse_object(token.payload, WHAT))
    issuer = trust.issuer(statement.iss)
    if issuer is None:
        raise DocumentError("issuer-known", f"{statement.iss[:200]} is not an issuer that is relied on here.")
    chain = jose.x5c(token.header)
    revoked, at = trust.revoked_serials, statement.issued_at
    x509.verify_signer(chain, x509.SignerExpected(issuer.iss, issuer.roots, PURPOSES, revoked, at))
    jose.verify_signature(token, x509.signing_key(chain[0]), "the statement of entries")
    return statement


def _parse(body: Mapping[str, Any]) -> Statement:
    try:
        tree, places = body["log"], tuple(_place(one) for one in body["entries"])
        root = base64.b64decode(tree["root"], validate=True)
        size = _number(tree["size"])
        order = [(one.origin, one.index) for one in places]
        if len(root) != _ROOT or order != sorted(set(order)):
            raise ValueError("a root of 32 bytes, and entries in their order, each once")
        if any(one.index >= size for one in places if one.origin == tree["origin"]):
            raise ValueError("an entry outside the tree")
        named = (jose.text_claim(body, name, WHAT) for name in ("iss", "sub"))
        iss, subject = named
        origin, issued_at = jose.text_claim(tree, "origin", WHAT), jose.numeric_date(body, "iat", WHAT)
        return Statement(iss, subject, issued_at, origin, size, root, places)
    except (KeyError, TypeError, ValueError) as wrong:
        raise DocumentError("statement-form", f"{WHAT} has not the expected members: {wrong!r}.") from wrong


def _place(one: Mapping[str, Any]) -> Place:
    handle = bytes.fromhex(one["handle"])
    if len(handle) != _HANDLE or type(one["log"]) is not str or type(one["type"]) is not str:
        raise ValueError("log, handle of 16 bytes and type of each entry")
    return Place(one["log"], _number(one["index"]), handle, one["type"], _number(one["time"]))


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("numbers from 0")
    return value


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
