"""Writes ``idverify/formats/pdf/warm.pdf``, which a worker reads before it is confined: a letter of an invented person.

Run from the root of the project: ``python -m tests.vectors.make_warm_letter``. It is drawn and signed like any other,
at level B-LTA, by the authority of ``tests.simulators.credential_world``, whose keys are public. Keys, signatures and
times are fixed; the fonts are this machine's, so that another one may write other bytes.
"""

from __future__ import annotations

from pathlib import Path

from idverify.formats import pdf
from idverify.formats.pdf.attachments import CREDENTIAL, RECEIPT
from idverify.formats.pdf.render import render
from idverify.formats.qr_image import write_code
from tests.simulators import code_world as code
from tests.simulators import credential_world as world
from tests.simulators import letter_world as drawn
from tests.simulators import paper_world as paper

FILE = Path(pdf.__file__).parent / "warm.pdf"
ON_THE_CODE = ("family_name", "given_name", "work", "permission_end")


def letter() -> bytes:
    """With photo, code, table over two pages, credential, receipt, both signatures and all their evidence."""
    payload = world.payload(cnf=None, status=code.STATUS, exp=world.NOW + 90 * world.DAY)
    credential = world.sd_jwt({**payload, **drawn.CLAIMS})
    text = code.issue({name: drawn.CLAIMS[name] for name in ON_THE_CODE}).decode()
    pictures = {"code": write_code(text, "png"), "portrait": drawn.PORTRAIT}
    attached = {CREDENTIAL: credential, RECEIPT: drawn.ATTACHED[RECEIPT]}
    html = drawn.letterhead().html(drawn.content())
    return paper.rounds(paper.prepared("B-LTA", render(html, pictures, attached, world.NOW)))[0]


if __name__ == "__main__":
    FILE.write_bytes(letter())
