"""The base of what is declared as data: details of people, permissions, assurance."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Declared(BaseModel):
    """Unknown fields are refused, values are fixed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=1000)
