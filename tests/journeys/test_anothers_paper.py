"""Paper of another deployment: relied on by its signed bundle, checked online and offline, and refused in time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hsm import HsmModuleMissing
from hsm.softhsm import find_module
from idverify.app.provision import Wishes, provision
from idverify.core import issuer_trust, key_order
from idverify.core.policy import Role
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.formats.qr_image import write_code
from idverify.formats.qr_pdf import read_pdf_codes
from idverify.services.invite import Invited
from idverify.services.office import PAPER_SIGNER
from idverify.stores import queries
from idverify.stores.open import open_store
from tests.journeys.conftest import Command
from tests.simulators.employer import Terminal, checked
from tests.simulators.holder import failed
from tests.simulators.printed_letters import letter_of
from tests.simulators.service import Api, Deployment, client, deploy, serving

PROPOSALS = "/api/v1/administration/proposals"
NAMED = {"name": "Arcadia Immigration Authority (demo)", "country": "XA"}


@dataclass(frozen=True)
class Paper:
    """A letter, and the code on it as text and as a picture: the document, and the media type that it comes in."""

    letter: bytes

    def forms(self) -> dict[str, tuple[bytes, str]]:
        """What somebody may hand over of it."""
        (code,) = read_pdf_codes(self.letter)
        picture = write_code(code["text"], "png", 6)
        return {
            "letter": (self.letter, "application/pdf"),
            "code": (code["text"].encode(), "text/plain"),
            "picture": (picture, "image/png"),
        }


@dataclass(frozen=True)
class Neighbours:
    """Two deployments: ``here`` relies on ``there``."""

    here: Api
    there: Api
    terminal: Terminal
    idverify: Command

    async def import_bundle(self) -> dict[str, Any]:
        """The change that ``idverify trust import`` makes of the bundle from there."""
        folder, data = self.terminal.folder, self.here.deployment.data
        await Terminal(folder).take_bundle(self.there, "theirs.jwt")
        done = await self.idverify(
            *("trust", "import", folder / "theirs.jwt", "--root-sha256", (folder / "root").read_text()),
            *("--output", folder / "change.json", "--data", data, "--json"),
        )
        assert done.status == 0, done.output
        change: dict[str, Any] = json.loads((folder / "change.json").read_text())
        return change

    async def agree(self, document: dict[str, Any]) -> None:
        """Two admins here."""
        listed = await self.idverify("trust", "list", "--data", self.here.deployment.data, "--json")
        action = issuer_trust.action(listed.json["version"] + 1, document).to_json()
        await self._by_two(self.here, action)

    async def replace_paper_signer(self) -> None:
        """There, because it was compromised: ordered by two admins; carried out by the next ``up``."""
        deployment = self.there.deployment
        async with open_store(deployment.location, deployment.clock) as store:
            rows: list[Any] = await store.fetch(queries.SIGNING_KEYS, {})
        (key,) = (row["key_id"] for row in rows if row["role"] == PAPER_SIGNER)
        await self._by_two(self.there, key_order.action(key, PAPER_SIGNER, "compromised").to_json())

    @staticmethod
    async def _by_two(api: Api, action: dict[str, Any]) -> None:
        if "abel" not in api.deployment.people:
            await api.officers()
            await api.identity("admin")
            await api.enrol("abel", await api.deployment.invite(Invited(Role.ADMIN, "Abel Admin")))
        waiting = await api.ok("POST", PROPOSALS, "admin", action)
        await api.ok("POST", f"{PROPOSALS}/{waiting['proposal']}/approval", "abel", {})

    async def found(self, paper: Paper) -> dict[str, tuple[str, list[str]]]:
        """Verdict and failed checks of every form here; the same without a network, from the bundle of here."""
        online = {}
        for name, (document, media) in paper.forms().items():
            answer = await self._known(document, media)
            online[name] = (answer["verdict"], failed(answer))
        await self.terminal.take_bundle(self.here)
        answers = await self.terminal.verify_each([document for document, _ in paper.forms().values()])
        assert [(answer["verdict"], failed(answer)) for answer in answers] == list(online.values())
        return online

    async def times(self, paper: Paper) -> list[str]:
        """Whether the time of signing is proven here, and without a network."""
        online, offline = await checked(self.here, paper.letter, "application/pdf"), self.terminal.verify(paper.letter)
        told = [check for answer in (online, (await offline)[1]) for check in answer["checks"]]
        return [check["evidence"]["time"] for check in told if check["id"] == "document_integrity"]

    async def _known(self, document: bytes, media: str) -> dict[str, Any]:
        """Once the list from there has come, for which a check waits two seconds."""
        for _ in range(5):
            answer = await checked(self.here, document, media)
            if answer["verdict"] != "refer":
                break
            await asyncio.sleep(1)
        return answer


@pytest.fixture
async def neighbours(tmp_path: Path, idverify: Command) -> AsyncIterator[Neighbours]:
    """Both served, with nothing in common but this machine."""
    try:
        find_module()
    except HsmModuleMissing as error:
        pytest.skip(f"needs SoftHSM: {error}")
    (tmp_path / "terminal").mkdir()
    here, there = await deploy(tmp_path / "here"), await deploy(tmp_path / "there", **NAMED)
    async with AsyncExitStack() as stack:
        stack.enter_context(serving(here))
        one, two = await stack.enter_async_context(client()), await stack.enter_async_context(client())
        yield Neighbours(Api(one, here), Api(two, there), Terminal(tmp_path / "terminal"), idverify)


async def _up(deployment: Deployment) -> list[str]:
    told: list[str] = []
    await provision(deployment.data, Wishes(deployment.url, deployment.port, **NAMED), told.append)
    return told


def without_codes(change: dict[str, Any]) -> dict[str, Any]:
    """A change that relies on the issuer for its codes on paper no longer."""
    (issuer,) = change["issuers"]
    now = int(time.time())
    types = [kind | {"until": now} if kind["format"] == "idv1" else kind for kind in issuer["types"]]
    return {**change, "issuers": [issuer | {"types": types}]}


@pytest.mark.softhsm
async def test_a_letter_from_elsewhere(neighbours: Neighbours) -> None:
    """Nobody's; relied on by the bundle; not any more for paper; again; and no more once its signer is revoked."""
    with serving(neighbours.there.deployment):
        person = await neighbours.there.person_with_status()
        paper = Paper(await letter_of(neighbours.there, person, purpose="work"))
        unknown = await neighbours.found(paper)
        assert {verdict for verdict, _ in unknown.values()} == {"reject"}

        change = await neighbours.import_bundle()
        (issuer,) = change["issuers"]
        vct = IMMIGRATION_STATUS.forms["idv1"].type
        assert [len(issuer[what]) for what in ("signers", "stamp_roots", "crls")] == [1, 1, 2]
        assert {kind["format"] for kind in issuer["types"] if kind["type"] == vct} == {"dc+sd-jwt", "idv1"}
        await neighbours.agree(change)
        accepted = dict.fromkeys(paper.forms(), ("accept", []))
        assert await neighbours.found(paper) == accepted
        assert await neighbours.times(paper) == ["proven", "proven"]

        await neighbours.agree(without_codes(await neighbours.import_bundle()))
        assert await neighbours.found(paper) == {
            "letter": ("reject", ["content_consistent"]),
            "code": ("reject", ["type_allowed"]),
            "picture": ("reject", ["type_allowed"]),
        }
        await neighbours.agree(await neighbours.import_bundle())
        assert await neighbours.found(paper) == accepted
        await neighbours.replace_paper_signer()

    (told,) = await _up(neighbours.there.deployment)
    assert told.startswith(f"Signing key replaced: {PAPER_SIGNER} (compromised).")
    with serving(neighbours.there.deployment):
        newer = Paper(await letter_of(neighbours.there, person, purpose="work"))
        assert {verdict for verdict, _ in (await neighbours.found(newer)).values()} == {"reject"}
        await neighbours.agree(await neighbours.import_bundle())
        assert await neighbours.found(paper) == {
            "letter": ("reject", ["document_integrity"]),
            "code": ("reject", ["issuer_trusted"]),
            "picture": ("reject", ["issuer_trusted"]),
        }
        assert await neighbours.found(newer) == accepted
