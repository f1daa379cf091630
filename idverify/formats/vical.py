"""VICAL (ISO/IEC 18013-5 annex C): a provider's signed list of authorities (IACA) and the types that each may issue.

``read`` parses and trusts nothing; ``check`` holds the list under a root of the provider's that the reader pinned, and
says which certificates of it can be relied on, and why each of the others cannot. A list is one COSE_Sign1.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509 as cryptography_x509

from idverify.errors import DocumentError
from idverify.formats import cose, strict_cbor, x509

WHAT: Final = "A VICAL"
PROFILE: Final = cose.MessageProfile(WHAT, cose.ES256)
PURPOSES: Final = frozenset({x509.Purpose.VICAL})
MAX_VICAL: Final = 2 * 1024 * 1024
MAX_ENTRIES: Final = 1024
MAX_TYPES: Final = 32
MAX_TEXT: Final = 200
MAX_SKEW: Final = 60
# C.1.7.1: what must be there, and of which kind; what else there is may be of any
_LIST: Final[Mapping[str, type]] = {"version": str, "vicalProvider": str, "date": dt.datetime, "certificateInfos": list}
_ENTRY: Final[Mapping[str, type]] = {"certificate": bytes, "serialNumber": int, "ski": bytes, "docType": list}
_OPTIONAL: Final[Mapping[str, type]] = {
    "vicalIssueID": int,
    "nextUpdate": dt.datetime,
    "issuingAuthority": str,
    "issuingCountry": str,
    "stateOrProvinceName": str,
    "issuer": bytes,
    "subject": bytes,
    "notBefore": dt.datetime,
    "notAfter": dt.datetime,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One certificate of a list (CertificateInfo), with what the provider says of it; times in Unix seconds."""

    certificate: bytes
    serial: int
    ski: bytes
    doc_types: tuple[str, ...]
    authority: str | None
    country: str | None
    state: str | None
    issuer: bytes | None
    subject: bytes | None
    not_before: int | None
    not_after: int | None


@dataclass(frozen=True, slots=True)
class Vical:
    """A list as read: parsed, not believed. Times are Unix seconds; ``chain`` are the provider's certificates (DER)."""

    version: str
    provider: str
    date: int
    issue: int | None
    next_update: int | None
    entries: tuple[Entry, ...]
    chain: tuple[bytes, ...]
    message: cose.Message


@dataclass(frozen=True, slots=True)
class VicalExpected:
    """What a list must fit: the provider's pinned ``root`` (DER), and the time (Unix seconds)."""

    root: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A certificate of a list that cannot be relied on, by the rule that it breaks."""

    entry: Entry
    rule: str
    detail: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a list that holds gives."""

    entries: tuple[Entry, ...]
    refused: tuple[Refused, ...]


# --- reading ------------------------------------------------------------------------------------------------------


def read(encoded: bytes) -> Vical:
    """Parse, with caps; trusts nothing. Raises ``DocumentError``: ``size``, ``vical-form``, or of ``cose`` or CBOR."""
    if len(encoded) > MAX_VICAL:
        raise DocumentError("size", f"{WHAT} may be {MAX_VICAL} bytes long; got {len(encoded)}.")
    message = cose.read_message(encoded, PROFILE)
    if message.payload is None:
        raise DocumentError("vical-form", f"{WHAT} must hold its list.")
    said = _members(strict_cbor.decode(message.payload, WHAT, bignums=True), _LIST, WHAT)
    infos, issue = said["certificateInfos"], said.get("vicalIssueID")
    if len(infos) > MAX_ENTRIES:
        raise DocumentError("size", f"{WHAT} may have {MAX_ENTRIES} certificates; got {len(infos)}.")
    if issue is not None and not 0 <= issue <= strict_cbor.MAX_INTEGER:
        raise DocumentError("vical-form", "vicalIssueID must be a whole number below 2^53.")
    return Vical(
        version=_text(said["version"], "version"),
        provider=_text(said["vicalProvider"], "vicalProvider"),
        date=_seconds(said["date"]),
        issue=issue,
        next_update=_time(said.get("nextUpdate")),
        entries=tuple(map(_entry, infos)),
        chain=cose.x5chain(message, WHAT),
        message=message,
    )


def _entry(info: Any) -> Entry:
    what = f"A certificate of {WHAT}"
    said = _members(info, _ENTRY, what)
    if not 0 < len(said["docType"]) <= MAX_TYPES:
        raise DocumentError("vical-form", f"{what} must be for 1 to {MAX_TYPES} types.")
    return Entry(
        certificate=said["certificate"],
        serial=said["serialNumber"],
        ski=said["ski"],
        doc_types=tuple(_text(kind, "docType") for kind in said["docType"]),
        authority=_optional_text(said.get("issuingAuthority"), "issuingAuthority"),
        country=_optional_text(said.get("issuingCountry"), "issuingCountry"),
        state=_optional_text(said.get("stateOrProvinceName"), "stateOrProvinceName"),
        issuer=said.get("issuer"),
        subject=said.get("subject"),
        not_before=_time(said.get("notBefore")),
        not_after=_time(said.get("notAfter")),
    )


def _members(value: Any, needed: Mapping[str, type], what: str) -> Mapping[str, Any]:
    if type(value) is not dict:
        raise DocumentError("vical-form", f"{what} must be a map.")
    for name, kind in {**needed, **_OPTIONAL}.items():
        if (name in value or name in needed) and type(value.get(name)) is not kind:
            raise DocumentError("vical-form", f"{what} must have {name} as {kind.__name__}.")
    return value


def _text(value: Any, name: str) -> str:
    if type(value) is not str or not 0 < len(value) <= MAX_TEXT or not value.isprintable():
        raise DocumentError("vical-form", f"{name} must be a printable text of 1 to {MAX_TEXT} characters.")
    return value


def _optional_text(value: Any, name: str) -> str | None:
    return None if value is None else _text(value, name)


def _seconds(value: dt.datetime) -> int:
    return int(value.timestamp())


def _time(value: dt.datetime | None) -> int | None:
    return None if value is None else _seconds(value)


# --- the list -----------------------------------------------------------------------------------------------------


def vical_version(seen: Vical, _expected: VicalExpected) -> None:
    """C.1.7.1: what another version means is not known here."""
    if seen.version.partition(".")[0] != "1":
        raise DocumentError("vical-version", f"{WHAT} must be of version 1.x; this one is {seen.version[:20]}.")


def vical_signature(seen: Vical, _expected: VicalExpected) -> None:
    """C.1.7: signed with the key of its first certificate."""
    key = x509.signing_key(seen.chain[0])
    cose.verify_signature(seen.message, seen.message.payload or b"", key, "the VICAL")


def vical_provider(seen: Vical, expected: VicalExpected) -> None:
    """C.1.7.2: by somebody certified for such lists, under the root that was pinned for the provider."""
    chain = seen.chain[:-1] if len(seen.chain) > 1 and seen.chain[-1] == expected.root else seen.chain
    x509.verify_chain(chain, (expected.root,), expected.at, purposes=PURPOSES)


def vical_date(seen: Vical, expected: VicalExpected) -> None:
    """C.1.7.1: nothing was issued tomorrow."""
    if seen.date > expected.at + MAX_SKEW:
        raise DocumentError("vical-date", "The VICAL says it is from the future; check the clocks.")


def vical_next_update(seen: Vical, expected: VicalExpected) -> None:
    """C.1.7.1: after this day there is another, which may have withdrawn what stands in this one."""
    if seen.next_update is not None and seen.next_update <= expected.at:
        raise DocumentError("vical-next-update", "The VICAL is out of date: its provider promised a newer one by now.")


def vical_certificate_once(seen: Vical, _expected: VicalExpected) -> None:
    """One certificate twice could be for other types each time."""
    if len({entry.certificate for entry in seen.entries}) != len(seen.entries):
        raise DocumentError("vical-certificate-once", "The VICAL has a certificate twice.")


LIST_RULES: tuple[Callable[[Vical, VicalExpected], None], ...] = (
    vical_version,
    vical_signature,
    vical_provider,
    vical_date,
    vical_next_update,
    vical_certificate_once,
)


# --- each certificate ---------------------------------------------------------------------------------------------


def entry_root(entry: Entry, _at: int) -> None:
    """B.1.2: a self-signed authority."""
    x509.require_root(entry.certificate)


def entry_ski(entry: Entry, _at: int) -> None:
    """C.1.7.1: the identifier of the very key in the certificate."""
    extensions = x509.read_certificate(entry.certificate).extensions
    try:
        held = extensions.get_extension_for_class(cryptography_x509.SubjectKeyIdentifier).value.digest
    except cryptography_x509.ExtensionNotFound:
        raise DocumentError("entry-ski", "The certificate has no subject key identifier.") from None
    if held != entry.ski:
        raise DocumentError("entry-ski", "The list names another key than the certificate holds.")


def entry_serial(entry: Entry, _at: int) -> None:
    """C.1.7.1: the serial number of this certificate."""
    if x509.read_certificate(entry.certificate).serial_number != entry.serial:
        raise DocumentError("entry-serial", "The list names another serial number than the certificate has.")


def entry_names(entry: Entry, _at: int) -> None:
    """C.1.7.1: issuer and subject, where they are told, are those of the certificate, byte by byte."""
    certificate = x509.read_certificate(entry.certificate)
    held = (certificate.issuer.public_bytes(), certificate.subject.public_bytes())
    if (entry.issuer or held[0], entry.subject or held[1]) != held:
        raise DocumentError("entry-names", "The list names another issuer or subject than the certificate does.")


def entry_dates(entry: Entry, _at: int) -> None:
    """C.1.7.1: the dates, where they are told, are those of the certificate."""
    held = (x509.not_before(entry.certificate), x509.not_after(entry.certificate))
    told = (held[0] if entry.not_before is None else entry.not_before, entry.not_after or held[1])
    if told != held:
        raise DocumentError("entry-dates", "The list tells other dates than the certificate does.")


def entry_country(entry: Entry, _at: int) -> None:
    """C.1.7.1 and B.1.2: the country, where it is told (ISO 3166-1 or -2), is that of the certificate."""
    region = x509.region(entry.certificate)
    told = None if entry.country is None else entry.country.partition("-")[0].upper()
    if told is not None and told != (region.country or "").upper():
        raise DocumentError("entry-country", f"The list says {told}; the certificate is of {region.country}.")


def entry_state(entry: Entry, _at: int) -> None:
    """B.1.2: the state, where both tell one, is that of the certificate."""
    held = x509.region(entry.certificate).state
    if entry.state is not None and held is not None and entry.state != held:
        raise DocumentError("entry-state", f"The list says {entry.state}; the certificate is of {held}.")


def entry_in_time(entry: Entry, at: int) -> None:
    """RFC 5280 section 4.1.2.5: what has expired certifies nobody any more."""
    if at > x509.not_after(entry.certificate):
        raise DocumentError("entry-in-time", "The certificate has expired.")


ENTRY_RULES: tuple[Callable[[Entry, int], None], ...] = (
    entry_root,
    entry_ski,
    entry_serial,
    entry_names,
    entry_dates,
    entry_country,
    entry_state,
    entry_in_time,
)


def check(seen: Vical, expected: VicalExpected) -> Accepted:
    """What a list gives, once every rule of ``LIST_RULES`` holds. Raises ``DocumentError`` with the broken rule."""
    for rule in LIST_RULES:
        rule(seen, expected)
    entries, refused = list[Entry](), list[Refused]()
    for entry in seen.entries:
        try:
            for entry_rule in ENTRY_RULES:
                entry_rule(entry, expected.at)
            entries.append(entry)
        except DocumentError as wrong:
            refused.append(Refused(entry, wrong.rule, wrong.detail))
    return Accepted(tuple(entries), tuple(refused))
