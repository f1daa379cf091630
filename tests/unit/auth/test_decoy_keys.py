"""Keys of nobody: always the same for one secret, and drawn by the tables."""

from __future__ import annotations

from collections import Counter

import pytest

from idverify.auth.credential_json import MAX_CREDENTIAL_ID
from idverify.auth.decoy_keys import PUBLIC_KEYS, PUBLIC_MAKES, STAFF_KEYS, STAFF_MAKES, decoys

MANY = 4000


def test_one_secret_stands_for_one_list() -> None:
    """Another secret, or another kind of account, for another."""
    assert decoys(b"secret", staff=False) == decoys(b"secret", staff=False)
    assert decoys(b"secret", staff=False) != decoys(b"another", staff=False)
    assert decoys(b"secret", staff=True) != decoys(b"secret", staff=False)


def test_no_id_comes_twice() -> None:
    """Neither among those of one account nor among those of many."""
    ids = [id_ for number in range(MANY) for id_, _ in decoys(b"%d" % number, staff=False)]

    assert len(set(ids)) == len(ids)
    assert all(1 <= len(id_) <= MAX_CREDENTIAL_ID for id_ in ids)


@pytest.mark.parametrize("staff", [False, True])
def test_what_is_drawn_is_spread_as_the_tables_say(staff: bool) -> None:  # noqa: FBT001  a parameter
    """Within four standard deviations, for every value of each table."""
    lists = [decoys(b"%d" % number, staff=staff) for number in range(MANY)]
    counts = Counter(len(made) for made in lists)
    makes = Counter((len(id_), transports) for made in lists for id_, transports in made)

    for found, table in (
        (counts, STAFF_KEYS if staff else PUBLIC_KEYS),
        (makes, STAFF_MAKES if staff else PUBLIC_MAKES),
    ):
        asked, whole = found.total(), sum(share for share, _ in table)
        assert set(found) == {value for _, value in table}
        for share, value in table:
            expected = asked * share / whole
            assert abs(found[value] - expected) < 4 * (expected * (1 - share / whole)) ** 0.5


def test_transports_are_sorted() -> None:
    """As browsers list those of real keys (WebAuthn L3 section 5.2.1.1)."""
    for _, (_, transports) in (*PUBLIC_MAKES, *STAFF_MAKES):
        assert list(transports) == sorted(transports)
