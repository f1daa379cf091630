"""A random audit for everybody to read, and the check that whoever reads it can make.

It names no person and no true type of an entry about one. What is about the service itself is opened: each such entry
comes as a receipt (``.tlog-proof``), which proves that it stands in the tree that drew it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from idverify.ledger.commitment import opens
from idverify.ledger.entry import Entry
from idverify.ledger.errors import LedgerError, ReceiptError
from idverify.ledger.policy import Policy
from idverify.ledger.proof import TlogProof
from idverify.ledger.receipt import Opening, verify_receipt
from idverify.ledger.sample import sample
from idverify.services.audit_sample import Drawn, Judged

_SEED: Final = re.compile(r"([0-9a-f]{64})?")
VERSION: Final = "idverify-audit-report/v2"


@dataclass(frozen=True, slots=True)
class Asked:
    """What whoever reads a report had asked for: which seed, how many entries; ``None`` where they had no say."""

    seed: bytes | None = None
    count: int | None = None


NOTHING_ASKED: Final = Asked()


def report(drawn: Drawn, judged: Sequence[Judged]) -> dict[str, Any]:
    """The report. Its entries stand in the order in which they were drawn."""
    return {
        "version": VERSION,
        "checkpoint": base64.b64encode(drawn.note).decode(),
        "seed": drawn.seed.hex(),
        "holds": all(one.holds for one in judged),
        "entries": [
            {
                "index": one.index,
                "type": one.type if one.about_ourselves else None,
                "opened": _opening(one.proof) is not None,
                "holds": one.holds,
                "checks": one.checks if one.about_ourselves else None,
            }
            for one in judged
        ],
    }


def proofs(judged: Sequence[Judged]) -> dict[str, bytes]:
    """The files that go with a report: the receipt of every entry that is opened, by name."""
    return {_name(one.index): one.proof for one in judged if _opening(one.proof) is not None}


def contradictions(
    said: Mapping[str, Any], files: Mapping[str, bytes], policy: Policy, asked: Asked = NOTHING_ASKED
) -> Iterator[str]:
    """What is wrong with a report, one sentence each: nothing, if root and seed drew the entries and they open so.

    Whether a seed was chosen once the tree was known, and how many were to be drawn, only ``asked`` can tell.

    Raises ``ReceiptError``: it is no report, or its checkpoint is not the log's.
    """
    try:
        assert said["version"] == VERSION
        note, entries = base64.b64decode(said["checkpoint"], validate=True), list(said["entries"])
        indices = [int(one["index"]) for one in entries]
        assert _SEED.fullmatch(said["seed"])
        seed = bytes.fromhex(said["seed"])
        holds = [bool(one["holds"]) for one in entries]
        checkpoint = policy.require(note)
    except (AssertionError, KeyError, TypeError, ValueError, LedgerError) as wrong:
        raise ReceiptError("format", f"expected a report {VERSION} under a checkpoint of the log: {wrong}") from wrong
    if not indices:
        yield "No entry was drawn."
    if asked.seed is not None and seed != asked.seed:
        yield "The entries were drawn with another seed than was asked for."
    if asked.count is not None and len(indices) != min(asked.count, checkpoint.size):
        yield "More or fewer entries were drawn than were asked for."
    if indices != sample(checkpoint.root, checkpoint.size, len(indices), seed):
        yield "The entries are not those that checkpoint and seed draw, in their order."
    if said.get("holds") is not all(holds):
        yield "Whether all of it holds does not follow from the entries."
    for one in entries:
        if one.get("opened"):
            yield from _opened(one, note, files.get(_name(int(one["index"]))), policy)


def _opened(one: Mapping[str, Any], note: bytes, proof: bytes | None, policy: Policy) -> Iterator[str]:
    name = _name(int(one["index"]))
    opening = None if proof is None else _opening(proof)
    if proof is None or opening is None:
        yield f"{name} is missing, or has no opening."
        return
    try:
        held = verify_receipt(proof, opening.record.object_digest, policy, record_type=str(one["type"]))
    except ReceiptError as wrong:
        yield f"{name} does not hold: {wrong}."
        return
    if held.entry.index != one["index"] or TlogProof.decode(proof).checkpoint_note != note:
        yield f"{name} is of another entry, or of another tree."


def _opening(proof: bytes) -> Opening | None:
    """What a proof opens, if it opens anything."""
    try:
        extra = TlogProof.decode(proof).extra
        opening = None if extra is None else Opening.decode(extra)
        entry = None if opening is None else Entry.decode(opening.entry)
    except LedgerError:
        return None
    return opening if opening and entry and opens(opening.salt, opening.record, entry.digest) else None


def _name(index: int) -> str:
    return f"{index}.tlog-proof"
