"""One byte changed, anywhere in what the service gave out or keeps, is found."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Iterator
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
from idverify.stores.open import Location
from tests.journeys.conftest import Command
from tests.simulators import databases
from tests.simulators.contract import JudgedApi
from tests.simulators.databases import changed as changed_rows
from tests.simulators.databases import rows
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


@dataclass(frozen=True)
class Copy:
    """A data directory whose database is a copy, and where that is."""

    data: Path
    location: Location


@pytest.fixture
def copied(deployment: Deployment, tmp_path: Path) -> Iterator[Copy]:
    """A copy of the deployment's settings and database, taken while it runs."""
    with databases.copied(deployment.location, tmp_path) as location:
        settings = (deployment.data / "idverify.toml").read_text()
        if isinstance(location, str):
            settings = settings.replace(str(deployment.location), location)
        (tmp_path / "idverify.toml").write_text(settings)
        yield Copy(tmp_path, location)


def _flip(location: Location, table: str, column: str, wanted: bytes) -> None:
    """Flip one bit in the middle of these bytes: in a file wherever they lie, on a server in the column."""
    at = len(wanted) // 2
    other = wanted[:at] + bytes([wanted[at] ^ 1]) + wanted[at + 1 :]
    if isinstance(location, Path):
        with sqlite3.connect(location) as database:
            database.execute("PRAGMA journal_mode = DELETE")
        database.close()
        content = location.read_bytes()
        assert wanted in content
        location.write_bytes(content.replace(wanted, other))
        return
    for (before,) in rows(location, f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"):  # noqa: S608  ours
        if wanted in before:
            values = {"before": before, "after": before.replace(wanted, other)}
            update = f"UPDATE {table} SET {column} = :after WHERE {column} = :before"  # noqa: S608  ours
            assert changed_rows(location, update, values) == 1


@pytest.mark.parametrize("index", [0, 3, 7])
async def test_a_changed_entry_is_named(copied: Copy, idverify: Command, index: int) -> None:
    """A bit flipped in an entry's digest, where it lies: fsck names that entry first, and exits with 1."""
    bundles = rows(copied.location, "SELECT entries FROM ledger_bundle ORDER BY first_index")
    entry = [entry for (entries,) in bundles for entry in decode_bundle(entries)][index]
    _flip(copied.location, "ledger_bundle", "entries", entry[-32:])

    found = await idverify("ledger", "fsck", "--data", copied.data, "--json")

    assert (found.status, found.json["holds"], found.json["first_bad_index"]) == (1, False, index)
    assert "leaf_hash" in {finding["rule"] for finding in found.json["findings"]}


async def test_a_rewritten_history_is_named(copied: Copy, idverify: Command) -> None:
    """An entry changed together with its stored leaf hash still breaks the chain and the signed root."""
    some = "SELECT first_index, entries, leaf_hashes FROM ledger_bundle WHERE count > 4 ORDER BY first_index LIMIT 1"
    ((first, entries, leaves),) = rows(copied.location, some)
    old = decode_bundle(entries)[2]
    new = old[:-1] + bytes([old[-1] ^ 1])
    hashes = hashlib.sha256(b"\0" + old).digest(), hashlib.sha256(b"\0" + new).digest()
    values = {"entries": entries.replace(old, new), "leaves": leaves.replace(*hashes), "first": first}
    update = "UPDATE ledger_bundle SET entries = :entries, leaf_hashes = :leaves WHERE first_index = :first"
    assert changed_rows(copied.location, update, values) == 1

    found = await idverify("ledger", "fsck", "--data", copied.data, "--json")

    assert (found.status, found.json["first_bad_index"]) == (1, first + 2)  # which its opening no longer opens
    assert (first + 3, "prev") in {(one["index"], one["rule"]) for one in found.json["findings"]}
    assert {"prev", "root"} <= {finding["rule"] for finding in found.json["findings"]}


LAST_SIGNED_BUNDLE = """
    SELECT max(first_index) FROM ledger_bundle
    WHERE first_index < (SELECT max(size) FROM ledger_checkpoint WHERE note IS NOT NULL)"""


async def test_a_truncated_ledger_is_named(copied: Copy, idverify: Command) -> None:
    """Entries that a checkpoint was signed for cannot be dropped from the end."""
    ((last,),) = rows(copied.location, LAST_SIGNED_BUNDLE)
    changed_rows(copied.location, "DELETE FROM ledger_bundle WHERE first_index >= :last", {"last": last})
    changed_rows(copied.location, "DELETE FROM ledger_record WHERE ledger_index >= :last", {"last": last})

    found = await idverify("ledger", "fsck", "--data", copied.data, "--json")

    assert (found.status, found.json["first_bad_index"]) == (1, last)
    assert "truncated" in {finding["rule"] for finding in found.json["findings"]}


@pytest.mark.parametrize("column", ["root", "signature"])
async def test_a_changed_checkpoint_is_named(copied: Copy, idverify: Command, column: str) -> None:
    """A signed checkpoint with one bit flipped no longer bears the log's signature."""
    some = "SELECT note FROM ledger_checkpoint WHERE note IS NOT NULL LIMIT 1"
    lines = bytes(rows(copied.location, some)[0][0]).splitlines()
    _flip(copied.location, "ledger_checkpoint", "note", {"root": lines[2], "signature": lines[-1][-40:]}[column])

    found = await idverify("ledger", "fsck", "--data", copied.data, "--json")

    assert found.status == 1
    assert "checkpoint" in {finding["rule"] for finding in found.json["findings"]}


async def test_a_key_from_outside_is_believed_over_the_file_s(
    copied: Copy, idverify: Command, deployment: Deployment
) -> None:
    """With the log's published key the ledger holds; with a stranger's of the same name no checkpoint does."""
    origin = f"localhost:{deployment.port}/log/1"
    stranger = vkey(Ed25519Verifier(origin, Ed25519PrivateKey.generate().public_key().public_bytes_raw()))
    bundle = await idverify("trust", "export", copied.data / "bundle.jwt", "--data", deployment.data, "--json")

    published = await idverify("ledger", "fsck", "--data", copied.data, "--vkey", bundle.json["log_vkeys"][0], "--json")
    foreign = await idverify("ledger", "fsck", "--data", copied.data, "--vkey", stranger, "--json")

    assert (published.status, published.json["holds"]) == (0, True)
    assert foreign.status == 1
    assert {"checkpoint", "unsigned"} <= {finding["rule"] for finding in foreign.json["findings"]}


async def test_a_running_deployment_s_ledger_holds(deployment: Deployment, idverify: Command, api: JudgedApi) -> None:
    """While credentials are being issued, fsck over the live database finds nothing wrong; nor does it afterwards."""
    issuing = asyncio.gather(*(holding(api, wait=5) for _ in range(6)))
    during = [await idverify("ledger", "fsck", "--data", deployment.data, "--json") for _ in range(3)]
    await issuing
    after = await idverify("ledger", "fsck", "--data", deployment.data)

    assert [(found.status, found.json["findings"]) for found in during] == [(0, [])] * 3
    sizes = [found.json["size"] for found in during]
    assert sizes == sorted(sizes)
    assert (after.status, after.output.startswith("The ledger holds: ")) == (0, True)
