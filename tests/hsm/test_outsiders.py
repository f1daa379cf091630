"""Without the PIN: whoever can write files and reach the module changes no inventory, and hides no key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from hsm import Algorithm, Hsm, HsmInventoryRefused, HsmKeyMissing, HsmKeyRefused, HsmUnavailable, KeyInfo, keeping
from hsm.book import opened
from hsm.inventory import FORMAT, render, to_be_signed
from hsm.lifecycle import Stage
from hsm.signer import SIGNER_LABEL, proven_signer, signer_among
from hsm.verify import verify_signature

from .conftest import Prepared
from .test_inventory import adopted, findings, guarded, path_of

pytestmark = pytest.mark.softhsm


def outsider(token: Prepared, verb: str, *arguments: str) -> str:
    """What it prints."""
    config = token.config
    program = str(Path(__file__).with_name("outsider.py"))
    return subprocess.run(
        [sys.executable, program, str(config.module), config.label, verb, *arguments],
        env=os.environ | {"SOFTHSM2_CONF": str(config.softhsm_conf)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def signed_with(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """r||s."""
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Of its public half."""
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


async def test_the_public_half_of_the_inventory_key_is_not_believed(own_token: Prepared) -> None:
    """Exchanged on the token, and the inventory signed anew with the other half: a retiring key stays retiring."""
    await adopted(own_token)
    async with opened(own_token.config, path_of(own_token)) as book:
        await keeping.mark(book, "ES256", Stage.RETIRING)
    forger = ec.generate_private_key(ec.SECP256R1())
    point = forger.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    outsider(own_token, "exchange", SIGNER_LABEL, (b"\x04\x41" + point).hex())
    signed = json.loads(path_of(own_token).read_text())["signed"]
    next(key for key in signed["keys"] if key["label"] == "ES256")["stage"] = "active"
    signed["sequence"] += 5
    path_of(own_token).write_bytes(render(signed, signed_with(forger, to_be_signed(FORMAT, signed))))

    with pytest.raises(HsmInventoryRefused, match="that of another key"):
        async with Hsm(guarded(own_token)):
            pytest.fail("opened")
    with pytest.raises(HsmInventoryRefused, match="that of another key"):
        async with opened(own_token.config, path_of(own_token)):
            pytest.fail("opened")


async def test_an_id_that_somebody_found_twice_does_not_do_either() -> None:
    """Eight bytes of a hash can be met by whoever can wait; the private half on the token signs for its own alone."""
    key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def signing(by: ec.EllipticCurvePrivateKey) -> Callable[[bytes, bytes], Awaitable[bytes]]:
        async def sign(_: bytes, message: bytes) -> bytes:
            return signed_with(by, message)

        return sign

    assert await proven_signer([_signer(spki(key))], signing(key)) == (_signer(spki(key)), spki(key))
    with pytest.raises(HsmUnavailable):
        await proven_signer([_signer(spki(key))], signing(other))
    with pytest.raises(HsmInventoryRefused, match="inventory --start"):
        await proven_signer([], signing(key))


def _signer(public: bytes) -> KeyInfo:
    return KeyInfo(sha256(public).digest()[:8], SIGNER_LABEL, Algorithm.ES256, public, True, True, True)


def test_what_is_no_inventory_key() -> None:
    """Two of the label, one that was brought, one of another algorithm, one without its public half or with another."""
    true = _signer(spki(ec.generate_private_key(ec.SECP256R1())))
    other = _signer(spki(ec.generate_private_key(ec.SECP256R1())))
    assert signer_among([true, replace(other, label="another")]) == true
    assert signer_among([replace(true, id=b"")]) is None, "half of one that was cut off"
    unfit = [
        [true, other],
        [replace(true, local=False)],
        [replace(true, never_extractable=False)],
        [replace(true, algorithm=Algorithm.ES384)],
        [replace(true, public_key=None)],
        [replace(true, public_key=other.public_key)],
    ]
    for keys in unfit:
        with pytest.raises(HsmInventoryRefused):
            signer_among(keys)


async def test_a_counter_that_somebody_planted(own_token: Prepared) -> None:
    """Public objects need no PIN, and count for nothing; the token's own cannot be seen without one."""
    await adopted(own_token)
    async with Hsm(own_token.config) as hsm:
        before = await hsm.count()
    assert before > 0
    assert outsider(own_token, "look", SIGNER_LABEL) == "0"
    outsider(own_token, "count", "ff" * 8)
    assert outsider(own_token, "look", SIGNER_LABEL) == "1"

    async with Hsm(guarded(own_token)) as hsm:
        assert await hsm.count() == before
        await hsm.probe(own_token.id(Algorithm.ES256))


async def test_the_count_never_goes_down(own_token: Prepared) -> None:
    """Fewer changes than are known are no news, and there is one number only."""
    async with Hsm(own_token.having(writable=True)) as hsm:
        assert [await hsm.count(changes) for changes in (5, 3, 5, 6)] == [5, 5, 5, 6]
        assert await hsm.count() == 6


async def test_a_missing_public_half_hides_no_other_key(own_token: Prepared) -> None:
    """The service opens and signs with the others; the key itself is refused by name, and the check says why."""
    await adopted(own_token)
    outsider(own_token, "remove", "ES256")
    async with Hsm(guarded(own_token)) as hsm:
        halves = [key.label for key in await hsm.inventory() if key.public_key is None and key.label == "ES256"]
        assert halves == ["ES256"]
        await hsm.probe(own_token.id(Algorithm.EDDSA))
        with pytest.raises(HsmKeyMissing, match="PUBLIC_KEY"):
            await hsm.sign(own_token.id(Algorithm.ES256), b"message")
    assert await findings(own_token) == {"ES256": "active, and without its public half on the token"}


async def test_another_public_half_is_no_key_of_the_inventory(own_token: Prepared) -> None:
    """A key in use whose public half is another than was entered stops the start."""
    await adopted(own_token)
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    outsider(own_token, "exchange", "ES256", (b"\x04\x41" + point).hex())
    with pytest.raises(HsmKeyRefused, match="another public key"):
        async with Hsm(guarded(own_token)):
            pytest.fail("opened")
    assert "another public key" in (await findings(own_token))["ES256"]


async def test_a_signature_is_of_one_kind_of_document(own_token: Prepared) -> None:
    """What the inventory key signed as one is not taken as another, nor is a proof of the key itself."""
    await adopted(own_token)
    document = json.loads(path_of(own_token).read_text())
    signed, signature = document["signed"], bytes.fromhex(document["signature"])
    async with Hsm(own_token.config) as hsm:
        signer = signer_among(await hsm.inventory())
    assert signer is not None
    assert signer.public_key is not None
    verify_signature(
        signer.public_key, b"hsm-inventory/1\n" + to_be_signed(FORMAT, signed).split(b"\n", 1)[1], signature
    )
    for kind in ("hsm-ceremony/1", ""):
        with pytest.raises(HsmUnavailable):
            verify_signature(signer.public_key, to_be_signed(kind, signed), signature)
