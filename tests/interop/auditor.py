"""An auditor of the log, written from docs/ledger-format.md alone: it shares no line with the code that it checks.

python tests/interop/auditor.py URL|DIRECTORY VKEY      exit status: 0 the log holds, 1 it does not
"""

import sys
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from struct import unpack
from urllib.error import HTTPError
from urllib.request import urlopen

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class BrokenLog(Exception):
    """The log does not hold; the message says why."""


def require(holds: object, why: str) -> None:
    """Section 13 in one line."""
    if not holds:
        raise BrokenLog(why)


def read(source: str, path: str, limit: int) -> bytes | None:
    """Section 9: a file below a prefix."""
    if source.startswith(("http://", "https://")):
        try:
            with urlopen(f"{source.rstrip('/')}/{path}", timeout=30) as answer:  # noqa: S310  the scheme was checked
                return bytes(answer.read(limit + 1))
        except HTTPError:
            return None
    file = Path(source, path)
    return file.read_bytes()[: limit + 1] if file.is_file() else None


def tile_path(level: str, index: int, width: int) -> str:
    """Section 9: where tiles and bundles are."""
    digits = f"{index:03d}"
    digits = "0" * (-len(digits) % 3) + digits
    *groups, last = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return f"tile/{level}/" + "".join(f"x{group}/" for group in groups) + last + (f".p/{width}" if width < 256 else "")


def read_tile(source: str, level: str, index: int, width: int, each: int) -> bytes:
    """A tile or bundle; a full one stands in for a partial one that is gone."""
    for path in (tile_path(level, index, width), tile_path(level, index, 256)):
        if (data := read(source, path, each * 256)) is not None and len(data) <= each * 256:
            return data
    raise BrokenLog(f"{tile_path(level, index, width)}: missing or too long")


def node(left: bytes, right: bytes) -> bytes:
    """Section 1."""
    return sha256(b"\x01" + left + right).digest()


def mth(hashes: list[bytes]) -> bytes:
    """Section 1: the root over hashes of one level."""
    if len(hashes) <= 1:
        return hashes[0] if hashes else sha256(b"").digest()
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return node(mth(hashes[:split]), mth(hashes[split:]))


def signed_checkpoint(note: bytes, vkey: str) -> tuple[str, int, bytes]:
    """Sections 4 and 14: origin, size and root, signed with the key that we brought."""
    name, stated, encoded = vkey.split("+", 2)
    key = b64decode(encoded, validate=True)
    key_id = sha256(name.encode() + b"\n" + key).digest()[:4]
    require(key[:1] == b"\x01" and len(key) == 33 and key_id.hex() == stated, "the verifier key is no Ed25519 key")
    text, blank, lines = note.rpartition(b"\n\n")
    require(blank and lines.endswith(b"\n"), "the checkpoint is no signed note")
    ours = []
    for line in lines.decode().splitlines():
        dash, signer, signature = line.split(" ")
        require(dash == "\u2014", "a signature line does not begin with a dash")
        if signer == name and (blob := b64decode(signature, validate=True))[:4] == key_id:
            ours.append(blob[4:])
    require(ours, "the log did not sign its checkpoint")
    for signature in ours:
        try:
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature, text + b"\n")
        except InvalidSignature:
            raise BrokenLog("the log's signature does not verify") from None
    origin, size, root = text.decode().split("\n")
    require(origin == name, f"the checkpoint is that of {origin}")
    require(size.isascii() and size.isdigit() and str(int(size)) == size and int(size) < 2**64, "the size is no number")
    require(len(b64decode(root)) == 32 and b64encode(b64decode(root)).decode() == root, "the root is no hash")
    return origin, int(size), b64decode(root)


def audit(source: str, vkey: str) -> tuple[int, bytes]:
    """Section 13: size and root of a log that holds. Raises `BrokenLog`."""
    note = read(source, "checkpoint", 256 * 1024) or b""
    require(note and len(note) <= 256 * 1024, "there is no checkpoint")
    origin, size, root = signed_checkpoint(note, vkey)
    prev, time, kind, leaves = sha256(b"idverify-ledger/v1\n" + origin.encode()).digest(), 0, 0, []
    for first in range(0, size, 256):
        width = min(256, size - first)
        bundle = read_tile(source, "entries", first // 256, width, 2 + 512)
        stored = read_tile(source, "0", first // 256, width, 32)
        for index in range(first, first + width):
            length = int.from_bytes(bundle[:2], "big")
            entry, bundle = bundle[2 : 2 + length], bundle[2 + length :]
            leaf = sha256(b"\x00" + entry).digest()
            require(kind != 7, f"entry {index}: behind the one that closes the log")
            require(leaf == stored[32 * (index - first) :][:32], f"entry {index}: not the one in its tile")
            time, prev, kind = examine(entry, index, prev, time), leaf, entry[1]
            leaves.append(leaf)
        require(width < 256 or not bundle, f"entry {first + width}: one too many in its bundle")
    require(mth(leaves) == root, "the entries do not lead to the signed root")
    compare_tiles(source, leaves)
    return size, root


def examine(entry: bytes, index: int, prev: bytes, time: int) -> int:
    """Section 2: the form of an entry, and that it continues the one before; its time."""
    require(len(entry) == 102, f"entry {index}: {len(entry)} bytes")
    version, kind, flags, number, stamp, before = unpack(">BBHQI32s", entry[:48])
    require((version, flags, number) == (1, 0, index), f"entry {index}: header")
    require(kind <= 7 and (kind == 0) == (index == 0), f"entry {index}: type {kind}")
    require(before == prev, f"entry {index}: does not continue the one before")
    require(stamp >= time and stamp % 60 == 0, f"entry {index}: time")
    require(entry[48:51] == b"\xa2\x01\x50" and entry[67:70] == b"\x02\x58\x20", f"entry {index}: body")
    return int(stamp)


def compare_tiles(source: str, hashes: list[bytes]) -> None:
    """Section 5: at each level, every tile is the hashes of its level; full ones are a hash of the next."""
    level = 0
    while hashes:
        tiles = [hashes[at : at + 256] for at in range(0, len(hashes), 256)]
        for index, tile in enumerate(tiles):
            stored = read_tile(source, str(level), index, len(tile), 32)
            holds = len(stored) in {32 * len(tile), 8192} and stored[: 32 * len(tile)] == b"".join(tile)
            require(holds, f"{tile_path(str(level), index, len(tile))}: not the hashes below it")
        hashes = [mth(tile) for tile in tiles if len(tile) == 256]
        level += 1


if __name__ == "__main__":
    try:
        print("holds:", *audit(sys.argv[1], sys.argv[2]))  # noqa: T201  it is a program
    except (BrokenLog, ValueError) as why:
        sys.exit(f"does not hold: {why}")
