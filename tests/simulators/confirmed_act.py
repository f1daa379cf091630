"""One confirmed act in memory: a key that signed it, a log that says so, and the evidence file of both."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cache

from idverify.auth import step_up, webauthn
from idverify.core.action import Action, canonical_json
from idverify.ledger.commitment import Record, commitment
from idverify.ledger.entry import Draft, Entry, EntryType
from idverify.ledger.file_tree import FileTree
from idverify.ledger.policy import Policy
from idverify.ledger.proof import TlogProof
from idverify.ledger.published import CHECKPOINT
from idverify.ledger.receipt import Opening
from idverify.services.evidence_file import EvidenceFile
from tests.simulators import authenticator as sim
from tests.simulators.authenticator import Authenticator
from tests.simulators.ledger_memory import NOW, LedgerMemory, SoftwareSigner
from tests.simulators.published_tree import SIGNER, TreeInMemory, tree_of

KEY = Authenticator()
ORIGINS = frozenset({sim.ORIGIN})
ACTION = Action("decide", "ab" * 16, {"kind": "revoke", "reason": "fraud-found", "legal_basis": "Rules, part 9"})
CONTEXT = step_up.Context("aa" * 32, "bb" * 32, "cc" * 32, sim.RP_ID, NOW, NOW + 120)
BOUND_AT, CONFIRMED_AT = 3, 9


def evidence(action: Action = ACTION, context: step_up.Context = CONTEXT, key: Authenticator = KEY) -> bytes:
    """What a key's signature over an act leaves."""
    nonce = hashlib.sha256(b"a nonce").digest()
    known = webauthn.KnownKey(key.credential_id, key.cose_key, 1, False, sim.USER_HANDLE)
    challenge = step_up.challenge(nonce, action.digest(), context)
    response = key.sign_in(client=sim.client_data("webauthn.get", challenge))
    expected = webauthn.Expectation(sim.RP_ID, ORIGINS, challenge)
    asserted = webauthn.check_assertion(expected, known, response)
    return step_up.evidence(nonce, action.digest(), context, ORIGINS, known, asserted)


@cache
def confirmed_act() -> EvidenceFile:
    """The file of an act that everything proves."""
    return recorded(evidence())


def recorded(
    kept: bytes,
    act: str = ACTION.act,
    kind: str = "authorisation",
    bound: str = "authenticator.bound",
    *,
    bound_at: int = BOUND_AT,
    at: int = NOW,
    signer: SoftwareSigner = SIGNER,
) -> EvidenceFile:
    """The file of evidence that the log records as the confirmation of ``act``, with a key that it says was bound.

    ``bound_at`` is the index of that entry, ``at`` the time of both (Unix seconds), and ``signer`` the log's key.
    """
    log = LedgerMemory()
    openings = {
        bound_at: Record(bound, hashlib.sha256(KEY.cose_key).digest()),
        CONFIRMED_AT: Record(kind, hashlib.sha256(kept).digest(), reason=act),
    }
    salt = bytes(range(32))
    for index, record in sorted(openings.items()):
        log.append(index - log.state.size, at)
        log.add(Draft(EntryType.ADMINISTRATION, bytes([index]) * 16, commitment(salt, record)), at)
    log.append(5, at)
    tree = tree_of(log, signer=signer)
    receipts = {
        index: _receipt(tree, Opening(log.log[index], salt, record), signer) for index, record in openings.items()
    }
    action = canonical_json(ACTION.to_json())
    return EvidenceFile(kept, action, receipts[CONFIRMED_AT], receipts[bound_at])


def other_opening(receipt: bytes) -> bytes:
    """The receipt with a salt that does not open its entry."""
    proof = TlogProof.decode(receipt)
    opening = replace(Opening.decode(proof.extra or b""), salt=bytes(32))
    return replace(proof, extra=opening.encode()).encode()


def _receipt(tree: TreeInMemory, opening: Opening, signer: SoftwareSigner) -> bytes:
    note = tree.files[CHECKPOINT]
    index = Entry.decode(opening.entry).index
    checkpoint, _ = Policy.of_log([signer.verifier]).open(note)
    hashes = FileTree.load(tree, checkpoint).inclusion_proof(index)
    return TlogProof(index, tuple(hashes), note, opening.encode()).encode()
