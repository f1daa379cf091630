"""Where the third-party vectors are, when they are there."""

from __future__ import annotations

from pathlib import Path

import pytest

VECTORS = Path(__file__).resolve().parents[4] / "shared" / "vectors" / "credentials"


@pytest.fixture
def third_party() -> Path:
    """The folder of credential vectors beside the project."""
    if not VECTORS.is_dir():
        pytest.skip("the third-party vectors are not beside the project")
    return VECTORS
