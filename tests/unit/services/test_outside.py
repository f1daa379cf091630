"""What witnesses are asked for where the database may be an older one."""

from __future__ import annotations

from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.cosignature import COSIGNATURE_V1
from idverify.ledger.cosigner import Cosigner
from idverify.ledger.errors import UnreachableError
from idverify.ledger.note import vkey
from idverify.ledger.witness_protocol import origin_hash
from idverify.services.log_policy import LogPolicy, log_policy
from idverify.services.outside import WitnessesOutside
from tests.simulators.ledger_memory import NOW, SoftwareSigner

ORIGIN, URL = "id.example/log/2", "https://witness.example"
COSIGNER = Cosigner.from_seed(COSIGNATURE_V1, "witness.example", b"w" * 32)
SEEN = Checkpoint(ORIGIN, 7, b"s" * 32)


def policy(origin: str) -> LogPolicy:
    """A log's key, and one witness."""
    lines = f"witness w {vkey(COSIGNER.verifier)} {URL}\nquorum w\n"
    return log_policy(f"https://id.example/log/{origin[-1]}", [SoftwareSigner(name=origin).verifier], lines)


class Transport:
    """A witness that shows what it has seen, or is out of reach."""

    def __init__(self, notes: dict[str, bytes], *, away: bool = False) -> None:
        self.notes, self.away = notes, away

    async def add_checkpoint(self, url: str, body: bytes) -> tuple[int, str, bytes]:
        raise AssertionError(f"nothing is to be cosigned: {url}, {body!r}")

    async def latest(self, url: str, hashed_origin: str) -> bytes | None:
        if self.away:
            raise UnreachableError(url)
        return self.notes.get(hashed_origin)


def shown() -> dict[str, bytes]:
    """The note of `SEEN`, by the log and by the witness."""
    note = SoftwareSigner(name=ORIGIN).note(SEEN)
    return {origin_hash(ORIGIN): note + COSIGNER.cosign(SEEN.text(), NOW).line().encode()}


async def test_what_a_witness_has_seen_is_known() -> None:
    """Of the log that is asked about, and of no other."""
    outside = WitnessesOutside(policy, Transport(shown()))

    assert await outside.known(ORIGIN) == [SEEN]
    assert await outside.known("id.example/log/3") == []


async def test_who_cannot_be_reached_or_believed_knows_nothing() -> None:
    """Neither silence nor a note that the log never signed names a checkpoint."""
    forged = SoftwareSigner(name=ORIGIN, seed=b"f" * 32).note(SEEN)
    notes = {origin_hash(ORIGIN): forged + COSIGNER.cosign(SEEN.text(), NOW).line().encode()}

    assert await WitnessesOutside(policy, Transport(shown(), away=True)).known(ORIGIN) == []
    assert await WitnessesOutside(policy, Transport(notes)).known(ORIGIN) == []
