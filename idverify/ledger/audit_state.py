"""How far an audit has come, in a form that survives the auditor's machine: JSON, read back strictly.

Nothing in it is taken on trust but that the entries below `entries` were examined: the checkpoint is verified again,
shown to be a prefix of the log's present one, and the hashes to go on from are read again and led to the signed root.
"""

import json
from dataclasses import asdict, dataclass
from typing import Final, Self

from idverify.ledger.audit import MAX_FINDINGS, Finding
from idverify.ledger.edge import TILE_WIDTH
from idverify.ledger.errors import MalformedError
from idverify.ledger.lines import U64_MAX

FORMAT: Final = "idverify-audit/v1"
MAX_STATE: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class AuditState:
    """`note` is the verified checkpoint that the audit works under, of `size` entries.

    The first `entries`, full bundles all, are examined; `time` is that of the last of them, and `closed` whether one
    of them closes the log.
    """

    note: bytes
    size: int
    entries: int
    time: int
    findings: tuple[Finding, ...] = ()
    closed: bool = False

    def encode(self) -> bytes:
        """The bytes to keep."""
        value = {
            "format": FORMAT,
            "note": self.note.decode(),
            "size": self.size,
            "entries": self.entries,
            "time": self.time,
            "closed": self.closed,
            "findings": [asdict(finding) for finding in self.findings],
        }
        return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote. Raises `MalformedError`."""
        if len(data) > MAX_STATE:
            raise MalformedError(f"audit state: expected at most {MAX_STATE} bytes, got {len(data)}")
        try:
            value = json.loads(data)
            note = value["note"].encode()
            findings = tuple(Finding(**finding) for finding in value["findings"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise MalformedError("audit state: expected JSON with a note and findings") from error
        match value:
            case {
                "format": str(name),
                "size": int(size),
                "entries": int(entries),
                "time": int(time),
                "closed": bool(closed),
            } if (
                name == FORMAT
                and 0 <= entries <= size <= U64_MAX
                and entries % TILE_WIDTH == 0
                and 0 <= time < 2**32
                and len(findings) <= MAX_FINDINGS
                and all(map(_is_finding, findings))
            ):
                return cls(note, size, entries, time, findings, closed)
        raise MalformedError(f"audit state: expected {FORMAT} with size, entries, time, closed and findings")


def _is_finding(finding: Finding) -> bool:
    return type(finding.index) in {int, type(None)} and type(finding.rule) is type(finding.detail) is str
