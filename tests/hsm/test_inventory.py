"""The signed inventory: what it lets a key do, and what it is not taken for."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509 as cryptography_x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hsm import (
    Algorithm,
    Hsm,
    HsmDecryptFailed,
    HsmInventoryRefused,
    HsmKeyRefused,
    HsmPolicy,
    TokenConfig,
    keeping,
    x509,
)
from hsm.book import Book, kept, opened, started
from hsm.check import check
from hsm.cli import DOES_NOT_HOLD, HOLDS, main
from hsm.entries import Entry
from hsm.errors import HsmBusy
from hsm.findings import verdict
from hsm.inventory import read
from hsm.lifecycle import ALARM_DAYS, DAY, NEXT, Stage, alarm, require_next
from hsm.pins import read_pin
from hsm.rules import strange
from hsm.signer import SIGNER_LABEL
from hsm.stand_in import signed
from hsm.verify import verify_signature

from .conftest import OFFERED, Prepared
from .typed import options

pytestmark = pytest.mark.softhsm

LIFE = [Stage.GENERATED, Stage.ATTESTED, Stage.PUBLISHED, Stage.ACTIVE]


def path_of(token: Prepared) -> Path:
    """Where the inventory of a token is in these tests."""
    assert token.config.softhsm_conf is not None
    return token.config.softhsm_conf.with_name("inventory.json")


def guarded(token: Prepared) -> TokenConfig:
    """The token as a service opens it."""
    return token.having(inventory=path_of(token))


def stranger(token: Prepared, kind: str, name: str) -> bytes:
    """Put a key on the token that must not be used; its id."""
    config = token.config
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("strangers.py")), str(config.module), config.label, kind, name],
        input=read_pin(config.pin_file),
        env=os.environ | {"SOFTHSM2_CONF": str(config.softhsm_conf)},
        capture_output=True,
        text=True,
        check=True,
    )
    return bytes.fromhex(done.stdout)


async def adopted(token: Prepared) -> None:
    """Start the inventory of a token in use."""
    async with started(token.config, path_of(token)) as book:
        await keeping.start(book, adopt=True)


async def brought_to(book: Book, stage: Stage, role: str = "documents") -> Entry:
    """A key of this role at this stage; the ceremony is another test's."""
    entry = await keeping.generate(book, await keeping.plan(book, role, Algorithm.ES256, None))
    for following in LIFE[1 : LIFE.index(stage) + 1] if stage in LIFE else [*LIFE[1:], stage]:
        entry = entry.at(following, book.time)
    await book.write(book.now.having(entry))
    return entry


async def findings(token: Prepared) -> dict[str, str]:
    """What `inventory --check` has against the token, by label."""
    async with Hsm(token.config) as hsm:
        keys, count = await hsm.inventory(), await hsm.count()
    spki = next(key.public_key for key in keys if key.label == SIGNER_LABEL)
    assert spki is not None
    found, _ = read(path_of(token), spki, count)
    rows = check(found, keys, count, datetime.now(UTC).timestamp())
    assert (verdict(rows) is True) == all(row.holds for row in rows)
    return {row.check: row.found for row in rows if not row.holds}


async def test_a_token_in_use_is_adopted(own_token: Prepared) -> None:
    """Every key goes on working, each with what it is for; the file is private and says what the token says."""
    await adopted(own_token)

    assert path_of(own_token).stat().st_mode & 0o777 == 0o600
    assert await findings(own_token) == {}
    async with Hsm(guarded(own_token)) as hsm:
        assert len(await hsm.sign(own_token.id(Algorithm.ES256), b"message")) == 64
        wrapped = await hsm.wrap(own_token.id(Algorithm.A256KWP), b"s" * 32)
        assert await hsm.unwrap(own_token.id(Algorithm.A256KWP), wrapped) == b"s" * 32
        assert len(await hsm.hmac(own_token.id(Algorithm.HS256), b"value")) == 32


@pytest.mark.parametrize("stage", [*LIFE, Stage.RETIRING, Stage.DESTROYED])
async def test_only_an_active_key_signs(own_token: Prepared, stage: Stage) -> None:
    """At every other stage the refusal names the stage; a key that is not listed is refused, too."""
    await adopted(own_token)
    async with opened(own_token.config, path_of(own_token)) as book:
        entry = await brought_to(book, stage)
    assert entry.id is not None

    async with Hsm(guarded(own_token)) as hsm:
        if stage is Stage.ACTIVE:
            await hsm.probe(entry.id)
        else:
            with pytest.raises(HsmKeyRefused, match=stage):
                await hsm.sign(entry.id, b"message")
        with pytest.raises(HsmKeyRefused, match="inventory"):
            await hsm.sign(b"unlisted", b"message")


async def test_a_retiring_key_opens_and_makes_nothing_new(own_token: Prepared) -> None:
    """What it wrapped and sealed comes out again."""
    await adopted(own_token)
    wrapping, sealing = own_token.id(Algorithm.A256KWP), own_token.id(Algorithm.A256GCM)
    async with Hsm(guarded(own_token)) as hsm:
        wrapped, sealed = await hsm.wrap(wrapping, b"s" * 32), await hsm.encrypt(sealing, b"text")
        async with opened(own_token.config, path_of(own_token)) as book:
            for algorithm in (Algorithm.A256KWP, Algorithm.A256GCM):
                await keeping.mark(book, algorithm.value, Stage.RETIRING, ends_role=True)
        await hsm.wrap(wrapping, b"s" * 32)  # the change is not known here yet
        await hsm.read_inventory()

        assert await hsm.unwrap(wrapping, wrapped) == b"s" * 32
        assert await hsm.decrypt(sealing, sealed) == b"text"
        with pytest.raises(HsmKeyRefused, match="WRAP"):
            await hsm.wrap(wrapping, b"s" * 32)
        with pytest.raises(HsmKeyRefused, match="ENCRYPT"):
            await hsm.encrypt(sealing, b"text")


# Provenance -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["imported", "extractable"])
async def test_a_key_that_was_not_born_in_the_token_is_refused(own_token: Prepared, kind: str) -> None:
    """Whatever it is for, with an inventory or without: the token's word on its birth is read before its first use."""
    key = stranger(own_token, kind, "stranger")
    async with Hsm(own_token.config) as hsm:
        with pytest.raises(HsmKeyRefused, match=r"is not LOCAL|is not NEVER_EXTRACTABLE"):
            await (hsm.sign(key, b"message") if kind == "imported" else hsm.wrap(key, b"s" * 32))
        assert await hsm.sign(own_token.id(Algorithm.ES256), b"the token serves on")

    await adopted(own_token)  # which does not enter the stranger
    assert await findings(own_token) == {"stranger": f"{key.hex()} is on the token, and not in the inventory"}


def test_the_inventory_records_what_made_a_key(token: Prepared) -> None:
    """CKA_KEY_GEN_MECHANISM; another one later is another key. Entries of before it was recorded go on."""
    key = token.keys[Algorithm.ES256]
    entry = Entry(key.label, "documents", key.algorithm, Stage.PLANNED).made(key, 0).at(Stage.ACTIVE, 0)
    other = replace(key, made_by="EC_KEY_PAIR_GEN_W_EXTRA_BITS")

    assert entry.to_json()["provenance"]["made_by"] == "EC_KEY_PAIR_GEN"
    assert strange(entry, [key]) is None
    assert "EC_KEY_PAIR_GEN_W_EXTRA_BITS" in (strange(entry, [other]) or "")
    before = replace(entry, provenance=dict.fromkeys(("local", "never_extractable", "always_sensitive"), True))
    assert strange(before, [other]) is None


async def test_a_key_exchanged_behind_the_inventory_stops_the_start(own_token: Prepared) -> None:
    """The id is the same, the key another: nothing is opened, and the check says why."""
    await adopted(own_token)
    async with opened(own_token.config, path_of(own_token)) as book:
        key = stranger(own_token, "imported", "documents#1")
        entry = await brought_to_foreign(book, key)
        assert entry.stage is Stage.ACTIVE

    with pytest.raises(HsmKeyRefused, match="not born in the token"):
        async with Hsm(guarded(own_token)):
            pytest.fail("opened")
    assert "not born in the token" in (await findings(own_token))["documents#1"]


async def brought_to_foreign(book: Book, key: bytes) -> Entry:
    """An entry for a key that the token does not vouch for, as only a forger with the token could write it."""
    (info,) = [one for one in await book.hsm.inventory() if one.id == key]
    entry = Entry(info.label, "documents", info.algorithm, Stage.PLANNED).made(info, book.time)
    entry = entry.at(Stage.ACTIVE, book.time)
    await book.write(book.now.adding(entry))
    return entry


# The file ---------------------------------------------------------------------------------------------


def altered(content: str) -> dict[str, str]:
    """An inventory with one thing changed each."""
    document = json.loads(content)
    signature = document["signature"]
    document["signed"]["keys"][0]["stage"] = "retiring"
    forged = json.dumps(document, indent=2, sort_keys=True) + "\n"
    return {
        "a stage": forged,
        "the signature": content.replace(signature, signature[::-1]),
        "no signature": content.replace(signature, ""),
        "a space": content.replace("{", "{ ", 1),
        "a second name": content.replace('"signed": {', '"signed": {}, "signed": {', 1),
        "cut off": content[: len(content) // 2],
        "nothing": "",
        "no object": "[]",
        "no hexadecimal": content.replace(signature, "zz"),
        "deep": "[" * 100_000,
    }


CHANGES = list(altered(json.dumps({"signed": {"keys": [{"stage": ""}]}, "signature": "00ff"})))


@pytest.mark.parametrize("change", CHANGES)
async def test_an_altered_inventory_is_refused(own_token: Prepared, change: str) -> None:
    """Whatever was changed; the sentence says what to do, and the original opens again."""
    await adopted(own_token)
    content = path_of(own_token).read_text()
    path_of(own_token).write_text(altered(content)[change])
    with pytest.raises(HsmInventoryRefused, match=r"[Rr]estore"):
        async with Hsm(guarded(own_token)):
            pytest.fail("opened")

    path_of(own_token).write_text(content)
    async with Hsm(guarded(own_token)):
        pass


async def test_a_missing_inventory_is_refused(own_token: Prepared) -> None:
    """Neither a file that is gone nor a token that never had one counts as "no rules"."""
    with pytest.raises(HsmInventoryRefused, match="inventory key"):
        async with Hsm(guarded(own_token)):
            pytest.fail("opened")
    await adopted(own_token)
    path_of(own_token).unlink()
    with pytest.raises(HsmInventoryRefused, match="Restore it"):
        async with Hsm(guarded(own_token)):
            pytest.fail("opened")


async def test_an_older_inventory_is_refused(own_token: Prepared) -> None:
    """The token counts the changes: a file of before, which it signed too, brings no key back to life."""
    await adopted(own_token)
    before = path_of(own_token).read_bytes()
    async with opened(own_token.config, path_of(own_token)) as book:
        await keeping.mark(book, "ES256", Stage.RETIRING, ends_role=True)
        await keeping.destroy(book, "ES256")
    path_of(own_token).write_bytes(before)
    with pytest.raises(HsmInventoryRefused, match="older"):
        async with Hsm(guarded(own_token)):
            pytest.fail("opened")


async def test_the_change_before_is_as_old_as_any(own_token: Prepared) -> None:
    """One change back is refused; one that the token has not counted yet is what a crash leaves."""
    await adopted(own_token)
    before = path_of(own_token).read_bytes()
    async with opened(own_token.config, path_of(own_token)) as book:
        await keeping.mark(book, "ES256", Stage.RETIRING, ends_role=True)
        count, spki = await book.hsm.count(), book.signer.public_key or b""
    assert read(path_of(own_token), spki, count - 1)[0].sequence == count
    path_of(own_token).write_bytes(before)
    with pytest.raises(HsmInventoryRefused, match=f"older {count - 1}"):
        read(path_of(own_token), spki, count)


async def test_changes_are_chained(own_token: Prepared) -> None:
    """Each names the one before by its hash, and one more is counted."""
    from hashlib import sha256

    await adopted(own_token)
    async with opened(own_token.config, path_of(own_token)) as book:
        before, content = book.now, path_of(own_token).read_bytes()
        await keeping.plan(book, "documents", Algorithm.ES256, None)
        assert (book.now.sequence, book.now.previous) == (before.sequence + 1, sha256(content).digest())


async def test_two_commands_do_not_change_it_at_once(own_token: Prepared) -> None:
    """The second is told to wait, rather than lose what the first wrote."""
    await adopted(own_token)
    async with opened(own_token.config, path_of(own_token)):
        with pytest.raises(HsmBusy, match="another command"):
            async with opened(own_token.config, path_of(own_token)):
                pytest.fail("opened")


async def test_an_inventory_is_started_once(own_token: Prepared) -> None:
    """Not over one that is there; after a crash before the file was there, with the same key."""
    async with started(own_token.config, path_of(own_token)):
        pass  # cut off: the key is made, and no file written
    await adopted(own_token)
    with pytest.raises(HsmPolicy, match="Expected no inventory"):
        await adopted(own_token)
    async with Hsm(own_token.config) as hsm:
        assert [key.label for key in await hsm.inventory()].count(SIGNER_LABEL) == 1


async def test_a_lost_inventory_is_begun_again_only_on_demand(own_token: Prepared) -> None:
    """A file that somebody removed does not bring keys back to life; the count goes on."""
    await adopted(own_token)
    async with opened(own_token.config, path_of(own_token)) as book:
        before = book.now.sequence
    path_of(own_token).unlink()
    with pytest.raises(HsmPolicy, match="--again"):
        await adopted(own_token)
    async with started(own_token.config, path_of(own_token), again=True) as book:
        await keeping.start(book, adopt=False)
        assert book.now.sequence == before + 1
    assert set(await findings(own_token)) == {algorithm.value for algorithm in OFFERED}


async def test_another_register_is_followed(own_token: Prepared) -> None:
    """In one change, none where nothing changed; neither strangers nor what was replaced is taken into use."""
    first, second = own_token.id(Algorithm.ES256), own_token.id(Algorithm.EDDSA)
    async with kept(own_token.config, path_of(own_token)) as book:
        await keeping.follow(book, {first: ("documents", None)})
    async with kept(own_token.config, path_of(own_token)) as book:
        await keeping.follow(book, {first: ("documents", None)})
        assert book.now.sequence == 2, "one change, counted from one"
        with pytest.raises(HsmPolicy, match="out of the register"):
            await keeping.follow(book, {second: ("documents", None)})
        await keeping.follow(book, {second: ("documents", None)}, {first})
        assert [(entry.id, entry.stage) for entry in book.now.entries] == [
            (first, Stage.RETIRING),
            (second, Stage.ACTIVE),
        ]
        with pytest.raises(HsmPolicy, match="put back"):
            await keeping.follow(book, {first: ("documents", None)})
    imported = stranger(own_token, "imported", "stranger")
    async with kept(own_token.config, path_of(own_token)) as book:
        for unfit in (imported, b"nowhere"):
            with pytest.raises(HsmKeyRefused, match="born there"):
                await keeping.follow(book, {second: ("documents", None), unfit: ("others", None)})
        assert len(book.now.entries) == 2


@pytest.mark.parametrize("stage", [Stage.GENERATED, Stage.ATTESTED, Stage.PUBLISHED])
async def test_a_key_whose_ceremony_is_over_follows_into_use(own_token: Prepared, stage: Stage) -> None:
    """For the role that it was made for; one whose ceremony is not over, or was for another role, is not in use."""
    await adopted(own_token)
    async with opened(own_token.config, path_of(own_token)) as book:
        entry = await brought_to(book, stage)
        assert entry.id is not None
        in_use = {one.id: (one.role, one.certificate) for one in book.now.entries if one.id is not None}
        with pytest.raises(HsmPolicy, match="to be active"):
            await keeping.follow(book, in_use | {entry.id: ("others", None)})
        if stage is Stage.GENERATED:
            with pytest.raises(HsmPolicy, match="to be active"):
                await keeping.follow(book, in_use)
            return
        await keeping.follow(book, in_use)
        assert book.now.entry(entry.label).stage is Stage.ACTIVE
        assert {Stage.ATTESTED, Stage.PUBLISHED, Stage.ACTIVE} <= book.now.entry(entry.label).dates.keys()


async def test_a_key_in_software_is_entered_as_such(own_token: Prepared, capsys: pytest.CaptureFixture[str]) -> None:
    """Once the token opened it; it signs under the inventory, is listed as software, and retires with its role."""
    wrapping = own_token.id(Algorithm.A256KWP)
    in_use: dict[bytes, tuple[str, bytes | None]] = {wrapping: ("sealing", None)}
    async with Hsm(own_token.config) as hsm:
        first, second = [await hsm.make_sealed(Algorithm.ML_DSA_44, wrapping) for _ in range(2)]
    async with kept(own_token.config, path_of(own_token)) as book:
        with pytest.raises(HsmDecryptFailed):
            await keeping.follow(book, in_use, software={replace(first, sealed=second.sealed): "log"})
        await keeping.follow(book, in_use, software={first: "log"})
        await keeping.follow(book, in_use, software={first: "log"})
        assert book.now.sequence == 2, "one change, counted from one"
    async with Hsm(guarded(own_token)) as hsm:
        verify_signature(first.public_key, b"message", await hsm.sign_sealed(first, b"message"))

    assert await asyncio.to_thread(main, ["inventory", *options(own_token)]) == HOLDS
    (row,) = [row for row in json.loads(capsys.readouterr().out) if row["software"]]
    assert (row["id"], row["algorithm"], row["role"], row["sealed"]) == (first.id.hex(), "ML-DSA-44", "log", True)

    async with kept(own_token.config, path_of(own_token)) as book:
        await keeping.follow(book, in_use, {first.id}, {second: "log"})
    async with Hsm(guarded(own_token)) as hsm:
        await hsm.sign_sealed(second, b"message")
        with pytest.raises(HsmKeyRefused, match="retiring"):
            await hsm.sign_sealed(first, b"message")
    path_of(own_token).write_text("{}")
    assert await asyncio.to_thread(main, ["inventory", *options(own_token)]) == DOES_NOT_HOLD
    *keys, wrong = json.loads(capsys.readouterr().out)
    assert len(keys) == 1 + len(own_token.keys)
    assert "Restore it" in wrong["found"]


# Certificates -----------------------------------------------------------------------------------------


async def certified(token: Prepared, start: int, end: int) -> bytes:
    """An active key whose certificate holds from then to then, both in seconds from now; its id."""
    await adopted(token)
    async with opened(token.config, path_of(token)) as book:
        entry = await brought_to(book, Stage.ACTIVE)
        assert entry.public_key is not None
        assert entry.id is not None
        identity = entry.id
        public = serialization.load_der_public_key(entry.public_key)
        assert isinstance(public, ec.EllipticCurvePublicKey)
        now, name = datetime.now(UTC), x509.name_of("CN=Documents")
        builder = (
            cryptography_x509.CertificateBuilder(name, name, public, 1)
            .not_valid_before(now + timedelta(seconds=start))
            .not_valid_after(now + timedelta(seconds=end))
        )
        made = await signed(entry.public_key, lambda data: book.hsm.sign(identity, data), builder.sign)
        fresh = entry.with_certificate(made.public_bytes(serialization.Encoding.DER))
        await book.write(book.now.having(fresh))
        return identity


async def test_nothing_outlives_its_certificate(own_token: Prepared) -> None:
    """What ends within is signed, what ends after is refused, as is a promise no inventory could keep."""
    key = await certified(own_token, -60, 100 * DAY)
    now = int(datetime.now(UTC).timestamp())
    async with Hsm(guarded(own_token)) as hsm:
        await hsm.sign(key, b"message", until=now + 99 * DAY)
        with pytest.raises(HsmKeyRefused, match="outlive"):
            await hsm.sign(key, b"message", until=now + 101 * DAY)
        with pytest.raises(HsmKeyRefused, match="certificate"):
            await hsm.sign(own_token.id(Algorithm.ES256), b"message", until=now + DAY)
        assert hsm.health().certificates == ()
    async with Hsm(own_token.config) as hsm:
        with pytest.raises(HsmPolicy, match="inventory"):
            await hsm.sign(key, b"message", until=now)


@pytest.mark.parametrize(("start", "end"), [(-DAY, -60), (60, DAY)])
async def test_a_certificate_that_does_not_hold_now_signs_nothing(own_token: Prepared, start: int, end: int) -> None:
    """Expired, and not valid yet."""
    key = await certified(own_token, start, end)
    async with Hsm(guarded(own_token)) as hsm:
        with pytest.raises(HsmKeyRefused, match="rotate"):
            await hsm.sign(key, b"message")


@pytest.mark.parametrize("days", ALARM_DAYS)
async def test_the_end_of_a_certificate_is_told_in_time(own_token: Prepared, days: int) -> None:
    """In the health of an open token, and by the check; a token whose clock moves on finds out by itself."""
    await certified(own_token, -60, days * DAY)
    later = datetime.now(UTC).timestamp()
    async with Hsm(guarded(own_token), clock=lambda: later) as hsm:
        (told,) = hsm.health().certificates
        assert (told.label, told.within_days) == ("documents#1", days)
        later += days * DAY + 1
        assert hsm.health().certificates[0].within_days == 0
    assert f"within {days} day" in (await findings(own_token))["documents#1"]


def test_alarms_are_at_30_7_and_1_days() -> None:
    """Each from its very second on."""
    assert [alarm(30 * DAY + 1, 0), alarm(30 * DAY, 0), alarm(7 * DAY + 1, 0), alarm(7 * DAY, 0)] == [None, 30, 30, 7]
    assert [alarm(DAY + 1, 0), alarm(DAY, 0), alarm(1, 0), alarm(0, 0)] == [7, 1, 1, 0]


# The life of a key ------------------------------------------------------------------------------------


@pytest.mark.parametrize("now", list(Stage))
@pytest.mark.parametrize("wanted", list(Stage))
def test_stages_follow_each_other_as_drawn(now: Stage, wanted: Stage) -> None:
    """Everything else is refused with what to do; a compromised key alone goes straight from active."""
    order = list(Stage)
    step = order.index(wanted) == order.index(now) + 1
    given_up = wanted is Stage.DESTROYED and now in {Stage.PLANNED, *LIFE[:-1]}
    assert (wanted in NEXT[now]) == (step or given_up)
    if wanted in NEXT[now]:
        require_next("key", now, wanted)
    else:
        with pytest.raises(HsmPolicy, match=r"python -m hsm|ceremony"):
            require_next("key", now, wanted)
    if (now, wanted) == (Stage.ACTIVE, Stage.DESTROYED):
        require_next("key", now, wanted, compromised=True)


async def test_rotation_leaves_exactly_one_active(own_token: Prepared) -> None:
    """Not before the successor is published, and in one change of the file."""
    await adopted(own_token)
    async with opened(own_token.config, path_of(own_token)) as book:
        planned = await keeping.plan(book, "ES256", Algorithm.ES256, "ES256")
        fresh = await keeping.generate(book, planned)
        with pytest.raises(HsmPolicy, match="ceremony"):
            await keeping.exchange(book, "ES256")
        await book.write(book.now.having(fresh.at(Stage.ATTESTED, book.time)))
        with pytest.raises(HsmPolicy, match="no successor yet"):
            await keeping.plan(book, "ES256", Algorithm.ES256, "ES256")
        await keeping.mark(book, fresh.label, Stage.PUBLISHED)
        before = book.now.sequence
        await keeping.mark(book, fresh.label, Stage.ACTIVE)
        stages = {entry.label: entry.stage for entry in book.now.entries if entry.role == "ES256"}

        assert stages == {"ES256": Stage.RETIRING, fresh.label: Stage.ACTIVE}
        assert book.now.sequence == before + 1


async def test_a_certified_key_is_followed_by_a_certified_one(own_token: Prepared) -> None:
    """Else what is signed from then on could not be verified."""
    await certified(own_token, -60, 100 * DAY)
    async with opened(own_token.config, path_of(own_token)) as book:
        fresh = await keeping.generate(book, await keeping.plan(book, "documents", Algorithm.ES256, "documents#1"))
        await book.write(book.now.having(fresh.at(Stage.PUBLISHED, book.time)))
        with pytest.raises(HsmPolicy, match="certify"):
            await keeping.exchange(book, "documents#1")


async def test_a_destroyed_key_is_gone_from_the_token(own_token: Prepared) -> None:
    """Both halves, also for a client that held them; its label is never given again."""
    await adopted(own_token)
    async with Hsm(own_token.config) as held, opened(own_token.config, path_of(own_token)) as book:
        await held.sign(own_token.id(Algorithm.ES256), b"message")
        with pytest.raises(HsmPolicy, match="compromised"):
            await keeping.destroy(book, "ES256")
        _, objects = await keeping.destroy(book, "ES256", compromised=True)
        assert objects == 2
        assert (await keeping.destroy(book, "ES256"))[1] == 0
        with pytest.raises(Exception, match="Expected"):
            await held.sign(own_token.id(Algorithm.ES256), b"message")
        with pytest.raises(HsmPolicy, match="ever had"):
            book.now.adding(Entry("ES256", "ES256", Algorithm.ES256, Stage.PLANNED))
    assert await findings(own_token) == {}


# Crashes between two steps ----------------------------------------------------------------------------


class CutOffError(Exception):
    """The process ended here."""


async def test_a_ceremony_cut_off_after_the_key_was_made_goes_on(
    own_token: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is on the token and not entered: the check says so, and the next run finds it by its label."""
    await adopted(own_token)
    async with opened(own_token.config, path_of(own_token)) as book:
        planned = await keeping.plan(book, "documents", Algorithm.ES256, None)
        made = await book.hsm.generate(Algorithm.ES256, planned.label)  # and then the power went
    assert "cut off" in (await findings(own_token))["documents#1"]
    async with Hsm(guarded(own_token)) as hsm:
        with pytest.raises(HsmKeyRefused, match="in the inventory"):
            await hsm.sign(made.id, b"message")

    async with opened(own_token.config, path_of(own_token)) as book:
        again = await keeping.plan(book, "documents", Algorithm.ES256, None)
        assert again.label == planned.label
        assert (await keeping.generate(book, again)).id == made.id
    assert await findings(own_token) == {}


async def test_a_key_cut_off_half_way_is_removed_and_made_anew(own_token: Prepared) -> None:
    """It has no id, so nothing can name it; what was planned under its label is whole in the end, and alone."""
    await adopted(own_token)
    async with opened(own_token.config, path_of(own_token)) as book:
        planned = await keeping.plan(book, "documents", Algorithm.ES256, None)
    stranger(own_token, "half", planned.label)
    assert "cut off" in (await findings(own_token))[planned.label]

    async with opened(own_token.config, path_of(own_token)) as book:
        made = await keeping.generate(book, book.now.entry(planned.label))
        assert [key.id for key in await book.hsm.inventory() if key.label == planned.label] == [made.id]
        await book.hsm.probe(made.id or b"")
    assert await findings(own_token) == {}


async def test_a_destruction_cut_off_is_finished(own_token: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entered and not done: nobody uses the key, the check says so, and the same command finishes it."""
    await adopted(own_token)

    async def cut_off(*_: object) -> int:
        raise CutOffError

    async with opened(own_token.config, path_of(own_token)) as book:
        with monkeypatch.context() as patch:
            patch.setattr(Hsm, "destroy", cut_off)
            with pytest.raises(CutOffError):
                await keeping.destroy(book, "ES256", compromised=True)
    assert "still on the token" in (await findings(own_token))["ES256"]
    async with Hsm(guarded(own_token)) as hsm:
        with pytest.raises(HsmKeyRefused, match="destroyed"):
            await hsm.sign(own_token.id(Algorithm.ES256), b"message")

    async with opened(own_token.config, path_of(own_token)) as book:
        assert (await keeping.destroy(book, "ES256"))[1] == 2
    assert await findings(own_token) == {}


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace"])
async def test_a_write_cut_off_leaves_the_file_before(
    own_token: Prepared, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """The old inventory is whole, and the next change goes on from it."""
    await adopted(own_token)
    before = path_of(own_token).read_bytes()

    def cut_off(*_: object) -> None:
        raise CutOffError

    async with opened(own_token.config, path_of(own_token)) as book:
        with monkeypatch.context() as patch:
            patch.setattr(call, cut_off)
            with pytest.raises(CutOffError):
                await keeping.plan(book, "documents", Algorithm.ES256, None)
    assert path_of(own_token).read_bytes() == before
    async with opened(own_token.config, path_of(own_token)) as book:
        await keeping.plan(book, "documents", Algorithm.ES256, None)
    assert await findings(own_token) == {}
