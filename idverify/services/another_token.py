"""Doing again, with another token's key, what a token that went away left undone.

What is signed names its key, so it is prepared anew for the other one. A service that is asked through here chooses its
signer itself (``Keys.issuer``): a token that has just failed is not chosen while another serves.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from idverify.errors import TokenAway
from idverify.services.office import Office

P = ParamSpec("P")
T = TypeVar("T")
Work = Callable[Concatenate[Office, P], Coroutine[Any, Any, T]]


def on_another_token(work: Work[P, T]) -> Work[P, T]:
    """``work``, tried once for each token that has keys; it must leave nothing behind when it raises ``TokenAway``."""

    @wraps(work)
    async def tried(office: Office, /, *args: P.args, **named: P.kwargs) -> T:
        for _ in range(office.keys.tokens - 1):
            with suppress(TokenAway):
                return await work(office, *args, **named)
        return await work(office, *args, **named)

    return tried
