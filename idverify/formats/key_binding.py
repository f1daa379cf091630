"""Key Binding JWT (RFC 9901 sections 4.3 and 7.3): the holder of the key presents, here and now, to us.

``BINDING_RULES`` say that the holder's key signed this very presentation, ``REPLAY_RULES`` that it was made
recently, ``AUDIENCE_RULES`` that it was made for this verifier and this request.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec

from idverify.errors import DocumentError
from idverify.formats.base import HolderBindingExpected
from idverify.formats.jose import (
    Jws,
    TokenProfile,
    numeric_date,
    read_jws,
    signing_input,
    text_claim,
    verify_signature,
)
from idverify.formats.sdjwt import MAX_CONTAINERS, digest_of
from idverify.formats.strict_json import encode_json, parse_object

WHAT = "A key binding"
PROFILE = TokenProfile(WHAT, "kb+jwt", None)
MAX_AGE = 300
MAX_SKEW = 60


class KeyBinding(NamedTuple):
    """A KB-JWT as received, next to what it must fit. ``presented`` ends with a tilde; ``at`` is Unix seconds."""

    token: Jws
    claims: dict[str, Any]
    presented: bytes
    holder_key: ec.EllipticCurvePublicKey
    at: int


def prepare(presented: bytes, expected: HolderBindingExpected, at: int) -> bytes:
    """The bytes that the holder's key signs, for a presentation that ends with its last tilde."""
    claims = {"iat": at, "aud": expected.audience, "nonce": expected.nonce, "sd_hash": digest_of(presented)}
    return signing_input({"alg": "ES256", "typ": PROFILE.typ}, encode_json(claims))


def read(encoded: bytes, presented: bytes, holder_key: ec.EllipticCurvePublicKey, at: int) -> KeyBinding:
    """Parse, with the header rules of ``jose`` (7.3 steps 5.2 and 5.4). Raises ``DocumentError``."""
    token = read_jws(encoded, PROFILE)
    return KeyBinding(token, parse_object(token.payload, WHAT, MAX_CONTAINERS), presented, holder_key, at)


def binding_signature(binding: KeyBinding) -> None:
    """7.3 step 5.3: signed with the key that the issuer bound the credential to."""
    verify_signature(binding.token, binding.holder_key, "the key binding", "binding-signature")


def binding_sd_hash(binding: KeyBinding) -> None:
    """7.3 step 5.7: made for these disclosures, no more and no fewer."""
    if not _same(text_claim(binding.claims, "sd_hash", WHAT), digest_of(binding.presented)):
        raise DocumentError("binding-sd-hash", "The key binding was made for other disclosures than those presented.")


def binding_recent(binding: KeyBinding) -> None:
    """7.3 step 5.5: created within an acceptable window."""
    age = binding.at - numeric_date(binding.claims, "iat", WHAT)
    if not -MAX_SKEW <= age <= MAX_AGE:
        raise DocumentError("binding-recent", f"The key binding must be at most {MAX_AGE} seconds old; it is {age}.")


def binding_not_expired(binding: KeyBinding) -> None:
    """7.3 step 5.8: a valid JWT in all other respects (RFC 7519 sections 4.1.4 and 4.1.5), should it say when."""
    claims, at = binding.claims, binding.at
    if "exp" in claims and numeric_date(claims, "exp", WHAT) + MAX_SKEW <= at:
        raise DocumentError("binding-not-expired", "The key binding has expired.")
    if "nbf" in claims and numeric_date(claims, "nbf", WHAT) - MAX_SKEW > at:
        raise DocumentError("binding-not-expired", "The key binding is not valid yet.")


def binding_audience(binding: KeyBinding, expected: HolderBindingExpected) -> None:
    """7.3 step 5.6 and 4.3: ``aud`` is one string, ours."""
    if text_claim(binding.claims, "aud", WHAT) != expected.audience:
        raise DocumentError("binding-audience", f"The key binding must be made for {expected.audience}.")


def binding_nonce(binding: KeyBinding, expected: HolderBindingExpected) -> None:
    """7.3 step 5.6: bound to this request."""
    if not _same(text_claim(binding.claims, "nonce", WHAT), expected.nonce):
        raise DocumentError("binding-nonce", "The key binding was made for another request.")


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode("utf-8"), right.encode("utf-8"))


BINDING_RULES: tuple[Callable[[KeyBinding], None], ...] = (binding_signature, binding_sd_hash)
REPLAY_RULES: tuple[Callable[[KeyBinding], None], ...] = (binding_recent, binding_not_expired)
AUDIENCE_RULES: tuple[Callable[[KeyBinding, HolderBindingExpected], None], ...] = (binding_audience, binding_nonce)
