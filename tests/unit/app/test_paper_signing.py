"""Letters signed by keys that never leave a real token, in a deployment as ``up`` makes it; and one of before."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hsm import Hsm, HsmModuleMissing
from hsm.softhsm import find_module
from idverify.app import provision as provisioning
from idverify.app.key_orders import root_signer
from idverify.app.provision import ROOT, Wishes, provision
from idverify.app.tokens import HsmSigner, token_config
from idverify.config import DATABASE
from idverify.formats import x509
from idverify.formats.pdf import sign
from idverify.ports import Signer, SystemClock, system_entropy
from idverify.services import establish
from idverify.services.branches import BRANCHES, DOCUMENTS, TIME_STAMPS
from idverify.services.office import PAPER_SIGNER, TIME_STAMP_SIGNER, Keys, load_deployment, load_keys
from idverify.stores import queries
from idverify.stores.open import open_log, open_store
from tests.simulators.paper_world import YEAR, letter
from tests.simulators.pdf_oracle import judged

WISHES = Wishes("http://localhost:8080", 8080, demo=False)
OURS = {PAPER_SIGNER, TIME_STAMP_SIGNER, TIME_STAMPS.root_role}
pytestmark = pytest.mark.softhsm


@dataclass(frozen=True)
class Signing:
    """Keys on a token, with their certificates, and the lists of both branches."""

    keys: Keys
    signer: Signer
    roots: list[bytes]
    crls: list[bytes]

    async def letter(self, level: str) -> bytes:
        """A letter signed now, to hold for three years."""
        now = int(time.time())
        stamps = {"chain": list(self.keys.issuer(TIME_STAMP_SIGNER).chain)}
        stamps["serials"] = [system_entropy(16), system_entropy(16)]
        evidence = {"certificates": self.roots, "crls": self.crls}
        paper = self.keys.issuer_until(PAPER_SIGNER, now, now + 3 * YEAR).chain
        step: Any = sign.prepare(letter(), level, now, now + 3 * YEAR, list(paper), stamps, evidence)
        while "state" in step:
            signature = await self.signer.sign(self.keys.issuer(step["role"]).key_id, step["payload"])
            step = sign.seal(step["state"], signature, int(time.time()))
        return bytes(step["pdf"])


@asynccontextmanager
async def signing(data: Path) -> AsyncIterator[Signing]:
    """What a service that serves these data signs with."""
    config = await provision(data, WISHES)
    async with open_store(config.location, SystemClock()) as store, Hsm(token_config(config.online)) as hsm:
        keys = await load_keys(store, (await load_deployment(store)).iss)
        rows: list[Any] = await store.fetch(queries.KEYS_IN_USE, {})
        named = {row["role"]: row["certificate"] for row in rows}
        listed: list[Any] = [await store.fetch_one(queries.CRL_OF, {"root_role": one.root_role}) for one in BRANCHES]
        roots = [named[one.root_role] for one in BRANCHES]
        yield Signing(keys, HsmSigner(hsm, b""), roots, [row["der"] for row in listed])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An empty data directory, where there is SoftHSM."""
    try:
        find_module()
    except HsmModuleMissing as error:
        pytest.skip(f"needs SoftHSM: {error}")
    return tmp_path


async def test_a_letter_of_each_level(data: Path) -> None:
    """PyHanko trusts signature and time stamps under our two roots, and finds nothing changed."""
    async with signing(data) as ours:
        for level in sign.LEVELS:
            signature, *stamps = await judged(await ours.letter(level), ours.roots, int(time.time()) + 5)
            assert signature.bottom_line
            assert signature.docmdp_ok
            assert (signature.timestamp_validity is not None) is (level != "B-B")
            assert [stamp.trusted for stamp in stamps] == ([True] if level == "B-LTA" else [])
            if level != "B-B":  # the root of documents vouches for no time
                alone = (await judged(await ours.letter("B-T"), ours.roots[:1], int(time.time()) + 5))[0]
                assert not alone.timestamp_validity.trusted


async def test_the_certificates(data: Path) -> None:
    """Each under the root of its branch, for its purpose alone; they live for years, and the keys sign for 457 days."""
    async with signing(data) as ours:
        for role, purpose, root in (
            (PAPER_SIGNER, x509.Purpose.PAPER, ours.roots[0]),
            (TIME_STAMP_SIGNER, x509.Purpose.TIME_STAMP, ours.roots[1]),
        ):
            chain = ours.keys.issuer(role).chain
            now = int(time.time())
            leaf = x509.verify_chain(chain, (root,), now, purposes=frozenset({purpose}))
            assert leaf.not_after - leaf.not_before >= 3640 * establish.DAY
            assert x509.signs_until(chain[0]) - x509.signs_from(chain[0]) == 457 * establish.DAY
            assert ours.keys.ends()[role] == x509.signs_until(chain[0])
            assert leaf.root_region == leaf.region


def _held(data: Path) -> tuple[set[str], int, int]:
    """Roles with a certificate, how many revocation lists, and how many entries the ledger keeps openings of."""
    with closing(sqlite3.connect(data / DATABASE)) as database:
        roles = {role for (role,) in database.execute("SELECT role FROM signing_key WHERE certificate IS NOT NULL")}
        ((lists,),) = database.execute("SELECT count(*) FROM crl")
        ((size,),) = database.execute("SELECT count(*) FROM ledger_record")
    return roles, lists, size


@pytest.fixture
async def before(data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory as it was when there was the branch for documents alone."""
    with monkeypatch.context() as then:
        then.setattr(establish, "BRANCHES", (DOCUMENTS,))
        then.setattr(provisioning, "ROOT_KEYS", {DOCUMENTS.root_role: provisioning.ROOT_KEYS[DOCUMENTS.root_role]})
        known = {role: algorithm for role, algorithm in provisioning.ONLINE_KEYS.items() if role not in OURS}
        then.setattr(provisioning, "ONLINE_KEYS", known)
        await provision(data, WISHES)
    assert not _held(data)[0] & OURS
    return data


async def test_the_next_up_makes_the_branch(before: Path) -> None:
    """Its root on the offline token, its list, its signer and that of paper, each with an entry; once."""
    roles, lists, size = _held(before)
    told: list[str] = []
    await provision(before, WISHES, told.append)
    after = _held(before)

    assert (lists, after) == (1, (roles | OURS, 2, size + len(OURS)))
    (sentence,) = told
    assert all(role in sentence for role in OURS - {TIME_STAMPS.root_role})
    with closing(open_log(before / DATABASE)) as log:
        assert list(log.row_findings()) == []
    async with signing(before) as ours:
        signature, *_ = await judged(await ours.letter("B-LTA"), ours.roots, int(time.time()) + 5)
        assert signature.bottom_line
    assert _held(before) == after


async def test_without_the_root_s_token_it_waits(before: Path) -> None:
    """The service goes on without letters, and says for what it waits."""
    held = _held(before)
    shutil.move(before / "tokens" / ROOT, before / "safe")
    told: list[str] = []
    await provision(before, WISHES, told.append)
    assert _held(before) == held
    (sentence,) = told
    assert PAPER_SIGNER in sentence
    assert TIME_STAMP_SIGNER in sentence


async def test_both_lists_are_renewed(data: Path) -> None:
    """By the root of each branch, with the token in hand."""
    config = await provision(data, WISHES)
    late = int(time.time()) + establish.CRL_DAYS * establish.DAY
    async with open_store(config.location, SystemClock()) as store, Hsm(token_config(config.root)) as root:
        await establish.renew_crl(store, await root_signer(root), late)
        for branch in BRANCHES:
            row: Any = await store.fetch_one(queries.CRL_OF, {"root_role": branch.root_role})
            assert x509.read_crl(row["der"], row["issuer_certificate"]).number == 2
