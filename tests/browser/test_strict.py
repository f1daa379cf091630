"""A deployment that is no demo, in a real browser: which makes of keys are taken, the second key, and a copied key."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

import cbor2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route

from idverify.auth.attestation.path import fingerprint
from idverify.auth.authenticator_list import AuthenticatorList, Listed
from idverify.core.policy import Role
from idverify.services.invite import Invited
from idverify.web.pages.routes import PAGES
from tests.browser.examination import Examiner
from tests.browser.people import confirm, sign_in
from tests.browser.security_key import SecurityKey
from tests.browser.visitor import Town, Visitor, visit
from tests.simulators import makers
from tests.simulators.service import Deployment, deploy, serving
from tests.simulators.signed_in import from_text

CHROMIUMS = bytes.fromhex("01020304050607080102030405060708")  # the model that its virtual authenticators are
ANOTHER = bytes.fromhex("2fc0579f811347eab116bb5a8db9202a")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def strict(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    """A deployment without a list of authenticators."""
    made = await deploy(tmp_path_factory.mktemp("strict") / "data", demo=False)
    with serving(made):
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser, strict: Deployment) -> AsyncIterator[Visitor]:
    """Somebody at a fresh browser."""
    async with visit(Town(browser, strict.url, Examiner(tuple(page.path for page in PAGES)))) as sitting:
        yield sitting


@dataclass
class Operator:
    """Sets the list on the command line, while the service runs."""

    strict: Deployment
    folder: Path
    roots: list[bytes] = field(default_factory=list)

    async def allow(self, model: bytes, *roots: bytes) -> None:
        """The list has this one model, vouched for by these roots."""
        listed = Listed(model, "Chromium's key", tuple(map(fingerprint, roots)))
        document = AuthenticatorList((listed,), roots, None, fips=False, grace_days=30).document()
        file = self.folder / "list.json"
        file.write_bytes(document)
        command = ("-m", "idverify.cli", "authenticators", "set", str(file), "--data", str(self.strict.data))
        process = await asyncio.create_subprocess_exec(sys.executable, *command)
        assert await process.wait() == 0

    async def trust(self, visitor: Visitor, model: bytes = CHROMIUMS) -> None:
        """From now on the list has each key that is sent: Chromium makes another root for every key."""

        async def before_it_arrives(route: Route) -> None:
            sent = parse_qs(route.request.post_data or "").get("response", [""])[0]
            if "attestationObject" in sent:
                attestation = cbor2.loads(from_text(json.loads(sent)["response"]["attestationObject"]))
                self.roots.append(attestation["attStmt"]["x5c"][-1])
                await self.allow(model, *self.roots)
            await route.continue_()

        await visitor.page.route("**/*", before_it_arrives)


@pytest.fixture
def operator(strict: Deployment, tmp_path: Path) -> Operator:
    """Of the strict deployment."""
    return Operator(strict, tmp_path)


async def test_a_key_of_the_right_make_alone(strict: Deployment, visitor: Visitor, operator: Operator) -> None:
    """Without a list, under another root, of another model: refused each time, with what to do. Then it is taken."""
    full, empty = SecurityKey(), SecurityKey()
    await visitor.plug_in(full)
    await visitor.go(f"/enrol/{await strict.invite(Invited(Role.OFFICER, 'Olive Officer'))}")
    await visitor.press("Register this key")
    await visitor.reads("No list of authenticators is set yet, so no key of staff can be taken.")
    await operator.allow(CHROMIUMS, makers.ROOT.certificate)
    await visitor.press("Register this key")
    await visitor.reads("Nobody whom we trust says that this key is what it claims to be.")
    await operator.trust(visitor, ANOTHER)
    await visitor.press("Register this key")
    await visitor.reads("This model of security key is not on the list for your role.")
    await visitor.page.unroute_all()
    await full.unplug()
    await visitor.plug_in(empty)
    await operator.trust(visitor)
    await visitor.press("Register this key")
    await visitor.reads("Your account needs two security keys")


async def test_the_second_key_and_a_copy_of_it(strict: Deployment, visitor: Visitor, operator: Operator) -> None:
    """The desk opens with the second key; a copy of that key is found by its counter, and its holder is told."""
    first, second, copy = SecurityKey(), SecurityKey(), SecurityKey()
    await operator.trust(visitor)
    await visitor.plug_in(first)
    await visitor.go(f"/enrol/{await strict.invite(Invited(Role.OFFICER, 'Oscar Officer'))}")
    await visitor.press("Register this key")
    await visitor.fill("Name of the new key", "Spare key")
    await visitor.press("Continue")
    await confirm(visitor)
    await first.unplug()
    await visitor.plug_in(second)
    await visitor.press("Register the new key")
    await visitor.go("/officer")
    await visitor.reads("Officer's desk")
    await second.unplug()
    copy.held = [dict(held) for held in second.held]
    for _ in range(2):
        await sign_in(visitor, second)
        await visitor.reads("Officer's desk")
        await second.unplug()

    await sign_in(visitor, copy)

    await visitor.reads("This security key is suspended")
    await visitor.reads("Sign in with your other key.")
    await copy.unplug()
    await sign_in(visitor, first)
    await visitor.reads("Officer's desk")
    await visitor.go("/account/keys")
    await visitor.reads("Suspended")
