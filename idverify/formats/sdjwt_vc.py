"""SD-JWT VC: a credential as an SD-JWT. What its draft may still move stands in ``sdjwt_vc_draft``.

``RULES`` lists, per check, the small functions that make it fail: each raises a ``DocumentError`` that bears its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from idverify.core.credential import Credential, Issuer, Place
from idverify.core.trust import TrustedIssuer, TrustStore
from idverify.core.verdict import Check, CheckId, Result
from idverify.errors import DocumentError
from idverify.formats import examination, jose, key_binding, sdjwt, sdjwt_vc_draft, x509
from idverify.formats.base import (
    CredentialFormat,
    Entropy,
    HolderBindingExpected,
    Presented,
    ToBeSigned,
    status_reference,
)
from idverify.formats.examination import examine, type_allowed
from idverify.formats.key_binding import KeyBinding
from idverify.formats.sdjwt_conceal import conceal
from idverify.formats.sdjwt_vc_draft import METADATA, NAME, PROFILE, WHAT
from idverify.formats.strict_json import encode_json, parse_object

MAX_SKEW = 60
_DOCUMENTS = frozenset({x509.Purpose.DOCUMENT})
_WELL_FORMED = Check(CheckId.FORMAT, Result.PASS, "The document is a well-formed SD-JWT VC.")


class SdJwtVcDetail(NamedTuple):
    """What ``check`` needs of a read document: its parts, and the processed payload with the metadata."""

    sd_jwt: sdjwt.SdJwt
    token: jose.Jws
    payload: Mapping[str, Any]


# --- format: what read refuses ------------------------------------------------------------------------------------


def one_holder_key(payload: Mapping[str, Any], _places: Mapping[str, Place]) -> None:
    """RFC 7800 section 3.1: at most one confirmation key, and only one that stands there itself (section 3.2)."""
    confirmed = payload.get("cnf")
    if type(confirmed) is dict and any(name in confirmed for name in ("jwe", "jku")):
        raise DocumentError("one-holder-key", "cnf must hold one key, as jwk; a key elsewhere or hidden is refused.")


def _holder_key(payload: Mapping[str, Any]) -> dict[str, str] | None:
    """RFC 7800 section 3.2, when the credential is bound to a key."""
    if "cnf" not in payload:
        return None
    jwk = payload["cnf"].get("jwk") if type(payload["cnf"]) is dict else None
    return jose.holder_jwk(jwk)


FORMAT_RULES: tuple[Callable[[Mapping[str, Any], Mapping[str, Place]], None], ...] = (one_holder_key,)


# --- the checks ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Examination(examination.Examination):
    """One document before one verifier."""

    expected: HolderBindingExpected | None

    @property
    def detail(self) -> SdJwtVcDetail:
        """The document's parts."""
        detail = self.presented.detail
        assert isinstance(detail, SdJwtVcDetail)
        return detail

    @property
    def asked(self) -> bool:
        """Whether the verifier asked for a key binding."""
        return self.expected is not None

    @property
    def answers(self) -> bool:
        """Whether there is a key binding."""
        return self.detail.sd_jwt.key_binding is not None

    @property
    def key_binding(self) -> KeyBinding | None:
        """The key binding as read, once, if there is one. Raises ``DocumentError``."""
        kept = self.__dict__  # functools.cached_property takes a lock, which costs as much as reading
        if "_binding" not in kept:
            kept["_binding"] = self._read_binding()
        return kept["_binding"]  # type: ignore[no-any-return]

    def _read_binding(self) -> KeyBinding | None:
        sd_jwt, jwk = self.detail.sd_jwt, self.presented.holder_key
        if sd_jwt.key_binding is None:
            return None
        if jwk is None:
            raise DocumentError("holder-key", "The document is bound to no key, so nobody can prove to hold it.")
        return key_binding.read(sd_jwt.key_binding, sd_jwt.presented, jose.public_key(jwk), self.at)


def issuer_signature(seen: Examination) -> None:
    """RFC 9901 section 7.1 step 2.2."""
    jose.verify_signature(seen.detail.token, x509.signing_key(seen.presented.signing_chain[0]), "the document")


def issuer_certified(seen: Examination) -> None:
    """RFC 9901 section 7.1 step 2.3: the key belongs to the issuer, under a root that we chose for it."""
    issuer = seen.issuer
    signer = x509.SignerExpected(issuer.iss, issuer.roots, _DOCUMENTS, seen.trust.revoked_serials, seen.at)
    x509.verify_signer(seen.presented.signing_chain, signer)


def not_expired(seen: Examination) -> None:
    """RFC 7519 section 4.1.4; required by us (RFC 9901 section 9.7)."""
    if jose.numeric_date(seen.detail.payload, "exp", WHAT) + MAX_SKEW <= seen.at:
        raise DocumentError("not-expired", "The document has expired.")


def not_before(seen: Examination) -> None:
    """RFC 7519 section 4.1.5."""
    payload = seen.detail.payload
    if "nbf" in payload and jose.numeric_date(payload, "nbf", WHAT) - MAX_SKEW > seen.at:
        raise DocumentError("not-before", "The document is not valid yet.")


def issued_in_past(seen: Examination) -> None:
    """RFC 7519 section 4.1.6: nothing was issued tomorrow."""
    payload = seen.detail.payload
    if "iat" in payload and jose.numeric_date(payload, "iat", WHAT) - MAX_SKEW > seen.at:
        raise DocumentError("issued-in-past", "The document says it was issued in the future; check the clocks.")


def binding_given(seen: Examination) -> None:
    """RFC 9901 section 7.3 steps 1 and 2: the verifier's policy demands it, not the document."""
    if seen.asked and not seen.answers:
        raise DocumentError("binding-given", "The wallet must prove that it holds the document's key; it did not.")


def binding_holds(seen: Examination) -> None:
    """RFC 9901 section 7.3 step 5, but for the request. Whatever is there must hold, even when nobody asked."""
    binding = seen.key_binding
    if binding is None:
        return
    for rule in key_binding.BINDING_RULES:
        rule(binding)
    for rule in key_binding.REPLAY_RULES if seen.expected else ():
        rule(binding)


def audience_allows(seen: Examination) -> None:
    """RFC 9901 section 7.1 step 6 and RFC 7519 section 4.1.3: a document made for some verifiers is for no other."""
    payload = seen.detail.payload
    if "aud" not in payload:
        return
    named = payload["aud"] if type(payload["aud"]) is list else [payload["aud"]]
    if seen.expected is None or seen.expected.audience not in named:
        raise DocumentError("audience-allows", "The document was issued for certain verifiers; this is none of them.")


def made_for_us(seen: Examination) -> None:
    """RFC 9901 section 7.3 step 5.6."""
    binding = seen.key_binding
    if binding is None or seen.expected is None:
        return
    for rule in key_binding.AUDIENCE_RULES:
        rule(binding, seen.expected)


Rule = Callable[[Examination], None]
RULES: Mapping[CheckId, tuple[Rule, ...]] = {
    CheckId.SIGNATURE: (issuer_signature,),
    CheckId.ISSUER_TRUSTED: (issuer_certified,),
    CheckId.TYPE_ALLOWED: (type_allowed,),
    CheckId.VALIDITY: (not_expired, not_before, issued_in_past),
    CheckId.HOLDER_BINDING: (binding_given, binding_holds),
    CheckId.AUDIENCE: (audience_allows, made_for_us),
}


class SdJwtVc(CredentialFormat):
    """The credential format ``dc+sd-jwt``."""

    name = NAME

    def prepare(self, credential: Credential, issuer: Issuer, entropy: Entropy) -> ToBeSigned:
        """The signing input; ``remainder`` holds the disclosures. Raises ``ValueError`` on claims we must not issue."""
        if taken := METADATA & credential.claims.keys():
            raise ValueError(f"Claims must not be named {', '.join(sorted(taken))}: the format fills those in itself.")
        concealed = conceal(credential.claims, sorted(credential.disclosable), entropy, credential.decoys)
        payload = {
            "iss": issuer.iss,
            "iat": credential.issued_at,
            "exp": credential.expires_at,
            "vct": credential.type,
            **({} if credential.holder_key is None else {"cnf": {"jwk": dict(credential.holder_key)}}),
            "status": {"status_list": {"idx": credential.status.index, "uri": credential.status.uri}},
            **concealed.payload,
        }
        signed = jose.signing_input(sdjwt_vc_draft.header(issuer), encode_json(payload))
        return ToBeSigned(signed, concealed.disclosures)

    def seal(self, unsigned: ToBeSigned, signature: bytes) -> bytes:
        """The SD-JWT with all its disclosures, from the raw ``r||s`` signature."""
        return b"~".join([jose.jws(unsigned.payload, signature), *unsigned.remainder, b""])

    def read(self, document: bytes) -> Presented:
        """Split, decode and assemble; trusts nothing. ``claims`` are those about the person, without metadata.

        Raises ``DocumentError`` with the broken rule: of ``jose``, of RFC 9901 section 7.1, or of ``FORMAT_RULES``.
        """
        sd_jwt = sdjwt.read(document)
        token = jose.read_jws(sd_jwt.issuer_signed, PROFILE)
        disclosed = sdjwt.disclose(parse_object(token.payload, WHAT, sdjwt.MAX_CONTAINERS), sd_jwt.disclosures)
        payload = disclosed.claims
        for rule in (*sdjwt_vc_draft.FORMAT_RULES, *FORMAT_RULES):
            rule(payload, disclosed.places)
        return Presented(
            format=self.name,
            type=payload["vct"],
            iss=payload["iss"],
            claims={name: value for name, value in payload.items() if name not in METADATA},
            issuer_signed=sd_jwt.issuer_signed,
            signing_chain=jose.x5c(token.header),
            status=status_reference(payload),
            holder_key=_holder_key(payload),
            detail=SdJwtVcDetail(sd_jwt, token, payload),
        )

    def issuer(self, presented: Presented, trust: TrustStore) -> TrustedIssuer | None:
        """The trusted issuer that ``iss`` names."""
        return trust.issuer(presented.iss)

    def check(
        self, presented: Presented, trust: TrustStore, at: int, expected: HolderBindingExpected | None
    ) -> Iterator[Check]:
        """FORMAT to AUDIENCE in order; status, freshness and receipt are for who can fetch them."""
        return examine(Examination(presented, trust, at, expected), RULES, _WELL_FORMED)
