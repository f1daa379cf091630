"""QR codes: read in a worker from the picture's bytes, against zxing-cpp alone on pixels that lie ready.

The limit looks for QR codes and nothing else, as we do, and is spared decoding the picture. Ours counts both processes:
frames, decoding the picture, looking, and holding the answer against its shape.
"""

from __future__ import annotations

import io
import random
from typing import Final

import zxingcpp
from PIL import Image

from hsm.cost import cpu_of
from hsm.rows import Pair, Row, row
from idverify.app.bench.effort import Effort
from idverify.app.bench.programs import cost_of
from idverify.formats.qr_image import write_code
from idverify.sandbox.workers import Workers, open_workers

_OF_ZXING: Final = 1 / 3
_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_CONTENT: Final = 600  # bytes, in base45 half as many again
_SCANNED: Final = (1654, 2339)  # A4 at 200 dpi
_WIDTH: Final = 354  # 45 mm of it


async def measure(effort: Effort) -> list[Row]:
    """A code by itself, and one on a scanned page."""
    chance = random.Random(_CONTENT)  # noqa: S311  any text does
    text = "IDV1:" + "".join(chance.choice(_LETTERS) for _ in range(_CONTENT * 3 // 2))
    code = write_code(text, "png")
    rows = []
    async with open_workers(1) as workers:
        for name, image in (("QR read, 600 bytes", code), ("QR read, 600 bytes on a scanned page", _scan(text))):
            pairs = [await _pair(workers, image, text, effort.probe_seconds) for _ in range(effort.rounds)]
            rows.append(row(name, "images/s", "zxing-cpp alone, on pixels that lie ready", _OF_ZXING, pairs))
    return rows


async def _pair(workers: Workers, image: bytes, text: str, seconds: float) -> Pair:
    pixels = Image.open(io.BytesIO(image)).convert("L")
    codes = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])
    return Pair(await _ours(workers, image, text, seconds), cpu_of(lambda: _alone(pixels, codes), seconds))


async def _ours(workers: Workers, image: bytes, text: str, seconds: float) -> float:
    """CPU seconds of one picture, ours and the worker's."""

    async def read() -> None:
        [found] = await workers.do("read-codes", {"image": image})
        if found.text != text:
            raise RuntimeError("the code was read wrongly, so its time says nothing")

    return await cost_of(read, seconds)


def _alone(pixels: Image.Image, codes: zxingcpp.BarcodeFormats) -> None:
    if len(zxingcpp.read_barcodes(pixels, formats=codes)) != 1:
        raise RuntimeError("zxing-cpp found no code, so its time says nothing")


def _scan(text: str) -> bytes:
    """Laid aslant by three degrees, JPEG at quality 40."""
    page, buffer = Image.new("L", _SCANNED, 255), io.BytesIO()
    code = Image.open(io.BytesIO(write_code(text, "png", 8))).convert("L")
    page.paste(code.resize((_WIDTH, _WIDTH), Image.Resampling.BOX), (1000, 1700))
    page.rotate(3, Image.Resampling.BICUBIC, fillcolor=255).save(buffer, "JPEG", quality=40)
    return buffer.getvalue()
