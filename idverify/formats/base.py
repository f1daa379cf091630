"""What every credential format offers: prepare -> sign -> seal on the way out, read -> check on the way in.

All of it is pure: bytes, values and a time in; values out, or a ``DocumentError``. Exactly one line of the
product uses an issuing key, and it stands between ``prepare`` and ``seal``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from idverify.core.credential import Credential, Issuer, StatusReference
from idverify.core.trust import TrustedIssuer, TrustStore
from idverify.core.verdict import Check, CheckId, Result
from idverify.errors import DocumentError

Entropy = Callable[[int], bytes]
"""Asked for ``n`` random bytes; handed in so that formats stay pure and vectors stay repeatable."""


@dataclass(frozen=True, slots=True)
class ToBeSigned:
    """The exact bytes to sign, and what ``seal`` needs to finish the document."""

    payload: bytes
    remainder: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class HolderBindingExpected:
    """What the verifier asked the wallet for. Demanded by the verifier's policy, never by the token.

    ``response_uri`` is where the answer goes, which the session transcript of an mdoc holds (OpenID4VP 1.0, B.2.6).
    """

    audience: str
    nonce: str
    response_uri: str = ""


class Presented(NamedTuple):
    """A document as read: parsed, not believed.

    ``issuer_signed`` is the exact byte string that the issuer's commitment on the ledger covers. ``claims`` are the
    disclosed ones, as in ``Credential``; ``iss`` is whom the document names as its issuer, which nobody believes yet.
    """

    format: str
    type: str
    iss: str
    claims: dict[str, Any]
    issuer_signed: bytes
    signing_chain: tuple[bytes, ...]
    status: StatusReference | None
    holder_key: dict[str, str] | None
    detail: Any


def refused(error: DocumentError) -> Check:
    """The check that fails when ``read`` refuses a document: ``size`` when a cap was met, ``format`` otherwise."""
    failed = CheckId.SIZE if error.rule == "size" else CheckId.FORMAT
    return Check(failed, Result.FAIL, error.detail, {"rule": error.rule})


def status_reference(said: Mapping[str, Any]) -> StatusReference | None:
    """Token Status List sections 6.2 and 6.3: the status of a payload or a mobile security object, if it has one.

    Raises ``DocumentError`` (``status``) for any other kind.
    """
    if "status" not in said:
        return None
    listed = said["status"].get("status_list") if type(said["status"]) is dict else None
    if type(listed) is not dict or type(listed.get("uri")) is not str or type(listed.get("idx")) is not int:
        raise DocumentError("status", "status must be a status_list with uri and idx; other kinds are not known here.")
    if listed["idx"] < 0:
        raise DocumentError("status", "The idx of a status must not be negative.")
    return StatusReference(listed["uri"], listed["idx"])


class CredentialFormat(Protocol):
    """One file per standard implements this. ``on_paper``: nobody can prove to hold it, so no request is answered."""

    name: str
    on_paper: bool = False

    def prepare(self, credential: Credential, issuer: Issuer, entropy: Entropy) -> ToBeSigned:
        """The bytes that the issuing key will sign."""

    def seal(self, unsigned: ToBeSigned, signature: bytes) -> bytes | ToBeSigned:
        """The finished document, or the next round of bytes to sign."""

    def read(self, document: bytes) -> Presented:
        """Parse only, with caps and strictness; trusts nothing. Raises ``DocumentError``."""

    def signed_by(self, presented: Presented, _trust: TrustStore) -> Presented:
        """The document with the certificates of its signer, where it names them alone; most carry them."""
        return presented

    def issuer(self, presented: Presented, trust: TrustStore) -> TrustedIssuer | None:
        """Who of those we rely on the document claims to be from, or ``None``; ``check`` says whether it is so."""

    def check(
        self, presented: Presented, trust: TrustStore, at: int, expected: HolderBindingExpected | None
    ) -> Iterable[Check]:
        """Every check named, none skipped silently."""
