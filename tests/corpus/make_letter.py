"""Writes ``letter/*.json``: letters as PDF that break one rule each, everything else about them being right.

What was changed after the signature is an attack on a genuine letter; what the signature covers was signed with the
authority's own key, so that nothing but the rule refuses it. ``given``: ``revoked`` (the serial number of a certificate
that is on a revocation list), ``of`` (by whom, if not by the root of documents). The authority and its letters are
those of ``tests.simulators.letters``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pikepdf
from cryptography import x509 as cryptography_x509
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter

from idverify.core.verdict import CheckId
from idverify.formats import x509
from tests.corpus import letter_appended, letter_stamps
from tests.corpus.layout import Case, Rule, write
from tests.simulators import code_world as code
from tests.simulators import credential_world as world
from tests.simulators import letters
from tests.simulators import stamp_world as stamps

FOLDER: Final = "letter"
AT: Final = world.NOW + 60
TRUST: Final = stamps.trust()

RULES: Final[Mapping[CheckId, Mapping[str, str]]] = {
    CheckId.SIZE: {"size": "caps before parsing"},
    CheckId.FORMAT: {
        "pdf": "ISO 32000-1 7.5",
        "code-found": "ours: a PDF that nobody signed is a scan of a code",
    },
    CheckId.SIGNATURE: {"signature": "RFC 9901 section 7.1 step 2"},
    CheckId.VALIDITY: {"not-expired": "RFC 7519 section 4.1.4"},
    CheckId.STATUS: {"status-index": "Token Status List section 8.3"},
    CheckId.DOCUMENT_INTEGRITY: {
        "one-signature": "ours: one signature, and time stamps",
        "byte-range": "ISO 32000-1 12.8.1",
        "certified": "ISO 32000-1 12.8.2.2: DocMDP 1",
        "covers-revision": "ISO 32000-1 12.8.1",
        "changed-later": "ETSI EN 319 142-1 5.4",
        "trailing-bytes": "ISO 32000-1 7.5.5",
        "appended-listed": "ISO 32000-1 7.5.6",
        "no-active-content": "ISO 19005-3 6.6.1",
        "no-external-reference": "ISO 19005-3 6.1.7.1, 6.2.9.2",
        "no-optional-content": "ISO 32000-1 8.11",
        "no-annotations": "ISO 32000-1 12.5",
        "cms": "ETSI EN 319 142-1 5.3",
        "signature": "RFC 5652 section 5.6",
        "path": "RFC 5280 section 6",
        "path-validity": "RFC 5280 section 4.1.2.5",
        "path-not-revoked": "RFC 5280 section 6.3",
        "leaf-not-ca": "RFC 5280 section 4.2.1.9",
        "leaf-key-usage": "RFC 5280 section 4.2.1.3",
        "leaf-purpose": "RFC 5280 section 4.2.1.12: ours, for paper",
        "san-names-issuer": "RFC 5280 section 4.2.1.6",
        "key-usage-period": "RFC 3280 section 4.2.1.4",
        "signed-in-past": "ours: nothing was signed tomorrow",
        "signature-time-stamp": "ETSI EN 319 122-1 5.3; RFC 3161",
        "document-time-stamp": "ETSI EN 319 142-1 5.4.3; RFC 3161",
    },
    CheckId.CONTENT_CONSISTENT: {
        "one-credential": "ours",
        "no-other-files": "ours",
        "code-found": "ours: the code is on the page",
        "one-code": "ours",
        "code-genuine": "ours: by the same issuer",
        "code-agrees": "ours: of the same copy, saying the same",
        "visible-text": "ours: line by line",
    },
}
_INTEGRITY, _CONTENT = CheckId.DOCUMENT_INTEGRITY, CheckId.CONTENT_CONSISTENT


def _case(check: CheckId | None, rule: str, name: str, document: bytes, at: int = AT, **given: Any) -> Case:
    breaks = None if check is None else Rule(check, rule, RULES[check][rule])
    return Case(breaks, name, document, at, given)


def _built(rule: str, name: str, change: Callable[[pikepdf.Pdf], None]) -> Case:
    """A letter that the authority itself signed, with something in it that no letter has."""
    return _case(_INTEGRITY, rule, name, letters.signed_by(letters.drawn(change=change)))


def _attacked(name: str, change: Callable[[IncrementalPdfFileWriter], None], pdf: bytes | None = None) -> Case:
    """A genuine letter to which somebody appended a revision."""
    return _case(_INTEGRITY, "changed-later", name, letters.later(pdf or letters.signed(), change))


def holds() -> Iterator[Case]:
    """Without these, refusing everything would pass."""
    yield _case(None, "", "level B-B", letters.signed())
    yield _case(None, "", "level B-T", letters.signed("B-T"))
    yield _case(None, "", "level B-LTA", letters.signed("B-LTA"))
    yield _case(None, "", "signed by nobody: a scan of its code", letters.drawn(files=[]))
    for one in letter_stamps.holds():
        yield _case(None, "", one.name, one.pdf, one.at)


def size_cases() -> Iterator[Case]:
    """What is no PDF to read."""
    bare = letters.drawn(codes=[], files=[])
    yield _case(CheckId.FORMAT, "code-found", "signed by nobody, no code", bare)
    yield _case(CheckId.FORMAT, "pdf", "nothing but a head", b"%PDF-1.7\n%%EOF\n")
    yield _case(CheckId.FORMAT, "pdf", "a second end", letters.signed() + b"%%EOF\n")
    for name, password in (("encrypted for everybody", ""), ("encrypted with a password", "secret")):
        yield _case(CheckId.FORMAT, "pdf", name, letters.encrypted(letters.signed(), password))
    yield _case(CheckId.FORMAT, "pdf", "a scan, encrypted", letters.encrypted(letters.drawn(files=[]), ""))
    yield _case(CheckId.FORMAT, "pdf", "cut off", letters.signed()[:-600])
    usf = letters.signed()
    yield _case(CheckId.FORMAT, "pdf", "USF: no ByteRange", usf.replace(b"/ByteRange", b"/BiteRange", 1))
    yield _case(CheckId.FORMAT, "pdf", "USF: no Contents", usf.replace(b"/Contents <30", b"/Cantents <30", 1))


def later_cases() -> Iterator[Case]:
    """Attacks on a genuine letter by incremental update."""
    signed = letters.signed()
    yield _attacked("text added to the page", _text_added)
    yield _attacked("page replaced", _page_replaced)
    yield _attacked("an annotation over the text", _annotated)
    yield _attacked("attachment swapped", _attachment_swapped)
    yield _attacked("QR swapped", _code_swapped)
    yield _attacked("shadow hide: what lay over the text is taken away", _resources_replaced)
    yield _attacked("shadow replace: another font", _font_replaced)
    yield _attacked("shadow hide and replace: other pages", _pages_replaced)
    yield _attacked("JavaScript added", _script_added)
    yield _attacked("the same on a letter with time stamps", _page_replaced, letters.signed("B-LTA"))
    seen = letter_appended.over_the_page()
    yield _case(_INTEGRITY, "changed-later", "a field over the text that says it has no size", seen)
    for name, pdf in letter_appended.cases():
        yield _case(_INTEGRITY, "appended-listed", name, pdf)
    objects = b"4 0 obj\n<</Length 0>>stream\n\nendstream\nendobj\n"
    yield _case(_INTEGRITY, "trailing-bytes", "ISA: objects without cross-references", signed + objects)
    yield _case(_INTEGRITY, "trailing-bytes", "a comment behind", signed + b"% nothing\n")
    yield _case(_INTEGRITY, "trailing-bytes", "bytes behind", signed + b"\x00" * 64)
    yield _case(_INTEGRITY, "trailing-bytes", "bytes behind a time stamp", letters.signed("B-LTA") + b"PK")


def signature_cases() -> Iterator[Case]:
    """Signatures of another kind than a letter has."""

    def wrong(rule: str, name: str, pdf: bytes, at: int = AT, **given: Any) -> Case:
        return _case(_INTEGRITY, rule, name, pdf, at, **given)

    drawn, signed = letters.drawn(), letters.signed()
    second = letters.signed_by(signed, permission=None, field="Second")
    yield wrong("one-signature", "a second signature", second)
    stranger = [world.leaf(x509.Purpose.PAPER, key=world.STRANGER_KEY, root_key=world.STRANGER_KEY)]
    other = letters.signed_by(signed, stranger, world.STRANGER_KEY, permission=None, field="Second")
    yield wrong("one-signature", "a second signature by a stranger", other)
    yield wrong("certified", "an approval signature", letters.signed_by(drawn, permission=None))
    filling = letters.signed_by(drawn, permission=MDPPerm.FILL_FORMS)
    yield wrong("certified", "wrong level: forms may be filled in", filling)
    annotating = letters.signed_by(drawn, permission=MDPPerm.ANNOTATE)
    yield wrong("certified", "wrong level: annotations are allowed", annotating)
    attacked = letters.later(annotating, _annotated)
    yield wrong("certified", "certification attack: an annotation that it allows", attacked)
    adobe = letters.signed_by(drawn, subfilter=SigSeedSubFilter.ADOBE_PKCS7_DETACHED)
    yield wrong("byte-range", "another form of signature", adobe)
    yield wrong("byte-range", "USF: it covers nothing", _range(signed, "[0 0 0 0]"))
    yield wrong("byte-range", "USF: it begins later", _range(signed, "[8 {1} {2} {3}]"))
    yield wrong("covers-revision", "it ends early", _range(signed, "[0 {1} {2} 20]"))
    yield wrong("cms", "one letter of the text", _one_byte(signed, b"(Example)", b"(Exemple)"))
    yield wrong("cms", "another language", _one_byte(signed, b"/Lang (en)", b"/Lang (cy)"))
    yield wrong("signature", "another key", letters.signed_by(drawn, key=world.STRANGER_KEY))
    yield wrong("path", "a stranger", letters.signed_by(drawn, stranger, world.STRANGER_KEY))
    authority = letters.paper_leaf((cryptography_x509.BasicConstraints(ca=True, path_length=None), True))
    yield wrong("leaf-not-ca", "an authority", letters.signed_by(drawn, [authority]))
    yield wrong("leaf-key-usage", "no signing", letters.signed_by(drawn, [letters.paper_leaf(signs=False)]))
    website = [world.leaf(x509.Purpose.DOCUMENT)]
    yield wrong("leaf-purpose", "a signer of other documents", letters.signed_by(drawn, website))
    elsewhere = [world.leaf(x509.Purpose.PAPER, iss="https://other.example")]
    yield wrong("san-names-issuer", "a signer of another issuer", letters.signed_by(drawn, elsewhere))
    expired = [world.leaf(x509.Purpose.PAPER, days=30)]
    yield wrong("path-validity", "signer expired", letters.signed_by(drawn, expired), AT + 40 * world.DAY)
    revoked = [world.leaf(x509.Purpose.PAPER, serial=9)]
    serial = x509.read_certificate(revoked[0]).serial_number
    yield wrong("path-not-revoked", "signer revoked", letters.signed_by(drawn, revoked), revoked=serial)
    early = letters.signed_by(drawn, at=world.NOW - 2 * world.DAY)
    yield wrong("key-usage-period", "before the key was in use", early)
    yield wrong("signed-in-past", "signed tomorrow", letters.signed_by(drawn, at=world.NOW + world.DAY))


def stamp_cases() -> Iterator[Case]:
    """Time stamps that do not hold."""
    for one in letter_stamps.broken():
        yield _case(_INTEGRITY, one.rule, one.name, one.pdf, one.at, **one.given)


def built_cases() -> Iterator[Case]:
    """What no letter has in it, whoever signed it."""
    for name, change in ACTIVE.items():
        yield _built("no-active-content", name, change)
    yield _built("no-external-reference", "a stream that is elsewhere", _external_stream)
    yield _built("no-external-reference", "an attachment by its address", _external_file)
    yield _built("no-optional-content", "layers", _layers)
    yield _built("no-optional-content", "an image in a layer of its own", _layered_image)
    yield _built("no-annotations", "a note over the text", _note)
    yield _built("no-annotations", "a field to fill in", _field)
    yield _built("no-annotations", "a signature that is seen", _seen_signature)


def content_cases() -> Iterator[Case]:
    """Letters that say two things, signed all the same."""

    def wrong(rule: str, name: str, **how: Any) -> Case:
        return _case(_CONTENT, rule, name, letters.signed_by(letters.drawn(**how)))

    files = [(letters.CREDENTIAL, letters.credential())]
    others = {"family_name": "Other", "given_name": "Eve"}
    forged = code.code(code.claims(given_name="Ada"), key=world.STRANGER_KEY)
    elsewhere = code.code(code.claims(given_name="Ada", c65535={"status_list": {"idx": 6, "uri": world.STATUS_URI}}))
    more = code.issue({**letters.SAID, "work": {"allowed": "yes"}})
    rows = tuple(letters.SAID.items())
    yield wrong("one-credential", "two credentials", files=files * 2)
    yield wrong("no-other-files", "another file", files=[*files, ("photo.jpg", b"\xff\xd8\xff")])
    yield wrong("no-other-files", "a large file", files=[*files, ("letter.txt", bytes(70_000))])
    yield wrong("code-found", "no code", codes=[])
    yield wrong("one-code", "two codes", codes=[letters.honest_code(), code.issue(others)])
    yield wrong("code-genuine", "a forged code", codes=[forged])
    yield wrong("code-agrees", "cloned letter: the code of somebody else", codes=[code.issue(others)])
    yield wrong("code-agrees", "cloned letter: the code of another copy", codes=[elsewhere])
    yield wrong("code-agrees", "a code that says more", codes=[more])
    yield wrong("visible-text", "text changed with the code kept", rows=(("family_name", "Other"), rows[1]))
    yield wrong("visible-text", "a line more", rows=(*rows, ("work", "yes")))
    yield wrong("visible-text", "a line less", rows=rows[:1])


def credential_cases() -> Iterator[Case]:
    """The credential in it goes through the checks of its own format."""

    def wrong(check: CheckId, rule: str, name: str, credential: bytes, codes: list[bytes] | None = None) -> Case:
        pdf = letters.signed_by(letters.drawn(files=[(letters.CREDENTIAL, credential)], codes=codes))
        return _case(check, rule, name, pdf)

    good = letters.credential()
    expired = letters.credential(exp=world.NOW - world.DAY)
    status = {"status_list": {"idx": 2**20, "uri": world.STATUS_URI}}
    beyond, same = letters.credential(status=status), [code.code(code.claims(c65535=status))]
    head, payload, signature = good.rstrip(b"~").split(b".")
    forged = b".".join((head, payload, signature[:-4] + b"AAAA")) + b"~"
    yield wrong(CheckId.VALIDITY, "not-expired", "expired", expired)
    yield wrong(CheckId.SIGNATURE, "signature", "forged", forged)
    yield wrong(CheckId.STATUS, "status-index", "beyond the list", beyond, same)


# --- what is appended ---------------------------------------------------------------------------------------------


def _page(writer: IncrementalPdfFileWriter) -> Any:
    return writer.root["/Pages"]["/Kids"][0]


def _page_replaced(writer: IncrementalPdfFileWriter) -> None:
    content = generic.StreamObject(stream_data=b"BT /F1 10 Tf 20 380 Td (family_name Other) Tj ET")
    page = _page(writer)
    page["/Contents"] = writer.add_object(content)
    writer.update_container(page)


def _text_added(writer: IncrementalPdfFileWriter) -> None:
    page = _page(writer)
    more = generic.StreamObject(stream_data=b"BT /F1 10 Tf 20 300 Td (and his family) Tj ET")
    page["/Contents"] = generic.ArrayObject([page.raw_get("/Contents"), writer.add_object(more)])
    writer.update_container(page)


def _annotated(writer: IncrementalPdfFileWriter) -> None:
    note = generic.DictionaryObject(
        {
            pdf_name("/Type"): pdf_name("/Annot"),
            pdf_name("/Subtype"): pdf_name("/FreeText"),
            pdf_name("/Rect"): generic.ArrayObject(list(map(generic.NumberObject, (100, 370, 200, 395)))),
            pdf_name("/Contents"): generic.pdf_string("Other"),
        }
    )
    page = _page(writer)
    page["/Annots"] = generic.ArrayObject([*page.get("/Annots", ()), writer.add_object(note)])
    writer.update_container(page)


def _attachment_swapped(writer: IncrementalPdfFileWriter) -> None:
    spec = writer.root["/AF"][0]
    other = letters.credential(family_name="Other")
    spec["/EF"]["/F"] = spec["/EF"]["/UF"] = writer.add_object(generic.StreamObject(stream_data=other))
    writer.update_container(spec)


def _code_swapped(writer: IncrementalPdfFileWriter) -> None:
    page = _page(writer)
    image = page["/Resources"]["/XObject"].raw_get("/Q0").get_object()
    dark = generic.StreamObject(dict(image.items()), stream_data=bytes(len(image.data)))
    page["/Resources"]["/XObject"]["/Q0"] = writer.add_object(dark)
    writer.update_container(page)


def _resources_replaced(writer: IncrementalPdfFileWriter) -> None:
    page = _page(writer)
    page["/Resources"] = generic.DictionaryObject({pdf_name("/Font"): page["/Resources"]["/Font"]})
    writer.update_container(page)


def _font_replaced(writer: IncrementalPdfFileWriter) -> None:
    font = _page(writer)["/Resources"]["/Font"]["/F1"]
    font["/BaseFont"] = pdf_name("/ZapfDingbats")
    writer.update_container(font)


def _pages_replaced(writer: IncrementalPdfFileWriter) -> None:
    pages = writer.root["/Pages"]
    other = generic.DictionaryObject(dict(_page(writer).items()))
    other["/Contents"] = writer.add_object(generic.StreamObject(stream_data=b""))
    pages["/Kids"] = generic.ArrayObject([writer.add_object(other)])
    writer.update_container(pages)


def _script_added(writer: IncrementalPdfFileWriter) -> None:
    script = {pdf_name("/S"): pdf_name("/JavaScript"), pdf_name("/JS"): generic.pdf_string("app.alert(1)")}
    writer.root["/OpenAction"] = generic.DictionaryObject(script)
    writer.update_root()


def _range(pdf: bytes, said: str) -> bytes:
    """Another ByteRange, in as many characters."""
    found = re.search(rb"/ByteRange (\[(\d+) (\d+) (\d+) (\d+)\])( *)", pdf)
    assert found is not None
    numbers = [number.decode() for number in found.groups()[1:5]]
    whole = len(found[0]) - len(b"/ByteRange ")
    return pdf[: found.start(1)] + said.format(*numbers).encode().ljust(whole) + pdf[found.start(1) + whole :]


def _one_byte(pdf: bytes, old: bytes, new: bytes) -> bytes:
    assert old in pdf, old
    return pdf.replace(old, new, 1)


# --- what is signed that no letter has ----------------------------------------------------------------------------

_N: Final = pikepdf.Name
_D: Final = pikepdf.Dictionary


def _on_open(action: Any) -> Callable[[pikepdf.Pdf], None]:
    def change(pdf: pikepdf.Pdf) -> None:
        pdf.Root.OpenAction = action()

    return change


def _in_names(pdf: pikepdf.Pdf) -> None:
    script = pdf.make_indirect(_D(S=_N.JavaScript, JS="1"))
    pdf.Root.Names = _D(JavaScript=_D(Names=pikepdf.Array(["a", script])))


def _in_outline(pdf: pikepdf.Pdf) -> None:
    item = pdf.make_indirect(_D(Title="More", A=_D(S=_N.Launch, F="program")))
    pdf.Root.Outlines = pdf.make_indirect(_D(Type=_N.Outlines, First=item, Last=item, Count=1))


def _page_opened(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].obj.AA = _D(O=_D(S=_N.URI, URI="https://other.example/"))


ACTIVE: Final[Mapping[str, Callable[[pikepdf.Pdf], None]]] = {
    "JavaScript when it is opened": _on_open(lambda: _D(S=_N.JavaScript, JS="app.alert(1)")),
    "JavaScript by name": _in_names,
    "a launch action": _in_outline,
    "something when the page is opened": _page_opened,
}


def _external_stream(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].obj.PieceInfo = _D(X=pdf.make_stream(b"", F="other.bin"))


def _external_file(pdf: pikepdf.Pdf) -> None:
    pdf.Root.AF.append(pdf.make_indirect(_D(Type=_N.Filespec, FS=_N.URL, F="https://other.example/")))


def _layers(pdf: pikepdf.Pdf) -> None:
    layer = pdf.make_indirect(_D(Type=_N.OCG, Name="Layer"))
    pdf.Root.OCProperties = _D(OCGs=pikepdf.Array([layer]), D=_D(ON=pikepdf.Array([layer])))


def _layered_image(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].Resources.XObject.Q0.OC = pdf.make_indirect(_D(Type=_N.OCG, Name="Layer"))


def _note(pdf: pikepdf.Pdf) -> None:
    note = _D(Type=_N.Annot, Subtype=_N.FreeText, Rect=pikepdf.Array([100, 370, 200, 395]), Contents="Other")
    pdf.pages[0].obj.Annots = pikepdf.Array([pdf.make_indirect(note)])


def _field(pdf: pikepdf.Pdf) -> None:
    box = _D(Type=_N.Annot, Subtype=_N.Widget, FT=_N.Tx, T="name", Rect=pikepdf.Array([100, 370, 200, 395]))
    field = pdf.make_indirect(box)
    pdf.pages[0].obj.Annots = pikepdf.Array([field])
    pdf.Root.AcroForm = _D(Fields=pikepdf.Array([field]))


def _seen_signature(pdf: pikepdf.Pdf) -> None:
    _field(pdf)
    pdf.pages[0].obj.Annots[0].FT = _N.Sig


FAMILIES: Final[tuple[Callable[[], Iterator[Case]], ...]] = (
    holds,
    size_cases,
    later_cases,
    signature_cases,
    stamp_cases,
    built_cases,
    content_cases,
    credential_cases,
)


def cases() -> Iterator[Case]:
    """Every case of this folder."""
    for family in FAMILIES:
        yield from family()


if __name__ == "__main__":
    write(FOLDER, cases())
