"""A trust bundle is relied on only under the pinned root, signed by its trust list key, with that root's CRL."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idverify.core.credential import Issuer
from idverify.errors import DocumentError
from idverify.formats import trust_bundle, x509_build
from idverify.formats.jose import b64url_decode
from idverify.formats.trust_bundle import TrustBundle, open_bundle
from idverify.formats.x509 import Purpose, fingerprint, read_certificate
from idverify.ledger.note import vkey
from tests.simulators import credential_world as world
from tests.simulators.signed_log import SignedLog

SIGNER_KEY, STRANGER_KEY = world.private_key(77), world.private_key(78)
PIN = fingerprint(world.ROOT)
SERIAL = 7


def certificate(purpose: Purpose, root: bytes = world.ROOT, root_key: object = None, days: int = 400) -> bytes:
    """A leaf for the bundle's signer."""
    certified = world.certified("Trust list", SIGNER_KEY, SERIAL, days)
    tbs = x509_build.tbs_leaf(certified, purpose, root, iss=world.ISS, crl_uri=world.CRL_URI)
    return x509_build.seal_certificate(tbs, world.sign(root_key or world.ROOT_KEY, tbs))  # type: ignore[arg-type]


def signer_serial() -> int:
    """The serial number of the signer's certificate."""
    return read_certificate(certificate(Purpose.TRUST_LIST)).serial_number


def crl(*revoked: int, number: int = 1) -> bytes:
    """The root's revocation list."""
    tbs = x509_build.tbs_crl(
        world.ROOT,
        number=number,
        this_update=world.NOW - 60,
        next_update=world.NOW + 30 * world.DAY,
        revoked=[(serial, world.NOW - 60) for serial in revoked],
    )
    return x509_build.seal_crl(tbs, world.sign(world.ROOT_KEY, tbs))


POLICY = f"log {vkey(SignedLog().verifier)} {world.ISS}/log/1\nquorum none\n"
BUNDLE = TrustBundle(world.ISS, world.NOW, (world.TRUSTED,), ((world.ROOT, crl()),), ("quorum none\n", POLICY), {})


def signed(bundle: TrustBundle = BUNDLE, leaf: bytes | None = None, key: object = SIGNER_KEY) -> bytes:
    """A bundle as its signer would make it."""
    issuer = Issuer(world.ISS, (leaf or certificate(Purpose.TRUST_LIST),), b"12345678")
    unsigned = trust_bundle.prepare(bundle, issuer)
    return trust_bundle.seal(unsigned, world.sign(key, unsigned.payload))  # type: ignore[arg-type]


def test_a_bundle_that_holds() -> None:
    """What was signed is what is opened, revocations included."""
    opened = open_bundle(signed(), PIN, world.NOW)

    assert opened == BUNDLE
    assert opened.trust_store().crl_ends == {world.ROOT: world.NOW + 30 * world.DAY}


def test_a_bundle_carries_roots_of_time_stamps() -> None:
    """Apart from those of documents, so that neither vouches for what the other signs; a bundle of before has none."""
    stamped = replace(world.TRUSTED, stamp_roots=(world.root(STRANGER_KEY, "Example time stamps root"),))
    bundle = replace(BUNDLE, trust=(stamped,))
    opened = open_bundle(signed(bundle), PIN, world.NOW)

    assert opened == bundle
    assert b"stamp_roots" not in b64url_decode(signed().split(b".")[1], "the payload")


def test_a_bundle_carries_signers_of_paper() -> None:
    """A paper code names its signer by key id: a verifier without a network has the certificate from here."""
    named = replace(world.TRUSTED, signers=(world.leaf(Purpose.PAPER),))
    bundle = replace(BUNDLE, trust=(named,))

    assert open_bundle(signed(bundle), PIN, world.NOW) == bundle
    assert b"signers" not in b64url_decode(signed().split(b".")[1], "the payload")
    with pytest.raises(DocumentError, match=r"X\.509"):
        open_bundle(signed(replace(BUNDLE, trust=(replace(named, signers=(b"no certificate",)),))), PIN, world.NOW)


def test_a_bundle_carries_lists_of_either_form() -> None:
    """A JWT as the text that it is, a CWT by its bytes."""
    lists = {world.STATUS_URI: b"ey.ey.AA", f"{world.STATUS_URI}0": b"\xd2\x84\x00.\xff"}
    bundle = replace(BUNDLE, status_lists=lists)

    assert open_bundle(signed(bundle), PIN, world.NOW) == bundle


def stranger() -> bytes:
    """A bundle of somebody who names our root and signs under another one of the same name."""
    root = world.root(STRANGER_KEY)
    return signed(leaf=certificate(Purpose.TRUST_LIST, root, STRANGER_KEY))


@pytest.mark.parametrize(
    ("bundle", "rule"),
    [
        (stranger, "path"),
        (lambda: signed(leaf=certificate(Purpose.STATEMENT)), "leaf-purpose"),
        (lambda: signed(leaf=certificate(Purpose.DOCUMENT)), "leaf-purpose"),
        (lambda: signed(key=STRANGER_KEY), "signature"),
        (lambda: signed(replace(BUNDLE, crls=((world.ROOT, crl(signer_serial())),))), "path-not-revoked"),
        (lambda: signed(replace(BUNDLE, crls=())), "bundle-crl"),
        (lambda: signed(leaf=certificate(Purpose.TRUST_LIST, days=-1)), "leaf-lifetime"),
    ],
    ids=["a stranger's root", "status key", "document key", "other key", "revoked", "no list", "never valid"],
)
def test_bundles_that_are_not_relied_on(bundle: object, rule: str) -> None:
    """Whoever may sign statuses or documents, or may sign no more, may not say whom to trust."""
    with pytest.raises(DocumentError) as refused:
        open_bundle(bundle(), PIN, world.NOW)  # type: ignore[operator]

    assert refused.value.rule == rule


@pytest.mark.parametrize("policies", [(), (7,)], ids=["none", "a number"])
def test_a_bundle_names_a_policy_for_each_log(policies: object) -> None:
    """A list of at least one: whoever relies on receipts has to know their logs."""
    with pytest.raises(DocumentError) as refused:
        open_bundle(signed(replace(BUNDLE, log_policies=policies)), PIN, world.NOW)  # type: ignore[arg-type]

    assert refused.value.rule == "bundle-form"


def test_another_pin() -> None:
    """The root in the bundle must be the one that the verifier pinned beforehand."""
    with pytest.raises(DocumentError) as refused:
        open_bundle(signed(), bytes(32), world.NOW)

    assert refused.value.rule == "bundle-root"


def test_an_expired_signer() -> None:
    """After the signer's certificate ended, its bundles are nobody's word."""
    end = read_certificate(certificate(Purpose.TRUST_LIST)).not_valid_after_utc.timestamp()
    with pytest.raises(DocumentError) as refused:
        open_bundle(signed(), PIN, int(end) + 1)

    assert refused.value.rule == "path-validity"
