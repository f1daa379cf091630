"""Sessions of people: opened by a security key, recognised by a cookie, ended by anybody's wish or by time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from idverify.auth import session_tokens
from idverify.auth.key_policy import SESSION_LIMITS
from idverify.core import security_act
from idverify.core.credential_type import Purpose
from idverify.core.policy import Principal, Role, SignedIn, require_person
from idverify.errors import NotAuthenticated
from idverify.services.office import Office
from idverify.services.people import about
from idverify.services.records import act
from idverify.services.security_acts import deed
from idverify.services.waiting import commit_or_wait
from idverify.stores import queries, tables
from idverify.stores.writes import Change, Insert, Write, WriteSet

# A citizen's account has no name of its own: what it is called is the person's, and sealed.
CITIZEN_ACTOR: Final = "Account holder"
# How much of the idle time may pass before a request writes that the session is in use.
TOUCH_SECONDS: Final = 60
_OVER: Final = "You are not signed in, or your session has ended. Sign in with your security key."


@dataclass(frozen=True, slots=True)
class Opened:
    """A session just opened. ``token`` is for the cookie and is shown nowhere else."""

    token: str
    principal: Principal
    expires_at: int


def open_session(office: Office, account: Any, security_key: bytes) -> tuple[Opened, Insert]:
    """A fresh session of an account row, and the row to commit with what opened it."""
    now, token, session_id = office.clock.now(), session_tokens.make(office.entropy), office.new_id()
    limits = SESSION_LIMITS[Role(account["role"])]
    row = {
        "id": session_id,
        "token_hash": session_tokens.token_hash(token),
        "account_id": account["id"],
        "security_key_id": security_key,
        "created_at": now,
        "idle_until": now + limits.idle,
        "expires_at": now + limits.absolute,
        "ended_at": None,
    }
    return Opened(token, _principal(account, session_id, security_key), row["expires_at"]), Insert(tables.session, row)


async def recognise(office: Office, token: str) -> Principal:
    """Whose session this is. Raises ``NotAuthenticated``: the same for unknown, ended, idle for too long, expired."""
    now = office.clock.now()
    try:
        asked = {"token_hash": session_tokens.token_hash(token), "at": now}
    except NotAuthenticated as wrong:
        raise NotAuthenticated(_OVER) from wrong
    row: Any = await office.store.fetch_one(queries.SESSION, asked)
    if row is None:
        raise NotAuthenticated(_OVER)
    await _touch(office, row, now)
    return _principal(row, row["session_id"], row["security_key_id"])


async def end(office: Office, principal: Principal) -> None:
    """Sign out of this session."""
    session = require_person(principal).session
    ended = Change(tables.session, {"id": session, "ended_at": None}, {"ended_at": office.clock.now()})
    await office.store.commit(WriteSet((ended,)))


async def end_all(office: Office, principal: Principal) -> None:
    """Sign out everywhere: every session of the account, this one too; also while the log is halted."""
    person = require_person(principal)
    account = await office.store.fetch_one(queries.ACCOUNT, {"id": person.account})
    whom = await about(office, person.person)
    done = deed(security_act.SIGNED_OUT, account, office.entropy, whom)
    ended = ending({"account_id": person.account}, office.clock.now())
    await commit_or_wait(office.store, WriteSet((ended,), act(office.entropy, whom, deed=done)))


def ending(whose: dict[str, bytes], at: int) -> Write:
    """Ends the sessions of an account, or those that a security key opened."""
    return Change(tables.session, {**whose, "ended_at": None}, {"ended_at": at})


def still_signed_in(person: SignedIn) -> tuple[Change, Change]:
    """Preconditions of a write: the account has not ended, and this session has not."""
    over = NotAuthenticated(_OVER)
    return (
        Change(tables.account, {"id": person.account, "ended_at": None}, {"ended_at": None}, over),
        Change(tables.session, {"id": person.session, "ended_at": None}, {"ended_at": None}, over),
    )


def replaced(office: Office, token: str) -> Write:
    """Ends the session that a browser brought along when it signed in again."""
    try:
        token_hash = session_tokens.token_hash(token)
    except NotAuthenticated:
        token_hash = b""
    return Change(tables.session, {"token_hash": token_hash, "ended_at": None}, {"ended_at": office.clock.now()})


async def _touch(office: Office, row: Any, now: int) -> None:
    idle_until = now + SESSION_LIMITS[Role(row["role"])].idle
    if idle_until - row["idle_until"] < TOUCH_SECONDS:
        return
    still = {"id": row["session_id"], "ended_at": None}
    await office.store.commit(WriteSet((Change(tables.session, still, {"idle_until": idle_until}),)))


def _principal(account: Any, session_id: bytes, security_key: bytes) -> Principal:
    purpose = None if account["purpose"] is None else Purpose(account["purpose"])
    signed_in = SignedIn(account["id"], session_id, security_key, account["person_id"])
    name = CITIZEN_ACTOR if account["actor"] is None else account["actor"]
    return Principal(account["id"].hex(), name, Role(account["role"]), purpose, signed_in)
