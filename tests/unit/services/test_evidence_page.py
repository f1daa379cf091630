"""The example of docs/evidence.md: a stranger who has only the page can check it, and the page names every member."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from idverify.core.verdict import CHECKS, Channel, Outcome
from idverify.ledger.note import parse_vkey
from idverify.ledger.policy import Policy
from idverify.services.evidence_file import EvidenceFile
from idverify.services.reverify import reverify

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "evidence.md").read_text()


@pytest.fixture
def example() -> bytes:
    """The file on the page."""
    (text,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(text).encode()


def test_the_example_is_accepted(example: bytes) -> None:
    """With the key that the page gives."""
    (key,) = re.findall(r"verifier key is `([^`]+)`", PAGE)

    assert reverify(example, Policy.of_log([parse_vkey(key)])).verdict is Outcome.ACCEPT


def test_the_page_names_every_member_and_every_check(example: bytes) -> None:
    """In its tables, and no others."""
    file: dict[str, Any] = json.loads(example)
    rows = [re.findall(r"`(\w+)`", row) for row in re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)]
    checks = [check.value for check in CHECKS[Channel.EVIDENCE]]

    assert [name for row in rows for name in row] == [*checks, *file, *file["evidence"]]
    assert all(f"`{name}`" in PAGE for name in (*file["evidence"]["context"], *file["action"]))
    assert EvidenceFile.decode(example).evidence.startswith(b'{"action_digest"')
