"""An employer who was handed a letter: by the API, and at a terminal that reaches nobody."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson
from aiohttp import FormData

from tests.simulators.service import ROOT, Api

BUNDLE: Final = "bundle.jwt"
_NAMESPACE: Final = ("unshare", "--map-root-user", "--net")
# Python's own word for it: an audit hook cannot be taken off again, and whoever asks for the network ends
_GUARD: Final = """
import os, sys
_NETWORK = {"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
            "socket.gethostbyname", "socket.gethostbyaddr"}
def _hook(event, _):
    if event in _NETWORK:
        os.write(2, f"asked for the network: {event}\\n".encode())
        os._exit(97)
sys.addaudithook(_hook)
"""
ASKED_FOR_IT: Final = 97


async def checked(
    api: Api, document: bytes, media: str = "application/pdf", who: str = "employer", *, part: bool = False
) -> dict[str, Any]:
    """The verdict of ``POST /api/v1/verify`` on bytes as they are, or as a file of a form (``part``)."""
    headers: dict[str, str] = await api.identity(who)
    data: Any = document
    if part:
        data = FormData()
        data.add_field("file", document, filename="letter", content_type=media)
    else:
        headers["Content-Type"] = media
    async with api.session.post(f"{api.deployment.url}/api/v1/verify", data=data, headers=headers) as response:
        assert response.status == 200, await response.text()
        answer: dict[str, Any] = orjson.loads(await response.read())
        return answer


@dataclass(frozen=True)
class Terminal:
    """A folder on a computer whose network is cut: what is in it is all that there is.

    The command runs in a network namespace of its own, where the kernel lets it have one, and in any case under a hook
    that ends it when it asks for the network. Its workers are confined as ever.
    """

    folder: Path

    async def take_bundle(self, api: Api, name: str = BUNDLE) -> None:
        """A trust bundle of a service as it is now, while there still is a network; the root by another way."""
        (self.folder / name).write_bytes(await api.ok("GET", "/api/v1/trust-bundle"))
        root = await api.ok("GET", "/pki/root.cer")
        (self.folder / "root").write_text(hashlib.sha256(root).hexdigest())

    async def verify(self, document: bytes, *more: str) -> tuple[int, dict[str, Any]]:
        """Exit status and answer of ``idverify verify``."""
        status, output = await self.run([document], *more, "--json")
        return status, orjson.loads(output)

    async def verify_each(self, documents: Sequence[bytes], *more: str) -> list[dict[str, Any]]:
        """The answers to several documents."""
        _, output = await self.run(documents, *more, "--json")
        answers: list[dict[str, Any]] = orjson.loads(output)
        return answers

    async def run(self, documents: Sequence[bytes], *more: str) -> tuple[int, str]:
        """Exit status and what was printed."""
        files = [self.folder / f"document-{number}" for number in range(len(documents))]
        for file, document in zip(files, documents, strict=True):
            file.write_bytes(document)
        known = ("--offline", str(self.folder / BUNDLE), "--root-sha256", (self.folder / "root").read_text())
        done = await asyncio.to_thread(self.cut_off, "-m", "idverify.cli", "verify", *map(str, files), *known, *more)
        assert done.returncode in {0, 1, 2}, done.stderr
        return done.returncode, done.stdout

    def cut_off(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Python without a network."""
        guard = self.folder / "guard"
        guard.mkdir(exist_ok=True)
        (guard / "sitecustomize.py").write_text(_GUARD)
        command = [*(_NAMESPACE if has_namespaces() else ()), sys.executable, *arguments]
        environment = {**os.environ, "PYTHONPATH": str(guard)}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@cache
def has_namespaces() -> bool:
    """Whether the kernel gives a process a network of its own, in which there is nobody."""
    try:
        return subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
