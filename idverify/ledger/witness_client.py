"""The log's side of witnessing: cosignatures within a time budget, and what witnesses saw of us last.

Every witness of the policy that has an address is asked at once. Whatever one of them does, answers rubbish, lies,
hangs or asks for more, costs the others nothing and the log no more than the budget; `outcomes` tells it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.cosignature import timestamp
from idverify.ledger.errors import LedgerError, MalformedError, SignatureError, UnreachableError
from idverify.ledger.note import NoteSignature, NoteVerifier, open_note, parse_signatures, split_note
from idverify.ledger.policy import Policy
from idverify.ledger.witness_protocol import SIZE_TYPE, AddCheckpoint, origin_hash, read_size

BUDGET_SECONDS: Final = 1.0

Prove = Callable[[int], Awaitable[list[bytes]]]
"""The consistency proof from a smaller size to that of the checkpoint at hand. What it raises is raised to the caller:
it is the log that is at fault then, and no witness."""


class WitnessTransport(Protocol):
    """The way to witnesses. It follows no redirect, reads no more than it must, and asks no other address.

    Both methods raise `UnreachableError` for whatever keeps an answer from coming.
    """

    async def add_checkpoint(self, url: str, body: bytes) -> tuple[int, str, bytes]:
        """POST `body` to `add-checkpoint` below the prefix `url`: status, media type without parameters, body."""

    async def latest(self, url: str, hashed_origin: str) -> bytes | None:
        """GET the checkpoint that the witness below `url` cosigned last of this log; None if there is none (404)."""


class Standing(StrEnum):
    """Where a witness stands to a checkpoint of ours."""

    AGREES = "agrees"
    """It cosigned: the tree extends all that it ever saw."""
    BEHIND = "behind"
    """It saw a smaller tree last, and nobody gave a proof to it."""
    AHEAD = "ahead"
    """It saw a larger tree of ours than this one."""
    OTHER_ROOT = "other root"
    """It saw a tree of ours that this one does not extend."""
    UNKNOWN_LOG = "unknown log"
    """It does not know this log."""
    REFUSED = "refused"
    """It answered, and not as a witness of this policy should."""
    UNREACHABLE = "unreachable"
    """It did not answer, or too late."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one witness answered. `names` are its names in the policy, `size` the tree it saw last, if it said so.

    `note` is what it cosigned instead, with `AHEAD` and `OTHER_ROOT`: a checkpoint by a key of the log and by that
    witness. Where it is None, they are the witness's word alone. `signatures` are its cosignatures, verified.
    """

    url: str
    names: tuple[str, ...]
    standing: Standing
    detail: str = ""
    size: int | None = None
    note: bytes | None = None
    signatures: tuple[NoteSignature, ...] = ()


@dataclass(frozen=True, slots=True)
class _Site:
    """A witness's address, and all its keys in the policy: one request is answered by all of them."""

    url: str
    names: tuple[str, ...]
    verifiers: tuple[NoteVerifier, ...]

    def told(self, standing: Standing, detail: str = "", **known: Any) -> Comparison:
        return Comparison(self.url, self.names, standing, detail, **known)


Ask = Callable[[_Site], Coroutine[Any, Any, Comparison]]


class Witnesses:
    """The witnesses of a policy. At most one coroutine calls `cosign` or `compare` at a time."""

    def __init__(self, policy: Policy, transport: WitnessTransport, *, budget: float = BUDGET_SECONDS) -> None:
        """Nobody is asked yet. `budget` is in seconds, for all witnesses and all they ask in return.

        Raises `MalformedError`: an address of the policy is not one of a submission prefix.
        """
        self.policy = policy
        self._log_keys = [log.verifier for log in policy.logs]
        self._sites = _sites(policy)
        self._transport = transport
        self._budget = budget
        self._acknowledged: dict[str, int] = {}
        self._known: dict[str, Comparison] = {}
        self.outcomes: tuple[Comparison, ...] = ()
        """What each witness answered the last time."""

    async def cosign(self, note: bytes, prove: Prove) -> list[NoteSignature]:
        """Ask for cosignatures on a signed checkpoint; those that came in time and verify.

        A witness that saw another size than we remember is asked once more with a proof from there.
        """
        self.outcomes = await self._ask_all(lambda site: self._exchange(site, note, prove))
        return [signature for outcome in self.outcomes for signature in outcome.signatures]

    async def compare(self, note: bytes | None, prove: Prove | None = None) -> list[Comparison]:
        """Ask every witness what it saw last of the log whose newest signed checkpoint is `note` (None: it has none).

        A log must not sign anything as long as one of them is `AHEAD` or has an `OTHER_ROOT`: it would fork. Without
        `prove`, a witness that saw a smaller tree is `BEHIND`, and nobody knows whether ours extends that one.
        """
        if note is None:
            self.outcomes = await self._ask_all(self._ask_for_any)
        else:
            self.outcomes = await self._ask_all(lambda site: self._exchange(site, note, prove))
        return list(self.outcomes)

    async def _ask_all(self, ask: Ask) -> tuple[Comparison, ...]:
        tasks = [asyncio.create_task(self._guarded(ask, site)) for site in self._sites]
        self._known.clear()
        if not tasks:
            return ()
        try:
            await asyncio.wait(tasks, timeout=self._budget)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return tuple(
            self._late(site) if task.cancelled() else task.result()
            for site, task in zip(self._sites, tasks, strict=True)
        )

    def _late(self, site: _Site) -> Comparison:
        return self._known.get(site.url) or site.told(Standing.UNREACHABLE, f"no answer within {self._budget:g} s")

    async def _guarded(self, ask: Ask, site: _Site) -> Comparison:
        try:
            return await ask(site)
        except UnreachableError as error:
            return site.told(Standing.UNREACHABLE, str(error))

    async def _exchange(self, site: _Site, note: bytes, prove: Prove | None) -> Comparison:
        text, _ = split_note(note)
        checkpoint = Checkpoint.parse(text)
        old = min(self._acknowledged.get(site.url, 0), checkpoint.size)
        for _ in range(2):
            proof = await prove(old) if prove and 0 < old < checkpoint.size else []
            status, media, body = await self._transport.add_checkpoint(
                site.url, AddCheckpoint(old, tuple(proof), note).encode()
            )
            if status != 409:
                return await self._judge(site, checkpoint, status, body)
            try:
                seen = _read_seen(media, body)
            except MalformedError as error:
                return site.told(Standing.REFUSED, str(error))
            if seen > checkpoint.size:
                return await self._with_note(site, checkpoint, Standing.AHEAD, f"it saw size {seen}", seen)
            if prove is None and 0 < seen < checkpoint.size:
                return site.told(Standing.BEHIND, size=seen)
            old = seen
        return site.told(Standing.REFUSED, f"it answered 409 again, with size {old}", size=old)

    async def _judge(self, site: _Site, checkpoint: Checkpoint, status: int, body: bytes) -> Comparison:
        if status == 404:
            return site.told(Standing.UNKNOWN_LOG, _said(body))
        if status == 422:
            return await self._with_note(site, checkpoint, Standing.OTHER_ROOT, _said(body), None)
        if status != 200:
            return site.told(Standing.REFUSED, f"{status}: {_said(body)}")
        try:
            signatures = _cosignatures(site, checkpoint.text(), parse_signatures(body))
        except (MalformedError, SignatureError) as error:
            return site.told(Standing.REFUSED, str(error))
        self._acknowledged[site.url] = checkpoint.size
        return site.told(Standing.AGREES, size=checkpoint.size, signatures=signatures)

    async def _with_note(
        self, site: _Site, checkpoint: Checkpoint, standing: Standing, detail: str, size: int | None
    ) -> Comparison:
        """Ask for what the witness cosigned instead, to show it to others. Its not coming, or late, changes nothing."""
        self._acknowledged.pop(site.url, None)
        told = self._known[site.url] = site.told(standing, detail, size=size)
        try:
            shown = await self._shown(site, checkpoint.origin)
        except LedgerError:
            return told
        if shown is None or shown[1] == checkpoint or (standing is Standing.AHEAD and shown[1].size < checkpoint.size):
            return told  # what monitors are shown may be up to an hour old
        note, seen = shown
        return site.told(standing, detail, size=seen.size, note=note)

    async def _ask_for_any(self, site: _Site) -> Comparison:
        """A log that never signed asks each witness whether it has seen something under its name all the same."""
        for origin in {key.name for key in self._log_keys}:
            try:
                shown = await self._shown(site, origin)
            except (MalformedError, SignatureError) as error:
                return site.told(Standing.REFUSED, str(error))
            if shown is not None and shown[1].size:
                note, seen = shown
                return site.told(Standing.AHEAD, f"it saw size {seen.size}", size=seen.size, note=note)
        return site.told(Standing.AGREES, size=0)

    async def _shown(self, site: _Site, origin: str) -> tuple[bytes, Checkpoint] | None:
        """What a witness shows monitors of a log. Here one signature of the log will do: it accuses the log."""
        note = await self._transport.latest(site.url, origin_hash(origin))
        if note is None:
            return None
        opened = open_note(note, [*self._log_keys, *site.verifiers])
        checkpoint = Checkpoint.parse(opened.text)
        ours = {(key.name, key.key_id) for key in self._log_keys if key.name == origin}
        if checkpoint.origin != origin or not any((line.name, line.key_id) in ours for line in opened.verified):
            raise SignatureError(f"expected a checkpoint by {origin}, got one of {checkpoint.origin} without it")
        _cosignatures(site, opened.text, opened.verified)
        return note, checkpoint


def _sites(policy: Policy) -> list[_Site]:
    reachable = [witness for witness in policy.witnesses if witness.url is not None]
    urls = dict.fromkeys(_prefix(witness.url or "") for witness in reachable)
    members = {url: [witness for witness in reachable if _prefix(witness.url or "") == url] for url in urls}
    return [
        _Site(url, tuple(one.name for one in witnesses), tuple(one.verifier for one in witnesses))
        for url, witnesses in members.items()
    ]


def _prefix(url: str) -> str:
    """The submission prefix as it is asked: `http` or `https`, a host, perhaps a path, and nothing else."""
    try:
        parts = urlsplit(url)
        odd = parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0 or parts.username
    except ValueError as error:
        raise MalformedError(f"witness address: expected https://host/path, got {url[:80]!r}") from error
    if odd or not url.isascii() or set(url) & set("?#@\\%") or ".." in parts.path:
        raise MalformedError(f"witness address: expected https://host/path and nothing else, got {url[:80]!r}")
    return url.rstrip("/")


def _read_seen(media: str, body: bytes) -> int:
    if media != SIZE_TYPE:
        raise MalformedError(f"409: expected {SIZE_TYPE}, got {media[:40]!r}")
    return read_size(body)


def _cosignatures(site: _Site, text: bytes, lines: Sequence[NoteSignature]) -> tuple[NoteSignature, ...]:
    """The lines by this witness's keys, each key once, all verified.

    Raises `SignatureError`: there is none, one is wrong, or one does not say when.
    """
    known = {(verifier.name, verifier.key_id): verifier for verifier in site.verifiers}
    found: dict[tuple[str, bytes], NoteSignature] = {}
    for line in lines:
        key = (line.name, line.key_id)
        if verifier := known.get(key):
            if not verifier.verify(text, line.signature) or not timestamp(line.signature):
                raise SignatureError(f"cosignature by {line.name} ({line.key_id.hex()}) does not verify")
            found.setdefault(key, line)
    if not found:
        raise SignatureError(f"expected a cosignature by {' or '.join(site.names)}, got none")
    return tuple(found.values())


def _said(body: bytes) -> str:
    """The first line of what a witness says for people, without what would steer a terminal or turn text around."""
    line = body[:200].decode("utf-8", "replace").partition("\n")[0]
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
