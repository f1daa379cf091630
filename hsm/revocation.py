"""Certificate revocation lists (RFC 5280 section 5) of a CA whose key is on the token."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509

from hsm.entries import Entry
from hsm.errors import HsmPolicy
from hsm.stand_in import Sign, signed
from hsm.x509 import DAYS_MAX, certificate_of, issued_by


async def revoking(
    authority: Entry,
    before: x509.CertificateRevocationList | None,
    serials: Iterable[int],
    at: int,
    days: int,
    sign: Sign,
) -> x509.CertificateRevocationList:
    """The list that follows `before`, with these serial numbers besides (RFC 5280 section 5); good for so many days.

    `before` must be this CA's own, and what is on it stays: a list that forgets makes a certificate good again.
    """
    ca = certificate_of(authority)
    public: Any = ca.public_key()
    if before is not None and (before.issuer != ca.subject or not _is_signed(before, public)):
        raise HsmPolicy(f"Expected a list that {authority.label!r} signed, got another's. Name its own, or none.")
    if not 1 <= days <= DAYS_MAX:
        raise HsmPolicy(f"Expected a list that is good for at least one day and at most {DAYS_MAX}, got {days}.")
    now = datetime.fromtimestamp(at, UTC)
    entries = {entry.serial_number: entry for entry in before or ()}
    for serial in serials:
        entries.setdefault(serial, x509.RevokedCertificateBuilder(serial, now).build())
    builder = x509.CertificateRevocationListBuilder(
        ca.subject, now, now + timedelta(days=days), [], [entries[serial] for serial in sorted(entries)]
    )
    builder = builder.add_extension(x509.CRLNumber(_number(before) + 1), critical=False)
    builder = builder.add_extension(issued_by(ca), critical=False)
    assert authority.public_key is not None
    return await signed(authority.public_key, sign, builder.sign)


def _is_signed(made: x509.CertificateRevocationList, public: Any) -> bool:
    try:
        return made.is_signature_valid(public)
    except (TypeError, ValueError):  # by a key of another kind
        return False


def _number(before: x509.CertificateRevocationList | None) -> int:
    try:
        return 0 if before is None else before.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0


def read_list(content: bytes) -> x509.CertificateRevocationList:
    """A PEM revocation list; `HsmPolicy` for anything else."""
    try:
        return x509.load_pem_x509_crl(content)
    except ValueError as error:
        raise HsmPolicy(f"Expected a revocation list in PEM, got something else: {error}") from error
