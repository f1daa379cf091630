"""The shapes of what jobs answer, where they are more than bytes or text."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Code(_Answer):
    """A QR code as found in an image: its text and its bytes."""

    text: str
    content: bytes


class Signature(_Answer):
    """A signature of a PDF, as ``formats.pdf.found.Signature``."""

    kind: str
    cms: bytes
    start: int
    end: int
    size: int
    chain: list[bytes]
    at: int
    intact: bool


class Broken(_Answer):
    """A rule that a PDF breaks, as ``formats.pdf.found.Broken``."""

    check: str
    rule: str
    sentence: str


class Attachment(_Answer):
    """A file in a PDF."""

    name: str
    content: bytes


class Found(_Answer):
    """What is in a PDF, as ``formats.pdf.found.Found``."""

    signatures: list[Signature]
    broken: list[Broken]
    later: str
    attachments: list[Attachment]
    codes: list[str]
    rows: list[list[str]]
    language: str


class Round(_Answer):
    """What is signed next for a letter: by the key of which role, which bytes, and the state to go on with."""

    role: str
    payload: bytes
    state: bytes


class Sealed(_Answer):
    """The signed letter, of which the first ``revision`` bytes are its own signed revision."""

    pdf: bytes
    revision: int
