"""What can go wrong with a log, as one tree.

```
LedgerError
├── MalformedError     bytes are not in the one form their specification allows
├── ProofError         a Merkle proof does not prove what it was offered for
├── SignatureError     a note is not signed by a key we were told to trust, or the signature is wrong
├── ReceiptError       a receipt does not hold; `rule` names the check that failed
├── SequenceError      an entry cannot follow the state it was to be appended to
├── StorageError       the storage returned something its contract rules out
├── RefusedError       a witness does not cosign; `status` says why, as tlog-witness has it
├── UnreachableError   a witness could not be asked, or did not answer
└── ForkError          signing now could show two people two different logs
    └── FencedError    another publisher advanced the checkpoint first
```
Names end in `Error`; every message says what was expected and what came.
"""


class LedgerError(Exception):
    """Root of everything this package raises on purpose."""


class MalformedError(LedgerError):
    """Bytes are not in the one form their specification allows."""


class ProofError(LedgerError):
    """A Merkle proof does not prove what it was offered for."""


class SignatureError(LedgerError):
    """A note carries no signature of a known key, or a wrong one."""


class ReceiptError(LedgerError):
    """A receipt does not hold. `rule` is one of `receipt.RULES`, or of `cose_receipt.RULES`."""

    def __init__(self, rule: str, detail: str) -> None:
        """Name the failed check (`rule`) and say what was expected and what came (`detail`)."""
        super().__init__(f"{rule}: {detail}")
        self.rule = rule
        self.detail = detail


class SequenceError(LedgerError):
    """An entry cannot follow the state it was to be appended to."""


class StorageError(LedgerError):
    """The storage returned something its contract rules out: stop, reload, audit."""


class RefusedError(LedgerError):
    """A witness does not cosign.

    `status` is the HTTP status of the answer, `size` what it saw last (with 409), `evidence` two notes that no honest
    log signs both of.
    """

    def __init__(
        self, status: int, detail: str, *, size: int | None = None, evidence: tuple[bytes, bytes] | None = None
    ) -> None:
        """Say what was expected and what came (`detail`)."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.size = size
        self.evidence = evidence


class UnreachableError(LedgerError):
    """A witness could not be asked, or did not answer in time, or with more than it may."""


class ForkError(LedgerError):
    """Signing now could show two people two different logs, so nothing is signed."""


class FencedError(ForkError):
    """Another publisher advanced the checkpoint between our reading and our writing it."""
