"""Without the PIN: whoever can write files and reach the module changes no inventory, and hides no key."""

from __future__ import annotations

import asyncio
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

from hsm import (
    Algorithm,
    Hsm,
    HsmAmbiguous,
    HsmInventoryRefused,
    HsmKeyMissing,
    HsmKeyRefused,
    HsmUnavailable,
    KeyInfo,
    guard,
    keeping,
)
from hsm.book import opened, put_in_place
from hsm.inventory import FORMAT, render, to_be_signed
from hsm.lifecycle import Stage
from hsm.signer import SIGNER_LABEL, proven_signer, signer_among
from hsm.verify import verify_signature
from idverify.app.token_keys import keys_on
from idverify.errors import SetupError

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
        await keeping.mark(book, "ES256", Stage.RETIRING, ends_role=True)
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


async def test_an_older_inventory_without_its_counter(own_token: Prepared) -> None:
    """Whoever removes the counter's file does not make the token one that cannot count."""
    await adopted(own_token)
    before = path_of(own_token).read_bytes()
    objects = set(path_of(own_token).parent.glob("tokens/*/*.object"))
    async with opened(own_token.config, path_of(own_token)) as book:
        await keeping.mark(book, "ES256", Stage.RETIRING, ends_role=True)
    (counter,) = set(path_of(own_token).parent.glob("tokens/*/*.object")) - objects
    counter.unlink()
    path_of(own_token).write_bytes(before)
    with pytest.raises(HsmInventoryRefused, match="without its counter"):
        async with Hsm(guarded(own_token)):
            pytest.fail("opened")


async def test_the_inventory_of_the_change_before(own_token: Prepared) -> None:
    """One change back is back: only a file that is ahead of the counter is what a crash leaves."""
    await adopted(own_token)
    before = path_of(own_token).read_bytes()
    async with opened(own_token.config, path_of(own_token)) as book:
        await keeping.mark(book, "ES256", Stage.RETIRING, ends_role=True)
    path_of(own_token).write_bytes(before)
    with pytest.raises(HsmInventoryRefused, match="older"):
        async with Hsm(guarded(own_token)):
            pytest.fail("opened")


async def test_nothing_is_signed_before_the_inventory_is_read(own_token: Prepared) -> None:
    """Not while a token opens, nor again and again while it is refused: the rules come first."""
    await adopted(own_token)
    path_of(own_token).write_text("{}")
    hsm, refused = Hsm(guarded(own_token)), []

    async def eager() -> None:
        while True:
            try:
                refused.append(await hsm.sign(own_token.id(Algorithm.ES256), b"message"))
            except HsmUnavailable as error:
                refused.append(error)
            await asyncio.sleep(0)

    asking = asyncio.create_task(eager())
    for _ in range(2):
        with pytest.raises(HsmInventoryRefused):
            async with hsm:
                pytest.fail("opened")
    asking.cancel()
    assert len(refused) > 100
    assert all(isinstance(one, HsmUnavailable) for one in refused)


async def test_a_change_is_followed_while_the_token_serves(
    own_token: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that retires signs no longer, without a restart; a file that was altered changes nothing, and is told."""
    monkeypatch.setattr(guard, "FOLLOWED_EVERY", 0.02)
    await adopted(own_token)
    async with Hsm(guarded(own_token)) as hsm:
        await hsm.sign(own_token.id(Algorithm.ES256), b"message")
        async with opened(own_token.config, path_of(own_token)) as book:
            await keeping.mark(book, "ES256", Stage.RETIRING, ends_role=True)
        with pytest.raises(HsmKeyRefused, match="retiring"):
            await _signing_for_ever(hsm, own_token.id(Algorithm.ES256))
        path_of(own_token).write_text("{}")
        async with asyncio.timeout(10):
            while (reason := hsm.health().reason) is None:  # noqa: ASYNC110 likewise
                await asyncio.sleep(0.01)
        assert "Restore it" in reason
        await hsm.sign(own_token.id(Algorithm.EDDSA), b"message")
        with pytest.raises(HsmKeyRefused, match="retiring"):
            await hsm.sign(own_token.id(Algorithm.ES256), b"message")


async def test_a_change_while_the_token_opens_is_followed(own_token: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the reading of the file and the first request there is no time in which a change is lost."""
    monkeypatch.setattr(guard, "FOLLOWED_EVERY", 0.02)
    await adopted(own_token)

    async def admit(_: Hsm) -> None:
        async with opened(own_token.config, path_of(own_token)) as book:
            await keeping.mark(book, "ES256", Stage.RETIRING, ends_role=True)

    async with Hsm(guarded(own_token), admit=admit) as hsm:
        with pytest.raises(HsmKeyRefused, match="retiring"):
            await _signing_for_ever(hsm, own_token.id(Algorithm.ES256))


async def _signing_for_ever(hsm: Hsm, key: bytes) -> None:
    async with asyncio.timeout(10):
        while await hsm.sign(key, b"message"):  # noqa: ASYNC110 tells nobody
            await asyncio.sleep(0.01)


async def test_one_damaged_key_costs_the_others_nothing(own_token: Prepared) -> None:
    """Its public half is another's: it is refused by name, and no worker ends over it."""
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    outsider(own_token, "exchange", "ES256", (b"\x04\x41" + point).hex())
    async with Hsm(own_token.config) as hsm:
        for _ in range(3):
            with pytest.raises(HsmKeyRefused, match="that of another"):
                await hsm.sign(own_token.id(Algorithm.ES256), b"message")
            await hsm.probe(own_token.id(Algorithm.EDDSA))
        assert hsm.health().restarts == 0
    with pytest.raises(HsmKeyRefused, match="that of another"):
        await adopted(own_token)
    with pytest.raises(SetupError, match="that of another"):
        async with Hsm(own_token.having(writable=True)) as hsm:
            await keys_on(hsm, "tests", {"ES256": Algorithm.ES256})


async def test_several_public_halves_hide_no_other_key(own_token: Prepared) -> None:
    """A second one of the same id, which anybody can make: the key alone is refused."""
    await adopted(own_token)
    outsider(own_token, "double", "ES256")
    async with Hsm(guarded(own_token)) as hsm:
        await hsm.probe(own_token.id(Algorithm.EDDSA))
        with pytest.raises(HsmAmbiguous):
            await hsm.sign(own_token.id(Algorithm.ES256), b"message")


async def test_two_of_a_label_are_nobodys(own_token: Prepared) -> None:
    """Nor is one of another algorithm: whoever made it, it is not certified."""
    async with Hsm(own_token.having(writable=True)) as hsm:
        await hsm.generate(Algorithm.ES256, "twice")
        with pytest.raises(SetupError, match="one ES384 key"):
            await keys_on(hsm, "tests", {"twice": Algorithm.ES384})
        await hsm.generate(Algorithm.ES256, "twice")
        with pytest.raises(SetupError, match="twice"):
            await keys_on(hsm, "tests", {"twice": Algorithm.ES256})


def test_a_file_is_put_in_place_past_whatever_is_there(tmp_path: Path) -> None:
    """Neither a link nor a file that others may write is written into: 0600, and new."""
    target, path = tmp_path / "target", tmp_path / "out.pem"
    target.write_text("mine")
    (tmp_path / ".out.pem.new").symlink_to(target)
    put_in_place(path, b"one")
    (tmp_path / ".out.pem.new").write_text("others may write")
    (tmp_path / ".out.pem.new").chmod(0o666)
    put_in_place(path, b"two")
    assert (target.read_text(), path.read_bytes(), path.is_symlink()) == ("mine", b"two", False)
    assert path.stat().st_mode & 0o777 == 0o600
