"""The form of a permission: there and back, and what it says of what does not fit."""

from __future__ import annotations

from typing import Any

import pytest

from idverify.core.types.immigration_status import ImmigrationPermission
from idverify.web.form_body import Posted
from idverify.web.pages.forms import fill
from idverify.web.pages.permission_form import Granting, typed_from, with_permission
from tests.simulators.service import PERMISSION

WHY = (("reason", "application-granted"), ("legal_basis", "Rules, part 1"))
EVERYTHING = {
    **PERMISSION,
    "permission_end": "2030-02-03",
    "conditions": ["NO-POLICE", "REPORT"],
    "work": {"allowed": "no", "occupations_text": "None", "hours_per_week": 0, "self_employed": False},
    "public_funds": {"recourse": True, "benefits_text": "Child benefit"},
    "sponsor_ref": "S-7",
}


@pytest.mark.parametrize("permission", [PERMISSION, EVERYTHING])
def test_there_and_back(permission: dict[str, Any]) -> None:
    """A permission that is shown in the form and sent unchanged is the same permission, to the last member."""
    typed = typed_from(permission)
    _, read = with_permission(fill(Granting, Posted((*typed, *WHY))))
    assert read == ImmigrationPermission.model_validate(permission).model_dump(mode="json")


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"ends-year": "2023"}, {"ends": "The last day must not be before the first day"}),
        ({"ends-month": "13"}, {"ends": "The last day must be a real date"}),
        ({"starts-day": ""}, {"starts": "The first day must be a real date"}),
        ({"work": ""}, {"work": "Say whether work is allowed"}),
        ({"work": "perhaps"}, {"work": "Choose one of the answers"}),
        ({"hours_per_week": "169"}, {"hours_per_week": "Hours a week must be a whole number from 0 to 168"}),
        (
            {"type_code": "skilled worker"},
            {"type_code": "Use capital letters, digits and hyphens, such as SKILLED-WORKER"},
        ),
        ({"benefits": "x" * 501}, {"benefits": "Use at most 500 characters"}),
        ({"sponsor_ref": "x" * 61}, {"sponsor_ref": "Use at most 60 characters"}),
        ({"legal_basis": ""}, {"legal_basis": "Give the legal basis"}),
    ],
)
def test_what_does_not_fit_is_said_at_its_field(changed: dict[str, str], wrong: dict[str, str]) -> None:
    """One field that is wrong gets one sentence, and no permission comes out."""
    fields = dict((*typed_from(EVERYTHING), *WHY)) | changed
    form, permission = with_permission(fill(Granting, Posted(tuple(fields.items()))))
    assert form.errors == wrong
    assert permission is None


def test_conditions_are_typed_with_commas_or_blanks() -> None:
    """Codes are told apart by commas, blanks, or both."""
    fields = dict((*typed_from(EVERYTHING), *WHY)) | {"conditions": "A,B C,  D"}
    _, permission = with_permission(fill(Granting, Posted(tuple(fields.items()))))
    assert permission is not None
    assert permission["conditions"] == ["A", "B", "C", "D"]
