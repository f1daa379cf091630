"""Admins' routes: acts of administration that take two of them."""

from __future__ import annotations

from idverify.core.action import Action
from idverify.services import administration
from idverify.services.administration import Waiting
from idverify.web import schema
from idverify.web.endpoint import Call, Reply


async def propose(call: Call) -> Reply:
    """Ask a second admin for an act that no admin does alone."""
    asked: schema.AdminAction = call.body
    action = Action(asked.act, asked.subject, asked.content)
    return Reply(_shown(await administration.propose(call.office, call.caller, action, call.given)), 202)


async def list_proposals(call: Call) -> schema.AdminProposals:
    """Every act that waits for a second admin."""
    waiting = await administration.waiting(call.office, call.caller)
    return schema.AdminProposals(proposals=list(map(_shown, waiting)))


async def read_proposal(call: Call) -> schema.AdminProposal:
    """One act that waits for a second admin, with all that it says."""
    return _shown(await administration.proposal(call.office, call.caller, call.handle("proposal")))


async def approve(call: Call) -> schema.AdminActDone:
    """Carry out what another admin proposed."""
    made = await administration.approve(call.office, call.caller, call.handle("proposal"), call.given)
    if made is None:
        return schema.AdminActDone(enrolment=None)
    part = schema.SecondPart(second_part=made.part, expires_at=schema.instant(made.expires_at))
    return schema.AdminActDone(enrolment=part)


def _shown(waiting: Waiting) -> schema.AdminProposal:
    return schema.AdminProposal(
        proposal=waiting.handle.hex(),
        action=schema.AdminAction.model_validate(waiting.action.to_json()),
        proposed_by=waiting.proposed_by,
        expires_at=schema.instant(waiting.expires_at),
    )
