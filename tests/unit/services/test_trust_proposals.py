"""What files propose: whom to rely on, from a certificate, a provider's list or somebody's bundle, and whom no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from idverify.core.credential import Issuer
from idverify.core.trust import TrustedIssuer
from idverify.errors import Conflict, DocumentError, Unprocessable
from idverify.formats import trust_bundle, x509, x509_build
from idverify.formats.trust_bundle import TrustBundle
from idverify.ledger.note import vkey
from idverify.services.trust_book import of_others
from idverify.services.trust_proposals import ByHand, by_hand, from_bundle, from_vical, with_crl, withdrawal
from idverify.services.trusted_issuers import (
    Change,
    Proposed,
    Register,
    change_json,
    read_change,
    require_changeable,
)
from tests.simulators import credential_world as world
from tests.simulators import paper_world as paper
from tests.simulators import vical_world as vicals
from tests.simulators.foreign_issuer import NORTH, SOUTH, VCT
from tests.simulators.witness_memory import cosigners
from tests.unit.formats.test_trust_bundle import BUNDLE, PIN, POLICY, signed
from tests.unit.formats.test_trust_bundle import crl as their_crl

NOW, DAY = world.NOW, world.DAY
ROOT = vicals.root()
SAID = ByHand("Northland Authority", "XA", NORTH.iss, (f"{NORTH.iss}/status",), (("dc+sd-jwt", VCT),), "by hand")


OURS = replace(world.TRUSTED, iss="https://ours.example", name="Ours", roots=(), status_base="https://ours.example/s")


def after(register: Register, change: Change) -> Register:
    """The register once a change is in force; it must be one that may be."""
    require_changeable(Proposed(change, register, OURS))
    sources = {} if change.source is None else {change.source.name: change.source}
    issuers = {one.key: one for one in change.issuers}
    return Register(register.version + 1, {**register.issuers, **issuers}, {**register.sources, **sources})


def test_a_certificate_by_hand() -> None:
    """From now on, for these types; the same again adds nothing, another root and type are added to it."""
    (issuer,) = by_hand(Register(), [NORTH.root()], SAID, NOW).issuers
    register = after(Register(), Change((issuer,)))
    more = replace(SAID, types=(("dc+sd-jwt", VCT), ("mso_mdoc", vicals.MDL)))
    (grown,) = by_hand(register, [NORTH.root(), SOUTH.root()], more, NOW + DAY).issuers

    assert issuer == NORTH.trusted(NOW)
    assert grown.roots == (NORTH.root(), SOUTH.root())
    assert [term.since for term in grown.root_terms] == [NOW, NOW + DAY]
    assert grown.types == {VCT, vicals.MDL}


def test_a_further_root_of_an_issuer_without_a_name() -> None:
    """By its key, since nothing in the new certificate tells."""
    nameless = replace(SAID, iss="", types=(("mso_mdoc", vicals.MDL),))
    register = after(Register(), by_hand(Register(), [NORTH.root()], nameless, NOW))
    (key,) = register.issuers
    (grown,) = by_hand(register, [SOUTH.root()], replace(nameless, key=key), NOW).issuers

    assert grown.key == key
    assert grown.roots == (NORTH.root(), SOUTH.root())
    with pytest.raises(Unprocessable, match="no such"):
        by_hand(register, [SOUTH.root()], replace(nameless, key="iaca:00"), NOW)


@pytest.mark.parametrize(("roots", "error"), [([], Unprocessable), ([NORTH.leaf()], DocumentError)])
def test_what_is_no_root(roots: list[bytes], error: type[Exception]) -> None:
    """Nothing, or a certificate that certifies nobody."""
    with pytest.raises(error):
        by_hand(Register(), roots, SAID, NOW)


def _taken(register: Register, said: Any = None, at: int = NOW) -> Register:
    return after(register, from_vical(register, vicals.signed(said), ROOT, at).change)


def _newer(*entries: Any, issue: int = 8, days: int = 0) -> dict[str, Any]:
    return vicals.listed(*entries, vicalIssueID=issue, date=vicals.instant(NOW + days * DAY))


def test_a_list_of_issuers() -> None:
    """Each authority with its roots and types, as mdocs; the change says which list it came from, and whose."""
    made = from_vical(Register(), vicals.signed(), ROOT, NOW)
    north, south = made.change.issuers

    assert (north.name, north.iss, north.country, north.types) == ("Northland Authority", "", "XA", {vicals.MDL})
    assert south.types == {vicals.MDL, vicals.PERMIT}
    assert north.allows("mso_mdoc", vicals.MDL)
    assert not north.allows("dc+sd-jwt", vicals.MDL)
    assert north.root_terms[0].origin == "VICAL of Example Provider, issue 7, 2026-09-20"
    assert made.change.source is not None
    assert (made.change.source.issue, made.change.source.root_sha256) == (7, x509.fingerprint(ROOT).hex())
    assert made.refused == ()


def test_a_newer_list() -> None:
    """Whoever is not on it any more is withdrawn, a type that is gone ends, a new root is added."""
    register = _taken(Register())
    fresh = NORTH.root(world.private_key(77))
    both = (vicals.entry(NORTH), vicals.entry(NORTH, certificate=fresh))
    later = _taken(register, _newer(*both), NOW + DAY)
    north, south = (later.issuers[key] for key in register.issuers)

    assert north.roots == (NORTH.root(), fresh)
    assert (south.roots, south.types) == ((), frozenset())
    assert south.root_terms[0].until == NOW + DAY
    narrower = _taken(_taken(Register()), _newer(vicals.entry(NORTH), vicals.entry(SOUTH, vicals.PERMIT)), NOW + DAY)
    assert {one.name: one.types for one in narrower.issuers.values()}["Southland Authority"] == {vicals.PERMIT}


def test_certificates_for_different_types() -> None:
    """An authority is relied on for what all its certificates are listed for, and whoever proposes it is told."""
    fresh = NORTH.root(world.private_key(77))
    said = vicals.listed(vicals.entry(NORTH, vicals.MDL, vicals.PERMIT), vicals.entry(NORTH, certificate=fresh))
    made = from_vical(Register(), vicals.signed(said), ROOT, NOW)

    assert made.change.issuers[0].types == {vicals.MDL}
    assert made.narrowed == ("Northland Authority",)
    nothing = vicals.listed(
        vicals.entry(NORTH, vicals.PERMIT), vicals.entry(NORTH, certificate=fresh), vicals.entry(SOUTH)
    )
    assert [one.name for one in from_vical(Register(), vicals.signed(nothing), ROOT, NOW).change.issuers] == [
        "Southland Authority"
    ]


def test_what_others_decided_is_left() -> None:
    """An issuer that admins added by hand is no provider's to withdraw."""
    register = after(Register(), by_hand(Register(), [SOUTH.root()], replace(SAID, name="South", iss=SOUTH.iss), NOW))
    later = _taken(register, vicals.listed(vicals.entry(NORTH)))

    assert later.issuers[SOUTH.iss].roots == (SOUTH.root(),)


@pytest.mark.parametrize(
    "said",
    [
        _newer(vicals.entry(), issue=7),
        _newer(vicals.entry(), issue=6),
        vicals.listed(vicals.entry(), vicalIssueID=8),
        vicals.listed(vicals.entry(), vicalIssueID=None),
    ],
    ids=["the same issue", "an older issue", "the same day", "no issue, the same day"],
)
def test_lists_that_are_no_newer(said: Any) -> None:
    """By issue and by date: an older list hides who was withdrawn since."""
    register = _taken(Register())
    with pytest.raises(Conflict, match="no newer"):
        _taken(register, said, NOW + DAY)


def test_a_list_that_changes_nothing() -> None:
    """There is nothing to confirm."""
    with pytest.raises(Unprocessable, match="changes nothing"):
        from_vical(_taken(Register()), vicals.signed(_newer()), ROOT, NOW)


def test_a_list_under_another_root() -> None:
    """The provider's root is pinned: whoever else signs is nobody's provider."""
    with pytest.raises(DocumentError) as refused:
        from_vical(Register(), vicals.signed(), vicals.root(vicals.STRANGER_KEY), NOW)
    assert refused.value.rule == "path"


def test_somebody_s_bundle() -> None:
    """Its own issuer is relied on for what it issues, under the pinned root, and nobody whom it relies on."""
    bundle = replace(BUNDLE, trust=(world.TRUSTED, NORTH.trusted()))
    (issuer,) = from_bundle(Register(), signed(bundle), PIN, NOW).issuers

    assert (issuer.iss, issuer.roots, issuer.types) == (world.ISS, world.TRUSTED.roots, world.TRUSTED.types)
    assert issuer.allows("dc+sd-jwt", world.VCT)
    assert not issuer.allows("mso_mdoc", world.VCT)
    with pytest.raises(DocumentError, match="fingerprint"):
        from_bundle(Register(), signed(bundle), bytes(32), NOW)


PAPER = world.leaf(x509.Purpose.PAPER)


def test_somebody_s_paper() -> None:
    """Who signs it comes with the bundle; what is an SD-JWT VC may be on paper, too, and no docType ever is."""
    issuing = replace(world.TRUSTED, types=world.TRUSTED.types | {vicals.MDL})
    (plain,) = from_bundle(Register(), signed(replace(BUNDLE, trust=(issuing,))), PIN, NOW).issuers
    register = after(Register(), Change((plain,)))
    bundle = replace(BUNDLE, trust=(replace(issuing, signers=(PAPER,)),))
    (issuer,) = from_bundle(register, signed(bundle), PIN, NOW + 1).issuers

    assert (plain.signers, plain.allows("idv1", world.VCT)) == ((), False)
    assert issuer.signers == (PAPER,)
    allowed = [(form, kind) for form in ("dc+sd-jwt", "idv1", "mso_mdoc") for kind in (world.VCT, vicals.MDL)]
    assert [pair for pair in allowed if issuer.allows(*pair)] == [
        ("dc+sd-jwt", world.VCT),
        ("idv1", world.VCT),
        ("mso_mdoc", vicals.MDL),
    ]
    assert read_change(change_json(Change((issuer,))), 1).issuers == (issuer,)
    grown = after(register, Change((issuer,)))
    (again,) = from_bundle(grown, signed(), PIN, NOW + 2).issuers
    assert again.signers == (PAPER,), "an older bundle takes nobody away"


def test_somebody_s_revoked_certificates() -> None:
    """Their list comes with the bundle; no older one takes its place, and of others' roots none is taken."""
    other = (NORTH.root(), crl(1))
    newer = replace(BUNDLE, crls=((world.ROOT, their_crl(7, number=2)), other))
    register = after(Register(), from_bundle(Register(), signed(), PIN, NOW))
    grown = after(register, from_bundle(register, signed(newer), PIN, NOW))
    (back,) = from_bundle(grown, signed(), PIN, NOW).issuers
    store = x509.trust_store(grown.issuers, of_others(grown.issuers.values()))

    assert register.issuers[world.ISS].crls == (their_crl(),)
    assert grown.issuers[world.ISS].crls == back.crls == (their_crl(7, number=2),)
    assert {number for _, number in store.revoked_serials} == {7}


def _stamp_crl(number: int, *revoked: int) -> bytes:
    root, times = paper.stamp_root(), {"this_update": NOW - 60, "next_update": NOW + DAY}
    tbs = x509_build.tbs_crl(root, number=number, revoked=[(serial, NOW - 60) for serial in revoked], **times)
    return x509_build.seal_crl(tbs, world.sign(paper.STAMP_ROOT_KEY, tbs))


def test_somebody_s_time_stamps() -> None:
    """The root of them comes with its list of revoked certificates, and both stay; it is nobody else's root."""
    root, listed = paper.stamp_root(), _stamp_crl(2, 7)
    with_stamps = replace(
        BUNDLE, trust=(replace(world.TRUSTED, stamp_roots=(root,)),), crls=(*BUNDLE.crls, (root, listed))
    )
    older = replace(with_stamps, crls=(*BUNDLE.crls, (root, _stamp_crl(1))))
    register = after(Register(), from_bundle(Register(), signed(), PIN, NOW))
    grown = after(register, from_bundle(register, signed(with_stamps), PIN, NOW))
    change = from_bundle(grown, signed(older), PIN, NOW)
    (back,) = change.issuers
    store = x509.trust_store(grown.issuers, of_others(grown.issuers.values()))

    assert register.issuers[world.ISS].stamp_roots == ()
    assert (back.stamp_roots, back.roots, back.crls) == ((root,), (world.ROOT,), (their_crl(), listed))
    assert read_change(change_json(change), 1).issuers == (back,)
    assert {number for _, number in store.revoked_serials} == {7}
    for stranger in (NORTH.trusted(NOW), OURS):
        wrong = replace(stranger, name="Other", stamp_roots=(root,))
        proposed = Proposed(change, Register(issuers={wrong.key: wrong}), OURS if stranger is not OURS else wrong)
        with pytest.raises(Conflict):
            require_changeable(proposed)
    with pytest.raises(Conflict, match="held"):
        require_changeable(Proposed(Change((replace(back, crls=(their_crl(), _stamp_crl(1))),)), grown, OURS))
    for der in (b"no certificate", PAPER):
        with pytest.raises(Unprocessable):
            read_change(change_json(Change((replace(back, stamp_roots=(der,)),))), 1)


def test_somebody_s_log() -> None:
    """Receipts of what they issue rest on their own log: its newest policy comes along, others' of theirs stay."""
    register = after(Register(), from_bundle(Register(), signed(), PIN, NOW))
    (key, *_) = cosigners("witness.example/w1")
    witnessed = POLICY.replace("quorum none", f"witness w {vkey(key.verifier)}\nquorum w")
    (issuer,) = from_bundle(register, signed(replace(BUNDLE, log_policies=(witnessed,))), PIN, NOW).issuers

    assert register.issuers[world.ISS].log_policies == BUNDLE.log_policies
    assert issuer.log_policies == (witnessed, "quorum none\n")
    with pytest.raises(DocumentError, match="line 1"):
        from_bundle(register, signed(replace(BUNDLE, log_policies=("quorum\n",))), PIN, NOW)
    with pytest.raises(Unprocessable, match="log-policy"):
        read_change(change_json(Change((replace(issuer, log_policies=("quorum\n",)),))), 1)


def test_more_by_hand_takes_nothing_away() -> None:
    """Whoever adds a type to an issuer keeps who signs its paper, what it revoked, and its log."""
    bundle = replace(BUNDLE, trust=(replace(world.TRUSTED, signers=(PAPER,)),))
    register = after(Register(), from_bundle(Register(), signed(bundle), PIN, NOW))
    said = ByHand("Example Authority", "XA", world.ISS, (world.TRUSTED.status_base,), (("mso_mdoc", vicals.MDL),), "")
    grown = after(register, by_hand(register, [world.ROOT], said, NOW))

    assert grown.issuers[world.ISS].signers == (PAPER,)
    assert grown.issuers[world.ISS].crls == register.issuers[world.ISS].crls
    assert grown.issuers[world.ISS].log_policies == BUNDLE.log_policies


def test_a_bundle_that_does_not_speak_of_itself() -> None:
    """Whom its signer relies on says nothing of whom to rely on."""
    other = replace(world.TRUSTED, iss="https://other.example")
    with pytest.raises(DocumentError) as refused:
        from_bundle(Register(), signed(replace(BUNDLE, trust=(other,))), PIN, NOW)
    assert refused.value.rule == "bundle-form"


def test_withdrawals() -> None:
    """An issuer with all its roots and types, or one root alone; from a day that may be past."""
    two = by_hand(Register(), [NORTH.root(), SOUTH.root()], SAID, NOW)
    register = after(Register(), two)
    (whole,) = withdrawal(register, NORTH.iss, NOW + DAY).issuers
    (part,) = withdrawal(register, NORTH.iss, NOW + 5, x509.fingerprint(SOUTH.root())).issuers

    assert (whole.at(NOW + DAY).roots, whole.at(NOW + DAY).types) == ((), frozenset())
    assert whole.at(NOW + DAY - 1).roots == (NORTH.root(), SOUTH.root())
    assert part.at(NOW + 5).roots == (NORTH.root(),)
    gone = after(register, Change((whole,)))
    for key, sentence in ((NORTH.iss, "already"), ("nobody", "no such")):
        with pytest.raises(Unprocessable, match=sentence):
            withdrawal(gone, key, NOW + 2 * DAY)
    (back,) = by_hand(gone, [NORTH.root()], SAID, NOW + 3 * DAY).issuers
    assert [bool(back.at(NOW + days * DAY).roots) for days in (0, 2, 4)] == [True, False, True]


def test_terms_travel_in_a_bundle() -> None:
    """Whoever verifies without a network meets the trust of that time; bundles of before still open."""
    issuers: tuple[TrustedIssuer, ...] = (world.TRUSTED, NORTH.trusted(NOW - DAY, NOW + DAY))
    opened = trust_bundle.open_bundle(signed(replace(BUNDLE, trust=issuers)), PIN, NOW)
    before = TrustBundle(world.ISS, NOW, (world.TRUSTED,), BUNDLE.crls, BUNDLE.log_policies, {})
    unsigned = trust_bundle.prepare(before, Issuer(world.ISS, (), b""))

    assert opened.trust == issuers
    store = opened.trust_store()
    assert [NORTH.iss in store.at(at).issuers for at in (NOW - 2 * DAY, NOW, NOW + DAY)] == [False, True, False]
    assert b"root_terms" not in unsigned.payload


def crl(number: int, *revoked: int, key: Any = None, root: bytes | None = None) -> bytes:
    """A list of NORTH's root, for thirty days."""
    authority = root or NORTH.root()
    tbs = x509_build.tbs_crl(
        authority,
        number=number,
        this_update=NOW - 60,
        next_update=NOW + 30 * DAY,
        revoked=[(serial, NOW - 60) for serial in revoked],
    )
    return x509_build.seal_crl(tbs, world.sign(key or NORTH.root_key, tbs))


def test_an_issuer_s_revoked_certificates() -> None:
    """Its list is kept with it, and only ever replaced by a newer one of the same root; nobody else's is taken."""
    serial = x509.read_certificate(NORTH.leaf()).serial_number
    register = after(Register(), by_hand(Register(), [NORTH.root()], SAID, NOW))
    listed = after(register, with_crl(register, crl(1)))
    newer = after(listed, with_crl(listed, crl(2, serial)))
    store = x509.trust_store(newer.issuers, of_others(newer.issuers.values()))

    assert {number for _, number in store.revoked_serials} == {serial}
    assert [store.revocations_known(newer.issuers[NORTH.iss], NOW + days * DAY) for days in (29, 30)] == [True, False]
    with pytest.raises(Conflict, match="or newer"):
        after(newer, with_crl(newer, crl(1)))
    with pytest.raises(Conflict, match="or newer"):
        after(newer, Change((replace(newer.issuers[NORTH.iss], crls=()),)))
    for wrong in (crl(3, key=SOUTH.root_key), crl(3, key=SOUTH.root_key, root=SOUTH.root()), b"no list"):
        with pytest.raises(DocumentError):
            with_crl(newer, wrong)
    assert read_change(change_json(Change((newer.issuers[NORTH.iss],))), 1).issuers[0].crls == (crl(2, serial),)
