"""A job that renders text in several scripts, as letters need it."""

from __future__ import annotations

from typing import Final

import weasyprint

from idverify.sandbox.jobs import Job, MiB, Pool

PAGE: Final = """<html lang="en"><head><title>Letter</title></head><body><h1>Your status</h1>
<p dir="rtl">السلام عليكم</p><p>Ελληνικά, Привет, ŵ ŷ</p></body></html>"""


def render(file: str = "") -> bytes:
    picture = f"<img alt='' src='file://{file}'>" if file else ""
    pdf = weasyprint.HTML(string=PAGE + picture).write_pdf(pdf_variant="pdf/a-3a", pdf_tags=True)
    assert isinstance(pdf, bytes)
    return pdf


JOBS: Final = {"render": Job(Pool.MAKING, f"{__name__}:render", 20, 60.0, 1024 * MiB, 4 * MiB, bytes)}
