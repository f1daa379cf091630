"""JOSE, the strict subset that our formats need: base64url, compact JWS, P-256 keys, ES256.

Everything here is fed by strangers: sizes are capped before parsing, the algorithm and the place of the key
come from our own tables, and bytes are verified as received.

>>> b64url_encode(b"id"), b64url_decode(b"aWQ", "an example")
('aWQ', b'id')
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from idverify.errors import DocumentError
from idverify.formats.strict_json import encode_json, parse_object

MAX_TOKEN = 64 * 1024
MAX_HEADER = 16 * 1024
MAX_CHAIN = 3
P256_BYTES = 32

_ES256 = ec.ECDSA(hashes.SHA256())
_TO_URL_ALPHABET = bytes.maketrans(b"+/", b"-_")
_FROM_URL_ALPHABET = bytes.maketrans(b"-_+/=", b"+/***")  # what base64 has and base64url has not is foreign: *
# RFC 4648 section 3.5: the last characters that leave no bits over, by what the length leaves over when divided by 4.
_LAST = (None, b"", b"AQgw", b"AEIMQUYcgkosw048")


def b64url_encode(data: bytes) -> str:
    """RFC 7515 section 2: base64url without padding."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL_ALPHABET, b"=").decode("ascii")


def b64url_decode(encoded: bytes, what: str) -> bytes:
    """The only bytes that encode to exactly ``encoded``. Raises ``DocumentError`` (``base64url``)."""
    size = len(encoded)
    last = _LAST[size & 3]
    if last is None or encoded[-1] in last:
        try:
            data = binascii.a2b_base64(encoded.translate(_FROM_URL_ALPHABET) + b"==")
        except ValueError:
            data = b""
        if len(data) == size * 3 >> 2:  # decoders skip foreign characters: each that they skip is missing here
            return data
    raise DocumentError("base64url", f"{what} must be base64url without padding or other characters.")


class TokenProfile(NamedTuple):
    """What the header of one kind of token must say. ``key_source``: the header that carries the key, if any."""

    what: str
    typ: str
    key_source: str | None


class Jws(NamedTuple):
    """A compact JWS as received (RFC 7515 section 7.1): parsed, not believed."""

    encoded: bytes
    header: Mapping[str, Any]
    payload: bytes
    signing_input: bytes
    signature: bytes


def header_alg(header: Mapping[str, Any], profile: TokenProfile) -> None:
    """RFC 8725 section 3.1: only an algorithm of our own table."""
    alg = header.get("alg")
    if type(alg) is not str or alg not in ALGORITHMS:
        raise DocumentError("header-alg", f"{profile.what} must be signed with ES256; its header says {alg!r}.")


def header_typ(header: Mapping[str, Any], profile: TokenProfile) -> None:
    """RFC 8725 section 3.11: explicit typing, so that no token passes for another kind."""
    if header.get("typ") != profile.typ:
        raise DocumentError("header-typ", f"{profile.what} must have typ {profile.typ}; got {header.get('typ')!r}.")


def header_crit(header: Mapping[str, Any], profile: TokenProfile) -> None:
    """RFC 7515 section 4.1.11: an extension that we do not understand and that must be understood."""
    if "crit" in header or "b64" in header:
        raise DocumentError("header-crit", f"{profile.what} must not use header extensions (crit, b64).")


def header_key_source(header: Mapping[str, Any], profile: TokenProfile) -> None:
    """RFC 8725 section 3.10: the key comes from where the profile says, from nowhere else."""
    allowed = {"kid"} if profile.key_source is None else {"kid", profile.key_source}
    if profile.key_source == "jwk":
        allowed = {"jwk"}  # OpenID4VCI 1.0 appendix F.1: jwk, kid and x5c exclude each other
    for name in ("jku", "x5u", "jwk", "x5c", "kid"):
        if name in header and name not in allowed:
            raise DocumentError("header-key-source", f"{profile.what} must not carry {name} in its header.")
    if profile.key_source is not None and profile.key_source not in header:
        raise DocumentError("header-key-source", f"{profile.what} must carry {profile.key_source} in its header.")


HeaderRules = tuple[Callable[[Mapping[str, Any], TokenProfile], None], ...]
HEADER_RULES: HeaderRules = (
    header_alg,
    header_typ,
    header_crit,
    header_key_source,
)


@lru_cache(maxsize=256)  # an issuer's credentials all start with the same header
def _header(encoded: bytes) -> Mapping[str, Any]:
    if len(encoded) > MAX_HEADER:
        raise DocumentError("size", f"A token's header may be {MAX_HEADER} bytes long; got {len(encoded)}.")
    return MappingProxyType(parse_object(b64url_decode(encoded, "The header"), "The header"))


@lru_cache(maxsize=256)  # what fits a profile by these rules fits it again; what does not is never kept
def _fitting_header(encoded: bytes, profile: TokenProfile, rules: HeaderRules) -> Mapping[str, Any]:
    header = _header(encoded)
    for rule in rules:
        rule(header, profile)
    return header


def header_of(encoded: bytes) -> Mapping[str, Any]:
    """The header of what may be a compact JWS: to tell of what kind it is, before anything else is looked at."""
    return _header(encoded.partition(b".")[0])


def read_jws(encoded: bytes, profile: TokenProfile, limit: int = MAX_TOKEN) -> Jws:
    """Split and parse; the header must fit ``profile``. The signature is not looked at. Raises ``DocumentError``."""
    if len(encoded) > limit:
        raise DocumentError("size", f"{profile.what} may be {limit} bytes long; got {len(encoded)}.")
    parts = encoded.split(b".", 3)
    if len(parts) != 3:
        raise DocumentError("jws", f"{profile.what} must be three parts with dots between them; got {len(parts)}.")
    header = _fitting_header(parts[0], profile, HEADER_RULES)
    payload = b64url_decode(parts[1], f"The payload of {profile.what}")
    signature = b64url_decode(parts[2], f"The signature of {profile.what}")
    return Jws(encoded, header, payload, encoded[: -len(parts[2]) - 1], signature)


def signing_input(header: Mapping[str, Any], payload: bytes) -> bytes:
    """RFC 7515 section 5.1: the exact bytes to sign."""
    return f"{b64url_encode(encode_json(header))}.{b64url_encode(payload)}".encode("ascii")


def jws(signed: bytes, signature: bytes) -> bytes:
    """The compact JWS of a signing input and its raw ``r||s`` signature (64 bytes for ES256)."""
    return signed + b"." + b64url_encode(signature).encode("ascii")


def der_signature(raw: bytes) -> bytes:
    """An ECDSA signature ``r||s`` as the DER that X.509 and OpenSSL want."""
    half = len(raw) // 2
    return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))


def _es256_holds(key: ec.EllipticCurvePublicKey, signed: bytes, signature: bytes) -> bool:
    if len(signature) != 2 * P256_BYTES:
        return False
    try:
        key.verify(der_signature(signature), signed, _ES256)
    except InvalidSignature:
        return False
    return True


# Our own table (RFC 8725 section 3.1). The key decides: all keys are P-256, and a P-256 key does ES256 only.
ALGORITHMS: Mapping[str, Callable[[ec.EllipticCurvePublicKey, bytes, bytes], bool]] = {"ES256": _es256_holds}


def verify_signature(token: Jws, key: ec.EllipticCurvePublicKey, what: str, rule: str = "signature") -> None:
    """RFC 7515 section 5.2 with a P-256 ``key``. Raises ``DocumentError`` (``rule``)."""
    if not ALGORITHMS["ES256"](key, token.signing_input, token.signature):
        raise DocumentError(rule, f"The signature of {what} does not match its content and key.")


# FIPS 186-4 appendix D.1.2.3: the prime and the coefficient b of P-256; a is -3.
_PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


@lru_cache(maxsize=1024)
def point(x: str, y: str) -> bytes:
    """The point of P-256 with these coordinates (base64url), uncompressed (SEC 1 section 2.3.3), if it is one.

    Computed (section 3.2.2.1), not asked of OpenSSL: most keys are never used, and making one costs ten times as
    much. Raises ``DocumentError`` (``jwk``).
    """
    coordinates = [b64url_decode(part.encode("ascii", "replace"), "A JWK coordinate") for part in (x, y)]
    if any(len(coordinate) != P256_BYTES for coordinate in coordinates):
        raise DocumentError("jwk", "The coordinates of a P-256 JWK must be 32 bytes each.")
    across, up = (int.from_bytes(coordinate, "big") for coordinate in coordinates)
    if across >= _PRIME or up >= _PRIME or (up * up - (across * across - 3) * across - _B) % _PRIME:
        raise DocumentError("jwk", "The coordinates of the JWK must be a point of P-256; they are not.")
    return b"\x04" + b"".join(coordinates)


@lru_cache(maxsize=1024)
def _key(point: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def jwk_kind(jwk: Mapping[str, Any]) -> None:
    """RFC 7518 section 6.2.1: an elliptic curve key, of the one curve that we use."""
    if jwk.get("kty") != "EC" or jwk.get("crv") != "P-256":
        raise DocumentError("jwk-kind", "A key must be a JWK with kty EC and crv P-256.")


_PRIVATE = frozenset({"d", "k", "p", "q", "dp", "dq", "qi", "oth"})


def jwk_private(jwk: Mapping[str, Any]) -> None:
    """RFC 7517 section 9.2: whoever sends a private part has given the key away."""
    if not _PRIVATE.isdisjoint(jwk):
        raise DocumentError("jwk-private", "A JWK must not carry private parts. Treat this key as lost.")


def jwk_use(jwk: Mapping[str, Any]) -> None:
    """RFC 7517 sections 4.2 to 4.4: a key that says what it is for is used for nothing else."""
    operations = jwk.get("key_ops", ["verify"])
    fits = type(operations) is list and "verify" in operations
    if not fits or jwk.get("use", "sig") != "sig" or jwk.get("alg", "ES256") not in ALGORITHMS:
        raise DocumentError("jwk-use", "A JWK that says what it is for must be for verifying ES256 signatures.")


JWK_RULES: tuple[Callable[[Mapping[str, Any]], None], ...] = (jwk_kind, jwk_private, jwk_use)


def _public_point(jwk: Any) -> bytes:
    if type(jwk) is not dict:
        raise DocumentError("jwk", f"A key must be a JWK, which is a JSON object; got {type(jwk).__name__}.")
    for rule in JWK_RULES:
        rule(jwk)
    if type(jwk.get("x")) is not str or type(jwk.get("y")) is not str:
        raise DocumentError("jwk", "A P-256 JWK must have x and y as text.")
    return point(jwk["x"], jwk["y"])


def public_key(jwk: Any) -> ec.EllipticCurvePublicKey:
    """The key of a public EC P-256 JWK. Raises ``DocumentError``: ``jwk``, or a rule of ``JWK_RULES``."""
    return _key(_public_point(jwk))


def holder_jwk(jwk: Any) -> dict[str, str]:
    """The four members of a public EC P-256 JWK, once its key is a point. Raises ``DocumentError`` (``jwk``)."""
    _public_point(jwk)
    return {name: jwk[name] for name in ("kty", "crv", "x", "y")}


def public_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """The P-256 ``key`` as a JWK: ``kty``, ``crv``, ``x``, ``y`` and nothing else."""
    numbers = key.public_numbers()
    x, y = (b64url_encode(part.to_bytes(P256_BYTES, "big")) for part in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def thumbprint(jwk: Mapping[str, str]) -> str:
    """RFC 7638: SHA-256 over the required members in lexicographic order, base64url."""
    required = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return b64url_encode(hashlib.sha256(encode_json(required)).digest())


def x5c(header: Mapping[str, Any]) -> tuple[bytes, ...]:
    """RFC 7515 section 4.1.6: the DER certificates of a header, leaf first. Raises ``DocumentError`` (``x5c``)."""
    values = header.get("x5c")
    if type(values) is not list or not 0 < len(values) <= MAX_CHAIN or not all(type(v) is str for v in values):
        raise DocumentError("x5c", f"x5c must be a list of 1 to {MAX_CHAIN} certificates in base64.")
    return _certificates(tuple(values))


@lru_cache(maxsize=256)  # of an issuer, as its headers
def _certificates(values: tuple[str, ...]) -> tuple[bytes, ...]:
    try:
        return tuple(base64.b64decode(value, validate=True) for value in values)
    except ValueError:
        raise DocumentError("x5c", "x5c must be certificates in standard base64 with padding.") from None


def x5c_header(chain: tuple[bytes, ...]) -> list[str]:
    """``chain`` as the value of an ``x5c`` header."""
    return [base64.b64encode(certificate).decode("ascii") for certificate in chain]


def text_claim(claims: Mapping[str, Any], name: str, what: str) -> str:
    """A required, non-empty string claim. Raises ``DocumentError`` (the claim's name)."""
    value = claims.get(name)
    if type(value) is not str or not value:
        raise DocumentError(name, f"{what} must have {name} as text; got {type(value).__name__}.")
    return value


def numeric_date(claims: Mapping[str, Any], name: str, what: str) -> int:
    """A required NumericDate (RFC 7519 section 2) in whole seconds. Raises ``DocumentError`` (the claim's name)."""
    value = claims.get(name)
    if type(value) is not int or value < 0:
        raise DocumentError(name, f"{what} must have {name} in whole Unix seconds; got {type(value).__name__}.")
    return value
