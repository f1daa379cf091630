"""DeviceResponse (ISO/IEC 18013-5, 8.3.2.1.2.2): what a wallet shows of a document, and its proof.

``prepare`` and ``seal`` are the wallet's half: the elements that were wished for, bytes untouched, and the signature of
the device over the session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from idverify.errors import DocumentError
from idverify.formats import cose, strict_cbor
from idverify.formats.base import ToBeSigned
from idverify.formats.mdoc import device_auth, issuer_signed, mobile_security_object
from idverify.formats.mdoc.device_auth import NOTHING_SAID, DeviceSigned
from idverify.formats.mdoc.issuer_signed import IssuerSigned
from idverify.formats.strict_cbor import Encoded

WHAT: Final = "A DeviceResponse"
VERSION: Final = "1.0"
_PROTECTED: Final = strict_cbor.encode({cose.ALG: cose.ES256})


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a response; ``doc_type`` is what stands outside of what the issuer signed."""

    doc_type: str
    issuer_signed: IssuerSigned
    device_signed: DeviceSigned


# --- what read refuses --------------------------------------------------------------------------------------------


def response_version(response: Mapping[str, Any]) -> None:
    """8.3.2.1.2.2: the version of the structure."""
    if response.get("version") != VERSION:
        raise DocumentError("response-version", f"{WHAT} must have version {VERSION}.")


def response_status(response: Mapping[str, Any]) -> None:
    """8.3.2.1.2.3: a wallet that met an error answers with another status than 0."""
    if type(response.get("status")) is not int or response["status"] != 0:
        raise DocumentError(
            "response-status", f"The wallet must answer with status 0; {_told(response.get('status'))}."
        )


def one_document(response: Mapping[str, Any]) -> None:
    """One verdict is on one document. OpenID4VP gives each a response of its own (HAIP 1.0 section 5.3.1)."""
    documents = response.get("documents")
    if type(documents) is not list or len(documents) != 1:
        count = len(documents) if type(documents) is list else "none"
        raise DocumentError("one-document", f"{WHAT} must have one document; it has {count}. Present them one by one.")


def _told(status: Any) -> str:
    return f"it answered with {status}" if type(status) is int else "it gave none"


RESPONSE_RULES: tuple[Callable[[Mapping[str, Any]], None], ...] = (response_version, response_status, one_document)


def parse(response: Mapping[str, Any]) -> Document:
    """From decoded CBOR. Raises ``DocumentError``: a rule of ``RESPONSE_RULES``, ``document``, or what is inside."""
    for rule in RESPONSE_RULES:
        rule(response)
    document = response["documents"][0]
    members = {"docType", "issuerSigned", "deviceSigned"}
    if type(document) is not dict or not members <= document.keys() <= members | {"errors"}:
        raise DocumentError("document", "A document must have docType, issuerSigned and deviceSigned.")
    if type(document["docType"]) is not str:
        raise DocumentError("document", "The docType of a document must be text.")
    return Document(
        document["docType"],
        issuer_signed.parse(document["issuerSigned"]),
        device_auth.parse(document["deviceSigned"]),
    )


# --- the wallet ---------------------------------------------------------------------------------------------------


def prepare(document: bytes, wishes: Iterable[tuple[str, str]], transcript: bytes) -> ToBeSigned:
    """The bytes that the device signs, to show of the IssuerSigned ``document`` the (namespace, element) ``wishes``.

    Raises ``DocumentError`` when the document is none.
    """
    whole = strict_cbor.decode(document, issuer_signed.WHAT)
    held, wished = issuer_signed.parse(whole), set(wishes)
    doc_type = mobile_security_object.read(held.auth.payload).doc_type
    shown: dict[str, list[Encoded]] = {}
    for item in held.items:
        if (item.name_space, item.element) in wished:
            shown.setdefault(item.name_space, []).append(Encoded(item.encoded))
    kept = {"nameSpaces": shown, "issuerAuth": whole["issuerAuth"]} if shown else {"issuerAuth": whole["issuerAuth"]}
    covered = device_auth.device_authentication(transcript, doc_type, NOTHING_SAID)
    remainder = (doc_type.encode("utf-8"), strict_cbor.encode(kept))
    return ToBeSigned(cose.sign1_input(_PROTECTED, covered), remainder)


def seal(unsigned: ToBeSigned, signature: bytes) -> bytes:
    """The DeviceResponse, from the raw ``r||s`` signature of the device."""
    doc_type, kept = unsigned.remainder
    message = cose.sign1(_PROTECTED, {}, None, signature)
    device_signed = {"nameSpaces": NOTHING_SAID, "deviceAuth": {"deviceSignature": Encoded(message)}}
    document = {
        "docType": doc_type.decode("utf-8"),
        "issuerSigned": Encoded(kept),
        "deviceSigned": device_signed,
    }
    return strict_cbor.encode({"version": VERSION, "documents": [document], "status": 0})
