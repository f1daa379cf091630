"""Issuers and certificates in words, for people at a terminal."""

from __future__ import annotations

import datetime as dt
from hashlib import sha256

from idverify.core.trust import Term, TrustedIssuer
from idverify.formats.untrusted import certificate_json
from idverify.formats.x509 import fingerprint


def issuer_words(issuer: TrustedIssuer, at: int | None) -> list[str]:
    """An issuer with all its terms, or, ``at`` a time (Unix seconds), with what was relied on then."""
    named = issuer.iss or "by its root alone"
    lines = [f"{issuer.name} ({named}){f', {issuer.country}' if issuer.country else ''}"]
    lines += [f"  status lists at {base}" for base in issuer.list_bases]
    if not issuer.root_terms or at is not None:
        lines += [f"  for {kind}" for kind in sorted(issuer.types)]
        return lines + [line for root in issuer.roots for line in certificate_lines(root)]
    lines += [f"  for {kind.type} ({kind.format}) {term_words(kind)}" for kind in issuer.type_terms]
    for root in issuer.root_terms:
        origin = f", {root.origin}" if root.origin else ""
        lines += [*certificate_lines(root.certificate), f"    relied on {term_words(root)}{origin}"]
    lines += [f"  signs on paper: SHA-256 {fingerprint(signer).hex()}" for signer in issuer.signers]
    lines += [f"  root of its time stamps: SHA-256 {fingerprint(root).hex()}" for root in issuer.stamp_roots]
    lines += [f"  list of revoked certificates: SHA-256 {sha256(crl).hexdigest()}" for crl in issuer.crls]
    lines += [
        f"  keys of its log: policy with SHA-256 {sha256(log.encode()).hexdigest()}" for log in issuer.log_policies
    ]
    return lines


def certificate_lines(der: bytes) -> list[str]:
    """A root: whose it is, its SHA-256, and until when it holds."""
    shown = certificate_json(der)
    return [
        f"  root {shown['subject']}",
        f"    SHA-256 {shown['sha256']}",
        f"    holds from {day(shown['not_before'])} to {day(shown['not_after'])}",
    ]


def term_words(term: Term) -> str:
    """When something is relied on."""
    return f"since {day(term.since)}" + ("" if term.until is None else f", not any more since {day(term.until)}")


def day(at: int) -> str:
    """A day, as everybody writes it."""
    return dt.datetime.fromtimestamp(at, dt.UTC).date().isoformat()
