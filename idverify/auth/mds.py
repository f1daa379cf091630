"""FIDO's metadata of authenticators (Metadata Service 3.1): one signed file, the BLOB, checked before it is read.

The root under which it is signed also certifies web sites of anybody, so the signer's name counts as much as its path.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from idverify.auth import base64url, strict_json
from idverify.auth.attestation import certificate, public_key
from idverify.auth.attestation.path import require_anchor
from idverify.auth.mds_status import StatusReport
from idverify.errors import DocumentError

HOST: Final = "mds.fidoalliance.org"
MAX_BLOB: Final = 16 * 1024 * 1024
MAX_BRACKETS: Final = 500_000
MAX_CERTIFICATES: Final = 6
_DAY: Final = 86_400
_SHA1_BYTES: Final = 20  # RFC 5280 section 4.2.1.2, way 1: an AAGUID has 16
_ALGORITHMS: Final = {"ES256": -7, "RS256": -257}  # JOSE to COSE
_UNREADABLE: Final = StatusReport("UNREADABLE")


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one model. ``roots`` are DER; of an entry that cannot be read, only its key is kept."""

    description: str
    roots: tuple[bytes, ...]
    reports: tuple[StatusReport, ...]


@dataclass(frozen=True, slots=True)
class Metadata:
    """A BLOB that was verified. ``models``: by AAGUID (16 bytes), or by attestationCertificateKeyIdentifier (20).

    ``next_update`` is the end of the day by which the next one is promised, in Unix seconds.
    """

    number: int
    next_update: int
    models: Mapping[bytes, Entry]


@dataclass(frozen=True, slots=True)
class _Signed:
    """A BLOB taken apart, not believed, and what it must fit."""

    algorithm: int
    chain: tuple[bytes, ...]
    leaf: x509.Certificate
    message: bytes
    signature: bytes
    anchors: tuple[bytes, ...]
    at: int
    host: str


def path(blob: _Signed) -> None:
    """Section 3.2: the signer's certificate leads to a root that we chose, and is valid now."""
    try:
        require_anchor(blob.chain, blob.anchors, blob.at)
    except DocumentError as wrong:
        raise DocumentError("mds-path", f"The signer of the BLOB is nobody whom we trust. {wrong}") from None


def signer_name(blob: _Signed) -> None:
    """Section 3.2: it is the metadata service, in its one spelling; a wildcard would be somebody else's too."""
    names = certificate.extension(blob.leaf, x509.SubjectAlternativeName)
    if names is None or blob.host not in names.get_values_for_type(x509.DNSName):
        raise DocumentError("mds-signer-name", f"The BLOB must be signed by {blob.host}; it is not.")


def signature(blob: _Signed) -> None:
    """RFC 7515 section 5.2."""
    if not public_key.signed_by(blob.leaf, blob.algorithm, blob.signature, blob.message):
        raise DocumentError("mds-signature", "The signature of the BLOB does not hold.")


RULES: tuple[Callable[[_Signed], None], ...] = (path, signer_name, signature)


def require_newer(metadata: Metadata, held: int | None) -> None:
    """Section 3.2: never back to an older state, in which a revoked model was a good one.

    ``held`` is the number of the one that ``metadata`` shall replace. Raises ``DocumentError`` (``mds-number``).
    """
    if held is not None and metadata.number <= held:
        raise DocumentError("mds-number", f"The BLOB must be newer than number {held}; it is number {metadata.number}.")


def read_blob(blob: bytes, anchors: tuple[bytes, ...], at: int, *, host: str = HOST) -> Metadata:
    """The metadata of ``blob`` (a JWS, compact), signed by ``host`` under ``anchors`` (DER), ``at`` Unix seconds.

    Raises ``DocumentError``: ``mds-blob`` for bytes that are none, ``mds-path``, ``mds-signer-name``,
    ``mds-signature``. Whether its next update is due is not checked: what is old is better than nothing, and
    ``is_stale`` says that it is.
    """
    if len(blob) > MAX_BLOB:
        raise DocumentError("mds-blob", f"A BLOB may be {MAX_BLOB} bytes long; got {len(blob)}.")
    try:
        signed, payload = _take_apart(blob, anchors, at, host)
        for rule in RULES:
            rule(signed)
        metadata = _metadata(strict_json.read_object(payload, MAX_BRACKETS))
    except (ValueError, RecursionError) as wrong:  # the second: signed, and yet nested without end
        raise DocumentError("mds-blob", f"A BLOB must be metadata of FIDO, signed as a JWS: {wrong}.") from None
    return metadata


def is_stale(metadata: Metadata, at: int, grace: int) -> bool:
    """Whether the next update is overdue by more than ``grace`` seconds."""
    return at > metadata.next_update + grace


def _take_apart(blob: bytes, anchors: tuple[bytes, ...], at: int, host: str) -> tuple[_Signed, bytes]:
    parts = blob.strip().decode("ascii").split(".")
    if len(parts) != 3:
        raise ValueError("it must have three parts")
    head, payload, signature_ = (base64url.decode(part) for part in parts)
    header = strict_json.read_object(head)
    algorithm, x5c = _ALGORITHMS.get(str(header.get("alg"))), header.get("x5c")
    if algorithm is None or "crit" in header:  # RFC 7515 section 4.1.11
        raise ValueError("its algorithm must be ES256 or RS256, and nothing else critical")
    if type(x5c) is not list or not 1 <= len(x5c) <= MAX_CERTIFICATES:
        raise ValueError(f"its header must hold 1 to {MAX_CERTIFICATES} certificates")
    chain = tuple(_base64(der) for der in x5c)
    if algorithm == _ALGORITHMS["ES256"]:
        signature_ = _ecdsa_der(signature_)
    message = f"{parts[0]}.{parts[1]}".encode()
    return _Signed(algorithm, chain, certificate.read(chain[0]), message, signature_, anchors, at, host), payload


def _ecdsa_der(signature_: bytes) -> bytes:
    """RFC 7518 section 3.4: two numbers of 32 bytes, for verifiers that take them in DER."""
    if len(signature_) != 64:
        raise ValueError("a signature with ES256 has 64 bytes")
    return encode_dss_signature(int.from_bytes(signature_[:32], "big"), int.from_bytes(signature_[32:], "big"))


def _metadata(members: dict[str, Any]) -> Metadata:
    models: dict[bytes, Entry] = {}
    for listed in _typed(members, "entries", list):
        keys, entry = _keys(listed), _entry(listed)
        if not models.keys().isdisjoint(keys):
            raise ValueError("a model must be listed once")
        models |= dict.fromkeys(keys, entry)
    due = _date(_typed(members, "nextUpdate", str)) + _DAY
    return Metadata(_typed(members, "no", int), due, MappingProxyType(models))


def _keys(listed: Any) -> list[bytes]:
    """Section 3.1.1. Neither stands in entries of UAF, which are nothing to us."""
    if type(listed) is not dict:
        raise ValueError("an entry must be an object")
    identifiers = listed.get("attestationCertificateKeyIdentifiers", [])
    if type(identifiers) is not list:
        raise ValueError("attestationCertificateKeyIdentifiers must be a list")
    keys = [bytes.fromhex(_text(identifier)) for identifier in identifiers]
    if any(len(key) != _SHA1_BYTES for key in keys):
        raise ValueError(f"an attestationCertificateKeyIdentifier has {_SHA1_BYTES} bytes")
    if "aaguid" in listed:
        keys.append(UUID(_text(listed["aaguid"])).bytes)
    return list(dict.fromkeys(keys))


def _entry(listed: dict[str, Any]) -> Entry:
    """One model's entry must not cost us those of all others, and is not to be trusted either."""
    try:
        statement = listed.get("metadataStatement", {})
        roots = [_base64(root) for root in statement.get("attestationRootCertificates", ())]
        return Entry(
            _text(statement.get("description", "")),
            tuple(dict.fromkeys(root for root in roots if _is_readable(root))),
            tuple(_report(report) for report in _typed(listed, "statusReports", list)),
        )
    except (ValueError, TypeError, AttributeError):
        return Entry("", (), (_UNREADABLE,))


def _report(report: dict[str, Any]) -> StatusReport:
    starts, ends = (
        None if report.get(name) is None else _date(report[name]) for name in ("effectiveDate", "sunsetDate")
    )
    return StatusReport(_typed(report, "status", str), starts, ends)


def _is_readable(der: bytes) -> bool:
    try:
        certificate.read(der)
    except ValueError:
        return False
    return True


def _typed(members: dict[str, Any], name: str, kind: type) -> Any:
    value = members.get(name)
    if type(value) is not kind:
        raise ValueError(f"{name} must be of type {kind.__name__}")
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError("an entry names itself in text")
    return value


def _date(text: Any) -> int:
    """Unix seconds of the first moment of a day, in UTC."""
    return int(datetime.strptime(_text(text), "%Y-%m-%d").replace(tzinfo=UTC).timestamp())


def _base64(text: Any) -> bytes:
    """RFC 4648 section 4; some entries have line breaks in it."""
    return base64.b64decode("".join(_text(text).split()), validate=True)
