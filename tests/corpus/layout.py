"""The negative corpus: one folder a format, one file a rule, and in each file the documents that break this rule alone.

``<check>.<rule>.json`` says which check must fail, by which rule, and by which clause::

    {"check": "format", "rule": "digest-once", "clause": "RFC 9901 section 7.1 step 4", "cases": [
      {"name": "a decoy in two places", "at": 1790000000, "text": "eyJhbGciOi...~"},
      {"name": "...", "at": 1790000000, "hex": "a267...", "given": {"asked": true}}]}

``text`` is a document that is ASCII, ``hex`` one that is not, ``zip`` a long one (base64 of zlib); ``at`` is when it is
checked, in Unix seconds; what else the verifier had before it stands in ``given``, by names that the folder's script
explains. The files are made by ``make_<folder>.py`` (``python -m tests.corpus.make_<folder>``), which makes the same
bytes each time, and are read by ``test_<folder>.py``, which puts each of them through ``services.verify`` and then
knocks out its rule.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from idverify.core.verdict import CheckId

CORPUS = Path(__file__).parent
HOLDS = "holds"  # the name of the file of documents that hold, without which refusing everything would pass


class Rule(NamedTuple):
    """A rule that a document can break: the check that then fails, its stable name, and the clause behind it."""

    check: CheckId
    name: str
    clause: str


@dataclass(frozen=True)
class Case:
    """One document at one time. ``breaks`` is the rule that alone refuses it; ``None``: it holds."""

    breaks: Rule | None
    name: str
    document: bytes
    at: int
    given: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The case as it stands in its file."""
        text = _written(self.document)
        given = {"given": dict(self.given)} if self.given else {}
        return {"name": self.name, "at": self.at, **text, **given}


def _written(document: bytes) -> dict[str, str]:
    if document.isascii() and not document.startswith(b"%PDF-"):
        return {"text": document.decode()}
    if len(document) < 4096:
        return {"hex": document.hex()}
    return {"zip": base64.b64encode(zlib.compress(document, 9)).decode()}


def _read(case: Mapping[str, Any]) -> bytes:
    if "text" in case:
        return bytes(case["text"].encode())
    return bytes.fromhex(case["hex"]) if "hex" in case else zlib.decompress(base64.b64decode(case["zip"]))


def files(cases: Iterable[Case]) -> dict[str, str]:
    """What a folder holds, by file name. Cases of one rule stand together, in the order in which they were made."""
    by_rule: dict[Rule | None, list[Case]] = {}
    for case in cases:
        by_rule.setdefault(case.breaks, []).append(case)
    made = {file_of(rule): _text(rule, of_rule) for rule, of_rule in by_rule.items()}
    if len(made) != len(by_rule):
        raise ValueError("Two rules of one check have the same name and different clauses; give one clause.")
    return made


def file_of(rule: Rule | None) -> str:
    """The name of the file of a rule."""
    return f"{rule.check}.{rule.name}.json" if rule else f"{HOLDS}.json"


def _text(rule: Rule | None, cases: list[Case]) -> str:
    said = {"check": rule.check, "rule": rule.name, "clause": rule.clause} if rule else {}
    return json.dumps({**said, "cases": [case.to_json() for case in cases]}, indent=1) + "\n"


def write(folder: str, cases: Iterable[Case]) -> None:
    """Write a folder anew; a file whose rule is gone goes too."""
    made = files(cases)
    (CORPUS / folder).mkdir(exist_ok=True)
    for old in (CORPUS / folder).glob("*.json"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (CORPUS / folder / name).write_text(text)


def stored(folder: str) -> dict[str, str]:
    """The files of a folder as they stand, by name."""
    return {path.name: path.read_text() for path in sorted((CORPUS / folder).glob("*.json"))}


def load(folder: str) -> list[Case]:
    """Every case of a folder, from its files."""
    return [case for text in stored(folder).values() for case in _cases(json.loads(text))]


def _cases(file: Mapping[str, Any]) -> list[Case]:
    rule = Rule(CheckId(file["check"]), file["rule"], file["clause"]) if "rule" in file else None
    return [
        Case(
            rule,
            case["name"],
            _read(case),
            case["at"],
            case.get("given", {}),
        )
        for case in file["cases"]
    ]
