"""The state an audit leaves behind: what was written is read, and nothing else is."""

from __future__ import annotations

import json

import pytest

from idverify.ledger import Finding, MalformedError
from idverify.ledger.audit_state import AuditState

STATE = AuditState(
    "log.example/1 \u2014\n".encode(), 700, 512, 60, (Finding(3, "prev", "x"), Finding(None, "tile", "y")), closed=True
)


def test_what_was_written_is_read() -> None:
    """Writing and reading are inverse."""
    assert AuditState.decode(STATE.encode()) == STATE


@pytest.mark.parametrize(
    "change",
    [
        {"format": "idverify-audit/v2"},
        {"entries": 511},
        {"entries": 768},
        {"entries": -256},
        {"entries": "512"},
        {"size": 2**64},
        {"time": 2**32},
        {"time": None},
        {"closed": None},
        {"closed": 1},
        {"note": 1},
        {"note": "\ud800"},
        {"findings": [{"index": "3", "rule": "prev", "detail": "x"}]},
        {"findings": [{"index": 3, "rule": 4, "detail": "x"}]},
        {"findings": [{"index": 3}]},
        {"findings": [3]},
        {"findings": [{"index": n, "rule": "prev", "detail": "x"} for n in range(1001)]},
    ],
)
def test_anything_else_is_refused(change: dict[str, object]) -> None:
    """A file that was cut or made up does not make an audit skip anything."""
    with pytest.raises(MalformedError):
        AuditState.decode(json.dumps(json.loads(STATE.encode()) | change).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"1", b"[" * 100_000, b" " * 5_000_000, STATE.encode()[:-10]])
def test_other_bytes_are_refused(data: bytes) -> None:
    """What is no state is refused before anything is made of it."""
    with pytest.raises(MalformedError):
        AuditState.decode(data)
