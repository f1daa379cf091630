"""Bytes that no client library sends: header values outside ASCII, and more than one of them."""

from __future__ import annotations

import asyncio

import pytest

from tests.simulators.holder import holding
from tests.simulators.software_office import SoftwareOffice


async def _status(served: SoftwareOffice, path: str, *headers: bytes) -> int:
    port = served.api.deployment.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"GET {path} HTTP/1.1".encode(), b"Host: localhost", b"Connection: close", *headers, b"", b""]
    writer.write(b"\r\n".join(lines))
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    "headers",
    [
        (b"Authorization: Bearer \xff\xfe",),
        (b"Authorization: Bearer a", b"Authorization: Bearer b"),
        (b"Authorization: Bearer \xe2\x80\x83aaaa",),
        (b"Authorization: Bearer a b",),
    ],
)
async def test_odd_credentials(headers: tuple[bytes, ...], served: SoftwareOffice) -> None:
    """An odd token is refused, alike for a handle that there is and for one that there is not."""
    held = await holding(served.api)

    known = await _status(served, f"/api/v1/credentials/{held.answer['handle']}/receipt", *headers)
    unknown = await _status(served, f"/api/v1/credentials/{'0' * 32}/receipt", *headers)

    assert (known, unknown) == (401, 401)
