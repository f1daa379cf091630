"""``idverify trust inspect``: what a certificate, a VICAL or a trust bundle says, and whether it holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from idverify.auth.attestation.certificate import read_pem
from idverify.cli.trust_words import certificate_lines, day, issuer_words
from idverify.errors import DocumentError
from idverify.formats import trust_bundle, vical, x509
from idverify.formats.issuer_document import issuer_json
from idverify.formats.untrusted import certificate_json

HOLDS, FAILS, UNTOLD = 0, 1, 2
NOT_KNOWN = "It is no certificate (PEM or DER), no VICAL and no trust bundle."
_COSE_SIGN1 = (b"\x84", b"\xd2")  # an array of four, with its tag 18 or without (RFC 9052 section 4.2)


@dataclass
class Inspected:
    """What was found: of which ``kind`` the file is, whether it holds, in lines for people and as data."""

    kind: str
    status: int
    lines: list[str]
    data: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """For machines: ``holds`` is ``None`` where nothing was given to hold it against."""
        return {"kind": self.kind, "holds": {HOLDS: True, FAILS: False, UNTOLD: None}[self.status], **self.data}


def inspected(content: bytes, provider_root: bytes | None, root_sha256: bytes | None, at: int) -> Inspected:
    """What the bytes of a file are, ``at`` Unix seconds."""
    try:
        if is_certificate(content):
            return _certificates(_pem(content) if is_pem(content) else (content,))
        if is_bundle(content):
            return _bundle(content.strip(), root_sha256, at)
        if content[:1] not in _COSE_SIGN1:
            raise DocumentError("unknown-format", NOT_KNOWN)
        return _vical(content, provider_root, at)
    except DocumentError as wrong:
        said = f"It cannot be read: {wrong.detail} ({wrong.rule})"
        return Inspected("unknown", FAILS, [said], {"rule": wrong.rule, "detail": wrong.detail})


def is_pem(content: bytes) -> bool:
    """Whether a file says that it is PEM."""
    return content.lstrip().startswith(b"-----BEGIN")


def is_certificate(content: bytes) -> bool:
    """Whether a file may hold certificates, PEM or DER (a SEQUENCE of more than 255 bytes)."""
    return is_pem(content) or content[:2] == b"\x30\x82"


def is_bundle(content: bytes) -> bool:
    """Whether a file may be a trust bundle: a JWS begins with its header, a JSON object in base64url."""
    return content[:3] == b"eyJ"


def _pem(content: bytes) -> tuple[bytes, ...]:
    try:
        return read_pem(content)
    except ValueError as wrong:
        raise DocumentError("certificate", f"The file must hold certificates: {wrong}.") from wrong


def _certificates(found: tuple[bytes, ...]) -> Inspected:
    lines, status, shown = list[str](), HOLDS, list[dict[str, Any]]()
    for der in found:
        told: dict[str, Any] = dict(certificate_json(der))
        try:
            x509.require_root(der)
            lines += certificate_lines(der)
        except DocumentError as wrong:
            status = FAILS
            told["rule"] = wrong.rule
            lines += [*certificate_lines(der), f"    not a root: {wrong.detail} ({wrong.rule})"]
        shown.append(told)
    return Inspected("certificate", status, lines, {"certificates": shown})


def _bundle(content: bytes, root_sha256: bytes | None, at: int) -> Inspected:
    if root_sha256 is None:
        said = "A trust bundle. Give --root-sha256, the fingerprint that its issuer told you by another way."
        return Inspected("bundle", UNTOLD, [said])
    bundle = trust_bundle.open_bundle(content, root_sha256, at)
    lines = [f"Trust bundle of {bundle.iss}, signed on {day(bundle.issued_at)}"]
    lines += [line for issuer in bundle.trust for line in issuer_words(issuer, None)]
    issuers = [issuer_json(issuer) for issuer in bundle.trust]
    return Inspected("bundle", HOLDS, lines, {"iss": bundle.iss, "issued_at": bundle.issued_at, "issuers": issuers})


def _vical(content: bytes, provider_root: bytes | None, at: int) -> Inspected:
    seen = vical.read(content)
    issue = "" if seen.issue is None else f", issue {seen.issue}"
    lines = [f"VICAL of {seen.provider}{issue}, of {day(seen.date)}, with {len(seen.entries)} certificates"]
    data: dict[str, Any] = {"provider": seen.provider, "issue": seen.issue, "date": seen.date}
    if provider_root is None:
        lines.append("Nobody vouches for it yet: give --provider-root, its provider's root certificate.")
        return Inspected("vical", UNTOLD, lines, data | {"entries": len(seen.entries)})
    try:
        accepted = vical.check(seen, vical.VicalExpected(provider_root, at))
    except DocumentError as wrong:
        lines.append(f"It does not hold: {wrong.detail} ({wrong.rule})")
        return Inspected("vical", FAILS, lines, data | {"rule": wrong.rule, "detail": wrong.detail})
    for entry in accepted.entries:
        lines += [
            f"{entry.authority or '(no name)'}: {', '.join(entry.doc_types)}",
            *certificate_lines(entry.certificate),
        ]
    lines += [f"Not taken: {one.entry.authority or '(no name)'}: {one.detail} ({one.rule})" for one in accepted.refused]
    data["entries"] = [
        {"authority": entry.authority, "types": list(entry.doc_types), **certificate_json(entry.certificate)}
        for entry in accepted.entries
    ]
    data["refused"] = [{"authority": one.entry.authority, "rule": one.rule} for one in accepted.refused]
    return Inspected("vical", HOLDS, lines, data)
