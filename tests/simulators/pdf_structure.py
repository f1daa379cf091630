"""A tagged PDF as somebody reads it who has nothing of WeasyPrint: elements, their text, and what is marked how."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import pikepdf

from idverify.formats.pdf.visible_text import spelled

SHOWS: Final = frozenset({"Tj", "TJ", "'", '"'})
PAINTS: Final = SHOWS | {"Do", "sh", "S", "s", "f", "F", "f*", "B", "B*", "b", "b*", "BI", "EI", "INLINE IMAGE"}
_PAIRS: Final = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]*)>")


@dataclass(frozen=True)
class Element:
    """A structure element; ``kids`` are elements and (page, MCID) pairs, in the order of reading."""

    tag: str
    raw: Any
    kids: list[Element | tuple[int, int]]

    def all(self) -> Iterator[Element]:
        """Itself and those beneath, in the order of reading."""
        yield self
        for kid in self.kids:
            if isinstance(kid, Element):
                yield from kid.all()

    def marks(self) -> Iterator[tuple[int, int]]:
        """The marked content beneath."""
        for kid in self.kids:
            if isinstance(kid, Element):
                yield from kid.marks()
            else:
                yield kid


@dataclass
class Marked:
    """What the content stream of a page marks. ``loose`` are painting operators that are neither marked nor artifacts;
    ``unmapped`` are codes of glyphs without ToUnicode.
    """

    texts: dict[int, str] = field(default_factory=dict)
    actual: dict[int, str] = field(default_factory=dict)
    artifacts: list[str] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    unmapped: list[int] = field(default_factory=list)
    nested: int = 0


class Structure:
    """One PDF."""

    def __init__(self, pdf: bytes) -> None:
        self.pdf = pikepdf.open(io.BytesIO(pdf))

    @property
    def root(self) -> Any:
        """The catalogue."""
        return self.pdf.Root

    @cached_property
    def pages(self) -> list[Marked]:
        """Each page's content."""
        return [_marked(page) for page in self.pdf.pages]

    @cached_property
    def tree(self) -> Element:
        """The structure tree, from its root."""
        numbers = {page.objgen: number for number, page in enumerate(self.pdf.pages)}
        return _element(self.root.StructTreeRoot, numbers, None)

    def elements(self, *tags: str) -> list[Element]:
        """All of these kinds, in the order of reading; of none: all."""
        return [element for element in self.tree.all() if not tags or element.tag in tags]

    def text(self, element: Element) -> str:
        """What is shown beneath, in the order of the tree."""
        return "".join(
            spelled(self.pages[page].texts.get(mcid, ""), self.pages[page].actual.get(mcid))
            for page, mcid in element.marks()
        )

    def rows(self) -> list[tuple[str, ...]]:
        """The rows of all tables, as ``formats.pdf.visible_text`` takes them."""
        cells = [
            [kid for kid in row.kids if isinstance(kid, Element) and kid.tag in {"TH", "TD"}]
            for row in self.elements("TR")
        ]
        return [tuple(self.text(cell) for cell in row) for row in cells]


def _element(raw: Any, numbers: Mapping[Any, int], page: int | None) -> Element:
    here = numbers[raw.Pg.objgen] if "/Pg" in raw else page
    kids = raw.get("/K", pikepdf.Array())
    listed = list(kids) if isinstance(kids, pikepdf.Array) else [kids]
    found: list[Element | tuple[int, int]] = []
    for kid in listed:
        if isinstance(kid, int):
            assert here is not None
            found.append((here, int(kid)))
        elif kid.get("/Type") != pikepdf.Name.OBJR:
            found.append(_element(kid, numbers, here))
    return Element(str(raw.get("/S", "/"))[1:], raw, found)


def _marked(page: Any) -> Marked:
    marked = Marked()
    fonts = {name: to_unicode(font) for name, font in page.Resources.Font.items()}
    open_marks: list[int | str | None] = []
    font: Mapping[int, str] = {}
    for operands, operator in pikepdf.parse_content_stream(page):
        name = str(operator)
        if name in {"BDC", "BMC"}:
            marked.nested += bool(open_marks)
            tag = str(operands[0])
            mcid = operands[1].get("/MCID") if name == "BDC" else None
            open_marks.append("artifact" if tag == "/Artifact" else None if mcid is None else int(mcid))
            if isinstance(open_marks[-1], int):
                marked.texts.setdefault(open_marks[-1], "")
                if "/ActualText" in operands[1]:
                    marked.actual[open_marks[-1]] = str(operands[1].ActualText)
        elif name == "EMC":
            open_marks.pop()
        elif name == "Tf":
            font = fonts[str(operands[0])]
        elif name in PAINTS:
            where = open_marks[-1] if open_marks else None
            shown = "".join(_shown(operands, font, marked)) if name in SHOWS else ""
            if where is None:
                marked.loose.append(name)
            elif where == "artifact":
                marked.artifacts.append(shown)
            else:
                marked.texts[int(where)] += shown
    return marked


def _shown(operands: Any, font: Mapping[int, str], marked: Marked) -> Iterator[str]:
    parts = operands[0] if isinstance(operands[0], pikepdf.Array) else operands
    for part in parts:
        if isinstance(part, pikepdf.String):
            codes = bytes(part)
            for place in range(0, len(codes), 2):
                code = int.from_bytes(codes[place : place + 2], "big")
                if code not in font:
                    marked.unmapped.append(code)
                yield font.get(code, "")


def to_unicode(font: Any) -> dict[int, str]:
    """What each code of a font stands for (``bfchar`` alone: all that WeasyPrint writes)."""
    if "/ToUnicode" not in font:
        return {}
    said = font.ToUnicode.read_bytes()
    blocks = re.findall(rb"beginbfchar(.*?)endbfchar", said, re.DOTALL)
    pairs = [pair for block in blocks for pair in _PAIRS.findall(block)]
    return {int(code, 16): bytes.fromhex(text.decode()).decode("utf-16-be") for code, text in pairs}
