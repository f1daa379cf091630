"""Keys in software under a key of the token: what they sign, and what happens when somebody changes what is kept."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from hsm import (
    Algorithm,
    Hsm,
    HsmDecryptFailed,
    HsmKeyMissing,
    HsmKeyRefused,
    HsmPolicy,
    HsmState,
    SealedKey,
    keeping,
    operations,
)
from hsm.algorithms import SCHEMES
from hsm.book import opened
from hsm.ckr import Fault
from hsm.entries import Entry
from hsm.frames import Op
from hsm.lifecycle import Stage
from hsm.sealed import FROM_SEED, LABEL, SEALED_SIZES, SEED_SIZE
from hsm.verify import spki_of, verify_signature

from .conftest import Prepared
from .test_inventory import adopted, guarded, path_of

pytestmark = pytest.mark.softhsm


@pytest.mark.parametrize("algorithm", list(FROM_SEED))
async def test_it_signs_and_is_marked(provided: Prepared, algorithm: Algorithm) -> None:
    """What it signs verifies with the public key alone, also when it was written down and another worker signs."""
    async with Hsm(provided.config) as hsm:
        made = await hsm.make_sealed(algorithm, provided.id(Algorithm.A256KWP))
        another = await hsm.make_sealed(algorithm, provided.id(Algorithm.A256KWP))
        first = await hsm.sign_sealed(made, b"message")
    async with Hsm(provided.config) as hsm:
        kept = SealedKey.from_json(made.to_json())
        await hsm.open_sealed(kept)
        second = await hsm.sign_sealed(kept, b"message")

    assert (made.algorithm, made.to_json()["software"], len(made.id)) == (algorithm, True, 8)
    assert len({made.id, another.id}) == 2
    for signature in (first, second):
        assert len(signature) == SCHEMES[algorithm].signature_size
        verify_signature(made.public_key, b"message", signature)


async def test_the_token_does_not_hold_it(provided: Prepared) -> None:
    """It is no key of the token's inventory, nor can it be asked for by its id."""
    async with Hsm(provided.config) as hsm:
        made = await hsm.make_sealed(Algorithm.ML_DSA_44, provided.id(Algorithm.A256KWP))

        assert made.id not in {key.id for key in await hsm.inventory()}
        with pytest.raises(HsmKeyMissing):
            await hsm.sign(made.id, b"message")


async def test_what_was_altered_or_exchanged_is_refused(provided: Prepared) -> None:
    """An altered seed, and one that is whole but of another key: no signature, and the token stays up."""
    wrapping = provided.id(Algorithm.A256KWP)
    async with Hsm(provided.config) as hsm:
        made, other = [await hsm.make_sealed(Algorithm.ML_DSA_44, wrapping) for _ in range(2)]
        altered = replace(made, sealed=made.sealed[:-1] + bytes([made.sealed[-1] ^ 1]))
        exchanged = replace(made, sealed=other.sealed)
        for wrong in (altered, exchanged, replace(made, sealed=b""), replace(made, sealed=made.sealed + bytes(8))):
            with pytest.raises(HsmDecryptFailed):
                await hsm.open_sealed(wrong)
            with pytest.raises(HsmDecryptFailed):
                await hsm.sign_sealed(wrong, b"message")

        assert (hsm.health().state, hsm.health().restarts) == (HsmState.READY, 0)
        await hsm.open_sealed(made)


async def test_its_seed_is_given_to_nobody(provided: Prepared) -> None:
    """Not by the wrapping key's own verb, which gives back what callers had wrapped; nor is one brought that way."""
    wrapping = provided.id(Algorithm.A256KWP)
    async with Hsm(provided.config) as hsm:
        made = await hsm.make_sealed(Algorithm.ML_DSA_44, wrapping)
        with pytest.raises(HsmPolicy, match="stays in the signer process"):
            await hsm.unwrap(wrapping, made.sealed)
        with pytest.raises(HsmPolicy, match="stays in the signer process"):
            await hsm.wrap(wrapping, LABEL + bytes(SEED_SIZE))
        assert await hsm.unwrap(wrapping, await hsm.wrap(wrapping, LABEL + bytes(24))) == LABEL + bytes(24)


async def test_one_that_was_sealed_without_a_label_signs_on(token: Prepared) -> None:
    """As all were before; its seed is 32 bytes like any secret."""
    wrapping, seed = token.id(Algorithm.A256KWP), bytes(range(SEED_SIZE))
    public = spki_of(FROM_SEED[Algorithm.ML_DSA_44](seed).public_key())
    async with Hsm(token.config) as hsm:
        key = SealedKey(public, wrapping, await hsm.wrap(wrapping, seed))
        verify_signature(public, b"message", await hsm.sign_sealed(key, b"message"))


async def test_it_ends_with_its_wrapping_key(own_token: Prepared) -> None:
    """Also in a worker that has signed with it: no seed is held from one signature to the next."""
    async with Hsm(own_token.having(writable=True)) as hsm:
        wrapping = (await hsm.generate(Algorithm.A256KWP, "wrapping")).id
        made = await hsm.make_sealed(Algorithm.ML_DSA_44, wrapping)
        await hsm.sign_sealed(made, b"message")
        assert await hsm.destroy(wrapping, "wrapping") == 1
        for use in (hsm.open_sealed(made), hsm.sign_sealed(made, b"message")):
            with pytest.raises(HsmKeyMissing):
                await use


def test_a_token_that_unwraps_another_secret_seals_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found out while the seed is still known, not when the key is wanted."""
    ring: Any = SimpleNamespace(session=SimpleNamespace(generate_random=lambda bits: bytes(bits // 8)))
    monkeypatch.setattr(operations, "_wrapped", lambda *_: bytes(SEALED_SIZES[-1]))
    for given, holds in ((LABEL + bytes(SEED_SIZE), True), (LABEL + bytes(SEED_SIZE - 1) + b"x", False)):
        monkeypatch.setattr(operations, "_unwrapped", lambda *_, given=given: given)
        with nullcontext() if holds else pytest.raises(Fault, match="another secret"):
            operations.OPERATIONS[Op.MAKE_SEALED](ring, b"wrapping", b"ML-DSA-44")


# Under an inventory -----------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [None, Stage.ACTIVE, Stage.RETIRING])
async def test_it_has_stages_of_its_own(own_token: Prepared, own: Stage | None) -> None:
    """Retiring, it opens and signs nothing new. Without an entry it stands and falls with its wrapping key."""
    await adopted(own_token)
    wrapping = own_token.id(Algorithm.A256KWP)
    async with Hsm(guarded(own_token)) as hsm:
        made = await hsm.make_sealed(Algorithm.ML_DSA_44, wrapping)
        await hsm.sign_sealed(made, b"message")
    async with opened(own_token.config, path_of(own_token)) as book:
        if own is not None:
            known = {"id": made.id, "public_key": made.public_key, "sealed": True}
            entry = Entry("cosigner", "cosigner", Algorithm.ML_DSA_44, own, {own: book.time}, **known)
            await book.write(book.now.adding(entry))
        await keeping.mark(book, Algorithm.A256KWP.value, Stage.RETIRING, ends_role=True)

    async with Hsm(guarded(own_token)) as hsm:
        await hsm.open_sealed(made)
        if own is Stage.ACTIVE:
            await hsm.sign_sealed(made, b"message")
        else:
            with pytest.raises(HsmKeyRefused, match="retiring"):
                await hsm.sign_sealed(made, b"message")
        with pytest.raises(HsmKeyRefused, match="MAKE_SEALED"):
            await hsm.make_sealed(Algorithm.ML_DSA_44, wrapping)
        with pytest.raises(HsmKeyRefused, match="in the inventory"):
            await hsm.open_sealed(replace(made, wrapping_key=b"unlisted"))


async def test_only_what_tokens_lack_is_in_software(token: Prepared) -> None:
    """A key that a token can make is made in the token, whatever public key is put beside a seed."""
    wrapping = token.id(Algorithm.A256KWP)
    async with Hsm(token.config) as hsm:
        with pytest.raises(HsmPolicy, match="generate that in the token"):
            await hsm.make_sealed(Algorithm.ES256, wrapping)
        with pytest.raises(HsmPolicy, match="A256KWP key"):
            await hsm.make_sealed(Algorithm.ML_DSA_44, token.id(Algorithm.A256GCM))
        made = await hsm.make_sealed(Algorithm.ML_DSA_44, wrapping)
        for public in (await hsm.public_key(token.id(Algorithm.ES256)), b"", b"\x30\x00"):
            with pytest.raises(HsmPolicy, match="ML-DSA-44"):
                await hsm.sign_sealed(replace(made, public_key=public), b"message")
