"""The shapes of what jobs answer, where they are more than bytes or text."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Code(_Answer):
    """A QR code as found in an image: its text and its bytes."""

    text: str
    content: bytes


class Round(_Answer):
    """What is signed next for a letter: by the key of which role, which bytes, and the state to go on with."""

    role: str
    payload: bytes
    state: bytes


class Sealed(_Answer):
    """The signed letter, of which the first ``revision`` bytes are its own signed revision."""

    pdf: bytes
    revision: int
