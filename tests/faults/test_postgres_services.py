"""Two whole services on one PostgreSQL database: both issue, one publishes, and when it dies the other takes over."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hsm import HsmModuleMissing
from hsm.softhsm import find_module
from idverify.ledger.publisher import LEASE_SECONDS
from tests.simulators.databases import empty
from tests.simulators.holder import collection, holding
from tests.simulators.invariants import broken
from tests.simulators.service import Api, Deployment, client, deploy, free_port, kill, start, stop
from tests.simulators.soft_wallet import SoftWallet


@pytest.fixture
def first(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment whose rows are on a server; nothing runs yet."""
    try:
        find_module()
    except HsmModuleMissing as error:
        pytest.skip(f"needs SoftHSM: {error}")
    with empty("postgres", request) as url:
        yield asyncio.run(deploy(tmp_path / "first", url))


@pytest.fixture
def second(first: Deployment, tmp_path: Path) -> Deployment:
    """Another front end of it, with a data directory and a port of its own, and the same tokens."""
    data, port = tmp_path / "second", free_port()
    data.mkdir(mode=0o700)
    settings = (first.data / "idverify.toml").read_text()
    (data / "idverify.toml").write_text(settings.replace(f"port = {first.port}", f"port = {port}"))
    return replace(first, data=data, port=port)


async def test_the_other_one_takes_over(first: Deployment, second: Deployment) -> None:
    """What either issues is on one log; the publisher is killed, and the next receipt comes from the other."""
    one, other = start(first), start(second)
    try:
        async with client() as session:
            at_first, at_second = Api(session, first), Api(session, second)
            held = await holding(at_first, wait=5)
            offers = [await at_first.offer(await at_first.person_with_status()) for _ in range(2)]
            collected = [await _collected(at_second, offers[0])]
            kill(one)
            collected.append(await _collected(at_second, offers[1]))
            async with asyncio.timeout(LEASE_SECONDS * 3):
                while not await _has_receipt(at_second, collected[1]):  # noqa: ASYNC110  it is asked for
                    await asyncio.sleep(0.5)
        indices = [answer["ledger"]["index"] for answer in (held.answer, *collected)]
        assert indices == sorted(set(indices))
    finally:
        stop(other)
        kill(one)
    assert broken(second.location) == []


async def _collected(api: Api, offer: dict[str, str]) -> dict[str, dict[str, int]]:
    body, key = collection(SoftWallet(), offer), secrets.token_hex(8)
    answer: dict[str, dict[str, int]] = await api.ok("POST", "/api/v1/credentials", None, body, Idempotency_Key=key)
    return answer


async def _has_receipt(api: Api, answer: dict[str, object]) -> bool:
    url = str(answer["receipt_url"]).replace(api.deployment.url, "")
    path = "/" + url.split("/", 3)[3] if url.startswith("http") else url
    status, _, _ = await api.send("GET", path, None, {"Authorization": f"Bearer {answer['receipt_token']}"})
    return status == 200
