"""Citizens' routes: their own letters on paper, and a code for any counter where there is no printer."""

from __future__ import annotations

from idverify.core.letter_choices import LetterChoices
from idverify.services import letter, letter_pdf, letter_rights
from idverify.web import schema
from idverify.web.endpoint import Call, Reply
from idverify.web.letters import code_made, file_of, listed, made, receipt_of

PATH = "/api/v1/own-letters"


async def print_letter(call: Call) -> Reply:
    """Issue a copy on paper to the caller; the file is made by the first request for it."""
    asked: schema.NewOwnLetter = call.body
    choices = LetterChoices(**asked.model_dump(exclude={"replaces"}))
    replaces = None if asked.replaces is None else bytes.fromhex(asked.replaces)
    return made(await letter.print_own(call.office, call.caller, choices, call.given, replaces), PATH)


async def list_letters(call: Call) -> schema.Letters:
    """The caller's letters, newest first."""
    return listed(await letter_pdf.own_letters(call.office, call.caller))


async def make_code(call: Call) -> Reply:
    """A one-time code with which the caller collects a letter at any counter."""
    return code_made(await letter_rights.make_own_code(call.office, call.caller, call.body.type, call.given))


async def letter_file(call: Call) -> Reply:
    """One of the caller's letters as PDF."""
    return file_of(await letter_pdf.own_letter_file(call.office, call.caller, call.handle("letter")))


async def letter_receipt(call: Call) -> Reply:
    """That one of the caller's letters stands on the ledger as it was signed (c2sp.org/tlog-proof@v1)."""
    handle = call.handle("letter")
    return receipt_of(handle, await letter_pdf.own_letter_receipt(call.office, call.caller, handle))
