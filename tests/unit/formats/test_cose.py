"""COSE messages: headers by our own profile, bytes as received, keys that are exactly what they should be."""

from __future__ import annotations

from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from idverify.errors import DocumentError
from idverify.formats import cose, jose
from tests.simulators import credential_world as world

PROFILE = cose.MessageProfile("The example", cose.ES256)
MAC = cose.MessageProfile("The example", cose.HMAC_256_256)
PROTECTED = bytes.fromhex("a10126")
KEY = world.ISSUER_KEY


def signed(protected: bytes = PROTECTED, unprotected: dict[int, object] | None = None) -> bytes:
    """A COSE_Sign1 over two bytes."""
    signature = world.sign(KEY, cose.sign1_input(protected, b"hi"))
    return cose.sign1(protected, unprotected or {}, b"hi", signature)


def verify(encoded: bytes, profile: cose.MessageProfile = PROFILE) -> cose.Message:
    """Read and verify."""
    seen = cose.read_message(encoded, profile)
    assert seen.payload is not None
    cose.verify_signature(seen, seen.payload, KEY.public_key(), "the example")
    return seen


@pytest.mark.parametrize("tag", [b"", b"\xd2"])
def test_a_signed_message_holds(tag: bytes) -> None:
    """With and without the tag that names its kind."""
    assert verify(tag + signed()).payload == b"hi"


@pytest.mark.parametrize(
    ("encoded", "rule"),
    [
        (signed(bytes.fromhex("a10127")), "header-alg"),
        (signed(bytes.fromhex("a101fbc01c000000000000")), "header-alg"),  # -7.0
        (signed(b""), "header-alg"),
        (signed(b"", {1: -7}), "header-alg"),
        (signed(bytes.fromhex("a2012602811863")), "header-crit"),
        (signed(PROTECTED, {2: [99]}), "header-crit"),
        (signed(PROTECTED, {1: -7}), "header-label-once"),
        (signed(bytes.fromhex("80")), "cose"),
        (signed(bytes.fromhex("a201260126")), "cbor-duplicate-key"),
        (signed(b"\xa1\x01" + b"\x26" * 20_000), "size"),
        (cbor2.dumps([PROTECTED, {}, b"hi"]), "cose"),
        (cbor2.dumps({1: 2}), "cose"),
        (cbor2.dumps([PROTECTED, {}, "hi", bytes(64)]), "cose"),
        (cbor2.dumps([PROTECTED, {}, b"hi", "signature"]), "cose"),
        (cbor2.dumps(["header", {}, b"hi", bytes(64)]), "cose"),
        (cbor2.dumps([PROTECTED, [], b"hi", bytes(64)]), "cose"),
        (cbor2.dumps([PROTECTED, {}, b"hi", bytes(64)]), "signature"),
        (cbor2.dumps([PROTECTED, {}, b"hi", bytes(63)]), "signature"),
        (signed()[:-1] + b"\x00", "signature"),
        (signed().replace(b"\x42hi", b"\x42ho"), "signature"),
        (b"\xd1\xd2" + signed(), "cbor-tag"),
        (signed() + b"\x00", "cbor-trailing"),
    ],
)
def test_what_does_not_hold_is_refused(encoded: bytes, rule: str) -> None:
    """Each by the rule that it breaks."""
    with pytest.raises(DocumentError) as refused:
        verify(encoded)
    assert refused.value.rule == rule


def test_typ() -> None:
    """Where a profile names a kind, a message of another kind is refused (RFC 9596)."""
    profile = cose.MessageProfile("The example", cose.ES256, "application/example+cwt")
    named = cbor2.dumps({1: -7, 16: "application/example+cwt"})

    assert verify(signed(named), profile)
    with pytest.raises(DocumentError, match=r"application/example\+cwt") as refused:
        verify(signed(), profile)
    assert refused.value.rule == "header-typ"


def test_mac() -> None:
    """HMAC 256/256 over the MAC_structure; anything else does not hold."""
    protected = bytes.fromhex("a10105")
    tag = cose.mac(protected, b"hi", bytes(32))
    seen = cose.read_message(cbor2.dumps([protected, {}, None, tag]), MAC)

    cose.verify_mac(seen, b"hi", bytes(32), "the example")
    for payload, key in ((b"ho", bytes(32)), (b"hi", bytes(31) + b"\x01")):
        with pytest.raises(DocumentError) as refused:
            cose.verify_mac(seen, payload, key, "the example")
        assert refused.value.rule == "mac"


@pytest.mark.parametrize("value", [None, [], b"", [b"1", "2"], [b"1"] * 4, "x"])
def test_x5chain(value: object) -> None:
    """One certificate, or one to three in a list; nothing else."""
    one = cose.read_message(signed(PROTECTED, {33: b"leaf"}), PROFILE)
    two = cose.read_message(signed(cbor2.dumps({1: -7, 33: [b"leaf", b"authority"]})), PROFILE)

    assert cose.x5chain(one, "The example") == (b"leaf",)
    assert cose.x5chain(two, "The example") == (b"leaf", b"authority")
    if value != b"":
        with pytest.raises(DocumentError) as refused:
            cose.x5chain(cose.read_message(signed(PROTECTED, {33: value}), PROFILE), "The example")
        assert refused.value.rule == "x5chain"


def test_keys_go_there_and_back() -> None:
    """A JWK becomes a COSE_Key of exactly four members, and again a JWK."""
    jwk = jose.public_jwk(KEY.public_key())

    assert list(cose.cose_key(jwk)) == [1, -1, -2, -3]
    assert cose.holder_jwk(cose.cose_key(jwk), "The example") == jwk


GOOD = cose.cose_key(jose.public_jwk(KEY.public_key()))


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        (None, "cose-key"),
        (GOOD | {3: -7}, "cose-key"),
        (GOOD | {-4: b"d"}, "cose-key"),
        ({1: 2, -1: 1, -2: GOOD[-2]}, "cose-key"),
        (GOOD | {1: 1}, "cose-key"),
        (GOOD | {-1: 2}, "cose-key"),
        (GOOD | {-1: True}, "cose-key"),
        (GOOD | {1: 2.0}, "cose-key"),
        (GOOD | {-3: True}, "cose-key"),
        (GOOD | {-2: "x"}, "cose-key"),
        (GOOD | {-2: GOOD[-2][1:]}, "jwk"),
        (GOOD | {-2: b"\x00" + GOOD[-2]}, "jwk"),
        (GOOD | {-2: bytes(32)}, "jwk"),
        (GOOD | {-2: b"\xff" * 32}, "jwk"),
    ],
)
def test_other_keys_are_refused(key: object, rule: str) -> None:
    """A key of another kind, with more or fewer members, of other lengths, or off the curve."""
    with pytest.raises(DocumentError) as refused:
        cose.holder_jwk(key, "The example")
    assert refused.value.rule == rule


def test_third_party_messages(third_party: Path) -> None:
    """A COSE_Sign1 of isomdl verifies with its key, and does not once a byte of it is another."""
    folder = third_party / "mdoc" / "isomdl" / "definitions" / "cose"
    secret = int.from_bytes(bytes.fromhex((folder / "sign1" / "secret_key").read_text().strip()), "big")
    key = ec.derive_private_key(secret, ec.SECP256R1()).public_key()
    text = (folder / "sign1" / "serialized.cbor").read_bytes()
    seen = cose.read_message(bytes.fromhex(text.decode().strip()), PROFILE)

    assert seen.payload is not None
    cose.verify_signature(seen, seen.payload, key, "the example")
    with pytest.raises(DocumentError):
        cose.verify_signature(seen, seen.payload + b"\x00", key, "the example")
