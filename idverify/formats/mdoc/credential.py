"""The credential format ``mso_mdoc``: an IssuerSigned as the issuer gives it, or a DeviceResponse as a wallet shows it.

OpenID4VCI and OpenID4VP carry both in base64url; here either spelling is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from idverify.core.credential import Credential, Issuer
from idverify.core.trust import TrustedIssuer, TrustStore
from idverify.core.verdict import Check, CheckId, Result
from idverify.errors import DocumentError
from idverify.formats import cose, jose, strict_cbor, x509
from idverify.formats.base import CredentialFormat, Entropy, HolderBindingExpected, Presented, ToBeSigned
from idverify.formats.examination import examine
from idverify.formats.mdoc import device_response, issuer_signed, mobile_security_object, rules
from idverify.formats.mdoc.rules import Examination, MdocDetail, trusted_issuer
from idverify.formats.mdoc.session_transcript import Session, of_request

NAME: Final = "mso_mdoc"
MAX_DOCUMENT: Final = 64 * 1024
MAX_ITEMS: Final = 2048  # of CBOR, elements counted as one: some hundred elements
_WELL_FORMED: Final = Check(CheckId.FORMAT, Result.PASS, "The document is a well-formed mdoc.")
_PROTECTED: Final = strict_cbor.encode({cose.ALG: cose.ES256})


class Mdoc(CredentialFormat):
    """The credential format ``mso_mdoc``."""

    name = NAME

    def prepare(self, credential: Credential, issuer: Issuer, entropy: Entropy) -> ToBeSigned:
        """The Sig_structure; ``remainder`` holds certificate, payload and elements.

        Raises ``ValueError`` on what we must not issue: nothing to say, a signer that is not directly under its root,
        or one whose certificate ends before the document does.
        """
        if len(issuer.chain) != 1:
            raise ValueError("An mdoc's signer must be certified by the root itself (ISO/IEC 18013-5 annex B.1).")
        if x509.not_after(issuer.chain[0]) < credential.expires_at:
            raise ValueError("The signer's certificate ends before the document would; renew it first.")
        salted = issuer_signed.salt(credential.claims, entropy)
        payload = mobile_security_object.encode(credential, salted.digests, x509.not_before(issuer.chain[0]))
        return ToBeSigned(cose.sign1_input(_PROTECTED, payload), (issuer.chain[0], payload, salted.name_spaces))

    def seal(self, unsigned: ToBeSigned, signature: bytes) -> bytes:
        """The IssuerSigned with all its elements, from the raw ``r||s`` signature."""
        certificate, payload, name_spaces = unsigned.remainder
        return issuer_signed.join(name_spaces, cose.sign1(_PROTECTED, {cose.X5CHAIN: certificate}, payload, signature))

    def read(self, document: bytes) -> Presented:
        """Decode and assemble; trusts nothing. ``claims`` are what the issuer signed, of every namespace.

        Raises ``DocumentError`` with the broken rule: of ``strict_cbor``, ``cose``, or of this package's ``..._RULES``.
        """
        value = strict_cbor.decode(_bytes(document), "An mdoc", items=MAX_ITEMS)
        shown = None if type(value) is dict and "issuerAuth" in value else device_response.parse(_map(value))
        signed = issuer_signed.parse(value) if shown is None else shown.issuer_signed
        mso, chain = mobile_security_object.read(signed.auth.payload), cose.x5chain(signed.auth, "issuerAuth")
        named = x509.subject_uris(chain[0])
        detail = MdocDetail(signed, mso, shown)
        return Presented(
            format=self.name,
            type=mso.doc_type,
            iss=named[0] if named else x509.issuer_name(chain[-1]),
            claims=signed.claims(),
            issuer_signed=signed.signed(),
            signing_chain=chain,
            status=mso.status,
            holder_key=mso.device_key,
            detail=detail,
        )

    def issuer(self, presented: Presented, trust: TrustStore) -> TrustedIssuer | None:
        """The trusted issuer whose root the signer says certified it."""
        return trusted_issuer(presented.signing_chain, trust)

    def check(
        self, presented: Presented, trust: TrustStore, at: int, expected: HolderBindingExpected | None
    ) -> Iterator[Check]:
        """FORMAT to AUDIENCE in order; the session is that of our request."""
        session = None if expected is None else Session(of_request(expected))
        return self.check_in_session(presented, trust, at, session)

    def check_in_session(
        self, presented: Presented, trust: TrustStore, at: int, session: Session | None
    ) -> Iterator[Check]:
        """``check``, for whoever spoke with the device itself."""
        detail = presented.detail
        assert isinstance(detail, MdocDetail)
        seen = Examination(presented, trust, at, session, detail)
        return examine(seen, rules.RULES, _WELL_FORMED)


def _bytes(document: bytes) -> bytes:
    if len(document) > MAX_DOCUMENT:
        raise DocumentError("size", f"An mdoc may be {MAX_DOCUMENT} bytes long; got {len(document)}.")
    is_cbor = document[:1] >= b"\x80"  # base64url is ASCII, and both structures are maps
    return document if is_cbor else jose.b64url_decode(document, "An mdoc")


def _map(value: object) -> dict[str, object]:
    if type(value) is not dict:
        raise DocumentError("mdoc", "An mdoc must be an IssuerSigned or a DeviceResponse.")
    return value
