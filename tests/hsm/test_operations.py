"""Every operation, against a real token of each provider."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hsm import (
    Algorithm,
    Hsm,
    HsmDecryptFailed,
    HsmKeyMissing,
    HsmPolicy,
    HsmState,
    HsmUnavailable,
)
from hsm.algorithms import SCHEMES, SIGNING
from hsm.client import BODY_MAX, RANDOM_MAX
from hsm.verify import verify_signature

from .conftest import Prepared, each

pytestmark = [pytest.mark.softhsm, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hsm(provided: Prepared) -> AsyncIterator[Hsm]:
    """One client for the module."""
    async with Hsm(provided.config) as client:
        yield client


@each(SIGNING)
@pytest.mark.parametrize("message", [b"", b"message", bytes(100_000)])
async def test_signatures_verify(hsm: Hsm, provided: Prepared, algorithm: Algorithm, message: bytes) -> None:
    """A signature has its algorithm's size and holds under the public key, for empty and for long messages."""
    signature = await hsm.sign(provided.id(algorithm), message)

    assert len(signature) == SCHEMES[algorithm].signature_size
    verify_signature(await hsm.public_key(provided.id(algorithm)), message, signature)


async def test_a_signature_holds_for_its_message_alone(hsm: Hsm, provided: Prepared) -> None:
    """Verification notices another message and an altered signature."""
    key = provided.id(Algorithm.ES256)
    spki, signature = await hsm.public_key(key), await hsm.sign(key, b"message")

    with pytest.raises(HsmUnavailable, match="does not"):
        verify_signature(spki, b"massage", signature)
    with pytest.raises(HsmUnavailable, match="does not"):
        verify_signature(spki, b"message", bytes([signature[0] ^ 1]) + signature[1:])


@each(SIGNING)
async def test_key_ids_come_from_the_public_key(hsm: Hsm, provided: Prepared, algorithm: Algorithm) -> None:
    """CKA_ID of a pair is the first 8 bytes of SHA-256 over its SubjectPublicKeyInfo."""
    spki = await hsm.public_key(provided.id(algorithm))
    serialization.load_der_public_key(spki)

    assert hashlib.sha256(spki).digest()[:8] == provided.id(algorithm)


@pytest.mark.parametrize("size", range(16, 72, 8))
async def test_wrap_and_unwrap(hsm: Hsm, provided: Prepared, size: int) -> None:
    """Every permitted size of secret comes back, 8 bytes longer while wrapped."""
    key, secret = provided.id(Algorithm.A256KWP), bytes(range(size))
    wrapped = await hsm.wrap(key, secret)

    assert len(wrapped) == size + 8
    assert await hsm.unwrap(key, wrapped) == secret


@pytest.mark.parametrize("size", [0, 8, 15, 17, 33, 72])
async def test_other_sizes_are_not_wrapped(hsm: Hsm, provided: Prepared, size: int) -> None:
    """Sizes that a token may not give back as they were are refused before they reach it."""
    with pytest.raises(HsmPolicy, match="multiple of 8"):
        await hsm.wrap(provided.id(Algorithm.A256KWP), bytes(size))


async def test_an_altered_wrapped_key_is_its_own_error(hsm: Hsm, provided: Prepared) -> None:
    """An altered byte anywhere, or a wrong length, is HsmDecryptFailed, and the token stays up."""
    key = provided.id(Algorithm.A256KWP)
    wrapped = await hsm.wrap(key, bytes(32))
    for at in range(0, len(wrapped), 7):
        with pytest.raises(HsmDecryptFailed):
            await hsm.unwrap(key, wrapped[:at] + bytes([wrapped[at] ^ 1]) + wrapped[at + 1 :])
    with pytest.raises(HsmDecryptFailed):
        await hsm.unwrap(key, wrapped[:-1])

    assert hsm.health().state is HsmState.READY
    assert await hsm.unwrap(key, wrapped) == bytes(32)


@pytest.mark.parametrize("plaintext", [b"", b"text", bytes(200_000)])
@pytest.mark.parametrize("aad", [b"", b"table|column|subject"])
async def test_encrypt_and_decrypt(hsm: Hsm, provided: Prepared, plaintext: bytes, aad: bytes) -> None:
    """Text comes back under the same associated data; two encryptions share no nonce."""
    key = provided.id(Algorithm.A256GCM)
    sealed, again = await hsm.encrypt(key, plaintext, aad), await hsm.encrypt(key, plaintext, aad)

    assert len(sealed) == 12 + len(plaintext) + 16
    assert sealed[:12] != again[:12]
    assert await hsm.decrypt(key, sealed, aad) == plaintext


async def test_a_wrong_tag_never_marks_the_token_down(hsm: Hsm, provided: Prepared) -> None:
    """SoftHSM reports a wrong tag as a general error: callers see HsmDecryptFailed, no worker is replaced."""
    key = provided.id(Algorithm.A256GCM)
    sealed = await hsm.encrypt(key, b"text", b"aad")
    before = hsm.health()
    hostile = [(sealed, b"other"), (sealed[:-1] + bytes([sealed[-1] ^ 1]), b"aad"), (sealed[:27], b"aad"), (b"", b"")]
    outcomes = await asyncio.gather(
        *(hsm.decrypt(key, text, aad) for text, aad in hostile * 20), return_exceptions=True
    )
    after = hsm.health()

    assert {type(outcome) for outcome in outcomes} == {HsmDecryptFailed}
    assert (after.state, after.workers, after.restarts) == (HsmState.READY, before.workers, before.restarts)
    assert await hsm.decrypt(key, sealed, b"aad") == b"text"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sealed=st.binary(max_size=100), aad=st.binary(max_size=40))
async def test_no_bytes_open_by_chance(hsm: Hsm, provided: Prepared, sealed: bytes, aad: bytes) -> None:
    """Arbitrary bytes are refused as ciphertext, whatever their length."""
    with pytest.raises(HsmDecryptFailed):
        await hsm.decrypt(provided.id(Algorithm.A256GCM), sealed, aad)


async def test_hmac(hsm: Hsm, provided: Prepared) -> None:
    """An HMAC is 32 bytes, the same for the same data, another for other data."""
    key = provided.id(Algorithm.HS256)
    code = await hsm.hmac(key, b"passport number")

    assert len(code) == 32
    assert await hsm.hmac(key, b"passport number") == code
    assert await hsm.hmac(key, b"") != code


async def test_random(hsm: Hsm) -> None:
    """Random bytes have the length asked for and do not repeat."""
    assert [len(await hsm.random(n)) for n in (1, 32, RANDOM_MAX)] == [1, 32, RANDOM_MAX]
    assert await hsm.random(32) != await hsm.random(32)


@pytest.mark.parametrize("n", [-1, 0, RANDOM_MAX + 1])
async def test_random_is_bounded(hsm: Hsm, n: int) -> None:
    """Nothing, and more than the cap, is the caller's mistake."""
    with pytest.raises(HsmPolicy, match="random bytes"):
        await hsm.random(n)


async def test_inventory_lists_what_was_made(hsm: Hsm, provided: Prepared) -> None:
    """The inventory is the keys that `generate` returned, each vouched for by a token that tells their origin."""
    keys = await hsm.inventory()

    assert keys == sorted(provided.keys.values(), key=lambda key: (key.label, key.id))
    assert {key.born_here for key in keys} == {provided.provider.tells_origin}
    assert all(key.stays_inside for key in keys)


async def test_probe(hsm: Hsm, provided: Prepared) -> None:
    """A working key passes, one that is not there does not."""
    await hsm.probe(provided.id(Algorithm.ES256))
    with pytest.raises(HsmKeyMissing):
        await hsm.probe(b"nowhere")


async def test_keys_serve_their_own_algorithm_alone(hsm: Hsm, provided: Prepared) -> None:
    """A key of another kind is HsmPolicy or HsmKeyMissing, and no worker is replaced."""
    for attempt in (
        hsm.wrap(provided.id(Algorithm.A256GCM), bytes(32)),
        hsm.encrypt(provided.id(Algorithm.A256KWP), b"text"),
        hsm.hmac(provided.id(Algorithm.A256KWP), b"data"),
        hsm.sign(b"", b"message"),
        hsm.sign(bytes(256), b"message"),
        hsm.sign(provided.id(Algorithm.ES256), bytes(BODY_MAX + 1)),
    ):
        with pytest.raises(HsmPolicy):
            await attempt
    with pytest.raises(HsmKeyMissing, match="got none"):
        await hsm.sign(provided.id(Algorithm.HS256), b"message")

    assert hsm.health().restarts == 0


async def test_health_reports_latency(hsm: Hsm, provided: Prepared) -> None:
    """After some work the percentiles are there and in order, and nothing is pending."""
    await asyncio.gather(*(hsm.sign(provided.id(Algorithm.ES256), b"m") for _ in range(20)))
    health = hsm.health()

    assert health.p50 is not None
    assert health.p99 is not None
    assert 0 < health.p50 <= health.p99
    assert (health.pending, health.state, health.last_error) == (0, HsmState.READY, None)
