"""Admins' routes: which security keys staff may use, what is known of their models, and which keys are refused."""

from __future__ import annotations

from idverify.auth.authenticator_list import read_list
from idverify.auth.mds import MAX_BLOB
from idverify.core.policy import Act, require_may
from idverify.services import judgement, keep_authenticators
from idverify.services.judgement import Refused
from idverify.services.keep_authenticators import State
from idverify.web import schema
from idverify.web.body import read_body
from idverify.web.endpoint import Call


async def show(call: Call) -> schema.AuthenticatorState:
    """The list in force, the state of the metadata, registered keys that they refuse, and suspended ones."""
    return _state(await keep_authenticators.state(call.office, call.caller))


async def dry_run(call: Call) -> schema.RefusedKeys:
    """Which registered keys a list would refuse."""
    refused = await judgement.dry_run(call.office, call.caller, read_list(call.body.document))
    return schema.RefusedKeys(refused=list(map(_refused, refused)))


async def load_metadata(call: Call) -> schema.AuthenticatorState:
    """Load newer metadata of authenticators: FIDO's BLOB as it is, up to 16 MiB."""
    require_may(call.caller, Act.KEEP_AUTHENTICATORS)  # before anything as large is read
    await keep_authenticators.load(call.office, call.caller, await read_body(call.request, MAX_BLOB))
    return _state(await keep_authenticators.state(call.office, call.caller))


def _state(state: State) -> schema.AuthenticatorState:
    version, metadata = state.version, state.metadata
    return schema.AuthenticatorState(
        version=version.version,
        document=None if version.listed is None else version.listed.to_json(),
        metadata=None
        if metadata is None
        else schema.MetadataView(
            number=metadata.number,
            next_update=schema.instant(metadata.next_update),
            usable=metadata.usable,
            overdue=metadata.overdue,
            stale=metadata.stale,
        ),
        refused=list(map(_refused, state.refused)),
        suspended=[
            schema.SuspendedKey(
                key=row["handle"].hex(),
                name=row["name"],
                actor=row["actor"],
                suspended_for=row["suspended_for"],
                suspended_at=row["suspended_at"],
            )
            for row in state.suspended
        ],
    )


def _refused(one: Refused) -> schema.RefusedKey:
    return schema.RefusedKey(
        key=one.key.hex(), name=one.name, actor=one.actor, role=one.role, rule=one.rule, detail=one.why
    )
