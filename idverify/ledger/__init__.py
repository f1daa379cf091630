"""A log anyone can audit with nothing but its public key.

Entries are chained by hash and are the leaves of an RFC 6962 Merkle tree; the tree is kept as C2SP tiles, its
head is signed as a C2SP checkpoint, and a holder takes away a receipt that proves their entry without asking
anyone. The package stands alone: standard library, `cryptography`, `cbor2`. It does no I/O; a database
implements `LedgerStorage`.

>>> state, entry, leaf = sequence(genesis("log.example/1"), Draft(EntryType.LOG_START, bytes(16), bytes(32)), now=60)
>>> Entry.decode(entry).index, state.size, state.root() == leaf
(0, 1, True)
"""

from idverify.ledger.audit import Finding, LogSource, Progress, Report, fsck
from idverify.ledger.audit_state import AuditState
from idverify.ledger.checkpoint import Checkpoint, open_checkpoint
from idverify.ledger.commitment import Record, commitment
from idverify.ledger.cosignature import CosignatureV1Verifier, MlDsa44Verifier, timestamp
from idverify.ledger.cosigner import Cosigner
from idverify.ledger.ecdsa import EcdsaVerifier
from idverify.ledger.entry import Draft, Entry, EntryType
from idverify.ledger.equivocation import Equivocation
from idverify.ledger.erasure import Erased, Trace, search
from idverify.ledger.errors import (
    FencedError,
    ForkError,
    LedgerError,
    MalformedError,
    ProofError,
    ReceiptError,
    RefusedError,
    SequenceError,
    SignatureError,
    StorageError,
    UnreachableError,
)
from idverify.ledger.file_tree import FileTree
from idverify.ledger.files import LogFiles
from idverify.ledger.gossip import Agreement, View, gossip
from idverify.ledger.identity import LogIdentity
from idverify.ledger.log_signers import CheckpointSigner, LogSigners
from idverify.ledger.note import Ed25519Verifier, Note, NoteVerifier, open_note, parse_vkey, vkey
from idverify.ledger.policy import Policy, parse_policy
from idverify.ledger.proof import TlogProof
from idverify.ledger.publisher import Publisher
from idverify.ledger.rebuild import LedgerSink, Rebuilt, RebuiltTree, rebuild, restore, static_files
from idverify.ledger.receipt import Opening, Receipt, verify_receipt
from idverify.ledger.sequencer import TreeState, decode_bundle, encode_bundle, genesis, sequence
from idverify.ledger.storage import LedgerStorage
from idverify.ledger.tree_audit import TreeReport, audit_tree
from idverify.ledger.witness import Cosigned, Witness, WitnessStore
from idverify.ledger.witness_client import Comparison, Standing, Witnesses, WitnessTransport

__all__ = [
    "Agreement",
    "AuditState",
    "Checkpoint",
    "CheckpointSigner",
    "Comparison",
    "CosignatureV1Verifier",
    "Cosigned",
    "Cosigner",
    "Draft",
    "EcdsaVerifier",
    "Ed25519Verifier",
    "Entry",
    "EntryType",
    "Equivocation",
    "Erased",
    "FencedError",
    "FileTree",
    "Finding",
    "ForkError",
    "LedgerError",
    "LedgerSink",
    "LedgerStorage",
    "LogFiles",
    "LogIdentity",
    "LogSigners",
    "LogSource",
    "MalformedError",
    "MlDsa44Verifier",
    "Note",
    "NoteVerifier",
    "Opening",
    "Policy",
    "Progress",
    "ProofError",
    "Publisher",
    "Rebuilt",
    "RebuiltTree",
    "Receipt",
    "ReceiptError",
    "Record",
    "RefusedError",
    "Report",
    "SequenceError",
    "SignatureError",
    "Standing",
    "StorageError",
    "TlogProof",
    "Trace",
    "TreeReport",
    "TreeState",
    "UnreachableError",
    "View",
    "Witness",
    "WitnessStore",
    "WitnessTransport",
    "Witnesses",
    "audit_tree",
    "commitment",
    "decode_bundle",
    "encode_bundle",
    "fsck",
    "genesis",
    "gossip",
    "open_checkpoint",
    "open_note",
    "parse_policy",
    "parse_vkey",
    "rebuild",
    "restore",
    "search",
    "sequence",
    "static_files",
    "timestamp",
    "verify_receipt",
    "vkey",
]
