"""mdocs in process: issued and verified, against the hashes, CBOR and ECDSA that nobody can do without.

The limit is counted operation by operation: one hash for each element, one encoding or decoding for each CBOR item that
stands by itself (elements, mobile security object, what is signed, the document), and each signature or verification.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from hsm.cost import cpu_of
from hsm.rows import Pair, Row, row
from idverify.app.bench.effort import Effort
from idverify.app.bench.stage import ES256, Call, Stage, sign, verifying
from idverify.app.bench.stage import stage as made_stage
from idverify.formats.base import HolderBindingExpected
from idverify.formats.mdoc import device_response
from idverify.formats.mdoc.credential import Mdoc
from idverify.formats.mdoc.session_transcript import of_request

_FORMAT: Final = Mdoc()
_DOC_TYPE, _SPACE, _DOMESTIC = "org.iso.18013.5.1.mDL", "org.iso.18013.5.1", "org.iso.18013.5.1.GB"
_ASKED: Final = HolderBindingExpected("https://verifier.example", "bench", "https://verifier.example/answer")
_OF_PRIMITIVES: Final = 0.4
_OF_ONE_VERIFICATION: Final = (
    0.35  # a whole document has many elements and one signature: what is around it weighs more
)
_PORTRAIT: Final = b"\xff\xd8\xff\xe0" + bytes(18 * 1024)  # a photo for a phone has up to 20 kB


async def measure(effort: Effort) -> list[Row]:
    """Issuing, verifying what a wallet presents, and verifying the whole document that an issuer gives."""
    stage = made_stage(_DOC_TYPE)
    issue = _issuing(stage)
    issued = issue()
    presented = _presented(stage, issued)

    def measured(name: str, limit_is: str, ours: Call, least: Call, target: float = _OF_PRIMITIVES) -> Row:
        seconds = effort.probe_seconds
        pairs = [Pair(cpu_of(ours, seconds), cpu_of(least, seconds)) for _ in range(effort.rounds)]
        return row(f"mdoc {name}", "documents/s", limit_is, target, pairs)

    key, needed = stage.issuer_key, "its hashes, its CBOR, and"
    accept, one, two = verifying(stage, _FORMAT, presented, _ASKED), "one ES256 verification", "two ES256 verifications"
    whole, least = verifying(stage, _FORMAT, issued, None), _least_to_read(issued, key, 1)
    return [
        measured("issue", f"{needed} one ES256 signature", issue, _least_to_issue(issued, key)),
        measured("verify", f"{needed} {two}", accept, _least_to_read(presented, key, 2)),
        measured("verify, whole and not presented", f"{needed} {one}", whole, least, _OF_ONE_VERIFICATION),
    ]


def _claims() -> dict[str, dict[str, Any]]:
    texts = {
        "family_name": "Example",
        "given_name": "Ada",
        "issuing_country": "XU",
        "document_number": "EXAMP901310A99AA",
    }
    texts |= {"issuing_authority": "Example Authority", "un_distinguishing_sign": "XU", "birth_place": "Example City"}
    days = {"birth_date": dt.date(1990, 1, 31), "issue_date": dt.date(2026, 9, 1), "expiry_date": dt.date(2036, 8, 31)}
    ages = {f"age_over_{age}": True for age in (18, 21)}
    privileges = [{"vehicle_category_code": code, "issue_date": dt.date(2010, 3, 1)} for code in ("A", "B")]
    whole = texts | days | ages | {"portrait": _PORTRAIT, "driving_privileges": privileges}
    return {_SPACE: whole, _DOMESTIC: {"title": "Dr", "welsh_licence": False}}


def _issuing(stage: Stage) -> Callable[[], bytes]:
    credential = stage.credential(_claims())

    def issue() -> bytes:
        unsigned = _FORMAT.prepare(credential, stage.issuer, os.urandom)
        return _FORMAT.seal(unsigned, sign(stage.issuer_key, unsigned.payload))

    return issue


def _presented(stage: Stage, issued: bytes) -> bytes:
    """As its holder's wallet shows it: who it is, with the photo and an age."""
    names = ("family_name", "given_name", "portrait", "age_over_18")
    unsigned = device_response.prepare(issued, [(_SPACE, name) for name in names], of_request(_ASKED))
    return device_response.seal(unsigned, sign(stage.holder_key, unsigned.payload))


# --- the least ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Items:
    """What stands by itself in a document: its CBOR items, encoded and decoded, and the elements that are hashed."""

    encoded: tuple[bytes, ...]
    elements: tuple[bytes, ...]
    payload: bytes


def _items(document: bytes) -> _Items:
    whole = cbor2.loads(document)
    signed = whole if "issuerAuth" in whole else whole["documents"][0]["issuerSigned"]
    _, _, payload, _ = signed["issuerAuth"]
    elements = tuple(cbor2.dumps(item) for items in signed["nameSpaces"].values() for item in items)
    contents = tuple(item.value for items in signed["nameSpaces"].values() for item in items)
    return _Items((document, *contents, payload, cbor2.loads(payload).value), elements, payload)


def _signed_structure(payload: bytes) -> list[Any]:
    return ["Signature1", b"\xa1\x01\x26", b"", payload]


def _least_to_issue(issued: bytes, key: ec.EllipticCurvePrivateKey) -> Call:
    items = _items(issued)
    values = [cbor2.loads(encoded) for encoded in items.encoded]
    structure = _signed_structure(items.payload)

    def least() -> None:
        for element in items.elements:
            hashlib.sha256(element).digest()
        for value in values:
            cbor2.dumps(value)
        decode_dss_signature(key.sign(cbor2.dumps(structure), ES256))

    return least


def _least_to_read(document: bytes, key: ec.EllipticCurvePrivateKey, verifications: int) -> Call:
    items, public = _items(document), key.public_key()
    structure = _signed_structure(items.payload)
    r, s = decode_dss_signature(key.sign(cbor2.dumps(structure), ES256))

    def least() -> None:
        for element in items.elements:
            hashlib.sha256(element).digest()
        for encoded in items.encoded:
            cbor2.loads(encoded, allow_indefinite=False, allow_duplicate_keys=False)
        for _ in range(verifications):
            public.verify(encode_dss_signature(r, s), cbor2.dumps(structure), ES256)

    return least
