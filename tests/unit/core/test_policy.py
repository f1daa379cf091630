"""Who may do what, and until when a copy may run."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from idverify.core.credential_type import Runs
from idverify.core.decision import PersonStatus
from idverify.core.policy import (
    Act,
    Principal,
    Role,
    SignedIn,
    may_issue,
    require_may,
    require_person,
    require_second_person,
)
from idverify.core.types.immigration_status import IMMIGRATION_STATUS, NINETY_DAYS
from idverify.errors import NotAllowed, SecondKeyNeeded, Unprocessable

DAY = 86_400
MIDNIGHT = 1_790_035_200  # 22 September 2026
NOON = MIDNIGHT + DAY // 2

MAY = {
    Role.OFFICER: {
        Act.KEEP_PEOPLE,
        Act.DECIDE,
        Act.OFFER,
        Act.VERIFY,
        Act.REQUEST_PRESENTATION,
        Act.ENROL_CITIZENS,
        Act.PRINT_LETTERS,
        Act.EXPORT_EVIDENCE,
    },
    Role.RELYING_PARTY: {
        Act.VERIFY,
        Act.REQUEST_PRESENTATION,
        Act.KEEP_API_KEYS,
        Act.SEE_USAGE,
        Act.PRINT_CODES,
        Act.RESTORE_COLLEAGUES,
    },
    Role.ADMIN: {
        Act.ENROL_STAFF,
        Act.KEEP_API_KEYS,
        Act.READ_METRICS,
        Act.ERASE,
        Act.KEEP_LEDGER,
        Act.EXPORT_EVIDENCE,
        Act.ADMINISTER,
        Act.KEEP_AUTHENTICATORS,
    },
    Role.CITIZEN: {Act.SEE_OWN_RECORD, Act.COLLECT, Act.RETIRE_COPY, Act.PRINT_CODES},
}


def person(actor: str, account: bytes) -> Principal:
    """An officer who signed in."""
    return Principal(account.hex(), actor, Role.OFFICER, None, SignedIn(account, b"session", b"key", None, active=True))


@pytest.mark.parametrize(("role", "act"), sorted(product(Role, Act)))
def test_roles(role: Role, act: Act) -> None:
    """Each role may do what the table says and is refused all else, with the roles that may."""
    caller = Principal("key", "Somebody", role, None)
    if act in MAY[role]:
        require_may(caller, act)
    else:
        with pytest.raises(NotAllowed, match=f"needs the role [a-z -]+; yours is {role.value}"):
            require_may(caller, act)


def test_every_act_is_somebodys() -> None:
    """No act is out of everybody's reach."""
    assert set().union(*MAY.values()) == set(Act)


def test_a_program_is_nobody() -> None:
    """An API key has the role, and still is no person who could confirm anything or be the second one."""
    program = Principal("key", "Case System", Role.OFFICER, None)

    with pytest.raises(NotAllowed, match="an API key cannot"):
        require_person(program)
    with pytest.raises(NotAllowed, match="an API key cannot"):
        require_second_person("Olive", b"olive", program)


def test_two_people_are_two_accounts_and_two_names() -> None:
    """The same account is the same person, and so is another one under the same name; both must differ."""
    for same in (person("Olive", b"olive"), person("Olive", b"other"), person("Oscar", b"olive")):
        with pytest.raises(NotAllowed, match="Another officer must"):
            require_second_person("Olive", b"olive", same)
    require_second_person("Olive", b"olive", person("Oscar", b"oscar"))


@pytest.mark.parametrize("status", [each for each in PersonStatus if each is not PersonStatus.ACTIVE])
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
        require_second_person("Olive Officer", b"olive", person(actor, b"other"))


def test_an_account_that_lacks_a_key_may_do_nothing() -> None:
    """What the role does not allow is still said first."""
    newcomer = replace(person("Olive", b"o"), signed_in=SignedIn(b"o", b"session", b"key", None, active=False))

    with pytest.raises(SecondKeyNeeded):
        require_may(newcomer, Act.DECIDE)
    with pytest.raises(NotAllowed, match="needs the role admin"):
        require_may(newcomer, Act.ERASE)
    assert not require_person(newcomer).active
