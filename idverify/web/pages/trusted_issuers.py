"""Administration: whom we rely on besides ourselves, and changes of it from files, by two administrators."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from idverify.auth.attestation.certificate import read_pem
from idverify.core.action import canonical_json
from idverify.core.trust import TrustedIssuer, TrustedRoot, TrustedType
from idverify.errors import Conflict, DocumentError, MalformedRequest, Unprocessable
from idverify.formats.strict_json import parse_object
from idverify.formats.untrusted import certificate_json
from idverify.services import administration, change_trusted_issuers, trust_proposals
from idverify.services.trust_proposals import ByHand, FromList
from idverify.services.trusted_issuers import MOST_DOCUMENT, Change, change_json, read_change
from idverify.web.pages import admin_proposals
from idverify.web.pages.act_words import issuer_lines
from idverify.web.pages.call import Answer, PageCall, Redirect
from idverify.web.pages.forms import Annotated, Field, Filled, Form, Says
from idverify.web.pages.render import Html
from idverify.web.pages.words import N_

PATH: Final = "/admin/trusted-issuers"
_NO_NAME: Final = N_("Enter the name by which people know the issuer")
_NO_COUNTRY: Final = N_("Enter the country as two capital letters, such as XA")
_NO_ISS: Final = N_("Enter the address by which its documents name it, or leave it empty for mdocs alone")
_NO_BASE: Final = N_("Enter the address below which its status lists are")
_NO_TYPES: Final = N_("Enter each type on a line: its format, a blank, the type")
_NO_ORIGIN: Final = N_("Say where the certificate came from")
_NO_FILE: Final = N_("Choose the file")
_NO_ROOT_FILE: Final = N_("Choose the file with the certificate, as PEM or DER")
_NO_DOCUMENT: Final = N_("Choose the file that idverify trust import wrote")
_NO_CHOICE: Final = N_("Choose an issuer or a root")
_ALL_ROOTS: Final = N_("all its roots")
_NO_DAY: Final = N_("Enter a day, or leave it empty for today")


class AdditionForm(Form):
    """An issuer, or more of one; its roots are a file."""

    name: Annotated[str, Field(max_length=200), Says(_NO_NAME, _NO_NAME)]
    country: Annotated[str, Field(pattern="^[A-Z]{2}$"), Says(_NO_COUNTRY, _NO_COUNTRY)]
    types: Annotated[str, Field(max_length=5000), Says(_NO_TYPES, _NO_TYPES)]
    origin: Annotated[str, Field(max_length=200), Says(_NO_ORIGIN, _NO_ORIGIN)]
    iss: Annotated[str | None, Field(max_length=200), Says(_NO_ISS, _NO_ISS)] = None
    status_base: Annotated[str | None, Field(max_length=200), Says(_NO_BASE, _NO_BASE)] = None


class WithdrawalForm(Form):
    """An issuer by its key, or a root by its SHA-256."""

    what: Annotated[str, Field(max_length=200), Says(_NO_CHOICE, _NO_CHOICE)]
    day: Annotated[dt.date | None, Says(_NO_DAY, _NO_DAY)] = None


class EmptyForm(Form):
    """Files alone."""


class ChangeForm(Form):
    """A change that was tried out."""

    document: Annotated[str, Field(max_length=2 * MOST_DOCUMENT), Says(_NO_DOCUMENT, _NO_DOCUMENT)]


@dataclass(frozen=True, slots=True)
class RootShown:
    """A root: its name and SHA-256, where it came from, and its term (Unix seconds)."""

    subject: str
    sha256: str
    term: TrustedRoot


@dataclass(frozen=True, slots=True)
class IssuerShown:
    """An issuer with everything that was ever decided on it; ``relied_on`` says whether it is now."""

    issuer: TrustedIssuer
    roots: tuple[RootShown, ...]
    types: tuple[TrustedType, ...]
    relied_on: bool


async def show(call: PageCall) -> Html:
    """Everybody of whom anything was ever decided."""
    return await _page(call)


async def add(call: PageCall) -> Answer:
    """What relying on another issuer, or on more of one, would change."""
    form, roots = call.read(AdditionForm), call.posted.file("root")
    if form.model is None or roots is None:
        return await _page(call, adding=form if roots is not None else form.with_error("root", _NO_ROOT_FILE))
    asked = form.model
    bases = () if asked.status_base is None else (asked.status_base,)
    said = ByHand(asked.name, asked.country, asked.iss or "", bases, _types(asked.types), asked.origin)
    register = await change_trusted_issuers.known(call.office, call.caller)
    try:
        change = trust_proposals.by_hand(register, certificates(roots), said, call.office.clock.now())
        return await _tried(call, change)
    except ValueError:
        return await _page(call, adding=form.with_error("root", _NO_ROOT_FILE))
    except (DocumentError, Unprocessable, Conflict) as wrong:
        return await _page(call, adding=form.with_error("root", wrong.detail))


async def take_list(call: PageCall) -> Answer:
    """What a VICAL would change, and which of its certificates cannot be relied on."""
    form, encoded, root = call.read(EmptyForm), call.posted.file("vical"), call.posted.file("provider_root")
    if encoded is None or root is None:
        return await _page(call, listing=form.with_error("vical" if encoded is None else "provider_root", _NO_FILE))
    register = await change_trusted_issuers.known(call.office, call.caller)
    try:
        (pinned, *_) = certificates(root)
        made = trust_proposals.from_vical(register, encoded, pinned, call.office.clock.now())
        return await _tried(call, made.change, made)
    except ValueError:
        return await _page(call, listing=form.with_error("provider_root", _NO_ROOT_FILE))
    except (DocumentError, Unprocessable, Conflict) as wrong:
        return await _page(call, listing=form.with_error("vical", wrong.detail))


async def take_change(call: PageCall) -> Answer:
    """What a change in a file would change."""
    form, content = call.read(EmptyForm), call.posted.file("change")
    if content is None:
        return await _page(call, trying=form.with_error("change", _NO_DOCUMENT))
    try:
        change = read_change(trust_proposals.change_from_file(content), call.office.clock.now())
        return await _tried(call, change)
    except (DocumentError, Unprocessable, Conflict) as wrong:
        return await _page(call, trying=form.with_error("change", wrong.detail))


async def withdraw(call: PageCall) -> Answer:
    """What withdrawing an issuer, or one root of it, would change."""
    form = call.read(WithdrawalForm)
    if form.model is None:
        return await _page(call, withdrawing=form)
    register = await change_trusted_issuers.known(call.office, call.caller)
    what, day = form.model.what, form.model.day
    at = call.office.clock.now() if day is None else int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp())
    owners = {root.sha256: key for key, one in register.issuers.items() for root in _roots(one)}
    try:
        root = bytes.fromhex(what) if what in owners else None
        return await _tried(call, trust_proposals.withdrawal(register, owners.get(what, what), at, root))
    except (Unprocessable, Conflict) as wrong:
        return await _page(call, withdrawing=form.with_error("what", wrong.detail))


async def propose(call: PageCall) -> Redirect:
    """Propose the change that was tried out, once confirmed."""
    form = call.read(ChangeForm)
    if form.model is None:
        raise MalformedRequest("Open the page of trusted issuers again and start from there.")
    try:
        document = parse_object(form.model.document.encode(), "A change of trusted issuers")
    except DocumentError as wrong:
        raise MalformedRequest(wrong.detail) from wrong
    change = read_change(document, call.office.clock.now())
    action = await change_trusted_issuers.action(call.office, change)
    await administration.propose(call.office, call.caller, action, call.given)
    return Redirect(f"{admin_proposals.PATH}?done=proposed")


def certificates(content: bytes) -> tuple[bytes, ...]:
    """The certificates of a file, PEM or DER, in DER. Raises ``ValueError`` or ``DocumentError``."""
    return read_pem(content) if content.lstrip().startswith(b"-----BEGIN") else (content,)


def _types(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return tuple((pair[0], pair[-1].strip()) if len(pair) > 1 else ("", pair[0]) for pair in pairs)


async def _page(call: PageCall, **forms: Filled[Any]) -> Html:
    register, now = await change_trusted_issuers.known(call.office, call.caller), call.office.clock.now()
    filled = {name: forms.get(name, Filled[Any]()) for name in ("adding", "listing", "trying", "withdrawing")}
    issuers = [_shown(issuer, now) for issuer in register.issuers.values()]
    ours = call.office.trust.issuers[call.office.deployment.iss]
    context = {
        "version": register.version,
        "issuers": issuers,
        "sources": list(register.sources.values()),
        "ours": ours,
        "choices": [choice for one in issuers if one.relied_on for choice in _choices(call, one)],
        **filled,
    }
    return Html("admin/trusted_issuers.html", context, max(form.status for form in filled.values()))


async def _tried(call: PageCall, change: Change, made: FromList | None = None) -> Html:
    await change_trusted_issuers.look_at(call.office, change)
    document = change_json(change)
    context = {
        "lines": issuer_lines(document),
        "json": canonical_json(document).decode(),
        "refused": [] if made is None else [(one.entry.authority or "", one.detail) for one in made.refused],
        "narrowed": () if made is None else made.narrowed,
    }
    return Html("admin/trusted_issuers_tried.html", context)


def _shown(issuer: TrustedIssuer, now: int) -> IssuerShown:
    return IssuerShown(issuer, _roots(issuer), issuer.type_terms, bool(issuer.at(now).roots))


def _roots(issuer: TrustedIssuer) -> tuple[RootShown, ...]:
    told = [(root, certificate_json(root.certificate)) for root in issuer.root_terms]
    return tuple(RootShown(str(one["subject"]), str(one["sha256"]), root) for root, one in told)


def _choices(call: PageCall, shown: IssuerShown) -> list[tuple[str, str]]:
    whole = (shown.issuer.key, f"{shown.issuer.name}: {call.translate(_ALL_ROOTS)}")
    still = [root for root in shown.roots if root.term.until is None]
    each = [(root.sha256, f"{shown.issuer.name}: {root.subject}, {root.sha256[:16]}") for root in still]
    return [whole, *(each if len(still) > 1 else [])]
