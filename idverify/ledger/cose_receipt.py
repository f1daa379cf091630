"""COSE Receipts (RFC 9942) over the log's tree: vds 1, RFC9162_SHA256, which is the very tree the tiles hold.

```
18([<<{1: alg, 4: kid, 15: {1: issuer, 2: origin}, 395: 1}>>,                 signed, the same for every receipt
    {396: {-1: [<<[tree size, leaf index, [hash, ...]]>>]}},                  inclusion; consistency is -2
    null,                                                                     the root: left out, so it is computed
    signature])                                                               over the root
```
kid and claims make it a Receipt of RFC 9943 (SCITT); its `sub` is the log's origin, since the statement signed is
about the log. As only root and protected header are signed, one signature serves every entry of a checkpoint.

The root alone is signed: size and index are worth what the proof makes of them, and nothing may be concluded from
them that the entry does not say itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from idverify.ledger import cbor
from idverify.ledger.errors import MalformedError, ProofError, ReceiptError
from idverify.ledger.lines import U64_MAX
from idverify.ledger.merkle import consistency_root, inclusion_root
from idverify.ledger.receipt_key import ReceiptKey

MEDIA_TYPE: Final = "application/scitt-receipt+cose"
"""Registered by RFC 9943."""

MAX_RECEIPT: Final = 16 * 1024
"""Bytes: 64 hashes and an ML-DSA-44 signature take less than 5 KiB."""

ALG, KID, CLAIMS, VDS, VDP = 1, 4, 15, 395, 396
ISSUER, SUBJECT = 1, 2
RFC9162_SHA256: Final = 1
INCLUSION, CONSISTENCY = -1, -2

FORMAT, PROOF, SIGNATURE = "format", "proof", "signature"

_TAG: Final = b"\xd2"  # 18, COSE_Sign1
_LABELS: Final = {ALG, KID, CLAIMS, VDS}


@dataclass(frozen=True, slots=True)
class Message:
    """A receipt taken apart; nothing in it is believed yet."""

    protected: bytes
    header: Mapping[Any, Any]
    unprotected: Mapping[Any, Any]
    payload: object
    signature: bytes


@dataclass(frozen=True, slots=True)
class Expected:
    """What a reader was configured with: keys, and whose log it must be (None: any that these keys speak for)."""

    keys: Sequence[ReceiptKey]
    issuer: str | None = None
    origin: str | None = None

    def __post_init__(self) -> None:
        """Refuse to verify with no key at all."""
        if not self.keys:
            raise MalformedError("COSE receipt: expected at least one key to verify with, got none")

    def key(self, message: Message) -> ReceiptKey:
        """The key whose signature it has to be: the one it names; whether it names one is a rule of its own."""
        return next((key for key in self.keys if key.kid == message.header.get(KID)), self.keys[0])


@dataclass(frozen=True, slots=True)
class Proven:
    """What a receipt shows: the `root` (32 bytes) is the log's, for a tree said to have `size` leaves."""

    root: bytes
    size: int
    index: int | None = None


def protected_header(key: ReceiptKey, issuer: str, origin: str) -> bytes:
    """The protected header of every receipt of one log under one key: deterministic CBOR."""
    claims = {ISSUER: issuer, SUBJECT: origin}
    return cbor.encode({ALG: key.algorithm, KID: key.kid, CLAIMS: claims, VDS: RFC9162_SHA256})


def to_be_signed(protected: bytes, root: bytes) -> bytes:
    """Sig_structure of RFC 9052 section 4.4, with the root (32 bytes) as payload."""
    return cbor.encode(["Signature1", protected, b"", root])


def encode_inclusion(protected: bytes, signature: bytes, size: int, index: int, hashes: Sequence[bytes]) -> bytes:
    """A receipt of inclusion (RFC 9942 section 5.2).

    Raises `MalformedError`: a tree of one leaf, whose empty path the RFC has no encoding for.
    """
    return _encode(protected, signature, INCLUSION, [size, index, list(hashes)])


def encode_consistency(protected: bytes, signature: bytes, size1: int, size2: int, hashes: Sequence[bytes]) -> bytes:
    """A receipt of consistency (RFC 9942 section 5.3).

    Raises `MalformedError`: two equal sizes, whose empty path the RFC has no encoding for.
    """
    return _encode(protected, signature, CONSISTENCY, [size1, size2, list(hashes)])


def verify_inclusion_receipt(data: bytes, leaf_hash: bytes, expected: Expected) -> Proven:
    """Check that the entry with this leaf hash (32 bytes) is in the log that `expected` describes.

    Raises `ReceiptError`: that is not shown; `rule` is one of `RULES`.
    """
    message = _read(data, expected, INCLUSION)
    size, index, hashes = _proof(message, INCLUSION)
    try:
        root = inclusion_root(index, size, leaf_hash, hashes)
    except ProofError as error:
        raise ReceiptError(PROOF, str(error)) from error
    _require_signature(message, expected, root)
    return Proven(root, size, index)


def verify_consistency_receipt(data: bytes, size1: int, root1: bytes, expected: Expected) -> Proven:
    """Check that the log that `expected` describes extends the one whose (`size1`, `root1`) the reader knows.

    Raises `ReceiptError`: that is not shown; `rule` is one of `RULES`.
    """
    message = _read(data, expected, CONSISTENCY)
    stated, size2, hashes = _proof(message, CONSISTENCY)
    if stated != size1:
        raise ReceiptError(PROOF, f"expected a proof from size {size1}, got one from {stated}")
    try:
        root = consistency_root(size1, size2, root1, hashes)
    except ProofError as error:
        raise ReceiptError(PROOF, str(error)) from error
    _require_signature(message, expected, root)
    return Proven(root, size2)


def _labels(message: Message, _expected: Expected, _kind: int) -> str | None:
    if unknown := message.header.keys() - _LABELS:
        return f"expected the labels {sorted(_LABELS)}, got {sorted(map(str, unknown))} beside them"
    return None


def _kid(message: Message, expected: Expected, _kind: int) -> str | None:
    if message.header.get(KID) == expected.key(message).kid:
        return None
    return f"expected one of {[key.kid.hex() for key in expected.keys]}"


def _algorithm(message: Message, expected: Expected, _kind: int) -> str | None:
    stated, ours = message.header.get(ALG), expected.key(message).algorithm
    return None if type(stated) is int and stated == ours else f"expected {ours}, that of the key, got {stated!r:.40}"


def _vds(message: Message, _expected: Expected, _kind: int) -> str | None:
    stated = message.header.get(VDS)
    return (
        None if type(stated) is int and stated == RFC9162_SHA256 else f"expected 1 (RFC9162_SHA256), got {stated!r:.40}"
    )


def _claims(message: Message, expected: Expected, _kind: int) -> str | None:
    claims = message.header.get(CLAIMS)
    if not isinstance(claims, dict):
        return "expected CWT Claims with the issuer of the receipt"
    for name, label, wanted in (("iss", ISSUER, expected.issuer), ("sub", SUBJECT, expected.origin)):
        if wanted is not None and claims.get(label) != wanted:
            return f"expected {name} {wanted!r}, got {claims.get(label)!r:.200}"
    return None


def _detached(message: Message, _expected: Expected, _kind: int) -> str | None:
    return None if message.payload is None else "expected no payload: the root has to be computed"


def _single(message: Message, _expected: Expected, kind: int) -> str | None:
    proofs = message.unprotected.get(VDP)
    if isinstance(proofs, dict) and isinstance(proofs.get(kind), list):
        alone = message.unprotected.keys() == {VDP} and proofs.keys() == {kind} and len(proofs[kind]) == 1
        return None if alone else "expected one proof and nothing else: nobody signs what stands beside it"
    return f"expected {{396: {{{kind}: [proof]}}}}"


HEADER_RULES: Final[Mapping[str, Callable[[Message, Expected, int], str | None]]] = {
    "labels": _labels,
    "kid": _kid,
    "algorithm": _algorithm,
    "vds": _vds,
    "claims": _claims,
    "detached": _detached,
    "single": _single,
}
"""Rule id -> what is wrong with a message, None where it holds; checked in this order, before any proof is."""

RULES: Final = (FORMAT, *HEADER_RULES, PROOF, SIGNATURE)
"""Rule ids of `ReceiptError`, in the order they are checked."""


def _encode(protected: bytes, signature: bytes, kind: int, proof: list[Any]) -> bytes:
    if not proof[2]:
        raise MalformedError("COSE receipt: expected a path of at least one hash (RFC 9942 section 5)")
    return _TAG + cbor.encode([protected, {VDP: {kind: [cbor.encode(proof)]}}, None, signature])


def _read(data: bytes, expected: Expected, kind: int) -> Message:
    try:
        message = _taken_apart(data)
    except MalformedError as error:
        raise ReceiptError(FORMAT, str(error)) from error
    for rule, wrong in HEADER_RULES.items():
        if detail := wrong(message, expected, kind):
            raise ReceiptError(rule, detail)
    return message


def _taken_apart(data: bytes) -> Message:
    if data[:1] != _TAG:
        raise MalformedError("COSE receipt: expected the tag of a COSE_Sign1")
    match cbor.decode(data[1:], "COSE receipt", limit=MAX_RECEIPT):
        case [bytes(protected), dict(unprotected), None | bytes() as payload, bytes(signature)]:
            return Message(protected, _header(protected), unprotected, payload, signature)
    raise MalformedError("COSE receipt: expected [protected, unprotected, payload, signature]")


def _header(protected: bytes) -> Mapping[Any, Any]:
    """The protected header. Its order is left to the issuer, who signs these very bytes; all else has one spelling."""
    header = cbor.decode(protected, "COSE receipt header", limit=MAX_RECEIPT, ordered=False)
    if not isinstance(header, dict):
        raise MalformedError("COSE receipt header: expected a map")
    return header


def _proof(message: Message, kind: int) -> tuple[int, int, list[bytes]]:
    encoded = message.unprotected[VDP][kind][0]
    try:
        match isinstance(encoded, bytes) and cbor.decode(encoded, "COSE receipt proof", limit=MAX_RECEIPT):
            case [int(first), int(second), list(hashes)] if hashes and all(type(one) is bytes for one in hashes):
                if 0 <= first <= U64_MAX and 0 <= second <= U64_MAX:
                    return first, second, hashes
    except MalformedError as error:
        raise ReceiptError(FORMAT, str(error)) from error
    raise ReceiptError(FORMAT, "expected a proof of two numbers below 2^64 and an array of hashes")


def _require_signature(message: Message, expected: Expected, root: bytes) -> None:
    if not expected.key(message).verifies(to_be_signed(message.protected, root), message.signature):
        raise ReceiptError(SIGNATURE, f"it does not verify over the root {root.hex()}")
