"""One-time codes: what they open, for how long, and that each opens it once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from idverify.auth import base64url
from idverify.core.credential_type import Purpose
from idverify.core.policy import Principal, Role
from idverify.errors import (
    CeremonyRefused,
    Conflict,
    Gone,
    KeyAlreadyRegistered,
    KeyNotAllowed,
    MalformedRequest,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Unprocessable,
)
from idverify.services import enrol, invite, people
from idverify.services.ceremonies import Beginning, Given
from idverify.services.invite import TERMS, Invitation, Invited, Kind
from idverify.services.sessions import Opened, recognise
from idverify.stores import queries, tables
from tests.simulators.authenticator import BE, BS, UP, UV
from tests.simulators.databases import everything
from tests.simulators.signed_in import PersonalKey
from tests.simulators.software_office import SoftwareOffice

NEWCOMER = Invited(Role.OFFICER, "Nora Newcomer")
ORGANISATION = Invited(Role.RELYING_PARTY, "Example Homes Ltd", Purpose.RENT)
NAMELESS = Invited(Role.OFFICER)


async def _code(served: SoftwareOffice, invited: Invited = NEWCOMER) -> str:
    office = served.office
    return (await invite.invite(office.store, office.doors, office.clock, office.entropy, invited, "a test")).code


def _given(served: SoftwareOffice, begun: Beginning, key: PersonalKey | None = None) -> Given:
    return Given(begun.ceremony, (key or PersonalKey()).create(begun.options, served.office.deployment.iss))


async def _enrolled(
    served: SoftwareOffice, code: str, name: str | None = None, key: PersonalKey | None = None, label: str = "blue key"
) -> Opened:
    begun = await enrol.begin(served.office, code, name)
    return await enrol.finish(served.office, code, name, _given(served, begun, key), label)


async def _slip(served: SoftwareOffice, person: str) -> Invitation:
    handle = bytes.fromhex(person)
    return await served.confirmed(
        "officer", lambda officer, given: invite.invite_citizen(served.office, officer, handle, given)
    )


async def test_a_code_opens_an_account_and_a_session(served: SoftwareOffice) -> None:
    """One key registered: an account, signed in at once, and an entry on the ledger."""
    opened = await _enrolled(served, await _code(served))

    assert (opened.principal.role, opened.principal.actor) == (Role.OFFICER, "Nora Newcomer")
    assert await recognise(served.office, opened.token) == opened
    rows = await served.office.store.fetch(select(tables.ledger_record.c.type), {})
    assert [row["type"] for row in rows].count("authenticator.bound") == 1


async def test_every_try_is_for_the_same_account(served: SoftwareOffice) -> None:
    """So that a key holds one credential however often it is refused; another code is for another account."""
    code = await _code(served)
    tries = [await enrol.begin(served.office, said, None) for said in (code, code.lower().replace("-", " "))]
    other = await enrol.begin(served.office, await _code(served, ORGANISATION), None)
    first, again, others = (begun.options["user"]["id"] for begun in (*tries, other))

    assert first == again != others
    assert len(base64url.decode(first)) == 64


async def test_a_code_is_good_once(served: SoftwareOffice) -> None:
    """After its use it opens nothing, at whichever step it is tried."""
    code = await _code(served)
    begun = await enrol.begin(served.office, code, None)
    await _enrolled(served, code)

    for again in (
        enrol.look_up(served.office, code),
        enrol.begin(served.office, code, None),
        enrol.finish(served.office, code, None, _given(served, begun), "another"),
    ):
        with pytest.raises(Conflict, match="was used, or replaced"):
            await again


async def test_of_many_with_one_code_one_enrols(served: SoftwareOffice) -> None:
    """Twenty browsers with one link at the same moment make one account with one key."""
    code = await _code(served)
    begun = [await enrol.begin(served.office, code, None) for _ in range(20)]

    outcomes = await asyncio.gather(
        *(enrol.finish(served.office, code, None, _given(served, one), "key") for one in begun), return_exceptions=True
    )

    assert sum(isinstance(outcome, Opened) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 19
    assert len(await served.office.store.fetch(select(tables.account), {})) == 1
    assert len(await served.office.store.fetch(select(tables.security_key), {})) == 1


async def test_a_code_runs_out(served: SoftwareOffice) -> None:
    """A link is good for 15 minutes, in the last second of them and not in the one after."""
    code = await _code(served)

    served.clock.advance(TERMS[Kind.LINK].seconds - 1)
    assert (await enrol.look_up(served.office, code)).invited == NEWCOMER
    served.clock.advance(1)
    with pytest.raises(Gone, match="Ask for a new one"):
        await enrol.begin(served.office, code, None)


@pytest.mark.parametrize(
    ("code", "error"),
    [("0000-0000-0000-0000-0000", NotFound), ("0000", MalformedRequest), ("U" * 20, MalformedRequest)],
)
async def test_a_code_that_is_none(served: SoftwareOffice, code: str, error: type[Exception]) -> None:
    """An unknown code and what cannot be one are told apart, for people mistype."""
    with pytest.raises(error, match="code"):
        await enrol.begin(served.office, code, None)


async def test_codes_are_kept_as_hashes(served: SoftwareOffice) -> None:
    """Whoever reads the database can enrol nobody with it."""
    code = await _code(served)

    dump = await everything(served.office.store)

    assert code not in dump
    assert code.replace("-", "") not in dump


async def test_a_link_without_a_name_asks_for_it(served: SoftwareOffice) -> None:
    """Staff give their name where the link has none, once, as it will be read; a name in the link cannot be changed."""
    code = await _code(served, NAMELESS)

    assert (await enrol.look_up(served.office, code)).asks_name
    for nothing in (None, "", "   ", "\x07", "x" * 101):
        with pytest.raises(Unprocessable, match="A name must be"):
            await enrol.begin(served.office, code, nothing)
    assert (await _enrolled(served, code, "  Nell   Newman ")).principal.actor == "Nell Newman"
    assert (await _enrolled(served, await _code(served), "Somebody Else")).principal.actor == "Nora Newcomer"


@pytest.mark.parametrize("name", ["Nora Newcomer", "nora  NEWCOMER", "\uff2eora Newcomer"])
async def test_a_name_that_reads_like_anothers_is_taken(served: SoftwareOffice, name: str) -> None:
    """Two accounts under one name would be two people to the rule of two people."""
    code = await _code(served, NAMELESS)
    begun = await enrol.begin(served.office, code, name)
    await _enrolled(served, await _code(served))

    with pytest.raises(Conflict, match="enrolled already"):
        await enrol.begin(served.office, code, name)
    with pytest.raises(Conflict, match="enrolled already"):
        await enrol.finish(served.office, code, name, _given(served, begun), "key")


async def test_of_many_under_one_name_one_enrols(served: SoftwareOffice) -> None:
    """The same name on ten links at the same moment: the database lets one of them have it."""
    codes = [await _code(served, NAMELESS) for _ in range(10)]

    outcomes = await asyncio.gather(
        *(_enrolled(served, code, "Nora Newcomer") for code in codes), return_exceptions=True
    )

    assert sum(isinstance(outcome, Opened) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 9


async def test_an_organisation_may_have_several_people(served: SoftwareOffice) -> None:
    """Relying parties are organisations: the same name twice is two of their people, with one purpose."""
    bank = Invited(Role.RELYING_PARTY, "Example Bank plc", Purpose.WORK)

    one, other = [await _enrolled(served, await _code(served, bank)) for _ in range(2)]

    assert one.principal.id != other.principal.id
    assert one.principal.purpose is other.principal.purpose is Purpose.WORK


@pytest.mark.parametrize(
    ("invited", "sentence"),
    [
        (Invited(Role.CITIZEN), "by an officer at the counter"),
        (Invited(Role.OFFICER, None, Purpose.WORK), "nobody else has one"),
        (Invited(Role.RELYING_PARTY, "Example Bank plc"), "needs a purpose"),
        (Invited(Role.RELYING_PARTY, None, Purpose.WORK), "needs a name from whoever invites it"),
        (Invited(Role.OFFICER, "\x07"), "A name must be"),
    ],
)
async def test_invitations_that_make_no_sense(served: SoftwareOffice, invited: Invited, sentence: str) -> None:
    """Refused where they are made, by whomever."""
    with pytest.raises(Unprocessable, match=sentence):
        await _code(served, invited)
    with pytest.raises(Unprocessable, match=sentence):
        await invite.invite_organisation(served.office, await served.principal("admin"), invited, None)


async def test_a_ceremony_of_another_enrolment(served: SoftwareOffice) -> None:
    """A challenge that was made for one code registers nothing with another."""
    mine, others = await _code(served), await _code(served, NAMELESS)
    begun = await enrol.begin(served.office, others, "Otto Other")

    with pytest.raises(CeremonyRefused) as refused:
        await enrol.finish(served.office, mine, None, _given(served, begun), "key")

    assert refused.value.rule == "enrolment"
    assert (await _enrolled(served, mine)).principal.actor == "Nora Newcomer"


async def test_a_key_is_registered_once(served: SoftwareOffice) -> None:
    """A key that somebody has is refused to anybody else; the code is not used up by it."""
    key, code = PersonalKey(), await _code(served, NAMELESS)
    await _enrolled(served, await _code(served), None, key)

    with pytest.raises(KeyAlreadyRegistered):
        await _enrolled(served, code, "Otto Other", key)

    assert (await _enrolled(served, code, "Otto Other")).principal.actor == "Otto Other"


@pytest.mark.parametrize("label", ["", " ", "x" * 61, "\x1b[2J"])
async def test_a_key_has_a_name(served: SoftwareOffice, label: str) -> None:
    """A key's name can be shown; one that cannot is refused, and the code is not used up by it."""
    code = await _code(served)

    with pytest.raises(Unprocessable, match="key's name"):
        await _enrolled(served, code, label=label)

    assert await enrol.look_up(served.office, code)


async def test_a_key_that_is_copied_to_other_devices(served: SoftwareOffice) -> None:
    """Staff need a key that stays where it is; a citizen may use the passkey that their phone keeps for them."""
    code, slip = await _code(served), await _slip(served, await served.api.person_with_status())

    async def enrolled(one: str) -> Opened:
        begun = await enrol.begin(served.office, one, None)
        answer = PersonalKey().create(begun.options, served.office.deployment.iss, UP | UV | BE | BS)
        return await enrol.finish(served.office, one, None, Given(begun.ceremony, answer), "passkey")

    with pytest.raises(KeyNotAllowed, match="security key of your own"):
        await enrolled(code)
    assert (await enrolled(slip.code)).principal.role is Role.CITIZEN
    assert await enrol.look_up(served.office, code)


async def test_a_citizen_enrols_with_a_slip(served: SoftwareOffice) -> None:
    """Nothing of the person is asked or shown to the key; the account is theirs, and it sees their record."""
    person = await served.api.person_with_status()
    slip = await _slip(served, person)
    begun = await enrol.begin(served.office, slip.code, None)

    opened = await enrol.finish(served.office, slip.code, None, _given(served, begun), "my key")

    shown = str(begun.options["user"])
    assert slip.expires_at == served.clock.now() + TERMS[Kind.SLIP].seconds
    assert opened.principal.role is Role.CITIZEN
    assert "SPECIMEN" not in shown
    assert "ANNA" not in shown
    record: Any = await people.own_record(served.office, opened.principal)
    assert record["details"].family_name == "SPECIMEN"


async def test_a_second_slip_adds_a_key(served: SoftwareOffice) -> None:
    """Whoever lost every key gets one again a day later, to the same account; the first key is told to stay away."""
    person, first, second = await served.api.person_with_status(), PersonalKey(), PersonalKey()
    opened = await _enrolled(served, (await _slip(served, person)).code, None, first)
    slip = await _slip(served, person)
    served.clock.advance(TERMS[Kind.RE_PROOFING].delay)

    begun = await enrol.begin(served.office, slip.code, None)
    again = await enrol.finish(served.office, slip.code, None, _given(served, begun, second), "second key")

    assert len(begun.options["excludeCredentials"]) == 1
    assert first.user_handle == second.user_handle
    assert again.principal.id == opened.principal.id
    held = await served.office.store.fetch(queries.SECURITY_KEYS, {"account_id": bytes.fromhex(opened.principal.id)})
    assert {row["name"] for row in held} == {"blue key", "second key"}


async def test_a_newer_slip_replaces_the_older(served: SoftwareOffice) -> None:
    """A slip that was lost opens nothing once there is a newer one, also if somebody began with it before."""
    person, another = [await served.api.person_with_status() for _ in range(2)]
    lost, others = await _slip(served, person), await _slip(served, another)
    begun = await enrol.begin(served.office, lost.code, None)
    newer = await _slip(served, person)

    for late in (
        enrol.look_up(served.office, lost.code),
        enrol.finish(served.office, lost.code, None, _given(served, begun), "a thief's"),
    ):
        with pytest.raises(Conflict, match="replaced by a newer one"):
            await late

    assert (await _enrolled(served, newer.code)).principal.role is Role.CITIZEN
    assert await enrol.look_up(served.office, others.code)


async def test_a_registered_key_shows_to_its_subject(served: SoftwareOffice) -> None:
    """Whoever gets hold of a slip cannot do so unseen: the person sees that, and when, a key was registered."""
    opened = await _enrolled(served, (await _slip(served, await served.api.person_with_status())).code)

    record: Any = await people.own_record(served.office, opened.principal)
    seen = [(look["channel"], look["verdict"], look["actor"], look["role"]) for look in record["looks"]]

    assert seen == [
        ("enrolment", "made", "Olive Officer", "officer"),
        ("enrolment", "registered", "Account holder", "citizen"),
    ]


async def test_enrolling_ends_the_session_that_came_along(served: SoftwareOffice) -> None:
    """A browser has one session: the one that it had before is over."""
    before = await _enrolled(served, await _code(served))
    code = await _code(served, Invited(Role.ADMIN, "Ann Admin"))
    begun = await enrol.begin(served.office, code, None)

    after = await enrol.finish(served.office, code, None, _given(served, begun), "key", before.token)

    with pytest.raises(NotAuthenticated):
        await recognise(served.office, before.token)
    assert await recognise(served.office, after.token) == after


async def test_who_may_invite(served: SoftwareOffice) -> None:
    """Officers enrol citizens, admins enrol staff, neither the other, and no program anybody."""
    person = bytes.fromhex(await served.api.person_with_status())
    officer, admin = await served.principal("officer"), await served.principal("admin")
    programs = [Principal("key", "Case System", role, None) for role in (Role.OFFICER, Role.ADMIN)]

    for wrong in (admin, *programs):
        with pytest.raises(NotAllowed):
            await invite.invite_citizen(served.office, wrong, person, None)
    for wrong in (officer, *programs):
        with pytest.raises(NotAllowed):
            await invite.invite_organisation(served.office, wrong, ORGANISATION, None)
    with pytest.raises(NotFound):
        await invite.invite_citizen(served.office, officer, bytes(16), None)


async def test_an_admin_invites_an_organisation(served: SoftwareOffice) -> None:
    """Confirmed with the admin's key, the link says for whom it is, and that it was confirmed stays on record."""
    made = await served.confirmed(
        "admin", lambda admin, given: invite.invite_organisation(served.office, admin, ORGANISATION, given)
    )

    opened = await _enrolled(served, made.code)

    assert opened.principal.actor == "Example Homes Ltd"
    acts = await served.office.store.fetch(select(tables.authorisation.c.act), {})
    assert [row["act"] for row in acts] == ["enrol-organisation"]


async def test_no_admin_invites_staff_alone(served: SoftwareOffice) -> None:
    """A link for an officer or an admin takes two admins (``test_administration``)."""
    with pytest.raises(Unprocessable, match="by two admins"):
        await invite.invite_organisation(served.office, await served.principal("admin"), NEWCOMER, None)
