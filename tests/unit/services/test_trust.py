"""The trust bundle: what it carries, and for whom there is room in it."""

from __future__ import annotations

import pytest

from idverify.formats import status_list
from idverify.services import trust
from idverify.services.status_source import KeptList


def _kept(size: int) -> KeptList:
    return KeptList(status_list.pack(8, 1, {}), 0, None, 300, b"." * size)


def test_nobodys_lists_shut_out_everybodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists of others come along as far as there is room, ours always; a bundle too large would be refused whole."""
    monkeypatch.setattr(trust, "MOST_LISTS", 1000)
    base = "https://office.example/status"
    ours, large, small = f"{base}/1", "https://north.example/status/1", "https://north.example/status/2"
    lists = {large: _kept(900), small: _kept(400), ours: _kept(300)}

    assert trust._lists(lists, own=base).keys() == {ours, small}
