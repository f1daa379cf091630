"""The auditor's journey: from a receipt and the log's address to a verdict on everything, and on an erasure."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.journeys.conftest import Command
from tests.simulators.contract import JudgedApi
from tests.simulators.holder import holding
from tests.simulators.service import Deployment


@pytest.fixture
async def receipt(api: JudgedApi, tmp_path: Path) -> Path:
    """The receipt that came with a credential."""
    held = await holding(api, wait=10)
    file = tmp_path / "credential.tlog-proof"
    file.write_text(held.answer["receipt"])
    return file


@pytest.fixture
async def keys(idverify: Command, deployment: Deployment, tmp_path: Path) -> tuple[object, ...]:
    """The log's keys, by another way than the log: from a trust bundle."""
    exported = await idverify("trust", "export", tmp_path / "bundle.jwt", "--data", deployment.data, "--json")
    (tmp_path / "keys").write_text("\n".join(exported.json["log_vkeys"]))
    return "--vkey", f"@{tmp_path / 'keys'}"


async def test_a_log_is_audited_followed_and_compared(
    idverify: Command, deployment: Deployment, receipt: Path, keys: tuple[object, ...], tmp_path: Path
) -> None:
    """With the keys alone: receipt, whole log, the next look, a rebuilt mirror, and all of them against each other."""
    log, mirror, state = f"{deployment.url}/log/1", tmp_path / "mirror", tmp_path / "state"
    done = [
        await idverify("ledger", *words, *keys)
        for words in (
            ("verify", receipt),
            ("fsck", log),
            ("follow", log, "--once", "--state", state),
            ("rebuild", log, "--output", mirror),
            ("fsck", mirror),
            ("follow", log, "--once", "--state", state),
            ("compare", log, mirror),
        )
    ]

    assert [each.status for each in done] == [0] * 7, done


async def test_the_erasure_of_a_person_is_checked(
    idverify: Command, deployment: Deployment, receipt: Path, tmp_path: Path
) -> None:
    """Before: only sealed, with a key for it, and in no file as it is. Without the key nothing is left."""
    copied = tmp_path / "data"
    shutil.copytree(deployment.data, copied, ignore=shutil.ignore_patterns("*.sock"))
    before = await idverify("ledger", "erase-check", copied, "--receipt", receipt, "--json")
    if not isinstance(deployment.location, Path):  # the rows are a server's, and nothing of them is in our files
        assert (before.status, before.json["left"]) == (0, [])
        return
    with closing(sqlite3.connect(copied / "idverify.sqlite")) as connection:
        connection.execute("DELETE FROM person_key")
        connection.commit()
    after = await idverify("ledger", "erase-check", copied, "--receipt", receipt, "--json")

    assert before.status == 1
    assert ["sealed opening" in left["what"] for left in before.json["left"]] == [True]
    assert (after.status, after.json["left"]) == (0, [])
