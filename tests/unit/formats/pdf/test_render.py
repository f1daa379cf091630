"""Letters as others read them: tags, fonts, attachments, codes; and what hostile values can do to one."""

from __future__ import annotations

import asyncio
import io
import re
import subprocess
import unicodedata
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name

from idverify.core.letter import Line
from idverify.errors import DocumentError
from idverify.formats.pdf import render, sign
from idverify.formats.pdf.visible_text import require_states
from idverify.sandbox.workers import Workers, open_workers
from tests.simulators import letter_world as world
from tests.simulators import paper_world
from tests.simulators.pdf_structure import Structure
from tests.simulators.pdf_ua import RULES, wrong_with

MM_PER_INCH, POINTS_PER_INCH, DPI = 25.4, 72, 200
PORTRAIT_KIND = "Welsh, large, portrait in the code"
SCRIPTS = {
    "Latin": "Nguy\u1ec5n \u0110\u1eb7ng-\u0141ucja",
    "Greek": "\u0393\u03b9\u03ce\u03c1\u03b3\u03bf\u03c2",
    "Cyrillic": "\u0410\u043d\u043d\u0430",
    "Armenian": "\u0540\u0561\u0575\u056f",
    "Georgian": "\u10d2\u10d8\u10dd\u10e0\u10d2\u10d8",
    "Arabic": "\u0645\u062d\u0645\u062f \u0639\u0628\u062f \u0627\u0644\u0644\u0647",
    "Hebrew": "\u05d9\u05d5\u05e1\u05e3",
    "Devanagari": "\u092a\u094d\u0930\u093f\u092f\u0902\u0915\u093e \u0936\u0930\u094d\u092e\u093e",
    "Bengali": "\u09b6\u09cd\u09b0\u09c0\u09b2\u09c7\u0996\u09be",
    "Tamil": "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd\u0b9a\u0bcd\u0b9a\u0bc6\u0bb2\u0bcd\u0bb5\u0ba9\u0bcd",
    "Thai": "\u0e19\u0e49\u0e33 \u0e43\u0e08\u0e14\u0e35",
    "Burmese": "\u1019\u103c\u1014\u103a\u1019\u102c",
    "Khmer": "\u1781\u17d2\u1798\u17c2\u179a",
    "Amharic": "\u12a0\u1260\u1260",
}
HOSTILE = {
    "markup": "<script>alert(1)</script><img src=x onerror=y>&amp;</td></table>",
    "style": "</style></title><style>* { display: none }</style>",
    "template": "{{ 7 * 7 }}{% include '/etc/passwd' %}",
    "long": "W" * 150,
    "longest": "Llanfairpwll " * 76,
    "bidirectional controls": "Anna\u202e gnorts \u2066x\u202c\u200f",
    "new lines": "one\n\n\r\ntwo\x00\x1b[2Jthree\u2028four\x85five",
    "emoji": "\U0001f600 ok",
    "marks": "Z" + "\u0301" * 60,
    "form": "\ufb01 \u00b2 \u00bd",
    "right to left": "\u0645\u062d (\u05d9) 123",
    "nothing": "\u200b\u2060\ufeff",
}


def on(tmp_path: Path, pdf: bytes) -> Path:
    file = tmp_path / "letter.pdf"
    file.write_bytes(pdf)
    return file


def told(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, check=True)
    return done.stdout.decode(errors="replace")


@pytest.mark.parametrize("kind", world.KINDS)
def test_letters_are_accessible(kind: str) -> None:
    """Every rule of PDF/UA that a machine can check holds."""
    assert wrong_with(world.letter(kind)) == {}


def _without_mark(pdf: pikepdf.Pdf) -> None:
    content = pdf.pages[0].Contents
    content.write(content.read_bytes().replace(b"/Artifact BMC", b"", 1).replace(b"EMC", b"", 1))


def _first(pdf: pikepdf.Pdf, tag: str) -> Any:
    return next(one for one in pdf.objects if isinstance(one, Dictionary) and one.get("/S") == Name("/" + tag))


def _no_title(pdf: pikepdf.Pdf) -> None:
    del pdf.Root.ViewerPreferences


def _no_language(pdf: pikepdf.Pdf) -> None:
    del pdf.Root.Lang


def _no_marks(pdf: pikepdf.Pdf) -> None:
    pdf.Root.MarkInfo.Marked = False


def _no_alternative(pdf: pikepdf.Pdf) -> None:
    del _first(pdf, "Figure").Alt


def _no_scope(pdf: pikepdf.Pdf) -> None:
    del _first(pdf, "TH").A.Scope


def _skipped_level(pdf: pikepdf.Pdf) -> None:
    _first(pdf, "H2").S = Name.H3


def _no_body(pdf: pikepdf.Pdf) -> None:
    _first(pdf, "LBody").S = Name.Div


def _no_characters(pdf: pikepdf.Pdf) -> None:
    for font in pdf.pages[0].Resources.Font.values():
        del font.ToUnicode


def _action(pdf: pikepdf.Pdf) -> None:
    pdf.Root.OpenAction = Dictionary(S=Name.URI, URI=pikepdf.String("https://elsewhere.example/"))


def _no_profile(pdf: pikepdf.Pdf) -> None:
    pdf.Root.OutputIntents = Array()


SPOILED: dict[str, Callable[[pikepdf.Pdf], None]] = {
    "title_shown": _no_title,
    "language": _no_language,
    "tagged": _no_marks,
    "all_content_tagged": _without_mark,
    "figures_told": _no_alternative,
    "headers_head": _no_scope,
    "headings_in_order": _skipped_level,
    "lists_are_lists": _no_body,
    "fonts_embedded": _no_characters,
    "nothing_active": _action,
    "is_archivable": _no_profile,
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_finds_what_it_looks_for(rule: str) -> None:
    """A letter that breaks one rule is found by that one."""
    with pikepdf.open(io.BytesIO(world.letter())) as pdf:
        SPOILED[rule](pdf)
        out = io.BytesIO()
        pdf.save(out)

    assert list(wrong_with(out.getvalue())) == [rule]


@pytest.mark.parametrize("kind", world.KINDS)
def test_other_programs_agree(kind: str, tmp_path: Path) -> None:
    """No error for qpdf; for poppler a tagged PDF with a title, and embedded fonts with their characters."""
    file = on(tmp_path, world.letter(kind))

    assert "No syntax or stream encoding errors found" in told("qpdf", "--check", file)
    said = dict(re.findall(r"^(\w[^:]*): +(.*)$", told("pdfinfo", file), re.MULTILINE))
    assert (said["Tagged"], said["JavaScript"], said["Form"], said["Encrypted"]) == ("yes", "no", "none", "no")
    assert said["Title"].endswith(" \u2013 Utopia Immigration Office")
    fonts = told("pdffonts", file).splitlines()[2:]
    assert fonts
    assert all(re.search(r" yes yes yes +\d+ +\d+$", font) for font in fonts)
    assert all("Noto-Sans" in font for font in fonts)


@pytest.mark.parametrize("kind", world.KINDS)
def test_it_is_read_in_the_order_in_which_it_is_written(kind: str, tmp_path: Path) -> None:
    """The structure gives the text of the template from its first word to its last; page numbers are not in it."""
    content = world.content(**world.KINDS[kind])
    html = world.letterhead().html(content)
    body = re.sub(r'<p class="(reference|pages)">.*?</p>', "", html.partition("<body")[2].partition(">")[2])
    written = re.sub(r"<[^>]*>", " ", body).replace("&#39;", "'").split()

    listed = told("pdfinfo", "-struct-text", on(tmp_path, world.letter(kind)))
    read = " ".join(re.findall(r'^ *"(.*)"$', listed, re.MULTILINE))
    markers = r"(?<!\S)(?:\d\.|\u2022) "
    assert "".join(re.sub(markers, "", f"{read} ").split()) == "".join(written)


def test_what_is_attached_is_the_data_of_the_letter() -> None:
    """Credential and receipt, byte for byte, as associated files (ISO 19005-3 section 6.8) with a relationship."""
    with pikepdf.open(io.BytesIO(world.letter())) as pdf:
        found = {name: pdf.attachments[name].get_file().read_bytes() for name in pdf.attachments}
        relations = {str(one.UF): str(one.AFRelationship) for one in pdf.Root.AF}

    assert found == world.ATTACHED
    assert relations == {"credential.sdjwt": "/Data", "receipt.tlog-proof": "/Data"}


def test_the_same_letter_has_the_same_bytes() -> None:
    """Time comes from outside and nothing is random: a letter can be made again."""
    assert world.drawn(world.content()) == world.letter()


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    """One worker to each pool."""
    async with open_workers(1) as opened:
        yield opened


@pytest.mark.parametrize(("kind", "text"), [("English", world.CODE), (PORTRAIT_KIND, world.CODE_WITH_PORTRAIT)])
async def test_a_scan_of_the_page_is_read(workers: Workers, tmp_path: Path, kind: str, text: str) -> None:
    """At 200 dpi the code gives its text; it is 45 mm wide at most, with a portrait 70 mm at least."""
    page = tmp_path / "page"
    scan = ("pdftoppm", "-r", str(DPI), "-f", "1", "-l", "1", "-singlefile", "-png")
    await asyncio.to_thread(told, *scan, on(tmp_path, world.letter(kind)), page)

    [code] = await workers.do("read-codes", {"image": page.with_suffix(".png").read_bytes()})

    seen = Structure(world.letter(kind))
    left, _, right, _ = map(float, seen.elements("Figure")[-1].raw.A.BBox)
    width = (right - left) / POINTS_PER_INCH * MM_PER_INCH
    assert code.text == text
    assert width >= 70 if kind == PORTRAIT_KIND else width <= 45


async def test_a_worker_draws_it(workers: Workers) -> None:
    """As the job ``render-letter``, without network and files, the same bytes; what no font has is said by name."""
    content = world.content()
    job = {
        "html": world.letterhead().html(content),
        "pictures": world.pictures(content),
        "attachments": world.ATTACHED,
        "at": world.AT,
    }

    assert await workers.do("render-letter", job) == world.letter()
    with pytest.raises(DocumentError, match=r"signs for \u738b \(U\+738B\)") as refused:
        await workers.do("render-letter", job | {"html": "<p lang=en>\u738b"})
    assert refused.value.rule == "unprintable"


@pytest.mark.parametrize("level", sign.LEVELS)
def test_a_signed_letter_is_still_one(level: str) -> None:
    """Signatures and time stamps take no place on the page: every rule holds, and the text is what it was."""
    signed, _ = paper_world.rounds(paper_world.prepared(level, world.letter()))

    assert wrong_with(signed) == {}
    assert Structure(signed).rows() == Structure(world.letter()).rows()


@pytest.mark.parametrize("name", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_names_are_spelled_in_every_script(name: str, tmp_path: Path) -> None:
    """Letter by letter and in the order of reading, whatever fonts make of them: for programs that read aloud, too."""
    pdf = world.drawn(world.content({"family_name": name}))

    (row,) = Structure(pdf).rows()
    require_states([Line("Family name", name)], [row])
    read = re.sub("[\u202a-\u202c]", "", told("pdftotext", on(tmp_path, pdf), "-"))
    assert all(word in unicodedata.normalize("NFC", read) for word in name.split())


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_value_is_text_and_nothing_else(value: str, tmp_path: Path) -> None:
    """Whatever it holds, it stands in its own cell, says what the credential says, and leaves all else in its place."""
    claims = {**world.CLAIMS, "family_name": value, "issuing_authority": value}
    letter = world.content(claims, authority=value or "x")
    pdf = world.drawn(letter)
    seen, plain = Structure(pdf), Structure(world.letter())

    require_states(world.letterhead().lines(claims, "en"), seen.rows())
    assert wrong_with(pdf) == {}
    shape = ("H1", "H2", "Figure", "TR", "TH", "TD")
    assert [one.tag for one in seen.elements(*shape)] == [one.tag for one in plain.elements(*shape)]
    words = re.findall(
        r'<word xMin="([\d.-]+)" .*? xMax="([\d.-]+)"', told("pdftotext", "-bbox", on(tmp_path, pdf), "-")
    )
    assert min(float(left) for left, _ in words) >= 0
    assert max(float(right) for _, right in words) <= 596  # A4 in points


WAYS_OUT = {
    "style sheet": '<link rel="stylesheet" href="URL">',
    "attachment": '<link rel="attachment" href="URL">',
    "import": '<style>@import "URL";</style>',
    "font": "<style>@font-face { font-family: x; src: url(URL) } body { font-family: x }</style>",
    "background": "<style>body { background: url(URL) }</style>",
    "image": '<img src="URL" alt="x">',
    "base": '<base href="URL"><img src="x.png" alt="x">',
    "embedded": '<embed src="URL">',
    "object": '<object data="URL"></object>',
    "drawing": '<svg viewBox="0 0 1 1"><image href="URL" width="1" height="1"/></svg>',
    "content": "<style>p::before { content: url(URL) }</style>",
    "link": '<a rel="attachment" href="URL">x</a>',
}


@pytest.mark.parametrize("way", WAYS_OUT)
async def test_nothing_is_fetched(way: str, tmp_path: Path) -> None:
    """Neither from the network nor from a file: what came with the call is all that there is."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.close()

    secret = tmp_path / "secret.svg"
    secret.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    for url in (f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x", secret.as_uri(), "data:image/svg+xml,x"):
        html = f'<html lang="en"><head><title>x</title></head><body>{WAYS_OUT[way].replace("URL", url)}<p>x</p>'
        try:
            pdf = await asyncio.to_thread(world.drawn, world.content(), html, {})
        except DocumentError as refused:
            assert refused.rule == "outside"  # noqa: PT017  some ways are not taken at all
        else:
            with pikepdf.open(io.BytesIO(pdf)) as opened:
                assert not opened.attachments
                assert not any("/XObject" in page.Resources and page.Resources.XObject.keys() for page in opened.pages)
    server.close()
    await server.wait_closed()

    assert asked == []


@pytest.mark.parametrize(
    ("html", "pictures", "rule"),
    [
        ("x" * (render.MAX_HTML + 1), {}, "size"),
        ("x", {"code": bytes(render.MAX_PICTURE + 1)}, "size"),
        ("<p style='break-after: page'>x</p>" * 30, {}, "pages"),
    ],
)
def test_what_is_no_letter_is_refused(html: str, pictures: dict[str, bytes], rule: str) -> None:
    """Longer, larger or of more pages than any letter."""
    with pytest.raises(DocumentError) as refused:
        render.render(html, pictures, {}, world.AT)

    assert refused.value.rule == rule
