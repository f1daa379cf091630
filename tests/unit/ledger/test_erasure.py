"""Looking for what must be gone: every form in which a salt or a record could still be there is found."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idverify.ledger import Draft, EntryType, MalformedError, Opening, Record, commitment, genesis, sequence
from idverify.ledger.erasure import Erased, Trace, search

SALT = bytes(range(100, 132))
RECORD = Record("credential.issued", bytes(range(32)), reason="granted")
STATE, START, _ = sequence(genesis("log.example/1"), Draft(EntryType.LOG_START, bytes(16), bytes(32)), 60)
_, ENTRY, _ = sequence(STATE, Draft(EntryType.CREDENTIAL, b"h" * 16, commitment(SALT, RECORD)), 60)
OPENING = Opening(ENTRY, SALT, RECORD)
ERASED = Erased.of(OPENING)


def found(data: bytes, erased: Erased = ERASED) -> list[Trace]:
    return list(search([data], erased))


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": bytes,
    "hex": lambda secret: secret.hex().encode(),
    "HEX": lambda secret: secret.hex().upper().encode(),
    "base64": base64.b64encode,
    "base64url": base64.urlsafe_b64encode,
    "torn": lambda secret: secret[:9] + bytes(4096) + secret[9:],
    "in JSON": lambda secret: json.dumps({"x": base64.b64encode(b"1" + secret).decode()}).encode(),
}


@pytest.mark.parametrize("secret", [SALT, RECORD.encode()], ids=["salt", "record"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("before", range(4))
def test_every_form_is_found(secret: bytes, form: Callable[[bytes], bytes], before: int) -> None:
    """However it is spelled, wherever it stands."""
    assert found(b"x" * before + form(secret) + b"y")


def test_a_receipt_is_found() -> None:
    """The receipt itself, which somebody kept in a log or a mail, holds both in one base64 line."""
    told = {trace.what for trace in found(b"extra " + base64.b64encode(OPENING.encode()) + b"\n")}

    assert any("the salt" in what for what in told)
    assert any("the record" in what for what in told)


@pytest.mark.parametrize("data", [b"", ENTRY, START + ENTRY, RECORD.object_digest, commitment(SALT, RECORD)])
def test_what_may_stay_is_no_trace(data: bytes) -> None:
    """The entry stays for ever, and the digest of the document alone opens nothing."""
    assert found(data) == []


@given(st.binary(max_size=2000))
def test_random_bytes_are_no_trace(data: bytes) -> None:
    """Nothing is claimed that is not there."""
    assert found(data) == []


@given(cuts=st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_pieces_do_not_hide_anything(cuts: list[int]) -> None:
    """A file is read in pieces; a secret that lies across them is found once, at its place."""
    data = b"." * 50 + SALT + b"." * 50
    pieces, start = [], 0
    for cut in cuts:
        pieces.append(data[start : start + cut])
        start += cut
    pieces.append(data[start:])

    assert list(search(pieces, ERASED)) == found(data)
    assert {trace.offset for trace in found(data)} == {50, 66}


def test_salts_around_the_handle_are_tried() -> None:
    """A salt next to the handle is recognized by what it opens, even if it was not known to the search."""
    blind = Erased(ERASED.handle, (bytes(32),), OPENING)
    told = [trace for trace in found(b"row " + b"h" * 16 + b"?" * 100 + SALT, blind) if "opens" in trace.what]

    assert [trace.offset for trace in told] == [4 + 16 + 100]


def test_candidates_are_looked_for_without_a_record() -> None:
    """With the handle and some salts that may have been it, each is looked for."""
    erased = Erased.candidates(b"h" * 16, [bytes([7] * 32), SALT])

    assert {trace.offset for trace in found(b"abc" + SALT, erased)} == {3, 19}
    assert found(b"abc" + RECORD.encode(), erased) == []


@pytest.mark.parametrize(("handle", "salts"), [(b"h" * 15, [SALT]), (b"h" * 16, []), (b"h" * 16, [b"x"])])
def test_candidates_of_other_sizes_are_refused(handle: bytes, salts: list[bytes]) -> None:
    """A search for something that cannot be there would find nothing and prove nothing."""
    with pytest.raises(MalformedError):
        Erased.candidates(handle, salts)


def test_an_opening_that_opens_nothing_is_refused() -> None:
    """Not finding a wrong salt would prove nothing."""
    with pytest.raises(MalformedError, match="commits to"):
        Erased.of(Opening(ENTRY, bytes(32), RECORD))


def test_deleted_rows_of_a_database_are_searched(tmp_path: Path) -> None:
    """A deleted row stays in the file until its page is used again; one that was overwritten is gone."""
    for overwrite, left in ((False, True), (True, False)):
        file = tmp_path / f"{overwrite}.sqlite"
        connection = sqlite3.connect(file)
        connection.execute(f"PRAGMA secure_delete = {int(overwrite)}")
        connection.execute("CREATE TABLE opening (handle BLOB, salt BLOB)")
        connection.executemany(
            "INSERT INTO opening VALUES (?, ?)", [(os.urandom(16), os.urandom(32)) for _ in range(99)]
        )
        connection.execute("INSERT INTO opening VALUES (?, ?)", (b"h" * 16, SALT))
        connection.commit()
        connection.execute("DELETE FROM opening WHERE salt = ?", (SALT,))
        connection.commit()
        connection.close()

        assert bool(found(file.read_bytes())) == left
