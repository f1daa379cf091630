"""Auditing shards that follow each other: each one for itself, and what one says of the one before.

A log that was halted may have been lost in part: then its successor names a checkpoint that nobody can reach any more
from what is kept, and only whoever has that checkpoint can hold it against the successor. A log that was closed is
whole, so all of it must fit.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from idverify.ledger.audit import Finding, LogSource, Progress, Report, fsck
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.entry import Entry, EntryType
from idverify.ledger.errors import MalformedError
from idverify.ledger.identity import LogIdentity
from idverify.ledger.note import NoteVerifier, split_note
from idverify.ledger.succession import are_siblings, closing_digest, shard_of

SUCCESSION: Final = "succession"
"""The rule of every finding of this module: a shard follows the one before as it says."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A log as it is kept; `halted` if nothing was added to it any more for fear of a fork."""

    identity: LogIdentity
    halted: bool
    source: LogSource


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What the audit found in one shard."""

    origin: str
    report: Report


def fsck_shards(
    shards: Sequence[Shard], verifiers: Callable[[str], Sequence[NoteVerifier]]
) -> Iterator[Progress | tuple[ShardReport, ...]]:
    """Audit `shards`, oldest first, with the keys of each origin; yields `Progress`, and last every report.

    The first key, or another of its kind, has signed every checkpoint; further ones those since they came into use.
    """
    reports: list[ShardReport] = []
    ends: dict[str, bytes | None] = {}
    for number, shard in enumerate(shards):
        watched = _Watched(shard.source)
        origin = shard.identity.origin
        key, *further = verifiers(origin)
        for step in fsck(watched, key, origin, identity=shard.identity, further=further):
            if isinstance(step, Progress):
                yield step
                continue
            ends[origin] = watched.last
            found = tuple(_following(shard, shards[:number], reports, ends))
            reports.append(ShardReport(origin, replace(step, findings=step.findings + found)))
    yield tuple(reports)


class _Watched:
    """A source whose last entry is remembered while it is read."""

    def __init__(self, source: LogSource) -> None:
        self._source = source
        self.checkpoints, self.full_tiles = source.checkpoints, source.full_tiles
        self.last: bytes | None = None

    def bundles(self) -> Iterator[tuple[int, bytes, list[bytes]]]:
        for first, stored, entries in self._source.bundles():
            self.last = entries[-1] if entries else self.last
            yield first, stored, entries


def _following(
    shard: Shard, before: Sequence[Shard], reports: Sequence[ShardReport], ends: dict[str, bytes | None]
) -> Iterator[Finding]:
    """What does not fit between a shard and the one that it names."""
    origin, previous = shard.identity.origin, shard.identity.previous
    if previous is None:
        if before or shard_of(origin) != 1:
            yield Finding(0, SUCCESSION, "expected the log to name the last known checkpoint of the one before")
        return
    if not _is_earlier(previous.origin, origin):
        yield Finding(0, SUCCESSION, f"expected an earlier log of this deployment to be named, got {previous.origin}")
        return
    named = next((old for old in before if old.identity.origin == previous.origin), None)
    if named is None:  # lost altogether: nothing is here to hold it against
        return
    report = next(one.report for one in reports if one.origin == previous.origin)
    if not named.halted:
        yield from _closed(shard, report, ends[previous.origin])
    if previous.size < report.signed_size:
        yield Finding(0, SUCCESSION, f"the log before was signed up to {report.signed_size}, named is {previous.size}")
    if any(root != previous.root for root in _roots(named.source, report, previous.size)):
        yield Finding(0, SUCCESSION, f"another root was signed for size {previous.size} of the log before")


def _is_earlier(named: str, origin: str) -> bool:
    try:
        return are_siblings(named, origin) and shard_of(named) < shard_of(origin)
    except MalformedError:
        return False


def _closed(shard: Shard, report: Report, last: bytes | None) -> Iterator[Finding]:
    previous = shard.identity.previous
    assert previous is not None
    if (report.size, report.root) != (previous.size, previous.root):
        yield Finding(0, SUCCESSION, f"the log before was closed with {report.size} entries, named is another tree")
    try:
        entry = None if last is None else Entry.decode(last)
    except MalformedError:
        return  # named as such with the other entries
    closing = EntryType.SHARD_CLOSE, closing_digest(shard.identity.origin)
    if entry is None or (entry.type, entry.digest) != closing:
        yield Finding(0, SUCCESSION, f"expected the last entry of {previous.origin} to close it and to name this log")


def _roots(source: LogSource, report: Report, size: int) -> Iterator[bytes]:
    """Every root that is known for a size of a log."""
    if size == report.size:
        yield report.root
    for note in source.checkpoints():
        try:
            checkpoint = Checkpoint.parse(split_note(note)[0])
        except MalformedError:  # named as such with the other checkpoints
            continue
        if checkpoint.size == size:
            yield checkpoint.root
