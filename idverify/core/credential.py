"""A credential before it has a format: what is said, of whom, by whom, until when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SECONDS_PER_DAY = 86_400

Place = tuple[str | int, ...]
"""A place in claims: ``("address", "country")``, ``("nationalities", 0)``."""


@dataclass(frozen=True, slots=True)
class StatusReference:
    """Where a copy's status stands: Token Status List, section 6 (``uri``, ``idx``)."""

    uri: str
    index: int


@dataclass(frozen=True, slots=True)
class Credential:
    """One copy of a status, ready to be prepared in some format.

    Times are Unix seconds; ``issued_at`` is rounded to the day so that it does not identify the copy.
    ``holder_key`` is the public JWK (RFC 7517) that the wallet proved it holds; paper holds none.

    ``type`` and ``claims`` are those of the format: a ``vct`` and claims by name, or a docType and, by namespace, the
    elements by name, in which dates are ``datetime.date``, times ``datetime.datetime`` and pictures bytes.
    ``disclosable`` are the places that the holder may show one by one, with ``decoys`` more digests at each level
    (both of SD-JWT; an mdoc shows every element by itself).
    """

    type: str
    claims: Mapping[str, Any]
    disclosable: frozenset[Place]
    issued_at: int
    expires_at: int
    status: StatusReference
    holder_key: Mapping[str, str] | None
    decoys: int = 0


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs: the ``iss`` identifier and the certificate chain of the signing key, leaf first, root left out."""

    iss: str
    chain: tuple[bytes, ...]
    key_id: bytes


def day_rounded(at: int) -> int:
    """Unix seconds at the start of the UTC day of ``at``."""
    return at - at % SECONDS_PER_DAY
