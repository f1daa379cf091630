"""What PDF/UA (ISO 14289-1) asks of tags and WeasyPrint leaves out."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pydyf
from weasyprint.formatting_structure import boxes

_POINTS: Final = 0.75  # to a CSS pixel
_SIMPLE: Final = "\u058f"  # the last before Hebrew: Latin, Greek, Cyrillic and Armenian
_FROM_THE_RIGHT: Final = frozenset({"R", "AL", "AN"})
_PUNCTUATION: Final = frozenset(map(chr, range(0x2010, 0x2028)))
_SCOPES: Final[Mapping[str, str]] = {"/THead": "/Column", "/TBody": "/Row"}


def complete(pdf: Any, pages: Sequence[Any]) -> None:
    """Headers say what they head, glyphs what they spell, and what stands in the margins is no part of the text.

    ``pages`` are those of WeasyPrint that ``pdf`` (pydyf) was drawn from.
    """
    by_reference = {item.reference: item for item in pdf.objects if isinstance(item, pydyf.Object)}
    _give_scopes(by_reference)
    _place_figures(by_reference)
    root = by_reference[pdf.catalog["StructTreeRoot"]]
    marks = list(_marks(root, by_reference))
    numbers = by_reference[root["ParentTree"]]["Nums"]
    for page, reference, parents in zip(pages, pdf.page_references, numbers[1::2], strict=True):
        content = by_reference[by_reference[reference]["Contents"]].stream
        read = [mcid for of, mcid in marks if of == reference]
        _spell_out(content, read, list(_leaves(page._page_box)))  # noqa: SLF001  no other way leads there
        _set_apart(content, set(read), parents)


def _give_scopes(by_reference: Mapping[bytes, Any]) -> None:
    """Section 7.5: a header cell in a table's body heads its row, one in its head its column."""
    for element in _elements(by_reference):
        if element["S"] == "/TH":
            group = by_reference[by_reference[element["P"]]["P"]]
            element["A"]["Scope"] = _SCOPES.get(group["S"], "/Row")


def _place_figures(by_reference: Mapping[bytes, Any]) -> None:
    """ISO 32000-1 section 14.8.5.4.3: a figure's box is in the page's own units, from the bottom left corner.

    WeasyPrint writes it in CSS pixels, from the top left one.
    """
    for element in _elements(by_reference):
        if element["S"] == "/Figure":
            top = by_reference[element["Pg"]]["MediaBox"][3]
            left, above, right, below = (_POINTS * edge for edge in element["A"]["BBox"])
            element["A"]["BBox"] = pydyf.Array((left, top - below, right, top - above))


def _spell_out(content: list[Any], read: Sequence[int], drawn: Sequence[Any]) -> None:
    """ISO 32000-1 section 14.9.4: what a mark spells, where its glyphs do not tell by themselves.

    A glyph of ours stands for what it stood for where it was used first. In scripts that join or turn their letters it
    stands for something else the next time. The tree was made of the boxes, so both have one order.
    """
    properties = {item["MCID"]: item for item in content if isinstance(item, pydyf.Dictionary) and "MCID" in item}
    for mcid, box in zip(read, drawn, strict=True):
        text = getattr(box, "text", "")
        if _needs_spelling(text):
            properties[mcid]["ActualText"] = pydyf.String(text)


def _needs_spelling(text: str) -> bool:
    """Marks, and all scripts from Hebrew on, but for those from the right.

    Their glyphs stand for one letter each, and readers turn them round; some would turn round what is spelled, too.
    """
    signs = [sign for sign in text if sign > _SIMPLE and sign not in _PUNCTUATION]
    turned = any(unicodedata.bidirectional(sign) in _FROM_THE_RIGHT for sign in signs)
    with_it = _FROM_THE_RIGHT | {"NSM"} if turned else frozenset[str]()
    marks = any(unicodedata.category(sign)[0] == "M" for sign in text) and not turned
    return marks or any(unicodedata.bidirectional(sign) not in with_it for sign in signs)


def _leaves(box: Any) -> Iterator[Any]:
    """The boxes of a page that have text or a picture, as they follow each other in the tree."""
    box = getattr(box, "_box", box)  # of an absolute position
    if isinstance(box, boxes.TextBox | boxes.ReplacedBox):
        yield box
    elif not isinstance(box, boxes.MarginBox):
        for child in getattr(box, "children", ()):
            yield from _leaves(child)


def _set_apart(content: list[Any], read: set[int], parents: Any) -> None:
    """Section 7.1: all content is in the structure or an artifact. What stands in margins is in neither: WeasyPrint
    marks it, and leaves its elements out of the tree. ISO 32000-1 section 14.8.2.2.2 has the artifact's form.
    """
    parents[:] = [parent if mcid in read else "null" for mcid, parent in enumerate(parents)]
    for place, item in enumerate(content):
        if isinstance(item, pydyf.Dictionary) and "MCID" in item and item["MCID"] not in read:
            content[place - 1 : place + 1] = ["/Artifact", pydyf.Dictionary({"Type": "/Pagination"})]


def _elements(by_reference: Mapping[bytes, Any]) -> Iterator[Any]:
    return (
        item
        for item in by_reference.values()
        if isinstance(item, pydyf.Dictionary) and item.get("Type") == "/StructElem"
    )


def _marks(element: Any, by_reference: Mapping[bytes, Any]) -> Iterator[tuple[bytes, int]]:
    """Page and MCID of all that is in the tree, in its order."""
    for kid in element.get("K", ()):
        if isinstance(kid, bytes):
            yield from _marks(by_reference[kid], by_reference)
        else:
            yield element["Pg"], kid
