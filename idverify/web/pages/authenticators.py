"""Administration: which security keys staff may use, what is known of their models, and keys that are suspended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from idverify.auth.attestation.certificate import read_pem
from idverify.auth.attestation.path import fingerprint
from idverify.auth.authenticator_list import (
    EMPTY,
    MOST_ENTRIES,
    AuthenticatorList,
    Listed,
    model_text,
    read_list,
    read_model,
)
from idverify.auth.strict_json import read_object
from idverify.core.action import canonical_json
from idverify.errors import Conflict, MalformedRequest, NotFound, Unprocessable
from idverify.services import (
    administration,
    authenticators,
    change_authenticators,
    judgement,
    keep_authenticators,
    reinstate,
)
from idverify.web.pages import admin_proposals
from idverify.web.pages.act_words import authenticator_lines
from idverify.web.pages.call import Answer, PageCall, Redirect
from idverify.web.pages.forms import Annotated, Field, Filled, Form, Says
from idverify.web.pages.refused_keys import refused_shown
from idverify.web.pages.render import Html
from idverify.web.pages.words import N_

PATH: Final = "/admin/authenticators"
MOST_DOCUMENT: Final = 500_000
MOST_BRACKETS: Final = 3 * MOST_ENTRIES
_DONE: Final = {"loaded": N_("The metadata are loaded. Every registered key was judged by them.")}
_START_AGAIN: Final = "Open the page of authenticators again and start from there."
_NO_DOCUMENT: Final = N_("Paste the list as JSON")
_NO_MODEL: Final = N_("Enter the model's AAGUID, such as 01020304-0506-0708-0102-030405060708")
_NO_NAME: Final = N_("Enter what people call the model")
_UNKNOWN_NAME: Final = N_("The metadata have no name for this model. Enter what people call it.")
_NO_ROOT: Final = N_("Paste the maker's root certificate as PEM, or leave it empty to rely on the metadata")
_NO_FILE: Final = N_("Choose the file with the metadata")


class DocumentForm(Form):
    """A whole list."""

    document: Annotated[str, Field(max_length=MOST_DOCUMENT), Says(_NO_DOCUMENT, _NO_DOCUMENT)]


class ModelForm(Form):
    """One model more."""

    model: Annotated[str, Field(max_length=40), Says(_NO_MODEL, _NO_MODEL)]
    name: Annotated[str | None, Field(max_length=100), Says(_NO_NAME, _NO_NAME)] = None
    root: Annotated[str | None, Field(max_length=20_000), Says(_NO_ROOT, _NO_ROOT)] = None


class LeavingForm(Form):
    """One model less."""

    model: Annotated[str, Field(max_length=40), Says(_NO_MODEL, _NO_MODEL)]


async def show(call: PageCall) -> Html:
    """The list, the metadata, the keys that they refuse, those that are suspended."""
    return await _page(call)


async def load(call: PageCall) -> Answer:
    """Load newer metadata from a file, and judge every key by them."""
    blob = call.posted.file("metadata")
    if blob is None:
        return await _page(call, loading=Filled().with_error("metadata", _NO_FILE))
    try:
        await keep_authenticators.load(call.office, call.caller, blob)
    except (Conflict, Unprocessable) as wrong:
        return await _page(call, loading=Filled().with_error("metadata", wrong.detail))
    return Redirect(f"{PATH}?done=loaded")


async def add(call: PageCall) -> Answer:
    """The list with one model more: what it would refuse, before it is proposed."""
    form = call.read(ModelForm)
    if form.model is None:
        return await _page(call, adding=form)
    asked, listed = form.model, await _listed(call)
    try:
        model, roots = read_model(asked.model), _roots(asked.root or "")
        name = asked.name or await _known_name(call, model)
        if name is None:
            return await _page(call, adding=form.with_error("name", _UNKNOWN_NAME))
        entry = Listed(model, name, tuple(map(fingerprint, roots)))
        wanted = listed.with_model(entry, roots)
    except Unprocessable as wrong:
        return await _page(call, adding=form.with_error("model", wrong.detail))
    except ValueError:
        return await _page(call, adding=form.with_error("root", _NO_ROOT))
    return await _tried(call, wanted)


async def take_off(call: PageCall) -> Html:
    """The list without one model: what it would refuse, before it is proposed."""
    form, listed = call.read(LeavingForm), await _listed(call)
    if form.model is None:
        raise MalformedRequest(_START_AGAIN)
    entries = tuple(one for one in listed.entries if model_text(one.model) != form.model.model)
    if len(entries) == len(listed.entries):
        raise NotFound("This model is not on the list.")
    return await _tried(call, replace(listed, entries=entries))


async def try_out(call: PageCall) -> Html:
    """A list that was pasted: what it would refuse, before it is proposed."""
    form = call.read(DocumentForm)
    if form.model is None:
        return await _page(call, document=form)
    try:
        return await _tried(call, _document(form.model.document))
    except (Unprocessable, MalformedRequest) as wrong:
        return await _page(call, document=form.with_error("document", wrong.detail))


async def propose(call: PageCall) -> Redirect:
    """Propose the list that was tried out, once confirmed."""
    form = call.read(DocumentForm)
    if form.model is None:
        raise MalformedRequest(_START_AGAIN)
    action = await change_authenticators.action(call.office, _document(form.model.document))
    await administration.propose(call.office, call.caller, action, call.given)
    return Redirect(f"{admin_proposals.PATH}?done=proposed")


async def put_back(call: PageCall) -> Redirect:
    """Propose that a suspended key works again, once confirmed."""
    suspended = await keep_authenticators.suspended(call.office, call.caller)
    key = next((row for row in suspended if row["handle"] == call.handle("suspended_key")), None)
    if key is None:
        raise NotFound("There is no such suspended security key.")
    await administration.propose(call.office, call.caller, reinstate.action(key), call.given)
    return Redirect(f"{admin_proposals.PATH}?done=proposed")


async def _page(call: PageCall, **forms: Filled[Any]) -> Html:
    state = await keep_authenticators.state(call.office, call.caller)
    filled = {name: forms.get(name, Filled[Any]()) for name in ("loading", "adding", "document")}
    context = {
        "version": state.version,
        "entries": [] if state.version.listed is None else [one.to_json() for one in state.version.listed.entries],
        "lines": () if state.version.listed is None else authenticator_lines(state.version.listed.to_json()),
        "json": canonical_json((state.version.listed or EMPTY).to_json()).decode(),
        "metadata": state.metadata,
        "refused": refused_shown(state.refused),
        "suspended": state.suspended,
        "done": call.done(_DONE),
        **filled,
    }
    return Html("admin/authenticators.html", context, max(form.status for form in filled.values()))


async def _tried(call: PageCall, wanted: AuthenticatorList) -> Html:
    refused = await judgement.dry_run(call.office, call.caller, wanted)
    known = await authenticators.metadata(call.office.store, call.office.metadata_roots)
    context = {
        "lines": authenticator_lines(wanted.to_json()),
        "refused": refused_shown(refused),
        "lacks_metadata": wanted.needs_metadata and known is None,
        "without_root": wanted.models_without_root(known),
        "json": wanted.document().decode(),
    }
    return Html("admin/authenticators_tried.html", context)


async def _listed(call: PageCall) -> AuthenticatorList:
    return await keep_authenticators.listed(call.office, call.caller) or EMPTY


async def _known_name(call: PageCall, model: bytes) -> str | None:
    """What the metadata call a model whose name was left out."""
    known = await authenticators.metadata(call.office.store, call.office.metadata_roots)
    entry = None if known is None else known.models.get(model)
    return None if entry is None or not entry.description else entry.description[:100]


def _document(text: str) -> AuthenticatorList:
    try:
        return read_list(read_object(text.encode(), MOST_BRACKETS))
    except ValueError as wrong:
        raise Unprocessable("The list must be one JSON object, without a name twice.") from wrong


def _roots(pem: str) -> tuple[bytes, ...]:
    """Certificates in DER. Raises ``ValueError``."""
    return read_pem(pem.encode()) if pem.strip() else ()
