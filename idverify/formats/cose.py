"""COSE (RFC 9052, RFC 9053), the strict subset that our formats need, as ``jose`` is of JOSE.

For whoever signs, ``sign1_input`` gives the bytes and ``sign1`` joins them with the signature. For whoever verifies,
``read_message`` parses a COSE_Sign1 or COSE_Mac0 that is there as bytes, ``message`` one that was part of something
larger; both look at the headers only. ``verify_signature`` (ES256) and ``verify_mac`` (HMAC 256/256) cover protected
header and payload as received. ``x5chain`` gives the certificates, ``holder_jwk`` and ``cose_key`` go from and to a
public P-256 COSE_Key.

The algorithm comes from the profile of the message, never from the message.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec

from idverify.errors import DocumentError
from idverify.formats import jose, strict_cbor

ES256: Final = -7
HMAC_256_256: Final = 5
ALG, CRIT, TYP, X5CHAIN = 1, 2, 16, 33  # IANA: COSE Header Parameters
MAX_HEADER: Final = 16 * 1024

_TAGS: Final = {b"\xd2", b"\xd1"}  # RFC 9052 section 2: COSE_Sign1 and COSE_Mac0, where they name their kind
_KTY, _CRV, _X, _Y = 1, -1, -2, -3
_EC2, _P256 = 2, 1


@dataclass(frozen=True, slots=True)
class MessageProfile:
    """What the headers of one kind of message must say. ``typ`` (RFC 9596) is asked for where it is not ``None``."""

    what: str
    alg: int
    typ: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A COSE_Sign1 or COSE_Mac0 as received: parsed, not believed. ``tag`` is the signature (``r||s``) or the MAC."""

    protected: bytes
    header: Mapping[Any, Any]
    unprotected: Mapping[Any, Any]
    payload: bytes | None
    tag: bytes


# --- headers ------------------------------------------------------------------------------------------------------


def header_alg(seen: Message, profile: MessageProfile) -> None:
    """RFC 9052 section 3.1: the algorithm stands in the protected header, and is the one of this kind of message."""
    alg = seen.header.get(ALG)
    if type(alg) is not int or alg != profile.alg:  # -7.0 is equal, and another spelling
        got = str(alg)[:40]
        raise DocumentError("header-alg", f"{profile.what} must have algorithm {profile.alg}; its header says {got}.")


def header_crit(seen: Message, profile: MessageProfile) -> None:
    """RFC 9052 section 3.1: what must be understood is something that we do not understand."""
    if CRIT in seen.header or CRIT in seen.unprotected:
        raise DocumentError("header-crit", f"{profile.what} must not use critical header parameters.")


def header_label_once(seen: Message, profile: MessageProfile) -> None:
    """RFC 9052 section 3: no label in both headers, or two readers would take two values."""
    if both := seen.header.keys() & seen.unprotected.keys():
        raise DocumentError("header-label-once", f"{profile.what} has the label {str(min(both, key=str))[:40]} twice.")


def header_typ(seen: Message, profile: MessageProfile) -> None:
    """RFC 9596 section 2: explicit typing, so that no message passes for another kind."""
    if profile.typ is not None and seen.header.get(TYP) != profile.typ:
        raise DocumentError("header-typ", f"{profile.what} must have typ {profile.typ} in its protected header.")


HEADER_RULES: tuple[Callable[[Message, MessageProfile], None], ...] = (
    header_alg,
    header_crit,
    header_label_once,
    header_typ,
)


# --- reading ------------------------------------------------------------------------------------------------------


def read_message(encoded: bytes, profile: MessageProfile) -> Message:
    """A message that is there as bytes, with or without the tag of its kind. Raises ``DocumentError``."""
    content = encoded[1:] if encoded[:1] in _TAGS else encoded
    return message(strict_cbor.decode(content, profile.what), profile)


def message(value: Any, profile: MessageProfile) -> Message:
    """The decoded array ``[protected, unprotected, payload, tag]`` as a message whose headers fit ``profile``.

    Raises ``DocumentError``: ``cose``, or the name of a rule of ``HEADER_RULES``.
    """
    if type(value) is not list or len(value) != 4:
        raise DocumentError("cose", f"{profile.what} must be a COSE message: an array of four.")
    protected, unprotected, payload, tag = value
    if type(protected) is not bytes or type(unprotected) is not dict or type(tag) is not bytes:
        raise DocumentError("cose", f"{profile.what} must have protected and unprotected headers, payload and tag.")
    if type(payload) is not bytes and payload is not None:
        raise DocumentError("cose", f"The payload of {profile.what} must be bytes, or null where it stands elsewhere.")
    seen = Message(protected, _header(protected), unprotected, payload, tag)
    for rule in HEADER_RULES:
        rule(seen, profile)
    return seen


@lru_cache(maxsize=256)  # nearly every message starts with the same three bytes
def _header(protected: bytes) -> Mapping[Any, Any]:
    if len(protected) > MAX_HEADER:
        raise DocumentError("size", f"A protected header may be {MAX_HEADER} bytes long; got {len(protected)}.")
    header = strict_cbor.decode(protected, "The protected header") if protected else {}
    if type(header) is not dict:
        raise DocumentError("cose", "A protected header must be a map.")
    return header


def x5chain(seen: Message, what: str) -> tuple[bytes, ...]:
    """RFC 9360 section 2: the DER certificates of a message, leaf first. Raises ``DocumentError`` (``x5chain``)."""
    given = seen.unprotected.get(X5CHAIN, seen.header.get(X5CHAIN))
    chain = given if type(given) is list else [given]
    if not 0 < len(chain) <= jose.MAX_CHAIN or not all(type(der) is bytes for der in chain):
        raise DocumentError("x5chain", f"{what} must carry 1 to {jose.MAX_CHAIN} certificates in its x5chain.")
    return tuple(chain)


# --- signatures and MACs ------------------------------------------------------------------------------------------


def sign1_input(protected: bytes, payload: bytes) -> bytes:
    """RFC 9052 section 4.4: the Sig_structure of a COSE_Sign1, without external data."""
    return strict_cbor.encode(["Signature1", protected, b"", payload])


def mac0_input(protected: bytes, payload: bytes) -> bytes:
    """RFC 9052 section 6.3: the MAC_structure of a COSE_Mac0, without external data."""
    return strict_cbor.encode(["MAC0", protected, b"", payload])


def sign1(protected: bytes, unprotected: Mapping[int, Any], payload: bytes | None, signature: bytes) -> bytes:
    """RFC 9052 section 4.2: the untagged COSE_Sign1, from the raw ``r||s`` signature."""
    return strict_cbor.encode([protected, dict(unprotected), payload, signature])


def verify_signature(seen: Message, payload: bytes, key: ec.EllipticCurvePublicKey, what: str) -> None:
    """RFC 9053 section 2.1, ES256 with a P-256 ``key``. Raises ``DocumentError`` (``signature``)."""
    verify_signed(sign1_input(seen.protected, payload), seen.tag, key, what)


def verify_signed(signed: bytes, signature: bytes, key: ec.EllipticCurvePublicKey, what: str) -> None:
    """``verify_signature`` of a Sig_structure that is there already. Raises ``DocumentError`` (``signature``)."""
    if not jose.ALGORITHMS["ES256"](key, signed, signature):
        raise DocumentError("signature", f"The signature of {what} does not match its content and key.")


def mac(protected: bytes, payload: bytes, key: bytes) -> bytes:
    """RFC 9053 section 3.1: HMAC 256/256 over the MAC_structure."""
    return hmac.digest(key, mac0_input(protected, payload), hashlib.sha256)


def verify_mac(seen: Message, payload: bytes, key: bytes, what: str) -> None:
    """RFC 9053 section 3.1. Raises ``DocumentError`` (``mac``)."""
    if not hmac.compare_digest(mac(seen.protected, payload, key), seen.tag):
        raise DocumentError("mac", f"The MAC of {what} does not match its content and key.")


# --- keys ---------------------------------------------------------------------------------------------------------


def cose_key(jwk: Mapping[str, str]) -> dict[int, Any]:
    """The public P-256 JWK ``jwk`` as a COSE_Key (RFC 9053 section 7.1.1): ``{1, -1, -2, -3}`` and nothing else."""
    x, y = (jose.b64url_decode(jwk[name].encode("ascii"), "A coordinate") for name in ("x", "y"))
    return {_KTY: _EC2, _CRV: _P256, _X: x, _Y: y}


def holder_jwk(key: Any, what: str) -> dict[str, str]:
    """A public P-256 COSE_Key of exactly ``{1, -1, -2, -3}`` as a JWK, once it is a point.

    Raises ``DocumentError``: ``cose-key``, or ``jwk`` where the point is none.
    """
    kind = (key.get(_KTY), key.get(_CRV)) if type(key) is dict and key.keys() == {_KTY, _CRV, _X, _Y} else ()
    if kind != (_EC2, _P256) or set(map(type, kind)) != {int}:  # true is equal to 1
        raise DocumentError("cose-key", f"{what} must be a COSE_Key with kty EC2, crv P-256, x, y and nothing else.")
    if type(key[_X]) is not bytes or type(key[_Y]) is not bytes:
        raise DocumentError("cose-key", f"{what} must have its coordinates as bytes.")
    jwk = {"kty": "EC", "crv": "P-256", "x": jose.b64url_encode(key[_X]), "y": jose.b64url_encode(key[_Y])}
    jose.point(jwk["x"], jwk["y"])
    return jwk
