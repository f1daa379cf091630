"""Signing in: the key says whose it is, and whoever has no key here learns nothing."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from idverify.auth import base64url
from idverify.auth.webauthn import Asserted
from idverify.core.action import Action
from idverify.core.policy import Role
from idverify.errors import (
    CeremonyMalformed,
    CeremonyRefused,
    Conflict,
    Gone,
    KeyRemoved,
    KeySuspended,
    NotAuthenticated,
    NotFound,
    UserVerificationNeeded,
)
from idverify.services import keys, sign_in, step_up
from idverify.services.ceremonies import SECONDS, Ceremony, Given
from idverify.services.notices import NoticeKind
from idverify.services.office import Office
from idverify.services.sessions import Opened, recognise
from idverify.stores import tables
from tests.simulators.authenticator import UP, UV
from tests.simulators.databases import changed
from tests.simulators.signed_in import PersonalKey
from tests.simulators.software_office import SoftwareOffice
from tests.simulators.waits import Waits

SIGN_IN = "/api/v1/sign-in"


async def _person(served: SoftwareOffice, who: str) -> PersonalKey:
    await served.api.identity(who)
    return served.api.deployment.people[who].key


async def _answer(served: SoftwareOffice, key: PersonalKey, **said: int) -> Given:
    begun = await sign_in.begin(served.office)
    return Given(begun.ceremony, key.get(begun.options, served.office.deployment.iss, **said))


def _stranger(owner: PersonalKey) -> PersonalKey:
    """Another key that says it is somebody's."""
    key = PersonalKey()
    key.user_handle = owner.user_handle
    return key


@pytest.mark.parametrize(
    ("who", "role", "actor"),
    [
        ("officer", Role.OFFICER, "Olive Officer"),
        ("admin", Role.ADMIN, "Ada Admin"),
        ("partner", Role.RELYING_PARTY, "Example Bank plc"),
    ],
)
async def test_the_key_says_whose_it_is(served: SoftwareOffice, who: str, role: Role, actor: str) -> None:
    """The options name nobody, and the session is that of the key's owner."""
    key = await _person(served, who)
    begun = await sign_in.begin(served.office)

    opened = await sign_in.finish(
        served.office, Given(begun.ceremony, key.get(begun.options, served.office.deployment.iss))
    )

    assert begun.options["allowCredentials"] == []
    assert begun.options["userVerification"] == "required"
    assert (opened.principal.role, opened.principal.actor) == (role, actor)
    assert await recognise(served.office, opened.token) == opened


async def test_a_session_is_new_each_time(served: SoftwareOffice) -> None:
    """The session that a browser brings along when it signs in again is over; one of another browser goes on."""
    key = await _person(served, "officer")
    first, elsewhere = [await sign_in.finish(served.office, await _answer(served, key)) for _ in range(2)]

    second = await sign_in.finish(served.office, await _answer(served, key), first.token)

    assert len({first.token, elsewhere.token, second.token}) == 3
    with pytest.raises(NotAuthenticated):
        await recognise(served.office, first.token)
    assert await recognise(served.office, elsewhere.token) == elsewhere
    assert await recognise(served.office, second.token) == second


async def test_a_cookie_of_somewhere_else_does_not_hinder(served: SoftwareOffice) -> None:
    """Whatever stands in the cookie, whoever has the key signs in."""
    key = await _person(served, "officer")

    opened = await sign_in.finish(served.office, await _answer(served, key), "this is no token")

    assert await recognise(served.office, opened.token) == opened


async def _refusals(served: SoftwareOffice, owner: PersonalKey) -> dict[str, tuple[int, Any]]:
    """What the service answers to keys that it knows and to keys that it does not."""
    unknown, known = PersonalKey(), _stranger(owner)
    known.authenticator.credential_id = owner.authenticator.credential_id
    refused = {}
    for what, key in {"an unknown key": unknown, "another's id": _stranger(owner), "a wrong signature": known}.items():
        begun = await served.api.begun("/api/v1/sign-in/options")
        response = key.get(begun["public_key"], served.office.deployment.iss)
        if not key.user_handle:
            response["response"]["userHandle"] = "AAAA"
        refused[what] = await served.api.call(
            "POST", SIGN_IN, None, {"ceremony": begun["ceremony"], "response": response}
        )
    return refused


async def test_an_unknown_user_is_not_told_from_a_wrong_key(served: SoftwareOffice) -> None:
    """The same status, the same body to the last byte: nobody learns who is registered."""
    (status, problem), *others = (await _refusals(served, await _person(served, "officer"))).values()

    assert (status, problem["type"]) == (401, "/problems/verification-failed")
    assert others == [(status, problem)] * 2


async def test_refusals_take_one_time_at_least(served: SoftwareOffice, waits: Waits) -> None:
    """Whatever was wrong, the rest of one time is waited before it is said; who gets in waits for nothing."""
    owner = await _person(served, "officer")
    assert await sign_in.finish(served.office, await _answer(served, owner))
    assert waits.asked == []

    refused = len(await _refusals(served, owner))
    for flags in (UP, UP | UV):  # a PIN that was not asked for, and a ceremony that there is not
        given = await _answer(served, owner, flags=flags)
        with pytest.raises((UserVerificationNeeded, NotFound)):
            await sign_in.finish(served.office, given if flags == UP else replace(given, ceremony=bytes(16)))

    assert waits.asked == [pytest.approx(sign_in.ANSWERED_AFTER_SECONDS - Waits.PASSED)] * (refused + 2)


@pytest.mark.parametrize("known", [True, False])
async def test_a_key_that_asked_for_no_pin(served: SoftwareOffice, known: bool) -> None:  # noqa: FBT001  a parameter
    """User verification is required of every key, ours or not, in the same words."""
    owner = await _person(served, "officer")
    key = owner if known else _stranger(owner)

    with pytest.raises(UserVerificationNeeded, match="Set a PIN"):
        await sign_in.finish(served.office, await _answer(served, key, flags=UP))


async def test_a_removed_key_signs_nobody_in(served: SoftwareOffice) -> None:
    """A key that its owner removed opens nothing, and who signs with it is told so."""
    lost = await _person(served, "officer")
    spare = await _another_key(served, "officer")
    held = await keys.mine(served.office, await served.principal("officer"))
    (handle,) = (row["handle"] for row in held if row["credential_id"] == spare.authenticator.credential_id)
    await served.confirmed("officer", lambda who, given: keys.remove(served.office, who, handle, given))

    with pytest.raises(KeyRemoved) as refused:
        await sign_in.finish(served.office, await _answer(served, spare))

    assert refused.value.credential_id == spare.authenticator.credential_id
    assert await sign_in.finish(served.office, await _answer(served, lost))


async def _another_key(served: SoftwareOffice, who: str) -> PersonalKey:
    key = PersonalKey()
    begun = await served.confirmed(who, lambda person, given: keys.begin_adding(served.office, person, given))
    answer = key.create(begun.options, served.office.deployment.iss)
    await keys.finish_adding(served.office, await served.principal(who), Given(begun.ceremony, answer), "spare")
    return key


async def test_a_removed_key_is_named_to_its_holder_alone(served: SoftwareOffice) -> None:
    """Whoever cannot sign with it gets the answer of an unknown key, to the byte."""
    owner, spare = await _person(served, "officer"), await _another_key(served, "officer")
    where = served.api.deployment.location
    changed(where, "UPDATE security_key SET removed_at = 1 WHERE credential_id = :id",
            {"id": spare.authenticator.credential_id})  # fmt: skip
    forged = _stranger(owner)
    forged.authenticator.credential_id = spare.authenticator.credential_id
    answers = {}
    for what, key in {"holder": spare, "forger": forged, "stranger": _stranger(owner)}.items():
        begun = await served.api.begun("/api/v1/sign-in/options")
        response = key.get(begun["public_key"], served.office.deployment.iss)
        body = {"ceremony": begun["ceremony"], "response": response}
        answers[what] = await served.api.call("POST", SIGN_IN, None, body)

    assert answers["forger"] == answers["stranger"]
    assert "credential_id" not in answers["stranger"][1]
    status, problem = answers["holder"]
    assert (status, problem["type"]) == (401, "/problems/key-removed")
    assert problem["credential_id"] == base64url.encode(spare.authenticator.credential_id)


async def test_a_wrong_answer_uses_the_challenge_up(served: SoftwareOffice) -> None:
    """Nobody may try answers to one challenge until one fits."""
    key = await _person(served, "officer")
    begun = await sign_in.begin(served.office)
    right = Given(begun.ceremony, key.get(begun.options, served.office.deployment.iss))
    wrong = Given(begun.ceremony, _stranger(key).get(begun.options, served.office.deployment.iss))

    with pytest.raises(CeremonyRefused):
        await sign_in.finish(served.office, wrong)
    with pytest.raises(Conflict, match="answered already"):
        await sign_in.finish(served.office, right)


async def test_of_many_at_once_one_is_signed_in(served: SoftwareOffice) -> None:
    """One answer, sent two hundred times at the same moment, opens one session."""
    given = await _answer(served, await _person(served, "officer"))

    outcomes = await asyncio.gather(*(sign_in.finish(served.office, given) for _ in range(200)), return_exceptions=True)

    assert sum(isinstance(outcome, Opened) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 199


async def test_an_answer_to_another_challenge(served: SoftwareOffice) -> None:
    """A genuine answer belongs to the challenge that it signed, and to no other."""
    key = await _person(served, "officer")
    earlier, later = await sign_in.begin(served.office), await sign_in.begin(served.office)

    with pytest.raises(CeremonyRefused) as refused:
        await sign_in.finish(
            served.office, Given(later.ceremony, key.get(earlier.options, served.office.deployment.iss))
        )

    assert refused.value.rule == "challenge"


async def test_an_answer_given_to_another_site(served: SoftwareOffice) -> None:
    """What a look-alike page got out of a key does not hold here."""
    key = await _person(served, "officer")
    begun = await sign_in.begin(served.office)

    with pytest.raises(CeremonyRefused) as refused:
        await sign_in.finish(served.office, Given(begun.ceremony, key.get(begun.options, "https://idverify.example")))

    assert refused.value.rule == "origin"


async def test_a_related_origin_signs_in_and_confirms_nothing(served: SoftwareOffice) -> None:
    """What an act is, people read on our own pages alone."""
    related = "https://id.example"
    office = replace(served.office, related_origins=frozenset({related}))
    key = await _person(served, "officer")
    begun = await sign_in.begin(office)
    opened = await sign_in.finish(office, Given(begun.ceremony, key.get(begun.options, related)))
    asked = await step_up.begin(office, opened.principal, Action("add-security-key"))

    with pytest.raises(CeremonyRefused) as refused:
        await keys.begin_adding(office, opened.principal, Given(asked.ceremony, key.get(asked.options, related)))

    assert refused.value.rule == "origin"


async def test_an_answer_that_took_too_long(served: SoftwareOffice) -> None:
    """After its time a challenge is gone."""
    given = await _answer(served, await _person(served, "officer"))
    served.clock.advance(SECONDS[Ceremony.SIGN_IN])

    with pytest.raises(Gone):
        await sign_in.finish(served.office, given)


async def test_an_answer_that_is_none(served: SoftwareOffice) -> None:
    """What is no answer of a key is malformed, and the challenge is used up all the same."""
    begun = await sign_in.begin(served.office)

    with pytest.raises(CeremonyMalformed):
        await sign_in.finish(served.office, Given(begun.ceremony, {}))
    with pytest.raises(Conflict):
        await sign_in.finish(served.office, Given(begun.ceremony, {}))


@pytest.mark.parametrize("count", [5, 4, 0])
async def test_a_counter_that_does_not_rise_tells_of_a_copy(served: SoftwareOffice, count: int) -> None:
    """An officer's key that counts backwards, or not at all any more, is suspended: either may be the copy."""
    key = await _person(served, "officer")
    opened = await sign_in.finish(served.office, await _answer(served, key, count=5))

    with pytest.raises(KeySuspended):
        await sign_in.finish(served.office, await _answer(served, key, count=count))

    with pytest.raises(KeySuspended):
        await sign_in.finish(served.office, await _answer(served, key, count=6, flags=UP | UV))
    with pytest.raises(NotAuthenticated):
        await recognise(served.office, opened.token)
    kinds = [row["kind"] for row in await served.office.store.fetch(select(tables.notice), {})]
    assert kinds == [NoticeKind.KEY_SUSPENDED]


async def test_only_its_holder_learns_of_a_suspension(served: SoftwareOffice) -> None:
    """Whoever has not the key gets the answer that everybody gets."""
    key = await _person(served, "officer")
    await sign_in.finish(served.office, await _answer(served, key, count=5))
    with pytest.raises(KeySuspended):
        await sign_in.finish(served.office, await _answer(served, key, count=4))
    forged = _stranger(key)
    forged.authenticator.credential_id = key.authenticator.credential_id

    with pytest.raises(CeremonyRefused) as refused:
        await sign_in.finish(served.office, await _answer(served, forged, count=9))

    assert refused.value.rule == "signature"


@pytest.mark.parametrize(("who", "other_ends"), [("officer", False), ("admin", True)])
async def test_what_else_a_copy_ends(served: SoftwareOffice, who: str, *, other_ends: bool) -> None:
    """Of an admin every session of the account; of an officer those that this key opened."""
    key, other, mine = await _person(served, who), PersonalKey(), await served.principal(who)
    begun = await served.confirmed(who, lambda owner, given: keys.begin_adding(served.office, owner, given))
    added = Given(begun.ceremony, other.create(begun.options, served.office.deployment.iss))
    await keys.finish_adding(served.office, mine, added, "second key")
    by_other = await sign_in.finish(served.office, await _answer(served, other))
    await sign_in.finish(served.office, await _answer(served, key, count=5))

    with pytest.raises(KeySuspended):
        await sign_in.finish(served.office, await _answer(served, key, count=5))

    with pytest.raises(NotAuthenticated) if other_ends else nullcontext():
        await recognise(served.office, by_other.token)
    assert await sign_in.finish(served.office, await _answer(served, other))


async def test_an_organisation_is_asked_again(served: SoftwareOffice) -> None:
    """One answer is refused; the next that counts on is taken."""
    key = await _person(served, "partner")
    await sign_in.finish(served.office, await _answer(served, key, count=5))

    with pytest.raises(CeremonyRefused) as refused:
        await sign_in.finish(served.office, await _answer(served, key, count=5))

    assert refused.value.rule == "sign-count"
    assert await sign_in.finish(served.office, await _answer(served, key, count=6))


@pytest.mark.parametrize(("who", "signed_in"), [("officer", 1), ("citizen", 2)])
async def test_two_copies_at_the_same_moment(
    served: SoftwareOffice, who: str, signed_in: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both count on from one number and are found right before either is written: of staff's one is in."""
    if who == "citizen":
        who = await served.api.enrol_citizen(await served.api.person_with_status())
    key = await _person(served, who)
    await sign_in.finish(served.office, await _answer(served, key, count=5))
    answers = [await _answer(served, key, count=count) for count in (6, 7)]
    found_right, both = sign_in._recognised, asyncio.Barrier(2)

    async def at_once(office: Office, ceremony: Any, given: Given) -> tuple[Any, Asserted]:
        recognised = await found_right(office, ceremony, given)
        await both.wait()
        return recognised

    monkeypatch.setattr(sign_in, "_recognised", at_once)
    outcomes = await asyncio.gather(*(sign_in.finish(served.office, one) for one in answers), return_exceptions=True)

    assert sum(isinstance(outcome, Opened) for outcome in outcomes) == signed_in
    assert sum(isinstance(outcome, CeremonyRefused) for outcome in outcomes) == 2 - signed_in


async def test_a_citizen_is_not_locked_out_by_a_counter(served: SoftwareOffice) -> None:
    """Some keys never count, and a citizen may have no other; it is logged, and they are in."""
    citizen = await served.api.enrol_citizen(await served.api.person_with_status())
    key = await _person(served, citizen)

    for count in (7, 3):
        opened = await sign_in.finish(served.office, await _answer(served, key, count=count))

    assert opened.principal.role is Role.CITIZEN
