"""What a letter of ours may be as a PDF (ISO 32000-1, ETSI EN 319 142-1): each rule is a small function, in one table.

They run in a worker, on what pyHanko makes of the bytes. That the signature holds, and whose it is, is for whoever has
the trust (``services.letter_checks``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel

from idverify.core.verdict import CheckId
from idverify.errors import DocumentError
from idverify.formats.pdf.attachments import CREDENTIAL, RECEIPT
from idverify.formats.pdf.found import Attachment

MOST_OBJECTS: Final = 20_000
MAX_ATTACHED: Final = 64 * 1024

_SUBFILTER: Final = "/ETSI.CAdES.detached"
_END: Final = re.compile(rb"startxref[\r\n]+\d+[\r\n]+%%EOF[\r\n]{0,2}\Z")
# ISO 32000-1 12.6.4: everything but going to a place in the same document
_ACTIONS: Final = frozenset(
    {"/GoTo3DView", "/GoToE", "/GoToR", "/Hide", "/ImportData", "/JavaScript", "/Launch", "/Movie", "/Named"}
    | {"/Rendition", "/ResetForm", "/RichMediaExecute", "/SetOCGState", "/Sound", "/SubmitForm", "/Thread", "/Trans"}
    | {"/URI"}
)
_ACTIVE: Final = frozenset({"/AA", "/JS", "/JavaScript", "/OpenAction", "/RichMediaContent", "/XFA"})
# ISO 32000-1 12.7.4.5: a signature field that nobody sees has these, and a box of no size
_OF_UNSEEN_FIELDS: Final = frozenset(
    {"/Type", "/Subtype", "/FT", "/T", "/TU", "/TM", "/V", "/F", "/Ff", "/P", "/Rect", "/Lock", "/SV"}
)
_OPTIONAL: Final = frozenset({"/OCG", "/OCMD"})
_EVIDENCE: Final = (ModificationLevel.NONE, ModificationLevel.LTA_UPDATES)


@dataclass(frozen=True)
class Opened:
    """A PDF that was opened. ``stamps`` and ``signatures`` are apart, each oldest first."""

    pdf: bytes
    reader: PdfFileReader
    signatures: tuple[EmbeddedPdfSignature, ...]
    stamps: tuple[EmbeddedPdfSignature, ...]

    @cached_property
    def dictionaries(self) -> tuple[Any, ...]:
        """Every dictionary, also those of streams, that the catalogue leads to. Raises ``DocumentError`` (``size``)."""
        return tuple(_reached(self.reader.root))

    @cached_property
    def attachments(self) -> tuple[Attachment, ...]:
        """The embedded files, by the names that readers show."""
        files = (each for each in self.dictionaries if "/EF" in each)
        return tuple(Attachment(str(each.get("/UF", each.get("/F", ""))), _embedded(each)) for each in files)

    def attached(self, name: str) -> list[Attachment]:
        """Those of this name."""
        return [each for each in self.attachments if each.name == name]

    @property
    def later(self) -> ModificationLevel:
        """What was changed after the first signature. pyHanko says why not, where it cannot tell.

        It asks of each revision by itself, so that one may show what another one, of which nothing was seen, brought.
        """
        result: Any = self.signatures[0].diff_result
        if result is None:
            return ModificationLevel.NONE
        level: ModificationLevel = getattr(result, "modification_level", ModificationLevel.OTHER)
        unseen = level is not ModificationLevel.LTA_UPDATES or all(map(_is_unseen_signature, self._added()))
        return level if unseen else ModificationLevel.OTHER

    def _added(self) -> Iterator[Any]:
        """The annotations that the pages had not when they were signed first."""
        signed = self.reader.get_historical_resolver(self.signatures[0].signed_revision)
        for listed, place in _annotations(self.dictionaries):
            raw = listed.raw_get(place)
            if not isinstance(raw, generic.IndirectObject) or signed.is_ref_unassignable(raw.reference):
                yield listed[place]


def _reached(root: Any) -> Iterator[Any]:
    waiting, seen = [root], set[tuple[int, int]]()
    met = 0
    while waiting:
        value = waiting.pop()
        if isinstance(value, generic.IndirectObject):
            where = (value.idnum, value.generation)
            if where in seen:
                continue
            seen.add(where)
            value = value.get_object()  # type: ignore[no-untyped-call]
        if isinstance(value, generic.DictionaryObject):
            yield value
            inside = [value.raw_get(name) for name in value]
        elif isinstance(value, generic.ArrayObject):
            inside = [value.raw_get(place) for place in range(len(value))]
        else:
            continue
        met += len(inside)
        if met > 10 * MOST_OBJECTS or len(seen) > MOST_OBJECTS:
            raise DocumentError("size", f"A PDF may have {MOST_OBJECTS} objects; this one has more.")
        waiting += inside


def _annotations(dictionaries: tuple[Any, ...]) -> Iterator[tuple[Any, int]]:
    """Each as the list that it is in, and its place there."""
    for each in dictionaries:
        found = each.get("/Annots") if _name(each, "/Type") == "/Page" else None
        if isinstance(found, generic.ArrayObject):
            yield from ((found, place) for place in range(len(found)))


def _is_unseen_signature(annotation: Any) -> bool:
    if not isinstance(annotation, generic.DictionaryObject) or _name(annotation, "/FT") != "/Sig":
        return False
    box = annotation.get("/Rect")
    no_size = isinstance(box, generic.ArrayObject) and [box.raw_get(place) for place in range(len(box))] == [0] * 4
    return no_size and _OF_UNSEEN_FIELDS.issuperset(annotation)


def _name(dictionary: Any, key: str) -> str:
    value = dictionary.get(key)
    return str(value) if isinstance(value, generic.NameObject) else ""


def _embedded(filespec: Any) -> bytes:
    streams = filespec["/EF"]
    content: bytes = streams[next(iter(streams))].data
    return content[: MAX_ATTACHED + 1]


def covered(signature: EmbeddedPdfSignature) -> tuple[int, ...]:
    """Its ByteRange: where two pieces start, and how long each is."""
    return tuple(int(number) for number in signature.byte_range)


# --- document_integrity -------------------------------------------------------------------------------------------


def one_signature(seen: Opened) -> None:
    """A second signature changed what was certified, or covers something else."""
    if len(seen.signatures) != 1:
        raise DocumentError("one-signature", f"A letter has one signature; this PDF has {len(seen.signatures)}.")


def byte_range(seen: Opened) -> None:
    """ISO 32000-1 12.8.1: all of the revision but the signature itself, which is of the form of PAdES."""
    for each in (*seen.signatures, *seen.stamps):
        said = covered(each)
        starts_and_meets = len(said) == 4 and said[0] == 0 and 0 < said[1] < said[2]
        between = seen.pdf[said[1] : said[2]] if starts_and_meets else b""
        if not (between.startswith(b"<") and between.endswith(b">")):
            raise DocumentError("byte-range", "A signature must cover all but itself, from the first byte on.")
    if str(seen.signatures[0].sig_object.get("/SubFilter")) != _SUBFILTER:
        raise DocumentError("byte-range", f"The signature of a letter must be {_SUBFILTER}.")


def certified(seen: Opened) -> None:
    """ISO 32000-1 12.8.2.2: a certification signature, which says what may be changed later: nothing."""
    level = seen.signatures[0].docmdp_level
    if level is not MDPPerm.NO_CHANGES:
        raise DocumentError("certified", "A letter must be certified, and its certification must allow no changes.")


def covers_revision(seen: Opened) -> None:
    """Whoever signs a part of a revision leaves room in the rest of it."""
    if seen.signatures[0].coverage < SignatureCoverageLevel.ENTIRE_REVISION:
        raise DocumentError("covers-revision", "The signature does not cover the whole of what was signed.")


def changed_later(seen: Opened) -> None:
    """ETSI EN 319 142-1 5.4: after it, nothing but certificates, revocation lists and time stamps."""
    if seen.later not in _EVIDENCE:
        raise DocumentError("changed-later", "The letter was changed after it was signed.")


def trailing_bytes(seen: Opened) -> None:
    """ISO 32000-1 7.5.5: the file ends with its last revision; what stands behind is covered by nothing."""
    last = max(sum(covered(each)[2:]) for each in (*seen.signatures, *seen.stamps))
    if not _END.search(seen.pdf) or (seen.later is ModificationLevel.NONE and last != len(seen.pdf)):
        raise DocumentError("trailing-bytes", "Something stands behind the end of the letter.")


def no_active_content(seen: Opened) -> None:
    """ISO 19005-3 6.6.1: nothing that runs, opens or sends anything."""
    for each in seen.dictionaries:
        if not _ACTIVE.isdisjoint(each) or (_name(each, "/S") in _ACTIONS and "/P" not in each):
            raise DocumentError("no-active-content", "A letter must not run, open or send anything.")


def no_external_reference(seen: Opened) -> None:
    """ISO 19005-3 6.1.7.1 and 6.2.9.2: all that is shown is in the file."""
    for each in seen.dictionaries:
        stream = isinstance(each, generic.StreamObject) and not {"/F", "/FFilter", "/Ref", "/OPI"}.isdisjoint(each)
        elsewhere = _name(each, "/Type") in {"/Filespec", "/F"} and "/EF" not in each
        if stream or elsewhere or _name(each, "/FS") == "/URL":
            raise DocumentError("no-external-reference", "A letter must not show what is elsewhere.")


def no_optional_content(seen: Opened) -> None:
    """ISO 32000-1 8.11: content that is shown to one reader and hidden from another."""
    for each in seen.dictionaries:
        if "/OCProperties" in each or "/OC" in each or _name(each, "/Type") in _OPTIONAL:
            raise DocumentError("no-optional-content", "A letter must show the same to everybody.")


def no_annotations(seen: Opened) -> None:
    """ISO 32000-1 12.5: nothing lies over the pages, and there is no form but its signature, which nobody sees."""
    if not all(_is_unseen_signature(found[place]) for found, place in _annotations(seen.dictionaries)):
        raise DocumentError("no-annotations", "A letter must have nothing over its pages, and no form.")


# --- content_consistent -------------------------------------------------------------------------------------------


def one_credential(seen: Opened) -> None:
    """The credential that it is about, once; beside it at most the ledger's receipt."""
    if len(seen.attached(CREDENTIAL)) != 1:
        raise DocumentError("one-credential", f"A letter must hold one {CREDENTIAL}.")


def no_other_files(seen: Opened) -> None:
    """What else is in it nobody looks at."""
    names = [each.name for each in seen.attachments]
    if set(names) - {CREDENTIAL, RECEIPT} or names.count(RECEIPT) > 1:
        raise DocumentError("no-other-files", f"A letter may hold {CREDENTIAL} and {RECEIPT}, and no other files.")
    if any(len(each.content) > MAX_ATTACHED for each in seen.attachments):
        raise DocumentError("no-other-files", f"A file in a letter may have {MAX_ATTACHED} bytes.")


RULES: Final[Mapping[CheckId, tuple[Callable[[Opened], None], ...]]] = {
    CheckId.DOCUMENT_INTEGRITY: (
        one_signature,
        byte_range,
        certified,
        covers_revision,
        changed_later,
        trailing_bytes,
        no_active_content,
        no_external_reference,
        no_optional_content,
        no_annotations,
    ),
    CheckId.CONTENT_CONSISTENT: (one_credential, no_other_files),
}
