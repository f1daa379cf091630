"""A witness: cosigns a checkpoint only if its tree extends every tree of that log it ever cosigned.

Each step of `add_checkpoint` is one sentence of c2sp.org/tlog-witness, and the first that fails says which answer
is due:

| status | when |
|---|---|
| 400 | the request is not well formed, or the old size is larger than the checkpoint's |
| 404 | no log of this origin is known |
| 403 | the log did not sign with the keys we know, or a signature by one of them is wrong |
| 409 | the old size is not that of the checkpoint cosigned last; the answer says which one is |
| 422 | size 0 without the empty tree's root, or the proof does not lead from the tree cosigned last to this one |
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from idverify.ledger.checkpoint import Checkpoint, require_log
from idverify.ledger.cosigner import Cosigner
from idverify.ledger.errors import LedgerError, MalformedError, ProofError, RefusedError, SignatureError
from idverify.ledger.lines import parse_head
from idverify.ledger.merkle import EMPTY_ROOT, verify_consistency
from idverify.ledger.note import Note, NoteVerifier, open_note, split_note, write_note
from idverify.ledger.policy import LOG_TYPES
from idverify.ledger.witness_protocol import AddCheckpoint, origin_hash


@dataclass(frozen=True, slots=True)
class Cosigned:
    """What a witness cosigned last of a log: the tree, the unix time it said, and the whole note."""

    size: int
    root: bytes
    time: int
    note: bytes


class WitnessStore(Protocol):
    """Memory of what was cosigned, one record a log.

    - **Atomic.** `advance` compares and writes in one step, also between processes.
    - **Durable before done.** It returns True only when the new record survives loss of power. If it raises, the
      record may or may not have changed: nothing may be cosigned on the old one.
    """

    async def latest(self, origin: str) -> Cosigned | None:
        """What was cosigned last, None before the first time."""

    async def advance(self, origin: str, previous: Cosigned | None, new: Cosigned) -> bool:
        """Replace `previous` by `new` if size and root of the record are those of `previous`; else return False."""


class Witness:
    """Cosigns for the `logs` it knows, with all its keys at once."""

    def __init__(
        self,
        store: WitnessStore,
        logs: Sequence[NoteVerifier],
        cosigners: Sequence[Cosigner],
        clock: Callable[[], int],
    ) -> None:
        """`logs` are the keys of logs, by their origins as names; `clock` gives unix seconds.

        Raises `MalformedError`: a key is there twice for one log, is one of ours, or cannot be a log's, or we
        cannot cosign for a log of this name.
        """
        for log in logs:
            if log.signature_type not in LOG_TYPES:
                raise MalformedError(f"log {log.name}: a key of type {log.signature_type:02x} signs no checkpoint")
            for cosigner in cosigners:
                cosigner.verifier.message(Checkpoint(log.name, 0, EMPTY_ROOT).text(), 1)
        # One key may sign several logs, such as the shards of one ledger: every type of signature covers the origin.
        signing = {(log.name, log.public_key) for log in logs}
        own = {cosigner.verifier.public_key for cosigner in cosigners}
        if not cosigners or (len(signing), len(own)) != (len(logs), len(cosigners)):
            raise MalformedError("witness: expected a key to cosign with, and each key once for each log")
        if own & {log.public_key for log in logs}:
            raise MalformedError("witness: expected keys to cosign with that sign no log")
        self._store = store
        self._logs = {origin: [log for log in logs if log.name == origin] for origin in {log.name for log in logs}}
        self._origins = {origin_hash(origin): origin for origin in self._logs}
        self._cosigners = cosigners
        self._clock = clock

    async def add_checkpoint(self, body: bytes) -> bytes:
        """Answer the request `body`: the signature lines of the witness, once what they say is kept for good.

        Raises `RefusedError`: it does not cosign; `status` is the answer's.
        Raises whatever the store raises: nobody may be told anything.
        """
        request, opened, (origin, size, root) = self._read(body)
        if request.old_size > size:
            raise RefusedError(400, f"expected an old size of at most {size}, got {request.old_size}")
        while True:
            latest = await self._store.latest(origin)
            seen = 0 if latest is None else latest.size
            if request.old_size != seen:
                raise RefusedError(409, f"expected the old size {seen}, got {request.old_size}", size=seen)
            _require_extension(request, latest, size, root)
            # Time never runs backwards, so that no two cosignatures disagree on which tree was the largest when.
            time = max(self._clock(), 0 if latest is None else latest.time)
            lines = [cosigner.cosign(opened.text, time) for cosigner in self._cosigners]
            new = Cosigned(size, root, time, write_note(opened.text, [*opened.verified, *lines]))
            if await self._store.advance(origin, latest, new):
                return "".join(line.line() for line in lines).encode()
            # Another request was faster: what it left behind decides.

    async def checkpoint(self, hashed_origin: str) -> bytes | None:
        """The checkpoint cosigned last of the log whose origin has this hash, None if there is none."""
        origin = self._origins.get(hashed_origin)
        latest = None if origin is None else await self._store.latest(origin)
        return None if latest is None else latest.note

    def _read(self, body: bytes) -> tuple[AddCheckpoint, Note, tuple[str, int, bytes]]:
        try:
            request = AddCheckpoint.parse(body)
            text, _ = split_note(request.note)
            head = parse_head(text)
        except MalformedError as error:
            raise RefusedError(400, str(error)) from error
        if head[0] not in self._logs:
            raise RefusedError(404, f"the log {head[0][:80]!r} is not known here")
        keys = self._logs[head[0]]
        try:
            opened = open_note(request.note, keys)
            require_log(opened, head[0], keys)
        except SignatureError as error:
            raise RefusedError(403, str(error)) from error
        return request, opened, head


def _require_extension(request: AddCheckpoint, latest: Cosigned | None, size: int, root: bytes) -> None:
    """The signed tree of `size` with `root` extends the one that was cosigned last."""
    if size == 0 and root != EMPTY_ROOT:
        raise RefusedError(422, "size 0 has the root SHA-256 of nothing, got another")
    if latest is not None and size == latest.size and root != latest.root:
        # Two trees of one size under one log's signature: whoever holds both notes can show it to everybody.
        detail = f"two roots for size {size}: cosigned was {latest.root.hex()}, got {root.hex()}"
        raise RefusedError(422, detail, evidence=(latest.note, request.note))
    try:
        if request.old_size == 0 and request.proof:
            raise ProofError("expected no proof from the empty tree")
        if latest is not None and latest.size:
            verify_consistency(latest.size, size, latest.root, root, request.proof)
    except LedgerError as error:
        raise RefusedError(422, str(error)) from error
