"""Two tokens, told in full: one is lost and the service goes on; all are lost and people's data comes back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hsm import HsmModuleMissing, init_token, recovery
from hsm.pins import create_pin, read_pin
from hsm.softhsm import find_module, render
from idverify.app.provision import ONLINE, Wishes, provision
from idverify.cli.ledger import fsck
from idverify.cli.tokens import recover
from idverify.config import FILE_NAME, load
from idverify.stores import queries
from idverify.stores.open import open_store
from tests.simulators.databases import empty
from tests.simulators.holder import Holding, holding, shown
from tests.simulators.service import DETAILS, Api, Deployment, client, deploy, start, stop, workers_of

pytestmark = pytest.mark.softhsm

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


async def test_one_is_lost_then_all(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """People of one token come to two; one goes while requests run; then both, and the shares bring everybody back."""
    async with place.served():
        first = await place.someone("FIRST")
        before = await holding(place.api)

    shares = place.recovery_key()
    await place.add_token("second", "[[further]]")
    assert any("certified" in said for said in await place.up())
    assert await place.up() == [], "the second run finds nothing to do"
    keys = await place.fetched(queries.KEYS_IN_USE)
    signers = {(row["role"], row["token"]) for row in keys if row["certificate"] and "root" not in row["role"]}
    assert {role for role, token in signers if token == "second"} == {
        role for role, token in signers if token == ONLINE
    }

    async with place.served() as pid:
        ready = await place.api.ok("GET", "/readyz")
        assert (ready["checks"][f"token {ONLINE}"], ready["checks"]["token second"]) == ("ok", "ok")
        second = await place.someone("SECOND")
        both = await asyncio.gather(*(holding(place.api) for _ in range(6)))

        losing = asyncio.create_task(_lose(place, pid))
        during = await asyncio.gather(*(holding(place.api) for _ in range(12)))
        await losing
        after = await holding(place.api)
        third = await place.someone("THIRD")
        for held in (before, *both, *during, after):
            assert await place.verdict(held) == "accept"
        for reference, number in ((first, "FIRST"), (second, "SECOND"), (third, "THIRD")):
            assert await place.found(number) == reference
            assert await place.name(reference) == "ANNA"
        ready = await place.api.ok("GET", "/readyz")
        assert ready["status"] == "ok"
        assert ready["checks"][f"token {ONLINE}"] != "ok"

    async with place.served():  # also a start without the first token
        assert await place.verdict(await holding(place.api)) == "accept"
        assert await place.name(first) == "ANNA"

    place.lose("second")
    await place.add_token("third", "[[further]]")
    settings = load(place.data)
    assert [token.label for token in settings.tokens] == [ONLINE, "second", "third"]
    capsys.readouterr()
    assert await asyncio.to_thread(recover, place.data, [shares[0], shares[2]], json=True) == 0
    async with place.served():
        for reference, number in ((first, "FIRST"), (second, "SECOND"), (third, "THIRD")):
            assert await place.found(number) == reference
            assert await place.name(reference) == "ANNA"
        assert await place.name(before.person) == "ANNA"
        for held in (before, after, await holding(place.api)):
            assert await place.verdict(held) == "accept"


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
