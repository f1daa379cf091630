r"""C2SP signed notes (c2sp.org/signed-note@v1.0.0): text, a blank line, and one line per signature.

>>> verifier = parse_vkey("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
>>> signature = (
...     "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
... )
>>> text = f"This is an example message.\n\n— example.com/foo {signature}\n"
>>> note = open_note(text.encode(), [verifier])
>>> note.text
b'This is an example message.\n'
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from idverify.ledger.cosignature import COSIGNATURE_V1, ML_DSA_44, CosignatureV1Verifier, MlDsa44Verifier
from idverify.ledger.ecdsa import ECDSA, EcdsaVerifier
from idverify.ledger.errors import MalformedError, SignatureError
from idverify.ledger.keys import key_id, require_key_name
from idverify.ledger.lines import base64_text, parse_base64

MAX_NOTE: Final = 256 * 1024
"""Bytes; room for the 16 signatures every verifier must accept, each post-quantum and in base64, and more."""
MAX_SIGNATURES: Final = 100
"""The limit of golang.org/x/mod/sumdb/note; the text asks for at least 16."""

ED25519: Final = 0x01

_DASH: Final = "\u2014 "


class NoteVerifier(Protocol):
    """A key we were told to trust, under the name it signs with."""

    @property
    def name(self) -> str:
        """Key name: no space, no plus; for a log, its origin."""

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that stand before each of its signatures."""

    @property
    def signature_type(self) -> int:
        """The byte that names algorithm and message: a key of `VERIFIER_FOR_TYPE`."""

    @property
    def public_key(self) -> bytes:
        """The key as it stands in the vkey behind the type."""

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Whether `signature` (without the key id) is this key's over the note text."""


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: `signature` is what follows the key id."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        """The line as it stands in the note, newline included."""
        return f"{_DASH}{self.name} {base64_text(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A note whose text may be believed, since a known key signed it; `ignored` are lines of unknown keys.

    A key stands in `verified` once, however often it signed.
    """

    text: bytes
    verified: tuple[NoteSignature, ...]
    ignored: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True)
class Ed25519Verifier:
    """Signature type 01: Ed25519 over the note text."""

    name: str
    public_key: bytes

    signature_type: ClassVar[int] = ED25519

    def __post_init__(self) -> None:
        """Refuse names and keys that no note could carry."""
        require_key_name(self.name)
        if len(self.public_key) != 32:
            raise MalformedError(f"Ed25519 key: expected 32 bytes, got {len(self.public_key)}")

    @property
    def key_id(self) -> bytes:
        """SHA-256(name || 0A || 01 || key)[:4]."""
        return key_id(self.name, ED25519, self.public_key)

    def verify(self, text: bytes, signature: bytes) -> bool:
        """RFC 8032 verification."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


VERIFIER_FOR_TYPE: Final[Mapping[int, Callable[[str, bytes], NoteVerifier]]] = {
    ED25519: Ed25519Verifier,
    ECDSA: EcdsaVerifier,
    COSIGNATURE_V1: CosignatureV1Verifier,
    ML_DSA_44: MlDsa44Verifier,
}
"""Signature type byte -> verifier. Lines of every other type are lines of unknown keys, which are ignored."""


def vkey(verifier: NoteVerifier) -> str:
    """The verifier key `name+hex(key id)+base64(type || key)` people configure and publish."""
    key = bytes([verifier.signature_type]) + verifier.public_key
    return f"{verifier.name}+{verifier.key_id.hex()}+{base64_text(key)}"


def parse_vkey(text: str) -> NoteVerifier:
    """The verifier a vkey stands for.

    Raises `MalformedError`: not a vkey, of a type we do not support, or the key id does not fit the key.
    """
    name, _, rest = text.partition("+")
    stated_id, plus, encoded = rest.partition("+")
    if not plus:
        raise MalformedError(f"vkey: expected name+key id+key, got {text[:80]!r}")
    key = parse_base64(encoded, "vkey")
    if not key or key[0] not in VERIFIER_FOR_TYPE:
        supported = ", ".join(f"{kind:02x}" for kind in VERIFIER_FOR_TYPE)
        raise MalformedError(f"vkey: expected a key of type {supported}, got {key[:1].hex() or 'no key'}")
    verifier = VERIFIER_FOR_TYPE[key[0]](name, key[1:])
    if stated_id != verifier.key_id.hex():
        raise MalformedError(f"vkey: expected key id {verifier.key_id.hex()} for this name and key, got {stated_id!r}")
    return verifier


def write_note(text: bytes, signatures: Iterable[NoteSignature]) -> bytes:
    """Put a note together; `text` ends with a newline."""
    return text + b"\n" + "".join(signature.line() for signature in signatures).encode()


def open_note(text: bytes, verifiers: Sequence[NoteVerifier]) -> Note:
    """Parse a note and verify every signature by a known key.

    Raises `MalformedError`: not a note, or two verifiers share name and key id.
    Raises `SignatureError`: a known key's signature is wrong, or no known key signed.
    """
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    if len(known) != len(verifiers):
        raise MalformedError("verifiers: expected each name and key id once")
    body, signatures = split_note(text)
    verified: dict[tuple[str, bytes], NoteSignature] = {}
    ignored: list[NoteSignature] = []
    for signature in signatures:
        key = (signature.name, signature.key_id)
        verifier = known.get(key)
        if verified.get(key) == signature:
            continue  # the same line again, which would only cost its verification again
        if verifier is None:
            ignored.append(signature)
        elif not verifier.verify(body, signature.signature):
            raise SignatureError(f"signature by {signature.name} ({signature.key_id.hex()}) does not verify")
        else:
            verified.setdefault(key, signature)
    if not verified:
        expected = ", ".join(sorted(verifier.name for verifier in verifiers)) or "no key at all"
        raise SignatureError(f"expected a signature by {expected}; the note has none of it")
    return Note(body, tuple(verified.values()), tuple(ignored))


def split_note(note: bytes) -> tuple[bytes, list[NoteSignature]]:
    """Text and signatures of a note, of which nothing is believed yet.

    Raises `MalformedError`: not a note.
    """
    if len(note) > MAX_NOTE:
        raise MalformedError(f"note: expected at most {MAX_NOTE} bytes, got {len(note)}")
    if any(byte < 0x20 for byte in note.replace(b"\n", b"")):
        raise MalformedError("note: expected no control character but newline")
    text, blank, tail = note.rpartition(b"\n\n")
    if not blank:
        raise MalformedError("note: expected text, a blank line, and signature lines")
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise MalformedError("note: expected UTF-8") from error
    return text + b"\n", parse_signatures(tail)


def parse_signatures(lines: bytes) -> list[NoteSignature]:
    """One or more signature lines, as they stand below the text, or as a witness sends them.

    Raises `MalformedError`: anything else.
    """
    try:
        *signatures, rest = lines.decode().split("\n")
    except UnicodeDecodeError as error:
        raise MalformedError("signatures: expected UTF-8") from error
    if rest or not signatures:
        raise MalformedError("signatures: expected lines that end with a newline")
    if len(signatures) > MAX_SIGNATURES:
        raise MalformedError(f"signatures: expected at most {MAX_SIGNATURES}, got {len(signatures)}")
    return [_parse_signature(line) for line in signatures]


def _parse_signature(line: str) -> NoteSignature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH):
        raise MalformedError(f"note: expected '\u2014 name signature', got {line[:80]!r}")
    require_key_name(name)
    blob = parse_base64(encoded, f"signature by {name}")
    if len(blob) <= 4:
        raise MalformedError(f"signature by {name}: expected a key id of 4 bytes and a signature, got {len(blob)}")
    return NoteSignature(name, blob[:4], blob[4:])
