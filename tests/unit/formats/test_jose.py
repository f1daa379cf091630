"""Base64url, compact JWS, P-256 keys, and twenty headers that attackers send."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwk import JWK

from idverify.core.verdict import Result
from idverify.errors import DocumentError
from idverify.formats import jose, sdjwt_vc
from idverify.formats.strict_json import encode_json
from tests.simulators import credential_world as world

ATTACKER = jose.public_jwk(world.STRANGER_KEY.public_key())
PLAIN = jose.TokenProfile("A token", "JWT", None)


@pytest.mark.parametrize(
    "encoded", [b"QQ==", b"QR", b"Q", b"Q+/_", b"Q Q", b"QQ\n", b"Q.Q", b"\xff\xff\xff", b"=", b"QUI="]
)
def test_only_one_base64url_per_content(encoded: bytes) -> None:
    """Padding, spare bits and foreign characters are refused."""
    with pytest.raises(DocumentError) as refused:
        jose.b64url_decode(encoded, "The example")
    assert refused.value.rule == "base64url"


@given(st.binary(max_size=100))
def test_base64url_round_trip(data: bytes) -> None:
    """What we encode is what everybody encodes, and decodes to the same bytes."""
    encoded = jose.b64url_encode(data)
    assert encoded == base64.urlsafe_b64encode(data).decode().rstrip("=")
    assert jose.b64url_decode(encoded.encode(), "x") == data


@given(st.binary(max_size=40))
def test_any_text_is_base64url_or_refused(text: bytes) -> None:
    """A text that decodes is the one text that its bytes encode to."""
    try:
        data = jose.b64url_decode(text, "x")
    except DocumentError:
        return
    assert jose.b64url_encode(data).encode() == text


def test_thumbprint_is_that_of_rfc_7638() -> None:
    """An independent library names the same key the same."""
    jwk = jose.public_jwk(world.HOLDER_KEY.public_key())
    assert jose.thumbprint(jwk) == JWK(**jwk).thumbprint()


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"kty": "OKP"}, "jwk-kind"),
        ({"crv": "P-384"}, "jwk-kind"),
        ({"use": "enc"}, "jwk-use"),
        ({"key_ops": ["deriveKey"]}, "jwk-use"),
        ({"key_ops": "verify"}, "jwk-use"),
        ({"alg": "ES384"}, "jwk-use"),
        ({"x": 5}, "jwk"),
        ({"y": None}, "jwk"),
        ({"x": "AAAA"}, "jwk"),
        ({"x": "\ud800"}, "base64url"),
        ({"y": jose.b64url_encode(bytes(32))}, "jwk"),
        ({"d": "AA"}, "jwk-private"),
        ({"k": "AA"}, "jwk-private"),
    ],
)
def test_a_key_is_a_public_point_of_p256(changes: dict[str, Any], rule: str) -> None:
    """Other curves, points off the curve and private parts are refused."""
    with pytest.raises(DocumentError) as refused:
        jose.public_key({**ATTACKER, **changes})
    assert refused.value.rule == rule


@pytest.mark.parametrize("jwk", [None, [], "key", {}])
def test_a_key_is_an_object(jwk: Any) -> None:
    """Anything but a JWK is refused."""
    with pytest.raises(DocumentError):
        jose.public_key(jwk)


@pytest.mark.parametrize("raw", [b"", bytes(63), bytes(64), b"\xff" * 64, bytes(65), bytes(128)])
def test_a_signature_is_two_numbers_of_32_bytes(raw: bytes) -> None:
    """Empty, short, long, zero and oversized signatures do not hold and do not crash."""
    token = jose.read_jws(jose.jws(jose.signing_input({"alg": "ES256", "typ": "JWT"}, b"{}"), raw), PLAIN)
    with pytest.raises(DocumentError) as refused:
        jose.verify_signature(token, world.ISSUER_KEY.public_key(), "the example")
    assert refused.value.rule == "signature"


@pytest.mark.parametrize("encoded", [b"", b".", b"..", b"a.b", b"a.b.c.d", b"e30.e30.", b"W10.e30.AA"])
def test_a_token_is_three_parts(encoded: bytes) -> None:
    """Everything else is refused with a rule."""
    with pytest.raises(DocumentError):
        jose.read_jws(encoded, PLAIN)


@pytest.mark.parametrize("token", [b"e30." + b"A" * jose.MAX_TOKEN, b"A" * (jose.MAX_HEADER + 1) + b".e30.AA"])
def test_sizes_are_capped_before_parsing(token: bytes) -> None:
    """A token or a header over its cap is refused as such."""
    with pytest.raises(DocumentError) as refused:
        jose.read_jws(token, PLAIN)
    assert refused.value.rule == "size"


HEADERS: dict[str, dict[str, Any]] = {
    "alg none": {"alg": "none"},
    "alg None": {"alg": "None"},
    "alg empty": {"alg": ""},
    "alg a list": {"alg": ["ES256"]},
    "alg HS256": {"alg": "HS256"},
    "alg lower case": {"alg": "es256"},
    "alg ES256K": {"alg": "ES256K"},
    "alg RS256": {"alg": "RS256"},
    "typ of a key binding": {"typ": "kb+jwt"},
    "typ of the draft before": {"typ": "vc+sd-jwt"},
    "typ none": {"typ": None},
    "jku": {"jku": "https://attacker.example/jwks"},
    "x5u": {"x5u": "https://attacker.example/chain.pem"},
    "jwk": {"jwk": ATTACKER},
    "kid a path": {"kid": "../../../../dev/null"},
    "kid a query": {"kid": "' UNION SELECT 'key' --"},
    "crit": {"crit": ["exp"]},
    "b64 false": {"b64": False, "crit": ["b64"]},
    "x5c of the attacker": {"x5c": jose.x5c_header((world.leaf(key=world.STRANGER_KEY, root_key=world.STRANGER_KEY),))},
    "x5c none": {"x5c": []},
    "x5c a text": {"x5c": "MIIB"},
    "x5c a bomb": {"x5c": ["MIIB"] * 4},
    "x5c no certificate": {"x5c": ["AAAA"]},
}


def verdict(document: bytes) -> Result:
    """Whether a document is refused, when it is read or when it is checked."""
    try:
        presented = world.FORMAT.read(document)
    except DocumentError:
        return Result.FAIL
    results = {check.result for check in world.FORMAT.check(presented, world.TRUST, world.NOW, None)}
    return Result.FAIL if Result.FAIL in results else Result.PASS


def test_the_unchanged_header_passes() -> None:
    """The document that the mutations start from holds."""
    assert verdict(world.sd_jwt(world.payload())) == Result.PASS


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("signer", ["attacker", "shared secret", "nobody", "as before"])
def test_header_mutation(name: str, signer: str) -> None:
    """Whatever the header says, a document that the issuer did not sign is refused."""
    head = encode_json(world.header(**HEADERS[name]))
    signed = f"{jose.b64url_encode(head)}.{jose.b64url_encode(encode_json(world.payload()))}".encode()
    certificate = base64.b64decode(world.header()["x5c"][0])
    signature = {
        "attacker": world.sign(world.STRANGER_KEY, signed),
        "shared secret": hmac.digest(certificate, signed, hashlib.sha256),
        "nobody": b"",
        "as before": jose.read_jws(world.sd_jwt(world.payload())[:-1], sdjwt_vc.PROFILE).signature,
    }[signer]
    assert verdict(jose.jws(signed, signature) + b"~") == Result.FAIL


def test_a_signing_input_is_that_of_rfc_7515() -> None:
    """The header and the payload stand as they were given, and the signature covers both."""
    signed = jose.signing_input({"alg": "ES256"}, b'{"a":1}')
    head, body = (base64.urlsafe_b64decode(part + b"==") for part in signed.split(b"."))
    assert (json.loads(head), body) == ({"alg": "ES256"}, b'{"a":1}')
    token = jose.jws(signed, world.sign(world.ISSUER_KEY, signed))
    key = JWK.from_pyca(world.ISSUER_KEY.public_key())
    assert _jwcrypto_payload(token, key) == b'{"a":1}'


def _jwcrypto_payload(token: bytes, key: JWK) -> bytes:
    from jwcrypto.jws import JWS

    parsed = JWS()
    parsed.deserialize(token.decode(), key)
    payload: bytes = parsed.payload
    return payload


def test_der_signatures_are_those_of_openssl() -> None:
    """A raw signature in DER verifies where DER is expected."""
    raw = world.sign(world.ISSUER_KEY, b"message")
    world.ISSUER_KEY.public_key().verify(jose.der_signature(raw), b"message", ec.ECDSA(jose.hashes.SHA256()))
    assert len(raw) == 64


def test_a_point_is_one_exactly_where_openssl_says_so() -> None:
    """On the curve, beside it, beyond the prime, at nothing: what is computed agrees with the library."""
    one = jose.public_jwk(ec.generate_private_key(ec.SECP256R1()).public_key())
    x, y = (int.from_bytes(jose.b64url_decode(one[name].encode(), name), "big") for name in ("x", "y"))
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    tried = [(x, y), (x, prime - y), (x, y ^ 1), (y, x), (0, 0), (1, 1), (x + prime, y), (x, y + prime), (prime, 0)]
    for across, up in tried:
        if max(across, up) >= 2**256:
            continue
        raw = [part.to_bytes(32, "big") for part in (across, up)]
        jwk = {"kty": "EC", "crv": "P-256", "x": jose.b64url_encode(raw[0]), "y": jose.b64url_encode(raw[1])}
        try:
            expected = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + b"".join(raw))
        except ValueError:
            with pytest.raises(DocumentError, match="must be a point of P-256"):
                jose.holder_jwk(jwk)
        else:
            assert jose.public_key(jose.holder_jwk(jwk)) == expected
