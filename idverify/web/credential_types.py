"""What wallets and verifiers read of our credential types and of the issuer's keys (SD-JWT VC sections 3 and 4).

Our types are URNs, for which the draft leaves it open how their documents are found: ``/types`` lists them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from idverify.core.credential_type import ClaimPath, CredentialType, Form
from idverify.core.form_parts import SD_JWT_VC
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
    """Every type of credential that is issued here as an SD-JWT VC, and where its type metadata is."""
    found = [
        schema.ListedType(
            vct=vct,
            name=kind.name,
            type_metadata=f"{call.office.deployment.iss}{TYPES_PATH}/{vct}",
            integrity=sdjwt_vc_draft.integrity(document(vct)),
        )
        for vct, (kind, _) in _TYPED.items()
    ]
    return cached(call, schema.ListedTypes(types=found).model_dump_json().encode(), "application/json", SECONDS)


async def described(call: Call) -> Reply:
    """The type metadata of one type: its name and claims for people in each language (SD-JWT VC section 4)."""
    vct = call.request.match_info["vct"]
    if vct not in _TYPED:
        raise NotFound("There is no such type here; /types lists those that there are.")
    return cached(call, document(vct), "application/json", SECONDS)


_TYPED: Final[Mapping[str, tuple[CredentialType, Form]]] = {
    form.type: (kind, form) for kind in CREDENTIAL_TYPES.values() if (form := kind.forms.get(SD_JWT_VC)) is not None
}


@cache  # the same bytes for as long as this process lives: their hash is published
def document(vct: str) -> bytes:
    """The type metadata of a type that is declared here."""
    kind, form = _TYPED[vct]
    return encode_json(sdjwt_vc_draft.type_metadata(vct, _in_each(TYPES[kind.id]), _claims(form)))


def _claims(form: Form) -> Iterator[ClaimMetadata]:
    """Claims that the holder shows one by one, in the order of pages, and what is inside them."""
    hidden = form.disclosable
    for name, title in titles().items():
        of_claim = sorted((path for path in hidden if path[0] == name), key=len)
        if not of_claim:
            continue
        labelled: dict[ClaimPath, str] = {tuple(dotted.split(".")): label for dotted, label in LABELS.items()}
        inside = [path for path in labelled if path[0] == name and len(path) > 1]
        for path in dict.fromkeys([(name,), *inside, *of_claim]):
            yield ClaimMetadata(path, _in_each(labelled.get(path, title)), path in hidden)


def _in_each(sentence: str) -> dict[str, str]:
    return {str(language): translate(language, sentence) for language in Language}
