"""The paper code: a credential as text in a QR code, ``IDV1:`` and a CWT (RFC 8392), compressed, in base45.

It is for paper, so it is small: no certificate is in it, only the id of the signer's key, whose certificate the
verifier has with its trust (``TrustedIssuer.signers``); it says what one purpose needs; it is bound to no key. Whether
it still holds is told by the status list that it names. Ours; the form is in docs/paper-code.md.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import base45

from idverify.core.credential import Credential, Issuer
from idverify.core.trust import TrustedIssuer, TrustStore
from idverify.core.verdict import Check, CheckId, Result
from idverify.errors import DocumentError
from idverify.formats import cose, examination, strict_cbor, x509
from idverify.formats.base import (
    CredentialFormat,
    Entropy,
    HolderBindingExpected,
    Presented,
    ToBeSigned,
    status_reference,
)
from idverify.formats.examination import examine, type_allowed

NAME: Final = "idv1"
PREFIX: Final = b"IDV1:"
WHAT: Final = "A paper code"
MAX_CODE: Final = 4296  # the most alphanumeric characters that a QR code can hold (ISO/IEC 18004 table 7)
MAX_MESSAGE: Final = 8192
MAX_ITEMS: Final = 512
MAX_SKEW: Final = 60
DAY: Final = 86_400
KEY_ID_BYTES: Final = 8

KID: Final = 4  # IANA: COSE Header Parameters
_ISS, _EXP, _IAT, _STATUS, _VCT = 1, 4, 6, 65535, "vct"
_REGISTERED: Final[Mapping[int | str, str]] = {_ISS: "iss", _EXP: "exp", _IAT: "iat", _STATUS: "status", _VCT: "vct"}
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
_PICTURE: Final = "picture"
_IMAGE: Final = "data:image/webp;base64,"
_WEBP: Final = re.compile(rb"RIFF.{4}WEBP", re.DOTALL)
_PROFILE: Final = cose.MessageProfile(WHAT, cose.ES256)
_TAG: Final = b"\xd2"  # COSE_Sign1 (RFC 9052 section 2); its tag says what the bytes are, and no other stands around it
_DOCUMENTS: Final = frozenset({x509.Purpose.PAPER})
_WELL_FORMED: Final = Check(CheckId.FORMAT, Result.PASS, "The document is a well-formed paper code.")


class PaperCodeDetail(NamedTuple):
    """What ``check`` needs of a code that was read: the signed message, its claims by name, and its signer's id."""

    message: cose.Message
    claims: Mapping[str, Any]
    kid: bytes


# --- format: what read refuses ------------------------------------------------------------------------------------


def one_key_id(message: cose.Message) -> None:
    """The signer is named once, in what is signed: a second name could be exchanged."""
    kid = message.header.get(KID)
    if message.header.keys() != {cose.ALG, KID} or type(kid) is not bytes or len(kid) != KEY_ID_BYTES:
        raise DocumentError(
            "one-key-id", f"{WHAT} must have alg and a kid of {KEY_ID_BYTES} bytes in its header, and nothing else."
        )
    if message.unprotected:
        raise DocumentError("one-key-id", f"{WHAT} must have nothing in its unprotected header.")


def claims_inside(message: cose.Message) -> None:
    """RFC 8392 section 7.2: the payload is a map of claims."""
    if type(message.payload) is not bytes:
        raise DocumentError("claims-inside", f"{WHAT} must have its claims in it.")


MESSAGE_RULES: Final[tuple[Callable[[cose.Message], None], ...]] = (one_key_id, claims_inside)


def claim_names(claims: Mapping[Any, Any]) -> None:
    """What has a number by RFC 8392 goes by that number, or one claim could be there twice."""
    spelled = set(_REGISTERED.values()) - {_VCT} | {"nbf", "cnf", "aud", "sub", "jti"}
    for name in claims:
        if type(name) is int and name not in _REGISTERED:
            raise DocumentError("claim-names", f"{WHAT} has the claim {name}, which has no place in one.")
        if name in spelled:
            raise DocumentError("claim-names", f"{WHAT} must name the claim {name} by its number.")


def metadata_given(claims: Mapping[Any, Any]) -> None:
    """Issuer, type and dates: whole numbers of seconds, texts that say something."""
    for name in (_ISS, _VCT):
        if type(claims.get(name)) is not str or not claims[name]:
            raise DocumentError("metadata-given", f"{WHAT} must have {_REGISTERED[name]} as a text.")
    for name in (_IAT, _EXP):
        if type(claims.get(name)) is not int or claims[name] < 0:
            raise DocumentError("metadata-given", f"{WHAT} must have {_REGISTERED[name]} as whole seconds.")


def claim_values(claims: Mapping[Any, Any]) -> None:
    """What JSON has, and so the type's SD-JWT VC: no dates, no embedded items, no bytes but those of the picture."""
    values = [value for name, value in claims.items() if name != _PICTURE]
    while values:
        value = values.pop()
        if type(value) is dict and all(type(name) is str for name in value):
            values += value.values()
        elif type(value) is list:
            values += value
        elif type(value) not in _PLAIN:
            raise DocumentError("claim-values", f"The claims of {WHAT.lower()} must be what JSON has.")


def picture_is_one(claims: Mapping[Any, Any]) -> None:
    """A portrait is a WebP and nothing else: whoever shows it need not guess."""
    if _PICTURE in claims and not (type(claims[_PICTURE]) is bytes and _WEBP.match(claims[_PICTURE])):
        raise DocumentError("picture-is-one", f"The picture in {WHAT.lower()} must be a WebP image.")


CLAIM_RULES: Final[tuple[Callable[[Mapping[Any, Any]], None], ...]] = (
    claim_names,
    metadata_given,
    claim_values,
    picture_is_one,
)


# --- the checks ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Examination(examination.Examination):
    """One code before one verifier."""

    asked = False
    answers = False

    @property
    def detail(self) -> PaperCodeDetail:
        """The code's parts."""
        detail = self.presented.detail
        assert isinstance(detail, PaperCodeDetail)
        return detail

    @property
    def signer(self) -> bytes:
        """The certificate of whom the code names by the id of its key alone. Raises ``DocumentError``."""
        if not self.presented.signing_chain:
            kid = self.detail.kid.hex()
            raise DocumentError("signer-known", f"No signer {kid} of {self.presented.iss[:200]} is known here.")
        return self.presented.signing_chain[0]


def issuer_signature(seen: Examination) -> None:
    """RFC 9052 section 4.4, over the bytes as received."""
    message = seen.detail.message
    cose.verify_signature(message, message.payload or b"", x509.signing_key(seen.signer), "the code")


def issuer_certified(seen: Examination) -> None:
    """The signer is certified for paper under a root that we chose for the issuer."""
    issuer = seen.issuer
    expected = x509.SignerExpected(issuer.iss, issuer.roots, _DOCUMENTS, seen.trust.revoked_serials, seen.at)
    x509.verify_signer((seen.signer,), expected)


def signed_in_period(seen: Examination) -> None:
    """The key signed while it might; ``iat`` is the day, in the middle of which its use may have begun."""
    day = seen.detail.claims["iat"]
    x509.require_signed_in_period(seen.signer, max(day, min(x509.signs_from(seen.signer), day + DAY - 1)))


def not_expired(seen: Examination) -> None:
    """RFC 8392 section 3.1.4; required by us."""
    if seen.detail.claims["exp"] + MAX_SKEW <= seen.at:
        raise DocumentError("not-expired", "The document has expired.")


def issued_in_past(seen: Examination) -> None:
    """RFC 8392 section 3.1.6: nothing was issued tomorrow."""
    if seen.detail.claims["iat"] - MAX_SKEW > seen.at:
        raise DocumentError("issued-in-past", "The document says it was issued in the future; check the clocks.")


RULES: Final[Mapping[CheckId, tuple[Callable[[Examination], None], ...]]] = {
    CheckId.SIGNATURE: (issuer_signature,),
    CheckId.ISSUER_TRUSTED: (issuer_certified, signed_in_period),
    CheckId.TYPE_ALLOWED: (type_allowed,),
    CheckId.VALIDITY: (not_expired, issued_in_past),
}


class PaperCode(CredentialFormat):
    """The credential format ``idv1``."""

    name = NAME
    on_paper = True

    def prepare(self, credential: Credential, issuer: Issuer, _entropy: Entropy) -> ToBeSigned:
        """The Sig_structure; ``remainder`` holds header and payload. Raises ``ValueError`` on claims not to issue."""
        if taken := set(_REGISTERED.values()) & credential.claims.keys():
            raise ValueError(f"Claims must not be named {', '.join(sorted(taken))}: the format fills those in itself.")
        status = {"idx": credential.status.index, "uri": credential.status.uri}
        payload = strict_cbor.encode(
            {
                _ISS: issuer.iss,
                _EXP: credential.expires_at,
                _IAT: credential.issued_at,
                _STATUS: {"status_list": status},
                _VCT: credential.type,
                **_packed(credential.claims),
            }
        )
        protected = strict_cbor.encode({cose.ALG: cose.ES256, KID: issuer.key_id})
        return ToBeSigned(cose.sign1_input(protected, payload), (protected, payload))

    def seal(self, unsigned: ToBeSigned, signature: bytes) -> bytes:
        """The text of the code, from the raw ``r||s`` signature."""
        protected, payload = unsigned.remainder
        message = _TAG + cose.sign1(protected, {}, payload, signature)
        text: bytes = base45.b45encode(zlib.compress(message, 9))
        return PREFIX + text

    def read(self, document: bytes) -> Presented:
        """Decode and inflate, with caps; trusts nothing, and knows no signer yet. Raises ``DocumentError``."""
        message = cose.read_message(_message(document), _PROFILE)
        for rule in MESSAGE_RULES:
            rule(message)
        claims = strict_cbor.decode(message.payload or b"", WHAT, items=MAX_ITEMS)
        if type(claims) is not dict:
            raise DocumentError("claims-inside", f"The claims of {WHAT.lower()} must be a map.")
        for claim_rule in CLAIM_RULES:
            claim_rule(claims)
        named = {_REGISTERED.get(name, name): value for name, value in _unpacked(claims).items()}
        return Presented(
            format=self.name,
            type=named["vct"],
            iss=named["iss"],
            claims={name: value for name, value in named.items() if name not in _REGISTERED.values()},
            issuer_signed=cose.sign1_input(message.protected, message.payload or b""),
            signing_chain=(),
            status=status_reference(named),
            holder_key=None,
            detail=PaperCodeDetail(message, named, message.header[KID]),
        )

    def signed_by(self, presented: Presented, trust: TrustStore) -> Presented:
        """The code with the certificate of its signer, of those of its issuer that have this id.

        Ids of 8 bytes may collide: then it is the one whose key made the signature.
        """
        issuer, detail = trust.issuer(presented.iss), presented.detail
        signers = () if issuer is None else issuer.signers
        possible = [der for der in signers if x509.key_id(der) == detail.kid]
        fits = next((der for der in possible if _signed(detail.message, der)), None)
        chosen = fits or next(iter(possible), None)
        return presented if chosen is None else presented._replace(signing_chain=(chosen,))

    def issuer(self, presented: Presented, trust: TrustStore) -> TrustedIssuer | None:
        """The trusted issuer that ``iss`` names."""
        return trust.issuer(presented.iss)

    def check(
        self, presented: Presented, trust: TrustStore, at: int, expected: HolderBindingExpected | None
    ) -> Iterator[Check]:
        """FORMAT to VALIDITY in order; nobody can prove to hold a code, so there is nothing to bind a request to."""
        seen = Examination(presented, trust, at)
        yield from examine(seen, RULES, _WELL_FORMED)
        yield from examination.bound_to_no_key(asked=expected is not None)


def _message(document: bytes) -> bytes:
    """The COSE_Sign1 in a code's text."""
    if len(document) > MAX_CODE:
        raise DocumentError("size", f"{WHAT} may be {MAX_CODE} characters long; got {len(document)}.")
    try:
        compressed = base45.b45decode(document.removeprefix(PREFIX))
    except ValueError:
        raise DocumentError("base45", f"{WHAT} must be {PREFIX.decode()} and base45 (RFC 9285).") from None
    if PREFIX + base45.b45encode(compressed) != document:
        raise DocumentError("base45", f"{WHAT} must be spelled in one way only.")
    inflater = zlib.decompressobj()
    try:
        message = inflater.decompress(compressed, MAX_MESSAGE + 1)
    except zlib.error:
        raise DocumentError("compressed", f"{WHAT} must be compressed (RFC 1950).") from None
    if len(message) > MAX_MESSAGE:
        raise DocumentError("size", f"What is in {WHAT.lower()} may have {MAX_MESSAGE} bytes; it has more.")
    if not inflater.eof or inflater.unused_data:
        raise DocumentError("compressed", f"{WHAT} must end where its compressed content does.")
    if not message.startswith(_TAG):
        raise DocumentError("cose", f"{WHAT} must be a COSE_Sign1 with its tag, 18, and no other.")
    return message


def _signed(message: cose.Message, der: bytes) -> bool:
    try:
        cose.verify_signature(message, message.payload or b"", x509.signing_key(der), "the code")
    except DocumentError:
        return False
    return True


def _packed(claims: Mapping[str, Any]) -> dict[str, Any]:
    """A portrait goes as its bytes; everything else is as it is in JSON."""
    if _PICTURE not in claims:
        return dict(claims)
    return {**claims, _PICTURE: base64.b64decode(claims[_PICTURE].removeprefix(_IMAGE))}


def _unpacked(claims: Mapping[Any, Any]) -> dict[Any, Any]:
    if _PICTURE not in claims:
        return dict(claims)
    return {**claims, _PICTURE: _IMAGE + base64.b64encode(claims[_PICTURE]).decode("ascii")}
