"""Deciding: what is asked of an officer, and what happens when two decide at once."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from idverify.core.decision import DecisionKind
from idverify.core.policy import Principal, Role
from idverify.core.types.immigration_status import ImmigrationPermission
from idverify.errors import Conflict, Gone, IdverifyError, NotAllowed, NotFound, Unprocessable
from idverify.services.decide import Decided, Ruling, approve, decide
from idverify.services.invite import Invited
from idverify.services.people import read
from idverify.services.proposals import PROPOSAL_SECONDS, Proposed
from idverify.services.records import opening_place, split_opening
from idverify.services.sealed import unseal_content
from idverify.stores import queries, tables
from idverify.stores.writes import Change, WriteSet
from tests.simulators.holder import holding
from tests.simulators.rulings import content
from tests.simulators.service import PERMISSION
from tests.simulators.software_office import SoftwareOffice

MOVED_ON = "The person's permission has changed since this was proposed; it must be proposed again."
PERMITTED: dict[str, Any] = ImmigrationPermission.model_validate(PERMISSION).model_dump(mode="json")


EXTENDED = PERMITTED | {"permission_end": "2035-12-31"}


def ruling(person: bytes, kind: DecisionKind, reason: str, permission: dict[str, Any] | None = None) -> Ruling:
    return Ruling(person, kind, reason, content(permission))


@pytest.fixture
async def person(served: SoftwareOffice) -> bytes:
    """A person with an active status."""
    return bytes.fromhex(await served.api.person_with_status())


_DECISIONS = (
    select(
        tables.decision.c.id.label("decision_id"),
        tables.decision.c.handle.label("decision_handle"),
        *(tables.decision.c[name] for name in ("kind", "reason", "decided_by", "approved_by", "decided_at", "sealed")),
        tables.ledger_record.c.handle.label("entry_handle"),
        tables.ledger_record.c.opening,
    )
    .join(tables.ledger_record, tables.ledger_record.c.ledger_index == tables.decision.c.ledger_index)
    .order_by(tables.decision.c.ledger_index)
)


async def _decided(served: SoftwareOffice, one: Ruling) -> Decided | Proposed:
    return await served.confirmed("officer", lambda officer, given: decide(served.office, officer, one, given))


async def _approved(served: SoftwareOffice, proposal: bytes, who: str = "second") -> Decided:
    return await served.confirmed(who, lambda officer, given: approve(served.office, officer, proposal, given))


async def _proposed(
    served: SoftwareOffice,
    person: bytes,
    kind: DecisionKind,
    reason: str,
    permission: dict[str, Any] | None = None,
) -> bytes:
    outcome = await _decided(served, ruling(person, kind, reason, permission))
    assert isinstance(outcome, Proposed)
    return outcome.handle


@pytest.mark.parametrize(
    ("kind", "reason", "permission", "sentence"),
    [
        (DecisionKind.VARY, "extended", None, "needs the permission"),
        (DecisionKind.SUSPEND, "under-review", PERMITTED, "carries no permission"),
        (DecisionKind.SUSPEND, "extended", None, "must be one of: under-review"),
        (DecisionKind.GRANT, "application-granted", PERMITTED, "this one's is active"),
    ],
)
async def test_rulings_that_make_no_sense(
    served: SoftwareOffice,
    person: bytes,
    kind: DecisionKind,
    reason: str,
    permission: dict[str, Any] | None,
    sentence: str,
) -> None:
    """A ruling that contradicts itself or the person's status is refused, and says what would fit."""
    with pytest.raises(Unprocessable, match=sentence):
        await _decided(served, ruling(person, kind, reason, permission))


async def test_nobody_there(served: SoftwareOffice) -> None:
    """There is no deciding on somebody, or approving something, that is not on record."""
    with pytest.raises(NotFound):
        await _decided(served, ruling(bytes(16), DecisionKind.SUSPEND, "under-review"))
    with pytest.raises(NotFound):
        await _approved(served, bytes(16))


async def test_a_proposal_runs_out(served: SoftwareOffice, person: bytes) -> None:
    """A proposal can be carried out for 72 hours; after them the person's status is as it was."""
    early = await _proposed(served, person, DecisionKind.SUSPEND, "under-review")
    late = await _proposed(served, person, DecisionKind.REVOKE, "fraud-found")

    served.clock.advance(PROPOSAL_SECONDS - 1)
    suspended = await _approved(served, early)
    served.clock.advance(1)
    with pytest.raises(Gone):
        await _approved(served, late)

    assert suspended.status == "suspended"
    assert (await read(served.office, person)).status == "suspended"


async def test_a_proposal_that_nobody_confirmed(served: SoftwareOffice, person: bytes) -> None:
    """A proposal from before people signed in has no confirmation to show: it cannot be carried out any more."""
    proposal = await _proposed(served, person, DecisionKind.SUSPEND, "under-review")
    nothing = {"authorisation_id": None, "proposed_by_account": None, "proposed_by": "Case System"}
    unconfirmed = Change(tables.proposal, {"handle": proposal}, nothing)
    await served.office.store.commit(WriteSet((unconfirmed,)))

    with pytest.raises(Gone, match="must be proposed again"):
        await approve(served.office, await served.principal("second"), proposal, None)

    assert (await read(served.office, person)).status == "active"


async def test_the_ledger_commits_to_how_it_was_confirmed(served: SoftwareOffice, person: bytes) -> None:
    """A decision's record opens to all that it says, the evidence of one or of both people included."""
    await _approved(served, await _proposed(served, person, DecisionKind.SUSPEND, "under-review"))
    key = (await read(served.office, person)).key
    rows: list[Any] = await served.office.store.fetch(_DECISIONS, {})

    for row in rows:
        confirmed = await served.office.store.fetch(
            queries.AUTHORISATIONS_OF_DECISION, {"handle": row["decision_handle"]}
        )
        content = unseal_content(key, "decision", row["decision_id"], row["sealed"])
        said = [
            row["decision_handle"].hex(),
            row["kind"],
            row["reason"],
            row["decided_by"],
            row["approved_by"],
            [hashlib.sha256(one["evidence"]).hexdigest() for one in confirmed],
            row["decided_at"],
            content.model_dump(mode="json"),
        ]
        canonical = json.dumps(said, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
        _, record = split_opening(key.unseal(row["opening"], opening_place(row["entry_handle"])))
        assert record.object_digest == hashlib.sha256(canonical).digest()
        assert len(confirmed) == {"grant": 1, "suspend": 2}[row["kind"]]
        assert row["entry_handle"] != row["decision_handle"]  # which stands in every credential
    assert [row["kind"] for row in rows] == ["grant", "suspend"]


async def test_a_proposal_is_carried_out_once(served: SoftwareOffice, person: bytes) -> None:
    """Of approvals that come at the same time one succeeds; the others are told."""
    proposal = await _proposed(served, person, DecisionKind.SUSPEND, "under-review")
    await served.api.enrol("carol", await served.api.deployment.invite(Invited(Role.OFFICER, "Carol Officer")))

    outcomes = await asyncio.gather(
        *(_approved(served, proposal, who) for who in ("second", "carol", "second")), return_exceptions=True
    )

    assert sum(isinstance(outcome, Decided) for outcome in outcomes) == 1
    assert all(isinstance(outcome, Decided | Conflict | Unprocessable) for outcome in outcomes)


async def test_who_may_decide(served: SoftwareOffice, person: bytes) -> None:
    """Deciding and approving are an officer's who signed in; approving is another officer's, not another account's."""
    proposal = await _proposed(served, person, DecisionKind.SUSPEND, "under-review")
    employer = Principal("key 4", "Example Employer Ltd", Role.RELYING_PARTY, None)
    program = Principal("key 5", "Case System", Role.OFFICER, None)
    namesake = replace(await served.principal("second"), actor="olive \uff2fFFICER")
    revocation = ruling(person, DecisionKind.REVOKE, "fraud-found")

    for caller, sentence in ((employer, "role officer"), (program, "an API key cannot")):
        with pytest.raises(NotAllowed, match=sentence):
            await decide(served.office, caller, revocation, None)
        with pytest.raises(NotAllowed, match=sentence):
            await approve(served.office, caller, proposal, None)
    for caller in (await served.principal("officer"), namesake):
        with pytest.raises(NotAllowed, match="Another officer"):
            await approve(served.office, caller, proposal, None)


async def test_decisions_at_the_same_time(served: SoftwareOffice, person: bytes) -> None:
    """Of four proposals on one permission, approved at once, one is carried out; the others must be made again."""
    waiting = [await _proposed(served, person, DecisionKind.VARY, "extended", PERMITTED) for _ in range(4)]

    outcomes = await asyncio.gather(*(_approved(served, one) for one in waiting), return_exceptions=True)

    made = [outcome for outcome in outcomes if isinstance(outcome, Decided)]
    shown = await served.api.ok("GET", f"/api/v1/people/{person.hex()}", "officer")
    assert [decision["ledger_index"] for decision in shown["decisions"]][1:] == [made[0].ledger_index]
    assert [str(outcome) for outcome in outcomes if isinstance(outcome, Conflict)] == [MOVED_ON] * 3


class _AlwaysLate:
    """A store on which somebody else was always faster."""

    def __init__(self, store: Any, person: bytes) -> None:
        self._store, self._person = store, person

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def write(self, work: Any) -> Any:
        """Write after the person's version has moved on."""

        async def move_on(transaction: Any) -> None:
            await transaction.connection.run(
                "UPDATE person SET version = version + 1 WHERE handle = :handle", {"handle": self._person}
            )

        await self._store.write(move_on)
        return await self._store.write(work)


async def test_a_record_that_never_rests(served: SoftwareOffice, person: bytes) -> None:
    """Whoever is always too late is told so in the end, and nothing was decided."""
    office = replace(served.office, store=_AlwaysLate(served.office.store, person))
    before = (await read(served.office, person)).permission_decision_id
    waiting = await _proposed(served, person, DecisionKind.VARY, "extended", PERMITTED)

    with pytest.raises(Conflict, match="keeps changing"):
        await served.confirmed("second", lambda officer, given: approve(office, officer, waiting, given))

    assert (await read(served.office, person)).permission_decision_id == before


async def test_every_copy_changes_with_the_decision(served: SoftwareOffice) -> None:
    """Suspended copies come back; a copy that was invalid before stays invalid through it all."""
    old = await holding(served.api)
    person = bytes.fromhex(old.person)
    varied = await _proposed(served, person, DecisionKind.VARY, "extended", EXTENDED)
    await _approved(served, varied)
    for _ in range(2):
        await holding(served.api, old.person)

    async def copies() -> list[str]:
        shown = await served.api.ok("GET", f"/api/v1/people/{old.person}", "officer")
        return [copy["status"] for copy in shown["credentials"]]

    seen = [await copies()]
    for kind, reason in (
        (DecisionKind.SUSPEND, "under-review"),
        (DecisionKind.REINSTATE, "review-closed"),
        (DecisionKind.REVOKE, "permission-cancelled"),
    ):
        made = await _approved(served, await _proposed(served, person, kind, reason))
        seen.append(await copies())
        assert made.copies == 2

    assert seen == [
        ["invalid", "valid", "valid"],
        ["invalid", "suspended", "suspended"],
        ["invalid", "valid", "valid"],
        ["invalid", "invalid", "invalid"],
    ]


async def test_a_decision_needs_no_hsm_signature(served: SoftwareOffice, person: bytes) -> None:
    """With the HSM away a decision is still recorded; the list that shows it follows when the HSM is back."""
    waiting = await _proposed(served, person, DecisionKind.VARY, "extended", PERMITTED)  # their key is at hand now
    served.token.away = IdverifyError("away")

    outcome = await _approved(served, waiting)

    assert isinstance(outcome, Decided)


@pytest.mark.parametrize(("table", "gone"), [("account", "ended_at"), ("security_key", "suspended_at")])
async def test_whoever_proposed_it_was_shown_the_door(
    served: SoftwareOffice, person: bytes, table: str, gone: str
) -> None:
    """A decision that takes two needs two who are here, and whose keys confirm things still."""
    proposal = await _proposed(served, person, DecisionKind.SUSPEND, "under-review")
    proposer = (await served.principal("officer")).signed_in
    assert proposer is not None
    row = {"account": proposer.account, "security_key": proposer.security_key}[table]
    shown_out = Change(tables.metadata.tables[table], {"id": row}, {gone: served.clock.now()})
    await served.office.store.commit(WriteSet((shown_out,)))

    with pytest.raises(Conflict, match="since; it must be proposed again"):
        await _approved(served, proposal, "second")
