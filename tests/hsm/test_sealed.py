"""Keys in software under a key of the token: what they sign, and what happens when somebody changes what is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hsm import Algorithm, Hsm, HsmDecryptFailed, HsmKeyMissing, HsmPolicy, HsmState, SealedKey
from hsm.algorithms import SCHEMES
from hsm.sealed import FROM_SEED
from hsm.verify import verify_signature

from .conftest import Prepared

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


async def test_many_keys_are_held_few_at_a_time(token: Prepared) -> None:
    """More than a worker holds at once all sign: those it let go are unsealed anew."""
    wrapping = token.id(Algorithm.A256KWP)
    async with Hsm(token.config) as hsm:
        made = [await hsm.make_sealed(Algorithm.ML_DSA_44, wrapping) for _ in range(20)]
        for key in made * 2:
            verify_signature(key.public_key, b"message", await hsm.sign_sealed(key, b"message"))


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
