"""The signed trust bundle: everything an offline verifier needs, as one JWS.

Issuers with their roots and types, revocation lists, the ledger's key, and a snapshot of the status lists. The
signer's certificate chains to a root that the reader pinned beforehand: a bundle cannot vouch for itself.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idverify.core.credential import Issuer
from idverify.core.trust import TrustedIssuer, TrustStore
from idverify.errors import DocumentError
from idverify.formats import jose, x509
from idverify.formats.base import ToBeSigned
from idverify.formats.issuer_document import issuer_json, read_issuer
from idverify.formats.strict_json import encode_json, parse_object

WHAT = "A trust bundle"
PROFILE = jose.TokenProfile(WHAT, "idverify-trust-bundle+jwt", "x5c")
MAX_BUNDLE = 8 * 1024 * 1024
PURPOSES = frozenset({x509.Purpose.TRUST_LIST})


@dataclass(frozen=True, slots=True)
class TrustBundle:
    """What a bundle says. ``crls`` are (issuer certificate, CRL) in DER; ``status_lists`` are tokens by URI.

    ``log_policies`` are the texts of c2sp.org/tlog-policy, one for each log that ever was, the newest last: its keys,
    and who must have witnessed what it says. Receipts outlive their log.
    """

    iss: str
    issued_at: int
    trust: tuple[TrustedIssuer, ...]
    crls: tuple[tuple[bytes, bytes], ...]
    log_policies: tuple[str, ...]
    status_lists: Mapping[str, bytes]

    def trust_store(self) -> TrustStore:
        """The issuers, and the certificates that the bundle's CRLs revoke."""
        return x509.trust_store({issuer.key: issuer for issuer in self.trust}, self.crls)


def prepare(bundle: TrustBundle, issuer: Issuer) -> ToBeSigned:
    """The bytes that the trust list key signs."""
    body = {
        "iss": bundle.iss,
        "iat": bundle.issued_at,
        "issuers": [_issuer_json(issuer) for issuer in bundle.trust],
        "crls": [[_text(certificate), _text(crl)] for certificate, crl in bundle.crls],
        "log_policies": list(bundle.log_policies),
        "status_lists": {uri: _token_text(token) for uri, token in bundle.status_lists.items()},
    }
    header = {"alg": "ES256", "typ": PROFILE.typ, "x5c": jose.x5c_header(issuer.chain)}
    return ToBeSigned(jose.signing_input(header, encode_json(body)))


def seal(unsigned: ToBeSigned, signature: bytes) -> bytes:
    """The finished bundle."""
    return jose.jws(unsigned.payload, signature)


def open_bundle(encoded: bytes, root_sha256: bytes, at: int) -> TrustBundle:
    """The content of a bundle that was signed under the pinned root (SHA-256 of its DER certificate).

    Raises ``DocumentError``: ``bundle-root`` when the bundle carries no such root, ``bundle-crl`` when it lacks that
    root's revocation list, ``signature``, or what else breaks.
    """
    token = jose.read_jws(encoded, PROFILE, MAX_BUNDLE)
    bundle = _parse(parse_object(token.payload, WHAT))
    roots = tuple(root for issuer in bundle.trust for root in issuer.roots if x509.fingerprint(root) == root_sha256)
    if not roots:
        raise DocumentError("bundle-root", f"No root in the bundle has the fingerprint {root_sha256.hex()}.")
    revoked = frozenset[tuple[str, int]]().union(*(crl.revoked for crl in _crls_of(bundle, roots)))
    chain = jose.x5c(token.header)
    x509.verify_signer(chain, x509.SignerExpected(bundle.iss, roots, PURPOSES, revoked, at))
    jose.verify_signature(token, x509.signing_key(chain[0]), "the trust bundle")
    return bundle


def _crls_of(bundle: TrustBundle, roots: tuple[bytes, ...]) -> list[x509.Crl]:
    """The revocation lists of these roots: without one, nobody could say that the bundle's signer still may sign."""
    lists = [x509.read_crl(crl, issuer) for issuer, crl in bundle.crls if issuer in roots]
    if not lists:
        raise DocumentError("bundle-crl", "The bundle must carry the revocation list of the pinned root.")
    return lists


def _issuer_json(issuer: TrustedIssuer) -> dict[str, Any]:
    if issuer.root_terms:
        return issuer_json(issuer)
    return {
        "iss": issuer.iss,
        "name": issuer.name,
        "roots": [_text(root) for root in issuer.roots],
        "types": sorted(issuer.types),
        "status_base": issuer.status_base,
        "country": issuer.country,
        **({"stamp_roots": [_text(root) for root in issuer.stamp_roots]} if issuer.stamp_roots else {}),
        **({"signers": [_text(signer) for signer in issuer.signers]} if issuer.signers else {}),
    }


def _parse(body: Mapping[str, Any]) -> TrustBundle:
    try:
        return TrustBundle(
            iss=jose.text_claim(body, "iss", WHAT),
            issued_at=jose.numeric_date(body, "iat", WHAT),
            trust=tuple(_parse_issuer(issuer) for issuer in body["issuers"]),
            crls=tuple((_bytes(certificate), _bytes(crl)) for certificate, crl in body["crls"]),
            log_policies=_texts(body["log_policies"]),
            status_lists={uri: _token(token) for uri, token in body["status_lists"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise DocumentError("bundle-form", f"{WHAT} has not the expected members: {wrong!r}.") from wrong


def _parse_issuer(issuer: Mapping[str, Any]) -> TrustedIssuer:
    """With terms, or, as in bundles of before there were any, without."""
    if "status_bases" in issuer:
        return read_issuer(issuer)
    roots = tuple(_bytes(root) for root in issuer["roots"])
    named = (jose.text_claim(issuer, name, WHAT) for name in ("iss", "name", "status_base"))
    iss, name, status_base = named
    stamp_roots = tuple(_bytes(root) for root in issuer.get("stamp_roots", ()))
    signers = tuple(_signer(signer) for signer in issuer.get("signers", ()))
    types, country = frozenset(issuer["types"]), issuer.get("country", "")
    return TrustedIssuer(iss, name, roots, types, status_base, country, signers=signers, stamp_roots=stamp_roots)


def _signer(text: str) -> bytes:
    """Read once here: nobody who has opened the bundle meets one that cannot be read."""
    der = _bytes(text)
    x509.signing_key(der)
    return der


def _texts(value: Any) -> tuple[str, ...]:
    if type(value) is not list or not value or not all(type(one) is str for one in value):
        raise TypeError(f"expected a list of texts, got {type(value).__name__}")
    return tuple(value)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _token_text(token: bytes) -> str:
    """A JWT as it is; a CWT, which is no text, in base64, in which there are no dots."""
    return token.decode("ascii") if token.isascii() else _text(token)


def _token(text: str) -> bytes:
    return text.encode("ascii") if "." in text else _bytes(text)


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
