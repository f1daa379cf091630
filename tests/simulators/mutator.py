"""Answers of security keys with something changed in them: most still parse, and are put to the rules behind.

A valid answer is taken apart into what WebAuthn says it consists of; a few of the parts are drawn anew, and the whole
is encoded again, and signed again or not. The rest are raw: bytes turned, cut off, or of another kind.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.simulators import authenticator as sim
from tests.simulators.authenticator import AT, BE, BS, ED, UP, UV, Authenticator, authenticator_data, cbor

RAW = 0.25  # the share of answers whose bytes are changed, whatever they meant
ORIGINS = ("https://evil.example", "http://localhost", "https://localhost:8080", "null", "", "http://LOCALHOST:80")
TYPES = ("webauthn.create", "webauthn.get", "payment.get", "", "webauthn.create ")
FORMATS = ("none", "packed", "fido-u2f", "tpm", "apple", "android-key", "compound", "x")
TRANSPORTS = ("usb", "nfc", "ble", "hybrid", "internal", "smart-card", "cable", "x-1")


@dataclass
class Asked:
    """What was asked for, and the key that answers."""

    rp_id: str
    origin: str
    challenge: bytes
    key: Authenticator
    user_handle: bytes


@dataclass
class Parts:
    """An answer, taken apart; ``None`` for a signature that is made anew."""

    client: dict[str, Any]
    flags: int
    count: int = 1
    rp_id: str = ""
    credential_id: bytes = b""
    said_id: bytes = b""
    cose: dict[int, Any] = field(default_factory=dict)
    extensions: Any = None
    format: str = "none"
    statement: Any = field(default_factory=dict)
    signature: bytes | None = None
    outer: dict[str, Any] = field(default_factory=dict)
    inner: dict[str, Any] = field(default_factory=dict)


def registration(random: Random, asked: Asked) -> dict[str, Any]:
    """A registration with something wrong in it, or with something else in it that nobody asked for."""
    parts = _parts("webauthn.create", UP | UV | AT, asked)
    _draw(random, parts, (*_BOTH, *_OF_REGISTRATIONS))
    tail = asked.key.attested(cbor(parts.cose), parts.said_id) if parts.flags & AT else b""
    attestation = {"fmt": parts.format, "attStmt": parts.statement, "authData": _said(parts, tail)}
    answer = asked.key.register(
        client=_encoded(parts.client), attestation=cbor(attestation), inner=parts.inner, outer=_outer(parts)
    )
    return _raw(random, answer) if random.random() < RAW else answer


def assertion(random: Random, asked: Asked) -> dict[str, Any]:
    """An assertion, likewise; half of them signed as they are sent."""
    parts = _parts("webauthn.get", UP | UV, asked)
    parts.inner["userHandle"] = sim.text(asked.user_handle)
    _draw(random, parts, (*_BOTH, *_OF_ASSERTIONS))
    said, client = _said(parts, b""), _encoded(parts.client)
    answer = asked.key.sign_in(
        client=client, said=said, signature=parts.signature, inner=parts.inner, outer=_outer(parts)
    )
    return _raw(random, answer) if random.random() < RAW else answer


def spoiled(random: Random, body: bytes) -> bytes:
    """A body as bytes, with some turned, cut off or put in."""
    changed, at = bytearray(body), random.randrange(len(body))
    match random.randrange(3):
        case 0:
            changed[at] ^= random.randrange(1, 256)
        case 1:
            del changed[at:]
        case _:
            changed[at:at] = random.randbytes(random.randrange(1, 9))
    return bytes(changed)


def _parts(type_: str, flags: int, asked: Asked) -> Parts:
    client = {"type": type_, "challenge": sim.text(asked.challenge), "origin": asked.origin, "crossOrigin": False}
    key = asked.key
    return Parts(
        client,
        flags,
        rp_id=asked.rp_id,
        credential_id=key.credential_id,
        said_id=key.credential_id,
        cose=sim.cose_key(key.key),
    )


def _draw(random: Random, parts: Parts, changes: tuple[Callable[[Random, Parts], None], ...]) -> None:
    for change in random.sample(changes, random.choice((1, 1, 1, 2, 3))):
        change(random, parts)


def _said(parts: Parts, tail: bytes) -> bytes:
    flags, more = parts.flags, b""
    if parts.extensions is not None:
        flags, more = flags | ED, cbor(parts.extensions)
    return authenticator_data(flags, parts.count, parts.rp_id, tail + more)


def _encoded(client: Mapping[str, Any]) -> bytes:
    return json.dumps(client, separators=(",", ":")).encode()


def _outer(parts: Parts) -> dict[str, Any]:
    id_ = sim.text(parts.credential_id)
    return {"id": id_, "rawId": id_, **parts.outer}


def _raw(random: Random, answer: dict[str, Any]) -> dict[str, Any]:
    """One member that is another, gone, or has other bytes in it."""
    inner = dict(answer["response"])
    level = inner if random.random() < 0.8 else answer
    name = random.choice(sorted(level.keys() - {"response"}))
    value = level[name]
    match random.randrange(4):
        case 0:
            level[name] = random.choice((None, True, 7, -1.5, "", "é", "\ud800", [], {}, [[]], {"a": [1]}, "A" * 9000))
        case 1:
            del level[name]
        case _ if isinstance(value, str) and value.isascii() and name != "type":
            spoilt = spoiled(random, base64.urlsafe_b64decode(value + "=="))
            level[name] = sim.text(spoilt)
        case _:
            level[name] = sim.text(random.randbytes(random.randrange(80)))
    return {**answer, "response": inner}


def _type(random: Random, parts: Parts) -> None:
    parts.client["type"] = random.choice(TYPES)


def _challenge(random: Random, parts: Parts) -> None:
    parts.client["challenge"] = sim.text(random.randbytes(random.randrange(65)))


def _origin(random: Random, parts: Parts) -> None:
    parts.client["origin"] = random.choice(ORIGINS)


def _frame(random: Random, parts: Parts) -> None:
    parts.client |= random.choice(({"crossOrigin": True}, {"topOrigin": random.choice(ORIGINS)}))


def _more(random: Random, parts: Parts) -> None:
    parts.client[random.choice(("x", "tokenBinding", "é"))] = random.choice(({"status": "supported"}, None, 1.5, "{["))


def _rp_id(random: Random, parts: Parts) -> None:
    parts.rp_id = random.choice(("other.example", "", "id.localhost", random.randbytes(4).hex()))


def _flags(random: Random, parts: Parts) -> None:
    for bit in (UP, UV, BE, BS, 0x02, 0x20):  # those that announce nothing
        parts.flags ^= bit * (random.random() < 0.4)


def _count(random: Random, parts: Parts) -> None:
    parts.count = random.choice((0, 1, 2, 2**31, 2**32 - 1, random.randrange(2**32)))


def _extensions(random: Random, parts: Parts) -> None:
    parts.extensions = random.choice(({}, {"credProtect": 3}, {"hmac-secret": True}, {"x": random.randbytes(20)}))


def _credential_id(random: Random, parts: Parts) -> None:
    parts.credential_id = random.randbytes(random.choice((1, 16, 32, 64, 1023)))
    parts.said_id = parts.credential_id if random.random() < 0.5 else parts.said_id


def _members(random: Random, parts: Parts) -> None:
    parts.outer |= random.choice(({"x": 1}, {"clientExtensionResults": [1]}, {"authenticatorAttachment": 7}))
    parts.inner |= random.choice(({"y": [2]}, {"publicKey": "AAAA"}, {"publicKeyAlgorithm": "none"}))


def _key(random: Random, parts: Parts) -> None:
    """Another key: well formed of another algorithm, or with a parameter that is not."""
    if random.random() < 0.3:
        parts.cose = sim.cose_key(sim.edwards_key(random.randbytes(4).hex()))
        return
    if random.random() < 0.3:
        n = random.getrandbits(random.choice((1024, 2048, 3072, 4096, 5000)))
        parts.cose = {1: 3, 3: random.choice((-257, -65535)), -1: n.to_bytes(625, "big").lstrip(b"\0"), -2: b"\1\0\1"}
        return
    name = random.choice(sorted(parts.cose))
    value = parts.cose[name]
    parts.cose[name] = random.randbytes(len(value)) if isinstance(value, bytes) else random.randrange(-70, 10)


def _format(random: Random, parts: Parts) -> None:
    parts.format = random.choice(FORMATS)
    parts.statement = random.choice(
        (
            {},
            {"alg": random.choice((-7, -257, -999)), "sig": random.randbytes(70)},
            {"x5c": [random.randbytes(90)], "sig": random.randbytes(70), "alg": -7},
            {"ver": "2.0", "certInfo": random.randbytes(60), "pubArea": random.randbytes(60)},
            {"x5c": []},
        )
    )


def _transports(random: Random, parts: Parts) -> None:
    parts.inner["transports"] = random.choices(TRANSPORTS, k=random.randrange(9))


def _signature(random: Random, parts: Parts) -> None:
    parts.signature = random.choice((b"x", random.randbytes(64), random.randbytes(72), hashlib.sha256(b"").digest()))


def _user_handle(random: Random, parts: Parts) -> None:
    parts.inner["userHandle"] = random.choice((None, sim.text(random.randbytes(random.randrange(1, 65)))))


_BOTH = (_type, _challenge, _origin, _frame, _more, _rp_id, _flags, _count, _extensions, _credential_id, _members)
_OF_REGISTRATIONS = (_key, _key, _format, _transports)
_OF_ASSERTIONS = (_signature, _user_handle)
