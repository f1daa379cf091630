"""Receipts of letters: that the revision that was signed stands on the ledger, beside that of the copy."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from idverify.core.verdict import Check, CheckId, Outcome, Result
from idverify.errors import NotAllowed, NotFound
from idverify.formats import carriers
from idverify.formats.x509 import key_id
from idverify.ledger.commitment import Record, commitment
from idverify.ledger.entry import Draft, EntryType
from idverify.ledger.identity import LogIdentity
from idverify.ledger.policy import Policies, Policy
from idverify.ledger.proof import TlogProof
from idverify.ledger.receipt import Opening
from idverify.services import letter_pdf
from idverify.services.check import online_verifier
from idverify.services.verify import Submission, Verified, Verifier, verify
from tests.corpus.verified import verifier
from tests.simulators import code_world as code
from tests.simulators import credential_world as world
from tests.simulators import letters
from tests.simulators.in_process import InProcess
from tests.simulators.ledger_memory import ORIGIN, LedgerMemory, SoftwareSigner, publishing
from tests.simulators.printed_letters import attached, person_with_photo, printed, published
from tests.simulators.software_office import SoftwareOffice, premises

AT = world.NOW + 60
ISSUED, MADE = "credential.issued", "letter.made"


def told(verified: Verified) -> Check:
    """Of the receipt."""
    return next(check for check in verified.verdict.checks if check.id is CheckId.RECEIPT)


# --- of the office ------------------------------------------------------------------------------------------------


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[SoftwareOffice]:
    """An office."""
    async with premises(tmp_path) as house, house.open() as running:
        yield running


async def _letter(served: SoftwareOffice, person: bytes) -> tuple[bytes, bytes]:
    """A letter and its receipt."""
    handle, officer = await printed(served, person), await served.principal("officer")
    receipt = await published(served, letter_pdf.letter_receipt(served.office, officer, handle))
    return (await letter_pdf.letter_file(served.office, officer, handle)).pdf, receipt


async def _verified(served: SoftwareOffice, pdf: bytes, receipt: bytes | None, **relying: Any) -> Verified:
    trusting: Verifier = replace(online_verifier(served.office), **relying)
    return await verify(trusting, Submission(pdf, receipt), served.office.clock.now())


async def test_both_receipts_of_a_letter(served: SoftwareOffice) -> None:
    """That of the letter and that of its copy are both judged; nobody else's passes, nor any with a changed byte."""
    person = await person_with_photo(served)
    pdf, receipt = await _letter(served, person)
    alone = told(await _verified(served, pdf, None))
    both = await _verified(served, pdf, receipt)
    assert alone.evidence is not None
    assert (alone.result, alone.evidence["entry"], "further" in alone.evidence) == (Result.PASS, ISSUED, False)
    assert both.verdict.verdict is Outcome.ACCEPT
    assert told(both).evidence == {**alone.evidence, "further": [_place(receipt)]}
    integrity = next(check for check in both.verdict.checks if check.id is CheckId.DOCUMENT_INTEGRITY)
    assert (integrity.evidence or {})["time"] == "proven"
    copy = attached(pdf)["receipt.tlog-proof"]
    assert told(await _verified(served, pdf, copy)).evidence == alone.evidence

    another, its_own = await _letter(served, person)
    for wrong, rule in (
        (its_own, "object"),
        (attached(another)["receipt.tlog-proof"], "object"),
        (b"no receipt", "format"),
        (receipt.replace(b"index ", b"index 1", 1), "index"),
    ):
        refused = await _verified(served, pdf, wrong)
        assert (told(refused).evidence, refused.verdict.verdict) == ({"rule": rule}, Outcome.REJECT)
    for place in range(0, len(receipt), len(receipt) // 8):  # tests of receipts themselves change every byte
        changed = receipt[:place] + bytes((receipt[place] ^ 1,)) + receipt[place + 1 :]
        assert told(await _verified(served, pdf, changed)).result is Result.FAIL

    elsewhere = Policy.of_log([SoftwareSigner().verifier])
    for of_letter in (None, receipt):
        refused = await _verified(served, pdf, of_letter, log_policy=elsewhere)
        assert (told(refused).evidence, refused.verdict.verdict) == ({"rule": "checkpoint"}, Outcome.REJECT)


def _place(receipt: bytes) -> dict[str, Any]:
    proof = TlogProof.decode(receipt)
    origin, size, *_ = proof.checkpoint_note.decode().split("\n")
    return {"entry": MADE, "origin": origin, "index": proof.index, "tree_size": int(size)}


async def test_whose_receipt_it_is(served: SoftwareOffice) -> None:
    """It is made with its letter where that is not made yet; nobody gets another's."""
    person = await person_with_photo(served)
    handle, officer = await printed(served, person), await served.principal("officer")
    citizen = await served.principal(await served.api.enrol_citizen(person.hex()))
    other = await served.principal(await served.api.enrol_citizen((await person_with_photo(served)).hex()))
    with pytest.raises(NotFound):
        await letter_pdf.own_letter_receipt(served.office, other, handle)
    own = await published(served, letter_pdf.own_letter_receipt(served.office, citizen, handle))
    given = await published(served, letter_pdf.letter_receipt(served.office, officer, handle))
    assert (_place(own)["entry"], _place(own)["index"]) == (MADE, _place(given)["index"])
    with pytest.raises(NotAllowed):
        await letter_pdf.letter_receipt(served.office, citizen, handle)
    with pytest.raises(NotFound):
        await letter_pdf.letter_receipt(served.office, officer, bytes(16))


# --- of the synthetic authority -----------------------------------------------------------------------------------


LETTER = letters.signed()
CODE = carriers.FORMATS["idv1"].read(letters.honest_code())


def record(**changes: Any) -> Record:
    """What the ledger would hold of the honest letter."""
    status = (CODE.status.uri, CODE.status.index) if CODE.status else None
    honest = Record(
        MADE,
        hashlib.sha256(LETTER).digest(),
        key_id(code.LEAF),
        status,
        None,
        hashlib.sha256(CODE.issuer_signed).digest(),
    )
    return replace(honest, **changes)


async def receipt_of(said: Record, signer: SoftwareSigner | None = None) -> bytes:
    """The receipt of such an entry in the simulated log."""
    memory, salt = LedgerMemory(), bytes(32)
    identity = LogIdentity(ORIGIN, world.ISS, "issuer.example", f"{world.ISS}/status")
    memory.add(Draft(EntryType.LOG_START, bytes(16), identity.digest()))
    memory.add(Draft(EntryType.CREDENTIAL, b"\1" * 16, commitment(salt, said)))
    publisher = publishing(memory, signer or SoftwareSigner())
    await publisher.publish_once()
    hashes, note = await publisher.receipt_proof(1)
    (entry,) = await memory.entries(1, 2)
    return TlogProof(1, tuple(hashes), note, Opening(entry, salt, said).encode()).encode()


async def judged(receipt: bytes, pdf: bytes = LETTER, **relying_on: Any) -> Verified:
    """The verdict on the honest letter with a receipt."""
    relying = replace(verifier(AT, code.trust()), sandbox=InProcess(), states=letters.states, **relying_on)
    return await verify(relying, Submission(pdf, receipt), AT)


async def test_a_letter_with_its_receipt() -> None:
    """The evidence says which entry it is."""
    found = await judged(await receipt_of(record()))
    assert (found.verdict.verdict, told(found).evidence) == (
        Outcome.ACCEPT,
        {"entry": MADE, "origin": ORIGIN, "index": 1, "tree_size": 2},
    )


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"object_digest": bytes(32)}, "object"),
        ({"kid": key_id(world.ROOT)}, "key"),
        ({"status": (world.STATUS_URI, 6)}, "status"),
        ({"decision": bytes(32)}, "object"),
        ({"decision": None}, "object"),
        ({"type": "credential.invalid"}, "object"),
        ({"type": ISSUED}, "object"),
    ],
)
async def test_a_receipt_of_something_else(changes: dict[str, Any], rule: str) -> None:
    """Another revision, signer, copy or code; and an entry of another type about the letter."""
    found = await judged(await receipt_of(record(**changes)))
    assert (found.verdict.verdict, told(found).evidence) == (Outcome.REJECT, {"rule": rule})


async def test_a_receipt_of_another_log() -> None:
    """Of the same name, signed with another key."""
    found = await judged(await receipt_of(record(), SoftwareSigner(seed=b"1" * 32)))
    assert (found.verdict.verdict, told(found).evidence) == (Outcome.REJECT, {"rule": "checkpoint"})


async def test_a_receipt_of_an_older_shard() -> None:
    """It outlives its log: the newest shard is named beside it, by whatever key; that one alone is not enough."""
    older, newer = Policy.of_log([SoftwareSigner().verifier]), SoftwareSigner(name="log.example/2", seed=b"2" * 32)
    receipt = await receipt_of(record())
    for next_shard in (newer, replace(newer, seed=bytes(32))):
        next_one = Policy.of_log([next_shard.verifier])
        both = await judged(receipt, log_policy=Policies((older, next_one)))
        assert (told(both).result, (told(both).evidence or {})["origin"]) == (Result.PASS, ORIGIN)
        alone = await judged(receipt, log_policy=Policies((next_one,)))
        assert (told(alone).evidence, alone.verdict.verdict) == ({"rule": "checkpoint"}, Outcome.REJECT)


async def test_a_letter_that_was_changed() -> None:
    """Its receipt is that of the revision before: an update after it is no reason to fail, another text is."""
    stamped = letters.later(LETTER, lambda _: None)
    assert told(await judged(await receipt_of(record()), stamped)).result is Result.PASS
    changed = LETTER.replace(b"/Lang (en)", b"/Lang (cy)", 1)
    assert told(await judged(await receipt_of(record()), changed)).evidence == {"rule": "object"}
