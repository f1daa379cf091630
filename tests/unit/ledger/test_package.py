"""What the package shows to its readers: examples that run, and a format page that leaves nothing out."""

import doctest
import importlib
from pathlib import Path

import pytest

from idverify.ledger.audit import RULES as AUDIT_RULES
from idverify.ledger.entry import EntryType
from idverify.ledger.receipt import RULES as RECEIPT_RULES

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "ledger-format.md").read_text()


@pytest.mark.parametrize("name", ["idverify.ledger", "idverify.ledger.merkle", "idverify.ledger.note"])
def test_examples_run(name: str) -> None:
    """The examples in the documentation strings do what they say."""
    failed, attempted = doctest.testmod(importlib.import_module(name))

    assert attempted
    assert not failed


@pytest.mark.parametrize(
    "row",
    [f"| {kind.value} | `{kind.name}` |" for kind in EntryType]
    + [f"| `{rule}` |" for rule in (*AUDIT_RULES, *RECEIPT_RULES)],
)
def test_the_format_page_names_every_type_and_rule(row: str) -> None:
    """Each entry type, and each rule of audit and receipt, has its row in docs/ledger-format.md."""
    assert f"\n{row}" in PAGE
