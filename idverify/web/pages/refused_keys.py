"""Registered keys that a list of authenticators refuses, for people."""

from __future__ import annotations

from dataclasses import dataclass

from idverify.services.judgement import Refused
from idverify.web.pages.act_words import ROLES


@dataclass(frozen=True, slots=True)
class RefusedShown:
    """A key that a list refuses; ``role`` and ``why`` are in the catalogue."""

    actor: str
    key: str
    role: str
    why: str
    is_suspended: bool


def refused_shown(refused: list[Refused]) -> list[RefusedShown]:
    """For the table of refused keys."""
    return [RefusedShown(one.actor, one.name, ROLES[one.role], one.why, one.is_suspended) for one in refused]
