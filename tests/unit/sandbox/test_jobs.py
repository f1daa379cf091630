"""The table of jobs as it is shipped, through real workers."""

from __future__ import annotations

import pytest

from idverify.errors import DocumentError
from idverify.sandbox.jobs import JOBS
from idverify.sandbox.workers import open_workers

TEXT = "IDV1:" + "A9B%" * 225


async def test_a_code_is_written_and_read_again() -> None:
    """What ``making`` wrote ``reading`` reads; a picture that is none is a ``DocumentError`` as the job raised it."""
    async with open_workers(1) as workers:
        png = await workers.do("write-code", {"text": TEXT, "form": "png"})
        [code] = await workers.do("read-codes", {"image": png})
        with pytest.raises(DocumentError, match="PNG, JPEG, WebP or TIFF") as refused:
            await workers.do("read-codes", {"image": b"GIF89a"})

        assert (code.text, code.content) == (TEXT, TEXT.encode())
        assert refused.value.rule == "image"
        assert len(set(workers.pids)) == 2, "reading and making share no process"


def test_every_job_has_limits() -> None:
    """No job may run for ever, eat all memory, or answer without end."""
    for name, job in JOBS.items():
        assert 0 < job.cpu <= 60, name
        assert 0 < job.wall <= 120, name
        assert 0 < job.memory <= 2 << 30, name
        assert 0 < job.longest <= 32 << 20, name
