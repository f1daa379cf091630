"""Every act that leaves a mark on the ledger, carried out by the real services, and the mark that each left."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from sqlalchemy import bindparam, func, select

from idverify.auth.authenticator_list import EMPTY
from idverify.auth.mds import Metadata
from idverify.core import key_order
from idverify.core.action import Action
from idverify.core.credential_type import Purpose
from idverify.core.decision import DecisionKind
from idverify.core.policy import Role
from idverify.core.retirement import Retirement
from idverify.core.suspension import Suspension
from idverify.core.trust import TrustStore
from idverify.core.types.immigration_status import IMMIGRATION_STATUS, ImmigrationPermission
from idverify.errors import Unavailable
from idverify.ledger.entry import EntryType
from idverify.services import (
    access,
    administration,
    authenticators,
    change_authenticators,
    change_trusted_issuers,
    decide,
    enrol_staff,
    erase,
    invite,
    key_ceremony,
    keys,
    letter_pdf,
    notices,
    offer,
    recovery_codes,
    reinstate,
    reproofing,
    retire,
    sessions,
    staff,
    suspension,
)
from idverify.services.ceremonies import Given
from idverify.services.decide import Ruling
from idverify.services.erase import Erasure
from idverify.services.invite import Invited
from idverify.services.office import ENTRIES_SIGNER, Office
from idverify.services.people import read
from idverify.services.policy_record import record_policy
from idverify.services.records import ENTRY_TYPES
from idverify.services.trust_book import TrustBook
from idverify.services.trusted_issuers import Change
from idverify.stores import queries, tables
from tests.simulators import makers
from tests.simulators.foreign_issuer import NORTH
from tests.simulators.holder import collection, holding
from tests.simulators.printed_letters import printed, published
from tests.simulators.rulings import content
from tests.simulators.service import PERMISSION
from tests.simulators.signed_in import PersonalKey
from tests.simulators.soft_wallet import SoftWallet
from tests.simulators.software_office import SoftwareOffice
from tests.simulators.two_parts import FIRST_HASH, both_parts
from tests.vectors.make_attestation_vectors import blob

WANTED = offer.Wanted(IMMIGRATION_STATUS.id)
PERMITTED: dict[str, Any] = ImmigrationPermission.model_validate(PERMISSION).model_dump(mode="json")
_SIZE = select(func.count().label("size")).select_from(tables.ledger_record)


@dataclass(frozen=True)
class Mark:
    """What an act left on the ledger: true types in order, of one write set."""

    act: str
    types: tuple[str, ...]

    @property
    def public(self) -> tuple[EntryType, ...]:
        """What everybody sees of it."""
        return tuple(ENTRY_TYPES[kind] for kind in self.types)


_RECORD, _BUNDLE = tables.ledger_record.c, tables.ledger_bundle.c
_COMMITTED = (
    select(_RECORD.type, _BUNDLE.first_index)
    .join(
        tables.ledger_bundle,
        (_BUNDLE.shard == _RECORD.shard)
        & (_BUNDLE.first_index <= _RECORD.ledger_index)
        & (_RECORD.ledger_index < _BUNDLE.first_index + _BUNDLE.count),
    )
    .where(_RECORD.ledger_index >= bindparam("size"), _RECORD.type != "status-list.published")
    .order_by(_RECORD.ledger_index)
)


@dataclass
class _Watch:
    served: SoftwareOffice
    marks: list[Mark]

    async def __call__(self, act: str, work: Awaitable[Any]) -> Any:
        """Carry an act out and keep the mark that it left: what was committed together is one bundle."""
        before = (await self.served.office.store.fetch(_SIZE, {}))[0]["size"]
        result = await work
        rows: list[Any] = await self.served.office.store.fetch(_COMMITTED, {"size": before})
        together = groupby(rows, lambda row: row["first_index"])
        self.marks += [Mark(act, tuple(row["type"] for row in committed)) for _, committed in together]
        return result


async def every_act(served: SoftwareOffice, *, erase_another: bool = False) -> list[Mark]:
    """The marks of everything that can be done here, each act once.

    Whom most of it was about is erased in the end, unless ``erase_another`` asks for somebody else to be.
    """
    watch = _Watch(served, [])
    await watch("a link is used", served.api.identity("officer"))
    for who in ("second", "admin"):
        await served.api.identity(who)
    person = await _about_a_person(watch)
    await _on_paper(watch)
    citizen = await _about_keys(watch, person)
    await _retirements(watch, person, citizen)
    await _decisions(watch, person)
    await _about_access(watch)
    await watch("signed out everywhere", sessions.end_all(served.office, await served.principal("officer")))
    await watch("a citizen signed out everywhere", sessions.end_all(served.office, await served.principal(citizen)))
    await _erasure(watch, bytes.fromhex(await served.api.person_with_status()) if erase_another else person)
    office = served.office
    trusting_nobody = replace(served.office, trust_book=TrustBook(TrustStore({}), served.office.doors))
    await watch("the rules were changed", record_policy(trusting_nobody))
    await watch("metadata of authenticators were loaded", load_metadata(office))
    return watch.marks


async def load_metadata(office: Office, **changes: Any) -> Metadata:
    """As the operator does, on a day on which the test's are current."""
    roots, said = (makers.ROOT.certificate,), blob(**changes).encode()
    return await authenticators.load_metadata(office.store, office.entropy, roots, makers.AT_TIME, said, "test")


async def _retirements(watch: _Watch, person: bytes, citizen: str) -> None:
    """One copy is withdrawn by its holder, another by the one that takes its place."""
    served, office = watch.served, watch.served.office
    held = await read(office, person)
    copies: list[Any] = await office.store.fetch(queries.CREDENTIALS_OF_PERSON, {"person_id": held.id})
    first = copies[0]["handle"]

    async def offered(replaces: bytes | None) -> dict[str, str]:
        made = await served.confirmed(
            citizen,
            lambda who, given: offer.offer_to_self(office, who, WANTED, given, replaces),
        )
        return {"issuer": made.issuer, "code": made.code, "nonce": made.nonce}

    replacing = await watch("offered in the place of another", offered(first))
    await watch("collected in the place of another", _collected(served, replacing))
    (newest, *_) = await retire.own_copies(office, await served.principal(citizen))
    await watch(
        "a copy was withdrawn by its holder",
        served.confirmed(citizen, lambda who, given: retire.retire(office, who, newest.handle, Retirement.LOST, given)),
    )
    again = await watch("offered again", offered(None))
    await watch("collected again", _collected(served, again))


async def _about_a_person(watch: _Watch) -> bytes:
    served = watch.served
    newcomer = await served.api.ok("POST", "/api/v1/people", "officer", {"details": _details("ONE")})
    person = bytes.fromhex(newcomer["person"])
    await watch("granted", _decided(served, person, DecisionKind.GRANT, "application-granted"))
    offered = await watch(
        "offered",
        served.confirmed(
            "officer",
            lambda who, given: offer.offer(served.office, who, person, offer.Wanted(IMMIGRATION_STATUS.id), given),
        ),
    )
    as_wallets_read = {"issuer": offered.issuer, "code": offered.code, "nonce": offered.nonce}
    await watch("collected", _collected(served, as_wallets_read))
    await watch("an issuance failed", _failed_issuance(served, person.hex()))
    return person


async def _on_paper(watch: _Watch) -> None:
    """Somebody else's, so that decisions on the person change one copy."""
    served = watch.served
    person = bytes.fromhex(await served.api.person_with_status())
    handle = await watch("a letter was asked for", printed(served, person))
    await watch("the letter was made", published(served, letter_pdf.finish(served.office, handle)))


def _details(name: str) -> dict[str, Any]:
    return {"family_name": name, "given_name": "A", "birthdate": "1980-01-01", "nationalities": ["QU"]}


async def _collected(served: SoftwareOffice, offered: dict[str, Any]) -> None:
    body = collection(SoftWallet(), offered)
    await served.api.ok("POST", "/api/v1/credentials", None, body, Idempotency_Key=secrets.token_hex(8))


async def _failed_issuance(served: SoftwareOffice, person: str) -> None:
    """The token goes away between the intent and the signature; the key of the person is known already."""
    offered = await served.confirmed(
        "officer",
        lambda who, given: offer.offer(
            served.office, who, bytes.fromhex(person), offer.Wanted(IMMIGRATION_STATUS.id), given
        ),
    )
    served.token.away = Unavailable("The HSM is away.")
    try:
        wish = {"issuer": offered.issuer, "code": offered.code, "nonce": offered.nonce}
        headers = {"Idempotency-Key": secrets.token_hex(8)}
        body = collection(SoftWallet(), wish)
        status, _, _ = await served.api.send("POST", "/api/v1/credentials", body, headers)
        assert status == 503
    finally:
        served.token.away = None


async def _about_keys(watch: _Watch, person: bytes) -> str:
    served = watch.served
    await watch(
        "a citizen gets a slip",
        served.confirmed("officer", lambda who, given: invite.invite_citizen(served.office, who, person, given)),
    )
    citizen: str = await served.api.enrol_citizen(person.hex())
    begun = await watch(
        "adding a key began",
        served.confirmed(citizen, lambda who, given: keys.begin_adding(served.office, who, given)),
    )
    spare = PersonalKey()
    answer = Given(begun.ceremony, spare.create(begun.options, served.office.deployment.iss))
    principal = await served.principal(citizen)
    await watch("a key was added", keys.finish_adding(served.office, principal, answer, "spare"))
    added = next(row for row in await keys.mine(served.office, principal) if row["name"] == "spare")
    await watch(
        "a key was removed",
        served.confirmed(citizen, lambda who, given: keys.remove(served.office, who, added["handle"], given)),
    )
    await watch(
        "recovery codes were made",
        served.confirmed(citizen, lambda who, given: recovery_codes.make(served.office, who, given)),
    )
    await watch(
        "a citizen gets another slip",
        served.confirmed("officer", lambda who, given: invite.invite_citizen(served.office, who, person, given)),
    )
    (asked,) = await notices.unseen(served.office, principal)
    await watch("a slip was cancelled", reproofing.cancel(served.office, principal, asked.handle))
    return citizen


async def _decisions(watch: _Watch, person: bytes) -> None:
    """Each kind of decision on somebody who holds one document."""
    served, permitted = watch.served, PERMITTED
    for kind, reason, permission in (
        (DecisionKind.SUSPEND, "under-review", None),
        (DecisionKind.REINSTATE, "review-closed", None),
        (DecisionKind.VARY, "extended", permitted | {"permission_end": "2035-12-31"}),
        (DecisionKind.REVOKE, "fraud-found", None),
        (DecisionKind.GRANT, "appeal-allowed", permitted),
        (DecisionKind.REVOKE, "permission-cancelled", None),
    ):
        proposed = await watch(f"proposed to {kind}", _decided(served, person, kind, reason, permission))
        await watch(f"decided to {kind}", _approved(served, proposed.handle))
        if kind is DecisionKind.VARY:  # the old copy went with it
            await holding(served.api, person.hex())


async def _decided(
    served: SoftwareOffice, person: bytes, kind: DecisionKind, reason: str, permission: Any = PERMITTED
) -> Any:
    ruling = Ruling(person, kind, reason, content(permission))
    return await served.confirmed("officer", lambda who, given: decide.decide(served.office, who, ruling, given))


async def _approved(served: SoftwareOffice, proposal: bytes) -> Any:
    return await served.confirmed("second", lambda who, given: decide.approve(served.office, who, proposal, given))


async def _about_access(watch: _Watch) -> None:
    """What admins do, and what is done on the command line."""
    served, office = watch.served, watch.served.office
    employer, purpose = "Example Employer Ltd", Purpose.WORK

    async def by_admin(act: str, work: Callable[[Any, Given | None], Awaitable[Any]]) -> Any:
        return await watch(act, served.confirmed("admin", work))

    token = await by_admin(
        "an API key was made", lambda who, given: access.create_key_for(office, who, employer, purpose, given)
    )
    key_id = token.split("_")[1]
    await by_admin("an API key was revoked", lambda who, given: access.revoke_key_for(office, who, key_id, given))
    made = access.create_key(
        office.store, office.doors, office.clock, office.entropy, employer, Role.RELYING_PARTY, purpose
    )
    token = await watch("an API key was made on the command line", made)
    revoked = access.revoke_key(office.store, office.clock, office.entropy, token.split("_")[1])
    await watch("an API key was revoked on the command line", revoked)
    partner = Invited(Role.RELYING_PARTY, "Example Homes Ltd", Purpose.RENT)
    await by_admin("a link was made", lambda who, given: invite.invite_organisation(office, who, partner, given))
    link = await watch(
        "a link was made on the command line",
        invite.invite(
            office.store, office.doors, office.clock, office.entropy, Invited(Role.ADMIN, "Abel Admin"), "operator"
        ),
    )
    await served.api.enrol("other-admin", link.code)
    await _by_two_admins(watch)
    leaving = await office.store.fetch_one(queries.ACCOUNT_NAMED, {"name_as_read": "oscar officer"})
    account: Any = await office.store.fetch_one(queries.ACCOUNT, {"id": leaving["id"]})
    await by_admin("an account ended", lambda who, given: staff.end(office, who, account["handle"], given))


async def _by_two_admins(watch: _Watch) -> None:
    """What no admin does alone."""
    served, office = watch.served, watch.served.office

    async def agreed(act: str, action: Action) -> Any:
        proposed = served.confirmed("admin", lambda who, given: administration.propose(office, who, action, given))
        waiting = await watch(f"proposed: {act}", proposed)
        approved = served.confirmed(
            "other-admin", lambda who, given: administration.approve(office, who, waiting.handle, given)
        )
        return await watch(act, approved)

    await agreed("authenticators were changed", await change_authenticators.action(office, EMPTY))
    further = Change((NORTH.trusted(office.clock.now()),))
    await agreed("trusted issuers were changed", await change_trusted_issuers.action(office, further))
    link = await agreed("a link was made by two", enrol_staff.action(Invited(Role.OFFICER, "Otto Officer"), FIRST_HASH))
    await served.api.enrol("otto", both_parts(link))
    account = (await served.principal("otto")).signed_in
    assert account is not None
    key: Any = await office.store.fetch_one(queries.SECURITY_KEY, {"id": account.security_key})
    await watch("a key was suspended", suspension.suspend(office, key, Suspension.CLONE))
    (suspended,) = await reinstate.suspended(office)
    await agreed("a key was reinstated", reinstate.action(suspended))
    old = office.keys.issuer(ENTRIES_SIGNER).key_id
    await agreed("a signing key was ordered", key_order.action(old, ENTRIES_SIGNER, "precaution"))
    (order,) = await key_ceremony.open_orders(office.store)
    replaced = served.ceremony().carry_out(order, served.token.generate(ENTRIES_SIGNER))
    await watch("a signing key was replaced", replaced)


async def _erasure(watch: _Watch, person: bytes) -> None:
    served, office = watch.served, watch.served.office
    wish = Erasure(person, "asked-for", "Retention schedule, part 2")
    proposed = await watch(
        "proposed to erase", served.confirmed("admin", lambda who, given: erase.propose(office, who, wish, given))
    )
    await watch(
        "erased",
        served.confirmed("other-admin", lambda who, given: erase.approve(office, who, proposed.handle, given)),
    )
