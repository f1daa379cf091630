"""People with a photo, and letters on paper for them."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Awaitable
from functools import cache
from typing import Any, TypeVar

import pikepdf
from PIL import Image, ImageDraw

from idverify.core.letter_choices import LetterChoices
from idverify.core.policy import Principal
from idverify.services import letter, letter_batch
from idverify.services.ceremonies import Given
from tests.simulators.service import DETAILS, PERMISSION, VCT, Api
from tests.simulators.software_office import SoftwareOffice

T = TypeVar("T")


@cache
def photo() -> bytes:
    """The JPEG of nobody: a face that a child would draw."""
    picture = Image.linear_gradient("L").resize((240, 300)).convert("RGB")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((60, 60, 180, 220), fill=(220, 180, 150))
    for x in (95, 145):
        draw.ellipse((x - 10, 110, x + 10, 130), fill=(40, 30, 20))
    draw.arc((90, 150, 150, 190), 20, 160, fill=(120, 30, 30), width=5)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


async def person_with_photo(served: SoftwareOffice, **details: Any) -> bytes:
    """Somebody with a status and a photo."""
    return bytes.fromhex(await pictured(served.api, **details))


async def pictured(api: Api, **details: Any) -> str:
    """The same, of any service; their reference."""
    picture = "data:image/jpeg;base64," + base64.b64encode(photo()).decode()
    made = await api.ok("POST", "/api/v1/people", "officer", {"details": DETAILS | {"picture": picture} | details})
    granted = {
        "kind": "grant",
        "reason": "application-granted",
        "legal_basis": "Rules, part 1",
        "permission": PERMISSION,
    }
    await api.ok("POST", f"/api/v1/people/{made['person']}/decisions", "officer", granted)
    return str(made["person"])


async def letter_of(api: Api, person: str, **choices: Any) -> bytes:
    """The PDF of a letter that an officer prints for somebody at a service that runs."""
    made = await api.ok("POST", f"/api/v1/people/{person}/letters", "officer", {"type": VCT, **choices})
    return bytes(await api.ok("GET", made["file"], "officer"))


async def published(served: SoftwareOffice, work: Awaitable[T]) -> T:
    """What comes of work that waits for a checkpoint, for which nobody waits here: the office publishes at once."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await served.office.publisher.publish_once()
        await asyncio.sleep(0.01)
    return await task


async def printed(served: SoftwareOffice, person: bytes, **choices: Any) -> bytes:
    """The handle of a letter that an officer asked for; it is not drawn yet."""
    wanted = LetterChoices(**{"type": VCT} | choices)

    async def act(officer: Principal, given: Given | None) -> bytes:
        return await letter.print_for(served.office, officer, person, wanted, given)

    return await served.confirmed("officer", act)


async def made(served: SoftwareOffice, batch: bytes) -> letter_batch.Batch:
    """A batch once every letter of it is made or failed: the service makes them by itself."""
    officer = await served.principal("officer")
    while True:
        await served.office.publisher.publish_once()
        state, _ = await letter_batch.batch(served.office, officer, batch)
        if state.made + state.failed == state.total:
            return state
        await asyncio.sleep(0.1)


def attached(pdf: bytes) -> dict[str, bytes]:
    """What is attached to a letter, by name."""
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        return {name: bytes(spec.get_file().read_bytes()) for name, spec in opened.attachments.items()}
