"""Officers' routes: people, decisions, offers."""

from __future__ import annotations

from typing import Any

from idverify.services import decide, offer, people
from idverify.services.decide import Decided, Ruling, Waiting
from idverify.services.offer import Wanted
from idverify.web import schema
from idverify.web.endpoint import Call, Reply


async def create(call: Call) -> Reply:
    """Record a person."""
    handle = await people.create(call.office, call.caller, call.body.details)
    reference = schema.PersonReference(person=handle.hex())
    return Reply(reference, status=201, headers={"Location": f"/api/v1/people/{handle.hex()}"})


async def search(call: Call) -> schema.PersonReference:
    """Find a person by travel document."""
    handle = await people.find(call.office, call.caller, call.body.travel_document)
    return schema.PersonReference(person=handle.hex())


async def read(call: Call) -> schema.PersonView:
    """Everything held on a person."""
    held = await people.overview(call.office, call.caller, call.handle("person"))
    return schema.PersonView(
        person=held["reference"].hex(),
        status=held["status"],
        details=held["details"],
        permissions=held["permissions"],
        identity_assurance=held["assurance"],
        decisions=[_decision(row, basis) for row, basis in held["decisions"]],
        credentials=[_credential(row) for row in held["credentials"]],
        looks=[_look(row) for row in held["looks"]],
    )


async def make_decision(call: Call) -> Reply:
    """Decide on a person; 202 with a proposal where it takes a second officer."""
    asked: schema.NewDecision = call.body
    ruling = Ruling(call.handle("person"), asked.kind, asked.reason, asked.content())
    outcome = await decide.decide(call.office, call.caller, ruling, call.given)
    if isinstance(outcome, Decided):
        return Reply(_made(outcome), status=201)
    waiting = schema.ProposalMade(proposal=outcome.handle.hex(), expires_at=schema.instant(outcome.expires_at))
    return Reply(waiting, status=202)


async def approve_proposal(call: Call) -> Reply:
    """Carry out what another officer proposed."""
    decided = await decide.approve(call.office, call.caller, call.handle("proposal"), call.given)
    return Reply(_made(decided), status=201)


async def list_proposals(call: Call) -> schema.Proposals:
    """Every decision that waits for a second officer."""
    proposals = await decide.waiting(call.office, call.caller)
    return schema.Proposals(proposals=[schema.ProposalView(**_waiting(proposal)) for proposal in proposals])


async def read_proposal(call: Call) -> schema.ProposalDetail:
    """One proposal with all that it says; its subject sees that it was read."""
    waiting, ruling, _ = await decide.proposal(call.office, call.caller, call.handle("proposal"))
    said = ruling.content
    return schema.ProposalDetail(
        **_waiting(waiting),
        legal_basis=said.legal_basis,
        permissions=said.permissions,
        identity_assurance=said.identity_assurance,
    )


async def make_offer(call: Call) -> Reply:
    """Give a person the one-time right to collect a credential."""
    made = await offer.offer(
        call.office, call.caller, call.handle("person"), Wanted(call.body.type, call.body.format), call.given
    )
    shown = schema.OfferMade(
        issuer=made.issuer,
        type=made.type,
        format=made.format,
        code=made.code,
        nonce=made.nonce,
        expires_at=schema.instant(made.expires_at),
    )
    return Reply(shown, status=201, headers={"Cache-Control": "no-store"})


def _made(decided: Decided) -> schema.DecisionMade:
    return schema.DecisionMade(
        decision=decided.handle.hex(),
        status=decided.status,
        ledger_shard=decided.ledger_shard,
        ledger_index=decided.ledger_index,
        credentials_changed=decided.copies,
    )


def _waiting(waiting: Waiting) -> dict[str, Any]:
    return {
        "proposal": waiting.handle.hex(),
        "person": waiting.person.hex(),
        "kind": waiting.kind,
        "reason": waiting.reason,
        "proposed_by": waiting.proposed_by,
        "expires_at": schema.instant(waiting.expires_at),
    }


def _decision(row: Any, legal_basis: str) -> schema.DecisionView:
    return schema.DecisionView(
        decision=row["handle"].hex(),
        kind=row["kind"],
        reason=row["reason"],
        legal_basis=legal_basis,
        decided_by=row["decided_by"],
        approved_by=row["approved_by"],
        decided_at=schema.instant(row["decided_at"]),
        ledger_shard=row["ledger_shard"],
        ledger_index=row["ledger_index"],
    )


def _credential(row: Any) -> schema.CredentialView:
    return schema.CredentialView(
        credential=row["handle"].hex(),
        type=row["type"],
        format=row["format"],
        status=row["status"],
        issued_at=schema.instant(row["issued_at"]),
        expires_at=schema.instant(row["expires_at"]),
        ledger_shard=row["ledger_shard"],
        ledger_index=row["ledger_index"],
    )


def _look(row: Any) -> schema.LookView:
    return schema.LookView(
        looked_at=schema.instant(row["looked_at"]),
        actor=row["actor"],
        role=row["role"],
        purpose=row["purpose"],
        channel=row["channel"],
        verdict=row["verdict"],
    )
