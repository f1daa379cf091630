"""A deployment of before gets the signers of the types that came since, each certified by the root."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hsm import HsmModuleMissing
from hsm.softhsm import find_module
from idverify.app.provision import ROOT, Wishes, provision
from idverify.config import DATABASE
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
    return tmp_path


def held(data: Path) -> tuple[set[str], int]:
    """Certified document signers, and how many entries the ledger keeps openings of."""
    with closing(sqlite3.connect(data / DATABASE)) as database:
        roles = {
            role
            for (role,) in database.execute(
                "SELECT role FROM signing_key WHERE certificate IS NOT NULL AND role LIKE 'document-signer/%'"
            )
        }
        ((size,),) = database.execute("SELECT count(*) FROM ledger_record")
    return roles, size


@pytest.mark.softhsm
async def test_the_next_up_certifies_them(before: Path) -> None:
    """Each with an entry on the ledger; a run more changes nothing."""
    roles, size = held(before)
    told: list[str] = []
    await provision(before, WISHES, told.append)
    after = held(before)

    assert after == (roles | NEW, size + len(NEW))
    (sentence,) = told
    assert "made and certified" in sentence
    assert all(role in sentence for role in NEW)
    await provision(before, WISHES, told.append)
    assert (held(before), told) == (after, [sentence])


@pytest.mark.softhsm
async def test_without_the_root_they_wait(before: Path) -> None:
    """The service goes on with what it has, and says for what it waits."""
    roles, size = held(before)
    shutil.move(before / "tokens" / ROOT, before / "safe")
    told: list[str] = []
    await provision(before, WISHES, told.append)

    assert held(before) == (roles, size)
    (sentence,) = told
    assert "wait for the root's token" in sentence
    assert all(role in sentence for role in NEW)
