"""What each check looks at in an mdoc (ISO/IEC 18013-5, 9.1 and 9.3.1), rule by rule.

Most of the document's own form is held against the rules of ``issuer_signed``, ``mobile_security_object`` and
``device_response`` when it is read. Here it is held against what the verifier trusts, the time, and the session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from idverify.core.trust import TrustedIssuer, TrustStore
from idverify.core.verdict import CheckId
from idverify.errors import DocumentError
from idverify.formats import cose, examination, x509
from idverify.formats.examination import type_allowed
from idverify.formats.mdoc import device_auth
from idverify.formats.mdoc.device_response import Document
from idverify.formats.mdoc.issuer_signed import IssuerSigned
from idverify.formats.mdoc.mobile_security_object import DIGESTS, MobileSecurityObject
from idverify.formats.mdoc.session_transcript import Session

MAX_SKEW: Final = 60
PURPOSES: Final = frozenset({x509.Purpose.DOCUMENT})
MDL_NAME_SPACE: Final = "org.iso.18013.5.1"


@dataclass(frozen=True, slots=True)
class MdocDetail:
    """The parts of a read document; ``shown`` is what a wallet made of it, if one presented it."""

    issuer_signed: IssuerSigned
    mso: MobileSecurityObject
    shown: Document | None


@dataclass(frozen=True)
class Examination(examination.Examination):
    """One document before one verifier; ``session`` is the one in which the verifier asked, if it did."""

    session: Session | None
    detail: MdocDetail

    @property
    def asked(self) -> bool:
        """Whether there is a session to hold the device's proof against."""
        return self.session is not None

    @property
    def answers(self) -> bool:
        """Whether a device authenticated it."""
        return self.detail.shown is not None

    @cached_property
    def _issuer(self) -> TrustedIssuer | None:
        return trusted_issuer(self.presented.signing_chain, self.trust)

    @property
    def issuer(self) -> TrustedIssuer:
        """Whose root the signer says certified it. Raises ``DocumentError`` (``issuer-known``)."""
        chain, issuer = self.presented.signing_chain, self._issuer
        if issuer is None:
            named = x509.issuer_name(chain[-1])[:200]
            raise DocumentError("issuer-known", f"The signer is certified by {named}, which is not relied on here.")
        return issuer

    @cached_property
    def signer(self) -> x509.VerifiedLeaf:
        """The signer, once its path to the issuer's root holds. Raises ``DocumentError``."""
        return x509.verify_chain(self.presented.signing_chain, self.issuer.roots, self.at, purposes=PURPOSES)


def trusted_issuer(chain: tuple[bytes, ...], trust: TrustStore) -> TrustedIssuer | None:
    """The issuer that the signer names, or else the first, of those whose roots are named as certifying ``chain``."""
    possible = [
        issuer for issuer in trust.issuers.values() for root in issuer.roots if x509.names_as_issuer(chain[-1], root)
    ]
    uris = x509.subject_uris(chain[0])
    return next((issuer for issuer in possible if issuer.iss in uris), possible[0] if possible else None)


# --- signature ----------------------------------------------------------------------------------------------------


def issuer_signature(seen: Examination) -> None:
    """9.3.1 step 2: over the mobile security object as received."""
    presented = seen.presented
    key = x509.signing_key(presented.signing_chain[0])
    cose.verify_signed(presented.issuer_signed, seen.detail.issuer_signed.auth.tag, key, "the document")


def elements_listed(seen: Examination) -> None:
    """9.3.1 step 3: what the issuer made no digest of, the issuer did not say."""
    digests, nothing = seen.detail.mso.digests, dict[int, bytes]()
    for item in seen.detail.issuer_signed.items:
        if item.digest_id not in digests.get(item.name_space, nothing):
            named = f"{item.element[:80]} in {item.name_space[:80]}"
            raise DocumentError("elements-listed", f"The issuer signed no digest of the element {named}.")


def digests_match(seen: Examination) -> None:
    """9.3.1 step 3: over the bytes as received. A digest belongs to one element, so its number cannot serve for two."""
    mso, nothing = seen.detail.mso, dict[int, bytes]()
    digests, hash_function = mso.digests, DIGESTS[mso.digest_algorithm]
    for item in seen.detail.issuer_signed.items:
        signed = digests.get(item.name_space, nothing).get(item.digest_id)
        if signed is not None and hash_function(item.encoded).digest() != signed:
            raise DocumentError("digests-match", f"The element {item.element[:80]} is not the one that was signed.")


def doc_type_matches(seen: Examination) -> None:
    """9.3.1 step 4: what is presented as one type was signed as that type."""
    shown, signed = seen.detail.shown, seen.detail.mso.doc_type
    if shown is not None and shown.doc_type != signed:
        told = f"It is presented as {shown.doc_type[:80]}, and was signed as {signed[:80]}."
        raise DocumentError("doc-type-matches", told)


# --- issuer -------------------------------------------------------------------------------------------------------


def san_names_no_other(leaf: x509.VerifiedLeaf, iss: str, _revoked: frozenset[tuple[str, int]]) -> None:
    """A signer whose certificate says for whom it signs, as ours do, signs for nobody else under the same root.

    An issuer without ``iss`` is known by its roots alone.
    """
    if iss and leaf.san_uris and iss not in leaf.san_uris:
        raise DocumentError("san-names-no-other", f"The signing certificate must name {iss[:200]}; it names another.")


def region_agrees(leaf: x509.VerifiedLeaf, _iss: str, _revoked: frozenset[tuple[str, int]]) -> None:
    """9.3.3 and B.1.4: the signer is of the country of its root, and of the state where the root names one."""
    state = leaf.root_region.state
    if leaf.region.country != leaf.root_region.country or (state is not None and leaf.region.state != state):
        raise DocumentError("region-agrees", "The signing certificate is of another country or state than its root.")


SIGNER_RULES: tuple[Callable[[x509.VerifiedLeaf, str, frozenset[tuple[str, int]]], None], ...] = (
    san_names_no_other,
    x509.path_not_revoked,
    region_agrees,
)


def issuer_certified(seen: Examination) -> None:
    """9.3.1 step 1: a document signer, under a root that we chose for its issuer."""
    for rule in SIGNER_RULES:
        rule(seen.signer, seen.issuer.iss, seen.trust.revoked_serials)


def country_agrees(seen: Examination) -> None:
    """7.2.1: ``issuing_country`` and ``issuing_jurisdiction`` of a driving licence are those of the signer."""
    elements, region = seen.presented.claims.get(MDL_NAME_SPACE, {}), seen.signer.region
    country, jurisdiction = elements.get("issuing_country"), elements.get("issuing_jurisdiction")
    if country not in {None, region.country} or (region.state and jurisdiction not in {None, region.state}):
        raise DocumentError("country-agrees", "The document says it was issued elsewhere than where its signer is.")


# --- validity -----------------------------------------------------------------------------------------------------


def not_expired(seen: Examination) -> None:
    """9.3.1 step 5: ``validUntil``."""
    if seen.detail.mso.valid_until + MAX_SKEW <= seen.at:
        raise DocumentError("not-expired", "The document has expired.")


def not_before(seen: Examination) -> None:
    """9.3.1 step 5: ``validFrom``. What was signed tomorrow is not valid yet, either: ``validity_in_order``."""
    if seen.detail.mso.valid_from - MAX_SKEW > seen.at:
        raise DocumentError("not-before", "The document is not valid yet.")


def signed_in_certificate(seen: Examination) -> None:
    """9.3.1 step 5: it was signed while its signer's certificate held."""
    if not seen.signer.not_before <= seen.detail.mso.signed <= seen.signer.not_after:
        raise DocumentError("signed-in-certificate", "The document was signed when its signer was not certified.")


# --- holder -------------------------------------------------------------------------------------------------------


def device_auth_given(seen: Examination) -> None:
    """The verifier's policy demands it, not the document."""
    if seen.asked and not seen.answers:
        raise DocumentError("device-auth-given", "The wallet must prove that it holds the document's key; it did not.")


def device_payload_left_out(seen: Examination) -> None:
    """9.1.3.4: the payload is detached; a reader that took what stands there would believe the wallet's session."""
    shown = seen.detail.shown
    if shown is not None and shown.device_signed.auth.payload is not None:
        raise DocumentError("device-payload-left-out", "What the device signed must not stand in the document.")


def device_authenticated(seen: Examination) -> None:
    """9.1.3: over the session, so that what was made for another verifier or request does not hold either."""
    shown = seen.detail.shown
    if shown is not None and seen.session is not None:
        device_auth.verify(shown.device_signed, shown.doc_type, seen.detail.mso.device_key, seen.session)


def device_may_say(seen: Examination) -> None:
    """9.1.2.4: a device signs elements of its own only where the issuer allowed it."""
    shown = seen.detail.shown
    for space, elements in shown.device_signed.elements.items() if shown is not None else ():
        for element in elements:
            if not seen.detail.mso.authorised.cover(space, str(element)):
                named = f"{str(element)[:80]} in {str(space)[:80]}"
                raise DocumentError("device-may-say", f"The issuer did not allow the device to sign {named} itself.")


Rule = Callable[[Examination], None]
RULES: Mapping[CheckId, tuple[Rule, ...]] = {
    CheckId.SIGNATURE: (issuer_signature, elements_listed, digests_match, doc_type_matches),
    CheckId.ISSUER_TRUSTED: (issuer_certified, country_agrees),
    CheckId.TYPE_ALLOWED: (type_allowed,),
    CheckId.VALIDITY: (not_expired, not_before, signed_in_certificate),
    CheckId.HOLDER_BINDING: (
        device_auth_given,
        device_payload_left_out,
        device_authenticated,
        device_may_say,
    ),
    CheckId.AUDIENCE: (),  # the session that the device signed is that of this verifier and request, or none
}
