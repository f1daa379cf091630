"""Step-up: whoever does what cannot be taken back lightly signs that very act with their security key.

The challenge is made from the act's digest and from who confirms it where (``auth.step_up``). The answer is checked
against the act as it was sent, so a field that was swapped meanwhile is refused. What is left is the evidence: a row
that commits together with what was done, and its hash on the ledger. The act is kept beside it, for whoever checks the
evidence again (``confirmations``); if it is about a person, under that person's key.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Final

from idverify.auth import options, step_up
from idverify.auth.step_up import Context
from idverify.auth.webauthn import Asserted, check_assertion
from idverify.core.action import Action, StepUpRequired, canonical_json
from idverify.core.policy import Principal, SignedIn, require_person
from idverify.errors import CeremonyRefused, Conflict, NotAuthenticated
from idverify.ledger.commitment import Record
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
from idverify.services.office import Office
from idverify.services.records import About, act, entry
from idverify.services.sessions import renewing, still_signed_in
from idverify.services.sign_in import known_key, used_key
from idverify.services.suspension import require_usable
from idverify.stores import queries, tables
from idverify.stores.vault import place
from idverify.stores.writes import Change, IndexOf, Insert, Recorded, ShardOf, Write

_CARRIED: Final = "What was proposed was carried out already."


@dataclass(frozen=True, slots=True)
class First:
    """The confirmation by whoever proposed what another approves: its row id, and the SHA-256 of its evidence."""

    id: bytes
    evidence_digest: bytes


@dataclass(frozen=True, slots=True)
class Authorisation:
    """A confirmed act, to be committed in the transaction that carries it out."""

    id: bytes
    handle: bytes
    action: Action
    row: dict[str, Any]
    preconditions: tuple[Change, ...]

    @property
    def evidence_digest(self) -> bytes:
        """SHA-256 of the evidence: what the ledger commits to."""
        return hashlib.sha256(self.row["evidence"]).digest()

    def writes(self, about: About | None, first: First | None = None) -> tuple[Write, ...]:
        """Its rows, for a write set whose entries begin with ``entries``, with the same ``about``.

        The account must be open, the session must hold and the key be in use at this very moment: whoever is shown
        the door carries nothing out any more. The session's token is renewed with them.
        """
        at = {"ledger_shard": ShardOf(), "ledger_index": IndexOf(1)}
        row = {**self.row, **self._kept(about), **at, "approves": None if first is None else first.id}
        return *self.preconditions, Insert(tables.authorisation, row, Conflict(_CARRIED))

    def _kept(self, about: About | None) -> dict[str, bytes | None]:
        action = canonical_json(self.action.to_json())
        if about is None:
            return {"action": action, "person_id": None}
        person_id, key = about
        return {"action": key.seal(action, action_place(self.id)), "person_id": person_id}

    def entries(
        self, office: Office, about: About | None = None, deed: Recorded | None = None, first: First | None = None
    ) -> tuple[Recorded, Recorded]:
        """What the ledger gets: the deed, if it has an entry of its own, and its confirmation.

        ``about`` is the person whom the act is about, if it is about one, ``first`` what two people's act follows.
        """
        follows = None if first is None else first.evidence_digest
        record = Record("authorisation", self.evidence_digest, reason=self.action.act, decision=follows)
        return act(office.entropy, about, deed=deed, confirmation=entry(record, office.entropy, about, self.handle))


async def begin(office: Office, principal: Principal, action: Action) -> Beginning:
    """A challenge for this act, by this person in this session, with the key that opened it."""
    person = require_person(principal)
    now, nonce, digest = office.clock.now(), office.entropy(CHALLENGE_BYTES), action.digest()
    expires_at = now + SECONDS[Ceremony.STEP_UP]
    challenge = step_up.challenge(nonce, digest, _context(office, person, now, expires_at))
    key = await _key_of(office, person)
    bound = {"account_id": person.account, "session_id": person.session, "nonce": nonce, "action_digest": digest}
    handle = await keep(office, Ceremony.STEP_UP, challenge, now, **bound)
    rp_id, seconds = office.deployment.rp_id, SECONDS[Ceremony.STEP_UP]
    return Beginning(handle, options.request_options(rp_id, challenge, credentials([key]), seconds), expires_at)


async def require(office: Office, principal: Principal, action: Action, given: Given | None) -> Authorisation:
    """The confirmation of this act. Raises ``StepUpRequired`` if none was given, or why it does not hold."""
    person = require_person(principal)
    if given is None:
        raise StepUpRequired(action)
    with office.tally.ceremony(Ceremony.STEP_UP):
        return await _confirmed(office, person, action, given)


async def _confirmed(office: Office, person: SignedIn, action: Action, given: Given) -> Authorisation:
    ceremony = await burn(office, Ceremony.STEP_UP, given.ceremony)
    if (ceremony["account_id"], ceremony["session_id"]) != (person.account, person.session):
        raise CeremonyRefused("session")
    if ceremony["action_digest"] != action.digest():
        raise Conflict("What was sent is not the act that was to be confirmed. Nothing was done; start again.")
    key = await _key_of(office, person)
    context = _context(office, person, ceremony["created_at"], ceremony["expires_at"])
    challenge = step_up.challenge(ceremony["nonce"], action.digest(), context)
    expected = replace(expectation(office, challenge, account_known=True), origins=_own_origin(office))
    asserted = check_assertion(expected, known_key(key), given.response)
    await require_usable(office, key, asserted)
    confirmed = _authorisation(office, person, action, ceremony, key, context, asserted)
    return replace(confirmed, preconditions=(*confirmed.preconditions, *await renewing(office, person, given.renewal)))


async def _key_of(office: Office, person: SignedIn) -> Any:
    """The key that opened the session, unless it was removed while this request was on its way."""
    key: Any = await office.store.fetch_one(queries.SECURITY_KEY, {"id": person.security_key})
    if key is None or not office.doors.holds(tables.security_key, key):
        raise NotAuthenticated("Your session has ended: its security key was removed. Sign in with another one.")
    return key


def _authorisation(
    office: Office, person: SignedIn, action: Action, ceremony: Any, key: Any, context: Context, asserted: Asserted
) -> Authorisation:
    evidence = step_up.evidence(
        ceremony["nonce"], action.digest(), context, _own_origin(office), known_key(key), asserted
    )
    now, authorisation_id, handle = office.clock.now(), office.new_id(), office.new_handle()
    row = {
        "id": authorisation_id,
        "handle": handle,
        "ceremony_id": ceremony["id"],
        "account_id": key["account_id"],
        "security_key_id": key["id"],
        "act": action.act,
        "action_digest": action.digest(),
        "evidence": evidence,
        "confirmed_at": now,
    }
    preconditions = (used_key(key, asserted, now), *still_signed_in(person), succeeded(office, ceremony))
    return Authorisation(authorisation_id, handle, action, row, preconditions)


def action_place(authorisation_id: bytes) -> bytes:
    """Where the act that somebody confirmed rests sealed."""
    return place("authorisation", "action", authorisation_id)


def _own_origin(office: Office) -> frozenset[str]:
    """Who confirms an act read on a page of ours what it is: related origins show what they like."""
    return frozenset({office.deployment.iss})


def _context(office: Office, person: SignedIn, issued_at: int, expires_at: int) -> Context:
    """Row ids stay inside; evidence names them by their hashes."""
    account, session, key = (
        hashlib.sha256(row_id).hexdigest() for row_id in (person.account, person.session, person.security_key)
    )
    return Context(account, session, key, office.deployment.rp_id, issued_at, expires_at)
