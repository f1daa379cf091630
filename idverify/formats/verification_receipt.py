"""The verification receipt: what a check found, as one JWS for the case file (docs/verification-receipts.md).

It holds digests of the document and of the claims that were told, never themselves; who asked by organisation and role.
Whoever keeps it shows later what they were told, and on which versions of trust and status it rested; the service
cannot deny it, and keeps its digest alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from idverify.core.credential import Issuer
from idverify.core.trust import TrustStore
from idverify.core.verdict import CHECKS, Channel, Check, CheckId, Outcome, Result, Verdict, fold
from idverify.errors import DocumentError
from idverify.formats import jose, x509
from idverify.formats.base import ToBeSigned
from idverify.formats.strict_json import encode_json, parse_object

WHAT: Final = "A verification receipt"
TYPE: Final = "idverify-verification+jwt"
PROFILE: Final = jose.TokenProfile(WHAT, TYPE, "x5c")
FILE_NAME: Final = "verification-receipt.jwt"
PURPOSES: Final = frozenset({x509.Purpose.VERIFICATION})
MAX_RECEIPT: Final = 64 * 1024
MAX_SKEW: Final = 60
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_CHANNELS: Final = frozenset({Channel.DOCUMENT.value, Channel.PAPER.value, Channel.PRESENTATION.value})


@dataclass(frozen=True, slots=True)
class Relied:
    """On what the check rested: digest of the trust store, end of its revocation lists, and the status list.

    ``status_list`` is (URI, signed at, SHA-256 of the token); ``None``: there was none to look in.
    """

    trust: bytes
    revocations_until: int | None
    status_list: tuple[str, int, bytes] | None


@dataclass(frozen=True, slots=True)
class VerificationReceipt:
    """What is said. Digests are SHA-256, times Unix seconds.

    ``claims`` is the digest of what was told (``claims_json.claims_digest``), ``None`` if nothing was. ``request`` is
    (audience, digest of the nonce) of the request that was answered, if it was one.
    """

    iss: str
    issued_at: int
    organisation: str
    role: str
    purpose: str | None
    channel: str
    format: str | None
    type: str | None
    document: bytes
    claims: bytes | None
    verdict: Mapping[str, Any]
    relied: Relied
    request: tuple[str, bytes] | None


def prepare(receipt: VerificationReceipt, issuer: Issuer) -> ToBeSigned:
    """The bytes that the verification key signs."""
    header = {"alg": "ES256", "typ": TYPE, "x5c": jose.x5c_header(issuer.chain)}
    return ToBeSigned(jose.signing_input(header, encode_json(body(receipt))))


def seal(unsigned: ToBeSigned, signature: bytes) -> bytes:
    """The finished receipt."""
    return jose.jws(unsigned.payload, signature)


def body(receipt: VerificationReceipt) -> dict[str, Any]:
    """The members of the signed JSON."""
    relied, request = receipt.relied, receipt.request
    listed = relied.status_list
    return {
        "iss": receipt.iss,
        "iat": receipt.issued_at,
        "checked_by": {"organisation": receipt.organisation, "role": receipt.role, "purpose": receipt.purpose},
        "document": {
            "sha256": receipt.document.hex(),
            "format": receipt.format,
            "type": receipt.type,
            "channel": receipt.channel,
        },
        "verdict": dict(receipt.verdict),
        "claims_sha256": None if receipt.claims is None else receipt.claims.hex(),
        "relied_on": {
            "trust_sha256": relied.trust.hex(),
            "revocations_until": relied.revocations_until,
            "status_list": None if listed is None else {"uri": listed[0], "iat": listed[1], "sha256": listed[2].hex()},
        },
        "request": None if request is None else {"audience": request[0], "nonce_sha256": request[1].hex()},
    }


# --- reading ------------------------------------------------------------------------------------------------------


def looks_like(given: bytes) -> bool:
    """Whether the bytes are a JWS of this type: of no other does anybody get a receipt's verdict."""
    try:
        return jose.header_of(given.lstrip()).get("typ") == TYPE
    except DocumentError:
        return False


@dataclass(frozen=True, slots=True)
class _Read:
    token: jose.Jws
    said: Mapping[str, Any]
    chain: tuple[bytes, ...]
    trust: TrustStore
    at: int


def receipt_signature(seen: _Read) -> None:
    """RFC 7515 section 5.2, with the key of the leaf."""
    jose.verify_signature(seen.token, x509.signing_key(seen.chain[0]), "the receipt")


def receipt_certified(seen: _Read) -> None:
    """The key is made for receipts, of an issuer that is relied on, and was certified when it signed."""
    issuer = seen.trust.issuer(seen.said["iss"])
    if issuer is None:
        raise DocumentError("issuer-known", f"{seen.said['iss'][:200]} is not an issuer that is relied on here.")
    signed_at = seen.said["iat"]
    x509.verify_signer(
        seen.chain, x509.SignerExpected(issuer.iss, issuer.roots, PURPOSES, seen.trust.revoked_serials, signed_at)
    )


def _known_today(found: Check, seen: _Read) -> Check:
    """Whoever certified the signer may have revoked it since: out of date, their list does not tell."""
    issuer = seen.trust.issuer(seen.said["iss"])
    if found.result is not Result.PASS or issuer is None or seen.trust.revocations_known(issuer, seen.at):
        return found
    return Check(found.id, Result.UNKNOWN, _STALE, {"rule": "crl-next-update"})


def receipt_in_past(seen: _Read) -> None:
    """RFC 7519 section 4.1.6: nothing was checked tomorrow. A receipt never expires: it says what was so then."""
    if seen.said["iat"] - MAX_SKEW > seen.at:
        raise DocumentError("issued-in-past", "The receipt says it was made in the future; look at the clocks.")


RULES: Mapping[CheckId, tuple[Callable[[_Read], None], ...]] = {
    CheckId.SIGNATURE: (receipt_signature,),
    CheckId.ISSUER_TRUSTED: (receipt_certified,),
    CheckId.VALIDITY: (receipt_in_past,),
}
_HOLDS: Final[Mapping[CheckId, str]] = {
    CheckId.SIGNATURE: "The signature matches the receipt.",
    CheckId.ISSUER_TRUSTED: "The signer is certified for the receipts of an issuer that is relied on here.",
    CheckId.VALIDITY: "The receipt is not from the future.",
}
_WITHIN: Final = Check(CheckId.SIZE, Result.PASS, "Within the limits.")
_STALE: Final = "The list of revoked certificates is out of date, so the signer may have been revoked since."
_NOT_LOOKED_AT: Final = "Not looked at, because a check before it did not pass."


def check(encoded: bytes, trust: TrustStore, at: int) -> tuple[Verdict, Mapping[str, Any] | None]:
    """The verdict on a receipt at the time ``at``, and what it says if it is accepted. Never raises."""
    try:
        seen = _read(encoded, trust, at)
    except DocumentError as wrong:
        return fold(_unreadable(wrong), Channel.RECEIPT), None
    found = [_WITHIN]
    found.append(Check(CheckId.FORMAT, Result.PASS, "The receipt is well-formed."))
    for name, rules in RULES.items():
        looked = _look(seen, name, rules, barred=found[-1].result is not Result.PASS)
        found.append(_known_today(looked, seen) if name is CheckId.ISSUER_TRUSTED else looked)
    verdict = fold(found, Channel.RECEIPT)
    return verdict, seen.said if verdict.verdict is Outcome.ACCEPT else None


def _look(seen: _Read, name: CheckId, rules: tuple[Callable[[_Read], None], ...], *, barred: bool) -> Check:
    if barred:
        return Check(name, Result.UNKNOWN, _NOT_LOOKED_AT)
    try:
        for rule in rules:
            rule(seen)
    except DocumentError as broken:
        return Check(name, Result.FAIL, broken.detail, {"rule": broken.rule})
    return Check(name, Result.PASS, _HOLDS[name])


def _unreadable(wrong: DocumentError) -> list[Check]:
    too_large = wrong.rule == "size"
    size = Check(
        CheckId.SIZE, Result.FAIL if too_large else Result.PASS, wrong.detail if too_large else "Small enough."
    )
    form = Check(CheckId.FORMAT, Result.UNKNOWN if too_large else Result.FAIL, wrong.detail, {"rule": wrong.rule})
    rest = (name for name in CHECKS[Channel.RECEIPT] if name not in (CheckId.SIZE, CheckId.FORMAT))
    return [size, form, *(Check(name, Result.UNKNOWN, "Not looked at: the receipt cannot be read.") for name in rest)]


def _read(encoded: bytes, trust: TrustStore, at: int) -> _Read:
    token = jose.read_jws(encoded, PROFILE, MAX_RECEIPT)
    said = parse_object(token.payload, WHAT)
    for rule in FORMAT_RULES:
        rule(said)
    return _Read(token, said, jose.x5c(token.header), trust, at)


def says_who_and_when(said: Mapping[str, Any]) -> None:
    """Issuer, time, and who asked."""
    jose.text_claim(said, "iss", WHAT)
    jose.numeric_date(said, "iat", WHAT)
    asker = _object(said, "checked_by")
    if not all(type(asker.get(name)) is str for name in ("organisation", "role")):
        raise _malformed("checked_by must name organisation and role")


def says_which_document(said: Mapping[str, Any]) -> None:
    """The document's digest, and how it came."""
    document = _object(said, "document")
    _digest(document, "sha256")
    if document.get("channel") not in _CHANNELS:
        raise _malformed("document must say by which channel it came")


def says_what_was_found(said: Mapping[str, Any]) -> None:
    """A verdict with its checks, and the digest of what was told."""
    verdict = _object(said, "verdict")
    checks = verdict.get("checks")
    if verdict.get("verdict") not in set(Outcome) or type(checks) is not list or not checks:
        raise _malformed("verdict must be a verdict with its checks")
    if said.get("claims_sha256") is not None:
        _digest(said, "claims_sha256")


def says_on_what(said: Mapping[str, Any]) -> None:
    """The versions that it rested on, and the request that was answered."""
    relied = _object(said, "relied_on")
    _digest(relied, "trust_sha256")
    if relied.get("status_list") is not None:
        _digest(_object(relied, "status_list"), "sha256")
    if said.get("request") is not None:
        _digest(_object(said, "request"), "nonce_sha256")


FORMAT_RULES: tuple[Callable[[Mapping[str, Any]], None], ...] = (
    says_who_and_when,
    says_which_document,
    says_what_was_found,
    says_on_what,
)


def _object(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = said.get(name)
    if type(value) is not dict:
        raise _malformed(f"{name} must be an object")
    return value


def _digest(said: Mapping[str, Any], name: str) -> None:
    value = said.get(name)
    if type(value) is not str or not _DIGEST.fullmatch(value):
        raise _malformed(f"{name} must be a SHA-256 in hex")


def _malformed(why: str) -> DocumentError:
    return DocumentError("receipt-form", f"{WHAT} has not the expected members: {why}.")
