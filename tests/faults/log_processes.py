"""Processes of `log_driver`, killed and followed; and what must be true of the database that they leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from idverify.ledger import Checkpoint
from idverify.ledger.audit import Report, fsck
from idverify.stores.open import open_log
from idverify.stores.writes import WriteSet
from tests.faults.log_driver import Job
from tests.simulators.ledger_memory import ORIGIN, SoftwareSigner
from tests.simulators.log_history import tree_hash
from tests.simulators.service import ROOT
from tests.unit.stores.conftest import Database
from tests.unit.stores.rows import entry

PATIENCE = 30.0


@dataclass
class Facts:
    """What processes told before they ended."""

    acknowledged: dict[int, int] = field(default_factory=dict)
    signed: set[Checkpoint] = field(default_factory=set)
    stopped: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    fenced: int = 0

    def read(self, path: Path) -> None:
        """Take in one process's lines."""
        if not path.exists():
            return
        for line in path.read_text().splitlines():
            match line.split(" "):
                case ["ack", key, index]:
                    known = self.acknowledged.setdefault(int(key), int(index))
                    assert known == int(index), f"key {key}: acknowledged at {known}, now at {index}"
                case ["signed" | "shown", size, root]:
                    self.signed.add(Checkpoint(ORIGIN, int(size), bytes.fromhex(root)))
                case ["stopped", *why]:
                    self.stopped.append(" ".join(why))
                case ["refused", *why]:
                    self.refused.append(" ".join(why))
                case ["fenced", *_]:
                    self.fenced += 1


class Forks:
    """The program that forks; `begin` a job, and `end` it or `wait` for its end."""

    def __init__(self, pipes: subprocess.Popen[str]) -> None:
        self._pipes = pipes
        self._running: set[int] = set()

    def begin(self, job: Job) -> int:
        """The number of the process that does the job."""
        pid = self._ask(asdict(job))
        self._running.add(pid)
        return pid

    def kill(self, pid: int) -> int:
        """SIGKILL; how the process ended."""
        os.kill(pid, signal.SIGKILL)
        return self.wait(pid)

    def wait(self, pid: int) -> int:
        """How a process ended, negative if by a signal."""
        self._running.discard(pid)
        return self._ask(pid)

    def end(self) -> None:
        """Nothing is left running."""
        for pid in list(self._running):
            self.kill(pid)

    def _ask(self, question: object) -> int:
        assert self._pipes.stdin is not None
        assert self._pipes.stdout is not None
        self._pipes.stdin.write(json.dumps(question) + "\n")
        self._pipes.stdin.flush()
        return int(self._pipes.stdout.readline())


@contextmanager
def forking() -> Iterator[Forks]:
    """The program, started once."""
    command = [sys.executable, "-m", "tests.faults.log_driver"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        forks = Forks(process)
        try:
            yield forks
        finally:
            forks.end()
            assert process.stdin is not None
            process.stdin.close()
            process.wait(PATIENCE)


@dataclass
class Kept:
    """A database, its guard, and everything that was ever told of them."""

    folder: Path
    facts: Facts = field(default_factory=Facts)
    files: int = 0
    _seen: list[bytes] = field(default_factory=list)
    _proven: set[Checkpoint] = field(default_factory=set)

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.folder / "idverify.sqlite"

    @property
    def guard(self) -> Path:
        """The guard's file."""
        return self.folder / "not-in-backups" / "last-checkpoint"

    def job(self, **others: object) -> Job:
        """A job on them, whose lines nobody else writes to."""
        self.files += 1
        tells = self.folder / f"told {self.files}"
        return replace(Job(str(self.database), str(self.guard), str(tells)), **others)  # type: ignore[arg-type]

    def next_key(self) -> int:
        """A key that no process ever used, unless it was never heard of."""
        return max(self.facts.acknowledged, default=0) + 1

    def learn(self, job: Job) -> None:
        """What a process that ended had told."""
        self.facts.read(Path(job.tells))

    async def require_whole(self) -> None:
        """No fork, and nothing lost: the audit is clean, and every fact that was told is true."""
        leaves = self.leaves()
        report = self.audit()
        assert report.findings == ()
        assert leaves[: len(self._seen)] == self._seen
        self._seen = leaves
        for signed in self.facts.signed - self._proven:
            assert len(leaves) >= signed.size
            assert tree_hash(leaves[: signed.size]) == signed.root, f"size {signed.size}"
            self._proven.add(signed)
        largest = max((signed.size for signed in self.facts.signed), default=0)
        if largest:
            remembered = Checkpoint.parse(self.guard.read_bytes())
            assert largest <= remembered.size <= len(leaves)
            assert tree_hash(leaves[: remembered.size]) == remembered.root
        await self._require_acknowledged(len(leaves))

    def leaves(self) -> list[bytes]:
        """The leaf hashes of every entry."""
        with closing(open_log(self.database)) as source:
            bundles = [hashes for _, hashes, _ in source.bundles()]
        return [hashes[at : at + 32] for hashes in bundles for at in range(0, len(hashes), 32)]

    def audit(self) -> Report:
        """Every byte hashed again, and every row held against its entry."""
        with closing(open_log(self.database)) as source:
            *_, report = fsck(source, SoftwareSigner().verifier, ORIGIN)
            assert list(source.record_findings()) == []
        assert isinstance(report, Report)
        return report

    async def _require_acknowledged(self, size: int) -> None:
        """A repeat with the same key gets the same index and adds nothing."""
        told = list(self.facts.acknowledged.items())
        async with Database(self.database).open() as store:
            for some in (told[at : at + 256] for at in range(0, len(told), 256)):
                again = WriteSet((), tuple(entry(key, b"key %d" % key) for key, _ in some))
                assert await store.commit(again) == tuple(index for _, index in some)
        assert len(self.leaves()) == size


def told(job: Job, word: str, more: int) -> None:
    """Wait until a process told so many more facts of a kind."""
    first_told({"": job}, word, more)


def first_told(jobs: Mapping[str, Job], word: str, more: int) -> str:
    """The name of the process that first tells so many more facts of a kind: which one has the lease is open."""
    end = time.monotonic() + PATIENCE
    wanted = {name: _count(job, word) + more for name, job in jobs.items()}
    while True:
        for name, job in jobs.items():
            if _count(job, word) >= wanted[name]:
                return name
        assert time.monotonic() < end, f"{word} was not told {wanted} times in {PATIENCE} s"
        time.sleep(0.002)


def _count(job: Job, word: str) -> int:
    path = Path(job.tells)
    return path.read_text().count(f"{word} ") if path.exists() else 0
