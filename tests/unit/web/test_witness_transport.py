"""Witnesses asked over HTTP on loopback: three real ones, and others that hang, lie, redirect or never end."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web

from idverify.ledger.errors import UnreachableError
from idverify.ledger.note import split_note, write_note
from idverify.ledger.policy import Group, Log, Policy, PolicyWitness
from idverify.ledger.witness_client import Standing, Witnesses
from idverify.ledger.witness_protocol import MAX_ANSWER, SIZE_TYPE, origin_hash
from idverify.stores.witness import FILE_NAME, SqliteWitnessStore, make_memory
from idverify.web.witness_transport import HttpWitnessTransport, open_witness_transport
from tests.simulators.service import free_port
from tests.simulators.signed_log import ORIGIN, SignedLog
from tests.simulators.witness_memory import NOW, cosigners
from tests.simulators.witness_server import answering, serving, witnessing

LOG = SignedLog()
NAMES = ("alpha.example/w", "beta.example/w", "gamma.example/w")


@pytest.fixture
async def transport() -> AsyncIterator[HttpWitnessTransport]:
    """The way to witnesses, as the service opens it."""
    async with open_witness_transport() as opened:
        yield opened


def policy(addresses: dict[str, str]) -> Policy:
    """Any two of these witnesses, by name and address; each may sign with either key."""
    members = [
        PolicyWitness(f"{name}-{key.verifier.signature_type}", key.verifier, address)
        for name, address in addresses.items()
        for key in cosigners(name)
    ]
    either = [Group(name, 1, (f"{name}-4", f"{name}-6")) for name in addresses]
    return Policy((Log(LOG.verifier),), tuple(members), (*either, Group("two", 2, tuple(addresses))), "two")


def prove(size: int) -> Callable[[int], Awaitable[list[bytes]]]:
    async def proof(old: int) -> list[bytes]:
        return LOG.proof(old, size)

    return proof


async def _hang(_body: bytes) -> web.StreamResponse:
    await asyncio.sleep(60)
    raise AssertionError


async def test_three_witnesses_with_memories_on_disk(transport: HttpWitnessTransport, tmp_path: Path) -> None:
    """A log that grows gets its quorum checkpoint each time; after a restart it learns where each witness stands."""
    async with AsyncExitStack() as stack:
        addresses = {}
        for number, name in enumerate(NAMES):
            (tmp_path / str(number)).mkdir()
            make_memory(tmp_path / str(number) / FILE_NAME)
            store = await stack.enter_async_context(SqliteWitnessStore(tmp_path / str(number) / FILE_NAME))
            addresses[name] = await stack.enter_async_context(witnessing(name, [LOG.verifier], store))
        rule = policy(addresses)
        witnesses = Witnesses(rule, transport)
        for size in (1, 2, 70, 70, 600):
            text, own = split_note(LOG.note(size))
            lines = await witnesses.cosign(LOG.note(size), prove(size))
            assert rule.require(write_note(text, [*own, *lines])).size == size
            assert len(lines) == 6

        restored = await Witnesses(rule, transport).compare(LOG.note(70))
        assert [(one.standing, one.size) for one in restored] == [(Standing.AHEAD, 600)] * 3
        assert all(one.note is not None for one in restored)
        assert [one.standing for one in await Witnesses(rule, transport).compare(None)] == [Standing.AHEAD] * 3


async def test_two_of_three_are_enough(transport: HttpWitnessTransport) -> None:
    """One that hangs, or one that is away, costs no more than the budget."""
    async with (
        witnessing(NAMES[0], [LOG.verifier]) as alpha,
        witnessing(NAMES[1], [LOG.verifier]) as beta,
        serving(answering(_hang)) as hanging,
    ):
        for third, most in ((hanging, 10), (f"http://127.0.0.1:{free_port()}", 2.0)):
            rule = policy(dict(zip(NAMES, (alpha, beta, third), strict=True)))
            witnesses = Witnesses(rule, transport, budget=2.0)
            began = time.monotonic()
            lines = await witnesses.cosign(LOG.note(5), prove(5))
            assert time.monotonic() - began < most
            text, own = split_note(LOG.note(5))
            assert rule.require(write_note(text, [*own, *lines])) == LOG.checkpoint(5)
            assert witnesses.outcomes[2].standing is Standing.UNREACHABLE


async def _always_409(_body: bytes) -> web.StreamResponse:
    return web.Response(body=b"3\n", status=409, content_type=SIZE_TYPE)


async def _elsewhere(_body: bytes) -> web.StreamResponse:
    return web.Response(status=307, headers={"Location": "http://127.0.0.1:9/add-checkpoint"})


async def _lie(_body: bytes) -> web.StreamResponse:
    text = LOG.checkpoint(4).text()
    return web.Response(text="".join(key.cosign(text, NOW).line() for key in cosigners(NAMES[0])))


async def _rubbish(_body: bytes) -> web.StreamResponse:
    return web.Response(body=bytes(range(256)))


async def _too_much(_body: bytes) -> web.StreamResponse:
    return web.Response(body=bytes(MAX_ANSWER + 1))


async def _packed(_body: bytes) -> web.StreamResponse:
    text = LOG.checkpoint(5).text()
    response = web.Response(text="".join(key.cosign(text, NOW).line() for key in cosigners(NAMES[0])))
    response.enable_compression(web.ContentCoding.gzip)
    return response


@pytest.mark.parametrize(
    ("answer", "standing"),
    [
        (_always_409, Standing.REFUSED),
        (_elsewhere, Standing.REFUSED),
        (_lie, Standing.REFUSED),
        (_rubbish, Standing.REFUSED),
        (_packed, Standing.REFUSED),
        (_too_much, Standing.UNREACHABLE),
        (_hang, Standing.UNREACHABLE),
    ],
)
async def test_a_bad_one_beside_two_good_ones(
    transport: HttpWitnessTransport, answer: Callable[[bytes], Awaitable[web.StreamResponse]], standing: Standing
) -> None:
    """409 for ever, a redirect, another tree's cosignature, rubbish, what is packed or never ends: told, not used."""
    async with (
        serving(answering(answer)) as bad,
        witnessing(NAMES[1], [LOG.verifier]) as beta,
        witnessing(NAMES[2], [LOG.verifier]) as gamma,
    ):
        witnesses = Witnesses(policy(dict(zip(NAMES, (bad, beta, gamma), strict=True))), transport, budget=0.5)
        lines = await witnesses.cosign(LOG.note(5), prove(5))

    assert len(lines) == 4
    assert [one.standing for one in witnesses.outcomes] == [standing, Standing.AGREES, Standing.AGREES]


async def test_an_answer_that_never_ends_is_not_read_to_its_end(transport: HttpWitnessTransport) -> None:
    """Bytes beyond the cap are neither kept nor waited for."""

    async def pour(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(8192))

    app = web.Application()
    app.router.add_post("/add-checkpoint", pour)
    async with serving(app) as address:
        with pytest.raises(UnreachableError, match="more than 65536 bytes"):
            await transport.add_checkpoint(address, b"")


async def test_monitors_addresses(transport: HttpWitnessTransport) -> None:
    """The checkpoint that was cosigned, None where there is none; anything else is no answer."""
    async with witnessing(NAMES[0], [LOG.verifier]) as alpha:
        assert await transport.latest(alpha, origin_hash(ORIGIN)) is None
        await Witnesses(policy(dict.fromkeys(NAMES[:2], alpha)), transport).cosign(LOG.note(5), prove(5))
        assert (await transport.latest(alpha, origin_hash(ORIGIN)) or b"").startswith(LOG.note(5))
    async with serving(answering(_elsewhere)) as moved:
        with pytest.raises(UnreachableError, match="answered 307"):
            await transport.latest(moved, origin_hash(ORIGIN))


async def test_a_name_server_that_hangs_takes_no_thread_of_others(
    transport: HttpWitnessTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name is looked up apart from everything else, and nobody waits for it longer than the budget."""
    asked: list[str] = []

    def hang(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        time.sleep(1.0)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    many = {f"w{n}.example": f"http://w{n}.invalid" for n in range(40)}
    witnesses = Witnesses(policy(many), transport, budget=0.1)
    for _ in range(3):
        began = time.monotonic()
        await witnesses.cosign(LOG.note(5), prove(5))
        assert time.monotonic() - began < 0.9
    began = time.monotonic()
    await asyncio.gather(*(asyncio.to_thread(int) for _ in range(8)))

    assert asked
    assert time.monotonic() - began < 0.9
    assert {one.standing for one in witnesses.outcomes} == {Standing.UNREACHABLE}
