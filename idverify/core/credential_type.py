"""A credential type is one declaration: what it says, what may be shown for which purpose, who signs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class Purpose(StrEnum):
    """Why somebody checks; the letter is the share code's first (``reference`` claim sets, purpose views)."""

    WORK = "work"
    RENT = "rent"
    TRAVEL = "travel"
    AGE = "age"
    CHOSEN = "chosen"


class Declared(BaseModel):
    """Base of the models that a type declares: unknown fields are refused, values are fixed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=1000)


@dataclass(frozen=True, slots=True)
class Runs:
    """From when to when a permission runs, Unix seconds; ``end`` of ``None``: without end."""

    start: int
    end: int | None


@dataclass(frozen=True, slots=True)
class CredentialType:
    """One declaration.

    ``claims`` turns a person's details, the permission of the deciding decision and the time of issue into
    claims; ``runs`` says from when to when the permission runs; ``views`` lists, per
    purpose, the only claims its asker may learn (``None``: whatever the holder
    chose to show); ``valid_for`` is the technical life of a wallet copy in seconds.
    """

    vct: str
    name: str
    key_role: str
    valid_for: int
    disclosable: frozenset[str]
    views: Mapping[Purpose, frozenset[str] | None]
    permission: type[BaseModel]
    claims: Callable[[BaseModel, BaseModel, int], dict[str, Any]]
    runs: Callable[[BaseModel], Runs]


def visible_claims(kind: CredentialType | None, purpose: Purpose | None, shown: Mapping[str, Any]) -> dict[str, Any]:
    """What an asker with this purpose may learn of the claims that the holder showed. No purpose: all of them.

    A type that is not declared here has no views, so an asker with a purpose learns nothing of it.
    """
    if purpose is None:
        return dict(shown)
    view = frozenset[str]() if kind is None else kind.views.get(purpose, frozenset())
    return {name: value for name, value in shown.items() if view is None or name in view}
