"""Auditing a published tree with nothing but the log's key: every file is read, every entry hashed, nothing believed.

In this order:

1. The checkpoint is signed by a key that we were given; the last one we verified is a prefix of it.
2. The partial tiles at the right edge lead to its root.
3. Bundle by bundle: the entries hash to their tile, the tile leads to the signed root through every tile above it, and
   the entries continue the chain.
4. Every full tile above is, byte for byte, what the entries make it.
5. All entries together lead to the signed root.

Besides, the checkpoint of the quorum is a prefix of the latest, and entry 0 commits to the identity in `log.json`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from idverify.ledger.audit import MAX_FINDINGS, RULES, Finding, Report
from idverify.ledger.audit_state import AuditState
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.description import LogDescription
from idverify.ledger.edge import TILE_WIDTH
from idverify.ledger.entry import Entry
from idverify.ledger.equivocation import Equivocation, contradiction, split_view
from idverify.ledger.errors import LedgerError, MalformedError, StorageError
from idverify.ledger.file_tree import FileTree, mended_tree
from idverify.ledger.files import LogFiles, read_entries, require_file
from idverify.ledger.merkle import EMPTY_ROOT, leaf_hash
from idverify.ledger.policy import Policy
from idverify.ledger.published import CHECKPOINT, DESCRIPTION, QUORUM
from idverify.ledger.tiles import Tile
from idverify.ledger.walk import Walk

TREE_RULES: Final[Mapping[str, str]] = {
    **RULES,
    "fork": "every checkpoint is a prefix of every larger one",
    "rollback": "the log never shows a checkpoint smaller than one it showed before",
}
"""Rule ids of findings in a published tree, and what holds where there is none."""


@dataclass(frozen=True, slots=True)
class TreeReport(Report):
    """What was found. `state` is to be kept for the next audit; None where no checkpoint was verified.

    `equivocation` proves a fork to anybody.
    """

    state: AuditState | None
    equivocation: Equivocation | None


def audit_tree(files: LogFiles, policy: Policy, known: AuditState | None = None) -> Iterator[AuditState | TreeReport]:
    """Audit a published tree; yields how far it is after each bundle, and last the report.

    With the state that an earlier audit left, at its end or on its way, only what that one did not examine is, after
    the tree it worked under was shown to be a prefix of this one. Memory does not grow with the log. An audit ends
    early with its `MAX_FINDINGS`th finding. Raises what `files` raises, and what `policy.open` raises for a `known`
    state of another log.
    """
    audit = _Audit(files, policy)
    yield from audit.steps(known)
    yield audit.report()


class _Audit:
    def __init__(self, files: LogFiles, policy: Policy) -> None:
        self._files = files
        self._policy = policy
        self._findings: tuple[Finding, ...] = ()
        self._equivocation: Equivocation | None = None
        self._note = b""
        self._signed = Checkpoint("none", 0, EMPTY_ROOT)
        self._tree: FileTree | None = None
        self._state: AuditState | None = None

    def steps(self, known: AuditState | None) -> Iterator[AuditState]:
        """The audit, up to the report."""
        self._state = known
        before = known and self._policy.open(known.note)[0]
        try:
            self._note = require_file(self._files, CHECKPOINT)
            self._signed, _ = self._policy.open(self._note)
        except LedgerError as error:
            self._find(None, "checkpoint", str(error))
            return
        try:
            self._tree = FileTree.load(self._files, self._signed)
        except StorageError:  # the walk will name the tile that is to blame
            self._tree = mended_tree(self._files, self._signed)
        walk = Walk(self._files, self._signed, self._tree, self._find)
        if known and before:
            self._findings = known.findings
            if not self._continues(known.note, before):
                return
            if known.entries <= before.size:
                walk.start_at(known.entries, known.time, closed=known.closed)
        self._examine_quorum()
        self._state = self._reached(walk)
        self._examine_identity()
        for _ in walk.bundles():
            if walk.link.index % TILE_WIDTH == 0:
                self._state = self._reached(walk)
            yield self._state
            if len(self._findings) == MAX_FINDINGS:
                return
        walk.examine_edge()

    def report(self) -> TreeReport:
        """What was found."""
        signed, state = self._signed, self._state
        if state and state.note == self._note:  # else it is as it was handed over: nothing was examined since
            state = replace(state, findings=self._findings)
        return TreeReport(signed.size, signed.root, signed.size, self._findings, state, self._equivocation)

    def _reached(self, walk: Walk) -> AuditState:
        link = walk.link
        return AuditState(self._note, self._signed.size, link.index, link.time, self._findings, link.closed)

    def _continues(self, note: bytes, before: Checkpoint) -> bool:
        """Whether the checkpoint may extend what was verified before; else it says why not."""
        signed = self._signed
        if before.origin != signed.origin:
            self._find(None, "checkpoint", f"expected the log {before.origin}, got {signed.origin}")
        elif signed.size < before.size:
            self._find(None, "rollback", f"expected at least the {before.size} entries signed for, got {signed.size}")
        else:
            return self._extends(note, before)
        return False

    def _examine_quorum(self) -> None:
        """The checkpoint that witnesses agreed to, where the policy asks for them, is a prefix of the latest."""
        note = self._files.read(QUORUM)
        if note is None:
            if self._policy.quorum is not None and self._signed.size:
                detail = f"{QUORUM} is missing: nothing shows that the quorum {self._policy.quorum} saw this log"
                self._find(None, "checkpoint", detail)
            return
        try:
            quorum = self._policy.require(note)
        except LedgerError as error:
            self._find(None, "checkpoint", f"{QUORUM}: {error}")
            return
        if quorum.origin != self._signed.origin:
            self._find(None, "checkpoint", f"{QUORUM}: expected the log {self._signed.origin}, got {quorum.origin}")
        elif quorum.size > self._signed.size:
            self._find(None, "rollback", f"{QUORUM} has {quorum.size} entries, {CHECKPOINT} has {self._signed.size}")
        else:
            self._extends(note, quorum)

    def _first_entry(self) -> bytes:
        """Entry 0, led to the signed root; empty where that fails, which the walk will name."""
        try:
            entries = read_entries(self._files, Tile(0, 0, min(TILE_WIDTH, self._signed.size))) or [b""]
            authentic = self._tree is not None and self._tree.node(0, 0) == leaf_hash(entries[0])
        except StorageError:
            authentic = False
        return entries[0] if authentic else b""

    def _examine_identity(self) -> None:
        """Entry 0 commits to the identity in the description, if there is one: read at every look, as it may be new."""
        data = self._files.read(DESCRIPTION)
        if data is None or not self._signed.size:
            return
        try:
            identity, digest = LogDescription.decode(data).identity, Entry.decode(self._first_entry()).digest
        except MalformedError as error:
            self._find(None, "identity", str(error))
            return
        if identity.origin != self._signed.origin:
            self._find(None, "identity", f"{DESCRIPTION}: expected {self._signed.origin}, got {identity.origin}")
        elif identity.digest() != digest:
            self._find(0, "identity", f"expected the digest {identity.digest().hex()}, got {digest.hex()}")

    def _extends(self, note: bytes, before: Checkpoint) -> bool:
        """False if the checkpoint contradicts an earlier one, which is then proven."""
        try:
            if before.size == self._signed.size:
                self._equivocation = split_view(note, self._note, self._policy)
            elif self._tree:
                self._equivocation = contradiction((note, before), self._tree, self._note)
        except StorageError as error:
            self._find(None, "tile", f"nothing shows that size {before.size} is a prefix: {error}")
        if self._equivocation:
            detail = f"the tree of size {self._signed.size} does not extend that of size {before.size}"
            self._find(None, "fork", detail)
        return self._equivocation is None

    def _find(self, index: int | None, rule: str, detail: str) -> None:
        finding = Finding(index, rule, detail)
        if len(self._findings) < MAX_FINDINGS and finding not in self._findings:
            self._findings += (finding,)
