"""A restored backup, told in full: the log is halted and says so, two admins open the next one, nothing old is lost."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hsm import HsmModuleMissing
from hsm.softhsm import find_module
from idverify.ledger.description import LogDescription
from idverify.ledger.entry import Entry, EntryType
from idverify.ledger.sequencer import decode_bundle
from idverify.ledger.succession import closing_digest
from tests.journeys.conftest import Command
from tests.simulators import postgres
from tests.simulators.databases import DRIVERS, empty
from tests.simulators.holder import Holding, collection, holding, results, shown
from tests.simulators.service import Api, Deployment, client, deploy, serving
from tests.simulators.soft_wallet import SoftWallet


@pytest.fixture(params=DRIVERS)
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Deployment]:
    """A deployment of its own over each driver, since what happens to it happens to no other test."""
    try:
        find_module()
    except HsmModuleMissing as error:
        pytest.skip(f"needs SoftHSM: {error}")
    with empty(request.param, request) as database_url:
        yield await deploy(tmp_path / "data", database_url)


@dataclass(frozen=True)
class Admins:
    """Two administrators, each with a security key in a file, at a command line."""

    idverify: Command
    url: str
    ada: Path
    agnes: Path

    async def new_shard(self, key: Path, *more: str) -> Any:
        """What the command answers: its status, and its JSON or its errors."""
        done = await self.idverify("ledger", "new-shard", self.url, "--security-key", key, "--json", *more)
        return done.status, done.json if done.status == 0 else done.errors


async def enrolled(idverify: Command, api: Api, folder: Path) -> Admins:
    """Both enrol by a link of the operator's, after the officers."""
    await api.officers()
    place = api.deployment
    keys = {"Ada Admin": folder / "ada.key", "Agnes Admin": folder / "agnes.key"}
    for name, key in keys.items():
        link = await idverify("enrol", "--role", "admin", "--name", name, "--data", place.data, "--json")
        assert (await idverify("securitykey", "enrol", link.json["link"], "--key", key)).status == 0
    return Admins(idverify, place.url, *keys.values())


def backed_up(place: Deployment) -> Path:
    """A consistent copy of the running service's database, made as the runbook says."""
    copy = place.data / "copy"
    if isinstance(place.location, Path):
        with closing(sqlite3.connect(place.location)) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
    else:
        postgres.dump(place.location, copy)
    return copy


def restored(place: Deployment, copy: Path) -> None:
    """The copy in place of the database."""
    if isinstance(place.location, Path):
        for left in ("-wal", "-shm"):
            place.location.with_name(place.location.name + left).unlink(missing_ok=True)
        shutil.move(copy, place.location)
    else:
        postgres.restore(place.location, copy)


async def receipt_of(api: Api, held: Holding) -> tuple[int, Any]:
    """What the service answers to a holder who asks for the receipt again."""
    headers = {"Authorization": f"Bearer {held.answer['receipt_token']}", "Prefer": "wait=5"}
    status, receipt, _ = await api.send("GET", held.answer["receipt_url"], None, headers)
    return status, receipt


async def described(api: Api, shard: int) -> LogDescription:
    """`log.json` of a shard."""
    async with api.session.get(f"{api.deployment.url}/log/{shard}/log.json") as response:
        return LogDescription.decode(await response.read())


async def entries_of(api: Api, shard: int, count: int) -> list[Entry]:
    """The first entries of a shard, as they are served."""
    _, bundle, _ = await api.send("GET", f"/log/{shard}/tile/entries/000.p/{count}")
    return [Entry.decode(entry) for entry in decode_bundle(bundle)]


async def test_a_restored_backup_halts_the_log_and_two_admins_open_the_next(
    place: Deployment, idverify: Command, tmp_path: Path
) -> None:
    """What was issued before and after the backup is still good; nothing is recorded until two have confirmed it."""
    async with client() as session:
        api = Api(session, place)
        with serving(place):
            admins = await enrolled(idverify, api, tmp_path)
            before = await holding(api, wait=5)
            offer = await api.offer(before.person)
            copy = backed_up(place)
            lost = await holding(api, wait=5)
            assert lost.answer["receipt"] is not None
            last = (await described(api, 1)).identity.origin
        restored(place, copy)
        with serving(place):
            said = (place.data / "service.log").read_text()
            status, ready, _ = await api.send("GET", "/readyz")
            assert "THE LEDGER IS HALTED: size" in said
            assert (status, ready["checks"]["database"]) == (503, "ok")
            assert "was signed, storage has" in ready["checks"]["ledger"]
            for held in (before, lost):
                verdict = await shown(api, "employer", held, ["work"], receipt=held.answer["receipt"])
                assert (results(verdict)["signature"], results(verdict)["receipt"]) == ("pass", "pass")
            collected = await api.call(
                "POST", "/api/v1/credentials", None, collection(SoftWallet(), offer), {"Idempotency-Key": "halted-1"}
            )
            assert (collected[0], collected[1]["type"]) == (503, "/problems/log-halted")
            assert "idverify ledger new-shard" in collected[1]["detail"]
            assert (await receipt_of(api, before))[0] == 200

            _, proposal = await admins.new_shard(admins.ada)
            assert (proposal["ends"], proposal["begins"]) == (last, f"{last[:-1]}2")
            own, refusal = await admins.new_shard(admins.ada, "--approve", proposal["proposal"])
            assert (own, "Another administrator must" in refusal) == (1, True)
            assert (await admins.new_shard(admins.agnes, "--approve", proposal["proposal"]))[0] == 0

            after = await holding(api, wait=5)
            assert after.answer["ledger"]["origin"] == proposal["begins"]
            assert after.answer["receipt"] is not None
            again, receipt = await receipt_of(api, before)
            verdict = await shown(api, "employer", before, ["work"], receipt=receipt.decode())
            assert (again, results(verdict)["receipt"]) == (200, "pass")
            assert (await api.send("GET", "/readyz"))[0] == 200
            new = await described(api, 2)
            assert new.identity.previous is not None
            assert new.identity.previous.size == proposal["last_known"]["size"]
            assert (await entries_of(api, 2, 1))[0].digest == new.identity.digest()
            assert (await described(api, 1)).closed
        await _verified_offline(idverify, place, tmp_path, [before, lost, after])
        audited = await idverify("ledger", "fsck", "--data", place.data, "--json")
        assert (audited.status, audited.json["findings"]) == (0, [])
        assert [one["origin"] for one in audited.json["shards"]] == [last, proposal["begins"]]


async def _verified_offline(idverify: Command, place: Deployment, folder: Path, held: list[Holding]) -> None:
    """Each holder's document and receipt, checked from a trust bundle without any connection."""
    bundle = await idverify("trust", "export", folder / "bundle.jwt", "--data", place.data, "--json")
    root = bundle.json["root_sha256"]
    for number, one in enumerate(held):
        document, receipt = folder / f"{number}.sdjwt", folder / f"{number}.tlog-proof"
        document.write_text(one.credential)
        receipt.write_text(one.answer["receipt"])
        options = ("--offline", folder / "bundle.jwt", "--root-sha256", root, "--receipt", receipt, "--json")
        verdict = await idverify("verify", document, *options)
        assert results(verdict.json)["receipt"] == "pass", verdict.output


@pytest.mark.drivers_alike
async def test_a_year_ends_in_good_order(place: Deployment, idverify: Command, tmp_path: Path) -> None:
    """The old log's last entry names the new one, which names the checkpoint over it; nothing is interrupted."""
    async with client() as session:
        api = Api(session, place)
        with serving(place):
            admins = await enrolled(idverify, api, tmp_path)
            before = await holding(api, wait=5)
            _, proposal = await admins.new_shard(admins.ada)
            meanwhile = await holding(api, wait=5)
            status, opened = await admins.new_shard(admins.agnes, "--approve", proposal["proposal"])
            after = await holding(api, wait=5)
            previous = (await described(api, 2)).identity.previous
            assert (status, opened["shard"], proposal["halted"]) == (0, 2, False)
            assert previous is not None
            last = (await entries_of(api, 1, previous.size))[-1]
            assert (last.type, last.digest) == (EntryType.SHARD_CLOSE, closing_digest(opened["origin"]))
            assert previous.size > proposal["last_known"]["size"]
            for held in (before, meanwhile, after):
                again, receipt = await receipt_of(api, held)
                verdict = await shown(api, "employer", held, ["work"], receipt=receipt.decode())
                assert (again, results(verdict)["receipt"]) == (200, "pass")
        await _verified_offline(idverify, place, tmp_path, [before, meanwhile, after])
        published = await idverify("ledger", "export", "--to", tmp_path / "log", "--data", place.data, "--json")
        assert published.status == 0
        for options in (("--data", place.data), (tmp_path / "log" / "1", "--trust-on-first-use")):
            assert (await idverify("ledger", "fsck", *options, "--json")).json["findings"] == []
