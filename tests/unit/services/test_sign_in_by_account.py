"""Signing in with a key that knows no account: by number or name, and nobody learns which of them there are."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from typing import Any, cast

import pytest

from idverify.auth import account_numbers, base64url, decoy_keys
from idverify.core.policy import Role
from idverify.errors import CeremonyRefused, KeyRemoved, Unprocessable
from idverify.ports import Custodian
from idverify.services import keys, sign_in, staff
from idverify.services.ceremonies import Beginning, Given
from idverify.stores import tables
from idverify.stores.store import Store
from idverify.stores.writes import Insert, Write, WriteSet
from tests.simulators.classifier import Example, guessing
from tests.simulators.databases import changed, rows
from tests.simulators.signed_in import PersonalKey
from tests.simulators.software_office import SoftwareOffice
from tests.simulators.waits import Waits

OPTIONS, SIGN_IN = "/api/v1/sign-in/options", "/api/v1/sign-in"
KNOWN, UNKNOWN = "known", "unknown"


async def _person(served: SoftwareOffice, who: str) -> PersonalKey:
    await served.api.identity(who)
    return served.api.deployment.people[who].key


async def _citizen(served: SoftwareOffice) -> tuple[PersonalKey, str]:
    """A citizen's key and the number of their account."""
    who = await served.api.enrol_citizen(await served.api.person_with_status())
    [account] = {row["account_id"] for row in await keys.mine(served.office, await served.principal(who))}
    [(number,)] = rows(served.api.deployment.location, "SELECT number FROM account WHERE id = :id", {"id": account})
    return served.api.deployment.people[who].key, number


def _allowed(begun: Beginning) -> list[bytes]:
    return [base64url.decode(listed["id"]) for listed in begun.options["allowCredentials"]]


def _answer(served: SoftwareOffice, begun: Beginning, key: PersonalKey, **said: Any) -> Given:
    response = key.get(begun.options, served.office.deployment.iss)
    response["response"] = {**response["response"], **said}
    return Given(begun.ceremony, response)


@pytest.mark.parametrize("user_handle", [None, "its own"])
async def test_a_citizen_signs_in_by_number(served: SoftwareOffice, user_handle: str | None) -> None:
    """The key is named to the browser, so it need not know whose it is; if it does, that must fit."""
    key, number = await _citizen(served)
    begun = await sign_in.begin(served.office, number.replace(" ", ""))
    silent = {"userHandle": None} if user_handle is None else {}

    opened = await sign_in.finish(served.office, _answer(served, begun, key, **silent))

    assert _allowed(begun) == [key.authenticator.credential_id]
    assert opened.principal.role is Role.CITIZEN


async def test_without_a_number_the_key_says_whose_it_is(served: SoftwareOffice) -> None:
    """A silent key names nobody, so it opens nothing."""
    key, _ = await _citizen(served)
    with pytest.raises(CeremonyRefused) as refused:
        await sign_in.finish(served.office, _answer(served, await sign_in.begin(served.office), key, userHandle=None))

    assert refused.value.rule == "user-handle"


@pytest.mark.parametrize("name", ["Olive Officer", "  olive   OFFICER "])
async def test_staff_sign_in_by_name(served: SoftwareOffice, name: str) -> None:
    """As people read it."""
    key = await _person(served, "officer")
    begun = await sign_in.begin(served.office, name)
    opened = await sign_in.finish(served.office, _answer(served, begun, key, userHandle=None))

    assert opened.principal.actor == "Olive Officer"


async def test_staff_are_not_asked_for_by_number(served: SoftwareOffice) -> None:
    """A number that is theirs is as unknown as one that is nobody's: the list is drawn as among the public's."""
    key = await _person(served, "officer")
    [(number,)] = rows(served.api.deployment.location, "SELECT number FROM account WHERE actor = 'Olive Officer'")
    begun = await sign_in.begin(served.office, number)

    assert begun.options["allowCredentials"]
    assert key.authenticator.credential_id not in _allowed(begun)
    with pytest.raises(CeremonyRefused) as refused:
        await sign_in.finish(served.office, _answer(served, begun, key))
    assert refused.value.rule == "account"


async def test_transports_come_sorted(served: SoftwareOffice) -> None:
    """However a browser named them, as those of made-up keys do."""
    _, number = await _citizen(served)
    changed(served.api.deployment.location, "UPDATE security_key SET transports = 'usb nfc hybrid'")
    [listed] = (await sign_in.begin(served.office, number)).options["allowCredentials"]

    assert listed["transports"] == ["hybrid", "nfc", "usb"]


async def test_an_organisation_has_a_number_and_no_name(served: SoftwareOffice) -> None:
    """Two organisations may be called the same, so their names ask for nobody."""
    key = await _person(served, "partner")
    [(number,)] = rows(served.api.deployment.location, "SELECT number FROM account WHERE role = 'relying-party'")

    assert _allowed(await sign_in.begin(served.office, number)) == [key.authenticator.credential_id]
    assert key.authenticator.credential_id not in _allowed(await sign_in.begin(served.office, "Example Bank plc"))


async def test_another_accounts_key_is_refused(served: SoftwareOffice) -> None:
    """However well it signs: the ceremony is bound to the account that was asked for. A wrong user handle, too."""
    key, number = await _citizen(served)
    officer = await _person(served, "officer")
    for wrong, rule in ((officer, "account"), (key, "user-handle")):
        begun = await sign_in.begin(served.office, number)
        said = {"userHandle": "AAAA"} if wrong is key else {}
        with pytest.raises(CeremonyRefused) as refused:
            await sign_in.finish(served.office, _answer(served, begun, wrong, **said))
        assert refused.value.rule == rule


async def test_a_key_that_answers_for_an_account_that_is_not_there(served: SoftwareOffice) -> None:
    """Whose key it is does not matter."""
    key = await _person(served, "officer")
    begun = await sign_in.begin(served.office, account_numbers.make(os.urandom))
    with pytest.raises(CeremonyRefused) as refused:
        await sign_in.finish(served.office, _answer(served, begun, key))

    assert refused.value.rule == "account"


async def test_a_number_that_nobody_can_have(served: SoftwareOffice) -> None:
    """Whoever mistyped is told so."""
    status, problem = await served.api.call("POST", OPTIONS, None, {"account": "1234 5678"})

    assert (status, problem["type"]) == (422, "/problems/unprocessable")
    with pytest.raises(Unprocessable):
        await sign_in.begin(served.office, "0000 0000 0000 0002")


@pytest.mark.parametrize("asked", [rb"\u0000", rb"Olive\n", rb"\ud800", rb"\u202e"])
async def test_a_name_that_nobody_can_have(served: SoftwareOffice, asked: bytes) -> None:
    """What no database takes as text reaches none."""
    url, body = served.api.deployment.url + OPTIONS, b'{"account": "' + asked + b'"}'
    async with served.api.session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
        assert answer.status in (400, 422)


async def test_an_account_of_an_earlier_version_gets_its_number(served: SoftwareOffice) -> None:
    """At its next sign-in; and it keeps it."""
    key, where = await _person(served, "partner"), served.api.deployment.location
    changed(where, "UPDATE account SET number = NULL")
    found = []
    for _ in range(2):
        await sign_in.finish(served.office, _answer(served, await sign_in.begin(served.office), key))
        found += rows(where, "SELECT number FROM account WHERE actor = 'Example Bank plc'")

    assert found[0] == found[1]
    assert _allowed(await sign_in.begin(served.office, found[0][0])) == [key.authenticator.credential_id]


async def test_who_is_unknown_has_the_same_keys_each_time(served: SoftwareOffice) -> None:
    """In whatever way it is typed, and another's are others."""
    number, other = (account_numbers.make(os.urandom) for _ in range(2))
    lists = [
        (await sign_in.begin(served.office, asked)).options["allowCredentials"]
        for asked in (number, number.replace(" ", "-"), other, "Nora Nobody", "nora  NOBODY")
    ]

    assert lists[0] == lists[1]
    assert lists[3] == lists[4]
    assert len({str(listed) for listed in lists}) == 3


async def test_an_ended_account_and_one_without_keys_are_unknown(served: SoftwareOffice) -> None:
    """What was registered shows no more."""
    second, partner = await _person(served, "second"), await _person(served, "partner")
    where = served.api.deployment.location
    [(handle,)] = rows(where, "SELECT handle FROM account WHERE actor = 'Oscar Officer'")
    [(number,)] = rows(where, "SELECT number FROM account WHERE role = 'relying-party'")
    await served.confirmed("admin", lambda who, given: staff.end(served.office, who, handle, given))
    changed(where, "UPDATE security_key SET removed_at = 1 WHERE account_id IN "
                   "(SELECT id FROM account WHERE role = 'relying-party')")  # fmt: skip

    for asked, key in (("Oscar Officer", second), (number, partner)):
        begun = await sign_in.begin(served.office, asked)
        assert begun.options["allowCredentials"]
        assert key.authenticator.credential_id not in _allowed(begun)
        with pytest.raises(CeremonyRefused) as refused:  # and not KeyRemoved: that is for who asked for no account
            await sign_in.finish(served.office, _answer(served, begun, key))
        assert refused.value.rule == "account"
        with pytest.raises(KeyRemoved) as removed:
            await sign_in.finish(served.office, _answer(served, await sign_in.begin(served.office), key))
        assert removed.value.credential_id == key.authenticator.credential_id


async def test_the_same_is_done_for_who_is_there_and_for_who_is_not(served: SoftwareOffice) -> None:
    """The same calls of the token and of the database, in the same order."""
    _, number = await _citizen(served)
    done = []
    for asked in (number, account_numbers.make(os.urandom)):
        calls: list[str] = []
        office = replace(
            served.office,
            store=cast(Store, _Watched(served.office.store, calls)),
            custodian=cast(Custodian, _Watched(served.token, calls)),
        )
        await sign_in.begin(office, asked)
        done.append(calls)

    assert done[0] == done[1] == ["fetch", "commit"]


async def test_lists_of_all_kinds_take_one_time_at_least(served: SoftwareOffice, waits: Waits) -> None:
    """Whoever is asked for, the rest of one time is waited; a sign-in that asks for nobody waits for nothing."""
    _, number = await _citizen(served)
    await sign_in.begin(served.office)
    assert waits.asked == []
    for asked in (number, account_numbers.make(os.urandom), "Olive Officer", "Nora Nobody"):
        await sign_in.begin(served.office, asked)

    assert waits.asked == [pytest.approx(sign_in.ANSWERED_AFTER_SECONDS - Waits.PASSED)] * 4


class _Watched:
    """Something whose methods are written down when they are called."""

    def __init__(self, watched: object, calls: list[str]) -> None:
        self._watched, self._calls = watched, calls

    def __getattr__(self, name: str) -> Any:
        self._calls.append(name)
        return getattr(self._watched, name)


async def test_every_refusal_is_the_same_to_the_byte(served: SoftwareOffice) -> None:
    """A made-up key, a wrong signature, another's key, for an account that is there and for one that is not."""
    key, number = await _citizen(served)
    officer, stranger = await _person(served, "officer"), PersonalKey()
    answers = []
    for asked in (number, account_numbers.make(os.urandom)):
        for signer, claimed in ((stranger, 0), (stranger, None), (officer, officer), (stranger, key)):
            begun = await served.api.begun(OPTIONS, {"account": asked})
            response = signer.get(begun["public_key"], served.office.deployment.iss)
            response["response"]["userHandle"] = base64url.encode(key.user_handle)
            if claimed == 0:
                response["id"] = response["rawId"] = begun["public_key"]["allowCredentials"][0]["id"]
            elif isinstance(claimed, PersonalKey):
                response["id"] = response["rawId"] = base64url.encode(claimed.authenticator.credential_id)
                response["response"]["userHandle"] = base64url.encode(claimed.user_handle)
            answers.append(await _raw(served, {"ceremony": begun["ceremony"], "response": response}))

    assert len(answers) == 8
    assert len(set(answers)) == 1
    assert b"/problems/verification-failed" in answers[0][2]


async def _raw(served: SoftwareOffice, body: Any) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
    async with served.api.session.post(served.api.deployment.url + SIGN_IN, json=body) as answer:
        headers = tuple((name, value) for name, value in answer.headers.items() if name != "Date")
        return answer.status, headers, await answer.read()


@pytest.mark.drivers_alike
@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("by_name", [False, True])
async def test_nobody_tells_who_is_there(served: SoftwareOffice, by_name: bool) -> None:  # noqa: FBT001  a parameter
    """A guesser who saw 200 lists of each kind, and knows which were which, does no better than by chance."""
    there = await _many_accounts(served, 200, by_name=by_name)
    nobody = [f"Nora Nobody {at}" if by_name else account_numbers.make(os.urandom) for at in range(200)]
    examples: list[Example] = []
    for kind, asked in ((KNOWN, there), (UNKNOWN, nobody)):
        for one in asked:
            answer = await served.api.begun(OPTIONS, {"account": one})
            examples.append((kind, tuple(_seen(answer).items())))

    score = guessing(examples)
    assert score.types == 2
    assert score.accuracy < score.bound


@pytest.mark.drivers_alike
@pytest.mark.usefixtures("waits")
async def test_the_guesser_finds_what_is_not_alike(served: SoftwareOffice) -> None:
    """With lists made up as one would at first, of one id of 32 bytes, it is right most of the time."""
    examples: list[Example] = []
    for one in await _many_accounts(served, 200, by_name=False):
        begun = await served.api.begun(OPTIONS, {"account": one})
        naive = {"type": "public-key", "id": base64url.encode(os.urandom(32)), "transports": ["usb"]}
        changed_list = {**begun, "public_key": {**begun["public_key"], "allowCredentials": [naive]}}
        examples += [(KNOWN, tuple(_seen(begun).items())), (UNKNOWN, tuple(_seen(changed_list).items()))]

    assert guessing(examples).accuracy > 0.8


def _seen(answer: Any) -> dict[str, int]:
    """Everything that can be told of an answer: its members, how many keys, their sizes, order, ways and bits."""
    listed = answer["public_key"]["allowCredentials"]
    ids = [base64url.decode(one["id"]) for one in listed]
    seen = {
        "members": hash((tuple(answer), tuple(answer["public_key"]), *(tuple(one) for one in listed))),
        "keys": len(listed),
        "sorted": int(ids == sorted(ids)) if len(ids) > 1 else 2,
        "sizes rise": int([len(id_) for id_ in ids] == sorted(len(id_) for id_ in ids)) if len(ids) > 1 else 2,
        "timeout": answer["public_key"]["timeout"],
    }
    for at, (id_, one) in enumerate(zip(ids, listed, strict=True)):
        seen |= {f"size {at}": len(id_), f"ways {at}": hash(tuple(one["transports"]))}
        seen |= {f"half {at} {place}": byte >> 4 for place, byte in enumerate(id_[:16])}
    return seen


async def _many_accounts(served: SoftwareOffice, count: int, *, by_name: bool) -> list[str]:
    """Accounts with keys as people have them; by what each is asked for."""
    writes: list[Write] = []
    asked = []
    for at in range(count):
        account = _account(served, at, by_name=by_name)
        writes.append(Insert(tables.account, account))
        writes += [Insert(tables.security_key, key) for key in _keys(served, account["id"], by_name=by_name)]
        asked.append(f"Sam Staff {at}" if by_name else account["number"])
    await served.office.store.commit(WriteSet(tuple(writes)))
    return asked


def _account(served: SoftwareOffice, at: int, *, by_name: bool) -> dict[str, Any]:
    return {
        **dict.fromkeys(tables.account.c.keys()),
        "id": served.office.new_id(),
        "handle": os.urandom(16),
        "user_handle": os.urandom(64),
        "role": Role.OFFICER.value if by_name else Role.CITIZEN.value,
        "actor": f"Sam Staff {at}" if by_name else None,
        "name_as_read": f"sam staff {at}" if by_name else None,
        "created_by": "a test",
        "created_at": served.clock.now(),
        "number": account_numbers.make(os.urandom),
    }


def _keys(served: SoftwareOffice, account: bytes, *, by_name: bool) -> list[dict[str, Any]]:
    counts, makes = (
        (decoy_keys.STAFF_KEYS, decoy_keys.STAFF_MAKES)
        if by_name
        else (decoy_keys.PUBLIC_KEYS, decoy_keys.PUBLIC_MAKES)
    )
    return [_key(served, account, *_drawn(makes)) for _ in range(_drawn(counts))]


def _drawn(table: decoy_keys.Weighted[Any]) -> Any:
    return random.choices([value for _, value in table], [share for share, _ in table])[0]  # noqa: S311  not a secret


def _key(served: SoftwareOffice, account: bytes, size: int, transports: tuple[str, ...]) -> dict[str, Any]:
    return {
        **dict.fromkeys(tables.security_key.c.keys()),
        "id": served.office.new_id(),
        "handle": os.urandom(16),
        "account_id": account,
        "credential_id": os.urandom(size),
        "cose_key": b"",
        "algorithm": -7,
        "sign_count": 0,
        "backup_eligible": 0,
        "backed_up": 0,
        "aaguid": bytes(16),
        "transports": " ".join(transports),
        "attestation_format": "none",
        "policy_version": 3,
        "name": "key",
        "created_at": served.clock.now(),
    }
