"""Rows that somebody changed behind the service's back no longer fit their entries or each other: the audit says so."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from idverify.auth.authenticator_list import EMPTY
from idverify.core import key_order
from idverify.core.letter_choices import LetterChoices
from idverify.core.policy import Role, require_person
from idverify.core.retirement import Retirement
from idverify.core.suspension import Suspension
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.services import change_authenticators, enrol_staff, key_ceremony, letter_batch, letter_pdf, retire
from idverify.services.access import create_key, revoke_key
from idverify.services.ceremonies import Given
from idverify.services.invite import Invited
from idverify.services.issue import CollectionRequest, collect
from idverify.services.keys import begin_adding, finish_adding, mine, remove
from idverify.services.offer import Wanted, offer_to_self
from idverify.services.office import ENTRIES_SIGNER
from idverify.services.staff import end
from idverify.services.suspension import suspend
from idverify.stores.open import Location, open_log
from idverify.stores.queries import SECURITY_KEY
from idverify.stores.row_rules import ROW_RULES
from tests.simulators.databases import DRIVERS, changed, copied, fresh, rows
from tests.simulators.holder import decided_by_two, holding
from tests.simulators.printed_letters import made, printed, published
from tests.simulators.shards import enrol_admins
from tests.simulators.signed_in import PersonalKey
from tests.simulators.soft_wallet import SoftWallet
from tests.simulators.software_office import SoftwareOffice, software_office
from tests.simulators.two_parts import FIRST_HASH


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=DRIVERS)
async def at_rest(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Location]:
    """What an office left that granted, offered, suspended and revoked; its officer confirmed one act twice over."""
    folder = tmp_path_factory.mktemp("office")
    async with fresh(request.param, folder, request) as location:
        async with software_office(folder, location) as served:
            held = await holding(served.api)
            await decided_by_two(served.api, held.person, "suspend", "under-review")
            await decided_by_two(served.api, held.person, "revoke", "fraud-found")
            for _ in range(2):
                await _begun_adding_a_key(served)
            await _revoked_an_api_key(served)
        yield location


async def _begun_adding_a_key(served: SoftwareOffice) -> None:
    await served.confirmed("officer", lambda officer, given: begin_adding(served.office, officer, given))


async def _revoked_an_api_key(served: SoftwareOffice) -> None:
    office = served.office
    made = await create_key(office.store, office.doors, office.clock, office.entropy, "Monitoring", Role.ADMIN, None)
    await revoke_key(office.store, office.clock, office.entropy, made.split("_")[1])


def _found(location: Location) -> set[str]:
    with closing(open_log(location)) as source:
        return {rule for _, rule in (*source.record_findings(), *source.row_findings())}


def _broken(location: Location, folder: Path, change: str) -> set[str]:
    """What is found in a copy in which one statement was run, with the values that it names."""
    values = {name: value for name, value in VALUES.items() if f":{name}" in change}
    if ":elsewhere" in change:
        ((evidence,),) = rows(location, "SELECT evidence FROM authorisation LIMIT 1")
        values["elsewhere"] = evidence.replace(b"http://localhost", b"http://elsewhere")
    with copied(location, folder) as copy:
        assert changed(copy, change, values) > 0
        return _found(copy)


VALUES: Final[Mapping[str, Any]] = {"random_16": os.urandom(16), "random_32": os.urandom(32), "nothing": b"\0"}


def test_untouched_rows(at_rest: Location) -> None:
    """What the service wrote breaks no rule."""
    assert _found(at_rest) == set()


HANDLE_OF_ANOTHER: Final = """
    UPDATE ledger_record SET handle = (SELECT handle FROM ledger_record WHERE ledger_index = 2)
    WHERE ledger_index = 1"""
CHANGED_ROWS: Final = (
    ("UPDATE status_entry SET value = 0", "the status list says what the row of the copy says"),
    ("UPDATE credential SET status = 'valid'", "a copy is as the decision that last changed it left it"),
    ("DELETE FROM credential", "an entry of an issuance has its credential"),
    ("UPDATE decision SET kind = 'suspend' WHERE kind = 'revoke'", "a decision has an entry of its own"),
    (
        "UPDATE ledger_record SET handle = :random_16 WHERE ledger_index = 1",
        "the row of an entry bears its handle",
    ),
    ("DELETE FROM ledger_record WHERE ledger_index = 1", "an entry has its row, and a row its entry"),
    (
        "UPDATE ledger_record SET ledger_index = 10000 WHERE ledger_index = 1",
        "an entry has its row, and a row its entry",
    ),
    ("UPDATE authorisation SET handle = ceremony_id", "an authorisation has an entry of its own handle"),
    ("DELETE FROM authorisation", "an entry of an authorisation has its evidence"),
    (HANDLE_OF_ANOTHER, "no two entries share a handle"),
    ("UPDATE credential SET handle = :random_16", "a credential has an entry of its own handle"),
    ("UPDATE issuance SET key_id = :random_16", "a credential was intended, with this status index"),
    ("DELETE FROM credential", "an intent that was carried out has its credential"),
    (
        "UPDATE decision SET ledger_index = 10000 WHERE kind = 'revoke'",
        "an entry of a decision has its decision",
    ),
    (
        "UPDATE issuance SET state = 'void', status_index = status_index + 1",
        "the status of a void intent is INVALID",
    ),
    ("UPDATE credential SET changed_by = NULL", "a copy that no decision changed is valid, or was retired"),
)


@pytest.mark.parametrize(("change", "rule"), CHANGED_ROWS)
def test_rows_that_were_changed(change: str, rule: str, at_rest: Location, tmp_path: Path) -> None:
    """Un-revoking with one statement, deleting a copy: each is found, and named."""
    assert rule in _broken(at_rest, tmp_path, change)


CONFIRMED_AS_ANOTHER: Final = """
    UPDATE decision SET (authorisation_id, approval_id) =
        (SELECT authorisation_id, approval_id FROM decision WHERE kind = 'suspend')
    WHERE kind = 'revoke'"""
CONFIRMATIONS_EXCHANGED: Final = """
    UPDATE decision SET authorisation_id = other.authorisation_id, approval_id = other.approval_id
    FROM (SELECT * FROM decision WHERE approval_id IS NOT NULL) other
    WHERE decision.approval_id IS NOT NULL AND decision.id <> other.id"""


WHO_DECIDED: Final = (
    ("UPDATE decision SET authorisation_id = NULL", "since people sign in, whoever decides confirms it"),
    (
        "UPDATE decision SET authorisation_id = (SELECT id FROM authorisation WHERE act = 'offer-credential')",
        "since people sign in, whoever decides confirms it",
    ),
    ("UPDATE decision SET approval_id = NULL", "two people confirm the same act"),
    ("UPDATE authorisation SET action_digest = ceremony_id", "two people confirm the same act"),
    (
        "UPDATE authorisation SET account_id = (SELECT id FROM account ORDER BY id LIMIT 1)",
        "two people confirm the same act",
    ),
    (
        "UPDATE authorisation SET security_key_id = (SELECT id FROM security_key ORDER BY id LIMIT 1)",
        "two people confirm the same act",
    ),
    (
        "UPDATE decision SET approved_by = NULL, approval_id = NULL WHERE kind = 'revoke'",
        "since people sign in, what takes two people has two confirmations",
    ),
    (
        "UPDATE decision SET approved_by = NULL, authorisation_id = approval_id WHERE kind = 'revoke'",
        "since people sign in, what takes two people has two confirmations",
    ),
    (CONFIRMED_AS_ANOTHER, "a confirmation carries one decision"),
    (CONFIRMATIONS_EXCHANGED, "a decision commits right before the last confirmation of it"),
    ("UPDATE decision SET approval_id = authorisation_id WHERE kind = 'revoke'", "two people confirm the same act"),
    (
        "UPDATE decision SET authorisation_id = approval_id, approval_id = authorisation_id WHERE kind = 'revoke'",
        "whoever confirmed is named",
    ),
    ("UPDATE decision SET decided_by = 'Nina Nobody' WHERE kind = 'grant'", "whoever confirmed is named"),
    ("UPDATE decision SET approved_by = 'Nina Nobody' WHERE kind = 'revoke'", "whoever confirmed is named"),
)


@pytest.mark.parametrize(("change", "rule"), WHO_DECIDED)
def test_who_decided_was_changed(change: str, rule: str, at_rest: Location, tmp_path: Path) -> None:
    """Deciding alone, without confirmation, with another's or with one for something else: each is found."""
    assert rule in _broken(at_rest, tmp_path, change)


ADDED_KEY: Final = """
    INSERT INTO api_key (id, actor, role, purpose, secret_hash, created_at)
    SELECT 'aaaaaaaaaaaaaaaa', actor, role, purpose, secret_hash, created_at + 1 FROM api_key LIMIT 1"""


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (ADDED_KEY, "an API key has an entry that made it"),
        ("UPDATE api_key SET role = 'admin' WHERE role = 'officer'", "an API key has an entry that made it"),
        ("UPDATE api_key SET revoked_at = NULL WHERE revoked_at IS NOT NULL", "a revoked API key stays revoked"),
    ],
)
def test_api_keys_that_were_changed(change: str, rule: str, at_rest: Location, tmp_path: Path) -> None:
    """A key that was added, one with more rights, one that works again: each is found."""
    assert rule in _broken(at_rest, tmp_path, change)


ADDED_SECURITY_KEY: Final = """
    INSERT INTO security_key (id, handle, account_id, credential_id, cose_key, algorithm, sign_count, backup_eligible,
        backed_up, aaguid, transports, attestation_format, policy_version, name, created_at)
    SELECT 'aaaaaaaaaaaaaaaa', 'aaaaaaaaaaaaaaaa', account_id, 'aaaaaaaaaaaaaaaa',
        :random_32, algorithm, 0, 0, 0, aaguid, transports, attestation_format, policy_version, name, created_at
    FROM security_key LIMIT 1"""


@pytest.mark.parametrize("change", [ADDED_SECURITY_KEY, "UPDATE security_key SET cose_key = :random_32"])
def test_a_security_key_that_nobody_bound(change: str, at_rest: Location, tmp_path: Path) -> None:
    """Whoever adds one to an account, or exchanges it, could do all that its owner may."""
    assert "a security key of staff has an entry that bound it" in _broken(at_rest, tmp_path, change)


async def test_staff_who_are_there_again(tmp_path: Path, location: Location) -> None:
    """A key that was removed and an administrator who left, each put back by one statement."""
    async with software_office(tmp_path, location) as served:
        await enrol_admins(served)
        key = PersonalKey()
        begun = await served.confirmed("admin", lambda admin, given: begin_adding(served.office, admin, given))
        answer = Given(begun.ceremony, key.create(begun.options, served.office.deployment.iss))
        await finish_adding(served.office, await served.principal("admin"), answer, "spare")
        spare = next(
            row for row in await mine(served.office, await served.principal("admin")) if row["name"] == "spare"
        )
        await served.confirmed("admin", lambda admin, given: remove(served.office, admin, spare["handle"], given))
        ((left,),) = rows(location, "SELECT handle FROM account WHERE actor = 'Agnes Admin'")
        await served.confirmed("admin", lambda admin, given: end(served.office, admin, left, given))

    assert _found(location) == set()
    for number, (change, rule) in enumerate(
        [
            ("UPDATE security_key SET removed_at = NULL", "a security key that was removed stays removed"),
            ("UPDATE account SET ended_at = NULL", "an account that was ended stays ended"),
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert _broken(location, folder, change) == {rule}


BY_THE_FIRST: Final = """
    UPDATE authorisation SET {column} = (SELECT {column} FROM authorisation first
        WHERE first.act = '{act}' ORDER BY first.ledger_index LIMIT 1) WHERE act = '{act}'"""
LINK_RULE: Final = "since admins propose, a link for staff is made by two or by the operator"
LIST_RULE: Final = "two admins confirm a list of authenticators, or the operator sets it"
PROPOSAL_RULE: Final = "what an admin proposed and was done has another admin's confirmation"
BY_TWO_ADMINS: Final = (
    (
        "UPDATE security_key SET suspended_at = NULL",
        "a security key that was suspended stays suspended until it is reinstated",
    ),
    ("UPDATE admin_proposal SET act = 'reinstate-security-key'", PROPOSAL_RULE),
    (BY_THE_FIRST.format(column="account_id", act="enrol-staff"), PROPOSAL_RULE),
    (BY_THE_FIRST.format(column="security_key_id", act="enrol-staff"), PROPOSAL_RULE),
    ("UPDATE enrolment SET authorisation_id = 'nobody confirmed' WHERE actor = 'Olive Officer'", LINK_RULE),
    (BY_THE_FIRST.format(column="account_id", act="enrol-staff"), LINK_RULE),
    (BY_THE_FIRST.format(column="security_key_id", act="enrol-staff"), LINK_RULE),
    ("UPDATE authenticator_list SET approval_id = NULL", LIST_RULE),
    ("UPDATE authenticator_list SET approval_id = authorisation_id", LIST_RULE),
    (BY_THE_FIRST.format(column="security_key_id", act="change-authenticator-list"), LIST_RULE),
)


async def test_what_two_admins_did(tmp_path: Path, location: Location) -> None:
    """A key put back in use, an officer enrolled, a list changed: by one statement each instead of by two admins."""
    async with software_office(tmp_path, location) as served:
        await enrol_admins(served)
        office, second = served.office, "other"
        await served.agreed(enrol_staff.action(Invited(Role.OFFICER, "Otto Officer"), FIRST_HASH), second=second)
        await served.agreed(await change_authenticators.action(office, EMPTY), second=second)
        held = require_person(await served.principal("officer")).security_key
        await suspend(office, await office.store.fetch_one(SECURITY_KEY, {"id": held}), Suspension.CLONE)

    assert _found(location) == set()
    for number, (change, rule) in enumerate(BY_TWO_ADMINS):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert rule in _broken(location, folder, change), change


ANOTHER_SIGNING_KEY: Final = """
    INSERT INTO signing_key (key_id, token, role, algorithm, public_key, certificate, state, created_at)
    SELECT :random_16, token, role, algorithm, public_key, :random_32, 'active', created_at
    FROM signing_key WHERE role = 'entries-signer' AND state = 'active'"""
ANOTHER_ORDER: Final = """
    INSERT INTO key_order (id, handle, role, reason, old_key_id, authorisation_id, approval_id, ordered_at)
    SELECT :random_16, :random_32, 'status-list-signer', reason,
        (SELECT key_id FROM signing_key WHERE role = 'status-list-signer'), authorisation_id, approval_id, ordered_at
    FROM key_order"""
BACK_IN_USE: Final = """
    UPDATE signing_key SET state = CASE state WHEN 'active' THEN 'retiring' ELSE 'active' END
    WHERE role = 'entries-signer'"""


SIGNING_KEYS_CHANGED: Final[tuple[tuple[str, ...], ...]] = (
    (
        ANOTHER_SIGNING_KEY,
        "of a role's signing keys on a token, all but the first were ordered",
        "a role has one signing key in use on a token, or the token is retired with all of them",
        "a signing key has an entry that took it into use",
    ),
    (
        BACK_IN_USE,
        "a signing key is out of use when the ledger says so, and only then",
        "an order that was carried out left the old key as its reason asks",
    ),
    ("UPDATE signing_key SET certificate = :random_32", "a signing key has an entry that took it into use"),
    (ANOTHER_ORDER, "the order of a signing key has an entry that gave it"),
    (ANOTHER_ORDER, "the order of a signing key is what was confirmed"),
    ("UPDATE key_order SET reason = 'compromised'", "the order of a signing key is what was confirmed"),
    ("UPDATE key_order SET approval_id = authorisation_id", "two admins order another signing key"),
    ("UPDATE key_order SET approval_id = :random_16", "two admins order another signing key"),
    (
        "UPDATE key_order SET carried_out_at = NULL",
        "an order that was carried out left the old key as its reason asks",
    ),
    ("UPDATE key_order SET new_key_id = NULL", "of a role's signing keys on a token, all but the first were ordered"),
)


async def test_a_signing_key_that_two_admins_did_not_order(tmp_path: Path, location: Location) -> None:
    """A key slipped in, an old one put back in use, an order that nobody gave or that says something else."""
    async with software_office(tmp_path, location) as served:
        await enrol_admins(served)
        office = served.office
        wanted = key_order.action(office.keys.issuer(ENTRIES_SIGNER).key_id, ENTRIES_SIGNER, "precaution")
        await served.agreed(wanted, second="other")
        assert _found(location) == set()
        (order,) = await key_ceremony.open_orders(office.store)
        await served.ceremony().carry_out(order, served.token.generate(ENTRIES_SIGNER))

    assert _found(location) == set()
    for number, (change, *found) in enumerate(SIGNING_KEYS_CHANGED):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert _broken(location, folder, change) >= set(found), change


RETIRED_COPIES: Final[tuple[tuple[str, ...], ...]] = (
    ("UPDATE credential SET status = 'valid'", "a copy that was retired stays withdrawn"),
    ("UPDATE credential SET retired_for = NULL", "a copy that was retired stays withdrawn"),
    (
        "UPDATE credential SET retired_at = NULL, retired_for = NULL",
        "a copy that no decision changed is valid, or was retired",
        "each copy that was retired has an entry",
    ),
    ("UPDATE credential SET retirement_id = NULL", "whoever retires a copy confirms it"),
    (
        "UPDATE credential SET retirement_id = (SELECT id FROM authorisation WHERE act = 'offer-credential' LIMIT 1)",
        "whoever retires a copy confirms it",
    ),
    (
        "UPDATE credential SET retirement_id = (SELECT id FROM authorisation WHERE act = 'retire-copy')",
        "a confirmation retires one copy",
    ),
    ("UPDATE offer SET replaces = NULL", "a copy that was replaced has one in its place"),
    (
        "UPDATE credential SET status = 'invalid', retired_at = 1, retired_for = 'unwanted' WHERE retired_at IS NULL",
        "each copy that was retired has an entry",
    ),
)


async def test_a_copy_that_its_holder_did_not_retire(tmp_path: Path, location: Location) -> None:
    """One was withdrawn, another replaced: revived, retired in somebody's name, or without a successor."""
    async with software_office(tmp_path, location) as served:
        lost = await holding(served.api)
        old = await holding(served.api, lost.person)
        citizen = await served.api.enrol_citizen(lost.person)
        handles = [bytes.fromhex(copy.answer["handle"]) for copy in (lost, old)]
        office, wanted = served.office, Wanted(IMMIGRATION_STATUS.id)
        await served.confirmed(
            citizen, lambda who, given: retire.retire(office, who, handles[0], Retirement.LOST, given)
        )
        offer = await served.confirmed(
            citizen, lambda who, given: offer_to_self(office, who, wanted, given, handles[1])
        )
        proof = SoftWallet().proof(offer.issuer, offer.nonce)
        await collect(office, CollectionRequest(offer.code, proof, "0123456789"))

    assert _found(location) == set()
    for number, (change, *found) in enumerate(RETIRED_COPIES):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert _broken(location, folder, change) >= set(found), change


LETTERS: Final[tuple[tuple[str, ...], ...]] = (
    (
        "UPDATE letter SET person_id = (SELECT id FROM person WHERE id <> letter.person_id)",
        "a letter is of a copy of its person",
    ),
    (
        "DELETE FROM letter WHERE id NOT IN (SELECT letter_id FROM letter_order)",
        "a copy that was asked for on paper has its letter",
        "an entry of a letter has its letter",
    ),
    ("UPDATE letter SET sealed_pdf = NULL", "a letter that was made is kept, and has an entry"),
    ("UPDATE letter SET ledger_index = 1", "a letter that was made is kept, and has an entry"),
    ("UPDATE letter SET made_at = NULL", "a letter that was made is kept, and has an entry"),
    ("UPDATE letter_batch SET authorisation_id = :random_16", "whoever orders letters confirms it"),
    (
        "UPDATE letter_order SET person_id = (SELECT id FROM person WHERE id <> letter_order.person_id)",
        "a letter of a batch is of whom it was ordered for",
    ),
)


async def test_letters_that_were_changed(tmp_path: Path, location: Location) -> None:
    """They are gone, another's, made without an entry, or ordered by nobody."""
    async with software_office(tmp_path, location) as served:
        other = bytes.fromhex(await served.api.person_with_status())
        await published(served, letter_pdf.finish(served.office, await printed(served, other)))
        person = bytes.fromhex(await served.api.person_with_status())
        office, choices = served.office, LetterChoices(type=IMMIGRATION_STATUS.id)
        batch = await served.confirmed(
            "officer", lambda who, given: letter_batch.order(office, who, [person], choices, given)
        )
        await made(served, batch.handle)

    assert _found(location) == set()
    for number, (change, *found) in enumerate(LETTERS):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert _broken(location, folder, change) >= set(found), change


ANOTHER_ORIGIN: Final = "UPDATE authorisation SET evidence = :elsewhere"
KEY_OF_ANOTHER: Final = """
    UPDATE authorisation SET security_key_id =
        (SELECT id FROM security_key WHERE account_id <> authorisation.account_id) WHERE act = 'offer-credential'"""
EVIDENCE_OF_ANOTHER: Final = """
    UPDATE authorisation SET evidence =
        (SELECT evidence FROM authorisation WHERE act = 'add-security-key' ORDER BY ledger_index DESC LIMIT 1)"""


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("UPDATE authorisation SET evidence = :nothing", "the evidence of a confirmation holds"),
        (ANOTHER_ORIGIN, "the evidence of a confirmation holds"),
        (
            "UPDATE authorisation SET action_digest = :random_32 WHERE act = 'offer-credential'",
            "evidence is of the act and the key that its row names",
        ),
        (KEY_OF_ANOTHER, "evidence is of the act and the key that its row names"),
        (EVIDENCE_OF_ANOTHER, "evidence is of the act and the key that its row names"),
        ("UPDATE security_key SET cose_key = :nothing", "evidence is of the act and the key that its row names"),
        (EVIDENCE_OF_ANOTHER, "the entry of a confirmation commits to its evidence"),
    ],
)
def test_evidence_that_was_changed(change: str, rule: str, at_rest: Location, tmp_path: Path) -> None:
    """What somebody signed is checked again, against the row, against the key, and against the log."""
    assert rule in _broken(at_rest, tmp_path, change)


# Rules whose cases need an office of another kind: where they stand
ELSEWHERE: Final[Mapping[str, str]] = {
    "an account is of a person exactly if it is a citizen's": "test_right_givers.py",
    "entries wait only while the log is halted": "test_rights_on_the_ledger.py",
    "no two security keys are one": "test_rights_on_the_ledger.py",
    "an idempotency key leads to an entry of its shard": "test_published_rows.py",
    "an act that was confirmed is kept under the key of whom its entry is about": "test_confirmations.py",
    "two admins confirm whom is relied on": "test_trusted_issuers_audit.py",
}


def test_every_rule_has_its_case() -> None:
    """A rule that no change of rows breaks could be a sentence and nothing else."""
    cases = (*CHANGED_ROWS, *WHO_DECIDED, *BY_TWO_ADMINS, *SIGNING_KEYS_CHANGED, *RETIRED_COPIES, *LETTERS)
    fired = {rule for _, *rules in cases for rule in rules}
    assert ROW_RULES.keys() - fired == ELSEWHERE.keys()
    for rule, file in ELSEWHERE.items():
        assert rule in Path(__file__).with_name(file).read_text()
