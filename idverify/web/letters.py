"""Officers' routes: letters on paper, and codes with which a person collects one at any counter."""

from __future__ import annotations

from idverify.core.letter_choices import LetterChoices
from idverify.services import letter, letter_pdf, letter_rights
from idverify.services.letter_pdf import LetterFile, LetterView
from idverify.services.letter_rights import LetterCode
from idverify.web import schema
from idverify.web.endpoint import Call, Reply

PDF = "application/pdf"
RECEIPT = "text/plain"
PATH = "/api/v1/letters"


async def print_letter(call: Call) -> Reply:
    """Issue a copy on paper; the file is made by whoever fetches it first."""
    handle = await letter.print_for(call.office, call.caller, call.handle("person"), call.body, call.given)
    return made(handle, PATH)


async def list_letters(call: Call) -> schema.Letters:
    """A person's letters, newest first; the person sees who looked."""
    return listed(await letter_pdf.letters_of(call.office, call.caller, call.handle("person")))


async def make_code(call: Call) -> Reply:
    """A one-time code for a slip, with which the person collects a letter at any counter."""
    return code_made(
        await letter_rights.make_code(call.office, call.caller, call.handle("person"), call.body.type, call.given)
    )


async def collect(call: Call) -> Reply:
    """Issue a copy on paper to whoever brought a code to the counter."""
    asked: schema.LetterCollection = call.body
    choices = LetterChoices(**asked.model_dump(exclude={"code"}))
    return made(await letter.collect(call.office, call.caller, asked.code, choices, call.given), PATH)


async def letter_file(call: Call) -> Reply:
    """A letter as PDF; the person sees who took it."""
    return file_of(await letter_pdf.letter_file(call.office, call.caller, call.handle("letter")))


async def letter_receipt(call: Call) -> Reply:
    """That a letter stands on the ledger as it was signed (c2sp.org/tlog-proof@v1), with what opens the entry."""
    handle = call.handle("letter")
    return receipt_of(handle, await letter_pdf.letter_receipt(call.office, call.caller, handle))


def made(handle: bytes, path: str) -> Reply:
    """The answer to whoever asked for a letter."""
    where = f"{path}/{handle.hex()}"
    return Reply(schema.LetterMade(letter=handle.hex(), file=where), status=201, headers={"Location": where})


def code_made(code: LetterCode) -> Reply:
    """The answer to whoever asked for a code."""
    shown = schema.LetterCodeMade(code=code.code, type=code.type, expires_at=schema.instant(code.expires_at))
    return Reply(shown, status=201, headers={"Cache-Control": "no-store"})


def file_of(found: LetterFile) -> Reply:
    """The file, to be kept under the letter's reference."""
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{file_name(found.handle)}"',
    }
    return Reply(found.pdf, content_type=PDF, headers=headers)


def receipt_of(handle: bytes, proof: bytes) -> Reply:
    """The receipt, to be kept beside the file."""
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{receipt_name(handle)}"',
    }
    return Reply(proof, content_type=RECEIPT, headers=headers)


def receipt_name(handle: bytes) -> str:
    """What the receipt of a letter is called."""
    return f"letter-{handle.hex()}.tlog-proof"


def file_name(handle: bytes) -> str:
    """What a letter's file is called."""
    return f"letter-{handle.hex()}.pdf"


def listed(letters: list[LetterView]) -> schema.Letters:
    """Letters as they are listed."""
    return schema.Letters(letters=list(map(_view, letters)))


def _view(one: LetterView) -> schema.LetterView:
    return schema.LetterView(
        letter=one.handle.hex(),
        copy_reference=one.copy.hex(),
        type=one.type,
        status=one.status,
        created_at=schema.instant(one.created_at),
        made_at=None if one.made_at is None else schema.instant(one.made_at),
        expires_at=schema.instant(one.expires_at),
        sha256=None if one.digest is None else one.digest.hex(),
    )
