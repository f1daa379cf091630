"""A signing key replaced, told in full: two admins order it while the service runs, the next start carries it out."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hsm import Hsm, HsmKeyRefused, HsmModuleMissing, keeping
from hsm.book import opened
from hsm.ceremony import Witnesses
from hsm.lifecycle import Stage
from hsm.softhsm import find_module
from idverify.app import provision as provision_module
from idverify.app.provision import ROOT, Wishes, provision
from idverify.app.tokens import HsmSigner, token_config
from idverify.app.witnessed import Present
from idverify.cli.ledger import fsck
from idverify.cli.transcript import run as named
from idverify.config import FILE_NAME, load
from idverify.core import key_order
from idverify.core.policy import Role
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.errors import LogHalted, SetupError, Unavailable
from idverify.services.invite import Invited
from idverify.services.key_ceremony import KeyCeremony, open_orders
from idverify.services.log_keys import CHECKPOINT_COSIGNER
from idverify.services.office import STATUS_SIGNER
from idverify.stores import queries
from idverify.stores.open import open_store
from tests.simulators.databases import DRIVERS, changed, empty
from tests.simulators.holder import Holding, holding, shown
from tests.simulators.service import Api, Deployment, client, deploy, serving

SIGNER = IMMIGRATION_STATUS.key_role
PROPOSALS = "/api/v1/administration/proposals"


@dataclass(frozen=True)
class Place:
    """A deployment of its own, and a caller of its service, which is started and stopped by the test."""

    deployment: Deployment
    api: Api

    async def keys(self, role: str) -> dict[str, Any]:
        """Rows of the role's keys by their state."""
        async with open_store(self.deployment.location, self.deployment.clock) as store:
            rows: list[Any] = await store.fetch(queries.SIGNING_KEYS, {})
        return {row["state"]: row for row in rows if row["role"] == role}

    async def orders(self) -> list[str]:
        """Roles whose replacement waits."""
        async with open_store(self.deployment.location, self.deployment.clock) as store:
            return [order.role for order in await open_orders(store)]

    async def ordered(self, role: str, reason: str) -> None:
        """Two admins order it through the API."""
        await self.api.officers()
        admin = Invited(Role.ADMIN, "Abel Admin")
        await self.api.enrol("abel", await self.deployment.invite(admin))
        action = key_order.action((await self.keys(role))["active"]["key_id"], role, reason).to_json()
        waiting = await self.api.ok("POST", PROPOSALS, "admin", action)
        await self.api.ok("POST", f"{PROPOSALS}/{waiting['proposal']}/approval", "abel", {})

    async def up(self, present: Present | None = None) -> list[str]:
        """What ``idverify up`` does before it serves, before these witnesses; what it says."""
        told: list[str] = []
        wishes = Wishes(self.deployment.url, self.deployment.port)
        await provision(self.deployment.data, wishes, told.append, present)
        return told

    async def verdict(self, held: Holding) -> tuple[str, str]:
        """What an employer learns of a document: the verdict, and whether its issuer is trusted."""
        answer = await shown(self.api, "employer", held, ["work"])
        checks = {check["id"]: check["result"] for check in answer["checks"]}
        return answer["verdict"], checks["issuer_trusted"]

    async def on_token(self, role: str) -> list[bytes]:
        """Ids of the keys on the online token that were made for the role."""
        async with Hsm(token_config(load(self.deployment.data).online)) as online:
            return [key.id for key in await online.inventory() if key.label.startswith(role)]


async def _cut_off(*_: object) -> None:
    """In the place of a step: the process ends here."""
    raise KeyboardInterrupt


@asynccontextmanager
async def established(driver: str, request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Place]:
    """A deployment over a driver; in the end its ledger and its rows must hold."""
    try:
        find_module()
    except HsmModuleMissing as error:
        pytest.skip(f"needs SoftHSM: {error}")
    with empty(driver, request) as database_url:
        deployment = await deploy(folder / "data", database_url)
        async with client() as session:
            yield Place(deployment, Api(session, deployment))
        assert await asyncio.to_thread(fsck, deployment.data, None, json=True) == 0


@pytest.fixture(params=DRIVERS)
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """One over each driver."""
    async with established(request.param, request, tmp_path) as made:
        yield made


@pytest.fixture
async def one_place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """One in a file."""
    async with established("sqlite", request, tmp_path) as made:
        yield made


@pytest.mark.drivers_alike
@pytest.mark.softhsm
@pytest.mark.parametrize(
    ("role", "reason", "afterwards"),
    [
        (SIGNER, "precaution", ("accept", "pass")),
        (SIGNER, "compromised", ("reject", "fail")),
        (STATUS_SIGNER, "compromised", ("accept", "pass")),
    ],
)
async def test_a_key_is_replaced(place: Place, role: str, reason: str, afterwards: tuple[str, str]) -> None:
    """The new one signs after the next start; what the old one signed holds, unless it was compromised."""
    with serving(place.deployment):
        old = await holding(place.api)
        await place.ordered(role, reason)
        assert await place.verdict(old) == ("accept", "pass")
        with pytest.raises(SetupError, match="Another idverify serves"):
            await place.up()
    before = (await place.keys(role))["active"]
    (told,) = await place.up()
    assert told.startswith(f"Signing key replaced: {role} ({reason}).")
    assert await place.up() == []

    after = await place.keys(role)
    assert after.keys() == {"active", "revoked" if reason == "compromised" else "retiring"}
    assert after["active"]["key_id"] != before["key_id"]
    assert await place.orders() == []
    with serving(place.deployment):
        new = await holding(place.api)
        assert await place.verdict(old) == afterwards
        assert await place.verdict(new) == ("accept", "pass")


@pytest.mark.softhsm
async def test_a_run_that_was_cut_off(one_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the key was generated and before anything was written: the next run takes the key that is there."""
    with serving(one_place.deployment):
        await one_place.ordered(SIGNER, "expires")
    first = (await one_place.keys(SIGNER))["active"]["key_id"]
    with monkeypatch.context() as patch:
        patch.setattr(KeyCeremony, "carry_out", _cut_off)
        with pytest.raises(KeyboardInterrupt):
            await one_place.up()
    (made,) = set(await one_place.on_token(SIGNER)) - {first}
    assert (await one_place.keys(SIGNER)).keys() == {"active"}
    assert await one_place.orders() == [SIGNER]

    await one_place.up()

    assert {state: row["key_id"] for state, row in (await one_place.keys(SIGNER)).items()} == {
        "active": made,
        "retiring": first,
    }
    assert set(await one_place.on_token(SIGNER)) == {first, made}
    with serving(one_place.deployment):
        assert await one_place.verdict(await holding(one_place.api)) == ("accept", "pass")


@pytest.mark.softhsm
async def test_the_inventory_follows(one_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token signs which keys are in use; one that is not entered yet signs nothing, and the next run enters it."""
    data = one_place.deployment.data
    settings, inventory = data / FILE_NAME, data / "tokens" / "inventory.json"
    settings.write_text(settings.read_text().replace("[online]", f'[online]\ninventory = "{inventory}"'))
    await one_place.up()
    with serving(one_place.deployment):
        assert await one_place.verdict(await holding(one_place.api)) == ("accept", "pass")
        await one_place.ordered(SIGNER, "expires")
    with monkeypatch.context() as patch:
        patch.setattr(provision_module, "enter_keys", _cut_off)
        with pytest.raises(KeyboardInterrupt):
            await one_place.up()
    keys = {state: row["key_id"].hex() for state, row in (await one_place.keys(SIGNER)).items()}
    async with Hsm(token_config(load(data).online, guarded=True)) as online:
        with pytest.raises(Unavailable, match="not yet") as refused:
            await HsmSigner(online, b"").sign(bytes.fromhex(keys["active"]), b"message")
        assert isinstance(refused.value.__cause__, HsmKeyRefused)

    await one_place.up()

    entries = json.loads(inventory.read_text())["signed"]["keys"]
    assert {entry["stage"]: entry["id"] for entry in entries if entry["role"] == SIGNER} == keys
    assert all(entry["certificate"] for entry in entries if entry["id"] in keys.values())
    cosigner = (await one_place.keys(CHECKPOINT_COSIGNER))["active"]
    assert [
        (entry["role"], entry["algorithm"], entry["id"], entry["stage"]) for entry in entries if entry["sealed"]
    ] == [(CHECKPOINT_COSIGNER, "ML-DSA-44", cosigner["key_id"].hex(), "active")]
    with serving(one_place.deployment):
        assert await one_place.verdict(await holding(one_place.api)) == ("accept", "pass")


def read_aloud(question: str) -> str:
    """A witness who looks: the end of what is shown."""
    return question.partition(":")[2].split("\n")[0].split()[-1]


@pytest.mark.softhsm
async def test_witnesses_see_the_key_made(one_place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a quorum the order waits; with one the ledger's entry names the transcript, whenever it was cut off."""
    data = one_place.deployment.data
    settings, inventory = data / FILE_NAME, data / "tokens" / "inventory.json"
    with serving(one_place.deployment):
        await one_place.ordered(SIGNER, "precaution")
    witnesses = Witnesses(("Ada Byron", "Bob Clarke"), 2)
    with pytest.raises(SetupError, match="keeps none"):
        await one_place.up(Present(witnesses, read_aloud))
    settings.write_text(settings.read_text().replace("[online]", f'[online]\ninventory = "{inventory}"'))

    assert "0 confirmed, and 2 must" in " ".join(await one_place.up(Present(witnesses, lambda _: "")))
    assert "waits for the end of its key's ceremony" in " ".join(await one_place.up())
    assert await one_place.orders() == [SIGNER]
    await _given_up(one_place, inventory)
    assert "0 confirmed, and 2 must" in " ".join(await one_place.up(Present(witnesses, lambda _: "")))
    assert await one_place.orders() == [SIGNER], "a key that was destroyed is not taken for the one that was ordered"
    with monkeypatch.context() as patch:
        patch.setattr(KeyCeremony, "carry_out", _cut_off)
        with pytest.raises(KeyboardInterrupt):
            await one_place.up(Present(witnesses, read_aloud))
    assert await one_place.orders() == [SIGNER]
    await one_place.up()

    assert await one_place.orders() == []
    key = (await one_place.keys(SIGNER))["active"]["key_id"]
    (entry,) = [one for one in json.loads(inventory.read_text())["signed"]["keys"] if one["id"] == key.hex()]
    (transcript,) = inventory.parent.glob("ceremony-*.json")
    assert (entry["stage"], entry["transcript"]) == ("active", sha256(transcript.read_bytes()).hexdigest())
    altered = tmp_path / "altered"
    altered.write_text(transcript.read_text().replace("Bob", "Eve"))
    assert await asyncio.to_thread(named, data, transcript, json=True) == 0
    assert await asyncio.to_thread(named, data, altered, json=False) == 1
    with serving(one_place.deployment):
        assert await one_place.verdict(await holding(one_place.api)) == ("accept", "pass")


async def _given_up(place: Place, inventory: Path) -> None:
    """Nobody confirmed the key of the order: it is destroyed, as it says."""
    (online, *_) = load(place.deployment.data).tokens
    async with opened(token_config(online), inventory) as book:
        (label,) = [entry.label for entry in book.now.entries if entry.stage is Stage.GENERATED]
        await keeping.destroy(book, label)


@pytest.mark.softhsm
async def test_the_root_was_taken_away(one_place: Place) -> None:
    """All of it, its PIN, or what SoftHSM keeps: the service starts with the old keys, and the order waits."""
    root, elsewhere = one_place.deployment.data / "tokens" / ROOT, one_place.deployment.data / "safe"
    with serving(one_place.deployment):
        await one_place.ordered(SIGNER, "expires")
    for home in (root, root / "pin", root / "tokens"):
        shutil.move(home, elsewhere)
        (told,) = await one_place.up()
        assert told.endswith(f"{SIGNER} waits: the root's token is not there. Bring it back, then run up again.")
        shutil.move(elsewhere, home)
    with serving(one_place.deployment):
        await holding(one_place.api)
    assert await one_place.orders() == [SIGNER]

    (told,) = await one_place.up()
    assert told.endswith("What the old one signed still verifies.")


@pytest.mark.softhsm
async def test_the_ledger_is_halted(one_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes no entries, so the order waits; nothing stands in the way of the start that says so."""

    async def halted(*_: object) -> None:
        raise LogHalted("there are two of it")

    with serving(one_place.deployment):
        await one_place.ordered(SIGNER, "expires")
    with monkeypatch.context() as patch:
        patch.setattr(KeyCeremony, "carry_out", halted)
        (told,) = await one_place.up()
    assert "waits: the ledger is halted. Have a new log opened, then run up again." in told
    assert await one_place.orders() == [SIGNER]
    await one_place.up()
    assert (await one_place.keys(SIGNER)).keys() == {"active", "retiring"}


@pytest.mark.softhsm
async def test_an_order_that_nobody_gave(one_place: Place) -> None:
    """A row is no order: the root signs nothing for it, and the key goes on signing."""
    with serving(one_place.deployment):  # what is audited in the end was signed
        key = (await one_place.keys(SIGNER))["active"]["key_id"]
    values = {"id": bytes(16), "key": key, "role": SIGNER}
    changed(
        one_place.deployment.location,
        """INSERT INTO key_order (id, handle, role, reason, old_key_id, authorisation_id, approval_id, ordered_at)
        VALUES (:id, :id, :role, 'compromised', :key, :id, :id, 0)""",
        values,
    )

    (said,) = await one_place.up()

    assert "is not carried out: nobody confirmed it" in said
    assert (await one_place.keys(SIGNER))["active"]["key_id"] == key
    changed(one_place.deployment.location, "DELETE FROM key_order")


@pytest.mark.softhsm
async def test_another_name_in_the_settings(one_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates carry whose deployment it is, so settings that say otherwise are refused before one is made."""
    with serving(one_place.deployment):
        pass
    monkeypatch.setenv("IDVERIFY_IDENTITY__NAME", "Ministry of Somebody Else")

    with pytest.raises(SetupError, match="for good"):
        await one_place.up()
