"""The rules of PDF/UA (ISO 14289-1) that a machine can check, after the Matterhorn protocol; the rest takes a person.

Each is a function that gives what is wrong, and stands in RULES; what is fine with all of them gives nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pikepdf

from tests.simulators.pdf_structure import Structure

_ACTIVE: Final = frozenset({"/OpenAction", "/AA", "/JS", "/URI", "/JavaScript", "/RichMedia", "/OCProperties"})


def title_shown(seen: Structure) -> Iterator[str]:
    """Section 7.1: a title in the metadata, and the window shows it."""
    with seen.pdf.open_metadata() as metadata:
        if not metadata.get("dc:title"):
            yield "no dc:title"
    if seen.root.get("/ViewerPreferences", {}).get("/DisplayDocTitle") is not True:
        yield "the title is not shown"


def language(seen: Structure) -> Iterator[str]:
    """Section 7.2: the language of the whole."""
    if not str(seen.root.get("/Lang", "")):
        yield "no language"


def tagged(seen: Structure) -> Iterator[str]:
    """Section 7.1: all of it is meant to be read by its tags."""
    marks = seen.root.get("/MarkInfo", {})
    if marks.get("/Marked") is not True or marks.get("/Suspects", False):
        yield "not marked"
    if any(page.get("/Tabs") != pikepdf.Name.S for page in seen.pdf.pages):
        yield "a page whose tab order is not that of its structure"


def all_content_tagged(seen: Structure) -> Iterator[str]:
    """Section 7.1: everything is in the tree or is an artifact; a mark leads to its element, and an element to it."""
    in_tree = {mark for element in seen.elements() for mark in element.marks()}
    for number, page in enumerate(seen.pages):
        yield from (f"page {number + 1}: {operator} is neither tagged nor an artifact" for operator in page.loose)
        if page.nested:
            yield f"page {number + 1}: marks within marks"
        yield from (
            f"page {number + 1}: mark {mcid} is not in the tree" for mcid in page.texts if (number, mcid) not in in_tree
        )
        yield from _parents(seen, number, page.texts)


def _parents(seen: Structure, number: int, texts: Mapping[int, str]) -> Iterator[str]:
    tree = pikepdf.NumberTree(seen.root.StructTreeRoot.ParentTree)
    parents = tree[int(seen.pdf.pages[number].StructParents)]
    for mcid in texts:
        kids = parents[mcid].get("/K") if mcid < len(parents) and parents[mcid] is not None else None
        if kids is None or mcid not in [kid for kid in kids if isinstance(kid, int)]:
            yield f"page {number + 1}: mark {mcid} leads to no element that has it"


def figures_told(seen: Structure) -> Iterator[str]:
    """Section 7.3: pictures have words that stand for them, and a place on the page."""
    for figure in seen.elements("Figure"):
        if not str(figure.raw.get("/Alt", "")):
            yield "a figure without an alternative"
        left, bottom, right, top = map(float, figure.raw.A.BBox)
        _, _, width, height = map(float, figure.raw.Pg.MediaBox)
        if not (0 <= left < right <= width and 0 <= bottom < top <= height):
            yield "a figure whose box is not on its page"


def headers_head(seen: Structure) -> Iterator[str]:
    """Section 7.5: each header cell says what it heads, and each other cell leads to one."""
    cells = seen.elements("TH", "TD")
    headers = {str(cell.raw.ID) for cell in cells if cell.tag == "TH" and "/ID" in cell.raw}
    for cell in cells:
        attributes = cell.raw.get("/A", {})
        if cell.tag == "TH" and attributes.get("/Scope") not in {pikepdf.Name.Row, pikepdf.Name.Column}:
            yield "a header without a scope"
        if cell.tag == "TD" and not {str(name) for name in attributes.get("/Headers", ())} & headers:
            yield "a cell without a header"


def headings_in_order(seen: Structure) -> Iterator[str]:
    """Section 7.4: the first is of the first level, and none is left out on the way down."""
    levels = [int(one.tag[1]) for one in seen.elements("H1", "H2", "H3", "H4", "H5", "H6")]
    for above, below in zip([0, *levels], levels, strict=False):
        if below > above + 1:
            yield f"a heading of level {below} after one of level {above}"
    if not levels:
        yield "no heading"


def lists_are_lists(seen: Structure) -> Iterator[str]:
    """Section 7.6: a list has items, and an item its body."""
    for made in seen.elements("L"):
        if any(getattr(kid, "tag", None) != "LI" for kid in made.kids):
            yield "a list with something else than items"
    for item in seen.elements("LI"):
        if not any(getattr(kid, "tag", None) == "LBody" for kid in item.kids):
            yield "an item without a body"


def fonts_embedded(seen: Structure) -> Iterator[str]:
    """Section 7.21: fonts are in the file, and every sign that they draw has its character."""
    for page in seen.pdf.pages:
        for font in page.Resources.Font.values():
            (below,) = font.DescendantFonts
            if not {"/FontFile", "/FontFile2", "/FontFile3"} & set(below.FontDescriptor.keys()):
                yield f"{font.BaseFont} is not embedded"
            if "/ToUnicode" not in font:
                yield f"{font.BaseFont} has no ToUnicode"
    for marked in seen.pages:
        yield from (f"code {code} has no character" for code in marked.unmapped)


def nothing_active(seen: Structure) -> Iterator[str]:
    """Ours: nothing runs, nothing is loaded, nothing leads away."""
    for thing in seen.pdf.objects:
        if isinstance(thing, pikepdf.Dictionary | pikepdf.Stream):
            yield from (f"{name} in an object" for name in _ACTIVE & set(thing.keys()))
    for page in seen.pdf.pages:
        yield from (f"an annotation: {one.Subtype}" for one in page.get("/Annots", ()) if not _invisible_signature(one))


def _invisible_signature(annotation: Any) -> bool:
    """The place of a signature, which takes none."""
    left, bottom, right, top = map(float, annotation.Rect)
    return annotation.get("/FT") == pikepdf.Name.Sig and (left, bottom) == (right, top)


def is_archivable(seen: Structure) -> Iterator[str]:
    """ISO 19005-3: it says that it is PDF/A-3a, and in which colours it is meant."""
    with seen.pdf.open_metadata() as metadata:
        if (metadata.get("pdfaid:part"), metadata.get("pdfaid:conformance")) != ("3", "A"):
            yield "not PDF/A-3a"
    if not seen.root.get("/OutputIntents"):
        yield "no output intent"


Rule = Callable[[Structure], Iterator[str]]
RULES: Final[Mapping[str, Rule]] = {
    rule.__name__: rule
    for rule in (
        title_shown,
        language,
        tagged,
        all_content_tagged,
        figures_told,
        headers_head,
        headings_in_order,
        lists_are_lists,
        fonts_embedded,
        nothing_active,
        is_archivable,
    )
}


def wrong_with(pdf: bytes) -> dict[str, list[str]]:
    """What is wrong, by rule."""
    seen = Structure(pdf)
    found: dict[str, list[Any]] = {name: list(rule(seen)) for name, rule in RULES.items()}
    return {name: wrong for name, wrong in found.items() if wrong}
