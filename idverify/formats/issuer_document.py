"""An issuer whom we rely on, as JSON: what two admins confirm, what the database keeps, what a trust bundle carries.

Terms are whole: a document names every root and type that there ever was, each with its ``since`` and ``until``. Where
a document is part of a decision, ``since`` may be ``null``: from the decision on.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from idverify.core.trust import TrustedIssuer, TrustedRoot, TrustedType, issuer_of_terms
from idverify.errors import DocumentError
from idverify.formats import x509

MOST_ROOTS, MOST_TYPES, MOST_BASES, MOST_CRLS, MOST_SIGNERS, MOST_LOGS = 64, 64, 8, 16, 64, 32
MOST_STAMP_ROOTS = 8
MOST_TEXT = 200
LATEST = 1 << 40
_NONE: dict[str, list[str]] = {
    "signers": [],
    "stamp_roots": [],
    "log_policies": [],
}  # what an issuer without them need not say
_MEMBERS = {"iss", "name", "country", "status_bases", "roots", "types", "crls", *_NONE}
_ROOT_MEMBERS = {"certificate", "since", "until", "origin"}
_TYPE_MEMBERS = {"format", "type", "since", "until"}
_COUNTRY = re.compile(r"[A-Z]{2}")
# RFC 3986 without user, query and fragment, and without what could be read in two ways
_ADDRESS = re.compile(
    r"(https://([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])|http://localhost)(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*/?"
)


def issuer_json(issuer: TrustedIssuer) -> dict[str, Any]:
    """An issuer with its terms as a document."""
    return {
        "iss": issuer.iss or None,
        "name": issuer.name,
        "country": issuer.country,
        "status_bases": list(issuer.list_bases),
        "roots": [
            {
                "certificate": base64.b64encode(root.certificate).decode("ascii"),
                "since": root.since,
                "until": root.until,
                "origin": root.origin,
            }
            for root in issuer.root_terms
        ],
        "types": [
            {"format": kind.format, "type": kind.type, "since": kind.since, "until": kind.until}
            for kind in issuer.type_terms
        ],
        "crls": [base64.b64encode(crl).decode("ascii") for crl in issuer.crls],
        **_certificates("signers", issuer.signers),
        **_certificates("stamp_roots", issuer.stamp_roots),
        **({"log_policies": list(issuer.log_policies)} if issuer.log_policies else {}),
    }


def _certificates(name: str, ders: tuple[bytes, ...]) -> dict[str, list[str]]:
    return {name: [base64.b64encode(der).decode("ascii") for der in ders]} if ders else {}


def read_issuer(document: Any, decided_at: int | None = None) -> TrustedIssuer:
    """The issuer of a document; ``decided_at`` (Unix seconds) stands for a ``since`` of ``null``.

    Raises ``DocumentError``: ``issuer-form``, ``issuer-address``, ``issuer-root``, or what a certificate breaks.
    """
    said = _object({**_NONE, **document} if type(document) is dict else document, _MEMBERS, "An issuer")
    iss = "" if said["iss"] is None else _address(said["iss"], "iss")
    name, country = _text(said["name"], "name"), said["country"]
    if country != "" and not (isinstance(country, str) and _COUNTRY.fullmatch(country)):
        raise DocumentError("issuer-form", "country must be an ISO 3166-1 alpha-2 code, or empty.")
    bases = [_address(base, "status_bases") for base in _list(said["status_bases"], MOST_BASES, "status_bases")]
    roots = tuple(_root(root, decided_at) for root in _list(said["roots"], MOST_ROOTS, "roots"))
    types = tuple(_type(kind, decided_at) for kind in _list(said["types"], MOST_TYPES, "types"))
    if not roots:
        raise DocumentError("issuer-form", "An issuer must have at least one root.")
    first, further = (bases[0], tuple(bases[1:])) if bases else ("", ())
    stamp_roots = tuple(_stamp_root(der) for der in _list(said["stamp_roots"], MOST_STAMP_ROOTS, "stamp_roots"))
    known = TrustedIssuer(iss, name, (), frozenset(), first, country, further, stamp_roots=stamp_roots)
    crl_roots = issuer_of_terms(known, roots, types).crl_roots
    crls = tuple(_crl(crl, crl_roots) for crl in _list(said["crls"], MOST_CRLS, "crls"))
    signers = tuple(_signer(der) for der in _list(said["signers"], MOST_SIGNERS, "signers"))
    logs = tuple(_list(said["log_policies"], MOST_LOGS, "log_policies"))
    if not all(type(log) is str for log in logs):
        raise DocumentError("issuer-form", "log_policies must be texts.")
    return issuer_of_terms(replace(known, crls=crls, signers=signers, log_policies=logs), roots, types)


def crl_issuer(crl: bytes, roots: Iterable[bytes]) -> bytes:
    """The root (DER) that signed a list of revoked certificates. Raises ``DocumentError``."""
    wrong = DocumentError("issuer-crl", "A list of revoked certificates must be signed by a root of the issuer.")
    for root in roots:
        try:
            x509.read_crl(crl, root)
        except DocumentError as refused:
            if refused.rule != "crl-signature":
                wrong = refused
            continue
        return root
    raise wrong


def _crl(crl: Any, roots: tuple[bytes, ...]) -> bytes:
    der = _der(crl, "crls must be base64 of lists of revoked certificates.")
    crl_issuer(der, roots)
    return der


def _signer(signer: Any) -> bytes:
    der = _der(signer, "signers must be base64 of DER certificates.")
    x509.signing_key(der)
    return der


def _stamp_root(root: Any) -> bytes:
    der = _der(root, "stamp_roots must be base64 of DER certificates.")
    x509.require_root(der)
    return der


def _der(text: Any, expected: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise DocumentError("issuer-form", expected) from None


def _root(root: Any, decided_at: int | None) -> TrustedRoot:
    said = _object(root, _ROOT_MEMBERS, "A root")
    der = _der(said["certificate"], "certificate must be base64 of a DER certificate.")
    x509.require_root(der)
    since, until = _term(said, decided_at)
    return TrustedRoot(since, until, der, _text(said["origin"], "origin", least=0))


def _type(kind: Any, decided_at: int | None) -> TrustedType:
    said = _object(kind, _TYPE_MEMBERS, "A type")
    return TrustedType(*_term(said, decided_at), _text(said["format"], "format"), _text(said["type"], "type"))


def _term(said: Mapping[str, Any], decided_at: int | None) -> tuple[int, int | None]:
    since, until = decided_at if said["since"] is None else said["since"], said["until"]
    if type(since) is not int or not 0 <= since < LATEST:
        raise DocumentError("issuer-form", "since must be a time in Unix seconds.")
    if until is not None and (type(until) is not int or not 0 <= until < LATEST):
        raise DocumentError("issuer-form", "until must be a time in Unix seconds, or null.")
    return since, until


def _object(value: Any, members: set[str], what: str) -> Mapping[str, Any]:
    if type(value) is not dict or value.keys() != members:
        raise DocumentError("issuer-form", f"{what} must have the members {', '.join(sorted(members))}, and no others.")
    return value


def _list(value: Any, most: int, what: str) -> list[Any]:
    if type(value) is not list or len(value) > most:
        raise DocumentError("issuer-form", f"{what} must be a list of at most {most}.")
    return value


def _text(value: Any, what: str, least: int = 1) -> str:
    if type(value) is not str or not least <= len(value) <= MOST_TEXT or not value.isprintable():
        raise DocumentError("issuer-form", f"{what} must be a printable text of {least} to {MOST_TEXT} characters.")
    return value


def _address(value: Any, what: str) -> str:
    """An https address, or one of this machine's own; no user, no query, nothing percent-encoded."""
    if type(value) is not str or len(value) > MOST_TEXT or not _ADDRESS.fullmatch(value) or ".." in value:
        raise DocumentError("issuer-address", f"{what} must be an https address in small letters, without a query.")
    return value
