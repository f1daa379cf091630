"""Values of a request have the type that they should have; nothing is guessed from another one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulators.service import DETAILS
from tests.simulators.software_office import SoftwareOffice


@pytest.mark.parametrize(
    ("changed", "at"),
    [
        ({"birthdate": 86400}, "/details/birthdate"),
        ({"birthdate": "1974-08-12T00:00:00"}, "/details/birthdate"),
        ({"family_name": 7}, "/details/family_name"),
        ({"nationalities": "QU"}, "/details/nationalities"),
    ],
)
async def test_no_type_is_taken_for_another(changed: dict[str, Any], at: str, served: SoftwareOffice) -> None:
    """A number is no date and no name, a string no list: 400, with the place."""
    body = {"details": DETAILS | changed}

    status, answer = await served.api.call("POST", "/api/v1/people", "officer", body)

    assert status == 400
    assert [wrong["at"] for wrong in answer["errors"]] == [at]


@pytest.mark.parametrize("value", [1.0, -0.0, 1e300, [{"deep": 0.5}], {"\u00e9": 1}])
async def test_an_act_that_has_more_than_one_spelling_is_refused(value: Any, served: SoftwareOffice) -> None:
    """What two people sign must be the same bytes: no floats, and no names but in ASCII."""
    body = {"act": "reinstate-security-key", "subject": "ab" * 16, "content": {"suspended_at": value}}

    status, answer = await served.api.call("POST", "/api/v1/administration/proposals", "admin", body)

    assert status == 400
    assert [wrong["at"] for wrong in answer["errors"]] == ["/content"]
