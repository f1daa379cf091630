"""The examples in the documentation of `auth` are true."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from idverify.auth import api_keys, base64url, enrolment_codes, session_tokens, strict_cbor, strict_json
from idverify.auth.attestation import der

MODULES = [api_keys, base64url, der, enrolment_codes, session_tokens, strict_cbor, strict_json]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_examples(module: ModuleType) -> None:
    """Each example runs and says what it says it says."""
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0
