"""Suspending security keys: a key that may be copied, or whose model is broken, opens and confirms nothing any more.

It stays registered. Two admins can put it back in use (``administration``), or its owner removes it.
"""

from __future__ import annotations

from typing import Any

import structlog

from idverify.auth.key_policy import Clone
from idverify.auth.webauthn import Asserted
from idverify.core.policy import Role
from idverify.core.security_act import SUSPENDED
from idverify.core.suspension import Suspension
from idverify.errors import CeremonyRefused, KeySuspended
from idverify.services import notices
from idverify.services.cancelling import codes_of
from idverify.services.notices import NoticeKind
from idverify.services.office import Office
from idverify.services.security_acts import key_entries
from idverify.services.sessions import ending
from idverify.services.waiting import commit_or_wait
from idverify.stores import tables
from idverify.stores.writes import Change, WriteSet

log = structlog.get_logger()


async def suspend(office: Office, key: Any, why: Suspension, *, whole_account: bool = False) -> bool:
    """Suspend a key of staff (a ``security_key`` row) and end what it opened; also while the log is halted.

    ``whole_account`` ends every session of the account. Codes that wait and that its owner made may be the work of a
    copy, so they open nothing any more. A key that was suspended or removed meanwhile stays as
    it is: ``False``.
    """
    now = office.clock.now()
    in_use = {"id": key["id"], "removed_at": None, "suspended_at": None}
    meanwhile = CeremonyRefused("suspended")
    stopped = Change(tables.security_key, in_use, {"suspended_at": now, "suspended_for": why.value}, meanwhile)
    whose = {"account_id": key["account_id"]} if whole_account else {"security_key_id": key["id"]}
    told = notices.telling(office, key["account_id"], NoticeKind.KEY_SUSPENDED, key["id"])
    made = codes_of(key["account_id"], key["actor"], now) if why is Suspension.CLONE and key["actor"] else ()
    entries = await key_entries(office, SUSPENDED, key["cose_key"], None)
    try:
        await commit_or_wait(office.store, WriteSet((stopped, ending(whose, now), told, *made), entries))
    except CeremonyRefused:
        return False
    log.warning("security_key_suspended", key=key["handle"].hex(), why=why.value)
    office.tally.key_suspended(why)
    return True


async def require_usable(office: Office, key: Any, asserted: Asserted) -> None:
    """What a key whose signature was found right may still be stopped by: its suspension, and its counter.

    A counter that did not rise tells of a copy of the key (WebAuthn section 7.2 step 22); what follows is the policy of
    the role. Raises ``KeySuspended`` or ``CeremonyRefused``.
    """
    if key["suspended_at"] is not None:
        raise KeySuspended
    if not asserted.counter_anomaly:
        return
    role = Role(key["role"])
    match office.key_policies[role].clone:
        case Clone.ACCEPT:
            log.info("sign_count_did_not_rise", role=role.value)
        case Clone.AGAIN:
            log.warning("sign_count_did_not_rise", role=role.value, key=key["handle"].hex())
            raise CeremonyRefused("sign-count")
        case Clone.SUSPEND_KEY | Clone.SUSPEND_KEY_END_SESSIONS as clone:
            await suspend(office, key, Suspension.CLONE, whole_account=clone is Clone.SUSPEND_KEY_END_SESSIONS)
            raise KeySuspended
