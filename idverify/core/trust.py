"""Which issuer is trusted for what, and when: the whole trust decision, as data.

What two admins once decided is never forgotten: a root that was withdrawn keeps its term. So a document that is checked
as of an earlier time meets the trust of that time, and "not trusted" can say since when.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Term:
    """When something is relied on: from ``since`` on, before ``until`` (Unix seconds; ``None``: no end is set)."""

    since: int
    until: int | None

    def holds(self, at: int) -> bool:
        """Whether ``at`` lies within it."""
        return self.since <= at and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class TrustedRoot(Term):
    """A root certificate (DER) in its term. ``origin`` says where it came from, such as a VICAL and its issue."""

    certificate: bytes
    origin: str


@dataclass(frozen=True, slots=True)
class TrustedType(Term):
    """A type of document in its term. ``format`` is that of the wire, such as ``mso_mdoc``."""

    format: str
    type: str


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer we rely on: its roots, the types it may issue, and where its status lists live.

    ``roots`` are DER certificates; ``status_base`` and ``further_bases`` are the only URI prefixes that its status
    lists are fetched from. ``iss`` is empty for an issuer of mdocs that is known by its roots alone. Without
    ``root_terms`` it is relied on at any time, for its types in any format. ``crls`` are its lists of revoked
    certificates (DER) that came with the decision on it; ``signers`` the certificates (DER) of those whom its documents
    on paper name by key id alone: they are looked up here, and believed for what they are certified. ``stamp_roots``
    are the roots (DER) of its time-stamp authority: what they certify says when something was there, and no more.
    ``log_policies`` are texts of c2sp.org/tlog-policy, one for each log of somebody else's: receipts of its documents
    rest on those logs, and on no others.
    """

    iss: str
    name: str
    roots: tuple[bytes, ...]
    types: frozenset[str]
    status_base: str
    country: str = ""
    further_bases: tuple[str, ...] = ()
    root_terms: tuple[TrustedRoot, ...] = ()
    type_terms: tuple[TrustedType, ...] = ()
    crls: tuple[bytes, ...] = ()
    signers: tuple[bytes, ...] = ()
    stamp_roots: tuple[bytes, ...] = ()
    log_policies: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What it is called in a register: its ``iss``, or the SHA-256 of the first root that it ever had."""
        if self.iss:
            return self.iss
        roots = [root.certificate for root in self.root_terms] or list(self.roots)
        return f"iaca:{hashlib.sha256(roots[0]).hexdigest()}"

    def at(self, at: int) -> TrustedIssuer:
        """The issuer with the roots and types that were relied on at a time (Unix seconds)."""
        if not self.root_terms:
            return self
        roots = tuple(dict.fromkeys(root.certificate for root in self.root_terms if root.holds(at)))
        terms = tuple(kind for kind in self.type_terms if kind.holds(at))
        return replace(self, roots=roots, types=frozenset(kind.type for kind in terms), type_terms=terms)

    def allows(self, form: str, kind: str) -> bool:
        """Whether it may issue documents of this type in this format."""
        if not self.root_terms:
            return kind in self.types
        return any((term.format, term.type) == (form, kind) for term in self.type_terms)

    @property
    def crl_roots(self) -> tuple[bytes, ...]:
        """The roots (DER) whose lists of revoked certificates may come with it: all it ever had, and of its stamps."""
        roots = [term.certificate for term in self.root_terms] or list(self.roots)
        return tuple(dict.fromkeys((*roots, *self.stamp_roots)))

    @property
    def list_bases(self) -> tuple[str, ...]:
        """Every address below which its status lists may be."""
        return tuple(base for base in (self.status_base, *self.further_bases) if base)

    def changes_at(self) -> frozenset[int]:
        """The times (Unix seconds) at which what it is relied on for changes."""
        terms = (*self.root_terms, *self.type_terms)
        return frozenset(when for term in terms for when in (term.since, term.until) if when is not None)


def issuer_of_terms(
    known: TrustedIssuer, roots: tuple[TrustedRoot, ...], types: tuple[TrustedType, ...]
) -> TrustedIssuer:
    """``known`` with its terms; its ``roots`` and ``types`` are those whose terms have no end."""
    return replace(
        known,
        roots=tuple(dict.fromkeys(root.certificate for root in roots if root.until is None)),
        types=frozenset(kind.type for kind in types if kind.until is None),
        root_terms=roots,
        type_terms=types,
    )


@dataclass(frozen=True)
class TrustStore:
    """The issuers that a verifier relies on, by ``iss``; one without ``iss`` by the name that its register gave it.

    ``revoked_serials`` are the certificates that verified CRLs revoke: (issuer name as RFC 4514 text, serial);
    ``crl_ends`` is when the CRL of a root (DER) goes stale (Unix seconds). ``known`` are all issuers of whom anything
    was ever decided, where this store shows one time of them.
    """

    issuers: Mapping[str, TrustedIssuer]
    revoked_serials: frozenset[tuple[str, int]] = frozenset()
    crl_ends: Mapping[bytes, int] = field(default_factory=dict)
    known: Mapping[str, TrustedIssuer] | None = None

    def issuer(self, iss: str) -> TrustedIssuer | None:
        """The trusted issuer of this name, or ``None``."""
        return self.issuers.get(iss)

    def at(self, at: int) -> TrustStore:
        """The issuers that were relied on at a time (Unix seconds), each for what it was relied on then.

        Revocations stay those that are known now: who knows of one does not unlearn it.
        """
        place = bisect_right(self._changes, at)
        view = self._views.get(place)
        if view is None:
            then = {name: issuer.at(at) for name, issuer in self.everybody.items()}
            relied_on = {name: issuer for name, issuer in then.items() if issuer.roots}
            self._views[place] = view = replace(self, issuers=relied_on, known=self.everybody)
        return view

    @property
    def everybody(self) -> Mapping[str, TrustedIssuer]:
        """Every issuer with all its terms, also those that are not relied on any more."""
        return self.issuers if self.known is None else self.known

    def with_all_terms(self, issuer: TrustedIssuer) -> TrustedIssuer:
        """An issuer of this store as everything that was ever decided on it."""
        name = next((name for name, one in self.issuers.items() if one is issuer), None)
        return issuer if name is None else self.everybody[name]

    def revocations_known(self, issuer: TrustedIssuer, at: int) -> bool:
        """Whether no list of revoked certificates that there is of its roots has gone stale."""
        return all(self.crl_ends.get(root, at + 1) > at for root in issuer.roots)

    @cached_property
    def _changes(self) -> list[int]:
        return sorted(frozenset[int]().union(*(issuer.changes_at() for issuer in self.everybody.values())))

    @cached_property
    def _views(self) -> dict[int, TrustStore]:
        return {}
