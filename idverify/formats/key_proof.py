"""Key proof (OpenID4VCI 1.0 appendix F.1 and F.4): a wallet shows that it holds the key it wants bound.

The wallet signs ``prepare``; the issuer calls ``check_key_proof`` and binds the credential to the JWK it returns.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from idverify.errors import DocumentError
from idverify.formats.jose import (
    Jws,
    TokenProfile,
    holder_jwk,
    numeric_date,
    public_key,
    read_jws,
    signing_input,
    text_claim,
    verify_signature,
)
from idverify.formats.strict_json import encode_json, parse_object

WHAT = "A key proof"
PROFILE = TokenProfile(WHAT, "openid4vci-proof+jwt", "jwk")
MAX_PROOF = 8 * 1024
MAX_AGE = 300
MAX_SKEW = 60


@dataclass(frozen=True, slots=True)
class KeyProof:
    """A proof as received, next to what it must fit. ``at`` is Unix seconds."""

    token: Jws
    claims: dict[str, Any]
    audience: str
    nonce: str
    at: int


def prepare(jwk: Mapping[str, str], audience: str, nonce: str, at: int) -> bytes:
    """The bytes that the wallet signs. ``audience`` is the Credential Issuer Identifier, ``nonce`` its c_nonce."""
    header = {"alg": "ES256", "typ": PROFILE.typ, "jwk": dict(jwk)}
    return signing_input(header, encode_json({"aud": audience, "iat": at, "nonce": nonce}))


def proof_signature(proof: KeyProof) -> None:
    """F.4: the signature verifies with the key in the header."""
    verify_signature(proof.token, public_key(proof.token.header["jwk"]), "the key proof")


def proof_audience(proof: KeyProof) -> None:
    """F.1: ``aud`` is the Credential Issuer Identifier."""
    if text_claim(proof.claims, "aud", WHAT) != proof.audience:
        raise DocumentError("proof-audience", f"A key proof must be made for {proof.audience}.")


def proof_nonce(proof: KeyProof) -> None:
    """F.4: the nonce matches the server-provided ``c_nonce``."""
    nonce = text_claim(proof.claims, "nonce", WHAT)
    if not hmac.compare_digest(nonce.encode("utf-8"), proof.nonce.encode("utf-8")):
        raise DocumentError("proof-nonce", "The key proof was made for another nonce; ask for a new one.")


def proof_recent(proof: KeyProof) -> None:
    """F.4: created within an acceptable window."""
    age = proof.at - numeric_date(proof.claims, "iat", WHAT)
    if not -MAX_SKEW <= age <= MAX_AGE:
        raise DocumentError("proof-recent", f"A key proof must be at most {MAX_AGE} seconds old; it is {age}.")


def proof_not_expired(proof: KeyProof) -> None:
    """RFC 7519 sections 4.1.4 and 4.1.5, should the wallet say when."""
    if "nbf" in proof.claims and numeric_date(proof.claims, "nbf", WHAT) - MAX_SKEW > proof.at:
        raise DocumentError("proof-not-expired", "The key proof is not valid yet.")
    if "exp" in proof.claims and numeric_date(proof.claims, "exp", WHAT) + MAX_SKEW <= proof.at:
        raise DocumentError("proof-not-expired", "The key proof has expired.")


RULES: tuple[Callable[[KeyProof], None], ...] = (
    proof_signature,
    proof_audience,
    proof_nonce,
    proof_recent,
    proof_not_expired,
)


def check_key_proof(encoded: bytes, audience: str, nonce: str, at: int) -> dict[str, str]:
    """The public JWK (``kty``, ``crv``, ``x``, ``y``) that the wallet proved to hold, ``at`` Unix seconds.

    Raises ``DocumentError``: ``size``, ``header-...``, ``jwk...``, ``signature``, ``proof-...``, or a claim's name.
    """
    token = read_jws(encoded, PROFILE, MAX_PROOF)
    proof = KeyProof(token, parse_object(token.payload, WHAT), audience, nonce, at)
    for rule in RULES:
        rule(proof)
    return holder_jwk(token.header["jwk"])
