"""The words of what documents and decisions say: one name for one thing, and none that is a machine's."""

from __future__ import annotations

from idverify.core.assurance import CLAIM, Checks
from idverify.core.types import CREDENTIAL_TYPES
from idverify.web.pages.said import LABELS, said


def test_a_field_of_several_types_has_one_name() -> None:
    """What types call otherwise on their forms has one name on a document: a PID has no number of a licence."""
    titles: dict[str, set[str]] = {}
    for kind in CREDENTIAL_TYPES.values():
        for name, field in kind.permission.model_fields.items():
            titles.setdefault(name, set()).add(field.title or "")
    several = {name for name, called in titles.items() if len(called) > 1}

    assert {name: LABELS[name] for name in several} == {"document_number": "Number of the document"}


def test_all_of_an_identity_check_has_words() -> None:
    """Whoever confirms a decision reads no name of a member: neither of scores, nor of their absence."""
    scores = dict.fromkeys(Checks.model_fields, 3)
    for checks in (None, scores):
        lines = said({CLAIM: {"checked_on": "2026-01-12", "confidence": "high", "checks": checks}})
        assert [line.label for line in lines if "." in line.label] == []
