"""An S3-compatible object store as the place where the published log is kept, written by conditional PUT alone.

``If-None-Match: *`` for what never changes, ``If-Match`` for checkpoints: so writers need no lock between them. A store
that ignores the conditions would overwrite silently, so the first object is written twice: the second time must fail.
"""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from idverify.errors import SetupError, Unavailable
from idverify.ledger.errors import ForkError
from idverify.ledger.export import Stored
from idverify.ledger.published import HEADS, media_type

AT_ONCE: Final = 16
_ADDRESS: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/((?:[\w.-]+/)*[\w.-]+))?/?", re.ASCII)
_CONFLICTS: Final = 5  # 409: two conditional writes met inside the store, which asks to try again
_MOVES: Final = "public, max-age=1"
_STAYS: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class BucketAddress:
    """``s3://bucket/prefix``, and where the store is, if not where the environment says."""

    bucket: str
    prefix: str
    endpoint: str | None = None
    region: str | None = None

    @classmethod
    def parse(cls, url: str, endpoint: str | None = None, region: str | None = None) -> Self:
        """Read ``s3://bucket[/prefix]``. Raises ``SetupError``."""
        match = _ADDRESS.fullmatch(url)
        if match is None:
            raise SetupError(f"{url} is not the address of a bucket.", "Write it as s3://bucket/prefix.")
        return cls(match[1], f"{match[2]}/" if match[2] else "", endpoint, region)


class LogBucket:
    """``ledger.export.LogSink`` over one prefix of a bucket; credentials are those of the environment (AWS_...)."""

    def __init__(self, address: BucketAddress) -> None:
        """Nothing is asked of the store yet. Raises ``SetupError`` where botocore is not installed."""
        self._address = address
        self._keeps_conditions = False
        self._errors: Any = _botocore("exceptions")
        settings = _botocore("config").Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"max_attempts": 4, "mode": "standard"},
            max_pool_connections=AT_ONCE,
            request_checksum_calculation="when_required",  # others than Amazon do not all know the newer ones
        )
        session = _botocore("session").Session()
        self._client: Any = session.create_client(
            "s3", endpoint_url=address.endpoint, region_name=address.region, config=settings
        )

    async def read(self, path: str) -> Stored | None:
        """The object at ``path``."""
        found: Stored | None = await self._call(self._read, path)
        return found

    async def add(self, path: str, content: bytes) -> bool:
        """Write an object once. Raises ``ForkError`` where it is there with other bytes."""
        if await self._call(self._put, path, content, {"IfNoneMatch": "*"}):
            await self._require_conditions(path, content)
            return True
        there = await self.read(path)
        if there is None or there.content != content:
            raise ForkError(f"{path}: other bytes are in the bucket {self._address.bucket}")
        return False

    async def replace(self, path: str, content: bytes, seen: Stored | None) -> bool:
        """Write the object if it still is what was ``seen``."""
        condition = {"IfNoneMatch": "*"} if seen is None else {"IfMatch": seen.version}
        if await self._call(self._put, path, content, condition):
            return True
        there = await self.read(path)  # an answer that was lost and asked for again finds its own work done
        return there is not None and there.content == content

    async def drop(self, folder: str) -> None:
        """Delete every object below ``folder``."""
        await self._call(self._drop, folder)

    async def _require_conditions(self, path: str, content: bytes) -> None:
        if not self._keeps_conditions and await self._call(self._put, path, content, {"IfNoneMatch": "*"}):
            raise SetupError(
                f"The store of {self._address.bucket} ignores If-None-Match, so it could lose what was published.",
                "Choose one that keeps conditional writes.",
            )
        self._keeps_conditions = True

    def _key(self, path: str) -> str:
        return self._address.prefix + path

    def _read(self, path: str) -> Stored | None:
        try:
            answer = self._client.get_object(Bucket=self._address.bucket, Key=self._key(path))
            return Stored(answer["Body"].read(), answer["ETag"])
        except self._errors.ClientError as error:
            if _status(error) == 404 and error.response["Error"].get("Code") != "NoSuchBucket":
                return None
            raise

    def _put(self, path: str, content: bytes, condition: Mapping[str, str]) -> bool:
        """Whether the condition held."""
        for _ in range(_CONFLICTS):
            try:
                self._client.put_object(
                    Bucket=self._address.bucket,
                    Key=self._key(path),
                    Body=content,
                    ContentType=media_type(path),
                    CacheControl=_MOVES if path in HEADS else _STAYS,
                    **condition,
                )
            except self._errors.ClientError as error:
                # 404 to If-Match: what was seen is gone
                if _status(error) == 412 or (_status(error) == 404 and "IfMatch" in condition):
                    return False
                if _status(error) != 409:
                    raise
            else:
                return True
        raise Unavailable(f"Another writer keeps writing {path}. Come back in a moment.")

    def _drop(self, folder: str) -> None:
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._address.bucket, Prefix=f"{self._key(folder)}/"):
            for found in page.get("Contents", ()):
                self._client.delete_object(Bucket=self._address.bucket, Key=found["Key"])

    async def _call(self, work: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return await asyncio.to_thread(work, *arguments)
        except (self._errors.ClientError, self._errors.BotoCoreError) as error:
            if _status(error) in (401, 403, 404) or isinstance(error, self._errors.NoCredentialsError):
                raise SetupError(
                    f"The bucket {self._address.bucket} cannot be used: {error}.", "Correct address and credentials."
                ) from error
            raise Unavailable(f"The bucket {self._address.bucket} is away: {error}.") from error


def _status(error: Any) -> int:
    answered = getattr(error, "response", {}).get("ResponseMetadata", {})
    return int(answered.get("HTTPStatusCode", 0))


def _botocore(module: str) -> Any:
    """A module of botocore, which only this file needs: it comes with the extra ``s3``."""
    try:
        return importlib.import_module(f"botocore.{module}")
    except ModuleNotFoundError as missing:
        raise SetupError("Writing to an object store needs botocore.", "Run: pip install 'idverify[s3]'") from missing
