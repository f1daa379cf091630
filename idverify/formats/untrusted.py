"""Why a document's issuer is not trusted, by name: which certificate, whose root, since when, and who would be.

The formats say which rule broke; here stands what that means for this document before this trust store. Each reason has
a stable name, a sentence, and the certificates as evidence (``docs/checks.md``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

from cryptography import x509 as cryptography_x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from idverify.core.trust import TrustedIssuer, TrustedRoot, TrustStore
from idverify.core.verdict import Check, CheckId, Result
from idverify.errors import DocumentError
from idverify.formats import x509
from idverify.formats.base import Presented

MOST_TEXT = 200
# What a certificate may sign, by its extended key usage, for people
PURPOSES: Mapping[str, str] = {
    x509.Purpose.DOCUMENT.value.dotted_string: "documents",
    x509.Purpose.STATEMENT.value.dotted_string: "statements such as status lists",
    x509.Purpose.TRUST_LIST.value.dotted_string: "trust bundles",
    x509.Purpose.ENTRIES.value.dotted_string: "statements of a person's entries",
    x509.Purpose.VERIFICATION.value.dotted_string: "receipts of checks",
    x509.Purpose.PAPER.value.dotted_string: "letters and codes on paper",
    x509.Purpose.TIME_STAMP.value.dotted_string: "time stamps",
    x509.Purpose.VICAL.value.dotted_string: "lists of issuers (VICAL)",
    "1.0.18013.5.1.6": "requests of readers",  # ISO/IEC 18013-5 annex B.1.7
    "1.3.6.1.5.5.7.3.1": "web servers",
    "1.3.6.1.5.5.7.3.2": "web clients",
}


@dataclass(frozen=True, slots=True)
class Why:
    """A reason: its stable name, the sentence for people, and what goes with it as evidence."""

    id: str
    sentence: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """A root that a document's certificates lead to: whose it is, with its term, if it has one."""

    issuer: TrustedIssuer
    root: bytes
    term: TrustedRoot | None

    def to_json(self) -> dict[str, Any]:
        """The root as evidence."""
        shown = {"of": self.issuer.name, **certificate_json(self.root)}
        if self.term is not None:
            shown |= {"origin": self.term.origin, "since": self.term.since, "until": self.term.until}
        return shown


@dataclass(frozen=True, slots=True)
class Case:
    """A document that was refused, ``at`` Unix seconds, by a rule that said ``detail``; ``issuer`` is its claim."""

    presented: Presented
    issuer: TrustedIssuer | None
    trust: TrustStore
    at: int
    detail: str

    @property
    def name(self) -> str:
        """The issuer that the document names: as we know it, or as it says."""
        return self.presented.iss[:MOST_TEXT] if self.issuer is None else self.issuer.name

    @property
    def chain(self) -> tuple[bytes, ...]:
        """Its certificates (DER), the signer's first."""
        return self.presented.signing_chain

    @property
    def known(self) -> TrustedIssuer | None:
        """The claimed issuer as everything that was ever decided on it."""
        return None if self.issuer is None else self.trust.with_all_terms(self.issuer)

    def roots(self) -> Iterator[Found]:
        """Every root that was ever relied on and did sign the last certificate; the claimed issuer's come first."""
        everybody = self.trust.everybody.values()
        mine = [] if self.known is None else [self.known]
        for issuer in (*mine, *(one for one in everybody if one is not self.known)):
            yield from (found for found in _roots_of(issuer) if _signed(self.chain[-1], found.root))


def explained(check: Check, presented: Presented, issuer: TrustedIssuer | None, trust: TrustStore, at: int) -> Check:
    """A check of the issuer or its types that failed, with the reason; any other check as it is.

    ``trust`` is the store as of ``at`` (Unix seconds). Evidence keeps its ``rule`` and gains ``why``.
    """
    rule = (check.evidence or {}).get("rule")
    explain = _EXPLANATIONS.get((check.id, str(rule)))
    if check.result is not Result.FAIL or explain is None:
        return check
    case = Case(presented, issuer, trust, at, check.detail)
    try:
        why = explain(case)
        certificates = [certificate_json(der) for der in case.chain]
    except DocumentError as unreadable:
        why, certificates = Why("certificate-unreadable", unreadable.detail, {}), []
    evidence = {"rule": rule, "why": why.id, "claimed": case.presented.iss[:MOST_TEXT], **why.evidence}
    return replace(check, detail=why.sentence, evidence={**evidence, "certificates": certificates})


@lru_cache(maxsize=1024)
def certificate_json(der: bytes) -> Mapping[str, Any]:
    """A certificate as evidence: names, serial number, SHA-256, and its dates in Unix seconds."""
    certificate = x509.read_certificate(der)
    return {
        "subject": certificate.subject.rfc4514_string()[:MOST_TEXT],
        "issuer": certificate.issuer.rfc4514_string()[:MOST_TEXT],
        "serial": f"{certificate.serial_number:x}",
        "sha256": x509.fingerprint(der).hex(),
        "not_before": int(certificate.not_valid_before_utc.timestamp()),
        "not_after": int(certificate.not_valid_after_utc.timestamp()),
    }


# --- the issuer ---------------------------------------------------------------------------------------------------


def _issuer_not_known(case: Case) -> Why:
    once = case.trust.everybody.get(case.presented.iss)
    if once is not None and once.root_terms:
        ends = [root.until for root in once.root_terms if root.since <= case.at and root.until is not None]
        if ends:
            sentence = f"{once.name} was relied on here until {day(max(ends))}, and is not any more."
            return Why("issuer-withdrawn", sentence, {"until": max(ends)})
        begins = min(root.since for root in once.root_terms)
        sentence = f"{once.name} is relied on here only since {day(begins)}; this is checked as of {day(case.at)}."
        return Why("issuer-not-yet", sentence, {"since": begins})
    leads_to = next(case.roots(), None)
    if leads_to is not None and not leads_to.issuer.iss:  # known by its roots alone
        return _own_root(case, leads_to)
    if case.presented.iss == x509.issuer_name(case.chain[-1]):  # an mdoc that names its authority alone
        unknown = _root_not_known(case) if leads_to is None else _own_root(case, leads_to)
        return _broken_link(case.chain) or unknown
    country = _country(case.chain[-1])
    others = sorted({one.name for one in case.trust.issuers.values() if one.country == country and country})
    near = ", ".join(others)[:MOST_TEXT]
    hint = f" Relied on for {country}: {near}." if others else ""
    sentence = f"The document names {case.name} as its issuer, which is not relied on here.{hint}"
    evidence: dict[str, Any] = {"country": country, "relied_on_for_country": others}
    if leads_to is not None:
        sentence += f" Its certificates lead to a root of {leads_to.issuer.name}, which speaks for itself alone."
        evidence["root"] = leads_to.to_json()
    return Why("issuer-unknown", sentence, evidence)


def _no_path(case: Case) -> Why:
    broken = _broken_link(case.chain)
    if broken is not None:
        return broken
    found = list(case.roots())
    mine = [one for one in found if one.issuer is case.known]
    if mine:
        return _own_root(case, mine[-1])
    if found:
        other = found[0]
        sentence = (
            f"Its certificates lead to a root of {other.issuer.name} ({short(other.root)}), not to one of {case.name}."
        )
        return Why("another-root", sentence, {"root": other.to_json()})
    return _root_not_known(case)


def _own_root(case: Case, found: Found) -> Why:
    """It is a root of the claimed issuer, and still there is no path."""
    named, evidence = f"The root {short(found.root)} of {found.issuer.name}", {"root": found.to_json()}
    term = found.term
    if term is not None and not term.holds(case.at):
        if term.since > case.at:
            sentence = f"{named} is relied on only since {day(term.since)}; this is checked as of {day(case.at)}."
            return Why("root-not-yet", sentence, evidence)
        return Why("root-withdrawn", f"{named} was withdrawn on {day(term.until or 0)}.", evidence)
    root = x509.read_certificate(found.root)
    if root.not_valid_after_utc < x509.read_certificate(case.chain[0]).not_valid_before_utc:
        ended = int(root.not_valid_after_utc.timestamp())
        sentence = f"{named} expired on {day(ended)}, before the signer was certified."
        return Why("root-expired", sentence, evidence)
    return Why("chain-broken", case.detail, evidence)


def _root_not_known(case: Case) -> Why:
    top = x509.read_certificate(case.chain[-1])
    if top.subject == top.issuer:
        sentence = f"The last certificate, {_subject(case.chain[-1])}, is a root itself; it must be left out."
        return Why("root-along", sentence, {})
    authority = top.issuer.rfc4514_string()[:MOST_TEXT]
    named_so = [
        found
        for issuer in case.trust.everybody.values()
        for found in _roots_of(issuer)
        if x509.read_certificate(found.root).subject == top.issuer
    ]
    if named_so:
        known = ", ".join(short(one.root) for one in named_so)[:MOST_TEXT]
        sentence = f"A root named {authority} is known here ({known}), but another key of that name signed this."
        return Why("root-of-another-key", sentence, {"roots": [one.to_json() for one in named_so]})
    sentence = f"Its certificates end at {authority}, which is a root of nobody who is relied on here."
    return Why("root-unknown", sentence, {"authority": authority})


def _broken_link(chain: tuple[bytes, ...]) -> Why | None:
    """The first certificate that the next one did not issue."""
    for place, (below, above) in enumerate(pairwise(chain), 1):
        if not _signed(below, above):
            sentence = f"Certificate {place}, {_subject(below)}, was not issued by the next one, {_subject(above)}."
            return Why("chain-broken", sentence, {"broken_at": place})
    return None


def _out_of_date(case: Case) -> Why:
    root = next(case.roots(), None)
    path = [*case.chain, *([] if root is None else [root.root])]
    for place, der in reversed(list(enumerate(path, 1))):
        shown = certificate_json(der)
        what = "leaf" if place == 1 else "root" if place > len(case.chain) else "authority"
        named = {"leaf": "signer's certificate", "root": "root", "authority": "certificate"}[what]
        if case.at > shown["not_after"]:
            sentence = f"The {named} {_subject(der)} expired on {day(shown['not_after'])}."
            return Why(f"{what}-expired", sentence, {"broken_at": place})
        if case.at < shown["not_before"]:
            sentence = f"The {named} {_subject(der)} holds only from {day(shown['not_before'])} on."
            return Why(f"{what}-not-yet", sentence, {"broken_at": place})
    return Why("leaf-expired", case.detail, {})


def _revoked(case: Case) -> Why:
    for place, der in enumerate(case.chain, 1):
        certificate = x509.read_certificate(der)
        if (certificate.issuer.rfc4514_string(), certificate.serial_number) in case.trust.revoked_serials:
            authority = certificate.issuer.rfc4514_string()[:MOST_TEXT]
            sentence = f"The certificate {_subject(der)} was revoked by {authority}."
            return Why("leaf-revoked" if place == 1 else "authority-revoked", sentence, {"broken_at": place})
    return Why("leaf-revoked", case.detail, {})


def _another_purpose(case: Case) -> Why:
    leaf = x509.read_certificate(case.chain[0])
    try:
        usages = [
            usage.dotted_string
            for usage in leaf.extensions.get_extension_for_class(cryptography_x509.ExtendedKeyUsage).value
        ]
    except cryptography_x509.ExtensionNotFound:
        usages = []
    said = ", ".join(PURPOSES.get(usage, usage) for usage in usages) or "nothing in particular"
    sentence = f"The signer's certificate {_subject(case.chain[0])} was made for {said}. {case.detail}"
    return Why("another-purpose", sentence, {"purposes": usages})


def _another_name(case: Case) -> Why:
    uris = x509.subject_uris(case.chain[0])
    said = ", ".join(uris)[:MOST_TEXT] or "no issuer by name"
    sentence = f"The signer's certificate was made for {said}; the document names {case.presented.iss[:MOST_TEXT]}."
    return Why("another-name", sentence, {"names": [uri[:MOST_TEXT] for uri in uris]})


def _unreadable(case: Case) -> Why:
    return Why("certificate-unreadable", case.detail, {})


# --- the type -----------------------------------------------------------------------------------------------------


def _type_not_allowed(case: Case) -> Why:
    kind, form = case.presented.type, case.presented.format
    allowed = [] if case.issuer is None else sorted(case.issuer.types)
    said = ", ".join(allowed)[: 2 * MOST_TEXT] or "nothing now"
    sentence = f"{case.name} is not relied on for documents of type {kind[:MOST_TEXT]} as {form}; it is for: {said}."
    terms = () if case.known is None else case.known.type_terms
    ends = [term.until for term in terms if (term.format, term.type) == (form, kind)]
    if any(end is not None and end <= case.at for end in ends):
        last = max(end for end in ends if end is not None)
        return Why("type-withdrawn", f"{sentence} It was until {day(last)}.", {"allowed": allowed, "until": last})
    return Why("type-not-allowed", sentence, {"allowed": allowed})


_ISSUER, _TYPE = CheckId.ISSUER_TRUSTED, CheckId.TYPE_ALLOWED
_EXPLANATIONS: Mapping[tuple[CheckId, str], Callable[[Case], Why]] = {
    (_ISSUER, "issuer-known"): _issuer_not_known,
    (_ISSUER, "path"): _no_path,
    (_ISSUER, "path-validity"): _out_of_date,
    (_ISSUER, "path-not-revoked"): _revoked,
    (_ISSUER, "leaf-not-ca"): _another_purpose,
    (_ISSUER, "leaf-key-usage"): _another_purpose,
    (_ISSUER, "leaf-purpose"): _another_purpose,
    (_ISSUER, "san-names-issuer"): _another_name,
    (_ISSUER, "san-names-no-other"): _another_name,
    (_ISSUER, "certificate"): _unreadable,
    (_TYPE, "type-allowed"): _type_not_allowed,
}
REASONS = (
    "issuer-unknown",
    "issuer-withdrawn",
    "issuer-not-yet",
    "another-root",
    "root-unknown",
    "root-of-another-key",
    "root-along",
    "root-withdrawn",
    "root-not-yet",
    "root-expired",
    "authority-expired",
    "authority-not-yet",
    "authority-revoked",
    "leaf-expired",
    "leaf-not-yet",
    "leaf-revoked",
    "chain-broken",
    "another-purpose",
    "another-name",
    "certificate-unreadable",
    "type-not-allowed",
    "type-withdrawn",
)


@lru_cache(maxsize=1024)
def trust_source(
    last: bytes, issuer: str, roots: tuple[bytes, ...], terms: tuple[TrustedRoot, ...]
) -> Mapping[str, Any]:
    """On which root of an issuer a path rests that holds, as evidence. ``last`` is the last certificate below it."""
    found = next((root for root in reversed(roots) if _signed(last, root)), None)
    shown: dict[str, Any] = {"issuer": issuer, "root_sha256": found and x509.fingerprint(found).hex()}
    origin = next((term.origin for term in reversed(terms) if term.certificate == found), None)
    return shown if origin is None else {**shown, "origin": origin}


def _roots_of(issuer: TrustedIssuer) -> list[Found]:
    if issuer.root_terms:
        return [Found(issuer, term.certificate, term) for term in issuer.root_terms]
    return [Found(issuer, root, None) for root in issuer.roots]


def day(at: int) -> str:
    """A day in words."""
    return f"{dt.datetime.fromtimestamp(at, dt.UTC):%-d %B %Y}"


def short(der: bytes) -> str:
    """The beginning of a certificate's SHA-256, as people compare them."""
    return x509.fingerprint(der).hex()[:16]


@lru_cache(maxsize=4096)
def _signed(below: bytes, above: bytes) -> bool:
    authority = x509.read_certificate(above)
    certificate = x509.read_certificate(below)
    if certificate.issuer != authority.subject or below == above:
        return False
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _subject(der: bytes) -> str:
    return x509.read_certificate(der).subject.rfc4514_string()[:MOST_TEXT]


def _country(der: bytes) -> str | None:
    countries = x509.read_certificate(der).issuer.get_attributes_for_oid(NameOID.COUNTRY_NAME)
    return str(countries[0].value) if countries else None
