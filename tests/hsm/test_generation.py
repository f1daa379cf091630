"""Making keys: who may, what the token must say of them, and who sees them."""

import asyncio
import sys

import pytest
from pkcs11 import Attribute, KeyType

from hsm import Algorithm, Hsm, HsmPolicy, KeyInfo
from hsm.algorithms import SCHEMES, SIGNING
from hsm.attributes import mapper, mechanism_name
from hsm.keys import decode_keys, encode_keys

from .conftest import SOFTHSM, Prepared, each

pytestmark = pytest.mark.softhsm


@pytest.mark.parametrize("algorithm", list(Algorithm))
async def test_a_token_makes_what_it_lists(provided: Prepared, algorithm: Algorithm) -> None:
    """It offers what its keys were made for; of the others none is made, and the message names the mechanism."""
    async with Hsm(provided.having(writable=True)) as hsm:
        assert await hsm.algorithms() == set(provided.keys)
        if algorithm not in provided.keys:
            with pytest.raises(HsmPolicy, match="lists CKM_"):
                await hsm.generate(algorithm, "refused")
            assert len(await hsm.inventory()) == len(provided.keys)


@each()
def test_generated_keys_never_leave(provided: Prepared, algorithm: Algorithm) -> None:
    """The token vouches for each kind: made inside, always sensitive, never extractable; ids have 8 bytes."""
    key = provided.keys[algorithm]

    assert key.born_here is provided.provider.tells_origin
    assert key.stays_inside
    assert (key.algorithm, key.label, len(key.id)) == (algorithm, algorithm.value, 8)
    assert (key.public_key is not None) == (algorithm in SIGNING)
    assert key.made_by == (SCHEMES[algorithm].generate if provided.provider is SOFTHSM else None)


async def test_a_token_that_does_not_tell_origin_must_be_known_for_it(nss_token: Prepared) -> None:
    """Unless the operator has said so, a key of which nobody says where it was made is destroyed."""
    async with Hsm(nss_token.having(writable=True, tells_origin=True)) as hsm:
        with pytest.raises(HsmPolicy, match="destroyed"):
            await hsm.generate(Algorithm.ES256, "refused")
        assert {key.label for key in await hsm.inventory()} == {key.label for key in nss_token.keys.values()}


async def test_a_read_only_client_makes_no_keys(token: Prepared) -> None:
    """Without `writable` nothing reaches the token."""
    async with Hsm(token.config) as hsm:
        with pytest.raises(HsmPolicy, match="writable"):
            await hsm.generate(Algorithm.ES256, "refused")
        assert len(await hsm.inventory()) == len(token.keys)


@pytest.mark.parametrize("label", ["", "x" * 65])
async def test_labels_are_bounded(token: Prepared, label: str) -> None:
    """A label is 1 to 64 bytes."""
    with pytest.raises(HsmPolicy, match="label"):
        await Hsm(token.having(writable=True)).generate(Algorithm.ES256, label)


async def test_new_keys_are_seen_by_clients_already_open(own_token: Prepared) -> None:
    """A read-only client uses a key that another made after it was opened; concurrent orders are all met."""
    async with Hsm(own_token.config) as reading, Hsm(own_token.having(writable=True, workers=2)) as writing:
        await reading.sign(own_token.id(Algorithm.ES256), b"warm")
        made = await asyncio.gather(*(writing.generate(Algorithm.ES256, f"new-{n}") for n in range(6)))

        assert len({key.id for key in made}) == 6
        for key in made:
            await reading.probe(key.id)
        assert {key.label for key in await reading.inventory()} >= {f"new-{n}" for n in range(6)}


def test_key_info_travels_unchanged(token: Prepared) -> None:
    """What the worker sends is what the caller gets, a half-made key with an empty id included."""
    keys = [*token.keys.values(), KeyInfo(b"", "", Algorithm.ES256, None, True, False, False, None)]

    assert decode_keys(encode_keys(keys)) == keys
    assert not keys[-1].born_here


@pytest.mark.parametrize(
    ("number", "name"),
    [(0x1040, "EC_KEY_PAIR_GEN"), (0x80001234, "0x80001234"), (2**64 - 1, None), (2**32 - 1, None)],
)
def test_a_makers_own_mechanism_is_a_number(number: int, name: str | None) -> None:
    """What is in no register is read all the same; CK_UNAVAILABLE_INFORMATION is nothing."""
    read = mapper().unpack_attributes(Attribute.KEY_GEN_MECHANISM, number.to_bytes(8, sys.byteorder))

    assert mechanism_name(read) == name
    assert mechanism_name(None) is None
    odd = mapper().unpack_attributes(Attribute.KEY_TYPE, (0x80000001).to_bytes(8, sys.byteorder))
    assert odd not in set(KeyType)
