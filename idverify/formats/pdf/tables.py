"""The rows of the tables on the pages: per cell the text of its marked content as it is drawn, by PDFium.

By the structure tree (ISO 32000-1 14.7) a cell is known; by the fonts' ToUnicode, what its glyphs say.
"""

from __future__ import annotations

import codecs
import ctypes
from collections.abc import Iterator
from typing import Any, Final

import pypdfium2  # type: ignore[import-untyped]
from pypdfium2 import raw

from idverify.formats.pdf.visible_text import spelled

MOST_ROWS: Final = 200
MAX_CELL: Final = 4096
MOST_DEEP: Final = 32
_CELLS: Final = frozenset({"TH", "TD"})


def rows_of(document: pypdfium2.PdfDocument) -> list[list[str]]:
    """Every row, in the order of the pages and of their trees. Raises ``DocumentError`` (``visible-text``)."""
    found: list[list[str]] = []
    for number in range(len(document)):
        page = document[number]
        texts = _texts(page)
        tree = raw.FPDF_StructTree_GetForPage(page)
        if not tree:
            continue
        try:
            for place in range(raw.FPDF_StructTree_CountChildren(tree)):
                found += _rows(raw.FPDF_StructTree_GetChildAtIndex(tree, place), texts, 0)
        finally:
            raw.FPDF_StructTree_Close(tree)
    return found[:MOST_ROWS]


def _texts(page: Any) -> dict[int, str]:
    """What each marked content spells, in the order of the content stream."""
    text_page = page.get_textpage()
    glyphs: dict[int, str] = {}
    actual: dict[int, str] = {}
    for place in range(raw.FPDFPage_CountObjects(page)):
        drawn = raw.FPDFPage_GetObject(page, place)
        if raw.FPDFPageObj_GetType(drawn) == raw.FPDF_PAGEOBJ_TEXT:
            mark = raw.FPDFPageObj_GetMarkedContentID(drawn)
            glyphs[mark] = glyphs.get(mark, "") + _text(drawn, text_page)
            if (said := _actual_text(drawn)) is not None:
                actual[mark] = said
    return {mark: spelled(shown, actual.get(mark)) for mark, shown in glyphs.items()}


def _actual_text(drawn: Any) -> str | None:
    """What the mark around a text says that it is (ISO 32000-1 14.9.4)."""
    size = ctypes.c_ulong()
    for place in range(raw.FPDFPageObj_CountMarks(drawn)):
        mark = raw.FPDFPageObj_GetMark(drawn, place)
        if raw.FPDFPageObjMark_GetParamBlobValue(mark, b"ActualText", None, 0, size):
            buffer = (ctypes.c_ubyte * min(size.value, 4 * MAX_CELL))()
            raw.FPDFPageObjMark_GetParamBlobValue(mark, b"ActualText", buffer, len(buffer), size)
            return _text_string(bytes(buffer))
    return None


def _text_string(said: bytes) -> str:
    """ISO 32000-1 7.9.2.2: UTF-16 by its mark; otherwise one byte a sign, of which ours need none but ASCII."""
    utf_16 = said.startswith(codecs.BOM_UTF16_BE)
    return said[2:].decode("utf-16-be", "replace") if utf_16 else said.decode("latin-1")


def _text(drawn: Any, text_page: Any) -> str:
    size = min(raw.FPDFTextObj_GetText(drawn, text_page, None, 0), 2 * MAX_CELL)
    buffer = ctypes.create_string_buffer(size)
    raw.FPDFTextObj_GetText(drawn, text_page, ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), size)
    return buffer.raw.decode("utf-16-le", "replace").rstrip("\0")


def _rows(element: Any, texts: dict[int, str], deep: int) -> Iterator[list[str]]:
    if not element or deep > MOST_DEEP:
        return
    if _kind(element) == "TR":
        yield ["".join(_marked(cell, texts, deep))[:MAX_CELL] for cell in _kids(element) if _kind(cell) in _CELLS]
        return
    for kid in _kids(element):
        yield from _rows(kid, texts, deep + 1)


def _marked(element: Any, texts: dict[int, str], deep: int) -> Iterator[str]:
    for place in range(raw.FPDF_StructElement_CountChildren(element)):
        kid = raw.FPDF_StructElement_GetChildAtIndex(element, place)
        if not kid:
            yield texts.get(raw.FPDF_StructElement_GetChildMarkedContentID(element, place), "")
        elif deep < MOST_DEEP:
            yield from _marked(kid, texts, deep + 1)


def _kids(element: Any) -> Iterator[Any]:
    places = range(raw.FPDF_StructElement_CountChildren(element))
    return (kid for place in places if (kid := raw.FPDF_StructElement_GetChildAtIndex(element, place)))


def _kind(element: Any) -> str:
    size = raw.FPDF_StructElement_GetType(element, None, 0)
    buffer = ctypes.create_string_buffer(size)
    raw.FPDF_StructElement_GetType(element, buffer, size)
    return buffer.raw.decode("utf-16-le", "replace").rstrip("\0")
