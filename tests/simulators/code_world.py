"""Paper codes of the synthetic authority in ``credential_world``: those that are issued, and any that nobody would."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import base45
import cbor2
from cryptography.hazmat.primitives.asymmetric import ec

from idverify.core.credential import Credential, Issuer, StatusReference, day_rounded
from idverify.core.trust import TrustStore
from idverify.formats import cose, x509
from idverify.formats.paper_code import KID, PREFIX, PaperCode
from tests.simulators import credential_world as world

FORMAT = PaperCode()
LEAF = world.leaf(x509.Purpose.PAPER, days=3000)
KEY_ID = x509.key_id(LEAF)
WEBP = b"RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00"
PORTRAIT: Final = "data:image/webp;base64," + base64.b64encode(WEBP).decode()
CLAIMS: Final[Mapping[str, Any]] = {
    "family_name": "Example",
    "given_name": "Ada",
    "work": {"allowed": "limited", "hours_per_week": 20},
    "permission_end": None,
}
STATUS: Final = {"status_list": {"idx": 5, "uri": world.STATUS_URI}}


def trust(*signers: bytes) -> TrustStore:
    """The trust of ``credential_world``, with these certificates of its signers besides the usual one."""
    return TrustStore({world.ISS: replace(world.TRUSTED, signers=(LEAF, *signers))})


def issue(claims: Mapping[str, Any] = CLAIMS) -> bytes:
    """A code as a letter has it."""
    status = StatusReference(world.STATUS_URI, 5)
    until = world.NOW + 90 * world.DAY
    credential = Credential(world.VCT, claims, frozenset(), day_rounded(world.NOW), until, status, None)
    unsigned = FORMAT.prepare(credential, Issuer(world.ISS, (LEAF,), KEY_ID), world.entropy())
    return FORMAT.seal(unsigned, world.sign(world.ISSUER_KEY, unsigned.payload))


# --- what nobody would issue --------------------------------------------------------------------------------------


def claims(**changes: Any) -> dict[Any, Any]:
    """The claims of a code, changed: ``c1`` is the claim 1. ``None`` leaves a claim out."""
    said: dict[Any, Any] = {1: world.ISS, 4: world.NOW + world.DAY, 6: day_rounded(world.NOW)}
    said |= {65535: STATUS, "vct": world.VCT, "family_name": "Example"}
    for name, value in changes.items():
        said[int(name[1:]) if name[0] == "c" and name[1:].isdecimal() else name] = value
    return {name: value for name, value in said.items() if value is not None}


def message(
    said: Any = None,
    *,
    payload: bytes | None = None,
    header: Mapping[Any, Any] | None = None,
    unprotected: Mapping[Any, Any] | None = None,
    key: ec.EllipticCurvePrivateKey = world.ISSUER_KEY,
) -> bytes:
    """A signed COSE_Sign1 with its tag, over any claims or any payload."""
    covered = payload if payload is not None else cbor2.dumps(claims() if said is None else said)
    protected = cbor2.dumps({cose.ALG: cose.ES256, KID: KEY_ID} if header is None else header)
    signature = world.sign(key, cose.sign1_input(protected, covered))
    return b"\xd2" + cose.sign1(protected, unprotected or {}, covered, signature)


def without_payload() -> bytes:
    """A message whose payload is said to stand elsewhere; it is empty."""
    protected = cbor2.dumps({cose.ALG: cose.ES256, KID: KEY_ID})
    signature = world.sign(world.ISSUER_KEY, cose.sign1_input(protected, b""))
    return b"\xd2" + cose.sign1(protected, {}, None, signature)


def text(compressed: bytes) -> bytes:
    """A code of any bytes."""
    return PREFIX + base45.b45encode(compressed)


def code(said: Any = None, **how: Any) -> bytes:
    """A code of any message."""
    return text(zlib.compress(message(said, **how), 9))
