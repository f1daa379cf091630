"""The table of jobs as it is shipped, through real workers."""

from __future__ import annotations

import pytest

from idverify.errors import DocumentError
from idverify.formats.pdf.sign import LEVELS
from idverify.sandbox.answers import Round
from idverify.sandbox.jobs import JOBS
from idverify.sandbox.workers import open_workers
from tests.simulators.credential_world import NOW, ROOT, sign
from tests.simulators.paper_world import EVIDENCE, KEYS, STAMPS, YEAR, letter, paper_signer, stamp_root
from tests.simulators.pdf_oracle import judged

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


@pytest.mark.parametrize("level", LEVELS)
async def test_a_letter_is_signed_by_a_worker_that_holds_no_key(level: str) -> None:
    """In as many rounds as its level needs; pyHanko trusts what comes out."""
    arguments = {"pdf": letter(), "level": level, "at": NOW, "until": NOW + YEAR, "paper": [paper_signer()]}
    async with open_workers(1) as workers:
        step = await workers.do("prepare-letter", {**arguments, "stamps": STAMPS, "evidence": EVIDENCE})
        asked = 0
        while isinstance(step, Round):
            asked += 1
            signature = sign(KEYS[step.role], step.payload)
            step = await workers.do("seal-letter", {"state": step.state, "signature": signature, "at": NOW + asked})
        signed, *_ = await judged(step.pdf, [ROOT, stamp_root()], NOW + 60)

        assert asked == 1 + LEVELS.index(level)
        assert signed.bottom_line


def test_every_job_has_limits() -> None:
    """No job may run for ever, eat all memory, or answer without end."""
    for name, job in JOBS.items():
        assert 0 < job.cpu <= 60, name
        assert 0 < job.wall <= 120, name
        assert 0 < job.memory <= 2 << 30, name
        assert 0 < job.longest <= 32 << 20, name
