"""What the sheet of a verification receipt says, line by line: of each member of the signed receipt what it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from idverify.core.credential_type import Purpose
from idverify.core.letter import Line, printed
from idverify.core.policy import Role
from idverify.core.verdict import Channel
from idverify.web.pages.act_words import PURPOSES, ROLES, TYPES
from idverify.web.pages.words import N_, Language, moment_in_words, translate

_CHANNELS: Final[Mapping[str, str]] = {
    Channel.DOCUMENT: N_("A document that was handed over"),
    Channel.PAPER: N_("A document on paper, or a picture of it"),
    Channel.PRESENTATION: N_("A wallet's answer to a request"),
}
_UNREAD: Final = N_("It could not be read")
_NONE_TOLD: Final = N_("None were told")
_NOT_LOOKED_IN: Final = N_("No list was looked in")


def facts(said: Mapping[str, Any], language: Language) -> Iterator[Line]:
    """Label and value of everything but the verdict, in the order of reading."""
    for label, value in _facts(said, language):
        yield Line(printed(translate(language, label)), printed(value))


def _facts(said: Mapping[str, Any], language: Language) -> Iterator[tuple[str, str]]:
    asker, document, request = said["checked_by"], said["document"], said["request"]
    yield N_("Checked on"), moment_in_words(language, said["iat"])
    yield N_("Checked by"), said["iss"]
    yield N_("Checked for"), asker["organisation"]
    yield N_("As"), translate(language, ROLES[Role(asker["role"])])
    if asker["purpose"] is not None:
        yield N_("Purpose"), translate(language, PURPOSES[Purpose(asker["purpose"])])
    yield N_("What was handed over"), translate(language, _CHANNELS[document["channel"]])
    unread = translate(language, _UNREAD)
    yield N_("Kind of document"), unread if document["type"] is None else _kind(language, document["type"])
    yield N_("Format"), document["format"] or unread
    yield N_("SHA-256 of the document"), document["sha256"]
    yield N_("SHA-256 of what was told of it"), said["claims_sha256"] or translate(language, _NONE_TOLD)
    yield from _relied_on(said["relied_on"], language)
    if request is not None:
        yield N_("The wallet's answer was for"), request["audience"]
        yield N_("SHA-256 of the request's nonce"), request["nonce_sha256"]


def _relied_on(relied: Mapping[str, Any], language: Language) -> Iterator[tuple[str, str]]:
    listed = relied["status_list"]
    if listed is None:
        yield N_("Status as of"), translate(language, _NOT_LOOKED_IN)
    else:
        yield N_("Status as of"), moment_in_words(language, listed["iat"])
        yield N_("Status list"), listed["uri"]
        yield N_("SHA-256 of the status list"), listed["sha256"]
    if relied["revocations_until"] is not None:
        yield N_("Revocation lists were good until"), moment_in_words(language, relied["revocations_until"])
    yield N_("SHA-256 of whom the service relied on"), relied["trust_sha256"]


def _kind(language: Language, document_type: str) -> str:
    return translate(language, TYPES.get(document_type, document_type))
