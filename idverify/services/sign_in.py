"""Signing in with a security key. No name is asked: the key says whose it is.

Some keys have no room to remember accounts. Whoever has one says first which account it is, and gets a list of keys, as
everybody does who asks for any account: where there is none, the list is made up (``auth.decoy_keys``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from idverify.auth import account_numbers, decoy_keys, options
from idverify.auth.options import Known
from idverify.auth.webauthn import Asserted, KnownKey, check_assertion, check_nothing, credential_id_of
from idverify.core.names import name_as_read
from idverify.core.policy import Role
from idverify.errors import CeremonyRefused, IdverifyError, KeyRemoved, Unprocessable
from idverify.services import sessions
from idverify.services.ceremonies import (
    CHALLENGE_BYTES,
    SECONDS,
    Beginning,
    Ceremony,
    Given,
    burn,
    credentials,
    expectation,
    keep,
    succeeded,
)
from idverify.services.office import HANDLE_BYTES, Office
from idverify.services.sessions import Opened, open_session
from idverify.services.suspension import require_usable
from idverify.stores import queries, tables
from idverify.stores.writes import Change, Write, WriteSet

# How long after it began a sign-in is refused at the earliest, and the keys of an account are listed: on the loop's
# monotonic clock. To check a signature takes longer by one algorithm than by another, and what nobody registered is
# checked by one of them: a refusal that goes out at once would tell which ids are known. By then all of them are done.
ANSWERED_AFTER_SECONDS: Final = 0.02


async def begin(office: Office, account: str | None = None) -> Beginning:
    """A challenge for whoever comes; the options list no key, so nobody learns who is registered.

    With ``account``, the number of one or the name of somebody of staff, they list its keys, and no other's will do.
    Raises ``Unprocessable`` for a number or a name that nobody can have.
    """
    began = _monotonic()
    account_id, allow = (None, ()) if account is None else await _asked_for(office, account)
    now, challenge = office.clock.now(), office.entropy(CHALLENGE_BYTES)
    handle = await keep(office, Ceremony.SIGN_IN, challenge, now, account_id=account_id)
    asked = options.request_options(office.deployment.rp_id, challenge, allow)
    if account is not None:
        await _no_sooner(began)
    return Beginning(handle, asked, now + SECONDS[Ceremony.SIGN_IN])


async def _asked_for(office: Office, account: str) -> tuple[bytes, Sequence[Known]]:
    """An account's row id and its keys. For one that is not there, that has ended or has no key: some of nobody's.

    Both are made up before it is known which will do, so that it takes the same time.
    """
    if not account.isprintable():
        raise Unprocessable("An account number or a name is made of printable characters alone.")
    number = account_numbers.read(account)
    name = name_as_read(account) if number is None else None
    secret = office.doors.derived(f"sign-in-decoys|{number or name}")
    nobodys = decoy_keys.decoys(secret, staff=number is None)
    asked = {"number": number, "name_as_read": name}
    rows = await office.store.fetch(queries.SECURITY_KEYS_OF_ACCOUNT_ASKED_FOR, asked)
    return (rows[0]["account_id"], credentials(rows)) if rows else (secret[:HANDLE_BYTES], nobodys)


async def finish(
    office: Office, given: Given, replacing: str | None = None, *, shared_computer: bool = False
) -> Opened:
    """Open a session for the owner of the key that answered; ``replacing`` is the session token that came along.

    Raises ``CeremonyMalformed``, ``CeremonyRefused``, ``UserVerificationNeeded`` or ``KeySuspended``; and
    ``KeyRemoved`` for whoever proves to hold a key that was removed.
    """
    began = _monotonic()
    try:
        with office.tally.ceremony(Ceremony.SIGN_IN):
            ceremony = await burn(office, Ceremony.SIGN_IN, given.ceremony)
            row, asserted = await _recognised(office, ceremony, given)
    except IdverifyError:
        await _no_sooner(began)
        raise
    account = {**row, "id": row["account_id"]}
    opened, session = open_session(office, account, row["id"], shared_computer=shared_computer)
    writes: list[Write] = [used_key(row, asserted, office.clock.now()), session, succeeded(office, ceremony)]
    if row["number"] is None:  # an account of an earlier version's
        unnumbered = {"id": row["account_id"], "number": None}
        writes.append(Change(tables.account, unnumbered, {"number": account_numbers.make(office.entropy)}))
    if replacing is not None:
        writes.append(sessions.replaced(office, replacing))
    await office.store.commit(WriteSet(tuple(writes)))
    office.tally.session_opened(opened.principal.role)
    return opened


async def _recognised(office: Office, ceremony: Any, given: Given) -> tuple[Any, Asserted]:
    asked_for = ceremony["account_id"]
    expected = expectation(office, ceremony["challenge"], account_known=asked_for is not None)
    row: Any = await office.store.fetch_one(
        queries.SECURITY_KEY_BY_CREDENTIAL, {"credential_id": credential_id_of(given.response)}
    )
    if row is None or not office.doors.holds(tables.security_key, row):
        check_nothing(expected, given.response)
    asserted = check_assertion(expected, known_key(row), given.response)
    if asked_for not in (None, row["account_id"]):
        raise CeremonyRefused("account")
    if row["removed_at"] is not None or row["ended_at"] is not None:
        raise KeyRemoved(row["credential_id"])
    await require_usable(office, row, asserted)
    return row, asserted


def _monotonic() -> float:
    return asyncio.get_running_loop().time()


async def _no_sooner(began: float) -> None:
    """Wait for what is left of the time that every answer of its kind takes."""
    await asyncio.sleep(began + ANSWERED_AFTER_SECONDS - _monotonic())


def known_key(row: Any) -> KnownKey:
    """A ``security_key`` row joined with its account, as the check of an assertion takes it."""
    return KnownKey(
        row["credential_id"], row["cose_key"], row["sign_count"], bool(row["backup_eligible"]), row["user_handle"]
    )


def used_key(row: Any, asserted: Asserted, at: int) -> Change:
    """What an assertion leaves on the key's row. A key removed or suspended meanwhile opens and confirms nothing."""
    left = {"sign_count": asserted.sign_count, "backed_up": int(asserted.backed_up), "last_used_at": at}
    as_read = {"id": row["id"], "removed_at": None, "suspended_at": None}
    if row["sign_count"] and row["role"] != Role.CITIZEN:  # two copies of a key, at the same moment
        as_read["sign_count"] = row["sign_count"]
    return Change(tables.security_key, as_read, left, CeremonyRefused("removed"))
