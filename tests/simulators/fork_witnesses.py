"""Real witnesses in one process with the log that they witness: reachable or not, and with memories that fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from idverify.ledger import Checkpoint, Policy
from idverify.ledger.errors import RefusedError, UnreachableError
from idverify.ledger.policy import Group, Log, PolicyWitness
from idverify.ledger.witness import Cosigned, Witness
from idverify.ledger.witness_client import Witnesses
from idverify.ledger.witness_protocol import SIZE_TYPE
from tests.simulators.ledger_memory import NOW, Crash, SoftwareSigner
from tests.simulators.witness_memory import WitnessMemory, cosigners

WITNESSES: Final = 3
QUORUM: Final = 2
AS_LONG_AS_IT_TAKES: Final = 1000.0


class Reach(Enum):
    """How it stands between the log and one witness."""

    WELL = "requests come, and answers"
    CUT = "nothing comes"
    DEAF = "requests come, answers are lost"
    DISK_FAILS = "the witness cannot keep what it would sign"
    DISK_LIES = "it keeps it, and is told that it could not"


@dataclass
class Kept(WitnessMemory):
    """A witness's memory on a disk that may fail; `cosigned` is all that it ever kept."""

    reach: Reach = Reach.WELL
    cosigned: set[tuple[int, bytes]] = field(default_factory=set)

    async def advance(self, origin: str, previous: Cosigned | None, new: Cosigned) -> bool:
        if self.reach is Reach.DISK_FAILS:
            raise Crash("advance")
        kept = await super().advance(origin, previous, new)
        if kept:
            self.cosigned.add((new.size, new.root))
        if self.reach is Reach.DISK_LIES:
            raise Crash("advance")
        return kept


class Organisations:
    """Three witnesses, of which two make up the quorum; `WitnessTransport` to them."""

    def __init__(self) -> None:
        self.stores = [Kept() for _ in range(WITNESSES)]
        self._keys = [cosigners(f"w{number}.example") for number in range(WITNESSES)]
        log = SoftwareSigner().verifier
        self._witnesses = [
            Witness(store, [log], keys, lambda: NOW) for store, keys in zip(self.stores, self._keys, strict=True)
        ]
        members = tuple(
            PolicyWitness(f"w{number}", keys[0].verifier, f"https://w{number}.example")
            for number, keys in enumerate(self._keys)
        )
        group = Group("most", QUORUM, tuple(member.name for member in members))
        self.policy = Policy((Log(log),), members, (group,), "most")

    def client(self) -> Witnesses:
        """The log's side, as a process that just started has it."""
        return Witnesses(self.policy, self, budget=AS_LONG_AS_IT_TAKES)

    def seen_by_quorum(self, checkpoint: Checkpoint) -> bool:
        """Whether so many witnesses cosigned it as the policy asks for, whether or not the log ever heard of it."""
        return sum((checkpoint.size, checkpoint.root) in store.cosigned for store in self.stores) >= QUORUM

    async def add_checkpoint(self, url: str, body: bytes) -> tuple[int, str, bytes]:
        number = self._number(url)
        try:
            answer = 200, "text/plain", await self._witnesses[number].add_checkpoint(body)
        except RefusedError as refused:
            said = f"{refused.size}\n" if refused.status == 409 else f"{refused}\n"
            answer = refused.status, SIZE_TYPE if refused.status == 409 else "text/plain", said.encode()
        except Crash:
            raise UnreachableError(f"{url}: 500") from None
        if self.stores[number].reach is Reach.DEAF:
            raise UnreachableError(f"{url}: the connection was lost")
        return answer

    async def latest(self, url: str, hashed_origin: str) -> bytes | None:
        return await self._witnesses[self._number(url)].checkpoint(hashed_origin)

    def _number(self, url: str) -> int:
        number = int(url.removeprefix("https://w").partition(".")[0])
        if self.stores[number].reach is Reach.CUT:
            raise UnreachableError(f"{url}: no route")
        return number
