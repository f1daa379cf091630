"""Letters as PDF before a verifier with real workers: PDFs of others, bombs, and what a worker may not decide."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import time
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pikepdf
import pytest
from PIL import Image
from pydantic import ValidationError
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm

from idverify.core.trust import TrustStore
from idverify.core.verdict import Channel, Check, CheckId, Outcome, Result
from idverify.formats import cms, stamped, x509
from idverify.sandbox.answers import Found
from idverify.sandbox.workers import Workers, open_workers
from idverify.services import letter_checks, letter_stamps
from idverify.services.verify import Submission, Verified, Verifier, verify
from tests.corpus.verified import verifier
from tests.simulators import code_world as code
from tests.simulators import credential_world as world
from tests.simulators import letters
from tests.simulators import paper_world as paper
from tests.simulators import stamp_world as stamps
from tests.simulators.in_process import InProcess

AT = world.NOW + 60


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    """Workers of their own."""
    async with open_workers(1) as opened:
        yield opened


def relying(sandbox: Any) -> Verifier:
    """Whoever relies on the synthetic authority."""
    return replace(verifier(world.NOW, code.trust()), sandbox=sandbox, states=letters.states)


def of(verified: Verified, wanted: CheckId) -> Check:
    """One check of a verdict."""
    return next(check for check in verified.verdict.checks if check.id is wanted)


async def test_a_letter_is_accepted_and_proves_nobody(workers: Workers) -> None:
    """Its claims are those of the credential in it; whoever holds it is not proven."""
    found = await verify(relying(workers), Submission(letters.signed()), AT)
    assert (found.verdict.verdict, found.channel) == (Outcome.ACCEPT, Channel.PAPER)
    assert "compare the photo" in found.verdict.next_step
    assert of(found, CheckId.HOLDER_BINDING).result is Result.NOT_APPLICABLE
    assert found.claims_for(None) == dict(letters.SAID)


async def test_a_letter_answers_no_request(workers: Workers) -> None:
    """Whoever asked a wallet gets no paper for an answer."""
    found = await verify(relying(workers), Submission(letters.signed(), expected=world.ASKED), AT)
    assert of(found, CheckId.HOLDER_BINDING).evidence == {"rule": "binding-given"}
    assert found.verdict.verdict is Outcome.REJECT


async def test_the_credential_of_a_letter_alone_is_referred(workers: Workers) -> None:
    """Taken out of its letter it is a document without a key, of which nobody proves whose it is."""
    found = await verify(relying(workers), Submission(letters.credential()), AT)
    assert (found.verdict.verdict, found.channel) == (Outcome.REFER, Channel.DOCUMENT)


# --- PDFs of others -----------------------------------------------------------------------------------------------


def statement(pdf: bytes | None = None, *, permission: MDPPerm | None = None) -> bytes:
    """A PDF that an authority signed that is relied on, and that is no letter."""
    signer = [world.leaf(x509.Purpose.STATEMENT)]
    return letters.signed_by(pdf or letters.drawn(files=[], codes=[]), signer, permission=permission)


def with_field(pdf: pikepdf.Pdf) -> None:
    """A field to fill in."""
    box = pikepdf.Dictionary(
        Type=pikepdf.Name.Annot,
        Subtype=pikepdf.Name.Widget,
        FT=pikepdf.Name.Tx,
        T="name",
        V="",
        Rect=pikepdf.Array([100, 370, 200, 395]),
    )
    field = pdf.make_indirect(box)
    pdf.pages[0].obj.Annots = pikepdf.Array([field])
    pdf.Root.AcroForm = pikepdf.Dictionary(Fields=pikepdf.Array([field]))


def filled(writer: IncrementalPdfFileWriter) -> None:
    """Somebody fills it in."""
    field = writer.root["/AcroForm"]["/Fields"][0]
    field["/V"] = generic.pdf_string("Other")
    writer.update_container(field)


def replaced(writer: IncrementalPdfFileWriter) -> None:
    """Somebody replaces the page."""
    page = writer.root["/Pages"]["/Kids"][0]
    page["/Contents"] = writer.add_object(generic.StreamObject(stream_data=b""))
    writer.update_container(page)


@pytest.mark.parametrize(
    ("pdf", "outcome", "integrity", "later"),
    [
        (statement, Outcome.REFER, Result.PASS, "nothing"),
        (
            lambda: letters.later(
                statement(letters.drawn(files=[], codes=[], change=with_field), permission=MDPPerm.FILL_FORMS), filled
            ),
            Outcome.REFER,
            Result.UNKNOWN,
            "permitted",
        ),
        (lambda: letters.later(statement(), replaced), Outcome.REJECT, Result.FAIL, "other"),
        (lambda: statement() + b"%more", Outcome.REJECT, Result.FAIL, "nothing"),
    ],
    ids=["untouched", "a form filled in", "a page replaced", "more behind the end"],
)
async def test_a_pdf_of_others(workers: Workers, pdf: Any, outcome: Outcome, integrity: Result, later: str) -> None:
    """By a signer that is relied on: told what is covered and what was changed later, and never accepted."""
    document = pdf()
    found = await verify(relying(workers), Submission(document), AT)
    told = of(found, CheckId.DOCUMENT_INTEGRITY)
    assert (found.verdict.verdict, told.result) == (outcome, integrity)
    assert told.evidence is not None
    assert told.evidence["later"] == later
    assert 0 < told.evidence["signed_bytes"] <= told.evidence["bytes"] == len(document)
    assert (of(found, CheckId.SIGNATURE).result, of(found, CheckId.ISSUER_TRUSTED).result) == (Result.PASS, Result.PASS)


async def test_a_pdf_of_a_stranger(workers: Workers) -> None:
    """However well it is signed."""
    stranger = [world.leaf(x509.Purpose.PAPER, key=world.STRANGER_KEY, root_key=world.STRANGER_KEY)]
    pdf = letters.signed_by(letters.drawn(files=[]), stranger, world.STRANGER_KEY)
    found = await verify(relying(workers), Submission(pdf), AT)
    assert found.verdict.verdict is Outcome.REJECT
    assert of(found, CheckId.ISSUER_TRUSTED).evidence == {"rule": "issuer-known"}


# --- a worker that was taken over ---------------------------------------------------------------------------------


class TakenOver(InProcess):
    """Says that nothing is wrong, whatever it read."""

    async def do(self, job: str, arguments: Any, /) -> Any:
        """The answer, embellished."""
        found = await super().do(job, arguments)
        assert isinstance(found, Found)
        return found.model_copy(update={"broken": [], "later": "nothing"})


@pytest.mark.parametrize("forged", ["another key", "a byte", "a stranger"])
async def test_a_worker_cannot_vouch_for_a_signature(forged: str) -> None:
    """Who signed which bytes is found again from the bytes."""
    stranger = [world.leaf(x509.Purpose.PAPER, key=world.STRANGER_KEY, root_key=world.STRANGER_KEY)]
    pdfs = {
        "another key": lambda: letters.signed_by(letters.drawn(), key=world.STRANGER_KEY),
        "a byte": lambda: letters.signed().replace(b"/Lang (en)", b"/Lang (cy)", 1),
        "a stranger": lambda: letters.signed_by(letters.drawn(), stranger, world.STRANGER_KEY),
    }
    found = await verify(relying(TakenOver()), Submission(pdfs[forged]()), AT)
    assert found.verdict.verdict is Outcome.REJECT
    assert of(found, CheckId.DOCUMENT_INTEGRITY).result is Result.FAIL


class Widening(InProcess):
    """Says that the signature's place is wider than it is, so that what was put there is covered by nothing."""

    async def do(self, job: str, _arguments: Any, /) -> Any:
        """Of the genuine letter, where everything lies in the wider one."""
        found = await super().do(job, {"pdf": letters.signed()})
        assert isinstance(found, Found)
        (signature,) = found.signatures
        wider = {"end": signature.end + len(HIDDEN), "size": signature.size + len(HIDDEN)}
        return found.model_copy(update={"signatures": [signature.model_copy(update=wider)]})


HIDDEN = b"<< /Type /Page >>"


async def test_a_worker_cannot_widen_the_place_of_a_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a signature leaves out is itself; that rule alone sees it, since the digest is the same."""
    found = await InProcess().do("read-letter", {"pdf": letters.signed()})
    end = found.signatures[0].end - 1
    wider = letters.signed()[:end] + HIDDEN + letters.signed()[end:]
    refused = await verify(relying(Widening()), Submission(wider), AT)
    told = of(refused, CheckId.DOCUMENT_INTEGRITY)
    assert (refused.verdict.verdict, (told.evidence or {})["rule"]) == (Outcome.REJECT, "byte-range")

    rules = dict(letter_checks.RULES)
    kept = [rule for rule in rules[CheckId.DOCUMENT_INTEGRITY] if rule is not letter_checks.signatures_in_place]
    monkeypatch.setattr(letter_checks, "RULES", {**rules, CheckId.DOCUMENT_INTEGRITY: tuple(kept)})
    assert (await verify(relying(Widening()), Submission(wider), AT)).verdict.verdict is Outcome.ACCEPT


@pytest.mark.parametrize(
    "lie",
    [
        {"chain": []},
        {"kind": "time-stamp"},
        {"kind": "other"},
        {"at": 10**30},
        {"start": 10**40},
        {"size": -(10**40)},
    ],
    ids=str,
)
async def test_an_answer_of_no_shape_is_none(lie: dict[str, Any]) -> None:
    """What no honest worker says is held against its shape, and the service never meets it."""
    found = await InProcess().do("read-letter", {"pdf": letters.signed()})
    honest = found.model_dump()
    assert Found.model_validate(honest, strict=True) == found
    with pytest.raises(ValidationError):
        Found.model_validate({**honest, "signatures": [{**honest["signatures"][0], **lie}]}, strict=True)
    with pytest.raises(ValidationError):
        Found.model_validate({**honest, "later": "never"}, strict=True)


# --- time stamps --------------------------------------------------------------------------------------------------


async def _stamps(pdf: bytes, trust: TrustStore, at: int = AT) -> dict[str, Any]:
    """The evidence of an accepted letter."""
    relying_then = replace(verifier(at, trust), sandbox=InProcess(), states=letters.states)
    found = await verify(relying_then, Submission(pdf), at)
    assert found.verdict.verdict is Outcome.ACCEPT
    return dict(of(found, CheckId.DOCUMENT_INTEGRITY).evidence or {})


async def test_a_time_stamp_proves_when_it_was_signed() -> None:
    """The first that holds says by when; without one there is the letter's own word."""
    held = await _stamps(letters.signed("B-LTA"), stamps.trust())
    assert (held["time"], held["signed_at"], held["proven_at"]) == (
        "proven",
        "2026-09-21T14:13:20Z",
        "2026-09-21T14:13:21Z",
    )
    assert [(one["rule"], one["worth"]) for one in held["time_stamps"]] == [
        ("signature-time-stamp", "held"),
        ("document-time-stamp", "held"),
    ]
    none = await _stamps(letters.signed(), stamps.trust())
    assert (none["time"], none["time_stamps"], "proven_at" in none) == ("claimed", [], False)


async def test_a_later_stamp_keeps_up_an_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the authority of the earlier one had expired; from then on nothing but its own time is proven."""
    day = world.DAY
    first, much_later = stamps.by(stamps.leaf(days=30)), AT + 60 * day

    async def told(renewed_at: int) -> tuple[str, list[str]]:
        pdf = stamps.over_document(letters.stamped(first), stamps.by(at=renewed_at))
        said = await _stamps(pdf, stamps.trust(), much_later)
        return said["proven_at"], [one["worth"] for one in said["time_stamps"]]

    in_time = await told(world.NOW + 20 * day)
    assert in_time == ("2026-09-21T14:13:21Z", ["held", "held"])
    assert await told(world.NOW + 40 * day) == ("2026-10-31T14:13:20Z", ["authority-expired", "held"])
    monkeypatch.setattr(letter_stamps, "_kept_up", lambda found, _at: found)
    assert await told(world.NOW + 20 * day) != in_time


async def test_a_time_stamp_that_proves_nothing() -> None:
    """Of an issuer whose authority is not known here, of a stranger, of an authority that has expired: it is said."""
    strange = stamps.by(world.leaf(x509.Purpose.TIME_STAMP, key=world.STRANGER_KEY), world.STRANGER_KEY)
    brief = stamps.by(stamps.leaf(days=30))
    for worth, pdf, trust, at in (
        ("no-authority", letters.signed("B-T"), code.trust(), AT),
        ("unknown-authority", letters.stamped(strange), stamps.trust(), AT),
        ("authority-expired", letters.stamped(brief), stamps.trust(), AT + 40 * world.DAY),
    ):
        told = await _stamps(pdf, trust, at)
        assert (told["time"], [one["worth"] for one in told["time_stamps"]]) == ("claimed", [worth])


async def test_a_time_stamp_of_the_year_0_is_refused() -> None:
    """Anybody may put a stamp into the place of a signature, also one from before all calendars."""
    pdf = letters.signed("B-T")
    found = await InProcess().do("read-letter", {"pdf": pdf})
    (signature,) = found.signatures
    (token,) = cms.opened(signature.cms).stamps
    (when,) = re.findall(rb"\x18\x0f(\d{14}Z)", token)
    other = signature.cms.replace(when, b"00000101000000Z")
    verified = await verify(
        relying(InProcess()), Submission(pdf.replace(signature.cms.hex().encode(), other.hex().encode())), AT
    )
    told = of(verified, CheckId.DOCUMENT_INTEGRITY)
    assert (told.result, (told.evidence or {})["rule"]) == (Result.FAIL, "signature-time-stamp")


async def test_a_time_stamp_over_less_than_the_signature() -> None:
    """Whatever a worker says of where it lies: a stamp from before the signature proves nothing of it."""
    found = await InProcess().do("read-letter", {"pdf": letters.signed("B-LTA")})
    signature, stamp = found.signatures
    relied = stamped.Relied(world.ISS, (paper.stamp_root(),), frozenset())
    early = stamp.model_copy(update={"start": signature.size - 1})
    judged = letter_stamps.judged(letters.signed("B-LTA"), signature, [early], relied, AT)
    assert [one.worth for one in judged] == ["held", "broken"]


# --- encrypted ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ["", "secret"])
async def test_an_encrypted_pdf_is_rejected(workers: Workers, password: str) -> None:
    """By its format, in a sentence: signed or not, with AES as it is made today."""
    for pdf in (letters.signed(), letters.drawn(files=[])):
        buffer = io.BytesIO()
        with pikepdf.open(io.BytesIO(pdf)) as opened:
            opened.save(buffer, encryption=pikepdf.Encryption(owner="owner", user=password))
        found = await verify(relying(workers), Submission(buffer.getvalue()), AT)
        told = of(found, CheckId.FORMAT)
        assert (found.verdict.verdict, told.evidence) == (Outcome.REJECT, {"rule": "pdf"})
        assert "encrypted" in told.detail


# --- bombs --------------------------------------------------------------------------------------------------------


def flate(pdf: pikepdf.Pdf) -> None:
    """A gigabyte of zeros in a megabyte, as the credential's stream."""
    packer = zlib.compressobj(9)
    zeros = bytes(1 << 20)
    packed = b"".join([*(packer.compress(zeros) for _ in range(2048)), packer.flush()])
    stream = pdf.make_stream(packed, Filter=pikepdf.Name.FlateDecode, Type=pikepdf.Name.EmbeddedFile)
    pdf.Root.AF[0].EF = pikepdf.Dictionary(F=stream, UF=stream)


def crowd(pdf: pikepdf.Pdf) -> None:
    """A hundred thousand objects."""
    pdf.Root.PieceInfo = pikepdf.Array([pdf.make_indirect(pikepdf.Dictionary(A=n)) for n in range(100_000)])


def loop() -> bytes:
    """Cross-references that lead to themselves."""
    pdf = letters.signed()
    place = pdf.rindex(b"/Prev ")
    start = int(pdf[pdf.rindex(b"startxref") + 9 :].split()[0])
    return pdf[:place] + b"/Prev %-5d" % start + pdf[place + 11 :]


def megapixels() -> bytes:
    """A PDF of one image of fifty megapixels."""
    buffer = io.BytesIO()
    Image.new("1", (8000, 6300)).save(buffer, "PDF")
    return buffer.getvalue()


def endless(pdf: pikepdf.Pdf) -> None:
    """A page that takes hours to draw: hardly a kilobyte, and lawful to its last sign."""
    lines = b"0 0 m 500 400 l 10 400 l h f " * 300_000
    drawing = pdf.make_stream(zlib.compress(lines, 9), Filter=pikepdf.Name.FlateDecode)
    pdf.pages[0].Contents = pikepdf.Array([pdf.make_indirect(pdf.pages[0].Contents), drawing])


def slow() -> bytes:
    """Such a page, certified by a trusted signer."""
    return letters.signed_by(letters.drawn(change=endless))


BOMBS = {
    "a page that is never drawn": slow,
    "Flate": lambda: letters.signed_by(letters.drawn(change=flate)),
    "objects": lambda: letters.signed_by(letters.drawn(change=crowd)),
    "a loop of cross-references": loop,
    "fifty megapixels": megapixels,
    "pages": lambda: letters.drawn(change=lambda pdf: [pdf.add_blank_page() for _ in range(500)] and None),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_goes_off_in_nobodys_process(workers: Workers, name: str) -> None:
    """Refused, or read within limits, by the worker; meanwhile the service checks other documents as ever."""
    bomb, ordinary = BOMBS[name](), Submission(world.present(world.issue()), expected=world.ASKED)
    await verify(relying(workers), Submission(letters.signed()), AT)  # a worker is there
    begin = time.process_time()
    exploding = asyncio.create_task(verify(relying(workers), Submission(bomb), AT))
    served, slowest = 0, 0.0
    while not exploding.done():
        before = asyncio.get_running_loop().time()
        assert (await verify(relying(workers), ordinary, AT)).verdict.verdict is Outcome.ACCEPT
        slowest = max(slowest, asyncio.get_running_loop().time() - before)
        served += 1
        await asyncio.sleep(0.02)
    found = await exploding
    assert found.verdict.verdict is Outcome.REJECT
    assert slowest < 1.0
    assert time.process_time() - begin < 10
    again = await verify(relying(workers), Submission(letters.signed()), AT)
    assert again.verdict.verdict is Outcome.ACCEPT


async def test_a_worker_that_crashes_over_a_letter_costs_that_letter(workers: Workers) -> None:
    """Its verdict is ``limits``; whoever waits behind it has an answer from the next worker."""
    await verify(relying(workers), Submission(letters.signed()), AT)
    (pid,) = workers.pids
    crashing = asyncio.create_task(verify(relying(workers), Submission(slow()), AT))
    await asyncio.sleep(1)
    behind = asyncio.create_task(verify(relying(workers), Submission(letters.signed()), AT))
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGSEGV)

    lost = await crashing
    assert lost.verdict.verdict is Outcome.REJECT
    assert {check.evidence["rule"] for check in lost.verdict.checks if check.evidence and "rule" in check.evidence} == {
        "limits"
    }
    assert (await behind).verdict.verdict is Outcome.ACCEPT
    assert pid not in workers.pids


def test_every_rule_has_a_check_of_letters() -> None:
    """No rule reports to a check that nobody shows."""
    assert set(letter_checks.RULES) == {CheckId.DOCUMENT_INTEGRITY, CheckId.CONTENT_CONSISTENT}
