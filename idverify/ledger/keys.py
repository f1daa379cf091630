"""Names and ids of keys, as C2SP signed-note defines them for every type of signature."""

from hashlib import sha256

from idverify.ledger.errors import MalformedError


def key_id(name: str, signature_type: int, public_key: bytes) -> bytes:
    """The recommended key id: 4 bytes of SHA-256 over name, newline, type and key."""
    return sha256(name.encode() + b"\n" + bytes([signature_type]) + public_key).digest()[:4]


def require_key_name(name: str) -> None:
    """Raises `MalformedError`: a name that no signature line could carry."""
    strange = any(character.isspace() or character < " " or "\ud800" <= character <= "\udfff" for character in name)
    if not name or "+" in name or strange:
        raise MalformedError(f"key name: expected no space, no plus and no control character, got {name[:80]!r}")
