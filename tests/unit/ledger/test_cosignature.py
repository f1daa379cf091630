"""Signature types 02, 04 and 06: what each signs, to the byte, and what each refuses."""

from __future__ import annotations

import json
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from idverify.ledger.checkpoint import Checkpoint, open_checkpoint
from idverify.ledger.cosignature import (
    COSIGNATURE_V1,
    MAX_TIME,
    ML_DSA_44,
    CosignatureV1Verifier,
    MlDsa44Verifier,
    stamp,
    timestamp,
)
from idverify.ledger.cosigner import Cosigner, skey
from idverify.ledger.ecdsa import EcdsaVerifier
from idverify.ledger.errors import MalformedError, SignatureError
from idverify.ledger.note import (
    Ed25519Verifier,
    NoteSignature,
    NoteVerifier,
    open_note,
    parse_signatures,
    parse_vkey,
    vkey,
    write_note,
)

VECTOR = json.loads((Path(__file__).parents[2] / "vectors" / "ledger" / "cosignatures.json").read_text())
TEXT: bytes = VECTOR["text"].encode()
LINES: list[dict[str, Any]] = VECTOR["lines"]
HEAD = Checkpoint("log.example/1", 13, bytes(range(32)))
COSIGNERS = [Cosigner.from_seed(kind, "witness.example/w1", bytes([kind]) * 32) for kind in (COSIGNATURE_V1, ML_DSA_44)]


def named(case: dict[str, Any]) -> str:
    return f"{case['type']:02x} {case['vkey'].partition('+')[0][:20]} {case['time']}"


def opens(text: bytes, signature: NoteSignature, verifier: NoteVerifier) -> bool:
    """Whether the note with this one line opens."""
    try:
        return open_note(write_note(text, [signature]), [verifier]).text == text
    except SignatureError:
        return False


@pytest.mark.parametrize("case", LINES, ids=named)
def test_an_independent_encoder_s_lines_verify(case: dict[str, Any]) -> None:
    """A line written from the C2SP text alone verifies under the vkey written from it, which reads back."""
    verifier = parse_vkey(case["vkey"])
    (signature,) = parse_signatures(case["line"].encode())

    assert vkey(verifier) == case["vkey"]
    assert verifier.signature_type == case["type"]
    assert opens(TEXT, signature, verifier)


@pytest.mark.parametrize("case", [case for case in LINES if case["time"] is not None], ids=named)
def test_messages_and_times_are_those_of_the_text(case: dict[str, Any]) -> None:
    """What has to be signed is what the independent encoder signed, and the time can be read from the line."""
    verifier = parse_vkey(case["vkey"])
    assert isinstance(verifier, CosignatureV1Verifier | MlDsa44Verifier)
    (signature,) = parse_signatures(case["line"].encode())

    assert verifier.message(TEXT, case["time"]).hex() == case["message"]
    assert timestamp(signature.signature) == case["time"]


def test_all_lines_stand_in_one_note() -> None:
    """Log and witnesses sign one note; each is known under its own key."""
    note = (VECTOR["text"] + "\n" + "".join(case["line"] for case in LINES)).encode()
    opened = open_note(note, [parse_vkey(case["vkey"]) for case in LINES])

    assert len(opened.verified) == len(LINES) == 6
    assert opened.ignored == ()


@pytest.mark.parametrize("case", LINES, ids=named)
def test_no_changed_bit_verifies(case: dict[str, Any]) -> None:
    """Neither text nor time nor signature can change: a known key whose signature fails spoils the note."""
    verifier = parse_vkey(case["vkey"])
    (right,) = parse_signatures(case["line"].encode())
    for place in {*range(16), len(right.signature) // 2, len(right.signature) - 1}:
        changed = bytearray(right.signature)
        changed[place] ^= 1
        assert not opens(TEXT, NoteSignature(right.name, right.key_id, bytes(changed)), verifier)
    for other in (
        b"log.example/2\n" + TEXT.partition(b"\n")[2],
        TEXT.replace(b"\n13\n", b"\n14\n"),
        TEXT[:-5] + b"A=\n",
    ):
        assert other != TEXT
        assert not opens(other, right, verifier)


@pytest.mark.parametrize("cosigner", COSIGNERS, ids=["04", "06"])
@pytest.mark.parametrize("cut", [slice(0, 0), slice(0, 8), slice(1, None), slice(0, -1)])
def test_a_timestamped_signature_has_one_size(cosigner: Cosigner, cut: slice) -> None:
    """Nothing, a time alone, and a byte too few at either end."""
    signature = cosigner.cosign(HEAD.text(), 1).signature

    assert cosigner.verifier.verify(HEAD.text(), signature)
    assert not cosigner.verifier.verify(HEAD.text(), signature[cut])
    assert not cosigner.verifier.verify(HEAD.text(), signature + b"\0")


@pytest.mark.parametrize("cosigner", COSIGNERS, ids=["04", "06"])
def test_times_end_at_2_63(cosigner: Cosigner) -> None:
    """A later time is neither signed nor believed, even if it was signed."""
    verifier, late = cosigner.verifier, MAX_TIME + 1
    message = verifier.message(HEAD.text(), MAX_TIME)
    forged = message.replace(str(MAX_TIME).encode(), str(late).encode()).replace(pack(">Q", MAX_TIME), pack(">Q", late))

    assert verifier.verify(HEAD.text(), stamp(MAX_TIME, cosigner.sign(message)))
    assert forged != message
    assert not verifier.verify(HEAD.text(), pack(">Q", late) + cosigner.sign(forged))
    with pytest.raises(MalformedError, match=r"2\^63 - 1"):
        verifier.message(HEAD.text(), late)
    with pytest.raises(MalformedError, match=r"2\^63 - 1"):
        stamp(-1, b"")


def test_ml_dsa_cosigns_nothing_but_three_lines() -> None:
    """An extension line would be left unsigned, so that no text with one verifies; Ed25519 covers the whole text."""
    v1, ml_dsa = COSIGNERS
    extended = HEAD.text() + b"extension\n"
    signature = ml_dsa.cosign(HEAD.text(), 1)

    assert opens(extended, v1.cosign(extended, 1), v1.verifier)
    assert not opens(extended, signature, ml_dsa.verifier)
    for text in (extended, b"a note\n", b"\n" + HEAD.text().partition(b"\n")[2]):
        with pytest.raises(MalformedError):
            ml_dsa.cosign(text, 1)


def test_ml_dsa_commits_to_the_cosigner_s_name() -> None:
    """The same key under another name verifies nothing; Ed25519 does not sign the name."""
    for cosigner, moved in zip(COSIGNERS, (True, False), strict=True):
        other = type(cosigner.verifier)("other.example/w2", cosigner.verifier.public_key)
        signature = cosigner.cosign(HEAD.text(), 1).signature
        assert other.verify(HEAD.text(), signature) is moved


def test_names_and_origins_fit_into_a_byte_s_length() -> None:
    """An ML-DSA cosignature names cosigner and log in at most 255 bytes each, in UTF-8."""
    key = COSIGNERS[1].verifier.public_key
    long = Checkpoint("\u00e9" * 128, 1, bytes(32))

    assert MlDsa44Verifier("w" * 255, key).message(HEAD.text(), 0)
    assert not COSIGNERS[1].verifier.verify(long.text(), bytes(2428))
    with pytest.raises(MalformedError, match="checkpoint origin: expected 1 to 255 bytes, got 256"):
        COSIGNERS[1].cosign(long.text(), 1)
    with pytest.raises(MalformedError, match="cosigner name: expected 1 to 255 bytes, got 256"):
        MlDsa44Verifier("w" * 256, key)


@pytest.mark.parametrize("kind", [CosignatureV1Verifier, MlDsa44Verifier])
def test_keys_have_one_size(kind: type[CosignatureV1Verifier | MlDsa44Verifier]) -> None:
    """A byte more or less is no key."""
    size = {CosignatureV1Verifier: 32, MlDsa44Verifier: 1312}[kind]
    assert kind("w", bytes(size)).public_key == bytes(size)
    for wrong in (0, size - 1, size + 1):
        with pytest.raises(MalformedError, match=f"expected {size} bytes, got {wrong}"):
            kind("w", bytes(wrong))


def test_one_key_has_an_id_for_each_type() -> None:
    """An Ed25519 key that signs notes and cosigns is two keys to a reader."""
    public = COSIGNERS[0].verifier.public_key

    assert Ed25519Verifier("w", public).key_id != CosignatureV1Verifier("w", public).key_id


def spki(key: Any, form: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> bytes:
    return bytes(key.public_key().public_bytes(Encoding.DER, form))


def compressed(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The SubjectPublicKeyInfo of the same point in 33 bytes."""
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    algorithm = spki(key)[2:23]
    bits = b"\x03" + bytes([len(point) + 1]) + b"\0" + point
    return b"\x30" + bytes([len(algorithm + bits)]) + algorithm + bits


def test_ecdsa_keys_have_one_spelling() -> None:
    """P-256 and P-384 in DER with the whole point; no other curve, no other algorithm, nothing behind."""
    key = ec.derive_private_key(7, ec.SECP256R1())
    for made in (key, ec.derive_private_key(7, ec.SECP384R1())):
        assert EcdsaVerifier("log", spki(made)).public_key == spki(made)
    for wrong in (
        b"",
        spki(key)[:-1],
        spki(key) + b"\0",
        compressed(key),
        spki(ec.derive_private_key(7, ec.SECP521R1())),
        spki(ec.derive_private_key(7, ec.SECP256K1())),
        spki(rsa.generate_private_key(65537, 2048)),
    ):
        with pytest.raises(MalformedError, match="ECDSA key: expected"):
            EcdsaVerifier("log", wrong)
    with pytest.raises(MalformedError, match="no space"):
        EcdsaVerifier("a log", spki(key))


def test_ecdsa_signs_with_sha_256_in_der() -> None:
    """Neither another digest nor r and s without DER verify."""
    key = ec.derive_private_key(7, ec.SECP384R1())
    verifier = EcdsaVerifier("log", spki(key))

    assert verifier.verify(TEXT, key.sign(TEXT, ec.ECDSA(SHA256())))
    assert not verifier.verify(TEXT, bytes(96))
    assert not verifier.verify(TEXT, b"")


def test_a_private_key_reads_back() -> None:
    """The line of a private key makes the same cosigner; its text is that of golang.org/x/mod/sumdb/note."""
    for cosigner, kind in zip(COSIGNERS, (COSIGNATURE_V1, ML_DSA_44), strict=True):
        line = skey(kind, "witness.example/w1", bytes([kind]) * 32)
        assert line.startswith(f"PRIVATE+KEY+witness.example/w1+{cosigner.verifier.key_id.hex()}+")
        assert Cosigner.parse(line).verifier == cosigner.verifier


@pytest.mark.parametrize(
    "line",
    [
        "",
        "PRIVATE+KEY+",
        "PRIVATE+KEY+w+00000000",
        "PRIVATE+KEY+w+00000000+",
        "PRIVATE+KEY+w+00000000+AAAA",
        "PRIVATE+KEY+w+00000000+BA==",
        skey(4, "w", bytes(32))[1:],
        skey(4, "w", bytes(32)) + "\n",
        skey(4, "w", bytes(32)).replace("+w+", "+x+"),
        skey(4, "w", bytes(32)).replace("+BAAA", "+BgAA"),
        skey(4, "w", bytes(32))[:-4],
    ],
)
def test_what_is_not_a_private_key_is_refused_unquoted(line: str) -> None:
    """Missing parts, unknown types, other sizes, an id that does not fit; the error never shows the key."""
    with pytest.raises(MalformedError) as caught:
        Cosigner.parse(line)

    assert "AAAA" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__cause__ is None


def test_a_log_with_two_kinds_of_keys_needs_both_signatures() -> None:
    """Whoever breaks one algorithm cannot strip the other signature; two keys of one kind are alternatives."""
    old, new = (ec.derive_private_key(seed, ec.SECP256R1()) for seed in (7, 8))
    ml_dsa = Cosigner.from_seed(ML_DSA_44, HEAD.origin, bytes(32))
    first, second = (EcdsaVerifier(HEAD.origin, spki(key)) for key in (old, new))
    classical = NoteSignature(HEAD.origin, first.key_id, old.sign(HEAD.text(), ec.ECDSA(SHA256())))
    post_quantum = ml_dsa.cosign(HEAD.text(), 0)
    both = [first, second, ml_dsa.verifier]

    assert open_checkpoint(write_note(HEAD.text(), [classical, post_quantum]), both) == HEAD
    assert open_checkpoint(write_note(HEAD.text(), [classical]), both[:2]) == HEAD
    assert open_checkpoint(write_note(HEAD.text(), [classical, post_quantum]), [ml_dsa.verifier]) == HEAD
    for stripped in ([classical], [post_quantum]):
        with pytest.raises(SignatureError, match=r"the log log\.example/1 to sign its own checkpoint with"):
            open_checkpoint(write_note(HEAD.text(), stripped), both)
