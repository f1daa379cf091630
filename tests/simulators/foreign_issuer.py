"""Issuers of other countries with keys of their own: their roots, their documents, and the terms they are relied on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from idverify.core.trust import TrustedIssuer, TrustedRoot, TrustedType, issuer_of_terms
from idverify.formats import jose, x509, x509_build
from tests.simulators import credential_world as world

VCT = "urn:example:residence:1"


@dataclass(frozen=True)
class Foreign:
    """An issuer of its own: all its keys follow from ``secret``."""

    name: str
    iss: str
    secret: int
    country: str = "XA"

    @property
    def root_key(self) -> Any:
        """The root's."""
        return world.private_key(self.secret)

    @property
    def signer_key(self) -> Any:
        """The document signer's."""
        return world.private_key(self.secret + 1)

    def root(self, key: Any = None, name: str | None = None, days: int = 3650) -> bytes:
        """Its root, DER."""
        key = key or self.root_key
        subject = replace(world.certified(name or f"{self.name} Root", key, 1, days), country=self.country)
        tbs = x509_build.tbs_root(subject, uri=self.iss, crl_uri=f"{self.iss}/crl")
        return x509_build.seal_certificate(tbs, world.sign(key, tbs))

    def leaf(self, purpose: x509.Purpose = x509.Purpose.DOCUMENT, root_key: Any = None) -> bytes:
        """Its signer's certificate, DER."""
        key = root_key or self.root_key
        subject = replace(world.certified(f"{self.name} Signer", self.signer_key, 2, 400), country=self.country)
        tbs = x509_build.tbs_leaf(subject, purpose, self.root(key), iss=self.iss, crl_uri=f"{self.iss}/crl")
        return x509_build.seal_certificate(tbs, world.sign(key, tbs))

    def trusted(self, since: int = world.NOW - world.DAY, until: int | None = None) -> TrustedIssuer:
        """Relied on for its residence permits."""
        known = TrustedIssuer(self.iss, self.name, (), frozenset(), f"{self.iss}/status", self.country)
        roots = (TrustedRoot(since, until, self.root(), "by hand"),)
        return issuer_of_terms(known, roots, (TrustedType(since, until, "dc+sd-jwt", VCT),))

    def document(self, at: int = world.NOW, **changes: Any) -> bytes:
        """A residence permit that holds for a day."""
        said = {"iss": self.iss, "vct": VCT, "iat": at - 60, "exp": at + world.DAY} | changes
        head = world.header(x5c=jose.x5c_header((self.leaf(),)))
        return world.sd_jwt(world.payload(**said), head=head, key=self.signer_key)


NORTH = Foreign("Northland Authority", "https://north.example", 3001)
SOUTH = Foreign("Southland Authority", "https://south.example", 3101, "XB")
