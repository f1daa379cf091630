"""The examples in the documentation of the formats are true."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from idverify.formats import handed_over, jose, sdjwt_conceal, strict_cbor, strict_json

MODULES = [handed_over, jose, sdjwt_conceal, strict_cbor, strict_json]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_examples(module: ModuleType) -> None:
    """Each example runs and says what it says it says."""
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0
