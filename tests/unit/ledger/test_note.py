"""Signed notes and checkpoints: what is believed, what is ignored, what is refused."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from idverify.ledger.checkpoint import Checkpoint, open_checkpoint
from idverify.ledger.errors import MalformedError, SignatureError
from idverify.ledger.merkle import EMPTY_ROOT
from idverify.ledger.note import Ed25519Verifier, NoteSignature, open_note, parse_vkey, vkey, write_note

# The worked example of c2sp.org/tlog-checkpoint's shape, signed with a published key: an empty log.
VKEY = "id.example/ledger+eefd1545+AY4HTQoVCdkoHMxM01TEeOe5PX2c3TP7OQapT2b0Yp1A"
NOTE = (
    "id.example/ledger\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\u2014 id.example/ledger "
    "7v0VRefQKBDrpjP6sWx0lQfg3wJNKZx240CW4cmTLJ6iWMGkZ2WRWkD0/Ygqt8kAeMXbnvsGbLBwLN+5TOkRGpaQ4gE=\n"
).encode()
TEXT = b"a line\n\nanother, behind a blank one\n"


def signer(seed: int, name: str) -> tuple[Ed25519PrivateKey, Ed25519Verifier]:
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return key, Ed25519Verifier(name, key.public_key().public_bytes_raw())


ADA_KEY, ADA = signer(1, "ada.example/log")
BOB_KEY, BOB = signer(2, "bob.example/witness")


def signature(key: Ed25519PrivateKey, verifier: Ed25519Verifier, text: bytes = TEXT) -> NoteSignature:
    return NoteSignature(verifier.name, verifier.key_id, key.sign(text))


NOTE_OF_BOTH = write_note(TEXT, [signature(ADA_KEY, ADA), signature(BOB_KEY, BOB)])


def test_a_checkpoint_signed_in_an_hsm_opens() -> None:
    """A note made by a PKCS#11 token verifies, and says the log is empty."""
    assert open_checkpoint(NOTE, [parse_vkey(VKEY)]) == Checkpoint("id.example/ledger", 0, EMPTY_ROOT)


def test_unknown_keys_are_ignored_and_reported() -> None:
    """Only the keys we were told of count; the text may hold blank lines."""
    note = open_note(NOTE_OF_BOTH, [BOB])

    assert note.text == TEXT
    assert [BOB.name] == [line.name for line in note.verified]
    assert [ADA.name] == [line.name for line in note.ignored]


@pytest.mark.parametrize(
    "line",
    [
        NoteSignature(ADA.name, b"\0\0\0\0", b"x" * 64),  # same name, other key id
        NoteSignature("eve.example", ADA.key_id, b"x" * 64),  # same key id, other name
        NoteSignature("mldsa.example", b"\6\6\6\6", b"x" * 2428),  # a type we do not know
    ],
)
def test_a_name_or_a_key_id_alone_makes_no_known_key(line: NoteSignature) -> None:
    """Lines that share only half of a known key's identity are lines of unknown keys (signed-note)."""
    note = open_note(write_note(TEXT, [line, signature(ADA_KEY, ADA)]), [ADA])

    assert (line,) == note.ignored


def test_one_wrong_signature_of_a_known_key_spoils_the_note() -> None:
    """Also when another known key's signature is right, and when the same key signed rightly before."""
    wrong = NoteSignature(ADA.name, ADA.key_id, ADA_KEY.sign(b"another text\n"))
    for lines in ([wrong, signature(BOB_KEY, BOB)], [signature(ADA_KEY, ADA), wrong]):
        with pytest.raises(SignatureError, match=r"by ada.example/log .* does not verify"):
            open_note(write_note(TEXT, lines), [ADA, BOB])


def test_a_key_counts_once() -> None:
    """A repeated signature does not look like a second signer."""
    note = open_note(write_note(TEXT, [signature(ADA_KEY, ADA)] * 3), [ADA])

    assert len(note.verified) == 1


def test_the_largest_notes_open() -> None:
    """As many signatures, and as many bytes, as the limits name are accepted."""
    many = write_note(TEXT, [signature(ADA_KEY, ADA)] * 100)
    frame = len(write_note(b"\n", [signature(ADA_KEY, ADA)]))
    text = b"x" * (262_144 - frame) + b"\n"
    large = write_note(text, [signature(ADA_KEY, ADA, text)])

    assert open_note(many, [ADA]).text == TEXT
    assert len(large) == 262_144
    assert open_note(large, [ADA]).text == text


def test_a_note_without_known_signature_is_refused() -> None:
    """No key of ours, or no keys at all."""
    with pytest.raises(SignatureError, match=r"by carol.example; the note has none of it"):
        open_note(NOTE_OF_BOTH, [signer(3, "carol.example")[1]])
    with pytest.raises(SignatureError, match="no key at all"):
        open_note(NOTE_OF_BOTH, [])


def test_verifiers_are_distinct() -> None:
    """One key given twice is a mistake in the caller's policy."""
    with pytest.raises(MalformedError, match="each name and key id once"):
        open_note(NOTE_OF_BOTH, [ADA, BOB, ADA])


@given(place=st.integers(0, len(NOTE_OF_BOTH) - 1), flip=st.integers(1, 255))
def test_no_changed_byte_survives_when_all_keys_are_known(place: int, flip: int) -> None:
    """Change any byte, and the note is refused or one of its signatures is no longer known."""
    data = bytearray(NOTE_OF_BOTH)
    data[place] ^= flip
    try:
        note = open_note(bytes(data), [ADA, BOB])
    except (MalformedError, SignatureError):
        return
    assert note.text == TEXT
    assert len(note.verified) == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "blank line"),
        (b"a line\n", "blank line"),
        (TEXT + b"\n", "newline"),
        (NOTE_OF_BOTH[:-1], "newline"),
        (b"\x00" + NOTE_OF_BOTH, "control character"),
        (NOTE_OF_BOTH.replace(b"a line\n", b"a line\r\n"), "control character"),
        (b"\xff" + NOTE_OF_BOTH, "UTF-8"),
        (NOTE_OF_BOTH + b"stray\n", "name signature"),
        (NOTE_OF_BOTH.replace("\u2014 ada".encode(), b"- ada"), "name signature"),
        (NOTE_OF_BOTH.replace(b"ada.example/log ", b"ada.example/log  "), "base64"),
        (NOTE_OF_BOTH.replace(b"ada.example/log", b"ada+example/log"), "no plus"),
        (NOTE_OF_BOTH.replace(b"ada.example/log", "ada\u2003x".encode()), "no space"),
        (TEXT + "\n\u2014  AAAAAAA=\n".encode(), "no space"),
        (TEXT + "\n\u2014 ada AAAAAA==\n".encode(), "key id of 4 bytes"),
        (TEXT + b"\n" + b"\xe2\x80\x94 ada AAAAAAA=\n" * 101, "signatures: expected at most 100, got 101"),
        (bytes(b"x" * 262_145), "at most 262144 bytes"),
    ],
)
def test_what_is_not_a_note_is_refused(data: bytes, said: str) -> None:
    """Every rule of the form, broken alone."""
    with pytest.raises(MalformedError, match=said):
        open_note(data, [ADA, BOB])


def test_vkeys_read_back() -> None:
    """A published key is exactly its name, key id and bytes."""
    assert parse_vkey(vkey(ADA)) == ADA


@pytest.mark.parametrize(
    ("vkey", "said"),
    [
        ("", "name.key id.key"),
        ("name", "name.key id.key"),
        ("name+00000000", "name.key id.key"),
        ("name+00000000+", "got no key"),
        ("name+00000000+" + base64.b64encode(b"\x05" + bytes(32)).decode(), "type 01, 02, 04, 06, got 05"),
        ("name+00000000+" + base64.b64encode(b"\x01" + bytes(31)).decode(), "32 bytes, got 31"),
        ("name+00000000+" + base64.b64encode(b"\x01" + bytes(32)).decode(), "expected key id"),
        ("n\x01me+00000000+" + base64.b64encode(b"\x01" + bytes(32)).decode(), "no control character"),
        ("n me+00000000+" + base64.b64encode(b"\x01" + bytes(32)).decode(), "no space"),
        (VKEY.replace("eefd1545", "EEFD1545"), "expected key id eefd1545"),
    ],
)
def test_what_is_not_a_vkey_is_refused(vkey: str, said: str) -> None:
    """Missing parts, types we have no verifier for, wrong sizes, wrong key ids."""
    with pytest.raises(MalformedError, match=said):
        parse_vkey(vkey)


def test_a_log_signs_its_own_checkpoint() -> None:
    """The signature of a witness, or of another log, does not make a checkpoint of this one."""
    checkpoint = Checkpoint(ADA.name, 3, bytes(32))
    cosigned = write_note(checkpoint.text(), [signature(BOB_KEY, BOB, checkpoint.text())])
    with pytest.raises(SignatureError, match=r"expected the log ada.example/log to sign its own"):
        open_checkpoint(cosigned, [ADA, BOB])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"log\n",
        b"log\n3\n",
        b"log\n3\nAAAA\n",
        b"\n3\n" + base64.b64encode(bytes(32)) + b"\n",
        b"log\n03\n" + base64.b64encode(bytes(32)) + b"\n",
        b"log\n-3\n" + base64.b64encode(bytes(32)) + b"\n",
        b"log\n18446744073709551616\n" + base64.b64encode(bytes(32)) + b"\n",
        b"log\n3\n" + base64.b64encode(bytes(32)),
        b"log\n3\n" + base64.b64encode(bytes(32)) + b"\nextension\n",
        b"log\n3\n" + base64.b64encode(bytes(32)) + b"\nextension",
        b"log\n3\n" + base64.b64encode(bytes(32)) + b"\n\n",
        b"log\n0\n" + base64.b64encode(bytes(32)) + b"\n",
        b"l\xffg\n3\n" + base64.b64encode(bytes(32)) + b"\n",
        b"l\x01g\n3\n" + base64.b64encode(bytes(32)) + b"\n",
        b"log\n3\n" + base64.b64encode(bytes(33)) + b"\n",
    ],
)
def test_what_is_not_a_checkpoint_is_refused(text: bytes) -> None:
    """Three lines, one spelling, no extension; an empty tree has the empty root."""
    with pytest.raises(MalformedError, match=r"^checkpoint"):
        Checkpoint.parse(text)


@given(st.integers(1, 2**64 - 1), st.binary(min_size=32, max_size=32))
def test_checkpoints_read_back(size: int, root: bytes) -> None:
    """Writing and parsing a checkpoint are inverse."""
    for origin in ("log.example/1", "an origin of any text"):
        checkpoint = Checkpoint(origin, size, root)
        assert checkpoint == Checkpoint.parse(checkpoint.text())


@pytest.mark.parametrize("size", [-1, 2**64])
def test_a_checkpoint_has_a_u64_size(size: int) -> None:
    """A size no reader would accept is not written."""
    with pytest.raises(MalformedError, match="checkpoint size"):
        Checkpoint("log", size, bytes(32))


def test_a_checkpoint_has_a_root_of_32_bytes() -> None:
    """A root no reader would accept is not written."""
    with pytest.raises(MalformedError, match="32 bytes, got 31"):
        Checkpoint("log", 1, bytes(31))


def test_a_line_that_stands_there_often_is_verified_once() -> None:
    """Whoever sends a note with a hundred copies of one line makes nobody work a hundred times."""
    asked: list[bytes] = []

    class Counting(Ed25519Verifier):
        def verify(self, text: bytes, signature: bytes) -> bool:
            asked.append(signature)
            return super().verify(text, signature)

    line = signature(ADA_KEY, ADA)
    opened = open_note(write_note(TEXT, [line] * 100), [Counting(ADA.name, ADA.public_key)])
    assert opened.verified == (line,)
    assert len(asked) == 1
