"""People's routes: enrol a security key, sign in with it, sign out."""

from __future__ import annotations

from idverify.services import enrol, invite, sessions, sign_in
from idverify.services.ceremonies import Beginning
from idverify.services.sessions import Opened
from idverify.web import schema
from idverify.web.endpoint import Call, Reply
from idverify.web.session_cookie import forget, remember, token_of


async def sign_in_options(call: Call) -> Reply:
    """A challenge to sign in with: for whoever the key says, or for one account alone."""
    return begun(await sign_in.begin(call.office, call.body.account))


async def sign_in_answer(call: Call) -> Reply:
    """Sign in with a security key; the session is a cookie."""
    body: schema.SignInAnswer = call.body
    opened = await sign_in.finish(
        call.office, body.given(), token_of(call.request), shared_computer=body.shared_computer
    )
    return _opened(opened)


async def enrolment_options(call: Call) -> Reply:
    """A challenge to register a security key with, for a one-time code."""
    body: schema.EnrolmentOpened = call.body
    return begun(await enrol.begin(call.office, body.code, body.name, shared_computer=body.shared_computer))


async def enrolment_answer(call: Call) -> Reply:
    """Register a security key with a one-time code, and be signed in."""
    body: schema.EnrolmentAnswer = call.body
    opened = await enrol.finish(
        call.office,
        body.code,
        body.name,
        body.given(),
        body.key_name,
        token_of(call.request),
        shared_computer=body.shared_computer,
    )
    return _opened(opened)


async def sign_out(call: Call) -> Reply:
    """End this session."""
    await sessions.end(call.office, call.caller)
    return _signed_out(call)


async def sign_out_everywhere(call: Call) -> Reply:
    """End every session of the account, this one too."""
    await sessions.end_all(call.office, call.caller)
    return _signed_out(call)


async def list_sessions(call: Call) -> schema.Sessions:
    """Every session of the account that holds now."""
    return schema.Sessions(
        sessions=[
            schema.SessionView(
                session=session.handle.hex(),
                key_name=session.key_name,
                created_at=schema.instant(session.created_at),
                last_used_at=schema.instant(session.last_used_at),
                expires_at=schema.instant(session.expires_at),
                shared_computer=session.shared_computer,
                is_current=session.is_current,
            )
            for session in await sessions.mine(call.office, call.caller)
        ]
    )


async def end_session(call: Call) -> Reply:
    """End one session of the account, on whatever computer."""
    is_current = await sessions.end_one(call.office, call.caller, call.handle("session"))
    return _signed_out(call) if is_current else Reply(b"", 204)


async def invite_citizen(call: Call) -> Reply:
    """Give a person at the counter a one-time code to register a key with; to an account, it adds one a day later."""
    made = await invite.invite_citizen(call.office, call.caller, call.handle("person"), call.given)
    waits = None if made.not_before is None else schema.instant(made.not_before)
    shown = schema.EnrolmentCode(code=made.code, expires_at=schema.instant(made.expires_at), not_before=waits)
    return Reply(shown, 201, headers={"Cache-Control": "no-store"})


def _signed_out(call: Call) -> Reply:
    return Reply(b"", 204, dress=lambda response: forget(response, call.caller))


def begun(beginning: Beginning) -> Reply:
    """The answer to whoever begins a ceremony."""
    shown = schema.CeremonyBegun(
        ceremony=beginning.ceremony.hex(),
        public_key=beginning.options,
        expires_at=schema.instant(beginning.expires_at),
    )
    return Reply(shown, 201, headers={"Cache-Control": "no-store"})


def _opened(opened: Opened) -> Reply:
    shown = schema.SignedIn(
        role=opened.principal.role,
        actor=opened.principal.actor,
        csrf_token=opened.csrf_token,
        expires_at=schema.instant(opened.expires_at),
    )
    headers = {"Cache-Control": "no-store"}
    return Reply(shown, 200, headers=headers, dress=lambda response: remember(response, opened))
