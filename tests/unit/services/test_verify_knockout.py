"""The verify service's own steps are switched off in turn; what each alone refuses must then be accepted."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from idverify.core import verdict
from idverify.core.credential import StatusReference
from idverify.core.trust import TrustedIssuer, TrustedRoot, TrustedType, issuer_of_terms
from idverify.core.verdict import Channel, Check, CheckId, Outcome, Result, fold
from idverify.formats import status_list
from idverify.formats.status_list import StatusListClaims, StatusValue
from idverify.formats.x509 import key_id
from idverify.ledger.commitment import Record, commitment
from idverify.ledger.entry import Draft, EntryType
from idverify.ledger.identity import LogIdentity
from idverify.ledger.note import vkey
from idverify.ledger.policy import Policy
from idverify.ledger.proof import TlogProof
from idverify.ledger.receipt import Opening
from idverify.services import receipt_checks, status_source, verify
from idverify.services.status_source import StatusSource
from idverify.services.verify import Submission, Verifier
from tests.simulators import credential_world as world
from tests.simulators.ledger_memory import ORIGIN, LedgerMemory, SoftwareSigner, publishing
from tests.simulators.signed_log import SignedLog

SALT = bytes(32)
OTHER_TYPE = "urn:example:library-card:1"
DOCUMENT = world.present(world.issue())
PRESENTED = world.FORMAT.read(DOCUMENT)
STATUS = PRESENTED.status or StatusReference("", 0)


def status_token(value: StatusValue, at: int = world.NOW, uri: str = STATUS.uri) -> bytes:
    """A signed status list in which the document has this value."""
    statuses = status_list.pack(2**20, 2, {STATUS.index: value})
    unsigned = status_list.prepare(statuses, StatusListClaims(uri, at, at + 3600, 300), world.ISSUER)
    return status_list.seal(unsigned, world.sign(world.ISSUER_KEY, unsigned.payload))


def source(*tokens: bytes) -> StatusSource:
    """A source that holds these lists."""
    made = StatusSource(None)
    for token in tokens:
        made.keep_snapshot(token, (world.TRUSTED,), frozenset(), world.NOW)
    return made


def verifier(statuses: StatusSource) -> Verifier:
    """A verifier that trusts the example issuer and the simulated log."""
    return Verifier(world.TRUST, statuses, Policy.of_log([SoftwareSigner().verifier]))


async def outcome(statuses: StatusSource, **submitted: Any) -> Outcome:
    """The verdict on the example presentation."""
    asked = {"document": DOCUMENT, "expected": world.ASKED} | submitted
    return (await verify.verify(verifier(statuses), Submission(**asked), world.NOW)).verdict.verdict


async def receipt_for(digest: bytes) -> bytes:
    """A receipt of an issuance of the object with this digest, in the simulated log."""
    record = Record("credential.issued", digest, key_id(world.CHAIN[0]), (STATUS.uri, STATUS.index))
    memory, signer = LedgerMemory(), SoftwareSigner()
    identity = LogIdentity(ORIGIN, world.ISS, "issuer.example", f"{world.ISS}/status")
    memory.add(Draft(EntryType.LOG_START, bytes(16), identity.digest()))
    memory.add(Draft(EntryType.CREDENTIAL, b"\1" * 16, commitment(SALT, record)))
    publisher = publishing(memory, signer)
    await publisher.publish_once()
    hashes, note = await publisher.receipt_proof(1)
    (entry,) = await memory.entries(1, 2)
    return TlogProof(1, tuple(hashes), note, Opening(entry, SALT, record).encode()).encode()


async def test_the_example_is_accepted() -> None:
    """What the negative cases start from is sound, with its receipt too."""
    receipt = await receipt_for(hashlib.sha256(PRESENTED.issuer_signed).digest())

    assert await outcome(source(status_token(StatusValue.VALID)), receipt=receipt) is Outcome.ACCEPT


@pytest.mark.parametrize("value", [StatusValue.INVALID, StatusValue.SUSPENDED, StatusValue.APPLICATION_SPECIFIC])
async def test_the_status_step(value: StatusValue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Revoked, suspended and unknown values reject; without the step they would pass."""
    statuses = source(status_token(value))
    assert await outcome(statuses) is Outcome.REJECT

    async def skipped(*_: object) -> list[Check]:
        return [Check(CheckId.STATUS, Result.PASS, "skipped")]

    monkeypatch.setattr(verify, "_status", skipped)
    assert await outcome(statuses) is Outcome.ACCEPT


async def test_the_receipt_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another document's receipt rejects; without the step it would pass."""
    statuses, foreign = source(status_token(StatusValue.VALID)), await receipt_for(bytes(32))
    assert await outcome(statuses, receipt=foreign) is Outcome.REJECT

    monkeypatch.setattr(receipt_checks, "check", lambda *_: Check(CheckId.RECEIPT, Result.PASS, "skipped"))
    assert await outcome(statuses, receipt=foreign) is Outcome.ACCEPT


async def test_receipts_of_others_rest_on_their_logs() -> None:
    """Of an issuer that two admins decided on, the log that came with it counts, and no other; without one, none."""
    receipt = await receipt_for(hashlib.sha256(PRESENTED.issuer_signed).digest())
    theirs = f"log {vkey(SoftwareSigner().verifier)}\nquorum none\n"
    another = f"log {vkey(SignedLog('other.example/log/1').verifier)}\nquorum none\n"
    roots = tuple(TrustedRoot(0, None, root, "") for root in world.TRUSTED.roots)
    types = tuple(TrustedType(0, None, "dc+sd-jwt", kind) for kind in world.TRUSTED.types)
    ours = verifier(source(status_token(StatusValue.VALID)))
    found = []
    for logs in ((theirs,), (another,), ()):
        issuer = replace(issuer_of_terms(world.TRUSTED, roots, types), log_policies=logs)
        relying = replace(ours, trust=replace(ours.trust, issuers={world.ISS: issuer}))
        verified = await verify.verify(relying, Submission(DOCUMENT, receipt, world.ASKED), world.NOW)
        check = next(one for one in verified.verdict.checks if one.id is CheckId.RECEIPT)
        found.append((verified.verdict.verdict, check.result))
    assert found == [
        (Outcome.ACCEPT, Result.PASS),
        (Outcome.REJECT, Result.FAIL),
        (Outcome.ACCEPT, Result.UNKNOWN),
    ]


async def test_the_requested_type_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trusted document of a type that was not asked for rejects; without the step it would pass."""
    statuses = source(status_token(StatusValue.VALID))
    assert await outcome(statuses, requested_type=OTHER_TYPE) is Outcome.REJECT

    monkeypatch.setattr(verify, "_of_asked_type", lambda check, *_: check)
    assert await outcome(statuses, requested_type=OTHER_TYPE) is Outcome.ACCEPT


async def test_a_newer_list_is_never_replaced_by_an_older_one() -> None:
    """The older list says valid, the newer one revoked; both are signed and in date: revoked stands."""
    newer = status_token(StatusValue.INVALID, world.NOW - 10)
    older = status_token(StatusValue.VALID, world.NOW - 20)

    assert await outcome(source(newer, older)) is Outcome.REJECT
    assert await outcome(source(older)) is Outcome.ACCEPT


async def test_a_list_from_outside_the_registered_address_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only lists under the issuer's registered base count; without the rule a stray one would decide."""
    stray = TrustedIssuer(world.ISS, "Example", world.TRUSTED.roots, world.TRUSTED.types, "https://elsewhere.example")

    def kept() -> StatusSource:
        made = StatusSource(None)
        made.keep_snapshot(status_token(StatusValue.VALID), (stray,), frozenset(), world.NOW)
        return made

    assert await outcome(kept()) is Outcome.REFER
    monkeypatch.setattr(status_source, "under", lambda *_: True)
    assert await outcome(kept()) is Outcome.ACCEPT


async def test_a_tampered_list_is_not_kept() -> None:
    """One changed byte of a status list, and nothing is known of the status: refer, not accept."""
    token = bytearray(status_token(StatusValue.VALID))
    token[-3] ^= 1
    broken = source(bytes(token))

    assert "signature" in broken.refused[STATUS.uri]
    assert await outcome(broken) is Outcome.REFER


@pytest.mark.parametrize(
    ("channel", "required"),
    [(channel, check) for channel in Channel for check in sorted(verdict.REQUIRED[channel])],
)
def test_every_required_check(channel: Channel, required: CheckId, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each check of the policy table alone keeps an unknown from being accepted."""
    checks = [Check(check, Result.UNKNOWN if check is required else Result.PASS, "") for check in CheckId]
    assert fold(checks, channel).verdict is Outcome.REFER

    monkeypatch.setitem(verdict.REQUIRED, channel, verdict.REQUIRED[channel] - {required})  # type: ignore[arg-type]
    assert fold(checks, channel).verdict is Outcome.ACCEPT


@pytest.mark.parametrize("failed", CheckId)
def test_any_failure_rejects(failed: CheckId) -> None:
    """Whatever fails rejects, required or not."""
    checks = [Check(check, Result.FAIL if check is failed else Result.PASS, "") for check in CheckId]

    assert {fold(checks, channel).verdict for channel in Channel} == {Outcome.REJECT}
