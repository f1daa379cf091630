"""The words and the looks of letters."""

from __future__ import annotations

import html as markup
import re

import pikepdf
import pypdfium2  # type: ignore[import-untyped]
import pytest

from idverify.core.letter import Line
from idverify.core.types import CREDENTIAL_TYPES
from idverify.web.letter import letterhead as module
from idverify.web.letter.letterhead import PrintedLetterhead
from idverify.web.pages.words import Language, translations
from tests.simulators import letter_world as world
from tests.simulators.pdf_structure import Structure
from tests.simulators.pdf_ua import wrong_with

WITH_LETTER = [kind for kind in CREDENTIAL_TYPES.values() if kind.letter_template]
POINTS_PER_PIXEL = 0.75


def body_of(letter: str) -> str:
    return letter.partition("<body")[2]


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("kind", WITH_LETTER, ids=lambda kind: kind.slug)
def test_each_type_that_has_a_letter_has_its_template(kind: object, language: Language) -> None:
    """In every language of the pages, under the name that people know it by."""
    assert kind in WITH_LETTER
    letter = world.content(language=language, template=kind.letter_template, type_name=kind.name)  # type: ignore[attr-defined]
    made = markup.unescape(world.letterhead().html(letter))

    assert f'<html lang="{language}" dir="ltr">' in made
    assert f"<h1>{translations(language).gettext(kind.name)}</h1>" in made  # type: ignore[attr-defined]


def test_immigration_status_and_identity_have_letters() -> None:
    """A driving licence has none: what it is on paper is the card."""
    assert [kind.id for kind in WITH_LETTER] == ["urn:idverify:immigration-status:1", "urn:eudi:pid:1"]


def test_no_sentence_of_the_welsh_letter_is_english() -> None:
    """All that the template says differs, but for what the person and the authority are called."""
    texts = [
        set(re.findall(r">([^<>]*[a-z]{3}[^<>]*)<", body_of(world.letterhead().html(world.content(language=language)))))
        for language in Language
    ]
    values = {line.value for line in world.letterhead().lines(world.CLAIMS, "en")}

    same = {markup.unescape(text) for text in texts[0] & texts[1]}
    assert same - values == set()


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        ("en", [Line("Date of birth", "3 May 1990"), Line("Work", "With limits"), Line("Ends", "No end date")]),
        (
            "cy",
            [
                Line("Dyddiad geni", "3 Mai 1990"),
                Line("Gwaith", "Gyda chyfyngiadau"),
                Line("Yn dod i ben", "Dim dyddiad dod i ben"),
            ],
        ),
    ],
)
def test_claims_are_lines_in_words(language: str, lines: list[Line]) -> None:
    """Each claim once, with its label, its words and dates in words; the photo is no line."""
    made = world.letterhead().lines(world.CLAIMS, language)

    assert [line for line in made if line in lines] == sorted(lines, key=made.index)
    assert len(made) == len({line.label for line in made}) == 28
    assert not any("data:" in line.value for line in made)


def test_what_is_no_date_stands_as_it_is() -> None:
    """A letter that only claims to be ours is read with the same lines."""
    assert world.letterhead().lines({"birthdate": "soon"}, "en") == (Line("Date of birth", "soon"),)
    with pytest.raises(ValueError, match="xx"):
        world.letterhead().lines({}, "xx")


def test_whoever_has_no_photo_has_none_on_the_letter() -> None:
    """An empty picture, and no picture, leave no empty frame; whoever checks is told what to compare instead."""
    assert 'src="picture:portrait"' in world.letterhead().html(world.content())
    for claims in (world.IDENTITY, {"family_name": "Dd\u0177fed"}):
        made = world.letterhead().html(world.content(claims))
        assert "portrait" not in made
        assert "There is no photo on this letter" in made


@pytest.mark.parametrize(("kind", "least"), [("English", 9.0), ("large", 16.0)])
def test_large_print_is_large_throughout(kind: str, least: float) -> None:
    """16 points at least, page numbers too."""
    pdf = Structure(world.letter(kind)).pdf
    sizes = [
        float(operands[1]) * POINTS_PER_PIXEL
        for page in pdf.pages
        for operands, operator in pikepdf.parse_content_stream(page)
        if str(operator) == "Tf"
    ]

    assert min(sizes) >= least


@pytest.mark.parametrize("kind", world.KINDS)
def test_nothing_comes_near_the_foot_of_a_page(kind: str) -> None:
    """4 mm stay free above the reference and the page number, on each page, however full it is."""
    words = translations(Language(world.KINDS[kind].get("language", "en"))).gettext("Reference of this letter:")
    with pypdfium2.PdfDocument(_of_a_demonstration(kind)) as document:
        gaps = [_above_foot(page, words) for page in document]

    assert len(gaps) >= 2
    assert min(gaps) >= 4


def _of_a_demonstration(kind: str) -> bytes:
    """With the longest head and foot that a letter has."""
    return world.drawn(world.content(**{**world.KINDS[kind], "reference": "0123456789abcdef" * 2, "demo": True}))


def _above_foot(page: pypdfium2.PdfPage, words: str) -> float:
    """Millimetres from the lowest ink of a page to the first text of its foot."""
    text = page.get_textpage()
    first, _ = text.search(words).get_next()
    _, _, _, top = text.get_charbox(first, loose=False)
    foot = page.get_height() - top
    image = page.render(scale=2, grayscale=True).to_pil()
    above = image.crop((0, 0, image.width, round(foot * 2) - 2)).point(lambda tone: 255 - tone)
    (_, _, _, lowest) = above.getbbox() or (0, 0, 0, 0)
    return (foot - lowest / 2) * 25.4 / 72


def test_a_list_is_not_torn_apart() -> None:
    """What the colours mean, and how to check, stand on one page each, in a letter of the usual size."""
    for kind, first, last in (
        ("Welsh", "Derbyniwyd", "Gwrthodwyd"),
        ("English", "Accepted", "Rejected"),
        ("English", "Open this address", "Compare the photo"),
        ("identity, no photo", "Open this address", "There is no photo"),
    ):
        with pypdfium2.PdfDocument(_of_a_demonstration(kind)) as document:
            pages = [page.get_textpage().get_text_bounded() for page in document]
        assert [first in page for page in pages] == [last in page for page in pages], kind


def test_a_letter_can_run_from_right_to_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a language that does, labels stand on the right; a name of the other direction keeps its own."""
    monkeypatch.setattr(module, "_DIRECTIONS", dict.fromkeys(Language, "rtl"))
    name = "\u0645\u062d\u0645\u062f \u0639\u0628\u062f \u0627\u0644\u0644\u0647"
    claims = {**world.CLAIMS, "family_name": name}
    made = PrintedLetterhead().html(world.content(claims))
    pdf = world.drawn(world.content(claims), made)
    boxes = _begins(pdf)
    row = Structure(pdf).elements("TR")[1]
    (_, label), (_, value) = list(row.marks())[:2]

    assert '<html lang="en" dir="rtl">' in made
    assert f'<td dir="rtl"><div>{name}</div></td>' in made
    assert '<td dir="ltr"><div>Nia \u0141ucja</div></td>' in made
    assert boxes[label] > boxes[value]
    assert wrong_with(pdf) == {}


def _begins(pdf: bytes) -> dict[int, float]:
    """How far from the left edge each mark of the first page begins."""
    places: dict[int, float] = {}
    mcid = None
    seen = Structure(pdf)
    for operands, operator in pikepdf.parse_content_stream(seen.pdf.pages[0]):
        if str(operator) == "BDC" and "/MCID" in operands[1]:
            mcid = int(operands[1].MCID)
        elif str(operator) == "Tm" and mcid is not None:
            places.setdefault(mcid, float(operands[4]))
    return places
