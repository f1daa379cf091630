"""Whom we rely on besides ourselves: the changes as they are kept, what they add up to, and what speaks against one.

A change holds whole issuers, each with every root and type that it ever had and their terms; the newest of an issuer
counts. So nothing is forgotten: whoever is not relied on any more still has the day on which that ended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from idverify.core.action import canonical_json
from idverify.core.names import name_as_read
from idverify.core.trust import Term, TrustedIssuer
from idverify.errors import Conflict, DocumentError, Unprocessable
from idverify.formats.issuer_document import crl_issuer, issuer_json, read_issuer
from idverify.formats.x509 import fingerprint, read_certificate, read_crl
from idverify.services.others_logs import policies_of
from idverify.stores import queries
from idverify.stores.store import Store

MOST_CHANGES: Final = 256
MOST_DOCUMENT: Final = 400_000
_SOURCE: Final = frozenset({"kind", "name", "issue", "date", "sha256", "root_sha256"})
_SHA_256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Source:
    """What a change was made from: a VICAL of provider ``name``. ``date`` is in Unix seconds, digests are in hex."""

    name: str
    issue: int | None
    date: int
    sha256: str
    root_sha256: str

    def to_json(self) -> dict[str, Any]:
        """As it stands in a change."""
        return {
            "kind": "vical",
            "name": self.name,
            "issue": self.issue,
            "date": self.date,
            "sha256": self.sha256,
            "root_sha256": self.root_sha256,
        }


@dataclass(frozen=True, slots=True)
class Change:
    """One change as two admins confirm it: whole issuers, and what they were taken from."""

    issuers: tuple[TrustedIssuer, ...]
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Register:
    """What all changes add up to: issuers by their key, with the version of the last change and the newest VICALs."""

    version: int = 0
    issuers: Mapping[str, TrustedIssuer] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)


async def register(store: Store) -> Register:
    """As of now."""
    return added_up(await store.fetch(queries.ISSUER_CHANGES, {}))


def added_up(rows: Iterable[Any]) -> Register:
    """The register after these rows of ``issuer_change``, oldest first."""
    whole = Register()
    for row in rows:
        change = read_change(json.loads(row["document"]), row["decided_at"])
        sources = {} if change.source is None else {change.source.name: change.source}
        issuers = {issuer.key: issuer for issuer in change.issuers}
        whole = Register(row["version"], {**whole.issuers, **issuers}, {**whole.sources, **sources})
    return whole


def change_json(change: Change) -> dict[str, Any]:
    """A change as a document."""
    source = None if change.source is None else change.source.to_json()
    return {"source": source, "issuers": [issuer_json(issuer) for issuer in change.issuers]}


def read_change(document: Any, decided_at: int) -> Change:
    """The change of a document that was decided at a time (Unix seconds). Raises ``Unprocessable``."""
    if not isinstance(document, dict) or document.keys() != {"source", "issuers"}:
        raise Unprocessable("A change of trusted issuers must have the members source and issuers.")
    said: Any = document["issuers"]
    if not isinstance(said, list) or not 1 <= len(said) <= MOST_CHANGES:
        raise Unprocessable(f"A change must name 1 to {MOST_CHANGES} issuers.")
    if len(canonical_json(document)) > MOST_DOCUMENT:
        raise Unprocessable(f"A change may have {MOST_DOCUMENT} bytes; make several smaller ones.")
    try:
        issuers = tuple(read_issuer(one, decided_at) for one in said)
        for issuer in issuers:
            policies_of(issuer.log_policies)
    except DocumentError as wrong:
        raise Unprocessable(f"{wrong.detail} ({wrong.rule})") from wrong
    return Change(issuers, None if document["source"] is None else _source(document["source"]))


def _source(said: Any) -> Source:
    whole = isinstance(said, dict) and said.keys() == _SOURCE and said["kind"] == "vical"
    if not whole or not isinstance(said["name"], str) or not 0 < len(said["name"]) <= 200:
        raise Unprocessable("The source of a change must be a VICAL with name, issue, date, sha256 and root_sha256.")
    numbers = type(said["date"]) is int and (said["issue"] is None or type(said["issue"]) is int)
    digests = all(isinstance(one, str) and _SHA_256.fullmatch(one) for one in (said["sha256"], said["root_sha256"]))
    if not numbers or not digests:
        raise Unprocessable("Of a VICAL issue and date must be numbers, sha256 and root_sha256 64 hex digits.")
    return Source(said["name"], said["issue"], said["date"], said["sha256"], said["root_sha256"])


# --- what speaks against a change ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proposed:
    """A change before the register that it would change; ``ours`` is this deployment's own issuer."""

    change: Change
    before: Register
    ours: TrustedIssuer

    @property
    def after(self) -> Mapping[str, TrustedIssuer]:
        """Every issuer after the change, our own with them."""
        changed = {issuer.key: issuer for issuer in self.change.issuers}
        return {**self.before.issuers, **changed, self.ours.key: self.ours}


def well_formed(proposed: Proposed) -> None:
    """What was made here, too, is a document as it is read."""
    read_change(change_json(proposed.change), 0)


def issuer_once(proposed: Proposed) -> None:
    """A change says one thing of an issuer."""
    keys = [issuer.key for issuer in proposed.change.issuers]
    if len(set(keys)) != len(keys):
        raise Unprocessable("A change must name each issuer once.")


def not_ourselves(proposed: Proposed) -> None:
    """Our own roots and types follow from who we are."""
    ours = set(proposed.ours.crl_roots)
    for issuer in proposed.change.issuers:
        if issuer.key == proposed.ours.key or ours & set(issuer.crl_roots):
            raise Conflict("This is this service itself: what it issues is relied on as it is.")


def nothing_forgotten(proposed: Proposed) -> None:
    """Terms are ended or added, and never taken back."""
    for issuer in proposed.change.issuers:
        once = proposed.before.issuers.get(issuer.key)
        if once is None:
            continue
        for kept, given in ((once.root_terms, issuer.root_terms), (once.type_terms, issuer.type_terms)):
            if len(given) < len(kept) or not all(map(_continues, kept, given)):
                raise Conflict(
                    f"What was decided on {once.name} is kept: end a root or a type, or add one. "
                    "Start again from what is in force."
                )


def _continues(kept: Term, given: Term) -> bool:
    """The same in every way, or with an end that it did not have, or an earlier one."""
    if replace(given, until=kept.until) != kept:
        return False
    return kept.until is None or (given.until is not None and given.until <= kept.until)


def terms_in_order(proposed: Proposed) -> None:
    """An end after its beginning."""
    for issuer in proposed.change.issuers:
        for term in (*issuer.root_terms, *issuer.type_terms):
            if term.until is not None and term.until < term.since:
                raise Unprocessable(f"A term of {issuer.name} ends before it begins.")


def name_of_one(proposed: Proposed) -> None:
    """No two that read alike: whoever reads a verdict knows whom it means."""
    names = {key: name_as_read(issuer.name) for key, issuer in proposed.after.items()}
    for issuer in proposed.change.issuers:
        if any(name == names[issuer.key] and key != issuer.key for key, name in names.items()):
            raise Conflict(f"Another issuer is named {issuer.name}; give this one a name of its own.")


def root_of_one(proposed: Proposed) -> None:
    """A root speaks for one issuer, and so does its name: lists of revoked certificates go by names."""
    names = {key: set(map(_subject, issuer.crl_roots)) for key, issuer in proposed.after.items()}
    for issuer in proposed.change.issuers:
        for key, other in proposed.after.items():
            if key != issuer.key and names[key] & names[issuer.key]:
                raise Conflict(f"A root of this name is one of {other.name}; a root speaks for one issuer.")


def address_of_one(proposed: Proposed) -> None:
    """Where one issuer's status lists are, no other's are: a list tells of its own issuer's documents."""
    for issuer in proposed.change.issuers:
        for key, other in proposed.after.items():
            if key != issuer.key and any(_overlap(one, two) for one in _bases(issuer) for two in _bases(other)):
                raise Conflict(f"The status lists of {other.name} are at the same address.")


def crls_newer(proposed: Proposed) -> None:
    """RFC 5280 section 5.2.3: what was revoked stays so; a list is replaced by a newer one of its root alone."""
    for issuer in proposed.change.issuers:
        once = proposed.before.issuers.get(issuer.key)
        held = {} if once is None else _crl_numbers(once)
        given = _crl_numbers(issuer)
        if len(given) != len(issuer.crls) or any(given.get(root, -1) < number for root, number in held.items()):
            raise Conflict(f"A list of revoked certificates of {issuer.name} must be the one that is held, or newer.")


def vical_newer(proposed: Proposed) -> None:
    """ISO/IEC 18013-5 annex C.1.7.1: a provider's lists are numbered and dated, and only newer ones are taken."""
    source = proposed.change.source
    held = None if source is None else proposed.before.sources.get(source.name)
    if source is None or held is None:
        return
    older = source.date <= held.date
    if held.issue is not None and source.issue is not None:
        older = older or source.issue <= held.issue
    if older:
        raise Conflict(f"The list of {source.name} is no newer than the one that was taken last.")


CHANGE_RULES: tuple[Callable[[Proposed], None], ...] = (
    well_formed,
    issuer_once,
    not_ourselves,
    nothing_forgotten,
    terms_in_order,
    name_of_one,
    root_of_one,
    address_of_one,
    crls_newer,
    vical_newer,
)


def require_changeable(proposed: Proposed) -> None:
    """Raises ``Conflict`` or ``Unprocessable`` with the first rule of ``CHANGE_RULES`` that speaks against it."""
    for rule in CHANGE_RULES:
        rule(proposed)


def _crl_numbers(issuer: TrustedIssuer) -> Mapping[bytes, int]:
    """Of each root that has a list, the list's number."""
    owners = [(crl_issuer(crl, issuer.crl_roots), crl) for crl in issuer.crls]
    return {root: read_crl(crl, root).number for root, crl in owners}


def _subject(der: bytes) -> str:
    return read_certificate(der).subject.rfc4514_string()


def _bases(issuer: TrustedIssuer) -> list[str]:
    return [base.rstrip("/") + "/" for base in issuer.list_bases]


def _overlap(one: str, two: str) -> bool:
    return one.startswith(two) or two.startswith(one)


# --- changes to propose -------------------------------------------------------------------------------------------


def withdrawn(issuer: TrustedIssuer, at: int, root_sha256: bytes | None = None) -> TrustedIssuer:
    """The issuer without one root (its SHA-256), or without any, from ``at`` (Unix seconds) on."""

    def ends(term: Any) -> Any:
        return replace(term, until=max(at, term.since)) if term.until is None or term.until > at else term

    roots = tuple(
        ends(root) if root_sha256 is None or fingerprint(root.certificate) == root_sha256 else root
        for root in issuer.root_terms
    )
    kinds = tuple(map(ends, issuer.type_terms)) if root_sha256 is None else issuer.type_terms
    return replace(issuer, root_terms=roots, type_terms=kinds)
