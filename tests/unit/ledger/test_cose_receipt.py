"""COSE Receipts: what RFC 9942 says, to the byte, and that every rule refuses something that no other does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idverify.ledger import cose_receipt
from idverify.ledger.cose_receipt import (
    CONSISTENCY,
    HEADER_RULES,
    INCLUSION,
    MAX_RECEIPT,
    RULES,
    Expected,
    Proven,
    encode_consistency,
    encode_inclusion,
    protected_header,
    to_be_signed,
    verify_consistency_receipt,
    verify_inclusion_receipt,
)
from idverify.ledger.edge import RightEdge
from idverify.ledger.errors import MalformedError, ProofError, ReceiptError, SignatureError
from idverify.ledger.merkle import inclusion_proof, leaf_hash
from idverify.ledger.published import SignedTree
from idverify.ledger.receipt_issuer import ReceiptIssuer
from idverify.ledger.receipt_key import ALGORITHMS, ED25519, EDDSA, ES256, ML_DSA_44, ReceiptKey
from idverify.ledger.tiles import TileTree
from tests.simulators.ledger_memory import ORIGIN, LedgerMemory
from tests.simulators.root_signer import SoftwareRootSigner

ISS = "https://id.example"
SIGNER = SoftwareRootSigner()
EXPECTED = Expected([SIGNER.key], ISS, ORIGIN)
SIZE, INDEX = 11, 5
HEADER: dict[Any, Any] = {1: ES256, 4: SIGNER.key.kid, 15: {1: ISS, 2: ORIGIN}, 395: 1}


@cache
def memory() -> LedgerMemory:
    log = LedgerMemory()
    log.append(300)
    log.tiles = dict(RightEdge().extend(log.leaves)[1])
    return log


def root(size: int = SIZE) -> bytes:
    return RightEdge().extend(memory().leaves[:size])[0].root()


async def signed_tree(size: int = SIZE) -> SignedTree:
    return SignedTree(await TileTree.load(memory(), size, root(size)), b"note")


def path() -> list[bytes]:
    leaves = memory().leaves[:SIZE]
    return inclusion_proof(
        INDEX, SIZE, lambda level, at: RightEdge().extend(leaves[at << level : (at + 1) << level])[0].root()
    )


def receipt(
    header: dict[Any, Any] | bytes = HEADER,
    unprotected: Any = None,
    payload: Any = None,
    signer: SoftwareRootSigner = SIGNER,
    proof: Any = None,
    over: bytes | None = None,
) -> bytes:
    """A receipt made by an encoder of its own, of parts of the caller's own; by default a good one."""
    protected = header if isinstance(header, bytes) else cbor2.dumps(header, canonical=True)
    content = cbor2.dumps([SIZE, INDEX, path()]) if proof is None else proof
    beside = {396: {-1: [content]}} if unprotected is None else unprotected
    message = cbor2.dumps(["Signature1", protected, b"", root() if over is None else over])
    return cbor2.dumps(cbor2.CBORTag(18, [protected, beside, payload, signer.sign_now(message)]))


def verified(data: bytes, expected: Expected = EXPECTED) -> Proven:
    return verify_inclusion_receipt(data, memory().leaves[INDEX], expected)


def refused(data: bytes, expected: Expected = EXPECTED) -> str:
    with pytest.raises(ReceiptError) as caught:
        verified(data, expected)
    assert caught.value.rule in RULES
    return caught.value.rule


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_receipt_of_each_algorithm_is_what_the_rfc_says(algorithm: int) -> None:
    """The issuer writes the bytes that an encoder of its own writes, and the verifier accepts them."""
    signer = SoftwareRootSigner(algorithm)
    made = await ReceiptIssuer(signer, ISS, ORIGIN).inclusion(await signed_tree(), INDEX)
    tag, other = cbor2.loads(made), cbor2.loads(receipt(HEADER | {1: algorithm, 4: signer.key.kid}, signer=signer))

    assert tag.tag == 18
    assert tag.value[:3] == other.value[:3]
    assert cbor2.dumps(tag, canonical=True) == made
    assert verified(made, Expected([signer.key], ISS, ORIGIN)) == Proven(root(), SIZE, INDEX)


@pytest.mark.parametrize("size", [2, 3, 255, 256, 257, 300])
async def test_every_entry_of_a_tree_has_a_receipt(size: int) -> None:
    """Inclusion of each entry, and consistency from each smaller size, verify under the one signature."""
    signer, tree, leaves = SoftwareRootSigner(ED25519), await signed_tree(size), memory().leaves
    issuer, expected = ReceiptIssuer(signer, ISS, ORIGIN), Expected([signer.key], ISS, ORIGIN)
    for index in range(size):
        made = await issuer.inclusion(tree, index)
        assert verify_inclusion_receipt(made, leaves[index], expected) == Proven(root(size), size, index)
    for size1 in range(1, size, max(1, size // 40)):
        made = await issuer.consistency(tree, size1)
        assert verify_consistency_receipt(made, size1, root(size1), expected) == Proven(root(size), size)

    assert signer.signed == [to_be_signed(protected_header(signer.key, ISS, ORIGIN), root(size))]


async def test_the_root_is_signed_once_however_many_ask_at_once() -> None:
    """Receipts asked for together, and again later, share the signature of their checkpoint."""
    signer = SoftwareRootSigner()
    issuer, tree = ReceiptIssuer(signer, ISS, ORIGIN), await signed_tree()
    await asyncio.gather(*(issuer.inclusion(tree, index) for index in range(SIZE)))
    for size in range(12, 20):
        await issuer.inclusion(await signed_tree(size), 1)
    before = len(signer.signed)
    await issuer.inclusion(await signed_tree(19), 2)

    assert before == len(signer.signed) == 9
    assert len(set(signer.signed)) == 9


async def test_a_signature_that_does_not_verify_is_not_given_out() -> None:
    """An HSM that answers with something else gives no receipt, and is asked again next time."""

    class Broken(SoftwareRootSigner):
        async def sign(self, message: bytes) -> bytes:
            return bytes(64) if len(self.signed) == 0 else await super().sign(message)

    signer = Broken()
    issuer = ReceiptIssuer(signer, ISS, ORIGIN)
    with pytest.raises(SignatureError):
        await issuer.inclusion(await signed_tree(), INDEX)
    signer.signed.append(b"")

    assert verified(await issuer.inclusion(await signed_tree(), INDEX)).root == root()


async def test_what_the_rfc_cannot_say_is_not_said() -> None:
    """Its paths have at least one hash: neither the only entry of a log nor two equal sizes have a receipt."""
    issuer = ReceiptIssuer(SoftwareRootSigner(), ISS, ORIGIN)

    with pytest.raises(MalformedError, match="at least one hash"):
        await issuer.inclusion(await signed_tree(1), 0)
    with pytest.raises(MalformedError, match="at least one hash"):
        await issuer.consistency(await signed_tree(), SIZE)
    with pytest.raises(ProofError):
        await issuer.inclusion(await signed_tree(), SIZE)


# Rule -> a message that this rule alone refuses.
BROKEN: dict[str, Callable[[], bytes]] = {
    "labels": lambda: receipt(HEADER | {2: [395]}),
    "kid": lambda: receipt(HEADER | {4: b"another"}),
    "algorithm": lambda: receipt(HEADER | {1: -9}),
    "vds": lambda: receipt(HEADER | {395: 2}),
    "claims": lambda: receipt(HEADER | {15: {1: ISS, 2: "log.example/2"}}),
    "detached": lambda: receipt(payload=root()),
    "single": lambda: receipt(unprotected={33: b"certificate", 396: {-1: [cbor2.dumps([SIZE, INDEX, path()])]}}),
}


def test_every_header_rule_has_its_message() -> None:
    """A rule that is new must say here what it refuses."""
    assert BROKEN.keys() == HEADER_RULES.keys()


@pytest.mark.parametrize("rule", HEADER_RULES)
def test_each_rule_refuses_what_no_other_does(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the rule its message is refused by name, without it the same message is accepted."""
    data = BROKEN[rule]()

    assert refused(data) == rule
    monkeypatch.setattr(cose_receipt, "HEADER_RULES", {name: one for name, one in HEADER_RULES.items() if name != rule})
    assert verified(data).root == root()


@pytest.mark.parametrize(
    ("rule", "data"),
    [
        ("labels", lambda: receipt(HEADER | {"alg": -7})),
        ("labels", lambda: receipt(HEADER | {33: b"certificate"})),
        ("kid", lambda: receipt({label: value for label, value in HEADER.items() if label != 4})),
        ("kid", lambda: receipt(HEADER | {4: "text"})),
        ("algorithm", lambda: receipt({label: value for label, value in HEADER.items() if label != 1})),
        ("algorithm", lambda: receipt(HEADER | {1: "ES256"})),
        ("algorithm", lambda: receipt(HEADER | {1: None})),
        ("vds", lambda: receipt({label: value for label, value in HEADER.items() if label != 395})),
        ("vds", lambda: receipt(HEADER | {395: "RFC9162_SHA256"})),
        ("claims", lambda: receipt({label: value for label, value in HEADER.items() if label != 15})),
        ("claims", lambda: receipt(HEADER | {15: {2: ORIGIN}})),
        ("claims", lambda: receipt(HEADER | {15: {1: "https://other.example", 2: ORIGIN}})),
        ("claims", lambda: receipt(HEADER | {15: [ISS, ORIGIN]})),
        ("detached", lambda: receipt(payload=b"")),
        ("single", lambda: receipt(unprotected={})),
        ("single", lambda: receipt(unprotected={396: []})),
        ("single", lambda: receipt(unprotected={396: {-1: b""}})),
        ("single", lambda: receipt(unprotected={396: {-1: []}})),
        ("single", lambda: receipt(unprotected={396: {-2: [cbor2.dumps([5, SIZE, path()])]}})),
        ("single", lambda: receipt(unprotected={396: {-1: [cbor2.dumps([SIZE, INDEX, path()])] * 2}})),
        ("single", lambda: receipt(unprotected={396: {-1: [cbor2.dumps([SIZE, INDEX, path()])], -2: [b""]}})),
        ("format", lambda: receipt(unprotected={396: {-1: ["text"]}})),
        ("format", lambda: receipt(unprotected={396: {-1: [None]}})),
        ("format", lambda: receipt(proof=cbor2.dumps([SIZE, INDEX, []]))),
        ("format", lambda: receipt(proof=cbor2.dumps([SIZE, INDEX]))),
        ("format", lambda: receipt(proof=cbor2.dumps([SIZE, INDEX, path(), None]))),
        ("format", lambda: receipt(proof=cbor2.dumps([SIZE, True, path()]))),
        ("format", lambda: receipt(proof=cbor2.dumps([float(SIZE), INDEX, path()]))),
        ("format", lambda: receipt(proof=cbor2.dumps([SIZE, -1, path()]))),
        ("format", lambda: receipt(proof=cbor2.dumps([2**64, INDEX, path()]))),
        ("format", lambda: receipt(proof=cbor2.dumps([SIZE, INDEX, ["text" * 8]]))),
        ("format", lambda: receipt(proof=cbor2.dumps([SIZE, INDEX, path()]) + b"\x00")),
        ("format", lambda: receipt(proof=b"\x83\x18\x0b" + cbor2.dumps([SIZE, INDEX, path()])[2:])),
        ("proof", lambda: receipt(proof=cbor2.dumps([SIZE, SIZE, path()]))),
        ("proof", lambda: receipt(proof=cbor2.dumps([SIZE, INDEX, path()[:-1]]))),
        ("proof", lambda: receipt(proof=cbor2.dumps([SIZE, INDEX, [*path(), bytes(32)]]))),
        ("proof", lambda: receipt(proof=cbor2.dumps([SIZE, INDEX, [path()[0][:31], *path()[1:]]]))),
        ("signature", lambda: receipt(proof=cbor2.dumps([SIZE, INDEX, [bytes(32), *path()[1:]]]))),
        ("signature", lambda: receipt(proof=cbor2.dumps([SIZE, INDEX - 1, path()]))),
        ("signature", lambda: receipt(over=bytes(32))),
        ("signature", lambda: receipt(signer=SoftwareRootSigner(seed=b"another"))),
        ("signature", lambda: receipt(signer=SoftwareRootSigner(ED25519))),
        ("format", lambda: receipt()[1:]),
        ("format", lambda: b"\xd8\x12" + receipt()[1:]),
        ("format", lambda: b"\xd3" + receipt()[1:]),
        ("format", lambda: receipt() + b"\x00"),
        ("format", lambda: receipt()[:-1]),
        ("format", lambda: b""),
        ("format", lambda: b"\xd2"),
        ("format", lambda: receipt(header=b"")),
        ("format", lambda: receipt(header=b"\xa0\x00")),
        ("format", lambda: receipt(header=cbor2.dumps([1]))),
        ("format", lambda: receipt(header=b"\xa2\x01\x26\x01\x26")),
        ("format", lambda: receipt(header=b"\xa1\xf5\x26")),
        ("format", lambda: receipt(header=b"\xa1\x18\x01\x26")),
        ("format", lambda: receipt(header=b"\xbf\x01\x26\xff")),
        ("format", lambda: receipt(payload="text")),
        ("format", lambda: cbor2.dumps(cbor2.CBORTag(18, [b"", {}, None]))),
        ("format", lambda: cbor2.dumps(cbor2.CBORTag(18, [b"", {}, None, "text"]))),
        ("format", lambda: cbor2.dumps(cbor2.CBORTag(18, [{}, {}, None, b""]))),
        ("format", lambda: receipt(payload=bytes(MAX_RECEIPT))),
    ],
)
def test_what_is_not_a_receipt_is_refused_by_name(rule: str, data: Callable[[], bytes]) -> None:
    """Every other spelling, a missing part, one too many, a proof of something else, a key of somebody else."""
    assert refused(data()) == rule


def test_another_entry_is_refused() -> None:
    """The receipt of one entry says nothing of another."""
    for leaf in (memory().leaves[INDEX + 1], leaf_hash(b""), bytes(32)):
        with pytest.raises(ReceiptError, match="signature"):
            verify_inclusion_receipt(receipt(), leaf, EXPECTED)
    with pytest.raises(ReceiptError, match="proof"):
        verify_inclusion_receipt(receipt(), bytes(31), EXPECTED)


def test_the_order_of_the_protected_header_is_the_issuers() -> None:
    """As in the examples of the working group, whose labels are not sorted: the bytes are signed as they are."""
    unsorted = {395: 1, 15: {2: ORIGIN, 1: ISS}, 4: SIGNER.key.kid, 1: ES256}

    assert verified(receipt(cbor2.dumps(unsorted))).root == root()


def test_the_key_is_the_one_that_the_receipt_names() -> None:
    """A reader with several keys, of several algorithms, takes that of the kid, and its algorithm with it."""
    keys = [SoftwareRootSigner(algorithm, b"other").key for algorithm in (ES256, ED25519, ML_DSA_44)]

    assert verified(receipt(), Expected([*keys, SIGNER.key])).root == root()
    assert refused(receipt(), Expected(keys)) == "kid"
    assert refused(receipt(), Expected([replace(keys[1], kid=SIGNER.key.kid)])) == "algorithm"
    with pytest.raises(MalformedError, match="at least one key"):
        Expected([])


async def test_a_consistency_receipt_starts_from_what_the_reader_knows() -> None:
    """Another size or root to start from, or a proof of inclusion in its place, is refused."""
    made = await ReceiptIssuer(SIGNER, ISS, ORIGIN).consistency(await signed_tree(), 6)
    wrong = [
        (made, 5, root(6), "proof"),
        (made, 6, root(5), "proof"),
        (made, 6, bytes(32), "proof"),
        (receipt(), 6, root(6), "single"),
        (encode_consistency(*_parts(made), 6, SIZE, [*_hashes(made)[:-1], bytes(32)]), 6, root(6), "signature"),
        (encode_consistency(*_parts(made), 6, SIZE, [bytes(32), *_hashes(made)[1:]]), 6, root(6), "proof"),
        (encode_consistency(*_parts(made), 6, 2**63, _hashes(made)), 6, root(6), "proof"),
        (encode_consistency(*_parts(made), 0, SIZE, _hashes(made)), 0, root(0), "proof"),
    ]

    assert verify_consistency_receipt(made, 6, root(6), EXPECTED) == Proven(root(), SIZE)
    assert refused(made) == "single"
    for data, size1, root1, rule in wrong:
        with pytest.raises(ReceiptError) as caught:
            verify_consistency_receipt(data, size1, root1, EXPECTED)
        assert caught.value.rule == rule


def test_every_flipped_bit_is_refused() -> None:
    """Only the size may be another: nobody signs it, so it is worth nothing; root and index stay the same."""
    good = receipt()
    for place in range(8 * len(good)):
        data = bytearray(good)
        data[place // 8] ^= 1 << place % 8
        try:
            proven = verified(bytes(data))
        except ReceiptError:
            continue
        assert (proven.root, proven.index) == (root(), INDEX)
        assert proven.size in {9, 10, 15}


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_noise_is_refused_and_nothing_else_happens(noise: bytes) -> None:
    """Bytes of any kind, also behind the tag and inside every part, raise `ReceiptError` and nothing else."""
    refused(noise)
    refused(b"\xd2" + noise)
    refused(receipt(header=noise))
    refused(receipt(proof=noise))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=40) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.integers() | st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(VALUES, st.sampled_from([1, 4, 15, 395]))
def test_values_of_any_kind_in_any_place_are_refused(value: Any, label: int) -> None:
    """CBOR that is well formed but says something else is refused as well."""
    for make in (
        lambda: receipt(HEADER | {label: value}) if value != HEADER[label] else b"",
        lambda: receipt(unprotected=[] if value is None else value),
        lambda: receipt(unprotected={396: value}),
        lambda: receipt(unprotected={396: {-1: value}}),
        lambda: receipt(proof=cbor2.dumps([SIZE, INDEX, value])),
        lambda: receipt(payload=value) if value is not None else b"",
        lambda: cbor2.dumps(cbor2.CBORTag(18, value)),
    ):
        refused(make())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_is_published_and_read_as_jwk(algorithm: int) -> None:
    """`log.json` carries the key, and a reader gets the same back from it, and from nothing else."""
    key = SoftwareRootSigner(algorithm).key
    jwk = key.jwk()

    assert ReceiptKey.from_jwk(jwk) == key
    for name, value in jwk.items():
        longer = {**jwk, name: value + ("=" if name == "kid" else "A")}
        for wrong in (longer, {**jwk, name: "!"}, {k: v for k, v in jwk.items() if k != name}):
            with pytest.raises(MalformedError):
                ReceiptKey.from_jwk(wrong)
    for wrong in ({**jwk, "use": "sig"}, {**jwk, "alg": 7}, None, [], {}):
        with pytest.raises(MalformedError):
            ReceiptKey.from_jwk(wrong)


@pytest.mark.parametrize(
    ("kid", "algorithm", "public"),
    [(b"", EDDSA, bytes(32)), (b"k" * 65, EDDSA, bytes(32)), (b"k", -6, bytes(32)), (b"k", ES256, bytes(65))],
)
def test_a_key_that_its_algorithm_has_no_use_for_is_refused(kid: bytes, algorithm: int, public: bytes) -> None:
    """An unknown algorithm, a kid that names nothing, and a public key of another size are no keys."""
    with pytest.raises(MalformedError):
        ReceiptKey(kid, algorithm, public)


def test_a_point_off_the_curve_verifies_nothing() -> None:
    """A key that cannot be one refuses every signature instead of failing."""
    assert not ReceiptKey(b"k", ES256, bytes(64)).verifies(b"", bytes(64))
    assert not SIGNER.key.verifies(b"", bytes(63))


def _parts(data: bytes) -> tuple[bytes, bytes]:
    protected, _, _, signature = cbor2.loads(data).value
    return protected, signature


def _hashes(data: bytes) -> list[bytes]:
    hashes: list[bytes] = cbor2.loads(cbor2.loads(data).value[1][396][CONSISTENCY][0])[2]
    return hashes


def test_encoding_is_deterministic() -> None:
    """The same parts give the same bytes, those that an encoder of its own writes."""
    good = receipt()
    protected, signature = _parts(good)

    assert encode_inclusion(protected, signature, SIZE, INDEX, path()) == good
    assert protected == protected_header(SIGNER.key, ISS, ORIGIN)
    assert INCLUSION == -1
