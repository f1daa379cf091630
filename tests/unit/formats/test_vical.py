"""A VICAL is read strictly, held under its provider's pinned root, and every rule of it does something."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from idverify.errors import DocumentError
from idverify.formats import vical, x509
from idverify.formats.vical import Accepted, VicalExpected
from tests.simulators import credential_world as world
from tests.simulators import vical_world as vicals
from tests.simulators.foreign_issuer import NORTH, SOUTH
from tests.vectors.make_vical_vectors import FILE, Case, load, text

RAISES = {"vical_signature": "signature", "vical_provider": "path", "entry_root": "root-is-authority"}
TABLES = ("LIST_RULES", "ENTRY_RULES")


def _checked(case: Case) -> Accepted:
    seen = vical.read(base64.b64decode(case.vical))
    return vical.check(seen, VicalExpected(vicals.root(), case.at))


def _broken(case: Case) -> str | None:
    """The rule that refuses a list, or one certificate of it."""
    try:
        accepted = _checked(case)
    except DocumentError as refused:
        assert not case.entry
        return refused.rule
    return accepted.refused[0].rule if accepted.refused else None


@pytest.fixture(autouse=True)
def _forget_verified_paths() -> Iterator[None]:
    x509._verified.cache_clear()
    yield
    x509._verified.cache_clear()


def test_the_vectors_are_what_the_script_makes() -> None:
    """The checked-in file is exactly what the checked-in script writes."""
    assert FILE.read_text() == text()


@pytest.mark.parametrize("case", load(), ids=lambda case: case.name)
def test_vector(case: Case) -> None:
    """A list holds, or is refused by the rule it names; a wrong certificate takes no other down with it."""
    assert _broken(case) == case.breaks
    if case.entry:
        assert [entry.certificate for entry in _checked(case).entries] == [SOUTH.root()]


@pytest.mark.parametrize(
    ("table", "rule"),
    [pytest.param(table, rule, id=rule.__name__) for table in TABLES for rule in getattr(vical, table)],
)
def test_rule_knockout(table: str, rule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its rule switched off, at least one list that it refused gets through."""
    name = RAISES.get(rule.__name__, rule.__name__.replace("_", "-"))
    cases = [case for case in load() if case.breaks == name]
    monkeypatch.setattr(vical, table, tuple(one for one in getattr(vical, table) if one is not rule))
    x509._verified.cache_clear()

    assert [case.name for case in cases if _broken(case) is None], f"nothing shows what {rule.__name__} is for"


def test_what_a_list_says() -> None:
    """Certificates with their types, as the provider named them."""
    seen = vical.read(vicals.signed())
    accepted = vical.check(seen, VicalExpected(vicals.root(), world.NOW))

    assert (seen.provider, seen.issue, seen.date) == ("Example Provider", 7, world.NOW - world.DAY)
    assert [(entry.certificate, entry.doc_types, entry.authority) for entry in accepted.entries] == [
        (NORTH.root(), (vicals.MDL,), "Northland Authority"),
        (SOUTH.root(), (vicals.MDL, vicals.PERMIT), "Southland Authority"),
    ]


def test_a_list_that_is_too_large() -> None:
    """Refused before anything of it is parsed, or by what it claims to hold."""
    many = vicals.signed(vicals.listed(*[{}] * (vical.MAX_ENTRIES + 1)))
    for encoded in (bytes(vical.MAX_VICAL + 1), many):
        with pytest.raises(DocumentError) as refused:
            vical.read(encoded)
        assert refused.value.rule == "size"


@pytest.mark.parametrize("place", range(0, 1200, 7))
def test_changed_bytes_are_never_believed(place: int) -> None:
    """Whatever byte is another, the list is refused with a rule, or says and signs the same."""
    honest = vicals.signed()
    changed = bytearray(honest)
    changed[place] ^= 0x20
    try:
        seen = vical.read(bytes(changed))
        vical.check(seen, VicalExpected(vicals.root(), world.NOW))
    except DocumentError:
        return
    assert replace(seen, message=vical.read(honest).message) == vical.read(honest)
