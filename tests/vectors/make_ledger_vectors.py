"""Makes tests/vectors/ledger/*.json from the specifications alone; nothing of the code under test is imported.

Run it from the repository root: `python tests/vectors/make_ledger_vectors.py`. The output never varies: ML-DSA
signatures hold fresh randomness, so one that is in the file already and verifies is kept.
"""

import hmac
import json
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from struct import pack
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

FOLDER = Path(__file__).parent / "ledger"
ORIGIN = "log.example/1"
KEY = Ed25519PrivateKey.from_private_bytes(sha256(b"idverify test log key").digest())
START = 1_800_000_000
ENTRIES = 13


def mth(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, MTH over leaf hashes."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1, PATH."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], *, known: bool) -> list[bytes]:
    """RFC 6962 section 2.1.2, SUBPROOF."""
    if m == len(leaves):
        return [] if known else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], known=known), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], known=False), mth(leaves[:k])]


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def record(number: int) -> list[Any]:
    """What entry `number` says."""
    digest = sha256(b"object %d" % number).digest()
    return [1, "credential.issued", digest, b"key id 8", ["https://status.example/1", number], None, None]


def salt(number: int) -> bytes:
    return sha256(b"salt %d" % number).digest()


def entries() -> list[bytes]:
    """A log: its start, then credentials, one every 25 seconds."""
    made: list[bytes] = []
    prev = sha256(b"idverify-ledger/v1\n" + ORIGIN.encode()).digest()
    for number in range(ENTRIES):
        time = (START + 25 * number) // 60 * 60
        handle = sha256(b"handle %d" % number).digest()[:16]
        digest = hmac.digest(salt(number), cbor2.dumps(record(number)), "sha256")
        header = pack(">BBHQI", 1, 1 if number else 0, 0, number, time) + prev
        made.append(header + cbor2.dumps({1: handle, 2: digest}, canonical=True))
        prev = sha256(b"\x00" + made[-1]).digest()
    return made


def log_vector(log: list[bytes], leaves: list[bytes]) -> dict[str, Any]:
    return {
        "origin": ORIGIN,
        "entries": [
            {
                "now": START + 25 * number,
                "entry": entry.hex(),
                "leaf_hash": leaves[number].hex(),
                "root": mth(leaves[: number + 1]).hex(),
                "salt": salt(number).hex(),
                "record": cbor2.dumps(record(number)).hex(),
            }
            for number, entry in enumerate(log)
        ],
    }


def merkle_vector(leaves: list[bytes]) -> dict[str, Any]:
    sizes = range(1, len(leaves) + 1)
    return {
        "leaf_hashes": [leaf.hex() for leaf in leaves],
        "roots": [mth(leaves[:size]).hex() for size in range(len(leaves) + 1)],
        "inclusion": [
            {"index": index, "size": size, "proof": [value.hex() for value in path(index, leaves[:size])]}
            for size in sizes
            for index in range(size)
        ],
        "consistency": [
            {
                "size1": size1,
                "size2": size2,
                "proof": [value.hex() for value in subproof(size1, leaves[:size2], known=True)],
            }
            for size2 in sizes
            for size1 in range(1, size2 + 1)
        ],
    }


def receipt_vector(log: list[bytes], leaves: list[bytes]) -> dict[str, Any]:
    """The receipt of entry 6, and the vkey it is checked with."""
    index = 6
    public = b"\x01" + KEY.public_key().public_bytes_raw()
    key_id = sha256(ORIGIN.encode() + b"\n" + public).digest()[:4]
    text = f"{ORIGIN}\n{len(log)}\n{base64(mth(leaves))}\n"
    note = f"{text}\n\u2014 {ORIGIN} {base64(key_id + KEY.sign(text.encode()))}\n"
    opening = cbor2.dumps({1: log[index], 2: salt(index), 3: cbor2.dumps(record(index))}, canonical=True)
    hashes = "".join(f"{base64(value)}\n" for value in path(index, leaves))
    return {
        "vkey": f"{ORIGIN}+{key_id.hex()}+{base64(public)}",
        "object_digest": sha256(b"object 6").hexdigest(),
        "proof": f"c2sp.org/tlog-proof@v1\nextra {base64(opening)}\nindex {index}\n{hashes}\n{note}",
    }


def ecdsa_line(curve: ec.EllipticCurve, name: str, text: bytes) -> dict[str, Any]:
    """Signature type 02: the id is of the key alone, the nonce is that of RFC 6979."""
    key = ec.derive_private_key(int.from_bytes(sha256(name.encode()).digest()), curve)
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    signature = key.sign(text, ec.ECDSA(SHA256(), deterministic_signing=True))
    return line(2, name, sha256(spki).digest()[:4], spki, None, text, signature)


def cosignature_v1_line(name: str, time: int, text: bytes) -> dict[str, Any]:
    """Signature type 04: two lines of ASCII in front of the text."""
    key = Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest())
    public = key.public_key().public_bytes_raw()
    message = b"cosignature/v1\n" + b"time %d\n" % time + text
    return line(4, name, long_id(4, name, public), public, time, message, pack(">Q", time) + key.sign(message))


def ml_dsa_44_line(name: str, time: int, head: tuple[str, int, bytes]) -> dict[str, Any]:
    """Signature type 06: the structure of tlog-cosignature, field by field."""
    origin, size, root = head
    key = MLDSA44PrivateKey.from_seed_bytes(sha256(name.encode()).digest())
    public = key.public_key().public_bytes_raw()
    message = b"".join(
        [
            bytes.fromhex("737562747265652f76310a00"),  # label: subtree/v1, newline, zero
            pack(">B", len(name.encode())) + name.encode(),
            pack(">Q", time),
            pack(">B", len(origin.encode())) + origin.encode(),
            pack(">Q", 0),
            pack(">Q", size),
            root,
        ]
    )
    made = line(6, name, long_id(6, name, public), public, time, message, pack(">Q", time) + key.sign(message))
    return kept(made, key) or made


def kept(made: dict[str, Any], key: MLDSA44PrivateKey) -> dict[str, Any] | None:
    """The same line as it is in the file, if it holds."""
    if (FOLDER / "cosignatures.json").exists():
        for before in json.loads((FOLDER / "cosignatures.json").read_text())["lines"]:
            if {**before, "line": None} == {**made, "line": None}:
                signature = b64decode(before["line"].rpartition(" ")[2])[12:]
                key.public_key().verify(signature, bytes.fromhex(made["message"]))
                return dict(before)
    return None


def long_id(kind: int, name: str, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def line(
    kind: int, name: str, key_id: bytes, public: bytes, time: int | None, message: bytes, payload: bytes
) -> dict[str, Any]:
    return {
        "type": kind,
        "vkey": f"{name}+{key_id.hex()}+{base64(bytes([kind]) + public)}",
        "time": time,
        "message": message.hex(),
        "line": f"\u2014 {name} {base64(key_id + payload)}\n",
    }


def cosignature_vector(leaves: list[bytes]) -> dict[str, Any]:
    """A checkpoint, and lines of every type over it; `message` is what was signed."""
    head = (ORIGIN, len(leaves), mth(leaves))
    text = f"{ORIGIN}\n{len(leaves)}\n{base64(mth(leaves))}\n".encode()
    return {
        "text": text.decode(),
        "lines": [
            ecdsa_line(ec.SECP256R1(), ORIGIN, text),
            ecdsa_line(ec.SECP384R1(), "p384.example/log", text),
            cosignature_v1_line("witness.example/w1", START + 400, text),
            ml_dsa_44_line("witness.example/w1", START + 401, head),
            ml_dsa_44_line(ORIGIN, 0, head),
            ml_dsa_44_line("w" * 255, 2**63 - 1, head),
        ],
    }


def base64(data: bytes) -> str:
    return b64encode(data).decode()


def vectors() -> dict[str, str]:
    """File name -> content."""
    log = entries()
    leaves = [sha256(b"\x00" + entry).digest() for entry in log]
    made = {
        "log.json": log_vector(log, leaves),
        "merkle.json": merkle_vector(leaves),
        "receipt.json": receipt_vector(log, leaves),
        "cosignatures.json": cosignature_vector(leaves),
    }
    return {name: json.dumps(value, indent=1, ensure_ascii=True) + "\n" for name, value in made.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, content in vectors().items():
        (FOLDER / name).write_text(content)
