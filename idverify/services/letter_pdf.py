"""The letter of a copy on paper: drawn and signed once, kept under the person's key, handed out again to whoever may.

It is made of the copy's row alone, so whoever asks for a letter that a crash left unmade gets it: of the same copy.
What is handed out is what the ledger speaks of: entry, digests and the sealed file commit together.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from idverify.core.decision import CopyStatus
from idverify.core.letter import LetterContent
from idverify.core.letter_choices import LetterChoices
from idverify.core.policy import Act, Principal, require_may, require_person
from idverify.core.types import credential_type
from idverify.core.values import jpeg
from idverify.errors import Conflict, DocumentError, NotFound, Unavailable, Unprocessable
from idverify.formats.carriers import FORMATS
from idverify.formats.pdf.attachments import CREDENTIAL, RECEIPT
from idverify.ledger.commitment import Record
from idverify.services import letter_reread
from idverify.services.another_token import on_another_token
from idverify.services.letter import read_sealed
from idverify.services.letter_reread import Planned
from idverify.services.office import PAPER_SIGNER, Office
from idverify.services.pdf_signing import LEVEL, signed
from idverify.services.people import look, own_person, read, record_view
from idverify.services.receipts import covered_proof
from idverify.services.records import LETTER_MADE, about_person
from idverify.stores import queries, tables
from idverify.stores.transaction import Transaction
from idverify.stores.vault import PersonKey, SealBroken, place
from idverify.stores.writes import Change, IndexOf, ShardOf, WriteSet

_UNKNOWN: Final = "There is no such letter."
_WITHDRAWN: Final = "This copy was withdrawn before its letter was made. Ask for a new one."


@dataclass(frozen=True, slots=True)
class LetterFile:
    """A letter as it is handed out, and what is known of it."""

    handle: bytes
    pdf: bytes
    type: str
    expires_at: int

    @property
    def digest(self) -> bytes:
        """SHA-256 of the file."""
        return hashlib.sha256(self.pdf).digest()


@dataclass(frozen=True, slots=True)
class LetterView:
    """A letter in a list. ``copy`` is the handle of the copy that it is; ``made_at`` is ``None`` until it is made."""

    handle: bytes
    copy: bytes
    type: str
    status: CopyStatus
    created_at: int
    made_at: int | None
    expires_at: int
    digest: bytes | None


async def letters_of(office: Office, officer: Principal, person: bytes) -> list[LetterView]:
    """A person's letters, newest first; the person sees that an officer looked."""
    require_may(officer, Act.PRINT_LETTERS)
    holder = await read(office, person)
    await record_view(office, officer, holder.id)
    return await _letters(office, holder.id)


async def own_letters(office: Office, citizen: Principal) -> list[LetterView]:
    """The caller's letters, newest first."""
    require_may(citizen, Act.SEE_OWN_RECORD)
    return await _letters(office, (await own_person(office, citizen)).id)


async def letter_file(office: Office, officer: Principal, handle: bytes) -> LetterFile:
    """A letter to print or to send, made now if it is not yet; the person sees who took it. Raises ``NotFound``."""
    require_may(officer, Act.PRINT_LETTERS)
    row = await _find(office, handle)
    made = await _file(office, row)
    await office.store.commit(WriteSet((look(office, officer, row["person_id"], "letter", "viewed"),)))
    return made


async def own_letter_file(office: Office, citizen: Principal, handle: bytes) -> LetterFile:
    """One of the caller's letters, made now if it is not yet. Raises ``NotFound``, for another's too."""
    require_may(citizen, Act.SEE_OWN_RECORD)
    return await _file(office, await _find_own(office, citizen, handle))


async def holder_of(office: Office, officer: Principal, handle: bytes) -> bytes:
    """The handle of the person whose letter has this reference; they see that an officer asked. Raises ``NotFound``."""
    require_may(officer, Act.KEEP_PEOPLE)
    row = await _find(office, handle)
    await record_view(office, officer, row["person_id"])
    return bytes(row["person_handle"])


async def letter_receipt(office: Office, officer: Principal, handle: bytes) -> bytes:
    """The ``.tlog-proof`` of a letter; the person sees who took it. Raises ``NotFound``, and ``NotYetCovered``."""
    require_may(officer, Act.PRINT_LETTERS)
    row = await _find(office, handle)
    proof = await _proof(office, row)
    await office.store.commit(WriteSet((look(office, officer, row["person_id"], "letter", "viewed"),)))
    return proof


async def own_letter_receipt(office: Office, citizen: Principal, handle: bytes) -> bytes:
    """The ``.tlog-proof`` of one of the caller's letters. Raises ``NotFound``, for another's too."""
    require_may(citizen, Act.SEE_OWN_RECORD)
    return await _proof(office, await _find_own(office, citizen, handle))


async def finish(office: Office, handle: bytes) -> None:
    """Make a letter, if it is not made yet."""
    await _made(office, await _find(office, handle))


async def _letters(office: Office, person_id: bytes) -> list[LetterView]:
    rows: list[Any] = await office.store.fetch(queries.LETTERS_OF_PERSON, {"person_id": person_id})
    return [
        LetterView(
            row["handle"],
            row["copy_handle"],
            row["type"],
            CopyStatus(row["status"]),
            row["created_at"],
            row["made_at"],
            row["expires_at"],
            row["file_digest"],
        )
        for row in rows
    ]


async def _find(office: Office, handle: bytes) -> Any:
    row: Any = await office.store.fetch_one(queries.LETTER, {"handle": handle})
    if row is None:
        raise NotFound(_UNKNOWN)
    return row


async def _find_own(office: Office, citizen: Principal, handle: bytes) -> Any:
    row = await _find(office, handle)
    if row["person_id"] != require_person(citizen).person:
        raise NotFound(_UNKNOWN)
    return row


async def _made(office: Office, row: Any) -> tuple[Any, PersonKey]:
    """The row of a letter that is made, now if it was not yet, and its person's key."""
    key = await office.person_key(row, row["person_id"])
    if row["made_at"] is None:
        await _make(office, row, key)
        row = await _find(office, row["handle"])
    return row, key


async def _proof(office: Office, found: Any) -> bytes:
    """That the letter, as it was signed, stands on the ledger."""
    row, key = await _made(office, found)
    place = {"shard": row["ledger_shard"], "ledger_index": row["ledger_index"]}
    return await covered_proof(office, key, await office.store.fetch_one(queries.RECORD_AT, place))


async def _file(office: Office, found: Any) -> LetterFile:
    row, key = await _made(office, found)
    pdf = key.unseal(row["sealed_pdf"], pdf_place(row["id"]))
    if hashlib.sha256(pdf).digest() != row["file_digest"]:
        raise Unavailable("The letter that is kept is not the one that was made. Ask an operator to run the audit.")
    return LetterFile(row["handle"], pdf, row["type"], row["expires_at"])


@on_another_token
async def _make(office: Office, row: Any, key: PersonKey) -> None:
    """Draw, sign, read again, and commit; whoever else made it meanwhile was faster, and theirs is kept."""
    if row["status"] == CopyStatus.INVALID:
        raise Conflict(_WITHDRAWN)
    said, receipt = read_sealed(row, key), await _receipt(office, row, key)
    paper = office.keys.issuer_until(PAPER_SIGNER, office.clock.now(), row["expires_at"])
    try:
        drawn = await _drawn(office, row, said, receipt)
        sealed = await signed(office, drawn, PAPER_SIGNER, paper, row["expires_at"])
    except DocumentError as wrong:
        raise Unprocessable(f"This letter cannot be made: {wrong}") from wrong
    credential, stamps = said["credential"].encode(), letter_reread.STAMPS_OF[LEVEL]
    planned = Planned(credential, receipt, said["code"], paper.chain[0], sealed.revision, stamps)
    await letter_reread.require_as_planned(office, sealed.pdf, planned)
    revision = hashlib.sha256(sealed.pdf[: sealed.revision]).digest()
    status = row["status_list"], row["status_index"]
    record = Record(LETTER_MADE, revision, paper.key_id, status, None, row["code_digest"])
    entry = about_person(record, office.new_handle(), row["person_id"], key, office.entropy)
    values = {
        "key_id": paper.key_id,
        "revision_digest": revision,
        "revision_size": sealed.revision,
        "file_digest": hashlib.sha256(sealed.pdf).digest(),
        "sealed_pdf": key.seal(sealed.pdf, pdf_place(row["id"])),
        "made_at": office.clock.now(),
        "ledger_shard": ShardOf(),
        "ledger_index": IndexOf(0),
    }
    change = Change(tables.letter, {"id": row["id"]}, values, NotFound(_UNKNOWN))
    await office.store.write(partial(_once, row["id"], WriteSet((change,), (entry,))))


async def _once(letter_id: bytes, work: WriteSet, transaction: Transaction) -> None:
    """Runs on the writer."""
    (row,) = await transaction.fetch(queries.LETTER_MADE, {"id": letter_id}) or (None,)
    if row is None:
        raise NotFound(_UNKNOWN)
    if row["made_at"] is None:
        await transaction.apply(work)


async def _drawn(office: Office, row: Any, said: Mapping[str, Any], receipt: bytes) -> bytes:
    choices = LetterChoices.model_validate(said["choices"])
    claims = FORMATS["dc+sd-jwt"].read(said["credential"].encode()).claims
    content = _content(office, row, choices, claims)
    # With a portrait in it a code is large already: less of it is spent on what repairs damage
    level = "L" if choices.portrait else "M"
    code: bytes = await office.sandbox.do("write-code", {"text": said["code"], "form": "svg", "level": level})
    pictures = {"code": code} | ({"portrait": jpeg(claims["picture"])} if content.has_photo else {})
    attachments = {CREDENTIAL: said["credential"].encode(), RECEIPT: receipt}
    page = office.letterhead.html(content)
    drawn: bytes = await office.sandbox.do(
        "render-letter", {"html": page, "pictures": pictures, "attachments": attachments, "at": office.clock.now()}
    )
    return drawn


def _content(office: Office, row: Any, choices: LetterChoices, claims: Mapping[str, Any]) -> LetterContent:
    kind, ours = credential_type(row["type"]), office.deployment
    assert kind.letter_template is not None
    return LetterContent(
        template=kind.letter_template,
        type_name=kind.name,
        claims=claims,
        authority=ours.name,
        language=choices.language,
        large=choices.large_print,
        portrait_in_code=choices.portrait,
        reference=row["handle"].hex(),
        issued_on=dt.datetime.fromtimestamp(row["issued_at"], dt.UTC).date(),
        expires_on=dt.datetime.fromtimestamp(row["expires_at"], dt.UTC).date(),
        check_at=ours.iss,
        demo=ours.demo,
    )


async def _receipt(office: Office, row: Any, key: PersonKey) -> bytes:
    """That the copy stands on the ledger; the next checkpoint, within a second or two, covers it."""
    place = {"shard": row["copy_shard"], "ledger_index": row["copy_index"]}
    return await covered_proof(office, key, {**place, "handle": row["copy_handle"], "opening": row["opening"]})


def kept_pdf(row: Any, key: PersonKey) -> bytes | None:
    """The letter that a row keeps, if it is as it was sealed."""
    try:
        return key.unseal(row["sealed_pdf"], pdf_place(row["id"]))
    except SealBroken:
        return None


def pdf_place(letter_id: bytes) -> bytes:
    """Where a letter rests sealed."""
    return place("letter", "sealed_pdf", letter_id)
