"""Admins' routes: erase a person, two admins together."""

from __future__ import annotations

from idverify.services import erase
from idverify.services.erase import Erasure
from idverify.web import schema
from idverify.web.endpoint import Call, Reply


async def propose(call: Call) -> Reply:
    """Ask a second admin to erase a person; refused while a document of theirs is valid or suspended."""
    asked: schema.NewErasure = call.body
    erasure = Erasure(call.handle("person"), asked.reason, asked.legal_basis)
    made = await erase.propose(call.office, call.caller, erasure, call.given)
    return Reply(schema.ProposalMade(proposal=made.handle.hex(), expires_at=schema.instant(made.expires_at)), 202)


async def list_proposals(call: Call) -> schema.Erasures:
    """Every erasure that waits for a second admin."""
    waiting = [
        schema.ErasureView(
            proposal=one.handle.hex(),
            person=one.person.hex(),
            reason=one.reason,
            proposed_by=one.proposed_by,
            expires_at=schema.instant(one.expires_at),
        )
        for one in await erase.waiting(call.office, call.caller)
    ]
    return schema.Erasures(erasures=waiting)


async def approve(call: Call) -> schema.ErasureDone:
    """Erase whom another admin proposed to erase, for good."""
    done = await erase.approve(call.office, call.caller, call.handle("proposal"), call.given)
    return schema.ErasureDone(ledger_index=done.ledger_index, entries=done.entries, scrubbed=done.scrubbed)
