"""One row of the page table: method, path, who does it, for whom. And the way of every visit, step by step.

1. The language, and whose session the cookie is.
2. Who may see the page: a browser that is not signed in is sent to sign in, one whose account lacks a second key to
   its own keys.
3. A form must come from our own pages: ``Origin`` or ``Sec-Fetch-Site`` and, in a session, its CSRF token.
4. The form is read, capped. A security key's answer in it becomes ``call.given``.
5. The handler does the work. If its service needs the act confirmed, the page that asks for it is shown with every
   field of the form in it, and posts to the same path: the act is made up anew from what comes back.
6. Every error becomes a page in the visitor's language. No bytes of a client end as a fault of ours.
7. If the session's token was renewed with what was done, the browser gets the new one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

import structlog
from aiohttp import web

from idverify.auth import session_tokens
from idverify.core.action import StepUpRequired
from idverify.core.policy import Role, require_person
from idverify.errors import (
    CeremonyMalformed,
    CeremonyRefused,
    CrossSite,
    Gone,
    IdverifyError,
    KeyAlreadyRegistered,
    KeyNotAllowed,
    NotAllowed,
    NotAuthenticated,
    SecondKeyNeeded,
    UserVerificationNeeded,
)
from idverify.services import sessions
from idverify.web import form_body, session_cookie
from idverify.web.body import MAX_BODY, read_body
from idverify.web.endpoint import OFFICE
from idverify.web.pages import ceremony_form, confirm, explanation
from idverify.web.pages.call import AROUND, Answer, Download, PageCall, Redirect
from idverify.web.pages.language import language_of
from idverify.web.pages.local_path import local_path
from idverify.web.pages.render import Frame, Html
from idverify.web.problems import route_name
from idverify.web.same_origin import require_same_origin

Who = frozenset[Role] | None
ANYBODY: Final[Who] = None
SIGNED_IN: Final[Who] = frozenset(Role)
OFFICER: Final[Who] = frozenset({Role.OFFICER})
CITIZEN: Final[Who] = frozenset({Role.CITIZEN})
RELYING_PARTY: Final[Who] = frozenset({Role.RELYING_PARTY})
WITH_CODES: Final[Who] = frozenset({Role.CITIZEN, Role.RELYING_PARTY})
ADMIN: Final[Who] = frozenset({Role.ADMIN})
STAFF: Final[Who] = frozenset({Role.OFFICER, Role.ADMIN})
ANOTHER_KEY: Final = "/account/keys/new"

# A key's answer that did not do: the visitor may try again where they are
_TRY_AGAIN: Final = (
    CeremonyMalformed,
    CeremonyRefused,
    UserVerificationNeeded,
    KeyNotAllowed,
    KeyAlreadyRegistered,
    Gone,
)
# Of these, the ones that an answer gets which was looked at for the first time: no key was registered with it before
_NOT_KEPT: Final = (CeremonyMalformed, CeremonyRefused, UserVerificationNeeded, KeyNotAllowed)
log = structlog.get_logger()
_CODE: Final = "code"  # of the path that a one-time link has


@dataclass(frozen=True, slots=True)
class Page:
    """One page."""

    method: str
    path: str
    handler: Callable[[PageCall], Awaitable[Answer]]
    who: Who
    most: int = MAX_BODY  # bytes of what is posted

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """Answer one visit."""
        call = PageCall(request.app[OFFICE], request, language_of(request))
        try:
            call = await self._admitted(await _recognised(call))
            answer = await self._answer(call)
        except IdverifyError as error:
            if error.status >= 500:
                log.warning("page_failed", route=route_name(request), error=type(error).__name__)
            answer = error_page(error)
        except Exception:
            log.exception("unexpected_error", route=route_name(request))
            answer = error_page(IdverifyError())
        response = write(call, answer)
        await session_cookie.renewed(call.office, call.given, response)
        return response

    async def _admitted(self, call: PageCall) -> PageCall:
        """The visit with what was posted; unread as it is, if the visitor must sign in first."""
        if self._asks_to_sign_in(call):
            return call
        if self.who is not None and call.caller.role not in self.who:
            raise NotAllowed("This page is for others than you.")
        if self.method != "POST":
            return call
        if self._needs_second_key(call):
            raise SecondKeyNeeded
        require_same_origin(call.request, call.office.deployment.iss)
        posted = form_body.read(await read_body(call.request, self.most), call.request.headers.get("Content-Type", ""))
        if self.who is not None:
            _require_csrf(call, posted)
        return _with_form(call, posted)

    async def _answer(self, call: PageCall) -> Answer:
        if self._asks_to_sign_in(call):
            return _sign_in_first(call)
        return Redirect(ANOTHER_KEY) if self._needs_second_key(call) else await self._carried_out(call)

    def _asks_to_sign_in(self, call: PageCall) -> bool:
        return self.who is not None and call.principal is None

    def _needs_second_key(self, call: PageCall) -> bool:
        """Until an account has as many keys as it needs, its owner sees their own keys and sessions alone."""
        return self.who not in (ANYBODY, SIGNED_IN) and not require_person(call.caller).active

    async def _carried_out(self, call: PageCall) -> Answer:
        try:
            return await self.handler(call)
        except StepUpRequired as needed:
            return await confirm.ask(call, needed.action)
        except _TRY_AGAIN as refused:
            if call.given is None:
                raise
            # The handler without an answer begins a new ceremony; whatever else is wrong it says again.
            log.info("ceremony_refused", route=route_name(call.request), rule=getattr(refused, "rule", refused.slug))
            trouble = explanation.of_error(refused)
            if isinstance(refused, _NOT_KEPT):
                trouble = replace(trouble, forget=trouble.forget or ceremony_form.new_credential(call.given))
            return await self._carried_out(replace(call, given=None, trouble=trouble))


def error_page(error: IdverifyError) -> Html:
    """An error as a page: what happened, what to do next."""
    return Html("error.html", {"explained": explanation.of_error(error)}, error.status)


def write(call: PageCall, answer: Answer) -> web.Response:
    """An answer as the browser gets it."""
    match answer:
        case Html():
            page = call.request.app[AROUND].renderer.respond(answer, _frame(call))
            if _CODE in call.request.match_info:  # what this page loads or links to learns nothing of its address
                page.headers["Referrer-Policy"] = "strict-origin"
            return page
        case Redirect():
            response = web.Response(status=303, headers={"Location": answer.path, "Cache-Control": "no-store"})
            if answer.opened is not None:
                session_cookie.remember(response, answer.opened)
            if answer.signed_out:
                session_cookie.forget(response, call.caller)
            return response
        case Download():
            disposition = f'attachment; filename="{answer.file_name}"'
            headers = {"Content-Disposition": disposition, "Cache-Control": "no-store"}
            return web.Response(body=answer.body, content_type=answer.content_type, headers=headers)


def _frame(call: PageCall) -> Frame:
    around, request = call.request.app[AROUND], call.request
    by_itself = request.method == "GET" and _CODE not in request.match_info  # a code is in no link and in no query
    back = request.path_qs if by_itself else _opened_above(request, around.readable)
    return Frame(
        call.language,
        call.office.deployment.name,
        around.demo,
        request.path,
        local_path(back, "/"),
        call.principal,
        call.csrf_token,
    )


def _opened_above(request: web.Request, readable: frozenset[str]) -> str:
    """Where a form that was sent here stood, more or less: the nearest path above it that a browser can open."""
    path, pattern = request.path, route_name(request)
    if _CODE in request.match_info:
        path, pattern = path.rpartition("/")[0], pattern.rpartition("/")[0]
    while pattern not in readable and pattern != "/":
        path, pattern = path.rpartition("/")[0], pattern.rpartition("/")[0] or "/"
    return path or "/"


async def _recognised(call: PageCall) -> PageCall:
    token = session_cookie.token_of(call.request)
    if token is None:
        return call
    try:
        session = await sessions.recognise(call.office, token)
    except NotAuthenticated:
        return replace(call, token=token)
    return replace(call, token=token, principal=session.principal, csrf_token=session.csrf_token)


def _sign_in_first(call: PageCall) -> Redirect:
    if "text/html" not in call.request.headers.get("Accept", "text/html"):
        raise NotAuthenticated("You are not signed in, or your session has ended.")
    ended = "" if call.token is None else "&ended"
    return Redirect(f"/sign-in?next={quote(_frame(call).back, safe='')}{ended}")


def _require_csrf(call: PageCall, posted: form_body.Posted) -> None:
    if not session_tokens.csrf_matches(call.csrf_token, posted.text(ceremony_form.CSRF)):
        raise CrossSite("The form does not belong to your session, so nothing was done.")


def _with_form(call: PageCall, posted: form_body.Posted) -> PageCall:
    given, said = None, posted.text(ceremony_form.BROWSER_ERROR)
    trouble = None
    if said:
        reason = explanation.reason_of(said)
        log.info("browser_failed", route=route_name(call.request), reason=reason)
        call.office.tally.browser_failed(reason)
        trouble = explanation.of_browser(said)
    else:
        try:
            given = ceremony_form.given(posted)
        except CeremonyMalformed as malformed:
            trouble = explanation.of_error(malformed)
    if call.principal is not None:
        given = session_cookie.renewable(call.office, given, call.token)
    return replace(call, posted=ceremony_form.without_frame(posted), given=given, trouble=trouble)
