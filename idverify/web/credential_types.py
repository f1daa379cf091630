"""What wallets and verifiers read of our credential types and of the issuer's keys (SD-JWT VC sections 3 and 4).

Our types are URNs, for which the draft leaves it open how their documents are found: ``/types`` lists them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from idverify.core.credential_type import CredentialType
from idverify.core.types import CREDENTIAL_TYPES
from idverify.errors import NotFound
from idverify.formats import sdjwt_vc_draft
from idverify.formats.sdjwt_vc_draft import ClaimMetadata
from idverify.formats.strict_json import encode_json
from idverify.services.issuer_metadata import TYPES_PATH, issuer_metadata
from idverify.web import schema
from idverify.web.endpoint import Call, Reply
from idverify.web.pages.act_words import TYPES
from idverify.web.pages.said import LABELS
from idverify.web.pages.wallet_words import titles
from idverify.web.pages.words import Language, translate
from idverify.web.public import cached

SECONDS = 3600


async def jwt_vc_issuer(call: Call) -> Reply:
    """The issuer's keys, as JWT VC Issuer Metadata (SD-JWT VC section 3)."""
    return cached(call, encode_json(await issuer_metadata(call.office)), "application/json", SECONDS)


async def listed(call: Call) -> Reply:
    """Every type of credential that is issued here, and where its type metadata is."""
    found = [
        schema.ListedType(
            vct=vct,
            name=kind.name,
            type_metadata=f"{call.office.deployment.iss}{TYPES_PATH}/{vct}",
            integrity=sdjwt_vc_draft.integrity(document(vct)),
        )
        for vct, kind in CREDENTIAL_TYPES.items()
    ]
    return cached(call, schema.ListedTypes(types=found).model_dump_json().encode(), "application/json", SECONDS)


async def described(call: Call) -> Reply:
    """The type metadata of one type: its name and claims for people in each language (SD-JWT VC section 4)."""
    vct = call.request.match_info["vct"]
    if vct not in CREDENTIAL_TYPES:
        raise NotFound("There is no such type here; /types lists those that there are.")
    return cached(call, document(vct), "application/json", SECONDS)


@cache  # the same bytes for as long as this process lives: their hash is published
def document(vct: str) -> bytes:
    """The type metadata of a type that is declared here."""
    return encode_json(sdjwt_vc_draft.type_metadata(vct, _in_each(TYPES[vct]), _claims(CREDENTIAL_TYPES[vct])))


def _claims(kind: CredentialType) -> Iterator[ClaimMetadata]:
    """Claims that the holder shows one by one, in the order of pages, and what is inside them."""
    hidden = {(name,) for name in kind.disclosable}
    for name, title in titles().items():
        if not any(path[0] == name for path in hidden):
            continue
        yield ClaimMetadata((name,), _in_each(title), (name,) in hidden)
        for dotted, label in LABELS.items():
            path = tuple(dotted.split("."))
            if path[0] == name and len(path) > 1:
                yield ClaimMetadata(path, _in_each(label), path in hidden)


def _in_each(sentence: str) -> dict[str, str]:
    return {str(language): translate(language, sentence) for language in Language}
