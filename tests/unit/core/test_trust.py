"""Trust has its time: what was relied on then, and that nothing decided is ever forgotten."""

from __future__ import annotations

import pytest

from idverify.core.trust import TrustedIssuer, TrustedRoot, TrustedType, TrustStore, issuer_of_terms

FOLK = TrustedIssuer(
    "https://a.example", "A", (), frozenset(), "https://a.example/status", "XA", ("https://b.example/l/",)
)
ISSUER = issuer_of_terms(
    FOLK,
    (TrustedRoot(10, 20, b"old", ""), TrustedRoot(15, None, b"new", ""), TrustedRoot(30, 40, b"old", "")),
    (TrustedType(10, 20, "mso_mdoc", "x"), TrustedType(10, None, "dc+sd-jwt", "x")),
)
STORE = TrustStore({ISSUER.key: ISSUER})


@pytest.mark.parametrize(
    ("at", "roots"),
    [(9, None), (10, (b"old",)), (15, (b"old", b"new")), (20, (b"new",)), (30, (b"new", b"old")), (40, (b"new",))],
)
def test_roots_in_their_terms(at: int, roots: tuple[bytes, ...] | None) -> None:
    """From the first second to before the last; an issuer without any is not relied on, and still known."""
    then = STORE.at(at)
    found = then.issuer(ISSUER.iss)

    assert (None if found is None else set(found.roots)) == (None if roots is None else set(roots))
    assert then.everybody[ISSUER.key] is ISSUER


@pytest.mark.parametrize(("at", "mdoc"), [(15, True), (25, False)])
def test_types_in_their_terms_and_formats(at: int, mdoc: bool) -> None:  # noqa: FBT001  a parameter of the test
    """A type is allowed in the format that it was allowed in, and no other."""
    found = STORE.at(at).issuers[ISSUER.key]

    assert found.allows("dc+sd-jwt", "x")
    assert found.allows("mso_mdoc", "x") is mdoc
    assert not found.allows("mso_mdoc", "y")


def test_without_terms_at_any_time() -> None:
    """For all its types in any format, as in bundles of before there were terms."""
    plain = TrustedIssuer("https://c.example", "C", (b"root",), frozenset({"x"}), "")
    then = TrustStore({plain.key: plain}).at(1)

    assert then.issuers[plain.key] is plain
    assert (plain.allows("mso_mdoc", "x"), plain.allows("mso_mdoc", "y")) == (True, False)


def test_a_time_is_looked_at_again_from_any_other() -> None:
    """The view of one time leads to that of another, and all revocations stay known."""
    store = TrustStore({ISSUER.key: ISSUER}, frozenset({("CN=A", 1)}))

    assert set(store.at(12).at(25).issuers[ISSUER.key].roots) == {b"new"}
    assert store.at(12).revoked_serials == store.revoked_serials
    assert store.at(12) is store.at(13)


def test_lists_of_several_addresses() -> None:
    """All that were registered; an issuer whose documents have no status has none."""
    assert ISSUER.list_bases == ("https://a.example/status", "https://b.example/l/")
    assert TrustedIssuer("", "C", (b"root",), frozenset(), "").list_bases == ()


def test_the_end_of_one_list_of_revocations() -> None:
    """Bears on the issuers of its root alone."""
    store = TrustStore({}, frozenset(), {b"new": 100})
    other = TrustedIssuer("https://c.example", "C", (b"root",), frozenset(), "")

    assert [store.revocations_known(ISSUER, at) for at in (99, 100)] == [True, False]
    assert store.revocations_known(other, 100)
