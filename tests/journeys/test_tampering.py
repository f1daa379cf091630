"""One byte changed, anywhere in what the service gave out or keeps, is found."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from idverify.core.verdict import CheckId, Outcome, Result
from idverify.errors import DocumentError
from idverify.formats.base import HolderBindingExpected
from idverify.ledger.note import Ed25519Verifier, vkey
from idverify.ledger.sequencer import decode_bundle
from idverify.ports import SystemClock
from idverify.services.status_source import StatusSource
from idverify.services.trust import offline_verifier
from idverify.services.verify import Submission, Verifier, verify
from tests.journeys.conftest import Command
from tests.simulators.contract import JudgedApi
from tests.simulators.holder import asked, failed, holding
from tests.simulators.service import Deployment

NOW = SystemClock().now
SHOWN = ["family_name", "work"]


def changed(content: bytes, at: int) -> bytes:
    """``content`` with another base64url character at one place."""
    return content[:at] + (b"A" if content[at : at + 1] != b"A" else b"B") + content[at + 1 :]


@dataclass(frozen=True)
class Presented:
    """A presentation, what it answers, and a verifier that knows the deployment's trust bundle."""

    document: bytes
    expected: HolderBindingExpected
    verifier: Verifier
    bundle: bytes
    root_sha256: bytes


@pytest.fixture
async def presented(api: JudgedApi) -> Presented:
    """A genuine presentation and everything an offline verifier needs."""
    held, request = await holding(api), await asked(api, "employer")
    bundle = await api.ok("GET", "/api/v1/trust-bundle")
    root = hashlib.sha256(await api.ok("GET", "/pki/root.cer")).digest()
    expected = HolderBindingExpected(request["audience"], request["nonce"])
    document = held.present(request, SHOWN).encode()
    return Presented(document, expected, offline_verifier(bundle, root, NOW()), bundle, root)


async def _outcome(verifier: Verifier, document: bytes, expected: HolderBindingExpected) -> Outcome:
    return (await verify(verifier, Submission(document, expected=expected), NOW())).verdict.verdict


async def test_no_byte_of_a_presentation_can_be_changed(presented: Presented) -> None:
    """Whichever single byte of credential, disclosures or key binding is another one: rejected."""
    verifier, document, expected = presented.verifier, presented.document, presented.expected

    untouched = await _outcome(verifier, document, expected)
    outcomes = {at: await _outcome(verifier, changed(document, at), expected) for at in range(len(document))}

    assert untouched is Outcome.ACCEPT
    assert {at: outcome for at, outcome in outcomes.items() if outcome is not Outcome.REJECT} == {}


async def test_the_service_names_what_was_changed(api: JudgedApi) -> None:
    """Over HTTP, too, a changed document is an answer and not an error, and the check that fails is named."""
    held = await holding(api)
    signed, *disclosures, _ = held.credential.encode().split(b"~")
    header, payload, signature = signed.split(b".")
    last = disclosures[-1]
    forgeries = {
        "signature": b"~".join([b".".join([header, payload, changed(signature, 10)]), *disclosures, b""]),
        "format": b"~".join([signed, *disclosures[:-1], changed(last, len(last) - 6), b""]),
    }
    for check, document in forgeries.items():
        answer = await api.ok("POST", "/api/v1/verify", "officer", {"document": document.decode()})
        assert (answer["verdict"], failed(answer), answer["claims"]) == ("reject", [check], None)


async def test_a_changed_bundle_is_not_opened(presented: Presented) -> None:
    """A trust bundle with one byte changed, or pinned to another root, is refused as a whole."""
    bundle, root = presented.bundle, presented.root_sha256
    places = range(0, len(bundle), max(1, len(bundle) // 60))

    for at in places:
        with pytest.raises(DocumentError):
            offline_verifier(changed(bundle, at), root, NOW())
    with pytest.raises(DocumentError, match="fingerprint"):
        offline_verifier(bundle, hashlib.sha256(root).digest(), NOW())


class _Serving:
    """A fetcher that serves the same bytes whatever is asked for."""

    def __init__(self, token: bytes) -> None:
        self.token = token

    async def fetch(self, *_: str) -> bytes:
        return self.token


async def test_a_changed_status_list_tells_nothing(api: JudgedApi, presented: Presented) -> None:
    """A list that was changed on its way is not believed: the status is unknown, and nobody is accepted on it."""
    token = await api.ok("GET", "/status/1")
    dots = [at for at, byte in enumerate(token) if byte == ord(".")]
    trust, log_policy = presented.verifier.trust, presented.verifier.log_policy

    async def seen(served: bytes) -> tuple[Outcome, Result, str]:
        verifier = Verifier(trust, StatusSource(_Serving(served)), log_policy)
        verdict = (await verify(verifier, Submission(presented.document, expected=presented.expected), NOW())).verdict
        status = next(check for check in verdict.checks if check.id is CheckId.STATUS)
        return verdict.verdict, status.result, status.detail

    assert (await seen(token))[:2] == (Outcome.ACCEPT, Result.PASS)
    for at in (dots[0] - 20, dots[0] + 30, dots[1] - 30, dots[1] + 5, len(token) - 10):
        outcome, result, told = await seen(changed(token, at))
        assert (outcome, result) == (Outcome.REFER, Result.UNKNOWN)
        assert told.startswith("No status list to look in: ")


# --- the ledger, as it lies in the file -------------------------------------------------------------------------


@pytest.fixture
def copied(deployment: Deployment, tmp_path: Path) -> Path:
    """A copy of the deployment's settings and database, taken while it runs."""
    shutil.copy(deployment.data / "idverify.toml", tmp_path)
    with (
        sqlite3.connect(deployment.data / "idverify.sqlite") as source,
        sqlite3.connect(tmp_path / "idverify.sqlite") as target,
    ):
        source.backup(target)
    source.close()
    target.close()
    return tmp_path


def _entries(database: sqlite3.Connection) -> list[bytes]:
    rows = database.execute("SELECT entries FROM ledger_bundle ORDER BY first_index")
    return [entry for (entries,) in rows for entry in decode_bundle(entries)]


def _flip_in_file(path: Path, find: Callable[[sqlite3.Connection], bytes]) -> None:
    """Flip one bit in the middle of what ``find`` returns, wherever those bytes lie in the file."""
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode = DELETE")
        wanted = find(database)
    database.close()
    content = bytearray(path.read_bytes())
    at = content.find(wanted)
    assert at >= 0
    while at >= 0:
        content[at + len(wanted) // 2] ^= 1
        at = content.find(wanted)
    path.write_bytes(content)


@pytest.mark.parametrize("index", [0, 3, 7])
async def test_a_changed_entry_is_named(copied: Path, idverify: Command, index: int) -> None:
    """A bit flipped in an entry's digest, in the file itself: fsck names that entry first, and exits with 1."""
    _flip_in_file(copied / "idverify.sqlite", lambda database: _entries(database)[index][-32:])

    found = await idverify("ledger", "fsck", "--data", copied, "--json")

    assert (found.status, found.json["holds"], found.json["first_bad_index"]) == (1, False, index)
    assert "leaf_hash" in {finding["rule"] for finding in found.json["findings"]}


async def test_a_rewritten_history_is_named(copied: Path, idverify: Command) -> None:
    """An entry changed together with its stored leaf hash still breaks the chain and the signed root."""
    with sqlite3.connect(copied / "idverify.sqlite") as database:
        first, entries, leaves = database.execute(
            "SELECT first_index, entries, leaf_hashes FROM ledger_bundle WHERE count > 4 ORDER BY first_index LIMIT 1"
        ).fetchone()
        old = decode_bundle(entries)[2]
        new = old[:-1] + bytes([old[-1] ^ 1])
        hashes = hashlib.sha256(b"\0" + old).digest(), hashlib.sha256(b"\0" + new).digest()
        changes = (entries.replace(old, new), leaves.replace(*hashes), first)
        database.execute("UPDATE ledger_bundle SET entries = ?, leaf_hashes = ? WHERE first_index = ?", changes)
    database.close()

    found = await idverify("ledger", "fsck", "--data", copied, "--json")

    assert (found.status, found.json["first_bad_index"]) == (1, first + 2)  # which its opening no longer opens
    assert (first + 3, "prev") in {(one["index"], one["rule"]) for one in found.json["findings"]}
    assert {"prev", "root"} <= {finding["rule"] for finding in found.json["findings"]}


LAST_SIGNED_BUNDLE = """
    SELECT max(first_index) FROM ledger_bundle
    WHERE first_index < (SELECT max(size) FROM ledger_checkpoint WHERE note NOT NULL)"""


async def test_a_truncated_ledger_is_named(copied: Path, idverify: Command) -> None:
    """Entries that a checkpoint was signed for cannot be dropped from the end."""
    with sqlite3.connect(copied / "idverify.sqlite") as database:
        (last,) = database.execute(LAST_SIGNED_BUNDLE).fetchone()
        database.execute("DELETE FROM ledger_bundle WHERE first_index >= ?", (last,))
        database.execute("DELETE FROM ledger_record WHERE ledger_index >= ?", (last,))
    database.close()

    found = await idverify("ledger", "fsck", "--data", copied, "--json")

    assert (found.status, found.json["first_bad_index"]) == (1, last)
    assert "truncated" in {finding["rule"] for finding in found.json["findings"]}


@pytest.mark.parametrize("column", ["root", "signature"])
async def test_a_changed_checkpoint_is_named(copied: Path, idverify: Command, column: str) -> None:
    """A signed checkpoint with one bit flipped no longer bears the log's signature."""

    def note(database: sqlite3.Connection) -> bytes:
        (signed,) = database.execute("SELECT note FROM ledger_checkpoint WHERE note NOT NULL LIMIT 1").fetchone()
        lines = bytes(signed).splitlines()
        return {"root": lines[2], "signature": lines[-1][-40:]}[column]

    _flip_in_file(copied / "idverify.sqlite", note)

    found = await idverify("ledger", "fsck", "--data", copied, "--json")

    assert found.status == 1
    assert "checkpoint" in {finding["rule"] for finding in found.json["findings"]}


async def test_a_key_from_outside_is_believed_over_the_file_s(
    copied: Path, idverify: Command, deployment: Deployment
) -> None:
    """With the log's published key the ledger holds; with a stranger's of the same name no checkpoint does."""
    origin = f"localhost:{deployment.port}/log/1"
    stranger = vkey(Ed25519Verifier(origin, Ed25519PrivateKey.generate().public_key().public_bytes_raw()))
    bundle = await idverify("trust", "export", copied / "bundle.jwt", "--data", deployment.data, "--json")

    published = await idverify("ledger", "fsck", "--data", copied, "--vkey", bundle.json["log_vkeys"][0], "--json")
    foreign = await idverify("ledger", "fsck", "--data", copied, "--vkey", stranger, "--json")

    assert (published.status, published.json["holds"]) == (0, True)
    assert foreign.status == 1
    assert {"checkpoint", "unsigned"} <= {finding["rule"] for finding in foreign.json["findings"]}


async def test_a_running_deployment_s_ledger_holds(deployment: Deployment, idverify: Command, api: JudgedApi) -> None:
    """While credentials are being issued, fsck over the live file finds nothing wrong; nor does it afterwards."""
    issuing = asyncio.gather(*(holding(api, wait=5) for _ in range(6)))
    during = [await idverify("ledger", "fsck", "--data", deployment.data, "--json") for _ in range(3)]
    await issuing
    after = await idverify("ledger", "fsck", "--data", deployment.data)

    assert [(found.status, found.json["findings"]) for found in during] == [(0, [])] * 3
    sizes = [found.json["size"] for found in during]
    assert sizes == sorted(sizes)
    assert (after.status, after.output.startswith("The ledger holds: ")) == (0, True)
