"""What holds for every test of the corpus."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.corpus.examiner import forget


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    """What one case found right, or what was knocked out, is not remembered by the next."""
    forget()
    yield
    forget()
