"""A sandbox without a fence: jobs run in this process, so that a test may change what they do."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pydantic import TypeAdapter

from idverify.errors import DocumentError
from idverify.sandbox.jobs import JOBS


class InProcess:
    """``ports.Sandbox``."""

    async def do(self, job: str, arguments: Mapping[str, Any], /) -> Any:
        """The answer of the job, in the shape that its line in the table gives."""
        module, _, attribute = JOBS[job].function.partition(":")
        try:
            answer = getattr(import_module(module), attribute)(**arguments)
        except DocumentError:
            raise
        except Exception as wrong:
            raise DocumentError("unreadable", repr(wrong)) from wrong
        return TypeAdapter(JOBS[job].answer).validate_python(answer)
