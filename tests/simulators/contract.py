"""The API's own description as a judge: what it did not promise is not an answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from multidict import CIMultiDictProxy

from idverify.web.openapi import describe
from idverify.web.routes import ROUTES
from tests.simulators.service import Api

PROBLEM = "application/problem+json"


class Contract:
    """``openapi.json`` as served by these routes."""

    def __init__(self) -> None:
        self.description: dict[str, Any] = orjson.loads(describe(ROUTES))
        self._paths = {re.compile(_pattern(path)): item for path, item in self.description["paths"].items()}

    def require_kept(self, method: str, path: str, status: int, body: Any) -> None:
        """Raises ``AssertionError`` unless the answer is one that the description promises."""
        operation = self._operation(method, path)
        promised = operation["responses"].get(str(status))
        if promised is None:
            assert status >= 400, f"{method} {path} answers {status}, which it does not promise"
            promised = operation["responses"]["default"]
        for media in promised.get("content", {}).values():
            self._validate(media["schema"], body)

    def _operation(self, method: str, path: str) -> dict[str, Any]:
        for pattern, item in self._paths.items():
            if pattern.fullmatch(path):
                operation: dict[str, Any] = item[method.lower()]
                return operation
        raise AssertionError(f"{path} is not in the description")

    def _validate(self, schema: dict[str, Any], body: Any) -> None:
        whole = schema | {"components": self.description["components"]}
        wrong = [error.message for error in Draft202012Validator(whole).iter_errors(body)]
        assert wrong == [], body


@cache
def contract() -> Contract:
    """The contract, read once."""
    return Contract()


class JudgedApi(Api):
    """An ``Api`` each of whose answers is held against the description."""

    async def send(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any, CIMultiDictProxy[str]]:
        """One exchange, judged."""
        status, answer, received = await super().send(method, path, body, headers)
        contract().require_kept(method, path.removeprefix(self.deployment.url), status, answer)
        return status, answer, received


def _pattern(path: str) -> str:
    """A template's pattern: a parameter stands for one segment."""
    return "/".join("[^/]+" if part.startswith("{") else re.escape(part) for part in path.split("/"))
