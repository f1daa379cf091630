"""Changes of trusted issuers to propose, made from files: a certificate, a VICAL, a bundle of somebody else's.

Nothing here takes effect: what comes out is what two admins will be asked to confirm.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from idverify.core.form_parts import MDOC, PAPER_CODE, SD_JWT_VC
from idverify.core.trust import Term, TrustedIssuer, TrustedRoot, TrustedType, issuer_of_terms
from idverify.errors import DocumentError, Unprocessable
from idverify.formats import trust_bundle, vical, x509
from idverify.formats.issuer_document import crl_issuer
from idverify.formats.strict_json import parse_object
from idverify.formats.trust_bundle import TrustBundle
from idverify.formats.vical import Entry, Refused
from idverify.services import others_logs
from idverify.services.trusted_issuers import Change, Register, Source, withdrawn

T = TypeVar("T", bound=Term)


@dataclass(frozen=True, slots=True)
class FromList:
    """A change made from a VICAL; ``refused`` are its certificates that cannot be relied on.

    ``narrowed`` are the authorities whose certificates are listed for different types: they are relied on for those
    that all of them have.
    """

    change: Change
    refused: tuple[Refused, ...]
    narrowed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ByHand:
    """What is said of an issuer whose roots somebody was given. ``types`` are (format, type).

    ``key`` names the issuer that it is added to, where neither ``iss`` nor the root tells.
    """

    name: str
    country: str
    iss: str
    status_bases: tuple[str, ...]
    types: tuple[tuple[str, str], ...]
    origin: str
    key: str | None = None


def by_hand(register: Register, roots: Iterable[bytes], said: ByHand, at: int) -> Change:
    """Rely on an issuer from ``at`` (Unix seconds) on, or on further roots and types of one that is known.

    Raises ``DocumentError`` for what is no root.
    """
    given = [TrustedRoot(at, None, root, said.origin) for root in dict.fromkeys(roots)]
    for root in given:
        x509.require_root(root.certificate)
    if not given:
        raise Unprocessable("Give at least one root certificate.")
    kinds = [TrustedType(at, None, form, kind) for form, kind in dict.fromkeys(said.types)]
    first, further = (said.status_bases[0], said.status_bases[1:]) if said.status_bases else ("", ())
    fresh = TrustedIssuer(said.iss, said.name, (), frozenset(), first, said.country, tuple(further))
    once = register.issuers.get(said.key or issuer_of_terms(fresh, tuple(given), ()).key)
    if once is None and said.key is not None:
        raise Unprocessable("There is no such trusted issuer.")
    if once is None:
        return Change((issuer_of_terms(fresh, tuple(given), tuple(kinds)),))
    known = replace(
        once, name=said.name, country=said.country, iss=said.iss, status_base=first, further_bases=tuple(further)
    )
    return Change((_further(known, given, kinds),))


def from_vical(register: Register, encoded: bytes, root: bytes, at: int) -> FromList:
    """What a VICAL under its provider's pinned root (DER) changes ``at`` Unix seconds. Raises ``DocumentError``."""
    seen = vical.read(encoded)
    accepted = vical.check(seen, vical.VicalExpected(root, at))
    prefix = f"VICAL of {seen.provider[:120]},"
    day = dt.datetime.fromtimestamp(seen.date, dt.UTC).date().isoformat()
    origin = f"{prefix} {'' if seen.issue is None else f'issue {seen.issue}, '}{day}"
    groups = _by_authority(accepted.entries)
    known = _owners(register)
    taken = dict(register.issuers)
    for name, entries in groups.items():
        issuer = _listed(entries, name, known, origin, at)
        taken |= {} if issuer is None else {issuer.key: issuer}
    ours = _Provider(prefix, {entry.certificate: set(entry.doc_types) for entry in accepted.entries}, at)
    taken = {key: ours.ended(issuer) for key, issuer in taken.items()}
    fresh = tuple(one for key, one in taken.items() if register.issuers.get(key) != one)
    if not fresh:
        raise Unprocessable(f"The list of {seen.provider} changes nothing of what is relied on here.")
    digest = hashlib.sha256(encoded).hexdigest()
    source = Source(seen.provider, seen.issue, seen.date, digest, x509.fingerprint(root).hex())
    narrowed = tuple(name for name, entries in groups.items() if len({frozenset(e.doc_types) for e in entries}) > 1)
    return FromList(Change(fresh, source), accepted.refused, narrowed)


def from_bundle(register: Register, encoded: bytes, root_sha256: bytes, at: int) -> Change:
    """Rely on whoever signed a trust bundle of theirs, for what they issue themselves: on nobody whom they rely on.

    With their signers of paper, whom codes name by key id alone, the roots of their time stamps, their lists of revoked
    certificates, and the keys of their logs: nobody else tells of those. ``root_sha256`` is the fingerprint of their
    root, had by another way. Raises ``DocumentError``.
    """
    bundle = trust_bundle.open_bundle(encoded, root_sha256, at)
    issuer = next((one for one in bundle.trust if one.iss == bundle.iss), None)
    if issuer is None:
        raise DocumentError("bundle-form", "The bundle must say what its own issuer may issue.")
    then = issuer.at(at)
    types = tuple((form, kind) for kind in sorted(then.types) for form in kind_formats(kind, paper=bool(then.signers)))
    origin = f"trust bundle of {bundle.iss}"[:200]
    said = ByHand(issuer.name, issuer.country, issuer.iss, issuer.list_bases, types, origin)
    (known,) = by_hand(register, then.roots, said, at).issuers
    signers = tuple(dict.fromkeys((*known.signers, *then.signers)))
    stamp_roots = tuple(dict.fromkeys((*known.stamp_roots, *then.stamp_roots)))
    known = replace(known, signers=signers, stamp_roots=stamp_roots)
    crls = _newest_of_each(known, (*known.crls, *_lists(bundle, known)))
    logs = others_logs.newest_of_each(bundle.log_policies, known.log_policies)
    return Change((replace(known, crls=crls, log_policies=logs),))


def kind_formats(kind: str, *, paper: bool) -> tuple[str, ...]:
    """The formats of a type whose format nobody told: an mdoc's docType is a name without colons, a vct is a URI.

    What is an SD-JWT VC is a code on ``paper``, too, of an issuer that has signers of paper.
    """
    if ":" not in kind:
        return (MDOC,)
    return (SD_JWT_VC, PAPER_CODE) if paper else (SD_JWT_VC,)


def _lists(bundle: TrustBundle, issuer: TrustedIssuer) -> Iterator[bytes]:
    """The bundle's lists of revoked certificates of the issuer's roots, those of its time stamps with them."""
    return (crl for certificate, crl in bundle.crls if certificate in issuer.crl_roots)


def _newest_of_each(issuer: TrustedIssuer, crls: Iterable[bytes]) -> tuple[bytes, ...]:
    """One list for a root, which no older one takes the place of: what was revoked stays so."""
    newest = dict[bytes, bytes]()
    for crl in crls:
        root = crl_issuer(crl, issuer.crl_roots)
        held = newest.get(root)
        if held is None or x509.read_crl(crl, root).number > x509.read_crl(held, root).number:
            newest[root] = crl
    return tuple(newest.values())


def with_crl(register: Register, crl: bytes) -> Change:
    """An issuer with a list of revoked certificates (DER) in the place of an older one of the same root.

    Raises ``DocumentError`` for a list of nobody whose root is known.
    """
    for issuer in register.issuers.values():
        try:
            root = crl_issuer(crl, issuer.crl_roots)
        except DocumentError as wrong:
            if wrong.rule != "issuer-crl":
                raise
            continue
        others = tuple(held for held in issuer.crls if crl_issuer(held, issuer.crl_roots) != root)
        return Change((replace(issuer, crls=(*others, crl)),))
    raise DocumentError("issuer-crl", "No trusted issuer has a root that signed this list of revoked certificates.")


def withdrawal(register: Register, key: str, at: int, root_sha256: bytes | None = None) -> Change:
    """Rely on an issuer, or on one root of it, no longer from ``at`` on. Raises ``Unprocessable``."""
    issuer = register.issuers.get(key)
    if issuer is None:
        raise Unprocessable("There is no such trusted issuer.")
    changed = withdrawn(issuer, at, root_sha256)
    if changed == issuer:
        raise Unprocessable("It is not relied on any more already.")
    return Change((changed,))


def _by_authority(entries: Iterable[Entry]) -> Mapping[str, list[Entry]]:
    """The certificates of each authority, by the name that people read."""
    groups = defaultdict[str, list[Entry]](list)
    for entry in entries:
        named = entry.authority or x509.read_certificate(entry.certificate).subject.rfc4514_string()
        groups[f"{named}, {entry.state}"[:200] if entry.state else named[:200]].append(entry)
    return groups


def _owners(register: Register) -> Mapping[bytes, TrustedIssuer]:
    return {root.certificate: issuer for issuer in register.issuers.values() for root in issuer.root_terms}


def _listed(
    entries: list[Entry], name: str, known: Mapping[bytes, TrustedIssuer], origin: str, at: int
) -> TrustedIssuer | None:
    """An authority as a list has it, with all that was decided on it before."""
    kinds = set(entries[0].doc_types).intersection(*(entry.doc_types for entry in entries))
    once = next((known[entry.certificate] for entry in entries if entry.certificate in known), None)
    roots = [TrustedRoot(at, None, entry.certificate, origin) for entry in entries]
    types = [TrustedType(at, None, MDOC, kind) for kind in sorted(kinds)]
    if once is not None:
        return _further(once, roots, types)
    if not types:
        return None
    country = (entries[0].country or x509.region(entries[0].certificate).country or "").partition("-")[0].upper()
    return issuer_of_terms(TrustedIssuer("", name, (), frozenset(), "", country), tuple(roots), tuple(types))


def _further(once: TrustedIssuer, roots: list[TrustedRoot], types: list[TrustedType]) -> TrustedIssuer:
    """An issuer with those roots and types besides that are not relied on yet."""
    has = {root.certificate for root in once.root_terms if root.until is None}
    may = {(kind.format, kind.type) for kind in once.type_terms if kind.until is None}
    return issuer_of_terms(
        once,
        (*once.root_terms, *(root for root in roots if root.certificate not in has)),
        (*once.type_terms, *(kind for kind in types if (kind.format, kind.type) not in may)),
    )


@dataclass(frozen=True, slots=True)
class _Provider:
    """A provider's list as it is now: its certificates with their types; ``prefix`` begins the origin of its roots."""

    prefix: str
    listed: Mapping[bytes, set[str]]
    at: int

    def ended(self, issuer: TrustedIssuer) -> TrustedIssuer:
        """An issuer without those of this provider's roots that are not listed any more.

        Where all its roots are this provider's, its types are, too: those of them that none of its roots has now end.
        """
        roots = tuple(
            self._end(root, self._of(root) and root.certificate not in self.listed) for root in issuer.root_terms
        )
        open_roots = [root for root in roots if root.until is None]
        types = issuer.type_terms
        if all(map(self._of, issuer.root_terms)):
            still = set[str]().union(*(self.listed.get(root.certificate, set()) for root in open_roots))
            types = tuple(self._end(kind, kind.type not in still) for kind in types)
        if (roots, types) == (issuer.root_terms, issuer.type_terms):
            return issuer
        return issuer_of_terms(issuer, roots, types)

    def _of(self, root: TrustedRoot) -> bool:
        return root.origin.startswith(self.prefix)

    def _end(self, term: T, gone: bool) -> T:  # noqa: FBT001  a private helper
        return replace(term, until=max(self.at, term.since)) if gone and term.until is None else term


def change_from_file(content: bytes) -> Any:
    """The document of a change in a file that ``idverify trust import`` wrote. Raises ``DocumentError``."""
    return parse_object(content, "A change of trusted issuers")
