"""The mobile security object (ISO/IEC 18013-5, 9.1.2.4): what the issuer signs of a document that is shown in parts.

It holds a digest of each element and no element, the key of the device, the dates, and where the status stands.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from idverify.core.credential import Credential, StatusReference, day_rounded
from idverify.errors import DocumentError
from idverify.formats import cose, strict_cbor
from idverify.formats.base import status_reference

WHAT: Final = "The mobile security object"
VERSION: Final = "1.0"

# Table 21, by its names there, with the length of each digest.
DIGESTS: Final[Mapping[str, Callable[[bytes], Any]]] = {
    "SHA-256": hashlib.sha256,
    "SHA-384": hashlib.sha384,
    "SHA-512": hashlib.sha512,
}
_SIZES: Final = {"SHA-256": 32, "SHA-384": 48, "SHA-512": 64}

# Namespaces in which the device may sign elements of its own: GOV.UK Wallet takes an mDL only with these, in this
# order. Nothing that a device says of itself is ever shown here as if the issuer had said it.
AUTHORISED: Final[Mapping[str, tuple[str, ...]]] = {
    "org.iso.18013.5.1.mDL": ("org.iso.18013.5.1.GB", "org.iso.18013.5.1"),
}

_UTC = dt.timedelta()
_TIMES: Final = ("signed", "validFrom", "validUntil")
_READABLE_VERSION = re.compile(r"1\.[0-9]{1,3}")


@dataclass(frozen=True, slots=True)
class KeyAuthorizations:
    """Which elements the device may sign: all of some namespaces, and some elements of others."""

    name_spaces: frozenset[str]
    elements: frozenset[tuple[str, str]]

    def cover(self, name_space: str, element: str) -> bool:
        """Whether the device may sign this element."""
        return name_space in self.name_spaces or (name_space, element) in self.elements


@dataclass(frozen=True, slots=True)
class MobileSecurityObject:
    """As received: parsed, not believed. Times are Unix seconds; ``digests`` are by namespace and digestID."""

    doc_type: str
    digest_algorithm: str
    digests: Mapping[str, Mapping[int, bytes]]
    device_key: dict[str, str]
    authorised: KeyAuthorizations
    signed: int
    valid_from: int
    valid_until: int
    status: StatusReference | None


# --- what read refuses --------------------------------------------------------------------------------------------


def mso_version(mso: Mapping[str, Any]) -> None:
    """9.1.2.4: a reader that knows version 1.0 reads 1.x, and nothing else."""
    if type(mso.get("version")) is not str or not _READABLE_VERSION.fullmatch(mso["version"]):
        raise DocumentError("mso-version", f"{WHAT} must have version 1.0; got {str(mso.get('version'))[:20]}.")


def value_digests(mso: Mapping[str, Any]) -> None:
    """9.1.2.4: by namespace and digestID, each as long as its hash function says."""
    size, by_name_space = _SIZES[mso["digestAlgorithm"]], mso.get("valueDigests")
    if type(by_name_space) is not dict or not by_name_space:
        raise DocumentError("value-digests", f"{WHAT} must have the digests of at least one namespace.")
    for name_space, digests in by_name_space.items():
        if type(name_space) is not str or type(digests) is not dict or set(map(type, digests)) != {int}:
            raise DocumentError("value-digests", "Digests must stand by namespace and number.")
        if set(map(type, digests.values())) != {bytes} or set(map(len, digests.values())) != {size}:
            raise DocumentError("value-digests", f"Every digest must be {size} bytes long.")


def doc_type_named(mso: Mapping[str, Any]) -> None:
    """9.1.2.4: the type is signed too."""
    if type(mso.get("docType")) is not str or not mso["docType"]:
        raise DocumentError("doc-type-named", f"{WHAT} must name its docType.")


def device_key_info(mso: Mapping[str, Any]) -> None:
    """9.1.2.4: the key of the device; whom else it may speak for is looked at when it does."""
    info = mso.get("deviceKeyInfo")
    if type(info) is not dict or not {"deviceKey"} <= info.keys() <= {"deviceKey", "keyAuthorizations", "keyInfo"}:
        raise DocumentError("device-key-info", f"{WHAT} must have a deviceKeyInfo with the device's key.")


def validity_info(mso: Mapping[str, Any]) -> None:
    """9.1.2.4: tdate, in UTC and without parts of seconds; so is ``expectedUpdate``, where it stands."""
    info = mso.get("validityInfo")
    told = info if type(info) is dict else {}
    for name in _TIMES if "expectedUpdate" not in told else (*_TIMES, "expectedUpdate"):
        at = told.get(name)
        if type(at) is not dt.datetime or at.utcoffset() != _UTC or at.microsecond:
            raise DocumentError("validity-info", f"{name} must be a time in UTC and whole seconds.")


def validity_in_order(mso: Mapping[str, Any]) -> None:
    """9.1.2.4: not valid before it was signed, and valid at some time."""
    info = mso["validityInfo"]
    if not info["signed"] <= info["validFrom"] < info["validUntil"]:
        raise DocumentError("validity-in-order", "signed must not be after validFrom, nor validFrom after validUntil.")


MSO_RULES: tuple[Callable[[Mapping[str, Any]], None], ...] = (
    mso_version,
    value_digests,
    doc_type_named,
    device_key_info,
    validity_info,
    validity_in_order,
)


# --- reading ------------------------------------------------------------------------------------------------------


def read(payload: bytes | None) -> MobileSecurityObject:
    """MobileSecurityObjectBytes.

    Raises ``DocumentError``: ``mso``, ``digest-algorithm``, a rule of ``MSO_RULES``, ``cose-key``, ``status``.
    """
    mso = strict_cbor.decode(strict_cbor.unwrap(payload or b"", WHAT), WHAT)
    if type(mso) is not dict:
        raise DocumentError("mso", f"{WHAT} must be a map.")
    algorithm = _digest_algorithm(mso)
    for rule in MSO_RULES:
        rule(mso)
    info, validity = mso["deviceKeyInfo"], mso["validityInfo"]
    return MobileSecurityObject(
        doc_type=mso["docType"],
        digest_algorithm=algorithm,
        digests=mso["valueDigests"],
        device_key=cose.holder_jwk(info["deviceKey"], "The device's key"),
        authorised=_authorised(info.get("keyAuthorizations", {})),
        signed=_seconds(validity["signed"]),
        valid_from=_seconds(validity["validFrom"]),
        valid_until=_seconds(validity["validUntil"]),
        status=status_reference(mso),
    )


def _digest_algorithm(mso: Mapping[str, Any]) -> str:
    """9.1.2.5: a hash function of our own table."""
    name = mso.get("digestAlgorithm")
    if type(name) is not str or name not in DIGESTS:
        raise DocumentError("digest-algorithm", f"Digests must be of {', '.join(DIGESTS)}; got {str(name)[:20]}.")
    return name


def _seconds(at: dt.datetime) -> int:
    return int(at.timestamp())


def _authorised(given: Any) -> KeyAuthorizations:
    """What cannot be read authorises nothing: the device then signs no element of its own."""
    name_spaces = given.get("nameSpaces", []) if type(given) is dict else []
    elements = given.get("dataElements", {}) if type(given) is dict else {}
    pairs = elements.items() if type(elements) is dict else ()
    return KeyAuthorizations(
        frozenset(name for name in name_spaces if type(name) is str) if type(name_spaces) is list else frozenset(),
        frozenset((space, str(name)) for space, names in pairs if type(names) is list for name in names),
    )


# --- making -------------------------------------------------------------------------------------------------------


def whole_days(issued_at: int, expires_at: int, certified_from: int) -> tuple[int, int]:
    """From the first second of the day of issue to the last of the last whole day: no copy is told by its times.

    It begins with its signer's certificate where that is younger, and what would end before it began ends at
    ``expires_at``.
    """
    start, end = max(day_rounded(issued_at), certified_from), day_rounded(expires_at + 1) - 1
    return start, end if end > start else expires_at


def encode(credential: Credential, digests: Mapping[str, Mapping[int, bytes]], certified_from: int) -> bytes:
    """MobileSecurityObjectBytes of a credential and the SHA-256 digests of its elements.

    ``certified_from`` is when the signer's certificate begins, in Unix seconds.
    """
    if credential.holder_key is None:
        raise ValueError("An mdoc is bound to a key of its holder (ISO/IEC 18013-5 section 9.1.2.4).")
    days = whole_days(credential.issued_at, credential.expires_at, certified_from)
    start, end = (dt.datetime.fromtimestamp(at, dt.UTC) for at in days)
    device_key_info: dict[str, Any] = {"deviceKey": cose.cose_key(credential.holder_key)}
    if credential.type in AUTHORISED:
        device_key_info["keyAuthorizations"] = {"nameSpaces": list(AUTHORISED[credential.type])}
    mso = {
        "version": VERSION,
        "digestAlgorithm": "SHA-256",
        "docType": credential.type,
        "valueDigests": {space: dict(sorted(by_id.items())) for space, by_id in digests.items()},
        "deviceKeyInfo": device_key_info,
        "validityInfo": {"signed": start, "validFrom": start, "validUntil": end},
        "status": {"status_list": {"idx": credential.status.index, "uri": credential.status.uri}},
    }
    return strict_cbor.embed(strict_cbor.encode(mso)).encoded
