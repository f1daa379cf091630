"""`log.json`: all that a stranger needs to follow a log, published beside it.

It is a convenience, not a root of trust: whoever checks a log with keys that the log itself hands out checks nothing.
Entry 0 commits to the identity; the keys have to come by another way.
"""

import json
from dataclasses import dataclass
from typing import Any, Final, Self

from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.errors import MalformedError
from idverify.ledger.identity import NAMES, LogIdentity
from idverify.ledger.lines import base64_text, parse_hash
from idverify.ledger.receipt_key import ReceiptKey

MAXIMUM_MERGE_DELAY: Final = 60
"""Seconds after which an entry is under a checkpoint that meets the policy: the bound of Certificate Transparency."""

_MAX_SIZE: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class LogDescription:
    """Whose log it is, which keys sign it, and what it promises.

    `vkeys` are the log's own verifier keys, `policy` the tlog-policy text under which it publishes
    `checkpoint.quorum`. `further_receipt_keys` are those of other tokens, and of before. The last known checkpoint of
    the shard before is part of the identity. A log is `closed` once another one follows it. Entries below
    `minimum_index` may be withheld.
    """

    identity: LogIdentity
    shard: int
    vkeys: tuple[str, ...]
    policy: str
    receipt_key: ReceiptKey | None = None
    further_receipt_keys: tuple[ReceiptKey, ...] = ()
    closed: bool = False
    maximum_merge_delay: int = MAXIMUM_MERGE_DELAY
    minimum_index: int = 0

    def encode(self) -> bytes:
        """The bytes of `log.json`."""
        members: dict[str, Any] = {
            "origin": self.identity.origin,
            "shard": self.shard,
            "vkeys": list(self.vkeys),
            "policy": self.policy,
            "maximum_merge_delay": self.maximum_merge_delay,
            "minimum_index": self.minimum_index,
            "identity": {name: getattr(self.identity, name) for name in NAMES},
            "previous": None if self.identity.previous is None else _head(self.identity.previous),
            "closed": self.closed,
            "receipt_key": None if self.receipt_key is None else self.receipt_key.jwk(),
        }
        if self.further_receipt_keys:  # a log with one token has none, and readers of before know of none
            members["further_receipt_keys"] = [key.jwk() for key in self.further_receipt_keys]
        return json.dumps(members, ensure_ascii=False, indent=2).encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a `log.json`; nothing in it is believed yet.

        Raises `MalformedError`: not exactly what `encode` writes.
        """
        if len(data) > _MAX_SIZE:
            raise MalformedError(f"log.json: expected at most {_MAX_SIZE} bytes, got {len(data)}")
        try:
            described = cls._of(json.loads(data))
            written = described.encode()  # JSON can spell a lone surrogate, which has no bytes
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise MalformedError(f"log.json: {error!r:.200}") from error
        if written != data:
            raise MalformedError("log.json: expected the members of docs/ledger-format.md in their one spelling")
        return described

    @classmethod
    def _of(cls, members: Any) -> Self:
        previous, key = members["previous"], members["receipt_key"]
        names = {name: _text(value) for name, value in members["identity"].items()}
        return cls(
            identity=LogIdentity(**names, previous=None if previous is None else _checkpoint(previous)),
            shard=_number(members["shard"]),
            vkeys=tuple(map(_text, members["vkeys"])),
            policy=_text(members["policy"]),
            receipt_key=None if key is None else ReceiptKey.from_jwk(key),
            further_receipt_keys=tuple(map(ReceiptKey.from_jwk, members.get("further_receipt_keys", ()))),
            closed=bool(members["closed"]),
            maximum_merge_delay=_number(members["maximum_merge_delay"]),
            minimum_index=_number(members["minimum_index"]),
        )


def _head(checkpoint: Checkpoint) -> dict[str, Any]:
    return {"origin": checkpoint.origin, "size": checkpoint.size, "root": base64_text(checkpoint.root)}


def _checkpoint(head: Any) -> Checkpoint:
    return Checkpoint(_text(head["origin"]), _number(head["size"]), parse_hash(_text(head["root"]), "previous root"))


def _number(value: object) -> int:
    if type(value) is not int or value < 0:
        raise MalformedError(f"log.json: expected a number, got {value!r:.40}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise MalformedError(f"log.json: expected text, got {value!r:.40}")
    return value
