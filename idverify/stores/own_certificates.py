"""Our own certificates, held in an audit against the ledger: what is revoked, and whose deployment it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from cryptography.x509 import Certificate
from cryptography.x509.oid import NameOID

from idverify.core import key_order, security_act
from idverify.core.names import root_name
from idverify.errors import DocumentError
from idverify.formats.x509 import read_certificate, read_crl
from idverify.ledger.commitment import Record
from idverify.stores.evidence import Findings, Rows
from idverify.stores.standing import record_in

_REPLACED: Final = "SELECT ledger_index, opening FROM ledger_record WHERE type = :type ORDER BY shard, ledger_index"


def certificate_findings(rows: Rows) -> Findings:
    """Compromised keys that the revocation list does not revoke, and a name that is not the root's."""
    keys = list(rows("SELECT role, certificate, state FROM signing_key WHERE certificate IS NOT NULL"))
    gone = {one.object_digest: at for at, one in _replaced(rows) if one.reason == "compromised"}
    listed = frozenset[tuple[str, int]]()
    try:
        for row in rows("SELECT issuer_certificate, der FROM crl"):
            listed |= read_crl(row["der"], row["issuer_certificate"]).revoked
        certificates = [(row, read_certificate(row["certificate"])) for row in keys]
    except DocumentError:
        yield 0, "certificates and revocation lists can be read"
        return
    for row, certificate in certificates:
        at = gone.get(hashlib.sha256(row["certificate"]).digest())
        is_listed = (certificate.issuer.rfc4514_string(), certificate.serial_number) in listed
        if (at is not None or row["state"] == key_order.REVOKED) and not is_listed:
            yield at or 0, "a signing key that was compromised is on the revocation list"
        if (at is not None) is not (row["state"] == key_order.REVOKED):
            yield at or 0, "a signing key is revoked when the ledger says that it was compromised, and only then"
    named = {_named(one) for row, one in certificates if row["role"] == "root/documents"}
    for ours in rows("SELECT name, country FROM deployment"):
        if named and (root_name(ours["name"]), ours["country"]) not in named:
            yield 0, "the deployment has the name and the country of its root"


def _named(certificate: Certificate) -> tuple[Any, ...]:
    """Common name and country of a certificate's subject."""
    names = (certificate.subject.get_attributes_for_oid(oid) for oid in (NameOID.COMMON_NAME, NameOID.COUNTRY_NAME))
    return tuple(found[0].value if found else None for found in names)


def _replaced(rows: Rows) -> Iterator[tuple[int, Record]]:
    """(ledger index, record) of every key that was replaced."""
    for row in rows(_REPLACED, {"type": security_act.SIGNING_KEY_RETIRED}):
        if (record := record_in(row["opening"])) is not None:
            yield row["ledger_index"], record
