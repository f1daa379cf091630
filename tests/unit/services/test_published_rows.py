"""What a database says of its checkpoints and its tree is held against the notes and the entries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from idverify.cli import main
from idverify.ledger.cosignature import COSIGNATURE_V1
from idverify.ledger.cosigner import Cosigner
from idverify.ledger.note import NoteSignature, split_note, vkey, write_note
from idverify.ledger.policy import Policy
from idverify.ledger.sequencer import TreeState
from idverify.ledger.witness_client import Comparison, Prove, Standing
from idverify.stores import published_rows as rules
from idverify.stores.open import Location
from tests.simulators.databases import DRIVERS, changed, copied, fresh, rows
from tests.simulators.shards import grown
from tests.simulators.software_office import premises

pytestmark = pytest.mark.asyncio(loop_scope="module")
WITNESS = Cosigner.from_seed(COSIGNATURE_V1, "witness.example", b"w" * 32)
LINES = f"witness w {vkey(WITNESS.verifier)}\nquorum w\n"
SETTINGS = """
ledger.witnesses = "{folder}/witnesses"
identity.public_url = "http://localhost"
online = {{module = "none", label = "none", serial = "none", pin_file = "none"}}
root = {{module = "none", label = "none", serial = "none", pin_file = "none"}}
"""
LAST = "(SELECT max(size) FROM ledger_checkpoint WHERE quorum_note IS NOT NULL)"
AT_LAST = f"UPDATE ledger_checkpoint SET {{}} WHERE size = {LAST}"  # noqa: S608  ours


class Witness:
    """`ledger.publisher.Witnesses` of one that signs whatever it is shown."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    async def compare(self, note: bytes | None, prove: Prove | None = None) -> list[Comparison]:
        """It agrees."""
        del note, prove
        return [Comparison("https://witness.example", ("w",), Standing.AGREES)]

    async def cosign(self, note: bytes, prove: Prove) -> list[NoteSignature]:
        """At once."""
        del prove
        return [WITNESS.cosign(split_note(note)[0], 1_900_000_000)]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=DRIVERS)
async def at_rest(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Location]:
    """A log with several checkpoints, each of which a witness signed."""
    folder = tmp_path_factory.mktemp("published")
    async with fresh(request.param, folder, request) as location, premises(folder, location) as house:
        watched = replace(house, witnesses=lambda log: Witness(log.policy), witness_lines=LINES)
        async with watched.open() as served:
            await grown(served)
            await grown(served)
        yield location


@pytest.fixture
def copy(at_rest: Location, tmp_path: Path) -> Any:
    """A copy to tamper with, and settings beside it that name the witness."""
    with copied(at_rest, tmp_path) as location:
        (tmp_path / "witnesses").write_text(LINES)
        settings = SETTINGS.format(folder=tmp_path)
        if isinstance(location, str):
            settings += f'database.url = "{location}"\n'
        (tmp_path / "idverify.toml").write_text(settings)
        yield location


def _audited(data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    monkeypatch.setattr("sys.argv", ["idverify", "ledger", "fsck", "--data", str(data), "--json"])
    status = main()
    told = capsys.readouterr()
    return status, told.out + told.err


def _last(location: Location) -> Any:
    ((size, note, quorum, tree),) = rows(
        location,
        f"""SELECT size, note, quorum_note, tree FROM ledger_checkpoint JOIN ledger_state USING (shard)
        WHERE size = {LAST}""",  # noqa: S608  ours
    )
    return size, note, quorum, TreeState.decode(tree)


async def test_untouched(
    copy: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the service published holds, also where the witnesses of the settings cannot be read."""
    assert _last(copy)[2] is not None
    assert '"findings": []' in _audited(tmp_path, monkeypatch, capsys)[1]
    (tmp_path / "witnesses").unlink()
    assert '"findings": []' in _audited(tmp_path, monkeypatch, capsys)[1]


@pytest.mark.parametrize(
    ("tampering", "rule"),
    [
        (AT_LAST.format("root = zeroblob(32)"), rules.ROW_OF_NOTE),
        (AT_LAST.format("size = 10000"), rules.ROW_OF_NOTE),
        ("UPDATE ledger_state SET signed_size = 1", rules.SIGNED_SIZE),
        ("UPDATE ledger_state SET signed_size = NULL", rules.SIGNED_SIZE),
        ("UPDATE ledger_state SET quorum_size = 1", rules.QUORUM_SIZE),
        (AT_LAST.format("quorum_note = NULL"), rules.QUORUM_SIZE),
        (AT_LAST.format("quorum_note = x'00'"), rules.QUORUM_SIGNED),
        (AT_LAST.format("quorum_note = :forged"), rules.QUORUM_SIGNED),
        (AT_LAST.format("quorum_note = :wrong"), rules.QUORUM_SIGNED),
        (AT_LAST.format("quorum_note = :older"), rules.QUORUM_TEXT),
        (AT_LAST.format("quorum_note = note"), rules.QUORUM_MET),
        (
            "INSERT INTO ledger_checkpoint (shard, size, root) VALUES (1, 2, zeroblob(32))",
            rules.INTENT,
        ),
        ("INSERT INTO ledger_checkpoint (shard, size, root) VALUES (1, 10000, zeroblob(32))", rules.INTENT),
        ("UPDATE ledger_state SET tree = x'00'", rules.TREE),
        ("UPDATE ledger_state SET tree = :smaller", rules.TREE),
        ("UPDATE ledger_state SET tree = :headless", rules.TREE),
        ("UPDATE ledger_state SET tree = :later", rules.TREE),
        (
            "INSERT INTO ledger_once (key, shard, ledger_index) VALUES (zeroblob(16), 1, 10000)",
            "an idempotency key leads to an entry of its shard",
        ),
        (
            "INSERT INTO ledger_once (key, shard, ledger_index) VALUES (zeroblob(16), 2, 0)",
            "an idempotency key leads to an entry of its shard",
        ),
    ],
)
async def test_tampering(
    copy: Location,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tampering: str,
    rule: str,
) -> None:
    """A column set back, a note that is forged, stripped of its witness or another's: the audit names the rule."""
    size, note, quorum, tree = _last(copy)
    text, lines = split_note(quorum)
    own, cosigned = lines[:-1], lines[-1]
    notes = rows(copy, "SELECT quorum_note FROM ledger_checkpoint WHERE size < :size", {"size": size})
    older = next(older for (older,) in notes if older is not None)
    values = {
        "forged": write_note(text, [cosigned]),
        "wrong": write_note(text, [*own, replace(cosigned, signature=cosigned.signature[:-1] + b"x")]),
        "older": older,
        "smaller": replace(tree, size=0, frontier=()).encode(),
        "headless": replace(tree, head=bytes(32)).encode(),
        "later": replace(tree, time=tree.time + 60).encode(),
    }
    assert note != quorum
    named = {name: value for name, value in values.items() if f":{name}" in tampering}
    assert changed(copy, tampering, named) == 1
    status, told = _audited(tmp_path, monkeypatch, capsys)

    assert status == 1
    assert f"broken: {rule}" in told
