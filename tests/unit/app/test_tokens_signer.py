"""A signer over several tokens: a key that its own token refuses is not chosen again while another serves."""

from __future__ import annotations

from typing import Any

import pytest

from hsm import HsmKeyRefused, HsmState, TokenSet
from idverify.app.tokens import TokenKeys, TokensSigner
from idverify.core.credential import Issuer
from idverify.errors import TokenAway
from tests.hsm.test_roles import DAY, certificate

ROLE = "document-signer/pid"


class Token:
    """In memory; it signs with whatever key it is asked to, unless it ``refuses``."""

    state, pending = HsmState.READY, 0

    def __init__(self, name: str) -> None:
        self.name, self.refuses = name, False

    async def sign(self, _key: bytes, message: bytes, **_: object) -> bytes:
        """Which token signed what."""
        if self.refuses:
            raise HsmKeyRefused("Expected an active key, got one that is retiring. Use another.")
        return b"%b by %b" % (message, self.name.encode())


class Two(TokenSet):
    """Two of them."""

    def __init__(self) -> None:
        self.each = {name: Token(name) for name in ("one", "two")}

    def __getitem__(self, name: str) -> Any:
        return self.each[name]

    def __iter__(self) -> Any:
        return iter(self.each)

    def __len__(self) -> int:
        return len(self.each)


async def test_a_refused_key_is_set_aside() -> None:
    """What is tried again goes to the other token each time, though the first one has nothing to do."""
    tokens = Two()
    rows = [
        {"role": ROLE, "token": name, "key_id": name.encode(), "certificate": certificate(DAY), "sealed": None}
        for name in tokens
    ]
    signer, issuers = TokensSigner(tokens, TokenKeys(rows)), [Issuer("", (), name.encode()) for name in tokens]
    assert {signer.choose(ROLE, issuers).key_id for _ in range(4)} == {b"one", b"two"}
    tokens["one"].refuses = True
    with pytest.raises(TokenAway, match="may not be used"):
        await signer.sign(b"one", b"message")
    assert {signer.choose(ROLE, issuers).key_id for _ in range(4)} == {b"two"}
    assert await signer.sign(b"two", b"message") == b"message by two"
