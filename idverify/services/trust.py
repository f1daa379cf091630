"""The trust bundle: made here, signed by the HSM, carried to verifiers that have no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from idverify.core.trust import TrustStore
from idverify.errors import DocumentError
from idverify.formats import trust_bundle
from idverify.formats.trust_bundle import TrustBundle
from idverify.formats.x509 import fingerprint
from idverify.services.another_token import on_another_token
from idverify.services.office import TRUST_SIGNER, Office
from idverify.services.others_logs import policies_of
from idverify.services.status_source import NOTHING_SEEN, Age, KeptList, StatusSource, under
from idverify.services.trust_book import of_others
from idverify.services.verify import Verifier
from idverify.stores import queries

MOST_LISTS: Final = trust_bundle.MAX_BUNDLE // 2
"""Bytes of status lists in a bundle, which is in base64, as those in it that are no text are, too."""


@on_another_token
async def export(office: Office) -> bytes:
    """A signed bundle of everything this verifier relies on, as of now."""
    crls = await office.store.fetch(queries.CRLS, {})
    bundle = TrustBundle(
        iss=office.deployment.iss,
        issued_at=office.clock.now(),
        trust=tuple(office.trust.issuers.values()),
        crls=(
            *((row["issuer_certificate"], row["der"]) for row in crls),
            *of_others(office.trust.everybody.values()),
        ),
        log_policies=tuple(policy.text for policy in office.log_book.policies()),
        status_lists=_lists(office.statuses.kept(), own=office.deployment.status_base),
    )
    signer = office.keys.issuer(TRUST_SIGNER)
    unsigned = trust_bundle.prepare(bundle, signer)
    return trust_bundle.seal(unsigned, await office.signer.sign(signer.key_id, unsigned.payload))


def _lists(kept: Mapping[str, KeptList], own: str) -> dict[str, bytes]:
    """Ours, and as many of others' as there is room for, the smallest first: nobody's lists shut out everybody's."""
    tokens = {uri: listed.token for uri, listed in kept.items() if under(uri, own)}
    room = MOST_LISTS - sum(map(len, tokens.values()))
    for uri, listed in sorted(kept.items(), key=lambda one: len(one[1].token)):
        if uri not in tokens and len(listed.token) <= room:
            tokens[uri] = listed.token
            room -= len(listed.token)
    return tokens


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle that was opened: the verifier that knows what it knows, and how new it and its status lists are."""

    verifier: Verifier
    ages: Mapping[str, Age]


def offline_verifier(encoded: bytes, root_sha256: bytes, at: int) -> Verifier:
    """A verifier that knows what the bundle knows and asks nobody. Raises ``DocumentError``."""
    return opened(encoded, root_sha256, at).verifier


def opened(encoded: bytes, root_sha256: bytes, at: int, seen: Mapping[str, Age] = NOTHING_SEEN) -> Opened:
    """The same, for whoever remembers. Raises ``DocumentError``.

    ``seen`` is how new the status lists and bundles were that were relied on before: no older list is, and of an older
    bundle nobody knows who was revoked or withdrawn since.
    """
    bundle = trust_bundle.open_bundle(encoded, root_sha256, at)
    trust, statuses = bundle.trust_store(), StatusSource(None, oldest=seen)
    name, age = f"bundle {bundle.iss}", (bundle.issued_at, 0)
    known_until = 0 if age < seen.get(name, age) else _signer_known_until(trust, root_sha256)
    trust = replace(trust, crl_ends=_no_later(trust, known_until))
    for token in bundle.status_lists.values():
        statuses.keep_snapshot(token, bundle.trust, trust.revoked_serials, at)
    ages = {name: age, **{uri: listed.age for uri, listed in statuses.kept().items()}}
    try:
        policies = policies_of(bundle.log_policies)
        for issuer in bundle.trust:
            policies_of(issuer.log_policies)
    except DocumentError as wrong:
        raise DocumentError("bundle-form", f"The bundle's policy for a log cannot be read: {wrong.detail}") from wrong
    return Opened(Verifier(trust, statuses, policies), ages)


def _signer_known_until(trust: TrustStore, root_sha256: bytes) -> int:
    """Until when it is known whether whoever signed the bundle still may, by the list of the pinned root."""
    return min(end for root, end in trust.crl_ends.items() if fingerprint(root) == root_sha256)


def _no_later(trust: TrustStore, known_until: int) -> dict[bytes, int]:
    """When the lists of every root go stale: with the bundle's own at the latest, which says what there is."""
    roots = {root for one in trust.issuers.values() for root in one.roots}
    roots |= {term.certificate for one in trust.issuers.values() for term in one.root_terms}
    return {root: min(trust.crl_ends.get(root, known_until), known_until) for root in roots}
