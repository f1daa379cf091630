"""What draft-ietf-oauth-sd-jwt-vc-25 says of names, claims and documents: all of the format that may still move.

It is no RFC yet. Verification itself is RFC 9901's (``sdjwt``, ``key_binding``) and ours (``sdjwt_vc``); a new revision
of the draft changes this module, ``docs/formats.md`` and the vectors, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from idverify.core.credential import Issuer, Place
from idverify.errors import DocumentError
from idverify.formats.jose import TokenProfile, public_jwk, text_claim, x5c_header
from idverify.formats.x509 import signing_key

NAME = "dc+sd-jwt"
WHAT = "An SD-JWT VC"
# Section 2.2.1. Until November 2024 the draft said vc+sd-jwt, which names something else since; -19 dropped it.
PROFILE = TokenProfile(WHAT, NAME, "x5c")

# Section 2.2.2.3: these, and all inside them, are never disclosures.
NEVER_DISCLOSED = frozenset({"iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"})
# What the format says of the credential (RFC 7519 section 4.1 too); the rest the issuer says of the person.
METADATA = NEVER_DISCLOSED | {"iat", "aud", "jti"}

# W3C Subresource Integrity, section 3: hash expressions with white space between them, options ignored.
_HASH = r"sha(?:256|384|512)-[A-Za-z0-9+/]{43,86}={0,2}(?:\?[!-~]*)?"
_INTEGRITY = re.compile(rf"[ \t]*{_HASH}(?:[ \t]+{_HASH})*[ \t]*", re.ASCII)


def metadata_not_disclosed(_payload: Mapping[str, Any], places: Mapping[str, Place]) -> None:
    """Section 2.2.2.3: dates, type, issuer, holder key and status are for everybody, or they could be left out."""
    for place in places.values():
        if place and place[0] in NEVER_DISCLOSED:
            raise DocumentError("metadata-not-disclosed", f"The claim {place[0]} must not be selectively disclosable.")


def issuer_named(payload: Mapping[str, Any], _places: Mapping[str, Place]) -> None:
    """``iss`` says whose roots apply; the draft leaves it out only where a certificate subject replaces it."""
    text_claim(payload, "iss", WHAT)


def type_named(payload: Mapping[str, Any], _places: Mapping[str, Place]) -> None:
    """Section 2.2.2.1: ``vct`` is required."""
    text_claim(payload, "vct", WHAT)


def aka_vcts(payload: Mapping[str, Any], _places: Mapping[str, Place]) -> None:
    """Section 2.2.2.2: more types of the credential, at least one, and not its ``vct`` again.

    They are looked at and not used: what an issuer says of types is no proof that it may issue them.
    """
    if "aka_vcts" not in payload:
        return
    types = payload["aka_vcts"]
    if type(types) is not list or not types or not all(type(name) is str and name for name in types):
        raise DocumentError("aka-vcts", "aka_vcts must be a list of one or more types as text.")
    if payload.get("vct") in types:
        raise DocumentError("aka-vcts", "aka_vcts must not name the type that vct names.")


def vct_integrity(payload: Mapping[str, Any], _places: Mapping[str, Place]) -> None:
    """Section 4.3: integrity metadata of the type's document, which is not fetched here."""
    if "vct#integrity" not in payload:
        return
    value = payload["vct#integrity"]
    if type(value) is not str or not _INTEGRITY.fullmatch(value):
        raise DocumentError("vct-integrity", "vct#integrity must be sha256-, sha384- or sha512- and a hash in base64.")


FORMAT_RULES: tuple[Callable[[Mapping[str, Any], Mapping[str, Place]], None], ...] = (
    metadata_not_disclosed,
    issuer_named,
    type_named,
    aka_vcts,
    vct_integrity,
)


# --- documents that the draft describes ---------------------------------------------------------------------------

# Section 3: between host and path of an ``iss``, and ours has no path.
ISSUER_METADATA_PATH = "/.well-known/jwt-vc-issuer"


def header(issuer: Issuer) -> dict[str, Any]:
    """The header of what this issuer signs (section 2.2.1); ``kid`` finds the key in its metadata (section 3.2)."""
    return {"alg": "ES256", "typ": PROFILE.typ, "kid": kid(issuer.key_id), "x5c": x5c_header(issuer.chain)}


def kid(key_id: bytes) -> str:
    """Our id of a key as text, the same in headers and in metadata."""
    return key_id.hex()


def issuer_metadata(iss: str, signers: Iterable[Issuer], types_uri: str) -> dict[str, Any]:
    """Section 3.2: the keys behind documents of ``iss``, with certificates, for verifiers that look for them there.

    ``credential_types_uri`` is ours: where the documents on types are listed, as the draft leaves that open for URNs.
    """
    keys = [
        {
            **public_jwk(signing_key(signer.chain[0])),
            "kid": kid(signer.key_id),
            "use": "sig",
            "alg": "ES256",
            "x5c": x5c_header(signer.chain),
        }
        for signer in signers
    ]
    return {"issuer": iss, "jwks": {"keys": keys}, "credential_types_uri": types_uri}


@dataclass(frozen=True, slots=True)
class ClaimMetadata:
    """Section 4.6: a claim by its path (``None``: every element), its labels by language, and whether it is hidden."""

    path: tuple[str | None, ...]
    labels: Mapping[str, str]
    disclosable: bool


def type_metadata(vct: str, names: Mapping[str, str], claims: Iterable[ClaimMetadata]) -> dict[str, Any]:
    """Section 4.2: what people call a type and its claims, by language, and which claims are always disclosable."""
    return {
        "vct": vct,
        "display": [{"locale": locale, "name": name} for locale, name in names.items()],
        "claims": [
            {
                "path": list(claim.path),
                "display": [{"locale": locale, "label": label} for locale, label in claim.labels.items()],
                "sd": "always" if claim.disclosable else "never",
            }
            for claim in claims
        ],
    }


def integrity(document: bytes) -> str:
    """Section 5: the integrity metadata of a document, which tells whoever keeps it whether it is still the same."""
    return "sha256-" + base64.b64encode(hashlib.sha256(document).digest()).decode("ascii")
