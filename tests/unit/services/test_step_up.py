"""Step-up: what is carried out is exactly what was confirmed, by who confirmed it, once, and it can be shown later."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from idverify.auth.step_up import verify_evidence
from idverify.core.action import StepUpRequired
from idverify.core.decision import DecisionKind
from idverify.core.policy import Principal
from idverify.core.types.immigration_status import IMMIGRATION_STATUS, ImmigrationPermission
from idverify.errors import CeremonyRefused, Conflict, Gone, IdverifyError, NotFound, UserVerificationNeeded
from idverify.services import sign_in, step_up
from idverify.services.ceremonies import SECONDS, Beginning, Ceremony, Given
from idverify.services.decide import Ruling, approve, decide
from idverify.services.offer import Offer, Wanted, offer
from idverify.services.people import read
from idverify.services.proposals import Proposed
from idverify.services.records import opening_place, split_opening
from idverify.services.sessions import recognise
from idverify.stores import queries, tables
from tests.simulators.authenticator import UP
from tests.simulators.rulings import content
from tests.simulators.service import PERMISSION
from tests.simulators.software_office import SoftwareOffice

SUSPEND = Ruling(bytes(16), DecisionKind.SUSPEND, "under-review", content())


@pytest.fixture
async def ruling(served: SoftwareOffice) -> Ruling:
    """To suspend a person with an active status."""
    return replace(SUSPEND, person=bytes.fromhex(await served.api.person_with_status()))


async def _begun(served: SoftwareOffice, who: Principal, ruling: Ruling) -> Beginning:
    return await step_up.begin(served.office, who, ruling.action())


def _given(served: SoftwareOffice, begun: Beginning, who: str = "officer", **said: int) -> Given:
    key = served.api.deployment.people[who].key
    return Given(begun.ceremony, key.get(begun.options, served.office.deployment.iss, **said))


async def _nothing_was_done(served: SoftwareOffice) -> None:
    """No proposal, and of the acts confirmed only the grant that the person began with."""
    assert await served.office.store.fetch(select(tables.proposal.c.id), {}) == []
    assert len(await served.office.store.fetch(select(tables.authorisation.c.id), {})) == 1


async def test_an_act_asks_to_be_confirmed(served: SoftwareOffice, ruling: Ruling) -> None:
    """Without a confirmation nothing is done, and the refusal says what exactly is to be confirmed, with which key."""
    olive = await served.principal("officer")

    with pytest.raises(StepUpRequired) as asked:
        await decide(served.office, olive, ruling, None)
    begun = await _begun(served, olive, ruling)

    assert asked.value.action.to_json() == {
        "act": "decide",
        "subject": ruling.person.hex(),
        "content": {
            "kind": "suspend",
            "reason": "under-review",
            "legal_basis": "Rules, part 9",
            "permissions": None,
            "identity_assurance": None,
        },
    }
    assert len(begun.options["allowCredentials"]) == 1
    assert begun.options["userVerification"] == "required"
    assert begun.options["timeout"] == SECONDS[Ceremony.STEP_UP] * 1000
    await _nothing_was_done(served)


@pytest.mark.parametrize(
    "swapped",
    [
        {"kind": DecisionKind.REVOKE, "reason": "fraud-found"},
        {"content": content(legal_basis="Rules, part 10")},
        {"person": "another"},
    ],
    ids=lambda swapped: next(iter(swapped)),
)
async def test_a_swapped_act_is_refused(served: SoftwareOffice, ruling: Ruling, swapped: dict[str, Any]) -> None:
    """Whatever field is another one between the question and the answer: refused, and the confirmation is used up."""
    olive, another = await served.principal("officer"), bytes.fromhex(await served.api.person_with_status())
    given = _given(served, await _begun(served, olive, ruling))
    other = replace(ruling, **(swapped | ({"person": another} if "person" in swapped else {})))

    with pytest.raises(Conflict, match="not the act that was to be confirmed"):
        await decide(served.office, olive, other, given)
    with pytest.raises(Conflict, match="answered already"):
        await decide(served.office, olive, ruling, given)

    assert await served.office.store.fetch(select(tables.proposal.c.id), {}) == []


@pytest.mark.parametrize("field", ["work", "permission_end"])
async def test_a_swapped_permission_is_refused(served: SoftwareOffice, ruling: Ruling, field: str) -> None:
    """What a decision permits is part of the act, to the last condition."""
    olive = await served.principal("officer")
    permission = ImmigrationPermission.model_validate(PERMISSION).model_dump(mode="json")
    vary = replace(ruling, kind=DecisionKind.VARY, reason="extended", content=content(permission))
    more = {"work": {**permission["work"], "allowed": "yes"}, "permission_end": "2099-12-31"}

    with pytest.raises(Conflict, match="not the act that was to be confirmed"):
        await decide(
            served.office,
            olive,
            replace(vary, content=content(permission | {field: more[field]})),
            _given(served, await _begun(served, olive, vary)),
        )

    assert await served.office.store.fetch(select(tables.proposal.c.id), {}) == []


async def test_a_confirmation_is_for_one_act(served: SoftwareOffice) -> None:
    """An offer confirmed is one offer: the same confirmation makes no second one, also at the same moment."""
    person = bytes.fromhex(await served.api.person_with_status())
    olive = await served.principal("officer")
    with pytest.raises(StepUpRequired) as asked:
        await offer(served.office, olive, person, Wanted(IMMIGRATION_STATUS.id), None)
    begun = await step_up.begin(served.office, olive, asked.value.action)
    given = _given(served, begun)

    outcomes = await asyncio.gather(
        *(offer(served.office, olive, person, Wanted(IMMIGRATION_STATUS.id), given) for _ in range(20)),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, Offer) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 19


async def test_a_confirmation_takes_two_minutes_at_most(served: SoftwareOffice, ruling: Ruling) -> None:
    """In its last second it holds, in the one after it is gone."""
    olive = await served.principal("officer")
    early, late = [_given(served, await _begun(served, olive, ruling)) for _ in range(2)]

    served.clock.advance(SECONDS[Ceremony.STEP_UP] - 1)
    assert isinstance(await decide(served.office, olive, ruling, early), Proposed)
    served.clock.advance(1)
    with pytest.raises(Gone):
        await decide(served.office, olive, ruling, late)


async def test_a_sign_in_confirms_nothing(served: SoftwareOffice, ruling: Ruling) -> None:
    """The answer to a challenge of another kind is no confirmation."""
    olive = await served.principal("officer")
    given = _given(served, await sign_in.begin(served.office))

    with pytest.raises(NotFound):
        await decide(served.office, olive, ruling, given)

    await _nothing_was_done(served)


async def test_another_session_s_confirmation(served: SoftwareOffice, ruling: Ruling) -> None:
    """What was asked of one session is answered by that session alone: not by another person's, nor another of mine."""
    olive, oscar = await served.principal("officer"), await served.principal("second")
    opened = await sign_in.finish(served.office, _given(served, await sign_in.begin(served.office)))
    elsewhere = (await recognise(served.office, opened.token)).principal

    for thief in (oscar, elsewhere):
        given = _given(served, await _begun(served, olive, ruling))
        with pytest.raises(CeremonyRefused) as refused:
            await decide(served.office, thief, ruling, given)
        assert refused.value.rule == "session"

    await _nothing_was_done(served)


async def test_another_s_key_confirms_nothing(served: SoftwareOffice, ruling: Ruling) -> None:
    """The key that opened the session confirms; whoever else touches theirs is refused."""
    olive = await served.principal("officer")
    await served.principal("second")
    begun = await _begun(served, olive, ruling)

    with pytest.raises(CeremonyRefused):
        await decide(served.office, olive, ruling, _given(served, begun, "second"))

    await _nothing_was_done(served)


async def test_a_key_that_asked_for_no_pin_confirms_nothing(served: SoftwareOffice, ruling: Ruling) -> None:
    """Whoever finds a key in its socket must not be able to decide with it."""
    olive = await served.principal("officer")

    with pytest.raises(UserVerificationNeeded):
        await decide(served.office, olive, ruling, _given(served, await _begun(served, olive, ruling), flags=UP))

    await _nothing_was_done(served)


async def test_a_key_need_not_say_whose_it_is(served: SoftwareOffice, ruling: Ruling) -> None:
    """The session knows the account, so a key that names no user (CTAP allows it where it was named) is taken."""
    olive = await served.principal("officer")
    given = _given(served, await _begun(served, olive, ruling))
    silent = dict(given.response["response"]) | {"userHandle": None}

    outcome = await decide(served.office, olive, ruling, Given(given.ceremony, {**given.response, "response": silent}))

    assert isinstance(outcome, Proposed)


async def _evidence(served: SoftwareOffice) -> list[Any]:
    columns = tables.authorisation, tables.ledger_record.c.opening, tables.ledger_record.c.type
    joined = select(*columns).join(tables.ledger_record, tables.ledger_record.c.handle == tables.authorisation.c.handle)
    return await served.office.store.fetch(joined.order_by(tables.authorisation.c.ledger_index), {})


async def test_what_was_confirmed_can_be_shown(served: SoftwareOffice, ruling: Ruling) -> None:
    """The evidence verifies by itself, names the act and who confirmed it, and its hash is what the ledger holds."""
    olive = await served.principal("officer")
    await decide(served.office, olive, ruling, _given(served, await _begun(served, olive, ruling)))

    row = (await _evidence(served))[-1]
    confirmed = verify_evidence(row["evidence"])

    person = await read(served.office, ruling.person)
    _, record = split_opening(person.key.unseal(row["opening"], opening_place(row["handle"])))
    assert olive.signed_in is not None
    assert confirmed.action_digest == row["action_digest"] == ruling.action().digest()
    assert confirmed.context.account == hashlib.sha256(olive.signed_in.account).hexdigest()
    assert confirmed.context.session == hashlib.sha256(olive.signed_in.session).hexdigest()
    assert confirmed.credential_id == served.api.deployment.people["officer"].key.authenticator.credential_id
    assert (row["type"], row["act"], record.reason) == ("authorisation", "decide", "decide")
    assert record.object_digest == hashlib.sha256(row["evidence"]).digest()


async def test_two_people_confirm_the_same_act(served: SoftwareOffice, ruling: Ruling) -> None:
    """A decision by two has the evidence of both, over one digest, each in their own context."""
    olive = await served.principal("officer")
    waiting = await decide(served.office, olive, ruling, _given(served, await _begun(served, olive, ruling)))
    assert isinstance(waiting, Proposed)
    made = await served.confirmed("second", lambda oscar, given: approve(served.office, oscar, waiting.handle, given))

    rows: list[Any] = await served.office.store.fetch(queries.AUTHORISATIONS_OF_DECISION, {"handle": made.handle})
    first, second = (verify_evidence(row["evidence"]) for row in rows)

    assert first.action_digest == second.action_digest == ruling.action().digest()
    assert first.context.account != second.context.account
    assert first.cose_key != second.cose_key


async def test_changed_evidence_proves_nothing(served: SoftwareOffice) -> None:
    """Each kind of change in what was kept is found: another act, another person, another signature."""
    await served.api.person_with_status()
    evidence = bytes((await _evidence(served))[-1]["evidence"])
    verify_evidence(evidence)

    for name in (b'"action_digest":"', b'"account":"', b'"nonce":"', b'"signature":"', b'"client_data":"'):
        at = evidence.index(name) + len(name) + 20
        changed = evidence[:at] + (b"0" if evidence[at : at + 1] != b"0" else b"1") + evidence[at + 1 :]
        with pytest.raises(IdverifyError):
            verify_evidence(changed)
