"""Whom we rely on is two admins' decision, takes effect at once, and is never forgotten."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from idverify.core import issuer_trust
from idverify.core.action import canonical_json
from idverify.core.policy import Principal, Role
from idverify.core.trust import TrustedIssuer
from idverify.core.verdict import CheckId, Result
from idverify.errors import Conflict, IdverifyError, NotAllowed, Unprocessable
from idverify.formats import x509_build
from idverify.services import administration, change_trusted_issuers, trusted_issuers
from idverify.services.administration import Waiting
from idverify.services.check import online_verifier
from idverify.services.invite import Invited
from idverify.services.trust_book import TrustBook
from idverify.services.trusted_issuers import Change, Proposed, Register, Source, change_json, read_change, withdrawn
from idverify.services.verify import Submission, verify
from idverify.stores import queries, tables
from idverify.stores.writes import Insert, WriteSet
from tests.simulators import credential_world as world
from tests.simulators.foreign_issuer import NORTH, SOUTH
from tests.simulators.software_office import SoftwareOffice

OURS = world.TRUSTED
HEX = "ab" * 32


async def _admins(served: SoftwareOffice) -> None:
    await served.api.identity("admin")
    await served.api.enrol("abel", await served.api.deployment.invite(Invited(Role.ADMIN, "Abel Admin")))


async def _proposed(served: SoftwareOffice, change: Change) -> Waiting:
    action = await change_trusted_issuers.action(served.office, change)
    return await served.confirmed("admin", lambda who, given: administration.propose(served.office, who, action, given))


async def _agreed(served: SoftwareOffice, change: Change) -> None:
    waiting = await _proposed(served, change)
    await served.confirmed("abel", lambda who, given: administration.approve(served.office, who, waiting.handle, given))


async def _found(served: SoftwareOffice, document: bytes, at: int | None = None) -> tuple[Result, str | None]:
    """What the check of the issuer finds, and why."""
    when = served.clock.now() if at is None else at
    verified = await verify(online_verifier(served.office), Submission(document), when)
    check = next(check for check in verified.verdict.checks if check.id is CheckId.ISSUER_TRUSTED)
    return check.result, (check.evidence or {}).get("why")


async def test_two_admins_rely_on_an_issuer_and_withdraw_it(served: SoftwareOffice) -> None:
    """It takes effect at once, in its time alone, and the withdrawal says since when."""
    await _admins(served)
    now = served.clock.now()
    document = NORTH.document(now)
    assert await _found(served, document) == (Result.FAIL, "issuer-unknown")
    waiting = await _proposed(served, Change((NORTH.trusted(now),)))
    assert await _found(served, document) == (Result.FAIL, "issuer-unknown")
    await served.confirmed("abel", lambda who, given: administration.approve(served.office, who, waiting.handle, given))

    assert await _found(served, document) == (Result.PASS, None)
    assert await _found(served, document, now - 1) == (Result.FAIL, "issuer-not-yet")
    served.clock.advance(100)
    known = (await trusted_issuers.register(served.office.store)).issuers[NORTH.iss]
    await _agreed(served, Change((withdrawn(known, now + 50),)))
    assert await _found(served, document) == (Result.FAIL, "issuer-withdrawn")
    assert await _found(served, document, now + 10) == (Result.PASS, None)


async def test_nobody_changes_it_alone(served: SoftwareOffice) -> None:
    """Neither does the proposer approve it, nor does an officer or a program take part."""
    await _admins(served)
    waiting = await _proposed(served, Change((NORTH.trusted(served.clock.now()),)))
    officer, program = await served.principal("officer"), Principal("key", "Monitoring", Role.ADMIN, None)

    for wrong in (await served.principal("admin"), officer, program):
        with pytest.raises(NotAllowed):
            await administration.approve(served.office, wrong, waiting.handle, None)
    for wrong in (officer, program):
        with pytest.raises(NotAllowed):
            await administration.propose(served.office, wrong, waiting.action, None)
    with pytest.raises(NotAllowed):
        await change_trusted_issuers.known(served.office, officer)


async def test_a_change_that_another_came_before(served: SoftwareOffice) -> None:
    """Whoever approves sees the register that was proposed for, or proposes again."""
    await _admins(served)
    now = served.clock.now()
    earlier = await _proposed(served, Change((NORTH.trusted(now),)))
    await _agreed(served, Change((SOUTH.trusted(now),)))

    with pytest.raises(Conflict, match="have changed since"):
        await administration.approve(served.office, await served.principal("abel"), earlier.handle, None)


async def test_ourselves_are_relied_on_as_we_are(served: SoftwareOffice) -> None:
    """With our root, from the keys in use, and nobody decides otherwise."""
    ours = served.office.trust.issuers[served.office.deployment.iss]
    named = replace(NORTH.trusted(), iss=ours.iss)

    assert len(ours.roots) == 1
    with pytest.raises(Conflict, match="this service itself"):
        await change_trusted_issuers.look_at(served.office, Change((named,)))


async def test_another_process_sees_it_soon(served: SoftwareOffice) -> None:
    """What one node decided, another takes from the database when it looks."""
    await _admins(served)
    other = await TrustBook.read(served.office.store, served.office.doors)
    assert not await other.reload_if_changed(served.office.store)
    await _agreed(served, Change((NORTH.trusted(served.clock.now()),)))

    assert NORTH.iss not in other.current.issuers
    assert await other.reload_if_changed(served.office.store)
    assert NORTH.iss in other.current.issuers


def _later(issuer: TrustedIssuer, **root: Any) -> TrustedIssuer:
    return replace(issuer, root_terms=(replace(issuer.root_terms[0], **root),))


def _crl() -> bytes:
    tbs = x509_build.tbs_crl(SOUTH.root(), number=1, this_update=world.NOW, next_update=world.NOW + 1, revoked=())
    return x509_build.seal_crl(tbs, world.sign(SOUTH.root_key, tbs))


_VICAL = Source("Example", 7, 1000, HEX, HEX)
_IN_FORCE = Register(1, {NORTH.iss: NORTH.trusted()}, {"Example": _VICAL})
_TWICE = replace(SOUTH.trusted(), root_terms=SOUTH.trusted().root_terms * 2)
BROKEN: dict[str, tuple[Change, type[IdverifyError]]] = {
    "well_formed": (Change((replace(SOUTH.trusted(), iss="http://south.example"),)), Unprocessable),
    "issuer_once": (Change((SOUTH.trusted(), SOUTH.trusted())), Unprocessable),
    "not_ourselves": (Change((replace(SOUTH.trusted(), iss=OURS.iss, name=OURS.name),)), Conflict),
    "nothing_forgotten": (Change((_later(NORTH.trusted(), since=5),)), Conflict),
    "terms_in_order": (Change((_later(SOUTH.trusted(), until=5),)), Unprocessable),
    "name_of_one": (Change((replace(SOUTH.trusted(), name="northland  AUTHORITY"),)), Conflict),
    "root_of_one": (Change((_later(SOUTH.trusted(), certificate=NORTH.root(world.private_key(5))),)), Conflict),
    "address_of_one": (Change((replace(SOUTH.trusted(), status_base=f"{NORTH.iss}/status/of/south"),)), Conflict),
    "crls_newer": (Change((replace(SOUTH.trusted(), crls=(_crl(), _crl())),)), Conflict),
    "vical_newer": (Change((SOUTH.trusted(),), replace(_VICAL, date=1001)), Conflict),
}


def test_what_a_change_may_be() -> None:
    """Another issuer, an end, an earlier end, a further root, a newer list."""
    ended, earlier = NORTH.trusted(until=world.NOW), NORTH.trusted(until=world.NOW - 5)
    rolled = replace(NORTH.trusted(), root_terms=(*NORTH.trusted().root_terms, *SOUTH.trusted().root_terms))
    for before, change in (
        (_IN_FORCE, Change((SOUTH.trusted(), NORTH.trusted()))),
        (_IN_FORCE, Change((ended,))),
        (Register(1, {NORTH.iss: ended}), Change((earlier,))),
        (_IN_FORCE, Change((rolled,))),
        (_IN_FORCE, Change((_TWICE,), replace(_VICAL, issue=8, date=1001))),
    ):
        trusted_issuers.require_changeable(Proposed(change, before, OURS))


@pytest.mark.parametrize("rule", trusted_issuers.CHANGE_RULES, ids=lambda rule: rule.__name__)
def test_each_rule_alone(rule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that it refuses gets through when it is switched off, and through no other rule."""
    change, error = BROKEN[rule.__name__]
    proposed = Proposed(change, _IN_FORCE, OURS)
    with pytest.raises(error):
        trusted_issuers.require_changeable(proposed)

    others = tuple(one for one in trusted_issuers.CHANGE_RULES if one is not rule)
    monkeypatch.setattr(trusted_issuers, "CHANGE_RULES", others)
    trusted_issuers.require_changeable(proposed)


@pytest.mark.parametrize(
    "given",
    [
        NORTH.trusted(until=None),
        replace(NORTH.trusted(until=5), root_terms=()),
        replace(NORTH.trusted(until=6)),
        _later(NORTH.trusted(until=5), origin="elsewhere"),
    ],
)
def test_what_ended_stays_ended(given: TrustedIssuer) -> None:
    """No end is taken back or moved to later, no root left out, nothing said otherwise of it."""
    with pytest.raises(Conflict, match="is kept"):
        trusted_issuers.nothing_forgotten(
            Proposed(Change((given,)), Register(1, {NORTH.iss: NORTH.trusted(until=5)}), OURS)
        )


def _document(**changes: Any) -> dict[str, Any]:
    """The document of an issuer, changed."""
    whole: dict[str, Any] = json.loads(json.dumps(change_json(Change((NORTH.trusted(),)))))
    whole["issuers"][0] |= changes
    return whole


def _root(**changes: Any) -> dict[str, Any]:
    whole = _document()
    whole["issuers"][0]["roots"][0] |= changes
    return whole


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({}, "source and issuers"),
        ({"source": None, "issuers": []}, "1 to 256 issuers"),
        ({"source": None, "issuers": [7]}, "An issuer must have the members"),
        ({"source": {"kind": "x"}, "issuers": _document()["issuers"]}, "must be a VICAL"),
        (_document(more=1), "must have the members"),
        (_document(crls=["%"]), "crls must be base64"),
        (_document(crls=["AAAA"]), "A revocation list must be"),
        (_document(crls=[base64.b64encode(_crl()).decode()]), "signed by a root of the issuer"),
        (_document(name=""), "name must be a printable text"),
        (_document(name="a\nb"), "name must be a printable text"),
        (_document(name=7), "name must be a printable text"),
        (_document(country="Utopia"), "ISO 3166-1"),
        (_document(roots=[]), "at least one root"),
        (_document(roots={}), "roots must be a list"),
        (_document(roots=_document()["issuers"][0]["roots"] * 65), "list of at most 64"),
        (_document(iss="http://north.example"), "https address"),
        (_document(iss="https://north.example/?a"), "https address"),
        (_document(iss="https://user@north.example"), "https address"),
        (_document(status_bases=["https://north.example/../x"]), "https address"),
        (_document(status_bases=["https://north.example/%2e"]), "https address"),
        (_document(status_bases=["https://NORTH.example"]), "https address"),
        (_root(certificate="%"), "base64"),
        (_root(certificate="AAAA"), "X.509 v3"),
        (_root(since="now"), "since must be a time"),
        (_root(since=-1), "since must be a time"),
        (_root(since=True), "since must be a time"),
        (_root(until=1 << 41), "until must be a time"),
        (_document(types=[{"format": "dc+sd-jwt", "type": "", "since": 1, "until": None}]), "type must be a printable"),
    ],
)
def test_documents_that_are_none(document: Any, sentence: str) -> None:
    """Whatever is sent in the place of a change is refused with what was expected."""
    with pytest.raises(Unprocessable, match=sentence):
        read_change(document, 1)


def test_a_signer_in_the_place_of_a_root() -> None:
    """What certifies nobody is no root."""
    with pytest.raises(Unprocessable, match="root-is-authority"):
        read_change(_root(certificate=base64.b64encode(NORTH.leaf()).decode()), 1)


def test_no_day_named_is_the_day_of_the_decision() -> None:
    """``since: null`` becomes the time at which two admins agreed."""
    (issuer,) = read_change(_root(since=None), 77).issuers

    assert issuer.root_terms[0].since == 77


def test_a_change_is_whole_again() -> None:
    """What is written is what is read."""
    change = Change((NORTH.trusted(), SOUTH.trusted(until=world.NOW)), _VICAL)

    assert read_change(change_json(change), 1) == change
    assert issuer_trust.action(1, change_json(change)).digest()


async def test_a_change_that_was_written_in(served: SoftwareOffice) -> None:
    """A row counts only if two admins signed it: neither one of nobody's, nor one that borrows their signatures."""
    await _admins(served)
    now, store, book = served.clock.now(), served.office.store, served.office.trust_book
    await _agreed(served, Change((NORTH.trusted(now),)))
    (decided,) = await store.fetch(queries.ISSUER_CHANGES, {})
    document = canonical_json(change_json(Change((SOUTH.trusted(now),))))
    for version, ids in ((2, {}), (3, {"authorisation_id": b"a" * 16, "approval_id": b"b" * 16})):
        row = dict(decided) | {"version": version, "document": document} | ids
        await store.commit(WriteSet((Insert(tables.issuer_change, row),)))

    assert await book.reload_if_changed(store)
    assert (NORTH.iss in book.current.issuers, SOUTH.iss in book.current.issuers) == (True, False)
    assert SOUTH.iss not in (await TrustBook.read(store, served.office.doors)).current.issuers
