"""A worker that reads has loaded all that it needs before it is confined: later there is nothing to load from."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from idverify.formats.images import KINDS
from idverify.formats.pdf.read import read_letter
from idverify.sandbox.workers import open_workers
from tests.corpus.layout import load
from tests.simulators import letter_world as drawn
from tests.unit.services.test_drawn_letters import letter
from tests.vectors import make_warm_letter

from .conftest import HERE

LETTERS: dict[str, dict[str, Any]] = {
    "English": {"language": "en"},
    "Welsh": {"language": "cy"},
    "large": {"language": "en", "large": True},
    "portrait in the code": {"language": "cy", "portrait_in_code": True},
}
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # WeasyPrint leaves its colour profile open


def images() -> dict[str, bytes]:
    """A picture of each kind and depth, with the compressions that scanners use."""
    grey = Image.linear_gradient("L")
    ways: list[tuple[Image.Image, str, dict[str, Any]]] = [
        *((grey.convert("RGB"), kind, {}) for kind in KINDS),
        *((grey.convert(mode), "PNG", {}) for mode in ("1", "P", "LA", "RGBA")),
        *((grey.convert(mode), "JPEG", {"progressive": True}) for mode in ("L", "CMYK")),
        *((grey, "TIFF", {"compression": way}) for way in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg")),
        (grey.convert("1"), "TIFF", {"compression": "group4"}),
        (grey.convert("1"), "PDF", {}),
        (grey.convert("RGB"), "PDF", {}),
    ]
    made = {}
    for number, (image, kind, how) in enumerate(ways):
        buffer = io.BytesIO()
        image.save(buffer, kind, **how)
        made[f"{'read-letter' if kind == 'PDF' else 'read-codes'} {kind} {number}"] = buffer.getvalue()
    return made


def told(folder: Path, *how: str) -> dict[str, list[str]]:
    """What reading the files of a folder loads, by file."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(HERE / "loading.py"), str(folder), *how]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    answer: dict[str, list[str]] = json.loads(done.stdout)
    return answer


def test_nothing_is_left_to_load(tmp_path: Path) -> None:
    """Whatever is read: letters of each kind, every hostile one of the corpus, pictures, scans; and half of each."""
    documents = {f"read-letter {name}": letter(**how) for name, how in LETTERS.items()}
    documents |= {f"read-letter corpus {number}": case.document for number, case in enumerate(load("letter"))}
    documents |= images()
    for name, document in documents.items():
        (tmp_path / name).write_bytes(document)
        (tmp_path / f"{name}, half").write_bytes(document[: len(document) // 2])
    found = told(tmp_path)

    assert len(found) == 1 + 2 * len(documents)
    assert {name: loaded for name, loaded in found.items() if loaded} == {}


def test_without_warming_up_something_would_be(tmp_path: Path) -> None:
    """So the test above can fail."""
    (tmp_path / "read-letter").write_bytes(letter("en"))
    found = told(tmp_path, "cold")

    assert any(one.startswith("import ") for one in found["read-letter"])
    assert found["modules"]


@pytest.mark.parametrize("kind", LETTERS)
async def test_the_first_letter_of_a_worker(kind: str) -> None:
    """A worker that has done nothing yet, confined as in service, reads all of it."""
    how = dict(LETTERS[kind])
    async with open_workers(1) as workers:
        found = await workers.do("read-letter", {"pdf": letter(**how)})

    assert [one.kind for one in found.signatures] == ["certification", "time-stamp"]
    assert (found.broken, found.later, len(found.codes)) == ([], "evidence", 1)
    assert [tuple(row) for row in found.rows] != []
    assert found.language == how["language"]


def test_what_it_warms_up_with() -> None:
    """The file that is shipped is such a letter, with everything that one has; the script still makes the like."""
    shipped, made = (read_letter(pdf) for pdf in (make_warm_letter.FILE.read_bytes(), make_warm_letter.letter()))
    for found in (shipped, made):
        assert [one["kind"] for one in found["signatures"]] == ["certification", "time-stamp"]
        assert {one["name"] for one in found["attachments"]} == {"credential.sdjwt", "receipt.tlog-proof"}
        assert (found["broken"], found["later"], len(found["codes"])) == ([], "evidence", 1)
    lines = drawn.letterhead().lines(drawn.CLAIMS, "en")
    assert len(shipped["rows"]) == len(made["rows"]) == len(lines)
    assert shipped["codes"] == made["codes"]
