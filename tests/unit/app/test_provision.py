"""What a deployment's public address may be."""

from __future__ import annotations

import pytest

from idverify.app.provision import require_public_url
from idverify.errors import SetupError


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8080",
        "http://127.0.0.1:8080",
        "http://[::1]:8080/",
        "https://id.example",
        "https://id.example:8443/",
    ],
)
def test_addresses_that_may_be_public(url: str) -> None:
    """Anything with TLS, and this machine's own names without."""
    require_public_url(url)


@pytest.mark.parametrize("url", ["http://id.example", "http://192.0.2.1:8080", "http://localhost.example"])
def test_other_machines_need_tls(url: str) -> None:
    """Credentials would point to an address where anybody could answer."""
    with pytest.raises(SetupError, match="needs https"):
        require_public_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8080",
        "ftp://localhost",
        "https://",
        "https://id.example/path",
        "https://id.example?query",
        "https://id.example#fragment",
        "https://user@id.example",
        "https://id.example:port",
        "https://id.example:0",
        "https://id.example:99999",
        "https://[::1",
    ],
)
def test_what_is_no_origin_is_no_address(url: str) -> None:
    """Scheme, host and perhaps a port: everything else would end up in every credential."""
    with pytest.raises(SetupError, match="no public address"):
        require_public_url(url)
