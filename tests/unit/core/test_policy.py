"""Who may do what, and until when a copy may run."""

from __future__ import annotations

from itertools import product

import pytest

from idverify.core.credential_type import Runs
from idverify.core.decision import PersonStatus
from idverify.core.policy import Act, Principal, Role, may_issue, require_may, require_second_person
from idverify.core.types.immigration_status import IMMIGRATION_STATUS, NINETY_DAYS
from idverify.errors import NotAllowed, Unprocessable

DAY = 86_400
MIDNIGHT = 1_790_035_200  # 22 September 2026
NOON = MIDNIGHT + DAY // 2

MAY = {
    Role.OFFICER: set(Act),
    Role.RELYING_PARTY: {Act.VERIFY, Act.REQUEST_PRESENTATION},
    Role.ADMIN: set(),
}


def principal(role: Role, actor: str = "Somebody", key: str = "key") -> Principal:
    return Principal(key, actor, role, None)


@pytest.mark.parametrize(("role", "act"), sorted(product(Role, Act)))
def test_roles(role: Role, act: Act) -> None:
    """Each role may do what the table says and is refused all else, with the roles that may."""
    if act in MAY[role]:
        require_may(principal(role), act)
    else:
        with pytest.raises(NotAllowed, match=f"needs the role officer.*your key has the role {role.value}"):
            require_may(principal(role), act)


def test_two_people_are_two_actors() -> None:
    """Another key of the same person is the same person; the same role of another person is another."""
    with pytest.raises(NotAllowed, match="Another officer must"):
        require_second_person("Olive", principal(Role.OFFICER, "Olive", "another key"))
    require_second_person("Olive", principal(Role.OFFICER, "Oscar"))


@pytest.mark.parametrize("status", set(PersonStatus) - {PersonStatus.ACTIVE})
def test_only_an_active_status_is_issued(status: PersonStatus) -> None:
    """Nobody collects a status they do not hold."""
    with pytest.raises(Unprocessable, match=status.value):
        may_issue(IMMIGRATION_STATUS, status, Runs(0, None), NOON)


@pytest.mark.parametrize(
    ("permission_end", "expires"),
    [
        (None, MIDNIGHT + NINETY_DAYS),
        (MIDNIGHT + 10 * NINETY_DAYS, MIDNIGHT + NINETY_DAYS),
        (MIDNIGHT + NINETY_DAYS, MIDNIGHT + NINETY_DAYS),
        (NOON + 1, NOON + 1),
    ],
    ids=["without end", "far away", "the same day", "this very second"],
)
def test_a_copy_ends_with_the_permission(permission_end: int | None, expires: int) -> None:
    """A copy runs for its technical life, counted from midnight, and never longer than the permission."""
    assert may_issue(IMMIGRATION_STATUS, PersonStatus.ACTIVE, Runs(0, permission_end), NOON) == expires


@pytest.mark.parametrize("permission_end", [NOON, NOON - 1, -DAY])
def test_a_permission_that_has_ended(permission_end: int) -> None:
    """Once the permission is over nothing is issued any more."""
    with pytest.raises(Unprocessable, match="ended"):
        may_issue(IMMIGRATION_STATUS, PersonStatus.ACTIVE, Runs(0, permission_end), NOON)


def test_a_permission_that_has_not_begun() -> None:
    """Nothing is issued before the first day."""
    with pytest.raises(Unprocessable, match="not begun"):
        may_issue(IMMIGRATION_STATUS, PersonStatus.ACTIVE, Runs(NOON + 1, None), NOON)


@pytest.mark.parametrize("actor", ["olive  officer", " Olive Officer ", "\uff2flive Officer"])
def test_a_name_written_otherwise_is_the_same_person(actor: str) -> None:
    """Spaces, case and look-alike letters make nobody a second person."""
    with pytest.raises(NotAllowed):
        require_second_person("Olive Officer", principal(Role.OFFICER, actor))
