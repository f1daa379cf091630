"""The token by way of p11-kit's proxy, which gathers the modules of a machine into one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hsm import Algorithm, Hsm, HsmPolicy

from .conftest import Prepared

pytestmark = pytest.mark.softhsm


@pytest.fixture
def proxied(token: Prepared) -> Prepared:
    """SoftHSM's token, its module loaded by the proxy."""
    found = [*Path("/").glob("usr/lib/*/p11-kit-proxy.so"), *Path("/").glob("usr/lib64/p11-kit-proxy.so")]
    registered = Path("/usr/share/p11-kit/modules/softhsm2.module")
    if not found or not registered.is_file():
        pytest.skip("needs p11-kit with SoftHSM registered (Debian: p11-kit-modules)")
    return Prepared(token.having(module=found[0]), token.keys)


async def test_everything_works_through_the_proxy(proxied: Prepared) -> None:
    """The same keys, found by label and serial among those of all modules, and every operation of theirs."""
    async with Hsm(proxied.config) as hsm:
        assert await hsm.algorithms() == set(proxied.keys)
        for key in proxied.keys.values():
            if key.public_key is not None:
                await hsm.probe(key.id)
        wrapping, sealing = proxied.id(Algorithm.A256KWP), proxied.id(Algorithm.A256GCM)
        assert await hsm.unwrap(wrapping, await hsm.wrap(wrapping, bytes(32))) == bytes(32)
        assert await hsm.decrypt(sealing, await hsm.encrypt(sealing, b"text", b"aad"), b"aad") == b"text"
        assert len(await hsm.hmac(proxied.id(Algorithm.HS256), b"data")) == 32


@pytest.mark.parametrize("asked", [{"sessions": 2}, {"module_arguments": "configdir='sql:/nowhere'"}])
async def test_what_the_proxy_cannot_do_is_refused_with_the_cure(proxied: Prepared, asked: dict[str, Any]) -> None:
    """It makes a state for each caller: several sessions in a worker, or arguments, reach another one than ours."""
    with pytest.raises(HsmPolicy, match=r"`sessions` to 1.*raise `workers`"):
        async with Hsm(proxied.having(**asked)):
            pytest.fail("opened a proxy that it cannot use so")
