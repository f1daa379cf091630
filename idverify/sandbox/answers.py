"""The shapes of what jobs answer, where they are more than bytes or text."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Code(_Answer):
    """A QR code as found in an image: its text and its bytes."""

    text: str
    content: bytes


_Offset = Annotated[int, Field(ge=-(2**31), le=2**31)]  # of what a PDF says, which may be anything
_Second = Annotated[int, Field(ge=-(2**36), le=2**38)]  # of the years 1 to 9999


class Signature(_Answer):
    """A signature of a PDF, as ``formats.pdf.found.Signature``."""

    kind: Literal["certification", "approval", "time-stamp"]
    cms: bytes
    start: _Offset
    end: _Offset
    size: _Offset
    chain: Annotated[list[bytes], Field(min_length=1, max_length=8)]
    at: _Second
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
    """What is in a PDF, as ``formats.pdf.found.Found``: signed by nobody, or by somebody, whatever stamps there are."""

    signatures: Annotated[list[Signature], Field(max_length=16)]
    broken: list[Broken]
    later: Literal["nothing", "evidence", "permitted", "other"]
    attachments: list[Attachment]
    codes: list[str]
    rows: list[list[str]]
    language: str

    @model_validator(mode="after")
    def _signed_by_somebody(self) -> Self:
        if self.signatures and all(one.kind == "time-stamp" for one in self.signatures):
            raise ValueError("stamps alone sign nothing")
        return self


class Round(_Answer):
    """What is signed next for a letter: by the key of which role, which bytes, and the state to go on with."""

    role: str
    payload: bytes
    state: bytes


class Sealed(_Answer):
    """The signed letter, of which the first ``revision`` bytes are its own signed revision."""

    pdf: bytes
    revision: int
