"""A deployment of before learns the types that came since: their signers, certified, and what it is relied on for."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hsm import HsmModuleMissing
from hsm.softhsm import find_module
from idverify.app.provision import ROOT, Wishes, provision
from idverify.config import DATABASE
from idverify.core.types import wire_types
from idverify.core.types.driving_licence import DRIVING_LICENCE
from idverify.core.types.pid import PID

WISHES = Wishes("http://localhost:8080", 8080, demo=False)
NEW = {PID.key_role, DRIVING_LICENCE.key_role}


@pytest.fixture
async def before(tmp_path: Path) -> Path:
    """A data directory as it was when there was the immigration status alone."""
    try:
        find_module()
    except HsmModuleMissing as error:
        pytest.skip(f"needs SoftHSM: {error}")
    await provision(tmp_path, WISHES)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as database, database:
        database.executemany("DELETE FROM signing_key WHERE role = ?", [(role,) for role in NEW])
        database.execute("UPDATE trusted_issuer SET types = ?", (json.dumps(["urn:idverify:immigration-status:1"]),))
    return tmp_path


def held(data: Path) -> tuple[set[str], int, set[str]]:
    """Certified document signers, how many entries the ledger keeps openings of, and what we are relied on for."""
    with closing(sqlite3.connect(data / DATABASE)) as database:
        roles = {
            role
            for (role,) in database.execute(
                "SELECT role FROM signing_key WHERE certificate IS NOT NULL AND role LIKE 'document-signer/%'"
            )
        }
        ((size,),) = database.execute("SELECT count(*) FROM ledger_record")
        ((types,),) = database.execute("SELECT types FROM trusted_issuer")
    return roles, size, set(json.loads(types))


@pytest.mark.softhsm
async def test_the_next_up_certifies_them(before: Path) -> None:
    """Each with an entry on the ledger; what is relied on grows with it; a run more changes nothing."""
    roles, size, _ = held(before)
    told: list[str] = []
    await provision(before, WISHES, told.append)
    after = held(before)

    assert after == (roles | NEW, size + len(NEW), set(wire_types()))
    assert told == []
    await provision(before, WISHES, told.append)
    assert held(before) == after


@pytest.mark.softhsm
async def test_without_the_root_they_wait(before: Path) -> None:
    """The service goes on with what it has, and says for what it waits."""
    roles, size, _ = held(before)
    shutil.move(before / "tokens" / ROOT, before / "safe")
    told: list[str] = []
    await provision(before, WISHES, told.append)

    assert held(before) == (roles, size, set(wire_types()))
    (sentence,) = told
    assert "wait for the root's token" in sentence
    assert all(role in sentence for role in NEW)
