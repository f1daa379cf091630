"""What ties status lists to their rows, where a query cannot say it: decoys follow from a seed, values are packed.

They hold at every moment: a decision is in the rows before it is in the list, so the list may be behind, and for once
it may not be ahead: nothing that was withdrawn comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from idverify.errors import DocumentError
from idverify.formats import status_list, status_list_cwt
from idverify.formats.status_decoys import NO_DECOYS, Decoys, decoys_of
from idverify.formats.status_list import StatusList, StatusValue
from idverify.stores.connection import Row

Rows = Callable[..., Iterable[Row]]
_DECOY_TAKEN: Final = "no index of a decoy is anybody's"
_CONTENT: Final = "a published status list is the one that its digest is of"
_WITHDRAWN: Final = "a published status list withdraws what a row withdraws, and decoys"
_LISTS: Final = "SELECT * FROM status_list ORDER BY number"
_OF_LIST: Final = {
    "issuance": "SELECT status_index FROM issuance WHERE status_list = :status_list",
    "status_entry": "SELECT status_index, value FROM status_entry WHERE status_list = :status_list",
    "status_publication": "SELECT * FROM status_publication WHERE status_list = :status_list",
}


def status_findings(rows: Rows) -> Iterator[tuple[None, str]]:
    """Each broken rule, once for each list that breaks it."""
    for listed in rows(_LISTS):
        asked = {"status_list": listed["status_list"]}
        values = {row["status_index"]: row["value"] for row in rows(_OF_LIST["status_entry"], asked)}
        published = list(rows(_OF_LIST["status_publication"], asked))
        statuses = None if not published else _statuses(published[0])
        size = 0 if statuses is None else len(statuses)
        decoys = NO_DECOYS if listed["seed"] is None or not size else decoys_of(listed["seed"], size)
        given = values.keys() | {row["status_index"] for row in rows(_OF_LIST["issuance"], asked)}
        if not given.isdisjoint(decoys.indices):
            yield None, _DECOY_TAKEN
        if published and statuses is None:
            yield None, _CONTENT
        if statuses is not None and not _withdraws(statuses, values, decoys, published[0]["decoys"] or 0):
            yield None, _WITHDRAWN


def _statuses(row: Any) -> StatusList | None:
    """What a publication says, if its forms say the same as its digest."""
    try:
        forms = [status_list.read(row["token"])]
        forms += [] if row["cwt"] is None else [status_list_cwt.read(row["cwt"])]
    except DocumentError:
        return None
    digests = {status_list.content_digest(form.claims.uri, form.statuses) for form in forms}
    names = {form.claims.uri for form in forms}
    return forms[0].statuses if digests == {row["content_digest"]} and names == {row["status_list"]} else None


def _withdraws(statuses: StatusList, values: dict[int, int], decoys: Decoys, moves: int) -> bool:
    """Whether the entries that are INVALID are those of rows, or of decoys after so many moves."""
    invalid = {index for index, value in values.items() if value == StatusValue.INVALID}
    invalid |= {index for index, value in decoys.shown(moves) if value is StatusValue.INVALID}
    return all(index in invalid for index in statuses.places_of(StatusValue.INVALID))
