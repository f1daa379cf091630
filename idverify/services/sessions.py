"""Sessions of people: opened by a security key, recognised by a cookie, ended by anybody's wish or by time.

The cookie's token is new at every sign-in and with every act that is confirmed; what the session is stays the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from idverify.auth import session_tokens
from idverify.auth.key_policy import SessionLimits, session_limits
from idverify.core import security_act
from idverify.core.credential_type import Purpose
from idverify.core.policy import Principal, Role, SignedIn, require_person
from idverify.errors import NotAuthenticated, NotFound
from idverify.services import notices, urgency
from idverify.services.ceremonies import Renewal
from idverify.services.doors import whose
from idverify.services.first_admins import end_of_the_first
from idverify.services.notices import NoticeKind
from idverify.services.office import Office
from idverify.services.people import about
from idverify.services.records import act
from idverify.services.security_acts import deed
from idverify.services.waiting import commit_or_wait
from idverify.stores import queries, tables
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Change, Insert, Write, WriteSet

# A citizen's account has no name of its own: what it is called is the person's, and sealed.
CITIZEN_ACTOR: Final = "Account holder"
# How much of the idle time may pass before a request writes that the session is in use.
TOUCH_SECONDS: Final = 60
_OVER: Final = "You are not signed in, or your session has ended. Sign in with your security key."
_RENEWED: Final = "Something else was confirmed in this session meanwhile, so this was not done. Load the page again."


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that is open. ``token`` is for the cookie and is shown nowhere else; ``csrf_token`` is for forms."""

    token: str = field(repr=False)
    csrf_token: str = field(repr=False)
    principal: Principal
    expires_at: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A session as its owner sees it; times in Unix seconds, ``last_used_at`` to the minute."""

    handle: bytes
    key_name: str
    created_at: int
    last_used_at: int
    expires_at: int
    shared_computer: bool
    is_current: bool


def open_session(
    office: Office, account: Any, security_key: bytes, *, shared_computer: bool = False
) -> tuple[Opened, Insert]:
    """A fresh session of an account row, and the row to commit with what opened it."""
    now, token = office.clock.now(), session_tokens.make(office.entropy)
    limits = session_limits(Role(account["role"]), shared_computer=shared_computer)
    row = {
        "id": office.new_id(),
        "handle": office.new_handle(),
        "token_hash": session_tokens.token_hash(token),
        "csrf_key": office.entropy(session_tokens.CSRF_KEY_BYTES),
        "account_id": account["id"],
        "security_key_id": security_key,
        "created_at": now,
        "idle_until": now + limits.idle,
        "expires_at": now + limits.absolute,
        "ended_at": None,
        "shared_computer": int(shared_computer),
    }
    return _opened(office, token, account, row), office.doors.inserting(tables.session, row, **whose(account))


async def recognise(office: Office, token: str) -> Opened:
    """The session of a token. Raises ``NotAuthenticated``: the same for unknown, ended, idle for too long, expired."""
    now = office.clock.now()
    try:
        asked = {"token_hash": session_tokens.token_hash(token), "at": now}
    except NotAuthenticated as wrong:
        raise NotAuthenticated(_OVER) from wrong
    row: Any = await office.store.fetch_one(queries.SESSION, asked)
    if row is None or not _is_ours(office, row):
        raise NotAuthenticated(_OVER)
    session = _session_of(row)
    await _touch(office, Role(row["role"]), session, now)
    if row["active_since"] is None:
        row = {**row, "active_since": await activated(office, row["id"], Role(row["role"]))}
    return _opened(office, token, row, session)


async def mine(office: Office, principal: Principal) -> list[Listed]:
    """The sessions of the caller's account that hold now, oldest first."""
    person = require_person(principal)
    asked = {"account_id": person.account, "at": office.clock.now()}
    return [
        Listed(
            row["handle"],
            row["key_name"],
            row["created_at"],
            row["idle_until"] - _limits(principal.role, row).idle,
            row["expires_at"],
            bool(row["shared_computer"]),
            row["id"] == person.session,
        )
        for row in await office.store.fetch(queries.SESSIONS, asked)
    ]


async def end(office: Office, principal: Principal) -> None:
    """Sign out of this session."""
    session = require_person(principal).session
    ended = Change(tables.session, {"id": session, "ended_at": None}, {"ended_at": office.clock.now()})
    await office.store.commit(WriteSet((ended,)))


async def end_one(office: Office, principal: Principal, session: bytes) -> bool:
    """End one of the caller's sessions by its handle; whether it was this one. Raises ``NotFound`` for no such one."""
    listed = next((each for each in await mine(office, principal) if each.handle == session), None)
    if listed is None:
        raise NotFound("You have no such session, or it has ended.")
    await office.store.commit(WriteSet((ending({"handle": session}, office.clock.now()),)))
    return listed.is_current


async def end_all(office: Office, principal: Principal) -> None:
    """Sign out everywhere: every session of the account, this one too; also while the log is halted."""
    person = require_person(principal)
    account = await office.store.fetch_one(queries.ACCOUNT, {"id": person.account})
    whom = await about(office, person.person)
    done = deed(security_act.SIGNED_OUT, account, office.entropy, whom)
    ended = ending({"account_id": person.account}, office.clock.now())
    told = notices.telling(office, person.account, NoticeKind.SIGNED_OUT_EVERYWHERE)
    await commit_or_wait(office.store, WriteSet((ended, told), act(office.entropy, whom, deed=done)))


def ending(whose: dict[str, bytes], at: int) -> Write:
    """Ends the sessions of an account, those that a security key opened, or one."""
    return Change(tables.session, {**whose, "ended_at": None}, {"ended_at": at})


def still_signed_in(person: SignedIn) -> tuple[Change, Change]:
    """Preconditions of a write: the account has not ended, and this session has not."""
    over = NotAuthenticated(_OVER)
    return (
        Change(tables.account, {"id": person.account, "ended_at": None}, {"ended_at": None}, over),
        Change(tables.session, {"id": person.session, "ended_at": None}, {"ended_at": None}, over),
    )


async def renewing(office: Office, person: SignedIn, renewal: Renewal | None) -> tuple[Change, ...]:
    """Gives the session its new token, unless it lost the one that came along: of two acts at once, one is done."""
    if renewal is None:
        return ()
    lost, old = NotAuthenticated(_RENEWED), session_tokens.token_hash(renewal.old)
    row: Any = await office.store.fetch_one(queries.SESSION, {"token_hash": old, "at": office.clock.now()})
    if row is None or not _is_ours(office, row):
        raise lost
    has = {"token_hash": session_tokens.token_hash(renewal.new)}
    has["mac"] = office.doors.mac(tables.session, {**whose(row), **_session_of(row), **has})
    return (Change(tables.session, {"id": person.session, "token_hash": old, "ended_at": None}, has, lost),)


def replaced(office: Office, token: str) -> Write:
    """Ends the session that a browser brought along when it signed in again."""
    try:
        token_hash = session_tokens.token_hash(token)
    except NotAuthenticated:
        token_hash = b""
    return Change(tables.session, {"token_hash": token_hash, "ended_at": None}, {"ended_at": office.clock.now()})


def _session_of(row: Any) -> dict[str, Any]:
    """The session of a row of ``queries.SESSION``."""
    return {column.name: row[f"session_{column.name}"] for column in tables.session.c}


def _is_ours(office: Office, row: Any) -> bool:
    """Whether we opened this session (a row of ``queries.SESSION``), for this account as it is."""
    return office.doors.holds(tables.session, {**whose(row), **_session_of(row)})


async def _touch(office: Office, role: Role, session: Any, now: int) -> None:
    idle_until = now + _limits(role, session).idle
    if idle_until - session["idle_until"] < TOUCH_SECONDS:
        return
    still = {"id": session["id"], "ended_at": None}
    await office.store.commit(WriteSet((Change(tables.session, still, {"idle_until": idle_until}),)))


async def activated(office: Office, account: bytes, role: Role) -> int | None:
    """Since when an account that was not active has as many keys as its role needs: since now, or not yet.

    Asked with each new key, and at a visit: accounts of an earlier version were never asked.
    """
    keys, now = await office.store.fetch(queries.USABLE_KEYS, {"account_id": account}), office.clock.now()
    if len(keys) < office.key_policies[role].least_keys:
        return None
    since = Change(tables.account, {"id": account, "active_since": None}, {"active_since": now})

    async def active(transaction: Transaction) -> None:
        await transaction.apply(WriteSet((since,)))
        if role is Role.ADMIN:
            await end_of_the_first(transaction, now)

    await office.store.write(active)
    return now


def _limits(role: Role, session: Any) -> SessionLimits:
    return session_limits(role, shared_computer=bool(session["shared_computer"]))


def _opened(office: Office, token: str, account: Any, session: Any) -> Opened:
    if (account["role"] == Role.CITIZEN) is (account["person_id"] is None):  # such an account nobody made here
        raise NotAuthenticated(_OVER)
    purpose, role = None if account["purpose"] is None else Purpose(account["purpose"]), Role(account["role"])
    active = account["active_since"] is not None or office.key_policies[role].least_keys <= 1
    shared = bool(session["shared_computer"])
    ids = account["id"], session["id"], session["security_key_id"], account["person_id"]
    signed_in = SignedIn(*ids, active=active, shared_computer=shared)
    name = CITIZEN_ACTOR if account["actor"] is None else account["actor"]
    principal = urgency.of(Principal(account["id"].hex(), name, role, purpose, signed_in))
    return Opened(token, session_tokens.csrf_token(session["csrf_key"]), principal, session["expires_at"])
