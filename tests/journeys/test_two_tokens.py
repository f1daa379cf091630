"""Two tokens, told in full: one is lost and the service goes on; all are lost and people's data comes back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hsm import HsmModuleMissing, init_token, recovery
from hsm.pins import create_pin, read_pin
from hsm.softhsm import find_module, render
from idverify.app.provision import ONLINE, Wishes, provision
from idverify.cli.ledger import fsck
from idverify.cli.tokens import recover, retire
from idverify.cli.trust import export
from idverify.config import FILE_NAME, load
from idverify.core import key_order
from idverify.core.policy import Role
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.errors import SetupError
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.cose_receipt import MEDIA_TYPE, Expected, verify_inclusion_receipt
from idverify.ledger.description import LogDescription
from idverify.ledger.errors import ReceiptError, SignatureError
from idverify.ledger.lines import parse_hash
from idverify.ledger.merkle import leaf_hash, verify_consistency
from idverify.ledger.note import parse_vkey
from idverify.ledger.policy import Policy, parse_policy
from idverify.ledger.proof import TlogProof
from idverify.ledger.receipt import Opening
from idverify.services.invite import Invited
from idverify.services.trust import offline_verifier
from idverify.stores import queries
from idverify.stores.open import open_store
from tests.simulators.databases import empty
from tests.simulators.holder import Holding, holding, shown
from tests.simulators.service import DETAILS, Api, Deployment, client, deploy, start, stop, workers_of

pytestmark = pytest.mark.softhsm

SIGNER = IMMIGRATION_STATUS.key_role
PROPOSALS = "/api/v1/administration/proposals"
PASSPORT = {"type": "P", "number": "", "issuing_state": "UTO", "expiry": "2031-01-01"}


@dataclass(frozen=True)
class Place:
    """A deployment, and a caller of its service, which is started and stopped by the test."""

    deployment: Deployment
    api: Api

    @property
    def data(self) -> Path:
        """Its directory."""
        return self.deployment.data

    async def add_token(self, label: str, section: str) -> None:
        """A SoftHSM token of its own, named in the settings."""
        home = self.data / "tokens" / label
        conf, so_pin, pin = render(home), create_pin(home / "so-pin"), create_pin(home / "pin")
        serial = await init_token(find_module(), label, read_pin(so_pin), read_pin(pin), conf)
        said = {"module": find_module(), "label": label, "serial": serial, "pin_file": pin, "softhsm_conf": conf}
        with (self.data / FILE_NAME).open("a") as settings:
            settings.write(f"\n{section}\n" + "".join(f'{name} = "{value}"\n' for name, value in said.items()))

    async def add_token_with_inventory(self, label: str, section: str) -> Path:
        """The same with an inventory; its file."""
        await self.add_token(label, section)
        return self.keep_inventory(label)

    def keep_inventory(self, label: str) -> Path:
        """Have a token's keys entered from now on; the inventory's file."""
        settings, inventory = self.data / FILE_NAME, self.data / "tokens" / f"{label}.json"
        named = f'label = "{label}"\n'
        settings.write_text(settings.read_text().replace(named, f'{named}inventory = "{inventory}"\n'))
        return inventory

    async def keys(self, token: str, role: str) -> dict[str, bytes]:
        """Ids of a role's keys on a token, by their state."""
        rows = await self.fetched(queries.SIGNING_KEYS)
        return {row["state"]: row["key_id"] for row in rows if (row["token"], row["role"]) == (token, role)}

    async def order(self, token: str, role: str, reason: str) -> None:
        """Two admins order another key in the place of a token's."""
        await self.api.officers()
        await self.api.enrol("abel", await self.deployment.invite(Invited(Role.ADMIN, "Abel Admin")))
        action = key_order.action((await self.keys(token, role))["active"], role, reason).to_json()
        waiting = await self.api.ok("POST", PROPOSALS, "admin", action)
        await self.api.ok("POST", f"{PROPOSALS}/{waiting['proposal']}/approval", "abel", {})

    def recovery_key(self) -> list[Path]:
        """A recovery key of two shares of three, named in the settings; where the shares are."""
        key, shares = recovery.make(2, 3)
        public = self.data / "recovery.pem"
        public.write_bytes(key.pem())
        with (self.data / FILE_NAME).open("a") as settings:
            settings.write(f'\n[recovery]\npublic_key = "{public}"\n')
        files = [self.data.parent / f"share-{share.number}" for share in shares]
        for file, share in zip(files, shares, strict=True):
            file.write_text(share.text())
        return files

    async def up(self) -> list[str]:
        """What ``idverify up`` does before it serves; what it says."""
        told: list[str] = []
        await provision(self.data, Wishes(self.deployment.url, self.deployment.port), told.append)
        return told

    def promote(self, label: str) -> None:
        """What an operator does to the settings after a retirement: the token of this label is the online one."""
        file = self.data / FILE_NAME
        sections = re.split(r"(?m)^(?=\[)", file.read_text())
        kept = [section for section in sections if not section.startswith("[online]")]
        named = f'label = "{label}"'
        file.write_text("".join(one.replace("[[further]]", "[online]") if named in one else one for one in kept))

    async def shown(self, path: str, accept: str = "*/*") -> bytes:
        """A file of the published log."""
        url = f"{self.deployment.url}/log/1/{path}"
        async with self.api.session.get(url, headers={"Accept": accept}) as response:
            assert response.status == 200, path
            return await response.read()

    async def described(self) -> LogDescription:
        """What the log says of itself."""
        return LogDescription.decode(await self.shown("log.json"))

    async def extends(self, older: Checkpoint, policy: Policy) -> Checkpoint:
        """The newest checkpoint, which a reader of this policy believes, and finds ``older`` to be a part of."""
        newest = policy.require(await self.shown("checkpoint"))
        lines = (await self.shown(f"consistency?from={older.size}&to={newest.size}")).decode().splitlines()
        proof = [parse_hash(line, "a hash of the proof") for line in lines]
        verify_consistency(older.size, newest.size, older.root, newest.root, proof)
        return newest

    async def receipt_in_cose(self, held: Holding) -> bytes:
        """The id of the key that signed the COSE Receipt of a document, which holds under the published keys."""
        described = await self.described()
        assert described.receipt_key is not None
        keys = [described.receipt_key, *described.further_receipt_keys]
        proof = _proof(held)
        receipt = await self.shown(f"proof/{proof.index}", MEDIA_TYPE)
        expected = Expected(keys, described.identity.iss, described.identity.origin)
        entry = leaf_hash(Opening.decode(proof.extra or b"").entry)
        assert verify_inclusion_receipt(receipt, entry, expected).index == proof.index
        return next(
            key.kid for key in keys if _holds(receipt, entry, Expected([key], expected.issuer, expected.origin))
        )

    def lose(self, label: str) -> None:
        """The token's files are gone for good."""
        shutil.rmtree(self.data / "tokens" / label / "tokens")

    async def fetched(self, query: Any) -> list[Any]:
        """Rows of the database."""
        async with open_store(self.deployment.location, self.deployment.clock) as store:
            return await store.fetch(query, {})

    async def someone(self, number: str) -> str:
        """A new person with a passport of this number; their reference."""
        details = {"details": DETAILS | {"travel_document": PASSPORT | {"number": number}}}
        return str((await self.api.ok("POST", "/api/v1/people", "officer", details))["person"])

    async def found(self, number: str) -> str:
        """Who has the passport of this number."""
        asked = {"travel_document": PASSPORT | {"number": number}}
        return str((await self.api.ok("POST", "/api/v1/people/search", "officer", asked))["person"])

    async def name(self, reference: str) -> str:
        """What only the person's own key opens."""
        held = await self.api.ok("GET", f"/api/v1/people/{reference}", "officer")
        return str(held["details"]["given_name"])

    async def verdict(self, held: Holding) -> str:
        """What an employer learns of a document."""
        return str((await shown(self.api, "employer", held, ["work"]))["verdict"])

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[int]:
        """The service's process id while it runs."""
        process = await asyncio.to_thread(start, self.deployment)
        try:
            yield process.pid
        finally:
            await asyncio.to_thread(stop, process)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.long)])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """One over each driver; in the end its ledger and its rows must hold."""
    try:
        find_module()
    except HsmModuleMissing as error:
        pytest.skip(f"needs SoftHSM: {error}")
    with empty(request.param, request) as database_url:
        deployment = await deploy(tmp_path / "data", database_url)
        async with client() as session:
            yield Place(deployment, Api(session, deployment))
        assert await asyncio.to_thread(fsck, deployment.data, None, json=True) == 0


@dataclass
class Story:
    """Who is on record and what they hold, and what readers of the log know at each stage."""

    place: Place
    people: dict[str, str] = field(default_factory=dict)
    held: list[Holding] = field(default_factory=list)
    policies: list[Policy] = field(default_factory=list)

    async def someone(self, number: str) -> None:
        """Somebody new with a passport of this number."""
        self.people[number] = await self.place.someone(number)

    async def document(self) -> Holding:
        """One more, with its receipt, for which its holder asks until there is one."""
        held, api = await holding(self.place.api, wait=5), self.place.api
        asking = {"Authorization": f"Bearer {held.answer['receipt_token']}", "Prefer": "wait=5"}
        async with asyncio.timeout(60):
            while held.answer["receipt"] is None:
                status, proof, _ = await api.send("GET", held.answer["receipt_url"], headers=asking)
                assert status in {200, 503}
                held.answer["receipt"] = proof.decode() if status == 200 else None
        self.held.append(held)
        return held

    async def believed(self) -> Policy:
        """What a reader is given now; kept as the newest."""
        self.policies.append(parse_policy((await self.place.described()).policy))
        return self.policies[-1]

    async def holds(self) -> None:
        """Everybody is found and read, and every document accepted, with a receipt for readers of the newest keys."""
        for number, reference in self.people.items():
            assert await self.place.found(number) == reference
            assert await self.place.name(reference) == "ANNA"
        for held in self.held:
            assert await self.place.name(held.person) == "ANNA"
            assert await self.place.verdict(held) == "accept"
            if held.answer["receipt"] is not None:
                assert self.policies[-1].require(_proof(held).checkpoint_note)


async def test_one_is_lost_then_all(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """People of one token come to two; one goes while requests run, for good; then the other, and the shares help."""
    story = Story(place)
    async with place.served():
        await story.someone("FIRST")
        before = await story.document()
        newest = (await story.believed()).require(_proof(before).checkpoint_note)
    shares = place.recovery_key()
    await _equipped(place)
    newest = await _lost_while_serving(story, newest)
    newest = await _retired(story, newest)
    await _recovered(story, newest, shares)
    await _handed_out(story, capsys)


async def _equipped(place: Place) -> None:
    """A second token gets every key that the first has; a second run finds nothing to do."""
    await place.add_token("second", "[[further]]")
    told = await place.up()
    assert any("certified" in said for said in told)
    assert any("The ledger has keys on the token second" in said for said in told)
    assert await place.up() == []
    keys = await place.fetched(queries.KEYS_IN_USE)
    on = {token: {row["role"] for row in keys if row["token"] == token} for token in (ONLINE, "second")}
    assert on[ONLINE] == on["second"]


async def _lost_while_serving(story: Story, newest: Checkpoint) -> Checkpoint:
    """The first token goes in the middle of requests, of which none fails; checkpoints and receipts go on."""
    place = story.place
    async with place.served() as pid:
        ready = await place.api.ok("GET", "/readyz")
        assert (ready["checks"][f"token {ONLINE}"], ready["checks"]["token second"]) == ("ok", "ok")
        alone, both, described = story.policies[0], await story.believed(), await place.described()
        assert (len(alone.logs), len(both.logs), len(described.further_receipt_keys)) == (2, 4, 1)
        newest = await place.extends(newest, alone)  # while the first token is there, its readers need nothing new
        newest = await place.extends(newest, both)
        await story.someone("SECOND")
        story.held += await asyncio.gather(*(holding(place.api) for _ in range(6)))

        losing = asyncio.create_task(_lose(place, pid))
        story.held += await asyncio.gather(*(holding(place.api) for _ in range(12)))
        await losing
        await story.someone("THIRD")
        _only(both, await story.document(), not_by=alone)
        assert await place.receipt_in_cose(story.held[-1]) == described.further_receipt_keys[0].kid
        await story.holds()
        story.held = [held for held in story.held if held.answer["receipt"] is not None]
        assert alone.require(_proof(story.held[0]).checkpoint_note), "what it signed holds for everybody"
        ready = await place.api.ok("GET", "/readyz")
        assert ready["status"] == "ok"
        assert ready["checks"][f"token {ONLINE}"] != "ok"
        return await place.extends(newest, both)


async def _retired(story: Story, newest: Checkpoint) -> Checkpoint:
    """It does not come back: the service starts without it, and then without its name; its certificates stay."""
    place = story.place
    async with place.served():
        _only(story.policies[1], await story.document(), not_by=story.policies[0])
        with pytest.raises(SetupError, match="Another idverify serves"):
            await asyncio.to_thread(retire, place.data, ONLINE, json=True)

    assert await asyncio.to_thread(retire, place.data, ONLINE, json=True) == 0
    with pytest.raises(SetupError, match=f"{ONLINE} was retired"):
        await place.up()
    place.promote("second")
    assert await place.up() == []
    async with place.served():
        both = await story.believed()
        assert set(both.logs) == set(story.policies[1].logs), "its keys of the log stay published"
        await story.document()
        await story.holds()
        return await place.extends(newest, both)


async def _recovered(story: Story, newest: Checkpoint, shares: list[Path]) -> None:
    """No token is left: a new one, and two shares, bring back everybody, and the log goes on under its keys."""
    place = story.place
    place.lose("second")
    await place.add_token("third", "[[further]]")
    assert [token.label for token in load(place.data).tokens] == ["second", "third"]
    assert await asyncio.to_thread(recover, place.data, [shares[0], shares[2]], json=True) == 0
    async with place.served():
        three = await story.believed()
        _only(three, await story.document(), not_by=story.policies[1])
        await story.holds()
        await place.extends(newest, three)
        assert await place.receipt_in_cose(story.held[-1])


async def _handed_out(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    """The new keys come to verifiers by a trust bundle, under the root that they know, and to auditors as lines."""
    place, last = story.place, _proof(story.held[-1])
    capsys.readouterr()
    bundle, lines = place.data.parent / "bundle.jwt", place.data.parent / "keys"
    assert await asyncio.to_thread(export, place.data, bundle, lines, json=True) == 0
    root = bytes.fromhex(json.loads(capsys.readouterr().out)["root_sha256"])
    assert offline_verifier(bundle.read_bytes(), root, int(time.time())).log_policy.require(last.checkpoint_note)
    assert await asyncio.to_thread(fsck, place.data, f"@{lines}", json=True) == 0
    known = {log.verifier for log in story.policies[1].logs}
    lines.write_text("".join(f"{one}\n" for one in lines.read_text().split() if parse_vkey(one) in known))
    assert await asyncio.to_thread(fsck, place.data, f"@{lines}", json=True) == 1


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_inventories_of_further_tokens(place: Place) -> None:
    """Each token signs which of its keys are in use: when it comes, when a key on it is replaced, and after a recovery.

    An order waits while its token is away, and keeps nobody from starting; with an inventory of its own a token that is
    away is left as it is.
    """
    shares, first = place.recovery_key(), place.keep_inventory(ONLINE)
    second = await place.add_token_with_inventory("second", "[[further]]")
    await place.up()
    _entered(first, await place.fetched(queries.SIGNING_KEYS), ONLINE)
    _entered(second, await place.fetched(queries.SIGNING_KEYS), "second")
    async with place.served():
        person, held = await place.someone("FIRST"), await holding(place.api)
        await place.order("second", SIGNER, "precaution")
    before = first.read_bytes()

    there = place.data / "tokens" / "second" / "tokens"
    there.rename(place.data / "away")
    told = await place.up()
    assert any(f"{SIGNER} waits: the token second is not there" in said for said in told)
    assert any("The inventory of the token second is not brought up to date now" in said for said in told)
    (place.data / "away").rename(there)

    old = await place.keys("second", SIGNER)
    assert any(f"Signing key replaced: {SIGNER}" in said for said in await place.up())
    assert await place.up() == []
    new = await place.keys("second", SIGNER)
    assert (new["retiring"], len({*new.values(), *old.values()})) == (old["active"], 2)
    assert (await place.keys(ONLINE, SIGNER)).keys() == {"active"}
    assert first.read_bytes() == before, "of the other token nothing was entered"
    _entered(second, await place.fetched(queries.SIGNING_KEYS), "second")
    assert await asyncio.to_thread(retire, place.data, ONLINE, json=True) == 0
    _entered(first, await place.fetched(queries.SIGNING_KEYS), ONLINE)
    assert (await place.keys(ONLINE, SIGNER)).keys() == {"retiring"}, "one that is still there says so, too"
    place.promote("second")
    async with place.served():
        fresh = await holding(place.api)
        for one in (held, fresh):
            assert await place.verdict(one) == "accept"

    place.lose("second")
    third = await place.add_token_with_inventory("third", "[[further]]")
    assert await asyncio.to_thread(recover, place.data, shares[:2], json=True) == 0
    _entered(third, await place.fetched(queries.SIGNING_KEYS), "third")
    async with place.served():
        assert await place.found("FIRST") == person
        assert await place.name(person) == "ANNA"
        for one in (held, fresh, await holding(place.api)):
            assert await place.verdict(one) == "accept"


def _entered(inventory: Path, keys: list[Any], token: str) -> None:
    """Every key of the token stands in its inventory as the database has it."""
    entries = {entry["id"]: entry["stage"] for entry in json.loads(inventory.read_text())["signed"]["keys"]}
    assert entries == {row["key_id"].hex(): row["state"] for row in keys if row["token"] == token}


def _proof(held: Holding) -> TlogProof:
    """The receipt that came with a document."""
    return TlogProof.decode(held.answer["receipt"].encode())


def _only(believing: Policy, held: Holding, *, not_by: Policy) -> None:
    """A receipt holds for readers who were given the new keys, and for no others."""
    assert believing.require(_proof(held).checkpoint_note)
    with pytest.raises(SignatureError):
        not_by.require(_proof(held).checkpoint_note)


def _holds(receipt: bytes, entry: bytes, expected: Expected) -> bool:
    try:
        verify_inclusion_receipt(receipt, entry, expected)
    except ReceiptError:
        return False
    return True


async def _lose(place: Place, pid: int) -> None:
    """The first token's files go and its signer process is killed, in the middle of the requests."""
    await asyncio.sleep(0.3)
    place.lose(ONLINE)
    for worker in await asyncio.to_thread(_workers_with, pid, ONLINE):
        os.kill(worker, signal.SIGKILL)


def _workers_with(pid: int, label: str) -> list[int]:
    """The service's signer processes that serve the token of this label."""
    serving = []
    for worker in workers_of(pid):
        with contextlib.suppress(FileNotFoundError):  # it found its token gone and ended while we looked
            if f"/{label}/".encode() in Path(f"/proc/{worker}/environ").read_bytes():
                serving.append(worker)
    return serving
