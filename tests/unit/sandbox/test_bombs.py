"""Small files that would take all time and memory: refused in the worker, while others are served beside it."""

from __future__ import annotations

import asyncio
import io
import time
import zlib

import pikepdf
import pytest
from PIL import Image

from idverify.errors import DocumentError
from idverify.formats.qr_image import write_code
from idverify.sandbox.workers import Workers, open_workers


def saved(pdf: pikepdf.Pdf) -> bytes:
    buffer = io.BytesIO()
    pdf.save(buffer, compress_streams=False, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    return buffer.getvalue()


def page_with(content: bytes, **drawn: pikepdf.Stream) -> bytes:
    """One page that draws ``content``, which may name ``drawn``."""
    pdf = pikepdf.new()
    page = pdf.add_blank_page(page_size=(595, 842))
    page.Contents = pikepdf.Stream(pdf, zlib.compress(content, 9), Filter=pikepdf.Name.FlateDecode)
    page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary({f"/{name}": one for name, one in drawn.items()}))
    return saved(pdf)


def image_of_a_gigabyte() -> bytes:
    pdf, side = pikepdf.new(), 32768
    packer = zlib.compressobj(9)
    packed = b"".join([*(packer.compress(bytes(side)) for _ in range(side)), packer.flush()])
    image = pikepdf.Stream(pdf, packed, Filter=pikepdf.Name.FlateDecode)
    for name, value in {"Width": side, "Height": side, "BitsPerComponent": 8}.items():
        image[f"/{name}"] = value
    image["/Subtype"], image["/ColorSpace"] = pikepdf.Name.Image, pikepdf.Name.DeviceGray
    page = pdf.add_blank_page(page_size=(200, 200))
    page.Contents = pikepdf.Stream(pdf, b"200 0 0 200 0 0 cm /I Do")
    page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(I=pdf.make_indirect(image)))
    return saved(pdf)


def forms_within_forms(depth: int, each: int) -> bytes:
    """A form that draws another ten times, which draws another ten times."""
    pdf = pikepdf.new()
    content, inner = b"0 0 m 500 800 l 10 500 l h f", None
    for _ in range(depth):
        form = pikepdf.Stream(pdf, content)
        form["/Subtype"], form["/BBox"] = pikepdf.Name.Form, pikepdf.Array([0, 0, 595, 842])
        if inner is not None:
            form["/Resources"] = pikepdf.Dictionary(XObject=pikepdf.Dictionary(F=inner))
        inner, content = pdf.make_indirect(form), b"/F Do " * each
    page = pdf.add_blank_page(page_size=(595, 842))
    page.Contents = pikepdf.Stream(pdf, b"/F Do")
    page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(F=inner))
    return saved(pdf)


def many_objects(number: int) -> bytes:
    pdf = pikepdf.new()
    page = pdf.add_blank_page(page_size=(200, 200))
    page.Kept = pikepdf.Array([pdf.make_indirect(pikepdf.Dictionary(N=n)) for n in range(number)])
    return saved(pdf)


def loop_of_references() -> bytes:
    """A cross-reference section whose predecessor is itself, a page tree whose child is its parent."""
    body = (
        b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Count 99/Kids[2 0 R 2 0 R 2 0 R]/Parent 2 0 R>>endobj\n"
    )
    offsets = [body.index(b"1 0 obj"), body.index(b"2 0 obj")]
    table = b"xref\n0 3\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = len(body)
    return body + table + b"trailer<</Size 3/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (start, start)


def fifty_megapixels() -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (10_000, 5_000), 255).save(buffer, "PNG")
    return buffer.getvalue()


async def outcome(workers: Workers, job: str, argument: str, document: bytes) -> str:
    try:
        codes = await workers.do(job, {argument: document})
    except DocumentError as refused:
        return refused.rule
    return f"{len(codes)} codes"


@pytest.mark.parametrize(
    ("document", "ends"),
    [
        (fifty_megapixels(), {"pixels"}),
        (image_of_a_gigabyte(), {"limits", "0 codes"}),
        (many_objects(100_000), {"0 codes"}),
        (loop_of_references(), {"pdf", "pages"}),
        (page_with(b"0 0 m 500 800 l 10 500 l h f " * 300_000), {"limits"}),
        (forms_within_forms(12, 10), {"limits"}),
    ],
    ids=["50 megapixels", "1 GB Flate", "10^5 objects", "reference loop", "content without end", "forms within forms"],
)
async def test_a_bomb_costs_nobody_else_anything(document: bytes, ends: set[str]) -> None:
    """It ends with a verdict on it within its limits; whoever comes meanwhile is served, and so is who comes after."""
    code = write_code("IDV1:BESIDE", "png")
    job, argument = ("read-pdf-codes", "pdf") if document.startswith(b"%PDF") else ("read-codes", "image")
    async with open_workers(2) as workers:
        await asyncio.gather(*(workers.do("read-codes", {"image": code}) for _ in range(2)))
        started = time.monotonic()
        bomb = asyncio.create_task(outcome(workers, job, argument, document))
        served = 0
        while not bomb.done():
            [found] = await workers.do("read-codes", {"image": code})
            assert found.text == "IDV1:BESIDE"
            served += 1

        assert await bomb in ends
        assert served
        assert time.monotonic() - started < 25
        assert len(await workers.do("read-codes", {"image": code})) == 1
